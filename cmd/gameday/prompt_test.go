package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gameday/runner"
	"gameday/runner/journal"
)

func TestPrompt(t *testing.T) {
	waits := runner.Status{Steps: []runner.StepStatus{{Name: "ready", State: runner.StepConfirmed}, {Name: "fail\x1bover", Who: "dba", State: runner.StepWaiting}}}
	for typed, want := range map[string]struct{ noted, confirmed, shown string }{
		"hello":                       {},
		"nit holds\r":                 {noted: "it holds"},
		"n\r":                         {},
		"n  \r":                       {},
		"nab\x7f\x7f\x7fcd\r":         {noted: "cd"},
		"nab\x15cd\n":                 {noted: "cd"},
		"nab\x1b[A\x1b[3~\x1bOPcd\r":  {noted: "abcd"},
		"nab\x1b":                     {},
		"nü\u202e\x00né\r":            {noted: "üné"},
		"nab":                         {shown: "note as sre: ab_"},
		"c":                           {shown: "confirm manual.failover as sre? (Enter confirms, Esc leaves)"},
		"cx\r":                        {confirmed: "fail\x1bover"},
		"c\x1bnc\r":                   {noted: "c"},
		"n" + strings.Repeat("x", 90): {shown: "note as sre: …" + strings.Repeat("x", 64) + "_"},
	} {
		for _, step := range []int{1, 3, 1000} { // however the bytes come, but for an escape sequence, which comes whole
			if step == 1 && strings.Contains(typed, "\x1b[") {
				continue
			}
			var noted, confirmed string
			p := &prompt{role: "sre", note: func(text string) (string, bool) { noted = text; return "saved", true }, confirm: func(step string) string { confirmed = step; return "saved" }}
			for b := []byte(typed); len(b) > 0; b = b[min(step, len(b)):] {
				if step == 3 && strings.Contains(typed, "\x1b") {
					break
				}
				p.take(b[:min(step, len(b))], waits)
			}
			if step == 3 && strings.Contains(typed, "\x1b") {
				continue
			}
			lines := p.lines(80)
			if len(lines) > 1 && utf8.RuneCountInString(lines[len(lines)-1]) > 79 {
				t.Errorf("the kinds are cut at the edge of a terminal: %q", lines)
			}
			shown := ""
			if len(lines) > 0 {
				shown = lines[0]
			}
			if noted != want.noted || confirmed != want.confirmed || shown != want.shown || (len(p.told) > 0) != (noted+confirmed != "") {
				t.Errorf("%q by %d: noted %q, confirmed %q, shown %q, told %q", typed, step, noted, confirmed, shown, p.told)
			}
			for _, l := range lines {
				if utf8.RuneCountInString(l) > 200 || strings.ContainsAny(l, "\x1b\x00\u202e") {
					t.Errorf("%q: the line %q", typed, l)
				}
			}
		}
	}
	p := &prompt{role: "sre", note: func(string) (string, bool) { return "not saved", false }}
	p.take([]byte("n!nope x\r"), waits)
	if got := p.lines(80)[0]; got != "note as sre: !nope x_" || len(p.told) != 1 {
		t.Errorf("after what was not saved there is %q, told %q", got, p.told)
	}
	p = &prompt{} // nobody said a role: a step is confirmed in that of whom it is for, as `gameday confirm` does
	p.take([]byte("c"), waits)
	if got := p.lines(80)[0]; got != "confirm manual.failover as dba? (Enter confirms, Esc leaves)" {
		t.Error(got)
	}
	p.take([]byte("\x1bnx"), waits)
	if got := p.lines(80)[0]; got != "note as participant: x_" {
		t.Error(got)
	}
	if (&prompt{}).key('c', runner.Status{}) {
		t.Error("a confirmation is asked for, and no step waits")
	}
}

// What is vented at the run's prompt is kept outside of the run; a word that is no kind is refused.
func TestPromptVents(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := t.TempDir() // a note into it would fail: it is no run
	p := app{}.prompt(dir)
	if said, saved := p.note("!vent this shovel"); !saved || !strings.HasPrefix(said, "kept to yourself, in "+os.Getenv("XDG_STATE_HOME")) {
		t.Error(said)
	}
	if said, saved := p.note("!vnet this shovel"); saved || !strings.HasPrefix(said, `not saved: there is no kind "!vnet"`) {
		t.Error(said)
	}
	if b, err := os.ReadFile(filepath.Join(os.Getenv("XDG_STATE_HOME"), "gameday", "vents.jsonl")); err != nil || strings.Count(string(b), "shovel") != 1 {
		t.Errorf("%s, %v", b, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the run has %v, %v", left, err)
	}
}

// The block makes room for the prompt and for steps.
func TestBlockWithPrompt(t *testing.T) {
	s := runner.Status{Scenario: "x", Phase: journal.Baseline}
	for range 20 {
		s.Steps = append(s.Steps, runner.StepStatus{Name: "ready", Who: "sre", Instructions: "Look\nat it.", State: runner.StepWaiting, Until: time.Now().Add(90 * time.Second)})
	}
	d := &display{terminal: true, width: func() int { return 60 }, height: func() int { return 12 }, prompt: &prompt{role: "sre"}}
	d.prompt.take([]byte("nab"), s)
	lines := d.lines(s)
	if len(lines) > 11 {
		t.Errorf("%d lines", len(lines))
	}
	got := strings.Join(lines, "\n")
	for _, want := range []string{"x: baseline   (Ctrl-C undoes everything; n: note, c: confi…", "  * waiting     manual.ready  for sre, 1m30s left  Look at…", "… and 15 more\nnote as sre: ab_\n  (Enter saves, Esc leaves"} {
		if !strings.Contains(got, want) {
			t.Errorf("the block has no %q:\n%s", want, got)
		}
	}
}
