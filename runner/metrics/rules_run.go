package metrics

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// An AlertChange says that an alerting rule went from one state to another, or that it cannot be evaluated any more, or again.
type AlertChange struct {
	Rule     AlertRule
	From, To AlertState
	After    time.Time         // the evaluation before it that is known, if some in between may not be; zero: none need be
	At       time.Time         // of the evaluation
	Labels   map[string]string // of the instance that has been in this state for the longest time; nil: at rest
	Active   int               // instances that are pending or firing
	Error    string            // why the rule could not be evaluated; its state is that of the last time
}

// A ruleRunner evaluates rules while a run goes on: each group at its own interval, as Prometheus does.
type ruleRunner struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	engine *promql.Engine
}

// startRules begins to evaluate. The rules were read before, so they are right.
func startRules(c EmbeddedConfig, db *tsdb.DB, tell func(AlertChange)) *ruleRunner {
	evaluation := c.Evaluation
	if evaluation == 0 {
		evaluation = DefaultEvaluation
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &ruleRunner{cancel: cancel, engine: newEngine(evaluation, logger(c.Log), nil)}
	groups, err := readRules(c.Rules, c.Evaluation)
	if err != nil {
		return r
	}
	for _, g := range groups {
		e := newEvaluator(g)
		e.query = func(ctx context.Context, one *rule, at time.Time) (promql.Vector, error) {
			return ruleVector(ctx, r.engine, db, one.text, at)
		}
		e.ask = func(ctx context.Context, query string, at time.Time) (promql.Vector, error) {
			return ruleVector(ctx, r.engine, db, query, at)
		}
		e.write = func(ctx context.Context, samples []promql.Sample) error { return store(ctx, db, samples) }
		r.wg.Go(func() { follow(ctx, e, tell) })
	}
	return r
}

// stop ends the evaluations and waits for the last one.
func (r *ruleRunner) stop() {
	r.cancel()
	r.wg.Wait()
	r.engine.Close()
}

// follow evaluates one group at its interval until ctx ends, and tells what changed.
func follow(ctx context.Context, e *evaluator, tell func(AlertChange)) {
	type known struct {
		state  AlertState
		failed string
	}
	last := make([]known, len(e.group.rules))
	for i := range last {
		last[i].state = AlertInactive
	}
	began := time.Now().Round(0)
	for n := 1; ; n++ {
		at := began.Add(time.Duration(n) * e.group.interval)
		if late := time.Since(at); late > e.group.interval {
			n += int(late / e.group.interval) // the machine slept, or is busy: Prometheus skips these, too
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(at)):
		}
		failed := map[*rule]string{}
		e.eval(ctx, at, nil, func(r *rule, err error) { failed[r] = err.Error() })
		if ctx.Err() != nil {
			return // what failed then failed for that
		}
		for i, r := range e.group.rules {
			if r.alert == nil || tell == nil {
				continue
			}
			state, oldest, active := e.state(i)
			now := known{state, failed[r]}
			if now == last[i] {
				continue
			}
			c := AlertChange{Rule: *r.alert, From: last[i].state, To: state, At: at, Active: active, Error: failed[r]}
			if oldest != nil {
				c.Labels = oldest.labels.Map()
			}
			last[i] = now
			tell(c)
		}
	}
}

// store writes what a rule says. A sample that cannot be kept where it belongs, such as one of a series that two rules write, is
// left out, as Prometheus does.
func store(ctx context.Context, db storage.Appendable, samples []promql.Sample) error {
	app := db.Appender(ctx)
	var failed error
	for _, s := range samples {
		var err error
		if s.H != nil {
			_, err = app.AppendHistogram(0, s.Metric, s.T, nil, s.H)
		} else {
			_, err = app.Append(0, s.Metric, s.T, s.F)
		}
		if err != nil && !errors.Is(err, storage.ErrOutOfOrderSample) && !errors.Is(err, storage.ErrTooOldSample) && !errors.Is(err, storage.ErrDuplicateSampleForTimestamp) {
			failed = err
		}
	}
	return errors.Join(failed, app.Commit())
}

// OnAlert sets who is told when an alerting rule changes its state, from any goroutine. It takes effect at Start.
func (e *Embedded) OnAlert(tell func(AlertChange)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.onAlert = tell
}

// Replay replays the engine's own rules over what it scraped, as the function of that name does. It works until Close.
func (e *Embedded) Replay(ctx context.Context, span Span) (*Replayed, error) {
	e.mu.Lock()
	if e.state != stateRunning {
		e.mu.Unlock()
		return nil, errors.New("the embedded Prometheus engine is not running")
	}
	e.users.Add(1)
	e.mu.Unlock()
	defer e.users.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.running, cancel)()
	return Replay(ctx, e.db, ReplayConfig{Rules: e.config.Rules, Evaluation: e.config.Evaluation, Span: span})
}
