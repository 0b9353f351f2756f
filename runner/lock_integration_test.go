package runner_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/fake"
	"gameday/runner"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// A container of somebody else's that has the lock's name is nobody's lock, and stays.
func TestLockNameIsTaken(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	other := f.AddContainer(engine.Container{Name: s.setup.Lock})
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	_, err := r.Execute(t.Context())
	if err == nil {
		t.Fatal("it ran")
	}
	says(t, err.Error(), s.setup.Lock, "rename it")
	if got := s.status(other); got != "running" {
		t.Errorf("it is %s", got)
	}
}

// A journal whose beginning is damaged, and which speaks of faults, keeps the lock: nobody can tell what is in force. The lock's
// labels say what was planned.
func TestJournalWithoutABeginning(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")),
		on(func(*runner.Run, *journal.FaultVerified) { f.Fail("Unpause", engine.ErrPermission, -1) }))
	s.residue(e, c)
	f.Fail("Unpause", nil, 0)
	path := filepath.Join(e.Dir, journal.FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("#"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.refused(c)

	// Without the labels a person is needed.
	lock, err := f.Container(t.Context(), s.setup.Lock)
	if err != nil {
		t.Fatal(err)
	}
	planned := lock.Labels[guard.UndosLabel]
	s.relabel(f, guard.UndosLabel, "")
	_, err = runner.Recover(t.Context(), s.setup, e.Dir)
	if err == nil {
		t.Fatal("it was recovered")
	}
	says(t, err.Error(), path, "by hand", s.setup.Lock)
	s.refused(c)

	s.relabel(f, guard.UndosLabel, planned)
	out, err := runner.Recover(t.Context(), s.setup, e.Dir)
	if err != nil || len(out.Undone) != 1 || len(out.Open) != 0 || len(out.Notes) == 0 || len(out.Damage) == 0 || !slices.Equal(out.Removed, []string{s.setup.Lock}) {
		t.Errorf("recover: %+v, %v", out, err)
	}
	if got := s.status(c); got != "running" {
		t.Errorf("it is %s", got)
	}
}

// relabel makes the lock anew with another label.
func (s *stage) relabel(f *fake.Fake, label, value string) {
	s.t.Helper()
	c, err := f.Container(s.t.Context(), s.setup.Lock)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f.Remove(s.t.Context(), c.ID); err != nil {
		s.t.Fatal(err)
	}
	c.Labels = maps.Clone(c.Labels)
	c.Labels[label] = value
	f.AddContainer(c)
}

// leaveLost is a run that could not undo its pause, and whose record and process are gone.
func (s *stage) leaveLost(f *fake.Fake, c engine.Container) (run string) {
	s.t.Helper()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")),
		on(func(*runner.Run, *journal.FaultVerified) { f.Fail("Unpause", engine.ErrPermission, -1) }))
	s.residue(e, c)
	f.Fail("Unpause", nil, 0)
	if err := os.RemoveAll(e.Dir); err != nil {
		s.t.Fatal(err)
	}
	s.relabel(f, "gameday.pid", "4194304") // no process has that number
	return e.Run
}

// A run whose record is lost is recovered from the labels of its lock.
func TestRecordIsLost(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	run := s.leaveLost(f, c)
	h, err := runner.LockedAt(t.Context(), f, s.setup.Lock)
	if err != nil || h == nil || h.Alive || !h.Open() {
		t.Fatalf("%+v, %v", h, err)
	}
	says(t, (&runner.LockedError{Holder: *h}).Error(), "gameday recover "+run)
	if dirs, err := runner.Unrecovered(t.Context(), s.setup); err != nil || len(dirs) != 0 {
		t.Errorf("unrecovered: %q, %v", dirs, err)
	}
	if runs, err := runner.Orphans(t.Context(), s.setup); err != nil || !slices.Equal(runs, []string{run}) {
		t.Errorf("orphans: %q, %v", runs, err)
	}
	now, err := runner.Look(t.Context(), s.setup)
	if err != nil || len(now.Runs) != 1 || !now.Runs[0].FromLabels || now.Runs[0].Runner != runner.RunnerGone || len(now.Runs[0].Faults) != 1 ||
		now.Runs[0].Faults[0].State != "planned; the container is paused" {
		t.Errorf("status: %+v, %v", now, err)
	}
	out, err := runner.RecoverRun(t.Context(), s.setup, run)
	if err != nil || len(out.Undone) != 1 || len(out.Open) != 0 || len(out.Removed) != 1 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	if got := s.status(c); got != "running" {
		t.Errorf("it is %s", got)
	}
	if _, err := runner.RecoverRun(t.Context(), s.setup, run); !errors.Is(err, runner.ErrNoTrace) {
		t.Errorf("recover again: %v", err)
	}
	if now, err := runner.Look(t.Context(), s.setup); err != nil || !now.Nothing() {
		t.Errorf("status: %+v, %v", now, err)
	}
}

