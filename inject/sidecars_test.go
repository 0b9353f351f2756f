package inject

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/fake"
	"gameday/inject/sidecar"
)

// played is a stream with somebody at its other end, who answers requests; what it has no answer for stays without one.
type played struct {
	io.Reader
	io.WriteCloser
}

func (played) CloseWrite() error { return nil }
func (played) Err() string       { return "" }

// play makes a sidecar of an answerer. A nil one takes nothing from the stream.
func play(t *testing.T, answer func(sidecar.Request) *sidecar.Reply) *driven {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	t.Cleanup(func() { inR.Close(); outW.Close() })
	d := &driven{name: "helper", target: "target", stream: played{outR, inW}, waiting: map[int]chan sidecar.Reply{}, broken: make(chan struct{})}
	go d.read()
	if answer == nil {
		return d
	}
	go func() {
		for lines := bufio.NewScanner(inR); lines.Scan(); {
			var q sidecar.Request
			if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
				return
			}
			if r := answer(q); r != nil {
				r.Seq = q.Seq
				if json.NewEncoder(outW).Encode(r) != nil {
					return
				}
			}
		}
	}()
	return d
}

// Who looks for a sidecar, or wants one, waits no longer than its context for somebody else who is starting one.
func TestSidecarIsBeingStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSidecars(nil, nil)
		sl := s.slot("run", "id", hostSidecar)
		if err := sl.hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d := s.peek(ctx, "run", "id", hostSidecar); d != nil {
			t.Errorf("there is %+v", d)
		}
		if d, err := s.get(ctx, "run", engine.Container{ID: "id"}, hostSidecar); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v, %v", d, err)
		}
		if err := s.without(ctx, "run", "id", hostSidecar, nil, func() error { t.Error("it was done"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		sl.letGo()
	})
}

// What a dead process has left is removed, and not the sidecar that another fault has started meanwhile.
func TestWithoutASidecar(t *testing.T) {
	s := NewSidecars(nil, nil)
	fresh := play(t, nil)
	for _, tt := range []struct {
		what           string
		there, certain *driven
		want           bool
	}{{"nothing", nil, nil, true}, {"a fresh one", fresh, nil, false}, {"the one that is meant", fresh, fresh, true}} {
		s.slot("run", "id", netSidecar).s = tt.there
		done := false
		err := s.without(t.Context(), "run", "id", netSidecar, tt.certain, func() error { done = true; return nil })
		if err != nil || done != tt.want {
			t.Errorf("%s is there: done is %v, %v", tt.what, done, err)
		}
	}
}

// A stream that takes nothing more keeps nobody waiting for longer than its context.
func TestSidecarTakesNothing(t *testing.T) {
	d := play(t, nil)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := d.call(ctx, sidecar.Request{Op: sidecar.OpPing}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
}

// A death that the sidecar has seen and the engine has not noticed yet is no end of a fault: the container would stay down.
func TestEngineHasNotNoticedADeath(t *testing.T) {
	f := fake.New()
	c := f.AddContainer(engine.Container{})
	tools := Tools{Engine: f, Sidecars: NewSidecars(f, nil)}
	ended := false
	d := play(t, func(q sidecar.Request) *sidecar.Reply {
		return &sidecar.Reply{Look: &sidecar.Look{Ended: ended && q.ID != ""}}
	})
	d.startedAt = c.State.StartedAt
	tools.Sidecars.slot("run", c.ID, hostSidecar).s = d
	u := Undo{Run: "run", Fault: "f", Kind: "oom", ID: c.ID, Name: c.Name, Before: stateOf(c)}
	if _, err := (onHost{}).Gone(t.Context(), tools, u); err != nil {
		t.Error(err)
	}
	ended = true
	if p, err := (onHost{}).Gone(t.Context(), tools, u); err == nil || !strings.Contains(err.Error(), "has not noticed") {
		t.Errorf("%+v, %v", p, err)
	}
	if err := f.Kill(t.Context(), c.ID, "KILL"); err != nil {
		t.Fatal(err)
	}
	if _, err := (onHost{}).Gone(t.Context(), tools, u); err != nil {
		t.Errorf("now the engine knows: %v", err)
	}
}

// A fault that was cut off counts as untouched only if its sidecar had not begun.
func TestInjectionIsCutOff(t *testing.T) {
	for _, tried := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		d := play(t, func(q sidecar.Request) *sidecar.Reply {
			switch q.Op {
			case sidecar.OpApply:
				cancel() // in the middle of it
				return nil
			case sidecar.OpUndo:
				return &sidecar.Reply{Look: &sidecar.Look{Tried: tried}}
			}
			return &sidecar.Reply{}
		})
		err := d.inject(ctx, "id", "oom", nil, Step{})
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUntouched) == tried {
			t.Errorf("tried is %v, and inject returned %v", tried, err)
		}
	}
}

// Requests arrive in the order of the calls, although nobody waits for them: else a fault is prepared after its undo.
func TestRequestsKeepTheirOrder(t *testing.T) {
	outR, outW := io.Pipe()
	inR, inW := io.Pipe()
	defer outW.Close()
	d := &driven{name: "helper", target: "target", stream: played{outR, inW}, waiting: map[int]chan sidecar.Reply{}, broken: make(chan struct{})}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	const calls = 200
	for range calls {
		if _, err := d.call(over, sidecar.Request{Op: sidecar.OpPing}); !errors.Is(err, context.Canceled) {
			t.Fatalf("a call that is cut off returned %v", err)
		}
	}
	dec := json.NewDecoder(inR)
	for want := 1; want <= calls; want++ {
		var q sidecar.Request
		if err := dec.Decode(&q); err != nil || q.Seq != want {
			t.Fatalf("request %d came instead of %d, %v", q.Seq, want, err)
		}
	}
}
