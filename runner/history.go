package runner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gameday/runner/journal"
)

// effect is when the first fault took effect.
func (h History) effect() limits {
	if h.Deeds.effect.latest.IsZero() {
		return limits{h.FaultStart, h.FaultStart}
	}
	return h.Deeds.effect
}

// gone is when the last fault was gone.
func (h History) gone() limits {
	l := limits{latest: h.LastUndo}
	for _, u := range h.Deeds.undos {
		if u.earliest.After(l.earliest) {
			l.earliest = u.earliest
		}
	}
	if l.earliest.IsZero() || l.earliest.After(l.latest) {
		l.earliest = l.latest
	}
	return l
}

// limits are those of an instant that was not seen itself.
type limits struct{ earliest, latest time.Time }

// deeds are what was done to the containers, taken from the record as it is written or read.
type deeds struct {
	effect limits // of the first fault; zero: none was seen to take effect
	undos  []limits
	called map[string]time.Time // by fault and container
	begun  map[string]time.Time // likewise: when it was seen to be in force
	// shortest is how long the fault was in force that was so for the shortest time on a container; zero: none was undone.
	shortest time.Duration
	undone   map[string]time.Time // likewise: when its undo began
}

// plain is a time as the record has it.
func plain(t time.Time) time.Time { return t.Round(0).UTC() }

func (d *deeds) take(e journal.Event) {
	if d.called == nil {
		d.called, d.undone, d.begun = map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}
	}
	switch p := e.Payload.(type) {
	case *journal.FaultInjected:
		d.called[p.Fault+"/"+p.Container.ID] = plain(p.Called)
	case *journal.FaultVerified:
		l := limits{d.called[p.Fault+"/"+p.Container.ID], plain(p.Effect)}
		if l.earliest.IsZero() || l.earliest.After(l.latest) {
			l.earliest = l.latest
		}
		if key := p.Fault + "/" + p.Container.ID; d.begun[key].IsZero() {
			d.begun[key] = l.latest
		}
		if d.effect.latest.IsZero() || l.earliest.Before(d.effect.earliest) {
			d.effect.earliest = l.earliest
		}
		if d.effect.latest.IsZero() || l.latest.Before(d.effect.latest) {
			d.effect.latest = l.latest
		}
	case *journal.UndoStarted:
		d.undone[p.Fault+"/"+p.Container.ID] = plain(e.Time)
	case *journal.UndoVerified:
		began, undone := d.undone[p.Fault+"/"+p.Container.ID]
		if !undone {
			return // nothing was done to it
		}
		l := limits{began, plain(p.At)}
		if l.earliest.After(l.latest) {
			l.earliest = l.latest
		}
		d.undos = append(d.undos, l)
		if from, verified := d.begun[p.Fault+"/"+p.Container.ID]; verified {
			if lasted := max(time.Millisecond, l.latest.Sub(from)); d.shortest == 0 || lasted < d.shortest {
				d.shortest = lasted
			}
		}
	}
}

