package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gameday/inject/engine"
)

// disconnect takes a container out of one of its networks, as an operator's mistake or a failing network driver does: its
// interface is gone, its name is not resolved any more, and connections hang.
type disconnect struct{}

// place is a container's place in a network, as its undo needs it.
type place struct {
	Network         string            `json:"network"`
	NetworkID       string            `json:"network_id"`
	StaticIPv4      string            `json:"static_ipv4,omitempty"` // asked for by a person; empty: the engine's choice
	StaticIPv6      string            `json:"static_ipv6,omitempty"`
	LinkLocalIPs    []string          `json:"link_local_ips,omitempty"`
	Aliases         []string          `json:"aliases,omitempty"`
	Links           []string          `json:"links,omitempty"`
	DriverOpts      map[string]string `json:"driver_opts,omitempty"`
	GatewayPriority int               `json:"gateway_priority,omitempty"`
	IPv4            string            `json:"ipv4,omitempty"` // what it had
	IPv6            string            `json:"ipv6,omitempty"`
	MAC             string            `json:"mac,omitempty"`
	Ports           []string          `json:"ports,omitempty"` // that the container publishes: "8080/tcp on 127.0.0.1:32768"
	HoldSeconds     int               `json:"hold_s"`          // for how long its addresses are held at most
}

// Doc describes disconnect.
func (disconnect) Doc() Doc {
	return Doc{
		Kind:    "disconnect",
		Family:  Engine,
		Summary: "Takes the container out of one of its networks: nobody there finds or reaches it, nor it them, and open connections hang.",
		Undo:    "Connects it again, with the addresses, aliases, links and options that it had. Meanwhile a helper holds its address, so that no other container gets it.",
		Proof:   "The engine does not list the container in the network.",
		Holds:   DurationRequired,
		ByHand:  "docker network connect NETWORK CONTAINER",
		Args: []Arg{
			{Name: "network", Type: "string", Summary: "The name that the network has in Docker, such as \"shop_default\"."},
		},
		Example: `fault "disconnect" "store_falls_off_the_network" {
  target   = target.store
  network  = "shop_default"
  duration = "30s"
}`,
	}
}

// Plan refuses a network that the container is not in.
func (k disconnect) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	name, err := stringArg(f, "network", "")
	if err != nil {
		return Step{}, err
	}
	if err := checkTarget(c); err != nil {
		return Step{}, err
	}
	var names []string
	for _, n := range c.Networks {
		names = append(names, n.Network)
	}
	switch {
	case name == "":
		return Step{}, fmt.Errorf("fault %q: network is missing: %s is in %s", f.Name, c.Name, list(names))
	case c.NetworkMode == "host":
		return Step{}, fmt.Errorf("%s uses the host's network: there is nothing that it could be taken out of", c.Name)
	case c.NetworkMode == "none":
		return Step{}, fmt.Errorf("%s has no network (none): there is nothing that it could be taken out of", c.Name)
	case strings.HasPrefix(c.NetworkMode, "container:"):
		return Step{}, fmt.Errorf("%s uses the network of container %.12s: choose that one as the target", c.Name, strings.TrimPrefix(c.NetworkMode, "container:"))
	}
	if guests := guestsOf(c, h); guests != "" {
		return Step{}, fmt.Errorf("%s the network of %s: disconnect would take them out as well; choose a target with a network of its own", guests, c.Name)
	}
	i := slices.IndexFunc(c.Networks, func(e engine.Endpoint) bool { return e.Network == name || e.NetworkID == name })
	if i < 0 {
		return Step{}, fmt.Errorf("%s is not in network %q; it is in %s", c.Name, name, orNone(list(names)))
	}
	p := placeOf(c.Networks[i], c.Ports)
	p.HoldSeconds = holdSeconds(f.Duration)
	s, err := planned(f, k.Doc(), c, p)
	if err != nil {
		return Step{}, err
	}
	s.Does = fmt.Sprintf("take %s out of network %s: nobody there reaches it, nor it them", c.Name, p.Network)
	s.UndoWords = fmt.Sprintf("put %s back into network %s, at %s", c.Name, p.Network, orNone(p.addresses()))
	// Queues of packets go with the interface.
	s.Claims = append(s.Claims, Claim{Thing: "its place in network " + p.Network}, Claim{Thing: packetQueue})
	s.Warnings = p.warnings(c)
	return s, nil
}

func (p place) warnings(c engine.Container) []string {
	var out []string
	switch {
	case len(c.Networks) == 1 && len(c.Ports) > 0:
		out = append(out, fmt.Sprintf("%s is the only network of %s: while it is out it reaches nothing at all, and its published ports are closed", p.Network, c.Name))
	case len(c.Networks) == 1:
		out = append(out, fmt.Sprintf("%s is the only network of %s: while it is out it reaches nothing at all", p.Network, c.Name))
	default:
		out = append(out, fmt.Sprintf("the default route and the published ports of %s move to another of its networks meanwhile, if %s is the one that has them", c.Name, p.Network))
	}
	for _, port := range c.Ports {
		if port.Dynamic {
			out = append(out, fmt.Sprintf("Docker chose the port %d on which %s publishes its port %d, and may choose another one when it is put back", port.Host, c.Name, port.Container))
		}
	}
	return out
}

