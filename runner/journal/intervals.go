package journal

import "time"

// A FirstViolation is the first time after a fault took effect at which a claim was seen not to hold: between AtLeast and AtMost
// after the effect. It is told only where the claim held right before the fault.
type FirstViolation struct {
	Effect  time.Time `json:"effect"` // the latest time by which the first fault was in force
	After   time.Time `json:"after"`  // until here every sample since before the fault held
	First   time.Time `json:"first"`  // the first sample that did not
	AtLeast Duration  `json:"at_least"`
	AtMost  Duration  `json:"at_most"`
}

// A RecoveredBeforeUndo says that a claim which a fault had broken held for good, between AtLeast and AtMost before the last undo,
// while no fault was lifted.
type RecoveredBeforeUndo struct {
	Undo    time.Time `json:"undo"`  // the last undo
	First   time.Time `json:"first"` // the first sample from which on it held
	AtLeast Duration  `json:"at_least"`
	AtMost  Duration  `json:"at_most"`
}
