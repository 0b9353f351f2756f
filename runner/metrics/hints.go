package metrics

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// outcomeLabels tell failures from successes. A series with such a value begins to exist with the first failure.
var outcomeLabels = []string{
	"code", "error", "exception", "grpc_code", "grpc_status", "http_code", "http_status", "outcome",
	"response_code", "result", "status", "status_class", "status_code", "success",
}

// Hints names the traps in a query that is valid: those which turn "all is well" or "all is broken" into "no data". A query
// that Check refuses has none.
func Hints(query string) []string {
	expr, err := parse(query)
	if err != nil {
		return nil
	}
	var hints []string
	add := func(format string, args ...any) {
		if h := fmt.Sprintf(format, args...); !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	if b, ok := unwrap(expr).(*parser.BinaryExpr); ok && b.Op.IsComparisonOperator() && !b.ReturnBool &&
		(b.LHS.Type() == parser.ValueTypeVector || b.RHS.Type() == parser.ValueTypeVector) {
		add("a comparison drops the series for which it is false, so that false is no data: put the bound into expect, or write %s bool", b.Op)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.BinaryExpr:
			if n.Op == parser.DIV {
				ratioHint(n, add)
			}
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				wholeHint(m, add)
			}
		case *parser.Call:
			if n.Func.Name == "histogram_quantile" && len(n.Args) == 2 {
				quantileHint(n.Args[1], add)
			}
		}
		return nil
	})
	return hints
}

// wholeHint speaks of a bound of a bucket that is a whole number: Prometheus writes it in another way since 3.0.
func wholeHint(m *labels.Matcher, add func(string, ...any)) {
	if m.Type != labels.MatchEqual || m.Name != "le" && m.Name != "quantile" || m.Value == "" || strings.Trim(m.Value, "0123456789") != "" {
		return
	}
	add("the built-in engine, as Prometheus does since 3.0, has no %s: it writes %s=\"%s.0\"; %s=~\"%s(\\\\.0)?\" finds both", m, m.Name, m.Value, m.Name, m.Value)
}

// ratioHint speaks of a numerator that does not exist while there are no failures: the ratio is then empty instead of 0.
func ratioHint(n *parser.BinaryExpr, add func(string, ...any)) {
	numerator := unwrap(n.LHS)
	matcher := outcomeMatcher(numerator)
	if matcher == nil || guarded(numerator) {
		return
	}
	above := shorten(numerator.String(), 80)
	why := fmt.Sprintf("no series may match %s until the first one happens, and the ratio is then empty (no data) instead of 0", matcher)
	if a, ok := numerator.(*parser.AggregateExpr); ok && !a.Without && len(a.Grouping) == 0 {
		add("%s: write (%s or vector(0)) / …", why, above)
		return
	}
	add("%s: sum both sides and write (sum(…) or vector(0)) / sum(…), or, per label, (%s or 0 * …) / … with the denominator after 0 *", why, above)
}

func outcomeMatcher(node parser.Node) *labels.Matcher {
	if v, ok := node.(*parser.VectorSelector); ok {
		for _, m := range v.LabelMatchers {
			if slices.Contains(outcomeLabels, strings.ToLower(m.Name)) {
				return m
			}
		}
	}
	for _, child := range parser.Children(node) {
		if m := outcomeMatcher(child); m != nil {
			return m
		}
	}
	return nil
}

// guarded says whether something stands in where the series are missing.
func guarded(node parser.Node) bool {
	switch n := node.(type) {
	case *parser.BinaryExpr:
		if n.Op == parser.LOR {
			return true
		}
	case *parser.Call:
		if strings.HasPrefix(n.Func.Name, "absent") {
			return true
		}
	}
	return slices.ContainsFunc(parser.Children(node), guarded)
}

// quantileHint speaks of buckets that were summed without keeping their bounds: the quantile is then always empty.
func quantileHint(arg parser.Expr, add func(string, ...any)) {
	a, ok := unwrap(arg).(*parser.AggregateExpr)
	if !ok || !classicBuckets(a) {
		return
	}
	if slices.Contains(a.Grouping, "le") == a.Without {
		add("histogram_quantile needs the label le, which %s drops, so that there is never a result: write %s by (le, …) (…)", a.Op, a.Op)
	}
}

func classicBuckets(node parser.Node) bool {
	if v, ok := node.(*parser.VectorSelector); ok {
		return strings.HasSuffix(v.Name, "_bucket")
	}
	return slices.ContainsFunc(parser.Children(node), classicBuckets)
}

func unwrap(e parser.Expr) parser.Expr {
	for {
		switch n := e.(type) {
		case *parser.ParenExpr:
			e = n.Expr
		case *parser.StepInvariantExpr:
			e = n.Expr
		default:
			return e
		}
	}
}
