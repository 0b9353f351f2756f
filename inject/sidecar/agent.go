package sidecar

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// An effect is one fault, ready to be in force. Its methods are called by one goroutine at a time.
type effect interface {
	// apply puts it in force and returns the time right after.
	apply() (time.Time, error)
	// look says what the kernel shows of it.
	look() (Look, error)
	// undo takes it back, and returns an error unless it was seen to be gone. It may be called again, and before apply.
	undo() error
}

// A role is what an agent can do: the packets of a namespace, or the processes and limits of a container.
type role interface {
	// prepare makes an effect, and changes nothing that can be felt.
	prepare(id, kind string, spec json.RawMessage) (effect, error)
	// dump lists what of the kernel's state faults of a kind change, one line each, in a stable order.
	dump(kind string, spec json.RawMessage) ([]string, error)
	// close gives back what the role holds for all effects.
	close() error
}

// A healer is a role whose faults are known by their spec alone, so that an agent which does not hold them can look at them
// and take them back.
type healer interface {
	// survey completes a spec with what an undo needs to know, and changes nothing.
	survey(kind string, spec json.RawMessage) (found json.RawMessage, err error)
	// check says whether a fault that was surveyed is in force.
	check(kind string, spec json.RawMessage) (Look, error)
	// heal takes it back, and returns an error unless it was seen to be gone. What somebody else has changed since is left alone.
	heal(kind string, spec json.RawMessage) error
}

// A stranger is a role without faults of its own, whose requests say what they are about.
type stranger interface{ answer(q Request) Reply }

// A stopper is an effect whose apply takes long. After stop, which may come at any time, it returns soon.
type stopper interface{ stop() }

// errUntouched is wrapped by errors of effects that say for certain that nothing was done.
var errUntouched = errors.New("nothing was done")

// An agent holds faults in force for as long as somebody wants them.
type agent struct {
	role  role
	lease time.Duration

	out   sync.Mutex
	lines *json.Encoder

	mu      sync.Mutex
	held    map[string]*held
	heard   time.Time
	leaving bool // nothing is begun any more: nobody would undo it
}

// held is one fault of an agent.
type held struct {
	ready chan struct{} // closed when it is prepared, or could not be
	one   sync.Mutex    // for the effect
	e     effect        // nil: it could not be prepared
	gone  chan struct{} // closed when it is not wanted any more
	once  sync.Once
	until *time.Timer
	at    int64       // since when it is in force
	tried bool        // its time has come
	over  atomic.Bool // it was undone
	last  Look        // what was seen of it just before
}

// serve drives effects by the requests that come in, until the stream ends, nothing is heard for the lease, or it is told to stop. Then
// it undoes everything, says so in a last line, and returns its exit code.
func serve(r role, in io.Reader, out io.Writer, lease time.Duration, stop <-chan os.Signal) int {
	a := &agent{role: r, lease: lease, lines: json.NewEncoder(out), held: map[string]*held{}, heard: time.Now()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.read(in)
	}()
	return a.leave(a.wait(ended, stop))
}

// stopped tells of `docker stop`: a person, or an engine that goes.
func stopped() <-chan os.Signal {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	return told
}

// wait returns why the agent has to go.
func (a *agent) wait(ended <-chan struct{}, stop <-chan os.Signal) string {
	tick := time.NewTicker(a.lease / 10)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return "its stream has ended"
		case <-stop:
			return "it was told to stop"
		case <-tick.C:
			a.mu.Lock()
			quiet := time.Since(a.heard)
			a.mu.Unlock()
			if quiet > a.lease {
				return fmt.Sprintf("nothing was heard for %v", a.lease)
			}
		}
	}
}

func (a *agent) read(in io.Reader) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		a.mu.Lock()
		a.heard = time.Now()
		a.mu.Unlock()
		var q Request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			a.say(Reply{Error: "this is no request: " + err.Error(), Untouched: true})
			continue
		}
		switch q.Op {
		case OpHello, OpPing:
			a.say(Reply{Seq: q.Seq})
		case OpPrepare:
			// An undo that comes while it is being prepared finds it, and waits.
			h, err := a.reserve(q)
			if err != nil {
				a.say(failed(Reply{Seq: q.Seq}, err))
				continue
			}
			go func() { a.say(failed(Reply{Seq: q.Seq}, a.prepare(h, q))) }()
		default:
			// In a goroutine of its own: to apply waits for its time.
			go func() { a.say(a.answer(q)) }()
		}
	}
}

func (a *agent) say(r Reply) {
	a.out.Lock()
	defer a.out.Unlock()
	r.Now = time.Now().UnixNano()
	_ = a.lines.Encode(r) // when nobody reads, the stream has ended, and that is noticed elsewhere
}

func (a *agent) answer(q Request) Reply {
	if s, ok := a.role.(stranger); ok {
		return s.answer(q)
	}
	r := Reply{Seq: q.Seq}
	var err error
	switch q.Op {
	case OpApply:
		r.At, err = a.apply(q)
	case OpLook:
		if q.Kind != "" {
			r.Look, r.Lines, err = a.check(q)
		} else {
			r.Look, err = a.look(q.ID)
		}
	case OpUndo:
		r.Look, err = a.undo(q.ID)
		r.At = time.Now().UnixNano()
	case OpDump:
		r.Lines, err = a.role.dump(q.Kind, q.Spec)
		r.Holds = a.holds()
	case OpSurvey, OpHeal:
		h, ok := a.role.(healer)
		switch {
		case !ok:
			err = fmt.Errorf("%w: this helper cannot %s a fault", errUntouched, q.Op)
		case q.Op == OpSurvey:
			if r.Found, err = h.survey(q.Kind, q.Spec); err == nil {
				r.Lines, err = a.role.dump(q.Kind, q.Spec)
			}
		default:
			err = h.heal(q.Kind, q.Spec)
		}
	default:
		err = fmt.Errorf("%w: there is no operation %q", errUntouched, q.Op)
	}
	return failed(r, err)
}

