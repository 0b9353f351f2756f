package inject

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gameday/inject/engine"
)

// restart stops a container and starts it again at once. It is over when the container runs again.
type restart struct{}

// Doc describes restart.
func (restart) Doc() Doc {
	return Doc{
		Kind:       "restart",
		Family:     Process,
		Summary:    "Restarts the container as an operator does: its main process is asked to end, killed after the grace time, and started again.",
		Undo:       "Starts it, unless it runs.",
		Proof:      "The engine shows that the container runs, with a new start time.",
		Holds:      DurationOptional,
		EndsItself: true,
		ByHand:     "docker start CONTAINER",
		Args:       []Arg{graceArg},
		Example: `fault "restart" "api_restarts" {
  target = target.api
  grace  = "5s"
}`,
	}
}

// Plan says that a duration has no meaning for a fault that is over by itself.
func (k restart) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	grace, err := graceOf(f)
	if err != nil {
		return Step{}, err
	}
	s, err := planned(f, k.Doc(), c, graceExtra{int(grace / time.Second)})
	if err != nil {
		return Step{}, err
	}
	if err := startsAlone(c, h, "restart"); err != nil {
		return Step{}, err
	}
	s.Does = fmt.Sprintf("restart %s: its main process is asked to end, killed after %v, and started again", c.Name, grace)
	s.UndoWords = fmt.Sprintf("start %s, if it does not run", c.Name)
	if f.Duration > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("a restart is over as soon as %s runs again, whatever its duration says", c.Name))
	}
	return s, nil
}

// Inject restarts the container, and returns when it has been started. When ctx ends before, the engine goes on: the undo
// waits for that.
func (restart) Inject(ctx context.Context, t Tools, s Step) error {
	grace, err := graceOf(s.Fault)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	if _, err := ready(ctx, t, s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, grace+afterGrace+callLimit)
	defer cancel()
	return t.Engine.Restart(ctx, s.Container.ID, grace)
}

// Verify waits until the container runs with a new start time.
func (restart) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return await(ctx, t, s.Container.ID, s.Container.Name, "the restart", func(c *engine.Container) (string, error) {
		switch {
		case c == nil:
			return "", fmt.Errorf("%s was removed by somebody else", s.Container.Name)
		case c.State.Status == "running" && !c.State.StartedAt.Equal(s.Container.State.StartedAt):
			return "it was started again", nil
		}
		return "", nil
	})
}

// Holding is true only while the container is down: a restart is over when it runs again.
func (restart) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	c, err := inspect(ctx, t, s.Container.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return false, goneWords, nil
	case err != nil:
		return false, "", err
	case c.State.Restarting, !c.State.Running:
		return true, "", nil
	case c.State.StartedAt.Equal(s.Container.State.StartedAt):
		return false, "it has not been restarted", nil
	}
	return false, "it runs again", nil
}

// Undo starts the container, unless it runs. If the restart has not come yet it is watched for the grace time.
func (restart) Undo(ctx context.Context, t Tools, u Undo) error {
	return startAgain(ctx, t, u, underWay(u))
}

// Gone waits until the container runs.
func (restart) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	return runsAgain(ctx, t, u)
}
