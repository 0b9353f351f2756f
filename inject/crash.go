package inject

import (
	"context"
	"fmt"
	"strconv"

	"gameday/inject/engine"
)

// crash is what a bug does: the main process dies without the engine having been asked, so that the restart policy acts.
// It is killed from the host's pid namespace by a helper container, because the engine's own kill counts as a stop by
// hand, and because pid 1 cannot be killed from inside its namespace.
type crash struct{}

// Doc describes crash.
func (crash) Doc() Doc {
	return Doc{
		Kind:       "crash",
		Family:     Process,
		Summary:    "Kills the container's main process behind the engine's back, as a bug or the kernel does. The restart policy acts.",
		Undo:       "Starts the container again, unless its restart policy has.",
		Proof:      "The engine shows that the main process has ended.",
		Holds:      DurationOptional,
		EndsItself: true,
		ByHand:     "docker start CONTAINER",
		Example: `fault "crash" "store_crashes" {
  target = target.store
}`,
	}
}

// Plan says what the restart policy will make of the crash.
func (k crash) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	s, err := planned(f, k.Doc(), c, nil)
	if err != nil {
		return Step{}, err
	}
	if err := keepsStopped(c, "crash"); err != nil {
		return Step{}, err
	}
	if err := startsAlone(c, h, "crash"); err != nil {
		return Step{}, err
	}
	if hasPolicy(c) {
		s.Does = fmt.Sprintf("crash %s: its main process is killed as by a bug, and its restart policy %q acts", c.Name, c.RestartPolicy)
		s.UndoWords = fmt.Sprintf("start %s, unless its restart policy has", c.Name)
	} else {
		s.Does = fmt.Sprintf("crash %s: its main process is killed as by a bug; it has no restart policy", c.Name)
		s.UndoWords = "start " + c.Name
		s.Claims = append(s.Claims, Claim{Thing: running})
	}
	switch {
	case f.Duration == 0 && !hasPolicy(c):
		s.Warnings = append(s.Warnings, fmt.Sprintf("nothing but gameday brings %s back, at the end of the run: it has no restart policy; give a duration to bring it back sooner", c.Name))
	case f.Duration > 0 && hasPolicy(c):
		s.Warnings = append(s.Warnings, fmt.Sprintf("the restart policy %q brings %s back by itself, probably long before %v are over", c.RestartPolicy, c.Name, f.Duration))
	}
	return s, nil
}

// Inject lets a helper kill the main process, and removes the helper in any case.
func (crash) Inject(ctx context.Context, t Tools, s Step) error {
	image, err := t.Helper(ctx)
	if err != nil {
		return fmt.Errorf("%w: the helper image could not be made: %w", ErrUntouched, err)
	}
	c, err := ready(ctx, t, s)
	if err != nil {
		return err
	}
	_, err = runHelper(ctx, t, helper{
		run:    s.Fault.Run,
		target: c,
		image:  image,
		args:   []string{"crash", strconv.Itoa(c.State.PID), c.ID},
		caps:   []string{"KILL"},
		pid:    "host",
	})
	return err
}

// Verify waits until the main process has ended, whether or not it was started again since.
func (crash) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return died(ctx, t, s, "")
}

// Holding says whether the container is still down.
func (crash) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	return staysDown(ctx, t, s)
}

// Undo starts the container unless it runs, and removes a helper that was left behind: if that has not come to its kill
// yet, it could still do so, and so the container is looked at once more.
func (crash) Undo(ctx context.Context, t Tools, u Undo) error {
	if err := startAgain(ctx, t, u, 0); err != nil {
		return err
	}
	if err := removeOnce(ctx, t, u); err != nil {
		return err
	}
	return startAgain(ctx, t, u, settle)
}

// Gone waits until the container runs.
func (crash) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	return runsAgain(ctx, t, u)
}
