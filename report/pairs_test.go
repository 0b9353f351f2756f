package report

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gameday/runner/journal"
)

const shownNumber = `([-−+]?(?:Inf|[0-9][0-9.]*(?:e[-+][0-9]+)?))`

var (
	shownValue  = regexp.MustCompile(shownNumber + ` \((?:expected|stops the run at) (?:<|&lt;|>|&gt;)=? ` + shownNumber + `\)`)
	shownMargin = regexp.MustCompile(shownNumber + ` (left|beyond)(?: \(` + shownNumber + ` % of the bound\))?`)
	shownShare  = regexp.MustCompile(shownNumber + ` %(?:</[a-z]+>)? of (?:the bound was left|ending the run)`)
)

// shown is a number as it is written, and how far off it may be for having been rounded.
func shown(s string) (value, off float64) {
	value, err := strconv.ParseFloat(strings.ReplaceAll(s, "−", "-"), 64)
	if err != nil {
		return math.NaN(), 0
	}
	if strings.Contains(s, "e") {
		return value, math.Abs(value) * 1e-3
	}
	_, decimals, _ := strings.Cut(s, ".")
	return value, math.Pow(10, -float64(len(decimals))) / 2
}

// unpaired are the margins in a text that belong to none of the values that stand there with their bounds.
func unpaired(text string) (out []string) {
	values := shownValue.FindAllStringSubmatch(text, -1)
	if len(values) == 0 {
		return nil
	}
	near := func(a, b, off float64) bool { return a == b || math.Abs(a-b) <= off*1.01 }
	fits := func(distance, share string, beyond bool) bool {
		return slices.ContainsFunc(values, func(v []string) bool {
			value, offValue := shown(v[1])
			bound, offBound := shown(v[2])
			room, off := math.Abs(value-bound), offValue+offBound
			above := !strings.Contains(v[0], "<") && !strings.Contains(v[0], "&lt;")
			if strings.Contains(v[0], "stops") {
				above = !above
			}
			if distance != "" {
				if d, more := shown(distance); !near(room, d, off+more) || room > 2*off && beyond != (above == (value < bound)) {
					return false
				}
			}
			if share != "" {
				s, more := shown(share)
				return near(room/math.Abs(bound)*100, s, 100*off/math.Abs(bound)*(1+room/math.Abs(bound))+more)
			}
			return true
		})
	}
	for _, m := range shownMargin.FindAllStringSubmatch(text, -1) {
		if !fits(m[1], m[3], m[2] == "beyond") {
			out = append(out, fmt.Sprintf("%q is not what is %s of any value in %q", m[0], m[2], text))
		}
	}
	for _, m := range shownShare.FindAllStringSubmatch(text, -1) {
		if !fits("", m[1], false) {
			out = append(out, fmt.Sprintf("%q is not what is left of any value in %q", m[0], text))
		}
	}
	return out
}

// A value and a margin that stand together are of the same sample, wherever somebody may read them.
func TestMarginsAreOfTheValuesBesideThem(t *testing.T) {
	all := stories()
	all["baseline"], all["recovered late"], all["never recovered"] = refutedInBaseline(), recoveredLate(), neverRecovered()
	for name, rec := range all {
		d := Build(rec)
		for _, b := range breaches(t, d) {
			t.Errorf("%s: %s", name, b)
		}
		var lines []string
		for _, a := range d.Annotations() {
			lines = append(lines, a.Message)
		}
		step, err := d.StepSummary("")
		if err != nil {
			t.Fatal(err)
		}
		var terminal bytes.Buffer
		Summary(&terminal, d, false, 4000)
		lines = append(append(lines, strings.Split(string(step), "\n")...), strings.Split(terminal.String(), "\n")...)
		for _, l := range lines {
			for _, b := range unpaired(l) {
				t.Errorf("%s: %s", name, b)
			}
		}
	}
}

// A claim that holds is shown where it came nearest to its bound while it counted, and one that does not by the phase that its verdict names.
func TestSeenAndMarginAreOfOneSample(t *testing.T) {
	for _, x := range []struct {
		rec                          *journal.Record
		value, more, verdict, margin string
	}{
		{refutedInBaseline(), "0.6 (expected < 0.5) at 10:05:00 (T−1 s)", ", for at most 1 s", "**refuted**", "0.1 beyond (20 % of the bound)"},
		{recoveredLate(), "0.3 (expected < 0.5) at 10:05:11 (T+10 s)", "; held for good 9 to 10 s after the last undo", "**held**", "0.2 left (40 % of the bound)"},
		{neverRecovered(), "4 (expected < 0.5) at 10:05:33 (T+32 s)", ", for 1 to 3 s; the longest violation lasted 21 to 22 s", "**refuted**", "3.5 beyond"},
	} {
		d := Build(x.rec)
		step, err := d.StepSummary("")
		if err != nil {
			t.Fatal(err)
		}
		says(t, x.rec, []string{"| " + x.value + x.more + " | " + x.verdict + " | " + x.margin + " |"}, nil)
		if row := "| " + x.verdict + " | " + x.value + x.more + " | " + x.margin + " |"; !strings.Contains(string(step), row) {
			t.Errorf("the summary for CI has no row %q:\n%s", row, step)
		}
		if line := d.facts.worstLine().phrase().plainText(d.Clock); !strings.Contains(line, x.value) {
			t.Errorf("%q is not about %q", line, x.value)
		}
	}
}

// quickRun is a run of one hypothesis with what its query returned.
func quickRun(value func(sec int) float64, v journal.Verdict, r journal.Reason, phase journal.Phase, again *journal.HeldAgain) *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 { return value(sec) })
	s.declare([]*claim{c}).baseline().inject().undo(undoAt, journal.UndoDue)
	j := judged(s.sample(c, endAt), v, r, phase)
	j.HeldAgain = again
	return s.add(90.1, j).end(90.2, journal.OutcomeRefuted, 3).rec
}

// refutedInBaseline was violated between the gate and the first injection, and came near its bound in the fault phase.
func refutedInBaseline() *journal.Record {
	return quickRun(func(sec int) float64 {
		return map[int]float64{29: 0.6, 40: 0.3}[sec]
	}, journal.Refuted, journal.ReasonViolated, journal.Baseline, nil)
}

// recoveredLate held while the fault was in force, and not for some time after its undo, where that does not count.
func recoveredLate() *journal.Record {
	return quickRun(func(sec int) float64 {
		switch {
		case sec == 40:
			return 0.3
		case sec > 60 && sec < 70:
			return 4
		}
		return 0.1
	}, journal.Held, journal.ReasonHeld, "", &journal.HeldAgain{Undo: at(60), AtLeast: dur(9), AtMost: dur(10), First: at(70)})
}

// neverRecovered came near its bound while the fault was in force, and stayed beyond it at the end.
func neverRecovered() *journal.Record {
	return quickRun(func(sec int) float64 {
		switch {
		case sec == 40:
			return 0.3
		case sec == 62 || sec == 63:
			return 4
		case sec > 68:
			return 0.9
		}
		return 0.1
	}, journal.Refuted, journal.ReasonNotRecovered, journal.Recovery, nil)
}
