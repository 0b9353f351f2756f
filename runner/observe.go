package runner

import (
	"sync"
	"time"

	"gameday/runner/journal"
)

// leaveLimit is how long the end of a run waits for its observer.
const leaveLimit = 5 * time.Second

// An audience tells an observer of a run's events in their order, from a goroutine of its own: a terminal that takes nothing
// more must not keep an undo waiting.
type audience struct {
	tell func(journal.Event)

	mu    sync.Mutex
	queue []journal.Event
	more  chan struct{} // a hint that the queue is not empty
	done  chan struct{} // closed when everything was told
}

func newAudience(tell func(journal.Event)) *audience {
	a := &audience{tell: tell, more: make(chan struct{}, 1), done: make(chan struct{})}
	go a.run()
	return a
}

func (a *audience) run() {
	defer close(a.done)
	for range a.more {
		a.mu.Lock()
		queue := a.queue
		a.queue = nil
		a.mu.Unlock()
		for _, ev := range queue {
			a.tell(ev)
		}
	}
}

func (a *audience) add(ev journal.Event) {
	a.mu.Lock()
	a.queue = append(a.queue, ev)
	a.mu.Unlock()
	select {
	case a.more <- struct{}{}:
	default:
	}
}

// leave waits until everything was told, but not for an observer that does not return. Nothing may be added any more.
func (a *audience) leave() {
	close(a.more)
	select {
	case <-a.done:
	case <-time.After(leaveLimit):
	}
}
