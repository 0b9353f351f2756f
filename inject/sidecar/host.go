package sidecar

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// host is what an agent on the engine's host can do to one container: to its limits, its processes and its files.
type host struct {
	id     string // of the container
	pid    int    // of its main process; 0: it does not run
	fd     int    // holds that process; -1 without one
	groups *groups
	usual  *Usual // what the engine limits it to, where that is known
	engine int    // a process of the engine's, for its mounts: the parent of every container's first process is one
	proc   string // where /proc is
	sys    string // where /sys is
}

// openHost takes hold of a container. The pid 0 stands for one that does not run: then only its files can be reached.
func openHost(pid int, id string) (*host, error) {
	h := &host{id: id, pid: pid, fd: -1, groups: &groups{id: id}, engine: os.Getppid(), proc: "/proc", sys: "/sys"}
	if pid == 0 {
		return h, nil
	}
	var err error
	if h.fd, h.groups.lines, err = hold(pid, id); err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		unix.Close(h.fd)
		return nil, refuse(ExitDenied, "the mounts of this helper cannot be read: %v", err)
	}
	h.groups.trees = hierarchies(string(mounts), cgroupRoot)
	return h, nil
}

// over says whether the main process has ended.
func (h *host) over() bool { return h.fd < 0 || ended(h.fd) }

// online is how many cores the host has.
func (h *host) online() int {
	text, err := os.ReadFile(h.sys + "/devices/system/cpu/online")
	if err != nil {
		return 1 << 20 // it does not say
	}
	n := 0
	for _, part := range strings.Split(strings.TrimSpace(string(text)), ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || to < from {
			return 1 << 20
		}
		n += to - from + 1
	}
	return n
}

// hostKind is what an agent does for one kind of fault.
type hostKind struct {
	prepare func(h *host, kind string, spec json.RawMessage) (effect, error)
	survey  func(h *host, kind string, spec json.RawMessage) (any, error)
	check   func(h *host, kind string, spec json.RawMessage) (Look, error)
	heal    func(h *host, kind string, spec json.RawMessage) error
	dump    func(h *host, kind string, spec json.RawMessage) ([]string, error)
}

var limitKind = hostKind{
	prepare: with(func(h *host, kind string, s LimitSpec) (effect, error) { return h.prepareLimit(kind, s) }),
	survey:  with(func(h *host, kind string, s LimitSpec) (any, error) { return h.surveyLimits(kind, s) }),
	check:   with(func(h *host, _ string, s LimitSpec) (Look, error) { return h.checkLimits(s) }),
	heal:    withOnly(func(h *host, s LimitSpec) error { return h.healLimits(s) }),
	dump:    func(h *host, kind string, _ json.RawMessage) ([]string, error) { return h.dumpLimits(kind) },
}

// hostKinds are the kinds of faults that an agent on the host does.
var hostKinds = map[string]hostKind{"cpu": limitKind, "memory": limitKind, "io": limitKind, "stress": stressKind, "oom": oomKind, "signal": signalKind, "fill": fillKind}

// with reads the spec of a kind.
func with[S, T any](do func(h *host, kind string, spec S) (T, error)) func(*host, string, json.RawMessage) (T, error) {
	return func(h *host, kind string, raw json.RawMessage) (out T, err error) {
		var spec S
		if err := json.Unmarshal(raw, &spec); err != nil {
			return out, fmt.Errorf("the fault cannot be read: %w", err)
		}
		return do(h, kind, spec)
	}
}

// withOnly does the same for what returns nothing.
func withOnly[S any](do func(h *host, spec S) error) func(*host, string, json.RawMessage) error {
	f := with(func(h *host, _ string, spec S) (struct{}, error) { return struct{}{}, do(h, spec) })
	return func(h *host, kind string, raw json.RawMessage) error {
		_, err := f(h, kind, raw)
		return err
	}
}

func (h *host) kind(name string) (hostKind, error) {
	k, ok := hostKinds[name]
	if !ok {
		return k, fmt.Errorf("%w: this helper knows no fault of kind %q", errUntouched, name)
	}
	return k, nil
}

func (h *host) prepare(_, kind string, spec json.RawMessage) (effect, error) {
	k, err := h.kind(kind)
	if err != nil {
		return nil, err
	}
	return k.prepare(h, kind, spec)
}

func (h *host) survey(kind string, spec json.RawMessage) (json.RawMessage, error) {
	k, err := h.kind(kind)
	if err != nil {
		return nil, err
	}
	found, err := k.survey(h, kind, spec)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUntouched, err)
	}
	return json.Marshal(found)
}

func (h *host) check(kind string, spec json.RawMessage) (Look, error) {
	k, err := h.kind(kind)
	if err != nil {
		return Look{}, err
	}
	return k.check(h, kind, spec)
}

func (h *host) heal(kind string, spec json.RawMessage) error {
	k, err := h.kind(kind)
	if err != nil {
		return err
	}
	return k.heal(h, kind, spec)
}

func (h *host) dump(kind string, spec json.RawMessage) ([]string, error) {
	k, err := h.kind(kind)
	if err != nil || k.dump == nil {
		return nil, err
	}
	lines, err := k.dump(h, kind, spec)
	if err != nil && isGone(err) {
		return nil, nil
	}
	return lines, err
}

func (h *host) close() error {
	h.groups.close()
	if h.fd >= 0 {
		return unix.Close(h.fd)
	}
	return nil
}

// hostAgent serves one container:
//
//	host <pid> <container id>
func hostAgent(args []string, in io.Reader, out, errs io.Writer) int {
	pid, id, err := processArgs(args)
	var h *host
	if err == nil {
		h, err = openHost(pid, id)
	}
	if err != nil {
		fmt.Fprintf(errs, "host: %v\n", err)
		return exitCode(err)
	}
	Slim()
	return serve(h, in, out, Lease, stopped())
}
