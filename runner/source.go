package runner

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// serverEvery is how often a server is asked where the scenario does not say.
const serverEvery = 5 * time.Second

// openSource makes the source of a scenario. dir is the run directory; "" keeps nothing.
func openSource(s *scenarios.Source, targets map[string]Resolved, info engine.Info, dir string) (metrics.Source, error) {
	if s.URL != "" {
		return metrics.NewServer(serverConfig(s))
	}
	c := metrics.EmbeddedConfig{Name: s.Name, Interval: s.Interval, Rules: ruleFiles(s), Evaluation: s.EvaluationInterval}
	if dir != "" {
		c.Dir = filepath.Join(dir, journal.SamplesDir, journal.TSDBDir)
	}
	for i := range s.Scrapes {
		eps, err := endpoints(&s.Scrapes[i], targets, info)
		if err != nil {
			return nil, err
		}
		sc := &s.Scrapes[i]
		scheme, path := sc.Scheme, sc.Path
		if sc.URL != "" {
			scheme, path = splitURL(sc.URL)
		}
		c.Scrapes = append(c.Scrapes, metrics.Scrape{Job: sc.Job, Scheme: scheme, Path: path, Interval: sc.Interval, Endpoints: eps})
	}
	var err error
	if c.Probes, err = openProbes(s, targets, info); err != nil {
		return nil, err
	}
	return metrics.NewEmbedded(c)
}

// serverConfig says how to reach a server.
func serverConfig(s *scenarios.Source) metrics.ServerConfig {
	c := metrics.ServerConfig{Name: s.Name, URL: s.URL, HideURL: s.URLSecret, Headers: s.Headers, BearerToken: s.BearerToken, Timeout: s.Timeout}
	if s.BasicAuth != nil {
		c.Username, c.Password = s.BasicAuth.Username, s.BasicAuth.Password
	}
	if s.TLS != nil {
		c.CAFile, c.CertFile, c.KeyFile = s.TLS.CAFile, s.TLS.CertFile, s.TLS.KeyFile
		c.ServerName, c.InsecureSkipVerify = s.TLS.ServerName, s.TLS.InsecureSkipVerify
	}
	return c
}

// awaitFirstScrape returns when every endpoint of the embedded engine has been scraped or probed once, whether it answered or not,
// and when there is a first sample of every container that is followed. It is bounded: an endpoint that cannot even be asked shows
// as no data.
func awaitFirstScrape(ctx context.Context, emb *metrics.Embedded, s *scenarios.Source, containers *collector) {
	longest := s.Interval
	for _, sc := range s.Scrapes {
		longest = max(longest, sc.Interval)
	}
	for _, p := range s.Probes {
		longest = max(longest, p.Interval)
	}
	// The first scrape comes within one interval, and takes one at most.
	limit := 2*longest + 5*time.Second
	if containers != nil {
		limit += silence
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	if containers != nil {
		containers.await(ctx)
	}
	for len(s.Scrapes)+len(s.Probes) > 0 {
		targets := emb.Targets()
		jobs := map[string]bool{}
		for _, t := range targets {
			jobs[t.Job] = true
		}
		// Asked of the storage: what that answers, the queries see as well.
		probed := !slices.ContainsFunc(emb.Probes(), func(p metrics.TargetStatus) bool { return p.LastScrape.IsZero() })
		if res, err := emb.Query(ctx, "up", time.Now()); err == nil && probed && len(jobs) == len(s.Scrapes) && len(res.Series) >= len(targets) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// endpoints says where a scrape block finds its metrics now.
func endpoints(sc *scenarios.Scrape, targets map[string]Resolved, info engine.Info) ([]metrics.Endpoint, error) {
	if sc.URL != "" {
		host := urlHost(sc.URL)
		return []metrics.Endpoint{{Address: host, Labels: map[string]string{"instance": host}}}, nil
	}
	var eps []metrics.Endpoint
	for _, c := range targets[sc.Target.Name].Chosen {
		addr, err := address(c, sc.Port, info)
		if err != nil {
			return nil, fmt.Errorf("scrape %q: %w", sc.Job, err)
		}
		eps = append(eps, metrics.Endpoint{Address: addr, Labels: endpointLabels(c, sc.Port)})
	}
	return eps, nil
}

func splitURL(u string) (scheme, path string) {
	scheme, rest, _ := strings.Cut(u, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return scheme, rest[i:]
	}
	return scheme, "/metrics"
}

// address is where a container's port is reached from here: its own address on a Linux engine's bridge; a published port where
// the engine runs in a virtual machine whose bridges this machine does not see.
func address(c engine.Container, port int, info engine.Info) (string, error) {
	published := ""
	for _, p := range c.Ports {
		if p.Container == port && p.Host != 0 && p.Protocol != "udp" {
			host := p.HostIP
			if host == "" || host == "0.0.0.0" || host == "::" {
				host = "127.0.0.1"
			}
			published = net.JoinHostPort(host, strconv.Itoa(p.Host))
		}
	}
	if strings.Contains(info.OS, "Docker Desktop") || !info.Local {
		if published == "" {
			return "", fmt.Errorf("port %d of %s cannot be reached from here: the engine's networks are on another machine; publish the port", port, c.Name)
		}
		return published, nil
	}
	if c.NetworkMode == "host" {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
	}
	for _, n := range c.Networks {
		if n.IPv4 != "" {
			return net.JoinHostPort(n.IPv4, strconv.Itoa(port)), nil
		}
	}
	for _, n := range c.Networks {
		if n.IPv6 != "" {
			return net.JoinHostPort(n.IPv6, strconv.Itoa(port)), nil
		}
	}
	if published != "" {
		return published, nil
	}
	return "", fmt.Errorf("%s has no address at which port %d could be reached (network mode %q)", c.Name, port, c.NetworkMode)
}
