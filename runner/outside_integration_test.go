package runner_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/runner"
	"gameday/runner/journal"
)

// claim is a hypothesis that is judged in the fault, strictly.
func claim(name, query, expect string) string {
	return fmt.Sprintf("  hypothesis %q {\n    query  = %q\n    expect = %s\n    phases = [\"fault\"]\n    every  = \"400ms\"\n  }\n", name, query, expect)
}

// A container without metrics has hypotheses: on what the engine tells of it and of its neighbour, and on whether it answers.
func TestContainerWithoutMetrics(t *testing.T) {
	s := realStage(t)
	n := enginetest.TestNetwork(t, s.setup.Engine)
	c := s.container(enginetest.Network(n.Name), enginetest.Args("serve", "8080"))
	beside := s.container(enginetest.Network(n.Name))
	text := `
prometheus "own" {
  interval = "200ms"

  probe "http" "page" {
    target     = target.t
    port       = 8080
    body_regex = "^ok"
  }

  probe "tcp" "port" {
    target = target.t
    port   = 8080
  }
}
` + target("t", c) + `
scenario "s" {
  baseline = "4s"
  recovery = "2s"
` + claim("answers", `probe_success{job="page"}`, "value == 1") +
		claim("runs", fmt.Sprintf(`container_state{name=%q,state="running"}`, c.Name), "value == 1") +
		claim("is_told_of", fmt.Sprintf(`container_memory_working_set_bytes{name=%q}`, c.Name), "value > 0") +
		claim("the_other_runs", fmt.Sprintf(`container_state{name=%q,state="running"}`, beside.Name), "value == 1") +
		pauseFor("f", "t", "4s") + "}\n"
	e := s.rehearse(text, nil)
	s.ended(e, journal.OutcomeRefuted, runner.ExitRefuted)
	s.clean(e, c)
	e.wantVerdict(t, "answers", journal.Refuted, journal.ReasonViolated)
	e.wantVerdict(t, "runs", journal.Refuted, journal.ReasonViolated)
	e.wantVerdict(t, "is_told_of", journal.Held, journal.ReasonHeld)
	e.wantVerdict(t, "the_other_runs", journal.Held, journal.ReasonHeld)
	w := events[*journal.ContainersWatched](e.rec)
	if len(w) == 0 || len(w[0].Targets) != 1 || w[0].Targets[0].ID != c.ID || len(w[0].Neighbours) != 1 || w[0].Neighbours[0].ID != beside.ID {
		t.Errorf("watched: %+v", w)
	}
}

// What was removed is no data, and no data is never a pass.
func TestRemovedContainerIsNoData(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	other := s.container()
	text := "prometheus \"own\" {\n  interval = \"200ms\"\n}\n" + target("t", c) + target("o", other) + "scenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"1s\"\n" +
		claim("there", fmt.Sprintf("container_memory_usage_bytes{name=%q}", other.Name), "value > 0") +
		claim("listed", fmt.Sprintf("container_state{name=%q,state=\"running\"}", other.Name), "value >= 0") +
		"  blast_radius {\n    protect = [target.o]\n  }\n" + pauseFor("f", "t", "4s") + "}\n"
	e := s.rehearse(text, on(func(*runner.Run, *journal.FaultVerified) {
		if err := f.Remove(t.Context(), other.ID); err != nil {
			t.Error(err)
		}
	}))
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	e.wantVerdict(t, "there", journal.Inconclusive, journal.ReasonNoData)
	e.wantVerdict(t, "listed", journal.Inconclusive, journal.ReasonNoData)
}

// A probe of something outside, that stops answering during the fault.
func TestProbeOfAURL(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	text := fmt.Sprintf("prometheus \"own\" {\n  interval = \"200ms\"\n  probe \"http\" \"site\" {\n    url        = %q\n    body_regex = \"steady 1\"\n  }\n}\n%s\nscenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"1s\"\n%s%s}\n",
		s.numbers.url, target("t", c), claim("answers", "probe_success", "value == 1")+claim("status", "probe_http_status_code", fmt.Sprintf("value == %d", http.StatusOK)),
		pauseFor("f", "t", "3s"))
	e := s.rehearse(text, on(func(*runner.Run, *journal.FaultVerified) { s.numbers.set("steady", "2") }))
	s.ended(e, journal.OutcomeRefuted, runner.ExitRefuted)
	e.wantVerdict(t, "answers", journal.Refuted, journal.ReasonViolated)
	e.wantVerdict(t, "status", journal.Held, journal.ReasonHeld)
}

