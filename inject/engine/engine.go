// Package engine is the Docker engine in gameday's own words. It is the only package that imports a Docker client, so that
// a successor of that client has one place to go to.
package engine

import (
	"context"
	"errors"
	"io"
	"time"
)

// The errors that callers tell apart; every method's error wraps at most one of them. Their text says what to do.
var (
	ErrNotFound    = errors.New("no such container, network or image")
	ErrConflict    = errors.New("in conflict with the state it is in, or the name is taken")
	ErrUnreachable = errors.New("the Docker engine does not answer")
	ErrPermission  = errors.New("no permission to talk to the Docker engine")
	ErrTooOld      = errors.New("the Docker engine is too old")
)

// Label is carried by everything that gameday makes in Docker; its value is the id of the run.
const Label = "gameday"

// MinAPI is the oldest API that gameday works with: that of Docker 20.10.
const MinAPI = "1.41"

// An Engine is one Docker engine. All methods are safe for concurrent use, and take a container's id, the start of its id or
// its name. A call whose context has no deadline gets a generous one, but for Wait and Events. Changing a container that is
// already in the state asked for is not an error where the engine itself does not see it as one; see each method.
type Engine interface {
	// Info describes the engine. It fails with ErrUnreachable, ErrPermission or ErrTooOld.
	Info(ctx context.Context) (Info, error)

	// Containers lists all containers, running or not, ordered by name.
	Containers(ctx context.Context) ([]Container, error)
	// Container looks one up by id or name; ErrNotFound if there is none.
	Container(ctx context.Context, id string) (Container, error)

	// Pause freezes all processes; ErrConflict if it is paused or does not run.
	Pause(ctx context.Context, id string) error
	// Unpause thaws them; ErrConflict if it is not paused. A busy engine may show it as paused once more for a few
	// milliseconds, and send the events of both again: it hears of the pause from below after it was lifted.
	Unpause(ctx context.Context, id string) error
	// Stop asks the main process to end and kills it after the grace time; no error if it does not run.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Start starts a container that does not run; no error if it runs, ErrConflict if it is paused.
	Start(ctx context.Context, id string) error
	// Restart stops with the grace time, then starts.
	Restart(ctx context.Context, id string, grace time.Duration) error
	// Kill sends a signal ("KILL", "SIGHUP", "9") to the main process; ErrConflict if it does not run. The engine counts
	// it as stopped by hand: its restart policy stays silent.
	Kill(ctx context.Context, id string, signal string) error

	// Events streams what happens to containers from now on, until ctx ends or the connection breaks; then the channel
	// is closed, after an Event with Err set if it was the connection. It returns once the engine is listening. What is
	// executed inside containers is left out: every health check is, several times a second.
	Events(ctx context.Context) (<-chan Event, error)
	// Logs returns what a container has written to stdout and stderr so far.
	Logs(ctx context.Context, id string) ([]byte, error)

	// BuildImage makes an image from files alone, without a registry and without a builder, and tags it.
	BuildImage(ctx context.Context, img Image) (id string, err error)
	// RemoveImage removes a tag and, if it was the last, the image; no error if there is none, ErrConflict while a container
	// uses it.
	RemoveImage(ctx context.Context, tag string) error
	// HasImage says whether a tag is known to the engine.
	HasImage(ctx context.Context, tag string) (bool, error)

	// Create makes a container and does not start it; ErrConflict if the name is taken, ErrNotFound if there is no such image.
	Create(ctx context.Context, spec Spec) (id string, err error)
	// Remove kills and removes a container with its anonymous volumes; no error if there is none.
	Remove(ctx context.Context, id string) error
	// Wait waits until a container is not running any more, for as long as ctx lasts, and returns its exit code. One that
	// has ended before is no different.
	Wait(ctx context.Context, id string) (code int, err error)

	// CreateNetwork makes a bridge network; ErrConflict if the name is taken.
	CreateNetwork(ctx context.Context, name string, labels map[string]string) (id string, err error)
	// RemoveNetwork removes a network; no error if there is none, ErrConflict while running containers are in it.
	RemoveNetwork(ctx context.Context, id string) error
	// Networks lists the networks that carry a label; an empty value stands for any.
	Networks(ctx context.Context, label, value string) ([]NetworkInfo, error)

	// Close ends all connections.
	Close() error
}

