package metrics

import (
	"context"
	"slices"
	"sort"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// An overlay is recorded samples without what rules wrote among them, and over it what rules write in a replay. It is used by one
// goroutine.
type overlay struct {
	base   storage.Queryable
	names  map[string]bool // of the series that rules write
	read   bool            // some rule reads them
	series map[string]*overlaid
}

type overlaid struct {
	labels  labels.Labels
	samples []chunks.Sample // in the order of their times
}

func newOverlay(base storage.Queryable, groups []*ruleGroup) *overlay {
	o := &overlay{base: base, names: map[string]bool{alertsMetric: true, alertsForState: true}, series: map[string]*overlaid{}}
	for _, g := range groups {
		for _, r := range g.rules {
			if r.record != "" {
				o.names[r.record] = true
			}
		}
	}
	for _, g := range groups {
		for _, r := range g.rules {
			for _, s := range selectors(r.expr) {
				for name := range o.names {
					o.read = o.read || r.needed && s.reads(name)
				}
			}
		}
	}
	return o
}

// append keeps samples. As in the storage, one that is older than the last of its series is dropped.
func (o *overlay) append(_ context.Context, samples []promql.Sample) error {
	for _, s := range samples {
		key := string(s.Metric.Bytes(nil))
		w := o.series[key]
		if w == nil {
			w = &overlaid{labels: s.Metric}
			o.series[key] = w
		}
		if n := len(w.samples); n == 0 || w.samples[n-1].T() < s.T {
			w.samples = append(w.samples, ruleSample{s.T, s.F, s.H})
		}
	}
	return nil
}

// Querier reads both.
func (o *overlay) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := o.base.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	return &overlayQuerier{q, o, mint, maxt}, nil
}

type overlayQuerier struct {
	storage.Querier
	o          *overlay
	mint, maxt int64
}

func (q *overlayQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var own []storage.Series
	for _, w := range q.o.series {
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(w.labels.Get(m.Name)) }) {
			continue
		}
		first := sort.Search(len(w.samples), func(i int) bool { return w.samples[i].T() >= q.mint })
		last := sort.Search(len(w.samples), func(i int) bool { return w.samples[i].T() > q.maxt })
		if first < last {
			own = append(own, storage.NewListSeries(w.labels, w.samples[first:last]))
		}
	}
	base := &withoutNames{q.Querier.Select(ctx, sorted, hints, matchers...), q.o.names}
	if len(own) == 0 {
		return base
	}
	return &bothSeries{withoutNames: base, own: own}
}

// withoutNames leaves series of some names out.
type withoutNames struct {
	storage.SeriesSet
	names map[string]bool
}

func (s *withoutNames) Next() bool {
	for s.SeriesSet.Next() {
		if !s.names[s.SeriesSet.At().Labels().Get(model.MetricNameLabel)] {
			return true
		}
	}
	return false
}

// bothSeries is what rules wrote, and then what was recorded.
type bothSeries struct {
	*withoutNames
	own []storage.Series
	at  storage.Series // of own; nil: the others have begun
}

func (s *bothSeries) Next() bool {
	if s.at = nil; len(s.own) > 0 {
		s.at, s.own = s.own[0], s.own[1:]
		return true
	}
	return s.withoutNames.Next()
}

func (s *bothSeries) At() storage.Series {
	if s.at != nil {
		return s.at
	}
	return s.withoutNames.At()
}

// A ruleSample is one sample that a rule wrote.
type ruleSample struct {
	t int64
	f float64
	h *histogram.FloatHistogram
}

func (s ruleSample) T() int64                      { return s.t }
func (s ruleSample) ST() int64                     { return 0 }
func (s ruleSample) F() float64                    { return s.f }
func (s ruleSample) H() *histogram.Histogram       { return nil }
func (s ruleSample) FH() *histogram.FloatHistogram { return s.h }
func (s ruleSample) Type() chunkenc.ValueType {
	if s.h != nil {
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

func (s ruleSample) Copy() chunks.Sample {
	if s.h != nil {
		s.h = s.h.Copy()
	}
	return s
}