// placeOf is what of an endpoint is put back.
func placeOf(e engine.Endpoint, ports []engine.Port) place {
	return place{
		Network: e.Network, NetworkID: e.NetworkID, StaticIPv4: e.StaticIPv4, StaticIPv6: e.StaticIPv6, LinkLocalIPs: e.LinkLocalIPs,
		Aliases: e.Aliases, Links: e.Links, DriverOpts: e.DriverOpts, GatewayPriority: e.GatewayPriority,
		IPv4: e.IPv4, IPv6: e.IPv6, MAC: e.MAC, Ports: portWords(ports),
	}
}

// endpoint is what the engine is asked for. A MAC address that the engine made up is asked for, too, as far as the engine can.
func (p place) endpoint() engine.Endpoint {
	return engine.Endpoint{
		StaticIPv4: p.StaticIPv4, StaticIPv6: p.StaticIPv6, LinkLocalIPs: p.LinkLocalIPs,
		Aliases: p.Aliases, Links: p.Links, DriverOpts: p.DriverOpts, GatewayPriority: p.GatewayPriority, MAC: p.MAC,
	}
}

func (p place) addresses() string {
	return strings.TrimSpace(p.IPv4 + " " + p.IPv6)
}

func portWords(ports []engine.Port) []string {
	var out []string
	for _, p := range ports {
		out = append(out, fmt.Sprintf("%d/%s on %s:%d", p.Container, p.Protocol, p.HostIP, p.Host))
	}
	return out
}

// in returns where a container is in the network. One that was made anew under the same name counts.
func (p place) in(c engine.Container) (engine.Endpoint, bool) {
	for _, e := range c.Networks {
		if e.NetworkID == p.NetworkID || e.Network == p.Network {
			return e, true
		}
	}
	return engine.Endpoint{}, false
}

func (p place) same(e engine.Endpoint) bool { return e.IPv4 == p.IPv4 && e.IPv6 == p.IPv6 }

func readPlace(u Undo) (place, error) {
	var p place
	if err := json.Unmarshal(u.Extra, &p); err != nil || p.Network == "" {
		return p, fmt.Errorf("the undo of fault %q names no network: its record is damaged", u.Fault)
	}
	return p, nil
}

// lives says whether a container still lives the life in which the fault was planned: only then its addresses are known to be
// those of before, unless the fault changed them.
func lives(c engine.Container, u Undo) bool {
	return c.State.Running && !c.State.Restarting && c.State.StartedAt.Equal(u.Before.StartedAt)
}

// Warm makes the helper that will hold the address, without starting it.
func (disconnect) Warm(ctx context.Context, t Tools, s Step) error {
	p, err := readPlace(s.Undo)
	if err != nil {
		return err
	}
	_, err = makeHolder(ctx, t, s.Undo, p)
	return err
}

// Inject disconnects the container, and then has its address held.
func (disconnect) Inject(ctx context.Context, t Tools, s Step) error {
	p, err := readPlace(s.Undo)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	c, err := ready(ctx, t, s)
	if err != nil {
		return err
	}
	if at, ok := p.in(c); !ok || !p.same(at) {
		return fmt.Errorf("%w: somebody changed the place of %s in network %s since the fault was planned", ErrUntouched, c.Name, p.Network)
	}
	err = uncut(ctx, func(ctx context.Context) error {
		return refused(t.Engine.DisconnectNetwork(ctx, p.NetworkID, c.ID))
	})
	if err != nil {
		return err
	}
	hold(ctx, t, s.Undo, p)
	return nil
}

// Verify waits until the engine does not list the container in the network.
func (disconnect) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	p, err := readPlace(s.Undo)
	if err != nil {
		return Proof{}, err
	}
	return await(ctx, t, s.Container.ID, s.Container.Name, "its absence from network "+p.Network, func(c *engine.Container) (string, error) {
		if c == nil {
			return "", fmt.Errorf("%s was removed by somebody else", s.Container.Name)
		}
		if _, ok := p.in(*c); !ok {
			return "it was not in network " + p.Network, nil
		}
		return "", nil
	})
}

// Holding says whether the container is still out of the network. A restart does not put it back.
func (disconnect) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	p, err := readPlace(s.Undo)
	if err != nil {
		return false, "", err
	}
	c, err := inspect(ctx, t, s.Container.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return false, goneWords, nil
	case err != nil:
		return false, "", err
	case !c.State.Running:
		return false, "it is " + status(c), nil
	}
	if _, ok := p.in(c); ok {
		return false, "somebody connected it to network " + p.Network + " again", nil
	}
	return true, "", nil
}

