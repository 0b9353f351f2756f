package report

import (
	"slices"
	"time"

	"gameday/runner/journal"
)

// response is what people did, what the runner asked of them, and how each claim recovered.
func (f *facts) response() Section {
	s := f.responseAndRecovery()
	if t := f.actions(); len(t.Rows) > 0 {
		s.Items = append(s.Items, Heading{ID: "actions", Text: words("What people did")}, t)
		if p := f.nearestActions(); len(p) > 0 {
			s.Items = append(s.Items, p)
		}
	}
	if t := f.stepTable(); len(t.Rows) > 0 {
		s.Items = append(s.Items, Heading{ID: "steps", Text: words("Manual steps")}, t)
	}
	return s
}

// actions are what people noted of what they did; the public reads when, and by whom.
func (f *facts) actions() Table {
	t := Table{Columns: []string{f.clock.column(), "T", "Role", "Action"}}
	public := f.audience == journal.AudiencePublic
	if public {
		t.Columns = t.Columns[:3]
	}
	for _, n := range f.notes {
		if n.p.As == journal.NoteAction {
			at := about(n)
			cells := []Phrase{words("{}", TimeOfDay(at)), words("{}", Since(at)), words("{}", roleName(n.role))}
			if late(n) {
				cells[2] = words("{} (noted at {})", roleName(n.role), At(n.at))
			}
			if !public {
				cells = append(cells, words("{}", Quote(n.p.Text)))
			}
			t.Rows = append(t.Rows, row([]string{n.id}, cells...))
		}
	}
	return t
}

// nearestActions sets each recovery beside the last action that was noted before it, and says nothing of what the one had to do with the other.
func (f *facts) nearestActions() Points {
	var out Points
	for _, h := range f.hypotheses {
		good := h.goodFrom()
		if good.IsZero() {
			continue
		}
		for _, n := range slices.Backward(f.notes) {
			if at := about(n); n.p.As == journal.NoteAction && !at.After(good) {
				by := roleName(n.role)
				if late(n) {
					by = Inner(words("{} (noted at {})", by, At(n.at)))
				}
				out = append(out, []Sentence{say(append([]string{n.id}, h.rests...), "{} held for good from {}; the nearest action before that was at {}, {} earlier, by {}: {}.",
					Name(h.Name), At(good), At(at), Span{From: at, To: good}, by, Quote(n.p.Text))})
				break
			}
		}
	}
	return out
}

// stepTable is every manual step with the times that it took.
func (f *facts) stepTable() Table {
	t := Table{Columns: []string{"Step", "For", "Due", "Confirmed", "Took"}}
	for _, s := range f.steps {
		ids := []string{s.declared}
		who := words("anybody")
		if s.Who != "" {
			who = words("{}", Name(s.Who))
		}
		due, confirmed, took := words("was not begun"), words("no"), words("not in the record")
		if s.begun != nil {
			ids = append(ids, s.begun.id)
			due = words("{}", At(s.begun.at))
		}
		switch {
		case s.confirmed != nil:
			ids = append(ids, s.confirmed.id)
			confirmed = words("at {}", At(s.confirmed.p.At))
			if s.confirmed.p.By != "" {
				confirmed = words("by {} at {}", Name(s.confirmed.p.By), At(s.confirmed.p.At))
			}
			took = words("{}", Dur(s.confirmed.p.Took))
			said, text := f.saidWith(s.confirmed.p)
			ids = append(ids, said)
			if text != "" && f.audience != journal.AudiencePublic {
				confirmed.Template += ": {}"
				confirmed.Args = append(confirmed.Args, Quote(text))
			}
		case s.timedOut != nil:
			ids = append(ids, s.timedOut.id)
			confirmed = words("not within {}", Dur(s.timedOut.p.Took))
		case !s.Confirm:
			confirmed, took = words("not asked for"), words("not measured")
		case s.begun != nil:
			ids = append(ids, f.last)
			confirmed = words("not when the run ended")
		}
		t.Rows = append(t.Rows, row(ids, words("{}: {}", Name(s.Name), Prose(s.Instructions)), who, due, confirmed, took))
	}
	return t
}

// saidWith is the evidence of what was said with a confirmation, and its words; empty: the record has none.
func (f *facts) saidWith(c *journal.StepConfirmed) (id, text string) {
	if !f.index.Has(c.Said) {
		return "", ""
	}
	return c.Said, f.confirmations[c.Said]
}

// unconfirmed is the step that the injection waited for in vain; nil: there is none.
func (f *facts) unconfirmed() *step {
	for _, s := range f.steps {
		if s.Before && s.timedOut != nil {
			return s
		}
	}
	return nil
}

// withPeople puts notes that are keyed to a row right under it, and a row where nobody said anything for long.
func (f *facts) withPeople(shown []moment) []moment {
	has := map[string]bool{}
	for _, m := range shown {
		has[m.id] = true
	}
	keyed := map[string][]moment{}
	on := map[string]string{}
	for _, n := range f.notes {
		if has[n.p.On] && has[n.id] && n.p.On != n.id {
			on[n.id] = n.p.On
		}
	}
	var out []moment
	for _, m := range shown {
		if root := on[m.id]; root != "" && on[root] == "" {
			keyed[root] = append(keyed[root], m)
		}
	}
	for _, m := range shown {
		if root := on[m.id]; root != "" && on[root] == "" {
			continue
		}
		out = append(append(out, m), keyed[m.id]...)
	}
	for _, q := range f.silences() {
		i := slices.IndexFunc(out, func(m moment) bool { return m.at.After(q.at) })
		if i < 0 {
			i = len(out)
		}
		for i < len(out) && on[out[i].id] != "" { // a keyed note stays with its row
			i++
		}
		out = slices.Insert(out, i, q)
	}
	return out
}

// silences are the times in which nobody said anything for longer than silence, from the start of the run to its end. A word counts when it is
// said, whatever it speaks of.
func (f *facts) silences() []moment {
	if len(f.notes) == 0 && len(f.steps) == 0 {
		return nil // no lane of people, so its silence says nothing
	}
	spoke := []word{{f.from, f.first}}
	add := func(at time.Time, id string) {
		if at.After(f.from) && at.Before(f.to) {
			spoke = append(spoke, word{at, id})
		}
	}
	for _, w := range f.words {
		add(w.at, w.id)
	}
	for _, s := range f.steps {
		if s.confirmed != nil {
			add(s.confirmed.p.At, s.confirmed.id)
		}
	}
	slices.SortStableFunc(spoke, func(a, b word) int { return a.at.Compare(b.at) })
	spoke = append(spoke, word{f.to, f.last})
	var out []moment
	for i, w := range spoke[1:] {
		if since := spoke[i]; w.at.Sub(since.at) > silence {
			out = append(out, moment{id: since.id, also: []string{w.id}, at: since.at, lane: lanePeople, of: silent,
				text: words("the record has no word of anybody for {}, until {}", Span{From: since.at, To: w.at}, At(w.at))})
		}
	}
	return out
}