// Info describes an engine.
type Info struct {
	ID, Name      string // of the engine; Name is its host's
	Version, API  string // API: the version that was negotiated
	Kernel, OS    string
	Arch          string // as Go spells it: "amd64", "arm64"
	CgroupVersion string // "1" or "2"
	Rootless      bool
	Endpoint      string // where it was reached: "unix:///var/run/docker.sock"
	Local         bool   // reached over a socket of this machine
}

// A Container is a container as the engine sees it now.
type Container struct {
	ID, Name      string // Name without the leading slash
	Image         string // as it was asked for
	ImageID       string // "sha256:…"
	Created       time.Time
	Labels        map[string]string
	State         State
	RestartPolicy string // "no", "always", "unless-stopped", "on-failure"
	RestartCount  int    // restarts by the policy; a start by hand does not count
	AutoRemove    bool   // removed by the engine as soon as it stops
	NetworkMode   string // "bridge", "host", "none", "container:<id>", or a network's name
	PIDMode       string // "", "host", "container:<id>"
	Networks      []Endpoint
	Ports         []Port
}

// State is whether and how a container runs.
type State struct {
	Status     string // "created", "running", "paused", "restarting", "removing", "exited", "dead"
	Running    bool   // also true while paused or restarting
	Paused     bool
	Restarting bool
	OOMKilled  bool
	PID        int // on the engine's host; 0 if it does not run
	ExitCode   int
	StartedAt  time.Time
	FinishedAt time.Time
	Health     string // "healthy", "unhealthy", "starting"; empty: no health check
}

// An Endpoint is a container's place in one network.
type Endpoint struct {
	Network, NetworkID string
	IPv4, IPv6         string
	Aliases            []string
}

// A Port is one that is published on the engine's host.
type Port struct {
	Container int
	Host      int
	HostIP    string
	Protocol  string
}

// NetworkInfo is a network.
type NetworkInfo struct {
	ID, Name string
	Labels   map[string]string
}

// ComposeProject returns the compose project the container belongs to, or "".
func (c Container) ComposeProject() string { return c.Labels["com.docker.compose.project"] }

// ComposeService returns the compose service the container belongs to, or "".
func (c Container) ComposeService() string { return c.Labels["com.docker.compose.service"] }

// Own returns whether gameday made the container itself as a helper. What it merely made for a demo is not its own: see
// the label gameday.role.
func (c Container) Own() bool { return c.Labels[Label] != "" && c.Labels[RoleLabel] != RoleWorkload }

// RoleLabel says what a container of gameday's is for. RoleWorkload marks one that is there to have faults injected: the
// demo's and the tests'.
const (
	RoleLabel    = "gameday.role"
	RoleWorkload = "workload"
)

// An Event is something that happened to a container.
type Event struct {
	Time   time.Time // by the engine's clock
	Action string    // "start", "die", "kill", "pause", "unpause", "destroy", "oom", "create", "rename", "restart", "stop", "health_status: healthy" …
	ID     string
	Name   string
	Labels map[string]string // the container's, with the event's own attributes: "exitCode", "signal"
	Err    error             // the stream has broken; the channel is closed after this
}

// An Image is what BuildImage makes.
type Image struct {
	Tag        string // "name:tag"
	Files      []File // directories are made as they are needed
	Entrypoint []string
	Cmd        []string
	Env        []string
	WorkDir    string
	Labels     map[string]string
}

// A File goes into an image.
type File struct {
	Path string // absolute, in the image
	Mode int64  // permission bits
	Link string // set: a symbolic link to this
	Size int64
	Open func() (io.ReadCloser, error) // nil: an empty directory, or a link
}

// A Spec is a container to create.
type Spec struct {
	Name          string
	Image         string
	Entrypoint    []string
	Cmd           []string
	Env           []string
	Labels        map[string]string
	Network       string // a network's name, "none", "host" or "container:<id>"
	Aliases       []string
	PIDMode       string
	CapDrop       []string
	CapAdd        []string
	ReadOnly      bool
	User          string
	Binds         []string          // "/host:/container[:ro]"
	Tmpfs         map[string]string // path → options
	RestartPolicy string            // "" is "no"
	AutoRemove    bool
	Publish       []int // container ports to publish on free ports of 127.0.0.1
	Memory        int64 // bytes; 0: no limit
	StopSignal    string
	Health        *Health
}

// Health is a health check: a command in the container.
type Health struct {
	Cmd                            []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}
