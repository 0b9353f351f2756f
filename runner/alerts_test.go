package runner_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

const alertRules = `groups:
- name: numbers
  interval: 200ms
  rules:
  - record: numbers:steady:max
    expr: max(steady)
  - alert: Unsteady
    expr: numbers:steady:max > 10
    for: 400ms
  - alert: LongUnsteady
    expr: steady > 10
    for: 5m
  - alert: Surprise
    expr: steady > 20
  - alert: Always
    expr: vector(1)
  - alert: Blind
    expr: not_there > 10
  - alert: Farsighted
    expr: max_over_time(numbers:steady:max[30s] offset 15s) > 100
  - alert: FarsightedToo
    expr: max_over_time(steady[1m]) > 100
`

// withRules is a scenario over the stage's numbers with rules and alerts, and with a fault that makes the numbers unsteady.
func (s *stage) withRules(targets, alerts string) string {
	path := filepath.Join(s.t.TempDir(), "alerts.yml")
	if err := os.WriteFile(path, []byte(alertRules), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("prometheus \"own\" {\n  interval = \"200ms\"\n  rules = [%q]\n  scrape \"numbers\" {\n    url = %q\n  }\n}\n%s\nscenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"2s\"\n%s%s}\n",
		path, s.numbers.url, targets, alerts, pauseFor("freeze", "it", "3s"))
}

// unsteady changes the numbers with the fault.
func (s *stage) unsteady(_ *runner.Run, ev journal.Event) {
	switch ev.Payload.(type) {
	case *journal.FaultVerified:
		s.numbers.set("steady", "50")
	case *journal.UndoVerified:
		s.numbers.set("steady", "1")
	}
}

func all[P journal.Payload](rec *journal.Record) (out []P) {
	for _, e := range rec.Events {
		if p, ok := e.Payload.(P); ok {
			out = append(out, p)
		}
	}
	return out
}

func alertVerdicts(rec *journal.Record) string {
	var out []string
	for _, j := range all[*journal.AlertJudged](rec) {
		out = append(out, fmt.Sprintf("%s %s (%s)", j.Alert, j.Verdict, j.Reason))
	}
	return strings.Join(out, "; ")
}

// The team's rules are evaluated as they are, live and in the replay, and their verdicts count for the outcome.
func TestAlertRehearsal(t *testing.T) {
	s, _ := fakeStage(t)
	e := s.rehearse(s.withRules(target("it", s.container()), `
  alert "Unsteady" {
    within = "3s"
  }
  alert "LongUnsteady" {
    within = "3s"
  }
  alert "Always" {
    fires = false
  }
  alert "Blind" {
    within = "1s"
  }
`), s.unsteady)
	s.ended(e, journal.OutcomeRefuted, 3)
	want := "Unsteady held (fired); LongUnsteady refuted (missing); Always inconclusive (already); Blind inconclusive (unseen)"
	if got := alertVerdicts(e.rec); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	seen := map[string]*journal.AlertSeen{}
	for _, x := range all[*journal.AlertSeen](e.rec) {
		seen[x.Alert] = x
	}
	u := seen["Unsteady"]
	if u == nil || len(u.Phases) != 10 || u.Fired != 10 || u.Firing == nil || u.Firing.AtLeast < journal.Duration(400*time.Millisecond) || u.Firing.AtMost < u.Firing.AtLeast ||
		u.Resolved == nil || u.Before != nil || u.AtEnd != journal.AlertInactive {
		t.Errorf("%+v", u)
	}
	if l := seen["LongUnsteady"]; l == nil || l.Pended != 10 || l.Fired != 0 || l.Longest < journal.Duration(time.Second) {
		t.Errorf("%+v", l)
	}
	if a := seen["Always"]; a == nil || a.Before == nil || a.Noise != journal.AlertFiring || a.AtEnd != journal.AlertFiring {
		t.Errorf("%+v", a)
	}
	sums := all[*journal.AlertsSummed](e.rec)
	if len(sums) != 1 || sums[0].Expected != 3 || sums[0].Fired != 1 || strings.Join(sums[0].Missing, " ") != "LongUnsteady Blind" || strings.Join(sums[0].Unexpected, " ") != "Surprise" {
		t.Errorf("%+v", sums)
	}
	live := map[string]bool{}
	for _, c := range all[*journal.AlertChanged](e.rec) {
		live[c.Alert+" "+string(c.To)] = true
	}
	for _, want := range []string{"Unsteady pending", "Unsteady firing", "Unsteady inactive", "LongUnsteady pending", "Surprise firing", "Always firing"} {
		if !live[want] {
			t.Errorf("%s was not seen live: %v", want, live)
		}
	}
	if text, err := os.ReadFile(filepath.Join(e.Dir, journal.ScenarioDir, "alerts.yml")); err != nil || string(text) != alertRules {
		t.Errorf("the rules are not beside the scenario: %v", err)
	}
}

// A claim that is changed afterwards is judged by a replay over the series that the run has saved; the others keep their verdicts.
func TestAlertsJudgedAgain(t *testing.T) {
	s, _ := fakeStage(t)
	const claims = "  alert \"Unsteady\" {\n    within = \"3s\"\n  }\n  alert \"Always\" {\n    fires = false\n  }\n"
	e := s.rehearse(s.withRules(target("it", s.container()), claims), s.unsteady)
	s.ended(e, journal.OutcomeInconclusive, 4)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(e.Dir, journal.ScenarioDir))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.gameday.hcl"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], bytes.Replace(text, []byte(`within = "3s"`), []byte(`within = "100ms"`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	ws, _, ds := runner.LoadForRun(dir, e.rec, scenarios.Options{CheckQuery: runner.CheckQuery, CheckRules: runner.CheckRules})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	re, err := runner.Rejudge(t.Context(), e.rec, ws, ws.Scenarios[0], func() (metrics.Source, error) { return runner.RecordedSeries(e.Dir, e.rec) })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range re.Alerts {
		got = append(got, fmt.Sprintf("%s %s %s (%s) %t %q", a.Name, a.Then.Verdict, a.Now.Verdict, a.Now.Reason, a.Replayed, a.Changes))
	}
	want := `Unsteady held refuted (late) true ["within: 3s → 100ms"]; Always inconclusive inconclusive (already) false []`
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("%s\nwant %s", text, want)
	}
	if re.Now != journal.OutcomeRefuted || alertVerdicts(re.Record()) != "Unsteady refuted (late); Always inconclusive (already)" {
		t.Errorf("%s; %s", re.Now, alertVerdicts(re.Record()))
	}
}

