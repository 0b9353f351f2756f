package fake

import (
	"context"
	"fmt"
	"time"

	"gameday/inject/engine"
)

const (
	// statsEvery is how often a stream says what a container uses: more often than a real engine, for tests that wait for it.
	statsEvery = 50 * time.Millisecond
	// load is the share of a core that every process uses.
	load = 0.1
	// held is the memory that every process holds, in bytes.
	held = 8 << 20
)

// use is what a container's process has used.
type use struct {
	generation int // of the process
	cpu        time.Duration
	at         time.Time
}

// Quiet has no stream of Stats say anything from now on, as those of an engine that hangs, or has them go on.
func (f *Fake) Quiet(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quiet = on
}

// Stats streams what a container uses.
func (f *Fake) Stats(ctx context.Context, id string) (<-chan engine.Stats, error) {
	b, err := f.enterBox(ctx, "Stats", id)
	if err != nil {
		return nil, err
	}
	cut := f.cut
	f.mu.Unlock()
	out := make(chan engine.Stats, 1)
	send := func(s engine.Stats) {
		select {
		case out <- s:
		case <-ctx.Done():
		}
	}
	go func() {
		defer close(out)
		tick := time.NewTicker(statsEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-cut:
				send(engine.Stats{Read: time.Now().UTC(), Err: fmt.Errorf("follow what %s uses: %w", id, unreachable())})
				return
			case <-tick.C:
			}
			s, runs, there := f.measure(b)
			if !there {
				return
			}
			if runs {
				send(s)
			}
		}
	}()
	return out, nil
}

// measure says what a container uses now, if it runs, and whether there is such a container.
func (f *Fake) measure(b *box) (s engine.Stats, runs, there bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := b.c
	if f.boxes[c.ID] != b {
		return s, false, false
	}
	if f.quiet || !c.State.Running || c.State.Restarting {
		return s, false, true
	}
	now := time.Now().UTC()
	if b.use.at.IsZero() || b.use.generation != b.generation {
		b.use = use{generation: b.generation, at: now}
	}
	if !c.State.Paused {
		b.use.cpu += time.Duration(load * float64(now.Sub(b.use.at)))
	}
	b.use.at = now
	s = engine.Stats{
		Read:   now,
		CPU:    engine.CPUStats{Total: b.use.cpu, User: b.use.cpu / 2, System: b.use.cpu / 2},
		Memory: engine.MemoryStats{Usage: held, WorkingSet: held / 2, RSS: held / 2, Cache: held / 2, Limit: uint64(f.info.Memory)},
		Disk:   engine.DiskStats{Counted: true, CountedOps: true},
		Pids:   engine.PidsStats{Current: 1},
	}
	if c.Limits.Memory > 0 {
		s.Memory.Limit = uint64(c.Limits.Memory)
	}
	if c.Limits.PidsLimit > 0 {
		s.Pids.Limit = uint64(c.Limits.PidsLimit)
	}
	for _, n := range c.Networks {
		if n.IPv4 != "" {
			s.Networks = append(s.Networks, engine.InterfaceStats{Name: fmt.Sprint("eth", len(s.Networks))})
		}
	}
	return s, true, true
}
