package report

import (
	"cmp"
	"slices"

	"gameday/runner/journal"
)

// A ComparedMovement is one metric on one target that moved in at least one of two runs.
type ComparedMovement struct {
	Metric string            `json:"metric"` // empty: the target as a whole
	Target map[string]string `json:"target"`
	First  *MovementSide     `json:"first"` // null: it is not among what that run found
	Second *MovementSide     `json:"second"`
}

// A MovementSide is a movement in one run.
type MovementSide struct {
	Change string         `json:"change"`
	Rank   journal.Number `json:"rank"`
}

// mostMovements are laid side by side, the strongest first.
const mostMovements = 10

// movements lays what else moved side by side, where both runs looked.
func (c *Comparison) movements(a, b *facts) {
	first, second := a.found(), b.found()
	if first == nil || second == nil {
		return
	}
	all := map[string]*ComparedMovement{}
	var order []string
	for i, m := range []*journal.Moved{first, second} {
		for _, x := range m.Findings {
			key := x.Metric + formatLabels(x.Target)
			if all[key] == nil {
				all[key] = &ComparedMovement{Metric: x.Metric, Target: x.Target}
				order = append(order, key)
			}
			side := &MovementSide{Change: x.Change, Rank: x.Rank}
			if i == 0 {
				all[key].First = side
			} else {
				all[key].Second = side
			}
		}
	}
	slices.SortStableFunc(order, func(x, y string) int { return cmp.Compare(all[y].rank(), all[x].rank()) })
	for _, key := range order[:min(len(order), mostMovements)] {
		c.Moved = append(c.Moved, *all[key])
	}
}

// found is what a run found to have moved; nil where it did not look.
func (f *facts) found() *journal.Moved {
	for _, e := range f.index.Events {
		if m, ok := e.Event.Payload.(*journal.Moved); ok && m.Why == "" {
			return m
		}
	}
	return nil
}

func (m *ComparedMovement) rank() float64 {
	r := 0.0
	for _, s := range []*MovementSide{m.First, m.Second} {
		if s != nil {
			r = max(r, float64(s.Rank))
		}
	}
	return r
}

func (m ComparedMovement) name() string { return "  " + m.Metric + formatLabels(m.Target) }

func (s *MovementSide) text() string {
	if s == nil {
		return none
	}
	return s.Change + " (" + formatNumber(float64(s.Rank), 2) + ")"
}
