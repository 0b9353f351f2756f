package metrics

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	tests := map[string]string{
		"up":                              "",
		"1 + 1":                           "",
		"sum(rate(x[5s])) or vector(0)":   "",
		"max_over_time(rate(x[5s])[1m:])": "",
		`x{code=~"5.."} offset 5s`:        "",
		"x @ 1600000000":                  "",

		"":                            "empty",
		" \n":                         "empty",
		"up[5m]":                      "as in rate(up[5m])",
		"up[5m:1s]":                   "range vector",
		`"text"`:                      "string",
		"sum(up":                      "line 1, column",
		"sum by (job)\n(up) +\n* 2":   "line 3, column 1",
		"rate(up)":                    "as in rate(x[15s])",
		"sum(up[5s])":                 "range vector",
		"no_such(up)":                 "no_such",
		"{}":                          "name a metric",
		`x{a=~"("}`:                   "line 1",
		"x{a=\"\xff\"}":               "UTF-8",
		"up and":                      "line 1",
		strings.Repeat("x", 16<<10+1): "at most",
	}
	for query, want := range tests {
		err := Check(query)
		if (err != nil) != (want != "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("Check(%.40q) = %v, want %q in it", query, err, want)
		}
	}
}

func TestLookback(t *testing.T) {
	tests := map[string]time.Duration{
		"up":                                   0,
		"1":                                    0,
		"vector(time())":                       0,
		"rate(x[15s])":                         15 * time.Second,
		"sum(rate(x[15s])) / sum(rate(y[1m]))": time.Minute,
		"x offset 5m":                          5 * time.Minute,
		"rate(x[1m] offset 5m)":                6 * time.Minute,
		"max_over_time(rate(x[1m])[10m:5s])":   11 * time.Minute,
		"max_over_time(rate(x[1m] offset 1m)[10m:5s] offset 1h)": 72 * time.Minute,
		"rate(x[1m] offset -5m)":                                 0,
		"x offset -5m or rate(y[10s])":                           10 * time.Second,
		"histogram_quantile(0.9, sum by (le) (rate(b[30s])))":    30 * time.Second,
		"topk(scalar(max_over_time(k[2m])), x)":                  2 * time.Minute,
		"max_over_time(max_over_time(x[200y])[200y:1d])":         1<<63 - 1,
	}
	for query, want := range tests {
		if got, err := Lookback(query); err != nil || got != want {
			t.Errorf("Lookback(%q) = %v, %v, want %v", query, got, err, want)
		}
	}
	if _, err := Lookback("up["); err == nil {
		t.Error("no error for a query that is not valid")
	}
}

func TestHints(t *testing.T) {
	tests := map[string]string{
		`sum(rate(x{code=~"5.."}[15s])) / sum(rate(x[15s]))`:                     `(sum(rate(x{code=~"5.."}[15s])) or vector(0)) / …`,
		`(sum(rate(x{code=~"5.."}[15s]))) / sum(rate(x[15s]))`:                   "or vector(0)",
		`(sum(rate(x{code=~"5.."}[15s])) or vector(0)) / sum(rate(x[15s]))`:      "",
		`100 * sum(rate(x{status="error"}[1m])) / sum(rate(x[1m])) < bool 5`:     "or vector(0)",
		`sum by (job) (rate(x{code=~"5.."}[15s])) / sum by (job) (rate(x[15s]))`: "0 * …",
		`sum(rate(x{job="shop"}[15s])) / sum(rate(y[15s]))`:                      "",
		`sum(rate(x[15s]))`: "",
		`up == 1`:           "== bool",
		`up == bool 1`:      "",
		`sum(up == 1)`:      "",
		`histogram_quantile(0.9, sum(rate(x_bucket[15s])))`:                "by (le",
		`histogram_quantile(0.9, sum by (le) (rate(x_bucket[15s])))`:       "",
		`histogram_quantile(0.9, sum without (le) (rate(x_bucket[15s])))`:  "by (le",
		`histogram_quantile(0.9, sum without (pod) (rate(x_bucket[15s])))`: "",
		`histogram_quantile(0.9, sum(rate(native[15s])))`:                  "",
		`sum(rate(x_bucket{le="1"}[15s])) / sum(rate(x_count[15s]))`:       `le=~"1(\\.0)?" finds both`,
		`x{quantile="1"}`: "since 3.0", `x{le="0.5"}`: "", `x{le="1.0"}`: "", `x{le="+Inf"}`: "", `x{le=~"1"}`: "", `x{size="1"}`: "",
		`sum(`: "",
	}
	for query, want := range tests {
		hints := Hints(query)
		if (len(hints) > 0) != (want != "") || !strings.Contains(strings.Join(hints, "\n"), want) {
			t.Errorf("Hints(%q) = %q, want %q in it", query, hints, want)
		}
		for _, hint := range hints {
			if strings.Contains(hint, "%!") {
				t.Errorf("Hints(%q): %s", query, hint)
			}
		}
	}
}

