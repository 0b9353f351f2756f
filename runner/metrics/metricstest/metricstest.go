package metricstest

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"gameday/runner/metrics"
)

// patience is how long the suite waits for something that has to happen. It bounds a broken source, not a slow one.
const patience = 30 * time.Second

// Tolerance is how far a rate may be from the exporter's, as a share: scrapes are not taken at exact times.
const Tolerance = 0.15

// A Query is an instant query and what it has to return.
type Query struct {
	Name, Query string
	// Want has the value of each series by its labels without __name__, job and instance, written like `code="200"`.
	Want map[string]float64
	// Exact asks for equality; otherwise Tolerance is allowed.
	Exact bool
}

// Queries need ten scrapes of the exporter before they are asked.
var Queries = []Query{
	{"up", "up", map[string]float64{"": 1}, true},
	{"rate", "sum by (code) (rate(suite_requests_total[2s]))", map[string]float64{`code="200"`: 90, `code="500"`: 10}, false},
	{"ratio", `sum(rate(suite_requests_total{code=~"5.."}[2s])) / sum(rate(suite_requests_total[2s]))`, map[string]float64{"": 0.1}, false},
	{"histogram_quantile", "histogram_quantile(0.9, sum by (le) (rate(suite_duration_seconds_bucket[2s])))", map[string]float64{"": 0.5}, false},
	{"absent of what is there", "absent(up)", map[string]float64{}, true},
	{"absent", `absent(nothing_here{kind="x"})`, map[string]float64{`kind="x"`: 1}, true},
	{"vector matching", "suite_limit / on (room) suite_temperature", map[string]float64{`room="a"`: 2, `room="b"`: 2}, true},
	{"comparison filters", "suite_temperature > 20", map[string]float64{`room="a"`: 21}, true},
	{"bool comparison", "suite_temperature > bool 20", map[string]float64{`room="a"`: 1, `room="b"`: 0}, true},
	{"scalar", "3 * 7", map[string]float64{"": 21}, true},
	{"scalar of a vector", `scalar(suite_temperature{room="b"})`, map[string]float64{"": 19.5}, true},
	{"empty", "nothing_here", map[string]float64{}, true},
	{"fallback", "sum(nothing_here) or vector(0)", map[string]float64{"": 0}, true},
	{"0/0", `suite_zero / suite_zero`, map[string]float64{`room="a"`: math.NaN()}, true},
	{"1/0", "1 / suite_zero", map[string]float64{`room="a"`: math.Inf(1)}, true},
	{"-1/0", "-1 / suite_zero", map[string]float64{`room="a"`: math.Inf(-1)}, true},
	{"subquery without a step", "max_over_time(suite_zero[1s:])", map[string]float64{`room="a"`: 0}, true},
	{"offset", "suite_zero offset 400ms", map[string]float64{`room="a"`: 0}, true},
	{"topk", "topk(1, suite_temperature)", map[string]float64{`room="a"`: 21}, true},
	{"label_replace", `label_replace(suite_zero, "floor", "$1", "room", "(.*)")`, map[string]float64{`floor="a",room="a"`: 0}, true},
}

// Refused are queries that every source has to refuse, with a part of the error.
var Refused = map[string][2]string{
	"string":        {`"text"`, "string"},
	"range vector":  {"up[5s]", "range vector"},
	"syntax":        {"sum(up", ""},
	"type":          {"rate(up)", ""},
	"unknown name":  {"no_such_function(up)", ""},
	"many to many":  {"suite_temperature / on () suite_limit", "match"},
	"empty":         {"", ""},
	"empty matcher": {"{}", ""},
}

