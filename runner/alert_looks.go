package runner

import (
	"fmt"
	"slices"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// A ruleLook is what a server's answers told of one rule while the run went on: what it recorded of its alerts says when they were
// pending or firing, and not whether it was able to evaluate the rule when they were not.
type ruleLook struct {
	evaluated []time.Time // in order; as many as the answers told
	failed    []metrics.FailedEvaluation
	active    []time.Time // answers that had the alert pending or firing
}

// looked keeps what one answer told, and tells what changed: between the evaluation that an earlier answer told of, and the one that
// this does.
func (a *serverAlerts) looked(rules []metrics.ServerRule, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range rules {
		l := a.looks[keyOf(r.AlertRule)]
		if l == nil {
			l = &ruleLook{}
			a.looks[keyOf(r.AlertRule)] = l
		}
		change := metrics.AlertChange{Rule: r.AlertRule, To: r.State, At: now, Labels: r.Oldest, Active: r.Active, Error: r.Error}
		if n := len(l.evaluated); !r.Evaluated.IsZero() && (n == 0 || r.Evaluated.After(l.evaluated[n-1])) {
			if change.At = r.Evaluated; n > 0 {
				change.After = l.evaluated[n-1]
			}
			l.evaluated = append(l.evaluated, r.Evaluated)
			if r.Error != "" {
				l.failed = append(l.failed, metrics.FailedEvaluation{At: r.Evaluated, Error: r.Error})
			}
		}
		if state := journal.AlertState(r.State); state == journal.AlertPending || state == journal.AlertFiring {
			l.active = append(l.active, now)
		}
		a.tell(change)
	}
}

// doubt says of each rule of a server why it may have seen nothing where it recorded nothing: evaluations that failed, times in which
// it was not seen to evaluate it, and alerts that it showed and did not record.
func (a *serverAlerts) doubt(h *alertHistory) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range h.replayed.Rules {
		r := &h.replayed.Rules[i]
		l := a.looks[keyOf(r.Rule)]
		if l == nil {
			l = &ruleLook{}
		}
		p := &r.Phases[0]
		for _, f := range l.failed {
			if !slices.ContainsFunc(p.Failed, func(x metrics.FailedEvaluation) bool { return x.At.Equal(f.At) }) {
				p.Failed = append(p.Failed, f)
			}
		}
		if r.Unseen == "" {
			r.Unseen = l.doubt(r.Rule.Interval, p.Spells, h)
		}
	}
}

func (l *ruleLook) doubt(interval time.Duration, recorded []metrics.Spell, h *alertHistory) string {
	begins := h.begins()
	shown := slices.IndexFunc(l.active, func(at time.Time) bool { return at.After(begins) })
	if shown >= 0 && !slices.ContainsFunc(recorded, func(s metrics.Spell) bool { return s.Resolved.IsZero() || s.Resolved.After(begins) }) {
		return fmt.Sprintf("the server showed the alert at %s, and recorded nothing of it", l.active[shown].UTC().Format("15:04:05.000 UTC"))
	}
	// It is asked every two seconds, and tells the last evaluation alone.
	most := max(interval*5/2, 5*alertsEvery)
	last := h.effect()
	for _, at := range append(slices.Clone(l.evaluated), h.End) {
		if at.After(h.End) {
			at = h.End
		}
		if at.Sub(last) > most {
			return fmt.Sprintf("the server was not seen to evaluate the rule for %s", at.Sub(last).Round(time.Millisecond))
		}
		if at.After(last) {
			last = at
		}
	}
	return ""
}
