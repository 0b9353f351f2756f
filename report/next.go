package report

import (
	"strconv"
	"time"

	"gameday/runner/journal"
)

// wide is the share of its bound from which on a margin leaves room for a larger fault.
const wide = 0.5

// next proposes experiments; people choose.
func (f *facts) nextExperiments() Section {
	s := Section{ID: "next", Version: 1, Title: "Next experiments", People: true}
	points := Points{}
	for _, x := range f.proposals() {
		points = append(points, []Sentence{x})
	}
	if len(points) == 0 {
		s.Items = append(s.Items, Para{say(cite(f.declaredEvidence(), f.last), "The record proposes no further experiment.")})
		return s
	}
	s.Items = append(s.Items, Para{say(cite(f.declaredEvidence(), f.last), "The record proposes; people choose.")}, points)
	return s
}

// proposals are what another run could show, computed from what this one did.
func (f *facts) proposals() []Sentence {
	var out []Sentence
	switch {
	case len(f.open()) > 0:
		ids := []string{}
		for _, x := range f.open() {
			ids = append(ids, x.evidence()...)
		}
		return []Sentence{say(cite(ids...), "Before anything else is injected: put back what the top of this page names.")}
	case f.sham():
		return []Sentence{say([]string{f.started.id}, "Run the same scenario with its faults: what moves then is held against this run.")}
	case f.gate != nil && !f.gate.p.Passed:
		for _, g := range f.gate.p.Failures {
			if g.Reason == journal.ReasonViolated {
				out = append(out, say(cite(f.gate.id, f.query(g.QueryID)), "Repeat once {} is as claimed while nothing is done.", Name(g.Name)))
				continue
			}
			out = append(out, say(cite(f.gate.id, f.query(g.QueryID)), "Fix the signal first: {} had {} {} before the fault, and {} are needed; then repeat.", Name(g.Name), Count{N: g.Samples},
				plural(g.Samples, "sample", "samples"), Count{N: g.Needed}))
		}
		return out
	}
	if x := f.unconfirmed(); x != nil {
		out = append(out, say(cite(x.declared, x.timedOut.id), "Repeat once step {}, for which the injection waited, can be confirmed within {}.", Name(x.Name), Dur(x.timedOut.p.Took)))
	}
	out = append(out, f.afterFollowUp()...)
	stopped := false // by a guardrail, which would do so again
	for _, g := range f.guardrails {
		if s := g.tripped(); s != nil {
			stopped = true
			out = append(out, say(cite(g.declared, s.id), "Repeat with a smaller fault, or after the follow-up on what guardrail {} ({}) saw: it ended this run at {}.", Name(g.Name), Name(g.AbortWhen), At(s.at)))
		}
	}
	for _, h := range f.hypotheses {
		if h.verdict == journal.Inconclusive && !(stopped && (h.reason == journal.ReasonStopped || h.reason == "")) {
			out = append(out, f.firstTheSignal(h)...)
		}
	}
	for _, x := range f.faults {
		if x.missed != nil || x.nothing != nil {
			out = append(out, say(x.evidence(), "Repeat with something that fault {} on {} meets: this time it was not in force, or met nothing.", Name(x.name), Name(x.target.Name)))
		}
	}
	if len(out) == 0 {
		out = f.larger()
	}
	return out
}

