package report

import (
	"slices"
	"time"

	"gameday/runner/journal"
)

// surprised lists what was not as declared, and explains nothing.
func (f *facts) surprised() Section {
	s := Section{ID: "surprised", Version: 1, Title: "Why were we surprised?", People: true}
	points := Points{}
	for _, x := range f.surprises() {
		points = append(points, []Sentence{x})
	}
	if len(points) == 0 {
		s.Items = append(s.Items, Para{say(cite(f.declaredEvidence(), f.last), "No claim is refuted, and nothing else in the record went otherwise than declared.")})
		return s
	}
	s.Items = append(s.Items, points)
	return s
}

// divergences are all that was declared and seen otherwise, or seen and not declared; one sentence each.
func (f *facts) divergences() []Sentence {
	var out []Sentence
	for _, list := range [][]Sentence{f.runOtherwise(), f.faultsOtherwise(), f.refutedLines(), f.alertsOtherwise(), f.outsiderLines(), f.targetsOtherwise(), f.copedLines()} {
		out = append(out, list...)
	}
	return out
}

// surprises are the divergences, what moved that nobody had asked about, and what people called a surprise.
func (f *facts) surprises() []Sentence {
	out := append(f.divergences(), f.movedUnnamed()...)
	for _, n := range f.surpriseNotes() {
		if n.p.Text == leftOut {
			out = append(out, say([]string{n.id}, "{} noted a surprise, about {}.", roleName(n.role), At(about(n))))
			continue
		}
		out = append(out, say([]string{n.id}, "A surprise to {}, about {}: {}", roleName(n.role), At(about(n)), Quote(n.p.Text)))
	}
	return out
}

// runOtherwise is what kept the run from its declared course.
func (f *facts) runOtherwise() []Sentence {
	var out []Sentence
	if f.gate != nil && !f.gate.p.Passed {
		out = append(out, say([]string{f.gate.id}, "The baseline gate was not met: the steady state was not as claimed before anything was done."))
	}
	for _, g := range f.guardrails {
		if s := g.tripped(); s != nil {
			out = append(out, say(cite(g.declared, s.id), "Guardrail {} ended the run before its time, at {}.", Name(g.Name), At(s.at)))
		}
	}
	for _, s := range f.stops {
		if s.p.Why != journal.UndoGuardrail {
			out = append(out, say([]string{s.id}, "The run was ended before its time at {} ({}).", At(s.at), Name(s.p.Why)))
		}
	}
	if t := f.takeover; t != nil {
		out = append(out, say([]string{t.id}, "The guard took over from the runner at {}.", At(t.at)))
	}
	for _, x := range f.open() {
		out = append(out, say(x.evidence(), "Fault {} on {} is not shown to be gone.", Name(x.name), Name(x.target.Name)))
	}
	return out
}

// faultsOtherwise are faults that were not what they were to be.
func (f *facts) faultsOtherwise() []Sentence {
	var out []Sentence
	for _, x := range f.faults {
		n, c := Name(x.name), Name(x.target.Name)
		if x.missed != nil {
			out = append(out, say([]string{x.missed.id}, "Fault {} was not seen to take effect on {}.", n, c))
		}
		if x.early != nil {
			out = append(out, say([]string{x.early.id}, "Fault {} ended before its time on {}, at {}.", n, c, At(x.early.at)))
		}
		if x.nothing != nil {
			out = append(out, say([]string{x.nothing.id}, "Fault {} was in force on {}, and nothing met it.", n, c))
		}
		if n := len(x.followed); n > 0 {
			ids := []string{}
			for _, again := range x.followed {
				ids = append(ids, again.id)
			}
			out = append(out, say(ids, "{} was restarted under fault {} {} {}.", c, Name(x.name), Count{n, ids}, plural(n, "time", "times")))
		}
	}
	return out
}

func (f *facts) refutedLines() []Sentence {
	var out []Sentence
	for _, h := range f.hypotheses {
		if h.verdict != journal.Refuted {
			continue
		}
		if p := h.refutedBy(); p != nil {
			out = append(out, say(h.rests, "{} was {}: {} at {}.", Name(h.Name), Verdict(h.verdict), against(p), At(p.At)))
			continue
		}
		out = append(out, say(h.rests, "{} was {}.", Name(h.Name), Verdict(h.verdict)))
	}
	return out
}

