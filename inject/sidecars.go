package inject

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// A flavour is what a sidecar can do, and so what it is allowed.
type flavour string

// The flavours of sidecars.
const (
	// netSidecar shares the target's network namespace, and may administer it.
	netSidecar flavour = "net"
	// hostSidecar sees the engine host's processes and control groups.
	hostSidecar flavour = "host"
	// reachSidecar is beside no target: one reaches all containers of the engine's host, and is asked about any.
	reachSidecar flavour = "reach"
)

// container is the name of the sidecar beside a target: a person must be able to find it. Several processes may have one that is
// beside none.
func (f flavour) container(target string) string {
	if target == "" {
		target = random()
	}
	return fmt.Sprintf("gameday-%s-%.12s", f, target)
}

// spec is the container of a sidecar of this flavour beside a target.
func (f flavour) spec(run string, c engine.Container, image string) engine.Spec {
	s := engine.Spec{
		Name:       f.container(c.ID),
		Image:      image,
		Entrypoint: []string{"/gameday"},
		Cmd:        []string{"sidecar", string(f)},
		Labels:     map[string]string{engine.Label: run, engine.RoleLabel: helperRole, targetLabel: c.ID, flavourLabel: string(f)},
		CapDrop:    []string{"ALL"},
		ReadOnly:   true,
		Stdin:      true,
		// It is told what to do and to stop while its target, or a fault in it, may use every processor.
		CPUShares: 8192,
	}
	switch f {
	case netSidecar:
		s.Network = "container:" + c.ID
		s.CapAdd = []string{"NET_ADMIN"}
	case hostSidecar:
		s.Cmd = append(s.Cmd, fmt.Sprint(c.State.PID), c.ID)
		allowHost(&s)
	case reachSidecar:
		allowHost(&s)
		allowSpaces(&s)
	}
	return s
}

// flavourLabel says which flavour a sidecar is of.
const flavourLabel = "gameday.flavour"

// Sidecars are the helpers that this process drives, one of each flavour beside a target. It is safe for concurrent use.
type Sidecars struct {
	engine engine.Engine
	helper func(context.Context) (string, error)

	mu   sync.Mutex
	held map[string]*slot
}

// NewSidecars prepares the use of sidecars; helper returns the tag of their image.
func NewSidecars(e engine.Engine, helper func(context.Context) (string, error)) *Sidecars {
	return &Sidecars{engine: e, helper: helper, held: map[string]*slot{}}
}

// A slot is the place of one sidecar: whoever holds it may replace the sidecar.
type slot struct {
	held chan struct{} // has room for whoever holds it
	s    *driven
}

// hold waits for the slot, or until ctx ends: somebody else may be starting a sidecar in it.
func (s *slot) hold(ctx context.Context) error {
	select {
	case s.held <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.held <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slot) letGo() { <-s.held }

func (s *Sidecars) slot(run, target string, f flavour) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := run + "/" + target + "/" + string(f)
	if s.held[key] == nil {
		s.held[key] = &slot{held: make(chan struct{}, 1)}
	}
	return s.held[key]
}

// errNoSidecars is the error of tools that were made without them.
var errNoSidecars = errors.New("this fault needs a helper beside its target, and none can be driven here")

// get returns the sidecar beside a target, for the life that its main process lives now. It is started if there is none, or
// if the one there belongs to an earlier life.
func (s *Sidecars) get(ctx context.Context, run string, c engine.Container, f flavour) (*driven, error) {
	if s == nil {
		return nil, errNoSidecars
	}
	sl := s.slot(run, c.ID, f)
	if err := sl.hold(ctx); err != nil {
		return nil, fmt.Errorf("the helper beside %s was not there in time: %w", c.Name, err)
	}
	defer sl.letGo()
	if d := sl.s; d != nil {
		if d.startedAt.Equal(c.State.StartedAt) && d.alive() {
			return d, nil
		}
		sl.s = nil
		if err := d.end(ctx); err != nil {
			return nil, err
		}
	}
	d, err := s.start(ctx, run, c, f)
	if err != nil {
		return nil, err
	}
	sl.s = d
	return d, nil
}

// peek returns the sidecar that this process drives beside a target, or nil: there is none, or ctx ended while one was being started.
func (s *Sidecars) peek(ctx context.Context, run, target string, f flavour) *driven {
	if s == nil {
		return nil
	}
	sl := s.slot(run, target, f)
	if sl.hold(ctx) != nil {
		return nil
	}
	defer sl.letGo()
	return sl.alive()
}

func (s *slot) alive() *driven {
	if s.s == nil || !s.s.alive() {
		return nil
	}
	return s.s
}

