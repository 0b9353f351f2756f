package inject

import (
	"context"
	"errors"
	"fmt"

	"gameday/inject/engine"
)

// pause freezes a container: it neither answers nor closes its connections, as a process that hangs.
type pause struct{}

// Doc describes pause.
func (pause) Doc() Doc {
	return Doc{
		Kind:    "pause",
		Family:  Process,
		Summary: "Freezes every process in the container: it neither answers nor closes its connections.",
		Undo:    "Unpauses it, unless it has been restarted since.",
		Proof:   "The engine shows the container as paused.",
		Holds:   DurationRequired,
		ByHand:  "docker unpause CONTAINER",
		Example: `fault "pause" "store_hangs" {
  target   = target.store
  duration = "30s"
}`,
	}
}

// Plan refuses a container that is paused already: its undo would undo what somebody else did.
func (k pause) Plan(f Fault, c engine.Container, _ Host) (Step, error) {
	s, err := planned(f, k.Doc(), c, nil)
	if err != nil {
		return Step{}, err
	}
	s.Does = fmt.Sprintf("pause %s: every process in it is frozen", c.Name)
	s.UndoWords = "unpause " + c.Name
	if c.State.Health != "" {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the health check of %s does not run while it is paused: its health will not change", c.Name))
	}
	return s, nil
}

// Inject pauses the container.
func (pause) Inject(ctx context.Context, t Tools, s Step) error {
	if _, err := ready(ctx, t, s); err != nil {
		return err
	}
	return uncut(ctx, func(ctx context.Context) error {
		return refused(t.Engine.Pause(ctx, s.Container.ID))
	})
}

// Verify waits until the engine shows the container as paused.
func (pause) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return await(ctx, t, s.Container.ID, s.Container.Name, "the pause", func(c *engine.Container) (string, error) {
		if c == nil {
			return "", fmt.Errorf("%s was removed by somebody else", s.Container.Name)
		}
		if c.State.Paused {
			return "state was paused", nil
		}
		return "", nil
	})
}

// Holding says whether the container is still paused.
func (pause) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	c, err := inspect(ctx, t, s.Container.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return false, goneWords, nil
	case err != nil:
		return false, "", err
	case !c.State.StartedAt.Equal(s.Container.State.StartedAt):
		return false, "somebody restarted it", nil
	case c.State.Paused:
		return true, "", nil
	case c.State.Status == "running":
		return false, "somebody unpaused it", nil
	}
	return false, "it is " + status(c), nil
}

// Undo unpauses the container, unless it has been restarted since: then the pause that it shows is not ours.
func (pause) Undo(ctx context.Context, t Tools, u Undo) error {
	return untilActed(ctx, t, u, settle, func(c engine.Container) (bool, error) {
		switch {
		case !c.State.StartedAt.Equal(u.Before.StartedAt), !c.State.Running:
			return true, nil
		case !c.State.Paused:
			return false, nil
		}
		err := limited(ctx, t, u.ID, func(ctx context.Context) error { return t.Engine.Unpause(ctx, u.ID) })
		if errors.Is(err, engine.ErrConflict) {
			return true, nil // somebody was faster; Gone looks
		}
		return true, err
	})
}

// Gone waits until the container is not paused any more.
func (pause) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	var now *engine.Container
	p, err := await(ctx, t, u.ID, u.Name, "the end of the pause", func(c *engine.Container) (string, error) {
		now = c
		switch {
		case c == nil:
			return goneWords, nil
		case !c.State.StartedAt.Equal(u.Before.StartedAt):
			return "the pause ended when it was restarted by somebody else; it is " + status(*c), nil
		case !c.State.Paused:
			return "state was " + status(*c), nil
		}
		return "", nil
	})
	if err != nil {
		return Proof{}, err
	}
	return withDifferences(p, u, now), nil
}
