package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// A Scanner hands out samples as they were scraped, series by series, so that all of them can be looked at without being held in
// memory together. Both sources are scanners.
type Scanner interface {
	// Scan calls each for every series that has samples in the time. left says in words what was not read, and why; empty: all
	// was. An error means that nothing, or not even a part that could be named, was read.
	Scan(ctx context.Context, s Scan, each func(RawSeries)) (left string, err error)
}

// A Scan says what is to be handed out.
type Scan struct {
	// Selector is a PromQL selector such as {job="shop"}. Empty means every series, which only the embedded engine allows.
	Selector string
	From, To time.Time
	// Skip says which metrics are not wanted; nil: none.
	Skip func(metric string) bool
}

func (s Scan) skip(metric string) bool { return s.Skip != nil && s.Skip(metric) }

// A RawSeries is one series with its samples. Times and Values are used again for the next one: they must not be kept.
type RawSeries struct {
	Metric string
	Labels map[string]string // without the metric's name
	Kind   string            // "counter" or "gauge", as who exports it says; empty: not known
	Times  []int64           // milliseconds since 1970
	Values []float64         // staleness marks are left out
}

var (
	_ Scanner = (*Embedded)(nil)
	_ Scanner = (*Server)(nil)
)

// CheckSelector says what is wrong with a selector.
func CheckSelector(selector string) error {
	_, err := matchers(selector)
	return err
}

func matchers(selector string) ([]*labels.Matcher, error) {
	if len(selector) > maxQueryLength {
		return nil, fmt.Errorf("the selector is %d bytes long, and at most %d are read", len(selector), maxQueryLength)
	}
	m, err := promQL.ParseMetricSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("not a selector of series: %w; write one like {job=\"shop\"}", err)
	}
	if !slices.ContainsFunc(m, func(x *labels.Matcher) bool { return !x.Matches("") }) {
		return nil, errors.New("the selector selects every series that there is: name a metric or a label value, as in {job=\"shop\"}")
	}
	return m, nil
}

// Scan reads the storage, one series after the other.
func (e *Embedded) Scan(ctx context.Context, s Scan, each func(RawSeries)) (string, error) {
	wanted, err := matchers(cmp.Or(s.Selector, `{__name__=~".+"}`))
	if err != nil {
		return "", err
	}
	done, err := e.use()
	if err != nil {
		return "", err
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.running, cancel)()

	from, to := s.From.UnixMilli(), s.To.UnixMilli()
	querier, err := e.db.Querier(from, to)
	if err != nil {
		return "", fmt.Errorf("the samples cannot be read: %w", err)
	}
	defer querier.Close()
	kinds := e.scraper.kinds()
	var (
		out RawSeries
		it  chunkenc.Iterator
		set = querier.Select(ctx, false, &storage.SelectHints{Start: from, End: to, DisableTrimming: true}, wanted...)
	)
	for set.Next() {
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("the samples were not read to their end: %w", err)
		}
		series := set.At()
		name := series.Labels().Get(model.MetricNameLabel)
		if s.skip(name) {
			continue
		}
		out.Times, out.Values = out.Times[:0], out.Values[:0]
		it = series.Iterator(it)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind != chunkenc.ValFloat {
				continue // a native histogram has no one value
			}
			if t, v := it.At(); t >= from && t <= to && !math.IsNaN(v) { // staleness marks are; leaving out is quicker here than in the storage
				out.Times, out.Values = append(out.Times, t), append(out.Values, v)
			}
		}
		if err := it.Err(); err != nil {
			return "", fmt.Errorf("the samples of %s cannot be read: %w", name, err)
		}
		if len(out.Times) == 0 {
			continue
		}
		out.Metric, out.Labels, out.Kind = name, series.Labels().Map(), kindOf(kinds, name)
		delete(out.Labels, model.MetricNameLabel)
		each(out)
	}
	if err := set.Err(); err != nil {
		return "", fmt.Errorf("the samples cannot be read: %w", err)
	}
	return "", nil
}

// kinds is what the exporters say of their metrics, by the name of the family; of two that differ neither counts.
func (s *scraper) kinds() map[string]string {
	out := map[string]string{}
	for _, targets := range s.manager.TargetsActive() {
		for _, t := range targets {
			for _, m := range t.ListMetadata() {
				if was, known := out[m.MetricFamily]; known && was != string(m.Type) {
					out[m.MetricFamily] = ""
				} else {
					out[m.MetricFamily] = string(m.Type)
				}
			}
		}
	}
	return out
}

// kindOf is the kind of a metric by that of its family, whose name some kinds of metrics extend.
func kindOf(families map[string]string, metric string) string {
	switch k := families[metric]; k {
	case "counter", "gauge":
		return k
	}
	for _, part := range []string{"_total", "_count", "_sum", "_bucket"} {
		if base, ok := strings.CutSuffix(metric, part); ok {
			switch families[base] {
			case "counter", "histogram", "summary":
				return "counter"
			}
		}
	}
	return ""
}
