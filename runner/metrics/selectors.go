package metrics

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Names returns a function that says whether a query reads a metric. One that cannot be parsed reads none that is known. The
// parts of a histogram or summary are read with each other.
func Names(query string) func(metric string) bool {
	var read []*labels.Matcher
	if expr, err := parse(query); err == nil {
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if v, ok := node.(*parser.VectorSelector); ok {
				for _, m := range v.LabelMatchers {
					if m.Name == model.MetricNameLabel && (m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp) {
						read = append(read, m)
					}
				}
			}
			return nil
		})
	}
	return func(metric string) bool {
		names := []string{metric}
		for _, part := range []string{"_count", "_sum", "_bucket"} {
			if base, ok := strings.CutSuffix(metric, part); ok {
				names = append(names, base, base+"_count", base+"_sum", base+"_bucket")
			}
		}
		return slices.ContainsFunc(read, func(m *labels.Matcher) bool { return slices.ContainsFunc(names, m.Matches) })
	}
}

// A Range is a selector with a range in a query.
type Range struct {
	Text   string // PromQL, such as http_requests_total{job="shop"}[15s]
	Length time.Duration

	from selector
}

// Reads says whether the range may have series of a metric and a job; "" is any of them.
func (r Range) Reads(metric, job string) bool {
	return !slices.ContainsFunc(r.from.matchers, func(m *labels.Matcher) bool {
		return m.Name == model.MetricNameLabel && metric != "" && !m.Matches(metric) || m.Name == model.JobLabel && job != "" && !m.Matches(job)
	})
}

// Names says whether the name of the metrics that the range has begins so.
func (r Range) Names(prefix string) bool {
	return slices.ContainsFunc(r.from.matchers, func(m *labels.Matcher) bool {
		return m.Name == model.MetricNameLabel && (m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp) && strings.HasPrefix(m.Value, prefix)
	})
}

// Ranges are the ranges in a query, each once. One that cannot be parsed has none that are known.
func Ranges(query string) (out []Range) {
	expr, err := parse(query)
	if err != nil {
		return nil
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if m, ok := node.(*parser.MatrixSelector); ok {
			r := Range{Text: m.String(), Length: m.Range}
			if v, ok := m.VectorSelector.(*parser.VectorSelector); ok {
				r.from.matchers = v.LabelMatchers
			}
			if !slices.ContainsFunc(out, func(x Range) bool { return x.Text == r.Text }) {
				out = append(out, r)
			}
		}
		return nil
	})
	return out
}

// Up is a query for the series up of the targets whose series a selector selects, as far as its labels are those of targets.
// Empty means that the selector is none.
func Up(selector string) string {
	wanted, err := matchers(selector)
	if err != nil {
		return ""
	}
	parts := []string{model.MetricNameLabel + `="up"`}
	for _, m := range wanted {
		if m.Name != model.MetricNameLabel {
			parts = append(parts, m.String())
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// UpOf are queries for the series up of the targets that a query names by their job or instance, each once.
func UpOf(query string) (out []string) {
	expr, err := parse(query)
	if err != nil {
		return nil
	}
	for _, s := range selectors(expr) {
		parts := []string{model.MetricNameLabel + `="up"`}
		for _, m := range s.matchers {
			if (m.Name == model.JobLabel || m.Name == model.InstanceLabel) && !m.Matches("") {
				parts = append(parts, m.String())
			}
		}
		if up := "{" + strings.Join(parts, ",") + "}"; len(parts) > 1 && !slices.Contains(out, up) {
			out = append(out, up)
		}
	}
	return out
}

// Chooses says whether a query returns now these series and now those by its nature: it compares without bool and so drops what is
// false, takes the first few, makes labels of values, or has something to stand in under other labels. Only its outermost operation
// counts, apart from what changes values alone: what is chosen inside is a part of something that goes on. One that cannot be parsed
// does not choose as far as is known.
func Chooses(query string) bool {
	expr, err := parse(query)
	for err == nil {
		switch n := unwrap(expr).(type) {
		case *parser.UnaryExpr:
			expr = n.Expr
		case *parser.Call:
			i := slices.IndexFunc(n.Args, func(a parser.Expr) bool { return a.Type() == parser.ValueTypeVector })
			if i < 0 {
				return false
			}
			expr = n.Args[i]
		case *parser.AggregateExpr:
			return n.Op == parser.TOPK || n.Op == parser.BOTTOMK || n.Op == parser.LIMITK || n.Op == parser.COUNT_VALUES
		case *parser.BinaryExpr:
			left, right := n.LHS.Type() == parser.ValueTypeVector, n.RHS.Type() == parser.ValueTypeVector
			switch {
			case n.Op.IsComparisonOperator():
				return !n.ReturnBool && (left || right)
			case n.Op == parser.LOR:
				return len(n.VectorMatching.MatchingLabels) > 0 || n.VectorMatching.On
			case left && !right:
				expr = n.LHS
			case right && !left:
				expr = n.RHS
			default:
				return false
			}
		default:
			return false
		}
	}
	return false
}
