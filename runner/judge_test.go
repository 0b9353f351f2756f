package runner

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gameday/runner/journal"
)

// label names a series by one label.
func label(v string) map[string]string { return map[string]string{"instance": v} }

func sample(at float64, values ...float64) journal.Sample {
	s := journal.Sample{At: second(at)}
	for i, v := range values {
		s.Series = append(s.Series, journal.SeriesValue{Labels: label(fmt.Sprint(i)), Value: journal.Number(v)})
	}
	return s
}

func TestHoldSeries(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		says, arguments string
		values          []float64
		want            journal.State
		worst           float64
	}{
		{"all must hold", ``, []float64{1, 2, 3}, journal.Holding, 3},
		{"one does not", ``, []float64{1, 9, 6}, journal.Violated, 9},
		{"one is not a number", ``, []float64{1, nan}, journal.NoData, 1},
		{"one is not a number, another does not hold", ``, []float64{9, nan}, journal.Violated, 9},
		{"any: one is enough", `match = "any"`, []float64{9, 1, 7}, journal.Holding, 1},
		{"any: none", `match = "any"`, []float64{9, 6, 7}, journal.Violated, 6},
		{"any: one holds, another is not a number", `match = "any"`, []float64{nan, 1}, journal.Holding, 1},
		{"any: none holds, another is not a number", `match = "any"`, []float64{nan, 9}, journal.NoData, 9},
		{"any: none at all", `match = "any"`, nil, journal.NoData, nan},
		{"infinite", ``, []float64{math.Inf(1), 6}, journal.Violated, math.Inf(1)},
		{"infinite the other way", ``, []float64{math.Inf(-1)}, journal.Holding, math.Inf(-1)},
		{"no_data = holds does not hide a violation", `no_data = "holds"`, []float64{nan, 9}, journal.Violated, 9},
		{"no_data = holds", `no_data = "holds"`, []float64{nan, 1}, journal.Holding, 1},
		{"no_data = violates", `no_data = "violates"`, []float64{nan, 1}, journal.Violated, 1},
	} {
		t.Run(tt.says, func(t *testing.T) {
			q := hypothesis(t, tt.arguments)
			s := sample(1, tt.values...)
			if err := hold(q, &s, usual{}); err != nil {
				t.Fatal(err)
			}
			if s.State != tt.want {
				t.Errorf("state is %q (%s), want %q", s.State, s.Error, tt.want)
			}
			if s.State == journal.NoData && s.Error == "" {
				t.Error("it does not say why there is no data")
			}
			p := worst(q, s)
			if math.IsNaN(tt.worst) != (p == nil) || p != nil && float64(p.Value) != tt.worst {
				t.Errorf("the point is %+v, want %v", p, tt.worst)
			}
		})
	}
}

func TestBaselinePerSeries(t *testing.T) {
	q := hypothesis(t, "expect = value <= 1.5 * baseline\nphases = [\"fault\"]")
	h := History{Start: began, FaultStart: second(4.5), LastUndo: second(7.5), End: second(7.6), Injected: true, Samples: map[string][]journal.Sample{
		"Q1": {sample(1, 10, 100), sample(2, 20, 200), sample(3, 10, 100), sample(4, 20, math.NaN()), sample(5, 22, 150), sample(6, 22, 150), sample(7, 22, 150)}}}
	var judged journal.BaselineJudged
	judged, h.Usual = gate([]PlannedQuery{q}, h)
	want := []journal.SeriesMedian{{QueryID: "Q1", Labels: label("0"), Median: 15, Samples: 4}, {QueryID: "Q1", Labels: label("1"), Median: 100, Samples: 3}}
	if diff := cmp.Diff(want, judged.Medians); diff != "" {
		t.Error(diff)
	}
	check(t, judge(q, h), "held")
	h.Samples["Q1"][5] = sample(6, 22, 151)
	v := judge(q, h)
	check(t, v, "refuted: violated in fault")
	if w := v.Phases[0].Worst; w == nil || w.Value != 151 || *w.Bound != 150 || w.Labels["instance"] != "1" {
		t.Errorf("the worst is %+v", w)
	}
	h.Samples["Q1"][5] = sample(6, 22, 150, 1)
	v = judge(q, h)
	check(t, v, "inconclusive: no data in fault")
	if !strings.Contains(v.Detail, `had no baseline (instance="2")`) {
		t.Errorf("detail is %q", v.Detail)
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 2}, 2}, {[]float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64},
		{[]float64{math.MaxFloat64, math.MaxFloat64 / 2}, math.MaxFloat64 * 0.75}, {[]float64{5e-324, 5e-324}, 5e-324}} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("the median of %v is %v", tt.in, got)
		}
	}
}

