package runner

import (
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// Where a server recorded nothing of an alert, that counts only if its answers leave no doubt.
func TestServerAlertsInDoubt(t *testing.T) {
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	rule := metrics.AlertRule{Alert: "A", Group: "g", File: "f", Expr: "up == 0", Interval: 2 * time.Second}
	every := func(from, to float64) (out []time.Time) {
		for s := from; s <= to; s += 2 {
			out = append(out, at(s))
		}
		return out
	}
	tests := map[string]struct {
		evaluated []time.Time
		state     map[int]metrics.AlertState // by number of the answer
		failed    map[int]string
		spells    []metrics.Spell
		want      string // in Unseen; empty: no doubt
		failures  int
	}{
		"evaluated throughout":       {evaluated: every(0, 60)},
		"never evaluated":            {want: "not seen to evaluate the rule for 40s"},
		"not while the fault lasted": {evaluated: append(every(0, 20), every(44, 60)...), want: "not seen to evaluate the rule for 24s"},
		"not until the end":          {evaluated: every(0, 40), want: "not seen to evaluate the rule for 20s"},
		"a short rest":               {evaluated: append(every(0, 30), every(38, 60)...)},
		"shown and not recorded":     {evaluated: every(0, 60), state: map[int]metrics.AlertState{15: "firing"}, want: "showed the alert at 10:00:30"},
		"shown before the fault":     {evaluated: every(0, 60), state: map[int]metrics.AlertState{5: "firing"}},
		"shown and recorded":         {evaluated: every(0, 60), state: map[int]metrics.AlertState{15: "firing"}, spells: []metrics.Spell{{Pending: at(29), Firing: at(29), Resolved: at(33)}}},
		"failed in the middle":       {evaluated: every(0, 60), failed: map[int]string{15: "many-to-many"}, failures: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := &serverAlerts{looks: map[ruleKey]*ruleLook{}, tell: func(metrics.AlertChange) {}}
			for i, e := range test.evaluated {
				r := metrics.ServerRule{AlertRule: rule, State: "inactive", Evaluated: e, Error: test.failed[i]}
				if s := test.state[i]; s != "" {
					r.State = s
				}
				w.looked([]metrics.ServerRule{r}, e)
				w.looked([]metrics.ServerRule{r}, e) // an answer that tells nothing new
			}
			h := &alertHistory{History: History{Start: start, FaultStart: at(20), LastUndo: at(50), End: at(60)}, by: journal.AlertServer,
				replayed: &metrics.Replayed{Phases: 1, Rules: []metrics.ReplayedRule{{Rule: rule, Phases: []metrics.RulePhase{{Spells: test.spells}}}}}}
			w.doubt(h)
			got := h.replayed.Rules[0]
			if (got.Unseen == "") != (test.want == "") || !strings.Contains(got.Unseen, test.want) {
				t.Errorf("%q, want %q in it", got.Unseen, test.want)
			}
			if n := len(got.Phases[0].Failed); n != test.failures {
				t.Errorf("%d failed evaluations, want %d", n, test.failures)
			}
		})
	}
}
