package report

import (
	"fmt"
	"math"
	"slices"
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
		text = append(text, f.spread(h.Name, false, h.verdict, h.rests)...)
		text = append(text, f.lastTime(h.Name, false)...)
		points := f.stretches(h)
		s.Items = append(s.Items, text)
		if len(points) > 0 {
			s.Items = append(s.Items, points)
		}
		if c := f.hypothesisChart(h, i+1); c != nil {
			s.Items = append(s.Items, c)
		}
	}
	if p := f.predictedAlerts(); len(p) > 0 {
		s.Items = append(s.Items, Heading{ID: "predictions", Text: words("Predictions")}, p)
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
				return words("{} at {}", against(s.p.Point), At(s.p.Point.At))
			}
		}
		return words("{} before it was judged", f.cut())
	}
	if h.verdict == journal.NotTested {
		return words("nothing that counts")
	}
	worst, phase := h.seen()
	if worst == nil {
		return words("no value")
	}
	p := words("{} at {}", against(worst), At(worst.At))
	more := func(template string, least, most journal.Duration) {
		p.Template += template
		p.Args = append(p.Args, Lasting{time.Duration(least), time.Duration(most)})
	}
	var recovered *journal.HeldAgain
	for i := range h.judged.p.Phases {
		if x := &h.judged.p.Phases[i]; x.Phase == journal.Recovery && len(x.Violations) > 0 && h.verdict == journal.Held {
			recovered = h.judged.p.HeldAgain
		}
	}
	if phase != nil {
		most := longest(phase)
		for i := range phase.Violations {
			s := &phase.Violations[i]
			if worst.At.Before(s.First) || worst.At.After(s.Last) || s.AtMost <= 0 {
				continue
			}
			more(", for {}", s.Length, s.AtMost)
			if s != most && s.AtMost < most.AtMost {
				more("; the longest violation lasted {}", most.Length, most.AtMost)
			}
		}
	}
	if recovered != nil && recovered.AtMost > 0 {
		more("; held for good {} after the last undo", recovered.AtLeast, recovered.AtMost)
	}
	return p
}

