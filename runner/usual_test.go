package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

// answers is a history of answers, one a second: each is a list of series, "job instance=value", with bars between the phases.
func answers(q PlannedQuery, text string) History {
	h := History{Start: began, Injected: true, Samples: map[string][]journal.Sample{}}
	n := 0.0
	for i, phase := range strings.Split(text, "|") {
		switch i {
		case 1:
			h.FaultStart = second(n + 0.5)
		case 2:
			h.LastUndo = second(n + 0.5)
		}
		for _, answer := range strings.Split(phase, ";") {
			n++
			s := journal.Sample{At: second(n)}
			for _, f := range strings.Fields(answer) {
				name, value, _ := strings.Cut(f, "=")
				job, instance, _ := strings.Cut(name, "/")
				var v float64
				fmt.Sscan(value, &v)
				s.Series = append(s.Series, journal.SeriesValue{Labels: map[string]string{"job": job, "instance": instance}, Value: journal.Number(v)})
			}
			s.Phase = h.phase(s.At)
			h.Samples[q.ID] = append(h.Samples[q.ID], s)
		}
	}
	h.End = second(n + 0.6)
	_, h.Usual = gate([]PlannedQuery{q}, h)
	return h
}

// What the baseline always had and an answer has not is missing, whatever else the answer has.
func TestALostSeriesIsNoData(t *testing.T) {
	const both, one = "a/1=1 b/2=1", "a/1=1"
	usually := strings.Join([]string{both, both, both, both}, ";") + "|"
	const gone = "inconclusive: no data in fault"
	for _, x := range []struct {
		says, query, arguments, answers string
		want, detail                    string
	}{
		{"both stay", "x", "", usually + both + ";" + both + "|" + both, "held", ""},
		{"one vanishes", "x", "", usually + both + ";" + one + "|" + one, gone, `a series that the baseline always had is missing (instance="2",job="b")`},
		{"the other one vanishes", "x", "", usually + both + ";b/2=1|b/2=1", gone, `is missing (instance="1",job="a")`},
		{"two of three", "x", "", strings.Repeat("a/1=1 b/2=1 c/3=1;", 4) + "a/1=1 b/2=1 c/3=1|" + one + "|" + one, gone, `(instance="2",job="b"), and 1 more`},
		{"one vanishes, the other is violated", "x", "", usually + "a/1=9|" + both, "refuted: violated in fault", ""},
		{"compared with the baseline", "x", "expect = value <= 1.5 * baseline", usually + both + ";" + one + "|" + one, gone, `(instance="2",job="b")`},
		{"judged in the fault alone", "x", "phases = [\"fault\"]", usually + one + "|" + both, gone, `(instance="2",job="b")`},
		{"gone in the recovery", "x", "phases = [\"recovery\"]", usually + both + "|" + one, "inconclusive: no data in recovery", `(instance="2",job="b")`},
		{"back in the recovery", "x", "phases = [\"recovery\"]", usually + one + "|" + one + ";" + both, "held", ""},
		{"tolerated", "x", "tolerate = \"3s\"", usually + one + ";" + both + "|" + both, "held", ""},
		{"longer than tolerated", "x", "tolerate = \"1s\"", usually + one + ";" + one + ";" + both + "|" + both, gone, ""},
		{"within", "x", "within = \"2s\"", usually + one + ";" + both + "|" + both, "held", ""},
		{"not within", "x", "within = \"2s\"", usually + one + ";" + one + ";" + one + "|" + both, gone, ""},
		{"any is enough", "x", "match = \"any\"", usually + one + "|" + one, "held", ""},
		{"no data holds", "x", "no_data = \"holds\"", usually + one + "|" + one, "held", ""},
		{"no data violates", "x", "no_data = \"violates\"", usually + one + "|" + one, "refuted: no data counted in fault", `(instance="2",job="b")`},
		{"it came and went before", "x", "", both + ";" + both + ";" + one + ";" + both + "|" + one + "|" + one, "held", ""},
		{"it was there in the warm-up only", "x", "", both + ";" + one + ";" + one + ";" + one + "|" + one + "|" + one, "held", ""},
		{"the query failed once in a baseline that is not judged", "x", "phases = [\"fault\"]", usually[:len(usually)-1] + ";;" + both + "|" + one + "|" + one, gone, ""},
		{"the query drops what is false", "x > 0", "", usually + one + "|" + one, "held", ""},
		{"what drops it is inside", "sum by (job) (x > 0)", "", usually + one + "|" + one, gone, ""},
		{"the highest", "topk(2, x)", "", usually + "a/1=1 c/3=1|a/1=1 c/3=1", "held", ""},
		{"at another address", "x", "", usually + "a/1=1 b/7=1|a/1=1 b/8=1", "held", ""},
		{"at another address, after a while", "x", "", usually + one + ";a/1=1 b/7=1|a/1=1 b/7=1", gone, ""},
		{"one stands in for one", "x", "", strings.Repeat("a/1=1 a/2=1;", 4) + "a/1=1 a/2=1|a/7=1|a/7=1", gone, `(instance="2",job="a")`},
		{"another target stands in for none", "x", "", usually + "a/1=1 a/7=1|" + both, gone, `(instance="2",job="b")`},
		{"one that was there before stands in for none", "x", "", "a/1=1 a/2=1;a/1=1 a/2=1 a/3=1;a/1=1 a/2=1;a/1=1 a/2=1|a/1=1 a/3=1|a/1=1 a/2=1", gone, `(instance="2",job="a")`},
		{"one at another address has no baseline", "x", "expect = value <= 1.5 * baseline", usually + "a/1=1 b/7=1|" + both, gone, `had no baseline (instance="7",job="b")`},
	} {
		t.Run(x.says, func(t *testing.T) {
			q := hypothesis(t, x.arguments)
			q.Text = x.query
			v := judge(q, answers(q, x.answers))
			check(t, v, x.want)
			if !strings.Contains(v.Detail, x.detail) {
				t.Errorf("detail is %q, want %q in it", v.Detail, x.detail)
			}
		})
	}
}

