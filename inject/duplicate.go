package inject

import (
	"fmt"

	"gameday/inject/engine"
)

// duplicate lets packets come twice.
type duplicate struct{ packets }

// Doc describes duplicate.
func (duplicate) Doc() Doc {
	return netDoc(Doc{
		Kind:    "duplicate",
		Summary: "Sends a share of the container's packets twice.",
		Args:    shareArgs("sent twice"),
		Example: `fault "duplicate" "echoing_line" {
  target   = target.api
  percent  = 5
  duration = "30s"
}`,
	}, "egress")
}

// Plan says which share of the packets is sent twice.
func (k duplicate) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sel, spec, err := share(f, k.Doc())
	if err != nil {
		return Step{}, err
	}
	return planPackets(f, k.Doc(), c, h, sel, spec, packetQueue, fmt.Sprintf("send twice %v%%%% of the %%s", spec.Percent))
}
