package netfault

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// part is what a fault has in one of our tables:
//
//	base chain (in a hook) → peers → hit
//
// Everything stands ahead of time, but the base chains are empty. One rule in each puts the fault in force, and emptying them
// takes it back: so both are one small transaction.
type part struct {
	direction Direction
	bases     []chainRef
	enter     []rule     // the rule for each base chain
	chains    []chainRef // all the others, in the order in which they are made
	hit       chainRef   // the chain of the counters and the effect

	make []nftMessage // makes the chains and the rules in them
}

// hook is where a base chain hangs. Its priority is raised by the fault's number.
type hook struct {
	name     string
	number   uint32
	priority int32
}

// The first priorities of our chains.
const (
	beforeTracking   = -390 // after defragmentation, before connection tracking and address translation
	afterTranslation = 300
)

// hooksFor lists the hooks that see the packets of a direction: as they are on the line, or nearly. Copies, which leave connection
// tracking aside, are made inside of address translation.
func hooksFor(family byte, d Direction, kind string) []hook {
	switch {
	case family == unix.NFPROTO_NETDEV:
		return []hook{{"ingress", unix.NF_NETDEV_INGRESS, 0}}
	case d == Ingress && kind == Duplicate:
		return []hook{{"input", unix.NF_INET_LOCAL_IN, afterTranslation}, {"forward", unix.NF_INET_FORWARD, afterTranslation}}
	case d == Ingress:
		return []hook{{"prerouting", unix.NF_INET_PRE_ROUTING, beforeTracking}}
	case kind == Reject: // the kernel allows no reject after routing
		return []hook{{"output", unix.NF_INET_LOCAL_OUT, afterTranslation}, {"forward", unix.NF_INET_FORWARD, afterTranslation}}
	}
	return []hook{{"postrouting", unix.NF_INET_POST_ROUTING, afterTranslation}}
}

// plan describes a part, without touching the kernel.
type plan struct {
	name      string // begins the names of all chains
	number    int    // of the fault
	family    byte
	direction Direction
	selectors []Selector // all of this direction
	kind      string
	devices   []string // family netdev
	copies    rule     // what is done to copies that this fault makes, if it makes them in place of packets
	hit       []rule   // what the chain "hit" does after it counted the packet
}

func (p plan) build() *part {
	t := &part{direction: p.direction, hit: chainRef{p.family, p.name + ".hit"}}
	peers := chainRef{p.family, p.name + ".peers"}

	var rules []nftMessage
	add := func(c chainRef, r ...attrs) { rules = append(rules, newRule(c, r)) }

	if p.direction == Egress {
		if p.copies != nil {
			add(peers, append(isCopy(p.number, false), p.copies...)...)
		}
		add(peers, append(isCopy(p.number, true), leaveChain())...)
	}
	for _, r := range linkMessages(p.family) {
		add(peers, append(r, leaveChain())...)
	}
	t.chains = []chainRef{t.hit, peers}
	for i, s := range p.selectors {
		prefixes := s.Peers
		if len(prefixes) == 0 {
			prefixes = everyone(p.family)
		}
		services := s.services()
		target := t.hit
		if len(services) > 1 && len(prefixes) > 1 {
			// One list after the other instead of every pair.
			target = chainRef{p.family, fmt.Sprintf("%s.ports%d", p.name, i)}
			t.chains = append(t.chains, target)
			for _, r := range services {
				add(target, append(r, gotoChain(t.hit.name))...)
			}
			services = []rule{nil}
		}
		for _, prefix := range prefixes {
			if !fits(p.family, prefix) {
				continue
			}
			var r rule
			if prefix.IsValid() {
				r = isPeer(p.family, p.direction, prefix)
			}
			for _, service := range services {
				whole := append(append(rule{}, r...), service...)
				if target == t.hit {
					whole = append(whole, gotoChain(target.name))
				} else {
					whole = append(whole, verdict(unix.NFT_JUMP, target.name))
				}
				add(peers, whole...)
			}
		}
	}
	add(t.hit, counter())
	for _, r := range p.hit {
		add(t.hit, r...)
	}
	// A packet goes through the effect once, however many selectors match.
	add(t.hit, verdict(nfAccept, ""))

	for _, h := range hooksFor(p.family, p.direction, p.kind) {
		base := chainRef{p.family, p.name + "." + h.name}
		t.bases = append(t.bases, base)
		t.make = append(t.make, newBaseChain(base, h.number, h.priority+int32(p.number), p.devices))
		enter := rule{gotoChain(peers.name)}
		if p.family != unix.NFPROTO_NETDEV {
			enter = append(notLoopback(p.direction), enter...)
		}
		t.enter = append(t.enter, enter)
	}
	for _, c := range t.chains {
		t.make = append(t.make, newChain(c))
	}
	t.make = append(t.make, rules...)
	return t
}

// everyone lists prefixes that match all of IP: none where a table sees nothing else.
func everyone(family byte) []netip.Prefix {
	if family == unix.NFPROTO_NETDEV {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	}
	return []netip.Prefix{{}}
}

// fits says whether a table of a family can see packets of a prefix.
func fits(family byte, p netip.Prefix) bool {
	switch {
	case !p.IsValid():
		return true
	case family == unix.NFPROTO_IPV4:
		return p.Addr().Is4()
	case family == unix.NFPROTO_IPV6:
		return p.Addr().Is6()
	}
	return true
}

// services lists matches of protocol and port, of which one has to be true.
func (s Selector) services() []rule {
	protocols := map[string][]byte{
		"tcp":  {unix.IPPROTO_TCP},
		"udp":  {unix.IPPROTO_UDP},
		"icmp": {unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6},
	}[s.Protocol]
	if len(protocols) == 0 {
		if len(s.Ports) == 0 {
			return []rule{nil}
		}
		protocols = []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP}
	}
	var list []rule
	for _, number := range protocols {
		if len(s.Ports) == 0 {
			list = append(list, isProtocol(number))
		}
		for _, p := range s.Ports {
			for _, offset := range []uint32{0, 2} {
				list = append(list, append(isProtocol(number), isPort(offset, p)...))
			}
		}
	}
	return list
}

// apply lists what puts the part in force.
func (t *part) apply() (list []nftMessage) {
	for i, base := range t.bases {
		list = append(list, newRule(base, t.enter[i]))
	}
	return list
}

// revoke lists what takes it back.
func (t *part) revoke() (list []nftMessage) {
	for _, base := range t.bases {
		list = append(list, deleteRules(base))
	}
	return list
}

// remove lists what removes the chains, except for the base chains. Rules go first: they refer to other chains.
func (t *part) remove() (list []nftMessage) {
	for _, c := range t.chains {
		list = append(list, deleteRules(c))
	}
	for _, c := range t.chains {
		list = append(list, deleteChain(c))
	}
	return list
}