// Recall rebuilds the history of a run from its record. The verdicts that are recorded carry the ends of the phases; where there
// is none, they are those of the events.
func Recall(rec *journal.Record) History {
	h := History{Injected: true, Sham: rec.Started().Sham, Usual: map[string]usual{}, Samples: map[string][]journal.Sample{}}
	var baseline, fault, recovery, undone, judged, last time.Time
	verdicts := slices.ContainsFunc(rec.Events, func(e journal.Event) bool {
		switch e.Payload.(type) {
		case *journal.HypothesisJudged, *journal.AlertJudged:
			return true
		}
		return false
	})
	declared := &journal.Declared{}
	first := func(t *time.Time, at time.Time) {
		if t.IsZero() {
			*t = at
		}
	}
	for _, e := range rec.Events {
		last = e.Time
		if e.Guard && verdicts {
			continue // the runner that judged did not know of it
		}
		h.Deeds.take(e)
		switch p := e.Payload.(type) {
		case *journal.Declared:
			h.NoRecovery = p.Recovery == 0
			declared = p
		case *journal.StepTimedOut:
			h.Unconfirmed = cmp.Or(h.Unconfirmed, declared.Refusal(p))
		case *journal.PhaseStarted:
			switch p.Phase {
			case journal.Baseline:
				if first(&baseline, e.Time); p.Zero != nil {
					baseline = *p.Zero
				}
			case journal.Fault:
				first(&fault, e.Time)
			case journal.Recovery:
				first(&recovery, e.Time)
			}
		case *journal.BaselineJudged:
			for id := range rec.Queries {
				h.Usual[id] = usual{medians: map[string]float64{}}
			}
			for _, m := range p.Medians {
				if h.Usual[m.QueryID].medians == nil {
					h.Usual[m.QueryID] = usual{medians: map[string]float64{}}
				}
				h.Usual[m.QueryID].medians[seriesKey(m.Labels)] = float64(m.Median)
			}
		case *journal.FaultNotInjected:
			h.Injected = h.Injected && h.Stopped // while the run was being ended, that was the reason
		case *journal.FaultEndedEarly:
			if h.EndedEarly == "" {
				h.EndedEarly = endedEarly(p)
			}
		case *journal.FaultHitNothing:
			if h.HitNothing == "" {
				h.HitNothing = hitNothing(p)
			}
		case *journal.UndoVerified:
			undone = p.At
		case *journal.Stopping:
			h.Stopped = h.Stopped || judged.IsZero()
		case *journal.HypothesisJudged:
			first(&judged, e.Time)
			h.remember(p)
		case *journal.AlertSeen:
			h.LastUndo, h.End = p.Undo, p.End
		case *journal.AlertJudged:
			first(&judged, e.Time)
		}
	}
	for id, q := range rec.Queries {
		h.Samples[id] = sorted(q.Samples)
	}
	first(&h.FaultStart, fault)
	h.Injected = h.Injected && !h.FaultStart.IsZero()
	if !h.FaultStart.IsZero() && len(journal.OpenIntents(rec.Events)) == 0 {
		first(&h.LastUndo, recovery)
		first(&h.LastUndo, undone)
	}
	if judged.IsZero() {
		// The runner did not come to its verdicts.
		h.Stopped = true
		judged = last
	}
	first(&h.Start, baseline)
	first(&h.End, h.lastDue(judged, rec))
	return h
}

func endedEarly(p *journal.FaultEndedEarly) string {
	return fmt.Sprintf("%s: %s", p.Container.Name, p.Reason)
}

func hitNothing(p *journal.FaultHitNothing) string {
	return fmt.Sprintf("fault.%s on %s: %s", p.Fault, p.Container.Name, p.Seen)
}

// remember takes the ends of the phases from a verdict.
func (h *History) remember(v *journal.HypothesisJudged) {
	reached := v.Reason != journal.ReasonGate && v.Reason != journal.ReasonUnconfirmed
	for _, p := range v.Phases {
		switch p.Phase {
		case journal.Baseline:
			h.Start = p.From
			switch {
			case reached && v.Verdict != journal.NotTested, v.Reason == journal.ReasonNotInjected:
				h.FaultStart = p.To
			case h.FaultStart.IsZero():
				h.End = p.To
			}
		case journal.Fault:
			h.FaultStart, h.LastUndo = p.From, p.To
		case journal.Recovery:
			h.LastUndo, h.End = p.From, p.To
		}
	}
}

// lastDue is until when samples were taken, as far as they tell: one interval after the last, or until the verdicts.
func (h *History) lastDue(judged time.Time, rec *journal.Record) time.Time {
	var last time.Time
	for id, samples := range h.Samples {
		if n := len(samples); n > 0 {
			if at := samples[n-1].At.Add(time.Duration(rec.Queries[id].Every)); at.After(last) {
				last = at
			}
		}
	}
	if last.IsZero() || judged.Before(last) {
		return judged
	}
	return last
}
