package runner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gameday/runner"
	"gameday/runner/journal"
)

// noDataAlerts are the ways in which a rule has nothing to go by, each as an alert that must not fire, and what is said of it.
var noDataAlerts = []struct {
	name, expr string
	want       journal.Verdict
	detail     string
	server     string // where a server tells it in other words
}{
	{"Control", `steady{job="numbers"} > 10`, journal.Held, "", ""},
	{"NoSeries", "nothing_of_this_name > 10", journal.Inconclusive, "no series matched nothing_of_this_name at any time", ""},
	{"Vanishes", "vanishing > 10", journal.Inconclusive, "no series matched vanishing any more after", ""},
	{"TargetGoes", "mortal > 10", journal.Inconclusive, "no series matched mortal any more after", ""},
	{"OneOfMany", "several > 10", journal.Inconclusive, `no series matched several{instance=`, ""},
	{"SumOfMany", "sum(several) > 10", journal.Inconclusive, `no series matched several{instance=`, ""},
	{"OtherOfMany", `several{n="1"} > 10`, journal.Held, "", ""},
	{"RateOfWhatGoes", "rate(mortal[1s]) > 10", journal.Inconclusive, "no series matched mortal any more after", ""},
	{"NotANumber", "part / whole > 10", journal.Inconclusive, `part / whole of {instance="`, ""},
	{"NotANumberForOne", "sum by (n) (parts) / sum by (n) (wholes) > 10", journal.Inconclusive, `sum by (n) (parts) / sum by (n) (wholes) of {n="2"} was not a number after`, ""},
	{"NeverANumber", "zero / zero > 10", journal.Inconclusive, `zero / zero of {instance="`, ""},
	{"ReadsWhatIsNotANumber", "numbers:share > 10", journal.Inconclusive, "sum(part) / sum(whole) was not a number after", ""},
	{"OneIsIdle", "idle / on (n) idles > 10", journal.Held, "", ""},
	{"TimesOfItsOwn", "timed > 10", journal.Inconclusive, `no series matched timed{instance=`, "nothing newer came of what timed > 10 reads after"},
	{"Fails", "steady * on () many > 10", journal.Inconclusive, "many-to-", ""},
	{"ReadsWhatFails", "numbers:failing > 10", journal.Inconclusive, "the recording rule numbers:failing: ", ""},
}

// TestNoDataIsNoQuietAlert goes through them on both sources: none ends in held, and those of which nothing is claimed are named.
func TestNoDataIsNoQuietAlert(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "alerts.yml")
	text := "groups:\n- name: numbers\n  interval: 200ms\n  rules:\n  - record: numbers:failing\n    expr: steady * on () many\n  - record: numbers:share\n    expr: sum(part) / sum(whole)\n"
	claims := ""
	for _, a := range noDataAlerts {
		text += fmt.Sprintf("  - alert: %s\n    expr: %s\n  - alert: %sToo\n    expr: %s\n", a.name, a.expr, a.name, a.expr)
		claims += fmt.Sprintf("  alert %q {\n    fires = false\n  }\n", a.name)
	}
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"embedded", "server"} {
		t.Run(source, func(t *testing.T) {
			s, _ := fakeStage(t)
			c := s.container()
			mortal := serveNumbers(t)
			mortal.set("mortal", "1")
			for name, v := range map[string]string{`many{n="1"}`: "1", `many{n="2"}`: "1", "vanishing": "1", `several{n="1"}`: "1", `several{n="2"}`: "1", "part": "0", "whole": "5", `parts{n="1"}`: "0", `parts{n="2"}`: "0", `wholes{n="1"}`: "5", `wholes{n="2"}`: "5",
				"zero": "0", `idle{n="1"}`: "0", `idle{n="2"}`: "0", `idles{n="1"}`: "5", `idles{n="2"}`: "0", `timed{n="1"}`: "1 now", `timed{n="2"}`: "1 now"} {
				s.numbers.set(name, v)
			}
			jobs := map[string]string{"numbers": s.numbers.address(), "mortal": mortal.address()}
			head, kill := fmt.Sprintf("prometheus \"own\" {\n  interval = \"200ms\"\n  rules = [%q]\n", rules), func() {}
			if source == "server" {
				p := startPrometheus(t, jobs, rules)
				p.scraped(t, "mortal")
				p.scraped(t, "vanishing")
				head, kill = fmt.Sprintf("prometheus \"remote\" {\n  url = %q\n", p.url), p.kill
			} else {
				for job, address := range jobs {
					head += fmt.Sprintf("  scrape %q {\n    url = \"http://%s/metrics\"\n  }\n", job, address)
				}
			}
			scenario := func(claims string) string {
				return head + "}\n" + target("t", c) + "scenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"1s\"\n" + claims + pauseFor("f", "t", "3s") + "}\n"
			}
			e := s.rehearse(scenario(claims), on(func(*runner.Run, *journal.FaultVerified) {
				s.numbers.drop("vanishing")
				s.numbers.drop(`several{n="2"}`)
				s.numbers.drop(`timed{n="2"}`)
				s.numbers.set("whole", "0")
				s.numbers.set(`wholes{n="2"}`, "0")
				mortal.fail(true)
			}))
			s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
			judged := map[string]*journal.AlertJudged{}
			for _, j := range all[*journal.AlertJudged](e.rec) {
				judged[j.Alert] = j
			}
			unknown := map[string]string{}
			for _, u := range one[*journal.AlertsSummed](t, e).Unknown {
				for _, name := range u.Alerts {
					unknown[name] = u.Why
				}
			}
			for _, a := range noDataAlerts {
				if source == "server" && a.server != "" {
					a.detail = a.server
				}
				j, why := judged[a.name], unknown[a.name+"Too"]
				if j == nil || j.Verdict != a.want || !strings.Contains(j.Detail, a.detail) {
					t.Errorf("%s: %+v, want %s with %q", a.name, j, a.want, a.detail)
				}
				if a.name == "NeverANumber" { // an idle rule of which nothing is claimed is no news
					a.detail = ""
				}
				if (why == "") != (a.detail == "") || !strings.Contains(why, a.detail) {
					t.Errorf("%s, of which nothing is claimed: %q, want %q", a.name, why, a.detail)
				}
			}
			if source == "embedded" {
				return
			}
			// The server is gone before it has told what its alerts did.
			e = s.rehearse(scenario("  alert \"Control\" {\n    fires = false\n  }\n"), on(func(*runner.Run, *journal.FaultVerified) { kill() }))
			s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
			if got := alertVerdicts(e.rec); got != "Control inconclusive (not replayed)" {
				t.Error(got)
			}
		})
	}
}
