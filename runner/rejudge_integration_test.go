package runner_test

import (
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/google/go-cmp/cmp"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// rejudges checks that a run judged again from its record alone, by the copy of its scenario that it holds, has exactly the
// verdicts that it had live, intervals and all. Every rehearsal of these tests is checked so.
func (s *stage) rejudges(e ending) {
	s.t.Helper()
	if len(events[*journal.HypothesisJudged](e.rec)) == 0 {
		return
	}
	ws, _, ds := runner.LoadForRun(filepath.Join(e.Dir, journal.ScenarioDir), e.rec, scenarios.Options{CheckQuery: runner.CheckQuery})
	if ds.HasErrors() {
		s.t.Errorf("its own scenario cannot be loaded: %v", ds)
		return
	}
	i := slices.IndexFunc(ws.Scenarios, func(sc *scenarios.Scenario) bool { return sc.Name == e.rec.Started().Scenario })
	re, err := runner.Rejudge(s.t.Context(), e.rec, ws, ws.Scenarios[i], func() (metrics.Source, error) {
		s.t.Error("its own queries were not found in the record")
		return runner.RecordedSeries(e.Dir, e.rec)
	})
	if err != nil {
		s.t.Errorf("it cannot be judged again: %v", err)
		return
	}
	text := func(v any) string {
		b, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			s.t.Fatal(err)
		}
		return string(b)
	}
	for _, h := range re.Hypotheses {
		if d := cmp.Diff(text(h.Then), text(h.Now)); d != "" {
			s.t.Errorf("%s, judged again (-then +now):\n%s\n%s", h.Name, d, story(e.rec))
		}
	}
	for _, g := range re.Guardrails {
		if d := cmp.Diff(text(g.Then), text(g.Now)); d != "" {
			s.t.Errorf("guardrail %s, judged again (-then +now):\n%s\n%s", g.Name, d, story(e.rec))
		}
	}
	if re.Now != re.Then {
		s.t.Errorf("judged again it came to %s (%s), and was %s\n%s", re.Now, re.Detail, re.Then, story(e.rec))
	}
}
