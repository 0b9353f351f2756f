package runner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics/metricstest"
)

// watched is a scenario over the stage's numbers with windows that are long enough to be compared.
func (s *stage) watched(targets string) string {
	text := strings.Replace(s.embedded(targets, steady+pauseFor("f", "t", "3s")), `baseline = "2s"`, `baseline = "4s"`, 1)
	return strings.Replace(text, `recovery = "1s"`, `recovery = "4s"`, 1)
}

// What moves in a fault and was in no hypothesis is found, told apart, and held against the newest sham run of the scenario.
func TestWhatElseMoved(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	for name, v := range map[string]string{"queue": "3", "wobbly": "10", "cache_entries": "500", "constant": "7"} {
		s.numbers.set(name, v)
	}
	wobble := func(run *runner.Run, ev journal.Event) {
		if p, ok := ev.Payload.(*journal.PhaseStarted); ok {
			s.numbers.set("wobbly", map[journal.Phase]string{journal.Baseline: "10", journal.Fault: "20", journal.Recovery: "10"}[p.Phase])
		}
	}

	s.setup.Sham = true
	sham := s.rehearse(s.watched(target("t", c)), wobble)
	s.ended(sham, journal.OutcomeNotInjected, runner.ExitInconclusive)
	s.clean(sham, c)
	sham.wantVerdict(t, "steady", journal.NotTested, journal.ReasonSham)
	if !sham.rec.Started().Sham || len(events[*journal.FaultIntent](sham.rec)) > 0 || len(events[*journal.TargetChanged](sham.rec)) > 0 {
		t.Errorf("it is no sham run\n%s", story(sham.rec))
	}
	m := one[*journal.Moved](t, sham)
	moves := map[string]bool{}
	for _, f := range m.Floor {
		moves[f.Metric] = true
	}
	if m.Why != "" || !moves["wobbly"] || moves["queue"] || moves["constant"] || m.Noise != nil {
		t.Fatalf("%+v", m)
	}

	s.setup.Sham = false
	e := s.rehearse(s.watched(target("t", c)), func(run *runner.Run, ev journal.Event) {
		wobble(run, ev)
		switch ev.Payload.(type) {
		case *journal.FaultVerified:
			s.numbers.set("queue", "40")
			s.numbers.set("errors", "5")
			s.numbers.drop("cache_entries")
		case *journal.UndoStarted:
			s.numbers.set("queue", "3")
		}
	})
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	m = one[*journal.Moved](t, e)
	if m.Why != "" || m.Noise == nil || m.Noise.Run != sham.Run || m.Noise.Movements < 1 || m.Noise.Within < 1 || len(m.Floor) > 0 {
		t.Fatalf("%+v", m)
	}
	got := map[string]journal.Movement{}
	for _, f := range m.Findings {
		if f.Target["job"] != "numbers" {
			continue // what the engine tells of the container
		}
		got[f.Metric] = f
		if f.InNoise != (f.Metric == "wobbly") || len(f.Named) > 0 {
			t.Errorf("%+v", f)
		}
	}
	for metric, change := range map[string]string{"queue": "moved and returned", "errors": "appeared", "cache_entries": "vanished", "wobbly": "moved and returned"} {
		if got[metric].Change != change {
			t.Errorf("%s: %+v", metric, got[metric])
		}
	}
	if len(got) != 4 || m.Compared < 6 {
		t.Errorf("%d series compared; %+v", m.Compared, m.Findings)
	}
	if q := got["queue"]; q.Baseline == nil || q.Baseline.Value != 3 || q.Fault.Value != 40 || q.Recovery.Value != 3 || q.Delta != 1 {
		t.Errorf("%+v", q)
	}
}

