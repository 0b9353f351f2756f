package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
)

// An AlertState is what an alert is at one evaluation.
type AlertState string

// The states of an alert.
const (
	AlertInactive AlertState = "inactive"
	AlertPending  AlertState = "pending"
	AlertFiring   AlertState = "firing"
)

// furthest is the order of the states: of several instances the one that is furthest counts.
func (s AlertState) furthest() int {
	return map[AlertState]int{AlertPending: 1, AlertFiring: 2}[s]
}

// An instance is one series of an alerting rule's expression while it is pending or firing.
type instance struct {
	labels labels.Labels
	since  time.Time // the first evaluation at which it was there
	fired  time.Time // zero: not yet
	gone   time.Time // keep_firing_for: since when the expression has not had it; zero: it has
	spell  *Spell
}

func (i *instance) state() AlertState {
	if i.fired.IsZero() {
		return AlertPending
	}
	return AlertFiring
}

// A Spell is one time in which one instance of an alert was not at rest. All times are those of evaluations.
type Spell struct {
	Labels   map[string]string
	Pending  time.Time // from when it was pending; the same as Firing where the rule has no `for`
	Firing   time.Time // zero: it never fired
	Resolved time.Time // from when it was so no more; zero: it was to the end
}

// An evaluator evaluates the rules of one group, one time after the other, as Prometheus does. It is used by one goroutine.
type evaluator struct {
	group *ruleGroup
	// query evaluates a rule's expression.
	query func(ctx context.Context, r *rule, at time.Time) (promql.Vector, error)
	// ask evaluates a query that stands in the template of a label.
	ask func(ctx context.Context, query string, at time.Time) (promql.Vector, error)
	// write keeps what a rule says, or is nil where nobody reads it.
	write func(ctx context.Context, samples []promql.Sample) error
	// began is called for each instance that leaves its rest. nil: nobody wants to know.
	began func(r *rule, s *Spell)

	active  []map[uint64]*instance     // by rule
	written []map[string]labels.Labels // by rule: the series of its last evaluation
}

func newEvaluator(g *ruleGroup) *evaluator {
	e := &evaluator{group: g, active: make([]map[uint64]*instance, len(g.rules)), written: make([]map[string]labels.Labels, len(g.rules))}
	for i := range g.rules {
		e.active[i], e.written[i] = map[uint64]*instance{}, map[string]labels.Labels{}
	}
	return e
}

