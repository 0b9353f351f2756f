package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// CreateNetwork makes a bridge network.
func (d *docker) CreateNetwork(ctx context.Context, name string, labels map[string]string) (id string, err error) {
	err = d.call(ctx, callLimit, "create network "+name, func(ctx context.Context) error {
		made, err := d.cli.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: labels})
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
