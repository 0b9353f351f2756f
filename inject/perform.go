package inject

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// goneLimit is how long Perform waits for an undo to be seen before it undoes again.
const goneLimit = 5 * time.Second

// Perform carries an undo out: Undo, then Gone, both again and again while the engine fails or the fault is still seen,
// until ctx ends. Then the error says what was seen last, and a person is needed: see ByHand. Give it a context with a
// time limit of its own, never the one whose end is the reason for the undo.
func Perform(ctx context.Context, t Tools, u Undo) (Proof, error) {
	k, ok := Lookup(u.Kind)
	if !ok {
		return Proof{}, unknownKind(u.Kind)
	}
	if u.ID == "" {
		return Proof{}, fmt.Errorf("the undo of fault %q names no container: its record is damaged", u.Fault)
	}
	var last error
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := k.Undo(ctx, t, u)
		if err == nil {
			var p Proof
			p, err = gone(ctx, t, k, u)
			if err == nil {
				p.Differences = append(p.Differences, spaceDifferences(ctx, t, u)...)
				return p, nil
			}
		}
		// What was seen says more than that time was up.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if lasting(err) {
			return Proof{}, fmt.Errorf("the undo of %s on %s failed: %w", u.Kind, u.Name, last)
		}
		if err := sleep(ctx, wait); err != nil {
			if !errors.Is(last, err) {
				last = fmt.Errorf("%w (%w)", last, err)
			}
			return Proof{}, fmt.Errorf("the undo of %s on %s was not seen in time: %w", u.Kind, u.Name, last)
		}
	}
}

func gone(ctx context.Context, t Tools, k Kind, u Undo) (Proof, error) {
	ctx, cancel := context.WithTimeout(ctx, goneLimit)
	defer cancel()
	return k.Gone(ctx, t, u)
}

// ByHand returns the command with which a person can carry an undo out: "docker unpause shop-store-1". It is empty for a
// kind that this gameday does not know.
func ByHand(u Undo) string {
	k, ok := Lookup(u.Kind)
	if !ok {
		return ""
	}
	if k, ok := k.(interface{ byHand(Undo) string }); ok {
		return k.byHand(u)
	}
	return strings.ReplaceAll(k.Doc().ByHand, "CONTAINER", nameOf(u))
}

// nameOf is what the docker command knows an undo's container by.
func nameOf(u Undo) string {
	if u.Name == "" {
		return u.ID
	}
	return u.Name
}

// UndoLimit is a time limit for Perform that leaves it room: a minute, and as long as a stop that was cut off may still be
// under way, or as a command may take.
func UndoLimit(u Undo) time.Duration {
	limit := time.Minute
	switch u.Kind {
	case stop{}.Doc().Kind, restart{}.Doc().Kind:
		limit += underWay(u)
	case execute{}.Doc().Kind:
		limit += commandTime(u)
	}
	return limit
}
