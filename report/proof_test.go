package report

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gameday/runner/journal"
)

// keepRun writes a run directory with the events of a run, and those of its guard.
func keepRun(t *testing.T, root, id string, events, guards []journal.Payload) {
	t.Helper()
	dir := filepath.Join(root, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	start, scenario, _ := journal.ParseID(id)
	write := func(name string, payloads []journal.Payload) {
		lines := ""
		for i, p := range payloads {
			b, err := journal.Event{Seq: i + 1, Time: start, Payload: p}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			lines += string(b) + "\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if open, _ := OpenFollowUps(root); len(open) > 0 { // as a run does that begins
		events = append([]journal.Payload{&journal.EarlierRuns{FollowUps: open}}, events...)
	}
	write(journal.FileName, append([]journal.Payload{&journal.RunStarted{Run: id, Scenario: scenario}}, events...))
	if guards != nil {
		write(journal.GuardFile, guards)
	}
}

// A run that began before a follow-up was agreed on is not its proof, although it is newer than the run after which that was agreed on.
func TestProofBeforeAgreement(t *testing.T) {
	root := t.TempDir()
	held := []journal.Payload{&journal.HypothesisJudged{Hypothesis: "h", Verdict: journal.Held}, &journal.RunEnded{Outcome: journal.OutcomeHeld}}
	const before, after = "2026-11-02T00-00-00Z-s-0001", "2026-11-03T00-00-00Z-s-0001"
	keepDraft(t, root, "2026-11-01T00-00-00Z-s-0001", journal.OutcomeRefuted, agreed(""))
	keepRun(t, root, before, held, nil)
	row := agreed("| Raise it | Data | 2026-11-30 | it shows | | do | s |")
	if err := os.WriteFile(filepath.Join(root, "2026-11-01T00-00-00Z-s-0001", "report.md"), []byte(row), 0o644); err != nil {
		t.Fatal(err)
	}
	is := func(state FollowUpState, by string) {
		t.Helper()
		all, _, err := FollowUps(root, time.Time{}, nil)
		if err != nil || len(all) != 1 || all[0].State != state || all[0].By != by || all[0].ByWas != journal.OutcomeHeld {
			t.Errorf("%+v, %v; want %s by %s", all, err, state, by)
		}
	}
	left := func(want int) {
		t.Helper()
		if all, err := Unproven(filepath.Join(root, "2026-11-01T00-00-00Z-s-0001")); err != nil || len(all) != want {
			t.Errorf("%+v, %v; want %d to come back to", all, err, want)
		}
	}
	is(FollowUpOpen, before)
	left(1)
	keepRun(t, root, after, held, nil)
	is(FollowUpProven, after)
	left(0)
	keepRun(t, root, "2026-11-04T00-00-00Z-s-0001", held, nil) // to which nothing is open
	is(FollowUpProven, "2026-11-04T00-00-00Z-s-0001")
}

// What a later run decides about a follow-up that was proven.
func TestProofs(t *testing.T) {
	ended := func(o journal.Outcome) journal.Payload { return &journal.RunEnded{Outcome: o} }
	judged := func(v journal.Verdict) journal.Payload { return &journal.HypothesisJudged{Hypothesis: "h", Verdict: v} }
	intent := &journal.FaultIntent{Fault: "f", Container: journal.Ref{ID: "c", Name: "c"}}
	held := []journal.Payload{judged(journal.Held), ended(journal.OutcomeHeld)}
	const first, second = "2026-11-02T00-00-00Z-s-0001", "2026-11-03T00-00-00Z-s-0001"
	for _, tt := range []struct {
		name          string
		first, second []journal.Payload
		guard         []journal.Payload // of the second
		state         FollowUpState
		by            string
		was           journal.Outcome
	}{
		{name: "held twice", first: held, second: held, state: FollowUpProven, by: second, was: journal.OutcomeHeld},
		{name: "refuted after that", first: held, second: []journal.Payload{ended(journal.OutcomeRefuted)}, state: FollowUpOpen, by: second, was: journal.OutcomeRefuted},
		{name: "aborted after that", first: held, second: []journal.Payload{&journal.Stopping{Why: journal.UndoGuardrail}, judged(journal.Held), ended(journal.OutcomeAborted)},
			state: FollowUpOpen, by: second, was: journal.OutcomeAborted},
		{name: "residue after that", first: held, second: []journal.Payload{judged(journal.Held), ended(journal.OutcomeResidue)}, state: FollowUpOpen, by: second, was: journal.OutcomeResidue},
		{name: "residue after that, recovered since", first: held, second: []journal.Payload{intent, judged(journal.Held), ended(journal.OutcomeResidue),
			&journal.UndoVerified{Fault: "f", Container: intent.Container}, ended(journal.OutcomeInterrupted)}, state: FollowUpOpen, by: second, was: journal.OutcomeResidue},
		{name: "refuted, then stopped by hand", first: held, second: []journal.Payload{&journal.Stopping{Why: journal.UndoInterrupted}, judged(journal.Refuted), ended(journal.OutcomeInterrupted)},
			state: FollowUpOpen, by: second, was: journal.OutcomeRefuted},
		{name: "refuted, then killed", first: held, second: []journal.Payload{&journal.HypothesisState{Hypothesis: "h", Refuted: true}},
			guard: []journal.Payload{ended(journal.OutcomeInterrupted)}, state: FollowUpOpen, by: second, was: journal.OutcomeRefuted},
		{name: "killed, and its guard could not undo it", first: held, second: []journal.Payload{intent}, guard: []journal.Payload{ended(journal.OutcomeResidue)},
			state: FollowUpOpen, by: second, was: journal.OutcomeResidue},
		{name: "stopped by hand", first: held, second: []journal.Payload{&journal.Stopping{Why: journal.UndoInterrupted}, judged(journal.Inconclusive), ended(journal.OutcomeInterrupted)},
			state: FollowUpProven, by: first, was: journal.OutcomeHeld},
		{name: "inconclusive after that", first: held, second: []journal.Payload{judged(journal.Inconclusive), ended(journal.OutcomeInconclusive)}, state: FollowUpProven, by: first, was: journal.OutcomeHeld},
		{name: "nothing was injected after that", first: held, second: []journal.Payload{ended(journal.OutcomeNotInjected)}, state: FollowUpProven, by: first, was: journal.OutcomeHeld},
		{name: "going on", first: held, second: []journal.Payload{intent}, state: FollowUpProven, by: first, was: journal.OutcomeHeld},
		{name: "the proof itself was aborted", first: []journal.Payload{&journal.Stopping{Why: journal.UndoGuardrail}, judged(journal.Held), ended(journal.OutcomeHeld)}, state: FollowUpOpen, by: first, was: journal.OutcomeAborted},
		{name: "the proof itself left something", first: []journal.Payload{judged(journal.Held), &journal.Residue{Open: []string{"fault.f on container c"}}, ended(journal.OutcomeHeld)},
			state: FollowUpOpen, by: first, was: journal.OutcomeResidue},
		{name: "the proof itself has an undo that nobody saw", first: []journal.Payload{intent, judged(journal.Held), ended(journal.OutcomeHeld)}, state: FollowUpOpen, by: first, was: journal.OutcomeResidue},
		{name: "the proof itself was stopped", first: []journal.Payload{&journal.Stopping{Why: journal.UndoInterrupted}, judged(journal.Held), ended(journal.OutcomeHeld)}, state: FollowUpOpen},
		{name: "held again after a refuted one", first: []journal.Payload{ended(journal.OutcomeRefuted)}, second: held, state: FollowUpProven, by: second, was: journal.OutcomeHeld},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			keepDraft(t, root, "2026-11-01T00-00-00Z-s-0001", journal.OutcomeRefuted, agreed("| Raise it | Data | 2026-11-30 | it shows | | do | s |"))
			keepRun(t, root, first, tt.first, nil)
			if tt.second != nil {
				keepRun(t, root, second, tt.second, tt.guard)
			}
			all, _, err := FollowUps(root, time.Time{}, nil)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			if f := all[0]; f.State != tt.state || f.By != tt.by || f.ByWas != tt.was {
				t.Errorf("%s, by %q, which was %q; want %s, by %q, which was %q", f.State, f.By, f.ByWas, tt.state, tt.by, tt.was)
			}
			if open, _ := OpenFollowUps(root); (len(open) == 1) != (tt.state == FollowUpOpen) {
				t.Errorf("the next run is told of %+v", open)
			}
		})
	}
}
