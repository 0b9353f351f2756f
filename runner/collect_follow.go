package runner

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// News is what a follower hears of its container beside the stream: an event, or the status that a list shows.
type news struct {
	event  engine.Event
	status string
}

// A follower turns what the engine tells of one container into series, from when it is found until it is removed.
type follower struct {
	*collector
	id           string           // of the container; what follows is run's own
	c            engine.Container // as it was last looked at
	usage, state *metrics.Group
	news         chan news
	ready        chan struct{} // closed when there is something of it, or when there will be nothing

	looked  bool         // c is more than what the list shows
	stale   bool         // c is to be looked at again
	ooms    atomic.Int64 // counted as they come: nothing but their events tells of them
	exit    *int
	last    time.Time // of the last sample of its use, or its start; zero while it does not run
	silent  bool      // nothing was heard since last for so long that its series have ended
	trouble string    // why the stream broke
}

func newFollower(c *collector, x engine.Container) *follower {
	labels := seriesLabels(x)
	return &follower{collector: c, id: x.ID, c: x, usage: c.into.Group(labels), state: c.into.Group(labels), news: make(chan news, 64), ready: make(chan struct{})}
}

// run follows the container until ctx ends or it is removed. Then its series end.
func (f *follower) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	stats := make(chan engine.Stats)
	var pump sync.WaitGroup
	pump.Go(func() { f.listen(ctx, stats) })
	defer func() {
		if ctx.Err() != nil {
			f.closeGap() // the container is still there: its series do not end, they are watched no longer
		} else {
			f.end()
		}
		f.isReady()
		cancel()
		pump.Wait()
	}()
	if !f.look(ctx) {
		return
	}
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-f.news:
			if !f.hearNews(ctx, n) {
				return
			}
		case s := <-stats:
			f.use(s)
			continue // how it is has not changed
		case <-tick.C:
			if f.stale && !f.look(ctx) {
				return
			}
			f.watchSilence()
		}
		f.tellState()
	}
}

// listen hands on what the engine streams, and takes the stream up again when it breaks, until ctx ends or the container is gone.
func (f *follower) listen(ctx context.Context, out chan<- engine.Stats) {
	const soonest, latest = 200 * time.Millisecond, 5 * time.Second
	pause := soonest
	for {
		stream, err := f.engine.Stats(ctx, f.id)
		if errors.Is(err, engine.ErrNotFound) {
			return
		}
		if err != nil {
			stream = broken(err)
		}
		for s := range stream {
			if s.Err == nil {
				pause = soonest
			}
			select {
			case out <- s:
			case <-ctx.Done():
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			pause = min(2*pause, latest)
		}
	}
}

// broken is a stream that could not be opened.
func broken(err error) <-chan engine.Stats {
	c := make(chan engine.Stats, 1)
	c <- engine.Stats{Err: err}
	close(c)
	return c
}

// hearNews takes in what happened to the container, and says whether it is still there.
func (f *follower) hearNews(ctx context.Context, n news) bool {
	if n.event.Action == "" {
		return n.status != "gone" && (n.status == f.c.State.Status || f.look(ctx))
	}
	switch n.event.Action {
	case "destroy":
		return false
	case "oom":
		return true
	case "die":
		f.stops()
		if code, err := strconv.Atoi(n.event.Labels["exitCode"]); err == nil {
			f.exit = &code
		}
	}
	return f.look(ctx)
}

// look asks the engine how the container is, and says whether it is still there.
func (f *follower) look(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	c, err := f.engine.Container(limited, f.id)
	if errors.Is(err, engine.ErrNotFound) {
		return false
	}
	if f.stale = err != nil; f.stale {
		return true // the next tick tries again
	}
	f.hear()
	another := !c.State.StartedAt.Equal(f.c.State.StartedAt)
	f.c, f.looked = c, true
	switch {
	case !f.runs():
		f.stops()
		if !c.State.FinishedAt.IsZero() {
			f.exit = &c.State.ExitCode
		}
		f.tellState()
		f.isReady() // of its use there is nothing to wait for
	case f.last.IsZero(), another:
		f.last = time.Now()
	}
	return true
}

// runs says whether there is a process that uses anything.
func (f *follower) runs() bool { return f.c.State.Running && !f.c.State.Restarting }

// stops ends the series of what the container uses: it uses nothing any more.
func (f *follower) stops() {
	f.closeGap()
	f.last, f.silent = time.Time{}, false
	_ = f.usage.Append(time.Now()) // fails only where everything has ended
}

// use stores a sample of the container's use.
func (f *follower) use(s engine.Stats) {
	if s.Err != nil {
		f.trouble = s.Err.Error()
		return
	}
	f.hear()
	at := s.Read
	if !f.local {
		at = time.Now() // its clock may be another, and queries are asked by ours
	}
	switch {
	case !f.looked || !f.runs():
		f.stale = true // it runs again, or these are its last words
		return
	case at.Sub(f.last) < f.every-time.Second/2 && f.told():
		return // the engine tells more often than was asked for
	}
	f.closeGap()
	f.last, f.silent, f.trouble = at, false, ""
	_ = f.usage.Append(at, usageSamples(s, f.memory)...)
	if !f.told() {
		f.tellState()
		f.isReady()
	}
}

// watchSilence ends the series of what the container uses when nothing was heard of that for too long: the last value would count
// for another five minutes.
func (f *follower) watchSilence() {
	if f.runs() && !f.last.IsZero() && !f.silent && time.Since(f.last) > max(f.silence, 3*f.every) {
		f.silent = true
		_ = f.usage.Append(time.Now())
	}
}

// closeGap records that nothing was heard until now, if that was so.
func (f *follower) closeGap() {
	if !f.silent {
		return
	}
	why := f.trouble
	if why == "" {
		why = "the engine sent nothing"
	}
	f.gap(journal.ContainerGap{Container: journal.Ref{ID: f.c.ID, Name: f.c.Name}, From: f.last.UTC(), To: time.Now().UTC(), Detail: why})
}

// tellState stores how the container is, or that nobody knows.
func (f *follower) tellState() {
	switch {
	case f.deaf():
		_ = f.state.Append(time.Now())
	case f.looked:
		_ = f.state.Append(time.Now(), stateSamples(f.c, int(f.ooms.Load()), f.exit)...)
	}
}

// end ends all series of the container.
func (f *follower) end() {
	f.stops()
	_ = f.state.Append(time.Now())
}

func (f *follower) isReady() {
	if !f.told() {
		close(f.ready)
	}
}

// told says whether there was something of the container already.
func (f *follower) told() bool {
	select {
	case <-f.ready:
		return true
	default:
		return false
	}
}
