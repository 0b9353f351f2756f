package inject

import (
	"fmt"
	"strings"
)

// A Claim is a thing of a container that a fault needs while it is in force. Two faults that claim the same thing at the same
// time would fight over it, unless both only share it.
type Claim struct {
	Thing  string // in words that go into a sentence: "its main process", "its memory limit"
	Shared bool   // it needs the thing to be there, and leaves it as it is
	// Only narrows a claim on packets to some of them; nil: all.
	Only *Selection
	// On is where on the engine's host the thing is, as a path or the name of a volume: other containers may have the same, or a
	// part of it. Empty: it is the container's own.
	On string
}

// The things that more than one kind claims.
const (
	mainProcess = "its main process"
	running     = "that it runs"
	memoryLimit = "its memory limit"
)

// A Selection is the packets that a network fault is for.
type Selection struct {
	Direction string // "egress", "ingress", "both"
	Peers     []Peer // empty: all
	Protocol  string // "tcp", "udp", "icmp"; empty: all
	Ports     []PortRange
}

// A PortRange is a range of ports, both ends included.
type PortRange struct {
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
}

// Conflict says in words what two faults would fight over if both were in force at one time, or "". Those on two containers do so
// over what both containers have.
func Conflict(a, b Step) string {
	for _, x := range a.Claims {
		for _, y := range b.Claims {
			if x.Shared && y.Shared {
				continue
			}
			if within(x.On, y.On) || within(y.On, x.On) {
				return x.Thing
			}
			if a.Container.ID != b.Container.ID || x.Thing != y.Thing {
				continue
			}
			if x.Only == nil || y.Only == nil {
				return x.Thing
			}
			if common := overlap(*x.Only, *y.Only); common != "" {
				return x.Thing + " " + common
			}
		}
	}
	return ""
}

// within says whether a place on the host is another one, or in it.
func within(a, b string) bool {
	return a != "" && b != "" && (a == b || strings.HasPrefix(a, strings.TrimSuffix(b, "/")+"/"))
}

// overlap says in words which packets are in both selections, or "".
func overlap(a, b Selection) string {
	if a.Direction != b.Direction && a.Direction != "both" && b.Direction != "both" {
		return ""
	}
	words := []string{}
	switch {
	case len(a.Peers) == 0 && len(b.Peers) == 0:
	case len(a.Peers) == 0:
		words = append(words, "with "+peerWords(b.Peers))
	case len(b.Peers) == 0:
		words = append(words, "with "+peerWords(a.Peers))
	default:
		var both []Peer
		for _, x := range a.Peers {
			for _, y := range b.Peers {
				if x.Prefix.Overlaps(y.Prefix) {
					both = append(both, narrower(x, y))
				}
			}
		}
		if len(both) == 0 {
			return ""
		}
		words = append(words, "with "+peerWords(both))
	}
	if a.Protocol != "" && b.Protocol != "" && a.Protocol != b.Protocol {
		return ""
	}
	if len(a.Ports) > 0 && len(b.Ports) > 0 {
		common := ""
		for _, x := range a.Ports {
			for _, y := range b.Ports {
				if low, high := max(x.From, y.From), min(x.To, y.To); low <= high && common == "" {
					common = PortRange{low, high}.String()
				}
			}
		}
		if common == "" {
			return ""
		}
		words = append(words, "on port "+common)
	}
	// ICMP has no ports, so a selection by port leaves it alone.
	if a.Protocol == "icmp" && len(b.Ports) > 0 || b.Protocol == "icmp" && len(a.Ports) > 0 {
		return ""
	}
	if len(words) == 0 {
		return "in the same direction"
	}
	return strings.Join(words, " ")
}

func narrower(x, y Peer) Peer {
	if y.Prefix.Bits() > x.Prefix.Bits() {
		return y
	}
	return x
}

// String is a range as the language writes it: "80", "8000-8100".
func (r PortRange) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// String is a peer as people know it: the container's name, or the address.
func (p Peer) String() string {
	if p.Name != "" {
		return p.Name
	}
	if p.Prefix.IsSingleIP() {
		return p.Prefix.Addr().String()
	}
	return p.Prefix.String()
}

// peerWords lists peers, each name once.
func peerWords(peers []Peer) string {
	var names []string
	seen := map[string]bool{}
	for _, p := range peers {
		if s := p.String(); !seen[s] {
			seen[s] = true
			names = append(names, s)
		}
	}
	if len(names) > 4 {
		names = append(names[:3], fmt.Sprintf("%d more", len(names)-3))
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, ", ")
}
