package metrics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// Age is a query for the age in seconds of what another one reads as it is now: the oldest of the newest samples of its series, or, where
// one series is enough, the newest of each selector. A server goes on to answer with the last sample of a series for five minutes, unless
// it knows that it has ended; to which an exporter gives times of its own, of those it does not. Ranges go on over what they have for as
// long as they are long. It is empty where nothing is read as it is now, and where the query asks for times itself.
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
			// VictoriaMetrics has times of series that have ended, so those that are there are chosen.
			if age := fmt.Sprintf("%s(time() - timestamp(%s) and %[2]s)", among, n); !then && !slices.Contains(ages, age) {
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
	return fmt.Sprintf("max(%s)", strings.Join(ages, " or "))
}

// Aged is how old what a query reads was at a time.
type Aged struct {
	At  time.Time
	Age time.Duration // 0: nothing was read
}

// came is when the newest sample came, of the series that was behind all others.
func (a Aged) came() time.Time { return a.At.Add(-a.Age) }

// UsualAge is how old what a query reads was at most, by looks in the order of their times. It is known by the last of them if everything
// that was read was renewed between these, and for as long as they go back so; otherwise it is 0. What a server forgets in the middle of
// a baseline, after five minutes, is not usual.
func UsualAge(looks []Aged) (usual time.Duration) {
	var last time.Time
	var most time.Duration
	known := 0
	for _, l := range slices.Backward(looks) {
		if l.Age <= 0 {
			continue
		}
		if known++; known == 1 {
			last = l.At
		}
		// What was not renewed is at least as old at the last look as that is after the first.
		switch most = max(most, l.Age); {
		case known >= fewestLooks && most < last.Sub(l.At):
			usual = most
		case usual > 0:
			return usual
		}
	}
	return usual
}

// fewestLooks tell how old something gets.
const fewestLooks = 3

// TooOld says whether something is older than it usually gets, by half of that: not every clock beats evenly. Between two looks of the
// baseline, so far apart, it may have been older than at either.
func TooOld(age, usual, every time.Duration) bool { return usual > 0 && age > (usual+every)*3/2 }
