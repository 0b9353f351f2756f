package report

import (
	"slices"
	"strings"
	"time"

	"gameday/runner/journal"
)

// An alert with what it did, and what became of the claim about it.
type alert struct {
	name    string
	claim   *journal.AlertClaim // nil: no block of the scenario names it
	seen    *noted[*journal.AlertSeen]
	judged  *noted[*journal.AlertJudged]
	states  []noted[*journal.AlertChanged]
	routed  []noted[*journal.AlertRouted]
	verdict journal.Verdict // of a claim
	rests   []string        // evidence of the verdict
}

// alertFacts is all that the record has about alerts.
type alertFacts struct {
	declared *noted[*journal.AlertsDeclared]
	summed   *noted[*journal.AlertsSummed]
	all      []*alert // those with a claim first, in the order of the scenario
}

// takeAlert takes an event about alerts.
func (f *facts) takeAlert(id string, at time.Time, payload journal.Payload) {
	a := &f.alerts
	switch p := payload.(type) {
	case *journal.AlertsDeclared:
		if a.declared != nil {
			return
		}
		a.declared = &noted[*journal.AlertsDeclared]{id, at, p}
		for i := range p.Expected {
			x := f.alert(p.Expected[i].Alert)
			x.claim = &p.Expected[i]
		}
	case *journal.AlertChanged:
		x := f.alert(p.Alert)
		x.states = append(x.states, noted[*journal.AlertChanged]{id, at, p})
	case *journal.AlertRouted:
		x := f.alert(p.Alert)
		x.routed = append(x.routed, noted[*journal.AlertRouted]{id, at, p})
	case *journal.AlertSeen:
		f.alert(p.Alert).seen = &noted[*journal.AlertSeen]{id, at, p}
	case *journal.AlertJudged:
		f.alert(p.Alert).judged = &noted[*journal.AlertJudged]{id, at, p}
	case *journal.AlertsSummed:
		a.summed = &noted[*journal.AlertsSummed]{id, at, p}
	}
}

func nameOfAlert(x *alert) string { return x.name }

// alert is the alert of a name; it is made where the record has had nothing of it.
func (f *facts) alert(name string) *alert {
	if x := named(f.alerts.all, name, nameOfAlert); x != nil {
		return x
	}
	x := &alert{name: name}
	f.alerts.all = append(f.alerts.all, x)
	return x
}

// judgeAlerts takes the verdicts from the record. A claim that was never judged is inconclusive.
func (f *facts) judgeAlerts() {
	for _, x := range f.claimed() {
		x.verdict, x.rests = journal.Inconclusive, cite(f.alertsEvidence(), f.last)
		if x.judged == nil {
			continue
		}
		x.rests = []string{x.judged.id}
		if x.seen != nil {
			x.rests = cite(x.judged.id, x.seen.id)
		}
		switch v := x.judged.p.Verdict; v {
		case journal.Held, journal.Refuted, journal.NotTested:
			x.verdict = v
		}
	}
}

// alertsEvidence is what the declaration of the alerts is cited by; that of the scenario where there is none.
func (f *facts) alertsEvidence() string {
	if f.alerts.declared != nil {
		return f.alerts.declared.id
	}
	return f.declaredEvidence()
}

// claimed are the alerts that the scenario names. A verdict whose declaration is lost counts as one.
func (f *facts) claimed() []*alert {
	var out []*alert
	for _, x := range f.alerts.all {
		if x.claim != nil || x.judged != nil {
			out = append(out, x)
		}
	}
	return out
}

// watched says whether the run watched any alert.
func (f *facts) watched() bool { return f.alerts.declared != nil || len(f.alerts.all) > 0 }

// unexpected are the alerts that fired after the fault's effect, in at least one phase, and that no block names.
func (f *facts) unexpected() []*alert {
	var out []*alert
	for _, x := range f.alerts.all {
		if x.claim == nil && x.seen != nil && !x.seen.p.Expected && x.seen.p.Fired > 0 {
			out = append(out, x)
		}
	}
	return out
}

