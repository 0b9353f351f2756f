package runner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// An alertHistory is all that verdicts on alerts are computed from.
type alertHistory struct {
	History
	by       journal.AlertSource
	replayed *metrics.Replayed // nil: it could not be done, or no fault was due
	failed   string            // why it could not be done
	gaps     []metrics.Gap     // in which nothing was scraped
}

// effect is the latest time by which the first fault was in force, and soonest the earliest at which it may have been: delays are counted
// from both.
func (h alertHistory) effect() time.Time  { return h.History.effect().latest }
func (h alertHistory) soonest() time.Time { return h.History.effect().earliest }

// span is the time of a run whose source scrapes at an interval; 0: it has samples from before. The effect is as early as it may have been: whatever the rules had until then is what they usually have.
func (h alertHistory) span(interval time.Duration) metrics.Span {
	s := metrics.Span{From: h.Start, To: h.End, Interval: interval}
	if !h.FaultStart.IsZero() {
		s.Effect = h.soonest()
	}
	return s
}

// scrapeSlack is how much earlier than it was taken a sample may be dated: Prometheus evens the times of its scrapes out by 2 ms, and
// counts in whole ones.
const scrapeSlack = 3 * time.Millisecond

// begins is when the fault began at the earliest: what began before has nothing to do with it.
func (h alertHistory) begins() time.Time { return h.FaultStart.Add(-scrapeSlack) }

// names are those of the claims, in their order, and then those of all other alerts.
func (h alertHistory) names(claims []*scenarios.Alert) []string {
	var out []string
	for _, c := range claims {
		out = append(out, c.Name)
	}
	if h.replayed == nil {
		return out
	}
	others := map[string]bool{}
	for _, r := range h.replayed.Rules {
		if !slices.Contains(out, r.Rule.Alert) {
			others[r.Rule.Alert] = true
		}
	}
	return append(out, slices.Sorted(maps.Keys(others))...)
}

// An alertSeen is what one alert did, for the record and for its verdict.
type alertSeen struct {
	event  *journal.AlertSeen
	rules  []metrics.AlertRule
	phases []phaseSeen
	errors []time.Time // evaluations that could not be done, in any phase
	lost   []metrics.Loss
	// unswept says in words why there are no other phases than a server's own; empty: there are, or it has no claim.
	unswept string
}

// A phaseSeen is what an alert did in one phase. Spells that began before the fault are noise: nobody is told anew by them.
type phaseSeen struct {
	pending, firing, resolved time.Time          // of the fresh spells; zero: never
	noise                     journal.AlertState // at the fault's effect; "": it was at rest
	noiseFired                bool               // a spell from before fired after the effect, or was firing then
}

// restless says whether an alert did anything at all.
func (s alertSeen) restless() bool {
	e := s.event
	return e.Pended > 0 || e.Noise != "" || e.Before != nil
}

// see sums up what the rules of one alert did.
func (h alertHistory) see(name string, expected bool) alertSeen {
	e := &journal.AlertSeen{Alert: name, By: h.by, Expected: expected, Effect: h.effect().UTC(), EffectFrom: h.soonest().UTC(), Undo: h.LastUndo.UTC(), End: h.End.UTC(), AtEnd: journal.AlertInactive}
	if h.LastUndo.IsZero() {
		e.Undo = time.Time{}
	}
	s := alertSeen{event: e}
	if h.replayed == nil {
		return s
	}
	var rules []metrics.ReplayedRule
	for _, r := range h.replayed.Rules {
		if r.Rule.Alert == name {
			rules = append(rules, r)
			s.rules = append(s.rules, r.Rule)
			e.For = max(e.For, journal.Duration(r.Rule.For))
			e.Step = max(e.Step, journal.Duration(r.Rule.Interval))
			if e.Unseen == "" {
				e.Unseen = r.Unseen
			}
			s.lost = append(s.lost, r.Lost...)
			s.unswept = cmp.Or(s.unswept, r.Unswept)
		}
	}
	if len(rules) == 0 {
		return s
	}
	if !expected { // a rule about what is idle is no news
		s.lost = slices.DeleteFunc(s.lost, func(l metrics.Loss) bool { return l.Never })
	}
	phases := len(slices.MaxFunc(rules, func(a, b metrics.ReplayedRule) int { return len(a.Phases) - len(b.Phases) }).Phases)
	for i := range phases {
		s.phase(h, rules, i)
	}
	if h.by == journal.AlertServer && phases > 1 {
		phases-- // but for its own
	}
	e.Step /= journal.Duration(max(1, phases))
	s.delays(h)
	e.Lost = s.lostUntil(h, h.End)
	e.ShortHistory = s.shortHistory(h)
	return s
}

