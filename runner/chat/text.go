package chat

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// textLine is a time, who wrote, and what.
var textLine = regexp.MustCompile(`^\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?|\d\d?:\d\d(?::\d\d(?:\.\d{1,9})?)?)\]?\s+(?:<[@+%&~ ]?([^<>]{1,80})>|(\S{1,80}?):?)\s+(.*)$`)

var (
	datedLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z0700"}
	plainLayouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04"}
	clockLayouts = []string{"15:04:05", "15:04"}
)

// readText reads lines of "time nick text". A line that begins with no time goes on with the message before it.
func readText(b []byte, o Options, all *people) ([]raw, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("this is no text: it is not UTF-8")
	}
	var out []raw
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(b, []byte("\ufeff"))) {
		n++
		text := strings.TrimRight(string(line), "\r\n")
		m := textLine.FindStringSubmatch(text)
		var at time.Time
		ok := false
		if m != nil {
			at, ok = textTime(m[1], o)
		}
		if !ok {
			if strings.TrimSpace(text) == "" {
				continue
			}
			if len(out) == 0 {
				return nil, fmt.Errorf("line %d is not as lines are in the text format: time nick text, such as 14:03:05 kim the queue is empty", n)
			}
			out[len(out)-1].text += "\n" + text
			continue
		}
		who := all.meet(m[2] + m[3])
		out = append(out, raw{at, who, m[4]})
	}
	return out, nil
}

// textTime reads a time of a line. One without a date is the one that is nearest to the day.
func textTime(text string, o Options) (time.Time, bool) {
	dated := strings.Replace(text, " ", "T", 1)
	for _, layout := range datedLayouts {
		if t, err := time.Parse(layout, dated); err == nil {
			return t.UTC(), true
		}
	}
	for _, layout := range plainLayouts {
		if t, err := time.ParseInLocation(layout, dated, o.Zone); err == nil {
			return t.UTC(), true
		}
	}
	for _, layout := range clockLayouts {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		near := o.Day.In(o.Zone)
		var best time.Time
		for day := -1; day <= 1; day++ {
			at := time.Date(near.Year(), near.Month(), near.Day()+day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), o.Zone)
			if best.IsZero() || at.Sub(near).Abs() < best.Sub(near).Abs() {
				best = at
			}
		}
		return best.UTC(), true
	}
	return time.Time{}, false
}
