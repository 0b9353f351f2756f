package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 250 * time.Microsecond: "0.25 ms", 214 * time.Millisecond: "214 ms", 6969 * time.Millisecond: "6.97 s", 12340 * time.Millisecond: "12.3 s",
		59990 * time.Millisecond: "1 min", 90 * time.Second: "1 min 30 s", time.Hour: "1 h", 2*time.Hour + 5*time.Minute: "2 h 5 min", -30 * time.Second: "−30 s",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
}

func TestFormatNumber(t *testing.T) {
	for want, f := range map[string]float64{
		"0": 0, "0.5": 0.5, "0.02472": 0.0247191, "4.167": 4.16666, "12346": 12345.6, "1000000": 1e6, "1e+300": 1e300, "1.235e-05": 1.23456e-5, "−3": -3, "NaN": math.NaN(), "+Inf": math.Inf(1), "−Inf": math.Inf(-1),
	} {
		if got := formatNumber(f, 4); got != want {
			t.Errorf("%v is %q, want %q", f, got, want)
		}
	}
}

// A value and its bound are never shown as the same number when they differ.
func TestAgainstTellsValueAndBoundApart(t *testing.T) {
	for want, v := range map[string]Against{
		"4.18 (expected < 0.5)":           {Value: 4.18, Op: "<", Bound: num(0.5)},
		"0.499996 (expected < 0.5)":       {Value: 0.499996, Op: "<", Bound: num(0.5)},
		"0.5 (expected < 0.5)":            {Value: 0.5, Op: "<", Bound: num(0.5)},
		"0.3 (expected < 0.300000000001)": {Value: 0.3, Op: "<", Bound: num(0.300000000001)},
		"7":                               {Value: 7},
	} {
		if got := words("{}", v).plainText(Clock{}); got != want {
			t.Errorf("%+v is %q, want %q", v, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	c := Clock{Zero: at(30), Day: at(0)}
	for want, when := range map[string]time.Time{
		"10:05:01 (T+0)": at(30), "10:04:31 (T−30 s)": at(0), "10:05:13.2 (T+12.3 s)": at(42.26),
	} {
		if got := words("{}", At(when)).plainText(c); got != want {
			t.Errorf("%v is %q, want %q", when, got, want)
		}
	}
	east := time.FixedZone("east", 5*3600)
	if got := c.Time(at(30).In(east)); got != "10:05:01" {
		t.Errorf("a time from another zone is shown as %s", got)
	}
	if got := c.Time(at(86400)); got != "2026-11-23 10:04:31" {
		t.Errorf("a time on another day is shown as %s", got)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, é, 漢, \U0001F600": "plain text, é, 漢, \U0001F600", "a\nb\tc": `a\nb\tc`, "\u202eabc": `\u202eabc`, "\x1b[31m": `\u001b[31m`, "\xff": `\xff`, "a\u200bb": `a\u200bb`, "\ufffd": `\ufffd`,
	} {
		if got := visible(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{"runs/x-1.y": "runs/x-1.y", "a b": "'a b'", "x'; rm -rf /": `'x'\''; rm -rf /'`, "": "''", "$(x)": "'$(x)'"} {
		if got := shellWord(in); got != want {
			t.Errorf("%q becomes %s, want %s", in, got, want)
		}
	}
}

// A subject that changes all the time is shown at its beginning and its end.
func TestCalm(t *testing.T) {
	s := refutedRun()
	for i := range 500 {
		s.add(70+float64(i)/50, &journal.HypothesisState{Hypothesis: "checkout_stays_quick", QueryID: "Q2", From: journal.Holding, To: journal.Violated, At: at(70 + float64(i)/50)})
	}
	d := Build(s.end(90.2, journal.OutcomeRefuted, 3).rec)
	if err := d.check(); err != nil {
		t.Fatal(err)
	}
	for _, section := range d.Sections {
		if section.ID != "timeline" {
			continue
		}
		for _, item := range section.Items {
			if n := len(rows(item)); n > 60 {
				t.Errorf("the timeline has %d rows", n)
			}
		}
	}
}

// A number stays on the line of its unit and of what it is compared with.
func TestUnbroken(t *testing.T) {
	for text, want := range map[string]string{
		"at 10:05:31 (T+1 min 2 s), in 3 samples": "at 10:05:31 (T+1_min_2_s), in 3 samples",
		"5 ms later, 88.1 % of 256 MiB":           "5_ms later, 88.1_% of 256_MiB",
		"4.2 (expected &lt; 0.5), &gt;= -2, == 3": "4.2 (expected &lt;_0.5), &gt;=_-2, ==_3",
		"1 service ran, 2 minutes, 3 sites":       "1 service ran, 2 minutes, 3 sites",
	} {
		if got := strings.ReplaceAll(unbroken(text), "\u00a0", "_"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
