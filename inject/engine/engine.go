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
// its name. A call whose context has no deadline gets a generous one, but for Wait, Exec, Events and Stats. Changing a container that is
// already in the state asked for is not an error where the engine itself does not see it as one; see each method.
type Engine interface {
	// Info describes the engine. It fails with ErrUnreachable, ErrPermission or ErrTooOld.
	Info(ctx context.Context) (Info, error)

	// Containers lists all containers, running or not, ordered by name.
	Containers(ctx context.Context) ([]Container, error)
	// Brief lists the containers that match, ordered by name, in one call: with ID, Name, Image, Labels, Created, State.Status
	// and what follows from it, NetworkMode and Networks, and no more. Looking at each takes far longer.
	Brief(ctx context.Context, f Filter) ([]Container, error)
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

	// Events streams what happens to containers, until ctx ends or the connection breaks; then the channel is closed, after an
	// Event with Err set if it was the connection. It returns once the engine is listening, with the time by the engine's clock
	// from which on nothing is missed. Where a time is given, what came after that is streamed first, as far as the engine
	// remembers it: the last 256 events, unless it was started anew. What is executed inside containers is left out: every health
	// check is, several times a second.
	Events(ctx context.Context, after time.Time) (events <-chan Event, from time.Time, err error)
	// Stats streams what a container uses, about once a second and the first soon, until ctx ends, the container is removed
	// or the connection breaks; then the channel is closed, after a Stats with Err set if it was the connection. It goes on over
	// restarts: while the container does not run nothing comes, and its totals begin anew after that.
	Stats(ctx context.Context, id string) (<-chan Stats, error)
	// Logs returns what a container has written to stdout and stderr so far.
	Logs(ctx context.Context, id string) ([]byte, error)

	// Attach connects to a container's stdin, stdout and stderr, from now on: before Start, nothing is missed. Ctx bounds
	// the call and not the stream, which lasts until Close, the end of the container or that of the connection.
	// ErrConflict if it is paused or restarting.
	Attach(ctx context.Context, id string) (Stream, error)
	// Exec runs a command in a running container and waits for its end, for as long as ctx lasts: then the error wraps
	// that of ctx, the result holds the output so far, and the command goes on in the container. A command that cannot
	// be started is no error: the result has the code 126 or 127, and the reason as its output. ErrConflict if the
	// container does not run or is paused.
	Exec(ctx context.Context, id string, cmd Command) (ExecResult, error)
	// Execs lists what is being executed in a container beside its main process, by whomever: also by its health check.
	Execs(ctx context.Context, id string) ([]Execution, error)

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

	// CreateNetwork makes a bridge network; ErrConflict if the name is taken. The subnets ("10.9.0.0/24", "fd00:9::/64")
	// are for networks whose containers have static addresses; without one the engine chooses.
	CreateNetwork(ctx context.Context, name string, labels map[string]string, subnets ...string) (id string, err error)
	// RemoveNetwork removes a network; no error if there is none, ErrConflict while running containers are in it.
	RemoveNetwork(ctx context.Context, id string) error
	// Networks lists the networks that carry a label; an empty value stands for any.
	Networks(ctx context.Context, label, value string) ([]NetworkInfo, error)
	// ConnectNetwork puts a container into a network, with the static addresses, aliases, links, MAC address and options of
	// at; its other fields are not asked for. ErrConflict if it is in it already or somebody else has the address. The
	// engine gives static addresses only in networks whose subnet a person chose, and a MAC address only since API 1.44.
	// After a refusal connect it in another way: engines keep what was asked for until the container is in the network,
	// and ask for it again when it starts.
	ConnectNetwork(ctx context.Context, network, id string, at Endpoint) error
	// DisconnectNetwork takes a container out of a network; ErrConflict if it is not in it.
	DisconnectNetwork(ctx context.Context, network, id string) error

	// Close ends all connections.
	Close() error
}

// Info describes an engine.
type Info struct {
	ID, Name      string // of the engine; Name is its host's
	Version, API  string // API: the version that was negotiated
	Kernel, OS    string
	Arch          string // as Go spells it: "amd64", "arm64"
	Memory        int64  // of its host, in bytes
	CgroupVersion string // "1" or "2"
	CgroupDriver  string // "cgroupfs", "systemd", "none"
	Rootless      bool
	UserNS        bool   // root in containers is another user on the host (userns-remap)
	SELinux       bool   // containers may not touch bound host paths unless labelled, or without label=disable
	LiveRestore   bool   // containers outlive a restart of the daemon
	Endpoint      string // where it was reached: "unix:///var/run/docker.sock"
	SocketPath    string // of Endpoint, if it is a unix socket
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
	IPCMode       string // "", "private", "shareable", "host", "container:<id>", "none"
	UsernsMode    string // "host": root in it is root on the host, although the engine remaps users
	CgroupnsMode  string // "host", "private"
	CgroupParent  string // "": the engine's own
	Runtime       string // "runc"; another one may not share the host's kernel
	TTY           bool
	Privileged    bool
	ReadOnly      bool   // its root file system
	User          string // "" is root, unless the image says otherwise
	CapAdd        []string
	CapDrop       []string
	SecurityOpt   []string
	OOMScoreAdj   int
	Limits        Limits
	Health        *Health // its health check, with the engine's defaults where it asks for none; nil: it has none
	Mounts        []Mount // ordered by Destination; tmpfs included
	Networks      []Endpoint
	Ports         []Port
}

