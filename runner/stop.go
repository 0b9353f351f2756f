package runner

import (
	"sync"
	"time"

	"gameday/runner/journal"
)

// A stop is the end of a run before its time; the first reason counts.
type stop struct {
	mu     sync.Mutex
	ch     chan struct{}
	reason journal.UndoWhy
	detail string
	leave  bool // a person asked after a guardrail did, or the guard took over: do not watch the recovery either
}

func newStop() *stop { return &stop{ch: make(chan struct{})} }

// now ends the run and says whether this was the first reason.
func (s *stop) now(why journal.UndoWhy, detail string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		if s.reason == journal.UndoGuardrail && (why == journal.UndoInterrupted || why == journal.UndoGuard) {
			// A person who has had enough need not watch the recovery, and after a guard that has taken over there is none.
			s.leave = true
		}
		return false
	}
	s.reason, s.detail = why, detail
	close(s.ch)
	return true
}

func (s *stop) why() (journal.UndoWhy, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason, s.detail
}

func (s *stop) is() bool {
	why, _ := s.why()
	return why != ""
}

// sleep waits, or until the run is ended; it says whether it waited to the end.
func (s *stop) sleep(d time.Duration) bool {
	if s.is() {
		return false
	}
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return !s.is()
	case <-s.ch:
		return false
	}
}

// linger waits, even when a guardrail has ended the run: the recovery after it is worth watching. Any other end is heeded.
func (s *stop) linger(d time.Duration) {
	end := time.Now().Add(d)
	for time.Now().Before(end) {
		s.mu.Lock()
		leave := s.leave || s.reason != "" && s.reason != journal.UndoGuardrail
		s.mu.Unlock()
		if leave {
			return
		}
		time.Sleep(min(50*time.Millisecond, max(time.Until(end), 0)))
	}
}
