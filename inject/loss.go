package inject

import (
	"fmt"

	"gameday/inject/engine"
)

// loss lets packets get lost on the way.
type loss struct{ packets }

// Doc describes loss.
func (loss) Doc() Doc {
	return netDoc(Doc{
		Kind:    "loss",
		Summary: "Drops a share of the container's packets, as a bad line does.",
		Args:    shareArgs("dropped"),
		Example: `fault "loss" "lossy_line" {
  target   = target.api
  percent  = 5
  duration = "30s"
}`,
	}, "egress")
}

// Plan says which share of the packets is dropped.
func (k loss) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sel, spec, err := share(f, k.Doc())
	if err != nil {
		return Step{}, err
	}
	thing := packetDrop
	if spec.Correlation > 0 {
		thing = packetQueue // it takes more than a rule
	}
	return planPackets(f, k.Doc(), c, h, sel, spec, thing, fmt.Sprintf("drop %v%%%% of the %%s", spec.Percent))
}
