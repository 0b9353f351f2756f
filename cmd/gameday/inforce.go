package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gameday/runner"
	"gameday/runner/journal"
)

func (a app) statusCommand() *cobra.Command {
	var runs string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "What is in force now: the run that goes on, its open faults, what was left behind",
		Long: `Say what gameday is doing to the containers of this Docker engine now, or has left there: which run holds the lock, whether its runner
and its guard are there, each fault that is not seen to be gone with its undo and when that is due, and helper containers that are
left. Works from any terminal; where the run's directory is not on this machine, from what the engine knows.`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signals()
			defer stop()
			s, done, err := a.setup(ctx, runs)
			if err != nil {
				return err
			}
			defer done()
			now, err := runner.Look(ctx, s)
			if err != nil {
				return err
			}
			if asJSON {
				return a.json(now)
			}
			a.printInForce(now)
			return nil
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`, too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a app) printInForce(now runner.InForce) {
	if now.Nothing() {
		fmt.Fprintln(a.stdout, "Nothing is in force.")
		return
	}
	row := func(what, format string, args ...any) {
		fmt.Fprintf(a.stdout, "  %-9s %s\n", what, oneLine(fmt.Sprintf(format, args...)))
	}
	for _, r := range now.Runs {
		name := r.Run
		if r.Scenario != "" {
			name += " (scenario " + r.Scenario + ")"
		}
		fmt.Fprintln(a.stdout, oneLine(name))
		row("since", "%s, %s", r.Since.UTC().Format(time.RFC3339), ago(r.Since))
		if r.Phase != "" {
			row("phase", "%s", r.Phase)
		}
		row("runner", "%s (process %d on %s)", r.Runner, r.PID, r.Host)
		row("guard", "%s", guardState(r))
		if !r.Lock {
			row("lock", "not held")
		}
		if len(r.Faults) == 0 {
			row("faults", "none is in force")
		}
		for _, f := range r.Faults {
			row(faultMark(f), "%s", faultLine(f))
			if f.ByHand != "" {
				row("", "by hand: %s", f.ByHand)
			}
		}
		if r.Runner == runner.RunnerGone && r.Guard != runner.GuardUp && len(r.Faults) > 0 {
			cmd := journal.RecoverCommand(r.Dir)
			if r.FromLabels {
				cmd = "gameday recover " + journal.ShellWord(r.Run)
			}
			row("to do", "%s", cmd)
		}
	}
	for _, h := range now.Helpers {
		text := fmt.Sprintf("helper %s (%s) of %s", h.Name, h.State, h.Run)
		if h.Stray {
			text += ", which holds no lock; `gameday recover " + journal.ShellWord(h.Run) + "` removes it"
		}
		fmt.Fprintln(a.stdout, oneLine(text))
	}
}

func guardState(r runner.RunInForce) string {
	s := string(r.Guard)
	switch {
	case r.Guard == runner.GuardNone && r.Lock:
		s = "none: the run was started with --no-guard"
	case r.Guard == runner.GuardAway:
		s = "away: its container does not run"
	}
	if r.Fired != "" {
		s += "; it has taken over: " + r.Fired
	}
	return s
}

func faultMark(f runner.OpenFault) string {
	if f.State == "NOT UNDONE" {
		return "NOT DONE"
	}
	return "fault"
}

func faultLine(f runner.OpenFault) string {
	s := fmt.Sprintf("%s: %s", f, f.State)
	if f.Since != nil {
		s += " since " + f.Since.UTC().Format(time.RFC3339) + ", " + ago(*f.Since)
	}
	s += "; undo: " + f.Undo
	if f.Due != nil {
		s += ", due at " + f.Due.UTC().Format(time.RFC3339)
		if left := time.Until(*f.Due); left > 0 {
			s += ", in " + length(left.Round(time.Second))
		}
	}
	return s
}

// ago says how long something has lasted.
func ago(t time.Time) string { return "for " + length(max(time.Since(t), 0).Round(time.Second)) }
