package metrics

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"
)

// maxQueryLength bounds a query, in bytes. The parser's time grows with the square of the nesting: a second at this length,
// minutes at six times of it.
const maxQueryLength = 16 << 10

// promQL accepts what a Prometheus server accepts without feature flags.
var promQL = parser.NewParser(parser.Options{})

// Check says whether a query is one that a hypothesis can use: valid PromQL which returns an instant vector or a scalar.
// The error names the line and column of the mistake and, where there is a usual way to write it, that way.
func Check(query string) error {
	_, err := parse(query)
	return err
}

// readable refuses what must not even be parsed.
func readable(query string) error {
	switch {
	case strings.TrimSpace(query) == "":
		return errors.New("the query is empty: write a PromQL expression, such as up")
	case len(query) > maxQueryLength:
		return fmt.Errorf("the query is %d bytes long, and at most %d are read", len(query), maxQueryLength)
	case !utf8.ValidString(query):
		return errors.New("the query is not valid UTF-8")
	}
	return nil
}

func parse(query string) (parser.Expr, error) {
	if err := readable(query); err != nil {
		return nil, err
	}
	expr, err := promQL.ParseExpr(query)
	if err != nil {
		return nil, syntaxError(query, err)
	}
	if err := checkType(expr.Type(), strings.TrimSpace(query)); err != nil {
		return nil, err
	}
	return expr, nil
}

func syntaxError(query string, err error) error {
	var list parser.ParseErrors
	if !errors.As(err, &list) || len(list) == 0 {
		return fmt.Errorf("not valid PromQL: %s", strings.TrimPrefix(err.Error(), "parse error: "))
	}
	first := list[0]
	at := min(max(int(first.PositionRange.Start), 0), len(query))
	line, column := position(query, at)
	text := fmt.Sprintf("not valid PromQL at line %d, column %d: %v", line, column, first.Err)
	if found := excerpt(query, at, int(first.PositionRange.End)); found != "" {
		text += fmt.Sprintf(" (near %q)", found)
	}
	if hint := syntaxHint(first.Err.Error()); hint != "" {
		text += "; " + hint
	}
	return errors.New(text)
}

// position counts lines in newlines and columns in characters, both from 1, as editors do.
func position(query string, at int) (line, column int) {
	before := query[:at]
	line = strings.Count(before, "\n") + 1
	return line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// excerpt is what stands at a mistake, shortened.
func excerpt(query string, from, to int) string {
	to = min(to, len(query))
	if from >= to {
		return ""
	}
	return shorten(strings.ToValidUTF8(query[from:to], ""), 40)
}

// shorten cuts a text to at most n characters, on one line.
func shorten(s string, n int) string {
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n]) + "…"
}

func syntaxHint(message string) string {
	switch {
	case strings.Contains(message, "expected type range vector"):
		return "give the selector a range, as in rate(x[15s])"
	case strings.Contains(message, "expected type instant vector") && strings.Contains(message, "range vector"):
		return "a range vector has to go through a function first, as in rate(x[15s]) or max_over_time(x[15s])"
	case strings.Contains(message, "must contain at least one non-empty matcher"):
		return "name a metric or a label value"
	}
	return ""
}

// checkType refuses what cannot be compared with a bound.
func checkType(t parser.ValueType, query string) error {
	switch t {
	case parser.ValueTypeVector, parser.ValueTypeScalar:
		return nil
	case parser.ValueTypeString:
		return errors.New("the query returns a string, and a hypothesis needs numbers: write a query that returns an instant vector or a scalar")
	case parser.ValueTypeMatrix:
		return fmt.Errorf("the query returns a range vector, and a hypothesis needs one value per series: "+
			"put a function around it, as in rate(%[1]s) for a counter or max_over_time(%[1]s) for a gauge", shorten(query, 60))
	}
	return fmt.Errorf("the query returns a %s, and a hypothesis needs an instant vector or a scalar", t)
}

// Lookback is the longest time into the past that a query reads: along each path through it, ranges, offsets and subqueries
// add up. Without any it is 0, for the five minutes in which Prometheus accepts an older sample do not count. A time pinned
// by @ is not in the past of anything, so that only ranges and offsets next to it count.
func Lookback(query string) (time.Duration, error) {
	expr, err := parse(query)
	if err != nil {
		return 0, err
	}
	return max(lookback(expr, nil), 0), nil
}

// lookback may be negative, where a negative offset reads the future. behind, if there is one, says how far what a selector reads looks
// back itself.
func lookback(node parser.Node, behind func(*parser.VectorSelector) time.Duration) time.Duration {
	switch n := node.(type) {
	case *parser.VectorSelector:
		if behind != nil {
			return addDurations(n.OriginalOffset, behind(n))
		}
		return n.OriginalOffset
	case *parser.MatrixSelector:
		return addDurations(n.Range, lookback(n.VectorSelector, behind))
	case *parser.SubqueryExpr:
		return addDurations(addDurations(n.Range, n.OriginalOffset), lookback(n.Expr, behind))
	}
	var longest time.Duration
	for i, child := range parser.Children(node) {
		if d := lookback(child, behind); i == 0 || d > longest {
			longest = d
		}
	}
	return longest
}

// addDurations stays at the ends of the range instead of wrapping around: a query may name thousands of years.
func addDurations(a, b time.Duration) time.Duration {
	const most = time.Duration(1<<63 - 1)
	switch sum := a + b; {
	case a > 0 && b > 0 && sum < 0:
		return most
	case a < 0 && b < 0 && sum >= 0:
		return -most
	default:
		return sum
	}
}
