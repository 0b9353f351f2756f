package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// Age is a query for the age in seconds of what another one reads as it is now: that of the oldest of the newest samples, or of the
// newest of them all where one series that is there is enough. A server goes on to answer with the last sample of a series for five
// minutes, unless it knows that it has ended; to which an exporter gives times of its own, of those it does not. Ranges are empty by
// themselves. It is empty where nothing is read as it is now, and where the query asks for times itself.
func Age(query string, oneIsEnough bool) string {
	expr, err := parse(query)
	if err != nil {
		return ""
	}
	among := "max"
	if oneIsEnough {
		among = "min"
	}
	itself := false
	var ages []string
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.Call:
			itself = itself || n.Func.Name == "timestamp"
		case *parser.VectorSelector:
			then := n.OriginalOffset != 0 || n.Timestamp != nil || n.StartOrEnd != 0
			for _, p := range path {
				switch p := p.(type) {
				case *parser.MatrixSelector:
					then = true
				case *parser.SubqueryExpr:
					then = then || p.OriginalOffset != 0 || p.Timestamp != nil || p.StartOrEnd != 0
				}
			}
			if age := fmt.Sprintf("%s(time() - timestamp(%s))", among, n); !then && !strings.Contains(strings.Join(ages, " "), age) {
				ages = append(ages, age)
			}
		}
		return nil
	})
	switch {
	case itself || len(ages) == 0:
		return ""
	case len(ages) == 1:
		return ages[0]
	}
	for i, age := range ages {
		ages[i] = fmt.Sprintf(`label_replace(%s, "selector", "%d", "", "")`, age, i)
	}
	return fmt.Sprintf("%s(%s)", among, strings.Join(ages, " or "))
}
