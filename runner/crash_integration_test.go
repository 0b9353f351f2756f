package runner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
	"gameday/scenarios"
)

// A runner in a process of its own, to be killed.
const (
	childScenario = "GAMEDAY_TEST_CHILD_SCENARIO" // path of its file
	childRuns     = "GAMEDAY_TEST_CHILD_RUNS"
	childLock     = "GAMEDAY_TEST_CHILD_LOCK"
	childImage    = "GAMEDAY_TEST_CHILD_IMAGE"
	childNoGuard  = "GAMEDAY_TEST_CHILD_NO_GUARD" // not empty: without a guard
)

func childRunner() {
	err := func() error {
		ctx := context.Background()
		e, err := engine.Connect(engine.Options{})
		if err != nil {
			return err
		}
		image := func(context.Context) (string, error) { return os.Getenv(childImage), nil }
		s := runner.Setup{Engine: e, Tools: inject.Tools{Engine: e, Helper: image, Sidecars: inject.NewSidecars(e, image)}, Version: "test", Runs: os.Getenv(childRuns), Lock: os.Getenv(childLock),
			NoGuard: os.Getenv(childNoGuard) != ""}
		if err := s.Connect(ctx); err != nil {
			return err
		}
		ws, ds := scenarios.Load(os.Getenv(childScenario), scenarios.Options{})
		if ws == nil {
			return fmt.Errorf("%v", ds)
		}
		id := journal.NewID(ws.Scenarios[0].Name, time.Now())
		p, err := runner.MakePlan(ctx, s, ws, ws.Scenarios[0], id, 1)
		if err != nil {
			return err
		}
		_, err = runner.NewRun(s, p, id, nil).Execute(ctx)
		return err
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// killedRun starts a runner of its own, waits for an event of a kind in its record, and kills it. It has no guard.
func (s *stage) killedRun(text, kind string) (dir string) {
	s.t.Helper()
	s.setup.NoGuard = true
	cmd, dir := s.childRun(text, kind)
	cmd.Process.Kill()
	cmd.Wait()
	return dir
}

// childRun starts a runner of its own and waits for an event of a kind in its record. It ends with the test. Where the machine was too
// busy for the baseline it is started again, as rehearse does.
func (s *stage) childRun(text, kind string) (cmd *exec.Cmd, dir string) {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "s.gameday.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	image, err := s.setup.Tools.Helper(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	environment := append(os.Environ(), childScenario+"="+path, childRuns+"="+s.setup.Runs, childLock+"="+s.setup.Lock, childImage+"="+image)
	if s.private != nil {
		environment = append(environment, "DOCKER_HOST="+s.private.Host)
	}
	if s.setup.NoGuard {
		environment = append(environment, childNoGuard+"=1")
	}
	for try := 1; ; try++ {
		before, err := journal.Runs(s.setup.Runs)
		if err != nil {
			s.t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = environment
		var out strings.Builder
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		end := sync.OnceFunc(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		s.t.Cleanup(end)
		rec, dir := s.comesTo(before, kind)
		if dir != "" {
			return cmd, dir
		}
		end()
		switch {
		case rec == nil:
			s.t.Fatalf("the runner has begun nothing: %s", out.String())
		case try == 3 || !slices.ContainsFunc(events[*journal.BaselineJudged](rec), func(b *journal.BaselineJudged) bool { return !b.Passed }):
			s.t.Fatalf("the runner did not come to %s: %s\n%s", kind, out.String(), story(rec))
		}
		s.t.Logf("run again, since the baseline did not hold\n%s", story(rec))
	}
}

// comesTo waits until the record of a run that was not there before has an event of a kind. dir is empty where the run ends without.
func (s *stage) comesTo(before []string, kind string) (rec *journal.Record, dir string) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		dirs, err := journal.Runs(s.setup.Runs)
		if err != nil {
			s.t.Fatal(err)
		}
		dirs = slices.DeleteFunc(dirs, func(d string) bool { return slices.Contains(before, d) })
		if len(dirs) == 0 {
			continue
		}
		now, err := journal.Read(dirs[0])
		if err != nil {
			continue
		}
		rec = now
		if slices.ContainsFunc(rec.Events, func(e journal.Event) bool { return e.Payload.Kind() == kind }) {
			return rec, dirs[0]
		}
		if rec.Ended() != nil {
			break
		}
	}
	return rec, ""
}

// A runner that is killed while its faults hold: they stay, the next run refuses to start, recover undoes them.
func TestKilledRunnerIsRecovered(t *testing.T) {
	s := realStage(t)
	a, b := s.container(), s.container()
	text := s.embedded(target("a", a)+target("b", b), steady+pauseFor("frozen", "a", "60s")+"  fault \"stop\" \"stopped\" {\n    target   = target.b\n    grace    = \"1s\"\n    start    = \"300ms\"\n    duration = \"60s\"\n  }\n")
	dir := s.killedRun(text, "fault.verified")
	if got := s.status(a); got != "paused" {
		t.Fatalf("it is %s", got)
	}

	dirs, err := runner.Unrecovered(t.Context(), s.setup)
	if err != nil || !slices.Equal(dirs, []string{dir}) {
		t.Errorf("unrecovered: %q, %v", dirs, err)
	}
	var locked *runner.LockedError
	other := s.prepare(s.embedded(target("c", s.container()), steady+pauseFor("f", "c", "1s")), nil)
	if _, err := other.Execute(t.Context()); !errors.As(err, &locked) {
		t.Fatalf("the next run: %v", err)
	}
	says(t, locked.Error(), filepath.Base(dir), "gameday recover "+dir)
	if locked.Holder.Alive || !locked.Holder.Here {
		t.Errorf("%+v", locked.Holder)
	}
	if journal.IsRun(other.Dir()) {
		t.Error("the run that was refused has left a run directory")
	}
	if _, err := runner.AbortAt(t.Context(), s.setup.Engine, s.setup.Lock); err == nil || !strings.Contains(err.Error(), "gameday recover "+dir) {
		t.Errorf("abort: %v", err)
	}

	// A copy that is cut anywhere is as good, as far as its intents go.
	whole, err := os.ReadFile(filepath.Join(dir, journal.FileName))
	if err != nil {
		t.Fatal(err)
	}

	out, err := runner.Recover(t.Context(), s.setup, dir)
	if err != nil || len(out.Open) != 0 || len(out.Undone) == 0 || len(out.Damage) != 0 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	if !slices.Contains(out.Removed, s.setup.Lock) {
		t.Errorf("removed: %q, and not the lock", out.Removed)
	}
	rec, err := journal.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := ending{Result: runner.Result{Run: filepath.Base(dir), Dir: dir, Outcome: journal.OutcomeInterrupted, Exit: runner.ExitInterrupted}, rec: rec}
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	s.clean(e, a, b)

	again, err := runner.Recover(t.Context(), s.setup, dir)
	if err != nil || len(again.Undone)+len(again.Open)+len(again.Removed) != 0 {
		t.Errorf("recover again: %+v, %v", again, err)
	}
	if after, err := journal.Read(dir); err != nil || len(after.Events) != len(rec.Events) {
		t.Errorf("a second recovery adds to the record: %v", err)
	}
	if dirs, err := runner.Unrecovered(t.Context(), s.setup); err != nil || len(dirs) != 0 {
		t.Errorf("unrecovered: %q, %v", dirs, err)
	}

	for range 6 {
		s.recoverCut(dir, whole[:rand.IntN(len(whole)+1)], a, b)
	}
	res, err := other.Execute(t.Context())
	if err != nil || res.Outcome != journal.OutcomeHeld {
		t.Errorf("the next run after the recovery: %+v, %v", res, err)
	}
}

// Where the undo of one container takes long, the others do not wait for it.
func TestRecoveryUndoesContainersSideBySide(t *testing.T) {
	s := realStage(t)
	frozen, slow, brief := s.container(), s.container(enginetest.Args("ignore")), s.container()
	dir := s.killedRun(s.embedded(target("a", frozen)+target("b", slow)+target("c", brief), steady+pauseFor("brief", "c", "600ms")+pauseFor("frozen", "a", "60s")+
		"  fault \"restart\" \"slow\" {\n    target = target.b\n    grace  = \"8s\"\n  }\n"), "undo.verified")
	out, err := runner.Recover(t.Context(), s.setup, dir)
	if err != nil || len(out.Open) != 0 || len(out.Undone) == 0 {
		t.Fatalf("recover: %+v, %v", out, err)
	}
	rec, err := journal.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, e := range rec.Events {
		if u, ok := e.Payload.(*journal.UndoVerified); ok {
			gone = append(gone, u.Fault)
		}
	}
	if want := []string{"brief", "frozen", "slow"}; !slices.Equal(gone, want) {
		t.Errorf("undone in the order %q, want %q: to thaw takes no time", gone, want)
	}
	for _, c := range []engine.Container{frozen, slow, brief} {
		if got := s.status(c); got != "running" {
			t.Errorf("%s is %s", c.Name, got)
		}
	}
}

// recoverCut recovers from a journal that ends at any byte, over targets that are all harmed: those whose intent is before the
// cut must run afterwards, the others must be left alone.
func (s *stage) recoverCut(dir string, cut []byte, cs ...engine.Container) {
	t := s.t
	t.Helper()
	copied := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.MkdirAll(filepath.Join(copied, journal.SamplesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, journal.FileName), cut, 0o600); err != nil {
		t.Fatal(err)
	}
	injecttest.Docker(t, "pause", cs[0].Name)
	injecttest.Docker(t, "stop", "-t", "0", cs[1].Name)
	want := []string{"paused", "exited"}
	if rec, err := journal.Read(copied); err == nil {
		for _, in := range journal.OpenIntents(rec.Events) {
			for i, c := range cs {
				// A pause is undone in the life of the container that it was done to.
				if in.Container.ID == c.ID {
					want[i] = "running"
				}
			}
		}
	}
	out, err := runner.Recover(t.Context(), s.setup, copied)
	if err != nil {
		t.Errorf("cut after %d bytes: %v", len(cut), err)
	}
	if len(cut) > 0 && cut[len(cut)-1] != '\n' && len(out.Damage) == 0 {
		t.Errorf("cut after %d bytes: nothing is said of the damage", len(cut))
	}
	for i, c := range cs {
		if got := s.status(c); got != want[i] {
			t.Errorf("cut after %d bytes: %s is %s, want %s (%+v)", len(cut), c.Name, got, want[i], out)
		}
	}
	if rec, err := journal.Read(copied); err == nil {
		if _, err := report.Write(copied, rec); err != nil {
			t.Errorf("cut after %d bytes: drafts: %v", len(cut), err)
		}
	}
	if s.status(cs[0]) == "paused" {
		injecttest.Docker(t, "unpause", cs[0].Name)
	}
	injecttest.Docker(t, "start", cs[1].Name)
}

// A runner that died without an open fault leaves a lock that holds nobody up.
func TestLockOfADeadRunnerIsTakenOver(t *testing.T) {
	s := realStage(t)
	c := s.container()
	text := s.embedded(target("t", c), steady+pauseFor("f", "t", "1s"))
	dir := s.killedRun(text, "phase.started")
	if h, err := runner.LockedAt(t.Context(), s.setup.Engine, s.setup.Lock); err != nil || h == nil || h.Alive || h.Run != filepath.Base(dir) {
		t.Fatalf("%+v, %v", h, err)
	}
	if dirs, err := runner.Unrecovered(t.Context(), s.setup); err != nil || len(dirs) != 0 {
		t.Errorf("unrecovered: %q, %v", dirs, err)
	}
	// Of the run that died, one helper is there and another one comes late.
	helper := func(name string) {
		spec := engine.Spec{Name: enginetest.Unique("gameday-" + name), Image: c.Image, Labels: map[string]string{engine.Label: filepath.Base(dir), engine.RoleLabel: "helper"}}
		id, err := s.setup.Engine.Create(t.Context(), spec)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() {
			if _, err := s.setup.Engine.Container(context.Background(), id); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("the helper of the dead run that came %s is there: %v, %v", name, err, s.setup.Engine.Remove(context.Background(), id))
			}
		})
	}
	helper("before")
	e := s.rehearse(text, on(func(*runner.Run, *journal.FaultVerified) { helper("late") }))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	if rec, err := journal.Read(dir); err != nil {
		t.Error(err)
	} else if _, err := report.Write(dir, rec); err != nil {
		t.Errorf("drafts of the run that died: %v", err)
	}
}

