package runner

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// A watcher follows the engine's events for the containers in reach and tells the run what happened to them.
type watcher struct {
	engine engine.Engine
	run    string
	reach  map[string]string // id → name: targets, scraped containers and their neighbours
	target map[string]bool   // ids that a fault is planned for

	changed func(journal.TargetChanged)
	started func(id string) // a container in reach runs again, perhaps under another address, or no more; "" stands for any of them
	abort   func()          // somebody asks the run to stop
	lost    func(err error) // the events broke off; they are taken up again
	last    time.Time       // of the last event, by the engine's clock, or from when on they were listened to
	from    time.Time       // by the engine's clock: when the stream was opened
	hints   map[string][]chan struct{}
	mu      sync.Mutex
	calls   map[string]*doing // by id
}

// doing is what gameday itself does to a container: so many calls are under way, and the last has an after-effect until then.
type doing struct {
	calls        int
	since, until time.Time
}

// subscribe returns a channel that gets a hint whenever something happens to one of the containers.
func (w *watcher) subscribe(ids ...string) (hint <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hints == nil {
		w.hints = map[string][]chan struct{}{}
	}
	for _, id := range ids {
		w.hints[id] = append(w.hints[id], ch)
	}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, id := range ids {
			for i, c := range w.hints[id] {
				if c == ch {
					w.hints[id] = append(w.hints[id][:i:i], w.hints[id][i+1:]...)
					break
				}
			}
		}
	}
}

// acting marks what happens to a container as gameday's own doing until done is called, and a moment longer: the engine tells of
// it with a delay.
func (w *watcher) acting(id string) (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls = map[string]*doing{}
	}
	d := w.calls[id]
	if d == nil {
		d = &doing{since: time.Now()}
		w.calls[id] = d
	}
	d.calls++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		d.calls--
		d.until = time.Now().Add(300 * time.Millisecond)
	}
}

// ours says whether what happened to a container is gameday's own doing. Of what is told late, all counts as that which came between the
// first call and the end of the last.
func (w *watcher) ours(id string, at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.calls[id]
	switch {
	case d == nil:
		return false
	case at.Before(w.from):
		return at.After(d.since) && (d.calls > 0 || at.Before(d.until))
	}
	return d.calls > 0 || time.Now().Before(d.until)
}

// follow reads events until ctx ends, taking them up again when they break off. events is the stream already open. Of what happened
// in between, how everything is by now tells: but for a kill for want of memory, of which nothing else does.
func (w *watcher) follow(ctx context.Context, events <-chan engine.Event) {
	past := false // what comes now is from before the stream was taken up; the engine's clock may be set back at any time
	for {
		opened := time.Now()
		for ev := range events {
			if ev.Err != nil {
				if ctx.Err() == nil {
					w.lost(ev.Err)
				}
				continue
			}
			past = past && ev.Time.Before(w.from)
			if w.last = ev.Time; !past || ev.Action == "oom" {
				w.handle(ev)
			}
		}
		for {
			if ctx.Err() != nil {
				return
			}
			// A stream that breaks at once again and again must not be asked for without a pause.
			select {
			case <-ctx.Done():
				return
			case <-time.After(200*time.Millisecond - time.Since(opened)):
			}
			opened = time.Now()
			again, from, err := w.engine.Events(ctx, w.last)
			if err == nil {
				events, w.from, past = again, from, true
				// Whatever happened meanwhile was not seen.
				w.hintAll()
				w.started("")
				if all, err := w.engine.Containers(ctx); err == nil {
					w.lookForAbort(all)
				}
				break
			}
		}
	}
}

// lookForAbort finds a request to stop whose event was not seen.
func (w *watcher) lookForAbort(all []engine.Container) {
	for _, c := range all {
		if c.Labels[engine.Label] == w.run && c.Labels[engine.RoleLabel] == guard.RoleAbort {
			w.abort()
		}
	}
}

func (w *watcher) hintAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, chans := range w.hints {
		for _, ch := range chans {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
}

func (w *watcher) handle(ev engine.Event) {
	if ev.Action == "create" && ev.Labels[engine.Label] == w.run && ev.Labels[engine.RoleLabel] == guard.RoleAbort {
		w.abort()
		return
	}
	name, known := w.reach[ev.ID]
	if !known {
		return
	}
	change := ""
	switch ev.Action {
	case "die":
		change = "died"
		w.started(ev.ID)
	case "start":
		change = "started"
		w.started(ev.ID)
	case "pause":
		change = "paused"
	case "unpause":
		change = "unpaused"
	case "destroy":
		change = "removed"
	case "oom":
		change = "oom"
	default:
		if h, ok := strings.CutPrefix(ev.Action, "health_status: "); ok && (h == "healthy" || h == "unhealthy") {
			change = h
		}
	}
	if change != "" {
		tc := journal.TargetChanged{Container: journal.Ref{ID: ev.ID, Name: name}, Change: change, At: ev.Time.UTC(),
			Target: w.target[ev.ID], Ours: w.ours(ev.ID, ev.Time) && change != "healthy" && change != "unhealthy"}
		if code, err := strconv.Atoi(ev.Labels["exitCode"]); err == nil && change == "died" {
			tc.ExitCode = &code
		}
		w.changed(tc)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.hints[ev.ID] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// beginWatching opens the engine's event stream.
func (r *Run) beginWatching(ctx context.Context, wg *sync.WaitGroup) error {
	// The events first: what happens between the two is then in both.
	events, from, err := r.setup.Engine.Events(ctx, time.Time{})
	if err != nil {
		return err
	}
	all, err := r.setup.Engine.Containers(ctx)
	if err != nil {
		return err
	}
	r.watcher = &watcher{engine: r.setup.Engine, run: r.id, last: from, from: from, reach: r.reach(all), target: map[string]bool{},
		changed: func(tc journal.TargetChanged) { r.writeBy("container:"+tc.Container.Name, &tc) },
		started: func(id string) { wg.Go(func() { r.refreshEndpoints(ctx) }) },
		abort:   func() { r.Stop(journal.UndoInterrupted, "gameday abort") },
		lost:    func(err error) {},
	}
	for _, c := range r.plan.Containers() {
		r.watcher.target[c.ID] = true
	}
	r.watcher.lookForAbort(all)
	wg.Go(func() { r.watcher.follow(ctx, events) })
	return nil
}

// reach is every container whose changes belong into the record: the targets, and who shares a network or a compose project with one.
func (r *Run) reach(all []engine.Container) map[string]string {
	reach := map[string]string{}
	for _, t := range r.plan.Targets {
		for _, c := range t.Chosen {
			reach[c.ID] = c.Name
		}
	}
	_, neighbours := r.plan.near(all)
	for _, c := range neighbours {
		reach[c.ID] = c.Name
	}
	return reach
}
