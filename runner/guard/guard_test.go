package guard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/fake"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A stage is a run whose runner is the test, and its guard, on an engine in memory.
type stage struct {
	t       *testing.T
	engine  *fake.Fake
	run     string
	dir     string
	journal *journal.Writer // the runner's
	beating *journal.Beat
	targets []engine.Container
	lock    engine.Container
	told    chan struct{}
	ended   chan error
}

func newStage(t *testing.T, targets int) *stage {
	t.Helper()
	t.Parallel()
	s := &stage{t: t, engine: fake.New(), told: make(chan struct{}, 1), ended: make(chan error, 1)}
	root := t.TempDir()
	s.run = journal.NewID("s", time.Now())
	s.dir = filepath.Join(root, s.run)
	var err error
	if s.journal, err = journal.Create(root, s.run, time.Now()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.journal.Close() })
	s.write(&journal.RunStarted{Run: s.run})
	var planned []guard.Planned
	for range targets {
		c := s.engine.AddContainer(engine.Container{})
		s.targets = append(s.targets, c)
		planned = append(planned, guard.Planned{Words: "unpause " + c.Name, Undo: s.undo(c)})
	}
	label, err := guard.EncodePlanned(planned)
	if err != nil {
		t.Fatal(err)
	}
	s.lock = s.engine.AddContainer(engine.Container{Name: "lock", Labels: map[string]string{
		engine.Label: s.run, engine.RoleLabel: guard.RoleLock, guard.UndosLabel: label}})
	return s
}

func (s *stage) write(p journal.Payload) {
	s.t.Helper()
	if _, err := s.journal.Commit(p); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) undo(c engine.Container) inject.Undo {
	return inject.Undo{Run: s.run, Fault: "f", Kind: "pause", ID: c.ID, Name: c.Name, Before: inject.State{Status: "running", StartedAt: c.State.StartedAt, RestartPolicy: "no"}}
}

// harm pauses a target as the runner does: the intent first.
func (s *stage) harm(i int) {
	s.t.Helper()
	s.intend(i)
	if err := s.engine.Pause(s.t.Context(), s.targets[i].ID); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) intend(i int) {
	s.t.Helper()
	c := s.targets[i]
	b, err := json.Marshal(s.undo(c))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(&journal.FaultIntent{Fault: "f", FaultKind: "pause", Container: journal.Ref{ID: c.ID, Name: c.Name}, UndoWords: "unpause " + c.Name, Undo: b})
}

// watch starts the guard, and the runner's signs of life.
func (s *stage) watch() {
	s.t.Helper()
	var err error
	if s.beating, err = journal.OpenBeat(s.dir, journal.RunnerBeat); err != nil {
		s.t.Fatal(err)
	}
	s.guard()
	s.eventually("the guard is up", func() bool {
		ev, err := journal.GuardEvents(s.dir)
		return err == nil && len(ev) > 0
	})
}

// guard starts a guard; it ends with the test.
func (s *stage) guard() {
	info, _ := s.engine.Info(s.t.Context())
	g := &guard.Guard{Run: s.run, Name: s.lock.Name, Dir: s.dir, Info: info, Told: s.told, Log: io.Discard, Tools: inject.Tools{Engine: s.engine}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ended <- g.Watch(ctx)
	}()
	s.t.Cleanup(func() { cancel(); <-done })
}

// live gives signs of life until the end of the test or until stop is called.
func (s *stage) live() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s.beating.Beat()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	stop = func() { cancel(); <-done }
	s.t.Cleanup(stop)
	return stop
}

