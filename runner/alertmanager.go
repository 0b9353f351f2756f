package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// A managerWatch asks the Alertmanager, where the scenario names one, which alerts have reached it. A nil one does nothing.
type managerWatch struct {
	manager *metrics.Alertmanager
	write   func(*journal.AlertNotified)

	mu     sync.Mutex
	told   map[string][]toldAlert // by alert: each that was seen since the run began, in order
	failed string                 // why it does not answer
}

// toldAlert says between which two answers an alert reached the Alertmanager.
type toldAlert struct{ after, at time.Time }

func (w *managerWatch) close() {
	if w != nil {
		w.manager.Close()
	}
}

// follow asks until ctx ends.
func (w *managerWatch) follow(ctx context.Context) {
	if w == nil {
		return
	}
	tick := time.NewTicker(alertsEvery)
	defer tick.Stop()
	var last time.Time // answer
	seen := map[string]bool{}
	for {
		last = w.ask(ctx, last, seen)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ask notes which alerts have reached the Alertmanager since the last answer, and returns the time of this one.
func (w *managerWatch) ask(ctx context.Context, last time.Time, seen map[string]bool) time.Time {
	list, err := w.manager.Active(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.mu.Lock()
			w.failed = err.Error()
			w.mu.Unlock()
		}
		return last
	}
	now := time.Now()
	there := map[string]bool{}
	for _, n := range list {
		there[n.Key()] = true
		if seen[n.Key()] {
			continue
		}
		w.write(&journal.AlertNotified{Alert: n.Alert(), Labels: n.Labels, Receivers: n.Receivers, Muted: n.Muted, StartsAt: n.StartsAt.UTC(),
			After: last.UTC(), At: now.UTC()})
		w.mu.Lock()
		if !last.IsZero() && n.Muted == "" && len(n.Receivers) > 0 {
			w.told[n.Alert()] = append(w.told[n.Alert()], toldAlert{last, now})
		}
		w.mu.Unlock()
	}
	clear(seen)
	for k := range there {
		seen[k] = true
	}
	w.mu.Lock()
	w.failed = ""
	w.mu.Unlock()
	return now
}

// unasked says why it did not answer when it was last asked; empty: it did.
func (w *managerWatch) unasked() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// delay is when after the effect an alert reached somebody; nil: it did not, or nobody was asked.
func (w *managerWatch) delay(alert string, effect time.Time) *journal.AlertDelay {
	if w == nil || effect.IsZero() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.told[alert], func(t toldAlert) bool { return !t.at.Before(effect) })
	if i < 0 {
		return nil
	}
	t := w.told[alert][i]
	return &journal.AlertDelay{AtLeast: journal.Duration(max(0, t.after.Sub(effect))), AtMost: journal.Duration(t.at.Sub(effect)), First: t.after.UTC(), Last: t.at.UTC()}
}
