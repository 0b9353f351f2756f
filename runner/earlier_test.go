package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// keepRun writes a run directory: its start and some more events.
func keepRun(t *testing.T, root, scenario string, day int, sham bool, events ...journal.Payload) string {
	t.Helper()
	start := time.Date(2026, 11, day, 10, 0, 0, 0, time.UTC)
	id := fmt.Sprintf("%s-%s-%04x", start.Format("2006-01-02T15-04-05Z"), scenario, day)
	w, err := journal.Create(root, id, start)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, p := range append([]journal.Payload{&journal.RunStarted{Run: id, Scenario: scenario, Hash: "h", Sham: sham}}, events...) {
		if _, err := w.Append(p); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func verdictOn(name string, v journal.Verdict) *journal.HypothesisJudged {
	return &journal.HypothesisJudged{Hypothesis: name, Verdict: v, Reason: journal.Reason(v)}
}

func TestEarlierRuns(t *testing.T) {
	root := t.TempDir()
	held := &journal.RunEnded{Outcome: journal.OutcomeHeld}
	sc := &scenarios.Scenario{Name: "shop", Hypotheses: []*scenarios.Hypothesis{{Name: "quick"}, {Name: "works"}}, Alerts: []*scenarios.Alert{{Name: "Slow"}}}
	alert := &journal.AlertJudged{Alert: "Slow", Verdict: journal.Held, Reason: journal.AlertFired}

	keepRun(t, root, "shop", 1, false, verdictOn("quick", journal.Held), verdictOn("works", journal.Held), alert, held) // all decided since
	first := keepRun(t, root, "shop", 2, false, verdictOn("works", journal.Held), alert, held)
	keepRun(t, root, "shop", 3, false, verdictOn("works", journal.Refuted))                        // not ended
	keepRun(t, root, "shop", 4, true, verdictOn("works", journal.NotTested), held)                 // a sham run
	keepRun(t, root, "other-shop-x", 5, false, verdictOn("works", journal.Refuted), held)          // another scenario
	second := keepRun(t, root, "shop", 6, false, verdictOn("quick", journal.Refuted), held)        // decides one more
	keepRun(t, root, "shop", 7, false, verdictOn("quick", journal.Inconclusive), held)             // tells nothing more than the previous
	previous := keepRun(t, root, "shop", 8, false, verdictOn("quick", journal.Inconclusive), held) // the previous one
	damaged := keepRun(t, root, "shop", 9, false, verdictOn("quick", journal.Held), held)
	if err := os.WriteFile(filepath.Join(root, damaged, journal.FileName), []byte("\x00{"), 0o644); err != nil {
		t.Fatal(err)
	}
	fifo := keepRun(t, root, "shop", 10, false)
	if err := os.Remove(filepath.Join(root, fifo, journal.FileName)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, fifo, journal.FileName), 0o644); err != nil {
		t.Fatal(err)
	}
	self := keepRun(t, root, "shop", 11, false)
	keepRun(t, root, "shop", 12, false, verdictOn("quick", journal.Held), held) // later

	open := []journal.OpenFollowUp{{Run: first, Action: "Raise the limit"}}
	got := earlier(Setup{Runs: root, FollowUps: open, Unread: []journal.Unread{{Run: first, File: "report.md", Why: "no"}}}, sc, self)
	var runs []string
	for _, r := range got.Runs {
		runs = append(runs, r.Run)
	}
	if d := cmp.Diff([]string{previous, second, first}, runs); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if d := cmp.Diff(open, got.FollowUps); d != "" {
		t.Error(d)
	}
	if len(got.Unread) != 2 || got.Unread[1].Run != damaged || got.Unread[1].Why == "" {
		t.Errorf("unread: %+v", got.Unread)
	}
	if v := got.Runs[1].Of("quick", false); v == nil || v.Verdict != journal.Refuted || got.Runs[1].Of("quick", true) != nil {
		t.Errorf("the verdict on quick is %+v", v)
	}
	want := &journal.EarlierRun{Run: first, Started: got.Runs[2].Started, Outcome: journal.OutcomeHeld, Hash: "h", Verdicts: []journal.EarlierVerdict{
		{Name: "works", Verdict: journal.Held, Reason: "held"}, {Name: "Slow", Alert: true, Verdict: journal.Held, Reason: "fired"}}}
	if d := cmp.Diff(want, &got.Runs[2]); d != "" {
		t.Error(d)
	}
	if none := earlier(Setup{Runs: filepath.Join(root, "none")}, sc, self); len(none.Runs)+len(none.Unread) != 0 {
		t.Errorf("a directory that is not there holds %+v", none)
	}
}
