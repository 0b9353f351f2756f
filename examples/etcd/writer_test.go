package etcd

import (
	"encoding/json"
	"fmt"
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
	var puts []string
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Success []operation }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/v3/kv/txn" || len(q.Success) != 1 || q.Success[0].Put == nil {
			t.Errorf("%s: %+v, %v", r.URL.Path, q, err)
			return
		}
		puts = append(puts, string(q.Success[0].Put.Key)+"="+string(q.Success[0].Put.Value))
		io.WriteString(w, `{"succeeded":true}`)
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
			puts = nil
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
			for i, put := range puts {
				if want := fmt.Sprintf("gameday/%d=%d", i+1, i+1); put != want {
					t.Errorf("put %s, want %s", put, want)
				}
			}
		})
	}
}

// TestWriterFindsLostPuts has clusters that take puts, every other time they are asked, and may forget one of them.
func TestWriterFindsLostPuts(t *testing.T) {
	tests := []struct {
		name         string
		forget       string
		puts         int
		looked, lost float64
	}{
		{"none is old enough", "1", checkAfter + 1, 0, 0},
		{"nothing is lost", "", checkAfter + 10, 9, 0},
		{"one is lost", "5", checkAfter + 10, 9, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kept := map[string][]byte{}
			refuse := false
			cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var q struct{ Success []operation }
				if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
					t.Error(err)
				}
				if refuse = !refuse; refuse { // every other time: what was to be looked for is asked for again
					http.Error(w, "etcdserver: no leader", http.StatusServiceUnavailable)
					return
				}
				var answer []operation
				for _, op := range q.Success {
					switch {
					case op.Put == nil:
						var o operation
						pairs := []pair{}
						if v, ok := kept[string(op.Range.Key)]; ok {
							pairs = append(pairs, pair{op.Range.Key, v})
						}
						o.Found = &struct {
							Pairs []pair `json:"kvs"`
						}{pairs}
						answer = append(answer, o)
					case string(op.Put.Value) != tt.forget:
						kept[string(op.Put.Key)] = op.Put.Value
					}
				}
				json.NewEncoder(w).Encode(map[string]any{"succeeded": true, "responses": answer})
			}))
			defer cluster.Close()
			w := newWriter([]string{cluster.URL, cluster.URL}, prometheus.NewRegistry())
			defer w.client.CloseIdleConnections()
			for range tt.puts {
				w.put(t.Context())
			}
			if looked, lost := testutil.ToFloat64(w.looked), testutil.ToFloat64(w.lost); looked != tt.looked || lost != tt.lost {
				t.Errorf("%v looked for and %v lost, want %v and %v", looked, lost, tt.looked, tt.lost)
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
