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
)

// What is true between two evaluations of a server's rules alone is in no record of its alerts. The server keeps the samples, and in
// other phases of their evaluation they would have fired: that an alert was quiet is not decided by that.
func TestAlertBetweenTwoEvaluations(t *testing.T) {
	const interval = 5 * time.Second
	rules := filepath.Join(t.TempDir(), "alerts.yml")
	alerts := map[string]string{"Plain": "pulse == 1", "Recorded": `pulse:max{job=~"num.*"} == 1`, "Calm": "pulse > 1"}
	text := fmt.Sprintf("groups:\n- name: between\n  interval: %s\n  rules:\n  - record: pulse:max\n    expr: max by (job) (pulse) # of all\n", interval)
	claims := ""
	for name, expr := range alerts {
		text += fmt.Sprintf("  - alert: %s\n    expr: %s\n", name, expr)
		claims += fmt.Sprintf("  alert %q {\n    fires = false\n  }\n", name)
	}
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := fakeStage(t)
	c := s.container()
	s.numbers.set("pulse", "0")
	p := startPrometheus(t, map[string]string{"numbers": s.numbers.address()}, rules)
	p.scraped(t, "pulse:max")
	e := s.rehearse(fmt.Sprintf("prometheus \"remote\" {\n  url = %q\n}\n", p.url)+target("t", c)+"scenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"1s\"\n"+claims+pauseFor("f", "t", "14s")+"}\n",
		on(func(*runner.Run, *journal.FaultVerified) {
			go func() { // right after an evaluation, and over well before the next
				p.evaluated(t, "pulse:max")
				s.numbers.set("pulse", "1")
				time.Sleep(interval / 2)
				s.numbers.set("pulse", "0")
			}()
		}))
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	for _, x := range events[*journal.AlertSeen](e.rec) {
		if len(x.Phases) != 11 || x.Phases[0].Firing != nil {
			t.Errorf("%+v", x)
		}
	}
	for _, j := range events[*journal.AlertJudged](e.rec) {
		switch {
		case j.Alert == "Calm" && j.Verdict == journal.Held && j.InTime == 0:
		case j.Alert != "Calm" && j.Verdict == journal.Inconclusive && j.Reason == journal.AlertByPhase && j.InTime > 1 && j.InTime < 10:
			t.Logf("%s would have fired in %d of %d phases", j.Alert, j.InTime, j.Phases)
		default:
			t.Errorf("%+v", j)
		}
	}
}

// evaluated waits until a recording rule is evaluated anew.
func (p *realServer) evaluated(t *testing.T, record string) {
	first := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now := p.answer("/api/v1/query?query=timestamp(" + record + ")")
		if _, value, ok := strings.Cut(now, `"value":[`); ok {
			_, value, _ = strings.Cut(value, `,"`)
			if first != "" && value != first {
				return
			}
			first = value
		}
	}
	t.Error("the rule is not evaluated anew")
}
