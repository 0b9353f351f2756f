package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

const (
	// sourceLimit is how long a source may take to show that it is there.
	sourceLimit = 20 * time.Second
	// defaultTimeout is how long a query may take where the scenario does not say.
	defaultTimeout = 10 * time.Second
)

// beginNumbers opens the source of the numbers, if the scenario asks for any.
func (r *Run) beginNumbers(ctx context.Context) error {
	sc := r.plan.Scenario
	if sc.Source == nil || len(r.plan.Queries) == 0 && !r.plan.watchesAlerts() {
		return nil
	}
	src, err := openSource(sc.Source, r.plan.targets(), r.setup.Info, r.Dir())
	if err != nil {
		return err
	}
	alerts := r.watchAlerts(src)
	r.mu.Lock()
	r.alerts = alerts
	r.mu.Unlock()
	if sc.Source.URL != "" {
		src = r.watchSource(src)
	}
	r.source = src
	ctx, cancel := r.untilStopped(ctx)
	defer cancel()
	limit, cancelLimit := context.WithTimeout(ctx, sourceLimit)
	defer cancelLimit()
	if err := src.Start(limit); err != nil {
		return fmt.Errorf("prometheus %q: %w", sc.Source.Name, err)
	}
	r.alerts.askRules(limit)
	return nil
}

// beginCollecting begins to record what the engine tells of the targets and their neighbours.
func (r *Run) beginCollecting(ctx context.Context, wg *sync.WaitGroup) {
	emb, ok := r.source.(*metrics.Embedded)
	if !ok {
		return
	}
	c := newCollector(r.setup.Engine, r.setup.Info, emb, r.plan.near)
	c.watched = func(w journal.ContainersWatched) { r.write(&w) }
	c.gap = func(g journal.ContainerGap) { r.writeBy("container:"+g.Container.Name, &g) }
	r.collector = c
	wg.Go(func() { c.run(ctx) })
}

// awaitFirstScrape waits until every endpoint has been scraped once, whether it answered or not, and every container of which a
// query may ask has been heard of, so that the warm-up counts from there.
func (r *Run) awaitFirstScrape(ctx context.Context) {
	if emb, ok := r.source.(*metrics.Embedded); ok {
		ctx, cancel := r.untilStopped(ctx)
		defer cancel()
		awaitFirstScrape(ctx, emb, r.plan.Scenario.Source, r.plan.asksFor(r.collector))
	}
}

// beginSampling starts the run's clock and asks every query at its rate from now on.
func (r *Run) beginSampling(ctx context.Context, wg *sync.WaitGroup) {
	r.start = time.Now()
	if r.source == nil {
		return
	}
	timeout := r.plan.Scenario.Source.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	r.sampler = &sampler{src: r.source, began: r.start, phase: r.currentPhase, record: r.recordSample, timeout: timeout, asked: map[string][]time.Time{}}
	for _, q := range r.plan.Queries {
		wg.Go(func() { r.sampler.run(ctx, q) })
	}
	wg.Go(func() { r.alerts.follow(ctx) })
}

func (r *Run) endNumbers() {
	if r.source == nil {
		return
	}
	r.alerts.close()
	if err := r.source.Close(); err != nil {
		r.keep(fmt.Errorf("the scraped series could not be saved: %w", err))
	}
}

// settleSamples waits for the answers to what was asked until now, or for the end of the run.
func (r *Run) settleSamples(now time.Time) {
	if r.sampler == nil {
		return
	}
	ctx, cancel := r.untilStopped(context.Background())
	defer cancel()
	ctx, cancelLimit := context.WithTimeout(ctx, r.sampler.timeout+time.Second)
	defer cancelLimit()
	r.sampler.answered(ctx, now)
}

func (r *Run) refreshEndpoints(ctx context.Context) {
	emb, ok := r.source.(*metrics.Embedded)
	if !ok {
		return
	}
	r.refreshing.Lock() // the last one to look sees the newest
	defer r.refreshing.Unlock()
	targets := map[string]Resolved{}
	for name, t := range r.plan.targets() {
		now := make([]engine.Container, 0, len(t.Chosen))
		for _, c := range t.Chosen {
			switch fresh, err := r.setup.Engine.Container(ctx, c.ID); {
			case err == nil && len(fresh.Networks) > 0:
				c = fresh
			case errors.Is(err, engine.ErrNotFound):
				c.Networks, c.Ports = nil, nil
			}
			now = append(now, c)
		}
		t.Chosen = now
		targets[name] = t
	}
	for i := range r.plan.Scenario.Source.Scrapes {
		sc := &r.plan.Scenario.Source.Scrapes[i]
		if eps, err := endpoints(sc, targets, r.setup.Info); err == nil {
			emb.SetEndpoints(sc.Job, eps)
		}
	}
	for i := range r.plan.Scenario.Source.Probes {
		p := &r.plan.Scenario.Source.Probes[i]
		emb.SetEndpoints(p.Job, probed(p, targets, r.setup.Info))
	}
}

// A watchedSource writes down when a server stops answering and when it begins to again.
type watchedSource struct {
	metrics.Source
	changed func(up bool, detail string)

	mu      sync.Mutex
	failing map[string]bool      // by query; a server is down when no query has an answer
	latest  map[string]time.Time // by query: the evaluation time of the last one that counted
	down    bool
}

func (r *Run) watchSource(src metrics.Source) *watchedSource {
	w := &watchedSource{Source: src, failing: map[string]bool{}, latest: map[string]time.Time{}}
	for _, q := range r.plan.Queries {
		w.failing[q.Text] = false
	}
	w.changed = func(up bool, detail string) { r.writeBy("prometheus", &journal.SourceState{Up: up, Detail: detail}) }
	return w
}

// Query asks the server and notes whether it answers.
func (w *watchedSource) Query(ctx context.Context, query string, at time.Time) (metrics.Result, error) {
	res, err := w.Source.Query(ctx, query, at)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ours := w.failing[query]; !ours || at.Before(w.latest[query]) {
		return res, err // a later question had its answer sooner
	}
	w.failing[query], w.latest[query] = err != nil, at
	down := true
	for _, f := range w.failing {
		down = down && f
	}
	if down == w.down {
		return res, err
	}
	w.down = down
	if down {
		w.changed(false, err.Error())
	} else {
		w.changed(true, "")
	}
	return res, err
}
