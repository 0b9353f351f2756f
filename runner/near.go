package runner

import (
	"slices"
	"strings"
	"time"

	"gameday/inject/engine"
	"gameday/scenarios"
)

// Watched is what a run with the embedded engine looks at.
type Watched struct {
	Targets    []string          // containers
	Neighbours []string          // of the targets, ordered by name
	Probes     []scenarios.Probe // in the order of the file
}

// planWatching says what will be watched. A server has its own view of things.
func (p *Plan) planWatching(all []engine.Container) {
	if s := p.Scenario.Source; s != nil && s.URL == "" {
		targets, neighbours := p.near(all)
		p.Watched = Watched{Targets: containerNames(targets), Neighbours: containerNames(neighbours), Probes: s.Probes}
	}
}

func containerNames(containers []engine.Container) (out []string) {
	for _, c := range containers {
		out = append(out, c.Name)
	}
	return out
}

// asksFor returns the collector if a query of the plan may ask for what it brings.
func (p *Plan) asksFor(c *collector) *collector {
	if slices.ContainsFunc(p.Queries, func(q PlannedQuery) bool { return strings.Contains(q.Text, "container") }) {
		return c
	}
	return nil
}

// engineTells is how often an engine says what a container uses, however short the interval of the scrapes is.
const engineTells = time.Second

// near tells apart, in the order of all, the targets of a plan and their neighbours: the containers that share a
// network of their own or a compose project with one. What gameday made for itself is neither.
func (p *Plan) near(all []engine.Container) (targets, neighbours []engine.Container) {
	networks, projects, chosen := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, t := range p.Targets {
		for _, c := range t.Chosen {
			chosen[c.ID] = true
			for _, n := range c.Networks {
				// The default bridge connects what has nothing to do with each other.
				if n.Network != "bridge" && n.Network != "host" && n.Network != "none" {
					networks[n.NetworkID] = true
				}
			}
			if project := c.ComposeProject(); project != "" {
				projects[project] = true
			}
		}
	}
	for _, c := range all {
		shares := slices.ContainsFunc(c.Networks, func(n engine.Endpoint) bool { return networks[n.NetworkID] })
		switch {
		case chosen[c.ID]:
			targets = append(targets, c)
		case !c.Own() && (shares || projects[c.ComposeProject()]):
			neighbours = append(neighbours, c)
		}
	}
	return targets, neighbours
}
