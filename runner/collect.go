package runner

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

const (
	// mostWatched is how many containers are followed: each costs the engine a stream.
	mostWatched = 200
	// rescanEvery is how often all containers are listed: what was missed of the engine's events is found then, and so is a
	// container that was put into a network of the targets, of which no event tells.
	rescanEvery = 5 * time.Second
	// silence is how long nothing may be heard of a container that runs, until its series end. The engine tells once a second, and
	// every few seconds where it is very busy.
	silence = 10 * time.Second
	// unknownAfter is how long the engine may be silent altogether, until nobody knows any more how its containers are.
	unknownAfter = 3 * rescanEvery
	// lookLimit is how long an engine may take to answer one question of the collector.
	lookLimit = 5 * time.Second
)

// A collector records what the engine tells of containers, instrumented or not, as series: what each uses, once a second, and how it
// is. It follows the containers that are near when it begins, and those that come to be; it changes nothing, and no trouble of it
// concerns anybody else: where it hears nothing the series end.
type collector struct {
	engine                             engine.Engine
	local                              bool  // its clock is ours
	memory                             int64 // of its host
	into                               *metrics.Embedded
	every                              time.Duration
	silence, unknownAfter, rescanEvery time.Duration
	near                               func(all []engine.Container) (targets, neighbours []engine.Container)

	// What is found out is told to these, from any goroutine.
	watched func(journal.ContainersWatched)
	gap     func(journal.ContainerGap)

	heard  atomic.Int64  // when the engine last said anything, in nanoseconds
	listed chan struct{} // closed when the containers at the beginning are known

	mu        sync.Mutex
	followers map[string]*follower // by id
	gone      map[string]bool      // ids of those that have ended, which are not taken up again
	leftOut   int
}

func newCollector(e engine.Engine, info engine.Info, into *metrics.Embedded,
	near func([]engine.Container) (targets, neighbours []engine.Container),
) *collector {
	return &collector{engine: e, local: info.Local, memory: info.Memory, into: into, every: into.Info().Interval, near: near,
		silence: silence, unknownAfter: unknownAfter, rescanEvery: rescanEvery,
		watched: func(journal.ContainersWatched) {}, gap: func(journal.ContainerGap) {},
		listed: make(chan struct{}), followers: map[string]*follower{}, gone: map[string]bool{}}
}

// run collects until ctx ends.
func (c *collector) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	scan := time.NewTimer(0)
	defer scan.Stop()
	var events <-chan engine.Event
	var last time.Time // of the last event, by the engine's clock, or from when on they were listened to
	for {
		select {
		case <-ctx.Done():
			return
		case ev, open := <-events:
			switch {
			case !open:
				events = nil
				scan.Reset(200 * time.Millisecond) // not at once: it may break again and again
			case ev.Err == nil:
				c.hear()
				last = ev.Time
				if !c.tell(ev.ID, news{event: ev}) && (ev.Action == "create" || ev.Action == "start") {
					scan.Reset(50 * time.Millisecond) // somebody new; there may be more
				}
			}
		case <-scan.C:
			if events == nil {
				again, from, err := c.engine.Events(ctx, last)
				if err == nil { // otherwise the next scan tries again
					events = again
					if last.IsZero() {
						last = from
					}
				}
			}
			c.scan(ctx, &all)
			scan.Reset(c.rescanEvery)
		}
	}
}

func (c *collector) hear() { c.heard.Store(time.Now().UnixNano()) }

// deaf says that nothing was heard of the engine for so long that nobody knows how its containers are.
func (c *collector) deaf() bool { return time.Since(time.Unix(0, c.heard.Load())) > c.unknownAfter }

// tell hands news to the follower of a container, and says whether there is one.
func (c *collector) tell(id string, n news) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.followers[id]
	if f == nil {
		return c.gone[id]
	}
	if n.event.Action == "oom" {
		f.ooms.Add(1)
	}
	select {
	case f.news <- n:
	default: // it is busy with so much that it will look anyway
	}
	return true
}

// scan lists all containers, begins to follow those that are new, and tells the others how they are.
func (c *collector) scan(ctx context.Context, all *sync.WaitGroup) {
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	list, err := c.engine.Brief(limited, engine.Filter{})
	if err != nil {
		return // the series of those that nothing is heard of end by themselves
	}
	c.hear()
	targets, neighbours := c.near(list)
	found := journal.ContainersWatched{Targets: c.take(ctx, all, targets), Neighbours: c.take(ctx, all, neighbours)}
	c.mu.Lock()
	left := len(targets) + len(neighbours) - len(c.followers)
	if left > c.leftOut && len(c.followers) >= mostWatched {
		c.leftOut, found.LeftOut = left, left
	}
	c.mu.Unlock()
	if len(found.Targets)+len(found.Neighbours)+found.LeftOut > 0 {
		c.watched(found)
	}
	there := map[string]engine.Container{}
	for _, x := range list {
		there[x.ID] = x
	}
	c.mu.Lock()
	ids := make([]string, 0, len(c.followers))
	for id := range c.followers {
		ids = append(ids, id)
	}
	c.mu.Unlock()
	for _, id := range ids {
		x, ok := there[id]
		if !ok {
			x.State.Status = "gone"
		}
		c.tell(id, news{status: x.State.Status})
	}
	select {
	case <-c.listed:
	default:
		close(c.listed)
	}
}

// take begins to follow those that are not followed yet, as far as there is room.
func (c *collector) take(ctx context.Context, all *sync.WaitGroup, containers []engine.Container) (taken []journal.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range containers {
		if c.followers[x.ID] != nil || c.gone[x.ID] || len(c.followers) >= mostWatched {
			continue
		}
		f := newFollower(c, x)
		c.followers[x.ID] = f
		all.Go(func() {
			f.run(ctx)
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.followers, x.ID)
			c.gone[x.ID] = true
		})
		taken = append(taken, journal.Ref{ID: x.ID, Name: x.Name})
	}
	return taken
}

// await waits until there is a first sample of every container that was there at the beginning, or until ctx ends.
func (c *collector) await(ctx context.Context) {
	select {
	case <-c.listed:
	case <-ctx.Done():
		return
	}
	c.mu.Lock()
	var first []*follower
	for _, f := range c.followers {
		first = append(first, f)
	}
	c.mu.Unlock()
	for _, f := range first {
		select {
		case <-f.ready:
		case <-ctx.Done():
			return
		}
	}
}
