// Package inject does harm to containers on purpose, proves that it took effect, and undoes it.
//
// Each kind of fault is one file. A fault's life is the same for all: Plan (changes nothing), then Inject, Verify, Undo, Gone.
// An undo is data, made by Plan before anything is touched: any process can carry it out, any number of times.
package inject

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar/netfault"
)

// ErrUntouched is wrapped by errors of Inject that say for certain that nothing was done to the container: it is not as
// it was when planned, or the engine refused. Such a fault must not be undone, because whatever is the matter with the
// container is somebody else's doing.
var ErrUntouched = errors.New("nothing was done")

// A Fault is one fault as a scenario declares it.
type Fault struct {
	Run      string // id of the run, for labels
	Name     string // of the fault in the scenario
	Kind     string
	Duration time.Duration  // zero: not given
	Args     map[string]any // by the names of the language; see Arg.Type for what is in it
}

// Holds says whether a kind of fault lasts.
type Holds int

// A kind's duration is required, or may be left out: then it is left to the container's restart policy, and put back
// by the runner if nothing did.
const (
	DurationRequired Holds = iota
	DurationOptional
)

// A Kind is one way to do harm. Implementations keep no state: everything they need is in their arguments.
type Kind interface {
	// Doc describes the kind for help texts.
	Doc() Doc
	// Plan checks the fault's arguments and whether it can be done to this container, and returns what will be done,
	// with its undo. It changes nothing. Its errors say what is in the way and what would be needed. A step is good for
	// one life of the container's main process: plan again (see Prepare) just before the intent is written.
	Plan(f Fault, c engine.Container, h Host) (Step, error)
	// Inject does it, if the container is still as it was when planned; a kind whose Doc says Ahead is called early, and does
	// it at s.At. An error may leave the effect in place, so the caller undoes, unless the error is ErrUntouched.
	Inject(ctx context.Context, t Tools, s Step) error
	// Verify waits until the effect is seen from outside, or ctx ends: then the fault was not injected.
	Verify(ctx context.Context, t Tools, s Step) (Proof, error)
	// Holding says whether an effect that was verified is still there; why not, in words, if not.
	Holding(ctx context.Context, t Tools, s Step) (ok bool, why string, err error)
	// Undo puts the container back. It is idempotent, and no error when the target is gone, was restarted or has healed.
	Undo(ctx context.Context, t Tools, u Undo) error
	// Gone waits until the fault is seen to be gone, or ctx ends: then a person is needed.
	Gone(ctx context.Context, t Tools, u Undo) (Proof, error)
}

// A Completer is a kind whose undo needs more than the engine tells, such as the old value of a limit. Complete looks it up
// just before the intent is written, and changes nothing.
type Completer interface {
	Complete(ctx context.Context, t Tools, s *Step) error
}

// A Checker is a kind of which only a helper on the engine's host can tell whether it can be done to a container. Check asks one, and
// changes nothing. Its errors are for the plan: they say what is in the way.
type Checker interface {
	Check(ctx context.Context, t Tools, s Step) error
}

// A Warmer is a kind with a helper beside the target that can be started ahead, so that the fault is in time. Injecting
// without it takes longer and does the same.
type Warmer interface {
	Warm(ctx context.Context, t Tools, s Step) error
}

// Host is where the containers run, as far as it decides what can be done to them.
type Host struct {
	Info engine.Info
	// Kernel is what the host's kernel can do to packets: see ProbeKernel. Nil: it was not asked.
	Kernel *netfault.Features
	// Sharing has, by a container's id, the names of those that use its network namespace: see the function. Names has all names
	// by id.
	Sharing map[string][]string
	Names   map[string]string
}

// Tools is what a kind works with.
type Tools struct {
	Engine engine.Engine
	// Sidecars are the helpers beside the targets that are driven while they run. Kinds that need one fail without it.
	Sidecars *Sidecars
	// Helper returns the tag of an image on the engine that holds gameday's own binary as /gameday, which understands
	// `/gameday sidecar …`. It makes the image on first use.
	Helper func(ctx context.Context) (tag string, err error)
}

