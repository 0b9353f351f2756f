package report

import (
	"fmt"
	"time"

	"gameday/runner/journal"
)

// expectedAndObserved lays what was declared beforehand beside what was seen, with a chart for each.
func (f *facts) expectedAndObserved() Section {
	s := Section{ID: "expected", Version: 1, Title: "What was expected, and what was seen"}
	if len(f.hypotheses) == 0 {
		s.Items = append(s.Items, Para{say([]string{f.declaredEvidence()}, "The scenario states no hypothesis.")})
	} else {
		t := Table{Columns: []string{"Hypothesis", "Expected", "Seen", "Verdict", "Margin"}}
		for _, h := range f.hypotheses {
			t.Rows = append(t.Rows, row(append([]string{h.declared}, h.rests...),
				words("{}", Name(h.Name)), h.expectation(), f.observed(h), words("{}", Verdict(h.verdict)), h.margin()))
		}
		s.Items = append(s.Items, t)
	}
	for i, h := range f.hypotheses {
		title := words("{}", Name(h.Name))
		if h.verdict == journal.Refuted {
			title = words("Learned: {} does not always hold", Name(h.Name))
		}
		s.Items = append(s.Items, Heading{ID: fmt.Sprintf("hypothesis-%d", i+1), Text: title, Verdict: h.verdict})
		text := Para{}
		if h.Description != "" {
			text = append(text, say([]string{h.declared}, "The claim: {}", Prose(h.Description)))
		}
		text = append(text, f.reasonSentence(h))
		points := Points{}
		for _, x := range f.stretches(h) {
			points = append(points, []Sentence{x})
		}
		if h.judged != nil && h.judged.p.HeldAgain != nil {
			a := h.judged.p.HeldAgain
			if a.AtMost == 0 {
				points = append(points, []Sentence{say(h.rests, "At the last undo, {}, it held already.", At(a.Undo))})
			} else {
				points = append(points, []Sentence{say(h.rests, "It held for good from {}, {} after the last undo.", At(a.First), Lasting{time.Duration(a.AtLeast), time.Duration(a.AtMost)})})
			}
		}
		s.Items = append(s.Items, text)
		if len(points) > 0 {
			s.Items = append(s.Items, points)
		}
		if c := f.hypothesisChart(h, i+1); c != nil {
			s.Items = append(s.Items, c)
		}
	}
	for i, g := range f.guardrails {
		s.Items = append(s.Items, Heading{ID: fmt.Sprintf("guardrail-%d", i+1), Text: words("Guardrail {}", Name(g.Name))})
		text := Para{}
		if g.Description != "" {
			text = append(text, say([]string{g.declared}, "Why it is there: {}", Prose(g.Description)))
		}
		text = append(text, f.guardrailSentence(g))
		s.Items = append(s.Items, text)
		if c := f.guardrailChart(g, i+1); c != nil {
			s.Items = append(s.Items, c)
		}
	}
	return s
}

// expectation is the claim as it was declared.
func (h *hypothesis) expectation() Phrase {
	if h.Expect == "" {
		return words("not in the record")
	}
	p := words("{}", Name(h.Expect))
	more := func(template string, v Value) {
		p.Template += template
		p.Args = append(p.Args, v)
	}
	if h.Match == "any" {
		p.Template += " for any series"
	}
	if h.Tolerate > 0 {
		more(", dips up to {}", Dur(h.Tolerate))
	}
	if h.Within > 0 {
		more(", within {}", Dur(h.Within))
	}
	if n := len(h.Phases); n > 0 && n < 3 {
		var l List
		for _, ph := range h.Phases {
			l = append(l, Name(ph))
		}
		more(", in {}", l)
	}
	return p
}

// observed is the worst value, when it was, and how long it lasted.
func (f *facts) observed(h *hypothesis) Phrase {
	if h.judged == nil {
		for _, s := range h.states {
			if s.p.Refuted && s.p.Point != nil {
				return words("{} at {}", Against{s.p.Point.Value, s.p.Point.Op, s.p.Point.Bound}, At(s.p.Point.At))
			}
		}
		return words("the record ends before it was judged")
	}
	worst, phase := worstPoint(h.judged.p)
	if worst == nil && h.verdict == journal.NotTested {
		return words("nothing that counts")
	}
	if worst == nil {
		return words("no value")
	}
	longest := longest(phase)
	p := words("{} at {}", Against{worst.Value, worst.Op, worst.Bound}, At(worst.At))
	if longest != nil && longest.AtMost > 0 {
		p.Template += ", for {}"
		p.Args = append(p.Args, Lasting{time.Duration(longest.Length), time.Duration(longest.AtMost)})
	}
	if phase.Phase == journal.Recovery && h.verdict == journal.Held && longest != nil {
		p.Template += ", while it recovered"
	}
	return p
}

