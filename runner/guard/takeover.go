package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gameday/inject/engine"
	"gameday/runner/journal"
)

// takeOver undoes everything until nothing is open and the runner is gone, and then removes the guard's container.
//
// A runner that hangs may come back to life. It finds out that the guard has taken over before it does anything more, and ends;
// until its process has gone the guard stays, as the lock, and then looks once more at all that it had undone.
func (g *Guard) takeOver(ctx context.Context, why string) error {
	seenThere := false // the runner was there when something was undone
	for {
		gone := g.gone() || g.blind()
		left := g.pass(ctx, why)
		if left == 0 && gone && seenThere {
			left = g.verify(ctx)
		}
		seenThere = seenThere || !gone
		var err error
		switch {
		case left > 0:
			err = g.rest(ctx)
		case gone:
			return g.leave(ctx)
		default:
			_, err = g.untilGone(ctx, true)
		}
		if err != nil {
			return err
		}
	}
}

// rest waits before what could not be undone is tried again, unless somebody wants it to be tried now.
func (g *Guard) rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-g.Told:
	case <-time.After(calm):
	}
	return nil
}

// pass undoes what is open, removes the run's helpers, and sums up if there is anything to say. It returns how many faults are
// still open.
func (g *Guard) pass(ctx context.Context, why string) (left int) {
	rec, _ := journal.ReadEvents(g.Dir)
	over := rec != nil && rec.Ended() != nil
	first := !over && !g.announced
	if first {
		// Before the journal is read for good: a runner that comes back to life after this sees it.
		g.hasRead(rec)
		_ = g.note(&journal.Stopping{Why: journal.UndoGuard, Detail: why})
		g.announced = true
	}
	open, rec := g.open(ctx)
	out := UndoAll(ctx, g.Tools, journal.UndoGuard, g.news, open)
	helpers, err := g.sweep(ctx)
	if err != nil {
		fmt.Fprintf(g.Log, "whether helpers are left could not be made sure: %v\n", err)
	}
	if first || len(out.Undone) > 0 {
		g.sumUp(rec, why, out, helpers)
	}
	return len(out.Open)
}

func (g *Guard) hasRead(rec *journal.Record) {
	if rec != nil && g.w != nil {
		g.w.HasRead(rec.Events)
	}
}

// open is what is to be undone: what the journal holds open, or, when it is lost, everything that the run had planned.
func (g *Guard) open(ctx context.Context) ([]journal.OpenIntent, *journal.Record) {
	rec, err := journal.ReadEvents(g.Dir)
	if err == nil {
		g.hasRead(rec)
		return journal.OpenIntents(rec.Events), rec
	}
	if journal.IsRun(g.Dir) && !journal.Intended(g.Dir) {
		return nil, nil // nothing was done
	}
	planned, spared, err := Suspects(ctx, g.Tools.Engine, g.self)
	if err != nil {
		fmt.Fprintln(g.Log, err)
	}
	for _, s := range spared {
		fmt.Fprintln(g.Log, s)
	}
	var open []journal.OpenIntent
	for _, in := range planned {
		if !g.closed[key(in.Fault, in.Container)] {
			open = append(open, in)
		}
	}
	return open, nil
}

func key(fault string, c journal.Ref) string { return fault + "/" + c.ID }

// news notes what has not been said before: what could not be undone is tried again and again.
func (g *Guard) news(p journal.Payload) error {
	g.noting.Lock()
	known := false
	switch p := p.(type) {
	case *journal.UndoStarted:
		_, known = g.failed[key(p.Fault, p.Container)]
	case *journal.UndoFailed:
		known = g.failed[key(p.Fault, p.Container)] == p.Reason
		g.failed[key(p.Fault, p.Container)] = p.Reason
	case *journal.UndoVerified:
		// What somebody does to the container from now on is not undone while others are tried again.
		g.closed[key(p.Fault, p.Container)] = true
	}
	g.noting.Unlock()
	if known {
		return nil
	}
	return g.note(p)
}

// sweep removes the run's helpers, and returns how many are left.
func (g *Guard) sweep(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	return NoHelpers(ctx, g.Tools.Engine, g.Run, 0, func(ctx context.Context) error {
		_, err := Sweep(ctx, g.Tools.Engine, g.Run, func(c engine.Container) bool { return c.ID == g.self.ID })
		return err
	})
}

// sweepAll removes the run's helpers until two looks in a row have found none: what the runner had asked the engine for when it
// ended may come yet. It waits for an engine that is away. Helpers that cannot be removed do not keep the guard.
func (g *Guard) sweepAll(ctx context.Context) error {
	for none := 0; ; {
		limit, cancel := context.WithTimeout(ctx, sweepLimit)
		removed, err := Sweep(limit, g.Tools.Engine, g.Run, func(c engine.Container) bool { return c.ID == g.self.ID })
		cancel()
		switch {
		case err == nil && len(removed) == 0:
			none++
		case err == nil, errors.Is(err, engine.ErrUnreachable):
			none = 0
		default:
			fmt.Fprintf(g.Log, "helpers are left: %v\n", err)
			return ctx.Err()
		}
		if none == 2 {
			return nil
		}
		if err := sleep(ctx, underWay); err != nil {
			return err
		}
	}
}

func (g *Guard) sumUp(rec *journal.Record, why string, out Undone, helpers int) {
	faults := len(out.Undone) + len(out.Open)
	if rec != nil {
		faults = Intents(rec.Events)
	}
	residue := journal.Residue{Faults: faults, Undone: faults - len(out.Open), Open: out.Open, ByHand: out.ByHand, Helpers: helpers}
	end := journal.RunEnded{Outcome: journal.OutcomeInterrupted}
	if residue.Left() {
		end.Outcome = journal.OutcomeResidue
	}
	switch {
	case len(out.Open) > 0:
		end.Detail = why + "; not everything could be undone yet, and the guard keeps trying"
	case len(out.Undone) > 0:
		end.Detail = why + "; what was in force was undone by the guard"
	default:
		end.Detail = why + "; nothing was in force"
	}
	end.ExitCode = end.Outcome.ExitCode()
	if helpers > 0 {
		end.Detail += "; containers of gameday's own are left"
	}
	_ = g.note(&residue)
	_ = g.note(&end)
}

// verify looks once more at everything that the guard has undone while the runner was there: it may have been in the middle of an
// injection. Only what is not in order is written down.
func (g *Guard) verify(ctx context.Context) (left int) {
	rec, err := journal.ReadEvents(g.Dir)
	if err != nil {
		return 0
	}
	var own []journal.Event
	for _, e := range rec.Events {
		if !e.Guard {
			own = append(own, e)
		}
	}
	quiet := func(p journal.Payload) error {
		if _, ok := p.(*journal.UndoFailed); ok {
			return g.news(p)
		}
		return nil
	}
	return len(UndoAll(ctx, g.Tools, journal.UndoGuard, quiet, journal.OpenIntents(own)).Open)
}

// leave removes what is left of the run's helpers and then the guard's own container, which ends the process that does so. While
// the engine is away it tries again.
func (g *Guard) leave(ctx context.Context) error {
	if err := g.sweepAll(ctx); err != nil {
		return err
	}
	if g.w != nil {
		_ = g.w.Close()
	}
	journal.RemoveBeats(g.Dir)
	for {
		if err := g.Tools.Engine.Remove(ctx, g.self.ID); err == nil || ctx.Err() != nil {
			return err
		}
		if err := sleep(ctx, again); err != nil {
			return err
		}
	}
}

// sleep waits, or returns the error of ctx when that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