func TestChooses(t *testing.T) {
	for query, want := range map[string]bool{
		`x`: false, `sum by (job) (x)`: false, `rate(x[5s])`: false, `x + y`: false, `2 * x`: false, `x > bool 3`: false, `sum by (job) (x > 3)`: false,
		`x and on (instance) up == 1`: false, `x * on (instance) (up == 1)`: false, `x unless y`: false, `x or y`: false, `1 < bool 2`: false, `sum(`: false,
		`x > 3`: true, `(3 < x)`: true, `-(x > 3)`: true, `100 * (x > y)`: true, `(x > 3) / 1024`: true, `topk(3, x)`: true, `sort(bottomk(3, x)) / 1024`: true,
		`count_values("v", x)`: true, `x or on () vector(0)`: true, `x or ignoring (instance) y`: true, `label_replace(x > 3, "a", "b", "c", "d")`: true,
	} {
		if got := Chooses(query); got != want {
			t.Errorf("Chooses(%q) is %v", query, got)
		}
	}
}

// The deepest queries that are read at all.
func TestDeepQueries(t *testing.T) {
	for _, query := range []string{
		strings.Repeat("(", maxQueryLength),
		strings.Repeat("(", 8000) + "up" + strings.Repeat(")", 8000),
		strings.Repeat("-", 16000) + "up",
		"up" + strings.Repeat("+up", 5000),
		strings.Repeat("abs(", 3000) + "up" + strings.Repeat(")", 3000),
	} {
		err := Check(query)
		if d, _ := Lookback(query); d != 0 {
			t.Errorf("Lookback(%.20q…) = %s", query, d)
		}
		if hints := Hints(query); len(hints) != 0 || Chooses(query) {
			t.Errorf("Hints(%.20q…) = %q, Chooses says %v", query, hints, Chooses(query))
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("Check(%.20q…): an error of %d bytes", query, len(err.Error()))
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, query := range []string{
		"up", "sum(rate(x{code=~\"5..\"}[15s])) / sum(rate(x[15s]))", "max_over_time(rate(x[1m] offset 5m)[10m:5s] @ end())",
		`"s"`, "x[5m]", "{", "-(((1", "a and on () b", "x offset -999y", "histogram_quantile(0.9, {__name__=~\"a_bucket\"})", "\xff", "1 == bool 2",
		"info(x, {a=\"b\"})", "sum by (é) (x)",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		err := Check(query)
		lookback, lookbackErr := Lookback(query)
		if (err == nil) != (lookbackErr == nil) {
			t.Errorf("Check says %v, Lookback %v", err, lookbackErr)
		}
		if lookback < 0 {
			t.Errorf("Lookback is %s", lookback)
		}
		hints := Hints(query)
		if err != nil && len(hints) > 0 {
			t.Errorf("hints for a query that is not valid: %q", hints)
		}
		if err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}

func TestAge(t *testing.T) {
	for _, x := range []struct {
		query string
		any   bool
		want  string
	}{
		{"x", false, "max(time() - timestamp(x) and x)"},
		{"x", true, "min(time() - timestamp(x) and x)"},
		{`sum by (job) (x{job=~"a|b"}) > 5`, false, `max(time() - timestamp(x{job=~"a|b"}) and x{job=~"a|b"})`},
		{"x / x", false, "max(time() - timestamp(x) and x)"},
		{"x / on () y", false, `max(label_replace(max(time() - timestamp(x) and x), "selector", "0", "", "") or label_replace(max(time() - timestamp(y) and y), "selector", "1", "", ""))`},
		{"rate(x[5s])", false, ""}, // ends by itself
		{"rate(x[5s]) / y", false, "max(time() - timestamp(y) and y)"},
		{"max_over_time(x[10s:1s])", false, "max(time() - timestamp(x) and x)"},
		{"max_over_time(x[10s:1s] offset 1m)", false, ""},
		{"x / on () y", true, `max(label_replace(min(time() - timestamp(x) and x), "selector", "0", "", "") or label_replace(min(time() - timestamp(y) and y), "selector", "1", "", ""))`},
		{"x - x offset 1h", false, "max(time() - timestamp(x) and x)"},
		{"x @ 100", false, ""},
		{"x and time() - timestamp(x) < 60", false, ""}, // it looks itself
		{"vector(1)", false, ""},
		{"time()", false, ""},
		{"not promql(", false, ""},
	} {
		got := Age(x.query, x.any)
		if got != x.want {
			t.Errorf("%s: %q, want %q", x.query, got, x.want)
		}
		if got != "" && Check(got) != nil {
			t.Errorf("%s: %v", got, Check(got))
		}
	}
}

func TestUsualAge(t *testing.T) {
	at := func(seconds float64) time.Time { return time.UnixMilli(1_000_000 + int64(seconds*1000)) }
	for _, x := range []struct {
		says  string
		every float64
		ages  []float64 // in seconds
		want  time.Duration
	}{
		{"nothing", 5, nil, 0},
		{"one look", 5, []float64{3}, 0},
		{"renewed every 15 s", 5, []float64{4, 9, 14, 4, 9, 14}, 14 * time.Second},
		{"not renewed in so short a time", 5, []float64{1, 6, 11}, 0},
		{"renewed, but not seen for as long as it is old", 5, []float64{14, 4, 9}, 0},
		{"the faster of two was renewed alone", 5, []float64{14, 6, 11, 16, 21, 26}, 0},
		{"renewed between all looks", 1, []float64{0.3, 0.2, 0.3}, 300 * time.Millisecond},
		{"one that was forgotten after five minutes", 30, []float64{240, 270, 300, 12, 7, 11, 9}, 12 * time.Second},
		{"one was not told", 5, []float64{4, 0, 14, 4, 9, 14}, 14 * time.Second},
		{"none was told", 5, []float64{0, 0, 0}, 0},
	} {
		var looks []Aged
		for i, age := range x.ages {
			looks = append(looks, Aged{at(float64(i) * x.every), time.Duration(age * float64(time.Second))})
		}
		if got := UsualAge(looks); got != x.want {
			t.Errorf("%s: %s, want %s", x.says, got, x.want)
		}
	}
}

// What became old is lost from when the last came of it; what had no usual age only if nothing came any more.
func TestOutdated(t *testing.T) {
	at := func(seconds int) time.Time { return time.UnixMilli(1_000_000 + int64(seconds)*1000).UTC() }
	for _, x := range []struct {
		says string
		ages []float64 // at each second; the effect is at 10
		want string
	}{
		{"goes on", []float64{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}, ""},
		{"stops", []float64{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8}, "7 to 15 for ever"},
		{"stops for a while", []float64{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 5, 1, 2, 1}, "7 to 13"},
		{"stops and goes away", []float64{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 5, 6}, "7 to 15 for ever"},
		{"twice", []float64{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 5, 1, 1, 6, 7, 8}, "5 to 11, 7 to 15 for ever"},
		{"not known, and nothing comes", []float64{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26}, "-11 to 15 for ever"},
		{"not known, and something comes", []float64{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 1, 2, 3, 4, 5}, ""},
		{"nothing there", nil, ""},
	} {
		ask := func(string) ([]present, error) {
			var p present
			for i, age := range x.ages {
				p.at, p.values = append(p.at, at(i)), append(p.values, age)
			}
			if len(p.at) == 0 {
				return nil, nil
			}
			return []present{p}, nil
		}
		out, err := outdated("x", "x", at(10), at(15), time.Second, ask)
		var got []string
		for _, l := range out {
			text := fmt.Sprintf("%.0f to %.0f", l.From.Sub(at(0)).Seconds(), l.To.Sub(at(0)).Seconds())
			if l.Forever {
				text += " for ever"
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); err != nil || text != x.want {
			t.Errorf("%s: %q, %v, want %q", x.says, text, err, x.want)
		}
	}
}

// Where it cannot be asked what a rule compares, that is told; where it cannot be evaluated, the rule cannot either.
func TestNumberless(t *testing.T) {
	at := func(seconds ...int) (out []time.Time) {
		for _, s := range seconds {
			out = append(out, time.UnixMilli(1_000_000+int64(s)*1000).UTC())
		}
		return out
	}
	a := map[string]string{"n": "1"}
	b := map[string]string{"n": "2"}
	for _, x := range []struct {
		says          string
		none, numbers []present
		err           error
		want          string
	}{
		{"always numbers", nil, []present{{labels: a, at: at(0, 5, 10, 15)}}, nil, ""},
		{"none after the effect", []present{{labels: a, at: at(11, 15)}}, []present{{labels: a, at: at(0, 5, 9)}}, nil, "a / rate(b[3s]) of {n=\"1\"} 9 to 20"},
		{"none for a while", []present{{labels: a, at: at(11)}}, []present{{labels: a, at: at(0, 5, 9, 13)}}, nil, "a / rate(b[3s]) of {n=\"1\"} 9 to 13"},
		{"none now and then before", []present{{labels: a, at: at(5, 11)}}, []present{{labels: a, at: at(0, 9, 13)}}, nil, ""},
		{"none before everything was recorded", []present{{labels: a, at: at(2, 3, 11)}}, []present{{labels: a, at: at(5, 9, 13)}}, nil, "a / rate(b[3s]) of {n=\"1\"} 9 to 13"},
		{"one is idle", []present{{labels: b, at: at(0, 5, 9, 11)}}, []present{{labels: a, at: at(0, 5, 9, 11)}}, nil, ""},
		{"never", []present{{at: at(0, 5, 9, 11)}}, nil, nil, "a / rate(b[3s]) 0 to 20 never"},
		{"refused", nil, nil, errEvaluation, ""},
		{"no answer", nil, nil, errors.New("timeout"), "timeout"},
	} {
		ask := func(query string) ([]present, error) {
			if strings.Contains(query, "!=") {
				return x.none, x.err
			}
			return x.numbers, x.err
		}
		if x.says == "always numbers" || x.err != nil {
			x.numbers = nil
		}
		out, err := numberless("(a / rate(b[3s])) > 5", Span{From: at(0)[0], To: at(20)[0], Effect: at(10)[0], Interval: time.Second}, at(20)[0], ask)
		var got []string
		for _, l := range out {
			text := fmt.Sprintf("%s %.0f to %.0f", l.Of, l.From.Sub(at(0)[0]).Seconds(), l.To.Sub(at(0)[0]).Seconds())
			if l.Never {
				text += " never"
			}
			got = append(got, text)
		}
		if err != nil {
			got = append(got, err.Error())
		}
		if text := strings.Join(got, ", "); text != x.want {
			t.Errorf("%s: %q, want %q", x.says, text, x.want)
		}
	}
}
