package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gameday/report/blameless"
	"gameday/report/followup"
	"gameday/runner/journal"
)

func TestAgendaGolden(t *testing.T) {
	agreed := map[string][]followup.FollowUp{"changed": followup.Parse([]byte(agreed("| Raise it | Storefront | 2026-12-04 | it shows | | do | store_freezes |",
		"| Cut it | Data | 2026-12-04 | it is gone | | later | |", "| Keep it | | | | | not doing: fine | |",
		"| Move it | Data | 2026-11-01 | it is there | | do | |")))}
	for _, name := range []string{"held", "refuted", "gate", "killed", "crowded", "alert_missing", "changed", "noted", "hostile"} {
		a, err := NewAgenda(stories()[name], agreed[name], 60)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := a.Write(&b); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "debrief", name+".txt")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), b.String()); d != "" {
			t.Errorf("%s (-want +got, -update writes it):\n%s", path, d)
		}
		if name == "hostile" {
			continue
		}
		for _, x := range blameless.Lint(path, b.Bytes(), blameless.Options{}) {
			t.Errorf("%s:%d: %s %q", path, x.Line, x.Rule, x.Quote)
		}
	}
}

// However much people talk, the walk stops at what the run was about, and says how much it leaves out.
func TestWalkOfLongTimeline(t *testing.T) {
	s := &story{alertMissingRun()}
	s.add(45.6, &journal.AlertChanged{Alert: "Watchdog", From: journal.AlertPending, To: journal.AlertFiring, At: at(45.6)})
	quiet, _ := gather(s.rec).walked(mostWalked)
	for i := range 60 {
		s.say(5+float64(i), "dev", note(journal.NoteObservation, fmt.Sprintf("message %d", i), 5+float64(i)))
	}
	s.say(80, "sre", note(journal.NoteAction, "restarted the api", 80))
	s.say(81, "sre", note(journal.NoteSurprise, "it came back by itself", 81))
	f := gather(s.rec)
	walked, left := f.walked(mostWalked)
	if len(walked) != mostWalked || len(walked)+len(left) != len(quiet)+62 {
		t.Errorf("%d are walked and %d left, of %d", len(walked), len(left), len(quiet)+62)
	}
	must, _ := f.walked(0)
	short, err := NewAgenda(s.rec, nil, ShortestDebrief)
	if err != nil {
		t.Fatal(err)
	}
	stops := 0
	for _, l := range short.Boxes[2].Lines {
		if l.At != "" && !l.Ask {
			stops++
		}
	}
	if want := max(len(must), ShortestDebrief/2); stops != want || want >= mostWalked {
		t.Errorf("a debrief of %d minutes stops %d times, want %d", ShortestDebrief, stops, want)
	}
	a, err := NewAgenda(s.rec, nil, 60)
	if err != nil {
		t.Fatal(err)
	}
	walk := a.Boxes[2].Lines
	for _, want := range []string{"was in force on", "was gone from", "is refuted", "went from pending to firing", "sre (action)", "sre (surprise)", "message 5", "message 59",
		fmt.Sprintf("%d more in the draft: plain notes and changes of state.", len(left))} {
		if !slices.ContainsFunc(walk, func(l AgendaLine) bool { return !l.Ask && strings.Contains(l.Text, want) }) {
			t.Errorf("the walk has no %q", want)
		}
	}
	if t.Failed() {
		for _, l := range walk {
			t.Log(l.At, l.Text)
		}
	}
}

// Whatever the record and however long the debrief: the boxes follow each other and add up, all evidence is there, every question of the
// draft is asked once, and the same record gives the same agenda.
func TestAgendaOfEveryStory(t *testing.T) {
	for name, rec := range stories() {
		index := newIndex(rec)
		for _, minutes := range []int{ShortestDebrief, 37, 60, LongestDebrief} {
			a, err := NewAgenda(rec, nil, minutes)
			if err != nil {
				t.Fatal(err)
			}
			at, asked := 0, map[string]int{}
			for _, box := range a.Boxes {
				if box.From != at || box.Minutes < 1 || len(box.Lines) == 0 {
					t.Errorf("%s in %d minutes: box %q from %d for %d with %d lines", name, minutes, box.Title, box.From, box.Minutes, len(box.Lines))
				}
				at += box.Minutes
				for _, l := range slices.Concat(box.Lines, a.Invite) {
					for _, id := range l.Evidence {
						if !index.Has(id) {
							t.Errorf("%s: %q cites %s", name, l.Text, id)
						}
					}
				}
				for _, l := range box.Lines {
					if l.Ask {
						asked[l.Text]++
					}
				}
			}
			if at != minutes {
				t.Errorf("%s: the boxes add up to %d of %d minutes", name, at, minutes)
			}
			d := Build(rec)
			for _, q := range d.facts.questions {
				if text := visible(q.Text.phrase().plainText(d.Clock)); asked[text] != 1 {
					t.Errorf("%s: asked %d times: %s", name, asked[text], text)
				}
			}
			again, _ := NewAgenda(rec, nil, minutes)
			if d := cmp.Diff(a, again); d != "" {
				t.Errorf("%s: not the same twice: %s", name, d)
			}
		}
	}
	for _, minutes := range []int{0, ShortestDebrief - 1, LongestDebrief + 1} {
		if _, err := NewAgenda(heldRun(0.1), nil, minutes); err == nil {
			t.Errorf("%d minutes are planned", minutes)
		}
	}
	if _, err := NewAgenda(nil, nil, 60); err == nil {
		t.Error("an empty record is planned")
	}
}
