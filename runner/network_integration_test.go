package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/runner"
	"gameday/runner/journal"
)

// couple makes a store and an api that talks to it all the time, in a network of their own.
func (s *stage) couple(opts ...enginetest.Option) (api, store engine.Container, network string) {
	s.t.Helper()
	network = enginetest.TestNetwork(s.t, s.setup.Engine).Name
	store = s.container(enginetest.Network(network, "store"))
	api = s.container(append(opts, enginetest.Network(network, "api"), enginetest.Args("call", "store:9", "sleep"))...)
	return api, store, network
}

// address is that of a container in a network now.
func (s *stage) address(c engine.Container, network string) string {
	s.t.Helper()
	now, err := s.setup.Engine.Container(enginetest.Context(s.t), c.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(now.Networks, func(e engine.Endpoint) bool { return e.Network == network })
	if i < 0 {
		s.t.Fatalf("%s is not in %s: %+v", c.Name, network, now.Networks)
	}
	return now.Networks[i].IPv4
}

// A peer may have another address when the fault begins than when it was planned.
func TestPeersAreLookedUpAgain(t *testing.T) {
	s := realStage(t)
	api, store, network := s.couple()
	planned := s.address(store, network)
	e := s.rehearse(s.embedded(target("api", api)+target("store", store), steady+`
  fault "partition" "split" {
    target   = target.api
    peers    = [target.store]
    start    = "5s"
    duration = "2s"
  }
`), func(_ *runner.Run, ev journal.Event) {
		if p, ok := ev.Payload.(*journal.PhaseStarted); !ok || p.Phase != journal.Baseline {
			return
		}
		ctx := enginetest.Context(t)
		if err := s.setup.Engine.Stop(ctx, store.ID, 0); err != nil {
			t.Error(err)
		}
		s.container(enginetest.Network(network)) // takes the address
		if err := s.setup.Engine.Start(ctx, store.ID); err != nil {
			t.Error(err)
		}
	})
	now := s.address(store, network)
	if now == planned {
		t.Skipf("the engine gave %s its address again", store.Name)
	}
	s.cameTo(e, journal.OutcomeHeld, runner.ExitHeld)
	undo := string(one[*journal.FaultIntent](t, e).Undo)
	if !strings.Contains(undo, now+"/32") || strings.Contains(undo, planned+"/32") {
		t.Errorf("the peer was at %s when planned and is at %s, and the intent says\n%s", planned, now, undo)
	}
	for _, f := range events[*journal.Declared](e.rec)[0].Faults {
		if got, want := fmt.Sprint(f.Args), "[{direction both} {peers target.store}]"; got != want {
			t.Errorf("declared with %s, want %s", got, want)
		}
	}
	s.clean(e, api)
}

// Two faults on one container that do not fight are in force at the same time.
func TestTwoFaultsOnOneContainer(t *testing.T) {
	s := realStage(t)
	api, store, _ := s.couple()
	var order []string
	e := s.rehearse(s.embedded(target("api", api)+target("store", store), steady+`
  fault "latency" "slow" {
    target   = target.api
    delay    = "20ms"
    duration = "4s"
  }
  fault "partition" "split" {
    target   = target.api
    peers    = [target.store]
    start    = "1s"
    duration = "1s"
  }
`), func(_ *runner.Run, ev journal.Event) {
		switch p := ev.Payload.(type) {
		case *journal.FaultVerified:
			order = append(order, p.Fault+" is in force")
		case *journal.UndoVerified:
			order = append(order, p.Fault+" is gone")
		}
	})
	s.cameTo(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, api, store)
	if got, want := strings.Join(order, ", "), "slow is in force, split is in force, split is gone, slow is gone"; got != want {
		t.Errorf("%s, want %s\n%s", got, want, story(e.rec))
	}
}

// A fault on the packets of a container waits while a crash beside it keeps the container down.
func TestFaultAfterACrashBeside(t *testing.T) {
	s := realStage(t)
	api, store, _ := s.couple(enginetest.RestartPolicy("always"))
	e := s.rehearse(s.embedded(target("api", api)+target("store", store), steady+`
  fault "crash" "bug" {
    target = target.api
  }
  fault "latency" "slow" {
    target   = target.api
    delay    = "20ms"
    start    = "700ms"
    duration = "2s"
  }
`), nil)
	s.cameTo(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, store)
	if n := len(events[*journal.FaultVerified](e.rec)); n != 2 {
		t.Errorf("%d faults were seen\n%s", n, story(e.rec))
	}
}

// Somebody restarts the target between the intent and the injection: the fault is fitted to the new life. It lasts longer than a slow machine
// takes to restart a container, since a fault that was away for most of its time carries no verdict.
func TestRestartedRightAfterTheIntent(t *testing.T) {
	s := realStage(t)
	api, store, _ := s.couple()
	e := s.rehearse(s.embedded(target("api", api)+target("store", store), steady+`
  fault "latency" "slow" {
    target   = target.api
    delay    = "20ms"
    start    = "1s"
    duration = "10s"
  }
`), on(func(_ *runner.Run, _ *journal.FaultIntent) {
		if err := s.setup.Engine.Restart(enginetest.Context(t), api.ID, 0); err != nil {
			t.Error(err)
		}
	}))
	s.cameTo(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, store)
	if n := len(events[*journal.FaultIntent](e.rec)); n != 1 {
		t.Errorf("%d intents\n%s", n, story(e.rec))
	}
	if n := len(events[*journal.FaultVerified](e.rec)); n != 1 {
		t.Errorf("it was seen %d times\n%s", n, story(e.rec))
	}
}