// eval evaluates all rules at one time, except those that skip says. failed is called for those that could not be.
func (e *evaluator) eval(ctx context.Context, ts time.Time, skip func(*rule) bool, failed func(*rule, error)) {
	for i, r := range e.group.rules {
		if skip != nil && skip(r) {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		var samples []promql.Sample
		vector, err := e.query(ctx, r, ts.Add(-e.group.offset))
		switch {
		case err != nil:
		case r.alert != nil:
			samples, err = e.alert(ctx, i, vector, ts)
		default:
			samples, err = e.recorded(r, vector)
		}
		if err == nil && e.write != nil {
			err = e.keep(ctx, i, samples, ts.Add(-e.group.offset))
		}
		if err != nil {
			failed(r, err)
		}
	}
}

// keep writes what a rule says, and marks what it does not say any more as stale.
func (e *evaluator) keep(ctx context.Context, i int, samples []promql.Sample, at time.Time) error {
	now := make(map[string]labels.Labels, len(samples))
	for _, s := range samples {
		now[string(s.Metric.Bytes(nil))] = s.Metric
	}
	for key, metric := range e.written[i] {
		if _, still := now[key]; !still {
			samples = append(samples, promql.Sample{Metric: metric, T: at.UnixMilli(), F: math.Float64frombits(value.StaleNaN)})
		}
	}
	e.written[i] = now
	if len(samples) == 0 {
		return nil
	}
	return e.write(ctx, samples)
}

var errSameLabels = errors.New("the rule gives several series with the same labels")

// recorded is what a recording rule writes.
func (e *evaluator) recorded(r *rule, vector promql.Vector) ([]promql.Sample, error) {
	b := labels.NewBuilder(labels.EmptyLabels())
	seen := map[uint64]bool{}
	out := make([]promql.Sample, 0, len(vector))
	for _, s := range vector {
		b.Reset(s.Metric)
		b.Set(model.MetricNameLabel, r.record)
		r.labels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
		s.Metric = b.Labels()
		if h := s.Metric.Hash(); seen[h] {
			return nil, errSameLabels
		} else {
			seen[h] = true
		}
		out = append(out, s)
	}
	if e.group.limit > 0 && len(out) > e.group.limit {
		return nil, fmt.Errorf("the rule gives %d series, and its group has a limit of %d", len(out), e.group.limit)
	}
	return out, nil
}

// alert takes the instances of an alerting rule from one evaluation to the next. It follows Prometheus's AlertingRule.Eval.
func (e *evaluator) alert(ctx context.Context, i int, vector promql.Vector, ts time.Time) ([]promql.Sample, error) {
	r := e.group.rules[i]
	there := make(map[uint64]labels.Labels, len(vector))
	for _, s := range vector {
		set := e.labels(ctx, r, s, ts)
		h := set.Hash()
		if _, twice := there[h]; twice {
			return nil, errSameLabels
		}
		there[h] = set
	}
	active := e.active[i]
	for h, set := range there {
		if active[h] == nil {
			active[h] = &instance{labels: set, since: ts}
		}
	}
	var samples []promql.Sample
	for h, a := range active {
		if _, still := there[h]; still {
			a.gone = time.Time{}
		} else {
			keep := false
			if a.state() == AlertFiring && r.alert.KeepFiringFor > 0 {
				if a.gone.IsZero() {
					a.gone = ts
				}
				keep = ts.Sub(a.gone) < r.alert.KeepFiringFor
			}
			if !keep {
				if a.spell != nil {
					a.spell.Resolved = ts
				}
				delete(active, h)
				continue
			}
		}
		if a.spell == nil && e.began != nil {
			a.spell = &Spell{Labels: a.labels.Map(), Pending: ts}
			e.began(r, a.spell)
		}
		if a.state() == AlertPending && ts.Sub(a.since) >= r.alert.For {
			a.fired = ts
			if a.spell != nil {
				a.spell.Firing = ts
			}
		}
		if e.write != nil {
			samples = append(samples, e.samples(r, a, ts.Add(-e.group.offset))...)
		}
	}
	if n := len(active); e.group.limit > 0 && n > e.group.limit {
		for _, a := range active {
			if a.spell != nil {
				a.spell.Resolved = ts
			}
		}
		clear(active)
		return nil, fmt.Errorf("there are %d alerts, and the group has a limit of %d", n, e.group.limit)
	}
	return samples, nil
}

// labels are those of the alert that one series makes: its own, then the rule's with their templates expanded.
func (e *evaluator) labels(ctx context.Context, r *rule, s promql.Sample, ts time.Time) labels.Labels {
	b := labels.NewBuilder(s.Metric)
	b.Del(model.MetricNameLabel)
	r.labels.Range(func(l labels.Label) {
		text := l.Value
		if strings.Contains(text, "{{") {
			text = e.expand(ctx, r, s, text, ts)
		}
		b.Set(l.Name, text)
	})
	b.Set(alertNameLabel, r.alert.Alert)
	return b.Labels()
}

func (e *evaluator) expand(ctx context.Context, r *rule, s promql.Sample, text string, ts time.Time) string {
	const definitions = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
	out, err := template.NewTemplateExpander(ctx, definitions+text, "__alert_"+r.alert.Alert, template.AlertTemplateData(s.Metric.Map(), nil, "", s),
		model.Time(ts.UnixMilli()), e.ask, nil, nil).Expand()
	if err != nil {
		return fmt.Sprintf("<error expanding template: %s>", err)
	}
	return out
}

// samples are what Prometheus writes for an instance.
func (e *evaluator) samples(r *rule, a *instance, at time.Time) []promql.Sample {
	b := labels.NewBuilder(a.labels)
	b.Set(model.MetricNameLabel, alertsForState)
	since := promql.Sample{Metric: b.Labels(), T: at.UnixMilli(), F: float64(a.since.Unix())}
	b.Set(model.MetricNameLabel, alertsMetric)
	b.Set(stateLabel, string(a.state()))
	return []promql.Sample{{Metric: b.Labels(), T: at.UnixMilli(), F: 1}, since}
}

// state is the furthest state of the instances of a rule, one instance that is in it for the longest time, and how many are active.
func (e *evaluator) state(i int) (state AlertState, oldest *instance, n int) {
	state = AlertInactive
	for _, a := range e.active[i] {
		s := a.state()
		switch {
		case s.furthest() > state.furthest():
			state, oldest = s, a
		case s == state && (a.since.Before(oldest.since) || a.since.Equal(oldest.since) && labels.Compare(a.labels, oldest.labels) < 0):
			oldest = a
		}
	}
	return state, oldest, len(e.active[i])
}

// ruleVector evaluates one query at one time, with a scalar as a vector, as rules have it. What it returns may be kept.
func ruleVector(ctx context.Context, engine *promql.Engine, from queryable, query string, at time.Time) (promql.Vector, error) {
	q, err := engine.NewInstantQuery(ctx, from, nil, query, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, res.Err
	}
	switch v := res.Value.(type) {
	case promql.Vector:
		return append(promql.Vector(nil), v...), nil
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, nil
	}
	return nil, errors.New("the rule gives neither a vector nor a scalar")
}
