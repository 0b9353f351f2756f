package injecttest

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// A test is one of the suite.
type test struct {
	name string
	test func(*env)
}

// Run runs the whole suite for a kind of fault, beside those of other kinds. Its tests are done one after the other, those first
// that leave the target and the sidecar beside it as they were: few targets are made then.
func Run(t *testing.T, c Case) {
	t.Parallel()
	tests := []test{
		{"doc", testDoc},
		{"refused", testRefused},
		{"life", testLife},
		{"engine away", testAway},
		{"target renamed", testRenamed},
		{"two targets", testTwo},
		{"cut off", testCutOff},
	}
	if c.Driven {
		tests = append(tests, []test{
			{"in time", testInTime},
			{"taken back before its time", testTakenBack},
			{"follows a restart", testFollows},
		}...)
	} else { // to what a sidecar does, the engine does nothing
		tests = append(tests, []test{
			{"did it, said error", testDidItSaidError},
			{"effect never seen", testNeverSeen},
			{"undo never seen", testUndoNeverSeen},
		}...)
	}
	tests = append(tests, []test{
		{"target restarted", testRestarted},
		{"healed by somebody else", testHealed},
		{"undone by another process", testAnotherProcess},
		{"intent only", testIntentOnly},
	}...)
	if c.Driven && c.Stands {
		tests = append(tests, []test{
			{"sidecar killed", testSidecarKilled},
			{"sidecar frozen", testSidecarFrozen},
		}...)
	}
	tests = append(tests, []test{
		{"changed since planned", testChanged},
		{"target removed", testRemoved},
		{"hardened target", testHardened},
		{"host network", testHostNetwork},
	}...)
	targets := newPool(t, c)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(newEnv(t, targets)) })
	}
	targets.free = nil
	targets.sweep(t)
}

func testDoc(v *env) {
	d := v.c.Kind.Doc()
	for what, text := range map[string]string{
		"Kind": d.Kind, "Summary": d.Summary, "Undo": d.Undo, "Proof": d.Proof, "ByHand": d.ByHand, "Example": d.Example,
	} {
		if text == "" {
			v.t.Errorf("Doc().%s is empty", what)
		}
	}
	if !strings.Contains(d.Example, `fault "`+d.Kind+`" "`) {
		v.t.Errorf("the example shows another kind:\n%s", d.Example)
	}
	for _, a := range d.Args {
		if a.Name == "" || a.Type == "" || a.Summary == "" {
			v.t.Errorf("an argument without name, type or summary: %+v", a)
		}
	}
}

func testLife(v *env) {
	c := v.target()
	s := v.plan(c)
	if s.Does == "" || s.UndoWords == "" || !strings.Contains(s.Does, c.Name) || !strings.Contains(s.UndoWords, c.Name) {
		v.t.Errorf("the words of a step name its target: does %q, undo %q", s.Does, s.UndoWords)
	}
	if now := v.runs(c.ID); !now.State.StartedAt.Equal(c.State.StartedAt) {
		v.t.Errorf("planning changed the container: %+v", now)
	}
	v.harm(s)
	ok, why, err := v.c.Kind.Holding(enginetest.Context(v.t), v.tools, s)
	if err != nil {
		v.t.Fatal(err)
	}
	if !ok && (!v.c.Kind.Doc().EndsItself || s.Lasts) {
		v.t.Errorf("right after it was verified the fault does not hold: %s", why)
	}
	v.same(v.undo(s.Undo))
	after := v.runs(c.ID)
	if ok, why, err := v.c.Kind.Holding(enginetest.Context(v.t), v.tools, s); !v.c.Blind && (ok || why == "") || err != nil {
		v.t.Errorf("after the undo Holding returned %v, %q, %v", ok, why, err)
	}

	v.same(v.undo(s.Undo)) // twice
	if now := v.runs(c.ID); !now.State.StartedAt.Equal(after.State.StartedAt) {
		v.t.Errorf("the second undo restarted the container: %+v", now)
	}
}

func testAnotherProcess(v *env) {
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	v.same(v.undoElsewhere(s.Undo))
}

// The runner dies right after the intent is in the journal: nothing has happened, and the undo does nothing.
func testIntentOnly(v *env) {
	c := v.target()
	s := v.plan(c)
	v.same(v.undoElsewhere(s.Undo))
	if now := v.runs(c.ID); !now.State.StartedAt.Equal(c.State.StartedAt) {
		v.t.Errorf("the undo of nothing restarted the container: %+v", now)
	}
}

func testRemoved(v *env) {
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	Docker(v.t, "rm", "-f", c.ID)
	if ok, why, err := v.c.Kind.Holding(enginetest.Context(v.t), v.tools, s); ok || !strings.Contains(why, "gone") || err != nil {
		v.t.Errorf("Holding of a container that is gone returned %v, %q, %v", ok, why, err)
	}
	p := v.perform(s.Undo)
	if !strings.Contains(p.Seen, "gone") || len(p.Differences) == 0 {
		v.t.Errorf("the container is gone, and the proof says %+v", p)
	}
}

