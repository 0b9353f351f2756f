package runner

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// A managerWatch asks the Alertmanager, where the scenario names one, which alerts have reached it. A nil one does nothing.
type managerWatch struct {
	manager *metrics.Alertmanager
	write   func(*journal.AlertRouted)

	mu     sync.Mutex
	routed map[string][]routedAlert // by alert: each time that one came for a receiver, unmuted, since the run began, in order
	silent []journal.AlertsUnanswered
}

// routedAlert says between which two answers an alert reached the Alertmanager, or was muted no more.
type routedAlert struct{ after, at time.Time }

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
	seen := map[string]metrics.Notification{}
	for {
		last = w.ask(ctx, last, seen)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ask notes what has changed at the Alertmanager since the last answer, and returns the time of this one.
func (w *managerWatch) ask(ctx context.Context, last time.Time, seen map[string]metrics.Notification) time.Time {
	asked := time.Now()
	list, err := w.manager.Active(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.unanswered(last, err)
		}
		return last
	}
	now := time.Now()
	there := map[string]metrics.Notification{}
	for _, n := range list {
		there[n.Key()] = n
		if before, known := seen[n.Key()]; known && before.Muted == n.Muted {
			continue
		}
		w.write(&journal.AlertRouted{Alert: n.Alert(), Labels: n.Labels, Receivers: n.Receivers, Muted: n.Muted, StartsAt: n.StartsAt.UTC(),
			After: last.UTC(), At: now.UTC()})
		w.mu.Lock()
		if !last.IsZero() && n.Muted == "" && len(n.Receivers) > 0 {
			w.routed[n.Alert()] = append(w.routed[n.Alert()], routedAlert{last, now})
		}
		w.mu.Unlock()
	}
	clear(seen)
	maps.Copy(seen, there)
	w.answered(now)
	return asked // what comes while it answers may not be in the answer
}

// unanswered notes that there was no answer since the last one.
func (w *managerWatch) unanswered(last time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.silent); n > 0 && w.silent[n-1].To.IsZero() {
		return
	}
	gap := journal.AlertsUnanswered{Why: err.Error()}
	if !last.IsZero() {
		gap.From = last.UTC()
	}
	w.silent = append(w.silent, gap)
}

// answered ends the time without an answer, if there was one.
func (w *managerWatch) answered(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.silent); n > 0 && w.silent[n-1].To.IsZero() {
		w.silent[n-1].To = now.UTC()
	}
}

// silences are the times without an answer.
func (w *managerWatch) silences() []journal.AlertsUnanswered {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.silent)
}

// delay is when after the effect an alert came to the Alertmanager for somebody; nil: it did not, or nobody was asked.
func (w *managerWatch) delay(alert string, effect time.Time) *journal.AlertDelay {
	if w == nil || effect.IsZero() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.routed[alert], func(t routedAlert) bool { return !t.at.Before(effect) })
	if i < 0 {
		return nil
	}
	t := w.routed[alert][i]
	return &journal.AlertDelay{AtLeast: journal.Duration(max(0, t.after.Sub(effect))), AtMost: journal.Duration(t.at.Sub(effect)), First: t.after.UTC(), Last: t.at.UTC()}
}
