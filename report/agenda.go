package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gameday/report/followup"
	"gameday/runner/journal"
)

// The limits of a debrief, in minutes. Below, there is no time for the walk; above, people are tired.
const (
	ShortestDebrief = 15
	LongestDebrief  = 240
)

// An Agenda is the facilitator's plan of a debrief. Like a draft it follows from the record alone, and says the same of the same record.
type Agenda struct {
	Run     string       `json:"run"`
	Title   string       `json:"title"`
	Minutes int          `json:"minutes"`
	Invite  []AgendaLine `json:"invite"`
	Boxes   []AgendaBox  `json:"boxes"` // their minutes add up to Minutes
	Blame   []string     `json:"when_blame_comes_up"`
	Return  []AgendaLine `json:"come_back"`
}

// An AgendaBox is a part of the debrief with its time.
type AgendaBox struct {
	From    int          `json:"from"` // minutes after the beginning
	Minutes int          `json:"minutes"`
	Title   string       `json:"title"`
	Lines   []AgendaLine `json:"lines"`
}

// An AgendaLine is one thing to say, to ask or to do. What it says of the run cites its evidence; what is advice cites none.
type AgendaLine struct {
	At       string   `json:"at,omitempty"` // a moment of the run, or the day on which to come back
	Text     string   `json:"text"`
	Ask      bool     `json:"ask,omitempty"` // it is a question
	Evidence []string `json:"evidence,omitempty"`
}

// blame is what to do when it comes up. The thoughts are those of Dekker's Field Guide, of Etsy's Debriefing Facilitation Guide and of
// J. Paul Reed; the words are ours.
var blame = []string{
	"Name the turn, not the speaker: \"We are judging a choice by how it ended. Let us go back to what was on the screens.\"",
	"Ask for the view from inside: \"What did this look like at that moment? What else was asking for attention?\"",
	"Turn a what-if into an experiment: write it under Next experiments, and go on.",
	"If somebody is hurt, stop the clock. The timeline can wait.",
	"See Dekker, The Field Guide to Understanding 'Human Error'; Etsy, Debriefing Facilitation Guide; J. Paul Reed on blame-aware postmortems.",
}

// NewAgenda plans a debrief of so many minutes. agreed are the follow-ups that the draft has by now.
func NewAgenda(rec *journal.Record, agreed []followup.FollowUp, minutes int) (*Agenda, error) {
	if minutes < ShortestDebrief || minutes > LongestDebrief {
		return nil, fmt.Errorf("a debrief of %d minutes cannot be planned: choose %d to %d", minutes, ShortestDebrief, LongestDebrief)
	}
	d := Build(rec)
	if err := d.check(); err != nil {
		return nil, errors.Join(err, errors.New("there is nothing to talk about yet"))
	}
	f := d.facts
	a := &Agenda{Run: f.runID(), Title: visible(d.Title), Minutes: minutes, Invite: f.invite(), Blame: blame, Return: f.comeBack(agreed)}
	parts := []struct {
		share int
		title string
		lines []AgendaLine
	}{
		{5, "Open", []AgendaLine{
			{Text: "Say what this is for: to learn how the system and its people cope. Everybody did what made sense to them with what they saw."},
			{Text: "Say how it goes: one timeline, every role speaks for itself, accounts that differ stand side by side."}}},
		{10, "The five lines, and what was expected", append(f.agendaFiveLines(), f.agendaPredictions()...)},
		{45, "Walk along the timeline", f.agendaWalk(minutes)},
		{15, "Quiet voices, and what was not on any screen", f.agendaQuiet()},
		{20, "Follow-ups and next experiments", f.agendaFollowUps()},
		{5, "Close", []AgendaLine{{Text: "Each role says one thing that it learned; write it into the debrief record."}, {Text: "Agree on the day to come back, and who brings the draft into review."}}},
	}
	shares := make([]int, len(parts))
	for i, p := range parts {
		shares[i] = p.share
	}
	from := 0
	for i, m := range split(minutes, shares) {
		a.Boxes = append(a.Boxes, AgendaBox{from, m, parts[i].title, parts[i].lines})
		from += m
	}
	return a, nil
}

// split shares minutes out by weights that add up to 100: whole minutes, at least one each, that add up.
func split(minutes int, shares []int) []int {
	out := make([]int, len(shares))
	left := minutes
	for i, s := range shares {
		out[i] = max(1, minutes*s/100)
		left -= out[i]
	}
	most := slices.Index(shares, slices.Max(shares))
	out[most] += left // the walk takes what rounding leaves
	return out
}

// line is a sentence as a line of the agenda.
func (f *facts) line(s Sentence) AgendaLine {
	return AgendaLine{Text: visible(s.phrase().plainText(f.clock)), Evidence: s.Evidence}
}

