package scenarios

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// argument reads one of a kind's own arguments, or takes its default. There is no value if it is left out and Optional, or
// if it is wrong.
func (b *block) argument(a ArgInfo) (value any, ok bool) {
	if !b.has(a.Name) {
		switch {
		case a.Default == "":
			b.need(a.Name, a.purpose)
			return nil, false
		case a.Optional:
			return nil, false
		}
		return a.fallback(), true
	}
	switch a.Type {
	case "duration":
		value, ok = b.duration(a.Name, 0)
	case "percent":
		value, ok = b.percent(a)
	case "number":
		value, ok = b.number(a.Name)
	case "whole":
		value, ok = b.number(a.Name)
	case "size":
		value, ok = quantity(b, a.Name, "size", parseSize)
	case "throughput":
		value, ok = quantity(b, a.Name, "throughput", parseThroughput)
	case "rate":
		value, ok = quantity(b, a.Name, "rate", parseRate)
	case "command":
		value, ok = b.command(a.Name)
	case "peers":
		value, ok = b.peers()
	case "ports":
		value, ok = b.ports(a.Name)
	default:
		value, ok = b.text(a)
	}
	if !ok || a.refine == nil {
		return value, ok
	}
	refined, summary, detail := a.refine(value)
	if summary != "" {
		b.failAt(a.Name, summary, detail)
		return nil, false
	}
	return refined, true
}

// fallback is the value of an argument that is left out.
func (a ArgInfo) fallback() any {
	switch a.Type {
	case "duration":
		d, _ := time.ParseDuration(a.Default)
		return d
	case "percent":
		f, _ := strconv.ParseFloat(a.Default, 64)
		return f
	}
	return a.Default
}

// text reads a string argument of a kind.
func (b *block) text(a ArgInfo) (string, bool) {
	if len(a.Words) > 0 {
		s := b.one(a.Name, "", a.Words...)
		return s, s != ""
	}
	s, ok := b.str(a.Name)
	if ok && strings.ContainsRune(s, 0) {
		b.failNull(a.Name)
		return "", false
	}
	return s, ok
}

func (b *block) failNull(name string) {
	b.failAt(name, "Invalid text", fmt.Sprintf("%q holds a null character, which nothing in Linux can have in it. Leave it out.", name))
}

// number reads a number.
func (b *block) number(name string) (float64, bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return 0, false
	}
	if v.Type() != cty.Number {
		if v.Type() == cty.String {
			given := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v.AsString()), "%"))
			if _, err := strconv.ParseFloat(given, 64); err == nil && len(given) < 12 {
				b.failAt(name, "Wrong type", fmt.Sprintf("%q is a number without quotes and without a unit: write %s.", name, given))
				return 0, false
			}
		}
		b.failType(name, "a number", v)
		return 0, false
	}
	f, _ := v.AsBigFloat().Float64()
	return f, true
}

// percent reads a share of 100. Only where nothing is the default may it be nothing.
func (b *block) percent(a ArgInfo) (float64, bool) {
	f, ok := b.number(a.Name)
	switch {
	case !ok:
		return 0, false
	case f < 0 || f > 100 || math.IsNaN(f):
		b.failAt(a.Name, "Number out of range", fmt.Sprintf("%q is a share of 100, so it is at most 100 and not negative.", a.Name))
		return 0, false
	case f == 0 && a.Default != "0":
		b.failAt(a.Name, "Number out of range", fmt.Sprintf("%q is 0, so nothing would happen. Write more than 0, and at most 100.", a.Name))
		return 0, false
	}
	return f, true
}

