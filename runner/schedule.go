package runner

import (
	"sort"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/scenarios"
)

// A PlannedFault is a fault with its time and what it does to each container.
type PlannedFault struct {
	Fault *scenarios.Fault
	Start time.Duration // counted from the end of the baseline
	Steps []inject.Step // one per container, ordered by name
}

// End is when the fault is to be over; that of a fault without a duration is its start.
func (f PlannedFault) End() time.Duration { return f.Start + f.Fault.Duration }

// follows says whether the scenario puts the fault after another one, directly or not.
func (f PlannedFault) follows(other PlannedFault) bool {
	for g := f.Fault.After; g != nil; g = g.After {
		if g == other.Fault {
			return true
		}
	}
	return false
}

// schedule gives every fault its time, ordered by it. `after` chains have no cycles: the language sees to that.
func schedule(faults []*scenarios.Fault) []PlannedFault {
	starts := map[*scenarios.Fault]time.Duration{}
	var start func(f *scenarios.Fault) time.Duration
	start = func(f *scenarios.Fault) time.Duration {
		if s, ok := starts[f]; ok {
			return s
		}
		s := f.Start
		if f.After != nil {
			s += start(f.After) + f.After.Duration
		}
		starts[f] = s
		return s
	}
	out := make([]PlannedFault, 0, len(faults))
	for _, f := range faults {
		out = append(out, PlannedFault{Fault: f, Start: start(f)})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Start < out[j].Start })
	return out
}

// span is the time from the first fault's start to the last planned end.
func span(faults []PlannedFault) (first, last time.Duration) {
	for i, f := range faults {
		if i == 0 || f.Start < first {
			first = f.Start
		}
		last = max(last, f.End())
	}
	return first, last
}

// shared returns two containers of one fault that would fight over something that both have, and says over what; "" if there are none.
func (f PlannedFault) shared() (a, b engine.Container, over string) {
	for i, x := range f.Steps {
		for _, y := range f.Steps[i+1:] {
			if over := inject.Conflict(x, y); over != "" {
				return x.Container, y.Container, over
			}
		}
	}
	return a, b, ""
}

// conflicts returns the pairs of faults that would fight over something while both are in force, on one container, or on two that have
// the same. A pair is named once for each of those.
func conflicts(faults []PlannedFault) (pairs []conflict) {
	for i, a := range faults {
		for _, b := range faults[i+1:] {
			if b.Start >= a.End() && b.Start != a.Start {
				continue
			}
			for _, sa := range a.Steps {
				for _, sb := range b.Steps {
					if over := inject.Conflict(sa, sb); over != "" {
						where := sa.Container.Name
						if sb.Container.ID != sa.Container.ID {
							where += " and " + sb.Container.Name
						}
						pairs = append(pairs, conflict{a, b, where, over})
					}
				}
			}
		}
	}
	return pairs
}

type conflict struct {
	a, b      PlannedFault
	container string
	over      string // in words: "its main process"
}