// worstPoint is the worst value of the phases that a verdict rests on: the one that it names, or else the worst of those
// after the baseline.
func worstPoint(j *journal.HypothesisJudged) (*journal.Point, *journal.PhaseJudged) {
	var point *journal.Point
	var phase *journal.PhaseJudged
	for i := range j.Phases {
		p := &j.Phases[i]
		if p.Worst == nil {
			continue
		}
		if p.Phase == j.Phase {
			return p.Worst, p
		}
		if point == nil || p.Phase != journal.Baseline && (phase.Phase == journal.Baseline || beyond(p.Worst) > beyond(point)) {
			point, phase = p.Worst, p
		}
	}
	return point, phase
}

// beyond is how far a value is past its bound; negative: so much room is left.
func beyond(p *journal.Point) float64 {
	if p.Bound == nil {
		return 0
	}
	d := float64(p.Value) - float64(*p.Bound)
	if p.Op == ">" || p.Op == ">=" {
		d = -d
	}
	return d
}

func longest(p *journal.PhaseJudged) *journal.Stretch {
	var out *journal.Stretch
	for i := range p.Violations {
		if s := &p.Violations[i]; out == nil || s.AtMost > out.AtMost {
			out = s
		}
	}
	return out
}

// margin is how much room was left to the bound, or how far beyond it the value went.
func (h *hypothesis) margin() Phrase {
	if h.judged == nil || h.judged.p.Margin == nil {
		return words("not in the record")
	}
	return marginPhrase(h.judged.p.Margin)
}

func marginPhrase(m *journal.Margin) Phrase {
	word, distance, share := "left", float64(m.Distance), m.Share
	if distance < 0 {
		word, distance = "beyond", -distance
	}
	if share == nil || !finite(float64(*share)) {
		return words("{} {}", Num(distance), Word(word))
	}
	s := float64(*share)
	if s < 0 {
		s = -s
	}
	return words("{} {} ({} of the bound)", Num(distance), Word(word), Percent(s))
}

// reasonSentence says on what the verdict rests.
func (f *facts) reasonSentence(h *hypothesis) Sentence {
	v, name := Verdict(h.verdict), Name(h.Name)
	if h.judged == nil {
		if h.verdict == journal.Refuted {
			return say(h.rests, "{} is {}: it was seen violated for longer than tolerated; the record ends before the run was judged.", name, v)
		}
		return say(h.rests, "{} is {}: the record ends before it was judged.", name, v)
	}
	j := h.judged.p
	detail := func(template string, args ...Value) Sentence {
		if j.Detail != "" {
			template, args = template[:len(template)-1]+": {}.", append(args, Quote(j.Detail))
		}
		return say(h.rests, template, args...)
	}
	in := Word("")
	switch j.Phase {
	case journal.Baseline, journal.Fault, journal.Recovery:
		in = Word(" in the " + string(j.Phase) + " phase")
	}
	switch h.reason {
	case journal.ReasonHeld:
		if h.Within > 0 {
			return say(cite(append([]string{h.declared}, h.rests...)...), "{} {}: it was as claimed within the {} declared.", name, v, Dur(h.Within))
		}
		return detail("{} {}: every sample that counts was as claimed, or back within what was tolerated.", name, v)
	case journal.ReasonViolated:
		if h.Tolerate > 0 {
			return say(cite(append([]string{h.declared}, h.rests...)...), "{} was {}{}: a violation lasted longer than the {} tolerated.", name, v, in, Dur(h.Tolerate))
		}
		return detail("{} was {}{}: it was seen violated.", name, v, in)
	case journal.ReasonWithinMissed:
		return say(cite(append([]string{h.declared}, h.rests...)...), "{} was {}{}: it did not hold within {}.", name, v, in, Dur(h.Within))
	case journal.ReasonNotRecovered:
		return detail("{} was {}: after the last undo it did not hold for good in time.", name, v)
	case journal.ReasonNoData:
		return detail("{} is {}{}: samples are missing.", name, v, in)
	case journal.ReasonNoDataCounted:
		return detail("{} was {}{}: there was no data, which the scenario counts as a violation.", name, v, in)
	case journal.ReasonGate:
		if f.gate != nil {
			return say(cite(append(h.rests, f.gate.id)...), "{} is {}: the baseline gate was not met, and nothing was injected.", name, v)
		}
		return detail("{} is {}: the baseline gate was not met, and nothing was injected.", name, v)
	case journal.ReasonNotInjected:
		return detail("{} is {}: a fault was not seen to take effect.", name, v)
	case journal.ReasonFaultEnded:
		return detail("{} is {}: a fault ended before its time.", name, v)
	case journal.ReasonStopped:
		return detail("{} is {}: the run ended before the phases that it is judged in were over.", name, v)
	case journal.ReasonError:
		return detail("{} is {}: its condition could not be evaluated.", name, v)
	}
	return detail("{} is {}.", name, v)
}

