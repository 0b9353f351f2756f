package moved

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var began = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func second(n float64) time.Time { return began.Add(time.Duration(n * float64(time.Second))) }

// A minute of each, sampled every second.
var minutes = Course{Start: second(0), Fault: second(60), Undo: second(120), End: second(180)}

func cut(t testing.TB, c Course) Windows {
	t.Helper()
	w, err := Cut(c, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// series makes one of a sample a second; NaN stands for one that was not taken.
func series(metric string, labels map[string]string, value func(sec int) float64) Series {
	s := Series{Metric: metric, Labels: labels}
	for sec := range 180 {
		if v := value(sec); !math.IsNaN(v) {
			s.Times, s.Values = append(s.Times, second(float64(sec)+0.3).UnixMilli()), append(s.Values, v)
		}
	}
	return s
}

// phased is one value in the baseline, one in the fault and one in the recovery, with a small wave on each so that no two samples
// are the same.
func phased(baseline, fault, recovery float64) func(int) float64 {
	return func(sec int) float64 {
		v := baseline
		switch {
		case sec >= 120:
			v = recovery
		case sec >= 60:
			v = fault
		}
		return v * (1 + 0.0005*math.Sin(float64(sec)))
	}
}

// grown is a counter with so many events a second in each phase.
func grown(baseline, fault, recovery float64) func(int) float64 {
	rates := phased(baseline, fault, recovery)
	return func(sec int) float64 {
		sum := 0.0
		for i := range sec + 1 {
			sum += rates(i)
		}
		return sum
	}
}

// counted begins at a value and counts one at each of these seconds.
func counted(from float64, at ...int) func(int) float64 {
	return func(sec int) float64 {
		v := from
		for _, x := range at {
			if sec >= x {
				v++
			}
		}
		return v
	}
}

func floored(f func(int) float64) func(int) float64 {
	return func(sec int) float64 { return math.Floor(f(sec)) }
}

// absent takes the samples of a time out.
func absent(from, to int, f func(int) float64) func(int) float64 {
	return func(sec int) float64 {
		if sec >= from && sec < to {
			return math.NaN()
		}
		return f(sec)
	}
}

func TestChanges(t *testing.T) {
	api := map[string]string{"job": "api", "instance": "api-1:8080"}
	tests := []struct {
		says, metric string
		kind         Type
		value        func(int) float64
		want         string // change, what it was compared by, and its levels; empty: nothing moved
	}{
		{"a gauge that moved and returned", "in_flight", Gauge, phased(10, 40, 10), "moved and returned level 10 40 10"},
		{"a gauge that moved and stayed", "in_flight", Gauge, phased(10, 40, 38), "moved and stayed level 10 40 38"},
		{"a gauge that is higher afterwards than before", "in_flight", Gauge, phased(10, 2, 30), "moved and returned level 10 2 30"},
		{"a gauge that did not move", "in_flight", Gauge, phased(10, 10, 10), ""},
		{"a gauge that moved by less than matters", "in_flight", Gauge, phased(10, 10.3, 10), ""},
		{"a gauge that moves in the recovery only", "in_flight", Gauge, phased(10, 10, 40), ""},
		{"a negative gauge", "temperature", Gauge, phased(-5, -10, -5), "moved and returned level -5 -10 -5"},
		{"a gauge that changes sign", "balance", Gauge, phased(5, -5, 5), "moved and returned level 5 -5 5"},
		{"a gauge from nothing", "queue", Gauge, phased(0, 3, 0), "moved and returned level 0 3 0"},
		{"a counter by its type", "requests", Counter, grown(20, 5, 20), "moved and returned rate 20 5 20"},
		{"a counter by its name", "requests_total", Unknown, grown(20, 5, 20), "moved and returned rate 20 5 20"},
		{"a counter that is told to be a gauge", "requests_total", Gauge, phased(20, 5, 20), "moved and returned level 20 5 20"},
		{"a counter of fractions has no floor", "cpu_seconds_total", Counter, grown(0.002, 0.008, 0.002), "moved and returned rate 0.002 0.008 0.002"},
		{"a counter with a reset, which is skipped", "requests_total", Counter, func(sec int) float64 {
			if sec >= 75 {
				return 20 * float64(sec-75)
			}
			return 1000 + 20*float64(sec)
		}, ""},
		{"a gauge that only grows is compared by its slope", "uptime_seconds", Gauge, func(sec int) float64 { return 100 + float64(sec) }, ""},
		{"and moved when that did", "bytes_written", Unknown, grown(100, 400, 100), "moved and returned rate 100 400 100"},
		{"a gauge that only shrinks, too", "certificate_seconds_left", Gauge, func(sec int) float64 { return 9000 - float64(sec) }, ""},
		{"a step is no trend", "members", Gauge, phased(3, 2, 2), "moved and stayed level 3 2 2"},
		{"what vanished", "in_flight", Gauge, absent(60, 180, phased(10, 10, 10)), "vanished level 10 0 0"},
		{"what vanished for a while", "in_flight", Gauge, absent(60, 120, phased(10, 10, 10)), "vanished level 10 0 10"},
		{"what appeared", "errors", Gauge, absent(0, 65, phased(0, 7, 7)), "appeared level 0 7 7"},
		{"what appeared in the recovery", "errors", Gauge, absent(0, 125, phased(0, 7, 7)), ""},
		{"what is neither there nor away", "errors", Gauge, func(sec int) float64 {
			if sec%40 != 0 {
				return math.NaN()
			}
			return 7
		}, ""},
		{"a counter of a single event", "restarts_total", Counter, counted(1, 80), "moved and stayed step 1 2 2"},
		{"by its name", "restarts_total", Unknown, counted(0, 80), "moved and stayed step 0 1 1"},
		{"that goes on", "restarts_total", Counter, counted(41, 80, 81, 150), "moved and stayed step 41 43 44"},
		{"that counts in the baseline as well", "restarts_total", Counter, counted(1, 30, 80), ""},
		{"that counts in the recovery only", "restarts_total", Counter, counted(1, 130), ""},
		{"that is reset", "restarts_total", Counter, func(sec int) float64 {
			if sec >= 80 {
				return float64(sec / 100)
			}
			return 5
		}, ""},
		{"a single step of fractions is no event", "gc_seconds_total", Counter, counted(0.5, 80), ""},
		{"a gauge that steps by little", "goroutines", Gauge, counted(100, 80), ""},
		{"a start", "process_start_time_seconds", Gauge, phased(1.7e9, 1.7e9, 1.7e9), ""},
		{"another start", "container_start_time_seconds", Gauge, func(sec int) float64 { return 1.7e9 + float64(sec/70*70) },
			"moved and stayed step 1.7e+09 1.7e+09 1.7e+09"},
		{"that is unknown for a while", "process_start_time_seconds", Unknown, absent(62, 66, counted(1.7e9, 66)),
			"moved and stayed step 1.7e+09 1.7e+09 1.7e+09"},
		{"a start in the baseline", "process_start_time_seconds", Gauge, counted(1.7e9, 30, 80), ""},
		{"the same start", "process_start_time_seconds", Gauge, counted(1.7e9), ""},
		{"a bucket", "duration_seconds_bucket", Counter, grown(20, 5, 20), ""},
		{"when it was created", "requests_created", Gauge, phased(1, 2, 2), ""},
		{"a point in time", "last_success_timestamp_seconds", Gauge, phased(1, 2, 2), ""},
		{"values that are no numbers", "ratio", Gauge, func(sec int) float64 {
			if sec >= 60 && sec < 120 {
				return math.Inf(1)
			}
			return 0.5
		}, "vanished level 0.5 0 0.5"},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			c := New(cut(t, minutes))
			s := series(tt.metric, api, tt.value)
			s.Type = tt.kind
			c.Add(s)
			got := ""
			for _, m := range c.Movements() {
				got += fmt.Sprintf("%s %s %.3g %.3g %.3g", m.Change, m.By, m.Baseline.Level, m.Fault.Level, m.Recovery.Level)
				if m.Metric != tt.metric || m.Rank != math.Abs(m.Delta)*m.Size || m.Rank > 1 || m.Rank <= 0 || m.Series != 1 {
					t.Errorf("%+v", m)
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A few events more are not much, of whatever they are a multiple.
func TestFewEventsRankLow(t *testing.T) {
	c := New(cut(t, minutes))
	c.Add(series("restarts_total", map[string]string{"job": "a"}, floored(grown(0.03, 0.21, 0.03))))
	c.Add(series("errors_total", map[string]string{"job": "a"}, floored(grown(0, 50, 0))))
	m := c.Movements()
	if len(m) == 0 || m[0].Metric != "errors_total" || m[0].Rank < 0.9 {
		t.Fatalf("%+v", m)
	}
	for _, x := range m[1:] {
		if x.Rank > 0.6 {
			t.Errorf("%s ranks %v", x.Metric, x.Rank)
		}
	}
}

// Series of one metric on one target are one movement, and the strongest speaks for them.
func TestGroups(t *testing.T) {
	c := New(cut(t, minutes))
	at := func(instance, code string) map[string]string {
		return map[string]string{"job": "api", "instance": instance, "code": code}
	}
	c.Add(series("requests_total", at("a", "200"), grown(100, 60, 100)))
	c.Add(series("requests_total", at("a", "500"), grown(1, 50, 1)))
	c.Add(series("requests_total", at("a", "404"), grown(5, 5, 5)))
	c.Add(series("requests_total", at("b", "200"), grown(100, 50, 100)))
	var got []string
	for _, m := range c.Movements() {
		got = append(got, fmt.Sprintf("%s %s %s: %d", m.Metric, m.Target["instance"], m.Labels["code"], m.Series))
		if _, ok := m.Target["code"]; ok {
			t.Errorf("a code is no target: %v", m.Target)
		}
	}
	if diff := cmp.Diff([]string{"requests_total a 500: 2", "requests_total b 200: 1"}, got); diff != "" {
		t.Error(diff)
	}
	if c.Compared() != 4 {
		t.Errorf("%d compared", c.Compared())
	}
}

// A target that goes takes all of its series with it: that is one movement, beside that of up.
func TestWholeTarget(t *testing.T) {
	c := New(cut(t, minutes))
	at := map[string]string{"job": "store", "instance": "s"}
	for i := range 40 {
		c.Add(series(fmt.Sprintf("metric_%d", i), at, absent(62, 122, phased(float64(i+1), 1, 1))))
		c.Add(series(fmt.Sprintf("metric_%d", i), map[string]string{"job": "fresh"}, absent(0, 65, phased(1, 1, 1))))
	}
	c.Add(series("up", at, func(sec int) float64 {
		if sec >= 62 && sec < 122 {
			return 0
		}
		return 1
	}))
	c.Add(series("in_flight", map[string]string{"job": "api"}, phased(10, 12, 10)))
	var got []string
	for _, m := range c.Movements() {
		got = append(got, fmt.Sprintf("%q %s %s: %d", m.Metric, m.Target["job"], m.Change, m.Series))
	}
	want := []string{`"up" store moved and returned: 1`, `"" fresh appeared: 40`, `"" store vanished: 40`, `"in_flight" api moved and returned: 1`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutARecovery(t *testing.T) {
	c := New(cut(t, Course{Start: second(0), Fault: second(60), Undo: second(120), End: second(121)}))
	c.Add(series("in_flight", nil, phased(10, 40, 10)))
	if m := c.Movements(); len(m) != 1 || m[0].Change != Moved || m[0].Recovery.Bins != 0 {
		t.Errorf("%+v", m)
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		says                       string
		baseline, fault, recovery  float64 // seconds
		interval                   time.Duration
		bin                        time.Duration
		inBaseline, inFault, after int
		wrong                      bool
	}{
		{"long windows have bins of 5 s", 60, 60, 60, time.Second, 5 * time.Second, 12, 12, 12, false},
		{"longer ones as well", 600, 300, 900, time.Second, 5 * time.Second, 120, 60, 180, false},
		{"a short one has six", 30, 15, 20, time.Second, 2500 * time.Millisecond, 12, 6, 8, false},
		{"of two samples at least", 8, 8, 7, 500 * time.Millisecond, 1333 * time.Millisecond, 6, 6, 5, false},
		{"a very short fault reaches into the recovery", 20, 1, 20, time.Second, 2 * time.Second, 10, 4, 6, false},
		{"as far as there is one", 20, 1, 6, time.Second, 2 * time.Second, 10, 3, 0, false},
		{"what is sampled rarely needs long windows", 60, 60, 60, 15 * time.Second, 30 * time.Second, 2, 2, 2, true},
		{"no baseline", 2, 60, 60, time.Second, 2 * time.Second, 1, 30, 30, true},
		{"neither fault nor recovery", 60, 1, 1, time.Second, 2 * time.Second, 30, 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			c := Course{Start: second(0), Fault: second(tt.baseline), Undo: second(tt.baseline + tt.fault), End: second(tt.baseline + tt.fault + tt.recovery)}
			w, err := Cut(c, tt.interval)
			if (err != nil) != tt.wrong {
				t.Fatal(err)
			}
			b, f, r := w.Bins()
			if err == nil && (w.Bin != tt.bin || b != tt.inBaseline || f != tt.inFault || r != tt.after) {
				t.Errorf("bins of %s: %d, %d, %d", w.Bin, b, f, r)
			}
			if w.Baseline.To.After(w.Fault.From) || w.Fault.To.After(w.Recovery.From) && r > 0 || w.Recovery.To.After(c.End) || w.Baseline.From.Before(c.Start) {
				t.Errorf("%+v", w)
			}
		})
	}
	if _, err := Cut(minutes, 0); err != nil {
		t.Errorf("windows that are long enough need no interval: %v", err)
	}
	if _, err := Cut(Course{}, 0); err == nil {
		t.Error("nothing was cut into bins")
	}
}

// Cliff's delta by its definition, and its bounds.
func TestCliff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-3, 3).Filter(finite), 0, 20)
		round := func(v []float64) []float64 { // so that there are ties
			out := make([]float64, len(v))
			for i, x := range v {
				out[i] = math.Round(x)
			}
			return sorted(out)
		}
		a, b := round(values.Draw(t, "a")), round(values.Draw(t, "b"))
		sum := 0
		for _, x := range a {
			for _, y := range b {
				switch {
				case y > x:
					sum++
				case y < x:
					sum--
				}
			}
		}
		want := 0.0
		if n := len(a) * len(b); n > 0 {
			want = float64(sum) / float64(n)
		}
		if got := cliff(a, b); got != want || got < -1 || got > 1 || cliff(b, a) != -got {
			t.Errorf("%v of %v and %v, want %v", got, a, b, want)
		}
	})
}

// A target that shows its trouble in many metrics does not hide what another one shows in one.
func TestManyMovementsOfOneTarget(t *testing.T) {
	c := New(cut(t, minutes))
	for i := range 12 {
		c.Add(series(fmt.Sprintf("metric_%d", i), map[string]string{"job": "frozen"}, phased(10, 0, 10)))
	}
	c.Add(series("is_leader", map[string]string{"job": "other"}, phased(1, 4, 1)))
	m := c.Movements()
	if len(m) != 13 || m[0].Target["job"] != "frozen" || m[2].Metric != "is_leader" {
		for _, x := range m {
			t.Error(x.Rank, x.Metric)
		}
	}
}

// Whatever is handed in, nothing panics, and ranks stay between 0 and 1.
func TestAnySeries(t *testing.T) {
	w := cut(t, minutes)
	rapid.Check(t, func(t *rapid.T) {
		c := New(w)
		for range rapid.IntRange(0, 5).Draw(t, "series") {
			s := Series{Metric: rapid.SampledFrom([]string{"up", "a_total", "b", ""}).Draw(t, "metric"), Type: Type(rapid.IntRange(0, 2).Draw(t, "type"))}
			at := second(-10).UnixMilli()
			for range rapid.IntRange(0, 60).Draw(t, "samples") {
				at += rapid.Int64Range(1, 20_000).Draw(t, "step")
				s.Times, s.Values = append(s.Times, at), append(s.Values, rapid.Float64().Draw(t, "value"))
			}
			c.Add(s)
		}
		for _, m := range c.Movements() {
			if !(m.Rank > 0 && m.Rank <= 1) || !(m.Size >= 0 && m.Size <= 1) || math.Abs(m.Delta) > 1 || m.Series < 1 {
				t.Fatalf("%+v", m)
			}
		}
	})
}

// What repeats other series, and what measures nothing, is not ranked beside them.
func TestSkip(t *testing.T) {
	for metric, want := range map[string]bool{
		"http_request_duration_seconds_bucket": true, "process_start_timestamp_seconds": true, "http_requests_created": true, "scrape_samples_scraped": true,
		"ALERTS": true, "ALERTS_FOR_STATE": true,
		"up": false, "http_requests_total": false, "ALERTS_SENT_total": false, "container_memory_rss": false,
	} {
		if got := Skip(metric); got != want {
			t.Errorf("Skip(%q) is %t", metric, got)
		}
	}
}