// A scenario may claim nothing but that an alert fires.
func TestAlertAlone(t *testing.T) {
	s, _ := fakeStage(t)
	e := s.rehearse(s.withRules(target("it", s.container()), "  alert \"Unsteady\" {\n    within = \"3s\"\n  }\n"), s.unsteady)
	s.ended(e, journal.OutcomeHeld, 0)
}

// beside is a Prometheus server and an Alertmanager that know one alert.
type beside struct {
	mu    sync.Mutex
	since time.Time // the alert fires; zero: not yet
	gone  bool      // the server has no answer about rules
	// away is for how long the Alertmanager does not answer once the alert fires, and muted is until when after that it has it silenced.
	away, muted time.Duration
}

func (b *beside) fire(_ *runner.Run, ev journal.Event) {
	if _, ok := ev.Payload.(*journal.FaultVerified); ok {
		b.mu.Lock()
		b.since = time.Now().Add(200 * time.Millisecond)
		b.mu.Unlock()
	}
}

func (b *beside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	firing := !b.since.IsZero() && time.Now().After(b.since)
	switch {
	case strings.HasSuffix(r.URL.Path, "/api/v1/rules") && !b.gone:
		state := "inactive"
		if firing {
			state = "firing"
		}
		fmt.Fprintf(w, `{"status":"success","data":{"groups":[{"name":"g","file":"/etc/prometheus/alerts.yml","interval":1,"rules":[{"type":"alerting","name":"Told","query":"vector(1)","state":%q,"lastEvaluation":%q}]}]}}`,
			state, time.Now().Format(time.RFC3339Nano))
	case strings.HasSuffix(r.URL.Path, "/api/v2/alerts") && firing && time.Since(b.since) < b.away:
		w.WriteHeader(http.StatusBadGateway)
	case strings.HasSuffix(r.URL.Path, "/api/v2/alerts"):
		status := `{"state":"active"}`
		if time.Since(b.since) < b.muted {
			status = `{"state":"suppressed","silencedBy":["1"]}`
		}
		if firing {
			fmt.Fprintf(w, `[{"labels":{"alertname":"Told"},"receivers":[{"name":"on-call"}],"status":%s,"startsAt":%q}]`, status, b.since.Format(time.RFC3339Nano))
		} else {
			fmt.Fprint(w, "[]")
		}
	case strings.HasPrefix(r.FormValue("query"), "ALERTS["):
		var values []string
		for at := b.since; !b.since.IsZero() && at.Before(time.Now()); at = at.Add(time.Second) {
			values = append(values, fmt.Sprintf(`[%.3f,"1"]`, float64(at.UnixMilli())/1000))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"ALERTS","alertname":"Told","alertstate":"firing"},"values":[%s]}]}}`, strings.Join(values, ","))
	case strings.HasSuffix(r.URL.Path, "/api/v1/query_range"): // what its rule evaluates, a second apart
		values := []string{}
		start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
		end, _ := strconv.ParseFloat(r.FormValue("end"), 64)
		for at := start; at <= end; at++ {
			if !b.since.IsZero() && at >= float64(b.since.UnixMilli())/1000 {
				values = append(values, fmt.Sprintf(`[%.3f,"1"]`, at))
			}
		}
		series := fmt.Sprintf(`{"metric":{},"values":[%s]}`, strings.Join(values, ","))
		if len(values) == 0 {
			series = ""
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, series)
	case strings.HasSuffix(r.URL.Path, "/api/v1/query"):
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"1"]}]}}`, time.Now().Unix())
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (b *beside) scenario(t *testing.T, c engine.Container, alerts string) string {
	web := httptest.NewServer(b)
	t.Cleanup(web.Close)
	return fmt.Sprintf("prometheus \"beside\" {\n  url = %q\n  alertmanager {\n    url = %q\n  }\n}\n%s\nscenario \"s\" {\n  baseline = \"1s\"\n  recovery = \"1s\"\n%s%s}\n", web.URL, web.URL,
		target("it", c), alerts, pauseFor("freeze", "it", "4s"))
}

