package runner

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/scenarios"
)

// declared is a fault of the language as it can be injected: with the addresses of its peers, and quantities as numbers.
func declared(run string, f *scenarios.Fault, peers []inject.Peer) inject.Fault {
	d := inject.Fault{Run: run, Name: f.Name, Kind: f.Kind, Duration: f.Duration, Args: map[string]any{}}
	for name, v := range f.Args {
		switch v := v.(type) {
		case scenarios.Size:
			d.Args[name] = int64(v)
		case scenarios.Throughput:
			d.Args[name] = int64(v)
		case scenarios.Rate:
			d.Args[name] = int64(v)
		case []scenarios.Peer:
			d.Args[name] = peers
		case []scenarios.PortRange:
			d.Args[name] = written(v)
		default:
			d.Args[name] = v
		}
	}
	return d
}

// written is each element as the language writes it.
func written[T fmt.Stringer](all []T) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = v.String()
	}
	return out
}

// argument is the value of an argument for people: as it is written in a scenario, lists without their brackets.
func argument(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string:
		words := make([]string, len(v))
		for i, w := range v {
			words[i] = w
			if w == "" || strings.ContainsAny(w, " \t\n\"'\\$`|&;<>()*?") {
				words[i] = strconv.Quote(w)
			}
		}
		return strings.Join(words, " ")
	case []scenarios.Peer:
		return strings.Join(written(v), ", ")
	case []scenarios.PortRange:
		return strings.Join(written(v), ", ")
	}
	return fmt.Sprint(v)
}

// A surroundings is what a fault's peers are found in.
type surroundings struct {
	chosen func(target string) ([]engine.Container, error)
	find   func(id string) (engine.Container, error) // of any container
}

// peers are the addresses of a fault's peers as they are now, for the fault on one container; none means everyone. A container
// is no peer of itself, nor of one that it shares its network with: what they say to each other crosses none. warnings are what
// a careful person wants to know before.
func (s surroundings) peers(f *scenarios.Fault, c engine.Container) (peers []inject.Peer, warnings []string, err error) {
	if len(f.Peers()) == 0 {
		return nil, nil, nil
	}
	home, err := s.home(c)
	if err != nil {
		return nil, nil, err
	}
	seen := map[netip.Prefix]bool{}
	add := func(p inject.Peer) {
		if !seen[p.Prefix] {
			seen[p.Prefix] = true
			peers = append(peers, p)
		}
	}
	for _, p := range f.Peers() {
		if p.Target == nil {
			add(inject.Peer{Prefix: p.Prefix})
			continue
		}
		chosen, err := s.chosen(p.Target.Name)
		if err != nil {
			return nil, nil, err
		}
		for _, peer := range chosen {
			there, err := s.home(peer)
			if err != nil {
				return nil, nil, err
			}
			if there.ID == home.ID {
				continue
			}
			addresses, err := addresses(peer, there)
			if err != nil {
				return nil, nil, err
			}
			for _, a := range addresses {
				add(inject.Peer{Name: peer.Name, Prefix: netip.PrefixFrom(a, a.BitLen())})
			}
			if !slices.ContainsFunc(there.Networks, func(e engine.Endpoint) bool {
				return slices.ContainsFunc(home.Networks, func(own engine.Endpoint) bool { return own.Network == e.Network })
			}) {
				warnings = append(warnings, fmt.Sprintf("%s is in no network together with its peer %s: they may never talk to each other, and the fault would hit nothing", c.Name, peer.Name))
			}
		}
	}
	if len(peers) == 0 {
		return nil, nil, fmt.Errorf("its peers are only %s itself, and what a container says to itself crosses no network: choose other peers", c.Name)
	}
	return peers, warnings, nil
}

// home is the container whose network a container uses: itself, or the one whose network it joined.
func (s surroundings) home(c engine.Container) (engine.Container, error) {
	id, joined := strings.CutPrefix(c.NetworkMode, "container:")
	if !joined {
		return c, nil
	}
	owner, err := s.find(id)
	if err != nil {
		return c, fmt.Errorf("%s uses the network of another container, which cannot be looked at: %w", c.Name, err)
	}
	return owner, nil
}

// addresses are those under which a peer can be reached; there is its home.
func addresses(peer, there engine.Container) ([]netip.Addr, error) {
	const instead = "write the addresses that are meant in peers instead"
	switch there.NetworkMode {
	case "host":
		return nil, fmt.Errorf("its peer %s uses the network of the host, so it has no address of its own; %s", peer.Name, instead)
	case "none":
		return nil, fmt.Errorf("its peer %s has no network, so nobody talks to it; take it out of peers", peer.Name)
	}
	var out []netip.Addr
	for _, e := range there.Networks {
		for _, text := range []string{e.IPv4, e.IPv6} {
			if a, err := netip.ParseAddr(text); err == nil {
				out = append(out, a.Unmap())
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("its peer %s has no address (it is %s); %s", peer.Name, there.State.Status, instead)
	}
	return out, nil
}

// stray says in words which peer, of those that are there now, has an address that a fault for the earlier ones is not for; empty:
// none has.
func stray(was []inject.Peer, now any) string {
	peers, _ := now.([]inject.Peer)
	for _, p := range peers {
		if !slices.ContainsFunc(was, func(w inject.Peer) bool { return w.Prefix.Contains(p.Prefix.Addr()) }) {
			return fmt.Sprintf("its peer %s has the address %s by now, which the fault is not for", p, p.Prefix.Addr())
		}
	}
	return ""
}
