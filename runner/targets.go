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

	replicas map[string]int // of a chosen container's compose service, itself included, by its id: how many run
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
	r.replicas = map[string]int{}
	for _, c := range r.Chosen {
		for _, other := range all {
			if c.ComposeService() != "" && other.State.Running && other.ComposeProject() == c.ComposeProject() && other.ComposeService() == c.ComposeService() {
				r.replicas[c.ID]++
			}
		}
	}
	return r, nil
}

// describe is a container as the record has it.
func (r *Resolved) describe(c engine.Container) journal.Container {
	d := journal.Container{ID: c.ID, Name: c.Name, Image: c.Image, ImageID: c.ImageID, Service: c.ComposeService(), StartedAt: c.State.StartedAt,
		RestartPolicy: c.RestartPolicy, Health: c.State.Health, Replicas: r.replicas[c.ID],
		Limits: &journal.Limits{Memory: c.Limits.Memory, CPUs: journal.Number(cpus(c.Limits)), PIDs: max(0, c.Limits.PidsLimit)}}
	if h := c.Health; h != nil {
		d.HealthCheck = &journal.HealthCheck{Interval: journal.Duration(h.Interval), Timeout: journal.Duration(h.Timeout), StartPeriod: journal.Duration(h.StartPeriod), Retries: h.Retries}
	}
	return d
}

// cpus is how many processors a container may use; zero: there is no limit.
func cpus(l engine.Limits) float64 {
	switch {
	case l.NanoCPUs > 0:
		return float64(l.NanoCPUs) / 1e9
	case l.CPUQuota > 0 && l.CPUPeriod > 0:
		return float64(l.CPUQuota) / float64(l.CPUPeriod)
	case l.CPUQuota > 0:
		return float64(l.CPUQuota) / 1e5 // the kernel's default period, in microseconds
	}
	return 0
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
