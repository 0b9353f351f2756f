package metrics

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// site answers as a path says.
func site(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ok":
		fmt.Fprint(w, "all is well")
	case "/method":
		fmt.Fprint(w, r.Method)
	case "/query":
		fmt.Fprint(w, r.URL.RawQuery)
	case "/broken":
		http.Error(w, "out of order", http.StatusInternalServerError)
	case "/moved":
		http.Redirect(w, r, "/ok", http.StatusMovedPermanently)
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	case "/large":
		fmt.Fprint(w, strings.Repeat("x", 2*mostAnswer), "end")
	case "/away":
		http.Redirect(w, r, "http://"+r.URL.RawQuery, http.StatusFound)
	case "/hang_up":
		panic(http.ErrAbortHandler)
	case "/slow":
		<-r.Context().Done()
	case "/cut":
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "the beginning")
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	default:
		http.NotFound(w, r)
	}
}

// values are samples by name, with the labels where there are any.
func values(samples []Sample) map[string]float64 {
	out := map[string]float64{}
	for _, s := range samples {
		out[labelText(map[string]string{"__name__": s.Name})+strings.TrimPrefix(labelText(s.Labels), "{}")] = s.Value
	}
	return out
}

func TestHTTPProbe(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(site))
	defer server.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(site))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of those who do not trust it
	secure.StartTLS()
	defer secure.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	address := server.Listener.Addr().String()
	for name, x := range map[string]struct {
		probe     HTTPProbe
		address   string
		status    float64
		redirects float64
		err       string
	}{
		"ok":                    {probe: HTTPProbe{Path: "/ok"}, status: 200},
		"url":                   {probe: HTTPProbe{URL: server.URL + "/ok"}, address: "127.0.0.1:1", status: 200},
		"method":                {probe: HTTPProbe{Path: "/method", Method: "POST", BodyRegex: regexp.MustCompile("^POST$")}, status: 200},
		"head":                  {probe: HTTPProbe{Path: "/ok", Method: "HEAD"}, status: 200},
		"query":                 {probe: HTTPProbe{Path: "/query?deep=1", BodyRegex: regexp.MustCompile("^deep=1$")}, status: 200},
		"an error":              {probe: HTTPProbe{Path: "/broken"}, status: 500, err: "the status 500"},
		"an expected error":     {probe: HTTPProbe{Path: "/none", Status: []int{200, 404}}, status: 404},
		"another than expected": {probe: HTTPProbe{Path: "/ok", Status: []int{204}}, status: 200, err: "the status 200"},
		"redirect":              {probe: HTTPProbe{Path: "/moved"}, status: 200, redirects: 1},
		"redirect and body":     {probe: HTTPProbe{Path: "/moved", BodyRegex: regexp.MustCompile("well")}, status: 200, redirects: 1},
		"expected redirect":     {probe: HTTPProbe{Path: "/moved", Status: []int{301}}, status: 301},
		"redirects for ever":    {probe: HTTPProbe{Path: "/loop"}, err: "redirects more than 10 times"},
		"redirect to nobody":    {probe: HTTPProbe{Path: "/away?" + nobody.Addr().String()}, err: "refused"},
		"hangs up":              {probe: HTTPProbe{Path: "/hang_up"}, err: "EOF"},
		"another body":          {probe: HTTPProbe{Path: "/ok", BodyRegex: regexp.MustCompile("ready")}, status: 200, err: `the body "all is well": it is not`},
		"large":                 {probe: HTTPProbe{Path: "/large"}, status: 200},
		"beyond the first MiB":  {probe: HTTPProbe{Path: "/large", BodyRegex: regexp.MustCompile("end$")}, status: 200, err: "xxx"},
		"cut":                   {probe: HTTPProbe{Path: "/cut"}, status: 200, err: "broke off"},
		"slow":                  {probe: HTTPProbe{Path: "/slow"}, err: "deadline"},
		"nobody":                {probe: HTTPProbe{Path: "/ok"}, address: nobody.Addr().String(), err: "refused"},
		"no such host":          {probe: HTTPProbe{URL: "http://no-such-host.invalid/"}, err: "no-such-host.invalid"},
		"unknown certificate":   {probe: HTTPProbe{URL: secure.URL + "/ok"}, err: "certificate"},
		"https to http":         {probe: HTTPProbe{URL: "https://" + address + "/ok"}, err: "HTTP response to HTTPS client"},
		"http to https":         {probe: HTTPProbe{Path: "/ok"}, address: secure.Listener.Addr().String(), status: 400, err: "the status 400"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := 20 * time.Second
			if name == "slow" {
				limit = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if x.address == "" {
				x.address = address
			}
			if err := x.probe.check(); err != nil {
				t.Fatal(err)
			}
			samples, err := x.probe.ask(ctx, x.address)
			if (err != nil) != (x.err != "") || err != nil && !strings.Contains(err.Error(), x.err) {
				t.Errorf("%v, want %q", err, x.err)
			}
			got := values(samples)
			if got["probe_http_status_code{}"] != x.status || got["probe_http_redirects{}"] != x.redirects || got["probe_http_ssl{}"] != 0 {
				t.Errorf("%v", got)
			}
			if _, has := got["probe_failed_due_to_regex{}"]; has != (x.probe.BodyRegex != nil) {
				t.Errorf("%v", got)
			}
			// Without an answer there is nothing that could pass for one: no status, and no time that is short.
			for _, of := range []string{"status_code", "redirects", "ssl"} {
				if _, has := got["probe_http_"+of+"{}"]; has != (x.status != 0) {
					t.Errorf("%s: %v", of, got)
				}
			}
			for _, phase := range phaseNames {
				want := x.status != 0
				switch {
				case name == "cut":
					want = phase != "transfer"
				case name == "slow": // it ran out of time in the phase before
					want = phase == "connect" || phase == "processing"
				}
				took, has := got[fmt.Sprintf("probe_http_duration_seconds{}{phase=%q}", phase)]
				if has != want || name == "slow" && phase == "processing" && took < 0.03 {
					t.Errorf("%s took %v: %v, want %v", phase, took, has, want)
				}
			}
			if x.status != 0 && (got[`probe_http_duration_seconds{}{phase="connect"}`] == 0 || got[`probe_http_duration_seconds{}{phase="processing"}`] == 0) {
				t.Errorf("it took no time: %v", got)
			}
		})
	}
}

