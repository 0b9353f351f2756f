package inject

import (
	"fmt"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// memory lets a container have less memory.
type memory struct{ onHost }

// Doc describes memory.
func (memory) Doc() Doc {
	return Doc{
		Kind:    "memory",
		Family:  Engine,
		Summary: "Limits how much memory the container may use, without more swap: it loses its caches, and what asks for more is killed.",
		Undo:    "The limits that it had are put back, or none; a value that somebody else has set meanwhile is left alone.",
		Proof:   "The kernel shows the limit in the container's control group, and counts how often the container came to it.",
		Holds:   DurationRequired,
		Ahead:   true,
		Follows: true,
		ByHand:  "docker restart CONTAINER",
		Args: []Arg{{
			Name:    "limit",
			Type:    "size",
			Summary: "How much memory it may use, as in \"64MiB\". It must hold less than that when the fault begins: see oom.",
		}},
		Example: `fault "memory" "store_is_short_of_memory" {
  target   = target.store
  limit    = "64MiB"
  duration = "60s"
}`,
	}
}

// leastMemory is the least that an engine gives a container, in bytes.
const leastMemory = 6 << 20

// Plan refuses a limit that the engine's own makes meaningless.
func (k memory) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	limit, err := bytesArg(f, "limit")
	switch {
	case err != nil:
		return Step{}, err
	case limit < leastMemory:
		return Step{}, fmt.Errorf("fault %q: limit is %s; the least that a container can live with is %s", f.Name, sidecar.Bytes(limit), sidecar.Bytes(leastMemory))
	}
	s, err := planOnHost(f, k.Doc(), c, h, sidecar.LimitSpec{Memory: limit})
	if err != nil {
		return Step{}, err
	}
	if has := c.Limits.Memory; has > 0 && has <= limit {
		return Step{}, fmt.Errorf("%s may use %s of memory already, so that a limit of %s changes nothing: choose a lower one", c.Name, sidecar.Bytes(has), sidecar.Bytes(limit))
	}
	s.Claims = append(s.Claims, Claim{Thing: memoryLimit})
	s.Does = fmt.Sprintf("limit %s to %s of memory", c.Name, sidecar.Bytes(limit))
	s.UndoWords = fmt.Sprintf("put the memory limit of %s back", c.Name)
	return s, nil
}
