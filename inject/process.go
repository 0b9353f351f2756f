package inject

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gameday/inject/engine"
)

// This file is what stop, kill, crash and restart have in common: the main process ends, and the container is started
// again.

// untilActed looks at a container until act says that there is nothing left to do. While act sees no trace of the fault
// it looks on for the time limit: a call that nobody waited for may still be on its way through the engine. A container
// that is gone needs nothing.
func untilActed(ctx context.Context, t Tools, u Undo, limit time.Duration, act func(engine.Container) (done bool, err error)) error {
	end := time.Now().Add(limit)
	for tick := firstTick; ; tick = min(2*tick, lastTick) {
		c, err := inspect(ctx, t, u.ID)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return nil
		case err != nil:
			return err
		}
		done, err := act(c)
		if done || err != nil || !time.Now().Before(end) {
			return err
		}
		if err := sleep(ctx, tick); err != nil {
			return fmt.Errorf("%s shows no trace of the fault, but it may still come: %w", u.Name, err)
		}
	}
}

// startAgain starts a container that does not run. While it still lives the life that it lived before the fault, the
// fault may be on its way: that is watched for the time limit.
func startAgain(ctx context.Context, t Tools, u Undo, limit time.Duration) error {
	return untilActed(ctx, t, u, limit, func(c engine.Container) (bool, error) {
		switch {
		case c.State.Restarting && forgotten(c, time.Now()):
			return true, limited(ctx, t, u.ID, func(ctx context.Context) error { return t.Engine.Restart(ctx, u.ID, 0) })
		case c.State.Restarting, c.State.Status == "removing":
			return true, nil // the engine is at it; Gone waits
		case c.State.Running:
			return !c.State.StartedAt.Equal(u.Before.StartedAt), nil
		}
		return true, limited(ctx, t, u.ID, func(ctx context.Context) error { return t.Engine.Start(ctx, u.ID) })
	})
}

// restartSlack is how much longer than its delay the start of a container by its restart policy may take.
const restartSlack = 10 * time.Second

// forgotten says whether an engine that is about to start a container again should have done so long ago. One whose daemon was
// itself restarted in that moment may never do it, and takes a container that it believes to be restarting for one that runs.
func forgotten(c engine.Container, now time.Time) bool {
	delay := time.Minute // the engine's longest; the first is a tenth of a second, and each is twice the one before
	if c.RestartCount < 10 {
		delay = min(delay, 100*time.Millisecond<<c.RestartCount)
	}
	return now.Sub(c.State.FinishedAt) > delay+restartSlack
}

// runsAgain waits until a container runs.
func runsAgain(ctx context.Context, t Tools, u Undo) (Proof, error) {
	var now *engine.Container
	p, err := await(ctx, t, u.ID, u.Name, "that it runs again", func(c *engine.Container) (string, error) {
		now = c
		if c == nil {
			return goneWords, nil
		}
		sameLife := c.State.StartedAt.Equal(u.Before.StartedAt)
		switch {
		case c.State.Paused && sameLife:
			return "it was never down, and is paused by somebody else", nil
		case c.State.Paused:
			return "it was started again, and is paused by somebody else", nil
		case c.State.Status != "running":
			return "", nil
		case sameLife:
			return "state was running: it was never down", nil
		case c.RestartCount > u.Before.RestartCount:
			return "state was running: its restart policy had started it again", nil
		}
		return "state was running again", nil
	})
	if err != nil {
		return Proof{}, err
	}
	return withDifferences(p, u, now), nil
}

// died waits until the main process that a container had when the step was planned has ended. Survived is the error when it
// has not by the end of ctx.
func died(ctx context.Context, t Tools, s Step, survived string) (Proof, error) {
	p, err := await(ctx, t, s.Container.ID, s.Container.Name, "the end of its main process", func(c *engine.Container) (string, error) {
		switch {
		case c == nil:
			return "", fmt.Errorf("%s was removed by somebody else", s.Container.Name)
		case c.State.Restarting:
			return fmt.Sprintf("its main process ended with exit code %d, and its restart policy is starting it again", c.State.ExitCode), nil
		case !c.State.Running:
			return fmt.Sprintf("its main process ended with exit code %d", c.State.ExitCode), nil
		case c.State.StartedAt.Equal(s.Container.State.StartedAt):
			return "", nil
		case c.RestartCount > s.Container.RestartCount:
			return "its main process ended, and its restart policy started it again", nil
		}
		return "its main process ended, and it was started again", nil
	})
	var unseen *unseenError
	if survived != "" && errors.As(err, &unseen) && unseen.looked {
		return Proof{}, fmt.Errorf("%s: %w", survived, err)
	}
	return p, err
}

// aliveWords is what staysDown says of a container that has never been down.
const aliveWords = "its main process has not ended"

// staysDown is Holding for the kinds whose effect is that the container does not run.
func staysDown(ctx context.Context, t Tools, s Step) (bool, string, error) {
	c, err := inspect(ctx, t, s.Container.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return false, goneWords, nil
	case err != nil:
		return false, "", err
	case c.State.Restarting, !c.State.Running:
		return true, "", nil
	case c.State.StartedAt.Equal(s.Container.State.StartedAt):
		return false, aliveWords, nil
	case c.RestartCount > s.Container.RestartCount:
		return false, "the restart policy started it again", nil
	}
	return false, "somebody started it again", nil
}
