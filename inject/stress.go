package inject

import (
	"errors"
	"fmt"
	"strings"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// stress burns what belongs to a container, as a runaway process in it does.
type stress struct{ onHost }

// Doc describes stress.
func (stress) Doc() Doc {
	return Doc{
		Kind:    "stress",
		Family:  Engine,
		Summary: "Burns CPU time, or takes memory, in the container's own control group: its own processes have less of what it may use.",
		Undo:    "The processes that do so end. They also end with their helper, and with the container's main process.",
		Proof:   "The kernel counts the CPU time, or the memory, in the container's control group.",
		Holds:   DurationRequired,
		Ahead:   true,
		Follows: true,
		ByHand:  "docker restart CONTAINER",
		Args: []Arg{{
			Name:    "cpu",
			Type:    "whole",
			Default: "none",
			Summary: "How many workers burn CPU time, each as much as a core gives it.",
		}, {
			Name:    "memory",
			Type:    "size",
			Default: "none",
			Summary: "How much memory a worker takes and keeps, as in \"64MiB\". The kernel kills it before anything of the container's.",
		}},
		Example: `fault "stress" "runaway_job" {
  target   = target.api
  cpu      = 2
  duration = "60s"
}`,
	}
}

// Plan refuses what the container's own limit makes impossible.
func (k stress) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	workers, err := wholeArg(f, "cpu")
	bytes, berr := bytesArg(f, "memory")
	switch {
	case err != nil || berr != nil:
		return Step{}, errors.Join(err, berr)
	case workers == 0 && bytes == 0:
		return Step{}, fmt.Errorf("fault %q: stress needs something to burn: write cpu = 2, or memory = \"64MiB\", or both", f.Name)
	}
	s, err := planOnHost(f, k.Doc(), c, h, sidecar.StressSpec{Fault: f.Run + "/" + f.Name, Workers: workers, Memory: bytes})
	if err != nil {
		return Step{}, err
	}
	if has := c.Limits.Memory; has > 0 && bytes >= has {
		return Step{}, fmt.Errorf("%s may use %s of memory: a worker that takes %s in it would be killed at once; ask for less, or use fault \"oom\"", c.Name, sidecar.Bytes(has), sidecar.Bytes(bytes))
	}
	var does []string
	if workers > 0 {
		does = append(does, "burn "+plural(float64(workers), "core", "cores"))
	}
	if bytes > 0 {
		does = append(does, fmt.Sprintf("take %s of memory", sidecar.Bytes(bytes)))
	}
	s.Does = fmt.Sprintf("%s in the control group of %s", strings.Join(does, " and "), c.Name)
	s.UndoWords = fmt.Sprintf("end the workers in the control group of %s", c.Name)
	if workers > 0 && coresOf(c.Limits) == 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has no CPU limit: the workers take their cores from everybody on the engine's host", c.Name))
	}
	if bytes > 0 && c.Limits.Memory == 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has no memory limit: the worker takes its memory from everybody on the engine's host", c.Name))
	}
	return s, nil
}
