package moved

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	seeds    = 30
	inSystem = 5_000
	inTruth  = 50
)

// A system is made of series of many kinds, of which few have moved.
type system struct {
	series []Series
	truth  map[string]bool // metrics that have moved
}

// synthetic makes a system. Every series has a metric of its own, so that nothing is grouped.
func synthetic(seed uint64) system {
	r := rand.New(rand.NewPCG(seed, 1))
	sys := system{truth: map[string]bool{}}
	for i := range inSystem {
		shifted := i < inTruth
		s := noisy(r, shifted)
		s.Metric += strconv.Itoa(i)
		s.Labels = map[string]string{"instance": strconv.Itoa(i)}
		if shifted {
			sys.truth[s.Metric] = true
		}
		sys.series = append(sys.series, s)
	}
	return sys
}

// noisy makes one series: a gauge (steady, noisy, wandering, with outliers, growing, with bursts) or a counter (of events, of rare
// events or of fractions). A shifted one is 1.5 to 8 times as high or as low from within 4 s after the fault's beginning on, and half
// of these for good; some come or go instead. A shifted counter of rare events counts one then.
func noisy(r *rand.Rand, shifted bool) Series {
	factor := math.Exp(math.Log(1.5) + r.Float64()*math.Log(8/1.5))
	if r.IntN(2) == 0 {
		factor = 1 / factor
	}
	from, to := 60+4*r.Float64(), 120+8*r.Float64()
	if r.IntN(2) == 0 {
		to = 1000
	}
	away := shifted && r.IntN(12) == 0
	fresh := shifted && !away && r.IntN(12) == 0
	base := math.Exp(8 * r.Float64())
	var value func(at, f float64) float64 // f is how much it is shifted
	kind, unit := "gauge_", Gauge
	switch k := r.IntN(100); {
	case k < 30:
		value = func(_, f float64) float64 { return base * f }
	case k < 50:
		spread := 0.02 + 0.4*r.Float64()
		value = func(_, f float64) float64 { return base * f * (1 + spread*r.NormFloat64()) }
	case k < 57:
		walk, step := 0.0, 0.002+0.01*r.Float64()
		value = func(_, f float64) float64 {
			walk += step * r.NormFloat64()
			return base * f * math.Exp(walk)
		}
	case k < 63:
		value = func(_, f float64) float64 { return base * f * math.Exp(0.8*r.NormFloat64()) }
	case k < 67:
		sum, slope := base, base*(0.001+0.01*r.Float64())
		value = func(_, f float64) float64 {
			sum += slope * f * (0.9 + 0.2*r.Float64())
			return sum
		}
	case k < 70:
		period, phase := 15+30*r.Float64(), 30*r.Float64()
		value = func(at, f float64) float64 {
			if math.Mod(at+phase, period) < 4 {
				return 5 * base * f
			}
			return base * f * (1 + 0.05*r.NormFloat64())
		}
	case k < 74:
		kind, unit = "rare_total_", Counter
		sum, rate := math.Floor(base), math.Exp(math.Log(1e-6)+r.Float64()*math.Log(1000))
		happened := false
		value = func(_, f float64) float64 {
			sum += poisson(r, rate)
			if f != 1 && !happened {
				happened = true
				sum++
			}
			return sum
		}
	case k < 92:
		kind, unit = "events_total_", Counter
		sum, rate := math.Floor(base*100), math.Exp(math.Log(0.2)+r.Float64()*math.Log(1000))
		value = func(_, f float64) float64 {
			sum += poisson(r, rate*f)
			return sum
		}
	default:
		kind, unit = "seconds_total_", Counter
		sum, rate := base, 0.001+0.5*r.Float64()*r.Float64()
		value = func(_, f float64) float64 {
			sum += rate * f * max(0, 1+0.3*r.NormFloat64())
			return sum
		}
	}
	s := Series{Metric: kind, Type: unit}
	offset := r.Float64()
	for sec := range 180 {
		at := float64(sec) + offset
		f := 1.0
		if shifted && at >= from && at < to {
			f = factor
		}
		v := value(at, f)
		if away && at >= from && at < to || fresh && at < from {
			continue
		}
		s.Times, s.Values = append(s.Times, second(at).UnixMilli()), append(s.Values, v)
	}
	return s
}

func poisson(r *rand.Rand, mean float64) float64 {
	if mean > 50 {
		return max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	n, p := 0.0, math.Exp(-mean)
	for x := r.Float64(); x > p; x *= r.Float64() {
		n++
	}
	return n
}

func sorted(v []float64) []float64 {
	slices.Sort(v)
	return v
}

// A score is how well a way to rank found what had moved, over all systems.
type score struct{ at10, r float64 }

// add counts a ranking, the best first.
func (s *score) add(truth map[string]bool, ranking []string) {
	hits := func(n int) float64 {
		found := 0
		for _, metric := range ranking[:min(n, len(ranking))] {
			if truth[metric] {
				found++
			}
		}
		return float64(found) / float64(n)
	}
	s.at10 += hits(10) / seeds
	s.r += hits(len(truth)) / seeds
}

// rankBy orders all series of a system by a number, for a way to rank that gameday's own is held against.
func rankBy(sys system, w Windows, number func(before, during view) float64) []string {
	c := New(w)
	by := map[string]float64{}
	var all []string
	for i := range sys.series {
		s := &sys.series[i]
		m := c.modeOf(s)
		before, during := c.look(s, w.Baseline, m, nil), c.look(s, w.Fault, m, nil)
		switch {
		case before.seen == 0 != (during.seen == 0):
			by[s.Metric] = math.Inf(1)
		case len(before.bins) > 1 && len(during.bins) > 1:
			by[s.Metric] = number(before, during)
		}
		all = append(all, s.Metric)
	}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(by[b], by[a]) })
	return all
}

