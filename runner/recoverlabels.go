package runner

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// strayAge is how long a helper of a run that holds no lock may be there before it counts as left behind: what belongs to
// somebody who tries something without a run should be gone by then.
const strayAge = 5 * time.Minute

// ErrNoTrace means that nothing on the engine belongs to a run.
var ErrNoTrace = errors.New("nothing on this Docker engine belongs to this run")

// Orphans lists the runs that can be recovered from labels alone: that of a lock whose record is lost, and those of which helpers
// are left and that hold no lock.
func Orphans(ctx context.Context, s Setup) ([]string, error) {
	all, err := s.Engine.Containers(ctx)
	if err != nil {
		return nil, err
	}
	held, out := map[string]bool{}, map[string]bool{}
	for _, c := range all {
		if c.Labels[engine.RoleLabel] != guard.RoleLock {
			continue
		}
		held[c.Labels[engine.Label]] = true
		if c.Name != s.lockName() {
			continue
		}
		if h, err := holder(c); err == nil && h.lost && h.Guard != GuardUp {
			out[h.Run] = true
		}
	}
	for _, c := range all {
		if run := c.Labels[engine.Label]; c.Own() && !held[run] && time.Since(c.Created) > strayAge {
			out[run] = true
		}
	}
	runs := make([]string, 0, len(out))
	for run := range out {
		runs = append(runs, run)
	}
	sort.Strings(runs)
	return runs, nil
}

// RecoverRun undoes what a run left behind whose record is lost or elsewhere, from the labels of its containers: everything that
// it had planned, as far as it may have been done. It fails with journal.ErrBusy while the runner or its guard is there, or
// may be there on another machine and the set-up does not say that it is gone; and with *LockedError where there is something to undo while
// another run is going on.
func RecoverRun(ctx context.Context, s Setup, run string) (Recovered, error) {
	out := Recovered{Run: run}
	lock, err := lockOf(ctx, s, run)
	if err != nil {
		return out, err
	}
	if lock != nil {
		if err := out.fromLabels(ctx, s, *lock); err != nil {
			return out, err
		}
	}
	err = out.sweep(ctx, s, run, lock != nil)
	if err == nil && lock == nil && len(out.Removed) == 0 {
		err = ErrNoTrace
	}
	return out, err
}

// lockOf finds the lock of a run, whatever it is called; nil if it holds none.
func lockOf(ctx context.Context, s Setup, run string) (*engine.Container, error) {
	all, err := s.Engine.Containers(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Labels[engine.Label] == run && c.Labels[engine.RoleLabel] == guard.RoleLock {
			return &c, nil
		}
	}
	return nil, nil
}

// fromLabels undoes what a lock's label says that its run had planned.
func (r *Recovered) fromLabels(ctx context.Context, s Setup, lock engine.Container) error {
	h, err := holder(lock)
	if err != nil {
		return err
	}
	switch {
	case h.Guard == GuardUp:
		return fmt.Errorf("%s: %w: its guard is up, and undoes everything when its runner (process %d on %s) is gone; to have it do so now: docker kill --signal USR1 %s",
			h.Run, journal.ErrBusy, h.PID, h.Host, lock.Name)
	case h.Here && h.Alive:
		return fmt.Errorf("%s: %w: its runner is alive; end it with `gameday abort`", h.Run, journal.ErrBusy)
	case h.Alive && h.sameHost():
		return fmt.Errorf("%s: %w: process %d on this machine may be its runner, and its record (%s) is lost; end that process first", h.Run, journal.ErrBusy, h.PID, h.Dir)
	case h.Alive && !s.RunnerGone:
		return fmt.Errorf("%s: %w: whether its runner (process %d on %s) is alive cannot be told from here; end it there or with `gameday abort`, or, if it is known to be gone: gameday recover --gone %s",
			h.Run, journal.ErrBusy, h.PID, h.Host, journal.ShellWord(h.Run))
	}
	open, spared, err := guard.Suspects(ctx, s.Engine, lock)
	if err != nil {
		return err
	}
	r.Notes = append(r.Notes, spared...)
	if len(open) > 0 {
		if err := nobodyElse(ctx, s, h.Run); err != nil {
			return err
		}
	}
	r.take(guard.UndoAll(ctx, s.Tools, journal.UndoRecover, func(journal.Payload) error { return nil }, open))
	if len(open) > 0 {
		r.Notes = append(r.Notes, "the labels say what was planned and not what was done: a container that somebody else had stopped or paused meanwhile was put back, too")
	}
	looked := map[string]bool{}
	for _, in := range open {
		if looked[in.Container.ID] {
			continue
		}
		looked[in.Container.ID] = true
		c, err := s.Engine.Container(ctx, in.Container.ID)
		by := ""
		switch {
		case err != nil:
		case c.State.Paused:
			by = "docker unpause " + c.Name
		case !c.State.Running:
			by = "docker start " + c.Name
		}
		if by != "" {
			r.Open = append(r.Open, fmt.Sprintf("%s is %s and was started after the run was planned, so that it cannot be told who did it", c.Name, c.State.Status))
			r.ByHand = append(r.ByHand, by)
		}
	}
	return nil
}
