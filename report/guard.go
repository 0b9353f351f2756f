package report

import (
	"time"

	"gameday/runner/journal"
)

// A takeover is the guard's own end of a run whose runner had gone or hung.
type takeover struct {
	noted[*journal.Stopping]
	undone []noted[*journal.UndoVerified]
}

// last is the last that the guard saw to be gone, and when; empty if there was nothing to undo.
func (t *takeover) last() (id string, gone time.Time) {
	for _, u := range t.undone {
		at := u.p.At
		if at.IsZero() {
			at = u.at
		}
		if at.After(gone) {
			id, gone = u.id, at
		}
	}
	return id, gone
}

// takeoverLines say that the guard took over and what it undid; none if it did not.
func (f *facts) takeoverLines() []Sentence {
	t := f.takeover
	if t == nil {
		return nil
	}
	out := []Sentence{say([]string{t.id}, "The guard took over at {}: {}.", At(t.at), Quote(t.p.Detail))}
	id, gone := t.last()
	if id == "" {
		return out
	}
	ids := []string{}
	for _, u := range t.undone {
		ids = append(ids, u.id)
	}
	return append(out, say(cite(append(ids, t.id)...), "It undid {} {}; the last was gone {}, {} after it took over.", Count{len(ids), ids}, plural(len(ids), "fault", "faults"),
		By(gone), Span{From: t.at, To: gone}))
}

// guardLines say whether somebody watched over the run. Records of earlier versions do not tell.
func (f *facts) guardLines() []Sentence {
	var out []Sentence
	up := false
	for _, g := range f.guard {
		switch {
		case g.p.Up && !up:
			up = true
			out = append(out, say([]string{g.id}, "A guard watched over the run from {}.", At(g.at)))
		case g.p.Up:
			out = append(out, say([]string{g.id}, "The guard was started again at {}.", At(g.at)))
		case up:
			out = append(out, say([]string{g.id}, "At {} the guard was gone: {}.", At(g.at), Quote(g.p.Detail)))
		default:
			out = append(out, say([]string{g.id}, "The run had no guard: {}.", Quote(g.p.Detail)))
		}
	}
	return append(out, f.takeoverLines()...)
}
