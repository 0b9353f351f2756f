package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// Recovered says what a recovery did for one run.
type Recovered struct {
	Run     string   `json:"run"`
	Dir     string   `json:"dir,omitempty"`
	Undone  []string `json:"undone"`            // in words, one per fault and container
	Open    []string `json:"open,omitempty"`    // what could not be undone, and why
	ByHand  []string `json:"by_hand,omitempty"` // the commands for it
	Removed []string `json:"removed,omitempty"` // gameday's own containers
	Helpers int      `json:"helpers,omitempty"` // of those, how many are there all the same
	Damage  []string `json:"damage,omitempty"`  // what of the record could not be read
	Notes   []string `json:"notes,omitempty"`   // what a person should know, where there was no record to go by
}

// Recover undoes what a run whose runner has gone left behind: its journal's open intents, its helpers, its lock. It fails with
// journal.ErrBusy while the runner is there, and with *LockedError where there is something to undo while another run is going on.
// All of it may be done again.
func Recover(ctx context.Context, s Setup, dir string) (Recovered, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Recovered{}, err
	}
	out := Recovered{Run: filepath.Base(abs), Dir: abs}
	rec, err := journal.Read(abs)
	if err != nil {
		// Without a first event nothing was done, but helpers may be there.
		busy, berr := journal.Busy(abs)
		if berr == nil && busy {
			return out, fmt.Errorf("%s: %w: its runner is alive; end it with `gameday abort`", out.Run, journal.ErrBusy)
		}
		out.Damage = append(out.Damage, err.Error())
		if journal.Intended(abs) {
			if lock, lerr := lockOf(ctx, s, out.Run); lerr != nil {
				return out, lerr
			} else if lock != nil && lock.Labels[guard.UndosLabel] != "" {
				labels, lerr := RecoverRun(ctx, s, out.Run)
				labels.Dir, labels.Damage = out.Dir, out.Damage
				return labels, lerr
			}
			return out, fmt.Errorf("%s speaks of faults, but cannot be read from its beginning: look at each container that it names (docker ps -a), put it back by hand, then remove the run directory and the lock (docker rm -f %s)",
				filepath.Join(abs, journal.FileName), s.lockName())
		}
		return out, out.sweep(ctx, s, out.Run, true)
	}
	for _, d := range rec.Damage {
		out.Damage = append(out.Damage, fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.What))
	}
	open := journal.OpenIntents(rec.Events)
	if len(open) > 0 {
		if err := nobodyElse(ctx, s, rec.Started().Run); err != nil {
			return out, err
		}
	}
	w, unwritten := journal.Reopen(abs, "recover")
	if busy, berr := journal.Busy(abs); errors.Is(unwritten, journal.ErrBusy) || w == nil && berr == nil && busy {
		return out, fmt.Errorf("%s: its runner is alive; end it with `gameday abort`: %w", out.Run, journal.ErrBusy)
	}
	if unwritten != nil {
		// Whether it can be written down must not decide whether it is done.
		out.Damage = append(out.Damage, "what the recovery does cannot be added to the record: "+unwritten.Error())
	} else {
		defer w.Close()
	}
	note := func(p journal.Payload) error {
		if w == nil {
			return nil
		}
		_, err := w.Commit(p)
		return err
	}
	intents := guard.Intents(rec.Events)
	out.take(guard.UndoAll(ctx, s.Tools, journal.UndoRecover, note, open))
	err = out.sweep(ctx, s, rec.Started().Run, rec.Ended() == nil)
	end := rec.Ended()
	if end == nil || end.Outcome == journal.OutcomeResidue || len(out.Undone)+len(out.Open) > 0 {
		outcome, detail := journal.OutcomeInterrupted, "the runner had gone; what it left in force was undone by gameday recover"
		residue := &journal.Residue{Faults: intents, Undone: intents - len(out.Open), Open: out.Open, ByHand: out.ByHand, Helpers: out.Helpers}
		if len(out.Undone)+len(out.Open) == 0 && end != nil {
			detail = "what was left of gameday's own containers was removed by gameday recover"
		}
		if residue.Left() {
			outcome = journal.OutcomeResidue
		}
		err = errors.Join(err, note(residue), note(&journal.RunEnded{Outcome: outcome, ExitCode: ExitCode(outcome), Detail: detail}))
	}
	return out, errors.Join(err, unwritten)
}

// nobodyElse fails with *LockedError while another run holds the lock and its runner or its guard is there. Some undos clean up all
// that they find, such as rules for packets, and cannot tell one run's from another's; and whatever they change, somebody is
// watching.
func nobodyElse(ctx context.Context, s Setup, run string) error {
	h, err := locked(ctx, s.Engine, s.lockName())
	if err != nil || h == nil || h.Run == run || !h.Alive && h.Guard != GuardUp {
		return err
	}
	return fmt.Errorf("%s is not recovered now, because that could take away a fault of a run that is going on: %w", run, &LockedError{*h})
}

func (r *Recovered) take(u guard.Undone) {
	r.Undone, r.Open, r.ByHand = append(r.Undone, u.Undone...), append(r.Open, u.Open...), append(r.ByHand, u.ByHand...)
}

// lastMoments are those of a run whose requests to the engine may be under way still.
const lastMoments = 2 * time.Second

// sweep removes the containers that gameday made for itself in a run, and counts what is left of them. The lock is among them unless
// something is open: over that it keeps the next run from starting. What a run that was cut off had asked the engine for in its last
// moments may come only now.
func (r *Recovered) sweep(ctx context.Context, s Setup, run string, cutOff bool) (err error) {
	keepLock := len(r.Open) > 0
	underWay := time.Duration(0)
	if cutOff {
		underWay = lastMoments
	}
	r.Helpers, err = guard.NoHelpers(ctx, s.Engine, run, underWay, func(ctx context.Context) error {
		removed, err := guard.Sweep(ctx, s.Engine, run, func(c engine.Container) bool { return keepLock && c.Labels[engine.RoleLabel] == guard.RoleLock })
		r.Removed = append(r.Removed, removed...)
		return err
	})
	return err
}

// Left says whether anything is, so that a person is needed.
func (r *Recovered) Left() bool { return len(r.Open) > 0 || r.Helpers > 0 }

// Unrecovered lists the run directories that need a recovery: faults open in the journal, and no runner at it. The lock's own
// run is among them even when it lies elsewhere.
func Unrecovered(ctx context.Context, s Setup) ([]string, error) {
	dirs, err := journal.Runs(s.Runs)
	if err != nil {
		return nil, err
	}
	var out []string
	seen := map[string]bool{}
	add := func(dir string) {
		abs, err := filepath.Abs(dir)
		if err != nil || seen[abs] {
			return
		}
		seen[abs] = true
		out = append(out, abs)
	}
	if h, err := locked(ctx, s.Engine, s.lockName()); err != nil {
		return nil, err
	} else if h != nil && !h.Alive && !h.lost && h.Open() {
		add(h.Dir)
	}
	for _, d := range dirs {
		rec, err := journal.Read(d)
		if err != nil || len(journal.OpenIntents(rec.Events)) == 0 {
			continue
		}
		if busy, err := journal.Busy(d); err == nil && !busy {
			add(d)
		}
	}
	return out, nil
}
