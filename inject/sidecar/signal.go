package sidecar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A SignalSpec is a fault that sends a signal to the processes of a container that go by a name.
type SignalSpec struct {
	Process string `json:"process"` // as ps shows it, or the program's base name
	Signal  string `json:"signal"`  // "SIGHUP"
	// Of a survey: whether the main process is one of them, and which of them were stopped before, as "pid/start".
	Main    bool     `json:"main,omitempty"`
	Stopped []string `json:"stopped,omitempty"`
}

// Freezes says whether a signal, given by its full name, stops a process instead of ending it or telling it something.
func Freezes(signal string) bool {
	return slices.Contains([]string{"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"}, signal)
}

// Harmless says whether a process that does not wait for a signal ignores it.
func Harmless(signal string) bool {
	return slices.Contains([]string{"SIGCONT", "SIGCHLD", "SIGURG", "SIGWINCH"}, signal)
}

var signalKind = hostKind{
	prepare: with(func(h *host, _ string, s SignalSpec) (effect, error) { return h.prepareSignal(s) }),
	survey:  with(func(h *host, _ string, s SignalSpec) (any, error) { return h.surveySignal(s) }),
	check:   with(func(h *host, _ string, s SignalSpec) (Look, error) { return h.checkSignal(s) }),
	heal:    withOnly(func(h *host, s SignalSpec) error { return h.healSignal(s) }),
}

func (h *host) surveySignal(s SignalSpec) (SignalSpec, error) {
	found, all, err := h.named(s.Process)
	if err != nil {
		return s, err
	}
	if len(found) == 0 {
		var names []string
		for _, p := range all {
			if !slices.Contains(names, p.name) {
				names = append(names, p.name)
			}
		}
		slices.Sort(names)
		if len(names) > 10 {
			names = append(names[:10], "…")
		}
		return s, fmt.Errorf("no process called %q is in it; there are %s", s.Process, orNone(strings.Join(names, ", ")))
	}
	deaf := 0
	why := ""
	for _, p := range found {
		s.Main = s.Main || p.pid == h.pid
		if h.state(p) == "T" {
			s.Stopped = append(s.Stopped, p.key())
		}
		if w := h.deaf(p, s.Signal); w != "" {
			deaf, why = deaf+1, w
		}
	}
	switch {
	case deaf == len(found):
		return s, fmt.Errorf("%s %s: the signal would do nothing", s.Process, why)
	case Freezes(s.Signal) && len(s.Stopped) == len(found):
		return s, fmt.Errorf("%s is stopped already, by somebody else: send it SIGCONT first", s.Process)
	}
	return s, nil
}

// deaf says in words why a process takes no notice of a signal, or "".
func (h *host) deaf(p process, signal string) string {
	text, err := h.procFile(p.pid, "status")
	if err != nil || signal == "SIGKILL" || signal == "SIGSTOP" {
		return ""
	}
	has := func(mask string) bool {
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(line, mask+":"); ok {
				n, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
				return err == nil && n&(1<<(unix.SignalNum(signal)-1)) != 0
			}
		}
		return false
	}
	switch {
	case has("SigIgn"):
		return "ignores " + signal
	case has("SigCgt"):
		return ""
	case Harmless(signal):
		return "does not wait for " + signal
	case h.first(text):
		// The kernel protects the first process of a pid namespace from what it does not wait for.
		return fmt.Sprintf("does not wait for %s, and the kernel keeps that from ending the first process of a container", signal)
	}
	return ""
}

// first says whether a process, by its /proc/<pid>/status, is the first of a pid namespace.
func (h *host) first(status string) bool {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(v)
			return len(f) > 1 && f[len(f)-1] == "1"
		}
	}
	return false
}

// signalled is the fault.
type signalled struct {
	h    *host
	spec SignalSpec
	sent []process
}

func (h *host) prepareSignal(s SignalSpec) (effect, error) {
	if unix.SignalNum(s.Signal) == 0 {
		return nil, fmt.Errorf("there is no signal %q", s.Signal)
	}
	return &signalled{h: h, spec: s}, nil
}

