package report

import (
	"fmt"
	"maps"
	"slices"

	"gameday/runner/journal"
)

// detection says whether anybody would have been told, and how soon.
func (f *facts) detection() Section {
	s := Section{ID: "detection", Version: 1, Title: "Detection"}
	if !f.watched() {
		s.Items = append(s.Items, append(Para{f.alertLine()}, f.firstNoted()...))
		return s
	}
	s.Items = append(s.Items, f.howAlertsAreKnown())
	if t := f.alertTable(); len(t.Rows) > 0 {
		s.Items = append(s.Items, t)
	}
	for i, x := range f.claimed() {
		title := words("Alert {}", Name(x.name))
		if x.verdict == journal.Refuted {
			title = words("Learned: alert {} is missing", Name(x.name))
			if !x.fires() {
				title = words("Learned: alert {} fires", Name(x.name))
			} else if x.judged != nil && x.judged.p.Reason == journal.AlertLate {
				title = words("Learned: alert {} is late", Name(x.name))
			}
		}
		s.Items = append(s.Items, Heading{ID: fmt.Sprintf("alert-%d", i+1), Text: title, Verdict: x.verdict})
		text := Para{}
		if x.claim != nil && x.claim.Description != "" {
			text = append(text, say([]string{f.alertsEvidence()}, "The claim: {}", Prose(x.claim.Description)))
		}
		text = append(text, f.alertReason(x))
		s.Items = append(s.Items, append(text, f.lastTime(x.name, true)...))
		if p := f.alertPoints(x); len(p) > 0 {
			s.Items = append(s.Items, p)
		}
	}
	if p := f.otherAlerts(); len(p) > 0 {
		s.Items = append(s.Items, p)
	}
	if p := f.firstNoted(); len(p) > 0 {
		s.Items = append(s.Items, Para(p))
	}
	return s
}

// firstNoted is the first that people noted of what they saw or did from the first effect on: when they noted it, and not the time that it speaks
// of, which may have become known to them only later.
func (f *facts) firstNoted() []Sentence {
	from, _, ids := f.harm()
	if from.IsZero() {
		return nil
	}
	var first *spoken[*journal.Note]
	for i := range f.notes {
		n := &f.notes[i]
		if n.p.As != journal.NoteObservation && n.p.As != journal.NoteSurprise && n.p.As != journal.NoteAction {
			continue
		}
		if at := about(*n); !at.Before(from) && !at.After(f.to) && !n.at.Before(from) && (first == nil || n.at.Before(first.at)) {
			first = n
		}
	}
	if first == nil {
		return nil
	}
	if first.at.After(f.to) {
		return []Sentence{say(cite(first.id, f.last), "What people saw and did after the first effect was noted after the run only, from {} on.", At(first.at))}
	}
	text, args := "The first that people noted was {}, by {}, {} after the first effect", []Value{Quote(first.p.Text), roleName(first.role), Span{From: from, To: first.at}}
	if first.p.Text == leftOut {
		text, args = "The first that people noted was by {}, {} after the first effect", args[1:]
	}
	if late(*first) {
		text, args = text+"; it speaks of {}", append(args, At(about(*first)))
	}
	return []Sentence{say(cite(first.id, ids[0]), text+".", args...)}
}

// howAlertsAreKnown says how the times of alerts came about, and how exact they are.
func (f *facts) howAlertsAreKnown() Para {
	ids := []string{f.alertsEvidence()}
	s := f.alerts.summed
	switch {
	case s == nil && f.gate != nil && !f.gate.p.Passed:
		return Para{say(cite(append(ids, f.gate.id)...), "Nothing was injected, and what the alerts would have done was not looked at.")}
	case s == nil:
		return Para{say(cite(append(ids, f.last)...), "What the alerts did was not summed up: {} before.", f.cut())}
	case s.p.Error != "":
		return Para{say(cite(append(ids, s.id)...), "What the alerts did is not known: {}.", Quote(s.p.Error))}
	case f.replayed():
		return Para{say(cite(append(ids, s.id)...), "After the run the rules of {} {} were evaluated over the recorded samples in {} phases of their interval: {} evaluations.",
			Count{N: s.p.Alerts}, plural(s.p.Alerts, "alert", "alerts"), Count{N: s.p.Phases}, Count{N: s.p.Evaluations})}
	}
	p := Para{say(cite(append(ids, s.id)...), "The server evaluates the rules of {} {}; the times are those that it recorded, in the one phase that it has, and an interval of the rule on either side of them.",
		Count{N: s.p.Alerts}, plural(s.p.Alerts, "alert", "alerts"))}
	if i := slices.IndexFunc(f.alerts.all, func(x *alert) bool { return x.seen != nil && len(x.seen.p.Phases) > 1 }); i >= 0 {
		p = append(p, say(cite(append(ids, f.alerts.all[i].seen.id)...), "Of alerts that the scenario names it was asked after the run what their rules give in other phases: the times of these are those of all phases."))
	}
	return p
}

