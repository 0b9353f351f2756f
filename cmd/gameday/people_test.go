package main

import (
	"testing"
	"time"

	"gameday/runner/journal"
)

// A note belongs to a run up to five minutes before and after it, as the messages of a chat do.
func TestSpokenTime(t *testing.T) {
	began := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	rec := &journal.Record{Events: []journal.Event{{Seq: 1, Time: began, Payload: &journal.RunStarted{}},
		{Seq: 2, Time: began, Payload: &journal.PhaseStarted{Phase: journal.Baseline}}, {Seq: 3, Time: began.Add(time.Minute), Payload: &journal.RunEnded{}}}}
	for _, c := range []struct {
		text  string
		going bool
		now   time.Duration // from the start of the run
		want  time.Duration
		wrong string
	}{
		{"-90s", true, 30 * time.Second, -time.Minute, ""},
		{"-90s", false, 2 * time.Minute, 30 * time.Second, ""},
		{"-90s", false, 3 * time.Minute, 90 * time.Second, ""},
		{"09:55:00", true, 30 * time.Second, -5 * time.Minute, ""},
		{"", false, 48 * time.Hour, 48 * time.Hour, ""},
		{"-90s", false, time.Hour, 0, "--at: 2026-11-27T10:58:30Z is 57m30s after the run, which ended at 2026-11-27T10:01:00Z; a time of day is one in UTC, and a note may lie up to 5 minutes after the run; what is noted without --at is of now"},
		{"11:00:30", true, 30 * time.Second, 0, "--at: 2026-11-27T11:00:30Z is in the future; a time of day is one in UTC, where it is 10:00:30 now"},
		{"-10m", true, 30 * time.Second, 0, "--at: 2026-11-27T09:50:30Z is 9m30s before the run, which began at 2026-11-27T10:00:00Z; a time of day is one in UTC, and a note may lie up to 5 minutes before the run"},
	} {
		got, err := spokenTime(rec, c.going, c.text, began.Add(c.now))
		if c.wrong != "" {
			if err == nil || err.Error() != c.wrong {
				t.Errorf("%q: %v, want %s", c.text, err, c.wrong)
			}
			continue
		}
		if err != nil || !got.Equal(began.Add(c.want)) {
			t.Errorf("%q at %s: %s, %v, want %s", c.text, c.now, got, err, began.Add(c.want))
		}
	}
}
