package report

import (
	"fmt"
	"strings"
	"testing"

	"gameday/runner/journal"
)

// compared is a comparison of the common run with so many findings.
func compared(n int) *journal.Moved {
	m := &journal.Moved{Bin: dur(5), Compared: 812, Took: dur(0.09), Windows: []journal.MovedWindow{
		{Phase: journal.Baseline, From: at(0), To: at(30), Bins: 6}, {Phase: journal.Fault, From: at(30), To: at(60), Bins: 6},
		{Phase: journal.Recovery, From: at(65), To: at(90), Bins: 5}}}
	level := func(v float64, bins int) *journal.MovedLevel {
		return &journal.MovedLevel{Value: journal.Number(v), Bins: bins}
	}
	api := map[string]string{"job": "api", "instance": "shop-api-1:8080"}
	all := []journal.Movement{
		{Target: map[string]string{"job": "store", "instance": "shop-store-1:8080"}, Change: "vanished", By: "level", Delta: -1, Size: 1, Rank: 1, Series: 41},
		{Metric: "http_requests_in_flight", Target: api, Labels: api, Change: "moved and returned", By: "level", Baseline: level(2, 6), Fault: level(31.5, 6), Recovery: level(2, 5),
			Delta: 1, Size: 0.9365, Rank: 0.9365, Series: 1, Named: []string{"nothing_piles_up"}},
		{Metric: "http_requests_total", Target: api, Labels: map[string]string{"job": "api", "instance": "shop-api-1:8080", "code": "200"}, Change: "moved and stayed", By: "rate",
			Baseline: level(25.13, 6), Fault: level(3.02, 6), Recovery: level(8.4, 5), Delta: -1, Size: 0.8798, Rank: 0.8798, Series: 3},
		{Metric: "errors", Target: api, Labels: api, Change: "appeared", By: "level", Fault: level(7, 5), Recovery: level(7, 5), Delta: 0.8333, Size: 1, Rank: 0.8333, Series: 2},
	}
	for i := len(all); i < n; i++ {
		all = append(all, journal.Movement{Metric: fmt.Sprintf("go_metric_%c", 'a'+i%26), Target: api, Labels: api, Change: "moved", By: "rate",
			Baseline: level(1, 6), Fault: level(1.25, 6), Delta: 0.8, Size: 0.2, Rank: 0.16, Series: 1})
	}
	m.Findings = all[:n]
	counts := map[string]int{}
	for _, f := range m.Findings {
		counts[f.Change]++
	}
	for _, change := range []string{"moved and returned", "moved and stayed", "moved", "appeared", "vanished"} {
		if counts[change] > 0 {
			m.Counts = append(m.Counts, journal.MovedCount{Change: change, Movements: counts[change]})
		}
	}
	return m
}

// withMoved is the common run with what else moved in it, and what could not have been seen.
func withMoved(m *journal.Moved, spots ...journal.BlindSpot) *journal.Record {
	s := &story{heldRun(0.12)}
	end := s.rec.Events[len(s.rec.Events)-1]
	s.rec.Events = s.rec.Events[:len(s.rec.Events)-1]
	if len(spots) > 0 {
		s.add(90.15, &journal.BlindSpots{Spots: spots})
	}
	return s.add(90.16, m).add(90.2, end.Payload).rec
}

func movedRun() *journal.Record {
	m := compared(14)
	m.Noise = &journal.NoiseCompared{Run: "2026-11-22T09-00-00Z-store_freezes-aaaa", Movements: 3, Within: 1}
	m.Findings[3].Sham = num(0.2)
	stepped := func(metric string, before, since, rank float64) journal.Movement {
		level := func(v float64, bins int) *journal.MovedLevel {
			return &journal.MovedLevel{Value: journal.Number(v), Bins: bins}
		}
		labels := map[string]string{"job": "containers", "name": "shop-api-1"}
		return journal.Movement{Metric: metric, Target: labels, Labels: labels, Change: "moved and stayed", By: "step", Baseline: level(before, 6), Fault: level(since, 6),
			Recovery: level(since, 5), Delta: 1, Size: journal.Number(rank), Rank: journal.Number(rank), Series: 1}
	}
	start := float64(at(-86400).UnixMilli()) / 1000
	m.Findings[5], m.Findings[6] = stepped("container_start_time_seconds", start, start+86431.5, 1), stepped("container_restarts_total", 1, 2, 0.75)
	m.Counts[1].Movements, m.Counts[2].Movements = m.Counts[1].Movements+2, m.Counts[2].Movements-2
	m.Findings[4].Sham, m.Findings[4].InNoise = num(0.31), true
	from, to := at(31), at(61)
	store := map[string]string{"job": "store", "instance": "shop-store-1:8080"}
	return withMoved(m,
		journal.BlindSpot{What: journal.BlindRange, Name: "checkout_stays_quick", QueryID: "Q2", Reads: dur(3), Interval: dur(1)},
		journal.BlindSpot{What: journal.BlindFault, Name: "store_freezes", Reads: dur(0.5), Interval: dur(1)},
		journal.BlindSpot{What: journal.BlindFault, Name: "store_freezes", QueryID: "Q2", Reads: dur(3), Interval: dur(5)},
		journal.BlindSpot{What: journal.BlindFault, Name: "store_freezes", Labels: map[string]string{"job": "batch"}, Reads: dur(10), Interval: dur(30)},
		journal.BlindSpot{What: journal.BlindTargets, Name: `{__name__="up",job="nobody"}`, Detail: "there is no such series"},
		journal.BlindSpot{What: journal.BlindRule, Name: "StoreDown", Reads: dur(30), Interval: dur(60)},
		journal.BlindSpot{What: journal.BlindUnchecked, Name: "checkout_keeps_working", QueryID: "Q1", Detail: "the server did not answer within 10s"},
		journal.BlindSpot{What: journal.BlindNeverUp, Labels: map[string]string{"job": "worker"}, Interval: dur(1)},
		journal.BlindSpot{What: journal.BlindDown, Labels: store, Reads: dur(30), Interval: dur(1), From: &from, To: &to, Gaps: 1},
		journal.BlindSpot{What: journal.BlindGap, Labels: store, Reads: dur(30), Interval: dur(1), From: &from, To: &to, Gaps: 2},
		journal.BlindSpot{What: "of a later version", Name: "x"})
}