func TestStretches(t *testing.T) {
	// Length is from the first to the last sample; at most it is the time between the holding samples around it.
	for _, tt := range []struct{ story, violations, gaps string }{
		{"HHH|HVHH|H", "2-2 ≥0s ≤2s after 1 before 3", ""},
		{"HHH|HVVHH|H", "2-3 ≥1s ≤3s after 1 before 4", ""},
		{"HHH|VHH|H", "1-1 ≥0s ≤1.5s before 2", ""},
		{"HHH|HHV|H", "3-3 ≥0s ≤1.5s after 2", ""},
		{"HHH|VVV|H", "1-3 ≥2s ≤3s", ""},
		{"HHH|HVNVH|H", "2-2 ≥0s ≤4s after 1 before 5, 4-4 ≥0s ≤4s after 1 before 5", "3-3 ≥0s ≤4s after 1 before 5"},
		{"HHH|HV.VH|H", "2-2 ≥0s ≤4s after 1 before 5, 4-4 ≥0s ≤4s after 1 before 5", "2-4 ≥2s ≤4s after 1 before 5"},
		{"HHH|NVH|H", "2-2 ≥0s ≤2.5s before 3", "1-1 ≥0s ≤2.5s before 3"},
		{"HHH|...H|H", "", "0.5-4 ≥3.5s ≤3.5s before 4"},
		{"HHH|H...|H", "", "1-4.5 ≥3.5s ≤3.5s after 1"},
		{"HHH|....|H", "", "0.5-4.5 ≥4s ≤4s"},
	} {
		t.Run(tt.story, func(t *testing.T) {
			q := hypothesis(t, "")
			ph := judge(q, story(q, tt.story)).Phases[1]
			if got := inWords(ph.Violations); got != tt.violations {
				t.Errorf("violations: %s\nwant:       %s", got, tt.violations)
			}
			if got := inWords(ph.Gaps); got != tt.gaps {
				t.Errorf("gaps: %s\nwant: %s", got, tt.gaps)
			}
		})
	}
}

