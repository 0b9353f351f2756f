package report

import (
	"slices"
	"time"
)

// impact says whether the run stayed inside what the scenario allowed, and whether everything is as it was.
func (f *facts) impact() Section {
	s := Section{ID: "impact", Version: 1, Title: "Impact and boundaries"}
	s.Items = append(s.Items, f.touched()...)
	s.Items = append(s.Items, f.blastRadius())
	s.Items = append(s.Items, f.guardrailTable())
	points := Points{}
	for _, list := range [][]Sentence{f.guardLines(), f.aborts(), f.residueLines(), f.differences(), f.bystanders()} {
		for _, x := range list {
			points = append(points, []Sentence{x})
		}
	}
	s.Items = append(s.Items, points)
	return s
}

// touched lists every fault on every container beside what was declared.
func (f *facts) touched() []Item {
	if len(f.faults) == 0 {
		return []Item{Para{say(cite(f.declaredEvidence(), f.last), "No container was touched.")}}
	}
	t := Table{Columns: []string{"Fault", "Container", "Declared", "In force", "Gone"}}
	for _, x := range f.faults {
		declared := words("no")
		ids := x.evidence()
		for _, p := range f.declared.p.Faults {
			if p.Name == x.name && slices.Contains(p.Containers, x.target.Name) {
				declared = words("yes")
				ids = append(ids, f.declared.id)
			}
		}
		if f.declared.id == "" {
			declared = words("not in the record")
		}
		effect, gone := words("not seen"), words("not seen")
		if x.verified != nil {
			effect = words("{}", At(x.effect()))
		}
		switch {
		case x.untouched():
			gone = words("nothing to undo")
		case x.undone != nil:
			gone = words("{}", At(x.gone()))
		}
		t.Rows = append(t.Rows, row(ids, words("{} ({})", Name(x.name), Name(kindName(x.kind))), words("{}", Name(x.target.Name)), declared, effect, gone))
	}
	return []Item{t}
}

// containers are the names of all containers that something was done to, or may have been, in order, with the evidence of each.
func (f *facts) containers() (names []string, ids []string) {
	for _, x := range f.faults {
		if x.intent == nil || x.untouched() || slices.Contains(names, x.target.Name) {
			continue
		}
		names = append(names, x.target.Name)
		ids = append(ids, x.intent.id)
	}
	return names, ids
}

// blastRadius holds what was done against what was allowed.
func (f *facts) blastRadius() Item {
	b := f.declared.p.BlastRadius
	names, touched := f.containers()
	count := Count{len(names), append([]string{}, touched...)}
	points := Points{}
	at := f.declaredEvidence()
	if b.MaxTargets > 0 {
		word := Word("within")
		if len(names) > b.MaxTargets {
			word = "beyond"
		}
		points = append(points, []Sentence{say(cite(append([]string{at}, touched...)...), "Containers touched: {}, {} the limit of {}.", count, word, Count{N: b.MaxTargets})})
	} else {
		points = append(points, []Sentence{say(cite(append([]string{at}, touched...)...), "Containers touched: {}; no limit was declared.", count)})
	}
	from, to, ids := f.harm()
	switch {
	case from.IsZero():
		if b.MaxDuration > 0 {
			points = append(points, []Sentence{say(cite(at, f.last), "No fault was seen in force; the limit was {}.", Dur(b.MaxDuration))})
		}
	case to.IsZero():
		points = append(points, []Sentence{say(ids, "A fault was in force from {}; nothing shows the end.", At(from))})
	default:
		d := to.Sub(from)
		if b.MaxDuration > 0 {
			word := Word("within")
			if d > time.Duration(b.MaxDuration) {
				word = "beyond"
			}
			points = append(points, []Sentence{say(append(ids, at), "From the first effect to the last undo: {}, {} the limit of {}.", Span{From: from, To: to}, word, Dur(b.MaxDuration))})
		} else {
			points = append(points, []Sentence{say(ids, "From the first effect to the last undo: {}; no limit was declared.", Span{From: from, To: to})})
		}
	}
	if len(b.Protected) > 0 {
		var hit, safe List
		for _, p := range b.Protected {
			if slices.Contains(names, p) {
				hit = append(hit, Name(p))
			} else {
				safe = append(safe, Name(p))
			}
		}
		if len(hit) > 0 {
			points = append(points, []Sentence{say(cite(append([]string{at}, touched...)...), "A protected container was touched: {}.", hit)})
		}
		if len(safe) > 0 {
			points = append(points, []Sentence{say([]string{at}, "Protected, and not touched: {}.", safe)})
		}
	}
	return points
}

// harm is the time from the first effect to the last undo, with its evidence. to is zero while a fault is open.
func (f *facts) harm() (from, to time.Time, ids []string) {
	var first, last string
	open := false
	for _, x := range f.faults {
		if x.verified == nil {
			continue
		}
		if e := x.effect(); from.IsZero() || e.Before(from) {
			from, first = e, x.verified.id
		}
		if x.undone == nil {
			open = true
		} else if g := x.gone(); g.After(to) {
			to, last = g, x.undone.id
		}
	}
	if open {
		to, last = time.Time{}, ""
	}
	return from, to, cite(first, last)
}

