package inject

import (
	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// partition cuts a container off from others.
type partition struct{ packets }

// Doc describes partition.
func (partition) Doc() Doc {
	return netDoc(Doc{
		Kind:    "partition",
		Summary: "Cuts the container off from its peers: packets vanish without an answer, in both directions or in one.",
		Example: `fault "partition" "leader_is_alone" {
  target   = target.leader
  peers    = [target.followers]
  duration = "30s"
}`,
	}, "both")
}

// Plan says whom it is cut off from.
func (k partition) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sel, err := selection(f, k.Doc(), "both")
	if err != nil {
		return Step{}, err
	}
	return planPackets(f, k.Doc(), c, h, sel, sidecar.NetSpec{}, packetDrop, "drop all %s")
}
