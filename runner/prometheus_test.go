package runner_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A realPrometheus is a Prometheus server of its own, as Debian has it.
type realPrometheus struct {
	url  string
	kill func()
	said *strings.Builder
}

// startPrometheus starts one that scrapes an address for each job, and evaluates files of rules, five times a second.
func startPrometheus(t *testing.T, jobs map[string]string, rules ...string) *realPrometheus {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("this test needs a real Prometheus server: apt-get install prometheus")
	}
	dir := t.TempDir()
	scrapes := []any{}
	for job, address := range jobs {
		scrapes = append(scrapes, map[string]any{"job_name": job, "static_configs": []any{map[string]any{"targets": []string{address}}}})
	}
	config, err := json.Marshal(map[string]any{
		"global":         map[string]string{"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
		"scrape_configs": scrapes,
		"rule_files":     rules,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := &realPrometheus{url: "http://" + address, said: &strings.Builder{}}
	cmd := exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = p.said, p.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(p.kill)
	return p
}

// scraped waits until a metric has been scraped.
func (p *realPrometheus) scraped(t *testing.T, metric string) {
	t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(p.url + "/api/v1/query?query=" + metric)
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if strings.Contains(string(body), `"value":[`) {
			return
		}
	}
	p.kill()
	t.Fatalf("it scrapes nothing: %s", p.said)
}
