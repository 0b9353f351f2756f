package report

import (
	"slices"
	"sort"
	"time"

	"gameday/runner/journal"
)

// narrow is the share of its bound below which a margin counts as used up.
const narrow = 0.2

func (f *facts) askRefuted() []Question {
	var out []Question
	for _, h := range f.hypotheses {
		if h.verdict != journal.Refuted {
			continue
		}
		q := Question{Of: h.Name}
		if p := h.refutedBy(); p != nil {
			q.At = p.At
			q.Text = say(h.rests, "In {} the value was {} at {}. What did the screens that you watched suggest at that moment?", Name(h.Name), against(p), At(p.At))
		} else {
			q.Text = say(h.rests, "{} was {}. What did the screens that you watched suggest meanwhile?", Name(h.Name), Verdict(h.verdict))
			if g := h.gap(); g != nil {
				q.At = g.First
				q.Text = say(h.rests, "{} was {}: there was no data from {}. What did the screens that you watched suggest meanwhile?", Name(h.Name), Verdict(h.verdict), At(g.First))
			}
		}
		out = append(out, q)
	}
	return out
}

// refutedBy is the value that a refuted hypothesis is remembered by; nil where the record has none.
func (h *hypothesis) refutedBy() *journal.Point {
	if h.judged != nil {
		p, _ := h.seen()
		return p
	}
	for _, s := range h.states {
		if s.p.Refuted {
			return s.p.Point
		}
	}
	return nil
}

// gap is the longest stretch without data that counts, and nil where there was none.
func (h *hypothesis) gap() *journal.Stretch {
	var out *journal.Stretch
	if h.judged == nil {
		return nil
	}
	for i := range h.judged.p.Phases {
		p := &h.judged.p.Phases[i]
		if h.judged.p.Phase != "" && p.Phase != h.judged.p.Phase {
			continue
		}
		for k := range p.Gaps {
			if s := &p.Gaps[k]; out == nil || s.AtMost > out.AtMost {
				out = s
			}
		}
	}
	return out
}

// missing are the alerts that were to fire and fired in no phase.
func (f *facts) missing() []*alert {
	var out []*alert
	for _, x := range f.claimed() {
		if x.verdict == journal.Refuted && x.judged != nil && x.judged.p.Reason == journal.AlertMissing && x.claim != nil {
			out = append(out, x)
		}
	}
	return out
}

func (f *facts) askMissingAlert() []Question {
	var out []Question
	for _, x := range f.missing() {
		q := Question{Of: x.name}
		ids := cite(append([]string{f.alertsEvidence()}, x.rests...)...)
		if x.seen != nil {
			q.At = x.seen.p.End
			q.Text = say(ids, "{} was expected within {} of the first effect and had not fired at {}. What would people have relied on to notice?", Name(x.name), Dur(x.claim.Within), At(x.seen.p.End))
		} else {
			q.Text = say(ids, "{} was expected within {} of the first effect and did not fire. What would people have relied on to notice?", Name(x.name), Dur(x.claim.Within))
		}
		out = append(out, q)
	}
	return out
}

// An outsider is a container that is no target and changed in a way that nobody had declared.
type outsider struct {
	name  string
	first noted[*journal.TargetChanged]
	ids   []string
}

// outsiders are those containers, in the order of their first such change. A change for the better is none.
func (f *facts) outsiders() []*outsider {
	var out []*outsider
	for _, c := range f.changes {
		if c.p.Target || c.p.Ours || !harmful(c.p.Change) {
			continue
		}
		i := slices.IndexFunc(out, func(x *outsider) bool { return x.name == c.p.Container.Name })
		if i < 0 {
			i = len(out)
			out = append(out, &outsider{name: c.p.Container.Name, first: c})
		}
		out[i].ids = append(out[i].ids, c.id)
	}
	return out
}

