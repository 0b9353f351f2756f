package inject

import (
	"fmt"

	"gameday/inject/sidecar"
)

// This file is what loss, corrupt, duplicate and reorder have in common: they do something to a share of the packets.

func shareArgs(done string) []Arg {
	return []Arg{
		{Name: "percent", Type: "percent", Summary: "How many of a hundred packets are " + done + "."},
		{Name: "correlation", Type: "percent", Default: "0", Summary: "How much the fate of a packet follows that of the one before: bursts, not single packets."},
	}
}

// share reads the arguments of those kinds.
func share(f Fault, d Doc) (Selection, sidecar.NetSpec, error) {
	sel, err := selection(f, d, "egress")
	if err != nil {
		return sel, sidecar.NetSpec{}, err
	}
	percent, err := percentArg(f, "percent", 0)
	if err != nil {
		return sel, sidecar.NetSpec{}, err
	}
	correlation, err := percentArg(f, "correlation", 0)
	if err == nil && percent == 0 {
		err = fmt.Errorf("fault %q: %s needs a percent above 0, such as percent = 5", f.Name, f.Kind)
	}
	return sel, sidecar.NetSpec{Percent: percent, Correlation: correlation}, err
}
