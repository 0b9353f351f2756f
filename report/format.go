package report

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Clock shows times: by the clock of one declared time zone, and as the offset from one moment of the run.
type Clock struct {
	Zero time.Time      // T+0
	From zero           // what Zero is
	Day  time.Time      // the day of the run: times on it are shown without a date
	Zone *time.Location // nil: UTC
}

// zero is what T+0 stands for in a record.
type zero int

const (
	fromStart  zero = iota // the start of the record: it has no fault phase
	fromPhase              // the beginning of the fault phase, in a record that does not say more
	fromFaults             // the moment from which the starts of the faults count
)

// in is the time as the zone's clock shows it.
func (c Clock) in(t time.Time) time.Time {
	if c.Zone == nil {
		return t.UTC()
	}
	return t.In(c.Zone)
}

// ZoneName is the name of the time zone.
func (c Clock) ZoneName() string {
	if c.Zone == nil {
		return "UTC"
	}
	return c.Zone.String()
}

// column is the heading of a column of times.
func (c Clock) column() string { return "Time (" + c.ZoneName() + ")" }

// Time is the time of day, cut to tenths of a second where it has any; with the date where it is not the day of the run.
func (c Clock) Time(t time.Time) string { return c.time(t, 100*time.Millisecond, "15:04:05.0") }

// Exact is the time of day to the millisecond.
func (c Clock) Exact(t time.Time) string { return c.time(t, time.Millisecond, "15:04:05.000") }

func (c Clock) time(t time.Time, precision time.Duration, layout string) string {
	t = c.in(t).Truncate(time.Millisecond)
	if t.Nanosecond() == 0 {
		layout = "15:04:05"
	}
	t = t.Truncate(precision)
	if day := c.in(c.Day); t.Year() != day.Year() || t.YearDay() != day.YearDay() {
		layout = "2006-01-02 " + layout
	}
	return t.Format(layout)
}

// Offset is the distance from T+0: "T+12.3 s", "T−30 s", to tenths of a second where it is a second or more.
func (c Clock) Offset(t time.Time) string {
	d := t.Sub(c.Zero)
	if d.Abs() >= time.Second {
		d = d.Round(100 * time.Millisecond)
	}
	if d == 0 {
		return "T+0"
	}
	if d < 0 {
		return "T−" + formatDuration(-d)
	}
	return "T+" + formatDuration(d)
}

// formatDuration is a length of time in words: "214 ms", "12.3 s", "1 min 30 s", "2 h 5 min".
func formatDuration(d time.Duration) string {
	switch {
	case d < 0:
		return "−" + formatDuration(-d)
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return formatNumber(float64(d)/float64(time.Millisecond), 2) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + " ms"
	case d.Round(100*time.Millisecond) < time.Minute:
		digits := 1
		if d < 10*time.Second {
			digits = 2
		}
		return trimZeros(strconv.FormatFloat(d.Seconds(), 'f', digits, 64)) + " s"
	case d.Round(time.Second) < time.Hour:
		s := int64(d.Round(time.Second) / time.Second)
		return joinUnits(s/60, "min", s%60, "s")
	default:
		m := int64(d.Round(time.Minute) / time.Minute)
		return joinUnits(m/60, "h", m%60, "min")
	}
}

// formatLimits is a length of time that is known within limits: "10.5 to 11.4 s", "at most 895 ms". What is shown is rounded
// outwards, so that it stays true.
func formatLimits(least, most time.Duration) string {
	step := time.Second
	switch {
	case most < time.Second:
		step = time.Millisecond
	case most < time.Minute:
		step = 100 * time.Millisecond
	}
	least = least.Truncate(step)
	if over := most % step; over > 0 {
		most += step - over
	}
	from, to := formatDuration(least), formatDuration(most)
	number, unit, _ := strings.Cut(from, " ")
	switch _, unitTo, _ := strings.Cut(to, " "); {
	case least <= 0:
		return "at most " + to
	case unit == unitTo && !strings.Contains(unit, " "):
		return number + " to " + to
	}
	return from + " to " + to
}

func joinUnits(a int64, unitA string, b int64, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// formatNumber shows a value with so many significant digits; whole numbers are shown whole.
func formatNumber(f float64, digits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "+Inf"
	case math.IsInf(f, -1):
		return "−Inf"
	case f == 0:
		return "0"
	case f < 0:
		return "−" + formatNumber(-f, digits)
	case f >= 1e9 || f < 1e-4:
		return strconv.FormatFloat(f, 'g', digits, 64)
	case f == math.Trunc(f):
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(f))))
	return trimZeros(strconv.FormatFloat(f, 'f', decimals, 64))
}

// formatLabels shows labels in name order: {code="500", job="shop"}.
func formatLabels(labels map[string]string) string {
	keys := make([]string, 0, len(labels))
	for k := range labels {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for i, k := range keys {
		keys[i] = k + "=" + strconv.Quote(labels[k])
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// visible makes text from outside harmless to look at: control characters, bytes that are no text, and characters that
// turn or hide what follows them are written out.
func visible(s string) string {
	harmless := func(r rune) bool {
		return r != utf8.RuneError && (unicode.IsPrint(r) || r == ' ') && !invisible(r)
	}
	clean := true
	for _, r := range s {
		if !harmless(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case harmless(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			} else {
				b.WriteString(`\ufffd`)
			}
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// invisible characters print, by Unicode's word, and yet show nothing.
func invisible(r rune) bool {
	return r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' || unicode.Is(unicode.Variation_Selector, r)
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
