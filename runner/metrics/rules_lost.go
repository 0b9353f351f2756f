package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// A Loss is a time in which a rule found nothing to read where it had found something before: it is quiet then whatever happens.
type Loss struct {
	Gap            // from the last evaluation that found it to the next that did, or to the end
	Of      string // the selector
	Forever bool   // it did not come back
}

// mostSteps of a query over a time are asked for; servers refuse more than 11,000.
const mostSteps = 10_000

// presence is a query that gives something whenever a selector finds something to read.
func (s selector) presence() string {
	switch {
	case s.over > 0:
		return fmt.Sprintf("count(count_over_time(%s[%s]))", s, model.Duration(s.over+s.asked))
	case s.asked > 0:
		return fmt.Sprintf("count_over_time(count(%s)[%s:%s])", s, model.Duration(s.asked), model.Duration(max(time.Millisecond, s.asked/10)))
	}
	return fmt.Sprintf("count(%s)", s)
}

// losses are those of selectors until the last of some steps. ask says at which steps a query gives something. Series that tell failures from successes are not lost as long as there are some for successes.
func losses(in []selector, to time.Time, step time.Duration, ask func(query string) ([]time.Time, error)) (out []Loss, err error) {
	for _, s := range in {
		if s.absent || !s.named() {
			continue
		}
		there, err := ask(s.presence())
		if err != nil {
			return nil, err
		}
		found := lossesOf(s, there, to, step)
		if general := s.withoutOutcome(); len(found) > 0 && len(general.matchers) < len(s.matchers) && general.named() {
			if there, err = ask(general.presence()); err != nil {
				return nil, err
			}
			found = lossesOf(s, there, to, step)
		}
		out = append(out, found...)
	}
	return out, nil
}

func lossesOf(s selector, there []time.Time, to time.Time, step time.Duration) (out []Loss) {
	for i, at := range there {
		next, forever := to, true
		if i+1 < len(there) {
			next, forever = there[i+1], false
		}
		if next.Sub(at) > step+step/2 || forever && next.Sub(at) >= step {
			out = append(out, Loss{Gap{at.UTC(), next.UTC()}, s.String(), forever})
		}
	}
	return out
}

// grid is the last of the steps from a time on that is not after another, and how far they are apart: not more than can be asked for.
func grid(from, to time.Time, step time.Duration) (last time.Time, wide time.Duration) {
	step = max(step, to.Sub(from)/mostSteps).Truncate(time.Millisecond)
	step = max(step, time.Millisecond)
	return from.Add(to.Sub(from) / step * step), step
}

// A steps is at which steps queries give something, as far as it was asked: rules often read the same.
type steps map[string][]time.Time

func (k steps) ask(query string, first time.Time, step time.Duration, ask func() ([]time.Time, error)) ([]time.Time, error) {
	key := fmt.Sprint(query, first.UnixMilli(), step)
	out, known := k[key]
	var err error
	if !known {
		if out, err = ask(); err == nil {
			k[key] = out
		}
	}
	return out, err
}

// lostIn are the losses of what a rule reads in recorded samples, at the evaluations of all phases.
func lostIn(ctx context.Context, db storage.Queryable, engine *promql.Engine, groups []*ruleGroup, r *rule, from, to time.Time, phases int, known steps) ([]Loss, error) {
	last, step := grid(from, to, r.alert.Interval/time.Duration(phases))
	there := func(query string) (out []time.Time, err error) {
		q, err := engine.NewRangeQuery(ctx, db, nil, query, from, last, step)
		if err != nil {
			return nil, err
		}
		defer q.Close()
		matrix, err := q.Exec(ctx).Matrix()
		if err != nil {
			return nil, fmt.Errorf("whether the rules had something to read cannot be told: %w", err)
		}
		for _, series := range matrix {
			for _, p := range series.Floats {
				out = append(out, time.UnixMilli(p.T))
			}
		}
		return out, nil
	}
	return losses(inputs(groups, r, map[*rule]bool{}), last, step, func(query string) ([]time.Time, error) {
		return known.ask(query, from, step, func() ([]time.Time, error) { return there(query) })
	})
}

// lost are the losses of what a rule of the server reads, at the times at which it evaluates. known has the answers so far.
func (s *Server) lost(ctx context.Context, r ServerRule, from, to time.Time, known steps) ([]Loss, error) {
	expr, err := promQL.ParseExpr(r.Expr)
	if err != nil || r.Interval <= 0 || r.Evaluated.Before(from) || !to.After(from) {
		return nil, nil // a dialect, or nothing to go by
	}
	first := r.Evaluated.Add(-(r.Evaluated.Sub(from) / r.Interval * r.Interval))
	last, step := grid(first, to, r.Interval)
	var in []selector
	for _, sel := range selectors(expr) {
		if !sel.readsAlerts() {
			in = append(in, sel)
		}
	}
	return losses(in, last, step, func(query string) ([]time.Time, error) {
		return known.ask(query, first, step, func() ([]time.Time, error) { return s.steps(ctx, query, first, last, step) })
	})
}

// steps asks at which steps a query gives something.
func (s *Server) steps(ctx context.Context, query string, first, last time.Time, step time.Duration) ([]time.Time, error) {
	seconds := func(millis int64) string { return strconv.FormatFloat(float64(millis)/1000, 'f', 3, 64) }
	asked, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	a, err := s.get(asked, "query_range", url.Values{"query": {query}, "start": {seconds(first.UnixMilli())}, "end": {seconds(last.UnixMilli())}, "step": {seconds(step.Milliseconds())}})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	var series []struct {
		Values [][2]json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(a.Data.Result, &series); err != nil {
		return nil, s.errorf(nil, "what the server says of series over a time cannot be read: %s", s.foreign(err.Error(), 300))
	}
	var out []time.Time
	for _, x := range series {
		for _, v := range x.Values {
			var at float64
			if err := json.Unmarshal(v[0], &at); err != nil {
				return nil, s.errorf(nil, "what the server says of series over a time has a time that cannot be read")
			}
			out = append(out, time.UnixMilli(int64(math.Round(at*1000))))
		}
	}
	return out, nil
}
