package runner

import (
	"math"
	"slices"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// gate judges the baseline of every query: all samples after the warm-up must hold, and there must be at least minBaseline.
// It also returns what the baseline has shown of each.
func gate(queries []PlannedQuery, h History) (journal.BaselineJudged, map[string]usual) {
	out := journal.BaselineJudged{Passed: true}
	all := map[string]usual{}
	for _, q := range queries {
		u, rows := baselineOf(q, h)
		all[q.ID] = u
		out.Medians = append(out.Medians, rows...)
		h.Usual = all
		if f := gateFailure(look(q, h)); f != nil {
			out.Passed = false
			out.Failures = append(out.Failures, *f)
		}
	}
	return out, all
}

// gateFailure says what keeps the baseline of a query from passing; nil if nothing does. A hypothesis that is not judged in the
// baseline but compares with it needs a baseline all the same.
func gateFailure(v view) *journal.GateFailure {
	q := v.q
	samples := v.in(journal.Baseline)
	f := &journal.GateFailure{Name: q.Name(), QueryID: q.ID, Samples: len(samples), Needed: minBaseline}
	if q.Hypothesis != nil && !slices.Contains(q.Hypothesis.Phases, scenarios.Phase(journal.Baseline)) {
		if !q.condition().UsesBaseline() {
			return nil
		}
		samples = slices.DeleteFunc(samples, func(s seen) bool {
			return !slices.ContainsFunc(s.Series, func(v journal.SeriesValue) bool {
				return !math.IsNaN(float64(v.Value)) && !math.IsInf(float64(v.Value), 0)
			})
		})
		if f.Samples = len(samples); f.Samples >= minBaseline {
			return nil
		}
		f.Reason = journal.ReasonNoData
		return f
	}
	var bad []seen
	var absent *seen
	for i, s := range samples {
		switch s.State {
		case journal.Violated:
			bad = append(bad, s)
		case journal.NoData:
			absent = &samples[i]
		}
	}
	switch {
	case len(bad) > 0:
		f.Reason, f.Worst, f.Detail = journal.ReasonViolated, worstOf(q, bad), bad[len(bad)-1].Error
	case absent != nil && absent.broken:
		f.Reason, f.Detail = journal.ReasonError, absent.Error
	case absent != nil:
		f.Reason, f.Detail = journal.ReasonNoData, absent.Error
	case len(samples) < minBaseline:
		f.Reason = journal.ReasonNoData
	default:
		return nil
	}
	return f
}
