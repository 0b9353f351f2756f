package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"
)

// inspectors is how many containers are looked at in parallel.
const inspectors = 8

// Containers lists all containers. One that goes away while they are looked at is left out.
func (d *docker) Containers(ctx context.Context) ([]Container, error) {
	var all []Container
	err := d.call(ctx, callLimit, "list the containers", func(ctx context.Context) error {
		list, err := d.cli.ContainerList(ctx, container.ListOptions{All: true})
		if err != nil {
			return err
		}
		found := make([]*Container, len(list))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(inspectors)
		for i, s := range list {
			g.Go(func() error {
				c, err := d.inspect(ctx, s.ID)
				if errors.Is(err, ErrNotFound) {
					return nil
				}
				found[i] = &c
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, c := range found {
			if c != nil {
				all = append(all, *c)
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// Brief lists the containers that match, without looking at each.
func (d *docker) Brief(ctx context.Context, f Filter) ([]Container, error) {
	args := filters.NewArgs()
	if f.Label != "" {
		args.Add("label", strings.TrimSuffix(f.Label+"="+f.Value, "="))
	}
	if f.Network != "" {
		args.Add("network", f.Network)
	}
	var all []Container
	err := d.call(ctx, callLimit, "list the containers", func(ctx context.Context) error {
		list, err := d.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: args})
		for _, s := range list {
			all = append(all, fromSummary(s))
		}
		return err
	})
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// fromSummary puts what a list says of a container into our words.
func fromSummary(s container.Summary) Container {
	c := Container{ID: s.ID, Image: s.Image, ImageID: s.ImageID, Labels: s.Labels, Created: time.Unix(s.Created, 0).UTC(), NetworkMode: s.HostConfig.NetworkMode}
	for _, name := range s.Names { // the others are those of links: "/container/alias"
		if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
			c.Name = name
		}
	}
	c.State.Status = s.State
	c.State.Running = s.State == "running" || s.State == "paused" || s.State == "restarting"
	c.State.Paused, c.State.Restarting = s.State == "paused", s.State == "restarting"
	if c.NetworkMode == "" || c.NetworkMode == "default" {
		c.NetworkMode = "bridge"
	}
	if n := s.NetworkSettings; n != nil {
		c.Networks = endpoints(n.Networks, c)
	}
	return c
}

// Container looks one up by id or name.
func (d *docker) Container(ctx context.Context, id string) (c Container, err error) {
	err = d.call(ctx, callLimit, "look at container "+id, func(ctx context.Context) (err error) {
		c, err = d.inspect(ctx, id)
		return err
	})
	return c, err
}

func (d *docker) inspect(ctx context.Context, id string) (Container, error) {
	in, err := d.cli.ContainerInspect(ctx, id)
	if err != nil {
		return Container{}, d.classify("inspect", err)
	}
	return fromInspect(in), nil
}

// fromInspect puts the engine's words for a container into ours. Engines leave out what is empty.
func fromInspect(in container.InspectResponse) Container {
	var c Container
	if b := in.ContainerJSONBase; b != nil {
		c.ID, c.Name, c.ImageID = b.ID, strings.TrimPrefix(b.Name, "/"), b.Image
		c.Created = parseTime(b.Created)
		c.RestartCount = b.RestartCount
		if h := b.HostConfig; h != nil {
			c.RestartPolicy = string(h.RestartPolicy.Name)
			c.AutoRemove = h.AutoRemove
			c.NetworkMode = string(h.NetworkMode)
			c.PIDMode, c.IPCMode = string(h.PidMode), string(h.IpcMode)
			c.UsernsMode, c.CgroupnsMode, c.CgroupParent = string(h.UsernsMode), string(h.CgroupnsMode), h.CgroupParent
			c.Runtime, c.Privileged, c.ReadOnly, c.OOMScoreAdj = h.Runtime, h.Privileged, h.ReadonlyRootfs, h.OomScoreAdj
			c.CapAdd, c.CapDrop, c.SecurityOpt = h.CapAdd, h.CapDrop, h.SecurityOpt
			c.Limits = limits(h.Resources)
			c.Mounts = mounts(in.Mounts, h.Tmpfs)
		}
		if s := b.State; s != nil {
			c.State = State{
				Status: s.Status, Running: s.Running, Paused: s.Paused, Restarting: s.Restarting, OOMKilled: s.OOMKilled,
				PID: s.Pid, ExitCode: s.ExitCode, StartedAt: parseTime(s.StartedAt), FinishedAt: parseTime(s.FinishedAt),
			}
			if s.Health != nil && s.Health.Status != container.NoHealthcheck {
				c.State.Health = s.Health.Status
			}
		}
	}
	if c.RestartPolicy == "" {
		c.RestartPolicy = "no"
	}
	if c.NetworkMode == "" || c.NetworkMode == "default" {
		c.NetworkMode = "bridge"
	}
	if in.Config != nil {
		c.Image, c.Labels, c.TTY, c.User = in.Config.Image, in.Config.Labels, in.Config.Tty, in.Config.User
		c.Health = health(in.Config.Healthcheck)
	}
	if n := in.NetworkSettings; n != nil {
		c.Networks = endpoints(n.Networks, c)
		var asked nat.PortMap
		if in.ContainerJSONBase != nil && in.HostConfig != nil {
			asked = in.HostConfig.PortBindings
		}
		c.Ports = ports(n.Ports, asked)
	}
	return c
}

// health puts the engine's words for a health check into ours. A time of zero stands for the engine's default.
func health(h *container.HealthConfig) *Health {
	if h == nil || len(h.Test) == 0 || h.Test[0] == "NONE" {
		return nil
	}
	return &Health{Cmd: h.Test[1:], Interval: cmp.Or(h.Interval, 30*time.Second), Timeout: cmp.Or(h.Timeout, 30*time.Second),
		StartPeriod: h.StartPeriod, Retries: cmp.Or(h.Retries, 3)}
}

// limits puts the engine's words for limits into ours.
func limits(r container.Resources) Limits {
	l := Limits{Memory: r.Memory, MemorySwap: r.MemorySwap, NanoCPUs: r.NanoCPUs, CPUQuota: r.CPUQuota, CPUPeriod: r.CPUPeriod}
	if r.PidsLimit != nil {
		l.PidsLimit = *r.PidsLimit
	}
	l.OOMKillDisable = r.OomKillDisable != nil && *r.OomKillDisable
	l.Read, l.Write = rates(r.BlkioDeviceReadBps), rates(r.BlkioDeviceWriteBps)
	return l
}

func rates(all []*blkiodev.ThrottleDevice) []Rate {
	var out []Rate
	for _, d := range all {
		if d != nil {
			out = append(out, Rate{Device: d.Path, Bytes: int64(min(d.Rate, math.MaxInt64))})
		}
	}
	return out
}

// mounts lists what was put into a container. Those of --tmpfs are listed elsewhere by the engine, with their options.
func mounts(points []container.MountPoint, tmpfs map[string]string) []Mount {
	var ms []Mount
	for _, p := range points {
		ms = append(ms, Mount{Type: string(p.Type), Name: p.Name, Source: p.Source, Destination: p.Destination, RW: p.RW})
	}
	for dest, options := range tmpfs {
		if !slices.ContainsFunc(ms, func(m Mount) bool { return m.Destination == dest }) {
			ms = append(ms, Mount{Type: "tmpfs", Destination: dest, RW: !slices.Contains(strings.Split(options, ","), "ro")})
		}
	}
	slices.SortFunc(ms, func(a, b Mount) int { return strings.Compare(a.Destination, b.Destination) })
	return ms
}

// ports lists the published ports. Asked is what they were to be.
func ports(m, asked nat.PortMap) []Port {
	var ps []Port
	for port, bindings := range m {
		for _, b := range bindings {
			if host, err := strconv.Atoi(b.HostPort); err == nil {
				fixed := slices.ContainsFunc(asked[port], func(a nat.PortBinding) bool { return a.HostPort == b.HostPort })
				ps = append(ps, Port{Container: port.Int(), Host: host, HostIP: b.HostIP, Protocol: port.Proto(), Dynamic: !fixed})
			}
		}
	}
	slices.SortFunc(ps, func(a, b Port) int {
		if a.Container != b.Container {
			return a.Container - b.Container
		}
		return strings.Compare(a.Protocol+a.HostIP, b.Protocol+b.HostIP)
	})
	return ps
}

// parseTime reads the engine's time; the zero time stands for one that has not come.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Pause freezes all processes.
func (d *docker) Pause(ctx context.Context, id string) error {
	return d.call(ctx, callLimit, "pause "+id, func(ctx context.Context) error { return d.cli.ContainerPause(ctx, id) })
}

// A refused Unpause is looked into this often, with this much time between.
const (
	thawChecks   = 5
	thawInterval = 50 * time.Millisecond
)

// Unpause thaws them.
//
// An engine that is busy hears from containerd that an earlier pause was lifted only after the next pause, takes the
// container to run, and refuses, while its processes stay frozen. A moment later it knows better. So a refusal is
// believed only after the container was seen not to be paused for a while.
func (d *docker) Unpause(ctx context.Context, id string) error {
	return d.call(ctx, callLimit, "unpause "+id, func(ctx context.Context) error {
		refused := d.cli.ContainerUnpause(ctx, id)
		for range thawChecks {
			if refused == nil || !errors.Is(d.classify("", refused), ErrConflict) {
				return refused
			}
			c, err := d.inspect(ctx, id)
			switch {
			case err != nil:
				return err
			case !c.State.Running:
				return refused
			case c.State.Paused:
				refused = d.cli.ContainerUnpause(ctx, id)
				continue
			}
			select {
			case <-ctx.Done():
				return refused
			case <-time.After(thawInterval):
			}
		}
		return refused
	})
}

// Stop asks the main process to end and kills it after the grace time.
func (d *docker) Stop(ctx context.Context, id string, grace time.Duration) error {
	s := seconds(grace)
	return d.call(ctx, callLimit+time.Duration(s)*time.Second, "stop "+id, func(ctx context.Context) error {
		return d.cli.ContainerStop(ctx, id, container.StopOptions{Timeout: &s})
	})
}

// Start starts a container that does not run.
func (d *docker) Start(ctx context.Context, id string) error {
	return d.call(ctx, callLimit, "start "+id, func(ctx context.Context) error {
		return d.cli.ContainerStart(ctx, id, container.StartOptions{})
	})
}

// Restart stops with the grace time, then starts.
func (d *docker) Restart(ctx context.Context, id string, grace time.Duration) error {
	s := seconds(grace)
	return d.call(ctx, callLimit+time.Duration(s)*time.Second, "restart "+id, func(ctx context.Context) error {
		return d.cli.ContainerRestart(ctx, id, container.StopOptions{Timeout: &s})
	})
}

// seconds is a grace time as the engine takes it: whole seconds, rounded up; never negative, which would mean for ever.
func seconds(d time.Duration) int {
	return int(max(0, math.Ceil(d.Seconds())))
}

// Kill sends a signal to the main process.
func (d *docker) Kill(ctx context.Context, id, signal string) error {
	return d.call(ctx, callLimit, "send "+signal+" to "+id, func(ctx context.Context) error {
		return d.cli.ContainerKill(ctx, id, signal)
	})
}

// Logs returns what a container has written to stdout and stderr so far.
func (d *docker) Logs(ctx context.Context, id string) ([]byte, error) {
	var out bytes.Buffer
	err := d.call(ctx, callLimit, "read the logs of "+id, func(ctx context.Context) error {
		in, err := d.cli.ContainerInspect(ctx, id)
		if err != nil {
			return err
		}
		r, err := d.cli.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
		if err != nil {
			return err
		}
		defer r.Close()
		if in.Config != nil && in.Config.Tty { // one stream, as it is
			_, err = io.Copy(&out, r)
		} else {
			_, err = stdcopy.StdCopy(&out, &out, r)
		}
		return err
	})
	return out.Bytes(), err
}

// Create makes a container and does not start it.
func (d *docker) Create(ctx context.Context, spec Spec) (id string, err error) {
	config, host, networks, err := spec.forEngine()
	if err != nil {
		return "", fmt.Errorf("create container %s: %w", spec.Name, err)
	}
	err = d.call(ctx, callLimit, "create container "+spec.Name, func(ctx context.Context) error {
		made, err := d.cli.ContainerCreate(ctx, config, host, networks, nil, spec.Name)
		id = made.ID
		return err
	})
	return id, err
}

// forEngine puts a spec into the engine's words.
func (s Spec) forEngine() (*container.Config, *container.HostConfig, *network.NetworkingConfig, error) {
	config := &container.Config{
		Image: s.Image, Entrypoint: s.Entrypoint, Cmd: s.Cmd, Env: s.Env, Labels: s.Labels, User: s.User, StopSignal: s.StopSignal,
		OpenStdin: s.Stdin, StdinOnce: s.Stdin, AttachStdin: s.Stdin,
	}
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(s.Network), PidMode: container.PidMode(s.PIDMode), UsernsMode: container.UsernsMode(s.UsernsMode),
		CapDrop: s.CapDrop, CapAdd: s.CapAdd, ReadonlyRootfs: s.ReadOnly, Binds: s.Binds, Tmpfs: s.Tmpfs,
		SecurityOpt: s.SecurityOpt, CgroupnsMode: container.CgroupnsMode(s.CgroupnsMode), OomScoreAdj: s.OOMScoreAdj,
		VolumesFrom:   s.VolumesFrom,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyMode(s.RestartPolicy)},
		AutoRemove:    s.AutoRemove,
		Resources:     container.Resources{Memory: s.Memory, CPUShares: s.CPUShares},
	}
	if h := s.Health; h != nil {
		config.Healthcheck = &container.HealthConfig{
			Test: append([]string{"CMD"}, h.Cmd...), Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries,
		}
	}
	for _, d := range s.Dirs {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: d.Source, Target: d.Destination, ReadOnly: d.ReadOnly,
			BindOptions: &mount.BindOptions{NonRecursive: true}})
	}
	for _, p := range s.Publish {
		if p < 1 || p > math.MaxUint16 {
			return nil, nil, nil, fmt.Errorf("there is no port %d to publish; use 1 to 65535", p)
		}
		if host.PortBindings == nil {
			host.PortBindings, config.ExposedPorts = nat.PortMap{}, nat.PortSet{}
		}
		port := nat.Port(strconv.Itoa(p) + "/tcp")
		config.ExposedPorts[port] = struct{}{}
		host.PortBindings[port] = []nat.PortBinding{{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}).String()}}
	}
	var networks *network.NetworkingConfig
	if len(s.Aliases) > 0 {
		networks = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{s.Network: {Aliases: s.Aliases}}}
	}
	return config, host, networks, nil
}

// Remove kills and removes a container, and returns once it is gone.
func (d *docker) Remove(ctx context.Context, id string) error {
	return d.call(ctx, callLimit, "remove container "+id, func(ctx context.Context) error {
		for {
			err := d.classify("", d.cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true}))
			switch {
			case err == nil, errors.Is(err, ErrNotFound):
				return nil
			case !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "already in progress"):
				return err
			}
			select { // somebody else is removing it, as the engine itself does with AutoRemove
			case <-ctx.Done():
				return err
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

// Wait waits until a container is not running any more.
func (d *docker) Wait(ctx context.Context, id string) (int, error) {
	what := short("wait for the end of " + id)
	if err := d.prepare(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done, failed := d.cli.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case r := <-done:
		if r.Error != nil && r.Error.Message != "" {
			return 0, fmt.Errorf("%s: Docker says: %s", what, r.Error.Message)
		}
		return int(r.StatusCode), nil
	case err := <-failed:
		if ctx.Err() != nil { // it runs for longer than the caller waits: not the engine's fault
			return 0, fmt.Errorf("%s: %w", what, ctx.Err())
		}
		return 0, d.classify(what, err)
	case <-ctx.Done():
		return 0, fmt.Errorf("%s: %w", what, ctx.Err())
	}
}
