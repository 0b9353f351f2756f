package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Question is one that the record gives reason to ask the people of the rehearsal: how and what, never why and who.
type Question struct {
	ID      string    // of its block in report.md and its anchor in report.html; the same each time the run is rendered
	Trigger string    // what in the record asks for it, one of a closed list
	Of      string    // what it is about: a hypothesis, an alert, a container …; empty: the run
	At      time.Time // the moment that it is about; zero: there is none
	Text    Sentence

	rank int
}

// A trigger is something that a record may hold and that is worth a question.
type trigger struct {
	name string
	rank int // how surprising it is: for the order alone
	ask  func(*facts) []Question
}

// triggers are all of them; among equals the order stands.
var triggers = []trigger{
	{"refuted", 3, (*facts).askRefuted},
	{"alert-missing", 3, (*facts).askMissingAlert},
	{"outside", 3, (*facts).askOutside},
	{"guardrail", 2, (*facts).askGuardrail},
	{"alert-unexpected", 2, (*facts).askUnexpectedAlert},
	{"changed", 2, (*facts).askChanged},
	{"margin", 1, (*facts).askMargin},
	{"silence", 1, (*facts).askSilence},
	{"predictions", 1, (*facts).askPredictions},
	{"undo-helped", 1, (*facts).askUndoHelped},
	{"recovered", 1, (*facts).askRecovered},
	{"alert-late", 1, (*facts).askLateAlert},
	{"alert-storm", 1, (*facts).askStorm},
	{"inconclusive", 1, (*facts).askInconclusive},
	{"stopped", 1, (*facts).askStopped},
	{"baseline", 0, (*facts).askBaseline},
	{"action", 0, (*facts).askActions},
	{"slow-recovery", 0, (*facts).askSlowRecovery},
	{"reversed", 0, (*facts).askReversed},
	{"follow-up", 0, (*facts).askFollowUps},
	{"all-held", 0, (*facts).askAllHeld},
	{"no-notes", 0, (*facts).askNoNotes},
}

const (
	mostQuestions = 12 // of a draft
	mostOfTrigger = 3  // of one kind, where there is no room for more
)

// ask computes the questions of the record, the most telling first.
func (f *facts) ask() []Question {
	var out, further []Question
	taken := map[string]bool{}
	for _, t := range triggers {
		for i, q := range t.ask(f) {
			q.Trigger, q.rank = t.name, t.rank
			if f.surprisedAt(q.At) {
				q.rank += 2
			}
			q.ID = questionID(t.name, q.Of, taken)
			if i < mostOfTrigger {
				out = append(out, q)
			} else {
				further = append(further, q)
			}
		}
	}
	telling := func(a, b Question) int { return b.rank - a.rank }
	slices.SortStableFunc(out, telling)
	slices.SortStableFunc(further, telling)
	out = append(out, further...)
	out = out[:min(mostQuestions, len(out))]
	slices.SortStableFunc(out, telling)
	return out
}

// questionID names a question after what asks for it and what it is about.
func questionID(trigger, of string, taken map[string]bool) string {
	const longest = 60
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, of)
	for strings.Contains(slug, "--") {
		slug = strings.ReplaceAll(slug, "--", "-")
	}
	slug = strings.Trim(slug[:min(longest, len(slug))], "-")
	base := strings.TrimSuffix("q-"+trigger+"-"+slug, "-")
	id := base
	for n := 2; taken[id]; n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	taken[id] = true
	return id
}

// section is the block of a question, under another section: people answer right beneath it.
func (q Question) section(under string) Section {
	return Section{ID: q.ID, Version: 1, Under: under, People: true, Items: []Item{Ask(q.Text)}}
}

const (
	mostSeeds        = 5 // of the questions open the section about what was learned; the others wait for the debrief
	mostSeedsOfAKind = 2
)

// seeds are the questions that open the section about what was learned, and the rest of them.
func (f *facts) seeds() (first, rest []Question) {
	kinds := map[string]int{}
	for _, q := range f.questions {
		if len(first) == mostSeeds || kinds[q.Trigger] == mostSeedsOfAKind {
			rest = append(rest, q)
			continue
		}
		kinds[q.Trigger]++
		first = append(first, q)
	}
	return first, rest
}

// known leads up to what people learned, with the most telling questions.
func (f *facts) known() []Section {
	s := Section{ID: "known", Version: 1, Title: "What we know now that we did not before", People: true}
	seeds, _ := f.seeds()
	if len(seeds) == 0 {
		s.Items = append(s.Items, Para{say(cite(f.first, f.last), "The record gives no reason for a question; those who were there may know more.")})
		return []Section{s}
	}
	s.Items = append(s.Items, Para{say(cite(f.first, f.last), "The record cannot say what was learned. It asks: answers go beneath the questions, and all else that is known now goes beneath this line.")})
	out := []Section{s}
	for _, q := range seeds {
		out = append(out, q.section("known"))
	}
	return out
}
