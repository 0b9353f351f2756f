package runner

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// compose makes the record of the run with the new verdicts in the place of its own.
func (re *rejudging) compose() {
	rec := &journal.Record{Name: re.rec.Name, Queries: map[string]*journal.Query{}, Damage: re.rec.Damage}
	for _, q := range re.plan.Queries {
		purpose := "hypothesis"
		if q.Guardrail != nil {
			purpose = "guardrail"
		}
		rec.Queries[q.ID] = &journal.Query{ID: q.ID, Purpose: purpose, Name: q.Name(), Text: q.Text, Every: journal.Duration(q.Every), Samples: re.h.Samples[q.ID]}
	}
	mark := &journal.Rejudged{File: re.plan.Workspace.Files[0].Name, Hash: hash(re.plan.Workspace.Files), Changes: slices.Clone(re.out.Changes), Notes: re.out.Notes}
	for _, h := range re.out.Hypotheses {
		for _, c := range h.Changes {
			mark.Changes = append(mark.Changes, fmt.Sprintf("hypothesis.%s: %s", h.Name, c))
		}
	}
	for _, g := range re.out.Guardrails {
		for _, c := range g.Changes {
			mark.Changes = append(mark.Changes, fmt.Sprintf("guardrail.%s: %s", g.Name, c))
		}
	}
	for _, a := range re.out.Alerts {
		for _, c := range a.Changes {
			mark.Changes = append(mark.Changes, fmt.Sprintf("alert.%s: %s", a.Name, c))
		}
	}
	last := re.rec.Events[len(re.rec.Events)-1]
	seq := 0
	for _, e := range re.rec.Events {
		if !e.Guard {
			seq = max(seq, e.Seq)
		}
	}
	add := func(e journal.Event, p journal.Payload) {
		e.Payload = p
		rec.Events = append(rec.Events, e)
	}
	appended := func(p journal.Payload) {
		seq++
		add(journal.Event{Seq: seq, Time: last.Time, Offset: last.Offset, Actor: "runner"}, p)
	}
	same := map[string]bool{}
	for _, h := range re.out.Hypotheses {
		same[h.Name] = len(h.Changes) == 0 && len(re.out.Changes) == 0
	}
	placed, placedAlerts := map[string]bool{}, map[string]bool{}
	for _, e := range re.rec.Events {
		switch p := e.Payload.(type) {
		case *journal.Declared:
			d := *p
			d.Hypotheses, d.Guardrails = declareQueries(re.plan.Queries)
			add(e, &d)
		case *journal.BaselineJudged:
			add(e, &re.gate)
		case *journal.HypothesisState:
			if same[p.Hypothesis] { // what was seen live of another claim is not so of this one
				x := *p
				x.QueryID = re.id(p.Hypothesis)
				add(e, &x)
			}
		case *journal.GuardrailState:
			if id := re.id(p.Guardrail); id != "" {
				x := *p
				x.QueryID = id
				add(e, &x)
			}
		case *journal.HypothesisJudged:
			if now := re.verdict(p.Hypothesis); now != nil {
				add(e, now)
				placed[p.Hypothesis] = true
			}
		case *journal.GuardrailJudged:
			if now := re.bounds(p.Guardrail); now != nil {
				add(e, now)
				placed[p.Guardrail] = true
			}
		case *journal.RunEnded:
			add(e, &journal.RunEnded{Outcome: re.out.Now, ExitCode: re.out.ExitCode, Detail: re.out.Detail})
		default:
			if now, keep := re.composeAlerts(p, placedAlerts); keep {
				for _, p := range now {
					add(e, p)
				}
			}
		}
	}
	for _, h := range re.out.Hypotheses {
		if h.Now != nil && !placed[h.Name] {
			appended(h.Now)
		}
	}
	for _, g := range re.out.Guardrails {
		if g.Now != nil && !placed[g.Name] {
			appended(g.Now)
		}
	}
	for _, p := range re.lateAlerts(placedAlerts) {
		appended(p)
	}
	appended(mark)
	re.out.record = rec
}

func (re *rejudging) id(name string) string {
	for _, q := range re.plan.Queries {
		if q.Name() == name {
			return q.ID
		}
	}
	return ""
}

func (re *rejudging) verdict(name string) *journal.HypothesisJudged {
	for _, h := range re.out.Hypotheses {
		if h.Name == name {
			return h.Now
		}
	}
	return nil
}

func (re *rejudging) bounds(name string) *journal.GuardrailJudged {
	for _, g := range re.out.Guardrails {
		if g.Name == name {
			return g.Now
		}
	}
	return nil
}

// RecordedSeries opens the series that an embedded engine scraped in a run.
func RecordedSeries(dir string, rec *journal.Record) (*metrics.Recorded, error) {
	src := rec.Started().Source
	switch {
	case src == nil:
		return nil, fmt.Errorf("the run asked for no numbers, so none are recorded")
	case src.Type != "embedded":
		return nil, fmt.Errorf("the run asked the Prometheus server %s, and no series are recorded of it, but only what the run's own queries returned (%s): to see one, write `gameday query %s %s`",
			cmp.Or(src.URL, src.Name), join(slices.Sorted(maps.Keys(rec.Queries))), journal.ShellWord(dir), firstQuery(rec))
	}
	interval, err := time.ParseDuration(src.Interval)
	if err != nil {
		interval = 0 // the engine's own
	}
	return metrics.OpenRecorded(metrics.RecordedConfig{Dir: filepath.Join(dir, journal.SamplesDir, journal.TSDBDir), Interval: interval})
}

func firstQuery(rec *journal.Record) string {
	ids := slices.Sorted(maps.Keys(rec.Queries))
	if len(ids) == 0 {
		return "Q1"
	}
	return ids[0]
}
