package runner

import (
	"fmt"
	"slices"
	"time"

	"gameday/runner/journal"
)

// A liveQuery is what is known of a hypothesis or guardrail while the run goes on. Verdicts are not made of it but of the samples.
type liveQuery struct {
	state   journal.State
	at      time.Time // of the last sample that was looked at
	point   *journal.Point
	detail  string
	since   time.Time // the first sample of the present violation, or stretch that may trip the guardrail
	bad     bool      // in that stretch the condition was true at least once: it is not only blind
	refuted bool
	tripped bool
	blind   bool
	usual   usual
}

// recordSample writes a sample down and follows what it means.
func (r *Run) recordSample(q PlannedQuery, s journal.Sample) {
	warming := s.Phase == journal.Baseline && s.At.Before(r.start.Add(q.Lookback+firstScrape(q)))
	if warming && s.State != journal.Holding {
		s.State = journal.Waiting
	}
	r.mu.Lock()
	r.samples[q.ID] = append(r.samples[q.ID], s)
	r.mu.Unlock()
	if err := r.journal.Sample(q.ID, s); err != nil {
		r.keep(err)
		r.Stop(journal.UndoError, err.Error())
	}
	if warming {
		return
	}
	if q.Hypothesis != nil {
		r.followHypothesis(q, s)
	} else {
		r.followGuardrail(q, s)
	}
}

func (r *Run) followHypothesis(q PlannedQuery, s journal.Sample) {
	r.mu.Lock()
	l := r.live[q.ID]
	if !s.At.After(l.at) {
		r.mu.Unlock()
		return // a later sample was answered sooner
	}
	h := q.Hypothesis
	from, before := l.state, l.at
	l.at, l.state, l.detail, l.point = s.At, s.State, s.Error, worst(q, s)
	// A violation counts from its first sample in the fault phase on, and only as far as no sample in it is missing.
	counts := s.State == journal.Violated && !r.faultStart.IsZero() && !s.At.Before(r.faultStart) && (r.lastUndo.IsZero() || !s.At.After(r.lastUndo))
	refuted := false
	switch {
	case !counts:
		l.since = time.Time{}
	case l.since.IsZero() || s.At.Sub(before) > q.Every+q.Every/2:
		l.since = s.At
	}
	if counts && !r.plan.Sham && !l.refuted && h.Within == 0 && slices.Contains(h.Phases, "fault") && (h.Tolerate == 0 || s.At.Sub(l.since) > h.Tolerate) {
		l.refuted, refuted = true, true
	}
	p := l.point
	r.mu.Unlock()
	if from != s.State || refuted {
		ev := &journal.HypothesisState{Hypothesis: h.Name, QueryID: q.ID, Phase: s.Phase, From: from, To: s.State, Point: p, At: s.At,
			Detail: s.Error, Refuted: refuted}
		r.writeBy("prometheus", ev)
	}
}

func (r *Run) followGuardrail(q PlannedQuery, s journal.Sample) {
	r.mu.Lock()
	l := r.live[q.ID]
	g := q.Guardrail
	late := !s.At.After(l.at)
	if late && (g.For > 0 || s.State == journal.Holding) {
		r.mu.Unlock()
		return // a later sample was answered sooner; without `for` even a late one trips
	}
	if !late {
		l.at, l.state, l.detail, l.point = s.At, s.State, s.Error, worst(q, s)
	}
	trips := false
	if s.State == journal.Holding {
		l.since, l.bad = time.Time{}, false
	} else {
		if l.since.IsZero() || s.At.Before(l.since) {
			l.since = s.At
		}
		l.bad = l.bad || s.State == journal.Violated
		trips = s.At.Sub(l.since) >= g.For && !l.tripped && s.Phase != journal.Baseline
	}
	if trips {
		l.tripped, l.blind = true, !l.bad
	}
	ev := &journal.GuardrailState{Guardrail: g.Name, QueryID: q.ID, Phase: s.Phase, Tripped: true, Blind: l.blind, Point: worst(q, s), At: s.At,
		Since: l.since, Detail: s.Error}
	r.mu.Unlock()
	if !trips {
		return
	}
	r.writeBy("prometheus", ev)
	if s.Phase != journal.Fault {
		return // nothing is in force that could be undone
	}
	what := fmt.Sprintf("guardrail.%s tripped", g.Name)
	if ev.Blind {
		what = fmt.Sprintf("guardrail.%s had no data to guard with", g.Name)
	}
	r.Stop(journal.UndoGuardrail, what)
}

// sorted orders samples by their evaluation times, whatever the order in which the answers came.
func sorted(in []journal.Sample) []journal.Sample {
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(a, b journal.Sample) int { return a.At.Compare(b.At) })
	return out
}
