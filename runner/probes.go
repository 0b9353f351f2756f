package runner

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gameday/inject/engine"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// openProbes are the probes of a source. It fails if one cannot be reached from here.
func openProbes(s *scenarios.Source, targets map[string]Resolved, info engine.Info) ([]metrics.Probe, error) {
	var out []metrics.Probe
	for i := range s.Probes {
		p := &s.Probes[i]
		if p.Target != nil {
			for _, c := range targets[p.Target.Name].Chosen {
				if _, err := address(c, p.Port, info); err != nil {
					return nil, fmt.Errorf("probe %q: %w", p.Job, err)
				}
			}
		}
		asker, err := asker(p)
		if err != nil {
			return nil, fmt.Errorf("probe %q: %w", p.Job, err)
		}
		out = append(out, metrics.Probe{Job: p.Job, Asker: asker, Interval: p.Interval, Timeout: p.Timeout, Endpoints: probed(p, targets, info)})
	}
	return out, nil
}

func asker(p *scenarios.Probe) (metrics.Asker, error) {
	if p.Kind == "tcp" {
		return metrics.TCPProbe{Send: p.Send, Expect: p.Expect}, nil
	}
	a := metrics.HTTPProbe{URL: p.URL, Path: p.Path, Method: p.Method, Status: p.Status}
	if p.BodyRegex != "" {
		var err error
		if a.BodyRegex, err = regexp.Compile(p.BodyRegex); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// checkProbed warns of hypotheses on what a probe measured where none asks whether it was answered.
func (p *Plan) checkProbed(warn report) {
	if slices.ContainsFunc(p.Queries, func(q PlannedQuery) bool { return q.Hypothesis != nil && metrics.Names(q.Text)("probe_success") }) {
		return
	}
	for _, q := range p.Queries {
		reads := metrics.Names(q.Text)
		if q.Hypothesis == nil || !reads("probe_duration_seconds") && !reads("probe_http_duration_seconds") && !reads("probe_http_status_code") {
			continue
		}
		why := "a probe that is refused has neither a time nor a status, which is no data, and one that is not answered within its timeout has taken just that"
		if p.Scenario.Source.URL != "" {
			why = "blackbox_exporter gives a refused connection a short time and a status of 0, and one that is not answered within its timeout has taken just that"
		}
		warn(q.Hypothesis.Range, fmt.Sprintf("hypothesis %q", q.Name()), "%s: have a hypothesis that probe_success is 1, too", why)
	}
}

// probed says where a probe goes now. A container that does not run has no address, and does not answer: somebody else may have the
// address that it had.
func probed(p *scenarios.Probe, targets map[string]Resolved, info engine.Info) []metrics.Endpoint {
	if p.Target == nil {
		to := p.Address
		if p.URL != "" {
			to = urlHost(p.URL)
		}
		return []metrics.Endpoint{{Address: to}}
	}
	var eps []metrics.Endpoint
	for _, c := range targets[p.Target.Name].Chosen {
		addr, err := address(c, p.Port, info)
		if err != nil {
			addr = ""
		}
		eps = append(eps, metrics.Endpoint{Address: addr, Labels: endpointLabels(c, p.Port)})
	}
	return eps
}

// endpointLabels are those of what is scraped or probed at a port of a container.
func endpointLabels(c engine.Container, port int) map[string]string {
	labels := map[string]string{"instance": c.Name + ":" + strconv.Itoa(port), "container": c.Name}
	if s := c.ComposeService(); s != "" {
		labels["service"] = s
	}
	return labels
}

// urlHost is the host of a url with its port.
func urlHost(u string) string {
	_, rest, _ := strings.Cut(u, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if _, _, err := net.SplitHostPort(rest); err == nil {
		return rest
	}
	port := "80"
	if strings.HasPrefix(u, "https://") {
		port = "443"
	}
	return net.JoinHostPort(strings.Trim(rest, "[]"), port)
}