// replayed says that the times of alerts are those of a replay, and not those that a server recorded.
func (f *facts) replayed() bool {
	return f.alerts.declared == nil || f.alerts.declared.p.By == journal.AlertReplay
}

// fires says what the scenario claims.
func (x *alert) fires() bool { return x.claim == nil || x.claim.Fires }

func alertDelay(d *journal.AlertDelay) Lasting {
	return Lasting{time.Duration(d.AtLeast), time.Duration(d.AtMost)}
}

// phasesOf is how many phases an alert was looked at in.
func phasesOf(e *journal.AlertSeen) Count { return Count{N: len(e.Phases)} }

// expectation is the claim as it was declared.
func (x *alert) expectation() Phrase {
	switch {
	case x.claim == nil && x.judged != nil:
		return words("not in the record")
	case x.claim == nil:
		return words("no block names it")
	case x.claim.Fires:
		return words("fires within {}", Dur(x.claim.Within))
	case x.claim.Within > 0:
		return words("does not fire within {}", Dur(x.claim.Within))
	}
	return words("does not fire")
}

// alertReason says on what the verdict on an alert rests.
func (f *facts) alertReason(x *alert) Sentence {
	v, name := Verdict(x.verdict), Name(x.name)
	ids := cite(append([]string{f.alertsEvidence()}, x.rests...)...)
	if x.judged == nil {
		return say(ids, "{} is {}: {} before it was judged.", name, v, f.cut())
	}
	j := x.judged.p
	within := Value(Word("the time declared"))
	if x.claim != nil && x.claim.Within > 0 {
		within = Inner(words("the {} declared", Dur(x.claim.Within)))
	}
	var e journal.AlertSeen
	if x.seen != nil {
		e = *x.seen.p
	}
	detail := func(template string, args ...Value) Sentence {
		if j.Detail != "" {
			template, args = template[:len(template)-1]+": {}.", append(args, Quote(j.Detail))
		}
		return say(ids, template, args...)
	}
	in := Inner(words("in {} of {} phases", Count{N: j.InTime}, Count{N: j.Phases}))
	replay := f.replayed()
	switch {
	case j.Reason == journal.AlertFired && e.Firing != nil && replay:
		return say(ids, "{} {}: it would fire {}, {} after the first effect, within {}.", name, v, in, alertDelay(e.Firing), within)
	case j.Reason == journal.AlertFired && e.Firing != nil:
		return otherPhases(e, say(ids, "{} {}: by the server's own record it fired {} after the first effect, within {}", name, v, firedAfter(e), within))
	case j.Reason == journal.AlertFired:
		return say(ids, "{} {}: it fired in time.", name, v)
	case j.Reason == journal.AlertQuiet && replay:
		return say(ids, "{} {}: it would fire {}, as claimed.", name, v, in)
	case j.Reason == journal.AlertQuiet:
		return otherPhases(e, say(ids, "{} {}: by the server's own record it did not fire, as claimed", name, v))
	case j.Reason == journal.AlertMissing:
		s := say(ids, "{} was {}: it would fire {}", name, v, in)
		if !replay {
			s = say(ids, "{} was {}: by the server's own record it did not fire", name, v)
		}
		if e.Longest > 0 && e.For > 0 {
			s.Template += "; it was pending for {} of the {} that its rule asks for"
			s.Args = append(s.Args, Dur(e.Longest), Dur(e.For))
		} else if e.Pended == 0 && x.seen != nil {
			s.Template += "; it never became pending"
		}
		if !replay {
			return otherPhases(e, s)
		}
		s.Template += "."
		return s
	case j.Reason == journal.AlertLate && e.Firing != nil && !replay:
		return otherPhases(e, say(ids, "{} was {}: by the server's own record it fired {} after the first effect, and not within {}", name, v, firedAfter(e), within))
	case j.Reason == journal.AlertLate && e.Firing != nil:
		return say(ids, "{} was {}: it fires {} after the first effect, and no phase has it firing within {}.", name, v, alertDelay(e.Firing), within)
	case j.Reason == journal.AlertUnwanted && e.Firing != nil && !replay:
		return otherPhases(e, say(ids, "{} was {}: by the server's own record it fired {} after the first effect, and the claim is that it does not", name, v, firedAfter(e)))
	case j.Reason == journal.AlertUnwanted && e.Firing != nil:
		return say(ids, "{} was {}: it fires {}, {} after the first effect, and the claim is that it does not.", name, v, in, alertDelay(e.Firing))
	case j.Reason == journal.AlertByPhase && !replay && e.Firing != nil && len(e.Phases) > 1 && e.Phases[0].Firing == nil:
		return otherPhases(e, say(ids, "{} is {}: by the server's own record it did not fire, and that hangs on the phase of its evaluation alone", name, v))
	case j.Reason == journal.AlertByPhase && !replay && e.Firing != nil:
		return otherPhases(e, say(ids, "{} is {}: by the server's own record it fired {} after the first effect, and whether that is within {} hangs on the phase of its evaluation alone", name, v,
			firedAfter(e), within))
	case j.Reason == journal.AlertByPhase && !replay:
		return say(ids, "{} is {}: by the server's own record it was pending for {} of the {} that its rule asks for; the rule is evaluated every {}, and in another phase it might have fired.", name, v,
			Dur(e.Longest), Dur(e.For), Dur(e.Step))
	case j.Reason == journal.AlertByPhase:
		return say(ids, "{} is {}: it would fire within {} {}, by phase alone.", name, v, within, in)
	case j.Reason == journal.AlertByEffect && e.Firing != nil:
		return say(ids, "{} is {}: it would fire {} after the first effect, and whether that is within {} hangs on when exactly the fault took effect.", name, v, alertDelay(e.Firing), within)
	case j.Reason == journal.AlertByEffect:
		return say(ids, "{} is {}: whether it fires within {} hangs on when exactly the fault took effect.", name, v, within)
	case j.Reason == journal.AlertAlready:
		return say(ids, "{} is {}: it was {} already when the fault took effect.", name, v, Name(e.Noise))
	case j.Reason == journal.AlertUnseen:
		return detail("{} is {}: there may have been nothing for its rule to see.", name, v)
	case j.Reason == journal.AlertTooRare:
		return detail("{} is {}: the fault was shorter than the time between two evaluations.", name, v)
	case j.Reason == journal.AlertShortHistory:
		return detail("{} is {}: it had less history than its rule asks for.", name, v)
	case j.Reason == journal.AlertTooShort && x.seen != nil:
		return say(ids, "{} is {}: the record ends at {}, before {} was over.", name, v, At(e.End), within)
	case j.Reason == journal.AlertNotReplayed && replay:
		return detail("{} is {}: its rule could not be replayed.", name, v)
	case j.Reason == journal.AlertNotReplayed:
		return detail("{} is {}: the server did not tell all of what its alerts did or would have done.", name, v)
	case j.Reason == journal.AlertNotStarted:
		if f.gate != nil {
			return say(cite(append(ids, f.gate.id)...), "{} is {}: the baseline gate was not met, and nothing was injected.", name, v)
		}
		return say(ids, "{} is {}: the baseline gate was not met, and nothing was injected.", name, v)
	case j.Reason == journal.AlertSham:
		return say(ids, "{} is {}: it was a sham run, and nothing was to be injected.", name, v)
	case j.Reason == journal.AlertNotInjected:
		return detail("{} is {}: a fault was not seen to take effect.", name, v)
	case j.Reason == journal.AlertFaultEnded:
		return detail("{} is {}: a fault ended before its time.", name, v)
	case j.Reason == journal.AlertHitNothing:
		return detail("{} is {}: a fault was in force, and nothing met it.", name, v)
	case j.Reason == journal.AlertStopped:
		return say(ids, "{} is {}: the run ended before its time.", name, v)
	}
	return detail("{} is {}.", name, v)
}

