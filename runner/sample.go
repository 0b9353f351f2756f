package runner

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// ask evaluates a query at one time and holds the answer against its condition. Where the baseline is not known yet, a condition
// that needs it waits.
func ask(ctx context.Context, src metrics.Source, q PlannedQuery, at time.Time, u usual) journal.Sample {
	began := time.Now()
	aging, enough := context.WithCancel(ctx)
	defer enough()
	var age chan time.Duration
	if q.Age != "" {
		age = make(chan time.Duration, 1)
		go func() { age <- askAge(aging, src, q, at) }()
	}
	res, err := src.Query(ctx, q.Text, at)
	s := journal.Sample{At: at.UTC().Round(0), Took: journal.Duration(time.Since(began))}
	if err != nil {
		s.State, s.Error = missing(q), err.Error()
		return s
	}
	for _, r := range res.Series {
		s.Series = append(s.Series, journal.SeriesValue{Labels: r.Labels, Value: journal.Number(r.Value)})
	}
	sort.SliceStable(s.Series, func(i, j int) bool { return seriesKey(s.Series[i].Labels) < seriesKey(s.Series[j].Labels) })
	if age != nil {
		if q.Guardrail != nil {
			if hold(q, &s, u); s.State == journal.Violated {
				return s // nobody waits for more
			}
		}
		s.Age = journal.Duration(<-age)
	}
	hold(q, &s, u)
	return s
}

// askAge is how old what a query reads is at one time: 0 where there is nothing, less where it was not told.
func askAge(ctx context.Context, src metrics.Source, q PlannedQuery, at time.Time) time.Duration {
	res, err := src.Query(ctx, q.Age, at)
	switch {
	case err != nil:
		return -1
	case len(res.Series) == 0:
		return 0
	}
	// The clock of an exporter may be ahead.
	return max(time.Millisecond, time.Duration(res.Series[0].Value*float64(time.Second)).Round(time.Millisecond))
}

// seriesKey names a series by its labels in one order.
func seriesKey(labels map[string]string) string {
	names := make([]string, 0, len(labels))
	for n := range labels {
		names = append(names, n)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "%s=%q,", n, labels[n])
	}
	return b.String()
}

// hold holds every series of a sample against the condition and sets its state. For a hypothesis OK means that expect is true,
// for a guardrail that abort_when is false; one series that is not OK makes the sample violated (with match = "any": all).
// A series without a number, or without the baseline that the condition needs, is missing, and so is one that the baseline always
// had and the answer has not; that counts as the file says. An answer that is too old holds nothing; what one of several series violates, it
// violates: it need not be the one that is old. The sample's Error says why something is missing, if its state hangs on that. The error is that of a condition which could not be
// evaluated: whatever the file says of missing data, that is never a pass.
func hold(q PlannedQuery, s *journal.Sample, u usual) error {
	if s.Error != "" && len(s.Series) == 0 {
		s.State = missing(q)
		return nil
	}
	s.Error = ""
	cond := q.condition()
	if cond.UsesBaseline() && u.medians == nil {
		s.State = journal.Waiting
		return nil
	}
	why := ""
	note := func(text string, labels map[string]string) {
		if why == "" {
			why = text + where(labels)
		}
	}
	var broken error
	good, bad := 0, 0
	for i := range s.Series {
		v := &s.Series[i]
		v.OK, v.Op, v.Bound = false, "", nil
		in := scenarios.Input{Value: float64(v.Value), Labels: v.Labels}
		if math.IsNaN(in.Value) {
			note("the value is NaN", v.Labels)
			continue
		}
		if cond.UsesBaseline() {
			b, ok := u.medians[seriesKey(v.Labels)]
			if !ok {
				note("this series had no baseline", v.Labels)
				continue
			}
			in.Baseline = &b
		}
		j, err := cond.Eval(in)
		if err != nil {
			if broken == nil {
				broken = err
			}
			continue
		}
		v.Op = j.Op
		v.OK = j.OK == (q.Hypothesis != nil)
		if j.Bound != nil {
			b := journal.Number(*j.Bound)
			v.Bound = &b
		}
		if v.OK {
			good++
		} else {
			bad++
		}
	}
	lost := u.lost(s.Series)
	if len(lost) > 0 && why == "" {
		why = tellLost(lost)
	}
	stale := u.stale(s)
	if q.Hypothesis == nil && s.Age < 0 {
		stale = "" // one answer that got lost makes no guardrail blind
	}
	if stale != "" {
		why = stale
	}
	if len(s.Series) == 0 {
		why = "the query returned no series"
	}
	any := q.Hypothesis != nil && q.Hypothesis.MatchAny
	switch n := len(s.Series); {
	case stale != "" && q.Hypothesis != nil && n == 1:
		s.State, s.Error = missing(q), why
	case stale == "" && (any && good > 0 || n > 0 && good == n && len(lost) == 0):
		s.State = journal.Holding
	case any && n > 0 && bad == n, !any && bad > 0:
		s.State = journal.Violated
	case broken != nil:
		s.State, s.Error = journal.NoData, broken.Error()
		return broken
	default:
		s.State, s.Error = missing(q), why
	}
	return nil
}

