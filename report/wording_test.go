package report

import (
	"bytes"
	"encoding/xml"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gameday/runner/journal"
)

// says checks that a draft holds some words, and does not hold others.
func says(t *testing.T, rec *journal.Record, want, never []string) {
	t.Helper()
	md := string(Build(rec).Markdown())
	for _, s := range want {
		if !strings.Contains(md, s) {
			t.Errorf("the draft does not say %q", s)
		}
	}
	for _, s := range never {
		if strings.Contains(md, s) {
			t.Errorf("the draft says %q", s)
		}
	}
}

func TestFormatLimits(t *testing.T) {
	for want, v := range map[string]Lasting{
		"10.5 to 11.5 s": {10500 * time.Millisecond, 11413 * time.Millisecond}, "4 to 4.6 s": {4087 * time.Millisecond, 4587 * time.Millisecond},
		"at most 896 ms": {0, 895223 * time.Microsecond}, "395 to 896 ms": {395224 * time.Microsecond, 895223 * time.Microsecond},
		"800 ms to 1.3 s": {895 * time.Millisecond, 1300 * time.Millisecond}, "58 s to 1 min 3 s": {58500 * time.Millisecond, 62100 * time.Millisecond},
		"1 min 1 s to 1 min 3 s": {61 * time.Second, 63 * time.Second}, "3 s": {3 * time.Second, 3 * time.Second},
	} {
		if got := words("{}", v).plainText(Clock{}); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// T counts from where the starts of faults count, which is not where the phase was entered.
func TestClockCountsFromZero(t *testing.T) {
	rec := heldRun(0.1)
	zero := at(25)
	for _, e := range rec.Events {
		if p, ok := e.Payload.(*journal.PhaseStarted); ok && p.Phase == journal.Fault {
			p.Zero = &zero
		}
	}
	says(t, rec, []string{"T+0 is 10:04:56, the moment from which the starts of the faults count", "it was in force by 10:05:01.214 (T+5.2 s)"}, nil)
	says(t, untouchedRun(), []string{"T+0 is 10:05:01.002, the beginning of the fault phase"}, nil)
	says(t, gateRun(), []string{"the start of the run; the record has no fault phase"}, nil)
}

func TestNothingWasDone(t *testing.T) {
	says(t, untouchedRun(), []string{"Containers touched: 0", "`store_freezes` was closed on `shop-store-1`: `nothing was done to it`", "| not seen | nothing to undo |", "Nothing was done to a container"},
		[]string{"was gone from", "no difference was seen", "Of the values that count"})
}

func TestRecoveredRunWasCutOff(t *testing.T) {
	says(t, recoveredRun(), []string{"interrupted and undone (exit code 130)", "the run was cut off before it was judged", "| `recover` | `undo.verified` |"}, []string{"the record ends before", "A person is needed"})
}

// What held only in the end is not shown as if it had not.
func TestHeldInTheRecovery(t *testing.T) {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 {
		if sec > 33 && sec < 64 {
			return 1
		}
		return 0.1
	})
	c.Phases, c.Within = []journal.Phase{journal.Recovery}, dur(10)
	s.declare([]*claim{c}).baseline().inject().undo(undoAt, journal.UndoDue, "health is unhealthy, was healthy")
	s.add(66, &journal.TargetChanged{Container: store, Change: "healthy", At: at(65.9), Target: true})
	j := judged(s.sample(c, endAt), journal.Held, journal.ReasonHeld, "")
	j.Phases, j.Margin = j.Phases[2:], marginOf(&journal.Point{At: at(64), Value: 0.1, Op: "<", Bound: num(0.5)})
	j.HeldAgain = &journal.HeldAgain{Undo: at(goneAt), AtLeast: journal.Duration(at(63).Sub(at(goneAt))), AtMost: journal.Duration(at(64).Sub(at(goneAt))), First: at(64)}
	rec := s.add(90.1, j).end(90.2, journal.OutcomeHeld, 0).rec
	says(t, rec, []string{"0.1 (expected < 0.5) at 10:05:35 (T+34 s); held for good 2.9 to 4 s after the last undo", "where this does not count against it, it was still violated",
		"Right after the undo `shop-store-1` was not as before: `health is unhealthy, was healthy`", "The last that is known of the health of `shop-store-1` is `healthy`, at 10:05:36.9"}, nil)
	for _, b := range breaches(t, Build(rec)) {
		t.Error(b)
	}
}

// A claim may break only after the undo, and it may break in a phase in which nobody judges it: both are said as they are.
func TestBrokenWhereItDoesNotCount(t *testing.T) {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 {
		if sec > 32 && sec < 40 || sec > 61 && sec < 64 {
			return 1
		}
		return 0.1
	})
	c.Phases = []journal.Phase{journal.Baseline, journal.Recovery}
	s.declare([]*claim{c}).baseline().inject()
	s.add(33.01, &journal.HypothesisState{Hypothesis: c.Name, QueryID: c.QueryID, Phase: journal.Fault, From: journal.Holding, To: journal.Violated, At: at(33)})
	s.undo(undoAt, journal.UndoDue)
	s.add(62.01, &journal.HypothesisState{Hypothesis: c.Name, QueryID: c.QueryID, Phase: journal.Recovery, From: journal.Holding, To: journal.Violated, At: at(62)})
	j := judged(s.sample(c, endAt), journal.Held, journal.ReasonHeld, "")
	j.Phases = slices.Delete(j.Phases, 1, 2)
	j.HeldAgain = &journal.HeldAgain{Undo: at(goneAt), AtLeast: journal.Duration(at(63).Sub(at(goneAt))), AtMost: journal.Duration(at(64).Sub(at(goneAt))), First: at(64)}
	rec := s.add(90.1, j).end(90.2, journal.OutcomeHeld, 0).rec
	says(t, rec, []string{"`checkout_stays_quick` went from `holding` to `violated`; it is not judged in this phase |", "`checkout_stays_quick` went from `holding` to `violated` |",
		"where this does not count against it, it was violated from",
		"| is not judged while faults are in force | is not judged before it | held for good after 2.9 to 4 s |"}, []string{"still violated"})
}

