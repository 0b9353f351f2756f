package runner_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

// A server that is asked for a plan: its rules are evaluated every minute; of its targets one was silent for a while, one is not scraped
// any more, and one never answered. Whether ranges hold enough samples it does not say.
func aServerWithBlindSpots(w http.ResponseWriter, r *http.Request) {
	query, now := r.FormValue("query"), time.Now()
	up := func(instance string, from, to int, value func(s int) int) string {
		var out []string
		for s := from; s <= to; s += 10 {
			out = append(out, fmt.Sprintf(`[%d,"%d"]`, now.Unix()+int64(s), value(s)))
		}
		return fmt.Sprintf(`{"metric":{"__name__":"up","job":"shop","instance":%q},"values":[%s]}`, instance, strings.Join(out, ","))
	}
	always := func(v int) func(int) int { return func(int) int { return v } }
	switch {
	case strings.HasSuffix(r.URL.Path, "/rules"):
		fmt.Fprint(w, `{"status":"success","data":{"groups":[{"name":"g","file":"/etc/prometheus/alerts.yml","interval":60,"rules":[
			{"type":"recording","name":"y","query":"rate(z[3s])"},{"type":"recording","name":"unread","query":"rate(z[3s])"},
			{"type":"alerting","name":"Told","query":"rate(x{job=\"shop\"}[2s]) > 0 and y > 0"},{"type":"alerting","name":"Rare","query":"x > 0"}]}]}}`)
	case strings.HasPrefix(query, "min(count_over_time") && !strings.Contains(query, "[1s]"):
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"2"]}]}}`, now.Unix())
	case strings.HasPrefix(query, "min(count_over_time"):
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"too many samples"}`)
	case strings.HasPrefix(query, "count by") && strings.Contains(query, `job="nobody"`):
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	case strings.HasPrefix(query, "count by"):
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up"},"value":[1,"4"]},{"metric":{"__name__":"x"},"value":[1,"4"]}]}}`)
	case strings.Contains(query, `job="shop"`) && strings.Contains(query, "[300000ms]"):
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s,%s,%s,%s]}}`, up("fine", -290, 0, always(1)), up("never", -290, 0, always(0)),
			up("gone", -290, -200, always(1)), up("silent", -290, 0, func(s int) int {
				if s >= -100 && s < -50 {
					return 0
				}
				return 1
			}))
	case strings.Contains(query, `job="shop"`) && strings.Contains(query, "ms]"): // in the time of a run
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"shop","instance":"never"},
			"values":[[%d,"0"],[%d,"0"],[%d,"0"]]}]}}`, now.Unix()-5, now.Unix()-3, now.Unix()-1)
	case strings.HasSuffix(r.URL.Path, "/query"):
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"1"]}]}}`, now.Unix())
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// What cannot be seen through a server is said by the plan, and so is what it could not be asked; the record has it, too.
func TestBlindSpotsOfAServer(t *testing.T) {
	s, _ := fakeStage(t)
	web := httptest.NewServer(http.HandlerFunc(aServerWithBlindSpots))
	defer web.Close()
	text := fmt.Sprintf(`prometheus "p" {
  url = %q
}
%s
scenario "s" {
  baseline = "1s"
  recovery = "1s"

  hypothesis "steady" {
    query  = "rate(x{job=\"shop\"}[1s]) or vector(1)"
    every  = "200ms"
    expect = value < 10
  }
  hypothesis "elsewhere" {
    query  = "x{job=\"nobody\"} or vector(1)"
    every  = "200ms"
    expect = value < 10
  }
  alert "Told" {
    within = "1s"
  }
  alert "Other" {
    within = "1s"
  }
%s}
`, web.URL, target("it", s.container()), pauseFor("freeze", "it", "1s"))
	text = strings.Replace(text, `baseline = "1s"`, `baseline = "3s"`, 1)
	plan := s.makePlan(text)
	if _, _, err := plan.EvaluateNow(t.Context(), s.setup, time.Second); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, w := range plan.Warnings {
		words = append(words, w.Block+": "+w.Message)
	}
	all := strings.Join(words, "\n")
	says(t, all,
		`alert "Told": the rule at alerts.yml is evaluated every 1m, and the shortest fault lasts 1s`,
		`alert "Other": the server has no rule of this name`,
		`the rules of Rare are evaluated more rarely than the 1s that the shortest fault lasts`,
		`Told looks back 2s, and that holds hardly any samples`, `y looks back 3s, and that holds hardly any samples`,
		`fault.freeze lasts 1s, and {instance="`, `", job="shop"} is scraped every 10s: nothing may be seen of it there`,
		`whether the ranges in what steady reads hold enough samples could not be asked`, "too many samples",
		`{instance="never", job="shop"} did not answer even once in the last 5m`,
		`{instance="silent", job="shop"} did not answer when it was scraped from `,
		`{instance="gone", job="shop"} was not scraped from `,
		`there is no series {__name__="up",job="nobody"}`)
	if strings.Contains(all, `instance="fine", job="shop"} did`) || strings.Contains(all, "unread") {
		t.Error(all)
	}

	e := s.rehearse(text, nil)
	got := map[string]bool{}
	for _, b := range events[*journal.BlindSpots](e.rec) {
		for _, spot := range b.Spots {
			got[strings.TrimSpace(string(spot.What)+" "+spot.Name+" "+spot.Labels["instance"])] = true
			if spot.What == journal.BlindUnchecked && !strings.Contains(spot.Detail, "too many samples") {
				t.Errorf("%+v", spot)
			}
		}
	}
	want := []string{"fault freeze never", "never up  never", "range Told", "range y", "rule Rare", "rule Told", `targets unchecked {__name__="up",job="nobody"}`, "unchecked steady"}
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("%q\n%s", names, story(e.rec))
	}
	if s := alertVerdicts(e.rec); !strings.Contains(s, "Told inconclusive") || !strings.Contains(s, "Other inconclusive (unseen)") {
		t.Error(s)
	}
}

// spotWords are the blind spots in few words.
func spotWords(spots []journal.BlindSpot) (out []string) {
	for _, b := range spots {
		out = append(out, strings.Join(strings.Fields(fmt.Sprint(b.What, " ", b.Name, " ", b.QueryID, " ", b.Labels["job"], " ", b.Reads, " every ", b.Interval)), " "))
	}
	slices.Sort(out)
	return out
}

// A job has an interval of its own, a rule a range of its own, and a hypothesis its own times: what is missed by each is named.
func TestBlindSpotsOfSlowJobs(t *testing.T) {
	s, _ := fakeStage(t)
	rules := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(rules, []byte(`groups:
