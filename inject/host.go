package inject

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// This file is what all faults have in common that a helper on the engine's host does: to a container's limits, its processes
// and its files. Nothing of it is in the target's image, and the engine is not asked to change anything.

// onHost does everything but Doc and Plan for those kinds. What a fault is, and what was before it, stands in its undo.
type onHost struct{}

// The things that kinds on the host claim.
const (
	cpuLimit  = "its CPU limit"
	diskLimit = "its limits of reading and writing"
)

// allowHost gives a helper what it takes to act on other containers from the engine's host, and no more:
//
//   - the host's processes and control groups, seen as the host sees them;
//   - KILL to signal processes of every user, DAC_OVERRIDE to write where only the container's user may, SYS_PTRACE to reach a
//     container's files through /proc/<pid>/root;
//   - freedom from the profiles of AppArmor and SELinux, which forbid all three across containers.
func allowHost(s *engine.Spec) {
	s.Network, s.PIDMode, s.CgroupnsMode, s.UsernsMode = "none", "host", "host", "host"
	s.CapAdd = []string{"KILL", "DAC_OVERRIDE", "SYS_PTRACE"}
	s.Binds = []string{"/sys/fs/cgroup:/cgroup"}
	s.SecurityOpt = []string{"apparmor=unconfined", "label=disable", "no-new-privileges"}
}

// planOnHost plans a fault that a helper on the host does. Spec is what it is, in the words of the helper.
func planOnHost(f Fault, d Doc, c engine.Container, h Host, spec any) (Step, error) {
	s, err := planned(f, d, c, spec)
	if err != nil {
		return Step{}, err
	}
	switch {
	case h.Info.Rootless:
		return Step{}, fmt.Errorf("%s needs an engine that runs as root: a rootless one may not give a helper the control groups and processes of %s", d.Kind, c.Name)
	case h.Info.CgroupDriver == "none":
		return Step{}, fmt.Errorf("%s needs control groups, and this engine makes none for its containers", d.Kind)
	case ownKernel(c.Runtime):
		return Step{}, fmt.Errorf("%s runs under %s, with a kernel of its own: %s on the host's would not reach it", c.Name, c.Runtime, d.Kind)
	}
	return s, nil
}

// ownKernel says whether a runtime does not run containers on the kernel of the host.
func ownKernel(runtime string) bool {
	return slices.ContainsFunc([]string{"kata", "runsc", "gvisor", "firecracker", "hyperv"}, func(s string) bool { return strings.Contains(runtime, s) })
}

// Check looks up what the undo would have to put back, as Complete does.
func (onHost) Check(ctx context.Context, t Tools, s Step) error {
	q := sidecar.Request{Op: sidecar.OpSurvey, Kind: s.Fault.Kind, Spec: s.Undo.Extra}
	if _, err := askReach(ctx, t, s.Fault.Run, s.Container, s.Container.State.PID, q); err != nil {
		return fmt.Errorf("%s cannot be done to %s: %w", s.Fault.Kind, s.Container.Name, err)
	}
	return nil
}

// Warm starts the sidecar.
func (onHost) Warm(ctx context.Context, t Tools, s Step) error {
	_, err := t.Sidecars.get(ctx, s.Fault.Run, s.Container, hostSidecar)
	return err
}

// Complete looks up what the undo has to put back.
func (onHost) Complete(ctx context.Context, t Tools, s *Step) error {
	d, err := t.Sidecars.get(ctx, s.Fault.Run, s.Container, hostSidecar)
	if err != nil {
		return err
	}
	r, err := d.call(ctx, sidecar.Request{Op: sidecar.OpSurvey, Kind: s.Fault.Kind, Spec: s.Undo.Extra})
	if err != nil {
		return err
	}
	s.Undo.Extra, s.Undo.Before.Kernel = r.Found, r.Lines
	return nil
}

// Inject prepares the fault in the sidecar, and puts it in force at its time.
func (onHost) Inject(ctx context.Context, t Tools, s Step) error {
	c, err := ready(ctx, t, s)
	if err != nil {
		return err
	}
	d, err := t.Sidecars.get(ctx, s.Fault.Run, c, hostSidecar)
	if err != nil {
		return fmt.Errorf("%w to %s: %w", ErrUntouched, c.Name, err)
	}
	return d.inject(ctx, faultID(s.Undo), s.Fault.Kind, s.Undo.Extra, s)
}

// Verify waits until the sidecar has read back what it wrote.
func (onHost) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return watchAgent(ctx, t, s, hostSidecar, func(sidecar.Look) bool { return true }, "")
}

// verifyEnd is Verify for what may end the main process: the engine has noticed it, then.
func (k onHost) verifyEnd(ctx context.Context, t Tools, s Step) (Proof, error) {
	p, err := k.Verify(ctx, t, s)
	if err != nil {
		return p, err
	}
	d := t.Sidecars.peek(ctx, s.Fault.Run, s.Container.ID, hostSidecar)
	if d == nil {
		return p, nil
	}
	if l, err := d.look(ctx, faultID(s.Undo)); err != nil || !l.Ended {
		return p, nil // whatever became of the helper, the effect was seen
	}
	end, err := died(ctx, t, s, "")
	if err != nil {
		return Proof{}, err
	}
	p.Seen += "; " + end.Seen
	return p, nil
}

