package runner

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// load loads a scenario with the given blocks in it.
func load(t testing.TB, blocks string) *scenarios.Scenario {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.gameday.hcl")
	text := `
prometheus "p" {}
target "x" { name = "x" }
target "y" { name = "y" }
scenario "s" {
` + blocks + `
}
`
	if !strings.Contains(blocks, "fault \"") {
		text = strings.Replace(text, blocks, blocks+"\n  fault \"pause\" \"f\" {\n    target = target.x\n    duration = \"10s\"\n  }\n", 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ws, diags := scenarios.Load(path, scenarios.Options{})
	if diags.HasErrors() {
		t.Fatalf("%v\n%s", diags, text)
	}
	return ws.Scenarios[0]
}

// hypothesis makes the query of one hypothesis, sampled every second. Its expect is value < 5 unless the arguments say another.
func hypothesis(t testing.TB, arguments string) PlannedQuery {
	t.Helper()
	if !strings.Contains(arguments, "expect") {
		arguments += "\nexpect = value < 5"
	}
	sc := load(t, "hypothesis \"h\" {\nquery = \"x\"\n"+arguments+"\n}")
	return PlannedQuery{ID: "Q1", Hypothesis: sc.Hypotheses[0], Text: "x", Every: time.Second}
}

func guardrail(t testing.TB, arguments string) PlannedQuery {
	t.Helper()
	if !strings.Contains(arguments, "abort_when") {
		arguments += "\nabort_when = value > 5"
	}
	sc := load(t, "guardrail \"g\" {\nquery = \"x\"\n"+arguments+"\n}")
	return PlannedQuery{ID: "Q2", Guardrail: sc.Guardrails[0], Text: "x", Every: time.Second}
}

var began = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func second(n float64) time.Time { return began.Add(time.Duration(n * float64(time.Second))) }

// values are what a letter of a story stands for: H holds, V violates value < 5, I is infinite; N is an empty answer, Q is NaN,
// E is a failed query.
var values = map[rune]float64{'H': 1, 'V': 9, 'I': math.Inf(1), 'Q': math.NaN()}

// story makes a history of one letter a second, the phases divided by bars; a dot is a sample that was not taken. The fault begins
// and ends half way between two samples.
func story(q PlannedQuery, text string) History {
	h := History{Start: began, Injected: true, Samples: map[string][]journal.Sample{}}
	n := 0.0
	bars := 0
	for _, c := range text {
		if c == '|' {
			if bars++; bars == 1 {
				h.FaultStart = second(n + 0.5)
			} else {
				h.LastUndo = second(n + 0.5)
			}
			continue
		}
		n++
		s := journal.Sample{At: second(n)}
		switch c {
		case '.':
			continue
		case 'N':
		case 'E':
			s.Error = "connection refused"
		default:
			v, ok := values[c]
			if !ok {
				panic(fmt.Sprintf("no such letter %q", c))
			}
			s.Series = []journal.SeriesValue{{Value: journal.Number(v)}}
		}
		s.Phase = h.phase(s.At)
		h.Samples[q.ID] = append(h.Samples[q.ID], s)
	}
	h.End = second(n + 0.6)
	_, h.Usual = gate([]PlannedQuery{q}, h)
	return h
}

func check(t *testing.T, v *journal.HypothesisJudged, want string) {
	t.Helper()
	got := string(v.Verdict)
	if v.Verdict != journal.Held {
		got += ": " + string(v.Reason)
		if v.Phase != "" {
			got += " in " + string(v.Phase)
		}
	}
	if got != want {
		t.Errorf("verdict is %q (%s), want %q", got, v.Detail, want)
	}
}

// TestVerdicts reads like "What it means" in the language: a row for each thing that it says of verdicts.
func TestVerdicts(t *testing.T) {
	const (
		within3   = `within = "3s"`
		tolerate3 = `tolerate = "3s"`
	)
	tests := []struct{ says, arguments, story, want string }{
		{"held: the claim was true throughout", ``, "HHH|HHHH|HHH", "held"},
		{"phases says where it is judged: the fault", `phases = ["fault"]`, "HHH|HHHH|VVV", "held"},
		{"phases says where it is judged: the recovery", `phases = ["recovery"]`, "HHH|VVVV|HHH", "held"},
		{"phases says where it is judged: the baseline", `phases = ["baseline"]`, "HHH|VVVV|VVV", "held"},

		{"baseline: all must hold", ``, "HHVH|HHHH|HHH", "refuted: violated in baseline"},
		{"baseline: tolerate does not help", tolerate3, "HHVH|HHHH|HHH", "refuted: violated in baseline"},
		{"baseline: within does not help", within3, "HHVH|HHHH|HHH", "refuted: violated in baseline"},
		{"baseline: at least three", ``, "HH|HHHH|HHH", "inconclusive: no data in baseline"},
		{"baseline: no data is no pass", ``, "HHHN|HHHH|HHH", "inconclusive: no data in baseline"},
		{"baseline: what is not judged there need not hold there", `phases = ["fault"]`, "VVV|HHHH|HHH", "held"},

		{"fault: every sample counts, the first", ``, "HHH|VHHH|HHH", "refuted: violated in fault"},
		{"fault: every sample counts, the last", ``, "HHH|HHHV|HHH", "refuted: violated in fault"},
		{"a dip is never lost because it healed before the end", ``, "HHH|HVHH|HHH", "refuted: violated in fault"},
		{"a violation is worse than missing data", ``, "HHH|HNVN|HHH", "refuted: violated in fault"},
		{"no sample in the fault is no pass", ``, "HHH||HHH", "inconclusive: no data in fault"},

		{"tolerate: a violation that surely was no longer", tolerate3, "HHH|HVVHHH|HHH", "held"},
		{"tolerate: two of them, each short", tolerate3, "HHH|HVVHVVH|HHH", "held"},
		{"tolerate: one that surely was longer", tolerate3, "HHH|HVVVVVH|HHH", "refuted: violated in fault"},
		{"tolerate: sampling cannot tell", tolerate3, "HHH|HVVVH|HHH", "inconclusive: uncertain in fault"},
		{"tolerate: a hole in a violation hides how long it was", tolerate3, "HHH|HV.VHHH|HHH", "inconclusive: uncertain in fault"},
		{"tolerate: no data beside a violation may be more of it", tolerate3, "HHH|HVNNVH|HHH", "inconclusive: uncertain in fault"},
		{"tolerate: before the first sample it may have begun", tolerate3, "HHH|NNVHHH|HHH", "inconclusive: uncertain in fault"},
		{"tolerate: to the end of the fault", tolerate3, "HHH|HHHVV|HHH", "held"},
		{"tolerate: to the end of the fault, too long", tolerate3, "HHH|HVVVVV|HHH", "refuted: violated in fault"},
		{"tolerate: never seen to hold", tolerate3, "HHH|VV|HHH", "inconclusive: uncertain in fault"},
		{"tolerate of nothing is none", `tolerate = "0s"`, "HHH|HVHH|HHH", "refuted: violated in fault"},

		{"within: holds at least once, by then", within3, "HHH|VVHVV|HHH", "held"},
		{"within: at once", within3, "HHH|HVVVV|HHH", "held"},
		{"within: too late", within3, "HHH|VVVVVH|HHH", "refuted: within missed in fault"},
		{"within: never", within3, "HHH|VVVVVV|HHH", "refuted: within missed in fault"},
		{"within: between two samples, perhaps in time", within3, "HHH|VVVHHH|HHH", "inconclusive: uncertain in fault"},
		{"within: the phase was over sooner", within3, "HHH|VV|HHH", "inconclusive: uncertain in fault"},
		{"within: it may have held unseen", within3, "HHH|VNVVVV|HHH", "inconclusive: no data in fault"},
		{"within: it may have held while nobody looked", within3, "HHH|V.VVVV|HHH", "inconclusive: no data in fault"},
		{"within: missing data after that is no matter", within3, "HHH|HNNNNN|HHH", "held"},
		{"within: missing data after that cannot save it", within3, "HHH|VVVVNN|HHH", "refuted: within missed in fault"},

		{"recovery: it must hold for good by the end", ``, "HHH|HHHH|VVVV", "refuted: not recovered in recovery"},
		{"recovery: to the very last sample", ``, "HHH|HHHH|HHHV", "refuted: not recovered in recovery"},
		{"recovery: until then samples are no violation", ``, "HHH|HHHH|VVVH", "held"},
		{"recovery: tolerate does not help at the end", tolerate3, "HHH|HHHH|HHHV", "refuted: not recovered in recovery"},
		{"recovery: within after the last undo", within3, "HHH|HHHH|VVHHHH", "held"},
		{"recovery: within, and then for good", within3, "HHH|HHHH|HHHHVH", "refuted: not recovered in recovery"},
		{"recovery: not within, though by the end", within3, "HHH|HHHH|VVVVVH", "refuted: not recovered in recovery"},
		{"recovery: between two samples, perhaps in time", within3, "HHH|HHHH|VVVHHH", "inconclusive: uncertain in recovery"},
		{"recovery: no data at the end", ``, "HHH|HHHH|HHN", "inconclusive: no data in recovery"},
		{"recovery: nobody looked at the end", ``, "HHH|HHHH|HH.", "inconclusive: no data in recovery"},
		{"recovery: nobody looked after a violation", ``, "HHH|HHHH|HV..", "inconclusive: no data in recovery"},
		{"recovery: nobody looked at all", ``, "HHH|HHHH|...", "inconclusive: no data in recovery"},
		{"recovery: what was not seen before it held for good only took time", ``, "HHH|HHHH|NN.VHHH", "held"},
		{"recovery: what was not seen may have been too late", within3, "HHH|HHHH|HHHHNH", "inconclusive: uncertain in recovery"},

		{"no data is never a pass: no series", ``, "HHH|HNHH|HHH", "inconclusive: no data in fault"},
		{"no data is never a pass: NaN", ``, "HHH|HQHH|HHH", "inconclusive: no data in fault"},
		{"no data is never a pass: a failed query", ``, "HHH|HEHH|HHH", "inconclusive: no data in fault"},
		{"no data is never a pass: a sample that was not taken", ``, "HHH|H.HH|HHH", "inconclusive: no data in fault"},
		{"no data is never a pass: the first one not taken", ``, "HHH|.HHH|HHH", "inconclusive: no data in fault"},
		{"no data is never a pass: the last one not taken", ``, "HHH|HHH.|HHH", "inconclusive: no data in fault"},
		{"no data is never a pass: the machine slept through the fault", ``, "HHH|....|HHH", "inconclusive: no data in fault"},
		{"no data for no longer than tolerate", tolerate3, "HHH|HNNHHH|HHH", "held"},
		{"no data for longer than tolerate", tolerate3, "HHH|HNNNH|HHH", "inconclusive: no data in fault"},
		{"no data for longer than tolerate, of two sorts", tolerate3, "HHH|HN.NH|HHH", "inconclusive: no data in fault"},
		{"no_data = holds", `no_data = "holds"`, "HHH|HNQE|HHN", "held"},
		{"no_data = holds is no excuse for a sample not taken", `no_data = "holds"`, "HHH|H.HH|HHH", "inconclusive: no data in fault"},
		{"no_data = violates", `no_data = "violates"`, "HHH|HNHH|HHH", "refuted: no data counted in fault"},
		{"no_data = violates, a failed query", `no_data = "violates"`, "HHH|HEHH|HHH", "refuted: no data counted in fault"},
		{"no_data = violates, within what is tolerated", `no_data = "violates"` + "\n" + tolerate3, "HHH|HNNHH|HHH", "held"},
		{"no_data = violates, at the end", `no_data = "violates"`, "HHH|HHHH|HHN", "refuted: not recovered in recovery"},
		{"no_data = violates, with a value beyond the bound", `no_data = "violates"`, "HHH|HNVH|HHH", "refuted: violated in fault"},

		{"an infinite value is a value", ``, "HHH|HIHH|HHH", "refuted: violated in fault"},
		{"an infinite value may be as claimed", `expect = value > 0`, "HHH|HIHH|HHH", "held"},
		{"a condition that cannot be evaluated is never a pass", "expect = value < 5 && labels.code == \"200\"\nno_data = \"holds\"\nphases = [\"fault\"]",
			"HHH|HHHH|HHH", "inconclusive: error in fault"},
		{"expect with baseline: the median of the baseline", `expect = value < 2 * baseline`, "HVHHQIH|HHHH|HHH", "refuted: violated in baseline"},
		{"expect with baseline, in the fault", "expect = value < 2 * baseline\nphases = [\"fault\"]", "HVHHQIH|HHHH|HHH", "held"},
		{"expect with baseline, and no baseline", "expect = value < 2 * baseline\nphases = [\"fault\"]", "QQN|HHHH|HHH", "inconclusive: no data in fault"},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			q := hypothesis(t, tt.arguments)
			check(t, judge(q, story(q, tt.story)), tt.want)
		})
	}
}