func (e *signalled) apply() (time.Time, error) {
	found, _, err := e.h.named(e.spec.Process)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errUntouched, err)
	}
	sig := unix.SignalNum(e.spec.Signal)
	var errs []error
	for _, p := range found {
		if slices.Contains(e.spec.Stopped, p.key()) && Freezes(e.spec.Signal) {
			continue // somebody else has stopped it, and it stays so
		}
		sent, err := e.h.send(p, sig)
		if sent {
			e.sent = append(e.sent, p)
		}
		errs = append(errs, err)
	}
	err = errors.Join(errs...)
	if len(e.sent) == 0 {
		if err == nil {
			err = fmt.Errorf("no process called %q is in it any more", e.spec.Process)
		}
		return time.Time{}, fmt.Errorf("%w: %w", errUntouched, err)
	}
	return time.Now(), err
}

// send sends a signal to a process if it is still the one that it was, and in the container. One that has ended is no error.
func (h *host) send(p process, sig unix.Signal) (sent bool, err error) {
	fd, _, err := hold(p.pid, h.id)
	if err == nil {
		defer unix.Close(fd)
		f, serr := h.stat(p.pid)
		if serr != nil || len(f) < 20 || f[19] != p.start {
			return false, nil
		}
		err = kill(fd, p.pid, sig)
	}
	var r refusal
	if errors.As(err, &r) && r.code == ExitNotThere {
		return false, nil
	}
	return err == nil, err
}

func (e *signalled) look() (Look, error) {
	k := Look{Means: "a signal", Met: -1, Hit: -1, Ended: e.h.over()}
	if len(e.sent) == 0 {
		k.Why = "it was sent to nobody"
		return k, nil
	}
	stopped, dead := 0, 0
	for _, p := range e.sent {
		switch e.h.state(p) {
		case "":
			dead++
			// Its last threads may still be ending, and the kernel not say so yet.
			k.Ended = k.Ended || p.pid == e.h.pid
		case "T":
			stopped++
		}
	}
	n := len(e.sent)
	k.Seen = fmt.Sprintf("%s was sent to %s called %s", e.spec.Signal, processes(int64(n)), e.spec.Process)
	have, whom := "they have", "them"
	if n == 1 {
		have, whom = "it has", "it"
	}
	switch {
	case Freezes(e.spec.Signal):
		if k.InForce = stopped > 0 && stopped+dead == n; !k.InForce {
			k.Why = fmt.Sprintf("%d of %s called %s that %s was sent to are stopped", stopped, processes(int64(n)), e.spec.Process, e.spec.Signal)
		} else {
			k.Seen += " and stopped " + whom
		}
	case e.spec.Signal == "SIGKILL":
		if k.InForce = dead == n; !k.InForce {
			k.Why = fmt.Sprintf("%d of %s have ended", dead, processes(int64(n)))
		} else {
			k.Seen += ", and " + have + " ended"
		}
	default:
		k.InForce = true
		switch {
		case dead == n:
			k.Seen += ", and " + have + " ended"
		case dead > 0:
			k.Seen += fmt.Sprintf(", and %d of them ended", dead)
		}
	}
	return k, nil
}

func (e *signalled) undo() error { return e.h.healSignal(e.spec) }

// frozen lists the processes that a fault has stopped.
func (h *host) frozen(s SignalSpec) ([]process, error) {
	if !Freezes(s.Signal) || h.over() {
		return nil, nil
	}
	found, _, err := h.named(s.Process)
	if err != nil {
		return nil, gone(err)
	}
	return slices.DeleteFunc(found, func(p process) bool {
		return h.state(p) != "T" || slices.Contains(s.Stopped, p.key())
	}), nil
}

func (h *host) checkSignal(s SignalSpec) (Look, error) {
	k := Look{Means: "a signal", Met: -1, Hit: -1, Why: "nothing of it lasts"}
	all, err := h.frozen(s)
	if err != nil {
		return k, err
	}
	if Freezes(s.Signal) {
		k.Why = fmt.Sprintf("no process called %s is stopped", s.Process)
	}
	if len(all) > 0 {
		k.InForce, k.Why, k.Seen = true, "", fmt.Sprintf("%s called %s stopped", plural(int64(len(all)), "process is", "processes are"), s.Process)
	}
	return k, nil
}

// healSignal wakes what the fault has stopped.
func (h *host) healSignal(s SignalSpec) error {
	for end := time.Now().Add(time.Second); ; time.Sleep(2 * time.Millisecond) {
		all, err := h.frozen(s)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, p := range all {
			if _, err := h.send(p, unix.SIGCONT); err != nil {
				return err
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s called %s still stopped after SIGCONT", plural(int64(len(all)), "process is", "processes are"), s.Process)
		}
	}
}
