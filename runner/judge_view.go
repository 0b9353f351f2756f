package runner

import (
	"fmt"
	"slices"
	"time"

	"gameday/runner/journal"
)

// A view is what the samples of one query say, each held against the condition with what is known of the baseline.
type view struct {
	q   PlannedQuery
	h   History
	all []seen // in the order of their evaluation times; states are holding, violated or no data
}

// A seen is one sample as it counts.
type seen struct {
	journal.Sample
	broken bool // the condition could not be evaluated
}

// look evaluates all samples of a query. The history is left as it is.
func look(q PlannedQuery, h History) view {
	v := view{q: q, h: h}
	u := h.Usual[q.ID]
	for _, s := range sorted(h.Samples[q.ID]) {
		s.Series = slices.Clone(s.Series)
		err := hold(q, &s, u)
		if s.State == journal.Waiting {
			s.State, s.Error = journal.NoData, "the baseline is not known"
		}
		v.all = append(v.all, seen{s, err != nil})
	}
	if q.Hypothesis != nil {
		v.outdate(journal.Fault)
		v.outdate(journal.Recovery)
	}
	return v
}

// outdate makes what a phase shows missing data, if not all that is read was renewed in it: then it is from before. What one of several
// series violates, it violates: it need not be the one that is old.
func (v view) outdate(p journal.Phase) {
	from, _ := v.h.window(p)
	var newest time.Time
	for _, s := range v.all {
		if came := s.At.Add(-time.Duration(s.Age)); v.h.phase(s.At) == p && s.Age > 0 && came.After(newest) {
			newest = came
		}
	}
	if newest.IsZero() || newest.After(from) {
		return
	}
	for i := range v.all {
		s := &v.all[i]
		if v.h.phase(s.At) == p && s.Age != 0 && (s.State == journal.Holding || s.State == journal.Violated && len(s.Series) == 1) {
			s.State, s.Error = missing(v.q), fmt.Sprintf("what the query reads was not renewed in this phase: it is from %s before", journal.Duration(from.Sub(newest).Round(time.Millisecond)))
		}
	}
}

// in returns the samples of a phase that count: those of the baseline after the warm-up, and all of the others.
func (v view) in(p journal.Phase) []seen {
	ready := v.h.Start.Add(v.q.Lookback + firstScrape(v.q))
	var out []seen
	for _, s := range v.all {
		if v.h.phase(s.At) == p && (p != journal.Baseline || !s.At.Before(ready)) {
			out = append(out, s)
		}
	}
	return out
}

// summary counts the samples of a phase and lists what was not as claimed.
func (v view) summary(p journal.Phase) journal.PhaseJudged {
	ph := journal.PhaseJudged{Phase: p}
	ph.From, ph.To = v.h.window(p)
	samples := v.in(p)
	for _, s := range v.all {
		if v.h.phase(s.At) == p {
			ph.WarmUp++
		}
	}
	ph.Samples = len(samples)
	ph.WarmUp -= ph.Samples
	for _, s := range samples {
		switch s.State {
		case journal.Holding:
			ph.Good++
			if ph.FirstGood == nil {
				at := s.At
				ph.FirstGood = &at
			}
		case journal.Violated:
			ph.Bad++
		default:
			ph.Missing++
		}
	}
	ph.Worst = worstOf(v.q, samples)
	ph.Violations = v.stretches(samples, journal.Violated, ph.From, ph.To)
	ph.Gaps = append(v.stretches(samples, journal.NoData, ph.From, ph.To), v.missed(samples, ph.From, ph.To)...)
	slices.SortStableFunc(ph.Gaps, func(a, b journal.Stretch) int { return a.First.Compare(b.First) })
	return ph
}

// apart says whether a sample was due between two times that follow each other in the record. Evaluation times lie on a grid, so
// the next one is one interval away, or one was missed.
func (v view) apart(a, b time.Time) bool { return b.Sub(a) > v.q.Every+v.q.Every/2 }

// stretches lists the runs of samples in one state, without a missed one among them. A stretch is at least as long as from its
// first to its last sample.
func (v view) stretches(samples []seen, state journal.State, from, to time.Time) []journal.Stretch {
	var out []journal.Stretch
	for i := 0; i < len(samples); i++ {
		if samples[i].State != state {
			continue
		}
		j := i
		for j+1 < len(samples) && samples[j+1].State == state && !v.apart(samples[j].At, samples[j+1].At) {
			j++
		}
		st := journal.Stretch{First: samples[i].At, Last: samples[j].At, Detail: samples[i].Error}
		st.Length = journal.Duration(st.Last.Sub(st.First))
		st.Worst = worstOf(v.q, samples[i:j+1])
		between(&st, samples, from, to)
		out = append(out, st)
		i = j
	}
	return out
}

// between sets how long a stretch was at most: the time between the holding samples around it. What lies in between was not
// seen to hold.
func between(st *journal.Stretch, samples []seen, from, to time.Time) {
	after, before := from, to
	for _, s := range samples {
		if s.State != journal.Holding {
			continue
		}
		at := s.At
		if !at.After(st.First) {
			after, st.After = at, &at
		} else if !at.Before(st.Last) {
			before, st.Before = at, &at
			break
		}
	}
	st.AtMost = journal.Duration(before.Sub(after))
}

// missed lists the times of a phase at which a sample was due and none was taken: the machine slept, or the source was not asked.
func (v view) missed(samples []seen, from, to time.Time) []journal.Stretch {
	var out []journal.Stretch
	every := v.q.Every
	if every <= 0 || from.IsZero() {
		return nil
	}
	check := func(a, b time.Time) {
		if !v.apart(a, b) {
			return
		}
		first := a.Add(every)
		last := a.Add(max(b.Sub(a)-every/2, every).Truncate(every))
		if first.After(to) || last.Before(from) {
			return // the ones that were missed lie in another phase
		}
		if a.Before(from) {
			a = from
		}
		if b.After(to) {
			b = to
		}
		st := journal.Stretch{First: a, Last: b, Length: journal.Duration(b.Sub(a)), Detail: "no sample was taken"}
		between(&st, samples, from, to)
		out = append(out, st)
	}
	last := v.h.Start
	for _, s := range v.all {
		check(last, s.At)
		last = s.At
	}
	if _, end := v.h.window(journal.Recovery); !end.IsZero() {
		check(last, end)
	}
	return out
}

// any says whether a sample of a stretch is as asked.
func (v view) any(st journal.Stretch, met func(seen) bool) bool {
	return slices.ContainsFunc(v.all, func(s seen) bool { return !s.At.Before(st.First) && !s.At.After(st.Last) && met(s) })
}

// broken says whether the condition could not be evaluated in a stretch.
func (v view) broken(st journal.Stretch) bool {
	return v.any(st, func(s seen) bool { return s.broken })
}

// counted says whether a violation consists of missing data alone, which the file wants counted as one.
func (v view) counted(st journal.Stretch) bool {
	return !v.any(st, func(s seen) bool { return s.State == journal.Violated && s.Error == "" })
}