// listening serves TCP: what it does with a connection is up to the function.
func listening(t *testing.T, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}

func TestTCPProbe(t *testing.T) {
	echo := listening(t, func(c net.Conn) { io.Copy(c, c) })
	greeter := listening(t, func(c net.Conn) {
		for _, piece := range []string{"220 shop", ".example", " ready\r\n"} {
			io.WriteString(c, piece)
			time.Sleep(5 * time.Millisecond)
		}
	})
	closing := listening(t, func(net.Conn) {})
	endless := listening(t, func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, strings.Repeat("x", 1<<16)); err != nil {
				return
			}
		}
	})
	silent := listening(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	for name, x := range map[string]struct {
		probe   TCPProbe
		address string
		err     string
		answer  float64 // probe_failed_due_to_answer
	}{
		"connects":            {TCPProbe{}, silent, "", 0},
		"sends only":          {TCPProbe{Send: "hello"}, silent, "", 0},
		"greets":              {TCPProbe{Expect: "shop.example ready"}, greeter, "", 0},
		"greets otherwise":    {TCPProbe{Expect: "store"}, greeter, `"220 shop.example ready": it is not`, 1},
		"answers":             {TCPProbe{Send: "PING\r\n", Expect: "PING\r"}, echo, "", 0},
		"answers otherwise":   {TCPProbe{Send: "PING\r\n", Expect: "PONG"}, echo, `after the answer "PING"`, 0},
		"closes":              {TCPProbe{Expect: "x"}, closing, "without an answer", 0},
		"answers without end": {TCPProbe{Expect: "y"}, endless, "it is not", 1},
		"is silent":           {TCPProbe{Expect: "x"}, silent, "timeout", 0},
		"no such host":        {TCPProbe{}, "no-such-host.invalid:80", "no-such-host.invalid", 0},
	} {
		t.Run(name, func(t *testing.T) {
			limit := 20 * time.Second
			if name == "is silent" || name == "answers otherwise" {
				limit = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			samples, err := x.probe.ask(ctx, x.address)
			if (err != nil) != (x.err != "") || err != nil && !strings.Contains(err.Error(), x.err) {
				t.Errorf("%v, want %q", err, x.err)
			}
			got, has := values(samples)["probe_failed_due_to_answer{}"]
			if got != x.answer || has != (x.probe.Expect != "" && answered(err)) {
				t.Errorf("%v", samples)
			}
		})
	}
}

// A probed endpoint has its series from the first attempt on, whatever comes of it; they follow it to another address, and end when
// nobody asks any more.
func TestProbes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(site))
	defer server.Close()
	at := func(address string) Endpoint {
		return Endpoint{Address: address, Labels: map[string]string{"instance": "web:80", "container": "web"}}
	}
	const job = "front"
	e, err := NewEmbedded(EmbeddedConfig{Dir: t.TempDir(), Probes: []Probe{
		{Job: job, Asker: HTTPProbe{Path: "/ok"}, Interval: 20 * time.Millisecond, Endpoints: []Endpoint{at("127.0.0.1:1")}},
		{Job: "fixed", Asker: TCPProbe{}, Interval: 20 * time.Millisecond, Endpoints: []Endpoint{{Address: server.Listener.Addr().String()}}},
		{Job: "slow", Asker: HTTPProbe{Path: "/slow"}, Interval: 40 * time.Millisecond, Endpoints: []Endpoint{{Address: server.Listener.Addr().String()}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if got := e.Probes(); got != nil {
		t.Errorf("before the start: %+v", got)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await := func(query string, ok func(Result) bool) Result {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			res, err := e.Query(t.Context(), query, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if ok(res) {
				return res
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %+v", query, res)
			}
		}
	}
	is := func(want float64) func(Result) bool {
		return func(r Result) bool { return len(r.Series) == 1 && r.Series[0].Value == want }
	}
	none := func(r Result) bool { return len(r.Series) == 0 }
	res := await(`probe_success{job="front"}`, is(0))
	await(`{__name__=~"probe_.*",__name__!="probe_success",job="front"}`, none) // nobody listens: that is not quick
	if got := labelText(res.Series[0].Labels); got != `probe_success{container="web", instance="web:80", job="front"}` {
		t.Error(got)
	}
	await(`probe_success{job="fixed",instance="`+server.Listener.Addr().String()+`"}`, is(1))
	await(`probe_duration_seconds{job="fixed"} > 0`, func(r Result) bool { return len(r.Series) == 1 })
	await(`probe_duration_seconds{job="slow"} >= 0.03`, func(r Result) bool { return len(r.Series) == 1 }) // it takes at least as long
	await(`probe_success{job="slow"}`, is(0))
	if all := e.Probes(); len(all) != 3 || all[0].Job != "fixed" || !all[0].Up || all[0].LastError != "" || all[1].Up ||
		!strings.Contains(all[1].LastError, "refused") || all[1].LastScrape.IsZero() {
		t.Errorf("%+v", all)
	}
	e.SetEndpoints(job, []Endpoint{at(server.Listener.Addr().String())})
	await(`probe_success{job="front"}`, is(1))
	await(`count(probe_http_duration_seconds{job="front"})`, is(5))
	await(`probe_http_status_code{job="front"}`, is(200))
	await(`probe_duration_seconds{job="front"} > 0`, func(r Result) bool { return len(r.Series) == 1 })
	e.SetEndpoints(job, []Endpoint{at("")})
	await(`probe_success{job="front"}`, is(0))
	await(`{__name__=~"probe_.*",__name__!="probe_success",job="front"}`, none)
	if all := e.Probes(); all[1].LastError != errNoAddress.Error() {
		t.Errorf("%+v", all)
	}
	e.SetEndpoints(job, nil)
	await(`probe_success{job="front"}`, none)
	if all := e.Probes(); len(all) != 2 {
		t.Errorf("%+v", all)
	}
}

func TestProbesRefused(t *testing.T) {
	ok := Probe{Job: "a", Asker: TCPProbe{}}
	for words, c := range map[string]EmbeddedConfig{
		"no name":            {Probes: []Probe{{Asker: TCPProbe{}}}},
		"twice":              {Probes: []Probe{ok, ok}},
		`job "a" is there`:   {Scrapes: []Scrape{{Job: "a"}}, Probes: []Probe{ok}},
		"what to ask":        {Probes: []Probe{{Job: "a"}}},
		"whole milliseconds": {Probes: []Probe{{Job: "a", Asker: TCPProbe{}, Interval: time.Microsecond}}},
		"at most":            {Probes: []Probe{{Job: "a", Asker: TCPProbe{}, Timeout: time.Hour}}},
		"write /x":           {Probes: []Probe{{Job: "a", Asker: HTTPProbe{Path: "x"}}}},
		"its url":            {Probes: []Probe{{Job: "a", Asker: HTTPProbe{URL: "ftp://x"}}}},
		"method":             {Probes: []Probe{{Job: "a", Asker: HTTPProbe{Method: "G T"}}}},
		"host:port":          {Probes: []Probe{{Job: "a", Asker: TCPProbe{}, Endpoints: []Endpoint{{Address: "http://a"}}}}},
	} {
		if _, err := NewEmbedded(c); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
}