// Undo connects the container again, in the same way and at the same addresses.
func (disconnect) Undo(ctx context.Context, t Tools, u Undo) error {
	p, err := readPlace(u)
	if err != nil {
		return err
	}
	seats.Store(seat{u, p}.key(), seat{u, p})
	turn := turns.join(p.NetworkID, p.rank())
	defer turn.leave()
	stopHolding(u, p)
	err = untilActed(ctx, t, u, settle, func(c engine.Container) (bool, error) {
		if at, ok := p.in(c); ok && (p.same(at) || !lives(c, u)) {
			turn.leave()
			return !lives(c, u), nil // a call that nobody waited for may still take it out
		}
		return true, putBack(ctx, t, u, p, turn)
	})
	return errors.Join(err, putAllFromOutside(ctx, t, u.Run, p, turn), letGo(ctx, t, u, p))
}

// Gone waits until the container is in the network again, and compares its place with the one that it had.
func (disconnect) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	p, err := readPlace(u)
	if err != nil {
		return Proof{}, err
	}
	var now *engine.Container
	var at engine.Endpoint
	proof, err := await(ctx, t, u.ID, u.Name, "its place in network "+p.Network, func(c *engine.Container) (string, error) {
		if now = c; c == nil {
			return goneWords, nil
		}
		var ok bool
		at, ok = p.in(*c)
		switch {
		case !ok:
			return "", nil
		case !c.State.Running:
			return fmt.Sprintf("it was in network %s again; it is %s", p.Network, status(*c)), nil
		case lives(*c, u) && !p.same(at):
			return "", &residueError{p.elsewhere(ctx, t, u, at)}
		}
		seen := fmt.Sprintf("it was in network %s again, at %s", p.Network, placeOf(at, nil).addresses())
		if len(at.Aliases) > 0 {
			seen += ", as " + list(at.Aliases)
		}
		return seen, nil
	})
	if err != nil {
		return Proof{}, err
	}
	proof = withDifferences(proof, u, now)
	if now != nil && lives(*now, u) {
		proof.Differences = append(proof.Differences, p.differences(at, *now)...)
	}
	return proof, nil
}

// elsewhere says that a container is not at its address, and why.
func (p place) elsewhere(ctx context.Context, t Tools, u Undo, at engine.Endpoint) string {
	text := fmt.Sprintf("%s is in network %s again, but at %s and not at %s", u.Name, p.Network, orNone(placeOf(at, nil).addresses()), p.addresses())
	if by := p.taken(ctx, t, u).Name; by != "" {
		return text + fmt.Sprintf(", which container %s has got meanwhile: stop that one, run gameday recover, and start it again", by)
	}
	return text + fmt.Sprintf(": whoever knows it by its address does not find it; docker network disconnect %s %s, and connect it with --ip if the network has a subnet of its own", p.Network, u.Name)
}

// differences are those that no list of networks shows.
func (p place) differences(at engine.Endpoint, c engine.Container) []string {
	var out []string
	add := func(what, is, was string) {
		if is != was {
			out = append(out, fmt.Sprintf("%s in %s is %s, was %s", what, p.Network, orNone(is), orNone(was)))
		}
	}
	add("fixed address", strings.TrimSpace(at.StaticIPv4+" "+at.StaticIPv6), strings.TrimSpace(p.StaticIPv4+" "+p.StaticIPv6))
	add("MAC address", at.MAC, p.MAC)
	add("list of links", list(at.Links), list(p.Links))
	if is, was := strings.Join(portWords(c.Ports), ", "), strings.Join(p.Ports, ", "); is != was {
		out = append(out, fmt.Sprintf("published ports are %s, were %s", orNone(is), orNone(was)))
	}
	return out
}

// byHand connects it as the undo does, once nobody holds its address.
func (disconnect) byHand(u Undo) string {
	p, err := readPlace(u)
	if err != nil {
		return ""
	}
	args := []string{"docker", "network", "connect"}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				args = append(args, flag, v)
			}
		}
	}
	add("--ip", p.StaticIPv4)
	add("--ip6", p.StaticIPv6)
	add("--alias", p.Aliases...)
	add("--link", p.Links...)
	add("--link-local-ip", p.LinkLocalIPs...)
	for _, k := range slices.Sorted(maps.Keys(p.DriverOpts)) {
		add("--driver-opt", k+"="+p.DriverOpts[k])
	}
	let := fmt.Sprintf("docker ps -aq --filter %s | xargs -r docker rm -f; ", joinCommand([]string{"label=" + holdsLabel + "=" + p.NetworkID}))
	return let + joinCommand(append(args, p.Network, nameOf(u)))
}