func TestMarginWords(t *testing.T) {
	for want, m := range map[string]journal.Margin{
		"0.3615 left (72.3 % of the bound)": {Distance: 0.3615, Share: num(0.723)},
		"0.01 left":                         {Distance: 0.01, Share: num(1)},
		"1181 beyond":                       {Distance: -1181, Share: num(-11.81)},
		"0.05 beyond (10 % of the bound)":   {Distance: -0.05, Share: num(-0.1)},
		"3 left":                            {Distance: 3},
	} {
		if got := marginPhrase(&m).plainText(Clock{}); got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
	}
}

// The bound of a guardrail is where it stops the run, and never what was expected.
func TestGuardrailBoundIsNotExpected(t *testing.T) {
	says(t, abortedRun(), []string{"guardrail `checkout_is_down` tripped: 0.9 (stops the run at > 0.5)"}, []string{"0.9 (expected"})
	rec := abortedRun()
	rec.Events = rec.Events[:5]
	s := &story{rec}
	s.add(29, &journal.BaselineJudged{Failures: []journal.GateFailure{{Name: "checkout_is_down", QueryID: "Q3", Reason: journal.ReasonViolated, Worst: &journal.Point{At: at(8), Value: 0.9, Op: ">", Bound: num(0.5)}}}})
	says(t, rec, []string{"0.9 (stops the run at > 0.5)"}, []string{"0.9 (expected"})
}

func TestSourceWithoutVersion(t *testing.T) {
	rec := heldRun(0.1)
	rec.Events[0].Payload.(*journal.RunStarted).Source.Version = ""
	says(t, rec, []string{"`own`, the built-in Prometheus engine, scraping every `1s`"}, []string{"(empty)"})
}