// missing is the state of a sample without data, as the file wants it counted.
func missing(q PlannedQuery) journal.State {
	if q.Hypothesis != nil {
		switch q.Hypothesis.NoData {
		case "holds":
			return journal.Holding
		case "violates":
			return journal.Violated
		}
	} else if q.Guardrail.NoData == "ignore" {
		return journal.Holding
	}
	return journal.NoData
}

func where(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	return " (" + strings.TrimSuffix(seriesKey(labels), ",") + ")"
}

// A sampler asks the queries of a run at a fixed rate, side by side.
type sampler struct {
	src     metrics.Source
	began   time.Time
	phase   func() journal.Phase
	record  func(q PlannedQuery, s journal.Sample)
	timeout time.Duration

	mu    sync.Mutex
	usual map[string]usual       // by query id
	asked map[string][]time.Time // evaluation times whose answer is still out, by query id
	wg    sync.WaitGroup
}

// patience is how late a question may be asked on a busy machine. The answer is that of its own evaluation time all the same,
// but numbers that old would have been scraped by a machine that was just as busy.
const patience = time.Second

// run samples one query until ctx ends. A slow answer never delays the next question.
func (s *sampler) run(ctx context.Context, q PlannedQuery) {
	// By the wall clock: it goes on while the machine sleeps, and Prometheus knows no other.
	began := s.began.Round(0)
	for n := 1; ; n++ {
		at := began.Add(time.Duration(n) * q.Every)
		if d := time.Until(at); d > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(d):
			}
		} else if -d > max(q.Every, patience) {
			// The machine slept. Asking for what lies behind would not be a sample of that time.
			n += int(-d / q.Every)
			continue
		}
		phase := s.phase()
		s.mu.Lock()
		s.asked[q.ID] = append(s.asked[q.ID], at)
		u := s.usual[q.ID]
		s.mu.Unlock()
		s.wg.Go(func() {
			// The answer outlives the run's own end for a moment: a sample that was asked for is not thrown away.
			qctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
			defer cancel()
			sample := ask(qctx, s.src, q, at, u)
			sample.Phase = phase
			s.record(q, sample)
			s.mu.Lock()
			defer s.mu.Unlock()
			for i, t := range s.asked[q.ID] {
				if t.Equal(at) {
					s.asked[q.ID] = append(s.asked[q.ID][:i:i], s.asked[q.ID][i+1:]...)
					break
				}
			}
		})
	}
}

// answered waits until every question up to now has its answer, or ctx ends.
func (s *sampler) answered(ctx context.Context, now time.Time) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		out := false
		s.mu.Lock()
		for _, times := range s.asked {
			for _, t := range times {
				out = out || !t.After(now)
			}
		}
		s.mu.Unlock()
		if !out {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *sampler) setUsual(u map[string]usual) {
	s.mu.Lock()
	s.usual = u
	s.mu.Unlock()
}
