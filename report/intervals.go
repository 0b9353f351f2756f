package report

import (
	"slices"
	"time"

	"gameday/runner/journal"
)

func lasting(least, most journal.Duration) Lasting {
	return Lasting{time.Duration(least), time.Duration(most)}
}

// responseAndRecovery says for each hypothesis how long it held after the fault, and how long after the undo until it held again.
func (f *facts) responseAndRecovery() Section {
	s := Section{ID: "response", Version: 1, Title: "Response and recovery"}
	switch {
	case len(f.hypotheses) == 0:
		s.Items = append(s.Items, Para{say([]string{f.declaredEvidence()}, "The scenario states no hypothesis: no recovery was watched.")})
		return s
	case f.firstEffect() == "":
		s.Items = append(s.Items, Para{say(cite(f.declaredEvidence(), f.last), "The record shows no fault that took effect: there was nothing to recover from.")})
		return s
	}
	t := Table{Columns: []string{"Hypothesis", "After the fault's effect", "Before the last undo", "After the last undo"}}
	for _, h := range f.hypotheses {
		t.Rows = append(t.Rows, row(append([]string{h.declared, f.firstEffect()}, h.rests...), words("{}", Name(h.Name)), h.stopped(), h.recovered(), h.again(!f.lastUndo().IsZero())))
	}
	s.Items = append(s.Items, t)
	return s
}

// firstEffect is the evidence of the first fault that took effect; empty if none did.
func (f *facts) firstEffect() string {
	id := ""
	var first time.Time
	for _, x := range f.faults {
		if at := x.effect(); !at.IsZero() && (id == "" || at.Before(first)) {
			id, first = x.verified.id, at
		}
	}
	return id
}

// stopped is when it stopped holding.
func (h *hypothesis) stopped() Phrase {
	switch {
	case h.judged == nil:
		return words("not judged")
	case h.unjudged():
		return words("is not judged while faults are in force")
	case h.judged.p.FirstViolation != nil:
		v := h.judged.p.FirstViolation
		return words("stopped holding after {}", lasting(v.AtLeast, v.AtMost))
	case h.violated():
		return words("did not hold, and since when was not seen")
	case h.unseen(journal.Fault):
		return words("was not seen to stop holding; samples are missing")
	}
	return words("was not seen to stop holding")
}

// unjudged says that what it was like in the fault phase does not count.
func (h *hypothesis) unjudged() bool {
	return len(h.Phases) > 0 && !slices.Contains(h.Phases, journal.Fault)
}

// violated says whether it was seen violated after the baseline.
func (h *hypothesis) violated() bool {
	for _, p := range h.judged.p.Phases {
		if p.Phase != journal.Baseline && p.Bad > 0 {
			return true
		}
	}
	return false
}

// unseen says that samples of a phase are missing.
func (h *hypothesis) unseen(phase journal.Phase) bool {
	return slices.ContainsFunc(h.judged.p.Phases, func(p journal.PhaseJudged) bool { return p.Phase == phase && p.Missing > 0 })
}

// recovered is whether it held for good while the faults were in force.
func (h *hypothesis) recovered() Phrase {
	switch {
	case h.judged == nil:
		return words("not judged")
	case h.unjudged():
		return words("is not judged before it")
	case h.judged.p.RecoveredBeforeUndo != nil:
		r := h.judged.p.RecoveredBeforeUndo
		return words("held for good, {} before it", lasting(r.AtLeast, r.AtMost))
	case !h.violated() && h.unseen(journal.Fault):
		return words("not known: samples are missing")
	case !h.violated():
		return words("there was nothing to recover from")
	}
	return words("a recovery without the undo was not shown")
}

// again is when it held for good after the undo, if one was seen.
func (h *hypothesis) again(undone bool) Phrase {
	switch {
	case h.judged == nil:
		return words("not judged")
	case !undone:
		return words("no undo was seen")
	case h.judged.p.HeldAgain == nil:
		return h.notAgain()
	case h.judged.p.HeldAgain.AtMost == 0:
		return words("held already")
	}
	a := h.judged.p.HeldAgain
	return words("held for good after {}", lasting(a.AtLeast, a.AtMost))
}

// notAgain is what the recovery was like where no time is told.
func (h *hypothesis) notAgain() Phrase {
	for _, p := range h.judged.p.Phases {
		if p.Phase != journal.Recovery || p.Samples == 0 {
			continue
		}
		if p.Good == p.Samples {
			return words("held in every sample")
		}
		return words("was not seen to hold for good")
	}
	return words("was not judged there")
}
