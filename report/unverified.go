package report

import (
	"slices"

	"gameday/runner/journal"
)

// unverified says what the run does not show: what was not decided, relied on without a check, or could not have been seen.
func (f *facts) unverified() Section {
	s := Section{ID: "unverified", Version: 1, Title: "Assumptions and what stays unverified"}
	points := Points{}
	point := func(x Sentence) { points = append(points, []Sentence{x}) }
	for _, h := range f.hypotheses {
		if h.verdict != journal.Inconclusive && h.verdict != journal.NotTested {
			continue
		}
		if h.reason == "" {
			point(say(h.rests, "{} is {}: {} before it was judged.", Name(h.Name), Verdict(h.verdict), f.cut()))
			continue
		}
		point(say(h.rests, "{} is {}: {}.", Name(h.Name), Verdict(h.verdict), reasonWord(h.reason)))
	}
	for _, x := range f.claimed() {
		if x.verdict != journal.Inconclusive && x.verdict != journal.NotTested {
			continue
		}
		ids := cite(append([]string{f.alertsEvidence()}, x.rests...)...)
		if x.judged == nil {
			point(say(ids, "Alert {} is {}: {} before it was judged.", Name(x.name), Verdict(x.verdict), f.cut()))
			continue
		}
		point(say(ids, "Alert {} is {}: {}.", Name(x.name), Verdict(x.verdict), Name(x.judged.p.Reason)))
	}
	for _, a := range f.declared.p.Assumptions {
		if a.Description == "" {
			point(say([]string{f.declared.id}, "Relied on without a check: {}.", Name(a.Name)))
			continue
		}
		point(say([]string{f.declared.id}, "Relied on without a check: {}. {}", Name(a.Name), Prose(a.Description)))
	}
	for _, x := range f.realism() {
		point(x)
	}
	s.Items = append(s.Items, points)
	if blind := f.unseen(); len(blind) > 0 {
		s.Items = append(s.Items, Heading{ID: "unseen", Text: words("What could not have been seen")}, blind)
	}
	return s
}

// realism is in what a rehearsal was not like the real thing, as far as the record tells.
func (f *facts) realism() []Sentence {
	var out []Sentence
	if f.started.id != "" {
		if f.sham() {
			out = append(out, say([]string{f.started.id}, "Nothing was injected: it was a sham run."))
		} else {
			out = append(out, f.unsaid()...)
		}
	}
	return out
}

// unsaid is what people know of a run and the record does not: its load, and whether it was announced. A field of that name says it.
func (f *facts) unsaid() []Sentence {
	ids := cite(f.started.id, f.declared.id)
	switch load, announced := f.hasField("load"), f.hasField("announced"); {
	case load && announced:
		return nil
	case load:
		return []Sentence{say(ids, "The record does not say whether the run was announced.")}
	case announced:
		return []Sentence{say(ids, "The record does not say how much load there was.")}
	}
	return []Sentence{say(ids, "The record does not say how much load there was, nor whether the run was announced.")}
}

// hasField says whether a field of the scenario's own was given a value.
func (f *facts) hasField(name string) bool {
	return slices.ContainsFunc(f.custom.p.Fields, func(x journal.Field) bool { return x.Name == name && len(x.Value) > 0 && string(x.Value) != "null" })
}

// reasonWord says in a few words what a verdict that decides nothing rests on; one that this version does not know stands as it is.
func reasonWord(r journal.Reason) Value {
	switch r {
	case journal.ReasonNoData:
		return Word("samples are missing")
	case journal.ReasonUncertain:
		return Word("the samples are too far apart to tell")
	case journal.ReasonGate:
		return Word("the baseline gate was not met, and nothing was injected")
	case journal.ReasonUnconfirmed:
		return Word("a manual step was not confirmed in time, and nothing was injected")
	case journal.ReasonSham:
		return Word("nothing was to be injected")
	case journal.ReasonNotInjected:
		return Word("a fault was not seen to take effect")
	case journal.ReasonFaultEnded:
		return Word("a fault ended before its time")
	case journal.ReasonHitNothing:
		return Word("a fault was in force, and nothing met it")
	case journal.ReasonStopped:
		return Word("the run ended before its time")
	case journal.ReasonError:
		return Word("its condition could not be evaluated")
	}
	return Name(r)
}
