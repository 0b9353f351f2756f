package report

import (
	"testing"

	"gameday/runner/journal"
)

// Of a claim that has a time to hold again, the time is what it came near to, and no value.
func TestNearMissInTime(t *testing.T) {
	rec := heldRun(0.12)
	for _, e := range rec.Events {
		switch p := e.Payload.(type) {
		case *journal.Declared:
			p.Hypotheses[1].Within, p.Hypotheses[1].Phases = dur(20), []journal.Phase{journal.Baseline, journal.Recovery}
		case *journal.HypothesisJudged:
			if p.Hypothesis == "checkout_stays_quick" {
				p.HeldAgain = &journal.HeldAgain{Undo: at(undoAt), AtLeast: dur(6), AtMost: dur(7), First: at(undoAt + 7)}
			}
		}
	}
	says(t, rec, []string{"`checkout_stays_quick` held for good 6 to 7 s after the last undo, of the 20 s declared."}, []string{"| `checkout_stays_quick` | 0.1"})
}