// afterFollowUp proposes to repeat what was refuted, with what was expected as it was.
func (f *facts) afterFollowUp() []Sentence {
	var names List
	var ids []string
	for _, h := range f.hypotheses {
		if h.verdict == journal.Refuted {
			names, ids = append(names, Inner(words("{} ({})", Name(h.Name), h.expected()))), append(ids, h.declared, h.rests[0])
		}
	}
	for _, x := range f.claimed() {
		if x.verdict == journal.Refuted {
			names, ids = append(names, Inner(words("alert {} ({})", Name(x.name), Inner(x.expectation())))), append(ids, f.alertsEvidence(), x.rests[0])
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []Sentence{say(ids, "Repeat after the follow-up, and expect the same: {}.", names)}
}

// expected is the condition as it was declared.
func (h *hypothesis) expected() Value {
	if h.Expect == "" {
		return Word("not in the record")
	}
	return Name(h.Expect)
}

// firstTheSignal proposes to mend what a hypothesis could not be decided by.
func (f *facts) firstTheSignal(h *hypothesis) []Sentence {
	ids := cite(append([]string{h.declared}, h.rests...)...)
	switch h.reason {
	case journal.ReasonNoData, journal.ReasonError:
		if g := h.gap(); g != nil {
			return []Sentence{say(ids, "Fix the signal first: {} had no data from {} on; then repeat.", Name(h.Name), At(g.First))}
		}
		return []Sentence{say(ids, "Fix the signal first: {} could not be evaluated; then repeat.", Name(h.Name))}
	case journal.ReasonUncertain:
		return []Sentence{say(ids, "Fix the signal first: {} is asked every {}, too rarely for the {} tolerated; then repeat.", Name(h.Name), Dur(h.Every), Dur(h.Tolerate))}
	case journal.ReasonStopped, "":
		return []Sentence{say(ids, "Repeat to the end: {} was not judged over all of its phases.", Name(h.Name))}
	}
	return nil
}

// larger proposes a larger dose of each fault where all held with a wide margin, and the same unannounced where it was held narrowly
// or nothing is known of the margin.
func (f *facts) larger() []Sentence {
	if len(f.hypotheses) == 0 || f.count(journal.Held).N < len(f.hypotheses) || f.firstEffect() == "" {
		return nil
	}
	c := f.count(journal.Held)
	worst := f.worst()
	if worst != nil {
		if s, ok := share(worst.judged.p.Margin); ok && s < wide {
			if s < 0 {
				return []Sentence{say(cite(append(c.Of, worst.rests...)...), "Repeat as it is, under another load or unannounced: {} held, and its worst value, {}, was tolerated.", Name(worst.Name), Inner(worst.margin()))}
			}
			return []Sentence{say(cite(append(c.Of, worst.rests...)...), "Repeat as it is, under another load or unannounced: {} held with {}.", Name(worst.Name), Inner(worst.margin()))}
		}
	}
	var out []Sentence
	for _, p := range f.declared.p.Faults {
		if now, then, what := dose(p); what != "" {
			ids := cite(append([]string{f.declared.id}, c.Of...)...)
			x := say(ids, "Repeat with a larger fault: {} of {} at {} instead of {}.", Name(what), Name(p.Name), then, now)
			if d := f.declared.p.BlastRadius.MaxDuration; what == "duration" && d > 0 && 2*p.Duration > d {
				x.Template = "Repeat with a larger fault: {} of {} at {} instead of {}, with more than the {} that the blast radius allows now."
				x.Args = append(x.Args, Dur(d))
			}
			out = append(out, x)
		}
	}
	return append(out, say(cite(append(c.Of, f.firstEffect())...), "Repeat unannounced: would it be noticed, and by whom first?"))
}

// dose is the argument of a fault that makes it larger, what it was, and twice of it; the duration where the kind has no other. Empty:
// there is none.
func dose(p journal.FaultPlan) (now, then Value, what string) {
	for _, a := range p.Args {
		switch {
		case a.Name == "delay" && p.FaultKind == "latency":
			if d, err := time.ParseDuration(a.Value); err == nil && d > 0 {
				return Dur(d), Doubled(d), a.Name
			}
		case a.Name == "percent" && p.FaultKind != "fill":
			if x, err := strconv.ParseFloat(a.Value, 64); err == nil && x > 0 && x < 100 {
				return Inner(words("{} %", Num(x))), Inner(words("{} %", DoubledPercent(x))), a.Name
			}
		}
	}
	if p.Duration > 0 {
		return Dur(p.Duration), Doubled(p.Duration), "duration"
	}
	return nil, nil, ""
}
