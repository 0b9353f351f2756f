package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/runner/journal"
)

func (a app) reportCommand() *cobra.Command {
	var runs string
	var asJSON, schema bool
	c := &cobra.Command{
		Use:   "report [RUN]",
		Short: "Draft the postmortem of a run again, from its record alone",
		Long: `Draft the postmortem of a run from its directory alone: report.md, report.html, report.json and junit.xml. RUN is a run directory, an id
below --runs or a part of one, or "latest", which is the default. What people wrote into report.md stays as it is. A run that was cut off is
reported as far as its record goes, and the draft says what is missing.`,
		Args:              atMostOneRun,
		ValidArgsFunction: completeRuns(&runs),
		RunE: func(_ *cobra.Command, args []string) error {
			if schema {
				_, err := a.stdout.Write(report.Schema)
				return err
			}
			name := "latest"
			if len(args) == 1 {
				name = args[0]
			}
			dir, err := journal.Find(runs, name)
			if err != nil {
				return err
			}
			rec, err := journal.Read(dir)
			if err != nil {
				return err
			}
			paths, err := report.Write(dir, rec)
			if err != nil && len(paths) == 0 {
				return err
			}
			if asJSON {
				b, rerr := os.ReadFile(filepath.Join(dir, "report.json"))
				if rerr != nil {
					return rerr
				}
				if _, werr := a.stdout.Write(b); werr != nil {
					return werr
				}
				return err
			}
			report.Summary(a.stderr, report.Build(rec), a.color(), a.width())
			for _, p := range paths {
				fmt.Fprintln(a.stdout, p)
			}
			return err
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&asJSON, "json", false, "print report.json")
	c.Flags().BoolVar(&schema, "schema", false, "print the JSON schema of report.json")
	return c
}
