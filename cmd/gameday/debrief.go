package main

import (
	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/runner/journal"
)

func (a app) debriefCommand() *cobra.Command {
	var runs string
	var minutes int
	var asJSON bool
	c := &cobra.Command{
		Use:   "debrief [RUN]",
		Short: "Print the agenda for the debrief of a run, for the facilitator",
		Long: `Print the facilitator's agenda for the debrief of a run, from its record alone: who to invite by role, time boxes that add up to --minutes, the
walk along the timeline with each question at its moment, whose voice is missing from the record, what to do when blame comes up, and
when to come back, by the date of the run and the due dates in the draft's table of follow-ups. The walk stops at every fault, refutation,
alert, surprise and action; where the timeline is long or the time short, it says how many plain notes and changes of state are left to the draft.

RUN is a run directory, an id below --runs or a part of one, or "latest", which is the default.

The exit code is 0, or 1 for an error.`,
		Args:              atMostOneRun,
		ValidArgsFunction: completeRuns(&runs),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := namedRun(runs, args)
			if err != nil {
				return err
			}
			rec, err := journal.Read(dir)
			if err != nil {
				return err
			}
			agreed, err := report.Unproven(dir)
			if err != nil {
				return err
			}
			agenda, err := report.NewAgenda(rec, agreed, minutes)
			if err != nil {
				return err
			}
			if asJSON {
				return a.json(agenda)
			}
			return agenda.Write(a.stdout)
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().IntVar(&minutes, "minutes", 60, "how long the debrief is, in `minutes`: 15 to 240")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
