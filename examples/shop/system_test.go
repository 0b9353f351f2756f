package shop_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gameday/examples/shop"
	"gameday/examples/workload/workloadtest"
	"gameday/inject/engine"
)

// sum adds up the seconds of a load log after the first n.
func sum(t *testing.T, s *shop.System, n int) (seconds int, total shop.LoadSecond) {
	t.Helper()
	log, err := s.Logs(t.Context(), "load")
	if err != nil {
		t.Fatal(err)
	}
	all, err := shop.ParseLoad(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, sec := range all[min(n, len(all)):] {
		total.Sent += sec.Sent
		total.OK += sec.OK
		total.Failed += sec.Failed
		total.P99 = max(total.P99, sec.P99)
		total.Waiting = max(total.Waiting, sec.Waiting)
	}
	return len(all), total
}

// watch waits for more seconds of load and returns their sum.
func watch(t *testing.T, s *shop.System, seconds int) shop.LoadSecond {
	t.Helper()
	start, _ := sum(t, s, 0)
	workloadtest.Await(t, "the load generator has gone on", func() bool {
		n, _ := sum(t, s, 0)
		return n >= start+seconds
	})
	_, total := sum(t, s, start)
	return total
}

// metrics returns the /metrics page of a container, or "" if it does not answer.
func metrics(t *testing.T, e engine.Engine, name string) string {
	t.Helper()
	c, err := e.Container(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Networks) != 1 {
		t.Fatalf("%s is in %d networks, want 1", name, len(c.Networks))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		fmt.Sprintf("http://%s:%d/metrics", c.Networks[0].IPv4, shop.Port), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestShopInContainers(t *testing.T) {
	stage := workloadtest.New(t)
	e := stage.Engine
	s, err := shop.Up(t.Context(), e, shop.Options{
		Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image, Command: []string{"/gameday", "role", "shop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		// A context that has ended must not keep anything from being removed.
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for range 2 {
			if err := s.Down(ended); err != nil {
				t.Error(err)
			}
		}
	}()

	want := map[string][]string{
		"load":     {"shop_checkouts_total{outcome=\"ok\"}"},
		"frontend": {"http_requests_total{code=\"200\"}", "http_client_retries_total{reason=\"connect\"} 0", "http_request_duration_seconds_bucket"},
		"api-1":    {"queue_waiting_requests", "queue_busy_workers", "http_requests_in_flight"},
		"api-2":    {"queue_waiting_requests"},
		"store":    {"store_orders_total"},
	}
	for part, series := range want {
		c, err := e.Container(t.Context(), stage.Prefix+"-"+part)
		if err != nil {
			t.Fatal(err)
		}
		service, _, _ := strings.Cut(part, "-")
		if c.State.Health != "healthy" || c.Own() || c.ComposeProject() != stage.Prefix || c.ComposeService() != service {
			t.Errorf("%s: health %q, own %v, project %q, service %q", c.Name, c.State.Health, c.Own(), c.ComposeProject(), c.ComposeService())
		}
		page := metrics(t, e, c.Name)
		for _, line := range series {
			if !strings.Contains(page, "\n"+line) {
				t.Errorf("%s has no metric %s", c.Name, line)
			}
		}
	}

	if total := watch(t, s, 2); total.OK == 0 || total.Failed > 0 {
		t.Fatalf("in normal times: %+v, want no failures", total)
	}
	victim := stage.Prefix + "-api-1"
	if err := e.Kill(t.Context(), victim, "KILL"); err != nil {
		t.Fatal(err)
	}
	if total := watch(t, s, 5); total.OK == 0 || float64(total.Failed) >= 0.01*float64(total.Sent) {
		t.Errorf("with one replica: %+v, want under 1 %% failures", total)
	}
	if err := e.Start(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	workloadtest.Await(t, "the replica is used again", func() bool {
		page := metrics(t, e, victim)
		return page != "" && !strings.Contains(page, `http_requests_total{code="200"} 0`)
	})

	store := stage.Prefix + "-store"
	if err := e.Pause(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	total := watch(t, s, 4)
	if total.Failed < total.Sent/4 || total.P99 < 500 {
		t.Errorf("with the store frozen: %+v, want many slow failures", total)
	}
	if err := e.Unpause(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	workloadtest.Await(t, "the shop has recovered", func() bool {
		total := watch(t, s, 1)
		return total.OK > 0 && total.Failed == 0
	})

	if _, err := s.Logs(t.Context(), "till"); err == nil {
		t.Error("the log of an unknown service is no error")
	}
}

func TestFailedUpLeavesNothing(t *testing.T) {
	stage := workloadtest.New(t)
	tests := []struct {
		name    string
		o       shop.Options
		message string
	}{
		{"no image", shop.Options{Run: stage.Run, Prefix: stage.Prefix}, "needs the tag of an image"},
		{"unknown image", shop.Options{Run: stage.Run, Prefix: stage.Prefix, Image: "gameday-no-such:" + stage.Run}, stage.Prefix + "-store"},
		{"no run", shop.Options{Prefix: stage.Prefix, Image: stage.Image}, "id of a run"},
		{"rate", shop.Options{Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image, Rate: 1e6}, "1 to 1000"},
		{"command", shop.Options{Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image, Command: []string{"/gameday", "role", "none"}}, stage.Prefix + "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := shop.Up(t.Context(), stage.Engine, tt.o)
			if err == nil {
				s.Down(context.Background())
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got %q, want …%s…", err, tt.message)
			}
			if left := stage.Left(t, t.Context()); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestRemoveByRun(t *testing.T) {
	stage := workloadtest.New(t)
	if _, err := shop.Up(t.Context(), stage.Engine, shop.Options{
		Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image, Command: []string{"/gameday", "role", "shop"}, Rate: 1,
	}); err != nil {
		t.Fatal(err)
	}
	if err := shop.Remove(t.Context(), stage.Engine, ""); err == nil {
		t.Error("an empty run is no error, but would mean everybody's")
	}
	if err := shop.Remove(t.Context(), stage.Engine, stage.Run); err != nil {
		t.Fatal(err)
	}
	if left := stage.Left(t, t.Context()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
