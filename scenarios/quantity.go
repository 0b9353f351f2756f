package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The quantities of the language. They print as they are written in a file, in the largest unit that keeps them exact.
type (
	Size       int64 // bytes
	Throughput int64 // bytes per second
	Rate       int64 // bits per second
)

// String is the size as it is written: "64MiB".
func (s Size) String() string { return inUnit(int64(s), sizeUnits) }

// String is the throughput as it is written: "1MiB/s".
func (t Throughput) String() string { return Size(t).String() + perSecond }

// String is the rate as it is written: "10mbit".
func (r Rate) String() string { return inUnit(int64(r), rateUnits) }

const perSecond = "/s"

type unit struct {
	name   string
	factor int64
}

// Units from the largest down; where two keep a quantity exact, the first is written.
var (
	sizeUnits = []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1},
	}
	rateUnits = []unit{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}
)

func inUnit(n int64, units []unit) string {
	for _, u := range units {
		if n%u.factor == 0 && n != 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + units[len(units)-1].name
}

// What is taken for meant.
const (
	largestSize       = 16 << 40 // bytes
	leastThroughput   = 1 << 10  // bytes per second
	largestThroughput = 1 << 40
	leastRate         = 8e3 // bits per second
	largestRate       = 1e12
)

// parseSize reads "64MiB".
func parseSize(s string) (Size, string) {
	n, problem := parseQuantity(s, sizeUnits, `Write it like "64MiB", "1GiB" or "500MB".`)
	switch {
	case problem != "":
		return 0, problem
	case n < 1:
		return 0, fmt.Sprintf("%q is nothing. Write a larger size.", clipped(s))
	case n > largestSize:
		return 0, fmt.Sprintf("%q is too much. Is the unit right? The most is %s.", clipped(s), Size(largestSize))
	}
	return Size(n), ""
}

// parseThroughput reads "1MiB/s".
func parseThroughput(s string) (Throughput, string) {
	const example = `Write it like "1MiB/s" or "500kB/s".`
	size, ok := strings.CutSuffix(strings.TrimSpace(s), perSecond)
	if !ok {
		if _, problem := parseSize(s); problem == "" {
			return 0, fmt.Sprintf("%q is a size. How much in a second is written %q.", clipped(s), clipped(strings.TrimSpace(s)+perSecond))
		}
		return 0, fmt.Sprintf("%q is no throughput. %s", clipped(s), example)
	}
	n, problem := parseQuantity(size, sizeUnits, example)
	switch {
	case problem != "":
		return 0, problem
	case n < leastThroughput:
		return 0, fmt.Sprintf("%q is too little. The least is %s.", clipped(s), Throughput(leastThroughput))
	case n > largestThroughput:
		return 0, fmt.Sprintf("%q is too much. Is the unit right? The most is %s.", clipped(s), Throughput(largestThroughput))
	}
	return Throughput(n), ""
}

// parseRate reads "10mbit".
func parseRate(s string) (Rate, string) {
	n, problem := parseQuantity(s, rateUnits, `Write it like "200kbit", "1mbit" or "1gbit".`)
	switch {
	case problem != "":
		return 0, problem
	case n < leastRate:
		return 0, fmt.Sprintf("%q is too little. The least is %s.", clipped(s), Rate(leastRate))
	case n > largestRate:
		return 0, fmt.Sprintf("%q is too much. Is the unit right? The most is %s.", clipped(s), Rate(largestRate))
	}
	return Rate(n), ""
}

// parseQuantity reads a number with a unit, in any case of letters. What is too large for an int64 is the largest one.
func parseQuantity(s string, units []unit, example string) (n int64, problem string) {
	text := strings.TrimSpace(s)
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	number, name := text[:end], strings.TrimSpace(text[end:])
	f, err := strconv.ParseFloat(number, 64)
	switch {
	case strings.HasPrefix(text, "-"):
		return 0, fmt.Sprintf("%q is negative. %s", clipped(s), example)
	case number == "" || err != nil && !math.IsInf(f, 0):
		return 0, fmt.Sprintf("%q is no number with a unit. %s", clipped(s), example)
	case name == "":
		return 0, fmt.Sprintf("%q has no unit. %s", clipped(s), example)
	}
	for _, u := range units {
		if strings.EqualFold(u.name, name) {
			if f *= float64(u.factor); f >= math.MaxInt64 {
				return math.MaxInt64, ""
			}
			return int64(math.Round(f)), ""
		}
	}
	if meant := unitMeant(name, units); meant != "" {
		return 0, fmt.Sprintf("%q is no unit here. Did you mean %q?", clipped(name), clipped(number+meant))
	}
	return 0, fmt.Sprintf("%q is no unit here. %s", clipped(name), example)
}

// unitMeant finds the unit that other tools write in a shorter way: "m", "Mi" and "mbps".
func unitMeant(name string, units []unit) string {
	name = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), "ps"), "/s")
	var names []string
	for _, u := range units {
		for _, short := range []string{strings.TrimSuffix(u.name, "B"), u.name[:1], strings.TrimSuffix(u.name, "it")} {
			if short != "" && strings.EqualFold(short, name) {
				return u.name
			}
		}
		names = append(names, u.name)
	}
	return nearest(name, names)
}