// A run directory that is cut off anywhere gives a report of what is there.
func TestReportOfACutRun(t *testing.T) {
	s := realStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	for _, name := range []string{journal.FileName, journal.SamplesDir + "/Q1.jsonl"} {
		path := filepath.Join(e.Dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			n := rand.IntN(len(whole))
			if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			rec, err := journal.Read(e.Dir)
			if err != nil {
				if first := strings.IndexByte(string(whole), '\n'); name == journal.FileName && n <= first {
					continue // not even the first event is there
				}
				t.Fatalf("%s cut after %d bytes: %v", name, n, err)
			}
			if n > 0 && whole[n-1] != '\n' && len(rec.Damage) == 0 {
				t.Errorf("%s cut after %d bytes: no damage is told", name, n)
			}
			if _, err := report.Write(e.Dir, rec); err != nil {
				t.Errorf("%s cut after %d bytes: %v", name, n, err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	s := realStage(t)
	c, d := s.container(), s.container()
	second := s.prepare(s.embedded(target("d", d), steady+pauseFor("f", "d", "1s")), nil)
	var locked *runner.LockedError
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), on(func(r *runner.Run, _ *journal.FaultVerified) {
		_, err := second.Execute(context.Background())
		if !errors.As(err, &locked) {
			t.Errorf("the second run: %v", err)
			return
		}
		says(t, err.Error(), filepath.Base(r.Dir()), "gameday abort")
		if !locked.Holder.Alive || !locked.Holder.Here || locked.Holder.PID != os.Getpid() {
			t.Errorf("%+v", locked.Holder)
		}
		if _, err := os.Stat(second.Dir()); !os.IsNotExist(err) {
			t.Errorf("the second run has left its directory: %v", err)
		}
		if _, err := runner.Recover(context.Background(), s.setup, r.Dir()); !errors.Is(err, journal.ErrBusy) {
			t.Errorf("recover of a run whose runner is alive: %v", err)
		}
	}))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c, d)
}

func TestSecondRunWaits(t *testing.T) {
	s := realStage(t)
	c, d := s.container(), s.container()
	s.setup.Wait = 30 * time.Second
	second := s.prepare(s.embedded(target("d", d), steady+pauseFor("f", "d", "1s")), nil)
	waited := make(chan ending, 1)
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")),
		on(func(*runner.Run, *journal.FaultVerified) {
			go func() { waited <- s.execute(context.Background(), second) }()
		}))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	if len(events[*journal.FaultVerified](e.rec)) == 0 {
		return // the second run was never begun
	}
	w := <-waited
	s.ended(w, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(w, c, d)
}

func TestAbort(t *testing.T) {
	s := realStage(t)
	c := s.container()
	if h, err := runner.AbortAt(t.Context(), s.setup.Engine, s.setup.Lock); h != nil || err != nil {
		t.Errorf("abort without a run: %+v, %v", h, err)
	}
	aborted := make(chan error, 1)
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "60s")), on(func(r *runner.Run, _ *journal.FaultVerified) {
		go func() {
			h, err := runner.AbortAt(enginetest.Context(t), s.setup.Engine, s.setup.Lock)
			if err == nil && (h == nil || h.Run != filepath.Base(r.Dir())) {
				err = fmt.Errorf("it aborted %+v", h)
			}
			aborted <- err
		}()
	}))
	s.ended(e, journal.OutcomeInterrupted, runner.ExitInterrupted)
	if err := <-aborted; err != nil {
		t.Error(err)
	}
	s.clean(e, c)
	if st := one[*journal.Stopping](t, e); st.Detail != "gameday abort" {
		t.Errorf("%+v", st)
	}
}

// A run without a guard whose lock somebody has removed goes on to its end.
func TestLockRemovedDuringTheRun(t *testing.T) {
	s := realStage(t)
	s.setup.NoGuard = true
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")),
		on(func(*runner.Run, *journal.FaultVerified) { injecttest.Docker(t, "rm", "-f", s.setup.Lock) }))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
}
