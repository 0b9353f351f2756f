package report

import (
	"slices"
	"sort"

	"gameday/runner/journal"
)

// A near is how near something came to its bound without passing it.
type near struct {
	what    Phrase
	ids     []string
	m       *journal.Margin
	trips   bool // the bound is where a guardrail stops the run
	tighter bool // a tighter bound can be proposed
}

// nearest are all margins that were not used up, the tightest first.
func (f *facts) nearest() []near {
	var out []near
	for _, h := range f.hypotheses {
		if h.Within > 0 {
			continue // its room is the time that it took: until then no value counts
		}
		if h.verdict == journal.Held && h.judged != nil && h.judged.p.Margin != nil && h.judged.p.Margin.Distance >= 0 {
			out = append(out, near{what: words("{}", Name(h.Name)), ids: h.rests, m: h.judged.p.Margin, tighter: true})
		}
	}
	for _, g := range f.guardrails {
		if g.judged != nil && g.tripped() == nil && g.judged.p.Closest != nil && g.judged.p.Closest.Distance >= 0 {
			out = append(out, near{what: words("guardrail {}", Name(g.Name)), ids: cite(g.declared, g.judged.id, f.query(g.QueryID)), m: g.judged.p.Closest, trips: true})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return tighter(out[i].m, out[j].m) })
	return out
}

// nearMisses says how much room was left, and proposes tighter bounds for another run.
func (f *facts) nearMisses() Section {
	s := Section{ID: "near-misses", Version: 1, Title: "Near misses"}
	t := Table{Columns: []string{"What", "Nearest", "Left", "Tighter next time"}}
	for _, n := range f.nearest() {
		v := against(&n.m.Point)
		v.Trips = n.trips
		next := words("–")
		if n.tighter && n.m.Distance > 0 && n.m.Point.Bound != nil && finite(float64(*n.m.Point.Bound)) && finite(float64(n.m.Point.Value)) {
			next = words("{} {}, halfway", Name(n.m.Point.Op), Halfway{n.m.Point.Value, *n.m.Point.Bound})
		}
		t.Rows = append(t.Rows, row(n.ids, n.what, words("{} at {}", v, At(n.m.Point.At)), words("{}", Inner(marginPhrase(n.m))), next))
	}
	points := Points{}
	for _, h := range f.hypotheses {
		if again := h.heldWithin(); again != nil {
			points = append(points, []Sentence{say(cite(append([]string{h.declared}, h.rests...)...), "{} held for good {} after the last undo, of the {} declared.", Name(h.Name),
				lasting(again.AtLeast, again.AtMost), Dur(h.Within))})
		}
		if p := h.tolerated(); p != nil {
			points = append(points, []Sentence{say(cite(append([]string{h.declared}, h.rests...)...), "{} was violated for {} of the {} tolerated, from {}.", Name(h.Name),
				lasting(p.Length, p.AtMost), Dur(h.Tolerate), At(p.First))})
		}
	}
	for _, x := range f.alerts.all {
		if x.seen != nil && x.seen.p.Pended > 0 && x.seen.p.Fired == 0 && x.seen.p.Longest > 0 {
			points = append(points, []Sentence{say([]string{x.seen.id}, "Alert {} was pending and did not fire: for {} of the {} that its rule asks for.", Name(x.name), Dur(x.seen.p.Longest), Dur(x.seen.p.For))})
		}
	}
	if len(t.Rows) > 0 {
		s.Items = append(s.Items, t)
	}
	if len(points) > 0 {
		s.Items = append(s.Items, points)
	}
	if len(s.Items) == 0 {
		s.Items = append(s.Items, Para{say(cite(f.declaredEvidence(), f.last), "The record has no margin of a claim that held or of a guardrail that did not trip, and no alert that was pending and did not fire.")})
	}
	return s
}

// heldWithin is how long a hypothesis that held took after the last undo, of a time that is declared for that; nil where it took none.
func (h *hypothesis) heldWithin() *journal.HeldAgain {
	if h.Within <= 0 || h.verdict != journal.Held || h.judged == nil || !slices.Contains(h.Phases, journal.Recovery) {
		return nil
	}
	if again := h.judged.p.HeldAgain; again != nil && again.AtMost > 0 {
		return again
	}
	return nil
}

// tolerated is the longest violation in the fault phase that a hypothesis held in spite of; nil where there was none.
func (h *hypothesis) tolerated() *journal.Stretch {
	if h.verdict != journal.Held || h.judged == nil || h.Tolerate <= 0 {
		return nil
	}
	for i := range h.judged.p.Phases {
		if p := &h.judged.p.Phases[i]; p.Phase == journal.Fault {
			if s := longest(p); s != nil && s.Tolerated {
				return s
			}
		}
	}
	return nil
}
