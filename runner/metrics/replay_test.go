package metrics_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"gameday/runner/metrics"
)

// zero is when the samples of these tests begin.
var zero = time.UnixMilli(1_790_000_000_000).UTC()

// A line is one series with its value at each second; NaN: no sample.
type line struct {
	name  string
	value func(second int) float64
}

// recorded is a storage with one sample a second of each series.
func recorded(t testing.TB, seconds int, lines ...line) *tsdb.DB {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.MinBlockDuration = (24 * time.Hour).Milliseconds()
	options.MaxBlockDuration = options.MinBlockDuration
	db, err := tsdb.Open(t.TempDir(), nil, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	app := db.Appender(t.Context())
	for s := range seconds {
		for _, l := range lines {
			if v := l.value(s); !math.IsNaN(v) {
				name, rest, _ := strings.Cut(l.name, "{")
				set := []string{"__name__", name}
				for _, pair := range strings.Split(strings.TrimSuffix(rest, "}"), ",") {
					if k, v, ok := strings.Cut(pair, "="); ok {
						set = append(set, k, strings.Trim(v, `"`))
					}
				}
				if _, err := app.Append(0, labels.FromStrings(set...), zero.Add(time.Duration(s)*time.Second).UnixMilli(), v); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}

// down is 0 from one second up to another, and 1 otherwise.
func down(from, to int) func(int) float64 {
	return func(s int) float64 {
		if s >= from && s < to {
			return 0
		}
		return 1
	}
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

func replay(t testing.TB, db *tsdb.DB, seconds int, rules string) *metrics.Replayed {
	t.Helper()
	out, err := metrics.Replay(t.Context(), db, metrics.ReplayConfig{Rules: []metrics.RuleFile{{Name: "alerts.yml", Text: []byte(rules)}}, Span: metrics.Span{From: zero, To: zero.Add(time.Duration(seconds) * time.Second)}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// told is the spells of each phase of a rule as text: seconds after zero at which they became pending, fired and were resolved.
func told(r metrics.ReplayedRule) []string {
	var out []string
	for _, p := range r.Phases {
		text := ""
		for _, s := range p.Spells {
			at := func(t time.Time) string {
				if t.IsZero() {
					return "-"
				}
				return fmt.Sprintf("%g", t.Sub(zero).Seconds())
			}
			text += fmt.Sprintf("%s/%s/%s ", at(s.Pending), at(s.Firing), at(s.Resolved))
		}
		out = append(out, strings.TrimSpace(text))
	}
	return out
}

func rules(interval string, more ...string) string {
	out := "groups:\n- name: g\n  interval: " + interval + "\n  rules:\n"
	for _, m := range more {
		out += "  - " + strings.ReplaceAll(m, "\n", "\n    ") + "\n"
	}
	return out
}

// The same outage fires an alert in some phases and not in others.
func TestReplaySweepsThePhases(t *testing.T) {
	db := recorded(t, 120, line{`up{job="a"}`, down(30, 47)})
	// Down from 30 up to 47: pending at the first evaluation in it, firing at the next one, 10 seconds later, if that lies in it too.
	out := replay(t, db, 119, rules("10s", "alert: Down\nexpr: up == 0\nfor: 10s"))
	if out.Phases != 10 || len(out.Rules) != 1 || len(out.Rules[0].Phases) != 10 {
		t.Fatalf("%+v", out)
	}
	for i, got := range told(out.Rules[0]) {
		first := 30 + i
		want := fmt.Sprintf("%d/%d/%d", first, first+10, first+20)
		if first+10 >= 47 {
			want = fmt.Sprintf("%d/-/%d", first, first+10)
		}
		if got != want {
			t.Errorf("phase %d: %s, want %s", i, got, want)
		}
		if p := out.Rules[0].Phases[i]; p.Offset != time.Duration(i)*time.Second || !p.First.Equal(zero.Add(p.Offset)) || len(p.Failed) > 0 {
			t.Errorf("phase %d: %+v", i, p)
		}
	}
	if out.Rules[0].Unseen != "" {
		t.Error(out.Rules[0].Unseen)
	}
}

func TestReplayOfRules(t *testing.T) {
	db := recorded(t, 120,
		line{`up{job="a"}`, down(30, 60)}, line{`up{job="b"}`, constant(1)},
		line{`requests_total{code="200"}`, func(s int) float64 { return 10 * float64(s) }},
		line{`requests_total{code="500"}`, func(s int) float64 {
			if s < 30 {
				return math.NaN()
			}
			return 5 * float64(min(s, 60)-30)
		}},
		// What rules wrote while the run went on is not what a replay goes by.
		line{`job:down:sum`, constant(7)}, line{`ALERTS{alertname="Two",alertstate="firing"}`, constant(1)},
	)
	one := func(t *testing.T, out *metrics.Replayed, alert string) (metrics.ReplayedRule, string) {
		for _, r := range out.Rules {
			if r.Rule.Alert == alert {
				all := told(r)
				return r, all[0]
			}
		}
		t.Fatalf("no alert %s", alert)
		return metrics.ReplayedRule{}, ""
	}
	for name, c := range map[string]struct{ rules, want string }{
		"at once":                {rules("1s", "alert: A\nexpr: up == 0"), "30/30/60"},
		"for":                    {rules("1s", "alert: A\nexpr: up == 0\nfor: 15s"), "30/45/60"},
		"for that is never over": {rules("1s", "alert: A\nexpr: up == 0\nfor: 5m"), "30/-/60"},
		"keep_firing_for":        {rules("1s", "alert: A\nexpr: up == 0\nfor: 5s\nkeep_firing_for: 20s"), "30/35/80"},
		"to the end":             {rules("1s", "alert: A\nexpr: vector(1)"), "0/0/-"},
		"a scalar":               {rules("1s", "alert: A\nexpr: 1"), "0/0/-"},
		"never":                  {rules("1s", "alert: A\nexpr: up == 2"), ""},
		"a rate":                 {rules("1s", `alert: A`+"\n"+`expr: rate(requests_total{code="500"}[10s]) > 0`), "31/31/69"},
		"a recording rule before it": {rules("1s", "record: job:down:sum\nexpr: sum(up == bool 0)",
			"alert: A\nexpr: job:down:sum > 0"), "30/30/60"},
		"a recording rule after it is one evaluation late": {rules("1s", "alert: A\nexpr: job:down:sum > 0",
			"record: job:down:sum\nexpr: sum(up == bool 0)"), "31/31/61"},
		"a recording rule of a recording rule": {rules("1s", "record: a\nexpr: sum(up == bool 0)", "record: b\nexpr: a * 2", "alert: A\nexpr: max_over_time(b[5s]) > 1"), "30/30/64"},
		"another alert":                        {rules("1s", "alert: B\nexpr: up == 0\nfor: 5s", `alert: A`+"\n"+`expr: ALERTS{alertname="B",alertstate="firing"} == 1`), "35/35/60"},
		"what was written live is not there":   {rules("1s", "record: job:down:sum\nexpr: up == 2", "alert: A\nexpr: job:down:sum == 7 or "+`ALERTS{alertname="Two"}`), ""},
		"another group":                        {rules("1s", "record: x\nexpr: sum(up == bool 0)") + "- name: h\n  interval: 1s\n  rules:\n  - alert: A\n    expr: x > 0\n", "30/30/60"},
		"query_offset":                         {strings.Replace(rules("1s", "alert: A\nexpr: up == 0"), "  interval:", "  query_offset: 10s\n  interval:", 1), "40/40/70"},
		"the end of a query":                   {rules("1s", "alert: A\nexpr: up @ end() == 0"), "30/30/60"},
		"absent":                               {rules("1s", `alert: A`+"\n"+`expr: absent(up{job="c"})`), "0/0/-"},
	} {
		t.Run(name, func(t *testing.T) {
			out := replay(t, db, 119, c.rules)
			r, got := one(t, out, "A")
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			for _, p := range r.Phases {
				if len(p.Failed) > 0 {
					t.Error(p.Failed[0])
				}
			}
			if r.Unseen != "" {
				t.Error(r.Unseen)
			}
		})
	}
	t.Run("labels", func(t *testing.T) {
		out := replay(t, db, 119, rules("1s", "alert: A\nexpr: up == 0\nlabels: { where: '{{ $labels.job }}', value: '{{ $value }}', query: '{{ with query \"sum(up)\" }}{{ . | first | value }}{{ end }}' }"))
		got := fmt.Sprint(out.Rules[0].Phases[0].Spells[0].Labels)
		if want := `map[alertname:A job:a query:1 value:0 where:a]`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
	t.Run("an instance of each series", func(t *testing.T) {
		out := replay(t, db, 119, rules("1s", "alert: A\nexpr: up >= 0"))
		if _, got := one(t, out, "A"); got != "0/0/- 0/0/-" {
			t.Error(got)
		}
	})
	t.Run("a limit", func(t *testing.T) {
		out := replay(t, db, 119, strings.Replace(rules("1s", "alert: A\nexpr: up >= 0"), "  interval:", "  limit: 1\n  interval:", 1))
		p := out.Rules[0].Phases[0]
		if len(p.Failed) != 120 || !strings.Contains(p.Failed[0].Error, "limit of 1") {
			t.Errorf("%+v", p)
		}
	})
	t.Run("an error", func(t *testing.T) {
		out := replay(t, db, 119, rules("1s", "alert: A\nexpr: up * on () up"))
		p := out.Rules[0].Phases[0]
		if len(p.Failed) != 120 || len(p.Spells) != 0 {
			t.Errorf("%d failed: %+v", len(p.Failed), p.Spells)
		}
	})
	t.Run("an error of a recording rule is one of the alerts that read it", func(t *testing.T) {
		out := replay(t, db, 119, rules("1s", "record: x\nexpr: up * on () up", "record: y\nexpr: x * 2", "alert: A\nexpr: y > 0", "alert: B\nexpr: up == 0"))
		a, _ := one(t, out, "A")
		b, _ := one(t, out, "B")
		if p := a.Phases[0]; len(p.Failed) != 120 || !strings.HasPrefix(p.Failed[0].Error, "the recording rule x: ") || len(b.Phases[0].Failed) != 0 {
			t.Errorf("%d of A, %d of B failed", len(p.Failed), len(b.Phases[0].Failed))
		}
	})
	t.Run("unseen", func(t *testing.T) {
		for expr, want := range map[string]string{
			`nothing_here > 0`:                           "nothing_here",
			`up{job="c"} == 0`:                           `up{job="c"}`,
			`requests_total{code="503"} > 0`:             "",
			`nothing_here{code="503"} > 0`:               "nothing_here",
			`absent(nothing_here)`:                       "",
			`up == 0 unless on () nothing_here`:          "nothing_here",
			`sum(rate(requests_total{code=~"4.."}[5s]))`: "",
		} {
			out := replay(t, db, 119, rules("1s", "alert: A\nexpr: '"+expr+"'"))
			if got := out.Rules[0].Unseen; (got == "") != (want == "") || !strings.Contains(got, want) {
				t.Errorf("%s: %q, want something with %q", expr, got, want)
			}
		}
		out := replay(t, db, 119, rules("1s", "record: x\nexpr: nothing_here", "alert: A\nexpr: x > 0"))
		if got := out.Rules[0].Unseen; !strings.Contains(got, "nothing_here") {
			t.Errorf("by a recording rule: %q", got)
		}
	})
}

// What a rule had to read and has no more is told: it is quiet then whatever happens.
func TestReplayTellsWhatWasLost(t *testing.T) {
	here := func(is func(s int) bool) func(int) float64 {
		return func(s int) float64 {
			if is(s) {
				return 1
			}
			return math.NaN()
		}
	}
	db := recorded(t, 120, line{"up", constant(1)}, line{"blinks", here(func(s int) bool { return s < 40 || s >= 60 })}, line{"ends", here(func(s int) bool { return s < 80 })},
		line{"begins", here(func(s int) bool { return s >= 50 })}, line{`outcome_total{code="200"}`, constant(1)}, line{`outcome_total{code="500"}`, here(func(s int) bool { return s < 30 || s > 90 })},
		line{`many{n="1"}`, constant(1)}, line{`many{n="2"}`, here(func(s int) bool { return s < 80 })}, line{`many{n="3"}`, here(func(s int) bool { return s >= 80 })})
	for expr, want := range map[string]string{
		"max_over_time(up[5s]) == 0":                       "",
		"max_over_time(blinks[5s]) > 5":                    "blinks 43 to 60",
		"max_over_time(blinks[30s]) > 5":                   "",
		"max_over_time(ends[5s]) > 5":                      "ends 83 to 119 for good",
		"max_over_time(begins[5s]) > 5":                    "",
		"absent_over_time(ends[5s])":                       "",
		`max_over_time(outcome_total{code="500"}[5s]) > 5`: "",
		"max_over_time(blinks[5s:1s]) > 5":                 "", // one sample is read for five minutes
		"recorded > 5":                                     "ends 83 to 119 for good",
		"max_over_time(many[5s]) > 5":                      `many{n="2"} 83 to 119 for good`,
		`max_over_time(many{n="1"}[5s]) > 5`:               "",
		"sum(rate(many[5s])) > 5":                          `many{n="2"} 83 to 119 for good`,
		"by_n > 5":                                         `many{n="2"} 83 to 119 for good`,
		`by_n{n="1"} > 5`:                                  "",
		`max_over_time(outcome_total[5s]) > 5`:             "",
		"max_over_time(rate(ends[5s])[4s:1s]) > 5":         "ends 87 to 119 for good",
	} {
		out := replay(t, db, 119, rules("2s", "record: recorded\nexpr: max_over_time(ends[5s])", "record: by_n\nexpr: sum by (n) (rate(many[5s]))", "alert: A\nexpr: '"+expr+"'"))
		var got []string
		for _, l := range out.Rules[0].Lost {
			text := fmt.Sprintf("%s %.0f to %.0f", l.Of, math.Floor(l.From.Sub(zero).Seconds()), l.To.Sub(zero).Seconds())
			if l.Forever {
				text = fmt.Sprintf("%s %.0f to %.0f for good", l.Of, math.Floor(l.From.Sub(zero).Seconds()), math.Floor(l.To.Sub(zero).Seconds()))
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, want %s", expr, got, want)
		}
	}
}

func TestReplayIsBounded(t *testing.T) {
	db := recorded(t, 10, line{"up", constant(1)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := metrics.Replay(ctx, db, metrics.ReplayConfig{Rules: []metrics.RuleFile{{Name: "a", Text: []byte(rules("1s", "alert: A\nexpr: up"))}}, Span: metrics.Span{From: zero, To: zero.Add(9 * time.Second)}}); err == nil {
		t.Error("a cancelled replay came to its end")
	}
	long := "groups:\n- name: g\n  interval: 100ms\n  rules:\n"
	for i := range 200 {
		long += fmt.Sprintf("  - alert: A%d\n    expr: up == 0\n", i)
	}
	out, err := metrics.Replay(t.Context(), db, metrics.ReplayConfig{Rules: []metrics.RuleFile{{Name: "a", Text: []byte(long)}}, Span: metrics.Span{From: zero, To: zero.Add(time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	if out.Phases != 3 || out.Evaluations != 3*200*601-2*200 {
		t.Errorf("%d phases, %d evaluations", out.Phases, out.Evaluations)
	}
	out, err = metrics.Replay(t.Context(), db, metrics.ReplayConfig{Rules: []metrics.RuleFile{{Name: "a", Text: []byte(rules("1m", "alert: A\nexpr: up"))}}, Span: metrics.Span{From: zero, To: zero.Add(9 * time.Second)}})
	if err != nil || !out.Rules[0].Phases[9].First.IsZero() || out.Rules[0].Phases[1].First.IsZero() {
		t.Errorf("a run that is shorter than an interval: %+v, %v", out, err)
	}
}

func TestCheckRules(t *testing.T) {
	alerts, err := metrics.CheckRules("alerts.yml", []byte(rules("1s", "alert: A\nexpr: up", "record: r\nexpr: up", "alert: B\nexpr: up", "alert: A\nexpr: up == 0\nlabels: {severity: page}")))
	if err != nil || fmt.Sprint(alerts) != "[A B]" {
		t.Error(alerts, err)
	}
	for text, want := range map[string]string{
		"":                                    "",
		"groups: []":                          "",
		"groups:\n- name: g\n  rulez: []":     "alerts.yml:3: ",
		"groups:\n- name: g\n  rules: [":      "alerts.yml:",
		rules("1s", "alert: A\nexpr: sum(up"): "alerts.yml:6:",
		rules("1s", "alert: A\nexpr: up\nfor: soon"):                      "alerts.yml:",
		rules("1s", "alert: A\nexpr: up\nlabels: { a: '{{ nothing }}' }"): "alerts.yml:",
		rules("1s", "expr: up"):                                           "one of 'record' or 'alert' must be set",
		"\x00":                                                            "alerts.yml:",
		"- text":                                                          "alerts.yml:",
	} {
		_, err := metrics.CheckRules("alerts.yml", []byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	list, err := metrics.AlertRules([]metrics.RuleFile{{Name: "alerts.yml", Text: []byte("groups:\n- name: g\n  labels: {team: shop}\n  rules:\n  - alert: A\n    expr: up\n    labels: {severity: page}\n")}}, 0)
	if err != nil || len(list) != 1 || list[0].Line != 5 || list[0].Interval != time.Minute || list[0].Given || fmt.Sprint(list[0].Labels) != "map[severity:page team:shop]" {
		t.Errorf("%+v, %v", list, err)
	}
}

// BenchmarkReplay replays five minutes of 200 series: five alerting rules, one of them over a recording rule, every 5 seconds.
func BenchmarkReplay(b *testing.B) {
	var lines []line
	for i := range 100 {
		lines = append(lines, line{fmt.Sprintf(`up{instance="%d"}`, i), down(60+i, 90+i)},
			line{fmt.Sprintf(`requests_total{code="500",instance="%d"}`, i), func(s int) float64 { return float64(s * i) }})
	}
	db := recorded(b, 300, lines...)
	text := []byte(rules("5s", "record: errors\nexpr: sum(rate(requests_total[30s]))", "alert: A\nexpr: errors > 1000", "alert: B\nexpr: up == 0\nfor: 15s", "alert: C\nexpr: sum(up) < 90\nfor: 10s",
		"alert: D\nexpr: rate(requests_total[30s]) > 90", "alert: E\nexpr: avg(up) < 0.5"))
	b.ReportAllocs()
	for b.Loop() {
		out, err := metrics.Replay(b.Context(), db, metrics.ReplayConfig{Rules: []metrics.RuleFile{{Name: "a", Text: text}}, Span: metrics.Span{From: zero, To: zero.Add(299 * time.Second)}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(out.Evaluations), "evaluations/op")
	}
}

// How soon an alert fires hangs on what was there before the fault: a rule that looks back further than the record does fires sooner
// than it would on a server, and how far it looks back is known.
func TestReplayOfShortHistory(t *testing.T) {
	const text = "alert: Failing\nexpr: sum(rate(errors[5m])) / sum(rate(requests[5m])) > 0.2"
	after := func(fault int) (first, last float64) {
		all := func(s int) float64 { return float64(100 * s) }
		half := func(s int) float64 { return float64(50 * max(0, s-fault)) }
		db := recorded(t, fault+200, line{"requests", all}, line{"errors", half})
		r := replay(t, db, fault+199, rules("5s", text)).Rules[0]
		if r.Rule.Lookback != 5*time.Minute {
			t.Error(r.Rule.Lookback)
		}
		for i, p := range r.Phases {
			if len(p.Spells) != 1 {
				t.Fatalf("%+v", p)
			}
			at := p.Spells[0].Firing.Sub(zero).Seconds() - float64(fault)
			if i == 0 {
				first, last = at, at
			}
			first, last = min(first, at), max(last, at)
		}
		return first, last
	}
	if first, last := after(30); first < 15 || last > 30 {
		t.Errorf("with 30 s of history it fires %g to %g s after the fault", first, last)
	}
	if first, last := after(600); first < 115 || last > 130 {
		t.Errorf("with 10 minutes of history it fires %g to %g s after the fault", first, last)
	}
}

// How far a rule looks back counts what the recording rules look back that it reads, offsets and subqueries, and how far in the past its
// group is evaluated.
func TestRuleLookback(t *testing.T) {
	const text = `groups:
- name: a
  rules:
  - record: rate1m
    expr: rate(x[1m])
  - record: smooth
    expr: avg_over_time(rate1m[2m]) or smooth offset 1s
  - {alert: None, expr: x > 1}
  - {alert: Range, expr: "rate(x[5m]) > 1"}
  - {alert: Offset, expr: x > x offset 1h}
  - {alert: Subquery, expr: "max_over_time(rate(x[1m])[10m:]) > 1"}
  - {alert: Recorded, expr: smooth offset 7m > 1}
  - {alert: Future, expr: x offset -5m > 1}
- name: late
  query_offset: 30s
  rules:
  - {alert: Late, expr: "rate(x[5m]) > 1"}
`
	got, err := metrics.AlertRules([]metrics.RuleFile{{Name: "alerts.yml", Text: []byte(text)}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Duration{"None": 0, "Range": 5 * time.Minute, "Offset": time.Hour, "Subquery": 11 * time.Minute, "Recorded": 10 * time.Minute, "Future": 0,
		"Late": 5*time.Minute + 30*time.Second}
	for _, r := range got {
		if r.Lookback != want[r.Alert] {
			t.Errorf("%s looks back %s, want %s", r.Alert, r.Lookback, want[r.Alert])
		}
	}
	if len(got) != len(want) {
		t.Error(len(got))
	}
}
