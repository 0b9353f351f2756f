package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
	"gameday/runner"
	"gameday/runner/journal"
)

// holdOn is a fault on each of three containers that would last a minute: frozen, stopped and killed.
func (s *stage) holdOn() (text string, cs []engine.Container) {
	s.t.Helper()
	cs = []engine.Container{s.container(), s.container(), s.container()}
	const brief = "  fault %q %q {\n    target   = target.%s\n    start    = \"200ms\"\n    duration = \"60s\"\n%s  }\n"
	return s.embedded(target("a", cs[0])+target("b", cs[1])+target("c", cs[2]), steady+pauseFor("frozen", "a", "60s")+
		fmt.Sprintf(brief, "stop", "stopped", "b", "    grace = \"1s\"\n")+fmt.Sprintf(brief, "kill", "killed", "c", "")), cs
}

// until waits until something is seen from outside.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// untilVerified waits until so many faults are verified in a run's record.
func (s *stage) untilVerified(dir string, faults int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d faults are verified", faults), func() bool {
		rec, err := journal.Read(dir)
		return err == nil && len(events[*journal.FaultVerified](rec)) == faults
	})
}

// untilGuarded waits until the guard of a run is through.
func (s *stage) untilGuarded(dir string) {
	s.t.Helper()
	s.until("the guard is through", func() bool {
		events, _ := journal.GuardEvents(dir)
		return slices.ContainsFunc(events, func(e journal.Event) bool { return e.Payload.Kind() == "run.ended" })
	})
}

func (s *stage) allRun(cs []engine.Container) bool {
	return !slices.ContainsFunc(cs, func(c engine.Container) bool { return s.status(c) != "running" })
}

// noLock says whether the lock is gone, seen from outside.
func (s *stage) noLock() bool {
	return exec.Command("docker", "inspect", s.setup.Lock).Run() != nil
}

// unstarted says whether the lock is a guard that was never started.
func (s *stage) unstarted() bool {
	out, err := exec.Command("docker", "inspect", "--format", "{{.State.Status}}", s.setup.Lock).Output()
	return err == nil && strings.TrimSpace(string(out)) == "created"
}

