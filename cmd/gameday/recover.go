package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gameday/runner"
	"gameday/runner/journal"
)

func (a app) recoverCommand() *cobra.Command {
	var runs string
	var asJSON bool
	c := &cobra.Command{
		Use:   "recover [RUN]",
		Short: "Undo what a run left behind whose runner has gone",
		Long: `Undo what a run left behind: read its journal, put every container back whose undo was not seen, remove gameday's own helpers and
the lock. Without RUN every run that needs it is recovered. It may be repeated, and is refused while the runner is there (see abort).
Exit code 6 if something could not be undone; then the commands to do it by hand are printed.`,
		Args:              atMostOneRun,
		ValidArgsFunction: completeRuns(&runs),
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := signals()
			defer stop()
			s, done, err := a.setup(ctx, runs)
			if err != nil {
				return err
			}
			defer done()
			var dirs []string
			if len(args) == 1 {
				dir, err := journal.Find(runs, args[0])
				if err != nil {
					return err
				}
				dirs = []string{dir}
			} else if dirs, err = runner.Unrecovered(ctx, s); err != nil {
				return err
			}
			results := []runner.Recovered{}
			var failed error
			code := runner.ExitHeld
			for _, dir := range dirs {
				r, err := runner.Recover(ctx, s, dir)
				failed = errors.Join(failed, err)
				if r.Undone == nil {
					r.Undone = []string{}
				}
				results = append(results, r)
				if len(r.Open) > 0 {
					code = runner.ExitResidue
				}
			}
			if asJSON {
				if err := a.json(map[string]any{"recovered": results}); err != nil {
					return err
				}
			} else {
				a.printRecovered(results)
			}
			if code != runner.ExitHeld {
				return &failure{code: code, err: failed}
			}
			return failed
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a app) printRecovered(results []runner.Recovered) {
	if len(results) == 0 {
		fmt.Fprintln(a.stdout, "Nothing to recover: no run has left a fault open.")
	}
	for _, r := range results {
		if len(r.Undone)+len(r.Open) == 0 {
			fmt.Fprintf(a.stdout, "%s: no fault was left open\n", r.Run)
		} else {
			fmt.Fprintf(a.stdout, "%s: %s undone\n", r.Run, plural(len(r.Undone), "fault"))
		}
		for _, u := range r.Undone {
			fmt.Fprintf(a.stdout, "  undone    %s\n", u)
		}
		for i, o := range r.Open {
			fmt.Fprintf(a.stdout, "  NOT DONE  %s\n            by hand: %s\n", o, r.ByHand[i])
		}
		for _, c := range r.Removed {
			fmt.Fprintf(a.stdout, "  removed   %s\n", c)
		}
		for _, d := range r.Damage {
			fmt.Fprintf(a.stdout, "  missing   %s\n", d)
		}
	}
}