// A container that lives another life than the one that was planned for is left alone, and named.
func TestRecordIsLostAndTargetRestarted(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	run := s.leaveLost(f, c)
	if err := errors.Join(f.Restart(t.Context(), c.ID, 0), f.Pause(t.Context(), c.ID)); err != nil {
		t.Fatal(err)
	}
	out, err := runner.RecoverRun(t.Context(), s.setup, run)
	if err != nil || len(out.Open) != 1 || !slices.Equal(out.ByHand, []string{"docker unpause " + c.Name}) || len(out.Removed) != 0 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	if got := s.status(c); got != "paused" {
		t.Errorf("somebody else's pause is undone: it is %s", got)
	}
	if err := f.Unpause(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if out, err := runner.RecoverRun(t.Context(), s.setup, run); err != nil || len(out.Open) != 0 || len(out.Removed) != 1 {
		t.Errorf("recover: %+v, %v", out, err)
	}
}

// Nobody's record is lost while its process may be there, or its guard.
func TestRecordIsElsewhere(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	run := s.leaveLost(f, c)
	for name, x := range map[string]struct{ label, value, says string }{
		"a process":      {"gameday.pid", strconv.Itoa(os.Getpid()), "may be its runner"},
		"a running lock": {"", "", "its guard is up"},
	} {
		t.Run(name, func(t *testing.T) {
			lock, err := f.Container(t.Context(), s.setup.Lock)
			if err != nil {
				t.Fatal(err)
			}
			other := lock
			other.ID, other.Labels = "", maps.Clone(lock.Labels)
			other.Labels[engine.Label] = run + name
			if x.label != "" {
				other.Labels[x.label] = x.value
			} else {
				other.RestartPolicy, other.State = "always", engine.State{}
			}
			other.Name = name
			other = f.AddContainer(other)
			defer f.Remove(t.Context(), other.ID)
			if _, err := runner.RecoverRun(t.Context(), s.setup, run+name); !errors.Is(err, journal.ErrBusy) || !strings.Contains(err.Error(), x.says) {
				t.Errorf("recover: %v", err)
			}
		})
	}
	if got := s.status(c); got != "paused" {
		t.Errorf("it is %s", got)
	}
	if _, err := runner.RecoverRun(t.Context(), s.setup, run); err != nil {
		t.Error(err)
	}
}

// Helpers that are left are residue, as the draft says, although the engine refused nothing.
func TestHelpersAreLeft(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), on(func(r *runner.Run, _ *journal.FaultVerified) {
		helper := engine.Container{Labels: map[string]string{engine.Label: filepath.Base(r.Dir()), engine.RoleLabel: "helper"}}
		f.Hook("Remove", func(string) { f.AddContainer(helper) }) // there is always one more
		f.AddContainer(helper)
	}))
	f.Hook("Remove", nil)
	s.ended(e, journal.OutcomeResidue, runner.ExitResidue)
	if got := s.status(c); got != "running" {
		t.Errorf("it is %s", got)
	}
}

