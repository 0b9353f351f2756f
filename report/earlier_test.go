package report

import (
	"slices"
	"strings"
	"testing"

	"gameday/runner/journal"
)

// days before the run of the stories.
func daysBefore(n float64) float64 { return -n * 24 * 3600 }

// changedRun is one of a scenario that has been rehearsed before: what is refuted today held when it was last decided, and a
// follow-up of another scenario is open.
func changedRun() *journal.Record {
	rec := refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec
	verdict := func(name string, v journal.Verdict) journal.EarlierVerdict {
		return journal.EarlierVerdict{Name: name, Verdict: v, Reason: string(v)}
	}
	earlier := &journal.EarlierRuns{
		Runs: []journal.EarlierRun{
			{Run: "2026-11-15T09-00-00Z-store_freezes-00c4", Started: at(daysBefore(7)), Outcome: journal.OutcomeInconclusive, Hash: "another",
				Verdicts: []journal.EarlierVerdict{verdict("checkout_keeps_working", journal.Held), verdict("checkout_stays_quick", journal.Inconclusive)}},
			{Run: "2026-10-25T09-00-00Z-store_freezes-1b01", Started: at(daysBefore(28)), Outcome: journal.OutcomeHeld, Hash: full[7:],
				Verdicts: []journal.EarlierVerdict{verdict("checkout_keeps_working", journal.Refuted), verdict("checkout_stays_quick", journal.Held)}},
		},
		FollowUps: []journal.OpenFollowUp{{Run: "2026-09-27T09-00-00Z-api_dies-77aa", Scenario: "api_dies", Started: at(daysBefore(56)), Line: 214,
			Action: "Raise the pool of the api to 40", Owner: "Storefront", Due: "2026-10-30", Done: "the pool shows 40 in production", Decision: "do", Proof: "api_dies"}},
		Unread: []journal.Unread{{Run: "2026-08-30T09-00-00Z-api_dies-0c01", File: "report.md", Why: "permission denied"}},
	}
	for i := 2; i < len(rec.Events); i++ {
		rec.Events[i].Seq++
	}
	rec.Events = slices.Insert(rec.Events, 2, journal.Event{Seq: 3, Time: at(0.03), Offset: dur(0.03), Actor: "runner", Payload: earlier})
	return rec
}

func TestChangedVerdicts(t *testing.T) {
	f := gather(changedRun())
	got := f.changedVerdicts()
	if len(got) != 1 || got[0].name != "checkout_stays_quick" || got[0].alert || got[0].then != journal.Held || got[0].now != journal.Refuted ||
		got[0].run.Run != "2026-10-25T09-00-00Z-store_freezes-1b01" || got[0].rests[0] != "E3" {
		t.Errorf("changed: %+v", got)
	}
	if open := f.openFollowUps(); len(open) != 1 || open[0].Action != "Raise the pool of the api to 40" {
		t.Errorf("open: %+v", open)
	}
	says(t, changedRun(), []string{
		"| Run before | `2026-11-15T09-00-00Z-store_freezes-00c4`, of 2026-11-15: inconclusive | [E3] |",
		"In the run of 2026-10-25, `2026-10-25T09-00-00Z-store_freezes-1b01`, it **held**. [E3]",
		"In the run of 2026-11-15, `2026-11-15T09-00-00Z-store_freezes-00c4`, it **held**; the scenario's files are not the same as then. [E3] [E1]",
	}, nil)
	if f := gather(heldRun(0.1)); f.changedVerdicts() != nil || f.openFollowUps() != nil {
		t.Error("a record that has nothing of earlier runs tells of some")
	}
}

// The public is told that there is something to be done, and not what.
func TestPublicIsNotAskedAboutFollowUps(t *testing.T) {
	md := string(BuildFor(changedRun(), journal.AudiencePublic).Markdown())
	for _, never := range []string{"Is it still worth doing", "Open from earlier runs"} {
		if strings.Contains(md, never) {
			t.Errorf("the public's draft says %q", never)
		}
	}
	if want := "Follow-ups of earlier runs that were open when this one began: "; !strings.Contains(md, want) {
		t.Errorf("the public's draft does not say %q", want)
	}
}
