package runner_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"gameday/runner"
	"gameday/runner/journal"
)

// noData are the ways of the language in which there is no data, each as a hypothesis on metrics of the stage's exporters.
var noData = []struct {
	name, arguments string
	want            journal.Verdict
	why             journal.Reason
}{
	{"control", "query = \"steady{job=\\\"numbers\\\"}\"\nexpect = value < 10\ntolerate = \"1s\"", journal.Held, journal.ReasonHeld},
	{"no_series", "query = \"nothing_of_this_name\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"no_series_for_any", "query = \"nothing_of_this_name\"\nexpect = value < 10\nmatch = \"any\"", journal.Inconclusive, journal.ReasonNoData},
	{"no_series_within", "query = \"nothing_of_this_name\"\nexpect = value < 10\nwithin = \"1s\"", journal.Inconclusive, journal.ReasonNoData},
	{"no_series_tolerated_for_a_while", "query = \"nothing_of_this_name\"\nexpect = value < 10\ntolerate = \"500ms\"", journal.Inconclusive, journal.ReasonNoData},
	{"not_a_number", "query = \"zero / zero\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"failed_query", "query = \"steady * on () many\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"empty_numerator", "query = \"sum(rate(requests_total{code=\\\"500\\\"}[1s])) / sum(rate(requests_total[1s]))\"\nexpect = value < 0.01", journal.Inconclusive, journal.ReasonNoData},
	{"filtered_away", "query = \"steady > 10\"\nexpect = value < 100", journal.Inconclusive, journal.ReasonNoData},
	{"vanished", "query = \"vanishing\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"target_went_away", "query = \"mortal\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"rate_of_what_went_away", "query = \"rate(mortal[1s])\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"one_of_two_vanished", "query = \"pair\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"one_of_two_vanished_compared", "query = \"pair\"\nexpect = value <= 1.5 * baseline", journal.Inconclusive, journal.ReasonNoData},
	{"one_of_two_vanished_counted", "query = \"pair\"\nexpect = value < 10\nno_data = \"violates\"", journal.Refuted, journal.ReasonNoDataCounted},
	{"one_of_two_vanished_any", "query = \"pair\"\nexpect = value < 10\nmatch = \"any\"\ntolerate = \"1s\"", journal.Held, journal.ReasonHeld},
	{"one_of_two_vanished_declared", "query = \"pair\"\nexpect = value < 10\nno_data = \"holds\"\ntolerate = \"1s\"", journal.Held, journal.ReasonHeld},
	{"one_of_two_targets_went_away", "query = \"last_over_time(shared[1s])\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"one_of_two_with_times_of_its_own", "query = \"timed and time() - timestamp(timed) < 1\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"one_of_two_with_times_of_its_own_unguarded", "query = \"timed\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"times_of_its_own_in_a_sum", "query = \"sum(late_timed) + zero\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"any_with_times_of_its_own", "query = \"late_timed\"\nexpect = value < 10\nmatch = \"any\"", journal.Inconclusive, journal.ReasonNoData},
	{"control_with_times_of_its_own", "query = \"timed{n=\\\"1\\\"}\"\nexpect = value < 10\ntolerate = \"1s\"", journal.Held, journal.ReasonHeld},
	{"one_of_two_gone_in_the_recovery", "query = \"late_pair\"\nexpect = value < 10\nphases = [\"recovery\"]", journal.Inconclusive, journal.ReasonNoData},
	{"target_never_up", "query = \"anything{job=\\\"nobody\\\"}\"\nexpect = value < 10", journal.Inconclusive, journal.ReasonNoData},
	{"status_of_a_dead_service", "query = \"probe_http_status_code{job=\\\"dying\\\"}\"\nexpect = value < 500", journal.Inconclusive, journal.ReasonNoData},
	{"time_of_a_dead_service", "query = \"probe_duration_seconds{job=\\\"dying\\\"}\"\nexpect = value < 0.5", journal.Inconclusive, journal.ReasonNoData},
	{"phase_of_a_dead_service", "query = \"probe_http_duration_seconds{job=\\\"dying\\\",phase=\\\"processing\\\"}\"\nexpect = value < 0.5", journal.Inconclusive, journal.ReasonNoData},
	{"label_that_is_not_there", "query = \"steady\"\nexpect = labels.code == \"200\"", journal.Inconclusive, journal.ReasonError},
	{"counted_as_violation", "query = \"nothing_of_this_name\"\nexpect = value < 10\nno_data = \"violates\"", journal.Refuted, journal.ReasonNoDataCounted},
	{"gone_in_the_recovery", "query = \"ends\"\nexpect = value < 10\nphases = [\"recovery\"]", journal.Inconclusive, journal.ReasonNoData},
}

