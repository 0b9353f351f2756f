// Package guard is the dead man's switch of a run. It runs in a helper container beside the targets, which is also the lock of the
// engine, with the directory of the engine's socket and the run's directory mounted. When the runner is gone, or hangs, the guard
// undoes what the journal holds open, writes down in a file of its own that it did, and goes.
//
// It shares code with `gameday recover`, which does the same by hand, but imports little, so that it stays small.
package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/journal"
)

const (
	// Beat is how often the runner gives a sign of life.
	Beat = 250 * time.Millisecond
	// Hang is how long a runner may give no sign of life before the guard takes over.
	Hang = 3 * time.Second

	poll       = 100 * time.Millisecond // between two looks at the runner
	calm       = 30 * time.Second       // between two attempts at what could not be undone
	again      = time.Second            // before something is asked once more of an engine that is away
	sweepLimit = 30 * time.Second
	underWay   = 500 * time.Millisecond // for what the engine may take to make what it was asked for
)

// A Guard watches over one run.
type Guard struct {
	Run   string // its id
	Name  string // of the container that the guard runs in
	Dir   string // the run's directory, as it is mounted
	Tools inject.Tools
	Info  engine.Info
	Told  <-chan struct{} // somebody wants it to undo everything now
	Log   io.Writer       // gets a copy of each event, so that the engine's logs have it

	self    engine.Container
	witness *journal.Witness // nil: there is no journal
	beating *journal.Beat    // nil: the run's directory cannot be written to
	noting  sync.Mutex
	w       *journal.Writer // nil: the run's directory cannot be written to
	start   time.Time
	sees    bool // it has seen the runner's lock on the journal

	announced bool              // that it takes over, and why, is written down
	failed    map[string]string // by fault and container: why its last undo failed, as written down
	closed    map[string]bool   // by fault and container: undone without a journal to say so
}

// Watch watches over the run until there is nothing left to do. The container that the guard runs in is then gone: whoever runs
// Watch in one does not see it return. It returns early with an error when another guard watches over the run, or with that of ctx.
func (g *Guard) Watch(ctx context.Context) error {
	g.start, g.failed, g.closed = time.Now(), map[string]string{}, map[string]bool{}
	if err := g.lookAtSelf(ctx); err != nil {
		return err
	}
	if w, err := journal.OpenWitness(g.Dir); err == nil {
		g.witness = w
		defer w.Close()
	}
	w, earlier, err := journal.OpenGuard(g.Dir)
	switch {
	case errors.Is(err, journal.ErrBusy):
		return err
	case err != nil:
		fmt.Fprintf(g.Log, "the run's directory cannot be written to: %v\n", err)
	default:
		g.w = w
		defer w.Close()
	}
	for _, e := range earlier {
		if s, ok := e.Payload.(*journal.GuardState); ok && s.SeesLock {
			g.sees = true
		}
	}
	if s := journal.Fired(earlier); s != nil {
		g.announced = true
		return g.takeOver(ctx, s.Detail)
	}
	if len(earlier) == 0 {
		if err := g.awaitRunner(ctx); err != nil {
			return err
		}
	}
	if b, err := journal.OpenBeat(g.Dir, journal.GuardBeat); err == nil {
		g.beating = b
		defer b.Close()
	}
	_ = g.note(&journal.GuardState{Up: true, Container: g.self.ID, Engine: g.Info.ID, SeesLock: g.look()})
	why, err := g.untilGone(ctx, false)
	if err != nil {
		return err
	}
	return g.takeOver(ctx, why)
}

// lookAtSelf finds the container that the guard runs in. It waits for an engine that is away.
func (g *Guard) lookAtSelf(ctx context.Context) error {
	for {
		c, err := g.Tools.Engine.Container(ctx, g.Name)
		switch {
		case err == nil && c.Labels[engine.Label] != g.Run:
			return fmt.Errorf("the container %s is not the guard of %s", g.Name, g.Run)
		case err == nil:
			g.self = c
			return nil
		case errors.Is(err, engine.ErrNotFound):
			return err
		}
		if err := sleep(ctx, again); err != nil {
			return err
		}
	}
}

// look says whether the runner's lock on the journal is seen, now or earlier.
func (g *Guard) look() bool {
	g.gone()
	return g.sees
}

// gone says whether the runner is seen to be gone: the kernel takes its lock away, however it ends.
func (g *Guard) gone() bool {
	if g.witness == nil {
		return false
	}
	busy, err := g.witness.Busy()
	g.sees = g.sees || err == nil && busy
	return g.sees && err == nil && !busy
}

// blind says that the runner's end cannot be seen: there is no journal, or its lock is not seen from inside a container.
func (g *Guard) blind() bool { return g.witness == nil || !g.sees }

// awaitRunner waits until the runner is seen for the first time: by its lock, or, where locks are not seen from inside a
// container, by its signs of life. A runner that died before is as good as one that hangs.
func (g *Guard) awaitRunner(ctx context.Context) error {
	first, _ := journal.LastBeat(g.Dir, journal.RunnerBeat)
	for silent := time.Duration(0); silent < Hang && !g.look(); silent += poll {
		if now, err := journal.LastBeat(g.Dir, journal.RunnerBeat); err == nil && now != "" && now != first {
			return nil
		}
		if err := sleep(ctx, poll); err != nil {
			return err
		}
	}
	return nil
}

// untilGone waits for the end of the runner and says in words what happened to it. A runner that has hung once does so again
// only after it has given signs of life.
func (g *Guard) untilGone(ctx context.Context, hung bool) (why string, err error) {
	var silent, quiet time.Duration
	last, _ := journal.LastBeat(g.Dir, journal.RunnerBeat)
	for {
		if g.gone() {
			return "the runner had gone", nil
		}
		// Only time in which the guard itself was running counts: a machine that stood still has silenced both.
		beat, err := journal.LastBeat(g.Dir, journal.RunnerBeat)
		if err == nil && beat == last {
			silent += poll
		} else {
			last, silent, hung = beat, 0, false
		}
		if quiet += poll; quiet >= 5*poll && g.beating != nil {
			_ = g.beating.Beat()
			quiet = 0
		}
		if silent >= Hang && !hung {
			return fmt.Sprintf("the runner was not heard of for %s", Hang), nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-g.Told:
			return "the guard was told to undo everything", nil
		case <-time.After(poll):
		}
	}
}

// note writes one event down, on the disk before it returns, where that is possible.
func (g *Guard) note(p journal.Payload) error {
	g.noting.Lock()
	defer g.noting.Unlock()
	ev := journal.Event{Time: time.Now().UTC(), Offset: journal.Duration(time.Since(g.start)), Actor: "guard", Guard: true, Payload: p}
	err := errors.New("the run's directory cannot be written to")
	if g.w != nil {
		ev, err = g.w.Commit(p)
	}
	if line, merr := json.Marshal(ev); merr == nil {
		fmt.Fprintf(g.Log, "%s\n", line)
	}
	return err
}
