package runner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// abortPrefix and a run's id are the name of the container by which any terminal with access to the engine asks that run to stop.
const abortPrefix = "gameday-abort-"

// abortPatience is how long a run that was asked to stop may take to let go of the lock before its guard is told to undo
// everything. Both may do so at the same time.
const abortPatience = 20 * time.Second

// hangs is how long a runner may still be there after its guard has undone everything, until it counts as one that hangs.
const hangs = 5 * time.Second

// Abort asks the run that holds the lock to stop, and waits until it has undone everything and let go, or ctx ends. A run that
// does not answer is stopped by its guard. When the guard has undone everything and the runner's process is still there, hanging,
// the holder that is returned says so in Fired.
func Abort(ctx context.Context, e engine.Engine) (*Holder, error) { return abort(ctx, e, LockName) }

func abort(ctx context.Context, e engine.Engine, lock string) (*Holder, error) {
	h, err := locked(ctx, e, lock)
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, nil
	}
	if !h.Alive && h.Guard != GuardUp {
		return h, fmt.Errorf("the runner of %s has gone; put things back with `%s`", h.Run, journal.RecoverCommand(h.Dir))
	}
	if h.Alive {
		spec := engine.Spec{Name: abortPrefix + h.Run, Image: h.c.Image, Cmd: []string{"version"}, Network: "none",
			Labels: map[string]string{engine.Label: h.Run, engine.RoleLabel: guard.RoleAbort}}
		// The request of an earlier abort may have been overlooked: being made is what is noticed.
		if err := e.Remove(ctx, spec.Name); err != nil {
			return h, err
		}
		if _, err := e.Create(ctx, spec); err != nil && !errors.Is(err, engine.ErrConflict) {
			return h, err
		}
		defer func() {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockCallLimit)
			defer cancel()
			_ = removeAborts(clean, e, h.Run) // the run does it too
		}()
	}
	return letGo(ctx, e, lock, h)
}

// letGo waits until a run that was asked to stop has let go of the lock, or its guard has undone everything.
func letGo(ctx context.Context, e engine.Engine, lock string, h *Holder) (*Holder, error) {
	patience := abortPatience
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(end)/2)
	}
	escalate := time.NewTimer(patience)
	defer escalate.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	told := false
	var through time.Time // since when the guard is seen to have undone everything
	for {
		now, err := locked(ctx, e, lock)
		if err == nil && (now == nil || now.Run != h.Run) {
			return h, nil
		}
		if err == nil && !now.Alive && now.Guard != GuardUp {
			return now, fmt.Errorf("the runner of %s has gone meanwhile; put things back with `%s`", h.Run, journal.RecoverCommand(h.Dir))
		}
		if err == nil && now.Guard == GuardUp {
			end := guardEnd(guardEvents(ctx, e, now))
			switch {
			case end == nil:
			case end.Outcome == journal.OutcomeResidue:
				return now, fmt.Errorf("the guard of %s has taken over and could not undo everything; it keeps trying: see `gameday status`", h.Run)
			case through.IsZero():
				through = time.Now()
			case time.Since(through) > hangs:
				if now.Fired == "" {
					now.Fired = end.Detail // it is another machine's
				}
				return now, nil
			}
		}
		select {
		case <-ctx.Done():
			return h, fmt.Errorf("asked %s to stop, but it still holds the lock; look at its terminal (process %d on %s), and at `gameday status`", h.Run, h.PID, h.Host)
		case <-escalate.C:
			if !told && h.Guard == GuardUp {
				// A signal can be sent from wherever the engine is reached.
				told = e.Kill(ctx, h.c.ID, "USR1") == nil
			}
		case <-tick.C:
		}
	}
}

// guardEvents is what a guard has done, from the run's directory, or, on another machine, from the engine's logs.
func guardEvents(ctx context.Context, e engine.Engine, h *Holder) []journal.Event {
	if h.Here {
		events, err := journal.GuardEvents(h.Dir)
		if err == nil {
			return events
		}
	}
	if h.Guard == GuardNone {
		return nil
	}
	out, err := e.Logs(ctx, h.c.ID)
	if err != nil {
		return nil
	}
	var events []journal.Event
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var ev journal.Event
		if json.Unmarshal(lines.Bytes(), &ev) == nil {
			ev.Guard = true
			events = append(events, ev)
		}
	}
	return events
}

// guardEnd is the last that a guard summed up, or nil.
func guardEnd(events []journal.Event) *journal.RunEnded {
	var end *journal.RunEnded
	for _, e := range events {
		if p, ok := e.Payload.(*journal.RunEnded); ok {
			end = p
		}
	}
	return end
}

// removeAborts removes the request to stop a run; none is no error.
func removeAborts(ctx context.Context, e engine.Engine, run string) error {
	return e.Remove(ctx, abortPrefix+run)
}
