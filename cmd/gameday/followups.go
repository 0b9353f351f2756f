package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/report/followup"
	"gameday/runner"
	"gameday/runner/journal"
)

func (a app) followupsCommand() *cobra.Command {
	var runs, on, roster string
	var names []string
	var all, asJSON, check bool
	c := &cobra.Command{
		Use:   "followups",
		Short: "List what was agreed on after rehearsals and is still to be done",
		Long: `List the follow-ups of all runs that are still to be done: what people wrote into the tables of follow-ups in the drafts (report.md) of the
runs below --runs, the longest overdue first, then the oldest. A table of follow-ups has a column for the action; columns for the owning
team, the due date, what shows that it is done, the ticket, the decision and the proof are known by their titles, in any order, and any
other column is kept.

A follow-up is closed by the decision "done" or "not doing: the reason". One that names a scenario as its proof is closed by itself when a
run of that scenario has held that began after the row was written, and is open again when one after that is refuted, aborted by a guardrail
or leaves something in force. That the row was there is known from the run's own record, which names what was open in --runs when it began; so
a run before the debrief proves nothing that was agreed on there, nor any run a row whose action or proof has been changed since. If such a
run is the proof, decide "done".
A run that was inconclusive, injected nothing or was stopped by hand before anything was refuted changes nothing; --all says which run counts.

With --check it is said instead where a row is not data yet (no owner, no date, no decision, a reason that is missing, no verb at the
beginning) and which ones are overdue, one line each: file:line:column, what is wrong. An owner is a team: with --roster or --name, as in
` + "`gameday lint`" + `, a participant who stands there instead is named too.

The exit code is 0; with --check it is 3 if there is anything to say; it is 1 for an error, such as a draft that cannot be read.`,
		Args: nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			day := time.Now()
			if on != "" {
				var err error
				if day, err = time.Parse(time.DateOnly, on); err != nil {
					return see(c, fmt.Sprintf("--on %q is not a date such as 2026-12-04", on))
				}
			}
			people, err := participants(names, roster)
			if err != nil {
				return err
			}
			list, unread, err := report.FollowUps(runs, day, people)
			if err != nil {
				return err
			}
			shown := []report.FollowUp{}
			for _, f := range list {
				if all || f.State == report.FollowUpOpen || check && len(f.Problems) > 0 {
					shown = append(shown, f)
				}
			}
			switch {
			case asJSON:
				err = a.json(map[string]any{"follow_ups": shown, "unread": unread})
			case check:
			case len(shown) == 0:
				fmt.Fprintf(a.stderr, "No follow-up is open in %s.\n", clean(runs))
			default:
				err = followUpTable(shown, all).print(a.stdout)
			}
			if err != nil {
				return err
			}
			for _, u := range unread {
				fmt.Fprintf(a.stderr, "gameday: %s of %s could not be read: %s\n", clean(u.File), clean(u.Run), clean(u.Why))
			}
			problems := 0
			if check {
				problems = a.followUpProblems(shown, asJSON)
			}
			switch {
			case len(unread) > 0:
				return exit(runner.ExitError)
			case problems > 0:
				return exit(runner.ExitRefuted)
			}
			return nil
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&all, "all", false, "list those that are closed too, and what closed them")
	c.Flags().BoolVar(&check, "check", false, "say what is wrong with them, and end with exit code 3 if anything is")
	participantFlags(c, &names, &roster, "is to own no follow-up")
	c.Flags().StringVar(&on, "on", "", "count ages as on this `date` (default today)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func followUpTable(list []report.FollowUp, all bool) table {
	t := table{head: []string{"AGE", "DUE", "OWNER", "ACTION", "DECISION", "RUN"}}
	if all {
		t.head = append(t.head, "STATE")
	}
	for _, f := range list {
		due := dash(f.Due)
		if f.Overdue > 0 {
			due += fmt.Sprintf(" (%dd over)", f.Overdue)
		}
		decision := string(f.Decision)
		if f.Decision == followup.NotDoing && f.Reason != "" {
			decision += ": " + f.Reason
		}
		row := []string{fmt.Sprintf("%dd", f.Age), due, dash(f.Owner), dash(f.Action), decision, f.Run}
		if all {
			row = append(row, followUpState(f))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// followUpState is what became of a follow-up, and by which run.
func followUpState(f report.FollowUp) string {
	switch {
	case f.State == report.FollowUpProven:
		return fmt.Sprintf("proven: %s held", f.By)
	case f.State == report.FollowUpOpen && f.ByWas == journal.OutcomeAborted:
		return fmt.Sprintf("open: %s was aborted by a guardrail", f.By)
	case f.State == report.FollowUpOpen && f.ByWas == journal.OutcomeResidue:
		return fmt.Sprintf("open: %s left something in force", f.By)
	case f.State == report.FollowUpOpen && f.ByWas == journal.OutcomeHeld:
		return fmt.Sprintf("open: %s held before this was agreed on; is that the proof?", f.By)
	case f.State == report.FollowUpOpen && f.By != "":
		return fmt.Sprintf("open: %s was refuted", f.By)
	}
	return string(f.State)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// followUpProblems says what is wrong, unless that has been said as JSON, and how many things it is.
func (a app) followUpProblems(list []report.FollowUp, said bool) int {
	n := 0
	say := func(f report.FollowUp, line, column int, what string) {
		if n++; !said {
			fmt.Fprintf(a.stdout, "%s:%d:%d: %s\n", clean(f.File), line, column, clean(oneLine(what)))
		}
	}
	for _, f := range list {
		for _, p := range f.Problems {
			say(f, p.Line, p.Column, p.What)
		}
		if f.Overdue > 0 {
			say(f, f.Line, f.Column, fmt.Sprintf("it was due on %s, %s ago: do it, or decide anew", f.DueDate, plural(f.Overdue, "day")))
		}
	}
	return n
}