// phase sums up one evaluation phase over the rules of the alert.
func (s *alertSeen) phase(h alertHistory, rules []metrics.ReplayedRule, i int) {
	e, begins := s.event, h.begins()
	var p phaseSeen
	var offset time.Duration
	before := journal.NoiseBefore{}
	longest := time.Duration(0)
	for _, r := range rules {
		if i >= len(r.Phases) {
			continue
		}
		offset = max(offset, r.Phases[i].Offset)
		for _, f := range r.Phases[i].Failed {
			if e.Errors++; e.Error == "" {
				e.Error = f.Error
			}
			s.errors = append(s.errors, f.At)
		}
		for _, sp := range r.Phases[i].Spells {
			state := journal.AlertPending
			if !sp.Firing.IsZero() {
				state = journal.AlertFiring
			}
			if sp.Resolved.IsZero() && further(state) > further(e.AtEnd) {
				e.AtEnd = state
			}
			if sp.Pending.Before(begins) {
				before.Pended++
				firedBefore := !sp.Firing.IsZero() && sp.Firing.Before(begins)
				if firedBefore {
					before.Fired++
				}
				if sp.Resolved.IsZero() || sp.Resolved.After(begins) {
					then := journal.AlertPending
					if firedBefore {
						then = journal.AlertFiring
					}
					if further(then) > further(p.noise) {
						p.noise = then
					}
					p.noiseFired = p.noiseFired || state == journal.AlertFiring
				}
				continue
			}
			p.pending = earliest(p.pending, sp.Pending)
			if state == journal.AlertFiring {
				if p.firing.IsZero() || sp.Firing.Before(p.firing) {
					p.firing, p.resolved = sp.Firing, sp.Resolved
				}
				s.label(sp.Labels)
				continue
			}
			end := sp.Resolved
			if end.IsZero() {
				end = h.End
			}
			longest = max(longest, end.Sub(sp.Pending))
		}
	}
	if p.firing.IsZero() {
		e.Longest = max(e.Longest, journal.Duration(longest))
	}
	if further(p.noise) > further(e.Noise) {
		e.Noise = p.noise
	}
	if e.Before == nil && before.Pended > 0 || e.Before != nil && (before.Fired > e.Before.Fired || before.Fired == e.Before.Fired && before.Pended > e.Before.Pended) {
		e.Before = &before
	}
	s.phases = append(s.phases, p)
	e.Phases = append(e.Phases, journal.AlertPhase{Offset: journal.Duration(offset), Pending: pointer(p.pending), Firing: pointer(p.firing), Resolved: pointer(p.resolved), Noise: p.noise})
}

// mostLabels of the instances that fired are written down.
const mostLabels = 10

func (s *alertSeen) label(labels map[string]string) {
	e := s.event
	if len(e.Labels) < mostLabels && !slices.ContainsFunc(e.Labels, func(l journal.LabelsOf) bool { return maps.Equal(l, labels) }) {
		e.Labels = append(e.Labels, labels)
	}
}

