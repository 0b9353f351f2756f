package main

import (
	"bufio"
	"context"
	"io"
	"mime"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gameday/inject/engine"
)

// usualPorts are ports on which exporters and instrumented services answer, the likeliest first.
var usualPorts = []int{8080, 9090, 2112, 9100, 8081, 3000, 8000, 80}

const (
	// askLimit is how long a port may take to answer.
	askLimit = 300 * time.Millisecond
	// askAtOnce is how many ports are asked side by side.
	askAtOnce = 32
)

// askPorts asks each container on the ports that it publishes and then the usual ones for /metrics, and returns the first port of each
// that answers as Prometheus expects, by container id. It reads, and changes nothing.
func askPorts(ctx context.Context, containers []engine.Container) map[string]int {
	client := &http.Client{
		Timeout: askLimit,
		// Containers are asked at their own addresses, for which no proxy is meant.
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: askLimit}).DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	slots := make(chan struct{}, askAtOnce)
	var wg sync.WaitGroup
	var mu sync.Mutex
	rank := map[string]int{} // of the best port so far
	found := map[string]int{}
	for _, c := range containers {
		address := addressOf(c)
		if address == "" {
			continue
		}
		for i, port := range portsOf(c) {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				if !answersMetrics(ctx, client, "http://"+net.JoinHostPort(address, strconv.Itoa(port))+"/metrics") {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if best, ok := rank[c.ID]; !ok || i < best {
					rank[c.ID], found[c.ID] = i, port
				}
			})
		}
	}
	wg.Wait()
	return found
}

func addressOf(c engine.Container) string {
	if c.NetworkMode == "host" {
		return "127.0.0.1"
	}
	for _, n := range c.Networks {
		if n.IPv4 != "" {
			return n.IPv4
		}
	}
	return ""
}

func portsOf(c engine.Container) []int {
	var out []int
	for _, p := range c.Ports {
		if p.Protocol == "tcp" && !slices.Contains(out, p.Container) {
			out = append(out, p.Container)
		}
	}
	for _, p := range usualPorts {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

var sampleLine = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? \S+`)

// answersMetrics says whether an address answers with metrics in one of Prometheus' text formats: pages that are something else
// often answer with 200, too.
func answersMetrics(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4,*/*;q=0.1")
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "text/plain" && kind != "application/openmetrics-text" && kind != "" {
		return false
	}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 64<<10))
	for lines.Scan() {
		l := lines.Text()
		switch {
		case l == "" || strings.HasPrefix(l, "#"):
		default:
			return sampleLine.MatchString(l)
		}
	}
	return false
}