// TestFateOfTheRun: a verdict also depends on what became of the run.
func TestFateOfTheRun(t *testing.T) {
	tests := []struct {
		says, story string
		fate        func(*History)
		want        string
	}{
		{"the gate kept the fault out", "HHVH", func(h *History) {}, "not tested: gate"},
		{"stopped in the baseline", "HHH", func(h *History) { h.Stopped = true }, "not tested: stopped"},
		{"a fault was not seen to take effect", "HHH|HHH|HHH", func(h *History) { h.Injected = false }, "not tested: not injected"},
		{"not injected, whatever was seen", "HHH|VVV|VVV", func(h *History) { h.Injected = false }, "not tested: not injected"},
		{"a fault ended early", "HHH|HHH|HHH", func(h *History) { h.EndedEarly = "it was unpaused" }, "inconclusive: fault ended in fault"},
		{"a fault ended early, refuted before", "HHH|HVH|HHH", func(h *History) { h.EndedEarly = "it was unpaused" }, "refuted: violated in fault"},
		{"stopped, and held until then", "HHH|HHH|HHH", func(h *History) { h.Stopped = true }, "inconclusive: stopped"},
		{"stopped, and refuted before", "HHH|HVH|HHH", func(h *History) { h.Stopped = true }, "refuted: violated in fault"},
		{"stopped before it recovered", "HHH|HHH|VVV", func(h *History) { h.Stopped = true }, "inconclusive: stopped in recovery"},
		{"stopped without a recovery", "HHH|HHH|", func(h *History) { h.Stopped = true }, "inconclusive: stopped in recovery"},
		{"a recovery of no length claims nothing", "HHH|HHH|", func(h *History) { h.NoRecovery = true }, "held"},
		{"a recovery too short to see anything", "HHH|HHH|", func(h *History) {}, "inconclusive: no data in recovery"},
		{"the last undo was never reached", "HHH|HHH", func(h *History) { h.Stopped = true }, "inconclusive: stopped in recovery"},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			q := hypothesis(t, "")
			h := story(q, tt.story)
			tt.fate(&h)
			check(t, judge(q, h), tt.want)
		})
	}
}