// A guardrail is blind only when nothing is left to guard with: what it guards against is violated by what is there.
func TestAGuardrailGuardsWithWhatIsLeft(t *testing.T) {
	q := guardrail(t, "")
	h := answers(q, strings.Repeat("a/1=1 b/2=1;", 3)+"a/1=1 b/2=1|a/1=1;a/1=1|a/1=1")
	if g := judgeGuardrail(q, h, false, false); g.Missing != 0 || g.Samples != 2 {
		t.Errorf("%+v", g)
	}
}

// What is older than it usually gets is missing, whatever its value, and so is a whole phase of which nothing was read.
func TestWhatIsOldIsNoData(t *testing.T) {
	const gone = "inconclusive: no data in fault"
	for _, x := range []struct {
		says, ages string // in tenths of a second, of answers a second apart; bars between the phases; ? was not told
		arguments  string
		want       string
	}{
		{"goes on as it was", "3 13 3 13 3|13 3 13|3", "", "held"},
		{"one is late", "3 13 3 13 3|13 23 33 3|3", "", "held"},
		{"nothing newer comes", "3 13 3 13 3|13 3 13 23 33 43 53|63", "", gone},
		{"nothing newer comes for a while", "3 13 3 13 3|13 3 13 23 33 43 53 3|3", "tolerate = \"3s\"", "held"},
		{"newer than the looks at it", "2 3 1 2 2|3 1 13 23|3", "", gone},
		{"not told in the baseline once", "3 13 ? 13 3|13 3 13 23 33 43 53|63", "", gone},
		{"not told in the fault", "3 13 3 13 3|13 3 ? 3|13", "", gone},
		{"never told", "? ? ? ? ?|? ? ?|?", "", "held"}, // of what cannot be asked for
		{"the baseline is too short to tell, and something comes", "3 13 23 33 43|53 3 13 23 33 43|3", "", "held"},
		{"the baseline is too short to tell, and nothing comes", "3 13 23 33 43|53 63 73 83|3", "", gone},
		{"the fault is too short to tell", "3 13 3 13 3|13|3", "", gone},
		{"nothing comes in the recovery", "3 13 3 13 3|13 3 3|13 23", "phases = [\"recovery\"]", "inconclusive: no data in recovery"},
		{"not asked for", "0 0 0 0 0|0 0 0|0", "", "held"},
		{"nothing holds that is declared to", "3 13 23 33 43|53 63 73 83|3", "no_data = \"holds\"", "held"},
	} {
		t.Run(x.says, func(t *testing.T) {
			q := hypothesis(t, x.arguments)
			var each []string
			for _, phase := range strings.Split(x.ages, "|") {
				each = append(each, strings.TrimSuffix(strings.Repeat("a/1=1;", len(strings.Fields(phase))), ";"))
			}
			h := answers(q, strings.Join(each, "|"))
			for i, age := range strings.Fields(strings.ReplaceAll(x.ages, "|", " ")) {
				tenths := -1
				fmt.Sscan(age, &tenths)
				h.Samples[q.ID][i].Age = journal.Duration(tenths) * journal.Duration(100*time.Millisecond)
			}
			_, h.Usual = gate([]PlannedQuery{q}, h)
			check(t, judge(q, h), x.want)
		})
	}
}

