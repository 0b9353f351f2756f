package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"gameday/inject"
	"gameday/inject/engine"
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
	Damage  []string `json:"damage,omitempty"`  // what of the record could not be read
}

// Recover undoes what a run whose runner has gone left behind: its journal's open intents, its helpers, its lock. It fails with
// journal.ErrBusy while the runner is there. All of it may be done again.
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
		if intended(abs) {
			return out, fmt.Errorf("%s speaks of faults, but cannot be read from its beginning: look at each container that it names (docker ps -a), put it back by hand, then remove the run directory and the lock (docker rm -f %s)",
				filepath.Join(abs, journal.FileName), s.lockName())
		}
		out.Removed, err = sweep(ctx, s, out.Run, false)
		return out, err
	}
	for _, d := range rec.Damage {
		out.Damage = append(out.Damage, fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.What))
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
	intents := 0
	for _, e := range rec.Events {
		if _, ok := e.Payload.(*journal.FaultIntent); ok {
			intents++
		}
	}
	undoAll(ctx, s, note, journal.OpenIntents(rec.Events), &out)
	out.Removed, err = sweep(ctx, s, rec.Started().Run, len(out.Open) > 0)
	if rec.Ended() == nil || len(out.Undone)+len(out.Open) > 0 {
		outcome, detail := journal.OutcomeInterrupted, "the runner had gone; what it left in force was undone by gameday recover"
		if len(out.Open) > 0 {
			outcome = journal.OutcomeResidue
		}
		residue := &journal.Residue{Faults: intents, Undone: intents - len(out.Open), Open: out.Open, ByHand: out.ByHand}
		residue.Helpers, err = countHelpers(ctx, s.Engine, rec.Started().Run, err)
		err = errors.Join(err, note(residue), note(&journal.RunEnded{Outcome: outcome, ExitCode: ExitCode(outcome), Detail: detail}))
	}
	return out, errors.Join(err, unwritten)
}

// undoAll undoes what is open: each container's faults newest first, the containers side by side, so that none stays broken
// for as long as another one takes.
func undoAll(ctx context.Context, s Setup, note func(journal.Payload) error, open []*journal.FaultIntent, out *Recovered) {
	results := make([]Recovered, len(open))
	before := map[string]chan struct{}{} // by container: closed when the undo before has been tried
	var wg sync.WaitGroup
	for i, in := range open {
		turn, done := before[in.Container.ID], make(chan struct{})
		before[in.Container.ID] = done
		wg.Go(func() {
			defer close(done)
			if turn != nil {
				<-turn
			}
			undoIntent(ctx, s, note, in, &results[i])
		})
	}
	wg.Wait()
	for _, r := range results {
		out.Undone = append(out.Undone, r.Undone...)
		out.Open = append(out.Open, r.Open...)
		out.ByHand = append(out.ByHand, r.ByHand...)
	}
}

func undoIntent(ctx context.Context, s Setup, note func(journal.Payload) error, in *journal.FaultIntent, out *Recovered) {
	what := fmt.Sprintf("fault.%s on %s", in.Fault, in.Container.Name)
	var u inject.Undo
	proof := inject.Proof{}
	err := json.Unmarshal(in.Undo, &u)
	if err == nil {
		// Whether this can be written must not decide whether it is done.
		_ = note(&journal.UndoStarted{Fault: in.Fault, Container: in.Container, Why: journal.UndoRecover})
		limit, cancel := context.WithTimeout(ctx, inject.UndoLimit(u))
		proof, err = inject.Perform(limit, s.Tools, u)
		cancel()
	}
	if err != nil {
		by := inject.ByHand(u)
		if by == "" {
			by = in.UndoWords // its data cannot be read
		}
		out.Open = append(out.Open, what+": "+err.Error())
		out.ByHand = append(out.ByHand, by)
		_ = note(&journal.UndoFailed{Fault: in.Fault, Container: in.Container, Reason: err.Error(), ByHand: by})
		return
	}
	out.Undone = append(out.Undone, what+": "+proof.Seen)
	_ = note(&journal.UndoVerified{Fault: in.Fault, Container: in.Container, Seen: proof.Seen, At: proof.At.UTC(), Differences: proof.Differences})
}

// sweep removes the containers that gameday made for itself in a run. The lock is among them unless it is to be kept: over
// faults that are still open it keeps the next run from starting.
func sweep(ctx context.Context, s Setup, run string, keepLock bool) (removed []string, err error) {
	all, err := s.Engine.Containers(ctx)
	if err != nil {
		return nil, err
	}
	images := map[string]bool{}
	for _, c := range all {
		if keepLock && c.Labels[engine.RoleLabel] == roleLock {
			continue
		}
		if c.Labels[engine.Label] == run && c.Own() {
			if rerr := s.Engine.Remove(ctx, c.ID); rerr != nil {
				err = errors.Join(err, rerr)
				continue
			}
			removed = append(removed, c.Name)
			images[c.Image] = true
		}
	}
	for tag := range images {
		// Its runner would have removed it. The engine keeps one that a container still uses, and a later run makes it again.
		if strings.HasPrefix(tag, engine.HelperRepository+":") {
			_ = s.Engine.RemoveImage(ctx, tag)
		}
	}
	return removed, err
}

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
	} else if h != nil && !h.Alive && h.open() {
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
