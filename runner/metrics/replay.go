package metrics

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"golang.org/x/sync/errgroup"
)

type queryable = storage.Queryable

const (
	// replayPhases is how many phases of each rule's interval are swept.
	replayPhases = 10
	// fewestPhases are swept of a run that is long, or has many rules.
	fewestPhases = 3
	// mostEvaluations of rules are made in one replay, as long as fewestPhases are swept.
	mostEvaluations = 400_000
)

// A ReplayConfig says what is replayed.
type ReplayConfig struct {
	Rules      []RuleFile
	Evaluation time.Duration // of rules whose group gives no interval; 0 means DefaultEvaluation
	Span
	Phases int // 0 means 10, or fewer where that would be very many evaluations
}

// A Span is the time of a run.
type Span struct {
	From, To time.Time     // from the start of the samples to their end
	Effect   time.Time     // when the first fault began at the earliest; zero: none did
	Interval time.Duration // of the scrapes: the first sample comes within it; 0: there are samples from before
}

// A Replayed is what rules say of recorded samples.
type Replayed struct {
	Rules       []ReplayedRule
	Phases      int
	Evaluations int // of rules, in all phases
	Took        time.Duration
}

// A ReplayedRule is what one alerting rule says of them.
type ReplayedRule struct {
	Rule   AlertRule
	Phases []RulePhase // of a server its own is the first
	// Unswept says in words why there are no other phases than a server's own; empty: there are, or nobody asked for them.
	Unswept string
	// Unseen says in words what of the rule's input is not in the samples; empty: it could see.
	Unseen string
	Lost   []Loss // of the rule's input, at the evaluations of all phases
}

// A RulePhase is one alerting rule in one phase of its evaluation.
type RulePhase struct {
	Offset      time.Duration // of its evaluations, counted from the start
	First, Last time.Time     // evaluations; zero: there was none
	Spells      []Spell       // in the order in which they began
	Failed      []FailedEvaluation

	spells []*Spell // while it is replayed
}

// A FailedEvaluation is one that could not be done: the rule saw nothing then.
type FailedEvaluation struct {
	At    time.Time
	Error string
}

// mostFailed evaluations of one rule in one phase are kept.
const mostFailed = 1000

