package report

import (
	"fmt"

	"gameday/runner/journal"
)

// A ComparedAlert is one alert in both runs, by its name: those that a scenario names, and those that left their rest.
type ComparedAlert struct {
	Name    string     `json:"name"`
	Changed []string   `json:"changed"` // what of the claim differs, by the words of the language
	First   *AlertSide `json:"first"`   // null: that run has nothing of it
	Second  *AlertSide `json:"second"`
	Worse   bool       `json:"worse"` // the claim held in the first run and does not in the second
}

// An AlertSide is what an alert did in one run, and what became of the claim about it.
type AlertSide struct {
	Verdict  *journal.Verdict    `json:"verdict"` // null: no block names it
	Reason   journal.AlertReason `json:"reason"`  // empty: it was not judged
	Phases   int                 `json:"phases"`  // evaluation phases that were looked at
	Fired    int                 `json:"fired"`   // of these, in how many it fired after the effect
	Pending  *journal.AlertDelay `json:"pending"`
	Firing   *journal.AlertDelay `json:"firing"`
	Resolved *journal.AlertDelay `json:"resolved"`
	Routed   *journal.AlertDelay `json:"routed"`
}

// compareAlerts lays what alerts did side by side.
func (c *Comparison) compareAlerts(a, b *facts) {
	for _, name := range union(a.alerts.all, b.alerts.all, nameOfAlert) {
		x, y := named(a.alerts.all, name, nameOfAlert), named(b.alerts.all, name, nameOfAlert)
		d := ComparedAlert{Name: name, Changed: []string{}, First: x.side(), Second: y.side()}
		if d.First == nil && d.Second == nil {
			continue
		}
		if x != nil && y != nil && x.claim != nil && y.claim != nil {
			if x.claim.Fires != y.claim.Fires {
				d.Changed = append(d.Changed, "fires")
			}
			if x.claim.Within != y.claim.Within {
				d.Changed = append(d.Changed, "within")
			}
		}
		if d.Worse = d.First.held() && !d.Second.held(); d.Worse {
			c.Worse = append(c.Worse, alertName(name))
		}
		c.Alerts = append(c.Alerts, d)
	}
}

func (x *alert) side() *AlertSide {
	if x == nil || x.claim == nil && x.judged == nil && x.seen == nil {
		return nil
	}
	s := &AlertSide{}
	if x.claim != nil || x.judged != nil {
		v := x.verdict
		s.Verdict = &v
	}
	if x.judged != nil {
		s.Reason = x.judged.p.Reason
	}
	if x.seen != nil {
		e := x.seen.p
		s.Phases, s.Fired, s.Pending, s.Firing, s.Resolved, s.Routed = len(e.Phases), e.Fired, e.Pending, e.Firing, e.Resolved, e.Routed
	}
	return s
}

func (s *AlertSide) held() bool {
	return s != nil && s.Verdict != nil && *s.Verdict == journal.Held
}

func alertName(name string) string { return "alert " + name }

func (d ComparedAlert) rows(line func(cells ...string)) {
	mark := ""
	if d.Worse {
		mark = "  ← held before"
	}
	line(alertName(d.Name), d.First.verdictText(), d.Second.verdictText()+mark)
	for _, row := range []struct {
		what  string
		delay func(*AlertSide) *journal.AlertDelay
	}{
		{"  pending", func(s *AlertSide) *journal.AlertDelay { return s.Pending }},
		{"  firing", func(s *AlertSide) *journal.AlertDelay { return s.Firing }},
		{"  resolved", func(s *AlertSide) *journal.AlertDelay { return s.Resolved }},
		{"  at the Alertmanager", func(s *AlertSide) *journal.AlertDelay { return s.Routed }},
	} {
		text := func(s *AlertSide) string {
			if s == nil || row.delay(s) == nil {
				return none
			}
			return limitsText(row.delay(s).AtLeast, row.delay(s).AtMost) + " after the effect"
		}
		if a, b := text(d.First), text(d.Second); a != none || b != none {
			line(row.what, a, b)
		}
	}
}

func (s *AlertSide) verdictText() string {
	switch {
	case s == nil:
		return "not in this run"
	case s.Verdict == nil:
		return fmt.Sprintf("fired in %d of %d phases, not claimed", s.Fired, s.Phases)
	case s.Reason == "":
		return string(*s.Verdict) + " (not judged)"
	case *s.Verdict == journal.Held:
		return string(*s.Verdict)
	}
	return fmt.Sprintf("%s (%s)", *s.Verdict, s.Reason)
}
