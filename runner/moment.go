package runner

import (
	"fmt"
	"strings"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// Moments are the instants of a recorded run that people have names for.
type Moments struct {
	Zero                    time.Time // T+0: from when the starts of the faults count; the start where there was none
	Start, Fault, Undo, End time.Time // Fault and Undo are zero where the run did not come so far
}

// MomentsOf finds them in a record.
func MomentsOf(rec *journal.Record) Moments {
	h := Recall(rec)
	m := Moments{Zero: h.Start, Start: h.Start, Fault: h.FaultStart, Undo: h.LastUndo, End: h.End}
	for _, e := range rec.Events {
		p, ok := e.Payload.(*journal.PhaseStarted)
		if ok && p.Phase == journal.Fault {
			if m.Zero = e.Time; p.Zero != nil {
				m.Zero = *p.Zero
			}
			break
		}
	}
	return m
}

// Offset is a time as the report shows it beside the clock: "T+12.3s".
func (m Moments) Offset(t time.Time) string {
	d := t.Sub(m.Zero)
	if d.Abs() >= time.Second {
		d = d.Round(100 * time.Millisecond)
	} else {
		d = d.Round(time.Millisecond)
	}
	if d < 0 {
		return "T" + d.String()
	}
	return "T+" + d.String()
}

// MomentHelp says what Parse understands.
const MomentHelp = `T+12s, the name of a phase (baseline, fault, recovery), start or end, each with an offset if need be (recovery-500ms), a time of day in UTC (14:03:05.2), RFC 3339, or seconds since 1970`

// Parse reads the time that a person means: MomentHelp.
func (m Moments) Parse(text string) (time.Time, error) {
	// As the report writes them: "T−1 min 30 s".
	text = strings.NewReplacer("−", "-", " ", "", "min", "m").Replace(text)
	for name, at := range map[string]time.Time{"start": m.Start, "baseline": m.Start, "fault": m.Fault, "recovery": m.Undo, "end": m.End, "T": m.Zero} {
		rest, ok := strings.CutPrefix(text, name)
		if !ok || rest != "" && rest[0] != '+' && rest[0] != '-' {
			continue
		}
		if at.IsZero() {
			return at, fmt.Errorf("%q is not in this run: it did not come so far", name)
		}
		if rest == "" || rest == "+0" {
			return at, nil
		}
		d, err := time.ParseDuration(rest)
		if err != nil {
			return at, fmt.Errorf("%q is no offset: write a length of time after %s, such as %s+12s", rest, name, name)
		}
		return at.Add(d), nil
	}
	if t, err := time.Parse("15:04:05", text); err == nil {
		day := m.Start.UTC().Truncate(24 * time.Hour)
		at := day.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond()))
		if at.Before(m.Start) && !m.End.IsZero() && m.End.UTC().Truncate(24*time.Hour).After(day) && m.Start.Sub(at) > 12*time.Hour {
			at = at.Add(24 * time.Hour) // the run went past midnight
		}
		return at, nil
	}
	if t, ok := metrics.ParseTime(text); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write %s", text, MomentHelp)
}
