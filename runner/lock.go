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

// LockName is the name of the container that is the lock: an engine refuses a second one of the same name. It never runs.
const LockName = "gameday-lock"

// abortPrefix and a run's id are the name of the container by which any terminal with access to the engine asks that run to stop.
const abortPrefix = "gameday-abort-"

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
	lost  bool      // it ran on this machine, and both the process and its record are gone
	id    string
	image string
}

// A LockedError says that another run holds the lock.
type LockedError struct{ Holder Holder }

func (e *LockedError) Error() string {
	h := e.Holder
	msg := fmt.Sprintf("another run holds the lock of this Docker engine: %s, since %s, process %d on %s", h.Run, h.Since.UTC().Format(time.RFC3339), h.PID, h.Host)
	switch {
	case h.Alive && h.Here:
		return msg + "; wait for it, or end it with `gameday abort`"
	case h.lost:
		return msg + fmt.Sprintf("; that process has gone, and its record (%s) with it: look at the containers that it may have changed (docker ps -a), put them back, then remove the lock: docker rm -f %s", h.Dir, LockName)
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
	pid, _ := strconv.Atoi(c.Labels[labelPID])
	h := &Holder{Run: c.Labels[engine.Label], Host: c.Labels[labelHost], PID: pid, Dir: c.Labels[labelDir], Since: c.Created, id: c.ID, image: c.Image}
	host, _ := os.Hostname()
	h.Here = host == h.Host && journal.IsRun(h.Dir)
	h.Alive = true
	if h.Here {
		busy, err := journal.Busy(h.Dir)
		if err != nil {
			return nil, err
		}
		h.Alive = busy
	} else if host == h.Host && pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		h.Alive, h.lost = false, true
	}
	return h, nil
}

// lock takes the lock, or fails with *LockedError when another run holds it for longer than the set-up is to wait.
func lock(ctx context.Context, s Setup, run, dir string) (release func(context.Context) error, err error) {
	for end := time.Now().Add(s.Wait); ; {
		release, err := tryLock(ctx, s, run, dir)
		var held *LockedError
		if !errors.As(err, &held) || !held.Holder.Alive || time.Now().After(end) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// tryLock takes the lock once. A lock whose runner has gone without leaving a fault open is taken over.
func tryLock(ctx context.Context, s Setup, run, dir string) (release func(context.Context) error, err error) {
	host, _ := os.Hostname()
	name := s.lockName()
	spec := engine.Spec{Name: name, Cmd: []string{"version"}, Network: "none", Labels: map[string]string{
		engine.Label: run, engine.RoleLabel: guard.RoleLock, labelHost: host, labelPID: strconv.Itoa(os.Getpid()), labelDir: dir,
	}}
	for range 3 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if spec.Image, err = s.Tools.Helper(ctx); err != nil {
			return nil, err
		}
		id, err := createLock(ctx, s.Engine, spec)
		if errors.Is(err, engine.ErrNotFound) {
			continue // another gameday's end has just removed the image
		}
		if err == nil {
			return func(ctx context.Context) error { return s.Engine.Remove(ctx, id) }, nil
		}
		if !errors.Is(err, engine.ErrConflict) {
			return nil, err
		}
		h, err := locked(ctx, s.Engine, name)
		if err != nil {
			return nil, err
		}
		if h == nil {
			continue // it went in between
		}
		if h.Alive || h.open() {
			return nil, &LockedError{*h}
		}
		if err := s.Engine.Remove(ctx, h.id); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the lock of this Docker engine changes hands too quickly; try again")
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

// open says whether the holder's journal has faults that were not undone. A journal that cannot be read counts as open if it
// has intents all the same; one without them did nothing.
func (h *Holder) open() bool {
	if h.lost {
		return true // nobody can tell
	}
	rec, err := journal.Read(h.Dir)
	if err != nil {
		return journal.Intended(h.Dir)
	}
	return len(journal.OpenIntents(rec.Events)) > 0
}

// Abort asks the run that holds the lock to stop, and waits until it has undone everything and let go, or ctx ends.
func Abort(ctx context.Context, e engine.Engine) (*Holder, error) { return abort(ctx, e, LockName) }

func abort(ctx context.Context, e engine.Engine, lock string) (*Holder, error) {
	h, err := locked(ctx, e, lock)
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, nil
	}
	if !h.Alive {
		return h, fmt.Errorf("the runner of %s has gone; put things back with `%s`", h.Run, journal.RecoverCommand(h.Dir))
	}
	spec := engine.Spec{Name: abortPrefix + h.Run, Image: h.image, Cmd: []string{"version"}, Network: "none",
		Labels: map[string]string{engine.Label: h.Run, engine.RoleLabel: guard.RoleAbort}}
	// The request of an earlier abort may have been overlooked: being made is what is noticed.
	if err := e.Remove(ctx, spec.Name); err != nil {
		return h, err
	}
	if _, err := e.Create(ctx, spec); err != nil && !errors.Is(err, engine.ErrConflict) {
		return h, err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockCallLimit)
		defer cancel()
		_ = removeAborts(clean, e, h.Run) // the run does it too
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := locked(ctx, e, lock)
		if err == nil && (now == nil || now.Run != h.Run) {
			return h, nil
		}
		if err == nil && !now.Alive {
			return now, fmt.Errorf("the runner of %s has gone meanwhile; put things back with `%s`", h.Run, journal.RecoverCommand(h.Dir))
		}
		select {
		case <-ctx.Done():
			return h, fmt.Errorf("asked %s to stop, but it still holds the lock; look at its terminal (process %d on %s)", h.Run, h.PID, h.Host)
		case <-tick.C:
		}
	}
}

// removeAborts removes the request to stop a run; none is no error.
func removeAborts(ctx context.Context, e engine.Engine, run string) error {
	return e.Remove(ctx, abortPrefix+run)
}