// firedAfter is how long after the first effect a server recorded that an alert fired.
func firedAfter(e journal.AlertSeen) Value {
	if e.By == journal.AlertServer && len(e.Phases) > 0 && e.Phases[0].Firing != nil {
		at, from := *e.Phases[0].Firing, e.EffectFrom
		if from.IsZero() {
			from = e.Effect
		}
		return Span{From: from, To: at, Latest: &e.Effect}
	}
	return alertDelay(e.Firing)
}

// otherPhases ends a sentence about what a server recorded with what another phase of its evaluation could have shown.
func otherPhases(e journal.AlertSeen, s Sentence) Sentence {
	switch {
	case len(e.Phases) > 1:
		s.Template += "; it would fire in {} of {} phases of its evaluation, that of the record among them"
		s.Args = append(s.Args, Count{N: e.Fired}, phasesOf(&e))
		if e.Firing != nil {
			s.Template += ", {} after the effect"
			s.Args = append(s.Args, alertDelay(e.Firing))
		}
	case e.Firing != nil && e.Firing.AtLeast < e.Firing.AtMost:
		s.Template += "; the rule is evaluated every {}, and another phase could have had it {} after the effect"
		s.Args = append(s.Args, Dur(e.Step), alertDelay(e.Firing))
	}
	s.Template += "."
	return s
}

