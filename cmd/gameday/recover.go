package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gameday/inject/engine"
	"gameday/runner"
	"gameday/runner/journal"
)

func (a app) recoverCommand() *cobra.Command {
	var runs string
	var asJSON, gone bool
	c := &cobra.Command{
		Use:   "recover [RUN]",
		Short: "Undo what a run left behind whose runner has gone",
		Long: `Undo what a run left behind that its guard did not undo, because it had none or both were ended: read its journal, put every container
back whose undo was not seen, remove gameday's own helpers and the lock. Without RUN every run that needs it is recovered. It may be
repeated, and is refused while the runner is there (see abort), or while another run is going on whose faults it could take away.

Where the journal is lost, the labels of the lock say what the run had planned, and all of that is undone as far as it may have been
done: limits become again what the engine has (docker inspect), and a command that may be somebody else's is not ended. Of a run on another
machine (see status) only a person can know that its runner is gone: name its id, with --gone.

Exit code 6 if something could not be undone; then the commands to do it by hand are printed.`,
		Args:              atMostOneRun,
		ValidArgsFunction: completeRuns(&runs),
		RunE: func(_ *cobra.Command, args []string) error {
			if gone && len(args) == 0 {
				return errors.New("--gone is for one run: name it")
			}
			ctx, stop := signals()
			defer stop()
			s, done, err := a.setup(ctx, runs)
			if err != nil {
				return err
			}
			defer done()
			s.RunnerGone = gone
			todo, err := toRecover(ctx, s, args)
			if err != nil {
				return err
			}
			results := []runner.Recovered{}
			var failed error
			code := runner.ExitHeld
			for _, recover := range todo {
				r, err := recover()
				failed = errors.Join(failed, err)
				if err != nil && len(r.Undone)+len(r.Open)+len(r.Removed) == 0 {
					continue
				}
				if r.Undone == nil {
					r.Undone = []string{}
				}
				results = append(results, r)
				if r.Left() {
					code = runner.ExitResidue
				}
			}
			if asJSON {
				if err := a.json(map[string]any{"recovered": results}); err != nil {
					return err
				}
			} else if failed == nil || len(results) > 0 {
				a.printRecovered(results)
			}
			if code != runner.ExitHeld {
				return &failure{code: code, err: failed}
			}
			return failed
		},
	}
	c.Flags().BoolVar(&gone, "gone", false, "the runner of RUN is gone, although this machine cannot tell")
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// toRecover lists the recoveries of the run that is named, or of all that need one.
func toRecover(ctx context.Context, s runner.Setup, args []string) (todo []func() (runner.Recovered, error), err error) {
	if len(args) == 1 {
		return []func() (runner.Recovered, error){func() (runner.Recovered, error) {
			dir, err := journal.Find(s.Runs, args[0])
			if err == nil {
				return runner.Recover(ctx, s, dir)
			}
			r, lerr := runner.RecoverRun(ctx, s, args[0])
			if errors.Is(lerr, runner.ErrNoTrace) {
				lerr = err
			}
			return r, lerr
		}}, nil
	}
	dirs, err := runner.Unrecovered(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		todo = append(todo, func() (runner.Recovered, error) { return runner.Recover(ctx, s, dir) })
	}
	orphans, err := runner.Orphans(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, run := range orphans {
		todo = append(todo, func() (runner.Recovered, error) { return runner.RecoverRun(ctx, s, run) })
	}
	return todo, nil
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
		if r.Helpers > 0 {
			fmt.Fprintf(a.stdout, "  NOT DONE  %s of gameday's own could not be removed\n            by hand: docker ps -aq --filter label=%s=%s | xargs docker rm -f\n",
				plural(r.Helpers, "container"), engine.Label, r.Run)
		}
		for _, c := range r.Removed {
			fmt.Fprintf(a.stdout, "  removed   %s\n", c)
		}
		for _, n := range r.Notes {
			fmt.Fprintf(a.stdout, "  note      %s\n", n)
		}
		for _, d := range r.Damage {
			fmt.Fprintf(a.stdout, "  missing   %s\n", d)
		}
	}
}