// Limits are what a container was created or updated with; what its cgroup says may differ. Zero: none, or the kernel's
// default.
type Limits struct {
	Memory         int64 // bytes
	MemorySwap     int64 // bytes, memory and swap together; -1: as much as there is
	NanoCPUs       int64 // billionths of a core
	CPUQuota       int64 // microseconds in each CPUPeriod; -1: no limit
	CPUPeriod      int64 // microseconds
	PidsLimit      int64 // -1: no limit
	OOMKillDisable bool
	Read, Write    []Rate
}

// A Rate is how fast a container may read from a device, or write to it.
type Rate struct {
	Device string // "/dev/sda"
	Bytes  int64  // per second
}

// A Mount is a file system that was put into a container.
type Mount struct {
	Type        string // "bind", "volume", "tmpfs"
	Name        string // of a volume
	Source      string // on the engine's host; "" for a tmpfs
	Destination string // in the container
	RW          bool
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

// An Endpoint is a container's place in one network: what was asked for, and what it has while the container runs.
type Endpoint struct {
	Network, NetworkID string

	StaticIPv4, StaticIPv6 string // asked for, and given again at each start; empty: the engine chooses
	LinkLocalIPs           []string
	Aliases                []string
	Links                  []string // "container:alias"
	DriverOpts             map[string]string
	GatewayPriority        int

	IPv4, IPv6  string // without the length of the prefix
	IPv4Bits    int    // length of the prefix
	IPv6Bits    int
	Gateway     string
	GatewayIPv6 string
	MAC         string // asked for or made up: the engine does not tell
}

// A Port is one that is published on the engine's host.
type Port struct {
	Container int
	Host      int
	HostIP    string
	Protocol  string
	Dynamic   bool // the engine chose Host, and may choose another one at the next start
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

// A Filter says which containers to list: all of what is set must hold.
type Filter struct {
	Label, Value string // an empty value stands for any
	Network      string // its id
}

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
	UsernsMode    string // "host": root in it is root on the host, although the engine remaps users
	CapDrop       []string
	CapAdd        []string
	ReadOnly      bool
	User          string
	SecurityOpt   []string          // "no-new-privileges", "label=disable"
	CgroupnsMode  string            // "host", "private"; "": the engine's default
	OOMScoreAdj   int               // -1000 to 1000; the lower, the later the kernel kills it for want of memory
	CPUShares     int64             // its weight among containers where processors are short; 0: 1024, as all have
	Stdin         bool              // an attached stream feeds stdin, and its end is the end of stdin; else stdin is empty
	Binds         []string          // "/host:/container[:ro]"
	VolumesFrom   []string          // containers whose binds and volumes it gets: "<id>[:ro]"
	Dirs          []HostDir         // like Binds, but they must be there
	Tmpfs         map[string]string // path → options
	RestartPolicy string            // "" is "no"
	AutoRemove    bool
	Publish       []int // container ports to publish on free ports of 127.0.0.1
	Memory        int64 // bytes; 0: no limit
	StopSignal    string
	Health        *Health
}

// A HostDir is a directory of the engine's host that a container gets to see, without what is mounted below it there. Create
// fails if it is not there.
type HostDir struct {
	Source, Destination string
	ReadOnly            bool
}

// Health is a health check: a command in the container.
type Health struct {
	Cmd                            []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// A Stream is an attached container. Read returns what it writes to stdout and io.EOF after its end; Write goes to its
// stdin; neither has frames: a line may come in pieces. What it writes to stderr is taken in by Read.
type Stream interface {
	io.ReadWriteCloser
	// CloseWrite ends the container's stdin, and leaves its output readable.
	CloseWrite() error
	// Err returns the end of what was written to stderr so far, for error messages: 4 KiB at most.
	Err() string
}

// A Command is run by Exec.
type Command struct {
	Args    []string // the program and its arguments; no shell is involved
	User    string   // "": the container's
	Env     []string // beside the container's
	WorkDir string   // "": the container's
}

// MaxExecOutput is how much of a command's output is kept, in bytes.
const MaxExecOutput = 64 << 10

// An ExecResult is how a command ended.
type ExecResult struct {
	Code      int
	Output    string // stdout and stderr as they came; the first MaxExecOutput bytes
	Truncated bool   // there was more
}

// An Execution is a command that is being run in a container.
type Execution struct {
	ID   string
	Args []string
	PID  int // on the engine's host; 0 before the start
}
