package runner

import (
	"testing"
	"testing/synctest"
	"time"

	"gameday/runner/journal"
)

func TestStopFirstReasonCounts(t *testing.T) {
	s := newStop()
	if s.is() {
		t.Error("it is stopped before anybody asked")
	}
	if !s.now(journal.UndoGuardrail, "guardrail.g tripped") || s.now(journal.UndoError, "disk") || s.now(journal.UndoInterrupted, "Ctrl-C") {
		t.Error("the first reason is not the first")
	}
	if why, detail := s.why(); why != journal.UndoGuardrail || detail != "guardrail.g tripped" {
		t.Errorf("stopped by %s: %s", why, detail)
	}
}

func TestStopSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStop()
		began := time.Now()
		if !s.sleep(time.Minute) || time.Since(began) != time.Minute || !s.sleep(-time.Second) {
			t.Error("it did not sleep to the end")
		}
		time.AfterFunc(10*time.Second, func() { s.now(journal.UndoError, "") })
		if s.sleep(time.Minute) || time.Since(began) != 70*time.Second || s.sleep(time.Hour) || time.Since(began) != 70*time.Second {
			t.Errorf("it slept on for %s", time.Since(began))
		}
	})
}

func TestStopLinger(t *testing.T) {
	for _, tt := range []struct {
		says     string
		reasons  []journal.UndoWhy // one every 10 s
		lingered time.Duration
	}{
		{"to the end", nil, time.Minute},
		{"the recovery after a guardrail is worth watching", []journal.UndoWhy{journal.UndoGuardrail}, time.Minute},
		{"a person has had enough", []journal.UndoWhy{journal.UndoInterrupted}, 10 * time.Second},
		{"a person has had enough after a guardrail", []journal.UndoWhy{journal.UndoGuardrail, journal.UndoInterrupted}, 20 * time.Second},
		{"the guard has taken over after a guardrail", []journal.UndoWhy{journal.UndoGuardrail, journal.UndoGuard}, 20 * time.Second},
		{"an error", []journal.UndoWhy{journal.UndoError}, 10 * time.Second},
	} {
		t.Run(tt.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStop()
				began := time.Now()
				for i, why := range tt.reasons {
					time.AfterFunc(time.Duration(i+1)*10*time.Second, func() { s.now(why, "") })
				}
				s.linger(time.Minute)
				// It looks every 50 ms.
				if got := time.Since(began); got < tt.lingered || got > tt.lingered+50*time.Millisecond {
					t.Errorf("it lingered for %s", got)
				}
			})
		})
	}
}