// recorded is the record that a run of a process of its own has left.
func (s *stage) recorded(dir string) ending {
	s.t.Helper()
	rec, err := journal.Read(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	e := ending{Result: runner.Result{Run: filepath.Base(dir), Dir: dir}, rec: rec}
	if end := rec.Ended(); end != nil {
		e.Outcome, e.Exit = end.Outcome, end.ExitCode
	}
	return e
}

// kill9 kills a container's main process as a bug would, so that its restart policy acts.
func (s *stage) kill9(name string) {
	s.t.Helper()
	image, err := s.setup.Tools.Helper(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	pid := strings.Fields(injecttest.Docker(s.t, "inspect", "--format", "{{.State.Pid}} {{.Id}}", name))
	injecttest.Docker(s.t, "run", "--rm", "--pid", "host", "--network", "none", "--cap-drop", "ALL", "--cap-add", "KILL", image, "sidecar", "crash", pid[0], pid[1])
}

// A runner that is killed: what it did is undone by its guard, which leaves nothing behind. The crash sweep kills at every step.
func TestGuardUndoesAKilledRun(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"run.started", "fault.intent", "fault.verified"} {
		t.Run(kind, func(t *testing.T) {
			s := realStage(t)
			text, cs := s.holdOn()
			cmd, dir := s.childRun(text, kind)
			killed := time.Now()
			cmd.Process.Kill()
			s.until("its guard has left", func() bool { return s.noLock() || s.unstarted() })
			t.Logf("undone and gone after %s", time.Since(killed).Round(time.Millisecond))
			e := s.recorded(dir)
			if s.unstarted() {
				// It had not come to start its guard: the lock holds nobody up, and goes with the next run, or so.
				if out, err := runner.Recover(t.Context(), s.setup, dir); err != nil || len(out.Removed) != 1 {
					t.Errorf("recover: %+v, %v", out, err)
				}
				s.clean(e, cs...)
				return
			}
			s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
			s.clean(e, cs...)
			if st := one[*journal.Stopping](t, e); st.Why != journal.UndoGuard || st.Detail != "the runner had gone" {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A runner that is stopped finds everything undone when it goes on, and injects nothing more.
func TestGuardUndoesAHungRun(t *testing.T) {
	s := realStage(t)
	text, cs := s.holdOn()
	later := s.container()
	text = strings.Replace(text, "scenario \"s\"", target("d", later)+"\nscenario \"s\"", 1)
	text = strings.Replace(text, steady, steady+"  fault \"pause\" \"later\" {\n    target   = target.d\n    start    = \"5s\"\n    duration = \"60s\"\n  }\n", 1)
	cmd, dir := s.childRun(text, "fault.verified")
	s.until("all are down", func() bool { return s.allDown(cs) })
	s.untilVerified(dir, len(cs)) // what the engine has not answered yet when the runner hangs, the runner never hears
	stopped := time.Now()
	cmd.Process.Signal(syscall.SIGSTOP)
	s.until("all run again", func() bool { return s.allRun(cs) })
	s.untilGuarded(dir)
	h, err := runner.LockedAt(t.Context(), s.setup.Engine, s.setup.Lock)
	if err != nil || h == nil || !h.Alive || h.Guard != runner.GuardUp || h.Fired == "" {
		t.Errorf("the holder: %+v, %v", h, err)
	} else {
		says(t, (&runner.LockedError{Holder: *h}).Error(), "not heard of for 3s", "its guard undid", "kill -9 "+strconv.Itoa(cmd.Process.Pid))
	}
	aborted, err := runner.AbortAt(enginetest.Context(t), s.setup.Engine, s.setup.Lock)
	if err != nil || aborted == nil || aborted.Fired == "" {
		t.Errorf("abort: %+v, %v", aborted, err)
	}
	time.Sleep(2 * time.Second) // the last fault is due by now
	cmd.Process.Signal(syscall.SIGCONT)
	cmd.Wait()
	e := s.recorded(dir)
	s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, append(cs, later)...)
	for _, p := range events[*journal.FaultInjected](e.rec) {
		if p.Fault == "later" && p.Called.After(stopped) {
			t.Errorf("it went on to inject: %+v\n%s", p, story(e.rec))
		}
	}
	// It wakes to the request to stop, too, whichever it hears of first.
	says(t, e.rec.Ended().Detail, "the guard has taken over", "not heard of for 3s")
	s.until("the lock is gone", s.noLock)
}

// A runner that hangs and is killed then.
func TestHungRunnerIsKilled(t *testing.T) {
	s := realStage(t)
	text, cs := s.holdOn()
	cmd, dir := s.childRun(text, "fault.verified")
	cmd.Process.Signal(syscall.SIGSTOP)
	s.until("all run again", func() bool { return s.allRun(cs) })
	cmd.Process.Kill()
	s.until("its guard has left", s.noLock)
	e := s.recorded(dir)
	s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, cs...)
}

// A guard that crashes is brought back by its restart policy, and the run goes on.
func TestGuardCrashes(t *testing.T) {
	s := realStage(t)
	c, d := s.container(), s.container()
	e := s.rehearse(s.embedded(target("t", c)+target("u", d), steady+pauseFor("f", "t", "3s")+
		"  fault \"pause\" \"second\" {\n    target   = target.u\n    after    = fault.f\n    duration = \"1s\"\n  }\n"),
		on(func(*runner.Run, *journal.FaultVerified) { s.kill9(s.setup.Lock) }))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c, d)
	if n := len(events[*journal.GuardState](e.rec)); n != 2 {
		t.Errorf("the guard was up %d times, want 2\n%s", n, story(e.rec))
	}
}

// Both are killed at once: the guard comes back and finds the runner gone.
func TestGuardAndRunnerCrash(t *testing.T) {
	s := realStage(t)
	text, cs := s.holdOn()
	cmd, dir := s.childRun(text, "fault.verified")
	cmd.Process.Signal(syscall.SIGSTOP) // so that it is dead by the time the guard is back
	s.kill9(s.setup.Lock)
	cmd.Process.Kill()
	s.until("its guard has left", s.noLock)
	e := s.recorded(dir)
	s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, cs...)
}

// Somebody takes the guard away: the run does not go on without.
func TestGuardIsTakenAway(t *testing.T) {
	t.Parallel()
	for verb, says1 := range map[string]string{"rm -f": "somebody removed", "kill": "nothing starts it again", "stop": "nothing starts it again", "pause": "somebody paused"} {
		t.Run(verb, func(t *testing.T) {
			s := realStage(t)
			c := s.container()
			e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "60s")), on(func(*runner.Run, *journal.FaultVerified) {
				injecttest.Docker(t, append(strings.Fields(verb), s.setup.Lock)...)
			}))
			s.ended(e, journal.OutcomeError, runner.ExitError)
			s.clean(e, c)
			says(t, e.rec.Ended().Detail, "the guard is gone", says1)
		})
	}
}

// The guard can be told to undo everything from wherever the engine is reached, also when the runner does not listen.
func TestGuardIsTold(t *testing.T) {
	s := realStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "60s")), on(func(*runner.Run, *journal.FaultVerified) {
		injecttest.Docker(t, "kill", "--signal", "USR1", s.setup.Lock)
	}))
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, c)
	says(t, e.rec.Ended().Detail, "the guard was told to undo everything")
}

