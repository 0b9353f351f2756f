package metrics

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// A Loss is a time in which a rule did not find something to read that it had found before, be it one series of many: it may be quiet for
// that alone.
type Loss struct {
	Gap            // from the last evaluation that found it to the next that did, or to the end
	Of      string // the selector, or one of a single series
	Forever bool   // it did not come back
	Fewer   bool   // of very many: some were gone, and which is not known
	NaN     bool   // it was there, and was not a number; Of is what a rule compares
	Never   bool   // it was no number before either
	Old     bool   // it was there, and nothing newer came; Of is the rule's expression
}

// mostSteps of a query over a time are asked for; servers refuse more than 11,000.
const mostSteps = 10_000

// mostPoints of the series of one selector are asked for; of one with more, only their number is followed.
const mostPoints = 100_000

// presence is a query for the series that a selector finds to read.
func (s selector) presence() string {
	switch {
	case s.over > 0:
		return fmt.Sprintf("last_over_time(%s[%s])", s, model.Duration(s.over+s.asked))
	case s.asked > 0:
		return fmt.Sprintf("last_over_time(%s[%s:%s])", s, model.Duration(s.asked), model.Duration(max(time.Millisecond, s.asked/10)))
	}
	return s.String()
}

// A present is one series at the steps at which it is there.
type present struct {
	labels map[string]string
	at     []time.Time
	values []float64
}

// losses are those of selectors until the last of some steps, series by series. ask says at which steps a query gives what. Series that
// tell failures from successes are not lost as long as there are some for successes.
func losses(in []selector, to time.Time, step time.Duration, ask func(query string) ([]present, error)) (out []Loss, err error) {
	for _, s := range in {
		if s.absent || !s.named() {
			continue
		}
		found, err := s.losses(s, to, step, ask)
		if err != nil {
			return nil, err
		}
		if general := s.withoutOutcome(); len(found) > 0 && len(general.matchers) < len(s.matchers) && general.named() {
			if found, err = general.losses(s, to, step, ask); err != nil {
				return nil, err
			}
		}
		out = append(out, found...)
	}
	return out, nil
}

// losses are those of all series of a selector, and then those of single ones. shown is the selector as it is written.
func (s selector) losses(shown selector, to time.Time, step time.Duration, ask func(query string) ([]present, error)) ([]Loss, error) {
	counted, err := ask("count(" + s.presence() + ")")
	if err != nil || len(counted) == 0 {
		return nil, err
	}
	all := counted[0]
	out := lossesOf(shown.String(), all.at, to, step)
	if most := slices.Max(all.values); most*float64(len(all.at)) > mostPoints {
		for i := 1; i < len(all.at); i++ {
			if all.values[i] < all.values[i-1] {
				return append(out, Loss{Gap: Gap{all.at[i-1].UTC(), to.UTC()}, Of: shown.String(), Fewer: true}), nil
			}
		}
		return out, nil
	}
	series, err := ask(s.presence())
	if err != nil {
		return nil, err
	}
	kinds := map[string]*present{} // series that differ only in what tells failures from successes are one
	for _, x := range series {
		set := maps.Clone(x.labels)
		maps.DeleteFunc(set, func(name, _ string) bool { return slices.Contains(outcomeLabels, strings.ToLower(name)) })
		key := labelText(set)
		if kinds[key] == nil {
			kinds[key] = &present{labels: set}
		}
		kinds[key].at = append(kinds[key].at, x.at...)
	}
	whole := len(out)
	for _, key := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[key]
		slices.SortFunc(k.at, time.Time.Compare)
		for _, l := range lossesOf(seriesText(k.labels), slices.CompactFunc(k.at, time.Time.Equal), to, step) {
			if !slices.ContainsFunc(out[:whole], func(w Loss) bool { return !l.From.Before(w.From) && !l.To.After(w.To) }) {
				out = append(out, l)
			}
		}
	}
	return out, nil
}

// seriesText is a selector of one series.
func seriesText(set map[string]string) string {
	var s selector
	for _, name := range slices.Sorted(maps.Keys(set)) {
		s.matchers = append(s.matchers, labels.MustNewMatcher(labels.MatchEqual, name, set[name]))
	}
	return s.String()
}

