package runner_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A realServer is a server of others, as Debian has it.
type realServer struct {
	url  string
	kill func()
	said *said
}

// said is what a process has written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// listening is how Prometheus's servers say where they can be reached.
var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// startServer starts one of Prometheus's servers on a port that is free, and returns when it listens.
func startServer(t *testing.T, program string, args ...string) *realServer {
	t.Helper()
	binary, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("this test needs a real %s: run .ci/tools, or apt-get install %s", program, program)
	}
	p := &realServer{said: &said{}}
	cmd := exec.Command(binary, append(args, "--web.listen-address=127.0.0.1:0")...)
	cmd.Stdout, cmd.Stderr = p.said, p.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(p.kill)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := listening.FindStringSubmatch(p.said.String()); m != nil {
			p.url = "http://" + m[1]
			return p
		}
	}
	p.kill()
	t.Fatalf("%s does not listen: %s", program, p.said)
	return nil
}

// startPrometheus starts a Prometheus server that scrapes an address for each job, and evaluates files of rules, five times a second.
func startPrometheus(t *testing.T, jobs map[string]string, rules ...string) *realServer {
	t.Helper()
	return startPrometheusWith(t, nil, jobs, rules...)
}

// startPrometheusWith starts one whose alerts go where its configuration's part about alerting says.
func startPrometheusWith(t *testing.T, alerting any, jobs map[string]string, rules ...string) *realServer {
	t.Helper()
	scrapes := []any{}
	for job, address := range jobs {
		scrapes = append(scrapes, map[string]any{"job_name": job, "static_configs": []any{map[string]any{"targets": []string{address}}}})
	}
	config := map[string]any{
		"global":         map[string]string{"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
		"scrape_configs": scrapes,
		"rule_files":     rules,
	}
	if alerting != nil {
		config["alerting"] = alerting
	}
	dir := t.TempDir()
	return startServer(t, "prometheus", "--config.file="+putJSON(t, dir, "prometheus.yml", config), "--storage.tsdb.path="+filepath.Join(dir, "data"))
}

// putJSON writes a file of configuration, and returns its path.
func putJSON(t *testing.T, dir, name string, content any) string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// scraped waits until a metric has been scraped.
func (p *realServer) scraped(t *testing.T, metric string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(p.answer("/api/v1/query?query="+metric), `"value":[`) {
			return
		}
	}
	p.kill()
	t.Fatalf("it scrapes nothing: %s", p.said)
}

// answer is what it answers at a path; empty: nothing.
func (p *realServer) answer(path string) string {
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get(p.url + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