// For a recovery as well; the next one that finds none of them says that nothing is left any more.
func TestHelpersAreLeftByARecovery(t *testing.T) {
	s, f := fakeStage(t)
	e := s.rehearse(s.embedded(target("t", s.container()), steady+pauseFor("f", "t", "1s")), nil)
	helper := engine.Container{Labels: map[string]string{engine.Label: e.Run, engine.RoleLabel: "helper"}}
	f.Hook("Remove", func(string) { f.AddContainer(helper) }) // there is always one more
	f.AddContainer(helper)
	out, err := runner.RecoverRun(t.Context(), s.setup, e.Run)
	if err != nil || !out.Left() || out.Helpers == 0 {
		t.Errorf("without a record: %+v, %v", out, err)
	}
	if out, err = runner.Recover(t.Context(), s.setup, e.Dir); err != nil || !out.Left() {
		t.Errorf("%+v, %v", out, err)
	}
	f.Hook("Remove", nil)
	if out, err = runner.Recover(t.Context(), s.setup, e.Dir); err != nil || out.Left() || len(out.Removed) == 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

// Whether a runner on another machine is alive cannot be told: what it has in force is not taken away until somebody says that it
// is gone.
func TestRunnerIsOnAnotherMachine(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	run := s.leaveLost(f, c)
	s.relabel(f, "gameday.host", "another-machine")
	out, err := runner.RecoverRun(t.Context(), s.setup, run)
	if !errors.Is(err, journal.ErrBusy) || len(out.Undone)+len(out.Removed) != 0 {
		t.Fatalf("recover: %+v, %v", out, err)
	}
	says(t, err.Error(), "another-machine", "gameday abort", "gameday recover --gone "+run)
	if got := s.status(c); got != "paused" {
		t.Errorf("it is %s", got)
	}
	h, err := runner.LockedAt(t.Context(), f, s.setup.Lock)
	if err != nil || h == nil {
		t.Fatalf("%+v, %v", h, err)
	}
	says(t, (&runner.LockedError{Holder: *h}).Error(), "gameday abort", "gameday recover --gone "+run)
	s.setup.RunnerGone = true
	if out, err := runner.RecoverRun(t.Context(), s.setup, run); err != nil || len(out.Undone) != 1 || len(out.Open) != 0 || len(out.Removed) != 1 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	if got := s.status(c); got != "running" {
		t.Errorf("it is %s", got)
	}
}

// Helpers of a run that holds no lock are left behind if they are old.
func TestStrayHelpers(t *testing.T) {
	s, f := fakeStage(t)
	add := func(run, role string, age time.Duration) engine.Container {
		return f.AddContainer(engine.Container{Created: time.Now().Add(-age), Labels: map[string]string{engine.Label: run, engine.RoleLabel: role}})
	}
	stray := add("old", "helper", time.Hour)
	young, held, system := add("young", "helper", time.Second), add("held", "helper", time.Hour), add("demo", engine.RoleWorkload, time.Hour)
	add("held", guard.RoleLock, time.Hour)
	if runs, err := runner.Orphans(t.Context(), s.setup); err != nil || !slices.Equal(runs, []string{"old"}) {
		t.Errorf("orphans: %q, %v", runs, err)
	}
	now, err := runner.Look(t.Context(), s.setup)
	if err != nil || len(now.Runs) != 0 || len(now.Helpers) != 3 {
		t.Errorf("status: %+v, %v", now, err)
	}
	for _, h := range now.Helpers {
		if h.Stray != (h.Name == stray.Name) {
			t.Errorf("status: %+v", h)
		}
	}
	out, err := runner.RecoverRun(t.Context(), s.setup, "old")
	if err != nil || !slices.Equal(out.Removed, []string{stray.Name}) || len(out.Undone)+len(out.Open) != 0 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	for _, c := range []engine.Container{young, held, system} {
		if got := s.status(c); got != "running" {
			t.Errorf("%s is %s", c.Name, got)
		}
	}
}

// The engine is away at the end of a run without residue: that is an error, and the lock holds nobody up later.
func TestEngineGoesAwayInTheRecovery(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	text := s.embedded(target("t", c), steady+pauseFor("f", "t", "1s"))
	e := s.rehearse(text, func(_ *runner.Run, ev journal.Event) {
		if p, ok := ev.Payload.(*journal.PhaseStarted); ok && p.Phase == journal.Recovery {
			f.Disconnect()
		}
	})
	s.cameTo(e, journal.OutcomeError, runner.ExitError)
	if e.err == nil {
		t.Error("Execute has no error")
	}
	says(t, e.rec.Ended().Detail, "docker ps -a --filter label=gameday="+e.Run)
	f.Reconnect()
	e = s.rehearse(text, nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
}

// A run that asks for no numbers needs none.
func TestWithoutNumbers(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()

	e := s.rehearse(target("t", c)+"scenario \"s\" {\n  baseline = \"200ms\"\n  recovery = \"200ms\"\n"+pauseFor("f", "t", "1s")+"}\n", nil)
	s.cameTo(e, e.Outcome, e.Exit)
	s.clean(e, c)
	if e.rec.Started().Source != nil {
		t.Errorf("%+v", e.rec.Started().Source)
	}
	one[*journal.FaultVerified](t, e)
}

// The runner is killed right before and right after it has done something.
func TestKilledAtOtherMoments(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"fault.intent", "fault.injected", "undo.started"} {
		t.Run(kind, func(t *testing.T) {
			s := realStage(t)
			c := s.container()
			dir := s.killedRun(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), kind)
			out, err := runner.Recover(t.Context(), s.setup, dir)
			if err != nil || len(out.Open) != 0 || len(out.Damage) != 0 {
				t.Errorf("%+v, %v", out, err)
			}
			rec, err := journal.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			e := ending{Result: runner.Result{Run: filepath.Base(dir), Dir: dir}, rec: rec}
			s.clean(e, c)
			s.drafts(e)
		})
	}
}

