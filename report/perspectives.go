package report

import (
	"fmt"
	"slices"

	"gameday/runner/journal"
)

// perspectives is what each role said, one after the other and never merged. What several roles said of the same stands side by side.
func (f *facts) perspectives() Section {
	s := Section{ID: "perspectives", Version: 1, Title: "Perspectives", People: true}
	roles := f.roles()
	if len(roles) == 0 {
		s.Items = append(s.Items, Para{say(cite(f.first, f.last), "Nobody's words are in the record; each role can say here what it saw, knew and expected.")})
		if p := f.silentObservers(); len(p) > 0 {
			s.Items = append(s.Items, p)
		}
		return s
	}
	said := say(cite(f.first, f.last), "What each role said, verbatim; what else a role has to say goes beneath.")
	if f.audience == journal.AudiencePublic {
		said.Template = "When each role said something, and of what kind; the words are left out. What a role has to say here goes beneath."
	}
	s.Items = append(s.Items, Para{said})
	for i, role := range roles {
		s.Items = append(s.Items, Heading{ID: fmt.Sprintf("role-%d", i+1), Text: words("{}", roleName(role))}, f.spokenBy(role))
	}
	if t := f.sideBySide(); len(t.Rows) > 0 {
		s.Items = append(s.Items, Heading{ID: "side-by-side", Text: words("On the same evidence")}, t)
	}
	if p := f.silentObservers(); len(p) > 0 {
		s.Items = append(s.Items, Heading{ID: "observers", Text: words("Observers without a word")}, p)
	}
	return s
}

// spokenBy is what a role predicted, and what it noted, in the order of the times of which it speaks.
func (f *facts) spokenBy(role string) Points {
	var out Points
	for _, p := range f.predictions {
		if p.role != role {
			continue
		}
		text, args := "Before the fault: {} {}", []Value{Name(p.p.Of), Verdict(p.p.Expects)}
		if p.p.Confidence != nil {
			text, args = text+", with a confidence of {}", append(args, Percent(*p.p.Confidence))
		}
		if p.p.Text != "" {
			text, args = text+": {}", append(args, Quote(p.p.Text))
		}
		out = append(out, []Sentence{say([]string{p.id}, text+".", args...)})
	}
	for _, n := range f.notes {
		if n.role != role {
			continue
		}
		text, ids := "{} ({})", []string{n.id}
		args := []Value{At(about(n)), Name(n.p.As)}
		if late(n) {
			text, args = "{} ({}, noted at {})", append(args, At(n.at))
		}
		if f.index.Has(n.p.On) {
			text, args, ids = text+", on {}", append(args, Name(n.p.On)), append(ids, n.p.On)
		}
		out = append(out, []Sentence{say(ids, text+": {}", append(args, Quote(n.p.Text))...)})
	}
	return out
}

// sideBySide is what at least two roles said of the same piece of evidence.
func (f *facts) sideBySide() Table {
	t := Table{Columns: []string{"On", "Role", "Kind", "Words"}}
	if f.audience == journal.AudiencePublic {
		return t // which reads no words
	}
	var order []string
	byEvidence, roles := map[string][]spoken[*journal.Note]{}, map[string]map[string]bool{}
	for _, n := range f.notes {
		on := n.p.On
		if !f.index.Has(on) {
			continue
		}
		if byEvidence[on] == nil {
			order, roles[on] = append(order, on), map[string]bool{}
		}
		byEvidence[on], roles[on][n.role] = append(byEvidence[on], n), true
	}
	for _, on := range order {
		if len(roles[on]) < 2 {
			continue
		}
		for _, n := range byEvidence[on] {
			t.Rows = append(t.Rows, row([]string{n.id, on}, words("{}", Name(on)), words("{}", roleName(n.role)), words("{}", Name(n.p.As)), words("{}", Quote(n.p.Text))))
		}
	}
	return t
}

