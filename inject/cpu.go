package inject

import (
	"fmt"
	"strconv"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// cpu lets a container have less of the CPU.
type cpu struct{ onHost }

// Doc describes cpu.
func (cpu) Doc() Doc {
	return Doc{
		Kind:    "cpu",
		Family:  Engine,
		Summary: "Limits how much CPU time the container may use, as a noisy neighbour or too small a machine does.",
		Undo:    "The limit that it had is put back, or none; a value that somebody else has set meanwhile is left alone.",
		Proof:   "The kernel shows the limit in the container's control group, and counts how often it held the container back.",
		Holds:   DurationRequired,
		Ahead:   true,
		Follows: true,
		ByHand:  "docker restart CONTAINER",
		Args: []Arg{{
			Name:    "limit",
			Type:    "number",
			Summary: "How many cores it may use: 0.5 is half of one.",
		}},
		Example: `fault "cpu" "api_is_starved" {
  target   = target.api
  limit    = 0.25
  duration = "60s"
}`,
	}
}

// Plan refuses a limit that the engine's own makes meaningless.
func (k cpu) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	cores, err := numberArg(f, "limit", 0)
	switch {
	case err != nil:
		return Step{}, err
	case cores < 0.01:
		return Step{}, fmt.Errorf("fault %q: limit is %v; it must be a number of cores, 0.01 at least", f.Name, cores)
	}
	s, err := planOnHost(f, k.Doc(), c, h, sidecar.LimitSpec{Cores: cores})
	if err != nil {
		return Step{}, err
	}
	if has := coresOf(c.Limits); has > 0 && has <= cores {
		return Step{}, fmt.Errorf("%s may use %s cores already, so that a limit of %s changes nothing: choose a lower one", c.Name, decimal(has), decimal(cores))
	}
	s.Claims = append(s.Claims, Claim{Thing: cpuLimit})
	s.Does = fmt.Sprintf("limit %s to %s of CPU time", c.Name, plural(cores, "core", "cores"))
	s.UndoWords = fmt.Sprintf("put the CPU limit of %s back", c.Name)
	return s, nil
}

// coresOf is how many cores a container may use; 0: all.
func coresOf(l engine.Limits) float64 {
	if l.NanoCPUs > 0 {
		return float64(l.NanoCPUs) / 1e9
	}
	if l.CPUQuota > 0 {
		period := l.CPUPeriod
		if period <= 0 {
			period = 100_000
		}
		return float64(l.CPUQuota) / float64(period)
	}
	return 0
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func plural(n float64, one, many string) string {
	if n == 1 {
		many = one
	}
	return decimal(n) + " " + many
}
