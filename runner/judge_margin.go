package runner

import (
	"math"

	"gameday/runner/journal"
)

// distance is how far a value is on the right side of its bound; negative beyond it. For a guardrail the right side is the one
// on which it does not trip.
func distance(v *journal.SeriesValue) (float64, bool) {
	if v.Bound == nil || math.IsNaN(float64(v.Value)) {
		return 0, false
	}
	d := float64(*v.Bound) - float64(v.Value)
	switch v.Op {
	case "<", "<=":
	case ">", ">=":
		d = -d
	default:
		return 0, false
	}
	// What the condition itself says decides on which side the value is: a guardrail's is true on the wrong one.
	if d = math.Abs(d); !v.OK && d != 0 {
		d = -d
	}
	return d, !math.IsNaN(d)
}

// worse says whether a is further from what is claimed than b: not as claimed at all, or nearer to the bound, or further
// beyond it.
func worse(a, b *journal.SeriesValue) bool {
	if a.OK != b.OK {
		return !a.OK
	}
	da, oka := distance(a)
	db, okb := distance(b)
	return oka && okb && da < db
}

// deciding is the series of a sample on which its state hangs: the worst, or with match = "any" the best. Nil without data.
func deciding(q PlannedQuery, s journal.Sample) *journal.SeriesValue {
	any := q.Hypothesis != nil && q.Hypothesis.MatchAny
	var out *journal.SeriesValue
	for i := range s.Series {
		v := &s.Series[i]
		if math.IsNaN(float64(v.Value)) {
			continue
		}
		if out == nil || !any && worse(v, out) || any && worse(out, v) {
			out = v
		}
	}
	return out
}

// worst is the deciding series of one sample as a point.
func worst(q PlannedQuery, s journal.Sample) *journal.Point {
	if v := deciding(q, s); v != nil {
		p := point(s, v)
		return &p
	}
	return nil
}

// worstOf is the worst of several samples. The first of equals is kept.
func worstOf(q PlannedQuery, samples []seen) *journal.Point {
	var out *journal.SeriesValue
	var at journal.Sample
	for _, s := range samples {
		if v := deciding(q, s.Sample); v != nil && (out == nil || worse(v, out)) {
			out, at = v, s.Sample
		}
	}
	if out == nil {
		return nil
	}
	p := point(at, out)
	return &p
}

func point(s journal.Sample, v *journal.SeriesValue) journal.Point {
	return journal.Point{At: s.At, Value: v.Value, Labels: v.Labels, Op: v.Op, Bound: v.Bound}
}

// margin is the closest approach to the bound while it counted: in the fault phase, and in the recovery from when the claim held
// for good. With "within", the fault phase has nothing to say about a claim that came true in time: what was before did not count.
func (j *judging) margin(again *journal.HeldAgain) *journal.Margin {
	var best *journal.Margin
	for _, p := range j.hy.Phases {
		for _, s := range j.in(journal.Phase(p)) {
			switch {
			case p == "baseline", p == "recovery" && (again == nil || s.At.Before(again.First)):
			case p == "fault" && j.hy.Within > 0 && j.v.Verdict == journal.Held:
			default:
				best = closer(best, j.q, s.Sample)
			}
		}
	}
	return best
}

// closer returns the margin of a sample if it is smaller than the best so far.
func closer(best *journal.Margin, q PlannedQuery, s journal.Sample) *journal.Margin {
	v := deciding(q, s)
	if v == nil {
		return best
	}
	d, ok := distance(v)
	if !ok || best != nil && d >= float64(best.Distance) {
		return best
	}
	m := &journal.Margin{Point: point(s, v), Distance: journal.Number(d)}
	if b := math.Abs(float64(*v.Bound)); b > 0 && !math.IsInf(b, 0) {
		share := journal.Number(d / b)
		m.Share = &share
	}
	return m
}

// judgeGuardrail sums up what a guardrail saw in the fault phase, where it guards.
func judgeGuardrail(q PlannedQuery, h History, tripped, blind bool) *journal.GuardrailJudged {
	g := &journal.GuardrailJudged{Guardrail: q.Guardrail.Name, QueryID: q.ID, Tripped: tripped, Blind: blind}
	if h.FaultStart.IsZero() {
		return g
	}
	for _, s := range look(q, h).in(journal.Fault) {
		g.Samples++
		if s.Error != "" {
			g.Missing++
		}
		g.Closest = closer(g.Closest, q, s.Sample)
	}
	return g
}