// harmful says that a change takes something away. Of changes that this version does not know nothing is said.
func harmful(change string) bool {
	return slices.Contains([]string{"died", "restarted", "paused", "removed", "oom", "unhealthy"}, change)
}

// changedAt is when a container changed: by the engine's clock, or else when that was written down.
func changedAt(c noted[*journal.TargetChanged]) time.Time {
	if c.p.At.IsZero() {
		return c.at
	}
	return c.p.At
}

func (f *facts) askOutside() []Question {
	var out []Question
	for _, x := range f.outsiders() {
		at := changedAt(x.first)
		out = append(out, Question{Of: x.name, At: at, Text: say([]string{x.first.id},
			"{} was no target and changed at {}: {}. How was this dependency understood before today?", Name(x.name), At(at), Name(x.first.p.Change))})
	}
	return out
}

// tripped is what ended the run, of the guardrail's states; nil: it did not.
func (g *guardrail) tripped() *noted[*journal.GuardrailState] {
	for i := range g.states {
		if g.states[i].p.Tripped {
			return &g.states[i]
		}
	}
	return nil
}

func (f *facts) askGuardrail() []Question {
	var out []Question
	for _, g := range f.guardrails {
		s := g.tripped()
		if s == nil {
			continue
		}
		ids := cite(g.declared, s.id, f.query(g.QueryID))
		q := Question{Of: g.Name, At: s.at}
		switch {
		case s.p.Blind:
			q.Text = say(ids, "Guardrail {} ended the run at {}: it had no data to guard with since {}. What would we rather have it do without data?", Name(g.Name), At(s.at), At(s.p.Since))
		case s.p.Point != nil:
			q.Text = say(ids, "Guardrail {} ended the run at {}, at a value of {}. Would we set it there again?", Name(g.Name), At(s.at), Num(s.p.Point.Value))
		default:
			q.Text = say(ids, "Guardrail {} ended the run at {}. Would we set it there again?", Name(g.Name), At(s.at))
		}
		out = append(out, q)
	}
	return out
}

// unwanted are the alerts that fired although the scenario says that they do not.
func (f *facts) unwanted() []*alert {
	var out []*alert
	for _, x := range f.claimed() {
		if x.verdict == journal.Refuted && !x.fires() && x.seen != nil && x.seen.p.Firing != nil {
			out = append(out, x)
		}
	}
	return out
}

func (f *facts) askUnexpectedAlert() []Question {
	var out []Question
	for _, x := range f.unwanted() {
		e := x.seen.p
		out = append(out, Question{Of: x.name, At: x.firedAt(), Text: say(cite(append(x.rests, f.alertsEvidence())...),
			"{} fires from {}, {} after the first effect, and the scenario says that it does not. How is it decided whether it matters?", Name(x.name), At(x.firedAt()), alertDelay(e.Firing))})
	}
	for _, x := range f.unexpected() {
		e := x.seen.p
		if e.Firing == nil {
			continue
		}
		out = append(out, Question{Of: x.name, At: x.firedAt(), Text: say([]string{x.seen.id},
			"{} fires from {}, {} after the first effect, and nobody listed it. How is it decided whether it matters?", Name(x.name), At(x.firedAt()), alertDelay(e.Firing))})
	}
	return out
}

func (f *facts) askLateAlert() []Question {
	var out []Question
	for _, x := range f.claimed() {
		if x.judged == nil || x.judged.p.Reason != journal.AlertLate || x.seen == nil || x.seen.p.Firing == nil || x.claim == nil {
			continue
		}
		out = append(out, Question{Of: x.name, At: x.firedAt(), Text: say(cite(append(x.rests, f.alertsEvidence())...),
			"{} fires {} after the first effect, from {}, and was expected within {}. What was known by then, and from where?", Name(x.name), alertDelay(x.seen.p.Firing), At(x.firedAt()), Dur(x.claim.Within))})
	}
	return out
}

