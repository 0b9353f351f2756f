package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// This file is what all faults have in common that a sidecar does, whatever its flavour: how they are asked for, watched and taken
// back over its stream.

// deadlineSlack is for how long after its planned end a sidecar keeps a fault in force that nobody has undone.
const deadlineSlack = 10 * time.Second

// faultID is how a fault is called in its sidecar.
func faultID(u Undo) string { return u.Run + "/" + u.Fault + "/" + u.ID }

// inject prepares a fault in a sidecar and puts it in force at its time. It is not cut off by the end of ctx where the sidecar
// could still act: then the fault is taken back before this returns.
func (d *driven) inject(ctx context.Context, id, kind string, spec json.RawMessage, s Step) error {
	at := s.At
	if at.IsZero() {
		at = time.Now()
	}
	q := sidecar.Request{Op: sidecar.OpPrepare, ID: id, Kind: kind, Spec: spec}
	if s.Fault.Duration > 0 {
		q.Until = d.theirs(at.Add(s.Fault.Duration + deadlineSlack))
	}
	if _, err := d.call(ctx, q); err != nil {
		return err
	}
	_, err := d.call(ctx, sidecar.Request{Op: sidecar.OpApply, ID: id, At: d.theirs(s.At)})
	if err == nil || ctx.Err() == nil {
		return err
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	if r, uerr := d.call(own, sidecar.Request{Op: sidecar.OpUndo, ID: id}); uerr == nil && r.Look != nil && !r.Look.Tried {
		return fmt.Errorf("%w to %s: it was taken back before its time: %w", ErrUntouched, s.Container.Name, ctx.Err())
	}
	return err
}

// watchAgent waits until a sidecar sees that a fault is in force, and met says that it is felt.
func watchAgent(ctx context.Context, t Tools, s Step, f flavour, met func(sidecar.Look) bool, unmet string) (Proof, error) {
	unseen := &unseenError{name: s.Container.Name, want: "the effect", last: "it was never looked at"}
	for tick := firstTick; ; tick = min(2*tick, lastTick) {
		d := t.Sidecars.peek(ctx, s.Fault.Run, s.Container.ID, f)
		switch {
		case d == nil && ctx.Err() != nil:
			unseen.ended = ctx.Err()
			return Proof{}, unseen
		case d == nil:
			return Proof{}, fmt.Errorf("%s: %w, and the fault with it", s.Container.Name, errGone)
		}
		l, err := d.look(ctx, faultID(s.Undo))
		switch {
		case errors.Is(err, errGone):
			return Proof{}, err
		case err != nil && ctx.Err() == nil:
			unseen.last, unseen.looked = err.Error(), false
		case err == nil && !l.InForce:
			unseen.last, unseen.looked = l.Why, true
		case err == nil && !met(l):
			unseen.last, unseen.looked = unmet, true
		case err == nil:
			return Proof{Seen: fmt.Sprintf("%s, by %s", l.Seen, l.Means), At: d.ours(l.At)}, nil
		}
		if unseen.ended = sleep(ctx, tick); unseen.ended != nil {
			return Proof{}, unseen
		}
	}
}

func (d *driven) look(ctx context.Context, id string) (sidecar.Look, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	r, err := d.call(ctx, sidecar.Request{Op: sidecar.OpLook, ID: id})
	if err != nil {
		return sidecar.Look{}, err
	}
	if r.Look == nil {
		return sidecar.Look{}, fmt.Errorf("the helper %s says nothing of the fault", d.name)
	}
	return *r.Look, nil
}

// holdingAgent says whether a sidecar sees that a fault is still in force, in the life of the target that it was made for.
func holdingAgent(ctx context.Context, t Tools, s Step, f flavour) (bool, string, error) {
	c, err := inspect(ctx, t, s.Container.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return false, goneWords, nil
	case err != nil:
		return false, "", err
	case !c.State.Running:
		return false, "it is " + status(c), nil
	case !c.State.StartedAt.Equal(s.Container.State.StartedAt):
		return false, "it was restarted, and what the fault was on is gone", nil
	}
	d := t.Sidecars.peek(ctx, s.Fault.Run, s.Container.ID, f)
	switch {
	case d == nil && ctx.Err() != nil:
		return false, "", ctx.Err()
	case d == nil:
		return false, "the helper beside it has gone, and the fault with it", nil
	}
	l, err := d.look(ctx, faultID(s.Undo))
	switch {
	case errors.Is(err, errGone):
		return false, err.Error(), nil
	case err != nil:
		return false, "", err
	}
	return l.InForce, l.Why, nil
}

// undoAgent lets a sidecar take a fault back, or removes it where it does not answer or is not this process's.
func undoAgent(ctx context.Context, t Tools, u Undo, f flavour) error {
	d := t.Sidecars.peek(ctx, u.Run, u.ID, f)
	if d != nil {
		limit, cancel := context.WithTimeout(ctx, lookLimit)
		defer cancel()
		_, err := d.call(limit, sidecar.Request{Op: sidecar.OpUndo, ID: faultID(u)})
		if err == nil || !errors.Is(err, errGone) && limit.Err() == nil {
			return err
		}
		d.stream.Close() // whatever it does, it is not to be asked again
	}
	return t.Sidecars.without(ctx, u.Run, u.ID, f, d, func() error { return removeFlavour(ctx, t, u, f) })
}

// lineDifferences says what of a dump is not as it was.
func lineDifferences(where string, now, before []string) []string {
	if before == nil {
		return nil // it was never looked at
	}
	var out []string
	for _, l := range before {
		if !slices.Contains(now, l) {
			out = append(out, fmt.Sprintf("%s lacks %q", where, l))
		}
	}
	for _, l := range now {
		if !slices.Contains(before, l) {
			out = append(out, fmt.Sprintf("%s has %q, and had not", where, l))
		}
	}
	return out
}
