package inject

import (
	"context"
	"fmt"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// oom is what happens to a container with a leak: the kernel kills one of its processes for want of memory, and the restart
// policy acts.
type oom struct{ onHost }

// Doc describes oom.
func (oom) Doc() Doc {
	return Doc{
		Kind:       "oom",
		Family:     Process,
		Summary:    "Takes the container's memory away until the kernel kills one of its processes for it. The restart policy acts.",
		Undo:       "The memory limit is put back at once after the kill. Starts the container again, unless it runs.",
		Proof:      "The kernel counts a process that it has killed for want of memory.",
		Holds:      DurationOptional,
		EndsItself: true,
		Ahead:      true,
		ByHand:     "docker start CONTAINER",
		Example: `fault "oom" "store_leaks" {
  target = target.store
}`,
	}
}

// Plan refuses a container of which the kernel may kill nothing, and one that would be removed.
func (k oom) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	s, err := planOnHost(f, k.Doc(), c, h, sidecar.OOMSpec{})
	if err != nil {
		return Step{}, err
	}
	if err := keepsStopped(c, "oom"); err != nil {
		return Step{}, err
	}
	if err := startsAlone(c, h, "oom"); err != nil {
		return Step{}, err
	}
	switch {
	case c.Limits.OOMKillDisable:
		return Step{}, fmt.Errorf("%s was started with --oom-kill-disable: its processes would hang instead of being killed", c.Name)
	case c.OOMScoreAdj <= -1000:
		return Step{}, fmt.Errorf("%s was started with --oom-score-adj %d: the kernel kills none of its processes for want of memory", c.Name, c.OOMScoreAdj)
	}
	s.Claims = append(s.Claims, Claim{Thing: memoryLimit})
	s.Does = fmt.Sprintf("take memory away from %s until the kernel kills one of its processes", c.Name)
	s.UndoWords = fmt.Sprintf("put the memory limit of %s back, and start it, unless it runs", c.Name)
	if hasPolicy(c) {
		s.Does += fmt.Sprintf(": if it is the main one, its restart policy %q acts", c.RestartPolicy)
	} else {
		s.Claims = append(s.Claims, Claim{Thing: running})
		if f.Duration == 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("if the kernel kills its main process, nothing but gameday brings %s back, at the end of the run: it has no restart policy; give a duration to bring it back sooner", c.Name))
		}
	}
	s.Warnings = append(s.Warnings, fmt.Sprintf("which process of %s is killed is the kernel's choice: mostly the one that uses most memory", c.Name))
	return s, nil
}

// Verify takes what the sidecar has seen, and waits for the engine to notice if the main process has ended.
func (k oom) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return k.verifyEnd(ctx, t, s)
}

// Holding says whether the container is down, or else that it is over.
func (oom) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	ok, why, err := staysDown(ctx, t, s)
	if err == nil && !ok && why == aliveWords {
		why = "the kernel has killed another process of it, and the main one lives on"
	}
	return ok, why, err
}

// Undo puts the limit back, and starts the container again, unless it runs.
func (k oom) Undo(ctx context.Context, t Tools, u Undo) error {
	if err := k.onHost.Undo(ctx, t, u); err != nil {
		return err
	}
	return startAgain(ctx, t, u, 0)
}

// Gone looks at the limits, and waits until the container runs.
func (k oom) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	return goneAndRuns(ctx, t, u, k.onHost)
}

// goneAndRuns waits until nothing is left of a fault on the host, and the container runs.
func goneAndRuns(ctx context.Context, t Tools, u Undo, k onHost) (Proof, error) {
	up, err := runsAgain(ctx, t, u)
	if err != nil {
		return Proof{}, err
	}
	p, err := k.Gone(ctx, t, u)
	if err != nil {
		return Proof{}, err
	}
	// The engine may have heard only now of a death in the moment of the undo.
	if up, err = runsAgain(ctx, t, u); err != nil {
		return Proof{}, err
	}
	if p.Seen != goneWords {
		p.Seen = up.Seen + "; " + p.Seen
	}
	return p, nil
}
