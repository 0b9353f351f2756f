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

// runOf is the run that a test's faults are of: each test sweeps its own helpers.
func runOf(t testing.TB) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	return enginetest.RunLabel() + "-" + name
}

// do plans a fault on a container as it is now, injects it and verifies it.
func do(t *testing.T, tools inject.Tools, name string, args map[string]any, id string) inject.Step {
	t.Helper()
	s := inject1(t, tools, name, args, id)
	if _, err := kind(t, name).Verify(enginetest.Context(t), tools, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func inject1(t *testing.T, tools inject.Tools, name string, args map[string]any, id string) inject.Step {
	t.Helper()
	ctx := enginetest.Context(t)
	f := inject.Fault{Run: runOf(t), Name: "f", Kind: name, Args: args}
	if kind(t, name).Doc().Holds == inject.DurationRequired {
		f.Duration = time.Minute
	}
	s, err := inject.Prepare(ctx, tools, f, id, inject.Host{})
	if err != nil {
		t.Fatal(err)
	}
	if err := kind(t, name).Inject(ctx, tools, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A crash is what a restart policy is for; a kill is a stop by hand, on which it stays silent.
func TestRestartPolicyActsOnCrashAlone(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"always", "on-failure", "unless-stopped"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			tools := injecttest.Tools(t)
			target := func() engine.Container {
				return enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-policy"), enginetest.RestartPolicy(policy))
			}
			crashed, killed := target(), target()
			kill := do(t, tools, "kill", nil, killed.ID)
			crash := do(t, tools, "crash", nil, crashed.ID)

			enginetest.Eventually(t, tools.Engine, crashed.ID, "its restart", func(c engine.Container) bool {
				return c.State.Status == "running" && c.RestartCount == 1
			})
			if now := injecttest.Outside(t, crashed.ID); now.RestartCount != 1 || now.State.Status != "running" {
				t.Errorf("after a crash: %+v", now)
			}
			if now := injecttest.Outside(t, killed.ID); now.RestartCount != 0 || now.State.Status != "exited" || now.State.ExitCode != 137 {
				t.Errorf("after a kill: %+v", now)
			}

			ok, why, err := kind(t, "crash").Holding(enginetest.Context(t), tools, crash)
			if ok || why != "the restart policy started it again" || err != nil {
				t.Errorf("Holding after a crash returned %v, %q, %v", ok, why, err)
			}
			p, err := inject.Perform(enginetest.Context(t), tools, crash.Undo)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(p.Seen, "its restart policy had started it again") {
				t.Errorf("the undo of a crash says %q", p.Seen)
			}
			if p, err = inject.Perform(enginetest.Context(t), tools, kill.Undo); err != nil || p.Seen != "state was running again" {
				t.Errorf("the undo of a kill says %q, %v", p.Seen, err)
			}
		})
	}
}

func TestKillSignals(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-signals"), enginetest.Args("print", "ready", "sleep"), enginetest.RestartPolicy("always"))
	time.Sleep(300 * time.Millisecond) // for its signal handlers

	survived := inject1(t, tools, "kill", map[string]any{"signal": "usr1"}, c.ID)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := kind(t, "kill").Verify(ctx, tools, survived)
	if err == nil || !strings.Contains(err.Error(), "the process survived SIGUSR1") {
		t.Errorf("Verify returned %v", err)
	}

	// The engine counts it as stopped by hand all the same, as Plan warns: until the next start its policy is silent.
	crash := do(t, tools, "crash", nil, c.ID)
	time.Sleep(time.Second) // a restart would take 0.1 s
	if now := injecttest.Outside(t, c.ID); now.State.Status != "exited" || now.RestartCount != 0 {
		t.Errorf("a crash after a signal that was survived: %+v", now)
	}
	if _, err := inject.Perform(enginetest.Context(t), tools, crash.Undo); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // for its signal handlers

	s := do(t, tools, "kill", map[string]any{"signal": "12"}, c.ID)
	if now := injecttest.Outside(t, c.ID); now.State.Status != "exited" || now.State.ExitCode != 70 || now.RestartCount != 0 {
		t.Errorf("after SIGUSR2: %+v", now)
	}
	if _, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil {
		t.Fatal(err)
	}
}

// A process that takes its time to end after SIGTERM has survived at first. The undo waits for it.
func TestKillOfSlowProcess(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-slow"), enginetest.Args("ignore", "wait", "2s", "exit", "0"))
	s := inject1(t, tools, "kill", map[string]any{"signal": "TERM"}, c.ID)
	if _, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil {
		t.Fatal(err)
	}
	if now := injecttest.Outside(t, c.ID); now.State.Status != "running" || now.State.StartedAt.Equal(c.State.StartedAt) {
		t.Errorf("after the undo: %+v", now)
	}
}

// The engine removes an --rm container when it ends, but not when it is restarted.
func TestRestartOfAutoRemove(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-rm"), enginetest.With(func(s *engine.Spec) { s.AutoRemove = true }))
	s := do(t, tools, "restart", map[string]any{"grace": time.Second}, c.ID)
	if _, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil {
		t.Fatal(err)
	}
	if now := injecttest.Outside(t, c.ID); now.State.Status != "running" {
		t.Errorf("after a restart: %+v", now)
	}
}

// What is not as it was before is said, even where it is nobody's fault.
func TestDifferences(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	n := enginetest.TestNetwork(t, tools.Engine)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-differs"), enginetest.Network(n.Name, "here"))
	s := do(t, tools, "stop", map[string]any{"grace": time.Second}, c.ID)
	injecttest.Docker(t, "update", "--restart", "always", c.ID)
	injecttest.Docker(t, "network", "disconnect", n.Name, c.ID)
	injecttest.Docker(t, "network", "connect", "bridge", c.ID)
	p, err := inject.Perform(enginetest.Context(t), tools, s.Undo)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"restart policy is always, was no",
		"it is not in network " + n.Name + " any more",
		"it is in network bridge, and was not",
	} {
		if !slices.Contains(p.Differences, want) {
			t.Errorf("nothing is said of %q: %q", want, p.Differences)
		}
	}
}

