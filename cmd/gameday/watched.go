package main

import (
	"fmt"

	"gameday/runner"
	"gameday/scenarios"
)

// watched says what the built-in engine looks at beside what it scrapes: containers from outside, and probes.
func watched(w runner.Watched) []string {
	var out []string
	if len(w.Targets)+len(w.Neighbours) > 0 {
		out = append(out, fmt.Sprintf("CPU, memory, network, disk, state and health of the targets (%s) and their neighbours (%s)",
			orNone(w.Targets), orNone(w.Neighbours)))
	}
	for _, p := range w.Probes {
		out = append(out, fmt.Sprintf("probe %q: %s every %s", p.Job, probeWords(p), length(p.Interval)))
	}
	return out
}

// probeWords says whom a probe asks for what.
func probeWords(p scenarios.Probe) string {
	switch {
	case p.URL != "":
		return p.Method + " " + p.URL
	case p.Address != "":
		return "tcp " + p.Address
	case p.Kind == "tcp":
		return fmt.Sprintf("tcp port %d of target.%s", p.Port, p.Target.Name)
	}
	return fmt.Sprintf("%s %s on port %d of target.%s", p.Method, p.Path, p.Port, p.Target.Name)
}

// watchedJSON is what the built-in engine looks at, for machines. Field names are an interface.
type watchedJSON struct {
	Targets    []string    `json:"targets"`
	Neighbours []string    `json:"neighbours"`
	Probes     []probeJSON `json:"probes"`
}

type probeJSON struct {
	Job  string `json:"job"`
	Kind string `json:"kind"`
	Asks string `json:"asks"`
}

func toWatchedJSON(w runner.Watched) watchedJSON {
	out := watchedJSON{Targets: list(w.Targets), Neighbours: list(w.Neighbours), Probes: []probeJSON{}}
	for _, p := range w.Probes {
		out.Probes = append(out.Probes, probeJSON{Job: p.Job, Kind: p.Kind, Asks: probeWords(p)})
	}
	return out
}
