package inject

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gameday/inject/engine"
)

const (
	lookLimit = 5 * time.Second        // for one look at a container
	harmLimit = 15 * time.Second       // for one call that harms a container, and is not cut off
	callLimit = 30 * time.Second       // for one call that heals or cleans up
	firstTick = 10 * time.Millisecond  // between the first two looks; doubled up to lastTick
	lastTick  = 200 * time.Millisecond // between looks that have not seen what they wait for
)

// settle is how long an undo watches a container that shows no effect, in case that a call which nobody waited for is
// still on its way through the engine. A busy one has been seen to be late by more than half a second. An effect that is there
// is undone at once.
const settle = 2 * time.Second

// inspect looks at a container once. The id must be the container's own: a name that happens to match is no match.
func inspect(ctx context.Context, t Tools, id string) (engine.Container, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	c, err := t.Engine.Container(ctx, id)
	if err != nil {
		return engine.Container{}, err
	}
	if c.ID != id {
		return engine.Container{}, fmt.Errorf("container %.12s: %w", id, engine.ErrNotFound)
	}
	return c, nil
}

// uncut calls do under a time limit of its own: a call that harms a container and is cut off by a cancelled context may
// be carried out after the undo has looked.
func uncut(ctx context.Context, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), harmLimit)
	defer cancel()
	return do(own)
}

// limited calls do under ctx, for callLimit at most. That the container is gone is no error: there is nothing to put back.
func limited(ctx context.Context, t Tools, id string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := do(ctx)
	if errors.Is(err, engine.ErrNotFound) {
		// It may also be a network of the container that is not there; then the undo has failed.
		if _, there := inspect(ctx, t, id); errors.Is(there, engine.ErrNotFound) {
			return nil
		}
	}
	return err
}

// ready refuses to inject into a container that is not as it was when planned: what is seen of it then would be taken for
// the fault's effect, and its undo would undo what somebody else did. It returns the container as it is now.
func ready(ctx context.Context, t Tools, s Step) (engine.Container, error) {
	c, err := inspect(ctx, t, s.Container.ID)
	if err != nil {
		return c, fmt.Errorf("%w to %s: %w", ErrUntouched, s.Container.Name, err)
	}
	if err := checkTarget(c); err != nil {
		return c, fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	if !c.State.StartedAt.Equal(s.Container.State.StartedAt) {
		return c, fmt.Errorf("%w: %s was restarted since the fault was planned", ErrUntouched, c.Name)
	}
	return c, nil
}

// refused turns the engine's refusals into ErrUntouched.
func refused(err error) error {
	if errors.Is(err, engine.ErrConflict) || errors.Is(err, engine.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	return err
}

// lasting says whether trying again is of no use until a person has acted.
func lasting(err error) bool {
	var residue *residueError
	return errors.Is(err, engine.ErrPermission) || errors.Is(err, engine.ErrTooOld) || errors.As(err, &residue)
}

// residueError says what an undo has left, and cannot put back.
type residueError struct{ what string }

func (e *residueError) Error() string { return e.what }

// await looks at a container until judge says in words what was seen, or fails, or ctx ends. Judge gets nil when the
// container is gone. Failures of the engine are waited out. Every error says what was seen last.
func await(ctx context.Context, t Tools, id, name, want string, judge func(c *engine.Container) (seen string, err error)) (Proof, error) {
	unseen := &unseenError{name: name, want: want, last: "it was never looked at"}
	for tick := firstTick; ; tick = min(2*tick, lastTick) {
		c, err := inspect(ctx, t, id)
		switch {
		case err == nil:
			unseen.last, unseen.looked = "it is "+status(c), true
			seen, err := judge(&c)
			if err != nil {
				return Proof{}, err
			}
			if seen != "" {
				return Proof{Seen: seen, At: time.Now()}, nil
			}
		case errors.Is(err, engine.ErrNotFound):
			seen, err := judge(nil)
			if err != nil {
				return Proof{}, err
			}
			if seen != "" {
				return Proof{Seen: seen, At: time.Now()}, nil
			}
			unseen.last, unseen.looked = "it is gone", true
		case lasting(err):
			return Proof{}, err
		case ctx.Err() == nil:
			unseen.last, unseen.looked = err.Error(), false
		}
		if unseen.ended = sleep(ctx, tick); unseen.ended != nil {
			return Proof{}, unseen
		}
	}
}

// unseenError says that time was up before something was seen, and what was seen instead.
type unseenError struct {
	name, want string
	last       string // what the last look showed, or why it failed
	looked     bool   // the last look did not fail
	ended      error  // why the wait was over
}

func (e *unseenError) Error() string {
	return fmt.Sprintf("%s: %s was not seen; %s: %v", e.name, e.want, e.last, e.ended)
}

func (e *unseenError) Unwrap() error { return e.ended }

// sleep waits, or returns the error of ctx when that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// status is a container's state in words.
func status(c engine.Container) string {
	s := c.State.Status
	if s == "exited" || s == "restarting" || s == "dead" {
		s += fmt.Sprintf(" (exit code %d)", c.State.ExitCode)
	}
	if c.State.OOMKilled {
		s += ", killed for want of memory"
	}
	return s
}
