package report

import (
	"path/filepath"
	"slices"

	"gameday/runner/journal"
)

// prove closes an open follow-up whose proof has held since, unless a run after that one did not hold: then it is open again, by that run.
func (f *FollowUp) prove(runs *proofRuns) {
	if f.State != FollowUpOpen || f.Proof == "" {
		return
	}
	newest := runs.newest(f.Proof)
	if newest.run <= f.Run {
		return
	}
	if f.By, f.ByWas = newest.run, newest.was; newest.was == journal.OutcomeHeld {
		f.State = FollowUpProven
	}
}

// proofRuns finds the newest run of a scenario that decides what the scenario is the proof of. It reads no more than it is asked for.
type proofRuns struct {
	dirs  []string // oldest first
	known map[string]proofRun
}

// A proofRun is a run with what it decides: OutcomeHeld, OutcomeRefuted, OutcomeAborted or OutcomeResidue.
type proofRun struct {
	run string
	was journal.Outcome
}

func (p *proofRuns) newest(scenario string) proofRun {
	if x, ok := p.known[scenario]; ok {
		return x
	}
	var found proofRun
	for _, dir := range slices.Backward(p.dirs) {
		if _, of, _ := journal.ParseID(filepath.Base(dir)); of != scenario || !journal.MayBeDecided(dir) {
			continue
		}
		rec, err := journal.ReadEvents(dir)
		if err != nil {
			continue // it proves nothing
		}
		if was := decides(rec); was != "" {
			found = proofRun{filepath.Base(dir), was}
			break
		}
	}
	if p.known == nil {
		p.known = map[string]proofRun{}
	}
	p.known[scenario] = found
	return found
}

// decides is what a run says of its scenario: that it left something in force, was ended by a guardrail, was refuted (whatever ended it
// after that), or held as a whole. Any other run decides nothing (empty): it has not ended, was a sham run, injected nothing, was
// inconclusive, or was stopped before anything was refuted.
func decides(rec *journal.Record) journal.Outcome {
	summary := rec.Summary()
	if summary == nil {
		return ""
	}
	residue := len(journal.OpenIntents(rec.Events)) > 0
	stopped, aborted := false, summary.Outcome == journal.OutcomeAborted
	refuted := summary.Outcome == journal.OutcomeRefuted || slices.ContainsFunc(summary.Verdicts, func(v journal.EarlierVerdict) bool { return v.Verdict == journal.Refuted })
	for _, e := range rec.Events {
		switch p := e.Payload.(type) {
		case *journal.Residue:
			residue = residue || len(p.Open) > 0
		case *journal.RunEnded: // a recovery writes another one
			residue = residue || p.Outcome == journal.OutcomeResidue
		case *journal.Stopping:
			stopped, aborted = true, aborted || p.Why == journal.UndoGuardrail
		case *journal.HypothesisState: // of a run that died before it was judged, this is what there is
			refuted = refuted || p.Refuted && len(summary.Verdicts) == 0
		}
	}
	switch {
	case residue:
		return journal.OutcomeResidue
	case aborted:
		return journal.OutcomeAborted
	case refuted:
		return journal.OutcomeRefuted
	case summary.Outcome == journal.OutcomeHeld && !stopped:
		return journal.OutcomeHeld
	}
	return ""
}
