package runner

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gameday/runner/journal"
)

// Whatever a claim does, the intervals that are told contain the true instants, which nobody sees: not the samples, of which some
// are missing, nor the calls that inject and undo, which take their time. A violation shorter than the sampling can hide; there is
// none here.
func TestIntervalsContainTheTruth(t *testing.T) {
	q := hypothesis(t, "")
	told := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		between := func(name string, from, to float64) float64 { return rapid.Float64Range(from, to).Draw(t, name) }
		last := float64(rapid.IntRange(25, 50).Draw(t, "samples"))
		effect := between("effect", 5.2, 9)
		undo := between("undo", effect+1, last-3)
		if rapid.Bool().Draw(t, "late undo") {
			undo = between("undo", last-6, last-3)
		}
		slowly := func(name string, at float64) limits {
			return limits{second(at - between(name+" earlier", 0, 0.2)), second(at + between(name+" later", 0, 0.2))}
		}
		h := History{Start: began, End: second(last + 0.6), Injected: true, Samples: map[string][]journal.Sample{}}
		h.Deeds.effect = slowly("effect", effect)
		h.Deeds.undos = []limits{slowly("undo", undo)}
		h.FaultStart, h.LastUndo = h.Deeds.effect.earliest, h.Deeds.undos[0].latest

		var flips []float64 // it holds until the first, then not, and so on
		for at, n := effect+between("first", 0, 8), rapid.SampledFrom([]int{0, 1, 2, 2, 3, 4}).Draw(t, "flips"); at < last && len(flips) < n; at += between("for", 1.01, 5) {
			flips = append(flips, at)
		}
		whole, gaps := true, rapid.Bool().Draw(t, "gaps")
		for n := 1.0; n <= last; n++ {
			s := journal.Sample{At: second(n)}
			holds := true
			for _, f := range flips {
				if f <= n {
					holds = !holds
				}
			}
			switch v := rapid.IntRange(0, 19).Draw(t, "sample"); {
			case gaps && n > 5 && v == 0:
				whole = false
				continue // missed
			case gaps && n > 5 && v == 1:
				whole = false // no data
			default:
				s.Series = []journal.SeriesValue{{Value: map[bool]journal.Number{true: 1, false: 9}[holds]}}
			}
			h.Samples[q.ID] = append(h.Samples[q.ID], s)
		}
		_, h.Usual = gate([]PlannedQuery{q}, h)
		v := judge(q, h)

		contains := func(what string, seconds float64, least, most journal.Duration) {
			told[what]++
			d := time.Duration(seconds * float64(time.Second))
			const slack = time.Microsecond // of the arithmetic here
			if d < time.Duration(least)-slack || d > time.Duration(most)+slack {
				t.Fatalf("%s took %s, and is told to be %s to %s; flips %v, effect %v, undo %v", what, d, least, most, flips, effect, undo)
			}
		}
		if x := v.FirstViolation; x != nil {
			contains("the first violation", flips[0]-effect, x.AtLeast, x.AtMost)
		} else if whole && len(flips) > 0 && flips[0] < last-1 {
			t.Fatalf("the first violation is not told: flips %v, effect %v", flips, effect)
		}
		good := len(flips)%2 == 0 // at the end
		again := 0.0
		if good && len(flips) > 0 {
			again = flips[len(flips)-1]
		}
		if x := v.HeldAgain; x != nil {
			if !good {
				t.Fatalf("it is told to hold again, and does not: flips %v", flips)
			}
			contains("to hold again", max(again-undo, 0), x.AtLeast, x.AtMost)
		} else if whole && good && again < last-1 {
			t.Fatalf("that it held again is not told: flips %v", flips)
		}
		if x := v.RecoveredBeforeUndo; x != nil {
			if !good || again == 0 {
				t.Fatalf("it is told to have recovered, and has not: flips %v", flips)
			}
			contains("before the undo", undo-again, x.AtLeast, x.AtMost)
		} else if whole && good && again > 0 && again < undo-1.5 {
			t.Fatalf("its recovery is not told: flips %v, undo %v", flips, undo)
		}
	})
	for _, what := range []string{"the first violation", "to hold again", "before the undo"} {
		if told[what] == 0 {
			t.Errorf("%s was never told", what)
		}
	}
}

// What a recovery before the undo is, and what is none.
func TestRecoveredBeforeUndo(t *testing.T) {
	q := hypothesis(t, "")
	for _, tt := range []struct {
		says, story string
		change      func(*History)
		want        bool
	}{
		{"it coped", "HHH|HVVHHH|HHH", nil, true},
		{"it was never violated", "HHH|HHHHHH|HHH", nil, false},
		{"the undo came first", "HHH|HVVVVV|HHH", nil, false},
		{"it did not last", "HHH|HVVHHH|HVH", nil, false},
		{"a sample is missing since", "HHH|HVVHH.|HHH", nil, false},
		{"it did not hold before the fault", "HHV|VVVHHH|HHH", nil, false},
		{"the fault ended by itself", "HHH|HVVHHH|HHH", func(h *History) { h.EndedEarly = "it was unpaused" }, false},
		{"another fault was lifted meanwhile", "HHH|HVVHHH|HHH", func(h *History) {
			h.Deeds.undos = []limits{{second(6), second(6.1)}, {second(9.4), second(9.5)}}
		}, false},
		{"another fault was lifted before", "HHH|HVVHHH|HHH", func(h *History) {
			h.Deeds.undos = []limits{{second(3.6), second(3.7)}, {second(9.4), second(9.5)}}
		}, true},
		{"it was not injected", "HHH|HVVHHH|HHH", func(h *History) { h.Injected = false }, false},
	} {
		h := story(q, tt.story)
		if tt.change != nil {
			tt.change(&h)
		}
		v := judge(q, h)
		if got := v.RecoveredBeforeUndo; (got != nil) != tt.want {
			t.Errorf("%s: %+v", tt.says, got)
		}
	}
}
