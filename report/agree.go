package report

import (
	"time"

	"gameday/report/followup"
	"gameday/runner/journal"
)

// followUpSeed is the table that people fill in.
const followUpSeed = "| Action | Owning team | Due | Done when | Ticket | Decision | Proof |\n|---|---|---|---|---|---|---|\n"

// followUps leads up to the table of what will be different. What the record suggests, and what is still open from earlier runs, stands
// apart from it: which of that becomes a follow-up is for people to say.
func (f *facts) followUps() Section {
	s := Section{ID: "follow-ups", Version: 1, Title: "Follow-ups", People: true, Seed: followUpSeed}
	s.Items = append(s.Items, Para{
		say([]string{f.first}, "Each row begins with a verb and names the owning team, a due date, what will show that it is done, and what was decided: do, later, or not doing with the reason."),
		say([]string{f.first}, "A row that names a scenario as its proof is closed by itself once a run of that scenario has held that began after the row was written, and is open again when one after that is refuted, aborted or leaves something in force."),
	})
	if list := f.suggestions(); len(list) > 0 {
		s.Items = append(s.Items, Heading{ID: "suggested", Text: words("Suggested by the record")}, list)
	} else {
		s.Items = append(s.Items, Para{say(cite(f.last), "The record suggests no follow-up.")})
	}
	if f.earlier != nil {
		s.Items = append(s.Items, f.openBefore()...)
	}
	return s
}

// mostSuggestions are written out.
const mostSuggestions = 8

// suggestions are what could be a follow-up: one line each.
func (f *facts) suggestions() Points {
	var out Points
	suggest := func(ids []string, template string, args ...Value) {
		out = append(out, []Sentence{say(ids, template, args...)})
	}
	for _, x := range f.open() {
		suggest(x.evidence(), "Find out what kept {} on {} from being seen undone, before the next run.", Name(x.name), Name(x.target.Name))
	}
	if f.gate != nil {
		for _, g := range f.gate.p.Failures {
			if g.Reason == journal.ReasonViolated {
				suggest(cite(f.gate.id, f.query(g.QueryID)), "Get {} within its bound in normal times, or change the bound.", Name(g.Name))
			} else {
				suggest(cite(f.gate.id, f.query(g.QueryID)), "Get numbers for {} in normal times.", Name(g.Name))
			}
		}
	}
	scenario := Name(f.started.p.Scenario)
	for _, h := range f.hypotheses {
		switch {
		case h.verdict == journal.Refuted && scenario != "":
			suggest(cite(append(h.rests, f.started.id)...), "Change the system, or the expectation, until {} holds; its proof is a later run of {}.", Name(h.Name), scenario)
		case h.verdict == journal.Refuted:
			suggest(h.rests, "Change the system, or the expectation, until {} holds.", Name(h.Name))
		case h.reason == journal.ReasonNoData || h.reason == journal.ReasonUncertain:
			suggest(h.rests, "Get samples of {} that are close enough to decide it, and rehearse again.", Name(h.Name))
		}
	}
	for _, x := range f.claimed() {
		switch {
		case x.verdict != journal.Refuted:
		case x.fires() && x.claim != nil && x.claim.Within > 0:
			suggest(cite(append(x.rests, f.alertsEvidence())...), "Have alert {} fire within {} of such a fault, or change what the scenario claims of it.", Name(x.name), Dur(x.claim.Within))
		case x.fires():
			suggest(x.rests, "Have alert {} fire at such a fault, or change what the scenario claims of it.", Name(x.name))
		default:
			suggest(x.rests, "Keep alert {} quiet at such a fault, or change what the scenario claims of it.", Name(x.name))
		}
	}
	for _, x := range f.unexpected() {
		suggest(cite(x.seen.id), "Decide who acts on alert {}, which fired and which no block of the scenario names.", Name(x.name))
	}
	if n := len(out) - mostSuggestions; n > 0 {
		var ids []string
		for _, p := range out[mostSuggestions:] {
			ids = append(ids, p[0].Evidence[0])
		}
		out = append(out[:mostSuggestions], []Sentence{say(ids, "The sections above name what else was refuted, inconclusive or unexpected.")})
	}
	return out
}

// openBefore lists what was agreed on after earlier runs and was open when this one began.
func (f *facts) openBefore() []Item {
	ids := cite(f.earlier.id, f.started.id)
	var out []Item
	list := f.openFollowUps()
	switch {
	case len(list) == 0:
		out = append(out, Para{say(ids[:1], "No follow-up of an earlier run was open when this one began.")})
	case f.audience == journal.AudiencePublic:
		out = append(out, Para{say(ids[:1], "Follow-ups of earlier runs that were open when this one began: {}.", Count{N: len(list)})})
	default:
		t := Table{Columns: []string{"Agreed on", "Owning team", "Due", "Age", "After the run"}}
		for _, x := range list {
			t.Rows = append(t.Rows, row(ids, words("{}", Quote(x.Action)), given(x.Owner), f.dueBefore(x), words("{}", Days{x.Started, f.from}), words("{}", Name(x.Run))))
		}
		out = append(out, Heading{ID: "open-before", Text: words("Open from earlier runs")}, t)
	}
	points := Points{}
	for _, u := range f.earlier.p.Unread {
		points = append(points, []Sentence{say(ids[:1], "Of the run {} {} could not be read: {}.", Name(u.Run), Name(u.File), Quote(u.Why))})
	}
	if len(points) > 0 {
		out = append(out, points)
	}
	return out
}

// given is what people wrote into a cell.
func given(text string) Phrase {
	if text == "" {
		return words("not given")
	}
	return words("{}", Quote(text))
}

// dueBefore is when an earlier follow-up was due, and whether that was over when the run began.
func (f *facts) dueBefore(x journal.OpenFollowUp) Phrase {
	due, ok := followup.Date(x.Due)
	if !ok || !due.Before(f.from.UTC().Truncate(24*time.Hour)) {
		return given(x.Due)
	}
	return words("{}, and past", Quote(x.Due))
}
