package guard

import (
	"time"

	"gameday/runner/journal"
)

// Silence is how long a guard may give no sign of life before it counts as one that is not there.
const Silence = 5 * time.Second

// A Life is what the runner sees of its guard.
type Life struct {
	last   string
	silent time.Duration
}

// Seen says whether the guard is there: its process, and its signs of life. It is to be called every Beat: only time in which the
// runner itself was running counts.
func (l *Life) Seen(dir string) bool {
	beat, err := journal.LastBeat(dir, journal.GuardBeat)
	if err == nil && beat != l.last {
		l.last, l.silent = beat, 0
	} else {
		l.silent += Beat
	}
	busy, err := journal.GuardBusy(dir)
	return err == nil && busy && l.silent < Silence
}
