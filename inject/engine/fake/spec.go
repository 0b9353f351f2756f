package fake

import (
	"path"
	"slices"
	"strings"

	"gameday/inject/engine"
)

func limits(s engine.Spec) engine.Limits {
	l := engine.Limits{Memory: s.Memory}
	if l.Memory > 0 {
		l.MemorySwap = 2 * l.Memory // as engines do
	}
	return l
}

// mount gives a container what its spec says, with what others have.
func (f *Fake) mount(c *engine.Container, s engine.Spec) error {
	for _, from := range s.VolumesFrom {
		id, mode, _ := strings.Cut(from, ":")
		b, err := f.find(id)
		if err != nil {
			return err
		}
		for _, m := range b.c.Mounts {
			if m.Type != "tmpfs" {
				m.RW = m.RW && mode != "ro"
				c.Mounts = append(c.Mounts, m)
			}
		}
	}
	for _, bind := range s.Binds {
		parts := append(strings.Split(bind, ":"), "")
		m := engine.Mount{Type: "bind", Source: parts[0], Destination: path.Clean(parts[1]), RW: parts[2] != "ro"}
		if !path.IsAbs(m.Source) {
			m.Type, m.Name, m.Source = "volume", m.Source, "/volumes/"+m.Source
		}
		c.Mounts = append(c.Mounts, m)
	}
	for _, d := range s.Dirs {
		c.Mounts = append(c.Mounts, engine.Mount{Type: "bind", Source: d.Source, Destination: path.Clean(d.Destination), RW: !d.ReadOnly})
	}
	for dest, options := range s.Tmpfs {
		c.Mounts = append(c.Mounts, engine.Mount{Type: "tmpfs", Destination: dest, RW: !slices.Contains(strings.Split(options, ","), "ro")})
	}
	slices.SortFunc(c.Mounts, func(a, b engine.Mount) int { return strings.Compare(a.Destination, b.Destination) })
	return nil
}