// A guard that cannot come up ends the run before anything is injected.
func TestGuardDoesNotComeUp(t *testing.T) {
	for name, spoil := range map[string]func(s *stage){
		"another engine": func(s *stage) { s.setup.Info.ID = "another" },
		"another binary": func(s *stage) {
			s.setup.Tools.Helper = func(context.Context) (string, error) { return enginetest.Helper(s.t, s.setup.Engine), nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := realStage(t)
			c := s.container()
			spoil(s)
			e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
			s.ended(e, journal.OutcomeError, runner.ExitError)
			s.clean(e, c)
			says(t, e.rec.Ended().Detail, "the guard did not come up", "--no-guard")
			if in := events[*journal.FaultIntent](e.rec); len(in) != 0 {
				t.Errorf("intents: %+v", in)
			}
		})
	}
}

// Where no guard is possible somebody has to agree.
func TestNoGuardIsPossible(t *testing.T) {
	s := realStage(t)
	c := s.container()
	s.setup.Info.SocketPath, s.setup.Info.Endpoint = "", "tcp://example.com:2376"
	text := s.embedded(target("t", c), steady+pauseFor("f", "t", "1s"))
	r := s.prepare(text, nil)
	if _, err := r.Execute(t.Context()); err == nil {
		t.Fatal("it ran")
	} else {
		says(t, err.Error(), "tcp://example.com:2376", "--no-guard")
	}
	if _, err := os.Stat(r.Dir()); !os.IsNotExist(err) {
		t.Errorf("it has left its directory: %v", err)
	}
	s.setup.NoGuard = true
	e := s.rehearse(text, nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	if g := one[*journal.GuardState](t, e); g.Up || !strings.Contains(g.Detail, "--no-guard") || !strings.Contains(g.Detail, "tcp://") {
		t.Errorf("%+v", g)
	}
}

// Next to a guard at work a new run waits a moment.
func TestNextRunWaitsForTheGuard(t *testing.T) {
	s := realStage(t)
	text, cs := s.holdOn()
	other := s.prepare(s.embedded(target("d", s.container()), steady+pauseFor("f", "d", "1s")), nil)
	cmd, dir := s.childRun(text, "fault.verified")
	cmd.Process.Kill()
	cmd.Wait()
	e := s.execute(t.Context(), other)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(s.recorded(dir), cs...)
}

// The guard was ended by hand together with the runner: the lock stays, and recover puts things right.
func TestGuardAndRunnerAreEndedByHand(t *testing.T) {
	s := realStage(t)
	text, cs := s.holdOn()
	cmd, dir := s.childRun(text, "fault.verified")
	cmd.Process.Signal(syscall.SIGSTOP)
	injecttest.Docker(t, "kill", s.setup.Lock)
	cmd.Process.Kill()
	cmd.Wait()
	var locked *runner.LockedError
	if _, err := s.prepare(s.embedded(target("d", s.container()), steady+pauseFor("f", "d", "1s")), nil).Execute(t.Context()); !errors.As(err, &locked) {
		t.Fatalf("the next run: %v", err)
	}
	says(t, locked.Error(), "gameday recover "+dir)
	out, err := runner.Recover(t.Context(), s.setup, dir)
	if err != nil || len(out.Open) != 0 || len(out.Undone) == 0 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	e := s.recorded(dir)
	s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, cs...)
}

// Faults in the targets' networks, by rules and by a queue, are gone, and their helpers with them, when the runner is killed or hangs.
func TestGuardUndoesANetworkFault(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			s := realStage(t)
			api, store, _ := s.couple()
			other, far, _ := s.couple()
			cmd, dir := s.childRun(s.embedded(target("api", api)+target("store", store)+target("other", other), steady+`
  fault "partition" "split" {
    target   = target.api
    peers    = [target.store]
    duration = "60s"
  }
  fault "latency" "slow" {
    target   = target.other
    delay    = "20ms"
    duration = "60s"
  }
`), "fault.verified")
			s.untilVerified(dir, 2)
			cmd.Process.Signal(sig)
			s.untilGuarded(dir)
			cmd.Process.Kill()
			s.until("its guard has left", s.noLock)
			e := s.recorded(dir)
			s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
			s.clean(e, api, store, other, far)
			for _, c := range []engine.Container{api, other} {
				pid := strings.TrimSpace(injecttest.Docker(t, "inspect", "--format", "{{.State.Pid}}", c.ID))
				for mark, list := range map[string][]string{"gameday": {"nft", "list", "ruleset"}, " 6764:": {"tc", "qdisc", "show"}} {
					out, err := exec.Command("nsenter", append([]string{"-t", pid, "-n"}, list...)...).CombinedOutput()
					if err != nil {
						t.Logf("%s: %v: %s", list[0], err, out)
					} else if strings.Contains(string(out), mark) {
						t.Errorf("%s still has:\n%s", c.Name, out)
					}
				}
			}
		})
	}
}