// The helper must be the one to look before it kills: here the engine names a process that is somebody else's.
func TestCrashOfForeignProcess(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	mine := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-mine"))
	other := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-other"))
	tools.Engine = misled{tools.Engine, mine.ID, other.State.PID}
	ctx := enginetest.Context(t)
	f := inject.Fault{Run: runOf(t), Name: "f", Kind: "crash"}
	s, err := inject.Prepare(ctx, tools, f, mine.ID, inject.Host{})
	if err != nil {
		t.Fatal(err)
	}
	err = kind(t, "crash").Inject(ctx, tools, s)
	if !errors.Is(err, inject.ErrUntouched) || !strings.Contains(err.Error(), "left alone") {
		t.Errorf("Inject returned %v", err)
	}
	for _, c := range []engine.Container{mine, other} {
		if now := injecttest.Outside(t, c.ID); now.State.Status != "running" || !now.State.StartedAt.Equal(c.State.StartedAt) {
			t.Errorf("%s: %+v", c.Name, now)
		}
	}
}

// misled is an engine whose process ids are out of date.
type misled struct {
	engine.Engine
	id  string
	pid int
}

func (m misled) Container(ctx context.Context, id string) (engine.Container, error) {
	c, err := m.Engine.Container(ctx, id)
	if c.ID == m.id {
		c.State.PID = m.pid
	}
	return c, err
}

// A start that fails for want of something else than the container is no undo, and its reason is said.
func TestUndoSaysWhyTheContainerDoesNotStart(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	ctx := enginetest.Context(t)
	name := enginetest.Unique("gameday-lost")
	if _, err := tools.Engine.CreateNetwork(ctx, name, map[string]string{engine.Label: enginetest.RunLabel()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tools.Engine.RemoveNetwork(context.Background(), name) })
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-lost"), enginetest.Network(name))
	s := do(t, tools, "stop", map[string]any{"grace": time.Second}, c.ID)
	if err := tools.Engine.RemoveNetwork(ctx, name); err != nil {
		t.Fatal(err)
	}
	limit, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := inject.Perform(limit, tools, s.Undo); err == nil || !strings.Contains(err.Error(), "network") {
		t.Errorf("the undo says %v, and nothing of the network that is gone", err)
	}
}

// A container that the engine has forgotten to start again, because its daemon was restarted in that moment, is restarted; one that
// waits for its turn is left to the engine.
func TestForgottenRestart(t *testing.T) {
	for _, x := range []struct {
		name  string
		since time.Duration
		want  string
	}{{"forgotten", time.Minute, "running"}, {"waits", time.Second, "restarting"}} {
		t.Run(x.name, func(t *testing.T) {
			f := fake.New()
			now := time.Now().UTC()
			c := f.AddContainer(engine.Container{RestartPolicy: "always", RestartCount: 1, State: engine.State{Status: "restarting", Running: true, Restarting: true,
				ExitCode: 137, StartedAt: now.Add(-time.Hour), FinishedAt: now.Add(-x.since)}})
			u := inject.Undo{Fault: "f", Kind: "crash", ID: c.ID, Name: c.Name, Before: inject.State{Status: "running", StartedAt: c.State.StartedAt}}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := kind(t, "crash").Undo(ctx, inject.Tools{Engine: f}, u); err != nil {
				t.Fatal(err)
			}
			if now, err := f.Container(t.Context(), c.ID); err != nil || now.State.Status != x.want {
				t.Errorf("it is %s, want %s (%v)", now.State.Status, x.want, err)
			}
		})
	}
}