// without does something where this process drives no sidecar beside a target but for a certain one, or nil, and lets nobody start
// one meanwhile. Where there is another one after all it does nothing: to start that, everything of its name was removed.
func (s *Sidecars) without(ctx context.Context, run, target string, f flavour, certain *driven, do func() error) error {
	if s == nil {
		return do()
	}
	sl := s.slot(run, target, f)
	if err := sl.hold(ctx); err != nil {
		return err
	}
	defer sl.letGo()
	if d := sl.alive(); d != nil && d != certain {
		return nil
	}
	return do()
}

// end ends the sidecars of a run: each undoes what it still holds. It returns once they are removed.
func (s *Sidecars) end(ctx context.Context, run string) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	var slots []*slot
	for key, sl := range s.held {
		if strings.HasPrefix(key, run+"/") {
			slots = append(slots, sl)
			delete(s.held, key)
		}
	}
	s.mu.Unlock()
	errs := make([]error, len(slots))
	var wg sync.WaitGroup
	for i, sl := range slots {
		wg.Go(func() {
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
			defer cancel()
			if errs[i] = sl.hold(own); errs[i] != nil {
				return
			}
			defer sl.letGo()
			if sl.s != nil {
				errs[i] = sl.s.end(ctx)
				sl.s = nil
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// start makes a sidecar and waits until it answers.
func (s *Sidecars) start(ctx context.Context, run string, c engine.Container, f flavour) (_ *driven, err error) {
	image, err := s.helper(ctx)
	if err != nil {
		return nil, fmt.Errorf("the helper image could not be made: %w", err)
	}
	spec := f.spec(run, c, image)
	d := &driven{engine: s.engine, name: spec.Name, target: c.Name, startedAt: c.State.StartedAt,
		waiting: map[int]chan sidecar.Reply{}, broken: make(chan struct{})}
	// Not cut off by the end of ctx: what the engine has begun to make must be known, to be removed.
	err = uncut(ctx, func(ctx context.Context) error {
		if err := s.create(ctx, spec); err != nil {
			return fmt.Errorf("the helper %s could not be made: %w", spec.Name, err)
		}
		if d.stream, err = s.engine.Attach(ctx, spec.Name); err != nil {
			return fmt.Errorf("the helper %s could not be driven: %w", spec.Name, err)
		}
		go d.read()
		if err := s.engine.Start(ctx, spec.Name); err != nil {
			return fmt.Errorf("the helper %s could not be started: %w", spec.Name, err)
		}
		return nil
	})
	if err == nil {
		_, err = d.call(ctx, sidecar.Request{Op: sidecar.OpHello})
	}
	if err != nil {
		return nil, errors.Join(err, d.end(context.WithoutCancel(ctx)))
	}
	if info, err := s.engine.Info(ctx); err == nil && !info.Local {
		d.measureClock(ctx)
	}
	go d.ping()
	return d, nil
}

// create makes a sidecar's container. One of the same name was left by a run that is over, since a run holds the lock: it goes.
func (s *Sidecars) create(ctx context.Context, spec engine.Spec) error {
	_, err := s.engine.Create(ctx, spec)
	if !errors.Is(err, engine.ErrConflict) {
		return err
	}
	old, lerr := s.engine.Container(ctx, spec.Name)
	if lerr != nil || old.Labels[engine.RoleLabel] != helperRole || old.Labels[targetLabel] != spec.Labels[targetLabel] {
		return err
	}
	if err := s.engine.Remove(ctx, old.ID); err != nil {
		return err
	}
	_, err = s.engine.Create(ctx, spec)
	return err
}

// driven is one sidecar, driven over its stream.
type driven struct {
	engine    engine.Engine
	name      string
	target    string    // the target's name
	startedAt time.Time // of the target's main process: the sidecar is good for that life alone
	stream    engine.Stream
	ahead     time.Duration // by which the sidecar's clock is ahead of this one; zero on the same machine

	mu      sync.Mutex
	seq     int
	sent    chan struct{} // closed when the request before has been written; nil before the first
	waiting map[int]chan sidecar.Reply
	broken  chan struct{} // closed when the stream has ended
	why     string        // what was seen of that
	last    *sidecar.Last
}

func (d *driven) alive() bool {
	select {
	case <-d.broken:
		return false
	default:
		return true
	}
}

// read hands the replies on, until the stream ends.
func (d *driven) read() {
	lines := bufio.NewScanner(d.stream)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var last sidecar.Last
		if json.Unmarshal(lines.Bytes(), &last) == nil && last.Last != "" {
			d.mu.Lock()
			d.last = &last
			d.mu.Unlock()
			continue
		}
		var r sidecar.Reply
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		d.mu.Lock()
		if ch := d.waiting[r.Seq]; ch != nil {
			delete(d.waiting, r.Seq)
			ch <- r // it has room for one
		}
		d.mu.Unlock()
	}
	d.mu.Lock()
	switch said := strings.TrimSpace(d.stream.Err()); {
	case d.last != nil:
		d.why = "it went, because " + d.last.Last
	case said != "":
		d.why = "it said: " + said
	case lines.Err() != nil:
		d.why = lines.Err().Error()
	default:
		d.why = "it has ended"
	}
	d.mu.Unlock()
	close(d.broken)
}

// errGone is wrapped by errors of a sidecar that does not answer any more: what it held is undone, or its container tells.
var errGone = errors.New("the helper beside the target has gone")

// call sends one request and waits for its reply. A reply with an error is an error.
func (d *driven) call(ctx context.Context, q sidecar.Request) (sidecar.Reply, error) {
	ch := make(chan sidecar.Reply, 1)
	d.mu.Lock()
	d.seq++
	q.Seq = d.seq
	d.waiting[q.Seq] = ch
	before, sent := d.sent, make(chan struct{})
	d.sent = sent
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.waiting, q.Seq)
		d.mu.Unlock()
	}()
	line, err := json.Marshal(q)
	if err != nil {
		close(sent)
		return sidecar.Reply{}, err
	}
	// A stream that takes nothing more must not keep anybody waiting for longer than ctx. Requests go out in the order of the calls, also
	// those that nobody waits for any more: an undo finds what was to be prepared before it, and what is sent late does no harm.
	unsent := make(chan struct{})
	go func() {
		defer close(sent)
		if before != nil {
			<-before
		}
		if _, err := d.stream.Write(append(line, '\n')); err != nil {
			close(unsent)
		}
	}()
	select {
	case <-unsent:
		return sidecar.Reply{}, d.gone()
	case r := <-ch:
		if r.Error == "" {
			return r, nil
		}
		err := fmt.Errorf("the helper %s beside %s: %s", d.name, d.target, r.Error)
		if r.Untouched {
			err = fmt.Errorf("%w to %s: %s", ErrUntouched, d.target, strings.TrimPrefix(r.Error, "nothing was done: "))
		}
		return r, err
	case <-d.broken:
		return sidecar.Reply{}, d.gone()
	case <-ctx.Done():
		return sidecar.Reply{}, fmt.Errorf("the helper %s beside %s has not answered: %w", d.name, d.target, ctx.Err())
	}
}

func (d *driven) gone() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.why == "" {
		return fmt.Errorf("%w (%s)", errGone, d.name)
	}
	return fmt.Errorf("%w (%s): %s", errGone, d.name, d.why)
}

