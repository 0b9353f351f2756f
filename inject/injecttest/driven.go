package injecttest

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// sidecars returns the names of the helpers beside a target.
func (v *env) sidecars(c engine.Container) []string {
	v.t.Helper()
	out := strings.Fields(Docker(v.t, "ps", "--format", "{{.Names}}", "--filter", "label=gameday="+v.pool.run, "--filter", "label=gameday.target="+c.ID))
	if len(out) == 0 {
		v.t.Fatalf("there is no sidecar beside %s", c.Name)
	}
	return out
}

// A sidecar dies with its fault in force: the fault does not hold any more, and its undo leaves nothing.
func testSidecarKilled(v *env) {
	if v.c.Kind.Doc().EndsItself {
		return // it holds nothing
	}
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	v.spent = true
	for _, name := range v.sidecars(c) {
		Docker(v.t, "kill", name)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ok, why, err := v.c.Kind.Holding(enginetest.Context(v.t), v.tools, s)
		if !ok && err == nil && why != "" {
			break
		}
		if time.Now().After(end) {
			v.t.Fatalf("the sidecar is dead, and Holding returns %v, %q, %v", ok, why, err)
		}
	}
	v.same(v.undo(s.Undo))
}

// A sidecar that does not answer is removed by the undo.
func testSidecarFrozen(v *env) {
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	v.spent = true
	for _, name := range v.sidecars(c) {
		freeze(v.t, name)
	}
	v.same(v.undo(s.Undo))
}

// freeze pauses a container. An old kernel's control groups cannot always freeze a busy one at the first try.
func freeze(t testing.TB, name string) {
	t.Helper()
	for try := 1; exec.Command("docker", "pause", name).Run() != nil; try++ {
		if try == 5 {
			Docker(t, "pause", name)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// A fault that is injected ahead is in force at its time, and not before.
func testInTime(v *env) {
	if !v.c.Kind.Doc().Ahead {
		return
	}
	c := v.target()
	s := v.plan(c)
	s.At = time.Now().Add(time.Second)
	if err := v.c.Kind.Inject(enginetest.Context(v.t), v.tools, s); err != nil {
		v.t.Fatal(err)
	}
	p, err := v.c.Kind.Verify(enginetest.Context(v.t), v.tools, s)
	if err != nil {
		v.t.Fatal(err)
	}
	if p.At.Before(s.At) {
		v.t.Errorf("it was in force %v before its time", s.At.Sub(p.At))
	}
	v.undo(s.Undo)
}

// A run that ends before a fault's time takes it back, and nothing comes later.
func testTakenBack(v *env) {
	if !v.c.Kind.Doc().Ahead {
		return
	}
	c := v.target()
	s := v.plan(c)
	s.At = time.Now().Add(time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := v.c.Kind.Inject(ctx, v.tools, s); !errors.Is(err, inject.ErrUntouched) {
		v.t.Errorf("Inject returned %v, want ErrUntouched", err)
	}
	v.undo(s.Undo)
	time.Sleep(time.Until(s.At) + 500*time.Millisecond)
	v.gone(c.ID)
}

// After a restart of the target the fault can be injected again, and the first undo is good for it.
func testFollows(v *env) {
	if !v.c.Kind.Doc().Follows {
		return
	}
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	Docker(v.t, "restart", "-t", "0", c.ID)
	ok, why, err := v.c.Kind.Holding(enginetest.Context(v.t), v.tools, s)
	switch outlived := err == nil && ok; {
	case outlived && !v.c.Effect(v.before[c.ID], v.c.outside(v.t, c.ID)):
		v.t.Error("it was restarted, Holding says that the fault still holds, and nothing shows it")
	case !outlived && (why == "" || err != nil):
		v.t.Errorf("it was restarted, and Holding returned %v, %q, %v", ok, why, err)
	}
	if !ok {
		v.harm(v.plan(c))
	}
	v.undo(s.Undo)
}
