package injecttest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// A pool lends the targets of one kind's suite, and the sidecars beside them stay from one test to the next, as they do in a run with
// several faults: making a container costs more than most tests. What a test gives back unharmed the next test gets; anything else is
// nobody's any more. All go with the suite.
type pool struct {
	t       *testing.T // of the suite
	c       Case
	tools   inject.Tools
	host    inject.Host
	run     string
	network string // of all targets, so that no other test's takes the address of one that is down; empty: they have one of the case's
	tests   int    // that have begun
	free    []lent
}

// A lent target, and how it looked from outside when nothing had been done to it.
type lent struct {
	engine.Container
	seen Seen
}

func newPool(t *testing.T, c Case) *pool {
	t.Helper()
	p := &pool{t: t, c: c, tools: Tools(t), run: enginetest.Unique("test")}
	info, err := p.tools.Engine.Info(enginetest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	p.host = inject.Host{Info: info}
	var spec engine.Spec
	for _, o := range c.Target {
		o(&spec)
	}
	if spec.Network == "" {
		p.network = enginetest.TestNetwork(t, p.tools.Engine).Name
	}
	return p
}

// lend gives a test a target, for the test to give back at its end.
func (p *pool) lend() lent {
	p.t.Helper()
	if n := len(p.free); n > 0 {
		l := p.free[n-1]
		p.free = p.free[:n-1]
		return l
	}
	c := p.create(p.t)
	return lent{c, p.c.outside(p.t, c.ID)}
}

// giveBack takes a target from a test that needs it no more. It returns false if nobody else can have it. One that is there and is not
// as it was when it was lent is a fault that was not undone.
func (p *pool) giveBack(t *testing.T, l lent) bool {
	t.Helper()
	now, err := inspect(l.ID)
	if t.Failed() || err != nil {
		return false
	}
	if now.State.Status != "running" || now.Name != l.seen.Name {
		t.Errorf("%s is %s and called %s after the test", l.Name, now.State.Status, now.Name)
		return false
	}
	before := l.seen
	if !now.State.StartedAt.Equal(before.State.StartedAt) {
		before.State = now.State // it lives another life
		p.ready(t, now)
	}
	now = p.c.outside(t, l.ID)
	if p.c.Effect(before, now) {
		t.Errorf("%s shows the fault after the test: %+v", l.Name, now)
		return false
	}
	c, err := p.tools.Engine.Container(enginetest.Context(t), l.ID)
	if err != nil {
		t.Error(err)
		return false
	}
	p.free = append(p.free, lent{c, now})
	return true
}

// create makes a target for as long as a test lasts.
func (p *pool) create(t testing.TB, opts ...enginetest.Option) engine.Container {
	t.Helper()
	args := []string{"ignore", "touch", readyFile, "sleep"}
	if p.c.Chatty {
		args = append([]string{"chat"}, args...)
	}
	all := []enginetest.Option{enginetest.Args(args...)}
	if p.network != "" {
		all = append(all, enginetest.Network(p.network, "alias-of-target"))
	}
	c := enginetest.Workload(t, p.tools.Engine, enginetest.Unique("gameday-inject"), append(append(all, p.c.Target...), opts...)...)
	now, err := inspect(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.ready(t, now)
	return c
}

// readyFile is where a target says that it ignores SIGTERM. Each life of a container has an empty /dev/shm, which can be written with
// a read-only root, too.
const readyFile = "/dev/shm/ready"

// ready waits until the main process of a target is ready.
func (p *pool) ready(t testing.TB, s Seen) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(fmt.Sprintf("/proc/%d/root", s.State.Pid), readyFile)); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not get ready", s.Name)
		}
	}
}

// sweep ends the sidecars of the suite, and checks that nothing of gameday's own is left of it.
func (p *pool) sweep(t testing.TB) {
	t.Helper()
	if err := inject.Sweep(enginetest.Context(t), p.tools, p.run); err != nil {
		t.Error(err)
	}
	p.onlySidecars(t, false)
}

// onlySidecars checks that nothing of gameday's own is there but sidecars beside targets that wait to be lent, and the one that
// reaches all.
func (p *pool) onlySidecars(t testing.TB, reaches bool) {
	t.Helper()
	left, err := labelled(engine.Label + "=" + p.run)
	if err != nil {
		t.Error(err)
	}
	for _, l := range p.free {
		for _, flavour := range []string{"net", "host"} {
			delete(left, fmt.Sprintf("gameday-%s-%.12s", flavour, l.ID))
		}
	}
	maps.DeleteFunc(left, func(name, _ string) bool { return reaches && strings.HasPrefix(name, "gameday-reach-") })
	for name, id := range left {
		t.Errorf("a helper is left behind: %s", name)
		Docker(t, "rm", "-f", id)
	}
}