// Replay evaluates rules over recorded samples as Prometheus would have done, in several phases of their interval: when an alert
// fires hangs on when within its interval a rule happens to be evaluated, and a server has only one of these phases. Nothing is
// written. What live rules wrote into the samples is not read; all is made anew.
func Replay(ctx context.Context, db storage.Queryable, c ReplayConfig) (*Replayed, error) {
	groups, err := readRules(c.Rules, c.Evaluation)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	evaluation := c.Evaluation
	if evaluation == 0 {
		evaluation = DefaultEvaluation
	}
	engine := newEngine(evaluation, logger(nil), nil)
	defer engine.Close()
	from, to := c.From.Truncate(time.Millisecond), c.To.Truncate(time.Millisecond)
	span := c.Span
	span.From, span.To = from, to
	out := &Replayed{Phases: phasesFor(groups, to.Sub(from), c.Phases)}
	phases := make([]replayedPhase, out.Phases)
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range phases {
		g.Go(func() error {
			world := newOverlay(db, groups)
			var err error
			if phases[i], err = replayPhase(each, groups, from, to, i, out.Phases, world.evaluate(engine)); err != nil {
				return err
			}
			return each.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("the rules could not be replayed to the end: %w", err)
	}
	for _, p := range phases {
		out.Evaluations += p.evaluations
	}
	known := steps{}
	for _, group := range groups {
		for _, r := range group.rules {
			if r.alert == nil {
				continue
			}
			one := ReplayedRule{Rule: *r.alert}
			for i := range phases {
				one.Phases = append(one.Phases, *phases[i].rules[r])
			}
			if one.Unseen, err = unseen(ctx, db, groups, r, from, to); err != nil {
				return nil, err
			}
			if one.Lost, err = lostIn(ctx, db, engine, groups, r, span, out.Phases, known); err != nil {
				return nil, err
			}
			out.Rules = append(out.Rules, one)
		}
	}
	out.Took = time.Since(began)
	return out, nil
}

// phasesFor is how many phases are swept.
func phasesFor(groups []*ruleGroup, length time.Duration, asked int) int {
	if asked > 0 {
		return asked
	}
	each := 0
	for _, g := range groups {
		each += len(g.rules) * (int(length/g.interval) + 1)
	}
	return min(replayPhases, max(fewestPhases, mostEvaluations/max(each, 1)))
}

type replayedPhase struct {
	rules       map[*rule]*RulePhase
	evaluations int
}

// replayPhase replays all groups in one phase: each is evaluated at the same share of its own interval. prepare says how an evaluator
// comes to what the expressions of its rules give at the times at which it will be asked.
func replayPhase(ctx context.Context, groups []*ruleGroup, from, to time.Time, phase, phases int,
	prepare func(ctx context.Context, e *evaluator, times []time.Time) error) (replayedPhase, error) {
	out := replayedPhase{rules: map[*rule]*RulePhase{}}
	type turn struct {
		at    time.Time
		group int
	}
	var turns []turn
	evaluators := make([]*evaluator, len(groups))
	for i, g := range groups {
		offset := (g.interval * time.Duration(phase) / time.Duration(phases)).Truncate(time.Millisecond)
		var times []time.Time
		for at := from.Add(offset); !at.After(to); at = at.Add(g.interval) {
			times = append(times, at)
			turns = append(turns, turn{at, i})
		}
		for _, r := range g.rules {
			if r.alert != nil {
				out.rules[r] = &RulePhase{Offset: offset}
			}
		}
		e := newEvaluator(g)
		e.began = func(r *rule, s *Spell) { out.rules[r].spells = append(out.rules[r].spells, s) }
		if err := prepare(ctx, e, times); err != nil {
			return out, err
		}
		evaluators[i] = e
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return a.at.Compare(b.at) })
	readers := readersOf(groups)
	for _, t := range turns {
		e := evaluators[t.group]
		e.eval(ctx, t.at, func(r *rule) bool { return !r.needed }, func(r *rule, err error) {
			for alert, p := range out.rules {
				if alert != r && !slices.Contains(readers[r], alert) || len(p.Failed) == mostFailed {
					continue
				}
				text := err.Error()
				if alert != r { // it saw nothing of what it reads
					text = fmt.Sprintf("the recording rule %s: %s", r.record, text)
				}
				p.Failed = append(p.Failed, FailedEvaluation{t.at, text})
			}
		})
		for _, r := range e.group.rules {
			if r.needed {
				out.evaluations++
			}
			if p := out.rules[r]; p != nil {
				if p.First.IsZero() {
					p.First = t.at
				}
				p.Last = t.at
			}
		}
	}
	for _, p := range out.rules {
		for _, s := range p.spells {
			p.Spells = append(p.Spells, *s)
		}
		p.spells = nil
		sortSpells(p.Spells)
	}
	return out, nil
}

// evaluate prepares evaluators to evaluate their rules over the samples.
func (o *overlay) evaluate(engine *promql.Engine) func(ctx context.Context, e *evaluator, times []time.Time) error {
	return func(ctx context.Context, e *evaluator, times []time.Time) error {
		ahead := evaluateAhead(ctx, engine, o, e.group, times)
		e.query = func(ctx context.Context, r *rule, at time.Time) (promql.Vector, error) {
			if all, ok := ahead[r]; ok {
				return all[at.UnixMilli()], nil
			}
			return ruleVector(ctx, engine, o, r.text, at)
		}
		e.ask = func(ctx context.Context, query string, at time.Time) (promql.Vector, error) {
			return ruleVector(ctx, engine, o, query, at)
		}
		if o.read {
			e.write = o.append
		}
		return nil
	}
}

// readersOf are, for each recording rule, the alerting rules that read what it writes, or what another one makes of that.
func readersOf(groups []*ruleGroup) map[*rule][]*rule {
	out := map[*rule][]*rule{}
	var mark func(alert, r *rule)
	mark = func(alert, r *rule) {
		for _, s := range selectors(r.expr) {
			for _, w := range writers(groups, s) {
				if !slices.Contains(out[w], alert) {
					out[w] = append(out[w], alert)
					mark(alert, w)
				}
			}
		}
	}
	for _, g := range groups {
		for _, r := range g.rules {
			if r.alert != nil {
				mark(r, r)
			}
		}
	}
	return out
}

// sortSpells orders spells by when they began, and then by their labels.
func sortSpells(list []Spell) {
	slices.SortStableFunc(list, func(a, b Spell) int {
		return cmp.Or(a.Pending.Compare(b.Pending), strings.Compare(labelText(a.Labels), labelText(b.Labels)))
	})
}

// evaluateAhead makes all evaluations of those rules at once that read nothing of what rules write: that is many times quicker. A
// rule for which it fails is left out, and evaluated time by time.
func evaluateAhead(ctx context.Context, engine *promql.Engine, from storage.Queryable, g *ruleGroup, times []time.Time) map[*rule]map[int64]promql.Vector {
	out := map[*rule]map[int64]promql.Vector{}
	if len(times) == 0 || g.interval%time.Millisecond != 0 {
		return out
	}
	for _, r := range g.rules {
		if !r.alone || !r.needed {
			continue
		}
		q, err := engine.NewRangeQuery(ctx, from, nil, r.text, times[0].Add(-g.offset), times[len(times)-1].Add(-g.offset), g.interval)
		if err != nil {
			continue
		}
		if matrix, ok := q.Exec(ctx).Value.(promql.Matrix); ok {
			all := map[int64]promql.Vector{}
			for _, series := range matrix {
				for _, p := range series.Floats {
					all[p.T] = append(all[p.T], promql.Sample{Metric: series.Metric, T: p.T, F: p.F})
				}
				for _, p := range series.Histograms {
					all[p.T] = append(all[p.T], promql.Sample{Metric: series.Metric, T: p.T, H: p.H.Copy()})
				}
			}
			out[r] = all
		}
		q.Close()
	}
	return out
}
