package runner_test

import (
	"os/exec"
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

// privateStage works on a Docker daemon of its own, to be restarted.
func privateStage(t *testing.T, args ...string) *stage {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a Docker daemon of its own")
	}
	t.Parallel()
	p := enginetest.PrivateEngine(t, args...)
	s := newStage(t, p.Engine(), injecttest.ToolsOn(t, p.Engine()), true)
	s.private = p
	return s
}

// lockGone says whether the lock of a private engine is gone.
func (s *stage) lockGone() bool {
	cmd := exec.Command("docker", "-H", s.private.Host, "inspect", s.setup.Lock)
	out, err := cmd.CombinedOutput()
	return err != nil && strings.Contains(string(out), "No such object")
}

// The daemon is restarted in the middle of a fault, and with it every container. The runner lives: it has its guard back, undoes
// what is left to undo, and says that the fault ended before its time.
func TestDaemonRestartsInTheFault(t *testing.T) {
	s := privateStage(t)
	c, d := s.container(enginetest.RestartPolicy("always")), s.container(enginetest.RestartPolicy("always"))
	text := s.embedded(target("c", c)+target("d", d), steady+pauseFor("first", "c", "5s")+
		"  fault \"pause\" \"second\" {\n    target   = target.d\n    start    = \"8s\"\n    duration = \"1s\"\n  }\n")
	e := s.rehearse(text, on(func(*runner.Run, *journal.FaultVerified) { s.private.Restart() }))
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	s.clean(e, c, d)
	e.wantVerdict(t, "steady", journal.Inconclusive, journal.ReasonFaultEnded)
	if n := len(events[*journal.GuardState](e.rec)); n != 2 {
		t.Errorf("the guard was up %d times, want 2\n%s", n, story(e.rec))
	}
	seconds := 0
	for _, v := range events[*journal.FaultVerified](e.rec) {
		if v.Fault == "second" {
			seconds++
		}
	}
	if seconds != 1 {
		t.Errorf("the fault after the restart was in force %d times\n%s", seconds, story(e.rec))
	}
}

// The runner is killed and the daemon restarted: the guard comes back with the daemon, and undoes what is left.
func TestRunnerKilledAndDaemonRestarted(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(*enginetest.Private){
		"stopped": (*enginetest.Private).Stop,
		"killed":  (*enginetest.Private).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			s := privateStage(t)
			text, cs := s.holdOn()
			cmd, dir := s.childRun(text, "fault.verified")
			s.until("all are down", func() bool { return s.allDown(cs) })
			// Asleep, so that neither can act before both are gone.
			cmd.Process.Signal(syscall.SIGSTOP)
			how(s.private)
			cmd.Process.Kill()
			cmd.Wait()
			s.private.Start()
			s.until("its guard has left", s.lockGone)
			e := s.recorded(dir)
			s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
			// The pause ended with the daemon: what was paused is as the daemon left it.
			s.clean(e, cs[1:]...)
			if got := s.status(cs[0]); got != "exited" && got != "running" {
				t.Errorf("what was paused is %s", got)
			}
		})
	}
}

// With live-restore the containers outlive the daemon, and the guard waits for it.
func TestRunnerKilledWhileTheDaemonIsAway(t *testing.T) {
	s := privateStage(t, "--live-restore")
	text, cs := s.holdOn()
	cmd, dir := s.childRun(text, "fault.verified")
	s.until("all are down", func() bool { return s.allDown(cs) })
	s.private.Stop()
	cmd.Process.Kill()
	cmd.Wait()
	s.until("the guard has begun", func() bool {
		events, _ := journal.GuardEvents(dir)
		return journal.Fired(events) != nil
	})
	time.Sleep(time.Second)
	s.private.Start()
	s.until("its guard has left", s.lockGone)
	e := s.recorded(dir)
	s.cameTo(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, cs...)
}

// The daemon comes back without the guard: the run does not go on without.
func TestDaemonComesBackWithoutTheGuard(t *testing.T) {
	s := privateStage(t)
	c := s.container()
	stop := "  fault \"stop\" \"f\" {\n    target   = target.c\n    grace    = \"1s\"\n    duration = \"60s\"\n  }\n"
	e := s.rehearse(s.embedded(target("c", c), steady+stop), on(func(*runner.Run, *journal.FaultVerified) {
		s.private.Docker("update", "--restart", "no", s.setup.Lock)
		s.private.Restart()
	}))
	s.ended(e, journal.OutcomeError, runner.ExitError)
	s.clean(e, c)
	says(t, e.rec.Ended().Detail, "the guard is gone", "nothing starts it again")
}

func (s *stage) allDown(cs []engine.Container) bool {
	return s.status(cs[0]) == "paused" && s.status(cs[1]) == "exited" && s.status(cs[2]) == "exited"
}