// askStorm asks about the densest minute, if several alerts begin to fire in it.
func (f *facts) askStorm() []Question {
	const enough = 3
	var fired []*alert
	for _, x := range f.alerts.all {
		if x.seen != nil && x.seen.p.Fired > 0 && x.seen.p.Firing != nil {
			fired = append(fired, x)
		}
	}
	first := (*alert).firedAt
	sort.SliceStable(fired, func(i, j int) bool { return first(fired[i]).Before(first(fired[j])) })
	var storm []*alert
	for i := range fired {
		k := i
		for k < len(fired) && first(fired[k]).Sub(first(fired[i])) <= time.Minute {
			k++
		}
		if k-i > len(storm) {
			storm = fired[i:k]
		}
	}
	if len(storm) < enough {
		return nil
	}
	ids := []string{}
	for _, x := range storm {
		ids = append(ids, x.seen.id)
	}
	at := first(storm[0])
	return []Question{{At: at, Text: say(ids, "{} alerts begin to fire within {}, from {}. Which is read first, and what is set aside?", Count{len(ids), ids}, Span{From: at, To: first(storm[len(storm)-1])}, At(at))}}
}

// share is the margin as a part of the bound; false: there is none to tell.
func share(m *journal.Margin) (float64, bool) {
	if m == nil || m.Share == nil || !finite(float64(*m.Share)) {
		return 0, false
	}
	return float64(*m.Share), true
}

func (f *facts) askMargin() []Question {
	var out []Question
	for _, h := range f.hypotheses {
		if h.verdict != journal.Held || h.judged == nil {
			continue
		}
		m := h.judged.p.Margin
		if s, ok := share(m); ok && s >= 0 && s < narrow {
			out = append(out, Question{Of: h.Name, At: m.Point.At, Text: say(h.rests, "In {} the value was {} at {}, and {} of the bound was left. What difference in load, data or timing would have used that up?",
				Name(h.Name), against(&m.Point), At(m.Point.At), Percent(s))})
		}
	}
	for _, g := range f.guardrails {
		if g.judged == nil || g.tripped() != nil {
			continue
		}
		m := g.judged.p.Closest
		if s, ok := share(m); ok && s >= 0 && s < narrow {
			v := against(&m.Point)
			v.Trips = true
			out = append(out, Question{Of: g.Name, At: m.Point.At, Text: say(cite(g.declared, g.judged.id, f.query(g.QueryID)),
				"Guardrail {} was within {} of ending the run: the value was {} at {}. What difference in load, data or timing would have used that up?", Name(g.Name), Percent(s), v, At(m.Point.At))})
		}
	}
	return out
}

// askUndoHelped asks about the hypothesis that took longest to hold again, where no recovery without the undo was shown.
func (f *facts) askUndoHelped() []Question {
	h := f.slowest(func(h *hypothesis) bool { return h.judged.p.RecoveredBeforeUndo == nil && h.broken() })
	if h == nil {
		return nil
	}
	a := h.judged.p.HeldAgain
	return []Question{{Of: h.Name, At: a.Undo, Text: say(h.rests,
		"The last undo was at {}, and {} held for good {} later; that it would have held without the undo was not shown. What do we now believe comes next, and how could we find out safely?",
		At(a.Undo), Name(h.Name), lasting(a.AtLeast, a.AtMost))}}
}

// broken says that it was seen violated in the fault phase.
func (h *hypothesis) broken() bool {
	return slices.ContainsFunc(h.judged.p.Phases, func(p journal.PhaseJudged) bool { return p.Phase == journal.Fault && p.Bad > 0 })
}

// slowest is the hypothesis that took longest after the last undo until it held again, of those that a condition allows; nil: none
// of them took any time.
func (f *facts) slowest(allowed func(*hypothesis) bool) *hypothesis {
	var out *hypothesis
	for _, h := range f.hypotheses {
		if h.judged == nil || h.judged.p.HeldAgain == nil || h.judged.p.HeldAgain.AtMost == 0 || !allowed(h) {
			continue
		}
		if out == nil || h.judged.p.HeldAgain.AtMost > out.judged.p.HeldAgain.AtMost {
			out = h
		}
	}
	return out
}

