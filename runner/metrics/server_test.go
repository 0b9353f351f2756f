package metrics

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const oneSeries = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1,"2.5"]}]}}`

// answering is a server that gives every query the same answer.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func vector(elements string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + elements + `]}}`
}

func serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func open(t *testing.T, c ServerConfig) *Server {
	t.Helper()
	s, err := NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Queries ask for what the server knows now, as VictoriaMetrics must be told, whether they go by GET or by POST. A server that refuses what it
// does not know is asked without it from then on.
func TestServerIsAskedForNow(t *testing.T) {
	for _, strict := range []bool{false, true} {
		var asked []string
		server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.ParseForm()
			asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Form.Get("nocache"))
			if strict && r.Form.Has("nocache") {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"nocache\": Cannot bind query parameter."}}`)
				return
			}
			fmt.Fprint(w, oneSeries)
		}))
		s := open(t, ServerConfig{URL: server.URL})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Query(t.Context(), "up"+strings.Repeat(" ", 10_000), time.Now()); err != nil {
			t.Fatal(err)
		}
		want := "GET /api/v1/query 1, GET /api/v1/status/buildinfo , POST /api/v1/query 1"
		if strict {
			want = "GET /api/v1/query 1, GET /api/v1/query , GET /api/v1/status/buildinfo , POST /api/v1/query "
		}
		if got := strings.Join(asked, ", "); got != want {
			t.Errorf("strict %t: it was asked %s, want %s", strict, got, want)
		}
	}
}

func TestServerAnswers(t *testing.T) {
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf(`{"metric":{"pod":"%03d"},"value":[1,"%d"]}`, i, i)
	}
	tests := []struct {
		name   string
		status int
		body   string
		want   func(Result) bool
		err    string // a part of it
	}{
		{name: "a series", body: oneSeries, want: func(r Result) bool {
			return len(r.Series) == 1 && r.Series[0].Value == 2.5 && r.Series[0].Labels["job"] == "a"
		}},
		{name: "empty", body: vector(""), want: func(r Result) bool { return len(r.Series) == 0 }},
		{name: "scalar", body: `{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}`,
			want: func(r Result) bool {
				return len(r.Series) == 1 && len(r.Series[0].Labels) == 0 && r.Series[0].Value == 7
			}},
		{name: "NaN", body: vector(`{"metric":{},"value":[1,"NaN"]}`), want: func(r Result) bool { return math.IsNaN(r.Series[0].Value) }},
		{name: "infinite", body: vector(`{"metric":{"a":"1"},"value":[1,"+Inf"]},{"metric":{"a":"2"},"value":[1,"-Inf"]}`),
			want: func(r Result) bool { return math.IsInf(r.Series[0].Value, 1) && math.IsInf(r.Series[1].Value, -1) }},
		{name: "a hundred series", body: vector(strings.Join(hundred, ",")), want: func(r Result) bool { return len(r.Series) == 100 && r.Series[99].Value == 99 }},
		{name: "sorted", body: vector(`{"metric":{"a":"2"},"value":[1,"2"]},{"metric":{"a":"1"},"value":[1,"1"]}`), want: func(r Result) bool { return r.Series[0].Value == 1 }},
		{name: "warnings", body: `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["one store is away"]}`,
			want: func(r Result) bool { return len(r.Warnings) == 1 && r.Warnings[0] == "one store is away" }},
		{name: "no labels", body: vector(`{"value":[1,"1"]}`), want: func(r Result) bool { return r.Series[0].Labels != nil }},

		{name: "string", body: `{"status":"success","data":{"resultType":"string","result":[1,"x"]}}`, err: "returns a string"},
		{name: "matrix", body: `{"status":"success","data":{"resultType":"matrix","result":[]}}`, err: "range vector"},
		{name: "unknown type", body: `{"status":"success","data":{"resultType":"streams","result":[]}}`, err: `"streams"`},
		{name: "histogram", body: vector(`{"metric":{"job":"a"},"histogram":[1,{}]}`), err: "histogram_quantile"},
		{name: "word as value", body: vector(`{"metric":{},"value":[1,"many"]}`), err: `"many" is not a number`},
		{name: "number as value", body: vector(`{"metric":{},"value":[1,2]}`), err: "not a number in a string"},
		{name: "short pair", body: vector(`{"metric":{},"value":[1]}`), err: "1 elements"},
		{name: "no value", body: vector(`{"metric":{"job":"a"}}`), err: "no value"},
		{name: "truncated", body: oneSeries[:60], err: "broke off"},
		{name: "no body", body: "", err: "not a Prometheus API"},
		{name: "JSON of another kind", body: `{"hello":"world"}`, err: "not a Prometheus API"},
		{name: "JSON array", body: `[1,2]`, err: "not a Prometheus API"},
		{name: "HTML", body: "<!doctype html><html><head><title>x</title></head><body><h1>Welcome to nginx!</h1></body></html>", err: `not a Prometheus API (it says "Welcome to nginx!")`},
		{name: "error with status 200", body: `{"status":"error","errorType":"execution","error":"too many samples"}`, err: "refused the query: too many samples"},
		{name: "bad query", status: 400, body: `{"status":"error","errorType":"bad_data","error":"parse error: x"}`, err: "refused the query: parse error: x"},
		{name: "execution", status: 422, body: `{"status":"error","errorType":"execution","error":"many-to-many"}`, err: "refused the query: many-to-many"},
		{name: "500", status: 500, body: "the disk is full\n", err: "500 Internal Server Error: the disk is full"},
		{name: "503 with JSON", status: 503, body: `{"status":"error","errorType":"unavailable","error":"still replaying the WAL"}`, err: "503 Service Unavailable: still replaying the WAL"},
		{name: "timeout there", status: 503, body: `{"status":"error","errorType":"timeout","error":"query timed out"}`, err: "make the query cheaper"},
		{name: "502 with HTML", status: 502, body: "<html><title>502</title><body>Bad gateway</body></html>", err: "502 Bad Gateway: 502 Bad gateway"},
		{name: "404", status: 404, body: "404 page not found", err: "what precedes /api/v1"},
		{name: "401 without credentials", status: 401, body: "no", err: "set bearer_token or basic_auth"},
		{name: "control characters", status: 500, body: "a\x1b[31mred\x00", err: "a [31mred"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status := test.status
			if status == 0 {
				status = 200
			}
			s := open(t, ServerConfig{URL: serve(t, answering(status, test.body)).URL})
			result, err := s.Query(t.Context(), "up", time.Now())
			switch {
			case test.err == "" && err != nil:
				t.Fatal(err)
			case test.err == "" && !test.want(result):
				t.Errorf("got %+v", result)
			case test.err != "" && err == nil:
				t.Fatalf("no error, but %+v", result)
			case test.err != "" && !strings.Contains(err.Error(), test.err):
				t.Errorf("%v\nwant in it: %s", err, test.err)
			}
		})
	}
}

