package etcd_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"gameday/examples/etcd"
	"gameday/examples/workload/workloadtest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writes returns how many puts of the writer have succeeded so far.
func writes(t *testing.T, stage *workloadtest.Stage) int {
	t.Helper()
	c, err := stage.Engine.Container(t.Context(), stage.Prefix+"-writer")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"http://"+c.Networks[0].IPv4+":"+strconv.Itoa(etcd.WriterPort)+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if v, ok := strings.CutPrefix(line, `etcd_writer_puts_total{outcome="ok"} `); ok {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("the writer does not count its puts")
	return 0
}

func TestClusterReplacesAFrozenLeader(t *testing.T) {
	stage := workloadtest.New(t)
	e := stage.Engine
	s, err := etcd.Up(t.Context(), e, etcd.Options{
		Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image, Command: []string{"/gameday", "role", "etcd-writer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for range 2 {
			if err := s.Down(ended); err != nil {
				t.Error(err)
			}
		}
		if there, err := e.HasImage(context.Background(), "gameday-etcd:"+stage.Run); err != nil || there {
			t.Errorf("the image of etcd is left behind: %v, %v", there, err)
		}
	}()

	first, err := s.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Pause(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	var second string
	workloadtest.Await(t, "another member leads", func() bool {
		name, err := s.Leader(t.Context())
		second = name
		return err == nil && name != first
	})
	before := writes(t, stage)
	workloadtest.Await(t, "writes go on", func() bool { return writes(t, stage) > before+10 })

	if err := e.Unpause(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	before = writes(t, stage)
	workloadtest.Await(t, "writes go on", func() bool { return writes(t, stage) > before+10 })
	if now, err := s.Leader(t.Context()); err != nil || now == first {
		t.Errorf("the leader is %s, %v; want %s still, or a third one", now, err, second)
	}
	log, err := s.Logs(t.Context(), "member")
	if err != nil || !bytes.Contains(log, []byte("elected")) {
		t.Errorf("the members' log tells of no election: %v", err)
	}
}

func TestUpWithoutEtcd(t *testing.T) {
	stage := workloadtest.New(t)
	tests := []struct{ name, binary, message string }{
		{"no such file", "/no/such/etcd", "/no/such/etcd"},
		{"not a program", "etcd_test.go", "not a program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(etcd.BinaryEnv, tt.binary)
			s, err := etcd.Up(t.Context(), stage.Engine, etcd.Options{Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image})
			if err == nil {
				s.Down(context.Background())
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got %q, want …%s…", err, tt.message)
			}
		})
	}
	t.Run("not installed", func(t *testing.T) {
		t.Setenv(etcd.BinaryEnv, "")
		t.Setenv("PATH", t.TempDir())
		_, err := etcd.Up(t.Context(), stage.Engine, etcd.Options{Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image})
		if err == nil || !strings.Contains(err.Error(), "etcd-server") {
			t.Errorf("got %v, want a hint what to install", err)
		}
	})
}

func TestWriterArguments(t *testing.T) {
	var stderr bytes.Buffer
	if code := etcd.Main(nil, io.Discard, &stderr); code != 2 || !strings.Contains(stderr.String(), "client URLs") {
		t.Errorf("got %d, %q", code, stderr.String())
	}
}
