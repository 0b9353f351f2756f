package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gameday/report/blameless"
	"gameday/runner"
)

func (a app) lintCommand() *cobra.Command {
	var names []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "lint FILE…",
		Short: "Check the language of a postmortem: does it look for conditions, or for somebody to blame?",
		Long:  "Check English Markdown for language that blames, and offer a question to ask instead. Exit code 3 if there is an error; warnings and suggestions are for people to weigh.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return see(c, "name at least one file")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			findings := []blameless.Finding{}
			for _, path := range args {
				src, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				findings = append(findings, blameless.Lint(path, src, blameless.Options{Names: names})...)
			}
			code := 0
			for _, f := range findings {
				if f.Severity == "error" {
					code = runner.ExitRefuted
				}
				if !asJSON {
					fmt.Fprintf(a.stdout, "%s:%d:%d: %s %s: %q\n    %s\n    %s (%s)\n", f.File, f.Line, f.Column, f.Rule, f.Severity, f.Quote, f.Hides, f.Ask, f.Source)
				}
			}
			if asJSON {
				if err := a.json(map[string]any{"findings": findings}); err != nil {
					return err
				}
			}
			return exit(code)
		},
	}
	c.Flags().StringArrayVar(&names, "name", nil, "a participant's `name` that should be a role instead (may be repeated)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
