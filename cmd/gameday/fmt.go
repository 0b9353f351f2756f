package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gameday/runner"
	"gameday/scenarios"
)

func (a app) fmtCommand() *cobra.Command {
	var check, asJSON bool
	c := &cobra.Command{
		Use:   "fmt FILE|DIR",
		Short: "Lay scenario files out in the usual form",
		Long:  "Rewrite scenario files in the usual layout and print the names of those that changed. With --check nothing is written, and the exit code is 3 if a file would change.",
		Args:  oneSource,
		RunE: func(_ *cobra.Command, args []string) error {
			changed, ds := scenarios.FormatFiles(args[0], check)
			if asJSON {
				if changed == nil {
					changed = []string{}
				}
				if ds == nil {
					ds = scenarios.Diagnostics{}
				}
				if err := a.json(map[string]any{"changed": changed, "diagnostics": ds}); err != nil {
					return err
				}
			} else {
				scenarios.WriteDiagnostics(a.stderr, ds, a.color(), a.width())
				for _, f := range changed {
					fmt.Fprintln(a.stdout, f)
				}
			}
			switch {
			case ds.HasErrors():
				return exit(runner.ExitInvalid)
			case check && len(changed) > 0:
				return exit(runner.ExitRefuted)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only say which files would change")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
