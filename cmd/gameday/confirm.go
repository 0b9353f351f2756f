package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gameday/runner/journal"
	"gameday/scenarios"
)

type confirmFlags struct {
	speaker
	text, run, runs string
	asJSON          bool
}

func (a app) confirmCommand() *cobra.Command {
	var f confirmFlags
	c := &cobra.Command{
		Use:   "confirm [STEP]",
		Short: "Confirm that a manual step of the run in progress is done",
		Long: `Confirm that a manual step of the run in progress is done. STEP may be left out while one step alone waits. A step that stands before the
injection holds the baseline until it is confirmed.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return see(c, "name one step at most")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			role, err := f.given()
			if err != nil {
				return err
			}
			if f.text = strings.TrimSpace(f.text); f.text != "" {
				if f.text, err = a.spokenText(f.text); err != nil {
					return fmt.Errorf("--text: %w", err)
				}
			}
			dir, err := runInProgress(f.runs, f.run)
			if err != nil {
				return err
			}
			if dir == "" {
				return fmt.Errorf("no run is going on below %s, so no step waits; name another directory with --runs", f.runs)
			}
			e, err := confirmStep(dir, strings.Join(args, ""), role, f.text)
			if err != nil {
				return err
			}
			step := e.Payload.(*journal.Confirmation).Step
			if f.asJSON {
				return a.json(map[string]any{"id": e.ID(), "time": e.Time, "role": e.Role(), "step": step})
			}
			fmt.Fprintf(a.stdout, "%s: %s confirms step %s\n", e.ID(), e.Role(), step)
			return nil
		},
	}
	f.speaker.flag(c)
	c.Flags().StringVar(&f.text, "text", "", "what is to be said with it: a `text`; - is stdin")
	c.Flags().StringVar(&f.run, "run", "", "the `run` (default: the one in progress)")
	c.Flags().StringVar(&f.runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return c
}

// confirmStep puts the confirmation of a step into a run; an empty name stands for the only step that waits. Without a role it is said in the
// role that the step is for.
func confirmStep(dir, name, role, text string) (journal.Event, error) {
	going, err := journal.Busy(dir)
	if err != nil {
		return journal.Event{}, err
	}
	if !going {
		return journal.Event{}, fmt.Errorf("the run in %s is over, so no step waits; note what was done with `gameday note --kind action`", dir)
	}
	said, err := journal.SayAll(dir, func(rec *journal.Record) ([]journal.Said, error) {
		var all []string
		for _, s := range rec.Declared().Steps {
			all = append(all, s.Name)
		}
		waiting := rec.WaitingSteps()
		step := strings.TrimPrefix(name, "manual.")
		switch {
		case len(all) == 0:
			return nil, errors.New("the scenario of this run has no manual step")
		case step == "" && len(waiting) == 0:
			return nil, errors.New("no step waits for a confirmation now")
		case step == "" && len(waiting) > 1:
			return nil, fmt.Errorf("several steps wait; name one: %s", strings.Join(waiting, ", "))
		case step == "":
			step = waiting[0]
		}
		var declared *journal.ManualStep
		for _, s := range rec.Declared().Steps {
			if s.Name == step {
				declared = &s
			}
		}
		if declared == nil {
			return nil, fmt.Errorf("there is no step %q. %s", clean(step), scenarios.DidYouMean(step, all))
		}
		for _, w := range waiting {
			if w == step {
				who := cmp.Or(role, declared.Who, anyRole)
				return []journal.Said{{Actor: journal.Actor(who), Payload: &journal.Confirmation{Step: step, Text: text}}}, nil
			}
		}
		return nil, fmt.Errorf("step %s does not wait for a confirmation now: %s", step, rec.StateOfStep(step))
	})
	if err != nil {
		return journal.Event{}, err
	}
	return said[0], nil
}