func TestGate(t *testing.T) {
	tests := []struct{ says, arguments, story, want string }{
		{"it holds", ``, "HHH", "passed"},
		{"fewer than three samples", ``, "HH", "no data (2 of 3)"},
		{"none at all", ``, "", "no data (0 of 3)"},
		{"violated once", ``, "HHVH", "violated (4 of 3) worst 9"},
		{"violated is worse than no data", ``, "HNVH", "violated (4 of 3) worst 9"},
		{"no data once", ``, "HHNH", "no data (4 of 3): the query returned no series"},
		{"the source's own words", ``, "HHEH", "no data (4 of 3): connection refused"},
		{"no_data = holds", `no_data = "holds"`, "NNN", "passed"},
		{"no_data = violates", `no_data = "violates"`, "HNHH", "violated (4 of 3): the query returned no series"},
		{"not judged there", `phases = ["fault"]`, "VN", "passed"},
		{"not judged there, but compared with it", "phases = [\"fault\"]\nexpect = value < 2 * baseline", "HHN", "no data (2 of 3)"},
		{"not judged there, and compared with it", "phases = [\"fault\"]\nexpect = value < 2 * baseline", "HHV", "passed"},
		{"it cannot be evaluated", "expect = labels.code == \"200\"\nno_data = \"holds\"", "HHH", "error (3 of 3): cannot judge"},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			q := hypothesis(t, tt.arguments)
			checkGate(t, q, story(q, tt.story), tt.want)
		})
	}
	t.Run("the warm-up is not judged", func(t *testing.T) {
		q := hypothesis(t, "")
		q.Lookback = 3 * time.Second
		checkGate(t, q, story(q, "VVNHHH"), "passed")
		checkGate(t, q, story(q, "VVNVHHH"), "violated (4 of 3) worst 9")
	})
	t.Run("a guardrail that would trip", func(t *testing.T) {
		q := guardrail(t, "")
		checkGate(t, q, story(q, "HHHH"), "passed")
		checkGate(t, q, story(q, "HHVH"), "violated (4 of 3) worst 9")
		checkGate(t, q, story(q, "HHNH"), "no data (4 of 3): the query returned no series")
		q = guardrail(t, `no_data = "ignore"`)
		checkGate(t, q, story(q, "HHNH"), "passed")
	})
}

func checkGate(t *testing.T, q PlannedQuery, h History, want string) {
	t.Helper()
	judged, _ := gate([]PlannedQuery{q}, h)
	got := "passed"
	if len(judged.Failures) > 0 {
		f := judged.Failures[0]
		got = fmt.Sprintf("%s (%d of %d)", f.Reason, f.Samples, f.Needed)
		if f.Worst != nil {
			got += fmt.Sprintf(" worst %v", f.Worst.Value)
		}
		if f.Detail != "" {
			got += ": " + f.Detail
		}
	}
	if judged.Passed != (len(judged.Failures) == 0) || !strings.HasPrefix(got, want) {
		t.Errorf("the gate says %q, want %q", got, want)
	}
}