// failed is a reply with an error, if there is one.
func failed(r Reply, err error) Reply {
	if err != nil {
		r.Error, r.Untouched = err.Error(), errors.Is(err, errUntouched)
	}
	return r
}

// reserve makes room for a fault that is about to be prepared.
func (a *agent) reserve(q Request) (*held, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.held[q.ID]; h != nil && !h.over.Load() || q.ID == "" {
		return nil, fmt.Errorf("%w: a fault %q is there already", errUntouched, q.ID)
	}
	if a.leaving {
		return nil, fmt.Errorf("%w: the helper is about to go", errUntouched)
	}
	h := &held{ready: make(chan struct{}), gone: make(chan struct{})}
	a.held[q.ID] = h
	return h, nil
}

func (a *agent) prepare(h *held, q Request) error {
	defer close(h.ready)
	e, err := a.role.prepare(q.ID, q.Kind, q.Spec)
	if err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.held, q.ID)
		return fmt.Errorf("%w: %w", errUntouched, err)
	}
	h.e = e
	if q.Until > 0 {
		h.until = time.AfterFunc(time.Until(time.Unix(0, q.Until)), func() { _, _ = a.undo(q.ID) })
	}
	return nil
}

// holds counts the faults that are prepared or in force.
func (a *agent) holds() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.held {
		if !h.over.Load() {
			n++
		}
	}
	return n
}

// find returns a fault that is prepared. It waits for one that is just being prepared.
func (a *agent) find(id string) *held {
	a.mu.Lock()
	h := a.held[id]
	a.mu.Unlock()
	if h == nil {
		return nil
	}
	if <-h.ready; h.e == nil {
		return nil
	}
	return h
}

func (a *agent) apply(q Request) (int64, error) {
	h := a.find(q.ID)
	if h == nil {
		return 0, fmt.Errorf("%w: fault %q is not prepared", errUntouched, q.ID)
	}
	if q.At > 0 {
		waitUntil(time.Unix(0, q.At), h.gone)
		defer hush(time.Unix(0, q.At), h.gone)
	}
	h.one.Lock()
	defer h.one.Unlock()
	select {
	case <-h.gone:
		return 0, fmt.Errorf("%w: it was taken back before its time", errUntouched)
	default:
	}
	h.tried = true
	at, err := h.e.apply()
	if at.IsZero() {
		return 0, err
	}
	h.at = at.UnixNano()
	return h.at, err
}

func (a *agent) look(id string) (*Look, error) {
	h := a.find(id)
	if h == nil {
		return nil, fmt.Errorf("%w: there is no fault %q", errUntouched, id)
	}
	h.one.Lock()
	defer h.one.Unlock()
	if h.over.Load() {
		return &h.last, nil
	}
	l, err := h.e.look()
	l.At, l.Tried = h.at, h.tried
	return &l, err
}

// check looks at a fault by its spec alone, and lists what the kernel has.
func (a *agent) check(q Request) (*Look, []string, error) {
	h, ok := a.role.(healer)
	if !ok {
		return nil, nil, fmt.Errorf("%w: this helper looks only at faults that it holds", errUntouched)
	}
	l, err := h.check(q.Kind, q.Spec)
	if err != nil {
		return nil, nil, err
	}
	lines, err := a.role.dump(q.Kind, q.Spec)
	return &l, lines, err
}

// undo takes a fault back. What was seen of it until then is kept, for whoever looks later. A fault that could not be taken
// back can be undone again.
func (a *agent) undo(id string) (*Look, error) {
	h := a.find(id)
	if h == nil {
		return nil, nil
	}
	h.once.Do(func() { close(h.gone) })
	if s, ok := h.e.(stopper); ok {
		s.stop()
	}
	h.one.Lock()
	defer h.one.Unlock()
	if h.over.Load() {
		return &h.last, nil
	}
	last, err := h.e.look()
	if err != nil {
		last = Look{Met: -1, Hit: -1, Seen: "what it did was not seen: " + err.Error()}
	}
	if err := h.e.undo(); err != nil {
		return nil, err
	}
	if h.until != nil {
		h.until.Stop()
	}
	last.InForce, last.Why, last.At, last.Tried = false, "it was undone", h.at, h.tried
	h.last = last
	h.over.Store(true)
	return &h.last, nil
}

// leave undoes everything, the newest names last, and says so.
func (a *agent) leave(why string) int {
	last := Last{Last: why}
	a.mu.Lock()
	a.leaving = true
	var ids []string
	for id, h := range a.held {
		if !h.over.Load() {
			ids = append(ids, id)
		}
	}
	a.mu.Unlock()
	sort.Strings(ids)
	for _, id := range ids {
		if _, err := a.undo(id); err != nil {
			last.Left = append(last.Left, fmt.Sprintf("%s: %v", id, err))
		} else {
			last.Undone = append(last.Undone, id)
		}
	}
	if err := a.role.close(); err != nil {
		last.Left = append(last.Left, err.Error())
	}
	// Where nobody reads, the agent goes all the same.
	said := make(chan struct{})
	go func() {
		defer close(said)
		a.out.Lock()
		defer a.out.Unlock()
		_ = a.lines.Encode(last)
	}()
	select {
	case <-said:
	case <-time.After(time.Second):
	}
	if len(last.Left) > 0 {
		return ExitLeft
	}
	return ExitDone
}