// A server's series are compared where it is said which; where it is not, the plan says why they are not.
func TestWhatElseMovedOnAServer(t *testing.T) {
	exporter := metricstest.NewExporter(t)
	s, _ := fakeStage(t)
	c := s.container()
	p := startPrometheus(t, map[string]string{"suite": exporter.Address})
	text := func(watch string) string {
		body := strings.Replace(steady, `query    = "steady"`, `query    = "suite_temperature{room=\"a\"}"
    every    = "200ms"`, 1)
		body = strings.Replace(body, "value < 10", "value < 30", 1)
		out := remote(p.url, target("t", c), body+pauseFor("f", "t", "7s"))
		out = strings.Replace(out, "baseline = \"2s\"\n  recovery = \"1s\"", "baseline = \"7s\"\n  recovery = \"1s\"", 1)
		return strings.Replace(out, `timeout = "1s"`, `timeout = "1s"`+watch, 1)
	}
	p.scraped(t, "suite_passing")
	e := s.rehearse(text("\n  watch   = \"{job=~\\\"suite|nobody\\\"}\""), on(func(*runner.Run, *journal.FaultVerified) {
		time.Sleep(300 * time.Millisecond)
		exporter.Vanish()
	}))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	m := one[*journal.Moved](t, e)
	if m.Why != "" || m.Compared < 10 || len(m.Findings) != 1 || m.Findings[0].Metric != "suite_passing" || m.Findings[0].Change != "vanished" {
		t.Errorf("%+v", m)
	}

	plan := s.makePlan(text(""))
	found := false
	for _, w := range plan.Warnings {
		found = found || strings.Contains(w.Message, "what else moves in this run is not computed") && strings.Contains(w.Message, "watch =")
	}
	if !found {
		t.Errorf("%+v", plan.Warnings)
	}
}

// What a scenario cannot see is in its plan and in the record of its run, and so is what was met on the way.
func TestBlindSpots(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	text := s.embedded(target("t", c), strings.Replace(steady, `query    = "steady"`, `query    = "max_over_time(steady[400ms])"
    phases   = ["baseline"]`, 1)+pauseFor("short", "t", "100ms")+`
  fault "pause" "long" {
    target   = target.t
    after    = fault.short
    start    = "500ms"
    duration = "1500ms"
  }
`)
	text = strings.Replace(text, "  scrape \"numbers\" {", "  scrape \"nobody\" {\n    url = \"http://127.0.0.1:1/metrics\"\n  }\n  scrape \"numbers\" {", 1)
	plan := s.makePlan(text)
	if _, _, err := plan.EvaluateNow(t.Context(), s.setup, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, w := range plan.Warnings {
		words = append(words, w.Message)
	}
	says(t, strings.Join(words, "\n"), "the query looks back 400ms and there is a sample every 200ms", "it lasts 100ms, and there is a sample every 200ms",
		`job="nobody"} does not answer when it is scraped`)

	e := s.rehearse(text, on(func(*runner.Run, *journal.FaultVerified) {
		s.numbers.fail(true)
		time.AfterFunc(700*time.Millisecond, func() { s.numbers.fail(false) })
	}))
	s.clean(e, c)
	got := map[journal.BlindWhat]journal.BlindSpot{}
	for _, b := range events[*journal.BlindSpots](e.rec) {
		for _, spot := range b.Spots {
			got[spot.What] = spot
		}
	}
	for what, ok := range map[journal.BlindWhat]bool{
		journal.BlindRange:   got[journal.BlindRange].Name == "steady" && got[journal.BlindRange].QueryID == "Q1",
		journal.BlindFault:   got[journal.BlindFault].Name == "short",
		journal.BlindNeverUp: got[journal.BlindNeverUp].Labels["job"] == "nobody",
		journal.BlindDown:    got[journal.BlindDown].Labels["job"] == "numbers" && time.Duration(got[journal.BlindDown].Reads) >= 400*time.Millisecond,
	} {
		if !ok {
			t.Errorf("%s: %+v\n%s", what, got[what], story(e.rec))
		}
	}
}

// A rule that is evaluated more rarely than the faults last is a blind spot, and what a rule reads is named by it.
func TestRuleThatMissesTheFaults(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	rules := filepath.Join(t.TempDir(), "alerts.yml")
	text := "groups:\n- name: slow\n  interval: 1m\n  rules:\n  - alert: QueueLong\n    expr: queue > 100\n"
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plan := s.makePlan(strings.Replace(s.watched(target("t", c)), "interval = \"200ms\"", fmt.Sprintf("interval = \"200ms\"\n  rules = [%q]", rules), 1))
	if len(plan.Blind) != 1 || plan.Blind[0].What != journal.BlindRule || plan.Blind[0].Name != "QueueLong" || time.Duration(plan.Blind[0].Interval) != time.Minute {
		t.Errorf("%+v", plan.Blind)
	}
}