// z is how far the mean of the fault is from that of the baseline, in standard deviations of the baseline.
func z(before, during view) float64 {
	sum := 0.0
	for _, x := range before.bins {
		sum += (x - before.mean) * (x - before.mean)
	}
	return against(during.mean-before.mean, math.Sqrt(sum/float64(len(before.bins)-1)))
}

func against(d, spread float64) float64 {
	if d == 0 {
		return 0
	}
	return math.Abs(d) / spread
}

// TestPrecision measures how well the ranking finds what moved, on systems of which that is known. README.md has its table.
func TestPrecision(t *testing.T) {
	halves := Course{Start: second(30), Fault: second(60), Undo: second(90), End: second(118)}
	bare := halves
	bare.End = bare.Undo
	ways := []struct {
		name  string
		w     Windows
		rank  func(system, Windows) (ranking []string)
		score score
		wrong float64 // that are named as moved and have not
	}{
		{name: "Cliff's delta × relative size, in windows of 60 s", w: cut(t, minutes), rank: named},
		{name: "the same in windows of 30 s", w: cut(t, halves), rank: named},
		{name: "the same without a look at the recovery", w: cut(t, bare), rank: named},
		{name: "z-score, in windows of 60 s", w: cut(t, minutes), rank: func(sys system, w Windows) []string { return rankBy(sys, w, z) }},
	}
	for seed := range uint64(seeds) {
		sys := synthetic(seed)
		for i := range ways {
			x := &ways[i]
			ranking := x.rank(sys, x.w)
			x.score.add(sys.truth, ranking)
			for _, metric := range ranking {
				if !sys.truth[metric] {
					x.wrong += 1 / float64(seeds)
				}
			}
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ways {
		wrong := "all" // it orders every series
		if x.wrong < inSystem/2 {
			wrong = fmt.Sprintf("%.0f", x.wrong)
		}
		row := fmt.Sprintf("| %s | %.2f | %.2f | %s |", x.name, x.score.at10, x.score.r, wrong)
		t.Log(row)
		if !strings.Contains(string(readme), row) {
			t.Errorf("README.md does not say %s", row)
		}
	}
	own, short, unsure := ways[0], ways[1], ways[2]
	if own.score.at10 < 0.95 || own.score.r < 0.9 || short.score.at10 < 0.95 || short.score.r < 0.8 {
		t.Errorf("it finds too little: %+v, %+v", own.score, short.score)
	}
	if own.wrong > 60 || short.wrong > 60 || short.wrong > 0.8*unsure.wrong {
		t.Errorf("too many wrong ones: %.0f, %.0f, and %.0f without the recovery", own.wrong, short.wrong, unsure.wrong)
	}
	if own.score.r <= ways[3].score.r {
		t.Error("a z-score is as good")
	}
}

// named are the metrics that the comparison says have moved, the strongest first.
func named(sys system, w Windows) (ranking []string) {
	c := New(w)
	for _, s := range sys.series {
		c.Add(s)
	}
	for _, m := range c.Movements() {
		ranking = append(ranking, m.Metric)
	}
	return ranking
}

// BenchmarkCompare compares 50,000 series of a five-minute run, none of which is constant.
func BenchmarkCompare(b *testing.B) {
	const many = 50_000
	c := Course{Start: second(0), Fault: second(120), Undo: second(210), End: second(300)}
	w := cut(b, c)
	r := rand.New(rand.NewPCG(1, 2))
	var shapes []Series
	for range 500 {
		s := Series{Metric: "gauge", Type: Gauge}
		if r.IntN(2) == 0 {
			s.Metric, s.Type = "events_total", Counter
		}
		sum := 0.0
		for sec := range 300 {
			v := 100 + r.NormFloat64()
			if s.Type == Counter {
				sum += poisson(r, 5)
				v = sum
			}
			s.Times, s.Values = append(s.Times, second(float64(sec)).UnixMilli()), append(s.Values, v)
		}
		shapes = append(shapes, s)
	}
	b.ReportAllocs()
	used := cpuTime(b)
	for b.Loop() {
		all := New(w)
		for i := range many {
			s := shapes[i%len(shapes)]
			s.Labels = map[string]string{"job": "shop", "instance": strconv.Itoa(i / 500), "code": strconv.Itoa(i % 500)}
			all.Add(s)
		}
		all.Movements()
	}
	b.ReportMetric(float64(many)/(float64(b.Elapsed())/float64(b.N)/float64(time.Second)), "series/s")
	b.ReportMetric((cpuTime(b)-used).Seconds()/float64(b.N), "cpu-s/op") // whatever else the machine does
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
