package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// CreateNetwork makes a bridge network.
func (d *docker) CreateNetwork(ctx context.Context, name string, labels map[string]string, subnets ...string) (id string, err error) {
	options := network.CreateOptions{Driver: "bridge", Labels: labels}
	for _, s := range subnets {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return "", fmt.Errorf("create network %s: subnet %q is not like 10.9.0.0/24: %w", name, s, err)
		}
		if options.IPAM == nil {
			options.IPAM = &network.IPAM{}
		}
		options.IPAM.Config = append(options.IPAM.Config, network.IPAMConfig{Subnet: s})
		if prefix.Addr().Is6() {
			options.EnableIPv6 = &[]bool{true}[0]
		}
	}
	err = d.call(ctx, callLimit, "create network "+name, func(ctx context.Context) error {
		made, err := d.cli.NetworkCreate(ctx, name, options)
		id = made.ID
		return err
	})
	return id, err
}

// RemoveNetwork removes a network; ErrConflict while containers are in it.
func (d *docker) RemoveNetwork(ctx context.Context, id string) error {
	return d.call(ctx, callLimit, "remove network "+id, func(ctx context.Context) error {
		err := d.cli.NetworkRemove(ctx, id)
		switch {
		case cerrdefs.IsNotFound(err):
			return nil
		case cerrdefs.IsPermissionDenied(err): // the engine's answer for a network in use
			return fmt.Errorf("%w: %s; remove the containers in it first", ErrConflict, daemonText(err))
		}
		return err
	})
}

// Networks lists the networks that carry a label, ordered by name.
func (d *docker) Networks(ctx context.Context, label, value string) ([]NetworkInfo, error) {
	if label == "" {
		return nil, errors.New("list networks: no label is given")
	}
	if value != "" {
		label += "=" + value
	}
	var all []NetworkInfo
	err := d.call(ctx, callLimit, "list the networks", func(ctx context.Context) error {
		list, err := d.cli.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
		for _, n := range list {
			all = append(all, NetworkInfo{ID: n.ID, Name: n.Name, Labels: n.Labels})
		}
		return err
	})
	slices.SortFunc(all, func(a, b NetworkInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// endpoints lists a container's places, ordered by the network's name.
func endpoints(networks map[string]*network.EndpointSettings, c Container) []Endpoint {
	var all []Endpoint
	for name, e := range networks {
		// After an attempt to connect that failed, engines list the network although the container is not in it.
		failed := e != nil && e.EndpointID == "" && c.State.Running && !c.State.Restarting
		if e != nil && !failed {
			all = append(all, endpoint(name, c.ID, *e))
		}
	}
	slices.SortFunc(all, func(a, b Endpoint) int { return strings.Compare(a.Network, b.Network) })
	return all
}

// endpoint puts the engine's words for a container's place in a network into ours.
func endpoint(name, id string, e network.EndpointSettings) Endpoint {
	at := Endpoint{
		Network: name, NetworkID: e.NetworkID,
		Aliases: ownAliases(e.Aliases, id), Links: e.Links, DriverOpts: e.DriverOpts, GatewayPriority: e.GwPriority,
		IPv4: e.IPAddress, IPv6: e.GlobalIPv6Address, Gateway: e.Gateway, GatewayIPv6: e.IPv6Gateway, MAC: e.MacAddress,
		IPv4Bits: e.IPPrefixLen, IPv6Bits: e.GlobalIPv6PrefixLen,
	}
	if c := e.IPAMConfig; c != nil {
		at.StaticIPv4, at.StaticIPv6, at.LinkLocalIPs = c.IPv4Address, c.IPv6Address, c.LinkLocalIPs
	}
	return at
}

// ownAliases leaves out the short id, which engines before 25 add to the aliases.
func ownAliases(aliases []string, id string) []string {
	var own []string
	for _, a := range aliases {
		if !(len(a) == 12 && strings.HasPrefix(id, a)) && !slices.Contains(own, a) {
			own = append(own, a)
		}
	}
	return own
}

// ConnectNetwork puts a container into a network.
func (d *docker) ConnectNetwork(ctx context.Context, name, id string, at Endpoint) error {
	config := &network.EndpointSettings{
		Aliases: at.Aliases, Links: at.Links, DriverOpts: maps.Clone(at.DriverOpts), MacAddress: at.MAC, GwPriority: at.GatewayPriority,
	}
	if at.StaticIPv4 != "" || at.StaticIPv6 != "" || len(at.LinkLocalIPs) > 0 {
		config.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: at.StaticIPv4, IPv6Address: at.StaticIPv6, LinkLocalIPs: at.LinkLocalIPs}
	}
	return d.call(ctx, callLimit, "connect "+id+" to network "+name, func(ctx context.Context) error {
		return membership(d.cli.NetworkConnect(ctx, name, id, config))
	})
}

// DisconnectNetwork takes a container out of a network.
func (d *docker) DisconnectNetwork(ctx context.Context, name, id string) error {
	return d.call(ctx, callLimit, "disconnect "+id+" from network "+name, func(ctx context.Context) error {
		return membership(d.cli.NetworkDisconnect(ctx, name, id, false))
	})
}

// membership recognises conflicts that engines report as forbidden or as internal errors.
func membership(err error) error {
	if err == nil {
		return nil
	}
	for _, s := range []string{"already exists in network", "is not connected to", "already in use", "cannot be connected to"} {
		if strings.Contains(strings.ToLower(err.Error()), s) {
			return fmt.Errorf("%w: %s", ErrConflict, daemonText(err))
		}
	}
	return err
}
