package report

import (
	"slices"
	"time"

	"gameday/runner/journal"
)

// fiveLines is the whole run in five sentences.
func (f *facts) fiveLines() Section {
	lines := Points{append(f.whatWasDone(), f.stopLine()...), {f.verdictLine()}, {f.alertLine()}, {f.worstLine()}, {f.heldAgainLine()}}
	return Section{ID: "five-lines", Version: 1, Title: "In five lines", Items: []Item{lines}}
}

// whatWasDone says what was done to what for how long: up to three faults, and how many more there were.
func (f *facts) whatWasDone() []Sentence {
	var out []Sentence
	var did []*fault
	for _, x := range f.faults {
		if x.verified != nil {
			did = append(did, x)
		}
	}
	if len(did) == 0 {
		switch x := f.unconfirmed(); {
		case x != nil:
			return []Sentence{say(cite(x.declared, x.timedOut.id), "Nothing was injected: step {}, for which the injection waited, was not confirmed within {}.", Name(x.Name), Dur(x.timedOut.p.Took))}
		case f.gate != nil && !f.gate.p.Passed:
			return append([]Sentence{say([]string{f.gate.id}, "Nothing was injected: the baseline gate was not met.")}, f.gateFailures()...)
		case len(f.faults) > 0:
			x := f.faults[0]
			return []Sentence{say(x.evidence(), "No fault was seen to take effect; the first that was tried is {} on {}.", Name(x.name), Name(x.target.Name))}
		}
		return []Sentence{say([]string{f.last}, "Nothing was injected.")}
	}
	const most = 3
	for _, x := range did[:min(most, len(did))] {
		does := Value(Inner(words("gameday injected {} ({}) into {}", Name(x.name), Name(kindName(x.kind)), Name(x.target.Name))))
		if x.intent != nil && x.intent.p.Does != "" && x.intent.p.Does != leftOut { // it names the container
			does = Inner(words("gameday injected {}: {}", Name(x.name), Quote(x.intent.p.Does)))
		}
		switch {
		case x.undone == nil:
			out = append(out, say(x.evidence(), "{}; it was in force {}, and nothing shows that it is gone.", does, By(x.effect())))
		default:
			out = append(out, say(x.evidence(), "{}; it was in force {} and gone {}, {} later.", does, By(x.effect()), By(x.gone()), Span{From: x.effect(), To: x.gone()}))
		}
	}
	if len(did) > most {
		ids := []string{}
		for _, x := range did[most:] {
			ids = append(ids, x.verified.id)
		}
		out = append(out, say(ids, "{} more took effect.", Count{len(ids), ids}))
	}
	return out
}

// stopLine says what ended the run before its time: the guardrail that tripped, or else what is recorded as the reason.
func (f *facts) stopLine() []Sentence {
	for _, g := range f.guardrails {
		for _, s := range g.states {
			ids := cite(g.declared, s.id, f.query(g.QueryID))
			switch {
			case !s.p.Tripped:
			case s.p.Blind:
				return []Sentence{say(ids, "Guardrail {} stopped the run at {}: it had no data to guard with since {}.", Name(g.Name), At(s.at), At(s.p.Since))}
			case s.p.Point != nil:
				return []Sentence{say(ids, "Guardrail {} stopped the run at {}: {} was true, with {} at {}.", Name(g.Name), At(s.at), Name(g.AbortWhen), Num(s.p.Point.Value), At(s.p.Point.At))}
			}
		}
	}
	if f.takeover != nil {
		return f.takeoverLines()
	}
	if len(f.stops) == 0 {
		return nil
	}
	return f.aborts()[:1]
}

