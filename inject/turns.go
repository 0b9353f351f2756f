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
	gather     = 20 * time.Millisecond // so that undos that begin together are all in the line before the first goes
	lowerFirst = 5 * time.Second       // for how long one that is not first waits for those before it to come
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
	changed chan struct{} // closed at each change
}

// A turn is one who stands in a line.
type turn struct {
	of     *turnstile
	key    string
	rank   netip.Addr
	joined time.Time
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
	}
	return l
}

// take waits until it is this one's turn, which lasts until it leaves. One who has left joins again.
func (t *turn) take(ctx context.Context) error {
	l := t.enter()
	for {
		t.of.mu.Lock()
		waited := time.Since(t.joined)
		next := gather
		if waited >= gather {
			next = lowerFirst
			if l.busy == nil && (waited >= lowerFirst || !l.before(t)) {
				l.busy = t
				t.of.mu.Unlock()
				return nil
			}
		}
		changed := l.changed
		t.of.mu.Unlock()
		timer := time.NewTimer(max(next-waited, time.Millisecond))
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

// before says whether somebody else is to go first.
func (l *line) before(t *turn) bool {
	for other := range l.turns {
		if other != t && other.rank.Less(t.rank) {
			return true
		}
	}
	return false
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
