package inject

import (
	"fmt"
	"time"

	"gameday/inject/engine"
)

// reorder lets packets overtake others.
type reorder struct{ packets }

// reorderDelay is how long the packets are held that the others overtake, if the scenario does not say.
const reorderDelay = 10 * time.Millisecond

// Doc describes reorder.
func (reorder) Doc() Doc {
	return netDoc(Doc{
		Kind:    "reorder",
		Summary: "Holds the container's packets for a moment, but for a share of them, which overtakes the rest.",
		Args: append(shareArgs("sent at once"), Arg{
			Name: "delay", Type: "duration", Default: "10ms", Summary: "How long the others are held.",
		}),
		Example: `fault "reorder" "two_paths" {
  target   = target.api
  percent  = 25
  duration = "30s"
}`,
	}, "egress")
}

// Plan says which share of the packets overtakes the rest.
func (k reorder) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	delay, err := durationArg(f, "delay", reorderDelay)
	if err != nil {
		return Step{}, err
	}
	sel, spec, err := share(f, k.Doc())
	if err != nil {
		return Step{}, err
	}
	spec.Delay = delay
	if spec.Delay == 0 {
		return Step{}, fmt.Errorf("fault %q: a packet can only overtake others that are held: give a delay above 0", f.Name)
	}
	return planPackets(f, k.Doc(), c, h, sel, spec, packetQueue, fmt.Sprintf("let %v%%%% of the %%s overtake the rest, which is held for %v", spec.Percent, spec.Delay))
}
