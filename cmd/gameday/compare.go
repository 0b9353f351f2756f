package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
)

func (a app) compareCommand() *cobra.Command {
	var runs string
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare RUN RUN",
		Short: "Lay two runs side by side: does what held still hold?",
		Long: `Lay two runs side by side, the earlier one first, from their records alone: verdicts, margins, and how long it took until each hypothesis
was first violated after the fault and held again after the undo; and what else moved. Hypotheses are matched by name; where they were declared differently that is
said. RUN is a run directory, an id below --runs or a part of one, or "latest".

The exit code is 3 if something that held in the first run does not hold in the second, or is not in it any more, and 0 if not.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return see(c, "name two runs")
			}
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				args = nil
			}
			return completeRuns(&runs)(c, args, word)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var records [2]*journal.Record
			for i, name := range args {
				dir, err := journal.Find(runs, name)
				if err != nil {
					return err
				}
				if records[i], err = journal.ReadEvents(dir); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			compared := report.Compare(records[0], records[1])
			var err error
			if asJSON {
				err = a.json(compared)
			} else {
				err = compared.Write(a.stdout)
			}
			if err == nil && len(compared.Worse) > 0 {
				return exit(runner.ExitRefuted)
			}
			return err
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
