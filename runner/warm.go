package runner

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"gameday/inject"
)

// warmers is how many helpers are started at the same time.
const warmers = 4

// warmUp starts the helpers of faults that have some, while the baseline is watched. One that cannot be started is started again
// when its fault is prepared, and that error counts.
func (r *Run) warmUp(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() {
		ctx, cancel := r.untilStopped(ctx)
		defer cancel()
		var g errgroup.Group
		g.SetLimit(warmers)
		if slices.ContainsFunc(r.plan.Faults, func(f PlannedFault) bool { return slices.ContainsFunc(f.Steps, inject.ComparesSpace) }) {
			g.Go(func() error {
				_ = inject.WarmReach(ctx, r.setup.Tools, r.id)
				return nil
			})
		}
		for _, f := range r.plan.Faults {
			k, _ := inject.Lookup(f.Fault.Kind)
			w, ok := k.(inject.Warmer)
			if !ok {
				continue
			}
			for _, s := range f.Steps {
				g.Go(func() error {
					if ctx.Err() == nil {
						_ = w.Warm(ctx, r.setup.Tools, s)
					}
					return nil
				})
			}
		}
		_ = g.Wait()
	})
}