func (f *facts) guardrailTable() Item {
	if len(f.guardrails) == 0 {
		return Para{say([]string{f.declaredEvidence()}, "The scenario declares no guardrail.")}
	}
	t := Table{Columns: []string{"Guardrail", "Stops the run when", "Tripped", "Closest approach"}}
	for _, g := range f.guardrails {
		ids := []string{g.declared, f.query(g.QueryID)}
		tripped, closest := words("not in the record"), words("not in the record")
		when := words("{}", Name(g.AbortWhen))
		if g.For > 0 {
			when = words("{} for {}", Name(g.AbortWhen), Dur(g.For))
		}
		if g.judged != nil {
			ids = append(ids, g.judged.id)
			tripped = words("no")
			if g.judged.p.Tripped {
				tripped = words("yes")
			}
			if m := g.judged.p.Closest; m != nil {
				margin := marginPhrase(m)
				closest = words("{} at {}: {}", Num(m.Point.Value), At(m.Point.At), Inner(margin))
			}
		}
		for _, s := range g.states {
			if s.p.Tripped {
				ids = append(ids, s.id)
				tripped = words("at {}", At(s.at))
				if s.p.Blind {
					tripped = words("at {}, without data to guard with", At(s.at))
				}
				break
			}
		}
		t.Rows = append(t.Rows, row(ids, words("{}", Name(g.Name)), when, tripped, closest))
	}
	return t
}

func (f *facts) aborts() []Sentence {
	if len(f.stops) == 0 {
		if f.takeover != nil {
			return nil // which has been said
		}
		return []Sentence{say(cite(f.first, f.last), "Nothing in the record stopped the run before its time.")}
	}
	var out []Sentence
	for _, s := range f.stops {
		out = append(out, say([]string{s.id}, "The run was stopped at {} ({}): {}.", At(s.at), Name(s.p.Why), Quote(s.p.Detail)))
	}
	return out
}

// residueLines says whether every fault was seen to be gone.
func (f *facts) residueLines() []Sentence {
	open := f.open()
	ids := []string{}
	for _, x := range open {
		ids = append(ids, x.evidence()[0])
	}
	last := f.last
	if f.residue != nil {
		last = f.residue.id
	}
	switch {
	case len(open) > 0:
		return []Sentence{say(cite(append(ids, last)...), "Residue: {} {} not shown to be gone; see the top of this page.", Count{len(open), ids}, plural(len(open), "fault is", "faults are"))}
	case f.residue != nil && (len(f.residue.p.Open) > 0 && !f.recovered() || f.residue.p.Helpers > 0):
		return []Sentence{say([]string{last}, "Something was left behind; see the top of this page.")}
	case !slices.ContainsFunc(f.faults, func(x *fault) bool { return !x.untouched() }):
		return []Sentence{say([]string{last}, "Nothing was done to a container; there was nothing to undo.")}
	}
	for _, x := range f.faults {
		if x.undone != nil {
			ids = append(ids, x.undone.id)
		}
	}
	return []Sentence{say(cite(append(ids, last)...), "No residue: every fault that was begun was seen to be gone.")}
}

func (f *facts) differences() []Sentence {
	var out []Sentence
	ids := []string{}
	for _, x := range f.faults {
		if x.undone == nil || x.untouched() {
			continue
		}
		ids = append(ids, x.undone.id)
		for _, d := range slices.Compact(slices.Clone(x.undone.p.Differences)) { // the public reads no more than that there are some
			out = append(out, say([]string{x.undone.id}, "Right after the undo {} was not as before: {}.", Name(x.target.Name), Quote(d)))
		}
		if len(x.undone.p.Differences) > 0 {
			out = append(out, f.laterHealth(x)...)
		}
	}
	switch {
	case len(out) > 0:
		return out
	case len(ids) == 0:
		return []Sentence{say([]string{f.last}, "The record holds no undo after which a container could be compared.")}
	}
	return []Sentence{say(ids, "After the undo no difference was seen on the containers that were touched.")}
}

// laterHealth says what the health check of a container came to after its undo.
func (f *facts) laterHealth(x *fault) []Sentence {
	for _, c := range slices.Backward(f.changes) {
		when := c.p.At
		if when.IsZero() {
			when = c.at
		}
		if c.p.Container.ID == x.target.ID && when.After(x.gone()) && (c.p.Change == "healthy" || c.p.Change == "unhealthy") {
			return []Sentence{say([]string{c.id}, "The last that is known of the health of {} is {}, at {}.", Name(x.target.Name), Name(c.p.Change), At(when))}
		}
	}
	return nil
}

// bystanders lists what changed on containers that were no targets.
func (f *facts) bystanders() []Sentence {
	const most = 10
	var out []Sentence
	var ids []string
	for _, c := range f.changes {
		if c.p.Target || c.p.Ours {
			continue
		}
		ids = append(ids, c.id)
		if len(ids) <= most {
			at := c.p.At
			if at.IsZero() {
				at = c.at
			}
			out = append(out, say([]string{c.id}, "{}, which was no target, changed at {}: {}.", Name(c.p.Container.Name), At(at), Name(c.p.Change)))
		}
	}
	if len(ids) > most {
		out = append(out, say(ids, "In all {} such changes are in the record.", Count{len(ids), ids}))
	}
	if len(out) == 0 {
		return []Sentence{say(cite(f.first, f.last), "No change on a container that was no target is in the record.")}
	}
	return out
}