func TestServerRequest(t *testing.T) {
	var got *http.Request
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		got = r
		fmt.Fprint(w, oneSeries)
	}))
	s := open(t, ServerConfig{URL: server.URL + "/select/0/prometheus/?dedup=true", Headers: map[string]string{"X-Scope-OrgID": "shop", "host": "prom.example"}})
	if _, err := s.Query(t.Context(), "up + 1", time.UnixMilli(1_700_000_000_123)); err != nil {
		t.Fatal(err)
	}
	if got.URL.Path != "/select/0/prometheus/api/v1/query" || got.Form.Get("dedup") != "true" || got.Form.Get("query") != "up + 1" || got.Form.Get("time") != "1700000000.123" {
		t.Error(got.URL)
	}
	if got.Header.Get("X-Scope-OrgID") != "shop" || got.Host != "prom.example" {
		t.Error(got.Header, got.Host)
	}
	long := "up" + strings.Repeat(" + up", 2000)
	if _, err := s.Query(t.Context(), long, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.Form.Get("query") != long || got.Form.Get("dedup") != "true" {
		t.Error(got.Method, len(got.Form.Get("query")))
	}
}

func TestServerReusesConnections(t *testing.T) {
	connections := map[string]bool{}
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		fmt.Fprint(w, oneSeries)
	}))
	s := open(t, ServerConfig{URL: server.URL})
	for range 10 {
		if _, err := s.Query(t.Context(), "up", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if len(connections) != 1 {
		t.Errorf("%d connections for ten queries", len(connections))
	}
}

// The server quotes back everything that it was sent, as a debugging proxy does.
func echo(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "%v %s %s", r.Header, r.URL, r.Host)
	}
}

