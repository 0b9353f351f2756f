package fake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"gameday/inject/engine"
)

// CreateNetwork makes a network.
func (f *Fake) CreateNetwork(ctx context.Context, name string, labels map[string]string, subnets ...string) (string, error) {
	if err := f.enter(ctx, "CreateNetwork", name); err != nil {
		return "", err
	}
	defer f.mu.Unlock()
	if _, ok := f.networks[name]; ok {
		return "", fmt.Errorf("create network %s: %w: network with name %s already exists", name, engine.ErrConflict, name)
	}
	n := engine.NetworkInfo{ID: newID(), Name: name, Labels: maps.Clone(labels)}
	for _, s := range subnets {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return "", fmt.Errorf("create network %s: subnet %q is not like 10.9.0.0/24: %w", name, s, err)
		}
		f.subnets[n.ID] = append(f.subnets[n.ID], prefix)
	}
	f.networks[name] = n
	return n.ID, nil
}

// RemoveNetwork removes a network.
func (f *Fake) RemoveNetwork(ctx context.Context, id string) error {
	if err := f.enter(ctx, "RemoveNetwork", id); err != nil {
		return err
	}
	defer f.mu.Unlock()
	for name, n := range f.networks {
		if name != id && n.ID != id {
			continue
		}
		for _, b := range f.boxes {
			if b.c.State.Running && slices.ContainsFunc(b.c.Networks, func(e engine.Endpoint) bool { return e.NetworkID == n.ID }) {
				return fmt.Errorf("remove network %s: %w: it has active endpoints", id, engine.ErrConflict)
			}
		}
		delete(f.networks, name)
		delete(f.subnets, n.ID)
	}
	return nil
}

// Networks lists the networks that carry a label.
func (f *Fake) Networks(ctx context.Context, label, value string) ([]engine.NetworkInfo, error) {
	if err := f.enter(ctx, "Networks", label); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var all []engine.NetworkInfo
	for _, n := range f.networks {
		if v, ok := n.Labels[label]; ok && (value == "" || v == value) {
			n.Labels = maps.Clone(n.Labels)
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b engine.NetworkInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// ConnectNetwork puts a container into a network.
func (f *Fake) ConnectNetwork(ctx context.Context, network, id string, at engine.Endpoint) error {
	b, err := f.enterBox(ctx, "ConnectNetwork", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	what := "connect " + id + " to network " + network
	n, err := f.network(network)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case slices.ContainsFunc(b.c.Networks, func(e engine.Endpoint) bool { return e.Network == n.Name }):
		return fmt.Errorf("%s: %w: endpoint with name %s already exists in network %s", what, engine.ErrConflict, b.c.Name, n.Name)
	case b.c.NetworkMode == "host" || b.c.NetworkMode == "none" || strings.HasPrefix(b.c.NetworkMode, "container:"):
		return fmt.Errorf("%s: %w: a container of network %s cannot be connected to any other network", what, engine.ErrConflict, b.c.NetworkMode)
	case n.Name == "bridge" && len(at.Aliases) > 0:
		return fmt.Errorf("%s: Docker says: network-scoped alias is supported only for containers in user defined networks", what)
	case at.StaticIPv4+at.StaticIPv6 != "" && f.subnets[n.ID] == nil:
		return fmt.Errorf("%s: Docker says: user specified IP address is supported only when connecting to networks with user configured subnets", what)
	}
	at = own(at)
	at.Network, at.NetworkID = n.Name, n.ID
	leave(&at)
	if b.c.State.Running && !b.c.State.Restarting {
		if err := f.join(&at); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	b.c.Networks = append(b.c.Networks, at)
	slices.SortFunc(b.c.Networks, func(a, b engine.Endpoint) int { return strings.Compare(a.Network, b.Network) })
	return nil
}

// DisconnectNetwork takes a container out of a network.
func (f *Fake) DisconnectNetwork(ctx context.Context, network, id string) error {
	b, err := f.enterBox(ctx, "DisconnectNetwork", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	n, err := f.network(network)
	if err != nil {
		return fmt.Errorf("disconnect %s from network %s: %w", id, network, err)
	}
	in := len(b.c.Networks)
	b.c.Networks = slices.DeleteFunc(b.c.Networks, func(e engine.Endpoint) bool { return e.Network == n.Name })
	if len(b.c.Networks) == in {
		return fmt.Errorf("disconnect %s from network %s: %w: container %s is not connected to network %s", id, network, engine.ErrConflict, b.c.ID, n.Name)
	}
	return nil
}

// network looks one up by id or name.
func (f *Fake) network(id string) (engine.NetworkInfo, error) {
	for _, n := range f.networks {
		if n.ID == id || n.Name == id {
			return n, nil
		}
	}
	return engine.NetworkInfo{}, fmt.Errorf("%w: network %s not found", engine.ErrNotFound, id)
}

// join gives an endpoint its addresses: those asked for, or the lowest that are free.
func (f *Fake) join(at *engine.Endpoint) error {
	if at.Network == "host" || at.Network == "none" {
		return nil
	}
	subnets := f.subnets[at.NetworkID]
	if subnets == nil {
		subnets = []netip.Prefix{netip.MustParsePrefix("172.30.0.0/16")}
	}
	leave(at)
	for _, s := range subnets {
		ip := cmp.Or(at.StaticIPv4, f.address(at.NetworkID, s))
		if s.Addr().Is6() {
			ip = cmp.Or(at.StaticIPv6, f.address(at.NetworkID, s))
		}
		if f.taken(at.NetworkID, ip) {
			return fmt.Errorf("%w: Address already in use", engine.ErrConflict)
		}
		if s.Addr().Is6() {
			at.IPv6, at.IPv6Bits, at.GatewayIPv6 = ip, s.Bits(), s.Masked().Addr().Next().String()
		} else {
			at.IPv4, at.IPv4Bits, at.Gateway = ip, s.Bits(), s.Masked().Addr().Next().String()
		}
	}
	if b, err := netip.ParseAddr(at.IPv4); err == nil && at.MAC == "" {
		at.MAC = fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", b.As4()[0], b.As4()[1], b.As4()[2], b.As4()[3])
	}
	return nil
}

// leave takes an endpoint's addresses away.
func leave(at *engine.Endpoint) {
	at.IPv4, at.IPv4Bits, at.Gateway = "", 0, ""
	at.IPv6, at.IPv6Bits, at.GatewayIPv6 = "", 0, ""
	at.MAC = ""
}

// address is the lowest one in a network's subnet that is free.
func (f *Fake) address(network string, subnet netip.Prefix) string {
	ip := subnet.Masked().Addr().Next().Next() // the first is the gateway's
	for f.taken(network, ip.String()) {
		ip = ip.Next()
	}
	return ip.String()
}

func (f *Fake) taken(network, ip string) bool {
	for _, b := range f.boxes {
		for _, e := range b.c.Networks {
			if e.NetworkID == network && (e.IPv4 == ip || e.IPv6 == ip) {
				return true
			}
		}
	}
	return false
}

// own is a copy of an endpoint that shares nothing with it.
func own(e engine.Endpoint) engine.Endpoint {
	e.Aliases, e.Links, e.LinkLocalIPs = slices.Clone(e.Aliases), slices.Clone(e.Links), slices.Clone(e.LinkLocalIPs)
	e.DriverOpts = maps.Clone(e.DriverOpts)
	return e
}
