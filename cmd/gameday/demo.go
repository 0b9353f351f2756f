package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gameday/examples/shop"
	"gameday/inject/engine"
	"gameday/runner"
	"gameday/runner/journal"
)

// demoScenarios are rehearsed by the demo, in this order: one that holds, and one from which a team learns something.
var demoScenarios = []string{"api_replica_dies", "store_freezes"}

// demoSeed makes every demo pick the same replica.
const demoSeed = 1

// demoPrefix begins the run id that the demo's containers are labelled with.
const demoPrefix = "demo-"

// helperImages begins the tags of the images that are made of gameday's own binary.
const helperImages = "gameday-helper:"

func (a app) demoCommand() *cobra.Command {
	var runs string
	var keep, remove bool
	var wait time.Duration
	c := &cobra.Command{
		Use:   "demo",
		Short: "Start a small shop in containers, rehearse two failures on it, and remove it again",
		Long: `Start a small shop (a load generator, a frontend, two api replicas, a store) from an image made of this very binary, in a network of its own,
rehearse two scenarios on it, and remove it again. Takes under two minutes. Nothing is pulled, and nothing stays in Docker.`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			ctx, in := a.interruptible()
			defer in.stop()
			s, done, err := a.setup(ctx, runs)
			if err != nil {
				return err
			}
			defer done()
			if remove {
				return a.removeDemos(ctx, s.Engine)
			}
			s.Wait = wait
			return a.demo(ctx, in, s, keep)
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "make run directories in this `directory`")
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait while another run holds the lock of the engine")
	c.Flags().BoolVar(&keep, "keep", false, "leave the shop running, to try other scenarios on it")
	c.Flags().BoolVar(&remove, "remove", false, "remove the shop of an earlier demo, and do nothing else")
	return c
}

// demoTries is how often a rehearsal of the demo is begun at most, where its baseline does not hold: whoever looks at gameday for the first
// time has not asked how busy the machine is.
const demoTries = 3

func (a app) demo(ctx context.Context, in *interrupts, s runner.Setup, keep bool) error {
	if err := a.free(ctx, s); err != nil {
		return err
	}
	dir := filepath.Join(s.Runs, "demo-scenarios")
	if err := writeFiles(dir, shop.Scenarios); err != nil {
		return err
	}
	results, err := a.demoRuns(ctx, in, s, dir, keep)
	if err != nil {
		return err
	}
	a.demoEnd(results, dir, keep)
	code := 0
	for _, r := range results {
		code = runner.WorseExit(code, r.ExitCode)
	}
	switch code {
	case runner.ExitHeld, runner.ExitRefuted, runner.ExitInconclusive:
		return nil // what a rehearsal shows is no failure of the demo
	}
	return exit(code)
}

// demoRuns starts the shop, rehearses on it and, unless it is to be kept, removes it whatever happens.
func (a app) demoRuns(ctx context.Context, in *interrupts, s runner.Setup, dir string, keep bool) (results []result, err error) {
	run := fmt.Sprintf("%s%x", demoPrefix, time.Now().UnixMilli())
	fmt.Fprintln(a.stderr, "Making an image of this binary, and starting the shop from it: load → frontend → two api replicas → store …")
	image, err := s.Tools.Helper(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, &failure{code: runner.ExitInterrupted, err: fmt.Errorf("interrupted before the shop was started: %w", err)}
		}
		return nil, err
	}
	sys, err := shop.Up(ctx, s.Engine, shop.Options{Run: run, Image: image})
	if err != nil {
		if ctx.Err() != nil {
			return nil, &failure{code: runner.ExitInterrupted, err: fmt.Errorf("interrupted while the shop was starting; it is removed again: %w", err)}
		}
		if errors.Is(err, engine.ErrConflict) {
			return nil, fmt.Errorf("there is a shop already; that of an earlier demo is removed by `gameday demo --remove`: %w", err)
		}
		return nil, err
	}
	if !keep {
		defer func() {
			fmt.Fprint(a.stderr, "Removing the shop …\n\n")
			// The run is over or was interrupted; either way nothing of the demo may stay.
			err = errors.Join(err, sys.Down(context.WithoutCancel(ctx)))
		}()
	}
	ws, err := a.load(dir, sources{}, false)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(ws, demoScenarios)
	if err != nil {
		return nil, err
	}
	for i, sc := range chosen {
		fmt.Fprintf(a.stderr, "\nRehearsal %d of %d: %s\n%s\n\n", i+1, len(chosen), sc.Title, a.paragraph(sc.Description))
		r := a.untilSteady(ctx, func() result { return a.rehearse(ctx, in, s, ws, sc, demoSeed) })
		results = append(results, r)
		if ctx.Err() != nil || r.ExitCode == runner.ExitResidue || r.ExitCode == runner.ExitLocked {
			break
		}
	}
	return results, nil
}

