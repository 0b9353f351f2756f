package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/journal"
)

// UndosLabel is the label of the lock that holds the undos of everything that its run plans, so that a recovery is possible when
// the journal is lost.
const UndosLabel = "gameday.undos"

// A Planned is an undo as it was planned before anything was done: whether the fault was ever injected, it cannot tell.
type Planned struct {
	Start journal.Duration `json:"start"` // after the lock was made: the fault was not injected before
	Words string           `json:"words"`
	Undo  inject.Undo      `json:"undo"`
}

// EncodePlanned makes the value of UndosLabel.
func EncodePlanned(all []Planned) (string, error) {
	b, err := json.Marshal(all)
	return string(b), err
}

// PlannedUndos reads the label of a lock. A lock without one has none.
func PlannedUndos(lock engine.Container) ([]Planned, error) {
	text := lock.Labels[UndosLabel]
	if text == "" {
		return nil, nil
	}
	var all []Planned
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("the label %s of %s cannot be read: %w", UndosLabel, lock.Name, err)
	}
	return all, nil
}

// Intent is the planned undo as UndoAll takes it.
func (p Planned) Intent() journal.OpenIntent {
	b, err := json.Marshal(p.Undo)
	if err != nil { // it was read from JSON
		b = nil
	}
	return journal.OpenIntent{FaultIntent: &journal.FaultIntent{Fault: p.Undo.Fault, FaultKind: p.Undo.Kind, Container: journal.Ref{ID: p.Undo.ID, Name: p.Undo.Name},
		UndoWords: p.Words, Undo: b}}
}

// Suspects returns what may have been done by the run that made a lock, newest first, as far as that can be told without its
// journal, and says in words what is left alone and why. An undo of what was never done could undo what somebody else did: most
// undos see for themselves that the container lives another life than the one that was harmed, and one that ended before the
// fault was due was not ended by it.
func Suspects(ctx context.Context, e engine.Engine, lock engine.Container) (open []journal.OpenIntent, spared []string, err error) {
	all, err := PlannedUndos(lock)
	if err != nil {
		return nil, nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		p := all[i]
		due := lock.Created.Add(time.Duration(p.Start))
		c, err := e.Container(ctx, p.Undo.ID)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			spared = append(spared, fmt.Sprintf("%s is gone", p.Undo.Name))
			continue
		case err != nil:
			// The undo itself tries again and again.
		case !c.State.Running && c.State.FinishedAt.Before(due):
			spared = append(spared, fmt.Sprintf("%s had ended before fault.%s was due, so it was not ended by it", c.Name, p.Undo.Fault))
			continue
		}
		open = append(open, p.Intent())
	}
	return open, spared, nil
}
