package runner_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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
			{"type":"alerting","name":"Told","query":"x > 0"},{"type":"alerting","name":"Rare","query":"x > 0"}]}]}}`)
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
		`alert "Told": the rule at alerts.yml is evaluated every 1m, and the faults last 1s`,
		`alert "Other": the server has no rule of this name`,
		`the rules of Rare are evaluated more rarely than the 1s that the faults last`,
		`whether the ranges in the query of steady hold enough samples could not be asked`, "too many samples",
		`{instance="never", job="shop"} did not answer even once in the last 5m`,
		`{instance="silent", job="shop"} did not answer when it was scraped from `,
		`{instance="gone", job="shop"} was not scraped from `,
		`there is no series {__name__="up",job="nobody"}`)
	if strings.Contains(all, `instance="fine"`) {
		t.Error(all)
	}

	e := s.rehearse(text, nil)
	got := map[string]bool{}
	for _, b := range events[*journal.BlindSpots](e.rec) {
		for _, spot := range b.Spots {
			got[string(spot.What)+" "+spot.Name] = true
			if spot.What == journal.BlindUnchecked && !strings.Contains(spot.Detail, "too many samples") {
				t.Errorf("%+v", spot)
			}
		}
	}
	if len(got) != 3 || !got["rule Told"] || !got["rule Rare"] || !got["unchecked steady"] {
		t.Errorf("%v\n%s", got, story(e.rec))
	}
	if s := alertVerdicts(e.rec); !strings.Contains(s, "Told inconclusive") || !strings.Contains(s, "Other inconclusive (unseen)") {
		t.Error(s)
	}
}
