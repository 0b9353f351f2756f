package inject

import (
	"fmt"
	"slices"
	"strings"

	"gameday/inject/engine"
)

// goneWords is what Gone has seen when there is no container any more; it is a difference, too.
const goneWords = "the container is gone: somebody removed it"

// withDifferences adds to a proof of Gone what is not as it was before. C is nil when the container is gone.
func withDifferences(p Proof, u Undo, c *engine.Container) Proof {
	if c == nil {
		p.Differences = []string{goneWords}
		return p
	}
	p.Differences = differences(u, *c)
	return p
}

// differences lists in words what of a container is not as it was before, apart from its start time.
func differences(u Undo, c engine.Container) []string {
	before, now := u.Before, stateOf(c)
	var out []string
	add := func(what, is, was string) {
		if is != was {
			out = append(out, fmt.Sprintf("%s is %s, was %s", what, orNone(is), orNone(was)))
		}
	}
	add("name", c.Name, u.Name)
	add("status", now.Status, before.Status)
	add("health", now.Health, before.Health)
	add("restart policy", now.RestartPolicy, before.RestartPolicy)
	if before.Limits != "" { // the record of an older gameday has none
		add("list of limits", now.Limits, before.Limits)
	}
	add("restart count", fmt.Sprint(now.RestartCount), fmt.Sprint(before.RestartCount))

	for _, was := range before.Networks {
		i := slices.IndexFunc(now.Networks, func(n Net) bool { return n.Name == was.Name })
		if i < 0 {
			out = append(out, fmt.Sprintf("it is not in network %s any more", was.Name))
			continue
		}
		is := now.Networks[i]
		add("address in "+was.Name, is.IPv4, was.IPv4)
		add("IPv6 address in "+was.Name, is.IPv6, was.IPv6)
		add("list of aliases in "+was.Name, list(is.Aliases), list(was.Aliases))
	}
	for _, is := range now.Networks {
		if !slices.ContainsFunc(before.Networks, func(n Net) bool { return n.Name == is.Name }) {
			out = append(out, fmt.Sprintf("it is in network %s, and was not", is.Name))
		}
	}
	return out
}

// list is a set of names in words, whatever their order.
func list(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
