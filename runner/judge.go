package runner

import (
	"slices"
	"time"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// A History is all that verdicts are computed from: the samples, and when each phase began and ended. A sample belongs to the
// phase in which its evaluation time lies, whenever its answer came.
type History struct {
	Start      time.Time
	FaultStart time.Time // the first injection; zero: never reached
	LastUndo   time.Time // zero: never reached
	End        time.Time // until when samples were taken, and their answers waited for
	// Every fault was verified, on every container.
	Injected bool
	// EndedEarly is why a fault stopped being in force before its time; empty: none did.
	EndedEarly string
	// HitNothing is why a fault that was in force tested nothing; empty: none did.
	HitNothing string
	// Unconfirmed is why nothing was injected where nobody confirmed a manual step in time; empty: that was not so.
	Unconfirmed string
	// Sham: nothing was to be injected.
	Sham bool
	// Stopped: the run was ended before its time.
	Stopped bool
	// NoRecovery: the scenario has a recovery of no length, so nothing is claimed for it.
	NoRecovery bool
	Usual      map[string]usual // by query id
	Samples    map[string][]journal.Sample
	// Deeds are when the faults took effect and were undone, as exactly as that was seen.
	Deeds deeds
}

// phase is the one in which a time lies.
func (h History) phase(at time.Time) journal.Phase {
	switch {
	case h.FaultStart.IsZero() || at.Before(h.FaultStart):
		return journal.Baseline
	case h.LastUndo.IsZero() || !at.After(h.LastUndo):
		return journal.Fault
	}
	return journal.Recovery
}

// window is the time of a phase; from is zero when it was never reached.
func (h History) window(p journal.Phase) (from, to time.Time) {
	first := func(times ...time.Time) time.Time {
		for _, t := range times {
			if !t.IsZero() {
				return t.UTC().Round(0)
			}
		}
		return time.Time{}
	}
	switch p {
	case journal.Baseline:
		return first(h.Start), first(h.FaultStart, h.End)
	case journal.Fault:
		return first(h.FaultStart), first(h.LastUndo, h.End)
	}
	return first(h.LastUndo), first(h.End)
}

// rank orders verdicts: the worst wins.
var rank = map[journal.Verdict]int{journal.Held: 0, journal.NotTested: 1, journal.Inconclusive: 2, journal.Refuted: 3}

// judge computes the verdict of one hypothesis. It is a pure function of the history: each rule below can make the verdict
// worse, none better, and the first of the worst reasons is kept.
func judge(q PlannedQuery, h History) *journal.HypothesisJudged {
	hy := q.Hypothesis
	j := &judging{view: look(q, h), hy: hy,
		v: &journal.HypothesisJudged{Hypothesis: hy.Name, QueryID: q.ID, Verdict: journal.Held, Reason: journal.ReasonHeld}}
	if h.FaultStart.IsZero() {
		j.v.Verdict, j.v.Reason = journal.NotTested, journal.ReasonGate
		switch {
		case h.Stopped:
			j.v.Reason = journal.ReasonStopped
		case h.Unconfirmed != "":
			j.v.Reason, j.v.Detail = journal.ReasonUnconfirmed, h.Unconfirmed
		}
		if slices.Contains(hy.Phases, scenarios.Phase(journal.Baseline)) {
			j.v.Phases = append(j.v.Phases, j.summary(journal.Baseline))
		}
		return j.v
	}
	for _, p := range hy.Phases {
		p := journal.Phase(p)
		if p == journal.Recovery && h.NoRecovery {
			continue
		}
		ph := j.summary(p)
		switch {
		case ph.From.IsZero():
			j.settle(journal.Inconclusive, journal.ReasonStopped, p, "")
			continue
		case p == journal.Baseline:
			j.baseline(&ph)
		case ph.Samples == 0 && h.Stopped:
			j.settle(journal.Inconclusive, journal.ReasonStopped, p, "")
		case ph.Samples == 0 && p == journal.Fault && h.EndedEarly != "":
			j.settle(journal.Inconclusive, journal.ReasonFaultEnded, p, h.EndedEarly) // so soon that nothing was sampled
		case ph.Samples == 0:
			j.settle(journal.Inconclusive, journal.ReasonNoData, p, "no sample fell into this phase")
		case p == journal.Recovery:
			j.v.HeldAgain = j.heldAgain()
			j.recovery(&ph)
		case hy.Within > 0:
			j.within(&ph)
		default:
			j.fault(&ph)
		}
		j.v.Phases = append(j.v.Phases, ph)
	}
	j.v.Margin = j.margin(j.v.HeldAgain)
	if h.Injected && !h.Sham {
		j.v.FirstViolation = j.firstViolation()
		j.v.RecoveredBeforeUndo = j.recoveredBeforeUndo()
	}
	switch v := j.v; {
	case h.Sham:
		v.Verdict, v.Reason, v.Phase, v.Detail = journal.NotTested, journal.ReasonSham, "", ""
	case !h.Injected:
		v.Verdict, v.Reason, v.Phase, v.Detail = journal.NotTested, journal.ReasonNotInjected, "", ""
	case h.EndedEarly != "":
		j.settle(journal.Inconclusive, journal.ReasonFaultEnded, journal.Fault, h.EndedEarly)
	case h.HitNothing != "":
		j.settle(journal.Inconclusive, journal.ReasonHitNothing, journal.Fault, h.HitNothing)
	case h.Stopped:
		j.settle(journal.Inconclusive, journal.ReasonStopped, "", "")
	}
	return j.v
}

// judging is a verdict in the making.
type judging struct {
	view
	hy *scenarios.Hypothesis
	v  *journal.HypothesisJudged
}

// settle makes the verdict worse, never better.
func (j *judging) settle(to journal.Verdict, why journal.Reason, p journal.Phase, detail string) {
	if rank[to] > rank[j.v.Verdict] {
		j.v.Verdict, j.v.Reason, j.v.Phase, j.v.Detail = to, why, p, detail
	}
}

// unseen settles that something was not seen which would have to be known.
func (j *judging) unseen(g journal.Stretch, p journal.Phase) {
	why := journal.ReasonNoData
	if j.broken(g) {
		why = journal.ReasonError
	}
	j.settle(journal.Inconclusive, why, p, g.Detail)
}

// baseline: every sample after the warm-up holds, and there are enough. The gate has seen to that, but for the samples between it
// and the first injection.
func (j *judging) baseline(ph *journal.PhaseJudged) {
	switch f := gateFailure(j.view); {
	case f == nil:
	case f.Reason == journal.ReasonViolated:
		j.settle(journal.Refuted, journal.ReasonViolated, ph.Phase, f.Detail)
	default:
		j.settle(journal.Inconclusive, f.Reason, ph.Phase, f.Detail)
	}
}

// fault: every sample counts. One violation, or one time without data, may last as long as tolerate.
func (j *judging) fault(ph *journal.PhaseJudged) {
	for i := range ph.Violations {
		st := &ph.Violations[i]
		switch {
		case j.hy.Tolerate == 0 || time.Duration(st.Length) > j.hy.Tolerate:
			why := journal.ReasonViolated
			if j.counted(*st) {
				why = journal.ReasonNoDataCounted
			}
			j.settle(journal.Refuted, why, ph.Phase, st.Detail)
		case time.Duration(st.AtMost) > j.hy.Tolerate:
			j.settle(journal.Inconclusive, journal.ReasonUncertain, ph.Phase, "")
		default:
			st.Tolerated = true
		}
	}
	for i := range ph.Gaps {
		st := &ph.Gaps[i]
		if st.Tolerated = time.Duration(st.AtMost) <= j.hy.Tolerate; !st.Tolerated {
			j.unseen(*st, ph.Phase)
		}
	}
	if ph.Good == 0 {
		// A phase no longer than what is tolerated.
		j.settle(journal.Inconclusive, journal.ReasonUncertain, ph.Phase, "it was not seen to hold in this phase")
	}
}

// within: the claim holds at least once, by then, counted from the start of the phase.
func (j *judging) within(ph *journal.PhaseJudged) {
	deadline := ph.From.Add(j.hy.Within)
	if ph.FirstGood != nil && !ph.FirstGood.After(deadline) {
		return
	}
	missing := slices.IndexFunc(ph.Gaps, func(g journal.Stretch) bool { return !g.First.After(deadline) })
	// Between the last sample that says no and the first that says yes it began to hold, perhaps in time.
	straddled := ph.FirstGood != nil && !slices.ContainsFunc(j.in(ph.Phase), func(s seen) bool {
		return s.State == journal.Violated && !s.At.Before(deadline) && s.At.Before(*ph.FirstGood)
	})
	switch {
	case missing >= 0:
		j.unseen(ph.Gaps[missing], ph.Phase)
	case ph.To.Before(deadline):
		j.settle(journal.Inconclusive, journal.ReasonUncertain, ph.Phase, "the phase ended before the time was over")
	case straddled:
		j.settle(journal.Inconclusive, journal.ReasonUncertain, ph.Phase, "")
	default:
		j.settle(journal.Refuted, journal.ReasonWithinMissed, ph.Phase, "")
	}
}

// recovery: the claim holds for good by the end, or by `within` after the last undo. What was not seen before it held for good
// makes only the time that it took uncertain.
func (j *judging) recovery(ph *journal.PhaseJudged) {
	again := j.v.HeldAgain
	for i := range ph.Gaps {
		ph.Gaps[i].Tolerated = again != nil && !ph.Gaps[i].Last.After(again.First)
	}
	last := journal.Stretch{First: ph.From}
	for _, st := range ph.Violations {
		if j.hy.Within > 0 && st.Last.After(ph.From.Add(j.hy.Within)) {
			j.settle(journal.Refuted, journal.ReasonNotRecovered, ph.Phase, st.Detail)
		}
		last = st
	}
	if again != nil {
		// The phase begins when the undo was seen: what is declared counts from there.
		if j.hy.Within > 0 && again.AtMost > 0 && again.First.Sub(ph.From) > j.hy.Within {
			j.settle(journal.Inconclusive, journal.ReasonUncertain, ph.Phase, "")
		}
		return
	}
	if n := len(ph.Gaps); n > 0 && (len(ph.Violations) == 0 || !ph.Gaps[n-1].First.Before(last.Last)) {
		j.unseen(ph.Gaps[n-1], ph.Phase)
		return
	}
	if j.h.Stopped {
		j.settle(journal.Inconclusive, journal.ReasonStopped, ph.Phase, "")
		return
	}
	j.settle(journal.Refuted, journal.ReasonNotRecovered, ph.Phase, last.Detail)
}