// invite says whom to ask to come, by role, and what the record has to do with them.
func (f *facts) invite() []AgendaLine {
	out := []AgendaLine{{Text: "A facilitator who took no part in the run, and somebody who writes."}}
	add := func(ids []string, template string, args ...Value) {
		out = append(out, f.line(say(ids, template, args...)))
	}
	known := map[string]bool{}
	for _, o := range f.declared.p.Observers {
		known[o.Name] = true
		add([]string{f.declared.id}, "{}: it was to watch the run.", Name(o.Name))
	}
	for _, role := range f.roles() {
		if known[role] || role == "" {
			continue
		}
		known[role] = true
		add(f.saidBy(role), "{}: it spoke in the record.", Name(role))
	}
	for _, s := range f.steps {
		if s.Who != "" && !known[s.Who] {
			known[s.Who] = true
			add([]string{s.declared}, "{}: it had a step to do by hand.", Name(s.Who))
		}
	}
	for _, t := range f.targets {
		add([]string{t.id}, "Somebody who looks after {}, a target.", Name(t.p.Target))
	}
	seen := map[string]bool{}
	for _, c := range f.changes {
		if name := c.p.Container.Name; !c.p.Target && !seen[name] {
			seen[name] = true
			add([]string{c.id}, "Somebody who looks after {}: it was no target, and it changed.", Name(name))
		}
	}
	for _, x := range append(f.claimed(), f.unexpected()...) {
		if x.claim == nil && x.seen != nil {
			add([]string{x.seen.id}, "Whoever is told when alert {} fires.", Name(x.name))
		} else if len(x.rests) > 0 {
			add(x.rests, "Whoever is told when alert {} fires.", Name(x.name))
		}
	}
	return out
}

// saidBy is the evidence of what a role said.
func (f *facts) saidBy(role string) []string {
	var ids []string
	for _, n := range f.notes {
		if n.role == role {
			ids = append(ids, n.id)
		}
	}
	for _, p := range f.predictions {
		if p.role == role {
			ids = append(ids, p.id)
		}
	}
	return ids
}

func (f *facts) agendaFiveLines() []AgendaLine {
	var out []AgendaLine
	for _, item := range f.fiveLines().Items {
		for _, s := range sentences(item) {
			out = append(out, f.line(s))
		}
	}
	return out
}

func (f *facts) agendaPredictions() []AgendaLine {
	if len(f.predictions) == 0 {
		return []AgendaLine{{Text: "Nobody wrote a prediction down. What did each role expect, before it knew?", Ask: true}}
	}
	var out []AgendaLine
	for _, p := range f.predictions {
		template := "{} expected that {} holds."
		if p.p.Expects == journal.Refuted {
			template = "{} expected that {} does not hold."
		}
		out = append(out, f.line(say([]string{p.id}, template, roleName(p.role), Name(p.p.Of))))
	}
	return out
}

// fewNotes are so few that a role may have more to say.
const fewNotes = 1

// agendaQuiet are the roles of which the record has little, those with the least first: they begin.
func (f *facts) agendaQuiet() []AgendaLine {
	type voice struct {
		role  string
		notes int
		ids   []string
	}
	var quiet []voice
	add := func(role string, ids ...string) {
		if role == "" || slices.ContainsFunc(quiet, func(v voice) bool { return v.role == role }) {
			return
		}
		v := voice{role: role, ids: ids}
		for _, n := range f.notes {
			if n.role == role {
				v.notes++
				v.ids = append(v.ids, n.id)
			}
		}
		if v.notes <= fewNotes {
			quiet = append(quiet, v)
		}
	}
	for _, o := range f.declared.p.Observers {
		add(o.Name, f.declared.id)
	}
	for _, s := range f.steps {
		add(s.Who, s.declared)
	}
	for _, role := range f.roles() {
		add(role, f.saidBy(role)...)
	}
	slices.SortStableFunc(quiet, func(a, b voice) int { return cmp.Compare(a.notes, b.notes) })
	var out []AgendaLine
	for i, v := range quiet {
		turn, notes := Word("Then"), Word("no note")
		if i == 0 {
			turn = "Begin with"
		}
		if v.notes > 0 {
			notes = "a single note"
		}
		out = append(out, f.line(say(v.ids, "{} {}, of whom the record has {}.", turn, Name(v.role), notes)))
	}
	switch {
	case len(f.notes) == 0 && len(quiet) == 0:
		out = append(out, f.line(say(cite(f.first, f.last), "The record has no note of anybody: begin with whoever has said the least in this room.")))
	case len(quiet) == 0:
		out = append(out, AgendaLine{Text: "No role of the record is quiet: begin with whoever has said the least in this room."})
	}
	return append(out, AgendaLine{Text: "What did you see, hear or do that is on no screen and in no log?", Ask: true},
		AgendaLine{Text: "What did you quietly make up for?", Ask: true})
}

