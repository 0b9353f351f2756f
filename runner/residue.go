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
		out.Helpers, err = guard.NoHelpers(ctx, r.setup.Engine, r.id, 0, func(ctx context.Context) error {
			return errors.Join(inject.Sweep(ctx, r.setup.Tools, r.id), removeAborts(ctx, r.setup.Engine, r.id))
		})
		return err
	})
	if err != nil {
		r.keep(fmt.Errorf("whether helper containers are left could not be made sure: %w; look with docker ps -a --filter label=%s=%s", err, engine.Label, r.id))
	}
	return out
}