// quantity reads a number with a unit, in quotes.
func quantity[T any](b *block, name, what string, parse func(string) (T, string)) (n T, ok bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return n, false
	}
	example := map[string]string{"size": "64MiB", "throughput": "1MiB/s", "rate": "1mbit"}[what]
	switch v.Type() {
	case cty.Number:
		b.failAt(name, strings.ToUpper(what[:1])+what[1:]+" without a unit", fmt.Sprintf("%q is a %s in quotes and with a unit, such as %q.", name, what, example))
		return n, false
	case cty.String:
	default:
		b.failType(name, fmt.Sprintf("a %s such as %q", what, example), v)
		return n, false
	}
	n, problem := parse(v.AsString())
	if problem != "" {
		b.failAt(name, "Invalid "+what, fmt.Sprintf("%q: %s", name, problem))
		return n, false
	}
	return n, true
}

// What the arguments of kinds are bounded by.
const (
	longestGrace   = time.Hour // what people and undos are ready to wait for
	longestDelay   = time.Minute
	longestExec    = time.Hour
	leastMemory    = 6 << 20 // bytes: the least that Docker takes
	leastCores     = 0.01    // what the kernel counts in
	mostCores      = 4096
	mostWorkers    = 1024
	longestProcess = 255 // bytes of a file's name
)

func graceTime(v any) (any, string, string) {
	if d := v.(time.Duration); d%time.Second != 0 || d > longestGrace {
		return nil, "Invalid duration", fmt.Sprintf(`"grace" is in whole seconds, because Docker counts in them, and at most %s.`, inUnits(longestGrace))
	}
	return v, "", ""
}

func delayTime(v any) (any, string, string) {
	switch d := v.(time.Duration); {
	case d == 0:
		return nil, "Invalid duration", `"delay" is no time at all, so nothing would happen. Write a longer one.`
	case d > longestDelay:
		return nil, "Invalid duration", fmt.Sprintf(`"delay" is at most %s: packets that take longer are as good as lost. For that use fault "partition".`, inUnits(longestDelay))
	}
	return v, "", ""
}

func execTime(v any) (any, string, string) {
	switch d := v.(time.Duration); {
	case d == 0:
		return nil, "Invalid duration", `"timeout" is no time at all, so no command could end in it. Write a longer one.`
	case d > longestExec:
		return nil, "Invalid duration", fmt.Sprintf(`"timeout" is at most %s. A command that goes on for longer is started in the background.`, inUnits(longestExec))
	}
	return v, "", ""
}

func cores(v any) (any, string, string) {
	if f := v.(float64); !(f >= leastCores && f <= mostCores) {
		return nil, "Number out of range", fmt.Sprintf(`"limit" is a number of cores, from %v to %d: 0.5 is half of one.`, leastCores, mostCores)
	}
	return v, "", ""
}

func workers(v any) (any, string, string) {
	f := v.(float64)
	if f != math.Trunc(f) || f < 1 || f > mostWorkers {
		return nil, "Number out of range", fmt.Sprintf(`"cpu" is a whole number of workers, from 1 to %d. Each burns one core.`, mostWorkers)
	}
	return int64(f), "", ""
}

func memorySize(v any) (any, string, string) {
	if v.(Size) < leastMemory {
		return nil, "Invalid size", fmt.Sprintf("%s is too little memory for any container. The least is %s.", v, Size(leastMemory))
	}
	return v, "", ""
}

func processName(v any) (any, string, string) {
	s := v.(string)
	switch {
	case strings.Contains(s, "/"):
		return nil, "Invalid process", fmt.Sprintf("A process goes by its name, not by its path: write %q.", clipped(path.Base(s)))
	case len(s) > longestProcess || strings.ContainsAny(s, "\n"):
		return nil, "Invalid process", fmt.Sprintf("No process is called that. Write the name that ps shows, such as \"worker\", of at most %d bytes.", longestProcess)
	}
	return v, "", ""
}

func absolutePath(v any) (any, string, string) {
	s := v.(string)
	if !path.IsAbs(s) {
		return nil, "Invalid path", fmt.Sprintf("%q is not absolute. Write the whole path in the container: %q.", clipped(s), clipped(path.Join("/", s)))
	}
	return path.Clean(s), "", ""
}