// gateFailures says what of the steady state did not hold before the first fault: up to three, and how many there were.
func (f *facts) gateFailures() []Sentence {
	const most = 3
	var out []Sentence
	list := f.gate.p.Failures
	for _, g := range list[:min(most, len(list))] {
		ids := cite(f.gate.id, f.query(g.QueryID))
		template, args := "{} did not meet it ({}), judged by {} {} where at least {} were needed", []Value{Name(g.Name), Name(g.Reason), Count{N: g.Samples}, plural(g.Samples, "sample", "samples"), Count{N: g.Needed}}
		if g.Worst != nil {
			worst := against(g.Worst)
			worst.Trips = slices.ContainsFunc(f.guardrails, func(x *guardrail) bool { return x.Name == g.Name && x.QueryID == g.QueryID })
			template += "; the worst value was {} at {}"
			args = append(args, worst, At(g.Worst.At))
		}
		if g.Detail != "" {
			template += "; the source said {}"
			args = append(args, Quote(g.Detail))
		}
		out = append(out, say(ids, template+".", args...))
	}
	if len(list) > most {
		out = append(out, say([]string{f.gate.id}, "In all {} did not meet it.", Count{N: len(list)}))
	}
	return out
}

// verdictLine counts the verdicts.
func (f *facts) verdictLine() Sentence {
	if len(f.hypotheses) == 0 {
		return say([]string{f.declaredEvidence()}, "The scenario states no hypothesis: there was nothing to hold or to refute.")
	}
	all := Count{N: len(f.hypotheses)}
	var parts List
	var ids []string
	for _, v := range []journal.Verdict{journal.Held, journal.Refuted, journal.Inconclusive, journal.NotTested} {
		if c := f.count(v); c.N > 0 {
			parts = append(parts, Inner(words("{} {}", c, Verdict(v))))
			ids = append(ids, c.Of...)
		}
	}
	for _, h := range f.hypotheses {
		all.Of = append(all.Of, h.rests[0])
	}
	return say(ids, "Of {} {}: {}.", all, plural(all.N, "hypothesis", "hypotheses"), parts)
}

// worst is the hypothesis with the least room to its bound; nil where no margin was recorded.
func (f *facts) worst() *hypothesis {
	var worst *hypothesis
	for _, h := range f.hypotheses {
		if h.verdict == journal.NotTested || h.left() == nil {
			continue
		}
		if worst == nil || tighter(h.left(), worst.left()) {
			worst = h
		}
	}
	return worst
}

// tighter says that a margin leaves less room than another: by its share of the bound, or, where there is none, by whether
// the bound was passed.
func tighter(a, b *journal.Margin) bool {
	rank := func(m *journal.Margin) float64 {
		if m.Share != nil && finite(float64(*m.Share)) {
			return float64(*m.Share)
		}
		if m.Distance < 0 {
			return -1
		}
		return 1
	}
	return rank(a) < rank(b)
}

func (f *facts) worstLine() Sentence {
	h := f.worst()
	if h == nil {
		return say(cite(f.declaredEvidence(), f.last), "No margin to a bound is in the record.")
	}
	m, ids := h.left(), cite(h.judged.id, f.query(h.QueryID))
	template := "Of the values that count, the one nearest to its bound was {} at {}, in {}."
	if m.Distance < 0 {
		template = "Of the values that count, the one furthest beyond its bound was {} at {}, in {}."
	}
	return say(ids, template, against(&m.Point), At(m.Point.At), Name(h.Name))
}

// heldAgainLine says how long after the last undo the slowest hypothesis held for good.
func (f *facts) heldAgainLine() Sentence {
	var slowest *hypothesis
	for _, h := range f.hypotheses {
		if h.judged == nil {
			continue
		}
		if h.judged.p.Reason == journal.ReasonNotRecovered {
			return say(cite(h.judged.id, f.query(h.QueryID)), "After the last undo {} did not hold for good before the record ends.", Name(h.Name))
		}
		if a := h.judged.p.HeldAgain; a != nil && (slowest == nil || a.AtMost > slowest.judged.p.HeldAgain.AtMost) {
			slowest = h
		}
	}
	if slowest == nil {
		return say(cite(f.declaredEvidence(), f.last), "The record holds no time from the last undo to holding again.")
	}
	a, ids := slowest.judged.p.HeldAgain, cite(slowest.judged.id, f.query(slowest.QueryID))
	if a.AtMost == 0 {
		return say(ids, "At the last undo, {}, everything that was judged afterwards held already.", At(a.Undo))
	}
	return say(ids, "After the last undo, {}, it took {} until {} held for good.", At(a.Undo),
		Lasting{time.Duration(a.AtLeast), time.Duration(a.AtMost)}, Name(slowest.Name))
}