// Doc describes a kind of fault.
type Doc struct {
	Kind    string
	Family  Family
	Summary string // one sentence: what it does to the container
	Undo    string // one sentence: what its undo does
	Proof   string // one sentence: how the effect is seen
	Holds   Holds
	// EndsItself: the effect may be over before its time without anybody's doing, because the engine or the restart
	// policy starts the container again. Holding then says so, and that is as it should be.
	EndsItself bool
	// Ahead: Inject is called before the fault is due and takes effect at Step.At, so that many targets are hit at once.
	Ahead bool
	// Follows: the effect ends when the target restarts, and is put back by injecting again.
	Follows bool
	ByHand  string // the docker command that undoes it: "docker unpause CONTAINER"
	Args    []Arg
	Example string // HCL
}

// A Family is what kinds have in common.
type Family string

// The families: what is done to the process, to its packets, and to what the engine gives the container.
const (
	Process Family = "process"
	Network Family = "network"
	Engine  Family = "engine"
)

// An Arg is one argument of a kind. The language has the same: names, types and defaults agree, and so do their order.
//
// By their types Fault.Args holds for them:
//
//	duration     time.Duration
//	string       string
//	percent      float64, from 0 to 100
//	number       float64
//	whole        int64
//	size         int64, in bytes
//	throughput   int64, in bytes per second
//	rate         int64, in bits per second
//	command      string, a command line that needs no shell; or []string, a program and its arguments
//	peers        []Peer
//	ports        []string, each a port or a range of them: "443", "8000-8100"; ordered, without overlaps
//
// An argument that was left out has its default in Fault.Args, but for one whose default is in words: it is not there.
type Arg struct {
	Name    string
	Type    string
	Default string // as it would be written, or what leaving it out means; empty: required
	Summary string
}

// A Step is one fault on one container, planned.
type Step struct {
	Fault     Fault
	Container engine.Container // as it was when planned
	Does      string           // "pause shop-store-1: every process in it is frozen"
	UndoWords string           // "unpause shop-store-1"
	Undo      Undo
	Warnings  []string  // what a careful person wants to know before
	Claims    []Claim   // what it needs for itself: see Conflict
	At        time.Time // when a fault that is injected ahead takes effect; zero: at once
	// Lasts: the effect has to be there until it is undone, although that of other faults of its kind may end by itself.
	Lasts bool

	queues bool // it makes queues on the devices of the target: see packets.Check
}

// A Peer is an address that a target talks to. Name is the container's that has it, or empty.
type Peer struct {
	Name   string       `json:"name,omitempty"`
	Prefix netip.Prefix `json:"prefix"`
}

// An Undo is all that it takes to put one container back, as data. It is written to the journal before Inject.
type Undo struct {
	Run    string          `json:"run"`
	Fault  string          `json:"fault"`
	Kind   string          `json:"kind"`
	ID     string          `json:"id"` // of the container
	Name   string          `json:"name"`
	Before State           `json:"before"`
	Extra  json.RawMessage `json:"extra,omitempty"` // what a kind needs beyond that
	// EffectSeen: the effect was seen in the life that the fault was planned for, so that no call for it is on its way. What undoes from
	// a record takes it from there.
	EffectSeen bool `json:"-"`
}

// State is what of a container is compared before and after.
type State struct {
	Status        string    `json:"status"`
	StartedAt     time.Time `json:"started_at"`
	RestartCount  int       `json:"restart_count"`
	RestartPolicy string    `json:"restart_policy"`
	Health        string    `json:"health,omitempty"` // "healthy", "unhealthy", "starting"; empty: no health check
	Networks      []Net     `json:"networks,omitempty"`
	Limits        string    `json:"limits,omitempty"` // as the engine has them, in words
	// Kernel is what a helper listed of the container's kernel state: the nftables and qdiscs of its namespace, or the limits
	// of its control group. Only kinds that change those look.
	Kernel []string `json:"kernel,omitempty"`
	// Space is what nftables and qdiscs are in its network namespace, for the other kinds; nil: it was not looked at.
	Space []string `json:"space,omitzero"`
}

// Net is a container's place in one network.
type Net struct {
	Name    string   `json:"name"`
	IPv4    string   `json:"ipv4,omitempty"`
	IPv6    string   `json:"ipv6,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
}

// Proof is what was seen from outside.
type Proof struct {
	Seen        string    // in words, past tense: "state was paused"
	At          time.Time // when it was seen, by this machine's clock: the latest time by which it was true
	Differences []string  // Gone only: what is not as it was before, and is no residue
	// HitNothing, of Gone, says in words that the fault was in force and nothing ever met it: then it tested nothing.
	HitNothing string
}
