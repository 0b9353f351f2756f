// Package sweeptest kills gameday at every step of a run, in every kind of fault, and looks with other tools than gameday's own
// whether anything is left: nobody but the guard repairs. It measures how long that takes. `make crashsweep` runs it at length.
package sweeptest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/injecttest"
	"gameday/runner"
	"gameday/runner/journal"
	"gameday/scenarios"
)

func TestMain(m *testing.M) {
	if os.Getenv(childScenario) != "" {
		childRunner()
		return
	}
	flag.Parse()
	// Kills wait most of the time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(injecttest.Main(m))
}

// A runner in a process of its own, to be killed. It does what `gameday run` does, with a lock of its own: an engine has one, and
// several of these run at once.
const (
	childScenario = "GAMEDAY_SWEEP_CHILD_SCENARIO" // path of its file
	childRuns     = "GAMEDAY_SWEEP_CHILD_RUNS"
	childLock     = "GAMEDAY_SWEEP_CHILD_LOCK"
	childImage    = "GAMEDAY_SWEEP_CHILD_IMAGE"
)

func childRunner() {
	res, err := func() (runner.Result, error) {
		ctx := context.Background()
		e, err := engine.Connect(engine.Options{})
		if err != nil {
			return runner.Result{}, err
		}
		image := func(context.Context) (string, error) { return os.Getenv(childImage), nil }
		s := runner.Setup{Engine: e, Tools: inject.Tools{Engine: e, Helper: image, Sidecars: inject.NewSidecars(e, image)}, Version: "test",
			Runs: os.Getenv(childRuns), Lock: os.Getenv(childLock)}
		if err := s.Connect(ctx); err != nil {
			return runner.Result{}, err
		}
		ws, ds := scenarios.Load(os.Getenv(childScenario), scenarios.Options{})
		if ws == nil {
			return runner.Result{}, fmt.Errorf("%v", ds)
		}
		id := journal.NewID(ws.Scenarios[0].Name, time.Now())
		p, err := runner.MakePlan(ctx, s, ws, ws.Scenarios[0], id, 1)
		if err != nil {
			return runner.Result{}, err
		}
		r := runner.NewRun(s, p, id, nil)
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		go func() {
			<-interrupted
			r.Stop(journal.UndoInterrupted, "interrupt")
		}()
		return r.Execute(ctx)
	}()
	fmt.Fprintln(os.Stderr, res.Outcome, res.Detail, err)
	if err != nil {
		os.Exit(runner.ExitError)
	}
	os.Exit(res.Exit)
}
