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
	if e.Outcome == journal.OutcomeError {
		return // a record with a hole in it cannot say the same again
	}
	alerts := events[*journal.AlertJudged](e.rec)
	if len(events[*journal.HypothesisJudged](e.rec))+len(alerts) == 0 {
		return
	}
	ws, _, ds := runner.LoadForRun(filepath.Join(e.Dir, journal.ScenarioDir), e.rec, scenarios.Options{CheckQuery: runner.CheckQuery, CheckRules: runner.CheckRules})
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
	for _, a := range re.Alerts {
		if d := cmp.Diff(text(a.Then), text(a.Now)); d != "" {
			s.t.Errorf("alert %s, judged again (-then +now):\n%s\n%s", a.Name, d, story(e.rec))
		}
	}
	if src := e.rec.Started().Source; len(alerts) > 0 && src != nil && src.Type == "embedded" {
		s.replays(e, ws, ws.Scenarios[i], text)
	}
	if re.Now != re.Then {
		s.t.Errorf("judged again it came to %s (%s), and was %s\n%s", re.Now, re.Detail, re.Then, story(e.rec))
	}
}

// replays checks that a replay over the series that a run has saved says of its alerts what the run said.
func (s *stage) replays(e ending, ws *scenarios.Workspace, sc *scenarios.Scenario, text func(any) string) {
	s.t.Helper()
	re, err := runner.RejudgeAnew(s.t.Context(), e.rec, ws, sc, func() (metrics.Source, error) { return runner.RecordedSeries(e.Dir, e.rec) })
	if err != nil {
		s.t.Errorf("its alerts cannot be judged again: %v", err)
		return
	}
	for _, a := range re.Alerts {
		if d := cmp.Diff(text(a.Then), text(a.Now)); d != "" {
			s.t.Errorf("alert %s, replayed again (-then +now):\n%s\n%s", a.Name, d, story(e.rec))
		}
	}
	if d := cmp.Diff(text(events[*journal.AlertSeen](e.rec)), text(events[*journal.AlertSeen](re.Record()))); d != "" {
		s.t.Errorf("what alerts did, replayed again (-then +now):\n%s", d)
	}
}