// ping renews the lease for as long as the stream holds.
func (d *driven) ping() {
	tick := time.NewTicker(sidecar.Lease / 5)
	defer tick.Stop()
	for {
		select {
		case <-d.broken:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), sidecar.Lease)
			_, _ = d.call(ctx, sidecar.Request{Op: sidecar.OpPing})
			cancel()
		}
	}
}

// measureClock finds by how much the sidecar's clock is ahead, from the quickest of a few questions.
func (d *driven) measureClock(ctx context.Context) {
	best := time.Hour
	for range 5 {
		asked := time.Now()
		r, err := d.call(ctx, sidecar.Request{Op: sidecar.OpPing})
		if err != nil {
			return
		}
		if took := time.Since(asked); took < best {
			best = took
			d.ahead = time.Unix(0, r.Now).Sub(asked.Add(took / 2))
		}
	}
}

// theirs is a time by the sidecar's clock; the zero time is zero.
func (d *driven) theirs(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Add(d.ahead).UnixNano()
}

// ours is a time of the sidecar's by this machine's clock.
func (d *driven) ours(ns int64) time.Time { return time.Unix(0, ns).Add(-d.ahead) }

// sidecarEnd is how long a sidecar may take to undo what it holds when its stream is closed.
const sidecarEnd = 3 * time.Second

// end closes the stream, so that the sidecar undoes everything, and removes its container.
func (d *driven) end(ctx context.Context) error {
	if d.stream != nil {
		d.stream.CloseWrite()
		timer := time.NewTimer(sidecarEnd)
		select {
		case <-d.broken:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		d.stream.Close()
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	if err := d.engine.Remove(own, d.name); err != nil {
		return fmt.Errorf("the helper %s could not be removed: %w; run docker rm -f %s", d.name, err, d.name)
	}
	return nil
}