// alertTable has a row for every alert that was claimed or that left its rest.
func (f *facts) alertTable() Table {
	t := Table{Columns: []string{"Alert", "Expected", "Pending after", "Firing after", "Resolved after", "In phases", "Verdict"}}
	for _, x := range f.alerts.all {
		if x.seen == nil {
			continue
		}
		e := x.seen.p
		cell := func(d *journal.AlertDelay) Phrase {
			if d == nil {
				return words("not seen")
			}
			return words("{}", alertDelay(d))
		}
		verdict := words("none: no block names it")
		if x.claim != nil || x.judged != nil {
			verdict = words("{}", Verdict(x.verdict))
		}
		t.Rows = append(t.Rows, row(append([]string{f.alertsEvidence(), x.seen.id}, x.rests...), words("{}", Name(x.name)), x.expectation(), cell(e.Pending), cell(e.Firing),
			cell(e.Resolved), words("{} of {}", Count{N: e.Fired}, phasesOf(e)), verdict))
	}
	return t
}

// alertPoints are the details of one alert.
func (f *facts) alertPoints(x *alert) Points {
	var out Points
	for _, r := range f.rulesOf(x.name) {
		where := Inner(words("{}", Name(r.File)))
		if r.Line > 0 {
			where = Inner(words("{} line {}", Name(r.File), Place(r.Line)))
		}
		template, args := "Its rule, in {}, is evaluated every {}", []Value{where, Dur(r.Interval)}
		if r.For > 0 {
			template, args = template+", and has to be true for {}", append(args, Dur(r.For))
		}
		out = append(out, []Sentence{say([]string{f.alertsEvidence()}, template+": {}.", append(args, expression(r))...)})
	}
	if x.seen == nil {
		return out
	}
	e, ids := x.seen.p, []string{x.seen.id}
	if e.Firing != nil && e.Fired > 0 {
		p := []Sentence{say(ids, "In the phase in which it fires first, it fires at {}; in the one in which it fires last, at {}.", At(e.Firing.First), At(e.Firing.Last))}
		switch {
		case e.By != journal.AlertServer || len(e.Phases) == 0:
		case e.Phases[0].Firing == nil:
			p[0] = say(ids, "It did not fire; in the phase in which it would fire first, it would at {}; in the one in which it would fire last, at {}.", At(e.Firing.First), At(e.Firing.Last))
		default:
			p[0] = say(ids, "It fired at {}.", At(*e.Phases[0].Firing))
		}
		for _, l := range e.Labels[:min(len(e.Labels), mostInstances)] {
			if labels := instanceLabels(l); len(labels) > 0 {
				p = append(p, say(ids, "It fires with {}.", labels))
			}
		}
		out = append(out, p)
	}
	switch {
	case e.Resolved != nil && e.Fired > 0:
		out = append(out, []Sentence{say(ids, "It is resolved {} after the first effect.", alertDelay(e.Resolved))})
	case e.AtEnd != journal.AlertInactive && e.AtEnd != "":
		out = append(out, []Sentence{say(ids, "At the end of the record, {}, it was still {}.", At(e.End), Name(e.AtEnd))})
	}
	if p := f.routed(x); len(p) > 0 {
		out = append(out, p)
	}
	if b := e.Before; b != nil {
		out = append(out, []Sentence{say(ids, "Before the fault it had become pending {} {} and fired {} {}, in the phase in which it did so most.", Count{N: b.Pended}, plural(b.Pended, "time", "times"),
			Count{N: b.Fired}, plural(b.Fired, "time", "times"))})
	}
	if e.Lost != "" {
		out = append(out, []Sentence{say(ids, "Not all that its rule reads was there after the effect: {}.", Quote(e.Lost))})
	}
	if e.ShortHistory != "" {
		out = append(out, []Sentence{shortHistory(x)})
	}
	if e.Errors > 0 {
		out = append(out, []Sentence{say(ids, "{} {} could not be done; the engine said {}.", Count{N: e.Errors}, plural(e.Errors, "evaluation", "evaluations"), Quote(e.Error))})
	}
	return out
}

// shortHistory says of an alert whose rules look back further than the record does what that means for its times.
func shortHistory(x *alert) Sentence {
	return say([]string{x.seen.id}, "On a server with all of the history it may fire at another time, or not at all: {}.", Quote(x.seen.p.ShortHistory))
}

