package guard

import (
	"context"
	"errors"
	"strings"
	"time"

	"gameday/inject/engine"
)

// Sweep removes the containers that gameday made for itself in a run, but for those to be kept, and then the helper images that
// no other gameday uses: a later run makes them again.
func Sweep(ctx context.Context, e engine.Engine, run string, keep func(engine.Container) bool) (removed []string, err error) {
	all, err := e.Containers(ctx)
	if err != nil {
		return nil, err
	}
	images := map[string]bool{}
	for _, c := range all {
		if c.Labels[engine.Label] != run || !c.Own() || keep(c) {
			continue
		}
		if rerr := e.Remove(ctx, c.ID); rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		removed = append(removed, c.Name)
		images[c.Image] = true
	}
	for tag := range images {
		if strings.HasPrefix(tag, engine.HelperRepository+":") {
			_ = e.RemoveImage(ctx, tag) // refused while a container uses it
		}
	}
	return removed, err
}

// late is for how long helpers that are still there after all were removed are removed again: what the engine was asked for late may
// still come, and what it is removing is still there for a moment.
const late = 5 * time.Second

// NoHelpers removes what gameday made for a run, and returns how many are there all the same: that is residue. It goes on for as long as
// requests of the run's own may be under way still.
func NoHelpers(ctx context.Context, e engine.Engine, run string, underWay time.Duration, remove func(context.Context) error) (left int, err error) {
	began := time.Now()
	for end := began.Add(late); ; {
		left, err = countHelpers(ctx, e, run, remove(ctx))
		if err != nil || left == 0 && time.Since(began) >= underWay || time.Now().After(end) || sleep(ctx, late/25) != nil {
			return left, err
		}
	}
}

// countHelpers counts what gameday made for a run and is still there, but for the lock and a request to stop. It joins what went
// wrong to an earlier error.
func countHelpers(ctx context.Context, e engine.Engine, run string, earlier error) (int, error) {
	all, err := e.Containers(ctx)
	n := 0
	for _, c := range all {
		if role := c.Labels[engine.RoleLabel]; c.Labels[engine.Label] == run && c.Own() && role != RoleLock && role != RoleAbort {
			n++
		}
	}
	return n, errors.Join(earlier, err)
}
