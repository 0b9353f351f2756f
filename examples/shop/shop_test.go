package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate holds requests back while it is shut, as a frozen process does.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed: open
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

func (g *gate) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		<-open
		h.ServeHTTP(w, r)
	})
}

// small is the whole shop on loopback ports, without containers.
type small struct {
	store          *gate
	apis           [2]*httptest.Server
	apiMeters      [2]*meters
	frontend       *httptest.Server
	frontendMeters *meters
	load           *load
	loadLog        bytes.Buffer
	loadDone       chan struct{}
	stop           context.CancelFunc
}

func openShop(t *testing.T, rate int) *small {
	t.Helper()
	life, stop := context.WithCancel(context.Background())
	s := &small{store: newGate(), stop: stop, loadDone: make(chan struct{})}
	storeServer := httptest.NewServer(s.store.before(newStore(newMeters())))
	var urls []string
	for i := range s.apis {
		s.apiMeters[i] = newMeters()
		s.apis[i] = httptest.NewServer(newAPI(life, s.apiMeters[i], storeServer.URL))
		urls = append(urls, s.apis[i].URL)
	}
	s.frontendMeters = newMeters()
	s.frontend = httptest.NewServer(newFrontend(life, s.frontendMeters, urls))
	s.load, _ = newLoad(newMeters(), s.frontend.URL, rate, &s.loadLog)
	go func() {
		defer close(s.loadDone)
		s.load.run(life)
	}()
	t.Cleanup(func() {
		stop()
		<-s.loadDone
		s.frontend.Close()
		for _, api := range s.apis {
			api.Close()
		}
		storeServer.Close()
	})
	return s
}

// await waits until something is true.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *small) outcome(name string) float64 {
	return testutil.ToFloat64(s.load.outcomes.WithLabelValues(name))
}

func (s *small) apiInFlight() float64 {
	return testutil.ToFloat64(s.apiMeters[0].inFlight) + testutil.ToFloat64(s.apiMeters[1].inFlight)
}

func TestDeathOfAReplicaIsCovered(t *testing.T) {
	s := openShop(t, 200)
	await(t, "people buy", func() bool { return s.outcome(outcomeOK) > 20 })

	s.apis[0].CloseClientConnections()
	s.apis[0].Listener.Close()
	before := s.outcome(outcomeOK)
	await(t, "people go on buying", func() bool { return s.outcome(outcomeOK) > before+200 })

	if n := s.outcome(outcomeFailed); n != 0 {
		t.Errorf("%v checkouts failed, want none: the other replica is there", n)
	}
}

func TestFrozenStorePilesUp(t *testing.T) {
	s := openShop(t, 200)
	await(t, "people buy", func() bool { return s.outcome(outcomeOK) > 20 })

	s.store.freeze()
	await(t, "the api is full", func() bool { return s.apiInFlight() > 100 })
	await(t, "people see errors", func() bool { return s.outcome(outcomeFailed) > 20 })

	s.store.thaw()
	await(t, "the pile is gone", func() bool { return s.apiInFlight() < 20 })
	before := s.outcome(outcomeOK)
	await(t, "people buy again", func() bool { return s.outcome(outcomeOK) > before+50 })
}

func TestReplicaIsFoundAgain(t *testing.T) {
	replica := newGate()
	life, stop := context.WithCancel(context.Background())
	defer stop()
	slow := httptest.NewServer(replica.before(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer slow.Close()
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer good.Close()
	m := newMeters()
	front := httptest.NewServer(newFrontend(life, m, []string{slow.URL, good.URL}))
	defer front.Close()

	aside := func() string { return scrape(t, front.URL, `replica_put_aside{replica="`+slow.URL+`"}`) }
	replica.freeze()
	for range 2 { // in turn, so one of them goes to the frozen replica first
		if code, err := call(t.Context(), http.DefaultClient, http.MethodPost, front.URL+"/checkout"); err != nil || code != http.StatusOK {
			t.Errorf("checkout: %d, %v; want 200 by the other replica", code, err)
		}
	}
	if got := aside(); got != "1" {
		t.Errorf("put aside: %s, want 1", got)
	}
	if got := scrape(t, front.URL, `http_client_retries_total{reason="timeout"}`); got != "1" {
		t.Errorf("retries after a timeout: %s, want 1", got)
	}
	replica.thaw()
	await(t, "the replica is used again", func() bool { return aside() == "0" })
	http.DefaultClient.CloseIdleConnections()
}

// scrape returns the value of one series of a /metrics page, or "".
func scrape(t *testing.T, base, series string) string {
	t.Helper()
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func TestPick(t *testing.T) {
	tests := []struct {
		name  string
		aside [2]bool
		last  int // -1: none
		want  string
	}{
		{"both good, first time", [2]bool{false, false}, -1, "ab"},
		{"both good, the other one", [2]bool{false, false}, 0, "b"},
		{"one aside", [2]bool{true, false}, -1, "b"},
		{"one aside, the good one again", [2]bool{true, false}, 1, "b"},
		{"both aside, the other one", [2]bool{true, true}, 1, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &frontend{replicas: []*replica{{url: "a"}, {url: "b"}}}
			var last *replica
			for i, r := range f.replicas {
				r.aside.Store(tt.aside[i])
				if i == tt.last {
					last = r
				}
			}
			for range 4 {
				if got := f.pick(last).url; !strings.Contains(tt.want, got) {
					t.Errorf("picked %s, want one of %s", got, tt.want)
				}
			}
		})
	}
}

func TestMainArguments(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		env     map[string]string
		code    int
		message string
	}{
		{"no role", nil, nil, 2, "say one of api, frontend, load, store, or health <url>, or maintenance on or off"},
		{"unknown role", []string{"till"}, nil, 2, "say one of"},
		{"health without url", []string{"health"}, nil, 2, "say one of"},
		{"maintenance, but which", []string{"maintenance", "soon"}, nil, 2, "say one of"},
		{"maintenance of nothing", []string{"maintenance", "on"}, map[string]string{envListen: "127.0.0.1:1"}, 1, "no api answers here"},
		{"maintenance at no address", []string{"maintenance", "on"}, map[string]string{envListen: "nowhere"}, 1, `SHOP_LISTEN is "nowhere"`},
		{"rate that is no number", []string{"load"}, map[string]string{envRate: "many"}, 2, `SHOP_RATE is "many"`},
		{"rate too high", []string{"load"}, map[string]string{envRate: "100000"}, 2, "1 to 1000"},
		{"bad address", []string{"store"}, map[string]string{envListen: "nowhere"}, 1, "cannot listen on nowhere"},
		{"not healthy", []string{"health", "http://127.0.0.1:1/healthz"}, nil, 1, "not healthy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stderr bytes.Buffer
			code := run(t.Context(), tt.args, func(k string) string { return tt.env[k] }, io.Discard, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.message) {
				t.Errorf("got %d, %q; want %d, …%s…", code, stderr.String(), tt.code, tt.message)
			}
		})
	}
}

