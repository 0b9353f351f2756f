package runner_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/engine/fake"
	"gameday/inject/injecttest"
	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
	"gameday/scenarios"
)

func TestMain(m *testing.M) {
	if os.Getenv(childScenario) != "" {
		childRunner()
		return
	}
	flag.Parse()
	// The tests wait most of the time; as many as there are cores would leave those idle.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	code := injecttest.Main(m)
	// Prometheus's write-ahead log leaves this one behind when it is closed on a disk that is full.
	if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/prometheus/prometheus/tsdb/wlog.(*WL).run")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// A stage is an engine, a place for run directories and numbers that change on demand.
type stage struct {
	t       *testing.T
	setup   runner.Setup
	numbers *numbers
	docker  bool                // the engine is a real one
	private *enginetest.Private // and it is this one; nil: that of the environment
}

// realStage works on the Docker engine of the environment, with a lock of its own.
func realStage(t *testing.T) *stage {
	t.Helper()
	t.Parallel()
	tools := injecttest.Tools(t)
	return newStage(t, tools.Engine, tools, true)
}

// fakeStage works on an engine that misbehaves on demand.
func fakeStage(t *testing.T) (*stage, *fake.Fake) {
	t.Helper()
	t.Parallel()
	f := fake.New()
	if _, err := f.BuildImage(t.Context(), engine.Image{Tag: "helper:test", Entrypoint: []string{"/gameday"}}); err != nil {
		t.Fatal(err)
	}
	helper := func(context.Context) (string, error) { return "helper:test", nil }
	return newStage(t, f, inject.Tools{Engine: f, Helper: helper}, false), f
}

func newStage(t *testing.T, e engine.Engine, tools inject.Tools, docker bool) *stage {
	t.Helper()
	s := &stage{t: t, numbers: serveNumbers(t), docker: docker,
		setup: runner.Setup{Engine: e, Tools: tools, Version: "test", Runs: filepath.Join(t.TempDir(), "runs"), Lock: enginetest.Unique("gameday-lock"),
			NoGuard: !docker}} // in memory there is nothing that could run one
	if err := s.setup.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.setup.Self = ""
	return s
}

// container makes one that can be harmed.
func (s *stage) container(opts ...enginetest.Option) engine.Container {
	s.t.Helper()
	if s.docker {
		return enginetest.Workload(s.t, s.setup.Engine, enginetest.Unique("gameday-runner"), opts...)
	}
	return s.setup.Engine.(*fake.Fake).AddContainer(engine.Container{Name: enginetest.Unique("gameday-runner")})
}

// numbers is an exporter of gauges whose values tests change. "steady" is 1 from the start.
type numbers struct {
	url string

	mu      sync.Mutex
	values  map[string]string
	failing bool
}

func serveNumbers(t *testing.T) *numbers {
	n := &numbers{values: map[string]string{"steady": "1"}}
	srv := httptest.NewServer(n)
	t.Cleanup(srv.Close)
	n.url = srv.URL + "/metrics"
	return n
}

func (n *numbers) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failing {
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	now := fmt.Sprint(time.Now().UnixMilli()) // as the time of a value that has one of its own
	for name, v := range n.values {
		fmt.Fprintf(w, "%s %s\n", name, strings.ReplaceAll(v, "now", now))
	}
}

func (n *numbers) set(name, value string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.values[name] = value
}

// address is where it answers.
func (n *numbers) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(n.url, "http://"), "/metrics")
}

// fail makes every scrape fail, or no longer.
func (n *numbers) fail(failing bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failing = failing
}

func (n *numbers) drop(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.values, name)
}

// The parts of scenarios.
const steady = `
  hypothesis "steady" {
    query    = "steady"
    expect   = value < 10
    tolerate = "3s"
  }
`

// strict has no patience with what is seen, but much with a busy machine: it samples rarely.
const strict = `
  hypothesis "steady" {
    query  = "steady"
    expect = value < 10
    every  = "400ms"
  }
`

func target(name string, c engine.Container) string {
	return fmt.Sprintf("target %q {\n  name = %q\n}\n", name, c.Name)
}

func pauseFor(name, target, d string) string {
	return fmt.Sprintf("  fault \"pause\" %q {\n    target   = target.%s\n    duration = %q\n  }\n", name, target, d)
}

// embedded is a scenario over the stage's numbers.
func (s *stage) embedded(targets, body string) string {
	return fmt.Sprintf("prometheus \"own\" {\n  interval = \"200ms\"\n  scrape \"numbers\" {\n    url = %q\n  }\n}\n%s\nscenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"1s\"\n%s}\n",
		s.numbers.url, targets, body)
}