func (f *facts) alertsOtherwise() []Sentence {
	var out []Sentence
	for _, x := range f.claimed() {
		if x.verdict != journal.Refuted {
			continue
		}
		ids, expected := cite(append([]string{f.alertsEvidence()}, x.rests...)...), Inner(x.expectation())
		if x.seen != nil && x.seen.p.Firing != nil {
			out = append(out, say(ids, "Alert {} was {} (expected: {}): it fires {} after the first effect.", Name(x.name), Verdict(x.verdict), expected, alertDelay(x.seen.p.Firing)))
			continue
		}
		out = append(out, say(ids, "Alert {} was {} (expected: {}): it does not fire.", Name(x.name), Verdict(x.verdict), expected))
	}
	for _, x := range f.unexpected() {
		out = append(out, say([]string{x.seen.id}, "Alert {} fires in {} of {} phases, and no block of the scenario names it.", Name(x.name), Count{N: x.seen.p.Fired}, phasesOf(x.seen.p)))
	}
	return out
}

func (f *facts) outsiderLines() []Sentence {
	var out []Sentence
	for _, x := range f.outsiders() {
		at := changedAt(x.first)
		if n := len(x.ids); n > 1 {
			out = append(out, say(x.ids, "{} was no target and changed {} times, first at {}: {}.", Name(x.name), Count{n, x.ids}, At(at), Name(x.first.p.Change)))
			continue
		}
		out = append(out, say(x.ids, "{} was no target and changed at {}: {}.", Name(x.name), At(at), Name(x.first.p.Change)))
	}
	return out
}

// targetsOtherwise are changes of targets that neither gameday did nor a fault of that kind implies.
func (f *facts) targetsOtherwise() []Sentence {
	var out []Sentence
	for _, c := range f.changes {
		if !c.p.Target || c.p.Ours || !harmful(c.p.Change) || f.implied(c) {
			continue
		}
		at := changedAt(c)
		out = append(out, say([]string{c.id}, "{}, a target, changed at {} and gameday had not asked for it: {}.", Name(c.p.Container.Name), At(at), Name(c.p.Change)))
	}
	return out
}

// implied says that a change is what a fault on that container is for: one that ends processes ends the container, and while any fault
// is in force or not long gone, a container may well not be healthy.
func (f *facts) implied(c noted[*journal.TargetChanged]) bool {
	ends := []string{"stop", "kill", "crash", "restart", "oom", "signal", "exec", "memory"}
	at := changedAt(c)
	for _, x := range f.faults {
		if x.target.ID != c.p.Container.ID || x.effect().IsZero() {
			continue
		}
		const grace = time.Second // between what the engine reports and when gameday has seen it
		from, to := x.effect().Add(-grace), x.gone()
		if at.Before(from) || !to.IsZero() && at.After(to.Add(grace)) {
			continue
		}
		if c.p.Change != "removed" && (c.p.Change == "unhealthy" || slices.Contains(ends, x.kind)) {
			return true
		}
	}
	return false
}

func (f *facts) copedLines() []Sentence {
	var out []Sentence
	for _, h := range f.hypotheses {
		if h.judged == nil || h.judged.p.RecoveredBeforeUndo == nil {
			continue
		}
		r := h.judged.p.RecoveredBeforeUndo
		out = append(out, say(h.rests, "{} held again {} before the last undo, while the faults were in force.", Name(h.Name), lasting(r.AtLeast, r.AtMost)))
	}
	return out
}

// movedUnnamed tells of the strongest movements in metrics that nobody had asked about. That those of a target move is what a fault is
// for, and of alerts there is a section.
func (f *facts) movedUnnamed() []Sentence {
	if f.moved == nil || f.sham() {
		return nil
	}
	const most = 3
	touched, _ := f.containers()
	var names List
	var moved Tally
	own := false
	for _, m := range f.moved.p.Findings {
		if len(m.Named) > 0 || m.InNoise || m.Metric == "" || m.Metric == "ALERTS" || m.Metric == "ALERTS_FOR_STATE" || slices.Contains(moved, m.Metric) {
			continue
		}
		if slices.Contains(touched, m.Target["container"]) || slices.Contains(touched, m.Target["name"]) {
			own = true
			continue
		}
		if moved = append(moved, m.Metric); len(moved) <= most {
			names = append(names, Name(m.Metric))
		}
	}
	if len(moved) == 0 {
		return nil
	}
	where := Word("")
	if own {
		where = " beside the targets' own"
	}
	template, args := "Moved{}, and named in no hypothesis, guardrail or alert: {}.", []Value{where, names}
	if len(moved) > most {
		template, args = "Moved{}, and named in no hypothesis, guardrail or alert: {} metrics, the strongest of them {}.", []Value{where, moved, names}
	}
	return []Sentence{say([]string{f.moved.id}, template, args...)}
}