func (f *facts) askRecovered() []Question {
	for _, h := range f.hypotheses {
		if h.judged == nil || h.judged.p.RecoveredBeforeUndo == nil {
			continue
		}
		r := h.judged.p.RecoveredBeforeUndo
		return []Question{{Of: h.Name, At: r.First, Text: say(h.rests, "{} held for good from {}, {} before the last undo. Which mechanism do we think did that, and where is it described?",
			Name(h.Name), At(r.First), lasting(r.AtLeast, r.AtMost))}}
	}
	return nil
}

// askSlowRecovery asks about what did not hold again by the end, or not soon after its query no longer looked back at the fault.
func (f *facts) askSlowRecovery() []Question {
	const soon = 5 * time.Second
	undo := f.lastUndo()
	for _, h := range f.hypotheses {
		if h.judged != nil && h.judged.p.Reason == journal.ReasonNotRecovered && !undo.IsZero() {
			ids := append(f.undone(), h.rests...)
			return []Question{{Of: h.Name, At: undo, Text: say(cite(append(ids, f.last)...), "The faults were gone at {}, and at the end of the run, {}, {} did not hold for good. What was the system still busy with?",
				At(undo), At(f.to), Name(h.Name))}}
		}
	}
	h := f.slowest(func(h *hypothesis) bool { return h.broken() })
	if h == nil {
		return nil
	}
	a := h.judged.p.HeldAgain
	if time.Duration(a.AtLeast) < time.Duration(h.Lookback)+soon {
		return nil
	}
	return []Question{{Of: h.Name, At: a.First, Text: say(h.rests, "The faults were gone at {}, and {} held for good only from {}. What was the system still busy with?", At(a.Undo), Name(h.Name), At(a.First))}}
}

// undone is the evidence that faults are gone.
func (f *facts) undone() []string {
	var ids []string
	for _, x := range f.faults {
		if !x.gone().IsZero() {
			ids = append(ids, x.undone.id)
		}
	}
	return ids
}

func (f *facts) askStopped() []Question {
	for _, s := range f.stops {
		if s.p.Why == journal.UndoInterrupted {
			return []Question{{At: s.at, Text: say([]string{s.id}, "The run was stopped by hand at {} ({}). Which signal told that it was time, and was stopping easy?", At(s.at), Quote(s.p.Detail))}}
		}
	}
	return nil
}

// askBaseline asks about what was out of bounds before anything was done.
func (f *facts) askBaseline() []Question {
	var out []Question
	if f.gate != nil {
		for _, g := range f.gate.p.Failures {
			if g.Worst != nil && g.Reason == journal.ReasonViolated {
				worst := against(g.Worst)
				worst.Trips = slices.ContainsFunc(f.guardrails, func(x *guardrail) bool { return x.Name == g.Name && x.QueryID == g.QueryID })
				out = append(out, Question{Of: g.Name, At: g.Worst.At, Text: say(cite(f.gate.id, f.query(g.QueryID)),
					"Before any fault, at {}, the value in {} was {}. Was this known as normal?", At(g.Worst.At), Name(g.Name), worst)})
			}
		}
	}
	for _, h := range f.hypotheses {
		if h.judged == nil || slices.ContainsFunc(out, func(q Question) bool { return q.Of == h.Name }) {
			continue
		}
		for _, p := range h.judged.p.Phases {
			if p.Phase == journal.Baseline && p.Bad > 0 && p.Worst != nil {
				out = append(out, Question{Of: h.Name, At: p.Worst.At, Text: say(h.rests, "Before any fault, at {}, the value in {} was {}. Was this known as normal?", At(p.Worst.At), Name(h.Name), against(p.Worst))})
			}
		}
	}
	return out
}