// alertLine is what the five lines say of alerts.
func (f *facts) alertLine() Sentence {
	if !f.watched() {
		return say([]string{f.declaredEvidence()}, "The scenario lists no alert; none was watched for.")
	}
	ids := []string{f.alertsEvidence()}
	s := f.alerts.summed
	if s == nil {
		return say(cite(append(ids, f.last)...), "What the alerts did was not summed up: {} before.", f.cut())
	}
	ids = append(ids, s.id)
	if s.p.Error != "" {
		return say(ids, "What the alerts did is not known: {}.", Quote(s.p.Error))
	}
	template, args := "No alert was expected to fire", []Value(nil)
	if s.p.Expected > 0 {
		template, args = "Of {} {} expected to fire, {} did", []Value{Count{N: s.p.Expected}, plural(s.p.Expected, "alert", "alerts"), Count{N: s.p.Fired}}
		if s.p.By == journal.AlertReplay {
			template += " in every phase"
		}
		if n := len(s.p.Missing); n > 0 {
			template += ", and {} did not"
			args = append(args, Count{N: n})
		}
		if n := f.shortHistories(); n > 0 {
			template += ", and of {} it is not known"
			args = append(args, Count{N: n})
		}
		if first := f.firstToFire(); first != nil {
			template += "; the first was {}, {} after the first effect"
			args = append(args, Name(first.name), alertDelay(first.seen.p.Firing))
			ids = append(ids, first.seen.id)
		}
	}
	if n := len(s.p.Unexpected); n > 0 {
		template += "; {} fired that no block of the scenario names"
		args = append(args, Count{N: n})
	}
	if names := unknown(s.p); len(names) > 0 {
		template += "; what {} {} would have done is not known"
		args = append(args, names, plural(len(names), "other", "others"))
	}
	return say(ids, template+".", args...)
}

// shortHistories is how many alerts had to fire and had less history than their rules ask for.
func (f *facts) shortHistories() int {
	n := 0
	for _, x := range f.claimed() {
		if x.fires() && x.seen != nil && x.seen.p.ShortHistory != "" {
			n++
		}
	}
	return n
}

// firstToFire is the expected alert that fires soonest after the effect; nil: none does in every phase.
func (f *facts) firstToFire() *alert {
	var first *alert
	for _, x := range f.claimed() {
		if !x.fires() || x.seen == nil || x.seen.p.Firing == nil || x.seen.p.Fired < len(x.seen.p.Phases) || x.seen.p.ShortHistory != "" {
			continue
		}
		if first == nil || x.seen.p.Firing.AtMost < first.seen.p.Firing.AtMost {
			first = x
		}
	}
	return first
}

// mostTicks of alerts are drawn into a chart.
const mostTicks = 5

// unknown are the alerts of which nobody can tell whether they would have fired.
func unknown(s *journal.AlertsSummed) Tally {
	var names Tally
	for _, u := range s.Unknown {
		names = append(names, u.Alerts...)
	}
	return names
}

