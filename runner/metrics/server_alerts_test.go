package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gameday/runner/metrics"
)

// answering is a server that gives each path its answer.
func answering(t *testing.T, answers map[string]string) *metrics.Server {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, text := range answers {
			if where, query, ok := strings.Cut(path, "?"); strings.HasSuffix(r.URL.Path, where) && (!ok || strings.Contains(r.URL.Query().Get("query"), query)) {
				fmt.Fprint(w, text)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(web.Close)
	s, err := metrics.NewServer(metrics.ServerConfig{Name: "s", URL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestServerAlerts(t *testing.T) {
	const rules = `{"status":"success","data":{"groups":[{"name":"g","file":"/etc/alerts.yml","interval":15,"rules":[
		{"type":"alerting","name":"A","query":"x > 0","state":"firing","duration":30,"keepFiringFor":60,"labels":{"severity":"page"},"lastError":"","lastEvaluation":"2026-11-22T10:01:00Z",
		 "alerts":[{"labels":{"alertname":"A","i":"2"},"activeAt":"2026-11-22T10:00:30Z"},{"labels":{"alertname":"A","i":"1"},"activeAt":"2026-11-22T10:00:15Z"}]},
		{"type":"recording","name":"r","query":"x"},
		{"type":"alerting","name":"B","query":"y > 0","state":"inactive","duration":0,"lastError":"it broke","lastEvaluation":"2026-11-22T10:01:00Z","alerts":[]},
		{"type":"alerting","name":"C","query":"z > 0","state":"unknown","lastEvaluation":"0001-01-01T00:00:00Z"}]}]}}`
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	values := func(from, to int) string {
		var out []string
		for s := from; s <= to; s += 15 {
			out = append(out, fmt.Sprintf(`[%d,"1"]`, began.Unix()+int64(s)))
		}
		return strings.Join(out, ",")
	}
	recorded := `{"status":"success","data":{"resultType":"matrix","result":[
		{"metric":{"__name__":"ALERTS","alertname":"A","alertstate":"pending","i":"1"},"values":[` + values(15, 30) + `,` + values(240, 240) + `]},
		{"metric":{"__name__":"ALERTS","alertname":"A","alertstate":"firing","i":"1"},"values":[` + values(45, 90) + `]},
		{"metric":{"__name__":"ALERTS","alertname":"A","alertstate":"firing","i":"2"},"values":[` + values(285, 300) + `]}]}}`
	s := answering(t, map[string]string{
		"/api/v1/rules":                     rules,
		"/api/v1/query?ALERTS[":             recorded,
		"/api/v1/query?count(count_over_ti": `{"status":"success","data":{"resultType":"vector","result":[]}}`,
	})
	list, err := s.Rules(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	a := list[0]
	if a.Alert != "A" || a.State != metrics.AlertFiring || a.Interval != 15*time.Second || a.For != 30*time.Second || a.KeepFiringFor != time.Minute || a.Active != 2 || a.Oldest["i"] != "1" {
		t.Errorf("%+v", a)
	}
	if list[1].Error != "it broke" || list[2].State != metrics.AlertInactive || !list[2].Evaluated.IsZero() {
		t.Errorf("%+v", list[1:])
	}
	out, err := s.Recorded(t.Context(), list, metrics.Span{From: began, To: began.Add(5 * time.Minute)})
	if err != nil || len(out.Rules) != 3 || out.Phases != 1 {
		t.Fatal(out, err)
	}
	got := ""
	for _, sp := range out.Rules[0].Phases[0].Spells {
		at := func(x time.Time) string {
			if x.IsZero() {
				return "-"
			}
			return fmt.Sprint(x.Sub(began).Seconds())
		}
		got += fmt.Sprintf("%s:%s/%s/%s ", sp.Labels["i"], at(sp.Pending), at(sp.Firing), at(sp.Resolved))
	}
	if want := "1:15/45/105 1:240/-/255 2:285/285/- "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if b := out.Rules[1]; len(b.Phases[0].Failed) != 1 || !strings.Contains(b.Unseen, "no series matched y") {
		t.Errorf("%+v", b)
	}
	if c := out.Rules[2]; !strings.Contains(c.Unseen, "did not evaluate") {
		t.Errorf("%+v", c)
	}
}

// A server that has no such API, or none at all, is an error and never an empty list.
// An alert cannot be evaluated where a recording rule failed that it reads, or that one reads which it does.
func TestServerAlertsReadFailedRecordings(t *testing.T) {
	s := answering(t, map[string]string{"/api/v1/rules": `{"status":"success","data":{"groups":[{"name":"g","file":"f","interval":15,"rules":[
		{"type":"recording","name":"second","query":"first * 2"},
		{"type":"recording","name":"first","query":"a / b","lastError":"many-to-many"},
		{"type":"recording","name":"good","query":"up"},
		{"type":"alerting","name":"A","query":"first > 0"},
		{"type":"alerting","name":"B","query":"good and second > 0"},
		{"type":"alerting","name":"C","query":"good > 0"}]}]}}`})
	list, err := s.Rules(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	for i, want := range []string{"the recording rule first: many-to-many", "the recording rule second: the recording rule first: many-to-many", ""} {
		if list[i].Error != want {
			t.Errorf("%s: %q, want %q", list[i].Alert, list[i].Error, want)
		}
	}
}

func TestServerAlertsUnanswered(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"nothing":  {},
		"nonsense": {"rules": "<html>", "query": "<html>"},
		"not read": {"rules": `{"status":"success","data":{"groups":7}}`, "query": `{"status":"success","data":{"resultType":"matrix","result":7}}`},
		"no times": {"rules": `{"status":"success","data":{}}`, "query": `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[["x","1"]]}]}}`},
	} {
		s := answering(t, answers)
		if list, err := s.Rules(t.Context()); err == nil {
			t.Errorf("%s: %v", name, list)
		}
		if out, err := s.Recorded(t.Context(), nil, metrics.Span{From: time.Now().Add(-time.Minute), To: time.Now()}); err == nil {
			t.Errorf("%s: %v", name, out)
		}
	}
}

func TestAlertmanager(t *testing.T) {
	text, token := "", ""
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		if r.URL.Path != "/am/api/v2/alerts" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, text)
	}))
	defer web.Close()
	open := func(path string) *metrics.Alertmanager {
		m, err := metrics.NewAlertmanager(metrics.ServerConfig{Name: "alertmanager", URL: web.URL + path, BearerToken: "hunter2"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	m := open("/am")
	text = `[{"labels":{"alertname":"B"},"receivers":[{"name":"mail"},{"name":"pager"}],"status":{"state":"suppressed","silencedBy":["1"],"inhibitedBy":[]},"startsAt":"2026-11-22T10:00:00Z"},
		{"labels":{"alertname":"A","i":"1"},"receivers":[{"name":"pager"}],"status":{"state":"active"},"startsAt":"2026-11-22T10:00:00Z"}]`
	list, err := m.Active(t.Context())
	if err != nil || len(list) != 2 || list[0].Alert() != "A" || list[0].Muted != "" || list[1].Muted != "silenced" || strings.Join(list[1].Receivers, " ") != "mail pager" {
		t.Errorf("%+v, %v", list, err)
	}
	if token != "Bearer hunter2" || m.URL() != web.URL+"/am" {
		t.Errorf("%q %q", token, m.URL())
	}
	for _, bad := range []string{"<html>", `{"status":"success"}`, ""} {
		text = bad
		if list, err := m.Active(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, %v", bad, list, err)
		}
	}
	text = "hunter2 is not welcome"
	if _, err := open("/elsewhere").Active(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "404") {
		t.Error(err)
	}
}

// What recording rules wrote is asked for as what they evaluate: with their labels, as far as it is selected, and through each other.
func TestWholeExpressions(t *testing.T) {
	rule := func(interval int, record, expr, labels string) string {
		return fmt.Sprintf(`{"name":"g%s","file":"f","interval":%d,"rules":[{"type":"recording","name":%q,"query":%q,"labels":{%s}}]}`, record, interval, record, expr, labels)
	}
	cases := []struct {
		expr, want string
		needs      time.Duration
	}{
		{"up == 0", "up == 0", 0},
		{"job:up > 0", "((sum by (job) (up))) > 0", 15 * time.Second},
		{"absent(job:up) or half < 1", "absent(((sum by (job) (up)))) or ((((sum by (job) (up))) / 2)) < 1", 15 * time.Second},
		{`job:up{job=~"a|b"}`, `label_replace(label_replace(((sum by (job) (up))), "gameday_chosen", "1", "job", "a|b") and on (gameday_chosen) label_replace(vector(1), "gameday_chosen", "1", "", ""), "gameday_chosen", "", "", "")`, 15 * time.Second},
		{`job:up{job!="a.b"}`, `label_replace(label_replace(((sum by (job) (up))), "gameday_chosen", "1", "job", "a\\.b") unless on (gameday_chosen) label_replace(vector(1), "gameday_chosen", "1", "", ""), "gameday_chosen", "", "", "")`, 15 * time.Second},
		{"twice", `(label_replace((up), "part", "one", "", "") or (up * 2))`, 15 * time.Second},
		{"number", "(vector(7))", 15 * time.Second},
		{"rate(job:up[5m])", "rate(job:up[5m])", 15 * time.Second},
		{"job:up offset 1m", "job:up offset 1m", 15 * time.Second},
		{"rare", "rare", 5 * time.Minute},
		{"circle", "((circle + 1))", 15 * time.Second},
		{"a dialect[", "a dialect[", 0},
	}
	groups := []string{rule(15, "job:up", "sum by (job) (up) # of each", ""), rule(15, "half", "job:up / 2", ""), rule(15, "twice", "up", `"part":"one"`), rule(15, "twice", "up * 2", ""), rule(15, "number", "7", ""),
		rule(300, "rare", "up", ""), rule(15, "circle", "circle + 1", "")}
	for i, c := range cases {
		groups = append(groups, fmt.Sprintf(`{"name":"alerts","file":"f","interval":15,"rules":[{"type":"alerting","name":"A%d","query":%q}]}`, i, c.expr))
	}
	s := answering(t, map[string]string{"/api/v1/rules": `{"status":"success","data":{"groups":[` + strings.Join(groups, ",") + `]}}`})
	list, err := s.Rules(t.Context())
	if err != nil || len(list) != len(cases) {
		t.Fatal(list, err)
	}
	for i, c := range cases {
		if list[i].Whole != c.want || list[i].Needs != c.needs {
			t.Errorf("%s:\n%s, needs %s, want\n%s, %s", c.expr, list[i].Whole, list[i].Needs, c.want, c.needs)
		}
	}
}

// A server that answers for other times than it was asked for, or not at all, says nothing of other phases.
func TestServerReplayUnanswered(t *testing.T) {
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ answer, want string }{
		"other times": {fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[%d.5,"1"]]}]}}`, began.Unix()), "none of the times that it was asked for"},
		"an error":    {`{"status":"error","errorType":"execution","error":"too many samples"}`, "too many samples"},
	} {
		s := answering(t, map[string]string{"/api/v1/query_range": c.answer})
		rule := metrics.ServerRule{AlertRule: metrics.AlertRule{Alert: "A", Expr: "x", Interval: time.Second}}
		recorded := &metrics.Replayed{Rules: []metrics.ReplayedRule{{Rule: rule.AlertRule, Phases: make([]metrics.RulePhase, 1)}}}
		s.Replay(t.Context(), recorded, []metrics.ServerRule{rule}, began, began.Add(time.Minute))
		if r := recorded.Rules[0]; len(r.Phases) != 1 || !strings.Contains(r.Unswept, c.want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Of rules in files, too, it is known how rarely something is evaluated that they need.
func TestWhatRulesNeed(t *testing.T) {
	rules, err := metrics.AlertRules([]metrics.RuleFile{{Name: "alerts.yml", Text: []byte(`groups:
- name: rare
  interval: 5m
  rules:
  - record: rare
    expr: up
- name: often
  interval: 15s
  rules:
  - record: often
    expr: rare * 2
  - record: own
    expr: up
  - alert: Far
    expr: often > 0
  - alert: Near
    expr: own > 0
  - alert: Alone
    expr: up == 0
`)}}, 0)
	if err != nil || len(rules) != 3 || rules[0].Needs != 5*time.Minute || rules[0].Rarest() != 5*time.Minute || rules[1].Needs != 15*time.Second || rules[2].Needs != 0 || rules[2].Rarest() != 15*time.Second {
		t.Errorf("%+v, %v", rules, err)
	}
}
