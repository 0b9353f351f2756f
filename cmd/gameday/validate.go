package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gameday/scenarios"

	"gameday/runner"
)

func (a app) validateCommand() *cobra.Command {
	var s sources
	var asJSON bool
	c := &cobra.Command{
		Use:   "validate FILE|DIR",
		Short: "Check scenario files, without touching anything",
		Long:  "Check scenario files and name every mistake at once. Neither Docker nor Prometheus is asked. Exit code 2 if there is a mistake.",
		Args:  oneSource,
		RunE: func(_ *cobra.Command, args []string) error {
			ws, ds := scenarios.Load(args[0], s.options())
			if asJSON {
				if ds == nil {
					ds = scenarios.Diagnostics{}
				}
				if err := a.json(map[string]any{"valid": !ds.HasErrors(), "diagnostics": ds}); err != nil {
					return err
				}
			} else {
				scenarios.WriteDiagnostics(a.stderr, ds, a.color(), a.width())
			}
			if ds.HasErrors() {
				return exit(runner.ExitInvalid)
			}
			if !asJSON {
				fmt.Fprintf(a.stdout, "%s: valid (%s in %s)\n", args[0], plural(len(ws.Scenarios), "scenario"), plural(len(ws.Files), "file"))
			}
			return nil
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
