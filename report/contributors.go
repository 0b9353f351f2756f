package report

import (
	"time"

	"gameday/runner/journal"
)

// contributors leads up to what people say about conditions, with facts about the targets and no word on what they did.
func (f *facts) contributors() Section {
	s := Section{ID: "contributors", Version: 1, Title: "Contributors, mitigators, risks still present", People: true}
	t := Table{Columns: []string{"Container", "Restart policy", "Health check", "Limits", "Replicas"}}
	seen := map[string]bool{}
	for _, target := range f.targets {
		for _, c := range target.p.Chosen {
			if seen[c.ID] || !f.touches(c.ID) {
				continue
			}
			seen[c.ID] = true
			t.Rows = append(t.Rows, row([]string{target.id}, words("{}", Name(c.Name)), words("{}", Name(c.RestartPolicy)), healthCheck(c), limitsOf(c), replicas(c)))
		}
	}
	if len(t.Rows) == 0 {
		s.Items = append(s.Items, Para{say(cite(f.declaredEvidence(), f.last), "The record names no container that a fault was planned for, and offers no fact about one.")})
		return s
	}
	ids := []string{}
	for _, r := range t.Rows {
		ids = append(ids, r.Evidence...)
	}
	s.Items = append(s.Items, Para{say(cite(ids...), "The table has how the targets were set up when the run started. Which conditions contributed, which softened the effect, and which are still there, is not in the record.")}, t)
	return s
}

// touches says that a fault was planned for a container, or done to it.
func (f *facts) touches(id string) bool {
	for _, x := range f.faults {
		if x.target.ID == id {
			return true
		}
	}
	for _, p := range f.declared.p.Faults {
		for _, t := range f.targets {
			if t.p.Target != p.Target {
				continue
			}
			for _, c := range t.p.Chosen {
				if c.ID == id {
					return true
				}
			}
		}
	}
	return false
}

func healthCheck(c journal.Container) Phrase {
	h := c.HealthCheck
	switch {
	case h == nil && c.Limits != nil:
		return words("none")
	case h == nil && c.Health != "":
		return words("there is one: it was {}", Name(c.Health))
	case h == nil:
		return words("not in the record")
	}
	p := words("every {}, each may take {}; {} in a row count", Dur(time.Duration(h.Interval)), Dur(time.Duration(h.Timeout)), Count{N: h.Retries})
	if h.StartPeriod > 0 {
		p.Template, p.Args = p.Template+"; not in the first {}", append(p.Args, Dur(time.Duration(h.StartPeriod)))
	}
	return p
}

func limitsOf(c journal.Container) Phrase {
	l := c.Limits
	if l == nil {
		return words("not in the record")
	}
	var list List
	if n := l.Memory; n > 0 {
		list = append(list, Inner(words("memory {}", Bytes(n))))
	}
	if n := l.CPUs; n > 0 {
		list = append(list, Inner(words("{} {}", Num(float64(n)), map[bool]Word{true: "processor", false: "processors"}[n == 1])))
	}
	if n := l.PIDs; n > 0 {
		list = append(list, Inner(words("{} processes", Count{N: int(n)})))
	}
	if len(list) == 0 {
		return words("none")
	}
	return words("{}", list)
}

func replicas(c journal.Container) Phrase {
	switch {
	case c.Replicas > 0 && c.Service == "": // an audience that does not read its name
		return words("{} of its service ran", Count{N: c.Replicas})
	case c.Replicas > 0:
		return words("{} of service {} ran", Count{N: c.Replicas}, Name(c.Service))
	case c.Limits != nil:
		return words("it belongs to no compose service")
	}
	return words("not in the record")
}
