package sidecar

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a role that remembers what was done.
type scripted struct {
	mu      sync.Mutex
	inForce map[string]bool
	stuck   map[string]bool // cannot be undone
	closed  bool
	slow    time.Duration // it takes to prepare
	made    int           // effects that were prepared and not undone
}

type scriptedEffect struct {
	r  *scripted
	id string
}

func (r *scripted) prepare(id, kind string, _ json.RawMessage) (effect, error) {
	if kind == "impossible" {
		return nil, errors.New("the kernel cannot do it")
	}
	time.Sleep(r.slow)
	r.made++
	return &scriptedEffect{r, id}, nil
}
func (r *scripted) dump(kind string, _ json.RawMessage) ([]string, error) {
	return []string{"a " + kind}, nil
}
func (r *scripted) close() error { r.closed = true; return nil }

func (r *scripted) holds(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inForce[id]
}

func (e *scriptedEffect) apply() (time.Time, error) {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	e.r.inForce[e.id] = true
	return time.Now(), nil
}
func (e *scriptedEffect) look() (Look, error) {
	return Look{InForce: e.r.holds(e.id), Seen: "3 packets were dropped", Met: 3, Hit: 3}, nil
}
func (e *scriptedEffect) undo() error {
	if e.r.stuck[e.id] {
		return errors.New("the kernel does not let it go")
	}
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	delete(e.r.inForce, e.id)
	e.r.made--
	return nil
}

// rig is an agent with somebody who drives it.
type rig struct {
	t     *testing.T
	role  *scripted
	in    *io.PipeWriter
	lines chan []byte
	code  chan int
	stop  chan os.Signal
	seq   int
}

func newRig(t *testing.T) *rig {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	r := &rig{t: t, role: &scripted{inForce: map[string]bool{}, stuck: map[string]bool{}}, in: inW, lines: make(chan []byte, 100), code: make(chan int, 1), stop: make(chan os.Signal, 1)}
	go func() {
		r.code <- serve(r.role, inR, outW, time.Second, r.stop)
		outW.Close()
		inR.Close()
	}()
	go func() {
		defer close(r.lines)
		for lines := bufio.NewScanner(outR); lines.Scan(); {
			r.lines <- bytes.Clone(lines.Bytes())
		}
	}()
	return r
}

func (r *rig) send(q Request) {
	r.seq++
	q.Seq = r.seq
	b, err := json.Marshal(q)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.in.Write(append(b, '\n')); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) hear() Reply {
	var out Reply
	line, more := <-r.lines
	if !more {
		r.t.Fatal("the agent says nothing more")
	}
	if err := json.Unmarshal(line, &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) ask(q Request) Reply {
	r.send(q)
	a := r.hear()
	if a.Seq != r.seq || a.Now == 0 {
		r.t.Fatalf("the reply to %+v is %+v", q, a)
	}
	return a
}

// last is what it says when it goes, and its exit code.
func (r *rig) last() (Last, int) {
	var l Last
	for line := range r.lines {
		_ = json.Unmarshal(line, &l)
	}
	return l, <-r.code
}

// An undo that comes while the fault is still being prepared leaves nothing of it, nor does the end of the stream.
func TestAgentUndoesWhatIsBeingPrepared(t *testing.T) {
	for _, how := range []string{"undo", "end", "stop"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.role.slow = 100 * time.Millisecond
			r.send(Request{Op: OpPrepare, ID: "x", Kind: "loss"})
			if how == "undo" {
				r.send(Request{Op: OpUndo, ID: "x"})
				for range 2 {
					if a := r.hear(); a.Error != "" {
						t.Errorf("%s: %+v", how, a)
					}
				}
				if r.role.made != 0 {
					t.Errorf("after the undo there are %d effects", r.role.made)
				}
			}
			if how == "stop" {
				r.stop <- syscall.SIGTERM
			} else {
				r.in.Close()
			}
			if l, code := r.last(); code != ExitDone || r.role.made != 0 || (how == "stop") != strings.Contains(l.Last, "told to stop") {
				t.Errorf("%s: it leaves with %+v, %d, and %d effects", how, l, code, r.role.made)
			}
		})
	}
}

func TestAgentLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.ask(Request{Op: OpHello})
		if a := r.ask(Request{Op: OpDump, Kind: "loss"}); len(a.Lines) != 1 {
			t.Errorf("dump: %+v", a)
		}
		if a := r.ask(Request{Op: OpPrepare, ID: "x", Kind: "impossible"}); !a.Untouched || !strings.Contains(a.Error, "cannot do it") {
			t.Errorf("impossible: %+v", a)
		}
		if a := r.ask(Request{Op: OpApply, ID: "x"}); !a.Untouched {
			t.Errorf("apply without prepare: %+v", a)
		}
		if a := r.ask(Request{Op: OpPrepare, ID: "x", Kind: "loss"}); a.Error != "" || r.role.holds("x") {
			t.Errorf("prepare: %+v", a)
		}
		if a := r.ask(Request{Op: OpPrepare, ID: "x", Kind: "loss"}); !a.Untouched {
			t.Errorf("prepare again: %+v", a)
		}
		if a := r.ask(Request{Op: OpApply, ID: "x"}); a.Error != "" || a.At == 0 || !r.role.holds("x") {
			t.Errorf("apply: %+v", a)
		}
		if a := r.ask(Request{Op: OpLook, ID: "x"}); a.Look == nil || !a.Look.InForce || a.Look.Met != 3 || a.Look.At == 0 {
			t.Errorf("look: %+v", a.Look)
		}
		for range 2 {
			if a := r.ask(Request{Op: OpUndo, ID: "x"}); a.Error != "" || a.Look == nil || a.Look.InForce || a.Look.Hit != 3 || r.role.holds("x") {
				t.Errorf("undo: %+v", a)
			}
		}
		if a := r.ask(Request{Op: OpLook, ID: "x"}); a.Look == nil || a.Look.InForce || a.Look.Why == "" || a.Look.Hit != 3 {
			t.Errorf("look after the undo: %+v", a.Look)
		}
		if a := r.ask(Request{Op: OpUndo, ID: "nobody"}); a.Error != "" {
			t.Errorf("undo of what is not known: %+v", a)
		}
		if a := r.ask(Request{Op: "dance"}); !a.Untouched {
			t.Errorf("unknown operation: %+v", a)
		}
		r.in.Write([]byte("{\n"))
		if a := r.hear(); a.Error == "" {
			t.Errorf("a line that is no request: %+v", a)
		}
		r.in.Close()
		if l, code := r.last(); code != ExitDone || !strings.Contains(l.Last, "stream") || !r.role.closed {
			t.Errorf("at the end: %+v, %d", l, code)
		}
	})
}

// Whatever ends the agent, nothing stays in force; what cannot be undone is said.
func TestAgentEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(r *rig)
		why  string
		left bool
	}{
		"its stream ends": {end: func(r *rig) { r.in.Close() }, why: "stream has ended"},
		"nobody is heard": {end: func(r *rig) { time.Sleep(2 * time.Second) }, why: "nothing was heard"},
		"it cannot undo":  {end: func(r *rig) { r.role.stuck["x"] = true; r.in.Close() }, why: "stream has ended", left: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.ask(Request{Op: OpPrepare, ID: "x", Kind: "loss"})
				r.ask(Request{Op: OpApply, ID: "x"})
				r.ask(Request{Op: OpPrepare, ID: "later", Kind: "loss"})
				r.send(Request{Op: OpApply, ID: "later", At: time.Now().Add(time.Hour).UnixNano()})
				tt.end(r)
				l, code := r.last()
				if !strings.Contains(l.Last, tt.why) || (code == ExitLeft) != tt.left || (len(l.Left) > 0) != tt.left || r.role.holds("later") {
					t.Errorf("%+v, exit code %d", l, code)
				}
				if r.role.holds("x") != tt.left {
					t.Errorf("in force: %v", r.role.inForce)
				}
			})
		})
	}
}