func TestServerCredentials(t *testing.T) {
	const secret = "s3cr3t/+ü"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+secret))
	withUser := func(raw, user string) string { return strings.Replace(raw, "://", "://"+user+"@", 1) }
	tests := []struct {
		name       string
		config     func(url string) ServerConfig
		header     string // what the server has to see as Authorization
		credential string // how the error calls it
	}{
		{"bearer", func(u string) ServerConfig { return ServerConfig{URL: u, BearerToken: secret} }, "Bearer " + secret, "bearer_token"},
		{"basic", func(u string) ServerConfig { return ServerConfig{URL: u, Username: "ann", Password: secret} }, basic, "basic_auth"},
		{"in the url", func(u string) ServerConfig { return ServerConfig{URL: withUser(u, "ann:s3cr3t%2F+%C3%BC")} }, basic, "basic_auth"},
		{"header", func(u string) ServerConfig {
			return ServerConfig{URL: u, Headers: map[string]string{"authorization": "Bearer " + secret}}
		}, "Bearer " + secret, "the header Authorization"},
		{"basic in a header", func(u string) ServerConfig {
			return ServerConfig{URL: u, Headers: map[string]string{"Authorization": basic}}
		}, basic, "the header Authorization"},
		{"another header", func(u string) ServerConfig {
			return ServerConfig{URL: u, Headers: map[string]string{"X-Api-Key": secret}}
		}, "", "bearer_token or basic_auth"},
		{"empty variable", func(u string) ServerConfig {
			return ServerConfig{URL: u, Headers: map[string]string{"Authorization": "Bearer "}}
		}, "Bearer", "is the variable set"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			good := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.TrimSpace(r.Header.Get("Authorization")) != test.header {
					t.Errorf("Authorization is %q, want %q", r.Header.Get("Authorization"), test.header)
				}
				fmt.Fprint(w, oneSeries)
			}))
			s := open(t, test.config(good.URL))
			if _, err := s.Query(t.Context(), "up", time.Now()); err != nil {
				t.Error(err)
			}
			for _, status := range []int{200, 301, 400, 401, 403, 404, 500, 503} {
				for _, hide := range []bool{false, true} {
					bad := serve(t, echo(status))
					config := test.config(bad.URL)
					config.HideURL = hide
					s := open(t, config)
					err := s.Start(t.Context())
					if err == nil {
						t.Fatal(status, "no error")
					}
					if status == 401 && !strings.Contains(err.Error(), test.credential) {
						t.Errorf("401: %v, want %q in it", err, test.credential)
					}
					shows := fmt.Sprintf("%v %+v", err, s.Info())
					for _, leak := range []string{secret, "s3cr3t", basic[6:], "%C3%BC"} {
						if strings.Contains(shows, leak) {
							t.Errorf("%d: %q leaks in %s", status, leak, shows)
						}
					}
					if hide && strings.Contains(shows, strings.TrimPrefix(bad.URL, "http://")) {
						t.Errorf("%d: the hidden address leaks in %s", status, shows)
					}
				}
			}
		})
	}
}

// A text is cut to a length for people; the cut must not leave half a credential.
func TestServerCutsNoCredential(t *testing.T) {
	const secret = `hunter2 <"&>`
	for n := range 600 {
		text := strings.Repeat("x", n) + secret
		for _, body := range []string{text, `{"status":"error","errorType":"internal","error":` + strconv.Quote(text) + `}`, vector(`{"metric":{},"value":[1,` + strconv.Quote(text) + `]}`)} {
			s := &Server{redact: newRedactor([]string{secret}, nil)}
			a, err := parseAnswer([]byte(body))
			shown := s.refused(&http.Response{StatusCode: 500}, a, err, []byte(body)).Error()
			if err == nil && a.Status == "success" {
				_, err := a.result()
				shown = s.foreign(err.Error(), 500)
			}
			if strings.Contains(shown, "hun") || strings.Contains(shown, "ter2") {
				t.Fatalf("%d: %s", n, shown)
			}
		}
	}
}

func TestServerHiddenAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	s := open(t, ServerConfig{URL: "http://ann:pass@" + address + "/hidden", HideURL: true})
	err = s.Start(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, leak := range []string{address, "127.0.0.1", "ann", "pass@", "/hidden"} {
		if strings.Contains(err.Error(), leak) {
			t.Errorf("%q leaks in %v", leak, err)
		}
	}
	if s.Info().URL != "" {
		t.Error(s.Info())
	}
}

func TestServerConfigRefused(t *testing.T) {
	certificate := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(certificate, []byte("this is no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		config ServerConfig
		err    string
	}{
		"no url":           {ServerConfig{}, "http://"},
		"no scheme":        {ServerConfig{URL: "localhost:9090"}, "http://"},
		"broken url":       {ServerConfig{URL: "http://ann:pa%zz@host"}, "cannot be read"},
		"two credentials":  {ServerConfig{URL: "http://h", BearerToken: "a", Username: "b"}, "not both"},
		"header and token": {ServerConfig{URL: "http://h", BearerToken: "a", Headers: map[string]string{"Authorization": "x"}}, "keep one"},
		"header name":      {ServerConfig{URL: "http://h", Headers: map[string]string{"a b": "x"}}, `"a b"`},
		"header value":     {ServerConfig{URL: "http://h", Headers: map[string]string{"a": "x\r\ny: z"}}, "not valid"},
		"cert, no key":     {ServerConfig{URL: "https://h", CertFile: "x"}, "both cert and key"},
		"no ca file":       {ServerConfig{URL: "https://h", CAFile: certificate + ".away"}, "tls settings"},
		"bad ca file":      {ServerConfig{URL: "https://h", CAFile: certificate}, "tls settings"},
		"negative timeout": {ServerConfig{URL: "http://h", Timeout: -1}, "timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := NewServer(test.config); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, want %q in it", err, test.err)
			} else if strings.Contains(err.Error(), "pa%zz") {
				t.Errorf("a password leaks in %v", err)
			}
		})
	}
}

func TestServerTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(answering(200, oneSeries))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	plainServer := serve(t, answering(200, oneSeries))
	tests := map[string]struct {
		config ServerConfig
		err    string
	}{
		"custom ca":     {ServerConfig{URL: server.URL, CAFile: ca}, ""},
		"not verified":  {ServerConfig{URL: server.URL, InsecureSkipVerify: true}, ""},
		"unknown ca":    {ServerConfig{URL: server.URL}, "set ca in tls"},
		"another name":  {ServerConfig{URL: server.URL, CAFile: ca, ServerName: "prom.other"}, "server_name"},
		"given name":    {ServerConfig{URL: server.URL, CAFile: ca, ServerName: "example.com"}, ""},
		"no TLS there":  {ServerConfig{URL: strings.Replace(plainServer.URL, "http:", "https:", 1)}, "does not speak TLS"},
		"only TLS here": {ServerConfig{URL: strings.Replace(server.URL, "https:", "http:", 1)}, "400 Bad Request"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := open(t, test.config)
			_, err := s.Query(t.Context(), "up", time.Now())
			if (err != nil) != (test.err != "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("%v, want %q in it", err, test.err)
			}
		})
	}
}

func TestServerRedirects(t *testing.T) {
	leaked := make(chan http.Header, 10)
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked <- r.Header
		fmt.Fprint(w, oneSeries)
	}))
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/away/"):
			http.Redirect(w, r, other.URL+"/api/v1/query", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/round/"):
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/old/"):
			http.Redirect(w, r, strings.Replace(r.URL.String(), "/old/", "/new/", 1), http.StatusFound)
		default:
			fmt.Fprint(w, oneSeries)
		}
	}))
	for path, want := range map[string]string{"/old": "", "/away": "redirects to another server", "/round": "redirects elsewhere"} {
		s := open(t, ServerConfig{URL: server.URL + path, BearerToken: "token"})
		_, err := s.Query(t.Context(), "up", time.Now())
		if (err != nil) != (want != "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q in it", path, err, want)
		}
	}
	select {
	case h := <-leaked:
		t.Errorf("the other server was asked, with %v", h)
	default:
	}
}

func TestServerSlow(t *testing.T) {
	release := make(chan struct{})
	server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer close(release)
	s := open(t, ServerConfig{URL: server.URL, Timeout: 50 * time.Millisecond})
	_, err := s.Query(t.Context(), "up", time.Now())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "within 50ms: raise timeout") {
		t.Error(err)
	}
	s = open(t, ServerConfig{URL: server.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Query(ctx, "up", time.Now()); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "10s") {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.Query(ctx, "up", time.Now()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestServerGoesAwayAndReturns(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	first := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("query") != "broken" {
			fmt.Fprint(w, oneSeries)
			return
		}
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, oneSeries[:40])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})}
	go first.Serve(listener)
	s := open(t, ServerConfig{URL: "http://" + address})
	if _, err := s.Query(t.Context(), "up", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Query(t.Context(), "broken", time.Now()); err == nil || !strings.Contains(err.Error(), "in the middle of its answer") {
		t.Error(err)
	}
	first.Close()
	if _, err := s.Query(t.Context(), "up", time.Now()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
	listener, err = net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	second := &http.Server{Handler: answering(200, oneSeries)}
	go second.Serve(listener)
	defer second.Close()
	if _, err := s.Query(t.Context(), "up", time.Now()); err != nil {
		t.Error("after it returned:", err)
	}
}

func TestServerOversized(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<16))
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	s := open(t, ServerConfig{URL: server.URL})
	s.maxAnswer = 1 << 20
	if _, err := s.Query(t.Context(), "up", time.Now()); err == nil || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Error(err)
	}
}

func TestServerStart(t *testing.T) {
	build := ""
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status/buildinfo") {
			if build == "" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, build)
			return
		}
		fmt.Fprint(w, oneSeries)
	}))
	s := open(t, ServerConfig{Name: "shop", URL: server.URL})
	if err := s.Start(t.Context()); err != nil || s.Info().Version != "" {
		t.Error("without build information:", err, s.Info())
	}
	build = `{"status":"success","data":{"version":"2.42.0"}}`
	if err := s.Start(t.Context()); err != nil {
		t.Error(err)
	}
	if want := (Info{Name: "shop", Type: "server", URL: server.URL, Version: "2.42.0"}); s.Info() != want {
		t.Errorf("%+v, want %+v", s.Info(), want)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Query(t.Context(), "up", time.Now()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}