func lossesOf(of string, there []time.Time, to time.Time, step time.Duration) (out []Loss) {
	for i, at := range there {
		next, forever := to, true
		if i+1 < len(there) {
			next, forever = there[i+1], false
		}
		if next.Sub(at) > step+step/2 || forever && next.Sub(at) >= step {
			out = append(out, Loss{Gap: Gap{at.UTC(), next.UTC()}, Of: of, Forever: forever})
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
type steps map[string][]present

func (k steps) ask(query string, first time.Time, step time.Duration, ask func() ([]present, error)) ([]present, error) {
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
func lostIn(ctx context.Context, db storage.Queryable, engine *promql.Engine, groups []*ruleGroup, r *rule, span Span, phases int, known steps) ([]Loss, error) {
	from := span.From
	last, step := grid(from, span.To, r.alert.Interval/time.Duration(phases))
	there := func(query string) (out []present, err error) {
		q, err := engine.NewRangeQuery(ctx, db, nil, query, from, last, step)
		if err != nil {
			return nil, err
		}
		defer q.Close()
		matrix, err := q.Exec(ctx).Matrix()
		switch {
		case err != nil && mismatched(err.Error()):
			return nil, fmt.Errorf("whether the rules had something to read cannot be told: %w: %w", errEvaluation, err)
		case err != nil:
			return nil, fmt.Errorf("whether the rules had something to read cannot be told: %w", err)
		}
		for _, series := range matrix {
			one := present{labels: series.Metric.Map()}
			for _, p := range series.Floats {
				one.at, one.values = append(one.at, time.UnixMilli(p.T)), append(one.values, p.F)
			}
			for _, p := range series.Histograms {
				one.at, one.values = append(one.at, time.UnixMilli(p.T)), append(one.values, 1)
			}
			out = append(out, one)
		}
		return out, nil
	}
	ask := func(query string) ([]present, error) {
		return known.ask(query, from, step, func() ([]present, error) { return there(query) })
	}
	out, err := losses(narrowed(groups, r, nil), last, step, ask)
	if err != nil {
		return out, err
	}
	// What live rules wrote is read only where an expression asks for a range or another time of it: a recording rule may be another one
	// by now.
	var written recordings
	for _, g := range groups {
		for _, w := range g.rules {
			if w.alert == nil {
				written = append(written, recordingRule{record: w.record, expr: w.text, interval: g.interval, labels: w.labels.Map()})
			}
		}
	}
	whole, _ := written.reads(r.text, math.MaxInt64, nil)
	none, err := numberless(whole, span, last, ask)
	return append(out, none...), err
}

// lost are the losses of what a rule of the server reads, at the times at which it evaluates. known has the answers so far.
func (s *Server) lost(ctx context.Context, r ServerRule, span Span, known steps) ([]Loss, error) {
	from, to := span.From, span.To
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
	asking := func(first, last time.Time, step time.Duration) func(string) ([]present, error) {
		return func(query string) ([]present, error) {
			return known.ask(query, first, step, func() ([]present, error) { return s.steps(ctx, query, first, last, step) })
		}
	}
	out, err := losses(in, last, step, asking(first, last, step))
	if err != nil {
		return out, err
	}
	whole := cmp.Or(r.Whole, r.Expr)
	none, err := numberless(whole, span, last, asking(first, last, step))
	if err != nil {
		return out, err
	}
	// More often than the rule looks: how old what it reads gets is not known by a few looks.
	last, step = grid(from, to, min(r.Interval, oftenEnough))
	old, err := outdated(whole, r.Expr, span.Effect, last, step, asking(from, last, step))
	return slices.Concat(out, none, old), err
}

// oftenEnough is how often it is asked how old what rules read is.
const oftenEnough = 5 * time.Second

// outdated are the times until the last of some steps from whose begin on nothing newer came of what an expression reads, as it did before
// the effect.
func outdated(whole, shown string, effect, to time.Time, step time.Duration, ask func(query string) ([]present, error)) ([]Loss, error) {
	query := Age(whole, false)
	if query == "" {
		return nil, nil
	}
	series, err := ask(query)
	switch {
	case errors.Is(err, errEvaluation):
		return nil, nil // neither can the rule be evaluated, or its series differ in nothing but their names
	case err != nil || len(series) == 0:
		return nil, err
	}
	var all, before []Aged
	for i, at := range series[0].at {
		all = append(all, Aged{at, max(time.Millisecond, time.Duration(series[0].values[i]*float64(time.Second)))})
		if at.Before(effect) {
			before = all
		}
	}
	usual := UsualAge(before)
	if usual == 0 { // then it counts only where nothing at all came any more
		if end := all[len(all)-1]; to.Sub(end.At) < step && end.came().Before(effect) {
			return []Loss{{Gap: Gap{end.came().UTC(), to.UTC()}, Of: shown, Forever: true, Old: true}}, nil
		}
		return nil, nil
	}
	var out []Loss
	old := false
	for _, a := range all {
		was := old
		switch old = TooOld(a.Age, usual, step); {
		case old && !was:
			out = append(out, Loss{Gap: Gap{a.came().UTC(), to.UTC()}, Of: shown, Forever: true, Old: true})
		case was && !old:
			l := &out[len(out)-1]
			l.To, l.Forever = a.At.UTC(), false
		}
	}
	return out, nil
}

// steps asks at which steps a query gives something.
func (s *Server) steps(ctx context.Context, query string, first, last time.Time, step time.Duration) ([]present, error) {
	seconds := func(millis int64) string { return strconv.FormatFloat(float64(millis)/1000, 'f', 3, 64) }
	asked, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	a, err := s.get(asked, "query_range", url.Values{"query": {query}, "start": {seconds(first.UnixMilli())}, "end": {seconds(last.UnixMilli())}, "step": {seconds(step.Milliseconds())}})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	var series []struct {
		Metric     map[string]string    `json:"metric"`
		Values     [][2]json.RawMessage `json:"values"`
		Histograms [][2]json.RawMessage `json:"histograms"`
	}
	if err := json.Unmarshal(a.Data.Result, &series); err != nil {
		return nil, s.errorf(nil, "what the server says of series over a time cannot be read: %s", s.foreign(err.Error(), 300))
	}
	var out []present
	for _, x := range series {
		one := present{labels: x.Metric}
		for _, v := range append(x.Values, x.Histograms...) {
			var at float64
			var text string
			if err := json.Unmarshal(v[0], &at); err != nil {
				return nil, s.errorf(nil, "what the server says of series over a time has a time that cannot be read")
			}
			n := 1.0 // a histogram
			if json.Unmarshal(v[1], &text) == nil {
				n, _ = strconv.ParseFloat(text, 64)
			}
			one.at, one.values = append(one.at, time.UnixMilli(int64(math.Round(at*1000)))), append(one.values, n)
		}
		if len(one.at) > 0 {
			out = append(out, one)
		}
	}
	return out, nil
}