func testRestarted(v *env) {
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	Docker(v.t, "restart", "-t", "1", c.ID)
	by := v.runs(c.ID)
	v.undo(s.Undo)
	if now := v.runs(c.ID); !now.State.StartedAt.Equal(by.State.StartedAt) {
		v.t.Errorf("somebody had restarted it, and the undo did so again")
	}
	if v.c.Blind || v.c.Driven {
		return // whether there is anything left to undo, nobody can tell; and a sidecar does nothing that somebody else does as well
	}
	// What happens to it in its new life is nobody's business here.
	Docker(v.t, "pause", c.ID)
	v.perform(s.Undo)
	if now := v.c.outside(v.t, c.ID); !now.State.Paused {
		v.t.Errorf("the undo took back what somebody else did after the fault: %+v", now)
	}
	Docker(v.t, "unpause", c.ID)
}

func testRenamed(v *env) {
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	name := enginetest.Unique("gameday-renamed")
	Docker(v.t, "rename", c.ID, name)
	p := v.undo(s.Undo)
	if !slices.ContainsFunc(p.Differences, func(d string) bool { return strings.Contains(d, name) }) {
		v.t.Errorf("nothing is said about the new name %s: %+v", name, p)
	}
	Docker(v.t, "rename", c.ID, c.Name)
}

// A person does what ByHand says.
func testHealed(v *env) {
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	words := strings.Fields(inject.ByHand(s.Undo))
	if len(words) < 3 || words[0] != "docker" || !slices.ContainsFunc(words, func(w string) bool { return w == c.Name || v.c.Driven && strings.Contains(w, c.ID[:12]) }) {
		v.t.Fatalf("ByHand returned %q", words)
	}
	v.spent = true
	if out, err := exec.Command("sh", "-c", inject.ByHand(s.Undo)).CombinedOutput(); err != nil {
		v.t.Fatalf("%q: %v\n%s", words, err, out)
	}
	by := v.runs(c.ID)
	v.showsNot(by)
	if ok, why, err := v.c.Kind.Holding(enginetest.Context(v.t), v.tools, s); !v.c.Blind && (ok || why == "") || err != nil {
		v.t.Errorf("somebody healed it, and Holding returned %v, %q, %v", ok, why, err)
	}
	v.same(v.undo(s.Undo))
	if now := v.runs(c.ID); !now.State.StartedAt.Equal(by.State.StartedAt) {
		v.t.Errorf("it was healed already, and the undo restarted it")
	}
}

// The context ends somewhere in the middle of an injection. Whatever had come of it is undone, and nothing comes later.
func testCutOff(v *env) {
	targets := []engine.Container{v.target(), v.target()}
	for _, delays := range [][]time.Duration{{0, 60 * time.Millisecond}, {4 * time.Millisecond, 250 * time.Millisecond}} {
		var steps []inject.Step
		for _, c := range targets {
			steps = append(steps, v.plan(c))
		}
		var wg sync.WaitGroup
		for i, delay := range delays {
			s := steps[i]
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), delay)
				defer cancel()
				if err := v.c.Kind.Inject(ctx, v.tools, s); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					v.t.Logf("after %v: %v", delay, err)
				}
				own, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if _, err := inject.Perform(own, v.tools, s.Undo); err != nil {
					v.t.Errorf("after %v: %v", delay, err)
				}
			})
		}
		wg.Wait()
		var after []Seen
		for _, c := range targets {
			after = append(after, v.gone(c.ID))
		}
		time.Sleep(v.c.Late)
		for i, c := range targets {
			if now := v.gone(c.ID); !now.State.StartedAt.Equal(after[i].State.StartedAt) {
				v.t.Errorf("cut off after %v, the fault took effect after its undo", delays[i])
			}
		}
	}
}

func testTwo(v *env) {
	var wg sync.WaitGroup
	steps := []inject.Step{v.plan(v.target()), v.plan(v.target())}
	do := func(what func(ctx context.Context, s inject.Step) error) {
		v.t.Helper()
		for _, s := range steps {
			wg.Go(func() {
				if err := what(enginetest.Context(v.t), s); err != nil {
					v.t.Errorf("%s: %v", s.Container.Name, err)
				}
			})
		}
		wg.Wait()
	}
	do(func(ctx context.Context, s inject.Step) error { return v.c.Kind.Inject(ctx, v.tools, s) })
	do(func(ctx context.Context, s inject.Step) error {
		_, err := v.c.Kind.Verify(ctx, v.tools, s)
		return err
	})
	for _, s := range steps {
		if now := v.c.outside(v.t, s.Container.ID); !v.c.Effect(v.before[s.Container.ID], now) {
			v.t.Errorf("%s was harmed together with another, and docker inspect shows no effect: %+v", s.Container.Name, now)
		}
	}
	do(func(ctx context.Context, s inject.Step) error {
		_, err := inject.Perform(ctx, v.tools, s.Undo)
		return err
	})
	for _, s := range steps {
		v.gone(s.Container.ID)
	}
}