- name: g
  interval: 10s
  rules:
  - record: r
    expr: rate(x{job="slow"}[1m])
  - alert: Short
    expr: rate(x{job="slow"}[20s]) > 0
  - alert: OfRecorded
    expr: max_over_time(r[30s]) > 0
`), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`prometheus "own" {
  interval = "1s"
  rules    = [%q]

  scrape "quick" {
    url = "http://127.0.0.1:1/metrics"
  }
  scrape "slow" {
    url      = "http://127.0.0.1:1/metrics"
    interval = "30s"
  }
  probe "tcp" "port" {
    address  = "127.0.0.1:1"
    interval = "20s"
  }
}
%s
scenario "s" {
  baseline = "5m"
  recovery = "5m"

  hypothesis "of_slow" {
    query  = "rate(x{job=\"slow\"}[15s])"
    expect = value > 0
  }
  hypothesis "of_a_probe" {
    query  = "avg_over_time(probe_success[1m])"
    expect = value > 0
  }
  hypothesis "of_either" {
    query  = "rate(x[15s])"
    expect = value > 0
  }
  hypothesis "seldom" {
    query  = "x"
    every  = "15s"
    expect = value > 0
  }
%s  fault "pause" "longer" {
    target   = target.t
    after    = fault.freeze
    duration = "1m"
  }
}
`, rules, target("t", s.container()), pauseFor("freeze", "t", "10s"))
	plan := s.makePlan(text)
	want := []string{
		"fault freeze Q4 10s every 15s", "fault freeze port 10s every 20s", "fault freeze slow 10s every 30s",
		"range OfRecorded 30s every 10s", "range Short 20s every 30s", "range of_a_probe Q2 1m every 20s", "range of_slow Q1 15s every 30s", "range r 1m every 30s",
	}
	if got := spotWords(plan.Blind); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	var words []string
	for _, w := range plan.Warnings {
		words = append(words, w.Block+": "+w.Message)
	}
	says(t, strings.Join(words, "\n"),
		`hypothesis "of_slow": the query looks back 15s and there is a sample every 30s`,
		`hypothesis "of_either": the query looks back 15s, and of job "slow" there is a sample every 30s: if that is what it reads`,
		`prometheus "own": the rule Short looks back 20s and there is a sample every 30s`,
		`fault "pause" "freeze": it lasts 10s, and of job "slow" there is a sample every 30s`,
		`fault "pause" "freeze": it lasts 10s, and seldom has a sample every 15s`)

	// Where there are only alerts, their rules are what may see a fault.
	alone := text[:strings.Index(text, `  hypothesis "of_slow"`)] + "  alert \"Short\" {\n    within = \"1m\"\n  }\n" + text[strings.Index(text, `  fault "pause" "freeze"`):]
	alone = strings.Replace(alone, `duration = "10s"`, `duration = "9s"`, 1)
	if got := spotWords(s.makePlan(alone).Blind); !slices.Contains(got, "fault freeze 9s every 10s") {
		t.Errorf("%q", got)
	}
}

// Which job a range reads is known after a run: the record has it only if it is the one that is scraped too rarely.
func TestSparseRangesOfARun(t *testing.T) {
	s, _ := fakeStage(t)
	slow := serveNumbers(t)
	slow.set("tardy", "1")
	slow.drop("steady")
	text := s.embedded(target("t", s.container()), strings.Replace(steady, `query    = "steady"`, `query    = "max_over_time(steady[900ms])"`, 1)+
		claim("late", "max_over_time(tardy[1500ms])", "value == 1")+pauseFor("f", "t", "2s"))
	text = strings.Replace(text, "  scrape \"numbers\" {", fmt.Sprintf("  scrape \"slow\" {\n    url = %q\n    interval = \"1s\"\n  }\n  scrape \"numbers\" {", "http://"+slow.address()+"/metrics"), 1)
	text = strings.Replace(text, `baseline = "2s"`, `baseline = "4s"`, 1)
	e := s.rehearse(text, nil)
	var got []string
	for _, b := range events[*journal.BlindSpots](e.rec) {
		for _, w := range spotWords(b.Spots) {
			if strings.HasPrefix(w, "range") {
				got = append(got, w)
			}
		}
	}
	if !slices.Equal(got, []string{"range late Q2 1.5s every 1s"}) {
		t.Errorf("%q\n%s", got, story(e.rec))
	}
}
