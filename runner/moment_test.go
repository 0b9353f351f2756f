package runner

import (
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

func TestMoments(t *testing.T) {
	rec, err := journal.Read(recordedRuns(t)[1])
	if err != nil {
		t.Fatal(err)
	}
	m := MomentsOf(rec)
	at := func(text string) time.Time {
		x, err := time.Parse(time.RFC3339Nano, "2026-11-23T01:"+text+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for text, want := range map[string]time.Time{
		"start": at("37:57.448779398"), "baseline": at("37:57.448779398"), "baseline+1s": at("37:58.448779398"),
		"fault": at("38:01.560527424"), "recovery": at("38:06.579961278"), "recovery-500ms": at("38:06.079961278"), "end": at("38:10.581410891"),
		"T": m.Zero, "T+0": m.Zero, "T+1m2s": m.Zero.Add(62 * time.Second), "T−1 min 2.5 s": m.Zero.Add(-62500 * time.Millisecond), "T-1s": m.Zero.Add(-time.Second),
		"01:38:04.25": at("38:04.25"), "1795397884.25": at("38:04.25"), "2026-11-23T02:38:04.25+01:00": at("38:04.25"),
	} {
		if got, err := m.Parse(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s, want %s: %v", text, got, want, err)
		}
	}
	for text, says := range map[string]string{"": "no time", "noon": "no time", "T+": "no offset", "fault+soon": "no offset", "Tuesday": "no time", "25:00:00": "no time"} {
		if got, err := m.Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
	m.Fault, m.Undo = time.Time{}, time.Time{}
	for _, text := range []string{"fault", "recovery+1s"} {
		if _, err := m.Parse(text); err == nil || !strings.Contains(err.Error(), "did not come so far") {
			t.Errorf("%s: %v", text, err)
		}
	}
	late := Moments{Start: time.Date(2026, 11, 23, 23, 59, 50, 0, time.UTC), End: time.Date(2026, 11, 24, 0, 3, 0, 0, time.UTC)}
	if got, err := late.Parse("00:01:00"); err != nil || !got.Equal(time.Date(2026, 11, 24, 0, 1, 0, 0, time.UTC)) {
		t.Errorf("past midnight: %s, %v", got, err)
	}
	if a, b := m.Offset(m.Zero.Add(1234*time.Millisecond)), m.Offset(m.Zero.Add(-70*time.Millisecond)); a != "T+1.2s" || b != "T-70ms" {
		t.Errorf("%s, %s", a, b)
	}
}