// inWords writes stretches down, in seconds from the last baseline sample.
func inWords(in []journal.Stretch) string {
	at := func(t time.Time) string { return fmt.Sprint(t.Sub(second(3)).Seconds()) }
	var out []string
	for _, s := range in {
		text := fmt.Sprintf("%s-%s ≥%s ≤%s", at(s.First), at(s.Last), s.Length, s.AtMost)
		if s.After != nil {
			text += " after " + at(*s.After)
		}
		if s.Before != nil {
			text += " before " + at(*s.Before)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestHeldAgain(t *testing.T) {
	for _, tt := range []struct{ story, want string }{
		{"HHH|HHH|HHH", "0s to 0s"},
		{"HHH|HHV|HHH", "0s to 500ms"},
		{"HHH|VVV|VVHH", "1.5s to 2.5s"},
		{"HHH|VVV|NNHH", "0s to 2.5s"},
		{"HHH|VVV|V.NHH", "500ms to 3.5s"},
		{"HHH|HHH|HHVHH", "2.5s to 3.5s"},
		{"HHH|HHH|HHNHH", "0s to 3.5s"},
		{"HHH|HHH|HH.HH", "0s to 3.5s"},
		{"HHH|HHN|HHH", "0s to 500ms"},
		{"HHH|HH.|HHH", "0s to 500ms"},
		{"HHH|VVV|VVV", "never"},
		{"HHH|VVV|HHN", "never"},
		{"HHH|VVV|HH.", "never"},
	} {
		t.Run(tt.story, func(t *testing.T) {
			q := hypothesis(t, "")
			h := story(q, tt.story)
			a := judge(q, h).HeldAgain
			got := "never"
			if a != nil {
				got = fmt.Sprintf("%s to %s", a.AtLeast, a.AtMost)
				if !a.Undo.Equal(h.LastUndo) {
					t.Errorf("counted from %s", a.Undo)
				}
			}
			if got != tt.want {
				t.Errorf("it took %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMargin(t *testing.T) {
	for _, tt := range []struct {
		expect   string
		values   []float64 // of one sample in the fault
		distance float64
		share    float64
	}{
		{"value < 5", []float64{1, 4}, 1, 0.2},
		{"value < 5", []float64{1, 7}, -2, -0.4},
		{"value <= 5", []float64{5}, 0, 0},
		{"value > 5", []float64{6, 9}, 1, 0.2},
		{"value > 5", []float64{2}, -3, -0.6},
		{"5 > value", []float64{2}, 3, 0.6},
		{"value < -5", []float64{-6}, 1, 0.2},
		{"value < 0", []float64{-6}, 6, math.NaN()},
		{"value == 5", []float64{5}, math.NaN(), 0},
		{"value < 5 && value > 0", []float64{4}, math.NaN(), 0},
		{"value < 5", []float64{math.Inf(1)}, math.Inf(-1), math.Inf(-1)},
		{"value < 5\nmatch = \"any\"", []float64{1, 9}, 4, 0.8},
		{"value < 5\nmatch = \"any\"", []float64{6, 9}, -1, -0.2},
	} {
		t.Run(fmt.Sprint(tt.expect, tt.values), func(t *testing.T) {
			q := hypothesis(t, "expect = "+tt.expect+"\nphases = [\"fault\"]")
			h := story(q, "HHH|H|H")
			h.Samples["Q1"][3] = sample(4, tt.values...)
			checkMargin(t, judge(q, h).Margin, tt.distance, tt.share)
		})
	}
	t.Run("in the recovery it counts from when the claim held for good", func(t *testing.T) {
		q := hypothesis(t, "")
		h := story(q, "HHH|HH|VVHH")
		h.Samples["Q1"][8].Series[0].Value = 4.5
		checkMargin(t, judge(q, h).Margin, 0.5, 0.1)
	})
	t.Run("of what came true in time, only the recovery counts", func(t *testing.T) {
		q := hypothesis(t, "within = \"3s\"\nphases = [\"fault\"]")
		checkMargin(t, judge(q, story(q, "HHH|VVHH|HH")).Margin, math.NaN(), 0)
		q = hypothesis(t, "within = \"3s\"")
		h := story(q, "HHH|VVHH|VHH")
		h.Samples["Q1"][9].Series[0].Value = 4.5
		checkMargin(t, judge(q, h).Margin, 0.5, 0.1)
	})
	t.Run("what did not come true has one", func(t *testing.T) {
		q := hypothesis(t, "within = \"3s\"\nphases = [\"fault\"]")
		h := story(q, "HHH|VVVVV|HH")
		h.Samples["Q1"][4].Series[0].Value = 9
		checkMargin(t, judge(q, h).Margin, -4, -0.8)
	})
	t.Run("the baseline does not count", func(t *testing.T) {
		q := hypothesis(t, "")
		h := story(q, "HHH|HH|HH")
		h.Samples["Q1"][0].Series[0].Value = 4.5
		checkMargin(t, judge(q, h).Margin, 4, 0.8)
	})
	for _, tt := range []struct {
		when     string
		value    float64
		distance float64
	}{{"value > 5", 2, 3}, {"value > 5", 5, 0}, {"value >= 5", 5, 0}, {"value > 5", 7, -2}, {"value < 5", 6, 1}, {"value < 5", 1, -4}} {
		t.Run(fmt.Sprint("a guardrail: ", tt.when, " at ", tt.value), func(t *testing.T) {
			q := guardrail(t, "abort_when = "+tt.when)
			h := story(q, "HHH|H|H")
			h.Samples["Q2"][3] = sample(4, tt.value)
			checkMargin(t, judgeGuardrail(q, h, false, false).Closest, tt.distance, tt.distance/5)
		})
	}
}

func checkMargin(t *testing.T, m *journal.Margin, distance, share float64) {
	t.Helper()
	if math.IsNaN(distance) {
		if m != nil {
			t.Errorf("there is a margin of %v", m.Distance)
		}
		return
	}
	if m == nil {
		t.Fatal("there is no margin")
	}
	near := func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-12 }
	if !near(float64(m.Distance), distance) || math.IsNaN(share) != (m.Share == nil) || m.Share != nil && !near(float64(*m.Share), share) {
		t.Errorf("the margin is %v (share %v), want %v (%v)", m.Distance, m.Share, distance, share)
	}
}

func TestGuardrailJudged(t *testing.T) {
	q := guardrail(t, `no_data = "ignore"`)
	g := judgeGuardrail(q, story(q, "HHH|HNQEH|VNV"), true, false)
	if g.Samples != 5 || g.Missing != 3 || !g.Tripped || g.Closest == nil || g.Closest.Distance != 4 {
		t.Errorf("it is judged %+v", g)
	}
	if g := judgeGuardrail(q, story(q, "HHH"), false, false); g.Samples != 0 || g.Closest != nil {
		t.Errorf("without a fault it is judged %+v", g)
	}
}

func TestJudgeCounts(t *testing.T) {
	q := hypothesis(t, "")
	q.Lookback = 2 * time.Second
	v := judge(q, story(q, "NVHHHH|HVN.H|VHH"))
	var got []string
	for _, p := range v.Phases {
		got = append(got, fmt.Sprintf("%s: %d = %d + %d + %d after %d", p.Phase, p.Samples, p.Good, p.Bad, p.Missing, p.WarmUp))
	}
	want := []string{"baseline: 4 = 4 + 0 + 0 after 2", "fault: 4 = 2 + 1 + 1 after 0", "recovery: 3 = 2 + 1 + 0 after 0"}
	if !slices.Equal(got, want) {
		t.Errorf("counted\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// letters draws a story and the arguments of a hypothesis.
func letters(t *rapid.T) (arguments string, phases [3]string) {
	arguments = rapid.SampledFrom([]string{"", `tolerate = "1s"`, `tolerate = "3s"`, `within = "2s"`, `within = "5s"`, `no_data = "holds"`, `no_data = "violates"`,
		`match = "any"`, `phases = ["fault"]`, `phases = ["recovery"]`, `phases = ["baseline", "fault"]`}).Draw(t, "arguments")
	letter := rapid.SampledFrom([]rune("HHHHHHVVNQE.I"))
	phases[0] = "HHH" + rapid.StringOfN(rapid.SampledFrom([]rune("HHHHHHHV")), 0, 2, -1).Draw(t, "baseline")
	phases[1] = rapid.StringOfN(letter, 0, 10, -1).Draw(t, "fault")
	phases[2] = rapid.StringOfN(letter, 0, 10, -1).Draw(t, "recovery")
	return arguments, phases
}

var cached = map[string]PlannedQuery{}

// prepared is a hypothesis by its arguments, loaded once.
func prepared(t *testing.T, arguments string) PlannedQuery {
	if _, ok := cached[arguments]; !ok {
		cached[arguments] = hypothesis(t, arguments)
	}
	return cached[arguments]
}

func verdict(q PlannedQuery, phases [3]string) journal.Verdict {
	return judge(q, story(q, strings.Join(phases[:], "|"))).Verdict
}

func replace(phases [3]string, p, i int, c string) [3]string {
	phases[p] = phases[p][:i] + c + phases[p][i+1:]
	return phases
}

func TestAViolationNeverHelps(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		arguments, phases := letters(r)
		q := prepared(t, arguments)
		p := rapid.IntRange(0, 2).Draw(r, "phase")
		if len(phases[p]) == 0 {
			r.Skip("nothing to replace")
		}
		worse := replace(phases, p, rapid.IntRange(0, len(phases[p])-1).Draw(r, "sample"), "V")
		if before, after := verdict(q, phases), verdict(q, worse); rank[after] < rank[before] {
			// Where nothing was known before, a violation is knowledge; but it is no reason to call the claim held.
			if after == journal.Held || before == journal.Refuted {
				r.Errorf("%v is %s, and %v is %s", phases, before, worse, after)
			}
		}
	})
}

func TestLookingAwayNeverHelps(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		arguments, phases := letters(r)
		q := prepared(t, arguments)
		before := verdict(q, phases)
		if before == journal.Held {
			r.Skip("nothing to hide")
		}
		fewer := phases
		for range rapid.IntRange(1, 5).Draw(r, "how many") {
			p := rapid.IntRange(1, 2).Draw(r, "phase")
			if len(phases[p]) > 0 {
				fewer = replace(fewer, p, rapid.IntRange(0, len(phases[p])-1).Draw(r, "sample"), ".")
			}
		}
		if after := verdict(q, fewer); after == journal.Held {
			r.Errorf("%v is %s, but %v is held", phases, before, fewer)
		}
	})
}

func TestHeldMeansHeld(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		arguments, phases := letters(r)
		q := prepared(t, arguments)
		h := story(q, strings.Join(phases[:], "|"))
		v := judge(q, h)
		if v.Verdict != journal.Held {
			return
		}
		for _, ph := range v.Phases {
			if ph.Good == 0 {
				r.Fatalf("nothing was seen to hold in the %s of %v", ph.Phase, phases)
			}
			switch {
			case ph.Phase == journal.Fault && q.Hypothesis.Within > 0:
				if ph.FirstGood == nil || ph.FirstGood.Sub(ph.From) > q.Hypothesis.Within {
					r.Errorf("%v did not hold in time", phases)
				}
			case ph.Phase == journal.Recovery:
				if v.HeldAgain == nil {
					r.Errorf("%v did not hold for good", phases)
				}
			default:
				for _, st := range slices.Concat(ph.Violations, ph.Gaps) {
					if !st.Tolerated && ph.Phase == journal.Fault || time.Duration(st.AtMost) > q.Hypothesis.Tolerate {
						r.Errorf("%v has %+v in the %s", phases, st, ph.Phase)
					}
				}
			}
		}
	})
}

func TestJudgeIsAFunctionOfTheSamples(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		arguments, phases := letters(r)
		q := prepared(t, arguments)
		h := story(q, strings.Join(phases[:], "|"))
		first, second := judge(q, h), judge(q, h)
		shuffled := slices.Clone(h.Samples[q.ID])
		rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "order"))).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		// What was thought of a sample when it came does not count.
		for i := range shuffled {
			shuffled[i].State, shuffled[i].Phase = journal.Holding, journal.Baseline
		}
		h.Samples = map[string][]journal.Sample{q.ID: shuffled}
		for _, again := range []*journal.HypothesisJudged{second, judge(q, h)} {
			if diff := cmp.Diff(first, again); diff != "" {
				r.Error(diff)
			}
		}
	})
}

