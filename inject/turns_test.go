package inject

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Those that begin together go by their addresses, one at a time.
func TestTurnsGoByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := turnstile{lines: map[string]*line{}}
		var mu sync.Mutex
		var order []string
		busy := 0
		var wg sync.WaitGroup
		for _, a := range []string{"10.0.0.9", "10.0.0.10", "10.0.0.2"} {
			wg.Go(func() {
				turn := s.join("n", netip.MustParseAddr(a))
				defer turn.leave()
				if err := turn.take(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				busy++
				if busy > 1 {
					t.Error("two have their turn")
				}
				order = append(order, a)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				busy--
				mu.Unlock()
			})
		}
		wg.Go(func() { // another network is no concern
			turn := s.join("m", last)
			defer turn.leave()
			if err := turn.take(t.Context()); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if want := []string{"10.0.0.2", "10.0.0.9", "10.0.0.10"}; !slices.Equal(order, want) {
			t.Errorf("the order is %q, want %q", order, want)
		}
		if len(s.lines) > 0 {
			t.Errorf("left: %v", s.lines)
		}
	})
}

// However long each takes, those that want their turn get it by their addresses, also if they come one after the other.
func TestTurnsStayInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := turnstile{lines: map[string]*line{}}
		const many = 20
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := many; i > 0; i-- {
			wg.Go(func() {
				turn := s.join("n", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
				defer turn.leave()
				if err := turn.take(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(lowerFirst)
			})
			time.Sleep(gather / 2)
		}
		wg.Wait()
		if len(order) != many || !slices.IsSorted(order) {
			t.Errorf("the order is %v", order)
		}
	})
}

// One that never comes to its turn holds the others up for a while only, and a wait ends with its context.
func TestTurnsDoNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := turnstile{lines: map[string]*line{}}
		idle := s.join("n", netip.MustParseAddr("10.0.0.2"))
		turn := s.join("n", netip.MustParseAddr("10.0.0.3"))
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := turn.take(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("take returned %v", err)
		}
		began := time.Now()
		if err := turn.take(t.Context()); err != nil || time.Since(began) > lowerFirst {
			t.Errorf("take returned %v after %v", err, time.Since(began))
		}
		turn.leave()
		turn.leave()
		if err := idle.take(t.Context()); err != nil {
			t.Error(err)
		}
		idle.leave()
		if err := turn.take(t.Context()); err != nil { // joins again
			t.Error(err)
		}
		turn.leave()
	})
}
