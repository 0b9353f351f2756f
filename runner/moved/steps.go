package moved

import (
	"maps"
	"math"
	"strings"
)

const (
	// stepRank is the most that a counter's step ranks: less than what has moved altogether.
	stepRank = 0.75
	// mostChance is the share of all steps for which chance may account. With more, none is told.
	mostChance = 0.75
)

// isStart says whether a metric is the time at which something started. All that such a time can say is that it is another one.
func isStart(metric string) bool { return strings.HasSuffix(metric, "_start_time_seconds") }

// Steps are what counters of few events did that stood still in the baseline or in the fault, and counted in the other.
type steps struct {
	groups map[string]*group // of those that counted in the fault
	since  map[string]bool   // their metrics
	before map[string]bool   // metrics of those that counted in the baseline: they say how often that happens by chance
}

func newSteps() steps {
	return steps{groups: map[string]*group{}, since: map[string]bool{}, before: map[string]bool{}}
}

// started says whether the time of a start has become another one.
func (c *Comparison) started(s *Series, out Movement) (Movement, bool) {
	b, stood := c.standing(s)
	f, ok := s.last(c.w.Fault)
	if !stood || !ok || f == b {
		return out, false
	}
	return c.step(s, out, b, f, 1), true
}

// stepped says whether a counter of events counted in the fault what it never did in the baseline.
func (c *Comparison) stepped(s *Series, out Movement, before, during view) (Movement, bool) {
	if !s.isCounter() || (before.mean > 0) == (during.mean > 0) || !s.whole() {
		return out, false
	}
	out.few = math.Abs(out.Delta) < apart
	if before.mean > 0 {
		if out.few {
			c.steps.before[s.Metric] = true
		}
		return out, false
	}
	b, stood := c.standing(s)
	f, ok := s.last(c.w.Fault)
	if !stood || !ok || f <= b { // it was reset, and what it had counted is lost
		return out, false
	}
	if out.few {
		c.steps.since[s.Metric] = true
	}
	return c.step(s, out, b, f, stepRank), true
}

// step tells a movement by the value that a series had at the end of each window.
func (c *Comparison) step(s *Series, out Movement, b, f, rank float64) Movement {
	out.By, out.Change = Step, Moved
	out.Delta, out.Size, out.Rank = math.Copysign(1, f-b), rank, rank
	out.Baseline.Level, out.Fault.Level = b, f
	if r, ok := s.last(c.settled); ok {
		if out.Recovery.Level, out.Change = r, Stayed; r == b {
			out.Change = Returned
		}
	}
	return out
}

// standing is the one value that a series has in the baseline, if it has only one.
func (c *Comparison) standing(s *Series) (v float64, stood bool) {
	from, to := s.between(c.w.Baseline)
	for _, x := range s.Values[from:to] {
		switch {
		case !finite(x):
		case stood && x != v:
			return 0, false
		default:
			v, stood = x, true
		}
	}
	return v, stood
}

// last is the last number that a series has in a window.
func (s *Series) last(w Window) (v float64, ok bool) {
	from, to := s.between(w)
	for i := to - 1; i >= from; i-- {
		if finite(s.Values[i]) {
			return s.Values[i], true
		}
	}
	return 0, false
}

// beside lays the steps of counters beside the other movements. What a counter does by chance it does in the baseline as well as in
// the fault, the more often the longer each is: those metrics that stepped in the baseline only say how many of those that stepped in
// the fault only did so by chance. A step ranks by the share that did not.
func (s *steps) beside(groups map[string]*group, w Windows) map[string]*group {
	baseline, fault, _ := w.Bins()
	chance := float64(without(s.before, s.since)) * float64(fault) / float64(baseline) / float64(max(without(s.since, s.before), 1))
	if len(s.groups) == 0 || chance > mostChance {
		return groups
	}
	out := maps.Clone(groups)
	for id, g := range s.groups {
		if metric, _, _ := strings.Cut(id, "\x00"); s.before[metric] || out[id] != nil {
			continue
		}
		one := *g
		one.best.Size *= 1 - chance
		one.best.Rank = one.best.Size
		out[id] = &one
	}
	return out
}

// without is how many of a are not in b.
func without(a, b map[string]bool) int {
	n := 0
	for x := range a {
		if !b[x] {
			n++
		}
	}
	return n
}
