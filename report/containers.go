package report

import "gameday/runner/journal"

// watched tells which containers' use and state are recorded.
func (m *moment) watched(p *journal.ContainersWatched) {
	m.minor = true
	m.text = words("from here on use and state of containers are recorded")
	for _, x := range []struct {
		what string
		refs []journal.Ref
	}{{"of targets", p.Targets}, {"of neighbours", p.Neighbours}} {
		if len(x.refs) == 0 {
			continue
		}
		names := List{}
		for _, r := range x.refs {
			names = append(names, Name(r.Name))
		}
		m.text.Template += ", " + x.what + ": {}"
		m.text.Args = append(m.text.Args, names)
	}
	if p.LeftOut > 0 {
		m.minor = false
		m.text.Template += "; those of {} more are not"
		m.text.Args = append(m.text.Args, Count{N: p.LeftOut})
	}
}

// gap tells of a time in which nothing was heard of a container's use.
func (m *moment) gap(p *journal.ContainerGap) {
	m.lane = laneSignal
	if !p.From.IsZero() {
		m.at = p.From
	}
	m.text = words("nothing was heard of what {} used, until {}: {}", Name(p.Container.Name), TimeOfDay(p.To), Quote(p.Detail))
}
