package inject

import (
	"fmt"

	"gameday/inject/engine"
)

// corrupt damages packets on the way.
type corrupt struct{ packets }

// Doc describes corrupt.
func (corrupt) Doc() Doc {
	return netDoc(Doc{
		Kind:    "corrupt",
		Summary: "Flips a bit in a share of the container's packets. Who receives one drops it, because its checksum is wrong.",
		Args:    shareArgs("corrupted"),
		Example: `fault "corrupt" "noisy_line" {
  target   = target.api
  percent  = 5
  duration = "30s"
}`,
	}, "egress")
}

// Plan says which share of the packets is corrupted.
func (k corrupt) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sel, spec, err := share(f, k.Doc())
	if err != nil {
		return Step{}, err
	}
	return planPackets(f, k.Doc(), c, h, sel, spec, packetQueue, fmt.Sprintf("corrupt %v%%%% of the %%s", spec.Percent))
}
