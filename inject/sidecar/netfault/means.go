package netfault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What does the work.
const (
	ByNFTables = "nftables"
	ByNetem    = "netem"
	ByNFQueue  = "nfqueue"
	ByTBF      = "tbf"
)

// Means says how an effect will be done on a kernel, with a warning where that is not quite what was asked for. The error says
// what the kernel lacks and what would be needed. Where a kernel offers two ways, the one that ends with its process, or that
// keeps closer to what was asked for, is taken.
func Means(e Effect, d Direction, f Features) (means, warning string, err error) {
	if err := e.check(); err != nil {
		return "", "", err
	}
	if err := f.need("nft", f.NFT); err != nil {
		return "", "", fmt.Errorf("no network fault can be done: %w", err)
	}
	means, warning, err = chooseMeans(e, d, f)
	if err != nil {
		return "", "", fmt.Errorf("%s cannot be done to %s: %w", e.Kind, d.packets(), err)
	}
	if !f.Owner {
		warning = join(warning, "the kernel does not remove the rules when their process dies: "+f.Missing["owner"])
	}
	return means, warning, nil
}

// MeansForAll is Means for packets of several directions: one fault has one means. Where each direction alone would be done by
// another, NFQUEUE does all of them.
func MeansForAll(e Effect, ds []Direction, f Features) (means string, warnings []string, err error) {
	for try := 0; ; try++ {
		var found []string
		warnings = nil
		for _, d := range ds {
			m, w, err := Means(e, d, f)
			if err != nil {
				return "", nil, err
			}
			if !slices.Contains(found, m) {
				found = append(found, m)
			}
			if w != "" && !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], warnings, nil
		case len(found) == 0:
			return "", nil, errors.New("a network fault needs a direction")
		case try > 0 || !slices.Contains(found, ByNFQueue):
			return "", nil, fmt.Errorf("%s is done by %s here, and one fault has one means: declare a fault for each direction", e.Kind, strings.Join(found, " for one direction and by ")+" for the other")
		}
		f.Netem = false
	}
}

func chooseMeans(e Effect, d Direction, f Features) (means, warning string, err error) {
	numgen := e.Percent >= 100 || f.Numgen
	switch e.Kind {
	case Partition:
		return ByNFTables, f.loudDrop(d), nil
	case Reject:
		if d == Egress && e.Reject == RejectICMP {
			warning = "a program here that sends datagrams is told \"operation not permitted\" by the call itself, besides the ICMP error"
		}
		err := f.need("reject", f.Reject)
		if err == nil && d == Ingress {
			err = f.need("reject ingress", f.RejectIngress)
		}
		return ByNFTables, warning, err

	case Loss:
		if e.Correlation == 0 {
			return ByNFTables, f.loudDrop(d), f.need("numgen", numgen)
		}
		if f.qdiscs(d) == nil && f.Netem {
			return ByNetem, "", nil
		}
		return ByNFQueue, "", f.either(d, f.Netem, "netem")

	case Duplicate:
		if e.Correlation == 0 && f.Dup && numgen {
			return ByNFTables, "", nil
		}
		if f.qdiscs(d) == nil && f.Netem && numgen {
			warning = "kernels of 2025 and later take no other netem beside one that duplicates: faults by netem cannot overlap with it in this namespace and direction"
			if e.Correlation > 0 {
				warning = join("with a correlation, netem duplicates fewer packets than the share that was asked for", warning)
			}
			return ByNetem, warning, nil
		}
		if e.Correlation > 0 {
			return "", "", errors.Join(f.need("netem", f.Netem), f.qdiscs(d), errors.New("without a correlation, it needs no netem"))
		}
		return "", "", errors.Join(f.need("numgen", numgen), f.need("dup", f.Dup), f.need("netem", f.Netem), f.qdiscs(d))

	case Latency, Corrupt, Reorder:
		exact := e.Correlation == 0 || e.Kind == Latency // netem's correlation keeps no share
		if f.qdiscs(d) == nil && f.Netem && (exact && numgen || !f.NFQueue) {
			switch {
			case !exact:
				warning = fmt.Sprintf("with a correlation, netem's share for %s is lower than what was asked for", e.Kind)
			case e.Kind == Latency && e.Jitter > 0:
				warning = "netem's jitter lets packets overtake each other"
			}
			return ByNetem, warning, nil
		}
		if d == Egress && e.Kind != Corrupt {
			warning = "without netem, datagrams that are held count against their socket's send buffer: at the usual 208 KiB some 270 small ones at a time, then its program waits"
			if !f.Dup || e.Kind == Reorder && !exact {
				warning = "without netem, outgoing packets that are held count against their socket's small allowance of unsent data: " +
					"bulk throughput of TCP falls far below what the delay alone would do (requests and answers of a few packets do not suffer); the other end's incoming packets do not have this limit"
			}
		}
		return ByNFQueue, warning, f.either(d, f.Netem, "netem")

	case Rate:
		if err := f.need("tbf", f.TBF); err != nil {
			return "", "", err
		}
		return ByTBF, "", f.qdiscs(d)
	}
	return "", "", fmt.Errorf("there is no network effect %q", e.Kind)
}

func (d Direction) packets() string {
	if d == Ingress {
		return "incoming packets"
	}
	return "outgoing packets"
}

// need says what is missing, if it is.
func (f Features) need(key string, has bool) error {
	if has {
		return nil
	}
	if why := f.Missing[key]; why != "" {
		return errors.New(why)
	}
	return fmt.Errorf("the kernel lacks what is called %q in its features", key)
}

// qdiscs says why selected packets of a direction cannot be sent through a qdisc.
func (f Features) qdiscs(d Direction) error {
	var err error
	if !f.Prio && !f.HTB {
		err = f.need("prio", false)
	}
	if d == Ingress {
		err = errors.Join(err, f.need("ifb", f.IFB), f.need("forward", f.Forward))
	}
	return err
}

// either is the error when there is neither the queue nor a qdisc.
func (f Features) either(d Direction, has bool, key string) error {
	if f.NFQueue {
		return nil
	}
	return errors.Join(f.need("nfqueue", false), f.need(key, has), f.qdiscs(d))
}

// loudDrop is the warning when outgoing packets cannot be lost silently.
func (f Features) loudDrop(d Direction) string {
	if d == Ingress || f.NFQueue {
		return ""
	}
	return "programs here are told of lost outgoing packets by \"operation not permitted\", and TCP sends them again at once, since " + f.Missing["nfqueue"]
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