// TestNoDataIsNeverAPass goes through all of them on both sources: none ends in held, unless its scenario says so.
func TestNoDataIsNeverAPass(t *testing.T) {
	t.Parallel()
	const nobody = "127.0.0.1:1"
	for _, source := range []string{"embedded", "server"} {
		t.Run(source, func(t *testing.T) {
			s, _ := fakeStage(t)
			c := s.container()
			mortal := serveNumbers(t)
			mortal.set("mortal", "1")
			dying := httptest.NewServer(http.NotFoundHandler())
			defer dying.Close()
			mortal.set("shared", "1")
			s.numbers.set("shared", "1")
			for name, v := range map[string]string{"zero": "0", `timed{n="1"}`: "1 now", `timed{n="2"}`: "1 now", "late_timed": "1 now", `pair{n="1"}`: "1", `pair{n="2"}`: "1", `late_pair{n="1"}`: "1", `late_pair{n="2"}`: "1", `many{n="1"}`: "1", `many{n="2"}`: "1", `requests_total{code="200"}`: "7", "vanishing": "1", "ends": "1"} {
				s.numbers.set(name, v)
			}
			var head string
			if source == "server" {
				p := startPrometheus(t, map[string]string{"numbers": s.numbers.address(), "mortal": mortal.address(), "nobody": nobody})
				p.scraped(t, "mortal")
				p.scraped(t, "steady")
				head = fmt.Sprintf("prometheus \"remote\" {\n  url = %q\n}\n", p.url)
			} else {
				head = "prometheus \"own\" {\n  interval = \"200ms\"\n"
				for job, address := range map[string]string{"numbers": s.numbers.address(), "mortal": mortal.address(), "nobody": nobody} {
					head += fmt.Sprintf("  scrape %q {\n    url = \"http://%s/metrics\"\n  }\n", job, address)
				}
				head += fmt.Sprintf("  probe \"http\" \"dying\" {\n    url    = %q\n    status = [404]\n  }\n}\n", dying.URL)
			}
			body := ""
			for _, x := range noData {
				arguments := x.arguments + "\nevery = \"200ms\""
				if !strings.Contains(arguments, "phases") {
					arguments += "\nphases = [\"fault\"]"
				}
				body += fmt.Sprintf("hypothesis %q {\n%s\n}\n", x.name, arguments)
			}
			text := func(body string) string {
				return head + target("t", c) + "scenario \"s\" {\n  baseline = \"2s\"\n  recovery = \"1500ms\"\n" + body + pauseFor("f", "t", "2s") + "}\n"
			}
			e := s.rehearse(text(body), func(_ *runner.Run, ev journal.Event) {
				switch ev.Payload.(type) {
				case *journal.FaultVerified:
					s.numbers.drop("vanishing")
					s.numbers.drop(`pair{n="2"}`)
					s.numbers.drop(`timed{n="2"}`)
					s.numbers.drop("late_timed")
					mortal.fail(true)
					dying.Close()
				case *journal.UndoVerified:
					s.numbers.drop("ends")
					s.numbers.drop(`late_pair{n="2"}`)
				}
			})
			s.ended(e, journal.OutcomeRefuted, runner.ExitRefuted)
			for _, x := range noData {
				e.wantVerdict(t, x.name, x.want, x.why)
				if x.why == journal.ReasonNoData && !slices.ContainsFunc(events[*journal.HypothesisState](e.rec), func(s *journal.HypothesisState) bool {
					return s.Hypothesis == x.name && s.To == journal.NoData && s.Detail != ""
				}) {
					t.Errorf("nobody was told while it went on that %s had no data", x.name)
				}
			}

			// Compared with a baseline that is not there: nothing is injected.
			mortal.fail(false)
			e = s.rehearse(text("hypothesis \"no_baseline\" {\nquery = \"late\"\nexpect = value < 2 * baseline\nphases = [\"fault\"]\nevery = \"200ms\"\n}\n"), nil)
			s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
			e.wantVerdict(t, "no_baseline", journal.NotTested, journal.ReasonGate)
		})
	}
}