// The helper image is made of a static binary where it is not there, and removed by the last one that is done with it.
func TestTools(t *testing.T) {
	t.Parallel()
	f := fake.New()
	dir := t.TempDir()
	path := filepath.Join(dir, "gameday")
	build := exec.Command("go", "build", "-o", path, "gameday/inject/injecttest/helper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	asked := 0
	first, cleanup := runner.NewTools(f, func() (string, error) { asked++; return path, nil })
	var tags []string
	for range 2 {
		tag, err := first.Helper(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, tag)
	}
	if tags[0] != tags[1] || asked != 1 {
		t.Errorf("%q, the binary was asked for %d times", tags, asked)
	}
	second, cleanupSecond := runner.NewTools(f, func() (string, error) { return path, nil })
	if tag, err := second.Helper(t.Context()); err != nil || tag != tags[0] {
		t.Errorf("%s, %v", tag, err)
	}
	has := func() bool {
		has, err := f.HasImage(t.Context(), tags[0])
		return err == nil && has
	}
	lock, err := f.Create(t.Context(), engine.Spec{Name: "lock", Image: tags[0], Cmd: []string{"version"}})
	if err != nil {
		t.Fatal(err)
	}
	if cleanupSecond(); !has() {
		t.Error("it was removed while another gameday used it")
	}
	if err := f.Remove(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
	if cleanup(); has() {
		t.Error("it is left behind")
	}
	if _, err := second.Helper(t.Context()); err != nil || !has() {
		t.Errorf("it was not made again after another gameday had removed it: %v", err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("text"), 0o700); err != nil {
		t.Fatal(err)
	}
	bad, _ := runner.NewTools(f, func() (string, error) { return text, nil })
	if _, err := bad.Helper(t.Context()); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("a helper of a text file: %v", err)
	}
}

// What a run leaves in its directory is what the design promises, and no secret is in it.
func TestRunDirectory(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	p := servePrometheus(t, "ok")
	const secret = "hunter2-hunter2"
	text := strings.Replace(remote(p.url, target("t", c), strict+pauseFor("f", "t", "1s")), "timeout", "bearer_token = \""+secret+"\"\n  timeout", 1)
	e := s.rehearse(text, nil)
	s.cameTo(e, e.Outcome, e.Exit)
	var files []string
	err := filepath.WalkDir(e.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s has the secret", path)
		}
		rel, rerr := filepath.Rel(e.Dir, path)
		files = append(files, rel)
		return errors.Join(err, rerr)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"journal.jsonl", "junit.xml", "report.html", "report.json", "report.md", "samples/Q1.jsonl", "scenario/s.gameday.hcl"}
	slices.Sort(files)
	for _, w := range want {
		if !slices.Contains(files, w) {
			t.Errorf("%s is missing in %q", w, files)
		}
	}
	if slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, ".reserve") }) {
		t.Errorf("the space that was set aside is left: %q", files)
	}
}

// A run that does not answer to an abort is stopped by its guard, which is told from wherever the engine is reached.
func TestAbortTellsTheGuard(t *testing.T) {
	s, f := fakeStage(t)
	lock := f.AddContainer(engine.Container{Name: s.setup.Lock, Image: "helper:test", RestartPolicy: "always",
		Labels: map[string]string{engine.Label: "deaf", engine.RoleLabel: guard.RoleLock, "gameday.host": "elsewhere", "gameday.pid": "1", "gameday.dir": "/nowhere"}})
	told := make(chan string, 1)
	f.Hook("Kill", func(id string) {
		told <- id
		f.Remove(t.Context(), lock.ID) // its runner lets go
	})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	h, err := runner.AbortAt(ctx, f, s.setup.Lock)
	if err != nil || h == nil || h.Run != "deaf" || h.Guard != runner.GuardUp {
		t.Errorf("%+v, %v", h, err)
	}
	select {
	case id := <-told:
		if id != lock.ID {
			t.Errorf("%s was told", id)
		}
	default:
		t.Error("the guard was not told")
	}
	s.noneLeft("deaf")
}
