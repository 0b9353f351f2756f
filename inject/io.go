package inject

import (
	"errors"
	"fmt"
	"strings"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// disk lets a container read and write more slowly.
type disk struct{ onHost }

// Doc describes io.
func (disk) Doc() Doc {
	return Doc{
		Kind:    "io",
		Family:  Engine,
		Summary: "Limits how fast the container reads from and writes to the disks that hold its files.",
		Undo:    "The limits that it had are put back, or none; a value that somebody else has set meanwhile is left alone.",
		Proof:   "The kernel shows the limits in the container's control group, and counts what came to them.",
		Holds:   DurationRequired,
		Ahead:   true,
		Follows: true,
		ByHand:  "docker restart CONTAINER",
		Args: []Arg{{
			Name:    "read",
			Type:    "throughput",
			Default: "no limit",
			Summary: "How much it may read from each disk in a second, as in \"1MiB/s\".",
		}, {
			Name:    "write",
			Type:    "throughput",
			Default: "no limit",
			Summary: "How much it may write to each disk in a second.",
		}},
		Example: `fault "io" "slow_disk" {
  target   = target.store
  write    = "1MiB/s"
  duration = "60s"
}`,
	}
}

// Plan says what a kernel of the older kind does not limit.
func (k disk) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	read, err := bytesArg(f, "read")
	write, werr := bytesArg(f, "write")
	switch {
	case err != nil || werr != nil:
		return Step{}, errors.Join(err, werr)
	case read == 0 && write == 0:
		return Step{}, fmt.Errorf("fault %q: io needs a limit: write read or write, or both, such as write = \"1MiB/s\"", f.Name)
	}
	s, err := planOnHost(f, k.Doc(), c, h, sidecar.LimitSpec{Read: read, Write: write})
	if err != nil {
		return Step{}, err
	}
	s.Claims = append(s.Claims, Claim{Thing: diskLimit})
	var does []string
	if read > 0 {
		does = append(does, fmt.Sprintf("read %s/s", sidecar.Bytes(read)))
	}
	if write > 0 {
		does = append(does, fmt.Sprintf("write %s/s", sidecar.Bytes(write)))
	}
	s.Does = fmt.Sprintf("let %s %s at most, on each of its disks", c.Name, strings.Join(does, " and "))
	s.UndoWords = fmt.Sprintf("put the disk limits of %s back", c.Name)
	if write > 0 && h.Info.CgroupVersion == "1" {
		s.Warnings = append(s.Warnings, fmt.Sprintf("only writes that %s waits for (O_DIRECT, or synchronous ones) are limited: with control groups of version 1 the kernel writes everything else later, on nobody's account", c.Name))
	}
	return s, nil
}
