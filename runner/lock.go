package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// LockName is the name of the container that is the lock: an engine refuses a second one of the same name. It is the run's guard,
// or never runs if the run has none.
const LockName = "gameday-lock"

// lockCallLimit is how long making the lock may take.
const lockCallLimit = 30 * time.Second

// lockName is the name of the lock's container.
func (s Setup) lockName() string {
	if s.Lock != "" {
		return s.Lock
	}
	return LockName
}

// The labels of the lock.
const (
	labelHost = "gameday.host"
	labelPID  = "gameday.pid"
	labelDir  = "gameday.dir"
)

// A Holder is who holds the lock of an engine.
type Holder struct {
	Run   string    `json:"run"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Dir   string    `json:"dir"`
	Since time.Time `json:"since"`
	Alive bool      `json:"alive"` // as far as this machine can tell
	Here  bool      `json:"here"`  // it runs on this machine
	Guard GuardIs   `json:"guard"`
	Fired string    `json:"fired,omitempty"` // why the guard has taken over from the runner, as far as this machine can tell
	lost  bool      // it ran on this machine, and both the process and its record are gone
	c     engine.Container
}

// GuardIs says how the guard of a run is.
type GuardIs string

// What can be said of a guard.
const (
	GuardNone GuardIs = "none" // the run was started without one
	GuardUp   GuardIs = "up"
	GuardAway GuardIs = "away" // its container does not run
)

// AtWork says that the runner has gone, or hangs, and its guard is there to undo what it left.
func (h *Holder) AtWork() bool { return h.Guard == GuardUp && (!h.Alive || h.Fired != "") }

// sameHost says whether it runs on this machine, or did.
func (h *Holder) sameHost() bool {
	host, _ := os.Hostname()
	return host == h.Host
}

// A LockedError says that another run holds the lock.
type LockedError struct{ Holder Holder }

func (e *LockedError) Error() string {
	h := e.Holder
	msg := fmt.Sprintf("another run holds the lock of this Docker engine: %s, since %s, process %d on %s", h.Run, h.Since.UTC().Format(time.RFC3339), h.PID, h.Host)
	switch {
	case h.Alive && h.Here && h.Fired != "":
		return msg + fmt.Sprintf(", but %s; its guard undid what was in force, and stays as long as that process is there: end it (kill -9 %d)", h.Fired, h.PID)
	case h.Alive && h.Here:
		return msg + "; wait for it, or end it with `gameday abort`"
	case !h.Alive && h.Guard == GuardUp:
		return msg + "; its runner has gone, and its guard is undoing what it left in force: try again in a moment, and see `gameday status`"
	case h.lost && h.c.Labels[guard.UndosLabel] != "":
		return msg + "; that process has gone, and its record (" + h.Dir + ") with it: put back what it had planned with `gameday recover " + journal.ShellWord(h.Run) + "`"
	case h.lost:
		return msg + fmt.Sprintf("; that process has gone, and its record (%s) with it: look at the containers that it may have changed (docker ps -a), put them back, then remove the lock: docker rm -f %s", h.Dir, LockName)
	case h.Alive && h.Guard != GuardUp && h.c.Labels[guard.UndosLabel] != "" && !h.sameHost():
		return msg + ", which is another machine; wait for it, or end it with `gameday abort`; if that process is gone for good, put back what it had planned with `gameday recover --gone " + journal.ShellWord(h.Run) + "`"
	case h.Alive:
		return msg + ", which is another machine or has lost the run's directory; wait for it, or end it with `gameday abort`; if that run is gone for good, put its targets back by hand and then remove the lock: docker rm -f " + LockName
	default:
		return msg + fmt.Sprintf("; its runner has gone and left faults open: put them back with `%s`", journal.RecoverCommand(h.Dir))
	}
}

// Locked returns who holds the lock of the engine, or nil.
func Locked(ctx context.Context, e engine.Engine) (*Holder, error) { return locked(ctx, e, LockName) }

func locked(ctx context.Context, e engine.Engine, name string) (*Holder, error) {
	c, err := e.Container(ctx, name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.Labels[engine.RoleLabel] != guard.RoleLock {
		return nil, fmt.Errorf("a container that is not gameday's is called %s; rename it", name)
	}
	return holder(c)
}

// holder is who made a lock.
func holder(c engine.Container) (*Holder, error) {
	pid, _ := strconv.Atoi(c.Labels[labelPID])
	h := &Holder{Run: c.Labels[engine.Label], Host: c.Labels[labelHost], PID: pid, Dir: c.Labels[labelDir], Since: c.Created, Guard: GuardNone, c: c}
	if c.RestartPolicy == guardPolicy {
		h.Guard = GuardAway
		if c.State.Status == "running" {
			h.Guard = GuardUp
		}
	}
	host, _ := os.Hostname()
	h.Here = host == h.Host && journal.IsRun(h.Dir)
	h.Alive = true
	if h.Here {
		busy, err := journal.Busy(h.Dir)
		if err != nil {
			return nil, err
		}
		h.Alive = busy
		if events, err := journal.GuardEvents(h.Dir); err == nil {
			if s := journal.Fired(events); s != nil {
				h.Fired = s.Detail
			}
		}
	} else if host == h.Host && pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		h.Alive, h.lost = false, true
	}
	return h, nil
}

// A lease is a lock that is held.
type lease struct {
	id      string // of its container
	release func(context.Context) error
}

// lockSpec is the lock's container: with it alone a recovery is possible when everything else is lost.
func (r *Run) lockSpec(dir string) (engine.Spec, error) {
	host, _ := os.Hostname()
	var planned []guard.Planned
	for _, f := range r.plan.injected() {
		for _, st := range f.Steps {
			planned = append(planned, guard.Planned{Start: journal.Duration(r.plan.Scenario.Baseline + f.Start), Words: st.UndoWords, Undo: st.Undo})
		}
	}
	undos, err := guard.EncodePlanned(planned)
	if err != nil {
		return engine.Spec{}, err
	}
	spec := engine.Spec{Name: r.setup.lockName(), Cmd: []string{"version"}, Network: "none", Labels: map[string]string{
		engine.Label: r.id, engine.RoleLabel: guard.RoleLock, labelHost: host, labelPID: strconv.Itoa(os.Getpid()), labelDir: dir, guard.UndosLabel: undos,
	}}
	if !r.plan.Guard.Is() {
		return spec, nil
	}
	return r.plan.Guard.guardSpec(r.setup, spec, r.id, dir)
}

// guardWork is how long a run waits at least for the guard of an earlier one that is undoing what that one left.
const guardWork = 20 * time.Second

// lock takes the lock, or fails with *LockedError when another run holds it for longer than the set-up is to wait.
func lock(ctx context.Context, s Setup, spec engine.Spec) (lease, error) {
	for begin := time.Now(); ; {
		l, err := tryLock(ctx, s, spec, time.Since(begin))
		var held *LockedError
		if !errors.As(err, &held) || !Patient(&held.Holder, time.Since(begin), s.Wait) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return l, err
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// Patient says whether somebody who may wait for so long goes on waiting for a lock.
func Patient(h *Holder, waited, wait time.Duration) bool {
	switch {
	case h.Alive:
		return waited < wait
	case h.Guard == GuardUp:
		return waited < max(wait, guardWork)
	}
	return false // nobody is about to let go of it
}

// tryLock takes the lock once. A lock whose runner has gone without leaving a fault open is taken over, but not before its guard
// has had time to go by itself.
func tryLock(ctx context.Context, s Setup, spec engine.Spec, waited time.Duration) (l lease, err error) {
	var dead []string // runs that had the lock
	for range 3 {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		if spec.Image, err = s.Tools.Helper(ctx); err != nil {
			return l, err
		}
		id, err := createLock(ctx, s.Engine, spec)
		if errors.Is(err, engine.ErrNotFound) {
			continue // another gameday's end has just removed the image
		}
		if err == nil {
			return lease{id, func(ctx context.Context) error {
				return untilReached(ctx, func() error {
					var left []error
					for _, run := range dead { // what their runners had asked for may have come after all
						left = append(left, sweepDead(ctx, s.Engine, run))
					}
					return errors.Join(append(left, s.Engine.Remove(ctx, id))...)
				})
			}}, nil
		}
		if !errors.Is(err, engine.ErrConflict) {
			return l, unmade(err, spec)
		}
		h, err := locked(ctx, s.Engine, spec.Name)
		if err != nil {
			return l, err
		}
		if h == nil {
			continue // it went in between
		}
		if h.Alive || h.Guard == GuardUp && waited < guardWork || h.Open() {
			return l, &LockedError{*h}
		}
		if err := s.Engine.Remove(ctx, h.c.ID); err != nil {
			return l, err
		}
		dead = append(dead, h.Run)
		_ = sweepDead(ctx, s.Engine, h.Run) // what it cannot remove keeps nobody from a run, and is removed again after it
	}
	return l, errors.New("the lock of this Docker engine changes hands too quickly; try again")
}

// sweepDead removes the helpers of a run that died without leaving a fault open.
func sweepDead(ctx context.Context, e engine.Engine, run string) error {
	_, err := guard.Sweep(ctx, e, run, func(engine.Container) bool { return false })
	if err != nil {
		return fmt.Errorf("helpers of the dead run %s are left: %w; run gameday recover", run, err)
	}
	return nil
}

// untilReached does something again and again while the engine is away, until ctx ends: a daemon that is being restarted is back in
// a moment, and what it was asked for may have been begun.
func untilReached(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, engine.ErrUnreachable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// unmade is why the lock could not be made, with what to do where it is to be the guard, too.
func unmade(err error, spec engine.Spec) error {
	for _, other := range []error{engine.ErrUnreachable, engine.ErrPermission, engine.ErrTooOld, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, other) {
			return err
		}
	}
	if len(spec.Dirs) == 0 {
		return err
	}
	return fmt.Errorf("the guard could not be made: %w; without one, faults stay in force if gameday dies: %s", err, NoGuardHint)
}

// createLock is not cut off by the end of ctx, and removes a lock that was made although the engine's answer got lost: nobody
// else could tell that it holds for nothing.
func createLock(ctx context.Context, e engine.Engine, spec engine.Spec) (id string, err error) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockCallLimit)
	defer cancel()
	id, err = e.Create(own, spec)
	if err == nil || errors.Is(err, engine.ErrConflict) || errors.Is(err, engine.ErrNotFound) {
		return id, err
	}
	clean, cancelClean := context.WithTimeout(context.WithoutCancel(ctx), lockCallLimit)
	defer cancelClean()
	if c, cerr := e.Container(clean, spec.Name); cerr == nil && c.Labels[engine.Label] == spec.Labels[engine.Label] {
		err = errors.Join(err, e.Remove(clean, c.ID))
	}
	return "", err
}

// Open says whether the holder's journal has faults that were not undone. A journal that cannot be read counts as open if it
// has intents all the same; one without them did nothing.
func (h *Holder) Open() bool {
	if h.lost {
		return true // nobody can tell
	}
	rec, err := journal.Read(h.Dir)
	if err != nil {
		return journal.Intended(h.Dir)
	}
	return len(journal.OpenIntents(rec.Events)) > 0
}
