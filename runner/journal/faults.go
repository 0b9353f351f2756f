package journal

import (
	"encoding/json"
	"time"
)

var (
	_ = register[FaultIntent]()
	_ = register[FaultInjected]()
	_ = register[FaultVerified]()
	_ = register[FaultNotInjected]()
	_ = register[FaultEndedEarly]()
	_ = register[FaultFollowed]()
	_ = register[FaultHitNothing]()
	_ = register[UndoStarted]()
	_ = register[UndoVerified]()
	_ = register[UndoFailed]()
)

// FaultIntent is written, and fsynced, before anything is done to a container. Undo is all that another process needs.
type FaultIntent struct {
	Fault     string          `json:"fault"`
	FaultKind string          `json:"fault_kind"`
	Container Ref             `json:"container"`
	Does      string          `json:"does"`
	UndoWords string          `json:"undo_words"`
	Undo      json.RawMessage `json:"undo"`
	Planned   Duration        `json:"planned"` // offset from the end of the baseline at which it was due
}

// Kind returns "fault.intent".
func (*FaultIntent) Kind() string { return "fault.intent" }

// A Ref names a container.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// FaultInjected says that the engine has done what was asked. The event's own time is after the call returned.
type FaultInjected struct {
	Fault     string    `json:"fault"`
	Container Ref       `json:"container"`
	Called    time.Time `json:"called"` // just before the call
	Took      Duration  `json:"took"`   // of the call
}

// Kind returns "fault.injected".
func (*FaultInjected) Kind() string { return "fault.injected" }

// FaultVerified says that the effect was seen from outside. Only a verified fault was injected.
type FaultVerified struct {
	Fault     string    `json:"fault"`
	Container Ref       `json:"container"`
	Seen      string    `json:"seen"`   // in words, past tense: "state was paused", "exited with code 137"
	Effect    time.Time `json:"effect"` // the latest time by which it was in force
}

// Kind returns "fault.verified".
func (*FaultVerified) Kind() string { return "fault.verified" }

// FaultNotInjected says that the fault could not be done, or that its effect was not seen.
type FaultNotInjected struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Reason    string `json:"reason"` // verbatim
}

// Kind returns "fault.not_injected".
func (*FaultNotInjected) Kind() string { return "fault.not_injected" }

// FaultEndedEarly says that a fault stopped being in force before its time, and not by gameday.
type FaultEndedEarly struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Reason    string `json:"reason"` // "it was unpaused", "it was removed"
}

// Kind returns "fault.ended_early".
func (*FaultEndedEarly) Kind() string { return "fault.ended_early" }

// FaultFollowed says that the target was restarted while the fault was in force, and that the fault was put back.
type FaultFollowed struct {
	Fault     string    `json:"fault"`
	Container Ref       `json:"container"`
	Why       string    `json:"why"`    // what ended it: "it was restarted, and what the fault was on is gone"
	Lost      time.Time `json:"lost"`   // when that was noticed
	Seen      string    `json:"seen"`   // as in FaultVerified
	Effect    time.Time `json:"effect"` // the latest time by which it was in force again
}

// Kind returns "fault.followed".
func (*FaultFollowed) Kind() string { return "fault.followed" }

// FaultHitNothing says that the fault was in force to its end, and that nothing met it: a test of nothing.
type FaultHitNothing struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Seen      string `json:"seen"` // "412 packets matched, none was dropped"
}

// Kind returns "fault.hit_nothing".
func (*FaultHitNothing) Kind() string { return "fault.hit_nothing" }

// UndoStarted is written, and fsynced, before an undo.
type UndoStarted struct {
	Fault     string  `json:"fault"`
	Container Ref     `json:"container"`
	Why       UndoWhy `json:"why"`
}

// Kind returns "undo.started".
func (*UndoStarted) Kind() string { return "undo.started" }

// UndoWhy is why a fault was undone.
type UndoWhy string

// The occasions of an undo.
const (
	UndoDue         UndoWhy = "due"         // its duration was over
	UndoRestarted   UndoWhy = "restarted"   // nothing was left to do: the restart policy had put it back
	UndoPutBack     UndoWhy = "put back"    // nothing else had put it back
	UndoGuardrail   UndoWhy = "guardrail"   // a guardrail ended the run
	UndoInterrupted UndoWhy = "interrupted" // a person ended the run
	UndoError       UndoWhy = "error"       // the run could not go on
	UndoRecover     UndoWhy = "recover"     // by `gameday recover`, after the runner had gone
	UndoGuard       UndoWhy = "guard"       // by the guard, after the runner had gone or hung
)

// UndoVerified says that the fault is seen to be gone. It closes the fault for this container.
type UndoVerified struct {
	Fault       string    `json:"fault"`
	Container   Ref       `json:"container"`
	Seen        string    `json:"seen"` // "state was running", "the container is gone"
	At          time.Time `json:"at"`   // the latest time by which it was gone
	Took        Duration  `json:"took"`
	Differences []string  `json:"differences,omitempty"` // what is not as it was before, and is no residue of gameday's
}

// Kind returns "undo.verified".
func (*UndoVerified) Kind() string { return "undo.verified" }

// UndoFailed says that an undo could not be done or seen. Another attempt may follow.
type UndoFailed struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Reason    string `json:"reason"`
	ByHand    string `json:"by_hand"` // the command with which a person can do it
}

// Kind returns "undo.failed".
func (*UndoFailed) Kind() string { return "undo.failed" }
