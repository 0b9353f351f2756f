package injecttest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// A pool lends the targets of one kind's suite: making a container costs more than most tests. What a test gives back unharmed, in
// the life in which it was made, another test gets; anything else is nobody's any more. All go with the suite.
type pool struct {
	t      *testing.T // of the suite
	c      Case
	engine engine.Engine

	mu   sync.Mutex
	free map[bool][]lent // by whether they have a network of their own
}

// A lent target, and how it looked from outside when it was made.
type lent struct {
	engine.Container
	seen       Seen
	ownNetwork bool
}

func newPool(t *testing.T, c Case) *pool {
	return &pool{t: t, c: c, engine: enginetest.Open(t), free: map[bool][]lent{}}
}

// lend gives a test a target, for the test to give back at its end.
func (p *pool) lend(t *testing.T, ownNetwork bool) lent {
	t.Helper()
	p.mu.Lock()
	var l lent
	if n := len(p.free[ownNetwork]); n > 0 {
		l = p.free[ownNetwork][n-1]
		p.free[ownNetwork] = p.free[ownNetwork][:n-1]
	}
	p.mu.Unlock()
	if l.ID == "" {
		c := p.create(outliving{t, p.t}, ownNetwork)
		l = lent{c, p.c.outside(t, c.ID), ownNetwork}
	}
	return l
}

// giveBack takes a target from a test that needs it no more, once nothing of gameday's is beside it.
func (p *pool) giveBack(t *testing.T, l lent) {
	if t.Failed() || !p.unharmed(t, l) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[l.ownNetwork] = append(p.free[l.ownNetwork], l)
}

// unharmed says whether nobody could tell that a fault has been there.
func (p *pool) unharmed(t *testing.T, l lent) bool {
	now, err := inspect(l.ID)
	return err == nil && now.State.Status == "running" && now.Name == l.seen.Name && now.State.StartedAt.Equal(l.seen.State.StartedAt) &&
		!p.c.Effect(l.seen, p.c.outside(t, l.ID))
}

// create makes a target. A network of its own keeps others from taking its address while it is down.
func (p *pool) create(t testing.TB, ownNetwork bool, opts ...enginetest.Option) engine.Container {
	t.Helper()
	args := []string{"ignore", "print", "ready", "sleep"}
	if p.c.Chatty {
		args = []string{"ignore", "chat", "print", "ready", "sleep"}
	}
	all := append([]enginetest.Option{enginetest.Args(args...)}, p.c.Target...)
	if ownNetwork {
		all = append(all, enginetest.Network(enginetest.TestNetwork(t, p.engine).Name, "alias-of-target"))
	}
	c := enginetest.Workload(t, p.engine, enginetest.Unique("gameday-inject"), append(all, opts...)...)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		out, err := p.engine.Logs(enginetest.Context(t), c.ID)
		if err == nil && strings.Contains(string(out), "ready") {
			return c
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not get ready: %v", c.Name, err)
		}
	}
}

// outliving is a test whose containers stay until its suite ends.
type outliving struct {
	testing.TB
	suite *testing.T
}

// Cleanup puts off to the end of the suite.
func (o outliving) Cleanup(f func()) { o.suite.Cleanup(f) }
