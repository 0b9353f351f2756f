package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// lateHelpers is for how long helpers that are still there after all were removed are removed again.
const lateHelpers = 5 * time.Second

// residue says what was left behind, after removing gameday's own helpers.
func (r *Run) residue() journal.Residue {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out := journal.Residue{Faults: r.intents, Undone: r.intents - len(r.open)}
	for _, k := range r.faultOrder {
		if o, ok := r.open[k]; ok {
			out.Open = append(out.Open, o.what)
			out.ByHand = append(out.ByHand, o.byHand)
		}
	}
	err := untilReached(ctx, func() (err error) {
		err = errors.Join(inject.Sweep(ctx, r.setup.Tools, r.id), removeAborts(ctx, r.setup.Engine, r.id))
		out.Helpers, err = guard.CountHelpers(ctx, r.setup.Engine, r.id, err)
		return err
	})
	// What the engine was asked for late may still come, and what it is removing is still there for a moment.
	for end := time.Now().Add(lateHelpers); err == nil && out.Helpers > 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = inject.Sweep(ctx, r.setup.Tools, r.id); err == nil {
			out.Helpers, err = guard.CountHelpers(ctx, r.setup.Engine, r.id, nil)
		}
	}
	if err != nil {
		r.keep(fmt.Errorf("whether helper containers are left could not be made sure: %w; look with docker ps -a --filter label=%s=%s", err, engine.Label, r.id))
	}
	return out
}
