package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// DefaultEvaluation is how often Prometheus evaluates rules whose group does not say, unless its configuration does.
const DefaultEvaluation = time.Minute

// A RuleFile is a file of Prometheus's alerting and recording rules.
type RuleFile struct {
	Name string // as it is shown
	Text []byte
}

// An AlertRule is one alerting rule. Several may make alerts of one name.
type AlertRule struct {
	Alert         string
	Group         string
	File          string
	Line          int // in the file; 0: not known
	Expr          string
	Interval      time.Duration // between two evaluations of its group
	Given         bool          // the group says its interval
	For           time.Duration
	KeepFiringFor time.Duration
	Labels        map[string]string // those of the rule and its group, as they are written
	// Lookback is the longest time into the past that it reads, through the recording rules that it needs. A rule of a server has none:
	// the server has its history.
	Lookback time.Duration
	Needs    time.Duration // the longest interval of the recording rules that it needs; 0: it needs none
}

// Rarest is the longest time between two evaluations of the rule, or of a recording rule that it needs: what lasts shorter they may
// not see.
func (r AlertRule) Rarest() time.Duration { return max(r.Interval, r.Needs) }

// Place is where the rule stands: a server tells no lines.
func (r AlertRule) Place() string {
	if r.Line == 0 {
		return r.File
	}
	return fmt.Sprintf("%s:%d", r.File, r.Line)
}

// CheckRules reads a file of rules as Prometheus does, and says which alerts it declares, in their order and each once. The
// error has a line for each mistake: with its place in the file.
func CheckRules(file string, text []byte) (alerts []string, err error) {
	rules, err := AlertRules([]RuleFile{{file, text}}, 0)
	for _, r := range rules {
		if !slices.Contains(alerts, r.Alert) {
			alerts = append(alerts, r.Alert)
		}
	}
	return alerts, err
}

// AlertRules are the alerting rules of files, in their order. evaluation is how often those are evaluated whose group does not
// say; 0 means DefaultEvaluation.
func AlertRules(files []RuleFile, evaluation time.Duration) ([]AlertRule, error) {
	groups, err := readRules(files, evaluation)
	var out []AlertRule
	for _, g := range groups {
		for _, r := range g.rules {
			if r.alert != nil {
				out = append(out, *r.alert)
			}
		}
	}
	return out, err
}

// A ruleGroup is evaluated together, rule after rule: a later one sees what an earlier one wrote.
type ruleGroup struct {
	name, file string
	interval   time.Duration
	offset     time.Duration // how far in the past it is evaluated
	limit      int           // the most alerts or series of one rule; 0: no limit
	rules      []*rule
}

// A rule is a recording rule or an alerting one.
type rule struct {
	record string      // what a recording rule writes
	alert  *AlertRule  // nil: a recording rule
	text   string      // of the expression
	expr   parser.Expr // nil: only a server evaluates it
	labels labels.Labels
	// alone: it reads nothing that rules write, and nothing that hangs on the range of a query, so that all its evaluations can be
	// made by one range query.
	alone bool
	// needed: an alerting rule reads what it writes, or what another one makes of that.
	needed bool
}

// What Prometheus writes for alerts.
const (
	alertsMetric   = "ALERTS"
	alertsForState = "ALERTS_FOR_STATE"
	alertNameLabel = "alertname"
	stateLabel     = "alertstate"
)

func readRules(files []RuleFile, evaluation time.Duration) ([]*ruleGroup, error) {
	if evaluation == 0 {
		evaluation = DefaultEvaluation
	}
	var groups []*ruleGroup
	var mistakes []error
	for _, f := range files {
		parsed, errs := rulefmt.Parse(f.Text, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
		for _, err := range errs {
			err = ruleError(f.Name, err)
			if !slices.ContainsFunc(mistakes, func(m error) bool { return m.Error() == err.Error() }) { // it is parsed twice
				mistakes = append(mistakes, err)
			}
		}
		if len(errs) > 0 || parsed == nil {
			continue
		}
		lines := ruleLines(f.Text)
		for i, g := range parsed.Groups {
			group, err := readGroup(f.Name, g, evaluation, func(j int) int {
				if i < len(lines) && j < len(lines[i]) {
					return lines[i][j]
				}
				return 0
			})
			if err != nil {
				mistakes = append(mistakes, err)
				continue
			}
			groups = append(groups, group)
		}
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	relate(groups)
	return groups, nil
}

// ruleError puts the file before a mistake. Prometheus's own text begins with line and column, where it knows them.
func ruleError(file string, err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.TrimPrefix(text, "yaml: unmarshal errors: ")
	text = strings.TrimPrefix(text, "yaml: ")
	for strings.HasPrefix(text, "0:0: ") { // it knows no place
		text = strings.TrimPrefix(text, "0:0: ")
	}
	if line, rest, ok := strings.Cut(strings.TrimPrefix(text, "line "), ": "); ok && strings.HasPrefix(text, "line ") {
		text = line + ": " + rest
	}
	if text != "" && text[0] >= '0' && text[0] <= '9' {
		return fmt.Errorf("%s:%s", file, text)
	}
	return fmt.Errorf("%s: %s", file, text)
}

// ruleLines are the lines of the rules of each group.
func ruleLines(text []byte) [][]int {
	var nodes struct {
		Groups []rulefmt.RuleGroupNode `yaml:"groups"`
	}
	if yaml.Unmarshal(text, &nodes) != nil {
		return nil
	}
	lines := make([][]int, len(nodes.Groups))
	for i, g := range nodes.Groups {
		for _, r := range g.Rules {
			lines[i] = append(lines[i], max(r.Alert.Line, r.Record.Line))
		}
	}
	return lines
}

func readGroup(file string, g rulefmt.RuleGroup, evaluation time.Duration, line func(int) int) (*ruleGroup, error) {
	group := &ruleGroup{name: g.Name, file: file, interval: time.Duration(g.Interval), limit: g.Limit}
	given := group.interval > 0
	if !given {
		group.interval = evaluation
	}
	if g.QueryOffset != nil {
		group.offset = time.Duration(*g.QueryOffset)
	}
	for i, r := range g.Rules {
		expr, err := promQL.ParseExpr(r.Expr)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line(i), err)
		}
		all := maps.Clone(g.Labels)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, r.Labels)
		one := &rule{record: r.Record, text: expr.String(), expr: expr, labels: labels.FromMap(all)}
		if r.Alert != "" {
			one.alert = &AlertRule{Alert: r.Alert, Group: g.Name, File: file, Line: line(i), Expr: strings.TrimSpace(r.Expr), Interval: group.interval, Given: given,
				For: time.Duration(r.For), KeepFiringFor: time.Duration(r.KeepFiringFor), Labels: all}
		}
		group.rules = append(group.rules, one)
	}
	return group, nil
}

