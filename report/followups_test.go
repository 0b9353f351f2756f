package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gameday/runner/journal"
)

// keepDraft writes a run directory with an outcome and people's words in its draft.
func keepDraft(t *testing.T, root, id string, outcome journal.Outcome, words string) {
	t.Helper()
	keepRun(t, root, id, []journal.Payload{&journal.RunEnded{Outcome: outcome}}, nil)
	if words == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(root, id, "report.md"), []byte(words), 0o644); err != nil {
		t.Fatal(err)
	}
}

func agreed(rows ...string) string {
	return "## Follow-ups\n\n" + followUpSeed + strings.Join(rows, "\n") + "\n"
}

func TestFollowUps(t *testing.T) {
	root := t.TempDir()
	draft := string(Build(changedRun()).Markdown())
	i := strings.Index(draft, followUpSeed) + len(followUpSeed)
	draft = draft[:i] + "| Raise it | Storefront | 2026-11-10 | it shows | | do | a |\n" + draft[i:]

	keepDraft(t, root, "2026-11-01T00-00-00Z-a-0001", journal.OutcomeHeld, draft) // the draft lists a follow-up of an earlier run as well
	keepDraft(t, root, "2026-11-02T00-00-00Z-b-0001", journal.OutcomeRefuted, agreed("| Drop it | Data | 2026-11-30 | it is gone | | later | b |", "| Keep it | | | | | not doing: fine | |", "| | | | | | | |"))
	keepDraft(t, root, "2026-11-03T00-00-00Z-b-0001", journal.OutcomeHeld, "")
	keepDraft(t, root, "2026-11-04T00-00-00Z-b-0001", journal.OutcomeInconclusive, "")
	keepDraft(t, root, "2026-11-05T00-00-00Z-c-0001", journal.OutcomeHeld, agreed("| Cut it | Data | 2026-11-05 | it is cut | | do | scenario.c |"))
	keepDraft(t, root, "2026-11-06T00-00-00Z-c-0001", journal.OutcomeHeld, "")
	keepDraft(t, root, "2026-11-07T00-00-00Z-c-0001", journal.OutcomeRefuted, "")
	if err := os.Mkdir(filepath.Join(root, "2026-11-07T00-00-00Z-c-0001", "report.md"), 0o755); err != nil {
		t.Fatal(err)
	}

	all, unread, err := FollowUps(root, time.Date(2026, 11, 12, 23, 0, 0, 0, time.UTC), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range all {
		got = append(got, fmt.Sprintf("%s of %s: %s, by %q, %d days old, %d overdue, %d problems", f.Action, f.Scenario, f.State, f.By, f.Age, f.Overdue, len(f.Problems)))
	}
	want := []string{
		`Cut it of c: open, by "2026-11-07T00-00-00Z-c-0001", 7 days old, 7 overdue, 0 problems`,
		`Raise it of a: open, by "", 11 days old, 2 overdue, 0 problems`,
		`Drop it of b: proven, by "2026-11-03T00-00-00Z-b-0001", 10 days old, 0 overdue, 0 problems`,
		`Keep it of b: not doing, by "", 10 days old, 0 overdue, 0 problems`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if len(unread) != 1 || unread[0] != (journal.Unread{Run: "2026-11-07T00-00-00Z-c-0001", File: "report.md", Why: "it is not a file"}) {
		t.Errorf("unread: %+v", unread)
	}
	open, unread := OpenFollowUps(root)
	if len(open) != 2 || open[0].Action != "Raise it" || open[1].Proof != "c" || len(unread) != 1 {
		t.Errorf("open: %+v, unread: %+v", open, unread)
	}
	if open, unread := OpenFollowUps(filepath.Join(root, "none")); open != nil || unread != nil {
		t.Errorf("where nothing is: %+v, %+v", open, unread)
	}
}

// A new run begins as soon over many old ones: their drafts are mostly the machine's, and that is not parsed.
func BenchmarkOpenFollowUps(b *testing.B) {
	root := b.TempDir()
	draft := Build(hundredRun()).Markdown()
	for i := range 300 {
		dir := filepath.Join(root, fmt.Sprintf("2026-11-01T00-%02d-%02dZ-a-0001", i/60, i%60))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for name, content := range map[string][]byte{journal.FileName: []byte("{}\n"), "report.md": draft} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(int64(300 * len(draft)))
	for b.Loop() {
		OpenFollowUps(root)
	}
}
