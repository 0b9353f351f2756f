package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServe serves a run as a person does, until Ctrl-C.
func TestServe(t *testing.T) {
	runs := t.TempDir()
	if err := copyRecorded(runs); err != nil {
		t.Fatal(err)
	}
	if err := recordQueue(filepath.Join(runs, "2026-11-23T01-37-57Z-checkout_works-4612")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "gameday", "query", "--runs", runs, "--serve", "checkout")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	url = strings.TrimSpace(url)
	get := func(path string) string {
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		b, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := get("/api/v1/query?query=max_over_time(queue[10s])"); !strings.Contains(got, `"8"`) {
		t.Errorf("%s", got)
	}
	if promtool, err := exec.LookPath("promtool"); err != nil {
		t.Error("this test needs promtool, which comes with the Prometheus server: apt-get install prometheus")
	} else if b, err := exec.CommandContext(t.Context(), promtool, "query", "instant", "--time=2026-11-23T01:38:04Z", url, "queue").CombinedOutput(); err != nil || !strings.Contains(string(b), `queue{container="store"} => 8 @`) {
		t.Errorf("promtool: %v\n%s", err, b)
	}
	for _, x := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"range", "--start=2026-11-23T01:38:00Z", "--end=2026-11-23T01:38:04Z", "--step=2s", url, "queue"}, "8 @[1795397884"},
		{[]string{"series", "--match=queue", "--start=2026-11-23T01:37:00Z", "--end=2026-11-23T01:39:00Z", url}, `container="store"`},
		{[]string{"labels", "--start=2026-11-23T01:37:00Z", "--end=2026-11-23T01:39:00Z", url, "container"}, "store"},
	} {
		if b, err := exec.CommandContext(t.Context(), "promtool", append([]string{"query"}, x.arguments...)...).CombinedOutput(); err != nil || !strings.Contains(string(b), x.want) {
			t.Errorf("promtool query %s: %v\n%s", x.arguments, err, b)
		}
	}
	// What the Prometheus data source of Grafana asks for, and how.
	for _, x := range []struct{ method, path, form, want string }{
		{"HEAD", "/", "", ""},
		{"GET", "/api/v1/status/buildinfo", "", `"version":"`},
		{"POST", "/api/v1/query", "query=1%2B1&time=1795397884", `"2"`},
		{"POST", "/api/v1/query_range", "query=queue&start=1795397880&end=1795397884&step=2", `"8"`},
		{"POST", "/api/v1/labels", "start=1795397000&end=1795398000", `"container"`},
		{"GET", "/api/v1/label/__name__/values?match[]=queue&start=1795397000&end=1795398000", "", `["queue"]`},
		{"POST", "/api/v1/series", "match[]=queue&start=1795397000&end=1795398000", `"container":"store"`},
		{"GET", "/api/v1/metadata?limit=10", "", `"data":{}`},
		{"GET", "/api/v1/rules", "", `"groups":[]`},
		{"GET", "/api/v1/query_exemplars?query=queue&start=1795397000&end=1795398000", "", `"data":[]`},
	} {
		request, err := http.NewRequest(x.method, url+x.path, strings.NewReader(x.form))
		if err != nil {
			t.Fatal(err)
		}
		if x.form != "" {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(b), x.want) {
			t.Errorf("%s %s: %v, %s, %s", x.method, x.path, err, response.Status, b)
		}
	}
	// Two services cannot have one address.
	second := exec.CommandContext(t.Context(), "gameday", "query", "--runs", runs, "--serve", "checkout", "--listen", strings.TrimPrefix(url, "http://"))
	if b, err := second.CombinedOutput(); exitCode(err) != 1 || !strings.Contains(string(b), "choose another port with --listen") {
		t.Errorf("%v\n%s", err, b)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(time.Minute):
		cmd.Process.Kill()
		err = errors.Join(errors.New("Ctrl-C does not end it"), <-ended)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, said.String())
	}
}
