package runner

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// An alertSource is where it is known from what alerting rules do: the embedded engine, or a server. That it has no answer is an
// error of its own, and is never taken for an alert at rest.
type alertSource interface {
	// by says how it is known.
	by() journal.AlertSource
	// rules are the alerting rules that there are, with their files under the names that the record has for them.
	rules(ctx context.Context) ([]metrics.AlertRule, error)
	// follow tells what changes until ctx ends.
	follow(ctx context.Context)
	// fill puts into a history what the alerts did in it.
	fill(ctx context.Context, h *alertHistory) error
}

// alertsOf is the source of a run's alerts. tell is told of what changes, from any goroutine. It asks nobody yet.
func alertsOf(src metrics.Source, s *scenarios.Source, claimed []string, tell func(metrics.AlertChange)) alertSource {
	if server, ok := src.(*metrics.Server); ok {
		return &serverAlerts{server: server, claimed: claimed, tell: tell, looks: map[ruleKey]*ruleLook{}}
	}
	engine := src.(*metrics.Embedded)
	engine.OnAlert(tell)
	return &engineAlerts{engine: engine, source: s}
}

// engineAlerts evaluates the scenario's own files of rules: live while the run goes on, and over the samples after it.
type engineAlerts struct {
	engine *metrics.Embedded
	source *scenarios.Source
}

func (*engineAlerts) by() journal.AlertSource { return journal.AlertReplay }

func (a *engineAlerts) rules(context.Context) ([]metrics.AlertRule, error) {
	return metrics.AlertRules(ruleFiles(a.source), a.source.EvaluationInterval)
}

// follow has nothing to ask: the engine tells by itself.
func (*engineAlerts) follow(context.Context) {}

func (a *engineAlerts) fill(ctx context.Context, h *alertHistory) (err error) {
	if h.replayed, err = a.engine.Replay(ctx, h.span(a.source.Interval)); err != nil {
		return err
	}
	h.gaps, err = a.engine.Gaps(ctx, h.Start, h.End, longestGap(a.source))
	return err
}

// longestGap is how long nothing may be scraped until a rule may have missed something.
func longestGap(s *scenarios.Source) time.Duration { return max(5*s.Interval, 5*time.Second) }

// serverAlerts asks a server, which evaluates its own rules, for their states, and after the run for what it recorded of them.
type serverAlerts struct {
	server  *metrics.Server
	claimed []string // alerts that are looked at in other phases than the server's own
	tell    func(metrics.AlertChange)

	mu    sync.Mutex
	looks map[ruleKey]*ruleLook
}

func (*serverAlerts) by() journal.AlertSource { return journal.AlertServer }

// states are the server's rules with how they are now.
func (a *serverAlerts) states(ctx context.Context) ([]metrics.ServerRule, error) {
	rules, err := a.server.Rules(ctx)
	for i := range rules {
		rules[i].File = filepath.Base(rules[i].File)
	}
	return rules, err
}

func (a *serverAlerts) rules(ctx context.Context) ([]metrics.AlertRule, error) {
	states, err := a.states(ctx)
	var out []metrics.AlertRule
	for _, s := range states {
		out = append(out, s.AlertRule)
	}
	return out, err
}

// follow asks every two seconds. What it was not told in time is found missing after the run, rule by rule.
func (a *serverAlerts) follow(ctx context.Context) {
	tick := time.NewTicker(alertsEvery)
	defer tick.Stop()
	for {
		if states, err := a.states(ctx); err == nil {
			a.looked(states, time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *serverAlerts) fill(ctx context.Context, h *alertHistory) error {
	states, err := a.states(ctx)
	if err != nil {
		return err
	}
	// Those of which something is claimed come first, and have time left for their other phases, however many rules there are.
	claimed := func(r metrics.ServerRule) bool { return slices.Contains(a.claimed, r.Alert) }
	slices.SortStableFunc(states, func(x, y metrics.ServerRule) int {
		switch {
		case claimed(x) == claimed(y):
			return 0
		case claimed(x):
			return -1
		}
		return 1
	})
	first, enough := context.WithTimeout(ctx, replayLimit*2/3)
	defer enough()
	if h.replayed, err = a.server.Recorded(first, states, h.span(0)); err != nil {
		return err
	}
	a.doubt(h)
	a.server.Replay(ctx, h.replayed, slices.DeleteFunc(states, func(r metrics.ServerRule) bool { return !claimed(r) }), h.Start, h.End)
	return nil
}