func (f *facts) askInconclusive() []Question {
	var out []Question
	for _, h := range f.hypotheses {
		if h.verdict != journal.Inconclusive || h.judged == nil {
			continue
		}
		switch g := h.gap(); {
		case h.reason == journal.ReasonNoData && g != nil:
			missing := 0
			for _, p := range h.judged.p.Phases {
				if p.Phase == h.judged.p.Phase {
					missing = p.Missing
				}
			}
			q := Question{Of: h.Name, At: g.First}
			if missing > 0 {
				q.Text = say(h.rests, "{} {} missing, from {} on, and {} cannot be decided. Where else does that information exist?", Count{N: missing}, plural(missing, "sample is", "samples are"), At(g.First), Name(h.Name))
			} else {
				q.Text = say(h.rests, "Samples are missing from {} on, and {} cannot be decided. Where else does that information exist?", At(g.First), Name(h.Name))
			}
			out = append(out, q)
		case h.reason == journal.ReasonUncertain:
			out = append(out, Question{Of: h.Name, Text: say(cite(append([]string{h.declared}, h.rests...)...),
				"{} is asked every {}, and whether a violation outlasted the {} tolerated cannot be told from that. Where else does that information exist?", Name(h.Name), Dur(h.Every), Dur(h.Tolerate))})
		}
	}
	return out
}

// askReversed asks about an action that somebody took back, and about a container that somebody paused and let go on again.
func (f *facts) askReversed() []Question {
	out := f.askTakenBack()
	paused := map[string]noted[*journal.TargetChanged]{}
	for _, c := range f.changes {
		if c.p.Ours {
			continue
		}
		before, was := paused[c.p.Container.Name]
		switch {
		case c.p.Change == "paused":
			paused[c.p.Container.Name] = c
		case c.p.Change == "unpaused" && was:
			delete(paused, c.p.Container.Name)
			from := changedAt(before)
			out = append(out, Question{Of: c.p.Container.Name, At: from, Text: say([]string{before.id, c.id}, "{} was paused at {}, not by gameday, and let go on {} later. What changed the picture?",
				Name(c.p.Container.Name), At(from), Span{From: from, To: changedAt(c)})})
		}
	}
	return out
}

// askAllHeld asks for what the instruments could not see, when all that they saw was as declared.
func (f *facts) askAllHeld() []Question {
	if len(f.hypotheses) == 0 || f.count(journal.Held).N < len(f.hypotheses) || len(f.divergences()) > 0 || len(f.surpriseNotes()) > 0 || len(f.askMargin()) > 0 {
		return nil
	}
	c := f.count(journal.Held)
	if h := f.worst(); h != nil {
		m := h.judged.p.Margin
		template := "{} of {} {} held; the nearest to its bound was {} at {}, in {}. "
		if m.Distance < 0 { // for a time that is tolerated, or before it has to hold
			template = "{} of {} {} held; the furthest beyond its bound was {} at {}, in {}, which the scenario allows. "
		}
		return []Question{{Text: say(cite(append(c.Of, f.query(h.QueryID))...), template+"Nothing surprised the instruments. What surprised you? What did you quietly make up for?",
			c, c, plural(c.N, "hypothesis", "hypotheses"), against(&m.Point), At(m.Point.At), Name(h.Name))}}
	}
	return []Question{{Text: say(c.Of, "{} of {} {} held. Nothing surprised the instruments. What surprised you? What did you quietly make up for?", c, c, plural(c.N, "hypothesis", "hypotheses"))}}
}

func (f *facts) askNoNotes() []Question {
	if f.firstEffect() == "" || len(f.notes) > 0 {
		return nil
	}
	return []Question{{Text: say(cite(f.first, f.last), "From {} to {} the record holds no human observation. What would make it easier to jot one down next time?", At(f.from), At(f.to))}}
}
