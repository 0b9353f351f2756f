package runner

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/runner/journal"
)

// follow lets a run see a story as it would happen, in the order of the letters or in another one, and returns what it wrote down.
func follow(t *testing.T, q PlannedQuery, text string, order ...int) (events []journal.Payload, r *Run) {
	t.Helper()
	h := story(q, text)
	var mu sync.Mutex
	r = NewRun(Setup{Runs: t.TempDir()}, &Plan{Queries: []PlannedQuery{q}}, "run", nil)
	w, err := journal.Create(r.setup.Runs, r.id, began)
	if err != nil {
		t.Fatal(err)
	}
	r.journal, r.recorded = w, true
	r.audience = newAudience(func(ev journal.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, ev.Payload)
	})
	if err := w.BeginQuery(journal.Query{ID: q.ID}); err != nil {
		t.Fatal(err)
	}
	r.start, r.faultStart, r.lastUndo = h.Start, h.FaultStart, h.LastUndo
	samples := h.Samples[q.ID]
	if len(order) == 0 {
		for i := range samples {
			order = append(order, i)
		}
	}
	for _, i := range order {
		s := samples[i]
		_ = hold(q, &s, h.Usual[q.ID])
		r.recordSample(q, s)
	}
	if err := r.closeRecord(); err != nil {
		t.Fatal(err)
	}
	r.audience.leave()
	mu.Lock()
	defer mu.Unlock()
	return events, r
}

// told is what was written down, one word an event.
func told(events []journal.Payload) string {
	var out []string
	for _, p := range events {
		switch p := p.(type) {
		case *journal.HypothesisState:
			word := fmt.Sprintf("%s@%d", p.To, int(p.At.Sub(began).Seconds()))
			if p.Refuted {
				word += "!"
			}
			out = append(out, word)
		case *journal.GuardrailState:
			word := fmt.Sprintf("tripped@%d", int(p.At.Sub(began).Seconds()))
			if p.Blind {
				word += " blind"
			}
			out = append(out, word)
		case *journal.Stopping:
			out = append(out, "stop: "+p.Detail)
		}
	}
	return strings.Join(out, ", ")
}

func TestLiveHypothesis(t *testing.T) {
	for _, tt := range []struct {
		says, arguments, story string
		order                  []int
		want                   string
	}{
		{"it holds", ``, "HHH|HHH|HHH", nil, "holding@1"},
		{"changes are told", ``, "HHH|HVH|HNH", nil, "holding@1, violated@5!, holding@6, no data@8, holding@9"},
		{"a violation in the baseline does not refute", ``, "HVH|HHH|HHH", nil, "holding@1, violated@2, holding@3"},
		{"nor one in the recovery", ``, "HHH|HHH|VHH", nil, "holding@1, violated@7, holding@8"},
		{"nor one where it is not judged", `phases = ["recovery"]`, "HHH|VHH|HHH", nil, "holding@1, violated@4, holding@5"},
		{"nor one with within", `within = "5s"`, "HHH|VHH|HHH", nil, "holding@1, violated@4, holding@5"},
		{"tolerated as long as it may be", `tolerate = "2s"`, "HHH|VVVHH|HHH", nil, "holding@1, violated@4, holding@7"},
		{"and not for longer, told once", `tolerate = "2s"`, "HHH|VVVVVH|HHH", nil, "holding@1, violated@4, violated@7!, holding@9"},
		{"what came before the fault does not count", `tolerate = "2s"`, "HVV|VVVH|HHH", nil, "holding@1, violated@2, holding@7"},
		{"what was not seen does not count", `tolerate = "2s"`, "HHH|VV.VVH|HHH", nil, "holding@1, violated@4, holding@9"},
		{"an answer that came late is not told", ``, "HHH|HVH|HHH", []int{0, 1, 2, 3, 5, 4, 6}, "holding@1"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			q := hypothesis(t, tt.arguments)
			events, r := follow(t, q, tt.story, tt.order...)
			if got := told(events); got != tt.want {
				t.Errorf("it tells\n%s\nwant\n%s", got, tt.want)
			}
			// What is said live to be refuted must be so in the end.
			if r.live[q.ID].refuted {
				check(t, judge(q, story(q, tt.story)), "refuted: violated in fault")
			}
		})
	}
}

func TestLiveGuardrail(t *testing.T) {
	const stopped, blind = "stop: guardrail.g tripped", "stop: guardrail.g had no data to guard with"
	for _, tt := range []struct {
		says, arguments, story string
		order                  []int
		want                   string
	}{
		{"it guards", ``, "HHH|HHH|HHH", nil, ""},
		{"it trips at once", ``, "HHH|HVVH|HHH", nil, "tripped@5, " + stopped},
		{"only once", ``, "HHH|VHVH|VHH", nil, "tripped@4, " + stopped},
		{"for: a short one is let pass", `for = "2s"`, "HHH|VVHVVH|HHH", nil, ""},
		{"for: a long one is not", `for = "2s"`, "HHH|HVVVH|HHH", nil, "tripped@7, " + stopped},
		{"without data it guards nothing", ``, "HHH|HNH|HHH", nil, "tripped@5 blind, " + blind},
		{"NaN is no data", ``, "HHH|HQH|HHH", nil, "tripped@5 blind, " + blind},
		{"a source that is gone is no data", `for = "2s"`, "HHH|HEEEH|HHH", nil, "tripped@7 blind, " + blind},
		{"no data after a violation is not only blind", `for = "2s"`, "HHH|HVNNH|HHH", nil, "tripped@7, " + stopped},
		{"no_data = ignore", `no_data = "ignore"`, "HHH|NQEN|HHH", nil, ""},
		{"no_data = ignore still trips", `no_data = "ignore"`, "HHH|NNVN|HHH", nil, "tripped@6, " + stopped},
		{"not in the baseline: that is the gate's", ``, "HVH|HHH|HHH", nil, ""},
		{"in the recovery it is told, and nothing is left to stop", ``, "HHH|HHH|HVH", nil, "tripped@8"},
		{"an answer that came late trips all the same", ``, "HHH|HVH|HHH", []int{0, 1, 2, 3, 5, 4}, "tripped@5, " + stopped},
		{"with for, it does not", `for = "1s"`, "HHH|HVH|HHH", []int{0, 1, 2, 3, 5, 4}, ""},
		{"one that cannot be evaluated guards nothing", "abort_when = labels.code == \"500\"\nno_data = \"ignore\"", "HHH|HH|HHH", nil, "tripped@4 blind, " + blind},
	} {
		t.Run(tt.says, func(t *testing.T) {
			events, _ := follow(t, guardrail(t, tt.arguments), tt.story, tt.order...)
			if got := told(events); got != tt.want {
				t.Errorf("it tells\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestWarmUpIsNotFollowed(t *testing.T) {
	q := hypothesis(t, "")
	q.Lookback = 2 * time.Second
	events, r := follow(t, q, "VNHH|HH|HH")
	if got := told(events); got != "holding@3" {
		t.Errorf("it tells %s", got)
	}
	if s := r.samples[q.ID]; len(s) != 8 || s[0].State != journal.Waiting || s[1].State != journal.Waiting {
		t.Errorf("recorded are %+v", s)
	}
}