// A port that cannot be reached from here is refused before anything is done.
func TestProbeWithoutAnAddress(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	text := "prometheus \"own\" {\n  probe \"tcp\" \"port\" {\n    target = target.t\n    port   = 80\n  }\n}\n" + target("t", c) +
		"scenario \"s\" {\n  baseline = \"2s\"\n" + claim("answers", "probe_success", "value == 1") + pauseFor("f", "t", "1s") + "}\n"
	e := s.rehearse(text, nil)
	s.ended(e, journal.OutcomeError, runner.ExitError)
	if d := e.rec.Ended().Detail; !strings.Contains(d, `probe "port"`) || !strings.Contains(d, "no address") {
		t.Error(d)
	}
}

// What a probe measured says little where nobody claims that it is answered.
func TestPlanWarnsOfProbesUnclaimed(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	own := "prometheus \"own\" {\n  probe \"tcp\" \"port\" {\n    address = \"127.0.0.1:1\"\n  }\n}\n"
	success, quick := claim("answers", "probe_success", "value == 1"), claim("quick", "max(probe_duration_seconds)", "value < 0.5")
	for name, x := range map[string]struct{ source, claims, want string }{
		"time":   {own, quick, "neither a time nor a status"},
		"status": {own, claim("fine", "probe_http_status_code", "value < 500"), "neither a time nor a status"},
		"phase":  {own, claim("fine", "probe_http_duration_seconds{phase=\"processing\"}", "value < 1"), "neither a time nor a status"},
		"server": {"prometheus \"p\" {\n  url = \"http://127.0.0.1:1\"\n}\n", quick, "blackbox_exporter gives a refused connection a short time"},
		"both":   {own, success + quick, ""},
		"other":  {own, claim("up", "up", "value == 1"), ""},
	} {
		p := s.makePlan(x.source + target("t", c) + "scenario \"s\" {\n  baseline = \"9s\"\n" + x.claims + pauseFor("f", "t", "5s") + "}\n")
		got := ""
		for _, w := range p.Warnings {
			if strings.Contains(w.Message, "probe_success") {
				got += w.Message
			}
		}
		if x.want == "" && got != "" || !strings.Contains(got, x.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The plan says who is watched, what does not answer now, and which range holds too few of the samples that the engine gives.
func TestPlanWatches(t *testing.T) {
	s, f := fakeStage(t)
	in := func(name string) engine.Container {
		return f.AddContainer(engine.Container{Name: enginetest.Unique(name), Networks: []engine.Endpoint{{Network: "shop"}}})
	}
	b, a, c := in("b"), in("a"), in("c")
	f.AddContainer(engine.Container{Name: "stranger"})
	f.AddContainer(engine.Container{Name: "helper", Labels: map[string]string{engine.Label: "x"}, Networks: []engine.Endpoint{{Network: "shop"}}})
	text := "prometheus \"own\" {\n  interval = \"100ms\"\n  probe \"tcp\" \"port\" {\n    address = \"127.0.0.1:1\"\n  }\n}\n" + target("t", c) +
		"scenario \"s\" {\n  baseline = \"9s\"\n" + claim("short", "rate(container_cpu_usage_seconds_total[2s])", "value >= 0") +
		claim("long", "rate(container_cpu_usage_seconds_total[4s])", "value >= 0") + pauseFor("f", "t", "5s") + "}\n"
	ws, sc := s.load(text)
	p, err := runner.MakePlan(t.Context(), s.setup, ws, sc, "plan", 1)
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Watched; !slices.Equal(w.Targets, []string{c.Name}) || !slices.Equal(w.Neighbours, []string{a.Name, b.Name}) || len(w.Probes) != 1 {
		t.Errorf("watched: %+v", w)
	}
	seen, _, err := p.EvaluateNow(t.Context(), s.setup, 10*time.Second)
	if err != nil || len(seen) != 2 || seen[0].State != journal.Holding || seen[1].State != journal.Holding {
		t.Errorf("%+v, %v", seen, err)
	}
	var words []string
	for _, w := range p.Warnings {
		words = append(words, w.Block+": "+w.Message)
	}
	all := strings.Join(words, "\n")
	says(t, all, `hypothesis "short": the query looks back 2s and there is a sample every 1s`, `job="port"} does not answer when it is probed (`, "refused")
	if strings.Contains(all, "looks back 4s") {
		t.Error(all)
	}
}