// relate finds out which rules read what others write.
func relate(groups []*ruleGroup) {
	var need func(r *rule)
	need = func(r *rule) {
		if r.needed {
			return
		}
		r.needed = true
		for _, s := range selectors(r.expr) {
			for _, w := range writers(groups, s) {
				need(w)
			}
		}
	}
	for _, g := range groups {
		for _, r := range g.rules {
			r.alone = !hangsOnRange(r.expr)
			for _, s := range selectors(r.expr) {
				r.alone = r.alone && !s.readsAlerts() && len(writers(groups, s)) == 0
			}
			if r.alert != nil {
				need(r)
				r.alert.Lookback = max(0, addDurations(g.offset, reach(groups, r, nil)))
				r.alert.Needs = needs(groups, r, map[*rule]bool{})
			}
		}
	}
}

// reach is how far a rule looks back, through the recording rules that it needs. Those on the path to it are not followed again.
func reach(groups []*ruleGroup, r *rule, path []*rule) time.Duration {
	path = append(slices.Clone(path), r)
	return lookback(r.expr, func(v *parser.VectorSelector) (longest time.Duration) {
		for _, w := range writers(groups, selector{matchers: v.LabelMatchers}) {
			if !slices.Contains(path, w) {
				longest = max(longest, reach(groups, w, path))
			}
		}
		return longest
	})
}

// needs is the longest interval of the recording rules that a rule needs.
func needs(groups []*ruleGroup, r *rule, done map[*rule]bool) (longest time.Duration) {
	done[r] = true
	for _, s := range selectors(r.expr) {
		for _, g := range groups {
			for _, w := range writers([]*ruleGroup{g}, s) {
				if !done[w] {
					longest = max(longest, g.interval, needs(groups, w, done))
				}
			}
		}
	}
	return longest
}

// writers are the recording rules that write what a selector reads.
func writers(groups []*ruleGroup, s selector) (out []*rule) {
	for _, g := range groups {
		for _, r := range g.rules {
			if r.record != "" && s.reads(r.record) {
				out = append(out, r)
			}
		}
	}
	return out
}

// hangsOnRange says whether an expression names the start or the end of its query.
func hangsOnRange(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			found = found || n.StartOrEnd != 0
		case *parser.SubqueryExpr:
			found = found || n.StartOrEnd != 0
		}
		return nil
	})
	return found
}

// A selector is one place in an expression at which series are read.
type selector struct {
	matchers []*labels.Matcher
	absent   bool          // inside absent(): that it matches nothing is something to see
	over     time.Duration // the range of samples that is read; 0: one sample of each series
	asked    time.Duration // the longest time over which that is done, by a subquery; 0: it is done once
}

// reads says whether a selector may match series of a name.
func (s selector) reads(name string) bool {
	for _, m := range s.matchers {
		if m.Name == model.MetricNameLabel && !m.Matches(name) {
			return false
		}
	}
	return true
}

// readsAlerts says whether a selector may match what the engine itself writes about alerts.
func (s selector) readsAlerts() bool { return s.reads(alertsMetric) || s.reads(alertsForState) }

// withoutOutcome is the selector without what tells failures from successes: series of failures begin to exist with the first one.
func (s selector) withoutOutcome() selector {
	s.matchers = slices.DeleteFunc(slices.Clone(s.matchers), func(m *labels.Matcher) bool { return slices.Contains(outcomeLabels, strings.ToLower(m.Name)) })
	return s
}

// named says whether a selector asks for something in particular, as the storage and servers want it.
func (s selector) named() bool {
	return slices.ContainsFunc(s.matchers, func(m *labels.Matcher) bool { return !m.Matches("") })
}

// String writes a selector as PromQL does.
func (s selector) String() string {
	name := ""
	for _, m := range s.matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	return (&parser.VectorSelector{Name: name, LabelMatchers: s.matchers}).String()
}

func selectors(expr parser.Expr) []selector {
	var out []selector
	if expr == nil {
		return nil
	}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		absent := slices.ContainsFunc(path, func(n parser.Node) bool {
			c, ok := n.(*parser.Call)
			return ok && strings.HasPrefix(c.Func.Name, "absent")
		})
		var over, asked time.Duration
		for _, n := range path {
			switch n := n.(type) {
			case *parser.MatrixSelector:
				over = max(over, n.Range)
			case *parser.SubqueryExpr:
				asked = max(asked, n.Range)
			}
		}
		out = append(out, selector{v.LabelMatchers, absent, over, asked})
		return nil
	})
	return out
}
