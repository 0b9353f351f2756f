package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// KindInfo describes a kind of fault as the language knows it.
type KindInfo struct {
	Name             string    `json:"name"`
	Built            bool      `json:"built"` // false: part of the language, refused by this version
	DurationRequired bool      `json:"duration_required"`
	Args             []ArgInfo `json:"args,omitempty"` // besides those that every fault has; empty where Built is false
}

// ArgInfo describes an argument of a kind of fault.
type ArgInfo struct {
	Name    string `json:"name"`
	Type    string `json:"type"`    // "duration" or "string"
	Default string `json:"default"` // as it would be written, without quotes; empty: required
}

// builtKinds are the kinds that this version can do, in the order of the language.
var builtKinds = []KindInfo{
	{Name: "pause", Built: true, DurationRequired: true},
	{Name: "stop", Built: true, DurationRequired: true, Args: []ArgInfo{{Name: "grace", Type: "duration", Default: "10s"}}},
	{Name: "kill", Built: true, Args: []ArgInfo{{Name: "signal", Type: "string", Default: "KILL"}}},
	{Name: "crash", Built: true},
	{Name: "restart", Built: true, Args: []ArgInfo{{Name: "grace", Type: "duration", Default: "10s"}}},
}

// laterKinds are the kinds that are part of the language but cannot be done yet.
var laterKinds = []string{
	"oom", "signal", "exec", "latency", "loss", "corrupt", "duplicate", "reorder", "rate", "partition", "reject", "dns",
	"http", "tcp", "disconnect", "cpu", "memory", "io", "stress", "fill",
}

// FaultKinds lists every kind of fault in the language, those that can be done first.
func FaultKinds() []KindInfo {
	var kinds []KindInfo
	for _, k := range builtKinds {
		k.Args = append([]ArgInfo(nil), k.Args...)
		kinds = append(kinds, k)
	}
	for _, name := range laterKinds {
		kinds = append(kinds, KindInfo{Name: name})
	}
	return kinds
}

func builtKind(name string) (KindInfo, bool) {
	for _, k := range builtKinds {
		if k.Name == name {
			return k, true
		}
	}
	return KindInfo{}, false
}

func builtNames() []string {
	var names []string
	for _, k := range builtKinds {
		names = append(names, k.Name)
	}
	return names
}

// foreign are the arguments that only other kinds have.
func (k KindInfo) foreign() []string {
	var names []string
	for _, n := range kindArguments() {
		if !contains(kindsWith(n), k.Name) {
			names = append(names, n)
		}
	}
	return names
}

// kindArguments are the names of all arguments that some kind has.
func kindArguments() []string {
	var names []string
	for _, k := range builtKinds {
		for _, a := range k.Args {
			if !contains(names, a.Name) {
				names = append(names, a.Name)
			}
		}
	}
	return names
}

// kindsWith are the kinds that have an argument.
func kindsWith(arg string) []string {
	var names []string
	for _, k := range builtKinds {
		for _, a := range k.Args {
			if a.Name == arg {
				names = append(names, k.Name)
			}
		}
	}
	return names
}

// longestGrace is what people and undos are ready to wait for.
const longestGrace = time.Hour

// argument reads one of a kind's own arguments, or takes its default.
func (b *block) argument(a ArgInfo) any {
	switch a.Type {
	case "duration":
		if d, ok := b.duration(a.Name, 0); ok {
			if a.Name == "grace" && (d%time.Second != 0 || d > longestGrace) {
				b.failAt(a.Name, "Invalid duration", fmt.Sprintf("%q is in whole seconds, because Docker counts in them, and at most %s.", a.Name, inUnits(longestGrace)))
			}
			return d
		}
		d, _ := time.ParseDuration(a.Default)
		return d
	default:
		s, ok := b.str(a.Name)
		if !ok {
			return a.Default
		}
		if a.Name != "signal" {
			return s
		}
		name, problem := signalName(s)
		if problem != "" {
			b.failAt(a.Name, "Invalid signal", problem)
		}
		return name
	}
}

// signals are Linux's, by number from 1.
var signals = []string{
	"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
}

// What ends no process: the first freeze it, which fault "pause" does in a way that can be undone.
var (
	freezingSignals = []string{"STOP", "TSTP", "TTIN", "TTOU"}
	harmlessSignals = []string{"CONT", "CHLD", "URG", "WINCH"}
)

// signalName checks a signal and brings it into one form: "KILL" for "SIGKILL", "kill" and "KILL", a number as it is.
func signalName(s string) (name, problem string) {
	name = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	number, err := strconv.Atoi(name)
	if err == nil && (number < 1 || number > len(signals)) {
		return "", fmt.Sprintf("The number of a signal is from 1 to %d.", len(signals))
	}
	called := name
	if err == nil {
		called = signals[number-1]
	}
	switch {
	case contains(freezingSignals, called):
		return "", fmt.Sprintf(`%s freezes a process and does not end it. Use fault "pause", which can be undone.`, called)
	case contains(harmlessSignals, called):
		return "", fmt.Sprintf("%s ends no process, so it would be no fault. Use KILL, TERM, INT, HUP, QUIT or ABRT.", called)
	case contains(signals, called):
		return name, ""
	}
	problem = fmt.Sprintf("There is no signal %q.", clipped(s))
	if near := nearest(name, signals); near != "" {
		return "", problem + fmt.Sprintf(" Did you mean %q?", near)
	}
	return "", problem + fmt.Sprintf(` Write a name such as "TERM", or a number from 1 to %d.`, len(signals))
}
