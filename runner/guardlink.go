package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

const (
	// guardLimit is how long a guard may take until it is up. Starting it costs the schedule nothing, as it is done in the baseline.
	guardLimit = 30 * time.Second
	// guardAway is how long a guard that its restart policy brings back, or the engine with it, may be away. Nothing is
	// injected meanwhile.
	guardAway = 15 * time.Second
	// guardLook is how often the guard's container is looked at while the guard is away.
	guardLook = time.Second
	// hungFor is how long the runner itself may have given no sign of life before it makes sure that its guard has not taken over.
	hungFor = guard.Hang / 2
	// guardReads is how long the guard may take to see a sign of life.
	guardReads = 500 * time.Millisecond
)

// A guardLink is the runner's end of what it has with its guard: it starts the guard, gives it signs of life, and ends the run when
// the guard is gone, or has taken over. A run without a guard has none; all methods do nothing then.
//
// A restart of the Docker daemon without live-restore ends the guard, and the targets with it; the guard's restart policy brings it
// back. The run goes on all the same: what the targets went through is in the record like any other outage, what was in force is
// undone at its time, and until the guard is back nothing is injected.
type guardLink struct {
	r       *Run
	id      string // of the guard's container
	dir     string // the run's
	beating *journal.Beat
	quit    chan struct{}
	wg      sync.WaitGroup
	up      chan struct{} // closed when the guard is up, or will not be

	mu      sync.Mutex
	failed  error     // why the guard is not up
	isUp    bool      // it was up once
	leaving bool      // the run lets go of its guard: nothing about it matters any more
	last    time.Time // of the last sign of life that was given
	size    int64     // of the guard's file when it was read last
	fired   string    // why the guard has taken over
	away    time.Time // since when the guard is not there; zero: it is
}

// beginGuard starts the guard. The run's record has begun.
func (r *Run) beginGuard(ctx context.Context) error {
	if !r.plan.Guard.Is() {
		why := "the run was started with --no-guard"
		switch {
		case r.plan.Sham:
			why = noGuardForSham
		case !r.plan.Guard.Possible:
			why += "; " + r.plan.Guard.Why
		}
		return r.write(&journal.GuardState{Detail: why})
	}
	beating, err := journal.OpenBeat(r.journal.Dir(), journal.RunnerBeat)
	if err != nil {
		return err
	}
	l := &guardLink{r: r, id: r.lock.id, dir: r.journal.Dir(), beating: beating, quit: make(chan struct{}), up: make(chan struct{}), last: time.Now()}
	r.guard.Store(l)
	l.wg.Go(l.beat)
	l.wg.Go(func() { l.start(ctx) })
	return nil
}

// beat gives signs of life until the link is closed, and looks at what the guard does.
func (l *guardLink) beat() {
	tick := time.NewTicker(guard.Beat)
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-tick.C:
			l.sign()
			l.watch()
		}
	}
}

// sign gives a sign of life and says for how long there was none.
func (l *guardLink) sign() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	silent := time.Since(l.last)
	// Where none can be given the guard takes over soon.
	if l.beating.Beat() == nil {
		l.last = time.Now()
	}
	return silent
}

// watch ends the run if its guard has taken over.
func (l *guardLink) watch() {
	if why := l.takenOver(); why != "" {
		l.r.Stop(journal.UndoGuard, why)
	}
}

// takenOver says in words why the guard has taken over; empty: it has not.
func (l *guardLink) takenOver() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fired != "" || l.leaving {
		return l.fired
	}
	fi, err := os.Stat(filepath.Join(l.dir, journal.GuardFile))
	if err != nil || fi.Size() == l.size {
		return ""
	}
	events, err := journal.GuardEvents(l.dir)
	if err != nil {
		return ""
	}
	l.size = fi.Size()
	if s := journal.Fired(events); s != nil {
		l.fired = "the guard has taken over: " + s.Detail
	}
	return l.fired
}

// start starts the guard and waits until it is up; then it looks after it. When the guard does not come up the run is ended:
// nothing has been injected yet.
func (l *guardLink) start(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, guardLimit)
	err := l.r.setup.Engine.Start(limit, l.id)
	if err == nil {
		err = l.awaitUp(limit)
	}
	cancel()
	l.mu.Lock()
	l.isUp, l.failed = err == nil, err
	leaving := l.leaving
	l.mu.Unlock()
	close(l.up)
	switch {
	case leaving, ctx.Err() != nil:
	case err != nil:
		l.r.Stop(journal.UndoError, fmt.Sprintf("the guard did not come up: %v; nothing is injected without one; %s", err, NoGuardHint))
	default:
		l.lookAfter(ctx)
	}
}