// die lets go of the journal, as the kernel does for a runner that is killed.
func (s *stage) die() {
	s.t.Helper()
	if err := s.journal.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// leaves waits until the guard is through.
func (s *stage) leaves() {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("the guard ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		s.t.Fatal("the guard does not leave")
	}
	if _, err := s.engine.Container(s.t.Context(), s.lock.ID); err == nil {
		s.t.Error("the guard's container is still there")
	}
}

func (s *stage) status(i int) string {
	s.t.Helper()
	c, err := s.engine.Container(s.t.Context(), s.targets[i].ID)
	if err != nil {
		return "gone"
	}
	return c.State.Status
}

func (s *stage) record() *journal.Record {
	s.t.Helper()
	rec, err := journal.Read(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return rec
}

// story is what the guard wrote, in short.
func (s *stage) story() string {
	s.t.Helper()
	events, err := journal.GuardEvents(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		text := e.Payload.Kind()
		switch p := e.Payload.(type) {
		case *journal.Stopping:
			text += "(" + p.Detail + ")"
		case *journal.RunEnded:
			text += fmt.Sprintf("(%s %d %s)", p.Outcome, p.ExitCode, p.Detail)
		case *journal.Residue:
			text += fmt.Sprintf("(%d of %d)", p.Undone, p.Faults)
		}
		out = append(out, text)
	}
	// Containers are undone side by side.
	for i := 0; i < len(out); {
		n := 0
		for i+n < len(out) && strings.HasPrefix(out[i+n], "undo.") {
			n++
		}
		slices.SortFunc(out[i:i+n], func(a, b string) int { return strings.Compare(undoOrder[a], undoOrder[b]) })
		i += n + 1
	}
	return strings.Join(out, " ")
}

var undoOrder = map[string]string{"undo.started": "a", "undo.failed": "b", "undo.verified": "c"}

func (s *stage) tells(want string) {
	s.t.Helper()
	if got := s.story(); got != want {
		s.t.Errorf("the guard wrote\n%s\nwant\n%s", got, want)
	}
}

func (s *stage) running(targets ...int) {
	s.t.Helper()
	for _, i := range targets {
		if got := s.status(i); got != "running" {
			s.t.Errorf("target %d is %s", i, got)
		}
	}
}

func TestRunnerIsGone(t *testing.T) {
	s := newStage(t, 3)
	s.watch()
	s.live()
	helper := s.engine.AddContainer(engine.Container{Labels: map[string]string{engine.Label: s.run, engine.RoleLabel: "helper"}})
	other := s.engine.AddContainer(engine.Container{Labels: map[string]string{engine.Label: "another run", engine.RoleLabel: "helper"}})
	s.harm(0)
	s.harm(1)
	s.intend(2) // killed right after the intent
	s.die()
	s.leaves()
	s.running(0, 1, 2)
	s.tells("guard.state run.stopping(the runner had gone) undo.started undo.started undo.started undo.verified undo.verified undo.verified " +
		"run.residue(3 of 3) run.ended(interrupted 130 the runner had gone; what was in force was undone by the guard)")
	if _, err := s.engine.Container(t.Context(), helper.ID); err == nil {
		t.Error("the run's helper is left")
	}
	if _, err := s.engine.Container(t.Context(), other.ID); err != nil {
		t.Errorf("another run's helper: %v", err)
	}
	rec := s.record()
	if open := journal.OpenIntents(rec.Events); len(open) != 0 || len(rec.Damage) != 0 {
		t.Errorf("open: %v, damage: %v", open, rec.Damage)
	}
	for _, e := range rec.Events {
		if u, ok := e.Payload.(*journal.UndoStarted); ok && u.Why != journal.UndoGuard {
			t.Errorf("%+v", u)
		}
	}
}

func TestRunnerIsGoneInTheBaseline(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	s.die()
	s.leaves()
	s.tells("guard.state run.stopping(the runner had gone) run.residue(0 of 0) run.ended(interrupted 130 the runner had gone; nothing was in force)")
}

// A run that came to its end, and could not remove its guard, needs nothing.
func TestRunHasEnded(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	s.harm(0)
	s.engine.Unpause(t.Context(), s.targets[0].ID)
	s.write(&journal.UndoVerified{Fault: "f", Container: journal.Ref{ID: s.targets[0].ID, Name: s.targets[0].Name}})
	s.write(&journal.RunEnded{Outcome: journal.OutcomeHeld})
	s.die()
	s.leaves()
	s.tells("guard.state")
	if end := s.record().Ended(); end.Outcome != journal.OutcomeHeld {
		t.Errorf("%+v", end)
	}
}

// A run that ended over a fault that it could not undo is not given up.
func TestRunHasEndedWithResidue(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	s.harm(0)
	s.write(&journal.RunEnded{Outcome: journal.OutcomeResidue, ExitCode: 6})
	s.die()
	s.leaves()
	s.running(0)
	s.tells("guard.state undo.started undo.verified run.residue(1 of 1) run.ended(interrupted 130 the runner had gone; what was in force was undone by the guard)")
}

// A runner that hangs finds everything undone when it comes back; the guard stays until it has gone.
func TestRunnerHangs(t *testing.T) {
	s := newStage(t, 2)
	s.watch()
	stop := s.live()
	s.harm(0)
	time.Sleep(200 * time.Millisecond)
	if got := s.status(0); got != "paused" {
		t.Fatalf("under a living runner it is %s", got)
	}
	stop()
	s.eventually("it is undone", func() bool { return strings.Contains(s.story(), "run.ended") })
	s.running(0)
	s.tells("guard.state run.stopping(the runner was not heard of for 3s) undo.started undo.verified run.residue(1 of 1) " +
		"run.ended(interrupted 130 the runner was not heard of for 3s; what was in force was undone by the guard)")
	if _, err := s.engine.Container(t.Context(), s.lock.ID); err != nil {
		t.Errorf("the guard has left while the runner is there: %v", err)
	}
	// It comes back in the middle of an injection, and is killed before it can do anything about it.
	s.live()
	s.harm(1)
	s.engine.Pause(t.Context(), s.targets[0].ID)
	s.die()
	s.leaves()
	s.running(0, 1)
	if open := journal.OpenIntents(s.record().Events); len(open) != 0 {
		t.Errorf("open: %v", open)
	}
}

// A runner that hangs for good is looked after once.
func TestRunnerHangsForGood(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.harm(0)
	s.eventually("it is undone", func() bool { return strings.Contains(s.story(), "run.ended") })
	story := s.story()
	time.Sleep(guard.Hang + time.Second)
	s.tells(story)
	s.running(0)
	s.die()
	s.leaves()
	s.tells(story)
}

func TestGuardIsTold(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	s.harm(0)
	s.told <- struct{}{}
	s.eventually("it is undone", func() bool { return strings.Contains(s.story(), "run.ended") })
	s.running(0)
	s.tells("guard.state run.stopping(the guard was told to undo everything) undo.started undo.verified run.residue(1 of 1) " +
		"run.ended(interrupted 130 the guard was told to undo everything; what was in force was undone by the guard)")
	s.die()
	s.leaves()
}

// What cannot be undone keeps the guard where it is; it tries again, and says so once.
func TestUndoFails(t *testing.T) {
	s := newStage(t, 2)
	s.watch()
	s.live()
	s.harm(0)
	s.harm(1)
	s.engine.Fail("Unpause", engine.ErrPermission, -1)
	s.die()
	s.eventually("it has failed", func() bool { return strings.Contains(s.story(), "run.ended") })
	const failed = "guard.state run.stopping(the runner had gone) undo.started undo.started undo.failed undo.failed run.residue(0 of 2) " +
		"run.ended(residue 6 the runner had gone; not everything could be undone yet, and the guard keeps trying)"
	s.tells(failed)
	s.told <- struct{}{}
	s.eventually("it was heard", func() bool { return len(s.told) == 0 })
	time.Sleep(300 * time.Millisecond)
	s.tells(failed)
	for _, e := range s.record().Events {
		if f, ok := e.Payload.(*journal.UndoFailed); ok && !strings.HasPrefix(f.ByHand, "docker unpause ") {
			t.Errorf("%+v", f)
		}
	}
	s.engine.Fail("Unpause", nil, 0)
	s.told <- struct{}{}
	s.leaves()
	s.running(0, 1)
	s.tells(failed + " undo.verified undo.verified run.residue(2 of 2) run.ended(interrupted 130 the runner had gone; what was in force was undone by the guard)")
}

// A guard that has nothing to undo waits all the same for an engine that is away: there may be helpers.
func TestEngineIsAwayFromHelpers(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	helper := s.engine.AddContainer(engine.Container{Labels: map[string]string{engine.Label: s.run, engine.RoleLabel: "helper"}})
	s.engine.Disconnect()
	s.die()
	s.eventually("it has summed up", func() bool { return strings.Contains(s.story(), "run.ended") })
	s.engine.Reconnect()
	s.leaves()
	if _, err := s.engine.Container(t.Context(), helper.ID); err == nil {
		t.Error("the run's helper is left")
	}
}

// Helpers that are left are residue, as they are at the end of a run.
func TestHelpersCannotBeRemoved(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	helper := engine.Container{Labels: map[string]string{engine.Label: s.run, engine.RoleLabel: "helper"}}
	s.engine.Hook("Remove", func(string) { s.engine.AddContainer(helper) }) // there is always one more
	s.engine.AddContainer(helper)
	s.die()
	s.eventually("it has summed up", func() bool { return strings.Contains(s.story(), "run.ended") })
	s.engine.Hook("Remove", nil)
	s.leaves()
	s.tells("guard.state run.stopping(the runner had gone) run.residue(0 of 0) run.ended(residue 6 the runner had gone; nothing was in force; containers of gameday's own are left)")
}

// A helper that the engine makes after its runner has gone is removed, too.
func TestHelperComesLate(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	s.die()
	s.eventually("it has summed up", func() bool { return strings.Contains(s.story(), "run.ended") })
	helper := s.engine.AddContainer(engine.Container{Labels: map[string]string{engine.Label: s.run, engine.RoleLabel: "helper"}})
	s.leaves()
	if _, err := s.engine.Container(t.Context(), helper.ID); err == nil {
		t.Error("the run's helper is left")
	}
}

// The engine is away while the runner dies.
func TestEngineIsAway(t *testing.T) {
	s := newStage(t, 1)
	s.watch()
	s.live()
	s.harm(0)
	s.engine.Disconnect()
	s.die()
	s.eventually("it has begun", func() bool { return strings.Contains(s.story(), "undo.started") })
	time.Sleep(time.Second)
	s.engine.Reconnect()
	s.leaves()
	s.running(0)
}

// A guard that was killed after it had begun goes on where it was.
func TestGuardIsStartedAgain(t *testing.T) {
	s := newStage(t, 1)
	s.harm(0)
	w, _, err := journal.OpenGuard(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	w.Commit(&journal.GuardState{Up: true, SeesLock: true})
	w.Commit(&journal.Stopping{Why: journal.UndoGuard, Detail: "the runner had gone"})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.die()
	s.guard()
	s.leaves()
	s.running(0)
	s.tells("guard.state run.stopping(the runner had gone) undo.started undo.verified run.residue(1 of 1) run.ended(interrupted 130 the runner had gone; what was in force was undone by the guard)")
}

// A guard that was killed while the runner was there, and finds it gone.
func TestGuardAndRunnerAreKilled(t *testing.T) {
	s := newStage(t, 1)
	s.harm(0)
	w, _, err := journal.OpenGuard(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	w.Commit(&journal.GuardState{Up: true, SeesLock: true})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.die()
	s.guard()
	s.leaves()
	s.running(0)
}

// Without the journal everything that was planned is undone.
func TestJournalIsLost(t *testing.T) {
	for name, lose := range map[string]func(s *stage) error{
		"removed":  func(s *stage) error { return os.RemoveAll(s.dir) },
		"damaged":  func(s *stage) error { return os.Truncate(filepath.Join(s.dir, journal.FileName), 0) },
		"headless": behead,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 2)
			s.watch()
			s.live()
			s.harm(0)
			if err := lose(s); err != nil {
				t.Fatal(err)
			}
			s.journal.Close()
			s.leaves()
			if name == "damaged" {
				// Nothing in it speaks of a fault, and nothing is done before that is written.
				if got := s.status(0); got != "paused" {
					t.Errorf("it is %s", got)
				}
				return
			}
			s.running(0, 1)
		})
	}
}

// What somebody does to a container after its undo is left alone while another one is tried again.
func TestJournalIsLostAndOneFails(t *testing.T) {
	s := newStage(t, 2)
	s.watch()
	s.live()
	s.harm(0)
	s.harm(1)
	s.engine.Fail("Unpause", engine.ErrPermission, 1)
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	s.journal.Close()
	done := 0
	s.eventually("one is undone", func() bool {
		if s.status(1) == "running" {
			done = 1
		}
		return s.status(done) == "running"
	})
	time.Sleep(300 * time.Millisecond) // it is seen to be gone, and written down
	if err := s.engine.Pause(t.Context(), s.targets[done].ID); err != nil {
		t.Fatal(err)
	}
	s.told <- struct{}{}
	s.leaves()
	s.running(1 - done)
	if got := s.status(done); got != "paused" {
		t.Errorf("what was paused after its undo is %s", got)
	}
}

// behead makes the first line of the journal unreadable.
func behead(s *stage) error {
	path := filepath.Join(s.dir, journal.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte("#"), b...), 0o600)
}

