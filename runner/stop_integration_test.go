package runner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gameday/inject/engine/enginetest"
	"gameday/runner"
	"gameday/runner/journal"
)

// A run that is stopped at any moment undoes everything, and its record has all that was done.
func TestStopAtEachEvent(t *testing.T) {
	for _, kind := range []string{
		"run.started", "scenario.declared", "phase.started", "baseline.judged", "fault.intent", "fault.injected", "fault.verified", "undo.started", "undo.verified",
	} {
		t.Run(kind, func(t *testing.T) {
			s, _ := fakeStage(t)
			c := s.container()
			ctx, cancel := context.WithCancelCause(context.Background())
			r := s.prepare(s.embedded(target("t", c), steady+guarded+pauseFor("f", "t", "1500ms")), func(_ *runner.Run, ev journal.Event) {
				if ev.Payload.Kind() == kind {
					cancel(errors.New("SIGTERM"))
				}
			})
			e := s.execute(ctx, r)
			s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
			s.clean(e, c)
			if st := one[*journal.Stopping](t, e); st.Why != journal.UndoInterrupted || st.Detail != "SIGTERM" {
				t.Errorf("%+v", st)
			}
			for _, v := range events[*journal.HypothesisJudged](e.rec) {
				if v.Verdict == journal.Held {
					t.Errorf("%s is held in a run that was stopped", v.Hypothesis)
				}
			}
		})
	}
}

// Once the run is judged a stop comes too late, and changes nothing.
func TestStopTooLate(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	e := s.execute(t.Context(), r)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	r.Stop(journal.UndoInterrupted, "too late")
	if after, err := journal.Read(e.Dir); err != nil || len(after.Events) != len(e.rec.Events) {
		t.Errorf("it is in the record: %v", err)
	}
	s.clean(e, c)
}

// Stopped before it began: the record says so, and begins as every record does.
func TestStopBeforeTheStart(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	r.Stop(journal.UndoInterrupted, "Ctrl-C")
	e := s.execute(t.Context(), r)
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, c)
	if st := one[*journal.Stopping](t, e); st.Detail != "Ctrl-C" {
		t.Errorf("%+v", st)
	}
}

// With a context that has ended nothing begins.
func TestCancelledBeforeTheStart(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res, err := r.Execute(ctx); !errors.Is(err, context.Canceled) || res.Outcome != "" {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := os.Stat(r.Dir()); !os.IsNotExist(err) {
		t.Errorf("it has left its directory: %v", err)
	}
	s.noneLeft(filepath.Base(r.Dir()))
}

// Stopped while the engine is at the injection: that is waited for, and undone.
func TestStopInTheMiddleOfAnInjection(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	f.Delay("Pause", time.Second)
	started := make(chan struct{})
	f.Hook("Pause", func(string) { close(started) })
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "20s")), nil)
	go func() {
		<-started
		r.Stop(journal.UndoInterrupted, "test")
	}()
	e := s.execute(t.Context(), r)
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, c)
	one[*journal.UndoVerified](t, e)
}

// A stop with a grace time goes on in a real engine although nobody waits for it any more: the undo does.
func TestStopInTheMiddleOfASlowStop(t *testing.T) {
	s := realStage(t)
	c := s.container(enginetest.Args("ignore", "sleep"))
	r := s.prepare(s.embedded(target("t", c), steady+`
  fault "stop" "f" {
    target   = target.t
    grace    = "2s"
    duration = "20s"
  }
`), on(func(r *runner.Run, _ *journal.FaultIntent) {
		time.AfterFunc(time.Second, func() { r.Stop(journal.UndoInterrupted, "test") })
	}))
	e := s.execute(t.Context(), r)
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	time.Sleep(time.Second) // the engine would be through with its stop by now
	s.clean(e, c)
}

// A person who has had enough after a guardrail need not watch the recovery.
func TestStopAfterAGuardrail(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	p := servePrometheus(t, "ok")
	text := remote(p.url, target("t", c), strict+guarded+pauseFor("f", "t", "20s"))
	e := s.rehearse(text, func(r *runner.Run, ev journal.Event) {
		switch x := ev.Payload.(type) {
		case *journal.FaultVerified:
			p.set("violated")
		case *journal.PhaseStarted:
			if x.Phase == journal.Recovery {
				r.Stop(journal.UndoInterrupted, "Ctrl-C")
			}
		}
	})
	s.ended(e, journal.OutcomeAborted, runner.ExitAborted)
	s.clean(e, c)
}