// Holding says whether the fault is still as it was written, in the life of the target that it was made for.
func (onHost) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	return holdingAgent(ctx, t, s, hostSidecar)
}

// Undo lets the sidecar take the fault back. Where this process drives none, one that another process has left is removed, and
// what it had written is put back by a helper that knows the undo alone.
func (onHost) Undo(ctx context.Context, t Tools, u Undo) error {
	// A sidecar may have failed because the target has another main process by now.
	first := undoAgent(ctx, t, u, hostSidecar)
	if first != nil && ctx.Err() != nil {
		return first
	}
	_, err := askHost(ctx, t, u, sidecar.OpHeal)
	return err
}

// Gone looks whether anything of the fault is left, and compares the limits with what they were before.
func (onHost) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	a, err := askHost(ctx, t, u, sidecar.OpLook)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{At: time.Now()}
	if a.look != nil && a.look.InForce {
		return Proof{}, fmt.Errorf("it is still in force: %s", a.look.Seen)
	}
	switch {
	case a.container == nil:
		p.Seen = goneWords
	case a.look != nil:
		p.Seen = a.look.Why
	default:
		p.Seen = "it is " + status(*a.container) + ", and its control group is gone"
	}
	if d := t.Sidecars.peek(ctx, u.Run, u.ID, hostSidecar); d != nil {
		l, err := d.look(ctx, faultID(u))
		if c := a.container; err == nil && l.Ended && c != nil && c.State.Running && c.State.StartedAt.Equal(u.Before.StartedAt) {
			return Proof{}, errors.New("its main process has ended, and the engine takes it to be running: it has not noticed yet")
		}
		if err == nil && l.At > 0 {
			if l.Seen != "" && a.container != nil {
				p.Seen = l.Seen + "; " + p.Seen
			}
			// Where nobody counts what it did, it is told by what came to it.
			if l.Hit == 0 || l.Hit < 0 && l.Met == 0 {
				p.HitNothing = l.Seen
			}
		}
	}
	p = withDifferences(p, u, a.container)
	if a.look != nil {
		p.Differences = append(p.Differences, lineDifferences("its control group", a.lines, u.Before.Kernel)...)
	}
	return p, nil
}

// hostAnswer is what was found out about an undo. Container is nil if it is gone, and look if nobody had to look.
type hostAnswer struct {
	container *engine.Container
	look      *sidecar.Look
	lines     []string
}

// askHost has a request about an undo answered by the sidecar, if this process drives one that belongs to the present life of
// the target, or by the helper that reaches all. What lives with the target's main process needs nobody once that has ended.
func askHost(ctx context.Context, t Tools, u Undo, op string) (hostAnswer, error) {
	var a hostAnswer
	c, err := inspect(ctx, t, u.ID)
	pid := 0
	switch {
	case errors.Is(err, engine.ErrNotFound):
		c = engine.Container{ID: u.ID, Name: u.Name}
	case err != nil:
		return a, err
	default:
		a.container = &c
		if c.State.Running && !c.State.Restarting {
			pid = c.State.PID
		}
	}
	if pid == 0 && !outlives(u.Kind) {
		return a, nil
	}
	q := sidecar.Request{Op: op, Kind: u.Kind, Spec: u.Extra}
	var r sidecar.Reply
	d := t.Sidecars.peek(ctx, u.Run, u.ID, hostSidecar)
	if d != nil && pid != 0 && d.startedAt.Equal(c.State.StartedAt) {
		limit, cancel := context.WithTimeout(ctx, lookLimit)
		defer cancel()
		r, err = d.call(limit, q)
		if !errors.Is(err, errGone) {
			a.look, a.lines = r.Look, r.Lines
			return a, err
		}
	}
	r, err = askReach(ctx, t, u.Run, c, pid, q)
	if err != nil {
		// Its main process may have ended since it was looked at.
		if now, ierr := inspect(ctx, t, u.ID); !outlives(u.Kind) && (errors.Is(ierr, engine.ErrNotFound) || ierr == nil && now.State.PID != pid && !now.State.Running) {
			return a, nil
		}
	}
	if err != nil {
		return a, err
	}
	a.look, a.lines = r.Look, r.Lines
	return a, nil
}

// usualOf is what the engine limits a container to, in the words of the helper.
func usualOf(c engine.Container) *sidecar.Usual {
	l := c.Limits
	u := &sidecar.Usual{Memory: l.Memory, MemorySwap: l.MemorySwap, CPUQuota: l.CPUQuota, CPUPeriod: l.CPUPeriod, OOMScoreAdj: c.OOMScoreAdj}
	if l.NanoCPUs > 0 { // of which the engine makes a quota of the kernel's usual period
		u.CPUPeriod = 100_000
		u.CPUQuota = l.NanoCPUs * u.CPUPeriod / 1e9
	}
	for _, r := range l.Read {
		u.Read = append(u.Read, sidecar.Rate(r))
	}
	for _, r := range l.Write {
		u.Write = append(u.Write, sidecar.Rate(r))
	}
	return u
}

// outlives says whether what a kind leaves is there even if the container's main process is not.
func outlives(kind string) bool { return kind == "fill" }
