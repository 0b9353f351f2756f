package runner_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
	"gameday/runner"
	"gameday/runner/journal"
)

// A run that left a fault open is not recovered while another one is going on: that could take away a fault of the other's.
func TestRecoverBesideALiveRun(t *testing.T) {
	s, f := fakeStage(t)
	c, d := s.container(), s.container()
	old := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")),
		on(func(*runner.Run, *journal.FaultVerified) { f.Fail("Unpause", engine.ErrPermission, -1) }))
	s.residue(old, c)
	f.Fail("Unpause", nil, 0)
	lock, err := f.Container(t.Context(), s.setup.Lock)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(t.Context(), lock.ID); err != nil { // somebody did
		t.Fatal(err)
	}
	live := s.rehearse(s.embedded(target("t", d), steady+pauseFor("f", "t", "1s")), on(func(r *runner.Run, _ *journal.FaultVerified) {
		// What was lost stands in the labels of the old lock, whatever it is called now.
		renamed := lock
		renamed.ID, renamed.Name, renamed.Labels = "", lock.Name+"-old", maps.Clone(lock.Labels)
		renamed.Labels["gameday.pid"] = "4194304" // no process has that number
		renamed = f.AddContainer(renamed)
		for name, recover := range map[string]func() (runner.Recovered, error){
			"from the journal": func() (runner.Recovered, error) { return runner.Recover(t.Context(), s.setup, old.Dir) },
			"from the labels": func() (runner.Recovered, error) {
				aside := old.Dir + "-aside"
				if err := os.Rename(old.Dir, aside); err != nil {
					t.Error(err)
				}
				defer os.Rename(aside, old.Dir)
				return runner.RecoverRun(t.Context(), s.setup, old.Run)
			},
		} {
			out, err := recover()
			var locked *runner.LockedError
			if !errors.As(err, &locked) || locked.Holder.Run != filepath.Base(r.Dir()) || len(out.Undone)+len(out.Removed) != 0 {
				t.Errorf("%s: %+v, %v", name, out, err)
				continue
			}
			says(t, err.Error(), old.Run, filepath.Base(r.Dir()), "gameday abort")
		}
		if err := f.Remove(t.Context(), renamed.ID); err != nil {
			t.Error(err)
		}
	}))
	s.ended(live, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(live, d)
	if got := s.status(c); got != "paused" {
		t.Errorf("it is %s", got)
	}
	out, err := runner.Recover(t.Context(), s.setup, old.Dir)
	if err != nil || len(out.Undone) != 1 || len(out.Open) != 0 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	if got := s.status(c); got != "running" {
		t.Errorf("it is %s", got)
	}
}

// The record of a run is lost, its runner is dead, and so is the helper that knew the old limits: the engine's own are put back.
func TestRecordIsLostWithTheHelper(t *testing.T) {
	s := realStage(t)
	s.setup.NoGuard = true
	c := s.container(enginetest.With(func(s *engine.Spec) { s.Memory = 256 << 20 }))
	before := injecttest.Outside(t, c.ID)
	cmd, dir := s.childRun(s.embedded(target("t", c), steady+`
  fault "cpu" "starved" {
    target   = target.t
    limit    = 0.2
    duration = "60s"
  }

  fault "memory" "tight" {
    target   = target.t
    limit    = "64MiB"
    duration = "60s"
  }
`), "fault.verified")
	files := []string{"cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max", "memory.swap.max"}
	lower := func() bool {
		now := injecttest.Outside(t, c.ID)
		changed := func(kind string) bool {
			return slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, kind) && now.Group[f] != before.Group[f] })
		}
		return changed("cpu.") && changed("memory.")
	}
	s.until("both limits are lower", lower)
	helper, err := strconv.Atoi(strings.TrimSpace(injecttest.Docker(t, "inspect", "-f", "{{.State.Pid}}", "gameday-host-"+c.ID[:12])))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cmd.Process.Signal(syscall.SIGSTOP), syscall.Kill(helper, syscall.SIGKILL), cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if !lower() {
		t.Fatal("the limits are as before, although nobody is there who could have put them back")
	}
	out, err := runner.RecoverRun(t.Context(), s.setup, filepath.Base(dir))
	if err != nil || len(out.Undone) != 2 || len(out.Open) != 0 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	after := injecttest.Outside(t, c.ID)
	for _, f := range files {
		if after.Group[f] != before.Group[f] {
			t.Errorf("%s is %q, and was %q", f, after.Group[f], before.Group[f])
		}
	}
	if !after.State.StartedAt.Equal(before.State.StartedAt) {
		t.Error("it was restarted")
	}
	s.noneLeft(filepath.Base(dir))
}
