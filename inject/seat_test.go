package inject_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/engine/fake"
)

// failing is an engine whose calls in some places fail, once they are armed.
type failing struct {
	engine.Engine
	mu      sync.Mutex
	armed   bool
	calls   int              // of connect, by which the containers are put back
	connect func(n int) bool // whether the nth fails
	brief   func() bool
}

var errBusy = errors.New("the engine is busy with something else")

func (f *failing) ConnectNetwork(ctx context.Context, network, id string, at engine.Endpoint) error {
	f.mu.Lock()
	f.calls++
	fails := f.armed && f.connect != nil && f.connect(f.calls)
	f.mu.Unlock()
	if fails {
		return errBusy
	}
	return f.Engine.ConnectNetwork(ctx, network, id, at)
}

func (f *failing) Brief(ctx context.Context, filter engine.Filter) ([]engine.Container, error) {
	f.mu.Lock()
	fails := f.armed && filter.Network != "" && f.brief != nil && f.brief()
	f.mu.Unlock()
	if fails {
		return nil, errBusy
	}
	return f.Engine.Brief(ctx, filter)
}

// exchanged are containers that a fault took out of a network, and that are each at the place of the one after it. The own undos
// of all but the first are over.
type exchanged struct {
	e       *failing
	tools   inject.Tools
	network string
	ids     []string
	homes   []string // their own addresses
	undos   []inject.Undo
}

func exchange(t *testing.T, n int) exchanged {
	t.Helper()
	f := fake.New()
	e := &failing{Engine: f}
	x := exchanged{e: e, tools: inject.Tools{Engine: e, Sidecars: inject.NewSidecars(nil, nil), Helper: func(context.Context) (string, error) { return enginetest.Helper(t, f), nil }}}
	x.network = enginetest.TestNetwork(t, f).Name
	for range n {
		c := enginetest.Workload(t, f, enginetest.Unique("gameday-seat"), enginetest.Network(x.network))
		x.ids, x.homes = append(x.ids, c.ID), append(x.homes, c.Networks[0].IPv4)
	}
	k := kind(t, "disconnect")
	run := enginetest.Unique("gameday-seat-run") // what ends one run leaves the places of others alone
	t.Cleanup(func() {
		if err := inject.Sweep(enginetest.Context(t), x.tools, run); err != nil {
			t.Error(err)
		}
	})
	for _, id := range x.ids {
		fault := inject.Fault{Run: run, Name: "f", Kind: "disconnect", Args: map[string]any{"network": x.network}, Duration: time.Minute}
		s, err := inject.Prepare(enginetest.Context(t), x.tools, fault, id, inject.Host{})
		if err != nil {
			t.Fatal(err)
		}
		x.undos = append(x.undos, s.Undo)
	}
	// All undos have been carried out once: they know each other's places.
	var all sync.WaitGroup
	for _, u := range x.undos {
		all.Go(func() {
			if err := k.Undo(enginetest.Context(t), x.tools, u); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, id := range x.ids {
		if err := f.DisconnectNetwork(enginetest.Context(t), x.network, id); err != nil {
			t.Fatal(err)
		}
	}
	for i := range x.ids { // the lowest address goes to the one whose own is the highest, and so on
		if err := f.ConnectNetwork(enginetest.Context(t), x.network, x.ids[(i+n-1)%n], engine.Endpoint{}); err != nil {
			t.Fatal(err)
		}
	}
	if slices.ContainsFunc(x.places(t), func(a string) bool { return a == "" }) || slices.Equal(x.places(t), x.homes) {
		t.Fatalf("they are at %q, their own places are %q", x.places(t), x.homes)
	}
	return x
}

// places are the addresses that they have; "" for one that is outside.
func (x exchanged) places(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, id := range x.ids {
		c, err := x.e.Container(enginetest.Context(t), id)
		if err != nil {
			t.Fatal(err)
		}
		at := ""
		for _, n := range c.Networks {
			at = n.IPv4
		}
		out = append(out, at)
	}
	return out
}

func (x exchanged) perform(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err := inject.Perform(ctx, x.tools, x.undos[0])
	return err
}

// An undo that makes room for its container answers for those that it took out: they are back at their own places before it is
// done, however many there are in the circle, and although the engine fails meanwhile.
func TestSeatsAreAllTakenAgain(t *testing.T) {
	t.Parallel()
	for name, arm := range map[string]func(*failing){
		"no failure":              func(*failing) {},
		"the first two connects":  func(e *failing) { e.connect = func(n int) bool { return n <= 2 } },
		"every other connect":     func(e *failing) { e.connect = func(n int) bool { return n%2 == 0 && n < 8 } },
		"the look at the helpers": func(e *failing) { n := 0; e.brief = func() bool { n++; return n == 3 } },
	} {
		for _, many := range []int{2, 3} {
			t.Run(fmt.Sprintf("%s of %d", name, many), func(t *testing.T) {
				t.Parallel()
				x := exchange(t, many)
				arm(x.e)
				x.e.mu.Lock()
				x.e.calls, x.e.armed = 0, true
				x.e.mu.Unlock()
				if err := x.perform(30 * time.Second); err != nil {
					t.Error(err)
				}
				if now := x.places(t); !slices.Equal(now, x.homes) {
					t.Errorf("they are at %q, want %q", now, x.homes)
				}
			})
		}
	}
}

// Where one that was taken out to make room cannot be put back, the undo says so, and names it.
func TestSeatOfAnotherIsNotForgotten(t *testing.T) {
	t.Parallel()
	x := exchange(t, 2)
	x.e.connect = func(n int) bool { return n > 1 }
	x.e.mu.Lock()
	x.e.calls, x.e.armed = 0, true
	x.e.mu.Unlock()
	err := x.perform(time.Second)
	if now := x.places(t); now[1] != "" {
		t.Fatalf("they are at %q, and the second one should be outside", now)
	}
	if err == nil || !strings.Contains(err.Error(), "was taken out of network "+x.network+" to make room") {
		t.Errorf("the undo returned %v, want that the other is outside", err)
	}
}

// An undo that has taken its own container out of a wrong place does not leave it outside when it cannot have its own address
// made free.
func TestSeatElsewhereRatherThanNowhere(t *testing.T) {
	t.Parallel()
	x := exchange(t, 2)
	out := 0
	x.e.brief = func() bool { // once both are out and helpers hold their addresses, nobody in the network can be listed
		if out > 0 || slices.Equal(x.outsideNow(), []bool{true, true}) {
			out++
		}
		return out > 1
	}
	x.e.armed = true
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := kind(t, "disconnect").Undo(ctx, x.tools, x.undos[0])
	if err == nil || out < 2 {
		t.Fatalf("Undo returned %v, and the helpers were looked at %d times", err, out)
	}
	if now := x.places(t); now[0] == "" {
		t.Errorf("they are at %q: the first one was left outside", now)
	}
}

func (x exchanged) outsideNow() (out []bool) {
	for _, id := range x.ids {
		c, err := x.e.Engine.Container(context.Background(), id)
		out = append(out, err == nil && len(c.Networks) == 0)
	}
	return out
}
