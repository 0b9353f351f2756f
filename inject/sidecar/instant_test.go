package sidecar

import (
	"testing"
	"time"
)

func TestWaitUntil(t *testing.T) {
	t.Run("is never early", func(t *testing.T) {
		for _, ahead := range []time.Duration{0, time.Millisecond, 2 * asleep} {
			at := time.Now().Add(ahead)
			if waitUntil(at, nil); time.Now().Before(at) {
				t.Errorf("%s ahead: %s early", ahead, time.Until(at))
			}
		}
	})
	t.Run("past", func(t *testing.T) { waitUntil(time.Now().Add(-time.Hour), nil) })
	t.Run("taken back", func(t *testing.T) {
		gone := make(chan struct{})
		close(gone)
		waitUntil(time.Now().Add(time.Hour), gone)
	})
}
