package sidecar

import (
	"encoding/json"
	"time"
)

// An agent is a helper that stays: the runner drives it over its attached stream, one line of JSON for each Request, and
// gets one line for each Reply, not always in the order of the requests.

// The operations of an agent.
const (
	OpHello   = "hello"   // says who it is; the reply has the agent's clock
	OpPing    = "ping"    // renews the lease
	OpPrepare = "prepare" // does everything for a fault but put it in force
	OpApply   = "apply"   // puts a prepared fault in force at a time; the reply comes when it is
	OpLook    = "look"    // says what is seen of a fault
	OpUndo    = "undo"    // takes a fault back; one that is not known is no error
	OpDump    = "dump"    // lists the kernel's state that faults of a kind change
	// Those that follow, and OpLook with a kind, need no fault that this agent holds: all they know is in their spec.
	OpSurvey = "survey" // looks up what an undo needs to know, and dumps; changes nothing
	OpHeal   = "heal"   // takes a fault back by what was surveyed, whoever put it in force
	// Those about the network namespace of any container are for the helper that reaches all.
	OpClean = "clean" // removes what an agent that died has left, then lists what of nftables and qdiscs is there
	OpList  = "list"  // lists what of nftables and qdiscs is there
	OpFree  = "free"  // says what is in the way of queues on the devices
)

// Lease is how long an agent keeps its faults in force without hearing from the runner. A dead Docker daemon sends no end
// of a stream, so this is what remains then.
const Lease = 2 * time.Second

// A Request is one line to an agent.
type Request struct {
	Seq  int             `json:"seq"`
	Op   string          `json:"op"`
	ID   string          `json:"id,omitempty"`   // of the fault
	Kind string          `json:"kind,omitempty"` // prepare, dump, survey, heal; look, for a fault that this agent may not hold
	Spec json.RawMessage `json:"spec,omitempty"` // with Kind: what the kind needs
	// At is when to apply, and Until when to undo without being asked, both in nanoseconds of the agent's clock since 1970;
	// zero: at once, and never.
	At    int64 `json:"at,omitempty"`
	Until int64 `json:"until,omitempty"`
	// For the helper that reaches all containers: the one that the request is about, its main process (0: it does not run), and
	// what the engine limits it to.
	Container string `json:"container,omitempty"`
	PID       int    `json:"pid,omitempty"`
	Usual     *Usual `json:"usual,omitempty"`
}

// A Reply is one line from an agent.
type Reply struct {
	Seq   int    `json:"seq"`
	Error string `json:"error,omitempty"`
	// Untouched: with Error, nothing was done.
	Untouched bool     `json:"untouched,omitempty"`
	Now       int64    `json:"now"`          // the agent's clock
	At        int64    `json:"at,omitempty"` // apply, undo: when it was done, by the agent's clock
	Look      *Look    `json:"look,omitempty"`
	Lines     []string `json:"lines,omitempty"`      // dump, survey, clean; look with a kind
	InTheWay  string   `json:"in_the_way,omitempty"` // free; empty: nothing
	Holds     int      `json:"holds,omitempty"`      // dump: how many faults the agent holds
	// Found, of survey, is the spec with what was looked up: the data of the undo.
	Found json.RawMessage `json:"found,omitempty"`
}

// A Look is what an agent sees of one fault in the kernel.
type Look struct {
	InForce bool   `json:"in_force"`
	Why     string `json:"why,omitempty"` // it is not in force
	At      int64  `json:"at,omitempty"`  // since when it is in force, by the agent's clock
	// Tried: its time has come, and it was put in force or at least begun.
	Tried bool   `json:"tried,omitempty"`
	Means string `json:"means"` // how it is done: "nftables", "netem", "control group" …
	Seen  string `json:"seen"`  // in words, past tense: "412 packets matched, 3 were dropped"
	// Met counts what met the fault, and Hit what it did something to; -1: nobody counts.
	Met int64 `json:"met"`
	Hit int64 `json:"hit"`
	// Ended: the target's main process has.
	Ended bool `json:"ended,omitempty"`
}

// A Last is what an agent says when it goes, in its last line. Its exit code is ExitDone if nothing is left, or ExitLeft.
type Last struct {
	Last   string   `json:"last"` // why it goes: "its stream has ended", "nothing was heard for 2s"
	Undone []string `json:"undone,omitempty"`
	Left   []string `json:"left,omitempty"` // faults that could not be undone, and why
}