// seen is the value by which a verdict is remembered, and the phase that it is of; nil where there is none. It is the worst of the phase that
// the verdict names; else of all values that count the one that margins are measured at; else the worst after the baseline.
func (h *hypothesis) seen() (*journal.Point, *journal.PhaseJudged) {
	j := h.judged.p
	for i := range j.Phases {
		if p := &j.Phases[i]; p.Phase == j.Phase && p.Worst != nil {
			return p.Worst, p
		}
	}
	if j.Margin != nil {
		point := &j.Margin.Point
		for i := range j.Phases {
			if p := &j.Phases[i]; p.Phase != journal.Baseline && !point.At.Before(p.From) && !point.At.After(p.To) {
				return point, p
			}
		}
		return point, nil
	}
	var point *journal.Point
	var phase *journal.PhaseJudged
	for i := range j.Phases {
		p := &j.Phases[i]
		if p.Worst != nil && (point == nil || p.Phase != journal.Baseline && (phase.Phase == journal.Baseline || beyond(p.Worst) > beyond(point))) {
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
	switch p.Op {
	case ">", ">=":
		return -d
	case "==":
		return math.Abs(d)
	case "!=":
		return -math.Abs(d)
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

// margin is how much room the value by which the verdict is remembered left to its bound, or how far beyond it the value went.
func (h *hypothesis) margin() Phrase {
	if h.verdict == journal.NotTested {
		return words("none: it was not tested")
	}
	if h.judged == nil {
		return words("not in the record")
	}
	p, phase := h.seen()
	switch m := h.judged.p.Margin; {
	case p == nil:
	case m != nil && p == &m.Point:
		return marginPhrase(m)
	case p.Op == "==" || p.Op == "!=":
		return words("none: it is met or it is not")
	case h.Within > 0 && h.verdict == journal.Held && phase.Phase == journal.Fault:
		return words("none: it had to come true, and did")
	case marginOf(p) != nil:
		return words("{}", Left(*p))
	}
	return words("not in the record")
}

// left is the margin at the value by which a verdict is remembered; nil where there is none.
func (h *hypothesis) left() *journal.Margin {
	if h.judged == nil || h.judged.p.Margin == nil {
		return nil
	}
	p, _ := h.seen()
	if m := h.judged.p.Margin; p == &m.Point {
		return m
	}
	return marginOf(p)
}

// marginOf is how far a value is from the bound that it has to stay below or above; nil where it has none.
func marginOf(p *journal.Point) *journal.Margin {
	switch p.Op {
	case "<", "<=", ">", ">=":
	default:
		return nil
	}
	d := -beyond(p)
	if p.Bound == nil || math.IsNaN(d) {
		return nil
	}
	m := &journal.Margin{Point: *p, Distance: journal.Number(d)}
	if b := math.Abs(float64(*p.Bound)); b > 0 && finite(b) {
		share := journal.Number(d / b)
		m.Share = &share
	}
	return m
}

func marginPhrase(m *journal.Margin) Phrase {
	distance, template := float64(m.Distance), "{} left"
	if distance < 0 {
		distance, template = -distance, "{} beyond"
	}
	if m.Share == nil || !(math.Abs(float64(*m.Share)) < 1) { // a share says more only where it is a part
		return words(template, Num(distance))
	}
	return words(template+" ({} of the bound)", Num(distance), Percent(math.Abs(float64(*m.Share))))
}

// reasonSentence says on what the verdict rests.
func (f *facts) reasonSentence(h *hypothesis) Sentence {
	v, name := Verdict(h.verdict), Name(h.Name)
	if h.judged == nil {
		if h.verdict == journal.Refuted {
			return say(h.rests, "{} is {}: it was seen violated for longer than tolerated; {} before it was judged.", name, v, f.cut())
		}
		return say(h.rests, "{} is {}: {} before it was judged.", name, v, f.cut())
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
		if h.Tolerate == 0 || h.unbroken() {
			return detail("{} {}: every sample that counts was as claimed.", name, v)
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
	case journal.ReasonUnconfirmed:
		if x := f.unconfirmed(); x != nil {
			return say(cite(append(h.rests, x.declared, x.timedOut.id)...), "{} is {}: step {} was not confirmed within {}, and nothing was injected.", name, v, Name(x.Name), Dur(x.timedOut.p.Took))
		}
		return detail("{} is {}: a manual step was not confirmed in time, and nothing was injected.", name, v)
	case journal.ReasonSham:
		return say(cite(append(h.rests, f.started.id)...), "{} is {}: this was a sham run, in which nothing is injected.", name, v)
	case journal.ReasonNotInjected:
		return detail("{} is {}: a fault was not seen to take effect.", name, v)
	case journal.ReasonFaultEnded:
		return detail("{} is {}: a fault ended before its time.", name, v)
	case journal.ReasonHitNothing:
		return detail("{} is {}: a fault was in force, and nothing met it.", name, v)
	case journal.ReasonStopped:
		return detail("{} is {}: the run ended before the phases that it is judged in were over.", name, v)
	case journal.ReasonError:
		return detail("{} is {}: its condition could not be evaluated.", name, v)
	}
	return detail("{} is {}.", name, v)
}

// unbroken says that a claim was seen to hold in all samples of the baseline and the fault phase.
func (h *hypothesis) unbroken() bool {
	return !slices.ContainsFunc(h.judged.p.Phases, func(p journal.PhaseJudged) bool { return p.Phase != journal.Recovery && p.Good < p.Samples })
}

// mostStretches of one kind are written out for one phase of a hypothesis.
const mostStretches = 3

// stretches writes out when a claim did not hold, and when there was no data: a point for each.
func (f *facts) stretches(h *hypothesis) Points {
	if h.judged == nil {
		return nil
	}
	var out Points
	for _, p := range h.judged.p.Phases {
		for i, s := range p.Violations {
			if i == mostStretches {
				out = append(out, []Sentence{say(h.rests, "The {} phase has {} violations; the others are in the record.", Name(p.Phase), Count{N: len(p.Violations)})})
				break
			}
			text := "In the {} phase it was violated"
			if p.Phase == journal.Recovery && h.verdict == journal.Held {
				text = "In the {} phase, where this does not count against it, it was violated"
				if s.After == nil {
					text = "In the {} phase, where this does not count against it, it was still violated"
				}
			}
			out = append(out, stretchSentences(h.rests, text, p.Phase, s))
		}
		for i, s := range p.Gaps {
			s.Worst = nil // what was there is none of it
			if s.Detail == h.judged.p.Detail {
				s.Detail = "" // which the verdict has said
			}
			if i == mostStretches {
				out = append(out, []Sentence{say(h.rests, "The {} phase has {} gaps; the others are in the record.", Name(p.Phase), Count{N: len(p.Gaps)})})
				break
			}
			out = append(out, stretchSentences(h.rests, "In the {} phase there was no data", p.Phase, s))
		}
	}
	return out
}

// stretchSentences say from when to when a stretch lasted, and then what was seen in it.
func stretchSentences(ids []string, template string, phase journal.Phase, s journal.Stretch) []Sentence {
	args := []Value{Name(phase)}
	if s.After != nil {
		template += " from {}"
		args = append(args, Between{s.After, s.First})
	} else {
		template += " from its first sample on, {},"
		args = append(args, At(s.First))
	}
	if s.Before != nil {
		template += " until {}: {}"
		args = append(args, Between{&s.Last, *s.Before})
	} else {
		template += " and still when last seen, at {}: {}"
		args = append(args, At(s.Last))
	}
	args = append(args, Lasting{time.Duration(s.Length), time.Duration(s.AtMost)})
	if s.Tolerated {
		template += ", which was tolerated"
	}
	out := []Sentence{say(ids, template+".", args...)}
	if s.Worst != nil {
		template, args := "Worst: {} at {}", []Value{against(s.Worst), At(s.Worst.At)}
		if len(s.Worst.Labels) > 0 {
			template += ", in {}"
			args = append(args, Labels(s.Worst.Labels))
		}
		out = append(out, say(ids, template+".", args...))
	}
	if s.Detail != "" && s.Detail != leftOut {
		out = append(out, say(ids, "The source said {}.", Quote(s.Detail)))
	}
	return out
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
		return say(cite(g.declared, f.last), "It would have stopped the run at {}; {} before it was summed up.", Name(g.AbortWhen), f.cut())
	}
	ids := cite(g.declared, g.judged.id, f.query(g.QueryID))
	if m := g.judged.p.Closest; m != nil {
		return say(ids, "It would have stopped the run at {} and did not trip; the nearest it came while it guarded, in the fault phase, was {} at {}.", Name(g.AbortWhen), Num(m.Point.Value), At(m.Point.At))
	}
	return say(ids, "It would have stopped the run at {} and did not trip.", Name(g.AbortWhen))
}