// mostStretches of one kind are written out for one phase of a hypothesis.
const mostStretches = 3

// stretches writes out when a claim did not hold, and when there was no data.
func (f *facts) stretches(h *hypothesis) []Sentence {
	if h.judged == nil {
		return nil
	}
	var out []Sentence
	for _, p := range h.judged.p.Phases {
		for i, s := range p.Violations {
			if i == mostStretches {
				out = append(out, say(h.rests, "The {} phase has {} violations; the others are in the record.", Name(p.Phase), Count{N: len(p.Violations)}))
				break
			}
			text := "Violated in the {} phase: it began {}"
			if p.Phase == journal.Recovery && h.verdict == journal.Held {
				text = "Still violated in the {} phase, which does not count while it recovers: it began {}"
			}
			out = append(out, stretchSentence(h.rests, text, p.Phase, s))
		}
		for i, s := range p.Gaps {
			if i == mostStretches {
				out = append(out, say(h.rests, "The {} phase has {} gaps; the others are in the record.", Name(p.Phase), Count{N: len(p.Gaps)}))
				break
			}
			out = append(out, stretchSentence(h.rests, "No data in the {} phase: it began {}", p.Phase, s))
		}
	}
	return out
}

func stretchSentence(ids []string, template string, phase journal.Phase, s journal.Stretch) Sentence {
	args := []Value{Name(phase), Between{s.After, s.First}}
	if s.Before != nil {
		template += ", ended {}"
		args = append(args, Between{&s.Last, *s.Before})
	} else {
		template += ", was still so at the last sample of the phase, {}"
		args = append(args, At(s.Last))
	}
	template += ", and lasted {}"
	args = append(args, Lasting{time.Duration(s.Length), time.Duration(s.AtMost)})
	if s.Tolerated {
		template += ", which was tolerated"
	}
	if s.Worst != nil {
		template += "; worst {} at {}"
		args = append(args, Against{s.Worst.Value, s.Worst.Op, s.Worst.Bound}, At(s.Worst.At))
		if len(s.Worst.Labels) > 0 {
			template += " in {}"
			args = append(args, Labels(s.Worst.Labels))
		}
	}
	if s.Detail != "" {
		template += "; the source said {}"
		args = append(args, Quote(s.Detail))
	}
	return say(ids, template+".", args...)
}

// guardrailSentence says whether a guardrail ended the run, and how near it came.
func (f *facts) guardrailSentence(g *guardrail) Sentence {
	for _, s := range g.states {
		if !s.p.Tripped {
			continue
		}
		ids := cite(g.declared, s.id, f.query(g.QueryID))
		switch {
		case s.p.Blind:
			return say(ids, "It stopped the run at {}: it had no data to guard with since {}.", At(s.at), At(s.p.Since))
		case s.p.Point != nil:
			return say(ids, "It stopped the run at {}: {} had been true since {}, with {} at {}.", At(s.at), Name(g.AbortWhen), At(s.p.Since), Num(s.p.Point.Value), At(s.p.Point.At))
		}
		return say(ids, "It stopped the run at {}: {} had been true since {}.", At(s.at), Name(g.AbortWhen), At(s.p.Since))
	}
	if g.judged == nil {
		return say(cite(g.declared, f.last), "It would have stopped the run at {}; the record ends before it was summed up.", Name(g.AbortWhen))
	}
	ids := cite(g.declared, g.judged.id, f.query(g.QueryID))
	if m := g.judged.p.Closest; m != nil {
		return say(ids, "It would have stopped the run at {} and did not trip; the nearest it came was {} at {}.", Name(g.AbortWhen), Num(m.Point.Value), At(m.Point.At))
	}
	return say(ids, "It would have stopped the run at {} and did not trip.", Name(g.AbortWhen))
}