// delays sums the phases up. Where there is only a server's own, another one of its evaluations could have come up to an interval
// sooner or later.
func (s *alertSeen) delays(h alertHistory) {
	e := s.event
	var pending, firing, resolved []time.Time
	for _, p := range s.phases {
		if !p.pending.IsZero() {
			pending = append(pending, p.pending)
		}
		if !p.firing.IsZero() {
			firing = append(firing, p.firing)
		}
		if !p.resolved.IsZero() {
			resolved = append(resolved, p.resolved)
		}
	}
	e.Pended, e.Fired = len(pending), len(firing)
	apart := time.Duration(0)
	if h.by == journal.AlertServer && len(s.phases) == 1 {
		apart = time.Duration(e.Step)
	}
	effect := limits{e.EffectFrom, e.Effect}
	e.Pending, e.Firing = delay(effect, pending, apart), delay(effect, firing, apart)
	if len(resolved) == len(firing) {
		e.Resolved = delay(effect, resolved, apart)
	}
}

func delay(effect limits, times []time.Time, apart time.Duration) *journal.AlertDelay {
	if len(times) == 0 {
		return nil
	}
	first, last := slices.MinFunc(times, time.Time.Compare).UTC(), slices.MaxFunc(times, time.Time.Compare).UTC().Add(apart)
	if sooner := first.Add(-apart); sooner.After(effect.earliest) {
		first = sooner
	} else if first.After(effect.earliest) {
		first = effect.earliest
	}
	// What began between the injection and the time by which its effect was seen may have come at once.
	return &journal.AlertDelay{AtLeast: journal.Duration(max(0, first.Sub(effect.latest))), AtMost: journal.Duration(max(0, last.Sub(effect.earliest))), First: first, Last: last}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// shortest is the shortest interval at which one of the rules, with all that it needs, is evaluated.
func (s alertSeen) shortest() time.Duration { return least(s.rules, metrics.AlertRule.Rarest) }

// judgeAlert computes the verdict on one claim about an alert. It is a pure function of what was seen. An alert that fires in some
// phases only would fire, or not, by chance: that decides nothing. Where it did not fire, that counts only if it could have.
func judgeAlert(claim *scenarios.Alert, s alertSeen, h alertHistory) *journal.AlertJudged {
	v := &journal.AlertJudged{Alert: claim.Name, Phases: len(s.phases)}
	is := func(to journal.Verdict, why journal.AlertReason, detail string) *journal.AlertJudged {
		v.Verdict, v.Reason, v.Detail = to, why, detail
		return v
	}
	switch {
	case h.FaultStart.IsZero() && h.Stopped:
		return is(journal.NotTested, journal.AlertStopped, "")
	case h.FaultStart.IsZero():
		return is(journal.NotTested, journal.AlertNotStarted, "")
	case h.Sham:
		return is(journal.NotTested, journal.AlertSham, "")
	case !h.Injected:
		return is(journal.NotTested, journal.AlertNotInjected, "")
	case h.failed != "":
		return is(journal.Inconclusive, journal.AlertNotReplayed, h.failed)
	case len(s.phases) == 0:
		return is(journal.Inconclusive, journal.AlertUnseen, "no rule of this name was evaluated")
	}
	certain, deadline := h.End, h.End // it is in time for certain up to the one, and late for certain after the other
	if claim.Within > 0 {
		certain, deadline = h.soonest().Add(claim.Within), h.effect().Add(claim.Within)
	}
	fired, perhaps, already := 0, 0, false
	did := false // on the server itself
	for i, p := range s.phases {
		if !p.firing.IsZero() {
			fired++
			if !p.firing.After(certain) {
				v.InTime++
				did = did || i == 0 && h.by == journal.AlertServer
				continue
			}
			if !p.firing.After(deadline) {
				perhaps++
				continue
			}
		}
		already = already || p.noise != "" && (claim.Fires || p.noiseFired)
	}
	n := len(s.phases)
	cut := func() *journal.AlertJudged { // what a run that was cut short, or a fault that was, cannot show
		switch {
		case h.EndedEarly != "":
			return is(journal.Inconclusive, journal.AlertFaultEnded, h.EndedEarly)
		case h.HitNothing != "":
			return is(journal.Inconclusive, journal.AlertHitNothing, h.HitNothing)
		case h.Stopped:
			return is(journal.Inconclusive, journal.AlertStopped, "")
		}
		return nil
	}
	switch {
	case s.event.ShortHistory != "":
		if c := cut(); c != nil {
			return c
		}
		return is(journal.Inconclusive, journal.AlertShortHistory, s.event.ShortHistory)
	case did && !claim.Fires: // whatever it would have done in another phase
		return is(journal.Refuted, journal.AlertUnwanted, "")
	case s.unswept != "":
		if c := cut(); c != nil {
			return c
		}
		return is(journal.Inconclusive, journal.AlertNotReplayed, cmp.Or(s.blind(h, deadline), s.unswept))
	case v.InTime == n && !claim.Fires:
		return is(journal.Refuted, journal.AlertUnwanted, "")
	case v.InTime == n:
		if c := cut(); c != nil {
			return c
		}
		return is(journal.Held, journal.AlertFired, "")
	case already:
		return is(journal.Inconclusive, journal.AlertAlready, "")
	case perhaps > 0 && (v.InTime == 0 || v.InTime+perhaps == n):
		if c := cut(); c != nil {
			return c
		}
		return is(journal.Inconclusive, journal.AlertByEffect, "")
	case v.InTime > 0:
		return is(journal.Inconclusive, journal.AlertByPhase, "")
	}
	// It fired in no phase in time.
	if c := cut(); c != nil {
		return c
	}
	if h.End.Before(deadline) {
		return is(journal.Inconclusive, journal.AlertTooShort, "")
	}
	if why := s.blind(h, deadline); why != "" {
		return is(journal.Inconclusive, journal.AlertUnseen, why)
	}
	if fault := h.faultLength(); fired == 0 && s.shortest() > fault {
		return is(journal.Inconclusive, journal.AlertTooRare, fmt.Sprintf("the rule is evaluated every %s, and the shortest fault was in force for %s", journal.Duration(s.shortest()), journal.Duration(fault.Round(time.Millisecond))))
	}
	switch why := s.lostUntil(h, deadline); {
	case !claim.Fires && why != "":
		return is(journal.Inconclusive, journal.AlertUnseen, why)
	case !claim.Fires:
		return is(journal.Held, journal.AlertQuiet, "")
	case fired > 0:
		return is(journal.Refuted, journal.AlertLate, "")
	}
	return is(journal.Refuted, journal.AlertMissing, "")
}

// shortHistory says that a rule looks back further than the record does before the fault took effect; empty: none does. What such a rule
// says of the record is not what it says on a server: the half of the requests of 30 s that fail are a tenth of those of 5 minutes.
func (s alertSeen) shortHistory(h alertHistory) string {
	var longest time.Duration
	for _, r := range s.rules {
		longest = max(longest, r.Lookback)
	}
	recorded := h.soonest().Sub(h.Start)
	if longest <= recorded+scrapeSlack {
		return ""
	}
	return fmt.Sprintf("the rule looks back %s, and only %s were recorded before the fault", journal.Duration(longest), journal.Duration(recorded.Round(100*time.Millisecond)))
}

// faultLength is how long the shortest of the faults was in force: what a rule has not seen of one, no pause between two makes good.
func (h alertHistory) faultLength() time.Duration {
	if h.Deeds.shortest > 0 {
		return h.Deeds.shortest
	}
	if h.LastUndo.IsZero() {
		return h.End.Sub(h.effect())
	}
	return h.LastUndo.Sub(h.effect())
}

// blind says why an alert that did not fire may have had nothing to see; empty: it could see.
func (s alertSeen) blind(h alertHistory, deadline time.Time) string {
	e := s.event
	switch {
	case slices.ContainsFunc(s.errors, func(at time.Time) bool { return !at.Before(h.effect()) && !at.After(deadline) }):
		return "the rule could not be evaluated: " + e.Error
	case e.Unseen != "":
		return e.Unseen
	}
	for _, g := range h.gaps {
		if g.From.Before(deadline) && g.To.After(h.effect()) {
			return fmt.Sprintf("nothing was scraped for %s", journal.Duration(g.To.Sub(g.From)))
		}
	}
	return ""
}

// lostUntil says what the rules had to read before and had not after the effect; empty: nothing. An alert that does not fire for that is
// missing, and one that must not fire has not been seen to be quiet.
func (s alertSeen) lostUntil(h alertHistory, deadline time.Time) string {
	const clock = "15:04:05.000 UTC" // whatever the time zone of the draft is
	for _, l := range s.lost {
		switch {
		case !l.From.Before(deadline) || !l.To.After(h.effect()):
		case l.Old && l.Forever:
			return fmt.Sprintf("nothing newer came of what %s reads after %s", l.Of, l.From.Format(clock))
		case l.Old:
			return fmt.Sprintf("nothing newer came of what %s reads from %s to %s", l.Of, l.From.Format(clock), l.To.Format(clock))
		case l.Never:
			return fmt.Sprintf("%s was not a number at any time", l.Of)
		case l.NaN && l.Forever:
			return fmt.Sprintf("%s was not a number after %s", l.Of, l.From.Format(clock))
		case l.NaN:
			return fmt.Sprintf("%s was not a number between %s and %s", l.Of, l.From.Format(clock), l.To.Format(clock))
		case l.Fewer:
			return fmt.Sprintf("fewer series matched %s after %s than before", l.Of, l.From.Format(clock))
		case l.Forever:
			return fmt.Sprintf("no series matched %s any more after %s", l.Of, l.From.Format(clock))
		default:
			return fmt.Sprintf("no series matched %s from %s to %s", l.Of, l.From.Format(clock), l.To.Format(clock))
		}
	}
	return ""
}

// sum sums up all alerts. One that no block names, and that did not fire, counts as quiet under the same conditions as one that has
// to be: those of which it is not known are named.
func (h alertHistory) sum(claims []*scenarios.Alert, all []alertSeen) *journal.AlertsSummed {
	out := &journal.AlertsSummed{By: h.by, Error: h.failed}
	if h.replayed == nil {
		return out
	}
	names := map[string]bool{}
	for _, r := range h.replayed.Rules {
		names[r.Rule.Alert] = true
	}
	out.Alerts, out.Phases, out.Evaluations, out.Took = len(names), h.replayed.Phases, h.replayed.Evaluations, journal.Duration(h.replayed.Took.Round(time.Microsecond))
	for _, s := range all {
		e := s.event
		wanted := slices.ContainsFunc(claims, func(c *scenarios.Alert) bool { return c.Name == e.Alert && c.Fires })
		if wanted {
			out.Expected++
			switch {
			case e.ShortHistory != "": // neither can be told
			case e.Fired > 0 && e.Fired == len(e.Phases):
				out.Fired++
			case e.Fired == 0:
				out.Missing = append(out.Missing, e.Alert)
			}
		}
		if e.Fired > 0 && !e.Expected {
			out.Unexpected = append(out.Unexpected, e.Alert)
		}
		if why := cmp.Or(s.blind(h, h.End), e.Lost, e.ShortHistory); why != "" && e.Fired == 0 && !e.Expected {
			i := slices.IndexFunc(out.Unknown, func(u journal.AlertsUnknown) bool { return u.Why == why })
			if i < 0 {
				i, out.Unknown = len(out.Unknown), append(out.Unknown, journal.AlertsUnknown{Why: why})
			}
			out.Unknown[i].Alerts = append(out.Unknown[i].Alerts, e.Alert)
		}
		if e.Before != nil {
			out.Noise = append(out.Noise, e.Alert)
		}
	}
	return out
}
