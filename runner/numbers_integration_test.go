package runner_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/runner"
	"gameday/runner/journal"
)

// A prometheus is a server with Prometheus's API that misbehaves on demand.
type prometheus struct {
	url string

	mu   sync.Mutex
	mode string
	hold chan struct{} // answers wait until it is closed; nil: they do not wait
}

func servePrometheus(t *testing.T, mode string) *prometheus {
	p := &prometheus{mode: mode}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

func (p *prometheus) set(mode string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
}

func (p *prometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	mode, hold := p.mode, p.hold
	p.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	vector := func(n int, value func(i int) string) string {
		var series []string
		for i := range n {
			series = append(series, fmt.Sprintf(`{"metric":{"n":"%d"},"value":[%d,%q]}`, i, time.Now().Unix(), value(i)))
		}
		return `"resultType":"vector","result":[` + strings.Join(series, ",") + "]"
	}
	all := func(v string) func(int) string { return func(int) string { return v } }
	if strings.Contains(r.FormValue("query"), "timestamp(") { // how old it is
		all = func(string) func(int) string { return func(int) string { return "0.05" } }
	}
	data := ""
	switch probe := r.FormValue("query") == "vector(1)"; {
	case mode == "slow":
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
		return
	case mode == "500":
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case mode == "away":
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
		return
	case mode == "not Prometheus":
		fmt.Fprint(w, "<html>hello</html>")
		return
	case probe, mode == "ok":
		data = vector(1, all("1"))
	case mode == "violated":
		data = vector(1, all("50"))
	case mode == "NaN":
		data = vector(1, all("NaN"))
	case mode == "empty":
		data = vector(0, nil)
	case mode == "hundred":
		data = vector(100, all("1"))
	case mode == "one in a hundred":
		data = vector(100, func(i int) string {
			if i == 57 {
				return "50"
			}
			return "1"
		})
	case mode == "string":
		data = fmt.Sprintf(`"resultType":"string","result":[%d,"text"]`, time.Now().Unix())
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{%s}}`, data)
}

// remote is a scenario over a server.
func remote(url, targets, body string) string {
	return fmt.Sprintf("prometheus \"remote\" {\n  url     = %q\n  timeout = \"1s\"\n}\n%s\nscenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"1s\"\n%s}\n", url, targets, body)
}

const guarded = `
  guardrail "enough" {
    query      = "steady"
    abort_when = value > 20
    every      = "200ms"
  }
`

func TestServerAtTheStart(t *testing.T) {
	for mode, words := range map[string]string{"absent": "refused", "slow": "1s", "500": "500", "not Prometheus": "Prometheus"} {
		t.Run(mode, func(t *testing.T) {
			s, _ := fakeStage(t)
			c := s.container()
			url := servePrometheus(t, mode).url
			if mode == "absent" {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				url = "http://" + l.Addr().String()
				l.Close()
			}
			e := s.rehearse(remote(url, target("t", c), strict+pauseFor("f", "t", "2s")), nil)
			s.ended(e, journal.OutcomeError, runner.ExitError)
			s.clean(e, c)
			says(t, e.rec.Ended().Detail, `prometheus "remote"`, words)
			if n := len(events[*journal.FaultIntent](e.rec)); n != 0 {
				t.Errorf("%d intents", n)
			}
		})
	}
}

// An answer that is no number is no steady state, and nothing is injected.
func TestServerInTheBaseline(t *testing.T) {
	for mode, words := range map[string]string{"NaN": "NaN", "empty": "no series", "string": "string"} {
		t.Run(mode, func(t *testing.T) {
			s, _ := fakeStage(t)
			c := s.container()
			e := s.rehearse(remote(servePrometheus(t, mode).url, target("t", c), strict+pauseFor("f", "t", "2s")), nil)
			s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
			s.clean(e, c)
			e.wantVerdict(t, "steady", journal.NotTested, journal.ReasonGate)
			says(t, one[*journal.BaselineJudged](t, e).Failures[0].Detail, words)
		})
	}
}

// Numbers that fail in the middle of the fault are never a pass.
func TestServerInTheFault(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"NaN", "empty", "string", "500", "slow", "away"} {
		t.Run(mode, func(t *testing.T) {
			s, _ := fakeStage(t)
			c := s.container()
			p := servePrometheus(t, "ok")
			e := s.rehearse(remote(p.url, target("t", c), strict+pauseFor("f", "t", "2s")), func(_ *runner.Run, ev journal.Event) {
				switch ev.Payload.(type) {
				case *journal.FaultVerified:
					p.set(mode)
				case *journal.UndoStarted:
					p.set("ok")
				}
			})
			s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
			s.clean(e, c)
			e.wantVerdict(t, "steady", journal.Inconclusive, journal.ReasonNoData)
			states := events[*journal.SourceState](e.rec)
			if mode == "NaN" || mode == "empty" {
				if len(states) != 0 {
					t.Errorf("an answer is an answer: %+v", states[0])
				}
			} else if len(states) != 2 || states[0].Up || states[0].Detail == "" || !states[1].Up {
				t.Errorf("that it went away and returned is not told\n%s", story(e.rec))
			}
		})
	}
}

func TestServerWithAHundredSeries(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	p := servePrometheus(t, "hundred")
	e := s.rehearse(remote(p.url, target("t", c), strict+pauseFor("f", "t", "2s")), on(func(*runner.Run, *journal.FaultVerified) { p.set("one in a hundred") }))
	s.ended(e, journal.OutcomeRefuted, runner.ExitRefuted)
	s.clean(e, c)
	found := false
	for _, ph := range e.verdict(t, "steady").Phases {
		found = found || ph.Phase == journal.Fault && ph.Worst != nil && ph.Worst.Labels["n"] == "57"
	}
	if !found {
		t.Errorf("the worst series is not told\n%s", story(e.rec))
	}
}

// What was refuted before the server went away stays refuted.
func TestServerGoesAwayAfterAViolation(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	p := servePrometheus(t, "ok")
	e := s.rehearse(remote(p.url, target("t", c), strict+pauseFor("f", "t", "4s")), func(_ *runner.Run, ev journal.Event) {
		switch x := ev.Payload.(type) {
		case *journal.FaultVerified:
			p.set("violated")
		case *journal.HypothesisState:
			if x.Refuted {
				p.set("away")
			}
		}
	})
	s.ended(e, journal.OutcomeRefuted, runner.ExitRefuted)
	s.clean(e, c)
	e.wantVerdict(t, "steady", journal.Refuted, journal.ReasonViolated)
}

func TestGuardrails(t *testing.T) {
	t.Parallel()
	for mode, words := range map[string]string{"violated": "guardrail.enough tripped", "away": "no data", "empty": "no data", "slow": "no data"} {
		t.Run(mode, func(t *testing.T) {
			s, _ := fakeStage(t)
			c := s.container()
			p := servePrometheus(t, "ok")
			e := s.rehearse(remote(p.url, target("t", c), strict+guarded+pauseFor("f", "t", "20s")), on(func(*runner.Run, *journal.FaultVerified) { p.set(mode) }))
			s.ended(e, journal.OutcomeAborted, runner.ExitAborted)
			s.clean(e, c)
			if u := one[*journal.UndoStarted](t, e); u.Why != journal.UndoGuardrail {
				t.Errorf("undone because %s", u.Why)
			}
			says(t, one[*journal.Stopping](t, e).Detail, words)
			if g := one[*journal.GuardrailJudged](t, e); !g.Tripped || g.Blind != (mode != "violated") {
				t.Errorf("%+v", g)
			}
		})
	}
}

// No answer comes until everything is undone: the undo does not wait for it.
func TestUndoDoesNotWaitForTheServer(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	p := servePrometheus(t, "ok")
	text := strings.Replace(remote(p.url, target("t", c), strict+pauseFor("f", "t", "3s")), `"1s"`, `"50s"`, 1)
	hold := make(chan struct{})
	e := s.rehearse(text, func(_ *runner.Run, ev journal.Event) {
		switch ev.Payload.(type) {
		case *journal.FaultVerified:
			p.mu.Lock()
			p.hold = hold
			p.mu.Unlock()
		case *journal.UndoVerified:
			close(hold)
		}
	})
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
}

// An observer that takes nothing more, as a terminal that was stopped, keeps nothing from being undone.
func TestUndoDoesNotWaitForTheObserver(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	stuck := make(chan struct{})
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), on(func(*runner.Run, *journal.FaultVerified) { <-stuck }))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	close(stuck)
}

// The observer is told of everything, in its order.
func TestObserver(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	var told []int
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), func(_ *runner.Run, ev journal.Event) { told = append(told, ev.Seq) })
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	if len(told) != len(e.rec.Events) {
		t.Errorf("told of %d events of %d", len(told), len(e.rec.Events))
	}
	for i, seq := range told {
		if seq != i+1 {
			t.Fatalf("told in the order %v", told)
		}
	}
}

// The embedded engine's first scrape may be late: the warm-up begins after it.
func TestFirstScrapeIsLate(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(700 * time.Millisecond)
		s.numbers.ServeHTTP(w, r)
	}))
	defer late.Close()
	text := strings.Replace(s.embedded(target("t", c), strings.Replace(strict, `every  = "400ms"`, `every  = "200ms"`, 1)+pauseFor("f", "t", "1s")), s.numbers.url, late.URL, 1)
	text = strings.Replace(text, `interval = "200ms"`, `interval = "1s"`, 1)
	e := s.rehearse(text, nil)
	s.cameTo(e, e.Outcome, e.Exit)
	s.clean(e, c)
	if j := one[*journal.BaselineJudged](t, e); !j.Passed {
		t.Errorf("the baseline: %+v", j)
	}
}

// A scrape target that never answers does not hold up the run: the gate says that there is no data.
func TestNothingToScrape(t *testing.T) {
	s, _ := fakeStage(t)
	c := s.container()
	text := strings.Replace(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), s.numbers.url, "http://127.0.0.1:1/metrics", 1)
	e := s.rehearse(text, nil)
	s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
	s.clean(e, c)
	if j := one[*journal.BaselineJudged](t, e); j.Passed || j.Failures[0].Reason != journal.ReasonNoData {
		t.Errorf("%+v", j)
	}
}

// A whole run on a real Prometheus server and a real engine.
func TestRealPrometheus(t *testing.T) {
	s := realStage(t)
	c := s.container()
	p := startPrometheus(t, map[string]string{"numbers": s.numbers.address()})
	p.scraped(t, "steady")
	text := remote(p.url, target("t", c), strings.Replace(steady, "expect ", "every    = \"200ms\"\n    expect ", 1)+pauseFor("f", "t", "2s"))
	e := s.rehearse(text, nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	if src := events[*journal.RunStarted](e.rec)[0].Source; src == nil || src.Type != "server" || src.Version == "" {
		t.Errorf("%+v", src)
	}
	// It is killed in the middle of the next run's fault.
	e = s.rehearse(strings.Replace(text, "tolerate", "#", 1), on(func(*runner.Run, *journal.FaultVerified) { p.kill() }))
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	s.clean(e, c)
}
