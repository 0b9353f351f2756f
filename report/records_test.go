package report

import (
	"encoding/json"
	"math"
	"time"

	"gameday/runner/journal"
)

var start = time.Date(2026, 11, 22, 10, 4, 31, 0, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

func dur(seconds float64) journal.Duration {
	return journal.Duration(seconds * float64(time.Second))
}

func num(f float64) *journal.Number { n := journal.Number(f); return &n }

// A story composes the record of a run, event by event.
type story struct {
	rec *journal.Record
}

func (s *story) add(seconds float64, p journal.Payload) *story {
	s.rec.Events = append(s.rec.Events, journal.Event{Seq: len(s.rec.Events) + 1, Time: at(seconds), Offset: dur(seconds), Actor: "runner", Payload: p})
	return s
}

// A claim is a hypothesis with what its query returned at each second.
type claim struct {
	journal.Hypothesis
	bound  float64
	guard  bool // it is a guardrail's condition, true above the bound
	series []map[string]string
	value  func(sec, series int) float64 // NaN at all series: no data
	fail   string
}

// Times of the common run, in seconds: baseline, fault and recovery.
const (
	faultAt, effectAt, undoAt, goneAt, endAt = 30.0, 30.214, 60.0, 60.031, 90.0
)

var (
	store = journal.Ref{ID: "4f1c0e6b7a21", Name: "shop-store-1"}
	full  = "sha256:9b2c7d0a55e14f1c8aa61d0f3e4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d"
)

func begin(name string) *story {
	s := &story{&journal.Record{Name: "2026-11-22T10-04-31Z-" + name + "-3f9c", Queries: map[string]*journal.Query{}}}
	s.add(0, &journal.RunStarted{
		Run: s.rec.Name, Version: "0.1.0", Scenario: name, Title: "Checkout survives a frozen store",
		Description: "In March a frozen store took checkout down for 40 minutes.\nWe added a timeout. This rehearsal shows whether it holds.",
		Tags:        []string{"checkout"}, Files: []journal.File{{Name: "shop.gameday.hcl", SHA256: full[7:]}}, Hash: full[7:],
		Variables: map[string]string{"error_budget": "0.05", "token": `"(sensitive)"`}, Seed: 7316482910, Host: "build-7", PID: 4211,
		Engine: journal.Engine{ID: "ABCD", Name: "docker-1", Version: "20.10.24", API: "1.41", Kernel: "6.1.0", OS: "Debian GNU/Linux 12", Cgroups: "2", Endpoint: "unix:///var/run/docker.sock"},
		Source: &journal.Source{Name: "own", Type: "embedded", Version: "v0.315.0", Interval: "1s"},
	})
	return s
}

func (s *story) declare(claims []*claim, guards ...journal.Guardrail) *story {
	d := &journal.Declared{
		Baseline: dur(30), Recovery: dur(30), Guardrails: guards,
		Assumptions: []journal.Assumption{{Name: "retries_are_capped", Description: "No client retries more than twice."}},
		Faults: []journal.FaultPlan{{Name: "store_freezes", FaultKind: "pause", Target: "store", Containers: []string{store.Name}, Duration: dur(30),
			Does: "pause shop-store-1: every process in it is frozen", Undo: "unpause shop-store-1", File: "shop.gameday.hcl", Line: 61}},
		BlastRadius: journal.BlastRadius{MaxTargets: 1, MaxDuration: dur(120), Protect: []string{"frontend"}, Protected: []string{"shop-frontend-1"}},
	}
	for _, c := range claims {
		d.Hypotheses = append(d.Hypotheses, c.Hypothesis)
	}
	s.add(0.02, d)
	s.add(0.04, &journal.TargetResolved{Target: "store", Selector: `compose project "shop", compose service "store"`, Pick: "all",
		Chosen: []journal.Container{{ID: store.ID, Name: store.Name, Image: "shop:demo", ImageID: full, Service: "store", StartedAt: at(-120), RestartPolicy: "always", Health: "healthy",
			HealthCheck: &journal.HealthCheck{Interval: dur(5), Timeout: dur(2), StartPeriod: dur(10), Retries: 3}, Limits: &journal.Limits{Memory: 256 << 20, CPUs: 0.5}, Replicas: 1}}})
	return s
}

// sample evaluates a claim once a second and keeps what the query returned.
func (s *story) sample(c *claim, until float64) *journal.Query {
	q := &journal.Query{ID: c.QueryID, Purpose: "hypothesis", Name: c.Name, Text: c.Query, Every: c.Every}
	for sec := 1; float64(sec) <= until; sec++ {
		smp := journal.Sample{At: at(float64(sec)), Phase: phaseAt(float64(sec)), Took: dur(0.004), State: journal.Holding}
		for i, labels := range c.series {
			v := c.value(sec, i)
			if math.IsNaN(v) {
				continue
			}
			ok, op := v < c.bound, "<"
			if c.guard {
				op = ">"
			}
			smp.Series = append(smp.Series, journal.SeriesValue{Labels: labels, Value: journal.Number(v), OK: ok, Op: op, Bound: num(c.bound)})
			if !ok {
				smp.State = journal.Violated
			}
		}
		if len(smp.Series) == 0 {
			smp.State, smp.Error = journal.NoData, c.fail
		}
		q.Samples = append(q.Samples, smp)
	}
	s.rec.Queries[q.ID] = q
	return q
}

func phaseAt(sec float64) journal.Phase {
	switch {
	case sec < faultAt:
		return journal.Baseline
	case sec < goneAt:
		return journal.Fault
	}
	return journal.Recovery
}

// judged sums samples up as the runner does, so that the numbers of a verdict are those of its samples.
func judged(q *journal.Query, v journal.Verdict, r journal.Reason, phase journal.Phase) *journal.HypothesisJudged {
	j := &journal.HypothesisJudged{Hypothesis: q.Name, QueryID: q.ID, Verdict: v, Reason: r, Phase: phase}
	var prev *journal.Sample
	again := len(q.Samples) // from here on it held for good
	for again > 0 && q.Samples[again-1].State == journal.Holding {
		again--
	}
	for i := range q.Samples {
		s := &q.Samples[i]
		if len(j.Phases) == 0 || j.Phases[len(j.Phases)-1].Phase != s.Phase {
			j.Phases = append(j.Phases, journal.PhaseJudged{Phase: s.Phase, From: s.At})
			prev = nil
		}
		p := &j.Phases[len(j.Phases)-1]
		p.To = s.At
		p.Samples++
		var worst *journal.Point
		for _, x := range s.Series {
			if worst == nil || x.Value > worst.Value || math.IsNaN(float64(worst.Value)) {
				worst = &journal.Point{At: s.At, Value: x.Value, Labels: x.Labels, Op: x.Op, Bound: x.Bound}
			}
		}
		if worst != nil && (p.Worst == nil || worst.Value > p.Worst.Value) {
			p.Worst = worst
		}
		if worst != nil && (s.Phase == journal.Fault || s.Phase == journal.Recovery && i >= again) && finite(float64(worst.Value)) {
			distance := *worst.Bound - worst.Value
			if j.Margin == nil || distance < j.Margin.Distance {
				j.Margin = &journal.Margin{Point: *worst, Distance: distance, Share: num(float64(distance) / float64(*worst.Bound))}
			}
		}
		extend := func(list *[]journal.Stretch, state journal.State) {
			if prev != nil && prev.State == state && len(*list) > 0 {
				x := &(*list)[len(*list)-1]
				x.Last = s.At
				x.Length = journal.Duration(x.Last.Sub(x.First))
				if worst != nil && worst.Value > x.Worst.Value {
					x.Worst = worst
				}
			} else {
				x := journal.Stretch{First: s.At, Last: s.At, Worst: worst, Detail: s.Error}
				if prev != nil {
					x.After = &prev.At
				}
				*list = append(*list, x)
			}
			x := &(*list)[len(*list)-1]
			from := x.First
			if x.After != nil {
				from = *x.After
			}
			x.AtMost = journal.Duration(x.Last.Sub(from))
		}
		closeLast := func(list []journal.Stretch, state journal.State) {
			if prev != nil && prev.State == state && s.State != state && len(list) > 0 {
				x := &list[len(list)-1]
				x.Before = &s.At
				from := x.First
				if x.After != nil {
					from = *x.After
				}
				x.AtMost = journal.Duration(s.At.Sub(from))
			}
		}
		closeLast(p.Violations, journal.Violated)
		closeLast(p.Gaps, journal.NoData)
		switch s.State {
		case journal.Violated:
			p.Bad++
			extend(&p.Violations, journal.Violated)
		case journal.NoData:
			p.Missing++
			extend(&p.Gaps, journal.NoData)
		default:
			p.Good++
		}
		prev = s
	}
	return j
}

func (s *story) baseline() *story {
	s.add(1, &journal.PhaseStarted{Phase: journal.Baseline})
	s.add(29.9, &journal.BaselineJudged{Passed: true})
	zero := at(faultAt)
	s.add(faultAt+0.002, &journal.PhaseStarted{Phase: journal.Fault, Zero: &zero})
	return s
}

func (s *story) inject() *story {
	s.add(faultAt+0.1, &journal.FaultIntent{Fault: "store_freezes", FaultKind: "pause", Container: store, Does: "pause shop-store-1: every process in it is frozen",
		UndoWords: "unpause shop-store-1", Undo: json.RawMessage(`{"kind":"pause","id":"4f1c0e6b7a21"}`)})
	s.add(faultAt+0.16, &journal.FaultInjected{Fault: "store_freezes", Container: store, Called: at(faultAt + 0.12), Took: dur(0.04)})
	s.add(effectAt+0.01, &journal.FaultVerified{Fault: "store_freezes", Container: store, Seen: "state was paused", Effect: at(effectAt)})
	return s
}

func (s *story) undo(when float64, why journal.UndoWhy, differences ...string) *story {
	s.add(when, &journal.UndoStarted{Fault: "store_freezes", Container: store, Why: why})
	s.add(when+0.04, &journal.UndoVerified{Fault: "store_freezes", Container: store, Seen: "state was running", At: at(when + goneAt - undoAt), Took: dur(0.021), Differences: differences})
	s.add(when+0.05, &journal.PhaseStarted{Phase: journal.Recovery})
	return s
}

func (s *story) end(when float64, o journal.Outcome, code int) *story {
	s.add(when, &journal.Residue{Faults: 1, Undone: 1})
	return s.add(when+0.1, &journal.RunEnded{Outcome: o, ExitCode: code})
}

func quick(bound float64, value func(sec, series int) float64) *claim {
	return &claim{Hypothesis: journal.Hypothesis{Name: "checkout_stays_quick", Description: "The slowest 1% of checkouts take at most half a second.", QueryID: "Q2",
		Query:  `histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{job="shop"}[15s])))`,
		Expect: "value < 0.5", Phases: []journal.Phase{journal.Baseline, journal.Fault, journal.Recovery}, Every: dur(1), Lookback: dur(15), Match: "all", NoData: "inconclusive", File: "shop.gameday.hcl", Line: 40},
		bound: bound, series: []map[string]string{nil}, value: value}
}

func works(value func(sec, series int) float64) *claim {
	return &claim{Hypothesis: journal.Hypothesis{Name: "checkout_keeps_working", Description: "Hardly any checkout fails, whatever the store does.", QueryID: "Q1",
		Query:  `sum(rate(http_requests_total{job="shop",code=~"5.."}[15s])) / sum(rate(http_requests_total{job="shop"}[15s]))`,
		Expect: "value < var.error_budget", Phases: []journal.Phase{journal.Baseline, journal.Fault, journal.Recovery}, Every: dur(1), Lookback: dur(15), Tolerate: dur(5), Match: "all", NoData: "inconclusive", File: "shop.gameday.hcl", Line: 31},
		bound: 0.05, series: []map[string]string{nil}, value: value}
}

func wave(sec int, base, swing float64) float64 {
	return base + swing*math.Sin(float64(sec)*1.7)*math.Cos(float64(sec)*0.31)
}

func heldRun(high float64) *journal.Record {
	s := begin("store_freezes")
	a := works(func(sec, _ int) float64 { return wave(sec, 0.004, 0.002) })
	b := quick(0.5, func(sec, _ int) float64 {
		if sec > 32 && sec < 64 {
			return wave(sec, high, high*0.02)
		}
		return wave(sec, 0.08, 0.01)
	})
	g := journal.Guardrail{Name: "checkout_is_down", Description: "Real customers are hurt: stop at once.", QueryID: "Q3", Query: a.Query, AbortWhen: "value > 0.5", For: dur(5), Every: dur(1), NoData: "abort"}
	s.declare([]*claim{a, b}, g).baseline().inject()
	s.undo(undoAt, journal.UndoDue)
	qa, qb := s.sample(a, endAt), s.sample(b, endAt)
	qg := s.sample(&claim{Hypothesis: journal.Hypothesis{Name: g.Name, QueryID: "Q3", Query: g.Query, Every: dur(1)}, bound: 0.5, guard: true, series: a.series, value: a.value}, endAt)
	qg.Purpose = "guardrail"
	ja, jb := judged(qa, journal.Held, journal.ReasonHeld, ""), judged(qb, journal.Held, journal.ReasonHeld, "")
	jb.HeldAgain = &journal.HeldAgain{Undo: at(goneAt), AtMost: 0, First: at(61)}
	jg := judged(qg, journal.Held, journal.ReasonHeld, "")
	s.add(90.1, ja).add(90.1, jb)
	s.add(90.1, &journal.GuardrailJudged{Guardrail: g.Name, QueryID: "Q3", Samples: len(qg.Samples), Closest: jg.Margin})
	s.end(90.2, journal.OutcomeHeld, 0)
	return s.rec
}

// refutedRun is the demo's story: the store freezes and requests pile up.
func refutedRun() *story {
	s := begin("store_freezes")
	a := works(func(sec, _ int) float64 { return wave(sec, 0.004, 0.002) })
	b := quick(0.5, func(sec, _ int) float64 {
		switch {
		case sec >= 34 && sec < 64:
			return 4.2 - 3*math.Exp(-float64(sec-33)/6)
		case sec >= 64 && sec < 70:
			return 4.2 * math.Exp(-float64(sec-63)/2)
		}
		return wave(sec, 0.08, 0.01)
	})
	g := journal.Guardrail{Name: "checkout_is_down", Description: "Real customers are hurt: stop at once.", QueryID: "Q3", Query: a.Query, AbortWhen: "value > 0.5", For: dur(5), Every: dur(1), NoData: "abort"}
	s.declare([]*claim{a, b}, g).baseline().inject()
	qa, qb := s.sample(a, endAt), s.sample(b, endAt)
	point := func(q *journal.Query, sec int) *journal.Point {
		x := q.Samples[sec-1]
		return &journal.Point{At: x.At, Value: x.Series[0].Value, Op: "<", Bound: x.Series[0].Bound}
	}
	s.add(34.01, &journal.HypothesisState{Hypothesis: b.Name, QueryID: "Q2", Phase: journal.Fault, From: journal.Holding, To: journal.Violated, Point: point(qb, 34), At: at(34), Refuted: true})
	s.add(41.5, &journal.TargetChanged{Container: journal.Ref{ID: "77aa", Name: "shop-api-2"}, Change: "unhealthy", At: at(41.46)})
	s.undo(undoAt, journal.UndoDue, "the IPv4 address on network shop was 172.20.0.4 and is 172.20.0.5")
	s.add(68.01, &journal.HypothesisState{Hypothesis: b.Name, QueryID: "Q2", Phase: journal.Recovery, From: journal.Violated, To: journal.Holding, Point: point(qb, 68), At: at(68)})
	s.add(71.2, &journal.TargetChanged{Container: journal.Ref{ID: "77aa", Name: "shop-api-2"}, Change: "healthy", At: at(71.15)})
	qg := s.sample(&claim{Hypothesis: journal.Hypothesis{Name: g.Name, QueryID: "Q3", Query: g.Query, Every: dur(1)}, bound: 0.5, guard: true, series: a.series, value: a.value}, endAt)
	qg.Purpose = "guardrail"
	jb := judged(qb, journal.Refuted, journal.ReasonViolated, journal.Fault)
	jb.HeldAgain = &journal.HeldAgain{Undo: at(goneAt), AtLeast: journal.Duration(at(67).Sub(at(goneAt))), AtMost: journal.Duration(at(68).Sub(at(goneAt))), First: at(68)}
	jb.FirstViolation = &journal.FirstViolation{Effect: at(effectAt), After: at(33), First: at(34), AtLeast: journal.Duration(at(33).Sub(at(effectAt))),
		AtMost: journal.Duration(at(34).Sub(at(faultAt + 0.12)))}
	s.add(90.1, judged(qa, journal.Held, journal.ReasonHeld, "")).add(90.1, jb)
	s.add(90.1, &journal.GuardrailJudged{Guardrail: g.Name, QueryID: "Q3", Samples: len(qg.Samples), Closest: judged(qg, journal.Held, journal.ReasonHeld, "").Margin})
	return s
}