// A container that had ended before its fault was due was not ended by it.
func TestSuspects(t *testing.T) {
	t.Parallel()
	f := fake.New()
	made := time.Now().Add(-time.Minute)
	down := func(at time.Duration) engine.Container {
		return f.AddContainer(engine.Container{State: engine.State{Status: "exited", FinishedAt: made.Add(at), StartedAt: made.Add(-time.Hour)}})
	}
	before, after, runs := down(5*time.Second), down(20*time.Second), f.AddContainer(engine.Container{})
	var all []guard.Planned
	for _, c := range []engine.Container{before, after, runs, {ID: strings.Repeat("0", 64), Name: "removed"}} {
		all = append(all, guard.Planned{Start: journal.Duration(10 * time.Second), Words: "start it", Undo: inject.Undo{Fault: "f", Kind: "stop", ID: c.ID, Name: c.Name}})
	}
	label, err := guard.EncodePlanned(all)
	if err != nil {
		t.Fatal(err)
	}
	open, spared, err := guard.Suspects(t.Context(), f, engine.Container{Created: made, Labels: map[string]string{guard.UndosLabel: label}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, in := range open {
		names = append(names, in.Container.Name)
	}
	if want := []string{runs.Name, after.Name}; !slices.Equal(names, want) {
		t.Errorf("suspects: %q, want %q", names, want)
	}
	if text := strings.Join(spared, "; "); len(spared) != 2 || !strings.Contains(text, before.Name+" had ended before") || !strings.Contains(text, "removed is gone") {
		t.Errorf("spared: %q", spared)
	}
	if _, _, err := guard.Suspects(t.Context(), f, engine.Container{Name: "lock", Labels: map[string]string{guard.UndosLabel: "["}}); err == nil {
		t.Error("a damaged label is no error")
	}
}

// A container of another run is not watched over.
func TestForeignContainer(t *testing.T) {
	s := newStage(t, 1)
	g := &guard.Guard{Run: "another", Name: s.lock.Name, Dir: s.dir, Log: io.Discard, Tools: inject.Tools{Engine: s.engine}}
	if err := g.Watch(t.Context()); err == nil || !strings.Contains(err.Error(), "is not the guard of another") {
		t.Errorf("%v", err)
	}
}
