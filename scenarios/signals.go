package scenarios

import (
	"fmt"
	"strconv"
	"strings"
)

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

// anySignal checks a signal and brings it into one form: "KILL" for "SIGKILL", "kill" and "KILL", a number as it is.
func anySignal(v any) (any, string, string) {
	const summary = "Invalid signal"
	s := v.(string)
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > len(signals) {
			return nil, summary, fmt.Sprintf("The number of a signal is from 1 to %d.", len(signals))
		}
		return name, "", ""
	}
	if contains(signals, name) {
		return name, "", ""
	}
	detail := fmt.Sprintf("There is no signal %q.", clipped(s))
	if near := nearest(name, signals); near != "" {
		return nil, summary, detail + fmt.Sprintf(" Did you mean %q?", near)
	}
	return nil, summary, detail + fmt.Sprintf(` Write a name such as "TERM", or a number from 1 to %d.`, len(signals))
}

// endingSignal does the same, and refuses those that end no process.
func endingSignal(v any) (any, string, string) {
	name, summary, detail := anySignal(v)
	if summary != "" {
		return nil, summary, detail
	}
	switch called := calledSignal(name.(string)); {
	case contains(freezingSignals, called):
		return nil, "Invalid signal", fmt.Sprintf(`%s freezes a process and does not end it. Use fault "pause", which can be undone.`, called)
	case contains(harmlessSignals, called):
		return nil, "Invalid signal", fmt.Sprintf("%s ends no process, so it would be no fault. Use KILL, TERM, INT, HUP, QUIT or ABRT.", called)
	}
	return name, "", ""
}

// calledSignal is the name of a signal that was checked: "STOP" for "19".
func calledSignal(s string) string {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= len(signals) {
		return signals[n-1]
	}
	return s
}
