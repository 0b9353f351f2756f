package inject

import (
	"fmt"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// reject refuses packets with an answer, as a closed port or a firewall does.
type reject struct{ packets }

// Doc describes reject.
func (reject) Doc() Doc {
	return netDoc(Doc{
		Kind:    "reject",
		Summary: "Refuses the container's packets with an answer, so that whoever sent them knows at once: a TCP reset, or an ICMP message.",
		Args: []Arg{{
			Name: "with", Type: "string", Default: "tcp-reset", Summary: `The answer: "tcp-reset" (TCP alone is refused), or "icmp" (port unreachable).`,
		}},
		Example: `fault "reject" "store_refuses" {
  target   = target.api
  peers    = [target.store]
  with     = "tcp-reset"
  duration = "30s"
}`,
	}, "egress")
}

// Plan says with what packets are refused.
func (k reject) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sel, err := selection(f, k.Doc(), "egress")
	if err != nil {
		return Step{}, err
	}
	with, err := stringArg(f, "with", "tcp-reset")
	if err != nil {
		return Step{}, err
	}
	answer := "an ICMP message"
	switch with {
	case "tcp-reset":
		if sel.Protocol != "" && sel.Protocol != "tcp" {
			return Step{}, fmt.Errorf("fault %q: only TCP knows a reset, and protocol is %q: use with = \"icmp\"", f.Name, sel.Protocol)
		}
		sel.Protocol, answer = "tcp", "a TCP reset"
	case "icmp":
	default:
		return Step{}, fmt.Errorf("fault %q: with is %q; it must be \"tcp-reset\" or \"icmp\"", f.Name, with)
	}
	return planPackets(f, k.Doc(), c, h, sel, sidecar.NetSpec{Reject: with}, packetDrop, "refuse with "+answer+" all %s")
}