// hour is an hour of one sample a second.
func hour(q PlannedQuery, series int) History {
	h := History{Start: began, FaultStart: second(600.5), LastUndo: second(3000.5), End: second(3600.6), Injected: true, Samples: map[string][]journal.Sample{}}
	values := make([]float64, series)
	for n := range 3600 {
		for i := range values {
			values[i] = float64(i) / float64(series)
		}
		h.Samples[q.ID] = append(h.Samples[q.ID], sample(float64(n+1), values...))
	}
	return h
}

func TestManySeries(t *testing.T) {
	q := hypothesis(t, "")
	h := story(q, "HHH|HHH|HHH")
	values := make([]float64, 5000)
	values[4711] = 6
	h.Samples["Q1"][4] = sample(5, values...)
	v := judge(q, h)
	check(t, v, "refuted: violated in fault")
	if w := v.Phases[1].Worst; w.Labels["instance"] != "4711" || len(v.Phases[1].Violations) != 1 {
		t.Errorf("the worst is %+v", w)
	}
}

func BenchmarkJudge(b *testing.B) {
	q := hypothesis(b, "expect = value < 5 + baseline\ntolerate = \"3s\"")
	h := hour(q, 20)
	_, h.Usual = gate([]PlannedQuery{q}, h)
	for b.Loop() {
		judge(q, h)
	}
}
