package metrics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// errEvaluation is wrapped by the error of a query whose series do not fit together: for that it cannot be evaluated, however often.
var errEvaluation = errors.New("the query cannot be evaluated")

// mismatched says by the words of an error that series do not fit together.
func mismatched(text string) bool {
	return slices.ContainsFunc([]string{"labelset", "duplicate", "many-to-"}, func(word string) bool { return strings.Contains(text, word) })
}

// compared are the operands of the comparisons in an expression that drop what is false: of a value that is not a number they say
// nothing, whatever happens.
func compared(text string) (out []string) {
	expr, err := promQL.ParseExpr(text)
	if err != nil {
		return nil
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		n, ok := node.(*parser.BinaryExpr)
		if !ok || !n.Op.IsComparisonOperator() || n.ReturnBool {
			return nil
		}
		for _, side := range []parser.Expr{n.LHS, n.RHS} {
			if text := unwrap(side).String(); side.Type() == parser.ValueTypeVector && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
		return nil
	})
	return out
}

// numberless are the times until the last of some steps in which what a rule compares was not a number, as the share of failures among no
// requests is not. A series that was none now and then before the effect already is idle by itself, and so is one that never was a number,
// as long as there is another one that was: nothing of these is lost. For as long as an expression looks back nothing was recorded before
// the span, so that nobody is idle by that. ask says at which steps a query gives something.
func numberless(text string, span Span, to time.Time, ask func(query string) ([]present, error)) (out []Loss, err error) {
	for _, of := range compared(text) {
		back, err := Lookback(of)
		if err != nil {
			continue // a dialect
		}
		ready := span.From.Add(back + span.Interval)
		none, err := ask(fmt.Sprintf("(%[1]s) != (%[1]s)", of))
		if err == nil && len(none) == 0 {
			continue
		}
		var numbers []present
		if err == nil {
			numbers, err = ask(fmt.Sprintf("(%[1]s) == (%[1]s)", of))
		}
		if errors.Is(err, errEvaluation) {
			continue // neither can the rule, or its series differ in nothing but their names
		}
		if err != nil {
			return out, err
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
			were := had[labelText(p.labels)]
			switch {
			case len(numbers) == 0:
				out = append(out, Loss{Gap: Gap{p.at[0].UTC(), to.UTC()}, Of: name, Forever: true, NaN: true, Never: true})
				continue
			case len(were) == 0, slices.ContainsFunc(p.at, func(at time.Time) bool { return at.After(ready) && at.Before(span.Effect) }):
				continue
			}
			for _, l := range without(p.at, were, to) {
				l.Of, l.NaN = name, true
				out = append(out, l)
			}
		}
	}
	return out, nil
}

// without are the times from a number on to the next, or to the end, between which there is something that is none. The times of both are
// in order.
func without(none, numbers []time.Time, to time.Time) (out []Loss) {
	for i := 0; i < len(none); {
		n, _ := slices.BinarySearchFunc(numbers, none[i], time.Time.Compare) // the first number after it
		l := Loss{Gap: Gap{From: none[i].UTC(), To: to.UTC()}, Forever: n == len(numbers)}
		if !l.Forever {
			l.To = numbers[n].UTC()
		}
		if n > 0 {
			l.From = numbers[n-1].UTC()
			out = append(out, l)
		}
		for i++; i < len(none) && (l.Forever || none[i].Before(l.To)); i++ {
		}
	}
	return out
}
