// Package netfault disturbs the network of the namespace that the calling process is in, with NET_ADMIN as its only
// capability and by netlink alone: no tc, nft or iptables is needed, in the target or here.
//
// Everything that is set up lies in nftables tables called "gameday", which belong to their process: the kernel removes them
// when it ends, however it ends. Qdiscs have no owner; they bear a handle of ours (6764:), nothing is sent to them once the
// tables are gone, and Clean removes them. The namespace's loopback device is never touched, nor is what keeps a link going:
// ARP, and IPv6's neighbour discovery.
package netfault

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
)

// Direction says which packets are meant, as seen from the namespace.
type Direction string

const (
	Egress  Direction = "egress"  // what leaves by a device, made here or forwarded
	Ingress Direction = "ingress" // what comes in by a device, for here or to be forwarded
)

// Ports is a range of ports, both ends included.
type Ports struct{ From, To uint16 }

// Selector says which packets a fault is for. Several selectors add up.
type Selector struct {
	Direction Direction
	Peers     []netip.Prefix // the other ends; none means everyone
	Protocol  string         // "tcp", "udp", "icmp" (ICMPv6 too); "" means every one
	Ports     []Ports        // a packet matches if its source or its destination port lies in one; tcp and udp only
}

// The kinds of effects.
const (
	Latency   = "latency"
	Loss      = "loss"
	Corrupt   = "corrupt"
	Duplicate = "duplicate"
	Reorder   = "reorder"
	Rate      = "rate"
	Partition = "partition"
	Reject    = "reject"
)

// How a reject answers.
const (
	RejectTCPReset = "tcp-reset" // TCP only; other packets are let through
	RejectICMP     = "icmp"      // port unreachable
)

// Effect says what happens to the packets.
type Effect struct {
	Kind string

	Delay  time.Duration // latency: added to each packet. reorder: how long chosen packets are held back, DefaultHold if 0
	Jitter time.Duration // latency: the delay varies evenly by so much either way

	// Percent is the share of packets, above 0 and up to 100, that is lost, corrupted, duplicated or held back. A packet is
	// what the kernel handles as one: up to 64 KiB of a TCP stream between containers.
	Percent float64

	// Correlation, from 0 to below 100, is how much a packet's fate follows that of the packet before. For loss, corrupt,
	// duplicate and reorder the share stays what Percent says, and bursts grow longer.
	Correlation float64

	Rate   uint64 // rate: bits per second, headers included
	Reject string // reject: how
}

// DefaultHold is how long reorder holds packets back when nothing else is asked for.
const DefaultHold = 10 * time.Millisecond

// The bounds of what can be asked for.
const (
	MaxDelay   = time.Minute
	MinPercent = 0.0001
	MinRate    = 8_000 // bits per second; below, a single packet takes longer than a second
	MaxRate    = 100_000_000_000
)

// Counts says how many packets came by.
type Counts struct {
	Matched, MatchedBytes uint64 // that the selectors chose
	// Hit are those that the effect was done to: of a rate, those that had to wait. HitBytes is 0 where nobody counts them, which is
	// with correlation and for a rate.
	Hit, HitBytes uint64
}

func (c Counts) add(d Counts) Counts {
	return Counts{c.Matched + d.Matched, c.MatchedBytes + d.MatchedBytes, c.Hit + d.Hit, c.HitBytes + d.HitBytes}
}

// check says what of an effect makes no sense.
func (e Effect) check() error {
	share := false
	switch e.Kind {
	case Latency:
		if e.Delay <= 0 && e.Jitter <= 0 {
			return errors.New("latency needs a delay")
		}
		if e.Jitter > e.Delay {
			return fmt.Errorf("the jitter of %v is more than the delay of %v: a packet cannot arrive before it was sent", e.Jitter, e.Delay)
		}
	case Loss, Corrupt, Duplicate, Reorder:
		share = true
	case Rate:
		if e.Rate < MinRate || e.Rate > MaxRate {
			return fmt.Errorf("a rate of %d bit/s is outside %d to %d", e.Rate, uint64(MinRate), uint64(MaxRate))
		}
	case Partition:
	case Reject:
		if e.Reject != RejectTCPReset && e.Reject != RejectICMP {
			return fmt.Errorf("a reject answers with %q or %q, not with %q", RejectTCPReset, RejectICMP, e.Reject)
		}
	default:
		return fmt.Errorf("there is no network effect %q", e.Kind)
	}
	if e.Delay < 0 || e.Delay > MaxDelay || e.Jitter < 0 {
		return fmt.Errorf("a delay of %v ± %v is outside 0 to %v", e.Delay, e.Jitter, MaxDelay)
	}
	if share && !(e.Percent >= MinPercent && e.Percent <= 100) {
		return fmt.Errorf("a share of %v %% is outside %v to 100", e.Percent, MinPercent)
	}
	if !(e.Correlation >= 0 && e.Correlation < 100) || math.IsNaN(e.Correlation) {
		return fmt.Errorf("a correlation of %v %% is outside 0 to below 100", e.Correlation)
	}
	if e.Correlation > 0 && !share && e.Kind != Latency {
		return fmt.Errorf("%s knows no correlation", e.Kind)
	}
	return nil
}

// check says what of a selector makes no sense.
func (s Selector) check() error {
	if s.Direction != Egress && s.Direction != Ingress {
		return fmt.Errorf("a direction is %q or %q, not %q", Egress, Ingress, s.Direction)
	}
	for _, p := range s.Peers {
		if !p.IsValid() {
			return errors.New("a peer is no valid network")
		}
		if p.Addr().Is4In6() {
			return fmt.Errorf("the peer %v is an IPv4 address written as IPv6: write it as IPv4", p)
		}
	}
	switch s.Protocol {
	case "", "tcp", "udp":
	case "icmp":
		if len(s.Ports) > 0 {
			return errors.New("icmp knows no ports")
		}
	default:
		return fmt.Errorf("there is no protocol %q here: tcp, udp and icmp are known", s.Protocol)
	}
	for _, p := range s.Ports {
		if p.From == 0 || p.To < p.From {
			return fmt.Errorf("%d to %d is no range of ports", p.From, p.To)
		}
	}
	return nil
}

// identifier makes a name that nft can read back out of any text.
func identifier(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), 64)]
}