// untilSteady rehearses again where the baseline did not hold, as far as demoTries allows.
func (a app) untilSteady(ctx context.Context, rehearse func() result) result {
	for try := 1; ; try++ {
		r := rehearse()
		if !r.unsteady || try == demoTries || ctx.Err() != nil {
			return r
		}
		fmt.Fprint(a.stderr, "\nNothing was injected, since the shop was not steady before: this machine was busy with something else. Once more:\n\n")
	}
}

// demoEnd says what there is now, and what to try next.
func (a app) demoEnd(results []result, dir string, keep bool) {
	w := a.stdout
	fmt.Fprintln(w, "The demo's rehearsals:")
	for _, r := range results {
		fmt.Fprintf(w, "  %-18s %s\n", r.Scenario, outcomeWords(r))
		for _, d := range r.Drafts {
			if strings.HasSuffix(d, "report.html") || strings.HasSuffix(d, "report.md") {
				fmt.Fprintf(w, "    %s\n", d)
			}
		}
	}
	type hint struct{ command, what string }
	hints := []hint{{"report.html", "open it in a browser: every sentence leads to its evidence"}, {dir, "the scenarios: read them"}}
	if keep {
		hints = append(hints, hint{"gameday plan " + dir, "what would be hit, and the undo of each fault"},
			hint{"gameday run " + dir, "rehearse again, after a change of yours"}, hint{"gameday demo --remove", "remove the shop"})
	} else {
		hints = append(hints, hint{"gameday demo --keep", "leave the shop running, and change the scenarios"},
			hint{"gameday init", "write a scenario for your own containers"})
	}
	widest := 0
	for _, h := range hints {
		widest = max(widest, len(h.command))
	}
	fmt.Fprintln(w, "\nWhat to try next:")
	for _, h := range hints {
		fmt.Fprintf(w, "  %-*s  %s\n", widest, h.command, h.what)
	}
}

func outcomeWords(r result) string {
	switch r.Outcome {
	case journal.OutcomeHeld:
		return "held: every hypothesis was true throughout"
	case journal.OutcomeRefuted:
		return "refuted: something was learned"
	}
	if r.Error != "" {
		return string(r.Outcome) + ": " + r.Error
	}
	return string(r.Outcome)
}

// paragraph sets a text in by two columns, broken anew at the width of the terminal.
func (a app) paragraph(text string) string {
	const in = "  "
	return in + wrap(oneLine(text), a.width()-len(in)-1, in)
}

func writeFiles(dir string, files fs.FS) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o644)
	})
}

// removeDemos removes what demos have left: only what carries a demo's label.
func (a app) removeDemos(ctx context.Context, e engine.Engine) error {
	all, err := e.Containers(ctx)
	if err != nil {
		return err
	}
	networks, err := e.Networks(ctx, engine.Label, "")
	if err != nil {
		return err
	}
	runs, images := map[string]bool{}, map[string]bool{}
	for _, c := range all {
		if run := c.Labels[engine.Label]; strings.HasPrefix(run, demoPrefix) {
			runs[run], images[c.Image] = true, true
		}
	}
	for _, n := range networks {
		if run := n.Labels[engine.Label]; strings.HasPrefix(run, demoPrefix) {
			runs[run] = true
		}
	}
	for run := range runs {
		if err := shop.Remove(ctx, e, run); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "removed the shop of %s\n", run)
	}
	for tag := range images {
		if strings.HasPrefix(tag, helperImages) {
			// One that is in use belongs to a run that goes on, whose end removes it.
			if err := e.RemoveImage(ctx, tag); err != nil && !errors.Is(err, engine.ErrConflict) {
				return err
			}
		}
	}
	if len(runs) == 0 {
		fmt.Fprintln(a.stdout, "No demo has left anything.")
	}
	return nil
}
