package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"gameday/inject"
	"gameday/runner/journal"
)

// The roles of the containers that the runner makes for itself: values of engine.RoleLabel.
const (
	RoleLock  = "lock"  // it holds the lock, and is the guard where there is one
	RoleAbort = "abort" // it asks a run to stop
)

// Undone says what became of open faults, in words.
type Undone struct {
	Undone []string // one per fault and container
	Open   []string // what could not be undone, and why
	ByHand []string // the commands for it, as many
}

// UndoAll undoes what is open: each container's faults in the order given, the containers side by side, so that none stays
// broken for as long as another one takes. Each undo has a time limit of its own. Note is called from several goroutines;
// whether it can write must not decide whether anything is done.
func UndoAll(ctx context.Context, t inject.Tools, why journal.UndoWhy, note func(journal.Payload) error, open []journal.OpenIntent) Undone {
	results := make([]Undone, len(open))
	before := map[string]chan struct{}{} // by container: closed when the undo before has been tried
	var wg sync.WaitGroup
	for i, in := range open {
		turn, done := before[in.Container.ID], make(chan struct{})
		before[in.Container.ID] = done
		wg.Go(func() {
			defer close(done)
			if turn != nil {
				<-turn
			}
			results[i] = undo(ctx, t, why, note, in)
		})
	}
	wg.Wait()
	var out Undone
	for _, r := range results {
		out.Undone = append(out.Undone, r.Undone...)
		out.Open = append(out.Open, r.Open...)
		out.ByHand = append(out.ByHand, r.ByHand...)
	}
	return out
}

func undo(ctx context.Context, t inject.Tools, why journal.UndoWhy, note func(journal.Payload) error, in journal.OpenIntent) (out Undone) {
	what := fmt.Sprintf("fault.%s on %s", in.Fault, in.Container.Name)
	var u inject.Undo
	proof := inject.Proof{}
	err := json.Unmarshal(in.Undo, &u)
	if err == nil {
		u.EffectSeen = in.EffectSeen
		_ = note(&journal.UndoStarted{Fault: in.Fault, Container: in.Container, Why: why})
		limit, cancel := context.WithTimeout(ctx, inject.UndoLimit(u))
		proof, err = inject.Perform(limit, t, u)
		cancel()
	}
	if err != nil {
		by := inject.ByHand(u)
		if by == "" {
			by = in.UndoWords // its data cannot be read
		}
		out.Open = append(out.Open, what+": "+err.Error())
		out.ByHand = append(out.ByHand, by)
		_ = note(&journal.UndoFailed{Fault: in.Fault, Container: in.Container, Reason: err.Error(), ByHand: by})
		return out
	}
	out.Undone = append(out.Undone, what+": "+proof.Seen)
	_ = note(&journal.UndoVerified{Fault: in.Fault, Container: in.Container, Seen: proof.Seen, At: proof.At.UTC(), Differences: proof.Differences})
	return out
}

// Intents counts the faults that were begun, or were about to be.
func Intents(events []journal.Event) int {
	n := 0
	for _, e := range events {
		if _, ok := e.Payload.(*journal.FaultIntent); ok {
			n++
		}
	}
	return n
}