// silentObservers are the observers that the scenario declares and that said nothing.
func (f *facts) silentObservers() Points {
	var out Points
	for _, o := range f.declared.p.Observers {
		if slices.Contains(f.roles(), o.Name) {
			continue
		}
		text, args := "The record holds no word of {}", []Value{Name(o.Name)}
		if len(o.Watches) > 0 {
			var l List
			for _, w := range o.Watches {
				l = append(l, Name(w))
			}
			text, args = text+", who was to watch {}", append(args, l)
		}
		out = append(out, []Sentence{say(cite(f.declared.id, f.last), text+".", args...)})
	}
	return out
}

// spread says how many roles expected what of a claim, beside what became of it. There is nothing to say where nobody predicted.
func (f *facts) spread(name string, alert bool, now journal.Verdict, rests []string) []Sentence {
	all := f.predictionsOf(name, alert)
	if len(all) == 0 {
		return nil
	}
	var ids, held, refuted []string
	var least, most *journal.Number
	for _, p := range all {
		ids = append(ids, p.id)
		switch p.p.Expects {
		case journal.Held:
			held = append(held, p.id)
		case journal.Refuted:
			refuted = append(refuted, p.id)
		}
		if c := p.p.Confidence; c != nil {
			if least == nil || *c < *least {
				least = c
			}
			if most == nil || *c > *most {
				most = c
			}
		}
	}
	count := func(ids []string) Count { return Count{len(ids), append([]string{}, ids...)} }
	what := Value(Name(name))
	if alert {
		what = Inner(words("alert {}", Name(name)))
	}
	out := []Sentence{say(append(slices.Clone(ids), rests...), "{} {} predicted {} before the fault, and expected {}; it is {}.",
		count(ids), plural(len(ids), "role", "roles"), what, Verdict(all[0].p.Expects), Verdict(now))}
	if len(held) > 0 && len(refuted) > 0 {
		out = []Sentence{say(append(slices.Clone(ids), rests...), "Of {} {} that predicted {} before the fault, {} expected {} and {} expected {}; it is {}.",
			count(ids), plural(len(ids), "role", "roles"), what, count(held), Verdict(journal.Held), count(refuted), Verdict(journal.Refuted), Verdict(now))}
	}
	switch {
	case least == nil:
	case *least == *most:
		out = append(out, say(ids, "The confidence that was given is {}.", Percent(*least)))
	default:
		out = append(out, say(ids, "The confidence that was given is from {} to {}.", Percent(*least), Percent(*most)))
	}
	return out
}

// predictedAlerts is the spread of what was predicted of alerts, and what does not count.
func (f *facts) predictedAlerts() Para {
	var out Para
	for _, x := range f.claimed() {
		out = append(out, f.spread(x.name, true, x.verdict, x.rests)...)
	}
	return append(out, f.notCounted()...)
}

// notCounted says which predictions are left out, and on what ground.
func (f *facts) notCounted() Para {
	n, ids := len(f.uncounted), []string{}
	for _, p := range f.uncounted {
		ids = append(ids, p.id)
	}
	switch {
	case f.seal != nil && f.sealed < f.seal.p.Predictions:
		// Which of them are among those that were sealed cannot be told from a seal over all of them.
		k := f.seal.p.Predictions
		text := "{} {} sealed before the first injection, and what stood in {} then does not stand there now: "
		args := []Value{Count{N: k}, plural(k, "prediction was", "predictions were"), Name(journal.PeopleFile)}
		if n == 0 {
			return Para{say(cite(f.seal.id, f.last), text+"no prediction is counted.", args...)}
		}
		return Para{say(cite(append([]string{f.seal.id, f.last}, ids...)...), text+"the {} {} not counted.", append(args, Count{n, ids}, plural(n, "prediction in it is", "predictions in it are"))...)}
	case n == 0:
		return nil
	case f.seal == nil:
		return Para{say(append(slices.Clone(ids), f.last), "The record has no seal from before the first injection, and {} {} not counted.", Count{n, ids}, plural(n, "prediction is", "predictions are"))}
	}
	return Para{say(append(slices.Clone(ids), f.seal.id), "{} {} written down after the first injection was begun, and {} not counted.", Count{n, ids},
		plural(n, "prediction was", "predictions were"), plural(n, "is", "are"))}
}
