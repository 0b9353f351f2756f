package runner

import (
	"context"
	"errors"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/journal"
)

// reborn waits until the container runs, and says whether it lives another life than the one that the step is planned for.
func (l *life) reborn(ctx context.Context, limit time.Time) bool {
	for ctx.Err() == nil && time.Until(limit) > 0 {
		c, err := l.r.setup.Engine.Container(ctx, l.step.Container.ID)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return false
		case err == nil && c.State.Status == "running":
			return !c.State.StartedAt.Equal(l.step.Container.State.StartedAt)
		}
		if !l.r.stopped.sleep(50 * time.Millisecond) {
			return false
		}
	}
	return false
}

// follow puts the fault back on a target that was restarted, and says whether it is in force again. It waits for the target as
// long as ctx lasts.
func (l *life) follow(ctx context.Context, why string) bool {
	lost := time.Now()
	for {
		c, err := l.r.setup.Engine.Container(ctx, l.step.Container.ID)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return false
		case err == nil && c.State.Status == "running" && c.State.StartedAt.Equal(l.step.Container.State.StartedAt):
			return false // it was not restarted: somebody took the fault away
		case err == nil && c.State.Status == "running":
			seen, err := l.again(ctx)
			if err == nil {
				l.gap += seen.At.Sub(lost)
				l.r.write(&journal.FaultFollowed{Fault: l.name(), Container: l.ref(), Why: why, Lost: lost.UTC(), Seen: seen.Seen, Effect: seen.At.UTC()})
				return true
			}
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// again injects the fault into the life that the target lives now.
func (l *life) again(ctx context.Context) (inject.Proof, error) {
	if err := l.refit(ctx); err != nil {
		return inject.Proof{}, err
	}
	if err := l.r.guard.Load().permit(ctx); err != nil {
		return inject.Proof{}, err
	}
	if err := l.kind.Inject(ctx, l.r.setup.Tools, l.step); err != nil {
		return inject.Proof{}, err
	}
	verify, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	return l.kind.Verify(verify, l.r.setup.Tools, l.step)
}

// refit plans the fault for the life that the target lives now. The undo that stands in the journal is good for every life.
func (l *life) refit(ctx context.Context) error {
	fault, err := l.declared(ctx)
	if err != nil {
		return err
	}
	step, err := inject.Prepare(ctx, l.r.setup.Tools, fault, l.step.Container.ID, l.r.plan.host)
	if err != nil {
		return err
	}
	before := l.step.Undo.Before
	before.StartedAt, before.Kernel, before.Space = step.Undo.Before.StartedAt, step.Undo.Before.Kernel, step.Undo.Before.Space
	step.Undo.Before = before
	l.step = step
	return nil
}