// shamRun injected nothing.
func shamRun() *journal.Record {
	s := begin("store_freezes")
	s.rec.Events[0].Payload.(*journal.RunStarted).Sham = true
	c := quick(0.5, func(sec, _ int) float64 { return wave(sec, 0.08, 0.01) })
	s.declare([]*claim{c}).baseline()
	q := s.sample(c, endAt)
	zero := at(faultAt)
	s.add(faultAt, &journal.PhaseStarted{Phase: journal.Fault, Zero: &zero}).add(60, &journal.PhaseStarted{Phase: journal.Recovery})
	m := compared(5)
	m.Findings = m.Findings[4:]
	m.Counts = []journal.MovedCount{{Change: "moved", Movements: 1}}
	m.Floor = []journal.MetricNoise{{Metric: "go_metric_e", Rank: 0.16}}
	s.add(90.1, judged(q, journal.NotTested, journal.ReasonSham, "")).add(90.15, m)
	s.add(90.18, &journal.Residue{})
	return s.add(90.2, &journal.RunEnded{Outcome: journal.OutcomeNotInjected, ExitCode: 4, Detail: "it was a sham run: nothing was injected, as intended"}).rec
}

func TestWhatElseMoved(t *testing.T) {
	says(t, movedRun(), []string{
		"## What else moved", "All 812 series in reach were compared, in bins of 5 s: the `baseline` from 10:04:31",
		"1 moved and returned, 3 moved and stayed, 8 moved, 1 appeared and 1 vanished",
		"In the sham run `2026-11-22T09-00-00Z-store_freezes-aaaa` there were 3 movements; 1 of those kept here were no larger than there.",
		"| 41 of its series | `{instance=\"shop-store-1:8080\", job=\"store\"}` | vanished | – | – | – | 1 | nothing | did not move |",
		"| moved and returned | 2 | 31.5 | 2 | 0.9365 | `nothing_piles_up` |",
		"| `http_requests_total` `{code=\"200\"}`, 3 series |", "| 25.13 per second | 3.02 per second | 8.4 per second |",
		"| appeared | no samples | 7 | 7 | 0.8333 | nothing | rank 0.2 |", "rank 0.31: within the noise",
		"| moved and stayed | 2026-11-21 10:04:31 | 10:05:02.5 | 10:05:02.5 | 1 |", "| moved and stayed | 1 | 2 | 2 | 0.75 |", "### What else moved, continued",
		"## What could not have been seen", "`checkout_stays_quick` looks back 3 s, and there is a sample about every 1 s",
		"The fault `store_freezes` lasts 3 s, and `checkout_stays_quick` has a sample every 5 s", "and of `{job=\"batch\"}` there is a sample every 30 s",
		"Whether all targets behind `{__name__=\"up\",job=\"nobody\"}` answered is not known: `there is no such series`.",
		"did not answer when it was scraped from 10:05:02", "the longest of 2 such times", "Something could not have been seen: `of a later version` `x`",
	}, []string{"No sham run"})

	whole := withMoved(compared(2))
	says(t, whole, []string{"No sham run of this scenario", "No blind spot is in the record"}, []string{"In the sham run |", "What else moved, continued"})
	nothing := compared(0)
	says(t, withMoved(nothing), []string{"Nothing moved by more than it does by itself", "812 series were compared, and nothing moved"}, []string{"### What else moved, continued"})
	says(t, withMoved(&journal.Moved{Why: "it took longer than the 20s that it may"}), []string{"What else moved was not computed: `it took longer than the 20s that it may`"},
		[]string{"What could not have been seen", "were compared"})
	part := compared(1)
	part.Selector, part.Left = `{job="shop"}`, "only 9 series were read"
	says(t, withMoved(part), []string{"In reach is `{job=\"shop\"}`", "Not all of them were read: `only 9 series were read`"}, nil)
	for _, rec := range []*journal.Record{whole, withMoved(nothing), withMoved(&journal.Moved{Why: "x"}), withMoved(part)} {
		for _, b := range breaches(t, Build(rec)) {
			t.Error(b)
		}
	}
	// Records of earlier versions know nothing of it.
	says(t, heldRun(0.12), nil, []string{"What else moved", "could not have been seen"})
}

// A sham run says what it is before anything else, and is not taken for a rehearsal.
func TestShamRun(t *testing.T) {
	rec := shamRun()
	says(t, rec, []string{"# Sham run: Checkout", "this was a sham run, in which nothing is injected", "all of this moved by itself", "not injected (exit code 4)"}, []string{"# Rehearsal"})
	d := Build(rec)
	if d.Sections[0].ID != "attention" || !strings.Contains(string(d.Markdown())[:400], "A sham run: nothing was injected, as intended") {
		t.Errorf("it begins with %.400s", d.Markdown())
	}
	var b strings.Builder
	Summary(&b, d, false, 80)
	if !strings.HasPrefix(b.String(), "Sham run, not injected: ") || !strings.Contains(b.String(), "run it without --sham") {
		t.Error(b.String())
	}
}