func testHardened(v *env) {
	c := v.target(enginetest.With(func(s *engine.Spec) {
		s.ReadOnly, s.CapDrop, s.User = true, []string{"ALL"}, "65534:65534"
	}))
	s := v.plan(c)
	v.harm(s)
	v.same(v.undo(s.Undo))
}

func testHostNetwork(v *env) {
	if v.c.OwnNetwork {
		owner := v.target()
		for _, mode := range []string{"host", "none", "container:" + owner.ID} {
			c := owner
			c.NetworkMode, c.Networks = mode, nil
			if s, err := v.c.Kind.Plan(v.fault(owner), c, v.host); err == nil || !strings.Contains(err.Error(), "network") {
				v.t.Errorf("network %s: Plan returned %+v, %v; want a refusal with its reason", mode, s, err)
			}
		}
		return
	}
	c := v.target(enginetest.Network("host"))
	s := v.plan(c)
	v.harm(s)
	v.same(v.undo(s.Undo))
}

// The plan changes nothing, so that a container in another state is as good as a copy of what the engine says of one: that it says
// so of real ones is tested with the engine.
func testRefused(v *env) {
	tests := []struct {
		what, want string
		fault      func(*inject.Fault)
		target     func(*engine.Container)
	}{
		{what: "not started", want: "does not run", target: func(c *engine.Container) { c.State = engine.State{Status: "created"} }},
		{what: "exited", want: "does not run", target: func(c *engine.Container) { c.State.Status, c.State.Running, c.State.PID = "exited", false, 0 }},
		{what: "paused", want: "paused already", target: func(c *engine.Container) { c.State.Status, c.State.Paused = "paused", true }},
		{what: "restarting", want: "restarting", target: func(c *engine.Container) { c.State.Status, c.State.Restarting = "restarting", true }},
		{what: "a helper", want: "gameday's own", target: func(c *engine.Container) {
			c.Labels = map[string]string{engine.Label: "r", engine.RoleLabel: "helper"}
		}},
		{what: "an unknown argument", want: "no argument", fault: func(f *inject.Fault) { f.Args = map[string]any{"no_such": "x"} }},
		{what: "a negative duration", want: "duration", fault: func(f *inject.Fault) { f.Duration = -time.Second }},
	}
	if v.c.Ends {
		tests = append(tests, tests[0])
		last := &tests[len(tests)-1]
		last.what, last.want, last.target = "removed by the engine", "--rm", func(c *engine.Container) { c.AutoRemove = true }
	}
	if v.c.Kind.Doc().Holds == inject.DurationRequired {
		tests = append(tests, tests[len(tests)-1])
		last := &tests[len(tests)-1]
		last.what, last.want, last.target = "no duration", "duration", nil
		last.fault = func(f *inject.Fault) { f.Duration = 0 }
	}
	for _, a := range v.c.Kind.Doc().Args {
		tests = append(tests, tests[0])
		last := &tests[len(tests)-1]
		last.what, last.want, last.target = "a wrong type for "+a.Name, a.Name, nil
		last.fault = func(f *inject.Fault) { f.Args = map[string]any{a.Name: struct{}{}} }
	}
	fine := v.target()
	for _, tt := range tests {
		v.t.Run(tt.what, func(t *testing.T) {
			c := fine
			if tt.target != nil {
				tt.target(&c)
			}
			f := v.fault(c)
			if tt.fault != nil {
				tt.fault(&f)
			}
			s, err := v.c.Kind.Plan(f, c, v.host)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Plan returned %+v, %v; want an error with %q", s, err, tt.want)
			}
		})
	}
}

// A container is not as it was when planned: nothing is done to it.
func testChanged(v *env) {
	c := v.target()
	s := v.plan(c)
	refuses := func(what string, change ...string) {
		v.t.Helper()
		Docker(v.t, append(change, c.ID)...)
		if err := v.c.Kind.Inject(enginetest.Context(v.t), v.tools, s); !errors.Is(err, inject.ErrUntouched) {
			v.t.Errorf("%s: Inject returned %v, want ErrUntouched", what, err)
		}
	}
	refuses("paused", "pause")
	Docker(v.t, "unpause", c.ID)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := v.c.Kind.Inject(ctx, v.tools, s); err == nil {
		v.t.Error("Inject under a context that is over returned no error")
	}
	if now := v.runs(c.ID); !now.State.StartedAt.Equal(c.State.StartedAt) {
		v.t.Errorf("Inject under a context that is over did something: %+v", now)
	}
	if !v.c.Stands {
		return
	}
	refuses("stopped", "stop", "-t", "0")
	refuses("started again", "start")
	refuses("removed", "rm", "-f")
}