func TestMaintenance(t *testing.T) {
	s := openShop(t, 50)
	defer http.DefaultClient.CloseIdleConnections()
	api := s.apis[0]
	env := map[string]string{envListen: api.Listener.Addr().String()}
	for _, tt := range []struct {
		mode string
		want int
	}{{"on", 503}, {"on", 503}, {"off", 200}, {"off", 200}} {
		if code := run(t.Context(), []string{"maintenance", tt.mode}, func(k string) string { return env[k] }, io.Discard, io.Discard); code != 0 {
			t.Fatalf("maintenance %s ends with %d", tt.mode, code)
		}
		if code, err := call(t.Context(), http.DefaultClient, http.MethodPost, api.URL+"/checkout"); err != nil || code != tt.want {
			t.Errorf("maintenance %s: a checkout is answered with %d, %v; want %d", tt.mode, code, err, tt.want)
		}
		if code, err := call(t.Context(), http.DefaultClient, http.MethodGet, api.URL+"/healthz"); err != nil || code != http.StatusOK {
			t.Errorf("maintenance %s: the health check is answered with %d, %v", tt.mode, code, err)
		}
	}
	env[envListen] = s.frontend.Listener.Addr().String()
	if code := run(t.Context(), []string{"maintenance", "on"}, func(k string) string { return env[k] }, io.Discard, io.Discard); code != 1 {
		t.Errorf("maintenance of a frontend ends with %d, want 1", code)
	}
}

func TestRolesServeAndEnd(t *testing.T) {
	for role := range roles {
		t.Run(role, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			addr := freeAddress(t)
			ended := make(chan int)
			env := map[string]string{envListen: addr, envFrontend: "http://" + addr, envAPIs: "http://" + addr, envStore: "http://" + addr}
			go func() {
				ended <- run(ctx, []string{role}, func(k string) string { return env[k] }, io.Discard, io.Discard)
			}()
			await(t, role+" is healthy", func() bool {
				return run(t.Context(), []string{"health", "http://" + addr + "/healthz"}, nil, io.Discard, io.Discard) == 0
			})
			cancel()
			if code := <-ended; code != 0 {
				t.Errorf("%s ended with %d, want 0", role, code)
			}
		})
	}
}

// freeAddress returns an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	return s.Listener.Addr().String()
}

func TestLoadWritesWhatHappened(t *testing.T) {
	var log bytes.Buffer
	l, _ := newLoad(newMeters(), "http://unused", 10, &log)
	l.second = tally{sent: 3, ok: 1, failed: 2, took: []time.Duration{3 * time.Millisecond, time.Millisecond, 2500 * time.Microsecond}}
	l.users = 7
	at := time.Date(2026, 11, 22, 10, 0, 1, 0, time.UTC)
	l.writeSecond(at)
	got, err := ParseLoad(log.Bytes())
	if err != nil || len(got) != 1 {
		t.Fatalf("ParseLoad(%q) = %v, %v; want one second", log.String(), got, err)
	}
	want := LoadSecond{Time: at, Sent: 3, OK: 1, Failed: 2, P99: 3, Waiting: 7}
	if got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
	if l.second.sent != 0 {
		t.Error("the next second does not begin at zero")
	}
}

func TestParseLoad(t *testing.T) {
	good := `{"time":"2026-11-22T10:00:00Z","sent":40,"ok":39,"failed":1,"p99_ms":12.5,"waiting":2}` + "\n"
	tests := []struct {
		name, log string
		n         int
		err       string
	}{
		{"empty", "", 0, ""},
		{"one", good, 1, ""},
		{"other lines", "starting\n" + good + "ending\n", 1, ""},
		{"cut off", good + good[:20], 1, ""},
		{"malformed", good + "{\"sent\":\"x\"}\n", 0, "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseLoad([]byte(tt.log))
			if len(got) != tt.n || (tt.err == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %d seconds, %v; want %d, %q", len(got), err, tt.n, tt.err)
			}
		})
	}
}

func FuzzParseLoad(f *testing.F) {
	f.Add([]byte("{\"sent\":1}\n{\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		seconds, err := ParseLoad(log)
		if err == nil && len(seconds) > bytes.Count(log, []byte("\n")) {
			t.Errorf("%d seconds out of %d lines", len(seconds), bytes.Count(log, []byte("\n")))
		}
		if _, err := json.Marshal(seconds); err != nil && !strings.Contains(fmt.Sprint(err), "year outside") {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
