package report

import (
	"iter"
	"path/filepath"
	"slices"

	"gameday/runner/journal"
)

// prove closes an open follow-up whose proof has held since it was agreed on, unless a run after that one did not hold: then it is open again, by
// that run. That it was agreed on before a run is shown by that run's own record: it names what was open when it began.
func (f *FollowUp) prove(runs *proofRuns) {
	if f.State != FollowUpOpen || f.Proof == "" {
		return
	}
	var newest proofRun
	for run := range runs.since(f.Proof, f.Run) {
		if newest.was == "" {
			newest = run
		}
		if run.knew(f) {
			f.By, f.ByWas = newest.run, newest.was
			if newest.was == journal.OutcomeHeld {
				f.State = FollowUpProven
			}
			return
		}
	}
	f.By, f.ByWas = newest.run, newest.was
}

// proofRuns finds the runs of a scenario that decide what the scenario is the proof of. It reads no more than it is asked for, and that once.
type proofRuns struct {
	dirs  []string // oldest first
	known map[string]proofRun
}

// A proofRun is a run with what it decides: OutcomeHeld, OutcomeRefuted, OutcomeAborted or OutcomeResidue; empty: nothing.
type proofRun struct {
	run  string
	was  journal.Outcome
	open []journal.OpenFollowUp // when it began
}

// knew says that a follow-up was there, and open, when the run began.
func (r proofRun) knew(f *FollowUp) bool {
	return slices.ContainsFunc(r.open, func(o journal.OpenFollowUp) bool { return o.Run == f.Run && o.Action == f.Action && o.Proof == f.Proof })
}

// since are the runs of a scenario after another run that decide anything, the newest first.
func (p *proofRuns) since(scenario, run string) iter.Seq[proofRun] {
	return func(yield func(proofRun) bool) {
		for _, dir := range slices.Backward(p.dirs) {
			name := filepath.Base(dir)
			if name <= run {
				return
			}
			if _, of, _ := journal.ParseID(name); of != scenario {
				continue
			}
			if x := p.read(dir); x.was != "" && !yield(x) {
				return
			}
		}
	}
}

func (p *proofRuns) read(dir string) proofRun {
	if x, ok := p.known[dir]; ok {
		return x
	}
	x := proofRun{run: filepath.Base(dir)}
	if journal.MayBeDecided(dir) {
		if rec, err := journal.ReadEvents(dir); err == nil { // one that cannot be read proves nothing
			x.was = decides(rec)
			for _, e := range rec.Events {
				if p, ok := e.Payload.(*journal.EarlierRuns); ok {
					x.open = p.FollowUps
				}
			}
		}
	}
	if p.known == nil {
		p.known = map[string]proofRun{}
	}
	p.known[dir] = x
	return x
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