func TestQueryOnOneLine(t *testing.T) {
	for in, want := range map[string]string{"sum(x)\n": "sum(x)", "(a or vector(0))\n  / b\n": "(a or vector(0)) / b", "a # why\n/ b\n": "a # why\n/ b"} {
		if got := oneLine(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// Readers of JUnit add up the times of cases; hypotheses are watched side by side.
func TestJUnitTimeIsCountedOnce(t *testing.T) {
	b, err := Build(heldRun(0.1)).JUnit()
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suite struct {
			Time  float64 `xml:"time,attr"`
			Cases []struct {
				Time *float64 `xml:"time,attr"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b, &suites); err != nil {
		t.Fatal(err)
	}
	if suites.Suite.Time != 90.3 || len(suites.Suite.Cases) != 2 || suites.Suite.Cases[0].Time != nil {
		t.Errorf("%s", b)
	}
}

// On a terminal of 80 columns no line is longer, but for commands to copy, and the end says what to do next.
func TestSummaryOnAPlainTerminal(t *testing.T) {
	for name, rec := range stories() {
		if name == "hostile" {
			continue
		}
		var b bytes.Buffer
		Summary(&b, Build(rec), false, 80)
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "    docker ") && !strings.HasPrefix(line, "    gameday ") {
				t.Errorf("%s: %q", name, line)
			}
		}
		needed := strings.Contains(b.String(), "A person is needed")
		if next := strings.Contains(b.String(), "\nNext: "); next == needed {
			t.Errorf("%s: what to do next is missing, or said twice:\n%s", name, b.String())
		}
	}
}

// A run that ended before anything was injected has tested nothing, and says so.
func TestEndedBeforeTheFirstFault(t *testing.T) {
	s := begin("store_freezes")
	s.declare([]*claim{quick(0.5, func(int, int) float64 { return 0.1 })})
	rec := s.end(1, journal.OutcomeError, 1).rec
	says(t, rec, []string{"**not tested**: the run ended before it was judged"}, []string{"inconclusive", "cut off"})
}

// Of values that are either met or not, the worst is one that is not.
func TestWorstOfWhatIsMetOrNot(t *testing.T) {
	s := begin("store_freezes")
	c := quick(1, func(sec, _ int) float64 {
		if sec > 32 && sec < 35 {
			return 0
		}
		return 1
	})
	c.Expect, c.Tolerate = "value == 1", dur(5)
	s.declare([]*claim{c}).baseline().inject().undo(undoAt, journal.UndoDue)
	q := s.sample(c, endAt)
	point := func(sec int, v float64) *journal.Point {
		return &journal.Point{At: at(float64(sec)), Value: journal.Number(v), Op: "==", Bound: num(1)}
	}
	j := &journal.HypothesisJudged{Hypothesis: c.Name, QueryID: c.QueryID, Verdict: journal.Held, Reason: journal.ReasonHeld, Phases: []journal.PhaseJudged{
		{Phase: journal.Baseline, From: at(1), To: at(29), Samples: 29, Good: 29, Worst: point(1, 1)},
		{Phase: journal.Fault, From: at(30), To: at(60), Samples: 31, Good: 29, Bad: 2, Worst: point(33, 0), Violations: []journal.Stretch{{After: &q.Samples[31].At, First: at(33), Last: at(34),
			Before: &q.Samples[34].At, Length: dur(1), AtMost: dur(3), Worst: point(33, 0), Tolerated: true}}},
		{Phase: journal.Recovery, From: at(61), To: at(90), Samples: 30, Good: 30, Worst: point(61, 1)}}}
	rec := s.add(90.1, j).end(90.2, journal.OutcomeHeld, 0).rec
	says(t, rec, []string{"| 0 (expected == 1) at 10:05:04 (T+3 s), for 1 to 3 s | **held** |", "`checkout_stays_quick` was violated for 1 to 3 s of the 5 s tolerated, from 10:05:04 (T+3 s)."}, nil)
	for _, b := range breaches(t, Build(rec)) {
		t.Error(b)
	}
}

// What the drafts said wrongly, or clumsily: each as it is now.
func TestWhatReadersStumbledOver(t *testing.T) {
	for story, want := range map[string][2]string{
		"coped":        {"`checkout_stays_quick` held, and its worst value, 2 beyond, was tolerated.", "held with 2 beyond"},
		"inconclusive": {"| was not seen to stop holding; samples are missing | not known: samples are missing |", "The source said"},
		"unconfirmed":  {"Repeat once step `ready`, for which the injection waited, can be confirmed within 1 min.", "no further experiment"},
		"aborted":      {"in the baseline it was 0.01 throughout; stretches in which the condition was met are marked", "from 0.01 to 0.01"},
		"crowded":      {"marked is when `A0`, `A1`, `A2` and `A3` fire first", "cut off"},
		"noted":        {"1 role predicted `checkout_keeps_working` before the fault, and expected **held**; it is **held**.", "0 expected"},
		"refuted":      {"`checkout_keeps_working` **held**: every sample that counts was as claimed. [", "(`held`)"},
	} {
		says(t, stories()[story], want[:1], want[1:])
	}
	says(t, quickRun(func(int) float64 { return 0.1 }, journal.Held, journal.ReasonHeld, "", nil), []string{"every value is 0.1. ["}, []string{"the lowest value"})
	for name, rec := range stories() {
		if md := string(Build(rec).Markdown()); strings.Contains(md, "there was no data") && regexp.MustCompile(`there was no data[^\n]* Worst: `).MatchString(md) {
			t.Errorf("%s: a stretch without data has a value", name)
		}
	}
}
