package metrics

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// compared are the operands of the comparisons in an expression that drop what is false: of a value that is not a number they say
// nothing, whatever happens.
func compared(expr parser.Expr) (out []string) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		n, ok := node.(*parser.BinaryExpr)
		if !ok || !n.Op.IsComparisonOperator() || n.ReturnBool {
			return nil
		}
		for _, side := range []parser.Expr{n.LHS, n.RHS} {
			if text := side.String(); side.Type() == parser.ValueTypeVector && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
		return nil
	})
	return out
}

// numberless are the times until the last of some steps, in which what a rule compares was not a number, as the share of failures among no
// requests is not. A series that never had a number is idle, as long as there is another one that had: nothing of it is lost. ask says at
// which steps a query gives something; of what it has no answer to, the rule has none either.
func numberless(expr parser.Expr, to time.Time, ask func(query string) ([]present, error)) (out []Loss) {
	for _, of := range compared(expr) {
		none, err := ask(fmt.Sprintf("(%[1]s) != (%[1]s)", of))
		if err != nil || len(none) == 0 {
			continue
		}
		numbers, err := ask(fmt.Sprintf("(%[1]s) == (%[1]s)", of))
		if err != nil {
			continue
		}
		had := map[string][]time.Time{}
		for _, p := range numbers {
			had[labelText(p.labels)] = p.at
		}
		for _, p := range none {
			set := maps.Clone(p.labels)
			delete(set, model.MetricNameLabel)
			name := of
			if len(set) > 0 {
				name += " of " + labelText(set)
			}
			for _, l := range without(p.at, had[labelText(p.labels)], to, len(numbers) == 0) {
				l.Of, l.NaN = name, true
				out = append(out, l)
			}
		}
	}
	return out
}

// without are the times from a number on to the next, or to the end, between which there is something that is none; where always is true
// also those before the first number. Both times are in order.
func without(none, numbers []time.Time, to time.Time, always bool) (out []Loss) {
	for i := 0; i < len(none); {
		n, _ := slices.BinarySearchFunc(numbers, none[i], time.Time.Compare) // the first number after it
		l := Loss{Gap: Gap{From: none[i].UTC(), To: to.UTC()}, Forever: n == len(numbers)}
		if !l.Forever {
			l.To = numbers[n].UTC()
		}
		if n > 0 {
			l.From = numbers[n-1].UTC()
		}
		if n > 0 || always {
			out = append(out, l)
		}
		for i++; i < len(none) && (l.Forever || none[i].Before(l.To)); i++ {
		}
	}
	return out
}
