package runner_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/runner"
	"gameday/runner/journal"
)

// Without a usable engine nothing begins, and the error says what to do.
func TestNoEngine(t *testing.T) {
	dir, err := os.MkdirTemp("", "gd") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	old := filepath.Join(dir, "old")
	l, err := net.Listen("unix", old)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.24") })}
	go srv.Serve(l)
	defer srv.Close()

	for _, x := range []struct {
		name, host string
		is         error
		says       []string
	}{
		{"absent", "unix://" + filepath.Join(dir, "none"), engine.ErrUnreachable, []string{"there is no socket", "is the daemon running"}},
		{"old", "unix://" + old, engine.ErrTooOld, []string{"1.24", "Docker 20.10 or newer"}},
	} {
		e, err := engine.Connect(engine.Options{Host: x.host})
		if err != nil {
			t.Fatal(err)
		}
		s := runner.Setup{Engine: e, Runs: t.TempDir()}
		for what, err := range map[string]error{
			"connect": s.Connect(t.Context()),
			"recover": func() error { _, err := runner.Unrecovered(t.Context(), s); return err }(),
			"abort":   func() error { _, err := runner.Abort(t.Context(), e); return err }(),
		} {
			if !errors.Is(err, x.is) {
				t.Errorf("%s, %s: %v", x.name, what, err)
				continue
			}
			says(t, err.Error(), x.says...)
		}
		e.Close()
	}
}

// An engine that refuses before the run has begun leaves no trace of it.
func TestEngineFailsAtTheStart(t *testing.T) {
	for _, x := range []struct {
		name, method string
		err          error
	}{
		{"plan", "Containers", engine.ErrPermission}, {"lock", "Create", engine.ErrPermission}, {"lock lost", "Create", engine.ErrUnreachable},
	} {
		t.Run(x.name, func(t *testing.T) {
			s, f := fakeStage(t)
			c := s.container()
			text := s.embedded(target("t", c), steady+pauseFor("f", "t", "1s"))
			if x.method == "Containers" {
				f.Fail(x.method, x.err, -1)
				if _, err := s.plan(text, nil); !errors.Is(err, x.err) {
					t.Errorf("%v", err)
				}
				return
			}
			r := s.prepare(text, nil)
			f.Fail(x.method, x.err, -1)
			if _, err := r.Execute(t.Context()); !errors.Is(err, x.err) {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(r.Dir()); !os.IsNotExist(err) {
				t.Errorf("it has left its directory: %v", err)
			}
			s.noneLeft(filepath.Base(r.Dir()))
		})
	}
}

// The engine cannot be watched: the run is over before anything is done.
func TestEngineWithoutEvents(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	f.Fail("Events", engine.ErrPermission, -1)
	e := s.execute(t.Context(), r)
	s.ended(e, journal.OutcomeError, runner.ExitError)
	s.clean(e, c)
	says(t, e.rec.Ended().Detail, engine.ErrPermission.Error())
}

// The engine goes away in the middle of a fault and returns in time for the undo, which tries again and again. Nobody can
// tell whether the fault was in force to its end, so nothing is held on it.
func TestEngineGoesAwayInTheFault(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "2s")), func(_ *runner.Run, ev journal.Event) {
		switch ev.Payload.(type) {
		case *journal.FaultVerified:
			f.Disconnect()
		case *journal.UndoStarted:
			time.Sleep(500 * time.Millisecond)
			f.Reconnect()
		}
	})
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	s.clean(e, c)
	e.wantVerdict(t, "steady", journal.Inconclusive, journal.ReasonFaultEnded)
}

// It returns before the fault is over: what it did meanwhile is looked at, and the run goes on.
func TestEngineReturnsInTheFault(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "4s")), on(func(*runner.Run, *journal.FaultVerified) {
		f.Disconnect()
		time.Sleep(500 * time.Millisecond)
		f.Reconnect()
	}))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
}

// The engine does not return in time: a person is told what to do, the lock stays, and recover puts it right.
func TestEngineStaysAway(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), on(func(*runner.Run, *journal.FaultVerified) { f.Disconnect() }))
	r.LimitUndo(time.Second)
	e := s.execute(t.Context(), r)
	s.residue(e, c)
	f.Reconnect()
	s.recovers(e, c)
}

// An undo that the engine refuses for good is not tried for a minute.
func TestEngineRefusesTheUndo(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")),
		on(func(*runner.Run, *journal.FaultVerified) { f.Fail("Unpause", engine.ErrPermission, -1) }))
	s.residue(e, c)

	// Recover fails in the same way first, and leaves the lock where it is.
	out, _ := runner.Recover(t.Context(), s.setup, e.Dir)
	if len(out.Open) != 1 || len(out.ByHand) != 1 || out.ByHand[0] != "docker unpause "+c.Name {
		t.Errorf("recover: %+v", out)
	}
	s.refused(c)
	f.Fail("Unpause", nil, 0)
	s.recovers(e, c)
}

