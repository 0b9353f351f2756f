package inject_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/engine/fake"
	"gameday/inject/injecttest"
)

func execFault(t testing.TB, args map[string]any) inject.Fault {
	return inject.Fault{Run: runOf(t), Name: "f", Kind: "exec", Args: args, Duration: time.Minute}
}

// executions is what runs in a container beside its main process.
func executions(t testing.TB, e engine.Engine, id string) []engine.Execution {
	t.Helper()
	all, err := e.Execs(enginetest.Context(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestExecFails(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-exec"))
	for what, run := range map[string]string{
		"exit code 7: what is wrong":   "/workload printerr 'what is wrong' exit 7",
		"exit code 1, and said nothin": "/workload exit 1",
		"/nothing/here":                "/nothing/here",
	} {
		s, err := inject.Prepare(enginetest.Context(t), tools, execFault(t, map[string]any{"run": run, "undo": "/workload exit 0"}), c.ID, inject.Host{})
		if err != nil {
			t.Fatal(err)
		}
		if err := kind(t, "exec").Inject(enginetest.Context(t), tools, s); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: Inject returned %v, want an error with %q", run, err, what)
		}
		if _, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil {
			t.Error(err)
		}
	}
	s := do(t, tools, "exec", map[string]any{"run": "/workload exit 0", "undo": "/workload print 'still there' exit 3"}, c.ID)
	limit, cancel := context.WithTimeout(enginetest.Context(t), 5*time.Second)
	defer cancel()
	if p, err := inject.Perform(limit, tools, s.Undo); err == nil || !strings.Contains(err.Error(), "exit code 3: still there") {
		t.Errorf("an undo that fails: %+v, %v", p, err)
	}
}

// A command that does not end in time has failed, and does not go on after the undo. One of the same words that is somebody
// else's does.
func TestExecDoesNotEnd(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-exec"))
	injecttest.Docker(t, "exec", "-d", c.ID, "/workload", "sleep")
	theirs := executions(t, tools.Engine, c.ID)
	if len(theirs) != 1 {
		t.Fatalf("%+v", theirs)
	}
	s, err := inject.Prepare(enginetest.Context(t), tools,
		execFault(t, map[string]any{"run": "/workload sleep", "undo": "/workload exit 0", "timeout": 2 * time.Second}), c.ID, inject.Host{})
	if err != nil {
		t.Fatal(err)
	}
	err = kind(t, "exec").Inject(enginetest.Context(t), tools, s)
	if err == nil || errors.Is(err, inject.ErrUntouched) || !strings.Contains(err.Error(), "did not end within 2s") {
		t.Errorf("Inject returned %v", err)
	}
	if p, err := inject.Perform(enginetest.Context(t), injecttest.Tools(t), s.Undo); err != nil || len(p.Differences) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if left := executions(t, tools.Engine, c.ID); !slices.EqualFunc(left, theirs, func(a, b engine.Execution) bool { return a.ID == b.ID }) {
		t.Errorf("after the undo these go on: %+v; somebody else's is %+v", left, theirs)
	}
}

// The runner dies while the command runs: another process ends the command, and then undoes.
func TestExecRunnerDies(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-exec"))
	const file = "/tmp/gameday"
	s, err := inject.Prepare(enginetest.Context(t), tools,
		execFault(t, map[string]any{"run": "/workload wait 2s touch " + file + " exit 0", "undo": "/workload unlink " + file + " exit 0"}), c.ID, inject.Host{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if err := kind(t, "exec").Inject(ctx, tools, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Inject returned %v", err)
	}
	if _, err := inject.Perform(enginetest.Context(t), injecttest.Tools(t), s.Undo); err != nil {
		t.Error(err)
	}
	time.Sleep(2 * time.Second)
	if r, err := tools.Engine.Exec(enginetest.Context(t), c.ID, engine.Command{Args: []string{"/workload", "exists", file, "exit", "0"}}); err != nil || r.Code != 1 {
		t.Errorf("the command has gone on after its undo: %+v, %v", r, err)
	}
}

// Where the undo command cannot run, the reason is said.
func TestExecTargetDoesNotRun(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-exec"))
	s := do(t, tools, "exec", map[string]any{"run": []string{"/workload", "exit", "0"}, "undo": "/workload exit 0"}, c.ID)
	for _, x := range []struct{ change, back, want string }{{"pause", "unpause", "docker unpause " + c.Name}, {"kill", "start", "exited"}} {
		injecttest.Docker(t, x.change, c.ID)
		enginetest.Eventually(t, tools.Engine, c.ID, x.change, func(c engine.Container) bool { return c.State.Status != "running" })
		limit, cancel := context.WithTimeout(enginetest.Context(t), 10*time.Second)
		if p, err := inject.Perform(limit, tools, s.Undo); err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "cannot run in it") {
			t.Errorf("%s: %+v, %v", x.change, p, err)
		}
		cancel()
		injecttest.Docker(t, x.back, c.ID)
		if _, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil {
			t.Errorf("%s: %v", x.back, err)
		}
	}
}

// A command that was seen to end is not waited for: the undo command runs at once. Of one that was not, nobody knows whether it is on its way.
func TestExecSeenIsUndoneAtOnce(t *testing.T) {
	for _, seen := range []bool{false, true} {
		f := fake.New()
		c := f.AddContainer(engine.Container{Name: "shop", State: engine.State{Status: "running", Running: true, StartedAt: time.Now()}})
		s, err := kind(t, "exec").Plan(execFault(t, map[string]any{"run": "/workload exit 0", "undo": "/workload exit 0"}), c, inject.Host{})
		if err != nil {
			t.Fatal(err)
		}
		looks, undone := 0, 0
		f.Hook("Execs", func(string) { looks++ })
		f.Hook("Exec", func(string) { undone++ })
		s.Undo.EffectSeen = seen
		if err := kind(t, "exec").Undo(enginetest.Context(t), inject.Tools{Engine: f}, s.Undo); err != nil || undone != 1 {
			t.Errorf("the undo command ran %d times, %v", undone, err)
		}
		if (looks == 0) != seen {
			t.Errorf("seen %t: it was looked %d times for the command", seen, looks)
		}
	}
}
