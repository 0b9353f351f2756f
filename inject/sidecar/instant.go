package sidecar

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// The runtime's timers wake up to a millisecond late, because the kernel's poll counts in milliseconds. The last of the wait is
// therefore slept by a thread of its own.
const (
	asleep = 3 * time.Millisecond
	// Several sidecars may act at one instant. What it costs to say that it is done, here, in the daemon and in the runner, would take the
	// processors from those that are still to be woken, so that they would be late; nobody speaks before all have had the time.
	hushed = 15 * time.Millisecond
)

// waitUntil returns at an instant, or earlier when gone is closed (in the last milliseconds it is not looked at any more).
func waitUntil(at time.Time, gone <-chan struct{}) {
	t := time.NewTimer(time.Until(at) - asleep)
	defer t.Stop()
	select {
	case <-t.C:
	case <-gone:
		return
	}
	if left := time.Until(at); left > 0 {
		ts := unix.NsecToTimespec(left.Nanoseconds())
		runtime.LockOSThread()
		_ = unix.Nanosleep(&ts, nil) // cut short by a signal: the rest is slept as usual
		runtime.UnlockOSThread()
	}
	time.Sleep(time.Until(at))
}

// hush waits until all that acts at an instant has had the time to, or until gone is closed.
func hush(at time.Time, gone <-chan struct{}) {
	t := time.NewTimer(time.Until(at.Add(hushed)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-gone:
	}
}