func (f *facts) agendaFollowUps() []AgendaLine {
	var out []AgendaLine
	for _, p := range f.suggestions() {
		out = append(out, f.line(p[0]))
	}
	for _, x := range f.openFollowUps() {
		out = append(out, f.line(say([]string{f.earlier.id}, "Open since the run of {}: {}. Decide anew: do, later, or not doing.", Date(x.Started), Quote(x.Action))))
	}
	return append(out, AgendaLine{Text: "Fill the draft's table in while everybody is here: verb first, owning team, due, done when, decision. Few and bounded beat many."})
}

// Days after which to come back.
const (
	tableDays = 2  // until the table of follow-ups is filled in
	lookDays  = 14 // until the first look at what was agreed on
	proofDays = 7  // after the last due date: until the proof is rehearsed
)

// comeBack says when to look again, by the date of the run and the due dates that people gave.
func (f *facts) comeBack(agreed []followup.FollowUp) []AgendaLine {
	run := f.clock.in(f.from)
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	var out []AgendaLine
	var last time.Time
	proof := ""
	due := map[string][]string{}
	for _, x := range agreed {
		if !x.Open() {
			continue
		}
		if t, ok := x.DueDate(); ok && day(t) < day(run) {
			out = append(out, AgendaLine{At: day(run), Text: "Due on " + day(t) + ", which is over: " + visible(x.Action.Text) + ". Agree on another day, or decide anew."})
		} else if ok {
			due[day(t)] = append(due[day(t)], visible(x.Action.Text))
			if t.After(last) {
				last = t
			}
		}
		if proof == "" {
			proof = x.ProofScenario()
		}
	}
	if len(due) == 0 {
		out = append(out, AgendaLine{At: day(run.AddDate(0, 0, tableDays)), Text: "The table of follow-ups is filled in: gameday followups --check says what it lacks."})
	}
	out = append(out, AgendaLine{At: day(run.AddDate(0, 0, lookDays)), Text: "First look at what was agreed on: gameday followups."})
	for at, actions := range due {
		out = append(out, AgendaLine{At: at, Text: "Due: " + strings.Join(actions, "; ")})
	}
	if !last.IsZero() {
		again := f.started.p.Scenario
		if proof != "" {
			again = proof
		}
		out = append(out, AgendaLine{At: day(last.AddDate(0, 0, proofDays)), Text: "Rehearse " + visible(again) + " again: what was done is held by a run, not by a tick."})
	}
	slices.SortStableFunc(out, func(a, b AgendaLine) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Text, b.Text)) })
	return out
}

// Write prints the agenda for a facilitator to read from.
func (a *Agenda) Write(w io.Writer) error {
	var b strings.Builder
	line := func(l AgendaLine) {
		b.WriteString("  - ")
		if l.At != "" {
			b.WriteString(l.At + ": ")
		}
		if l.Ask {
			b.WriteString("ASK: ")
		}
		b.WriteString(l.Text)
		if len(l.Evidence) > 0 {
			b.WriteString(" [" + strings.Join(l.Evidence, "] [") + "]")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Debrief of %s\n%s, %d minutes\n\nWho to invite\n", a.Title, visible(a.Run), a.Minutes)
	for _, l := range a.Invite {
		line(l)
	}
	for _, box := range a.Boxes {
		fmt.Fprintf(&b, "\n%d:%02d, %d min: %s\n", box.From/60, box.From%60, box.Minutes, box.Title)
		for _, l := range box.Lines {
			line(l)
		}
	}
	b.WriteString("\nWhen blame comes up\n")
	for _, s := range a.Blame {
		line(AgendaLine{Text: s})
	}
	b.WriteString("\nWhen to come back\n")
	for _, l := range a.Return {
		line(l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Unproven reads the follow-ups from the draft in a run directory, without those that a later run beside it has proven.
func Unproven(dir string) ([]followup.FollowUp, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "report.md")
	all, err := Agreed(path)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	dirs, err := journal.Runs(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	proofs := proofRuns{dirs: dirs}
	return slices.DeleteFunc(all, func(f followup.FollowUp) bool {
		x := newFollowUp(dir, path, f, nil)
		x.prove(&proofs)
		return x.State == FollowUpProven
	}), nil
}

// Agreed reads the follow-ups from the draft in a run directory; none where there is no draft.
func Agreed(path string) ([]followup.FollowUp, error) {
	src, err := readDraft(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the follow-ups in %s: %w", path, pathless(err))
	}
	return followup.Parse(peoplesText(src)), nil
}
