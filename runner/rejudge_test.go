package runner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/runner/metrics/metricstest"
	"gameday/scenarios"
)

// recordedRuns are the run directories that the commands are tested with. They were recorded by an earlier version.
func recordedRuns(t *testing.T) []string {
	t.Helper()
	dirs, err := journal.Runs("../cmd/gameday/testdata/runs")
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	return dirs
}

func unopened() (metrics.Source, error) { return nil, errors.New("the recorded series were opened") }

// rejudge judges a recorded run by its own scenario, in which texts are replaced.
func rejudge(t *testing.T, dir string, open func() (metrics.Source, error), o scenarios.Options, replace ...string) (*Rejudgement, []string, error) {
	t.Helper()
	rec, err := journal.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	changed := t.TempDir()
	files, err := filepath.Glob(filepath.Join(dir, "scenario", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.NewReplacer(replace...).Replace(string(b)); len(replace) > 0 && text == string(b) {
			t.Fatalf("nothing was replaced in %s", f)
		} else if err := os.WriteFile(filepath.Join(changed, filepath.Base(f)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.CheckQuery = CheckQuery
	ws, notes, ds := LoadForRun(changed, rec, o)
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	i := slices.IndexFunc(ws.Scenarios, func(s *scenarios.Scenario) bool { return s.Name == rec.Started().Scenario })
	re, err := Rejudge(t.Context(), rec, ws, ws.Scenarios[i], open)
	return re, notes, err
}

// verdictOf is a verdict as JSON, without what earlier versions did not record, or less exactly.
func verdictOf(t *testing.T, v *journal.HypothesisJudged) string {
	t.Helper()
	x := *v
	x.FirstViolation, x.RecoveredBeforeUndo = nil, nil
	if x.HeldAgain != nil {
		again := *x.HeldAgain
		again.AtMost = 0
		x.HeldAgain = &again
	}
	b, err := json.MarshalIndent(&x, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A run judged by its own scenario has its own verdicts, and nobody opens the series for it.
func TestRejudgedByItsOwnScenario(t *testing.T) {
	for _, dir := range recordedRuns(t) {
		re, notes, err := rejudge(t, dir, unopened, scenarios.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if re.Now != re.Then || len(re.Notes)+len(re.Changes)+len(notes) > 0 {
			t.Errorf("%s: %s, was %s; %q %q %q", dir, re.Now, re.Then, re.Notes, re.Changes, notes)
		}
		for _, h := range re.Hypotheses {
			if d := cmp.Diff(verdictOf(t, h.Then), verdictOf(t, h.Now)); d != "" || len(h.Changes) > 0 || h.Evaluated {
				t.Errorf("%s: %s %q (-then +now):\n%s", dir, h.Name, h.Changes, d)
			}
		}
	}
}

// What is changed in the scenario changes what is said of the run, and only that.
func TestRejudgedByAnother(t *testing.T) {
	dirs := recordedRuns(t)
	checkout, frontend := dirs[1], dirs[0]
	for _, x := range []struct {
		says, dir string
		replace   []string
		now       string // outcome: verdict, reason
		notes     string // in the notes
		changes   string // in the changes of the hypothesis
	}{
		{"a wider bound", checkout, []string{"value < 0.01", "value <= 1"}, "held: held held", "", "expect: value < 0.01 → value <= 1"},
		{"a bound that the baseline breaks", frontend, []string{"value == 1", "value > 1"}, "not injected: refuted violated", "nothing would have been injected", "expect: "},
		{"a tolerance", checkout, []string{"value < 0.01", "value < 0.01\n    tolerate = \"10s\""}, "held: held held", "", "tolerate: 0s → 10s"},
		{"a tolerance that is too short", checkout, []string{"value < 0.01", "value < 0.01\n    tolerate = \"1s\""}, "refuted: refuted violated", "", "tolerate"},
		{"other phases", checkout, []string{"value < 0.01", "value < 0.01\n    phases = [\"recovery\"]"}, "held: held held", "", "phases"},
		{"a time by which it recovers", checkout, []string{"value < 0.01", "value < 0.01\n    phases = [\"recovery\"]\n    within = \"1s\""}, "refuted: refuted not recovered", "", "within"},
		{"the baseline", checkout, []string{"value < 0.01", "value < 10 * baseline + 0.01"}, "refuted: refuted violated", "", "expect"},
		{"a hypothesis is gone", checkout, []string{"hypothesis \"few_fail\"", "hypothesis \"fewer_fail\""}, "", "", ""},
		{"the faults", checkout, []string{"\"5s\"", "\"6s\""}, "refuted: refuted violated", "fault.freeze is not as it was in the run", ""},
		{"the length of the baseline", checkout, []string{"baseline = \"4s\"", "baseline = \"8s\""}, "refuted: refuted violated", "baseline = \"8s\" is not as it was", ""},
		{"a guardrail that would have tripped", checkout, []string{"  fault \"pause\" \"freeze\" {\n    target   = target.store\n    duration = \"5s\"", `
  guardrail "too_many_fail" {
    query      = "(sum(rate(http_requests_total{code=~\"5..\"}[2s])) or vector(0)) / sum(rate(http_requests_total[2s]))"
    abort_when = value > 0.9
  }
  fault "pause" "freeze" {
    target   = target.store
    duration = "5s"`}, "", "", ""},
	} {
		t.Run(x.says, func(t *testing.T) {
			re, _, err := rejudge(t, x.dir, unopened, scenarios.Options{}, x.replace...)
			if x.now == "" { // it asks what the run did not
				if err == nil || !strings.Contains(err.Error(), "were opened") {
					t.Errorf("%+v, %v", re, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h := re.Hypotheses[0]
			if got := string(re.Now) + ": " + string(h.Now.Verdict) + " " + string(h.Now.Reason); got != x.now || re.ExitCode != re.Now.ExitCode() {
				t.Errorf("%s (exit code %d), want %s; %q", got, re.ExitCode, x.now, re.Notes)
			}
			if !strings.Contains(strings.Join(re.Notes, "\n"), x.notes) || !strings.Contains(strings.Join(h.Changes, "\n"), x.changes) {
				t.Errorf("notes %q, changes %q", re.Notes, h.Changes)
			}
			if h.Then == nil || re.Then == "" {
				t.Errorf("then: %+v", h.Then)
			}
		})
	}
}

// A query that the run did not ask is answered by the recorded series, at the recorded times; of a server's run there are none.
func TestRejudgedByAnotherQuery(t *testing.T) {
	dir := filepath.Join(t.TempDir(), filepath.Base(recordedRuns(t)[1]))
	if err := os.CopyFS(dir, os.DirFS(recordedRuns(t)[1])); err != nil {
		t.Fatal(err)
	}
	rec, err := journal.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := Recall(rec)
	line := metrics.Line{Labels: map[string]string{"__name__": "queue", "container": "store"}}
	for at := h.Start.Add(-time.Second); at.Before(h.End); at = at.Add(500 * time.Millisecond) {
		v := 3.0
		if h.phase(at) == journal.Fault {
			v = 8
		}
		line.Points = append(line.Points, metrics.Point{At: at, Value: v})
	}
	tsdb := filepath.Join(dir, journal.SamplesDir, journal.TSDBDir)
	if err := metricstest.Record(tsdb, false, line); err != nil {
		t.Fatal(err)
	}
	before := metricstest.Tree(t, dir)
	open := func() (metrics.Source, error) { return RecordedSeries(dir, rec) }
	query := `query       = "(sum(rate(http_requests_total{code=~\"5..\"}[2s])) or vector(0)) / sum(rate(http_requests_total[2s]))"`
	for expect, want := range map[string]string{"value < 10": "held held", "value < 5": "refuted violated", "value < 2 * baseline": "refuted violated", "value < 3 * baseline": "held held"} {
		re, _, err := rejudge(t, dir, open, scenarios.Options{}, query, `query = "sum(queue)"`, "value < 0.01", expect)
		if err != nil {
			t.Fatal(err)
		}
		x := re.Hypotheses[0]
		if got := string(x.Now.Verdict) + " " + string(x.Now.Reason); got != want || !x.Evaluated {
			t.Errorf("%s: %s, want %s (%+v)", expect, got, want, x)
		}
		var times, old []time.Time
		for _, s := range re.Record().Queries["Q1"].Samples {
			times = append(times, s.At)
		}
		for _, s := range rec.Queries["Q1"].Samples {
			old = append(old, s.At)
		}
		if d := cmp.Diff(old, times); d != "" {
			t.Errorf("it was evaluated at other times:\n%s", d)
		}
	}
	// A new hypothesis beside it, sampled more often, and a guardrail that would have ended the run.
	re, _, err := rejudge(t, dir, open, scenarios.Options{}, "  fault \"pause\" \"freeze\" {\n    target   = target.store\n    duration = \"5s\"", `
  hypothesis "the_queue_stays_short" {
    query    = "queue"
    expect   = value < 10
    every    = "250ms"
  }
  guardrail "the_queue_overflows" {
    query      = "queue"
    abort_when = value > 7
    for        = "1s"
  }
  fault "pause" "freeze" {
    target   = target.store
    duration = "5s"`)
	if err != nil {
		t.Fatal(err)
	}
	if x := re.Hypotheses[1]; x.Then != nil || x.Now.Verdict != journal.Held || !x.Evaluated || x.Now.Phases[1].Samples < 18 {
		t.Errorf("%+v %+v", x, x.Now)
	}
	if x := re.Guardrails[0]; !x.Now.Tripped || x.Now.Blind || re.Now != journal.OutcomeAborted || re.ExitCode != ExitAborted {
		t.Errorf("%+v; %s", x.Now, re.Now)
	}
	if !strings.Contains(strings.Join(re.Notes, "\n"), "would have stopped the run at ") {
		t.Errorf("%q", re.Notes)
	}
	if d := cmp.Diff(before, metricstest.Tree(t, dir)); d != "" {
		t.Errorf("the run directory was changed:\n%s", d)
	}

	// The same of a server.
	src := rec.Started().Source
	src.Type, src.URL = "server", "http://prometheus:9090"
	ws, _, ds := LoadForRun(filepath.Join(dir, "scenario"), rec, scenarios.Options{})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	sc := ws.Scenarios[slices.IndexFunc(ws.Scenarios, func(s *scenarios.Scenario) bool { return s.Name == "checkout_works" })]
	sc.Hypotheses[0].Query = "up"
	_, err = Rejudge(context.Background(), rec, ws, sc, unopened)
	if problems, refused := IsRefusal(err); !refused || len(problems) != 1 || !strings.Contains(problems[0].Message, "put the old one back, or run the scenario again") || problems[0].Line == 0 {
		t.Errorf("%v", err)
	}
	if _, err := RecordedSeries(dir, rec); err == nil || !strings.Contains(err.Error(), "gameday query") || !strings.Contains(err.Error(), "Q1") {
		t.Errorf("%v", err)
	}
}

// Variables have the values that they had in the run, unless somebody says otherwise.
func TestRejudgedVariables(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(dir, os.DirFS(recordedRuns(t)[1])); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, journal.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), `"seed":1`, `"variables":{"budget":"0.01","secret":"(sensitive)"},"seed":1`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	variable := []string{"value < 0.01", "value < var.budget", `prometheus "own" {`, "variable \"budget\" {\n  type = number\n  default = 2\n}\nprometheus \"own\" {"}
	env := func(string) (string, bool) { return "", false }
	re, notes, err := rejudge(t, dir, unopened, scenarios.Options{Env: env}, variable...)
	if err != nil || re.Now != journal.OutcomeRefuted || len(notes) != 1 || !strings.Contains(notes[0], "var.budget is 0.01, as in the run, and not 2") {
		t.Errorf("%+v, %q, %v", re, notes, err)
	}
	re, notes, err = rejudge(t, dir, unopened, scenarios.Options{Env: env, Vars: []string{"budget=2"}}, variable...)
	if err != nil || re.Now != journal.OutcomeHeld || len(notes) != 0 || !slices.Contains(re.Changes, "var.budget: 0.01 → 2") {
		t.Errorf("%+v, %q, %v", re, notes, err)
	}
	// One without a default has its value from the run, and an address that nobody gives is not needed.
	variable = append(variable, "  default = 2\n", "", `  interval = "500ms"`, "  interval = \"500ms\"\n}\nprometheus \"other\" {\n  url = env(\"NOBODY_SETS_THIS\")\n  bearer_token = env(\"NOR_THIS\")", `  title    =`, "  source = prometheus.own\n  title    =")
	variable[3] = "variable \"budget\" {\n  type = number\n}\nprometheus \"own\" {"
	variable = slices.Delete(variable, 4, 6)
	variable = append(variable, "  scrape \"frontend\" {\n    target = target.frontend\n    port   = 8080\n  }\n", "")
	re, _, err = rejudge(t, dir, unopened, scenarios.Options{Env: env}, variable...)
	if err != nil || re.Now != journal.OutcomeRefuted {
		t.Errorf("%+v, %v", re, err)
	}
}
