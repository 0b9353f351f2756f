package inject

import (
	"fmt"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// rate makes the line thin.
type rate struct{ packets }

// Doc describes rate.
func (rate) Doc() Doc {
	return netDoc(Doc{
		Kind:    "rate",
		Summary: "Lets through no more than so many bits of the container's packets in a second, as a thin line does.",
		Args:    []Arg{{Name: "rate", Type: "rate", Summary: `Bits in a second: "1mbit", "200kbit".`}},
		Example: `fault "rate" "thin_line" {
  target   = target.api
  rate     = "1mbit"
  duration = "30s"
}`,
	}, "egress")
}

// Plan says how much gets through.
func (k rate) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sel, err := selection(f, k.Doc(), "egress")
	if err != nil {
		return Step{}, err
	}
	bits, ok := f.Args["rate"].(int64)
	if !ok || bits < 8000 {
		return Step{}, fmt.Errorf("fault %q: rate needs rate = \"1mbit\", and at least 8kbit", f.Name)
	}
	return planPackets(f, k.Doc(), c, h, sel, sidecar.NetSpec{Rate: uint64(bits)}, packetQueue, "let through no more than "+bitsWords(bits)+" of the %s")
}

// bitsWords is a rate as the language writes it.
func bitsWords(bits int64) string {
	switch {
	case bits%1_000_000_000 == 0:
		return fmt.Sprintf("%dgbit/s", bits/1_000_000_000)
	case bits%1_000_000 == 0:
		return fmt.Sprintf("%dmbit/s", bits/1_000_000)
	case bits%1000 == 0:
		return fmt.Sprintf("%dkbit/s", bits/1000)
	}
	return fmt.Sprintf("%dbit/s", bits)
}
