package report

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gameday/runner/journal"
)

// Thinning keeps the lowest and the highest value, adds none, stays in order and never joins what a gap parts.
func TestThin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var segments [][]Dot
		sec, low, high, total := 0, math.Inf(1), math.Inf(-1), 0
		for range rapid.IntRange(1, 40).Draw(t, "segments") {
			var s []Dot
			for range rapid.IntRange(1, 400).Draw(t, "length") {
				v := rapid.Float64Range(-1e6, 1e6).Draw(t, "value")
				s = append(s, Dot{at(float64(sec)), v})
				low, high = math.Min(low, v), math.Max(high, v)
				sec++
				total++
			}
			segments = append(segments, s)
			sec += 10
		}
		out := thin(segments, at(0), at(float64(sec)))
		kept, gotLow, gotHigh := 0, math.Inf(1), math.Inf(-1)
		var last time.Time
		for _, s := range out {
			kept += len(s)
			for i, d := range s {
				gotLow, gotHigh = math.Min(gotLow, d.Value), math.Max(gotHigh, d.Value)
				if !d.At.After(last) {
					t.Fatal("out of order")
				}
				if i > 0 && !slices.ContainsFunc(segments, func(seg []Dot) bool { return slices.Contains(seg, d) && slices.Contains(seg, s[i-1]) }) {
					t.Fatal("a gap is bridged")
				}
				last = d.At
			}
		}
		if gotLow != low || gotHigh != high {
			t.Fatalf("extremes %v, %v became %v, %v", low, high, gotLow, gotHigh)
		}
		if total > mostPoints && kept > mostPoints+3*len(segments) {
			t.Fatalf("%d of %d points are left", kept, total)
		}
	})
}

func TestChartLeavesGapsOpen(t *testing.T) {
	rec := inconclusiveRun()
	f := gather(rec)
	c := f.hypothesisChart(f.hypotheses[0], 1)
	if n := len(c.Series[0].Segments); n != 2 {
		t.Errorf("a series with one gap has %d segments", n)
	}
	if len(c.Gaps) != 1 || !c.Gaps[0].From.Equal(at(45)) || !c.Gaps[0].To.Equal(at(57)) {
		t.Errorf("gaps are %+v", c.Gaps)
	}
}

func TestChartDrawsTheWorstSeries(t *testing.T) {
	f := gather(hundredRun())
	c := f.hypothesisChart(f.hypotheses[0], 1)
	if len(c.Series) != mostSeries || len(c.LeftOut) != 100-mostSeries {
		t.Errorf("%d series drawn, %d left out", len(c.Series), len(c.LeftOut))
	}
	if got := c.Series[0].Labels["instance"]; got != "api-057:8080" {
		t.Errorf("the first series is %s", got)
	}
}

// The worst value of a guardrail is the one beyond its bound, that of a claim the one short of it.
func TestChartWorstOfAGuardrail(t *testing.T) {
	f := gather(abortedRun())
	c := f.guardrailChart(f.guardrails[0], 1)
	if c.Worst == nil || c.Worst.Value != 0.9 {
		t.Errorf("the worst value is %+v", c.Worst)
	}
}

// Whatever the values, ticks are few, ascending and span the range; steps of time likewise.
func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64().Draw(t, "a"), rapid.Float64().Draw(t, "b")
		if a > b {
			a, b = b, a
		}
		ticks := niceTicks(a, b, 4)
		if len(ticks) < 2 || len(ticks) > 7 {
			t.Fatalf("%v to %v: %v", a, b, ticks)
		}
		y := scale{math.Min(a, ticks[0]), math.Max(b, ticks[len(ticks)-1]), 262, 62}
		for _, v := range append(ticks, a, b) {
			if p := y.of(v); math.IsNaN(p) || p < 0 || p > 400 {
				t.Fatalf("%v in %v to %v is drawn at %v", v, a, b, p)
			}
		}
		d := time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "duration"))
		if step := niceStep(d, 6); step <= 0 {
			t.Fatalf("%v is divided by %v", d, step)
		}
	})
}

// A chart can be drawn of any samples.
func TestChartOfAnySamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := &journal.Query{ID: "Q2", Every: dur(1)}
		value := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.MaxFloat64, -math.MaxFloat64}))
		for range rapid.IntRange(1, 20).Draw(t, "samples") {
			s := journal.Sample{At: at(rapid.Float64Range(-1e6, 1e6).Draw(t, "at")), State: rapid.SampledFrom([]journal.State{journal.Holding, journal.Violated, journal.NoData, journal.Waiting, "x"}).Draw(t, "state")}
			for i := range rapid.IntRange(0, 3).Draw(t, "series") {
				s.Series = append(s.Series, journal.SeriesValue{Labels: map[string]string{"i": string(rune('a' + i))}, Value: journal.Number(value.Draw(t, "value")), Op: "<", Bound: num(value.Draw(t, "bound"))})
			}
			q.Samples = append(q.Samples, s)
		}
		slices.SortFunc(q.Samples, func(a, b journal.Sample) int { return a.At.Compare(b.At) })
		rec := heldRun(0.1)
		rec.Queries["Q2"] = q
		page, err := Build(rec).HTML()
		if err != nil {
			t.Fatal(err)
		}
		if i := brokenPlace.FindIndex(page); i != nil {
			t.Fatalf("a place that is no number: %s", page[max(0, i[0]-60):i[1]+20])
		}
	})
}
