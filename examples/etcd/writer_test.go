package etcd

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWriterGoesOnToTheNextMember(t *testing.T) {
	var bodies []string
	good := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v3/kv/put" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		bodies = append(bodies, string(body))
	}))
	defer good.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "etcdserver: no leader", http.StatusServiceUnavailable)
	}))
	defer bad.Close()
	gone := httptest.NewServer(nil)
	gone.Close()

	tests := []struct {
		name                        string
		members                     []string
		ok, failed, refused, silent float64
		puts                        int
	}{
		{"first one works", []string{good.URL, bad.URL}, 2, 0, 0, 0, 2},
		{"second one works, and is asked first from then on", []string{bad.URL, good.URL}, 2, 0, 1, 0, 2},
		{"third one works", []string{gone.URL, bad.URL, good.URL}, 1, 0, 1, 1, 1},
		{"none works", []string{bad.URL, gone.URL}, 0, 1, 1, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bodies = nil
			w := newWriter(tt.members, prometheus.NewRegistry())
			defer w.client.CloseIdleConnections()
			for range tt.puts {
				w.put(t.Context())
			}
			for _, m := range []struct {
				name string
				c    prometheus.Counter
				want float64
			}{
				{"puts ok", w.puts.WithLabelValues("ok"), tt.ok},
				{"puts failed", w.puts.WithLabelValues("failed"), tt.failed},
				{"tries refused", w.tries.WithLabelValues("refused"), tt.refused},
				{"tries silent", w.tries.WithLabelValues("silent"), tt.silent},
			} {
				if got := testutil.ToFloat64(m.c); got != m.want {
					t.Errorf("%s: %v, want %v", m.name, got, m.want)
				}
			}
			if (testutil.ToFloat64(w.success) > 0) != (tt.ok > 0) {
				t.Errorf("last success: %v", testutil.ToFloat64(w.success))
			}
			for _, body := range bodies {
				var put struct{ Key, Value string }
				if err := json.Unmarshal([]byte(body), &put); err != nil {
					t.Fatal(err)
				}
				if key, err := base64.StdEncoding.DecodeString(put.Key); err != nil || len(key) == 0 {
					t.Errorf("key %q: %v", put.Key, err)
				}
			}
		})
	}
}

func TestLibraries(t *testing.T) {
	if _, err := libraries("writer_test.go"); err == nil {
		t.Error("a text is taken for a program")
	}
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	libs, err := libraries(bin)
	if err != nil {
		t.Fatal(err)
	}
	for _, lib := range libs {
		if info, err := os.Stat(lib); err != nil || !filepath.IsAbs(lib) || info.IsDir() {
			t.Errorf("%s: %v, want the absolute path of a file", lib, err)
		}
	}
	if _, err := locate("libnosuchthing.so.0"); err == nil {
		t.Error("a library that does not exist is found")
	}
}