// What is old does not go on violating, unless it need not be the one that is old; what is asked of nothing is not old.
func TestWhatIsOldAndViolates(t *testing.T) {
	const before = "a/1=1;a/1=1;a/1=1;a/1=1|"
	for _, x := range []struct {
		says, arguments, answers string
		ages                     []float64 // in seconds
		want                     string
	}{
		{"it did when it was new", "", before + "a/1=1;a/1=9;a/1=9|a/1=1", []float64{.3, .3, .3, .3, .3, .3, 9, .3}, "refuted: violated in fault"},
		{"tolerated when it was new", "tolerate = \"2500ms\"", before + "a/1=9;a/1=9;a/1=9;a/1=9|a/1=1", []float64{.3, .3, .3, .3, .3, 3, 4, 5, .3}, "inconclusive: uncertain in fault"},
		{"one of two", "", strings.ReplaceAll(before, "a/1=1", "a/1=1 b/2=1") + "a/1=1 b/2=1;a/1=1 b/2=9|a/1=1 b/2=1", []float64{.3, .3, .3, .3, .3, 9, .3}, "refuted: violated in fault"},
		{"the recovery shows the fault", "phases = [\"recovery\"]", before + "a/1=1;a/1=9|a/1=9;a/1=9", []float64{3, 1, 2, .3, .3, .3, 1.3, 2.3}, "inconclusive: no data in recovery"},
		{"nothing to read is not old", "phases = [\"recovery\"]", before + "a/1=1;a/1=1|a/1=9;a/1=1;a/1=1", []float64{.3, .3, .3, .3, .3, .3, .9, 0, 0}, "held"},
	} {
		t.Run(x.says, func(t *testing.T) {
			q := hypothesis(t, x.arguments)
			h := answers(q, x.answers)
			for i, age := range x.ages {
				h.Samples[q.ID][i].Age = journal.Duration(age * float64(time.Second))
			}
			_, h.Usual = gate([]PlannedQuery{q}, h)
			check(t, judge(q, h), x.want)
		})
	}
}

// A guardrail whose answers are old is blind, but not by one of which nobody said how old it is; what has tripped it does not wait for that.
func TestWhatIsOldBlindsAGuardrail(t *testing.T) {
	q := guardrail(t, "")
	u := usual{oldest: 300 * time.Millisecond, every: time.Second}
	for _, x := range []struct {
		value float64
		age   time.Duration
		want  journal.State
	}{{1, 300 * time.Millisecond, journal.Holding}, {1, 9 * time.Second, journal.NoData}, {1, -1, journal.Holding}, {9, 9 * time.Second, journal.Violated}} {
		s := journal.Sample{Phase: journal.Fault, Age: journal.Duration(x.age), Series: []journal.SeriesValue{{Value: journal.Number(x.value)}}}
		if hold(q, &s, u); s.State != x.want {
			t.Errorf("%v, %s old, is %s, want %s", x.value, x.age, s.State, x.want)
		}
	}
}
