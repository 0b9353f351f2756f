package report

import (
	"slices"
	"time"

	"gameday/runner/journal"
)

// hindsight is how long after the time that it speaks of a note may be written down and still show what was known at that time.
const hindsight = 30 * time.Second

// late says that a note was written down so long after the time that it speaks of that what it tells may not have been known then.
func late(n spoken[*journal.Note]) bool { return n.at.Sub(about(n)) > hindsight }

// A word is something that somebody said, of whatever kind, and when they said it: what it speaks of may have been long before.
type word struct {
	at time.Time
	id string
}

// silent is what a row is about that tells of a time without a word.
const silent = "silence"

// knownColumn is the column of the timeline that tells what was visible at the time of a row from what is known of it since.
const knownColumn = "Known then?"

// knownThen says whether the record shows that what a moment tells was visible at the time: as a note of that time, a step that
// somebody confirmed, or an alert that fired.
func (f *facts) knownThen(m moment) Phrase {
	if m.of == silent {
		return words("–")
	}
	n := f.noteOf(m.id)
	switch {
	case n != nil && late(*n):
		return words("noted at {}", At(n.at))
	case n != nil || m.seen:
		return words("yes")
	}
	return words("–")
}

// noteOf is the note with an evidence id; nil: it is none.
func (f *facts) noteOf(id string) *spoken[*journal.Note] {
	if i := slices.IndexFunc(f.notes, func(n spoken[*journal.Note]) bool { return n.id == id }); i >= 0 {
		return &f.notes[i]
	}
	return nil
}

// howKnown says what stands in that column.
func (f *facts) howKnown() Para {
	return Para{say(cite(f.first, f.last), "Known then is what was noted within half a minute of its time, a step that somebody confirmed, and an alert that fired. Of the other rows the record does not show who saw it at the time.")}
}