// alertTicks is when alerts fire, within a window: those that the scenario names, and those that nobody expected.
func (f *facts) alertTicks(from, to time.Time) []AlertTick {
	var out []AlertTick
	for _, x := range append(f.claimed(), f.unexpected()...) {
		if x.seen == nil || x.seen.p.Firing == nil || len(out) == mostTicks {
			continue
		}
		at := x.firedAt()
		if !at.Before(from) && !at.After(to) {
			out = append(out, AlertTick{at, x.name})
		}
	}
	return out
}

// firedAt is when an alert fired, of one that did: in the phase in which it did so first where there are several.
func (x *alert) firedAt() time.Time {
	if e := x.seen.p; e.By == journal.AlertServer && len(e.Phases) > 0 && e.Phases[0].Firing != nil {
		return *e.Phases[0].Firing
	}
	return x.seen.p.Firing.First
}

// describeAlert says in one phrase what an event about alerts is; false: it is none.
func describeAlert(m moment, payload journal.Payload) (moment, bool) {
	switch p := payload.(type) {
	case *journal.AlertsDeclared:
		m.minor = true
		m.text = words("{} {} and {} {} were declared", Count{N: len(p.Rules)}, plural(len(p.Rules), "alerting rule", "alerting rules"),
			Count{N: len(p.Expected)}, plural(len(p.Expected), "claim about an alert", "claims about alerts"))
	case *journal.AlertChanged:
		m.lane, m.of, m.seen = laneSignal, "alert "+p.Alert, p.To == journal.AlertFiring
		if !p.At.IsZero() {
			m.at = p.At
		}
		m.text = words("alert {} went from {} to {}", Name(p.Alert), Name(p.From), Name(p.To))
		if !p.After.IsZero() {
			m.text = words("alert {} went from {} to {} {}", Name(p.Alert), Name(p.From), Name(p.To), Between{After: &p.After, First: p.At})
		}
		if labels := instanceLabels(p.Labels); len(labels) > 0 {
			m.text.Template += " ({})"
			m.text.Args = append(m.text.Args, labels)
		}
		if p.Detail != "" {
			m.text.Template += ": {}"
			m.text.Args = append(m.text.Args, Quote(p.Detail))
		}
	case *journal.AlertRouted:
		m.lane, m.of, m.seen = laneSignal, "alert "+p.Alert, p.Muted == ""
		if !p.At.IsZero() {
			m.at = p.At
		}
		to := receivers(p)
		m.text = words("alert {} was seen at the Alertmanager", Name(p.Alert))
		if len(to) > 0 {
			m.text = words("alert {} was seen at the Alertmanager, for {}", Name(p.Alert), to)
		}
		if p.Muted != "" {
			m.text.Template += "; it was {}"
			m.text.Args = append(m.text.Args, Name(p.Muted))
		}
	case *journal.AlertSeen:
		m.minor = true
		m.text = words("alert {} was summed up: firing in {} of {} phases", Name(p.Alert), Count{N: p.Fired}, phasesOf(p))
	case *journal.AlertJudged:
		m.minor = true
		m.text = judgedAs(Inner(words("alert {}", Name(p.Alert))), string(p.Verdict), string(p.Reason))
	case *journal.AlertsSummed:
		m.minor = true
		m.text = words("the alerts were summed up: {} expected, {} fired", Count{N: p.Expected}, Count{N: p.Fired})
	default:
		return m, false
	}
	return m, true
}

// instanceLabels are the labels of one instance of an alert without its name, which is said already.
func instanceLabels(labels map[string]string) Labels {
	out := Labels{}
	for k, v := range labels {
		if k != "alertname" {
			out[k] = v
		}
	}
	return out
}

// rulesOf are the rules of an alert.
func (f *facts) rulesOf(name string) []journal.AlertRule {
	if f.alerts.declared == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.alerts.declared.p.Rules), func(r journal.AlertRule) bool { return r.Alert != name })
}

// expression is a rule's expression on one line.
func expression(r journal.AlertRule) Name { return Name(strings.Join(strings.Fields(r.Expr), " ")) }
