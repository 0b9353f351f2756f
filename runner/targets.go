package runner

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"sort"
	"strings"

	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/scenarios"
)

// A Resolved is a target with the containers it stands for in this run.
type Resolved struct {
	Target  *scenarios.Target
	Chosen  []engine.Container // ordered by name
	LeftOut []journal.LeftOut  // what nearly was chosen, and why it was not
}

// resolve finds a target's containers among all. The seeded choice of `pick` is the same for the same seed, target and
// containers, whatever else runs. self is the container that gameday itself runs in, if any.
func resolve(t *scenarios.Target, all []engine.Container, seed uint64, self string) (Resolved, error) {
	r := Resolved{Target: t}
	criteria, err := selectors(t)
	if err != nil {
		return r, err
	}
	var matching, asleep []engine.Container
	for _, c := range all {
		var misses []string
		for _, crit := range criteria {
			if why := crit(c); why != "" {
				misses = append(misses, why)
			}
		}
		switch {
		case len(misses) == len(criteria):
		case len(misses) > 0:
			r.leave(c, misses[0])
		case self != "" && strings.HasPrefix(c.ID, self):
			return r, fmt.Errorf("it matches %s, the container that gameday itself runs in; narrow it", c.Name)
		case c.Own():
			return r, fmt.Errorf("it matches %s, a helper of gameday's own; narrow it", c.Name)
		case !c.State.Running:
			asleep = append(asleep, c)
			r.leave(c, "it does not run (it is "+c.State.Status+")")
		default:
			matching = append(matching, c)
		}
	}
	if len(matching) == 0 {
		if len(asleep) > 0 {
			return r, fmt.Errorf("it matches %s, but none that runs (%s is %s); start it first",
				count(len(asleep), "container"), asleep[0].Name, asleep[0].State.Status)
		}
		return r, fmt.Errorf("it matches no container (%s); `docker ps` shows what runs", t.Selector())
	}
	sort.Slice(matching, func(i, j int) bool { return matching[i].Name < matching[j].Name })
	n := len(matching)
	switch {
	case t.Pick.Count > 0:
		n = t.Pick.Count
	case t.Pick.Percent > 0:
		n = (len(matching)*t.Pick.Percent + 99) / 100
	}
	if n > len(matching) {
		runs := "run and match"
		if len(matching) == 1 {
			runs = "runs and matches"
		}
		return r, fmt.Errorf("it is to pick %d containers, but only %d %s", n, len(matching), runs)
	}
	if n < len(matching) {
		h := fnv.New64a()
		h.Write([]byte(t.Name))
		rng := rand.New(rand.NewPCG(seed, h.Sum64()))
		rng.Shuffle(len(matching), func(i, j int) { matching[i], matching[j] = matching[j], matching[i] })
		for _, c := range matching[n:] {
			r.leave(c, fmt.Sprintf("it matches, but pick = %q chose otherwise (seed %d)", t.Pick.String(), seed))
		}
		matching = matching[:n]
		sort.Slice(matching, func(i, j int) bool { return matching[i].Name < matching[j].Name })
	}
	sort.SliceStable(r.LeftOut, func(i, j int) bool { return r.LeftOut[i].Container < r.LeftOut[j].Container })
	r.Chosen = matching
	return r, nil
}

func (r *Resolved) leave(c engine.Container, why string) {
	r.LeftOut = append(r.LeftOut, journal.LeftOut{Container: c.Name, Reason: why})
}

// A selector returns why a container does not match, or "".
type selector func(engine.Container) string

func selectors(t *scenarios.Target) ([]selector, error) {
	var out []selector
	equal := func(want, what string, get func(engine.Container) string) {
		if want == "" {
			return
		}
		out = append(out, func(c engine.Container) string {
			switch got := get(c); got {
			case want:
				return ""
			case "":
				return fmt.Sprintf("it has no %s", what)
			default:
				return fmt.Sprintf("its %s is %q", what, got)
			}
		})
	}
	equal(t.ContainerName, "name", func(c engine.Container) string { return c.Name })
	if t.NameRegex != "" {
		re, err := regexp.Compile(t.NameRegex)
		if err != nil {
			return nil, fmt.Errorf("its name_regex: %w", err)
		}
		out = append(out, func(c engine.Container) string {
			if re.MatchString(c.Name) {
				return ""
			}
			return "its name does not match"
		})
	}
	equal(t.ComposeProject, "compose project", engine.Container.ComposeProject)
	equal(t.ComposeService, "compose service", engine.Container.ComposeService)
	equal(t.Image, "image", func(c engine.Container) string { return c.Image })
	keys := make([]string, 0, len(t.Labels))
	for k := range t.Labels {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		want := t.Labels[k]
		out = append(out, func(c engine.Container) string {
			switch got, ok := c.Labels[k]; {
			case !ok:
				return "it has no label " + k
			case got != want:
				return fmt.Sprintf("its label %s is %q", k, got)
			}
			return ""
		})
	}
	if len(out) == 0 {
		return nil, errors.New("it has no criterion")
	}
	return out, nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
