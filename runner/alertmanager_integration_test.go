package runner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject/engine/enginetest"
	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
)

// alertRoute is what the real Alertmanager waits before it sends, so that an alert's way there and what people hear of it lie apart.
const alertRoute = 3 * time.Second

// A webhook is whom an Alertmanager tells of alerts.
type webhook struct {
	mu    sync.Mutex
	calls []webhookCall
}

type webhookCall struct {
	at       time.Time
	receiver string
	firing   []string // names of alerts
}

func (h *webhook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c := webhookCall{at: time.Now()}
	var message struct {
		Receiver string `json:"receiver"`
		Alerts   []struct {
			Status string            `json:"status"`
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	if json.NewDecoder(r.Body).Decode(&message) != nil {
		return
	}
	c.receiver = message.Receiver
	for _, a := range message.Alerts {
		if a.Status == "firing" {
			c.firing = append(c.firing, a.Labels["alertname"])
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
}

// first is the first time that it was told that an alert fires; nil: it was not.
func (h *webhook) first(alert string) *webhookCall {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if slices.Contains(c.firing, alert) {
			return &c
		}
	}
	return nil
}

// A real Alertmanager, behind a prefix and a password, beside a real Prometheus server whose rules a fault on a container makes fire: the
// record says when the alert was there and for whom, which agrees with the moment in which that one was told; what is silenced or
// inhibited there reaches nobody; and when it dies nothing is said of what would have reached it.
//
// What inhibits has to be there earlier and longer than what is inhibited. An Alertmanager looks at inhibition when it sends, which is at the
// end of group_wait and then every group_interval, and for each of the API's answers anew; and it takes alerts in one after the other, into
// what it inhibits by apart from what it sends. If both began or ended in one evaluation, there would be moments in which only the
// inhibited one fires for it. One who is told in such a moment is told rightly, and answers two seconds apart, which say "inhibited" before and
// after, do not show it.
func TestRealAlertmanager(t *testing.T) {
	s := realStage(t)
	n := enginetest.TestNetwork(t, s.setup.Engine)
	c := s.container(enginetest.Network(n.Name), enginetest.Args("serve", "8080"))
	shop := "http://" + s.address(c, n.Name) + ":8080"
	numbers := probing(t, "shop_answers", shop)
	dir := t.TempDir()
	rules := filepath.Join(dir, "alerts.yml")
	if err := os.WriteFile(rules, []byte(`groups:
- name: shop
  rules:
  - alert: ShopDown # there before what it inhibits, and after
    expr: max_over_time(shop_answers[3s]) == 0
    keep_firing_for: 2s
  - alert: Inhibited
    expr: max_over_time(shop_answers[3s]) == 0
    for: 500ms
  - alert: Silenced
    expr: max_over_time(shop_answers[3s]) == 0
`), 0o600); err != nil {
		t.Fatal(err)
	}

	hook := &webhook{}
	web := httptest.NewServer(hook)
	t.Cleanup(web.Close)
	am := startServer(t, "prometheus-alertmanager", "--cluster.listen-address=", "--storage.path="+filepath.Join(dir, "alertmanager"), "--web.route-prefix=/am",
		"--web.config.file="+putJSON(t, dir, "web.yml", map[string]any{"basic_auth_users": map[string]string{"gameday": hunter2}}),
		"--config.file="+putJSON(t, dir, "alertmanager.yml", map[string]any{
			"route":         map[string]any{"receiver": "on-call", "group_by": []string{"alertname"}, "group_wait": alertRoute.String(), "group_interval": "5s"},
			"receivers":     []any{map[string]any{"name": "on-call", "webhook_configs": []any{map[string]string{"url": web.URL}}}},
			"inhibit_rules": []any{map[string]any{"source_matchers": []string{"alertname=ShopDown"}, "target_matchers": []string{"alertname=Inhibited"}}},
		}))
	am.ask(t, "POST", "/am/api/v2/silences", fmt.Sprintf(`{"matchers":[{"name":"alertname","value":"Silenced","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"test","comment":"test"}`,
		time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), "silenceID")
	prom := startPrometheusWith(t, map[string]any{"alertmanagers": []any{map[string]any{
		"path_prefix": "/am", "basic_auth": map[string]string{"username": "gameday", "password": "hunter2"},
		"static_configs": []any{map[string]any{"targets": []string{strings.TrimPrefix(am.url, "http://")}}},
	}}}, map[string]string{"shop": numbers.address()}, rules)
	prom.scraped(t, "shop_answers==1")
	prom.ask(t, "GET", "/api/v1/alertmanagers", "", am.url) // it looks for them every few seconds

	text := fmt.Sprintf(`prometheus "shop" {
  url = %q

  alertmanager {
    url = "%s/am"

    basic_auth {
      username = "gameday"
      password = "hunter2"
    }
  }
}
`, prom.url, am.url) + target("shop", c) + "scenario \"s\" {\n  baseline = \"3s\"\n  recovery = \"4s\"\n"
	for _, name := range []string{"ShopDown", "Inhibited", "Silenced"} {
		text += fmt.Sprintf("  alert %q {\n    within = \"8s\"\n  }\n", name)
	}
	text += pauseFor("freeze", "shop", "12s") + "}\n"

	e := s.rehearse(text, nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	seen := seenAlerts(e)
	draft := string(report.Build(e.rec).Markdown())
	call := hook.first("ShopDown")
	if call == nil || seen["ShopDown"] == nil || seen["ShopDown"].Routed == nil {
		t.Fatalf("the webhook was told %+v, the record says %+v\n%s", hook.calls, seen["ShopDown"], am.said)
	}
	// It came between two answers, and whoever is told is told when the route's wait is over.
	routed := seen["ShopDown"].Routed
	if came := call.at.Add(-alertRoute); came.Before(routed.First) || came.After(routed.Last.Add(2*time.Second)) {
		t.Errorf("the webhook was called at %s, the route waits %s, and the alert was there between %s and %s", call.at.UTC(), alertRoute, routed.First, routed.Last)
	}
	if call.receiver != "on-call" {
		t.Errorf("%+v", call)
	}
	for _, name := range []string{"Inhibited", "Silenced"} {
		if call := hook.first(name); call != nil {
			t.Errorf("somebody was told of %s: %+v\n%s", name, hook.calls, story(e.rec))
		}
		if x := seen[name]; x == nil || x.Phases[0].Firing == nil || x.Routed != nil {
			t.Errorf("%s: %+v", name, x)
		}
	}
	muted := map[string]string{"ShopDown": "", "Inhibited": "inhibited", "Silenced": "silenced"}
	for _, r := range events[*journal.AlertRouted](e.rec) {
		if want, ours := muted[r.Alert]; !ours || r.Muted != want || !slices.Equal(r.Receivers, []string{"on-call"}) {
			t.Errorf("%+v", r)
		}
	}
	says(t, draft, "It was first seen at the Alertmanager, for `on-call`, ", "when it sent a notification is not known", "it was `inhibited` there, and nobody is told", "it was `silenced` there, and nobody is told")

	// It dies with the fault.
	e = s.rehearse(text, on(func(*runner.Run, *journal.FaultVerified) { am.kill() }))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	if x := seenAlerts(e)["ShopDown"]; x == nil || x.Phases[0].Firing == nil || x.Routed != nil {
		t.Errorf("%+v", x)
	}
	if u := one[*journal.AlertsSummed](t, e).Unanswered; len(u) != 1 || u[0].From.IsZero() || !u[0].To.IsZero() || strings.Contains(u[0].Why, "hunter2") {
		t.Errorf("%+v", u)
	}
	says(t, string(report.Build(e.rec).Markdown()), "Whether it reached the Alertmanager is not known, which gave no answer after ")
}

// hunter2 is that password as servers keep it.
const hunter2 = "$2a$04$t/nJUfWkyBN9mrX.sUrLi..wy/tmXx5tTqZFUNMrqH1T8lSpHpA5y"

// probing serves a metric that says whether something answers: 1 or 0.
func probing(t *testing.T, metric, url string) *numbers {
	n := serveNumbers(t)
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		stop()
		wg.Wait()
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			answers := "0"
			if resp, err := client.Get(url); err == nil {
				if _, err := io.ReadAll(resp.Body); err == nil {
					answers = "1"
				}
				resp.Body.Close()
			}
			n.set(metric, answers)
			time.Sleep(100 * time.Millisecond)
		}
	})
	return n
}

// ask asks until the answer has something in it.
func (p *realServer) ask(t *testing.T, method, path, body, want string) {
	t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth("gameday", "hunter2")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			last = err.Error()
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if last = string(text); strings.Contains(last, want) {
			return
		}
	}
	t.Fatalf("%s %s never answered with %s, but %s\n%s", method, path, want, last, p.said)
}

func seenAlerts(e ending) map[string]*journal.AlertSeen {
	out := map[string]*journal.AlertSeen{}
	for _, x := range events[*journal.AlertSeen](e.rec) {
		out[x.Alert] = x
	}
	return out
}
