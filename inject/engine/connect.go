package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

// Options say which engine to connect to.
type Options struct {
	// Host is an endpoint as DOCKER_HOST has it: "unix:///var/run/docker.sock", "tcp://host:2376". Empty stands for the
	// environment of the docker command line: DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, DOCKER_API_VERSION.
	Host string
}

// A call without a deadline gets one, so that an engine that hangs holds nobody for ever. Wait, Events and Stats have none: they
// last as long as what they wait for.
const (
	infoLimit  = 5 * time.Second
	callLimit  = time.Minute
	imageLimit = 10 * time.Minute
	dialLimit  = 5 * time.Second
)

// Connect prepares the use of a Docker engine. It does not talk to it yet: the first call does, and fails with
// ErrUnreachable, ErrPermission or ErrTooOld.
func Connect(o Options) (Engine, error) {
	opts := []client.Opt{client.FromEnv}
	if o.Host != "" {
		opts = append(opts, client.WithHost(o.Host))
	}
	opts = append(opts, withDialErrors)
	cli, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to the Docker engine: %w; check DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH", err)
	}
	if strings.HasPrefix(cli.DaemonHost(), "ssh://") {
		cli.Close()
		return nil, fmt.Errorf("connect to the Docker engine: %s: ssh endpoints are not understood; forward the socket "+
			"(ssh -L ./docker.sock:/var/run/docker.sock HOST) and set DOCKER_HOST=unix://$PWD/docker.sock", cli.DaemonHost())
	}
	return &docker{cli: cli}, nil
}

// withDialErrors makes the client keep the reason why a connection could not be made: its own errors leave it out.
func withDialErrors(c *client.Client) error {
	host := c.DaemonHost()
	proto, addr, _ := strings.Cut(host, "://")
	dialer := &net.Dialer{Timeout: dialLimit}
	switch proto {
	case "unix":
		return client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, "unix", addr)
			return conn, dialError(host, err)
		})(c)
	case "tcp", "http", "https":
		return client.WithDialContext(func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			return conn, dialError(host, err)
		})(c)
	}
	return nil
}

// docker is the Engine over Docker's HTTP API.
type docker struct {
	cli *client.Client

	mu    sync.Mutex
	ready bool
	arch  string
}

// Close ends all connections.
func (d *docker) Close() error { return d.cli.Close() }

// prepare agrees on an API version with the engine, once.
func (d *docker) prepare(ctx context.Context) error {
	d.mu.Lock()
	ready := d.ready
	d.mu.Unlock()
	if ready {
		return nil
	}
	ctx, cancel := limit(ctx, infoLimit)
	defer cancel()
	ping, err := d.cli.Ping(ctx)
	if err != nil {
		return unreachable(d.cli.DaemonHost(), err)
	}
	has := ping.APIVersion
	if has == "" {
		has = "1.24" // what came before the engine told its version
	}
	if versions.LessThan(has, MinAPI) {
		return fmt.Errorf("%w: %s speaks API %s, and gameday needs %s: use Docker 20.10 or newer",
			ErrTooOld, d.cli.DaemonHost(), has, MinAPI)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ready {
		return nil // a call that runs at the same time was first
	}
	d.cli.NegotiateAPIVersionPing(ping)
	if v := d.cli.ClientVersion(); versions.LessThan(v, MinAPI) {
		return fmt.Errorf("%w: DOCKER_API_VERSION asks for API %s, and gameday needs %s: unset it, or use Docker 20.10 or newer",
			ErrTooOld, v, MinAPI)
	}
	d.ready = true
	return nil
}

// limit gives ctx a deadline if it has none.
func limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}

// call runs one request under a limit, after the version was agreed on, and classifies its error. What names the
// request in error texts: "pause 3f9c".
func (d *docker) call(ctx context.Context, most time.Duration, what string, f func(context.Context) error) error {
	if err := d.prepare(ctx); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return givenUp(what)
		}
		return fmt.Errorf("%s: %w", short(what), err)
	}
	limited, cancel := limit(ctx, most)
	defer cancel()
	err := f(limited)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) && !cerrdefs.IsNotFound(err) && !cerrdefs.IsConflict(err) {
		return givenUp(what)
	}
	return d.classify(what, err)
}

// givenUp is the error of a call whose caller has gone. The client reports the cause of that, which may be any error, as if
// the connection had failed.
func givenUp(what string) error {
	return fmt.Errorf("%s: given up: %w", short(what), context.Canceled)
}

// Info describes the engine.
func (d *docker) Info(ctx context.Context) (Info, error) {
	var info Info
	err := d.call(ctx, infoLimit, "ask the Docker engine about itself", func(ctx context.Context) error {
		in, err := d.cli.Info(ctx)
		if err != nil {
			return err
		}
		info = Info{
			ID: in.ID, Name: in.Name,
			Version: in.ServerVersion, API: d.cli.ClientVersion(),
			Kernel: in.KernelVersion, OS: in.OperatingSystem,
			Arch:          goArch(in.Architecture),
			Memory:        in.MemTotal,
			CgroupVersion: in.CgroupVersion,
			CgroupDriver:  in.CgroupDriver,
			LiveRestore:   in.LiveRestoreEnabled,
			Endpoint:      d.cli.DaemonHost(),
		}
		if info.CgroupVersion == "" {
			info.CgroupVersion = "1"
		}
		for _, o := range in.SecurityOptions {
			switch name, _, _ := strings.Cut(strings.TrimPrefix(o, "name="), ","); name {
			case "rootless":
				info.Rootless = true
			case "userns":
				info.UserNS = true
			case "selinux":
				info.SELinux = true
			}
		}
		if path, ok := strings.CutPrefix(info.Endpoint, "unix://"); ok {
			info.SocketPath = path
		}
		info.Local = strings.HasPrefix(info.Endpoint, "unix://") || strings.HasPrefix(info.Endpoint, "npipe://")
		return nil
	})
	return info, err
}

// goArch spells a machine as the kernel names it in Go's way.
func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64", "armv8", "armv8l":
		return "arm64"
	case "armv5tel", "armv6l", "armv7l", "armhf", "armel":
		return "arm"
	case "i386", "i486", "i586", "i686":
		return "386"
	case "loongarch64":
		return "loong64"
	}
	return machine
}
