package runner

import (
	"slices"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// What happens between two samples that follow each other and hold is not seen. Apart from that, the true instant lies between the
// limits that are given here: samples leave some uncertainty, and so do the calls that inject and undo.

// forGood is the first sample from which on all hold, to the end, none missed; and false if there is none.
func (v view) forGood() (first int, ok bool) {
	_, next := v.h.window(journal.Recovery)
	first = len(v.all)
	for i, s := range slices.Backward(v.all) {
		if s.State != journal.Holding || v.apart(s.At, next) {
			break
		}
		first, next = i, s.At
	}
	return first, first < len(v.all)
}

// heldAgain is the time from the last undo until the claim held for good: until the end, in every sample, none missed. Nil when
// it did not, or was not seen to.
func (v view) heldAgain() *journal.HeldAgain {
	first, ok := v.forGood()
	undo, _ := v.h.window(journal.Recovery)
	recovery := slices.IndexFunc(v.all, func(s seen) bool { return v.h.phase(s.At) == journal.Recovery })
	if !ok || recovery < 0 {
		return nil
	}
	gone := v.h.gone()
	a := &journal.HeldAgain{Undo: undo, First: v.all[max(first, recovery)].At, AtMost: journal.Duration(max(v.all[first].At.Sub(gone.earliest), 0))}
	for _, s := range v.all[:first] {
		if s.State == journal.Violated {
			a.AtLeast = journal.Duration(max(s.At.Sub(gone.latest), 0))
		}
	}
	return a
}

// firstViolation is the time from the first fault's effect until the claim was first seen violated in a phase in which it is
// judged. Nil when it was not, or did not hold right before the fault.
func (j *judging) firstViolation() *journal.FirstViolation {
	fault := slices.IndexFunc(j.all, func(s seen) bool { return j.h.phase(s.At) != journal.Baseline })
	if fault < 1 || j.all[fault-1].State != journal.Holding {
		return nil
	}
	before := j.all[fault-1].At
	after, unseen := before, false
	for _, s := range j.all[fault:] {
		unseen = unseen || s.State == journal.NoData || j.apart(before, s.At)
		before = s.At
		switch {
		case s.State == journal.Holding && !unseen:
			after = s.At
		case s.State == journal.Violated && slices.Contains(j.hy.Phases, scenarios.Phase(j.h.phase(s.At))):
			effect := j.h.effect()
			return &journal.FirstViolation{Effect: effect.latest.UTC().Round(0), After: after, First: s.At,
				AtLeast: journal.Duration(max(after.Sub(effect.latest), 0)), AtMost: journal.Duration(max(s.At.Sub(effect.earliest), 0))}
		}
	}
	return nil
}

// recoveredBeforeUndo says whether the claim, once violated, held for good while the faults were still in force. Nil when it did
// not, or when a fault had been lifted or had ended by then.
func (j *judging) recoveredBeforeUndo() *journal.RecoveredBeforeUndo {
	broken := j.v.FirstViolation
	first, ok := j.forGood()
	gone := j.h.gone()
	if broken == nil || !ok || j.h.LastUndo.IsZero() || j.h.EndedEarly != "" {
		return nil
	}
	again := j.all[first]
	if again.At.After(gone.earliest) || !broken.First.Before(again.At) {
		return nil
	}
	for _, u := range j.h.Deeds.undos {
		if u.earliest.Before(again.At) && u.latest.After(broken.After) {
			return nil
		}
	}
	last := broken.First
	for _, s := range j.all[:first] {
		if s.State == journal.Violated {
			last = s.At
		}
	}
	undo, _ := j.h.window(journal.Recovery)
	return &journal.RecoveredBeforeUndo{Undo: undo, First: again.At, AtLeast: journal.Duration(gone.earliest.Sub(again.At)),
		AtMost: journal.Duration(gone.latest.Sub(last))}
}