// Two faults, and the undo of the first fails: the second is undone, and a third never begins.
func TestNothingIsInjectedOverResidue(t *testing.T) {
	s, f := fakeStage(t)
	a, b, c := s.container(), s.container(), s.container()
	f.Hook("Unpause", func(id string) {
		if id == a.ID {
			f.Fail("Unpause", engine.ErrPermission, 1)
		}
	})
	e := s.rehearse(s.embedded(target("a", a)+target("b", b)+target("c", c), steady+pauseFor("first", "a", "1s")+pauseFor("second", "b", "30s")+`
  fault "pause" "third" {
    target   = target.c
    start    = "5s"
    duration = "1s"
  }
`), nil)
	if e.Exit != runner.ExitResidue {
		t.Errorf("%+v\n%s", e.Result, story(e.rec))
	}
	if got := []string{s.status(a), s.status(b), s.status(c)}; got[0] != "paused" || got[1] != "running" || got[2] != "running" {
		t.Errorf("%q", got)
	}
	if n := len(events[*journal.FaultIntent](e.rec)); n != 2 {
		t.Errorf("%d intents", n)
	}
	f.Hook("Unpause", nil)
	s.recovers(e, a, b, c)
}

// residue checks a run that left a paused container behind.
func (s *stage) residue(e ending, c engine.Container) {
	s.t.Helper()
	s.cameTo(e, journal.OutcomeResidue, runner.ExitResidue)
	res := one[*journal.Residue](s.t, e)
	if len(res.Open) != 1 || !strings.Contains(res.Open[0], c.Name) || len(res.ByHand) != 1 || res.ByHand[0] != "docker unpause "+c.Name || res.Undone != 0 {
		s.t.Errorf("%+v", res)
	}
	if f := one[*journal.UndoFailed](s.t, e); f.ByHand != "docker unpause "+c.Name || f.Reason == "" {
		s.t.Errorf("%+v", f)
	}
}

// refused checks that a run does not start over what is left.
func (s *stage) refused(c engine.Container) {
	s.t.Helper()
	other := s.container()
	var locked *runner.LockedError
	if _, err := s.prepare(s.embedded(target("t", other), steady+pauseFor("f", "t", "1s")), nil).Execute(s.t.Context()); !errors.As(err, &locked) {
		s.t.Errorf("the next run: %v", err)
	}
}

// recovers checks that a run is refused before, and everything is right after a recovery.
func (s *stage) recovers(e ending, cs ...engine.Container) {
	s.t.Helper()
	s.refused(cs[0])
	out, err := runner.Recover(s.t.Context(), s.setup, e.Dir)
	if err != nil || len(out.Undone) != 1 || len(out.Open) != 0 {
		s.t.Errorf("recover: %+v, %v", out, err)
	}
	if e.rec, err = journal.Read(e.Dir); err != nil {
		s.t.Fatal(err)
	}
	s.clean(e, cs...)
	s.drafts(e)
	if end := e.rec.Ended(); end.Outcome != journal.OutcomeInterrupted {
		s.t.Errorf("%+v", end)
	}
}

// The connection breaks while the engine pauses: whatever was done is undone.
func TestEngineGoesAwayInTheInjection(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	f.Hook("Pause", func(id string) {
		f.Hook("Pause", nil)
		if err := f.Pause(context.Background(), id); err != nil {
			t.Error(err)
		}
		f.Disconnect()
		time.AfterFunc(700*time.Millisecond, f.Reconnect)
	})
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "2s")), nil)
	s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
	s.clean(e, c)
	e.wantVerdict(t, "steady", journal.NotTested, journal.ReasonNotInjected)
}

// Nothing is done to a container when the engine refuses; it is left alone.
func TestEngineRefusesTheInjection(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	f.Fail("Pause", engine.ErrConflict, -1)
	f.Hook("Unpause", func(string) { t.Error("what was never paused was unpaused") })
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "2s")), nil)
	s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
	s.clean(e, c)
}

// The engine hangs while the fault is looked at: a stop is heeded all the same.
func TestEngineHangs(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "60s")), func(r *runner.Run, ev journal.Event) {
		switch ev.Payload.(type) {
		case *journal.FaultVerified:
			f.Delay("Container", time.Hour)
			time.AfterFunc(1500*time.Millisecond, func() { r.Stop(journal.UndoInterrupted, "test") })
		case *journal.UndoStarted:
			f.Delay("Container", 0)
		}
	})
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, c)
}

// The engine hangs while the lock is made, and a person has had enough: no lock stays behind that holds for nothing.
func TestEngineHangsAtTheLock(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	ctx, cancel := context.WithCancel(t.Context())
	f.Hook("Create", func(string) { cancel() })
	f.Delay("Create", 300*time.Millisecond)
	res, err := r.Execute(ctx)
	if err == nil && res.Exit != runner.ExitInterrupted {
		t.Errorf("%+v, %v", res, err)
	}
	s.noneLeft(filepath.Base(r.Dir()))
}

// A request to stop that is made while the events are broken off is found when they are taken up again.
func TestAbortWhileTheEventsAreBroken(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	aborted := make(chan error, 1)
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "60s")), on(func(*runner.Run, *journal.FaultVerified) {
		f.Fail("Events", engine.ErrUnreachable, -1)
		f.Disconnect()
		f.Reconnect()
		go func() {
			_, err := runner.AbortAt(context.Background(), f, s.setup.Lock)
			aborted <- err
		}()
		time.Sleep(700 * time.Millisecond)
		f.Fail("Events", nil, 0)
	}))
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	if err := <-aborted; err != nil {
		t.Error(err)
	}
	s.clean(e, c)
}
