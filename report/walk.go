package report

import (
	"slices"
	"time"

	"gameday/runner/journal"
)

// mostWalked are the moments of the timeline at which the walk of a long debrief stops, besides its questions: in a short one there is time for one in two
// minutes of the whole. There are more only where each has to be stopped at.
const mostWalked = 25

// agendaWalk is the timeline with each question at its moment; what is asked of the run as a whole comes after it. Of long timelines it says how
// much more of them is in the draft.
func (f *facts) agendaWalk(minutes int) []AgendaLine {
	type stop struct {
		at   time.Time
		line AgendaLine
	}
	var stops []stop
	walked, left := f.walked(min(mostWalked, minutes/2))
	for _, m := range walked {
		text := m.text
		if n := f.noteOf(m.id); n != nil && late(*n) {
			text = words("{}; noted at {}", Inner(text), At(n.at))
		}
		stops = append(stops, stop{m.at, f.line(say([]string{m.id}, text.Template, text.Args...))})
	}
	var last []AgendaLine
	if n := len(left); n > 0 {
		last = append(last, f.line(say(cite(left[0].id, left[n-1].id), "{} more in the draft: plain notes and changes of state.", Count{N: n})))
	}
	for _, q := range f.questions {
		line := f.line(q.Text)
		if line.Ask = true; q.At.IsZero() {
			last = append(last, line)
			continue
		}
		stops = append(stops, stop{q.At, line})
	}
	slices.SortStableFunc(stops, func(a, b stop) int { return a.at.Compare(b.at) })
	var out []AgendaLine
	for _, s := range stops {
		s.line.At = f.clock.Time(s.at) + " (" + f.clock.Offset(s.at) + ")"
		out = append(out, s.line)
	}
	if len(out) == 0 {
		out = append(out, f.line(say(cite(f.first, f.last), "The timeline has no change of state to stop at.")))
	}
	return append(out, last...)
}

// walked are the moments at which the walk stops, and those that are left to the draft, both in order of time. Where there is no room for all,
// plain notes and other changes are thinned over the whole of the time, never what the run was about.
func (f *facts) walked(most int) (walked, left []moment) {
	events := map[string]journal.Payload{}
	for _, e := range f.index.Events {
		events[e.ID] = e.Event.Payload
	}
	var all, said, changed []moment
	for _, m := range f.moments() {
		if !m.minor && m.lane != laneRunner {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	for _, m := range calm(all) {
		switch {
		case m.lane == laneFault || stopsWalk(events[m.id]):
			walked = append(walked, m)
		case m.lane == lanePeople:
			said = append(said, m)
		default:
			changed = append(changed, m)
		}
	}
	room := max(0, most-len(walked))
	changes := min(len(changed), max(room/2, room-len(said)))
	for _, part := range []struct {
		of   []moment
		room int
	}{{changed, changes}, {said, room - changes}} {
		for i, m := range part.of {
			if n := len(part.of); part.room >= n || i*part.room/n != (i+1)*part.room/n {
				walked = append(walked, m)
			} else {
				left = append(left, m)
			}
		}
	}
	for _, ms := range [][]moment{walked, left} {
		slices.SortStableFunc(ms, func(a, b moment) int { return a.at.Compare(b.at) })
	}
	return walked, left
}

// stopsWalk says that the walk stops at an event however long the timeline is: a refutation, a guardrail, an alert, a surprise, or what somebody did.
func stopsWalk(p journal.Payload) bool {
	switch p := p.(type) {
	case *journal.HypothesisState:
		return p.Refuted
	case *journal.GuardrailState:
		return p.Tripped
	case *journal.AlertChanged:
		return p.To == journal.AlertFiring
	case *journal.AlertRouted, *journal.Stopping:
		return true
	case *journal.Note:
		return p.As == journal.NoteSurprise || p.As == journal.NoteAction
	}
	return false
}