// Of a server its own record counts, and its Alertmanager says when the alert was there, and for whom.
func TestAlertsOfAServer(t *testing.T) {
	s, _ := fakeStage(t)
	b := &beside{}
	e := s.rehearse(b.scenario(t, s.container(), "  alert \"Told\" {\n    within = \"3s\"\n  }\n"), b.fire)
	s.ended(e, journal.OutcomeHeld, 0)
	seen := all[*journal.AlertSeen](e.rec)
	if len(seen) != 1 || seen[0].By != journal.AlertServer || len(seen[0].Phases) != 11 || seen[0].Routed == nil || seen[0].Routed.AtMost <= seen[0].Routed.AtLeast {
		t.Errorf("%+v", seen)
	}
	told := all[*journal.AlertRouted](e.rec)
	if len(told) != 1 || strings.Join(told[0].Receivers, "") != "on-call" || !told[0].After.Before(told[0].At) {
		t.Errorf("%+v", told)
	}
	if d := all[*journal.AlertsDeclared](e.rec); len(d) != 1 || d[0].Notifier == nil || len(d[0].Rules) != 1 || d[0].Rules[0].File != "alerts.yml" {
		t.Errorf("%+v", d)
	}
}

// An alert counts as at the Alertmanager from when it is muted no more, and a time without an answer stays in the record.
func TestAlertUnmuted(t *testing.T) {
	s, _ := fakeStage(t)
	b := &beside{away: 2500 * time.Millisecond, muted: 6 * time.Second}
	text := b.scenario(t, s.container(), "  alert \"Told\" {\n    within = \"3s\"\n  }\n")
	e := s.rehearse(strings.Replace(text, `"4s"`, `"9s"`, 1), b.fire)
	s.ended(e, journal.OutcomeHeld, 0)
	var states []string
	for _, r := range all[*journal.AlertRouted](e.rec) {
		states = append(states, r.Muted)
	}
	if !slices.Equal(states, []string{"silenced", ""}) {
		t.Errorf("%q", states)
	}
	if seen := all[*journal.AlertSeen](e.rec); len(seen) != 1 || seen[0].Routed == nil || seen[0].Routed.Last.Before(b.since.Add(b.muted)) || seen[0].Routed.First.After(b.since.Add(b.muted)) {
		t.Errorf("%+v", seen)
	}
	if u := one[*journal.AlertsSummed](t, e).Unanswered; len(u) != 1 || u[0].From.IsZero() || u[0].To.Before(b.since.Add(b.away)) || !strings.Contains(u[0].Why, "502") {
		t.Errorf("%+v", u)
	}
}

// A server that does not tell its rules, or has no rule of the name, decides nothing.
func TestAlertsOfAServerUnanswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		b     *beside
		alert string
		want  string
	}{
		"no rules":      {&beside{gone: true}, "Told", "Told inconclusive (not replayed)"},
		"no such alert": {&beside{}, "Other", "Other inconclusive (unseen)"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := fakeStage(t)
			e := s.rehearse(c.b.scenario(t, s.container(), fmt.Sprintf("  alert %q {\n    within = \"3s\"\n  }\n", c.alert)), c.b.fire)
			s.ended(e, journal.OutcomeInconclusive, 4)
			if got := alertVerdicts(e.rec); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// What could never fire, or not in time, is said before the run.
func TestAlertPlan(t *testing.T) {
	s, _ := fakeStage(t)
	text := s.withRules(target("it", s.container()), `
  alert "Unsteady" {
    within = "500ms"
  }
  alert "LongUnsteady" {
    within = "3s"
  }
  alert "Always" {
    fires  = false
    within = "1m"
  }
  alert "Farsighted" {
    fires = false
  }
`)
	ws, sc := s.load(text)
	p, err := runner.MakePlan(t.Context(), s.setup, ws, sc, "plan", 1)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, w := range p.Warnings {
		if strings.HasPrefix(w.Block, "alert ") || strings.Contains(w.Message, "look back up to") {
			said = append(said, w.Block+": "+w.Message)
		}
	}
	text = strings.Join(said, "\n")
	for _, want := range []string{`alert "Unsteady": the rule at alerts.yml:7 fires up to 600ms`, `alert "LongUnsteady": the rule at alerts.yml:10 has to be true for 5m`, `it could never fire`, `alert "Always": within is 1m`,
		`alert "Farsighted": the rule at alerts.yml:19 looks back 45s, and only 2s are recorded before the first fault, so nothing will be decided; make the baseline at least 45s, or use a server`,
		`prometheus "own": the rules of FarsightedToo look back up to 1m`} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, text)
		}
	}
	if len(said) != 5 || len(p.AlertRules("Unsteady")) != 1 {
		t.Errorf("%s", text)
	}
}
