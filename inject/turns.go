package inject

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// turns keeps the undos of this process from connecting to the same network at the same time, and lets those go first whose
// containers have the lower addresses: the engine gives out the lowest that is free, so each gets its own. What other processes
// do is seen afterwards.
var turns = turnstile{lines: map[string]*line{}}

const (
	// gather is for how long nobody has joined a line before the first goes: undos that begin together come one after the other, as
	// each is written down before. But nobody waits for others for longer than gatherMost.
	gather     = 50 * time.Millisecond
	gatherMost = time.Second
	// lowerFirst is for how long one waits for those before it that have joined and do not come. For those that want their turn as
	// well it waits however long they take: in another order each would get somebody else's address.
	lowerFirst = 2 * lookLimit
)

// last is behind all addresses.
var last = netip.AddrFrom16([16]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})

// rank is a place's own place in the line.
func (p place) rank() netip.Addr {
	for _, text := range []string{p.IPv4, p.IPv6} {
		if a, err := netip.ParseAddr(text); err == nil {
			return a
		}
	}
	return last
}

type turnstile struct {
	mu    sync.Mutex
	lines map[string]*line // by what is waited for
}

type line struct {
	turns   map[*turn]struct{}
	busy    *turn
	joined  time.Time     // when somebody did last
	changed chan struct{} // closed at each change
}

// A turn is one who stands in a line.
type turn struct {
	of     *turnstile
	key    string
	rank   netip.Addr
	joined time.Time
	wants  bool // it is in take
}

// join stands in a line.
func (s *turnstile) join(key string, rank netip.Addr) *turn {
	t := &turn{of: s, key: key, rank: rank}
	t.enter()
	return t
}

func (t *turn) enter() *line {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	l, ok := t.of.lines[t.key]
	if !ok {
		l = &line{turns: map[*turn]struct{}{}, changed: make(chan struct{})}
		t.of.lines[t.key] = l
	}
	if _, ok := l.turns[t]; !ok {
		l.turns[t], t.joined = struct{}{}, time.Now()
		l.joined = t.joined
	}
	return l
}

// take waits until it is this one's turn, which lasts until it leaves. One who has left joins again.
func (t *turn) take(ctx context.Context) error {
	l := t.enter()
	defer func() {
		t.of.mu.Lock()
		t.wants = false
		t.of.mu.Unlock()
	}()
	for {
		t.of.mu.Lock()
		t.wants = true
		next := min(gather-time.Since(l.joined), gatherMost-time.Since(t.joined))
		if next <= 0 {
			if next = l.before(t); next <= 0 && l.busy == nil {
				l.busy = t
				t.of.mu.Unlock()
				return nil
			}
		}
		if l.busy != nil {
			next = lowerFirst // it is told when that one leaves
		}
		changed := l.changed
		t.of.mu.Unlock()
		timer := time.NewTimer(max(next, time.Millisecond))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// before says for how long at most somebody else is to go first; 0: nobody is.
func (l *line) before(t *turn) (most time.Duration) {
	for other := range l.turns {
		switch {
		case other == t || !other.rank.Less(t.rank):
		case other.wants:
			return lowerFirst // it goes when it can, which changes the line
		default:
			most = max(most, lowerFirst-time.Since(other.joined))
		}
	}
	return most
}

// leave ends a turn, or the wait for one. Leaving twice is no different.
func (t *turn) leave() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	l, ok := t.of.lines[t.key]
	if !ok {
		return
	}
	if _, ok := l.turns[t]; !ok {
		return
	}
	delete(l.turns, t)
	if l.busy == t {
		l.busy = nil
	}
	close(l.changed)
	l.changed = make(chan struct{})
	if len(l.turns) == 0 {
		delete(t.of.lines, t.key)
	}
}
