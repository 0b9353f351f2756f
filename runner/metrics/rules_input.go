package metrics

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// unseen says what of the input of an alerting rule is not in the samples at all; empty: there is nothing of the kind. Series that
// begin to exist with the first failure are not missed as long as there are some for successes.
func unseen(ctx context.Context, db storage.Queryable, groups []*ruleGroup, r *rule, from, to time.Time) (string, error) {
	q, err := db.Querier(from.Add(-staleness).UnixMilli(), to.UnixMilli())
	if err != nil {
		return "", fmt.Errorf("the samples cannot be read: %w", err)
	}
	defer q.Close()
	for _, s := range inputs(groups, r, map[*rule]bool{}) {
		if s.absent {
			continue
		}
		there, err := anySample(ctx, q, s.matchers)
		if err == nil && !there {
			there, err = anySample(ctx, q, s.withoutOutcome().matchers)
		}
		if err != nil {
			return "", fmt.Errorf("the samples cannot be read: %w", err)
		}
		if !there {
			return fmt.Sprintf("no series matched %s at any time", s), nil
		}
	}
	return "", nil
}

// inputs are the selectors of a rule, and instead of those that read what recording rules write, theirs.
func inputs(groups []*ruleGroup, r *rule, done map[*rule]bool) []selector {
	if done[r] {
		return nil
	}
	done[r] = true
	var out []selector
	for _, s := range selectors(r.expr) {
		by := writers(groups, s)
		for _, other := range by {
			for _, in := range inputs(groups, other, done) {
				in.absent = in.absent || s.absent
				out = append(out, in)
			}
		}
		if len(by) == 0 && !s.readsAlerts() {
			out = append(out, s)
		}
	}
	return out
}

// narrowed are the inputs of a rule as far as it reads them: of what a recording rule reads, only the series that end in those that are
// selected of it.
func narrowed(groups []*ruleGroup, r *rule, path []*rule) (out []selector) {
	path = append(slices.Clone(path), r)
	for _, s := range selectors(r.expr) {
		by := writers(groups, s)
		for _, w := range by {
			if slices.Contains(path, w) {
				continue
			}
			for _, in := range narrowed(groups, w, path) {
				in.absent = in.absent || s.absent
				if keepsLabels(w.expr) {
					in.matchers = slices.Clone(in.matchers)
					for _, m := range s.matchers {
						if m.Name != model.MetricNameLabel && !m.Matches("") && !w.labels.Has(m.Name) {
							in.matchers = append(in.matchers, m)
						}
					}
				}
				out = append(out, in)
			}
		}
		if len(by) == 0 && !s.readsAlerts() {
			out = append(out, s)
		}
	}
	return out
}

// keepsLabels says whether a label of a result of an expression is that of all series that it is made from.
func keepsLabels(node parser.Node) bool {
	switch n := node.(type) {
	case *parser.BinaryExpr:
		if m := n.VectorMatching; m != nil && (m.On || len(m.MatchingLabels) > 0 || m.Card != parser.CardOneToOne) {
			return false
		}
	case *parser.AggregateExpr:
		if n.Op == parser.COUNT_VALUES {
			return false
		}
	case *parser.Call:
		if strings.HasPrefix(n.Func.Name, "label_") || strings.HasPrefix(n.Func.Name, "absent") || n.Func.Name == "scalar" || n.Func.Name == "info" {
			return false
		}
	}
	return !slices.ContainsFunc(parser.Children(node), func(c parser.Node) bool { return !keepsLabels(c) })
}

func anySample(ctx context.Context, q storage.Querier, matchers []*labels.Matcher) (bool, error) {
	if !(selector{matchers: matchers}).named() {
		return true, nil // it is asked for everything
	}
	set := q.Select(ctx, false, nil, matchers...)
	for set.Next() {
		for it := set.At().Iterator(nil); ; {
			kind := it.Next()
			if kind == chunkenc.ValNone {
				break
			}
			if kind != chunkenc.ValFloat {
				return true, nil
			}
			if _, v := it.At(); !value.IsStaleNaN(v) {
				return true, nil
			}
		}
	}
	return false, set.Err()
}

// A Gap is a time in which nothing was scraped at all: the machine slept, or was too busy. A target that does not answer makes none.
type Gap struct{ From, To time.Time }

// Gaps are those of the engine.
func (e *Embedded) Gaps(ctx context.Context, from, to time.Time, least time.Duration) ([]Gap, error) {
	e.mu.Lock()
	if e.state != stateRunning {
		e.mu.Unlock()
		return nil, fmt.Errorf("the embedded Prometheus engine is not running")
	}
	e.users.Add(1)
	e.mu.Unlock()
	defer e.users.Done()
	return Gaps(ctx, e.db, from, to, least)
}

// Gaps are the times between two, of at least the given length, in which nothing was scraped, probed or told of a container. Where
// there is nothing of all that at any time, there is no gap in it.
func Gaps(ctx context.Context, db storage.Queryable, from, to time.Time, least time.Duration) ([]Gap, error) {
	q, err := db.Querier(from.Add(-least).UnixMilli(), to.Add(least).UnixMilli())
	if err != nil {
		return nil, err
	}
	defer q.Close()
	times := []int64{math.MinInt64, math.MaxInt64}
	set := q.Select(ctx, false, nil, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, "up|probe_success|container_state"))
	for set.Next() {
		for it := set.At().Iterator(nil); it.Next() != chunkenc.ValNone; {
			if t, v := it.At(); !value.IsStaleNaN(v) {
				times = append(times, t)
			}
		}
	}
	if err := set.Err(); err != nil {
		return nil, err
	}
	if len(times) == 2 {
		return nil, nil
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	var out []Gap
	first, last := from.UnixMilli(), to.UnixMilli()
	for i := 1; i < len(times); i++ {
		a, b := max(times[i-1], first), min(times[i], last)
		if b-a >= least.Milliseconds() {
			out = append(out, Gap{time.UnixMilli(a).UTC(), time.UnixMilli(b).UTC()})
		}
	}
	return out, nil
}