// Run checks a source. open gets the exporter that the source has to scrape every Interval as job Job with the label
// instance = Instance; it returns the source before Start, and cleans up what belongs to it when the test ends.
func Run(t *testing.T, open func(t *testing.T, exporter *Exporter) metrics.Source) {
	exporter := NewExporter(t)
	source := open(t, exporter)
	if source.Info().Type == "" {
		t.Error("Info has no type")
	}
	if err := source.Start(t.Context()); err != nil {
		t.Fatal("Start:", err)
	}
	if source.Info().Version == "" {
		t.Error("Info has no version after Start")
	}
	WaitForScrapes(t, source, 12)

	for _, q := range Queries {
		t.Run(q.Name, func(t *testing.T) {
			result, err := source.Query(t.Context(), q.Query, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			Compare(t, q, result)
		})
	}
	for name, refused := range Refused {
		t.Run("refused/"+name, func(t *testing.T) {
			result, err := source.Query(t.Context(), refused[0], time.Now())
			if err == nil {
				t.Fatalf("%q returned %v", refused[0], result)
			}
			if !strings.Contains(err.Error(), refused[1]) {
				t.Errorf("%q: %v, and %q is expected in it", refused[0], err, refused[1])
			}
		})
	}
	t.Run("labels of a series", func(t *testing.T) {
		result, err := source.Query(t.Context(), "up", time.Now())
		if err != nil || len(result.Series) != 1 {
			t.Fatal(result, err)
		}
		want := map[string]string{"__name__": "up", "job": Job, "instance": Instance}
		for name, value := range want {
			if got := result.Series[0].Labels[name]; got != value {
				t.Errorf("%s = %q, want %q", name, got, value)
			}
		}
	})
	t.Run("before the first scrape", func(t *testing.T) {
		result, err := source.Query(t.Context(), "up", time.Now().Add(-time.Hour))
		if err != nil || len(result.Series) != 0 {
			t.Error(result, err)
		}
	})
	t.Run("a given time", func(t *testing.T) {
		at := time.UnixMilli(1_700_000_000_123)
		result, err := source.Query(t.Context(), "time()", at)
		if err != nil || len(result.Series) != 1 || result.Series[0].Value != 1_700_000_000.123 {
			t.Error(result, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := source.Query(ctx, "up", time.Now()); err == nil {
			t.Error("a cancelled query succeeded")
		}
	})
	t.Run("a series disappears", func(t *testing.T) {
		Await(t, source, "suite_passing", func(r metrics.Result) bool { return len(r.Series) == 1 && r.Series[0].Value == 7 })
		exporter.Vanish()
		Await(t, source, "suite_passing", func(r metrics.Result) bool { return len(r.Series) == 0 })
	})
	t.Run("a target dies and returns", func(t *testing.T) {
		exporter.Stop()
		Await(t, source, "up", func(r metrics.Result) bool { return len(r.Series) == 1 && r.Series[0].Value == 0 })
		Await(t, source, "suite_temperature", func(r metrics.Result) bool { return len(r.Series) == 0 })
		// Death is not zero: the rate ramps down and is then no data.
		Await(t, source, "rate(suite_requests_total[1s])", func(r metrics.Result) bool { return len(r.Series) == 0 })
		exporter.Restart(t)
		Await(t, source, "up", func(r metrics.Result) bool { return len(r.Series) == 1 && r.Series[0].Value == 1 })
		Await(t, source, "suite_temperature", func(r metrics.Result) bool { return len(r.Series) == 2 })
		Await(t, source, "rate(suite_requests_total[1s])", func(r metrics.Result) bool { return len(r.Series) == 2 })
	})
	t.Run("close", func(t *testing.T) {
		for range 2 {
			if err := source.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := source.Query(t.Context(), "up", time.Now()); err == nil {
			t.Error("a query of a closed source succeeded")
		}
	})
}

// WaitForScrapes returns when the exporter has been scraped n times.
func WaitForScrapes(t *testing.T, source metrics.Source, n int) {
	t.Helper()
	Await(t, source, "count_over_time(up[1m])", func(r metrics.Result) bool {
		return len(r.Series) == 1 && r.Series[0].Value >= float64(n)
	})
}

// Await asks again and again until the result is as it should be.
func Await(t *testing.T, source metrics.Source, query string, done func(metrics.Result) bool) {
	t.Helper()
	var (
		result metrics.Result
		err    error
	)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(Interval / 4) {
		if result, err = source.Query(t.Context(), query, time.Now()); err == nil && done(result) {
			return
		}
	}
	t.Fatalf("%s is still %v, %v after %s", query, result, err, patience)
}

// Compare checks a result against what the exporter exports.
func Compare(t *testing.T, q Query, result metrics.Result) {
	t.Helper()
	if len(result.Series) != len(q.Want) {
		t.Fatalf("%d series, want %d: %v", len(result.Series), len(q.Want), result.Series)
	}
	for _, s := range result.Series {
		key := Key(s)
		want, known := q.Want[key]
		if !known {
			t.Errorf("unexpected series {%s}", key)
			continue
		}
		if !Close(s.Value, want, q.Exact) {
			t.Errorf("{%s} is %v, want %v", key, s.Value, want)
		}
	}
}

// Close says whether two values are the same, or near enough.
func Close(a, b float64, exact bool) bool {
	if a == b || (math.IsNaN(a) && math.IsNaN(b)) {
		return true
	}
	return !exact && math.Abs(a-b) <= Tolerance*math.Max(math.Abs(a), math.Abs(b))
}

// Key writes the labels of a series without those which every series has.
func Key(s metrics.Series) string {
	var parts []string
	for _, name := range []string{"code", "floor", "kind", "le", "room"} {
		if value, ok := s.Labels[name]; ok {
			parts = append(parts, name+`="`+value+`"`)
		}
	}
	return strings.Join(parts, ",")
}
