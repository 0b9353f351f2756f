package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gameday/runner"
	"gameday/runner/journal"
)

// TestBlock: whatever names and values there are, the block is no wider and no higher than the screen, has its columns aligned,
// and draws nothing that came from outside.
func TestBlock(t *testing.T) {
	value := &journal.Point{Value: 0.123456}
	s := runner.Status{Scenario: "a\x1b[2Jb", Phase: journal.Fault, PhaseEnds: time.Now().Add(time.Minute)}
	for range 30 {
		s.Faults = append(s.Faults, runner.FaultStatus{Name: "freeze", Kind: "pause", Container: "shop\x1b]0;x\a-store\r\n", State: runner.FaultInForce, Until: time.Now().Add(time.Second)})
		s.Queries = append(s.Queries, runner.QueryStatus{Name: strings.Repeat("long_", 30), State: journal.Violated, Refuted: true, Point: value, Expect: "value\n<\u202e 1"})
	}
	for _, size := range []struct{ w, h int }{{80, 24}, {100, 30}, {21, 5}, {21, 1}} {
		d := &display{terminal: true, width: func() int { return size.w }, height: func() int { return size.h }}
		lines := d.lines(s)
		if len(lines) > max(size.h-1, 3) {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) >= size.w || strings.ContainsAny(l, "\x1b\a\r\n\u202e") {
				t.Errorf("%v: %q", size, l)
			}
		}
	}
	s.Faults, s.Queries = s.Faults[:1], []runner.QueryStatus{
		{Name: "quick", State: journal.Holding, Point: value, Expect: "value < 1"},
		{Name: "recovers", State: journal.Violated, Point: &journal.Point{Value: 1}, Expect: "value < 0.5"},
		{Name: "blind", State: journal.NoData, Detail: "no series", Expect: "value < 1"},
		{Name: "down", Guardrail: true, State: journal.Holding, Point: &journal.Point{}, Expect: "value > 1"},
	}
	d := &display{terminal: true, width: func() int { return 100 }, height: func() int { return 24 }, judged: judgedIn{"recovers": {journal.Recovery}}}
	want := []string{
		"",
		"a[2Jb: fault, 1m left   (Ctrl-C undoes everything)",
		"  * in force    fault.freeze  pause on shop]0;x-store  , 1s left",
		"  + holding     quick         0.1235   expect value < 1",
		"  . not judged  recovers      1        expect value < 0.5",
		"  ? no data     blind         -        expect value < 1; no series",
		"  + quiet       down          0        aborts when value > 1",
	}
	if got := d.lines(s); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the block is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCalm: a block that has not changed is not drawn again, and a line above it does not make it flicker.
func TestCalm(t *testing.T) {
	var screen strings.Builder
	d := &display{w: &screen, terminal: true, width: func() int { return 80 }, height: func() int { return 24 }}
	block := []string{"", "one"}
	d.put("", block)
	screen.Reset()
	d.put("", block)
	if screen.Len() != 0 {
		t.Errorf("nothing has changed, and this was drawn: %q", screen.String())
	}
	d.put("above\n", block)
	if got, want := screen.String(), "\r\x1b[2A\x1b[Jabove\n\x1b[?7l\x1b[K\none\x1b[K\n\x1b[?7h\x1b[J"; got != want {
		t.Errorf("drawn: %q, want %q", got, want)
	}
	screen.Reset()
	d.put("", nil)
	if got, want := screen.String(), "\r\x1b[2A\x1b[J"; got != want {
		t.Errorf("taken away: %q, want %q", got, want)
	}
}

func TestLength(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 500 * time.Millisecond: "500ms", 10 * time.Second: "10s", time.Minute: "1m", 70 * time.Second: "1m10s", 10 * time.Minute: "10m",
		time.Hour: "1h", 20 * time.Hour: "20h", time.Hour + 10*time.Minute: "1h10m", time.Hour + 30*time.Second: "1h0m30s", 61500 * time.Millisecond: "1m1.5s",
	} {
		if got := length(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
