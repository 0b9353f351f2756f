package metrics

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
)

// Replay adds to what a server recorded of rules what they would have done in other phases of their interval: the server, which
// keeps the samples, is asked for what their expressions give at the times of these phases. A server evaluates in one phase, and what
// was true between two of its evaluations is in no record of alerts. Of a rule of which it cannot be told, Unswept says why.
func (s *Server) Replay(ctx context.Context, recorded *Replayed, rules []ServerRule, from, to time.Time) {
	from, to = from.Truncate(time.Millisecond), to.Truncate(time.Millisecond)
	var groups []*ruleGroup
	for _, r := range rules {
		text := r.Whole
		if text == "" {
			text = r.Expr
		}
		alert := r.AlertRule
		groups = append(groups, &ruleGroup{name: r.Group, file: r.File, interval: max(r.Interval, time.Millisecond),
			rules: []*rule{{alert: &alert, text: text, labels: labels.FromMap(r.Labels), needed: true}}})
	}
	phases := phasesFor(groups, to.Sub(from), 0)
	for i, g := range groups {
		for j := range recorded.Rules {
			if one := &recorded.Rules[j]; sameRule(one.Rule, rules[i].AlertRule) {
				swept, err := s.phases(ctx, g, from, to, phases)
				if err != nil {
					one.Unswept = "what the rule would have done in other phases could not be asked for: " + err.Error()
					continue
				}
				one.Phases = append(one.Phases, swept...)
			}
		}
	}
}

func sameRule(a, b AlertRule) bool {
	return a.Alert == b.Alert && a.Group == b.Group && a.File == b.File && a.Expr == b.Expr && a.For == b.For
}

// phases are those of a group of one rule.
func (s *Server) phases(ctx context.Context, g *ruleGroup, from, to time.Time, phases int) (out []RulePhase, err error) {
	for i := range phases {
		one, err := replayPhase(ctx, []*ruleGroup{g}, from, to, i, phases, s.evaluate)
		if err != nil {
			return nil, err
		}
		out = append(out, *one.rules[g.rules[0]])
	}
	return out, nil
}

// evaluate prepares an evaluator with what the server says of its rule at some times.
func (s *Server) evaluate(ctx context.Context, e *evaluator, times []time.Time) error {
	g := e.group
	ahead := map[int64]promql.Vector{}
	for part := range slices.Chunk(times, mostSteps) {
		series, err := s.steps(ctx, g.rules[0].text, part[0], part[len(part)-1], g.interval)
		if err != nil {
			return err
		}
		for _, one := range series {
			set := labels.FromMap(one.labels)
			for i, at := range one.at {
				if after := at.Sub(part[0]); after < 0 || after%g.interval != 0 {
					return fmt.Errorf("the server answered for %s, which is none of the times that it was asked for", at.UTC().Format(time.RFC3339Nano))
				}
				t := at.UnixMilli()
				ahead[t] = append(ahead[t], promql.Sample{Metric: set, T: t, F: one.values[i]})
			}
		}
	}
	e.query = func(_ context.Context, _ *rule, at time.Time) (promql.Vector, error) {
		return ahead[at.UnixMilli()], nil
	}
	e.ask = func(ctx context.Context, query string, at time.Time) (promql.Vector, error) {
		res, err := s.Query(ctx, query, at)
		var out promql.Vector
		for _, one := range res.Series {
			out = append(out, promql.Sample{Metric: labels.FromMap(one.Labels), T: at.UnixMilli(), F: one.Value})
		}
		return out, err
	}
	return nil
}

// A recordings is the recording rules of a server.
type recordings []recordingRule

// reads is an expression with what recording rules evaluate in the place of what they write, and the longest interval of those that it
// needs. What they wrote, they wrote in the one phase that the server has; it stays where a range or another time of it is read, and of
// rules that are evaluated more rarely. A dialect stays as it is.
func (all recordings) reads(text string, interval time.Duration, path []string) (whole string, slowest time.Duration) {
	expr, err := promQL.ParseExpr(text)
	if err != nil {
		return text, 0
	}
	whole = expr.String()
	if expr, err = promQL.ParseExpr(whole); err != nil { // for the places in the text
		return text, 0
	}
	type change struct {
		from, to posrange.Pos
		text     string
	}
	var changes []change
	parser.Inspect(expr, func(node parser.Node, nodes []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		now := v.OriginalOffset == 0 && v.Timestamp == nil && v.StartOrEnd == 0
		if len(nodes) > 0 {
			_, ranged := nodes[len(nodes)-1].(*parser.MatrixSelector)
			now = now && !ranged
		}
		var parts []string
		for _, r := range all {
			if !(selector{matchers: v.LabelMatchers}).reads(r.record) || slices.Contains(path, r.record) {
				continue
			}
			part, longest := all.reads(r.expr, interval, append(slices.Clone(path), r.record))
			slowest = max(slowest, r.interval, longest)
			parts = append(parts, r.written(part))
			now = now && r.interval <= interval
		}
		if chosen, ok := choose(strings.Join(parts, " or "), v.LabelMatchers); now && ok && len(parts) > 0 {
			changes = append(changes, change{v.PosRange.Start, v.PosRange.End, chosen})
		}
		return nil
	})
	slices.SortFunc(changes, func(a, b change) int { return int(b.from - a.from) })
	for _, c := range changes {
		whole = whole[:c.from] + c.text + whole[c.to:]
	}
	return whole, slowest
}

// written is an expression for what a recording rule writes, but for its name.
func (r recordingRule) written(expr string) string {
	out := "(" + expr + ")"
	if parsed, err := promQL.ParseExpr(expr); err == nil && parsed.Type() == parser.ValueTypeScalar {
		out = "vector(" + expr + ")"
	}
	for _, name := range slices.Sorted(maps.Keys(r.labels)) {
		out = fmt.Sprintf("label_replace(%s, %q, %q, \"\", \"\")", out, name, strings.ReplaceAll(r.labels[name], "$", "$$"))
	}
	return out
}

// choose selects of an expression the series that matchers on labels do; false: it has no label for that.
func choose(expr string, matchers []*labels.Matcher) (string, bool) {
	const mark = "gameday_chosen" // a label of those that match, for a while
	out := "(" + expr + ")"
	for _, m := range matchers {
		pattern, set := m.Value, "and"
		if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
			pattern = regexp.QuoteMeta(pattern)
		}
		if m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp {
			set = "unless"
		}
		switch {
		case m.Name == model.MetricNameLabel:
			continue
		case !model.LegacyValidation.IsValidLabelName(m.Name):
			return "", false
		}
		out = fmt.Sprintf(`label_replace(label_replace(%s, %q, "1", %q, %q) %s on (%s) label_replace(vector(1), %q, "1", "", ""), %q, "", "", "")`,
			out, mark, m.Name, pattern, set, mark, mark, mark)
	}
	return out, true
}