// awaitUp waits until the guard has written in the run's directory that it talks to the same engine.
func (l *guardLink) awaitUp(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		events, err := journal.GuardEvents(l.dir)
		if err != nil {
			return err
		}
		for _, e := range events {
			if s, ok := e.Payload.(*journal.GuardState); ok && s.Up {
				if s.Engine != l.r.setup.Info.ID {
					return fmt.Errorf("the socket at %s on the engine's host belongs to another engine", l.r.plan.Guard.socket)
				}
				return nil
			}
		}
		if n%25 == 24 {
			c, err := l.r.setup.Engine.Container(ctx, l.id)
			if err == nil && (c.RestartCount > 1 || !c.State.Running && !c.State.Restarting) {
				return fmt.Errorf("its container ends with exit code %d: %s", c.State.ExitCode, l.said(ctx))
			}
		}
		select {
		case <-l.quit:
			return errors.New("the run is over")
		case <-ctx.Done():
			return fmt.Errorf("it wrote nothing into the run's directory within %s, so the engine may run on another machine or see other directories than gameday does (%s)",
				guardLimit, l.said(context.WithoutCancel(ctx)))
		case <-tick.C:
		}
	}
}

// said is the last thing that the guard wrote to its logs.
func (l *guardLink) said(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := l.r.setup.Engine.Logs(ctx, l.id)
	out = bytes.TrimSpace(out)
	if err != nil || len(out) == 0 {
		return "it said nothing"
	}
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}

// awaitGuard waits until the guard is up and says whether it is. It is not asked before the baseline is over.
func (r *Run) awaitGuard() bool {
	l := r.guard.Load()
	if l == nil {
		return true
	}
	select {
	case <-l.up:
	case <-r.stopped.ch:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isUp
}

// lookAfter ends the run when the guard is gone for good: a run must not go on without what it promised.
func (l *guardLink) lookAfter(ctx context.Context) {
	tick := time.NewTicker(guard.Beat)
	defer tick.Stop()
	var life guard.Life
	down := 0 // looks in a row at which its container was seen not to run
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.quit:
			return
		case <-tick.C:
		}
		there := life.Seen(l.dir)
		l.mu.Lock()
		switch {
		case l.leaving:
			l.mu.Unlock()
			return
		case there:
			l.away = time.Time{}
		case l.away.IsZero():
			l.away = time.Now()
		}
		away := l.away
		l.mu.Unlock()
		if there {
			down = 0
			continue
		}
		why := l.lost(ctx, time.Since(away), &down)
		if why != "" {
			l.mu.Lock()
			leaving := l.leaving
			l.mu.Unlock()
			if !leaving {
				l.r.write(&journal.GuardState{Container: l.id, Detail: why})
				l.r.Stop(journal.UndoError, "the guard is gone: "+why)
			}
			return
		}
		select {
		case <-ctx.Done():
		case <-l.quit:
		case <-time.After(guardLook):
		}
	}
}

// lost says in words why a guard that is away does not come back; empty: it may.
func (l *guardLink) lost(ctx context.Context, away time.Duration, down *int) string {
	look, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := l.r.setup.Engine.Container(look, l.id)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return "somebody removed its container"
	case err != nil:
		*down = 0
		return "" // the engine is away, and so may be the guard; nothing is injected meanwhile
	case c.State.Paused:
		return "somebody paused its container"
	case !c.State.Running && !c.State.Restarting:
		// An engine that has just been started may be about to start it.
		if *down++; *down > 2 {
			return fmt.Sprintf("its container has ended (exit code %d), and nothing starts it again", c.State.ExitCode)
		}
		return ""
	case away > guardAway:
		return fmt.Sprintf("it gave no sign of life for %s", guardAway)
	}
	return ""
}

// permit says whether something may be injected now: the guard is there and has not taken over. It waits for a guard that is
// being started again.
func (l *guardLink) permit(ctx context.Context) error {
	if l == nil {
		return nil
	}
	if l.sign() > hungFor {
		// The guard may have been about to take over.
		select {
		case <-ctx.Done():
		case <-time.After(guardReads):
		}
	}
	for end := time.Now().Add(guardAway); ; {
		if why := l.takenOver(); why != "" {
			l.r.Stop(journal.UndoGuard, why)
			return errors.New(why)
		}
		l.mu.Lock()
		there := l.away.IsZero()
		l.mu.Unlock()
		if busy, err := journal.GuardBusy(l.dir); err == nil && busy && there {
			return nil
		}
		if time.Now().After(end) {
			why := fmt.Sprintf("the guard was away for more than %s when something was to be injected", guardAway)
			l.r.Stop(journal.UndoError, why)
			return errors.New(why)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// letGo says that the guard may go, and be seen to go: the run is over.
func (l *guardLink) letGo() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
}

// close gives no more signs of life. A guard that is still there takes over when the record is closed.
func (l *guardLink) close() {
	if l == nil {
		return
	}
	l.letGo()
	close(l.quit)
	l.wg.Wait()
	l.beating.Close()
	journal.RemoveBeats(l.dir)
}