// Pings keep it alive, and a fault is undone at its deadline all the same.
func TestAgentDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.ask(Request{Op: OpPrepare, ID: "x", Kind: "loss", Until: time.Now().Add(5 * time.Second).UnixNano()})
		began := time.Now()
		if a := r.ask(Request{Op: OpApply, ID: "x", At: began.Add(400 * time.Millisecond).UnixNano()}); time.Unix(0, a.At).Sub(began) != 400*time.Millisecond {
			t.Errorf("it was applied %v after it was asked for", time.Unix(0, a.At).Sub(began))
		}
		for range 9 {
			time.Sleep(500 * time.Millisecond)
			r.ask(Request{Op: OpPing})
		}
		if !r.role.holds("x") {
			t.Error("it was undone before its deadline")
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if r.role.holds("x") {
			t.Error("it is in force after its deadline")
		}
		r.in.Close()
		r.last()
	})
}

// Who takes a fault back before its time is answered at once, and it does not come.
func TestAgentTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.ask(Request{Op: OpPrepare, ID: "x", Kind: "loss"})
		r.send(Request{Op: OpApply, ID: "x", At: time.Now().Add(500 * time.Millisecond).UnixNano()})
		synctest.Wait()
		r.send(Request{Op: OpUndo, ID: "x"})
		for range 2 {
			switch a := r.hear(); a.Seq {
			case 2:
				if !a.Untouched {
					t.Errorf("apply: %+v", a)
				}
			case 3:
				if a.Look == nil || a.Look.At != 0 {
					t.Errorf("undo: %+v", a)
				}
			}
		}
		time.Sleep(700 * time.Millisecond)
		if r.role.holds("x") {
			t.Error("it came after it was taken back")
		}
		r.in.Close()
		r.last()
	})
}

// An agent that goes begins nothing: nobody would take it back.
func TestAgentLeavesNothing(t *testing.T) {
	r := &scripted{inForce: map[string]bool{}, stuck: map[string]bool{}}
	a := &agent{role: r, lines: json.NewEncoder(io.Discard), held: map[string]*held{}}
	if code := a.leave("its stream has ended"); code != ExitDone {
		t.Errorf("it ends with %d", code)
	}
	if got := a.answer(Request{Op: OpPrepare, ID: "x", Kind: "loss"}); !got.Untouched {
		t.Errorf("prepare: %+v", got)
	}
	if got := a.answer(Request{Op: OpApply, ID: "x"}); !got.Untouched || r.inForce["x"] {
		t.Errorf("apply: %+v", got)
	}
}

// halting is an effect that takes long, and is cut off.
type halting struct {
	scriptedEffect
	begun, halt chan struct{}
}

func (e *halting) apply() (time.Time, error) {
	close(e.begun)
	<-e.halt
	return time.Time{}, errors.New("it was taken back in the middle")
}
func (e *halting) stop() { close(e.halt) }

// What was begun and cut off was tried, although it never was in force.
func TestTried(t *testing.T) {
	e := &halting{scriptedEffect{&scripted{}, "f"}, make(chan struct{}), make(chan struct{})}
	ready := make(chan struct{})
	close(ready)
	a := &agent{held: map[string]*held{"f": {e: e, ready: ready, gone: make(chan struct{})}, "early": {e: &scriptedEffect{&scripted{}, "early"}, ready: ready, gone: make(chan struct{})}}}
	applied := make(chan error, 1)
	go func() { _, err := a.apply(Request{ID: "f"}); applied <- err }()
	<-e.begun
	if l, err := a.undo("f"); err != nil || !l.Tried || l.At != 0 {
		t.Errorf("undo returned %+v, %v", l, err)
	}
	if err := <-applied; err == nil {
		t.Error("apply returned no error")
	}
	if l, err := a.undo("early"); err != nil || l.Tried {
		t.Errorf("undo returned %+v, %v", l, err)
	}
}
