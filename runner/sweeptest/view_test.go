package sweeptest

import (
	"sync"
	"time"
)

// A view is what is seen of a target while it is looked at again and again.
type view struct {
	mu     sync.Mutex
	seen   time.Time // when it showed the fault last
	healed time.Time // when it did not, for the first time after that
}

func (w *view) look(x *target, d deed) {
	is := d.seen(x)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch now := time.Now(); {
	case is:
		w.seen, w.healed = now, time.Time{}
	case w.healed.IsZero():
		w.healed = now
	}
}

// shows says whether it showed the fault when it was looked at last.
func (w *view) shows() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.seen.IsZero() && w.healed.IsZero()
}

// view begins to look at the targets, until the trial is over.
func (v *trial) view() {
	v.views, v.blind = []*view{}, make(chan struct{})
	for _, x := range v.targets {
		w := &view{}
		v.views = append(v.views, w)
		own := *x // the process id that it remembers is its own
		v.viewing.Go(func() {
			for {
				w.look(&own, v.k.deed)
				select {
				case <-v.blind:
					return
				case <-time.After(max(look, v.every)):
				}
			}
		})
	}
}

// endView looks no more, and returns how long after the kill each target that showed the fault did so no longer.
func (v *trial) endView() (healed []time.Duration) {
	if v.views == nil {
		return nil
	}
	close(v.blind)
	v.viewing.Wait()
	for _, w := range v.views {
		if !w.seen.IsZero() && w.healed.After(v.killed) {
			healed = append(healed, w.healed.Sub(v.killed))
		}
	}
	v.views = nil
	return healed
}