// routed says when an alert was at the Alertmanager, and for whom. When a notification left from there nobody tells.
func (f *facts) routed(x *alert) []Sentence {
	e, ids := x.seen.p, []string{x.seen.id}
	muted := func(of func(*journal.AlertRouted) bool) (out []Sentence) {
		for _, r := range x.routed {
			if r.p.Muted != "" && !r.p.At.Before(e.Effect) && of(r.p) {
				return []Sentence{say([]string{r.id}, "At {} it was {} there, and nobody is told while it is.", At(r.p.At), Name(r.p.Muted))}
			}
		}
		return nil
	}
	if e.Routed != nil {
		i := slices.IndexFunc(x.routed, func(r noted[*journal.AlertRouted]) bool { return r.p.Muted == "" && r.p.At.Equal(e.Routed.Last) })
		if i < 0 {
			return []Sentence{say(ids, "It was first seen at the Alertmanager, for a receiver, {} after the first effect; when anybody was told is not known.", alertDelay(e.Routed))}
		}
		first := x.routed[i]
		s := say(cite(x.seen.id, first.id), "It was first seen at the Alertmanager, for {}, {} after the first effect; when it sent a notification is not known, and the waiting times of its route come on top.",
			receivers(first.p), alertDelay(e.Routed))
		return append([]Sentence{s}, muted(func(r *journal.AlertRouted) bool {
			return r.At.After(first.p.At) && maps.Equal(r.Labels, first.p.Labels)
		})...)
	}
	if f.alerts.declared == nil || f.alerts.declared.p.Notifier == nil || e.Fired == 0 {
		return nil
	}
	if p := muted(func(*journal.AlertRouted) bool { return true }); len(p) > 0 {
		return append([]Sentence{say(cite(append([]string{x.seen.id}, p[0].Evidence...)...), "It was seen at the Alertmanager, but only muted.")}, p...)
	}
	if s := f.alerts.summed; s != nil {
		for _, u := range s.p.Unanswered {
			if u.To.IsZero() || u.To.After(e.Effect) {
				return []Sentence{say(cite(x.seen.id, s.id), "Whether it reached the Alertmanager is not known, which gave no answer {}.", unansweredTime(u))}
			}
		}
	}
	return []Sentence{say(cite(x.seen.id, f.alertsEvidence()), "It was not seen at the Alertmanager, which was asked every {}.", Dur(f.alerts.declared.p.Notifier.Every))}
}

// receivers are those to whom an alert is routed.
func receivers(p *journal.AlertRouted) List {
	var out List
	for _, r := range p.Receivers {
		out = append(out, Name(r))
	}
	return out
}

// mostUnanswered times without an answer are written out.
const mostUnanswered = 3

func unansweredTime(u journal.AlertsUnanswered) Value {
	switch {
	case u.From.IsZero() && u.To.IsZero():
		return Word("at all")
	case u.From.IsZero():
		return Inner(words("until {}", At(u.To)))
	case u.To.IsZero():
		return Inner(words("after {}", At(u.From)))
	}
	return Inner(words("from {} to {}", At(u.From), At(u.To)))
}

// mostNamed alerts are written out of those that have one thing in common; the record has the others.
const mostNamed = 12

// mostInstances of one alert are written out.
const mostInstances = 3

// otherAlerts says what fired that nobody expected, of which alerts it is not known, and what was no rest before the fault.
func (f *facts) otherAlerts() Points {
	s := f.alerts.summed
	if s == nil || s.p.Error != "" {
		return nil
	}
	var out Points
	for _, x := range f.unexpected() {
		e := x.seen.p
		out = append(out, []Sentence{say([]string{x.seen.id}, "{} fires in {} of {} phases, {} after the first effect, and no block of the scenario names it.", Name(x.name), Count{N: e.Fired},
			phasesOf(e), alertDelay(e.Firing))})
		if e.ShortHistory != "" {
			out[len(out)-1] = append(out[len(out)-1], shortHistory(x))
		}
	}
	switch names := unknown(s.p); {
	case len(names) > 0 && len(out) == 0:
		out = append(out, []Sentence{say([]string{s.id}, "No unexpected alert was seen to fire; what {} {} would have done is not known.", names, plural(len(names), "alert", "alerts"))})
	case len(out) == 0:
		out = append(out, []Sentence{say([]string{s.id}, "No unexpected alert fired.")})
	}
	for _, u := range s.p.Unknown {
		var names List
		for _, name := range u.Alerts[:min(len(u.Alerts), mostNamed)] {
			names = append(names, Name(name))
		}
		template, args := "Whether {}", []Value{names}
		if more := u.Alerts[len(names):]; len(more) > 0 {
			template, args = template+" and {} more", append(args, Tally(more))
		}
		out = append(out, []Sentence{say([]string{s.id}, template+" would have fired is not known: {}.", append(args, Quote(u.Why))...)})
	}
	noise := 0
	for _, x := range f.alerts.all {
		if x.claim != nil || x.seen == nil || x.seen.p.Before == nil {
			continue
		}
		noise++
		b := x.seen.p.Before
		out = append(out, []Sentence{say([]string{x.seen.id}, "Before the fault {} had become pending {} {} and fired {} {}.", Name(x.name), Count{N: b.Pended}, plural(b.Pended, "time", "times"),
			Count{N: b.Fired}, plural(b.Fired, "time", "times"))})
	}
	if noise == 0 && len(s.p.Noise) == 0 {
		out = append(out, []Sentence{say([]string{s.id}, "No alert was pending or firing before the fault.")})
	}
	for _, u := range s.p.Unanswered[:min(len(s.p.Unanswered), mostUnanswered)] {
		out = append(out, []Sentence{say([]string{s.id}, "The Alertmanager gave no answer {}: {}.", unansweredTime(u), Quote(u.Why))})
	}
	if n := len(s.p.Unanswered); n > mostUnanswered {
		out = append(out, []Sentence{say([]string{s.id}, "In all it gave none {} times.", Count{N: n})})
	}
	return out
}
