package runner

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/fake"
	"gameday/runner/journal"
)

// Of what happens while the stream of events is broken, a kill for want of memory is told when it is taken up again, once: all else is
// seen by looking.
func TestWatcherOverABreak(t *testing.T) {
	f := fake.New()
	c := f.AddContainer(engine.Container{Name: "a", RestartPolicy: "always"})
	events, from, err := f.Events(t.Context(), time.Time{})
	must(t, err)
	var mu sync.Mutex
	var told []string
	again := make(chan struct{}, 10)
	w := &watcher{engine: f, last: from, from: from, reach: map[string]string{c.ID: c.Name}, target: map[string]bool{},
		changed: func(tc journal.TargetChanged) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, tc.Change)
		},
		started: func(id string) {
			if id == "" {
				again <- struct{}{}
			}
		}, abort: func() {}, lost: func(error) {}}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.follow(ctx, events) })
	defer wg.Wait()
	defer cancel()
	must(t, f.Pause(ctx, c.ID))
	must(t, f.Unpause(ctx, c.ID))
	for i := range 2 {
		f.Disconnect()
		if i == 0 {
			must(t, f.OOM(c.ID)) // and it dies and is started
		}
		f.Reconnect()
		select {
		case <-again:
		case <-time.After(30 * time.Second):
			t.Fatal("the events are not taken up again")
		}
	}
	must(t, f.Pause(ctx, c.ID))
	want := []string{"paused", "unpaused", "oom", "paused"}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		got := slices.Clone(told)
		mu.Unlock()
		if len(got) >= len(want) || time.Now().After(end) {
			if !slices.Equal(got, want) {
				t.Errorf("told was %q, want %q", got, want)
			}
			return
		}
	}
}
