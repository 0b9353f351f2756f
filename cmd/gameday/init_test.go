package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"gameday/inject/engine"
)

func TestAskPorts(t *testing.T) {
	answer := func(code int, kind, body string) engine.Container {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				t.Errorf("asked for %s", r.URL.Path)
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			w.Write([]byte(body))
		}))
		t.Cleanup(srv.Close)
		_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
		n, _ := strconv.Atoi(port)
		return engine.Container{ID: port, NetworkMode: "host", Ports: []engine.Port{{Container: n, Protocol: "tcp"}}}
	}
	good := map[string]engine.Container{
		"text":        answer(200, "text/plain; version=0.0.4", "# HELP up Is it up?\n# TYPE up gauge\nup 1\n"),
		"labels":      answer(200, "text/plain", "requests_total{code=\"200\"} 3\n"),
		"openmetrics": answer(200, "application/openmetrics-text; version=1.0.0", "up 1\n# EOF\n"),
	}
	bad := map[string]engine.Container{
		"a page":     answer(200, "text/html", "up 1\n"),
		"other text": answer(200, "text/plain", "ok\n"),
		"nothing":    answer(200, "text/plain", ""),
		"not found":  answer(404, "text/plain", "up 1\n"),
		"elsewhere":  answer(302, "text/plain", "up 1\n"),
		"no address": {ID: "x", NetworkMode: "none"},
	}
	var all []engine.Container
	for _, c := range good {
		all = append(all, c)
	}
	for _, c := range bad {
		all = append(all, c)
	}
	found := askPorts(t.Context(), all)
	for name, c := range good {
		if found[c.ID] != c.Ports[0].Container {
			t.Errorf("%s: found port %d, want %d", name, found[c.ID], c.Ports[0].Container)
		}
	}
	for name, c := range bad {
		// On this machine's own usual ports anything may answer.
		if len(c.Ports) > 0 && found[c.ID] == c.Ports[0].Container {
			t.Errorf("%s was taken for metrics", name)
		}
	}
}