func (s *stage) load(text string) (*scenarios.Workspace, *scenarios.Scenario) {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "s.gameday.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	ws, ds := scenarios.Load(path, scenarios.Options{CheckQuery: runner.CheckQuery, CheckRules: runner.CheckRules})
	if ws == nil {
		s.t.Fatalf("%v\n%s", ds, text)
	}
	return ws, ws.Scenarios[0]
}

// prepare plans a scenario and makes its run.
func (s *stage) prepare(text string, observe func(*runner.Run, journal.Event)) *runner.Run {
	s.t.Helper()
	r, err := s.plan(text, observe)
	if err != nil {
		s.t.Fatalf("plan: %v", err)
	}
	return r
}

// makePlan plans a scenario that fits what runs.
func (s *stage) makePlan(text string) *runner.Plan {
	s.t.Helper()
	ws, sc := s.load(text)
	p, err := runner.MakePlan(enginetest.Context(s.t), s.setup, ws, sc, "plan", 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *stage) plan(text string, observe func(*runner.Run, journal.Event)) (*runner.Run, error) {
	s.t.Helper()
	ws, sc := s.load(text)
	id := journal.NewID(sc.Name, time.Now())
	p, err := runner.MakePlan(enginetest.Context(s.t), s.setup, ws, sc, id, 1)
	if err != nil {
		return nil, err
	}
	var r *runner.Run
	r = runner.NewRun(s.setup, p, id, func(ev journal.Event) {
		if observe != nil {
			observe(r, ev)
		}
	})
	return r, nil
}

// An ending is what a run came to, and its record as another process reads it.
type ending struct {
	runner.Result
	err error
	rec *journal.Record
}

// rehearse plans and executes a scenario. observe, which may be nil, is told of every event as it is written. Where the machine was so
// busy that the baseline, which is short here, has too few samples, nothing was injected: that tells nothing of gameday, and it is
// rehearsed again.
func (s *stage) rehearse(text string, observe func(*runner.Run, journal.Event)) ending {
	s.t.Helper()
	for try := 1; ; try++ {
		e := s.execute(context.Background(), s.prepare(text, observe))
		if try == 3 || !starved(e) {
			return e
		}
		s.t.Logf("rehearsed again, for want of samples\n%s", story(e.rec))
	}
}

// starved says whether a run has ended with its baseline, for want of samples alone.
func starved(e ending) bool {
	for _, b := range events[*journal.BaselineJudged](e.rec) {
		few := func(f journal.GateFailure) bool { return f.Reason == journal.ReasonNoData && f.Samples < f.Needed }
		if len(b.Failures) > 0 && !slices.ContainsFunc(b.Failures, func(f journal.GateFailure) bool { return !few(f) }) {
			return true
		}
	}
	return false
}

func (s *stage) execute(ctx context.Context, r *runner.Run) ending {
	s.t.Helper()
	e := ending{}
	e.Result, e.err = r.Execute(ctx)
	var err error
	if e.rec, err = journal.Read(r.Dir()); err != nil && e.err == nil {
		s.t.Fatalf("the record cannot be read: %v", err)
	}
	return e
}

// ended checks how a run ended, that its record is whole, and that drafts can be made of it.
func (s *stage) ended(e ending, want journal.Outcome, code int) {
	s.t.Helper()
	if e.err != nil {
		s.t.Errorf("Execute: %v", e.err)
	}
	s.cameTo(e, want, code)
}

// cameTo is ended for a run that may have come with an error.
func (s *stage) cameTo(e ending, want journal.Outcome, code int) {
	s.t.Helper()
	if e.Outcome != want || e.Exit != code {
		s.t.Errorf("the run ended as %s (exit code %d), want %s (%d)\n%s", e.Outcome, e.Exit, want, code, story(e.rec))
	}
	if e.rec == nil {
		s.t.Fatal("there is no record")
	}
	for _, d := range e.rec.Damage {
		s.t.Errorf("damage: %+v", d)
	}
	if end := e.rec.Ended(); end == nil || end.Outcome != e.Outcome || end.ExitCode != e.Exit {
		s.t.Errorf("the record ends with %+v, the result is %+v", end, e.Result)
	}
	s.drafts(e)
	s.rejudges(e)
}

func (s *stage) drafts(e ending) {
	s.t.Helper()
	paths, err := report.Write(e.Dir, e.rec)
	if err != nil || len(paths) == 0 {
		s.t.Errorf("drafts %v: %v", paths, err)
	}
}

// clean checks from outside that no fault is in force on the containers, and that nothing of gameday's own is left of a run.
func (s *stage) clean(e ending, cs ...engine.Container) {
	s.t.Helper()
	if e.rec != nil {
		for _, in := range journal.OpenIntents(e.rec.Events) {
			s.t.Errorf("fault.%s on %s stays open in the journal", in.Fault, in.Container.Name)
		}
	}
	for _, c := range cs {
		if got := s.status(c); got != "running" {
			s.t.Errorf("%s is %s", c.Name, got)
		}
	}
	s.noneLeft(e.Run)
}

// status is that of a container, seen without gameday's code where there is a real engine.
func (s *stage) status(c engine.Container) string {
	s.t.Helper()
	if s.private != nil {
		return strings.TrimSpace(s.private.Docker("inspect", "--format", "{{.State.Status}}", c.ID))
	}
	if s.docker {
		return injecttest.Outside(s.t, c.ID).State.Status
	}
	now, err := s.setup.Engine.Container(s.t.Context(), c.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return now.State.Status
}

// noneLeft checks that nothing in Docker carries the label of a run.
func (s *stage) noneLeft(run string) {
	s.t.Helper()
	if s.private != nil {
		if out := s.private.Docker("ps", "-aq", "--filter", "label="+engine.Label+"="+run); out != "" {
			s.t.Errorf("left behind: %s", out)
		}
		return
	}
	if s.docker {
		if out := injecttest.Docker(s.t, "ps", "-aq", "--filter", "label="+engine.Label+"="+run); out != "" {
			s.t.Errorf("left behind: %s", out)
			injecttest.Docker(s.t, append([]string{"rm", "-f"}, strings.Fields(out)...)...)
		}
		return
	}
	all, err := s.setup.Engine.Containers(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range all {
		if c.Labels[engine.Label] == run {
			s.t.Errorf("left behind: %s", c.Name)
		}
	}
}

// verdict is that of a hypothesis.
func (e ending) verdict(t *testing.T, name string) *journal.HypothesisJudged {
	t.Helper()
	for _, v := range events[*journal.HypothesisJudged](e.rec) {
		if v.Hypothesis == name {
			return v
		}
	}
	t.Fatalf("no verdict on %s\n%s", name, story(e.rec))
	return nil
}

// wantVerdict checks a verdict and its reason.
func (e ending) wantVerdict(t *testing.T, name string, want journal.Verdict, why journal.Reason) {
	t.Helper()
	if v := e.verdict(t, name); v.Verdict != want || v.Reason != why {
		t.Errorf("%s is %s (%s: %s), want %s (%s)\n%s", name, v.Verdict, v.Reason, v.Detail, want, why, story(e.rec))
	}
}

// events lists the payloads of one type in a record.
func events[P journal.Payload](rec *journal.Record) []P {
	var out []P
	if rec != nil {
		for _, e := range rec.Events {
			if p, ok := e.Payload.(P); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

// one returns the only payload of its type, and fails the test if there is none or more.
func one[P journal.Payload](t *testing.T, e ending) P {
	t.Helper()
	all := events[P](e.rec)
	if len(all) != 1 {
		t.Fatalf("%d events of type %T, want one\n%s", len(all), *new(P), story(e.rec))
	}
	return all[0]
}

// story is a record in short, for messages.
func story(rec *journal.Record) string {
	if rec == nil {
		return "(no record)"
	}
	var b strings.Builder
	for _, e := range rec.Events {
		if e.Payload.Kind() != "scenario.declared" && e.Payload.Kind() != "run.started" {
			fmt.Fprintf(&b, "  %8s %s %s\n", time.Duration(e.Offset).Round(time.Millisecond), e.Payload.Kind(), line(e))
		}
	}
	return b.String()
}

func line(e journal.Event) string {
	b, _ := e.MarshalJSON()
	_, data, _ := strings.Cut(string(b), `"data":`)
	return data[:min(len(data), 400)]
}

// says fails the test unless a text has all parts.
func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not say %q", text, p)
		}
	}
}

// on calls do once, at the first event whose payload has the type.
func on[P journal.Payload](do func(*runner.Run, P)) func(*runner.Run, journal.Event) {
	var once sync.Once
	return func(r *runner.Run, ev journal.Event) {
		if p, ok := ev.Payload.(P); ok {
			once.Do(func() { do(r, p) })
		}
	}
}
