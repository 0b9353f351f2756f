package sidecar

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A StressSpec is a fault that burns what belongs to a container.
type StressSpec struct {
	Fault   string `json:"fault"`             // by which its workers are told from others
	Workers int64  `json:"workers,omitempty"` // each burns a core
	Memory  int64  `json:"memory,omitempty"`  // bytes
}

// controllers are those whose groups the workers have to join.
func (s StressSpec) controllers() []string {
	var out []string
	if s.Workers > 0 {
		out = append(out, "cpu", "cpuacct")
	}
	if s.Memory > 0 {
		out = append(out, "memory")
	}
	return out
}

var stressKind = hostKind{
	prepare: with(func(h *host, _ string, s StressSpec) (effect, error) { return h.prepareStress(s) }),
	survey:  with(func(h *host, _ string, s StressSpec) (any, error) { return s, h.surveyStress(s) }),
	check:   with(func(h *host, _ string, s StressSpec) (Look, error) { return h.checkStress(s) }),
	heal:    withOnly(func(h *host, s StressSpec) error { return h.healStress(s) }),
}

// spareMemory is what is left to the engine's host at least when memory is taken: a twentieth, and so many bytes.
const spareMemory = 256 << 20

func (h *host) surveyStress(s StressSpec) error {
	for _, c := range s.controllers() {
		g, err := h.groups.of(c)
		if err == nil {
			err = g.writable("cgroup.procs")
		}
		if err != nil {
			return err
		}
	}
	if s.Memory == 0 {
		return nil
	}
	g, err := h.groups.of("memory")
	if err != nil {
		return err
	}
	limit, err := g.number(g.memoryFiles().limit)
	if err != nil {
		return err
	}
	_, held, err := g.held()
	if err != nil {
		return err
	}
	if s.Memory > limit-held {
		return fmt.Errorf("the container may use %s of memory and holds %s: a worker that takes %s more would be killed at once; ask for less, or use fault \"oom\"", Bytes(limit), Bytes(held), Bytes(s.Memory))
	}
	return h.spare(s.Memory)
}

// spare says in words why so much memory cannot be taken from the engine's host.
func (h *host) spare(bytes int64) error {
	total, free, err := h.hostMemory()
	if err != nil {
		return err
	}
	keep := max(total/20, spareMemory)
	if bytes > free-keep {
		return fmt.Errorf("the engine's host has %s of memory to give, and %s of that are left to it: %s are too much", Bytes(free), Bytes(keep), Bytes(bytes))
	}
	return nil
}

// hostMemory is how much memory the host has, and how much of it could be given to somebody.
func (h *host) hostMemory() (total, free int64, err error) {
	text, err := os.ReadFile(filepath.Join(h.proc, "meminfo"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			free = n << 10
		}
	}
	if total == 0 {
		return 0, 0, errors.New("the kernel does not say how much memory the host has")
	}
	return total, free, nil
}

// stress is the fault with its workers.
type stress struct {
	h    *host
	spec StressSpec

	mu     sync.Mutex
	all    []*child
	began  time.Time
	used   int64         // nanoseconds of CPU time that the group had used before
	kills  int64         // that the kernel had killed in it before
	leave  chan struct{} // closed when the watch over the target is not needed any more
	killed string        // why the workers were ended by themselves
}

func (h *host) prepareStress(spec StressSpec) (effect, error) {
	e := &stress{h: h, spec: spec}
	start := func(what string, n int64) error {
		if n == 0 {
			return nil
		}
		c, err := startWorker(spec.Fault, what, n)
		if err != nil {
			return err
		}
		e.all = append(e.all, c)
		return nil
	}
	if err := errors.Join(start("cpu", spec.Workers), start("memory", spec.Memory)); err != nil {
		return nil, errors.Join(err, e.undo())
	}
	return e, nil
}

func (e *stress) apply() (time.Time, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.h.over() {
		return time.Time{}, fmt.Errorf("%w: its main process has ended", errUntouched)
	}
	var err error
	if e.used, err = e.h.cpuUsed(); err == nil {
		e.kills, err = e.h.kills()
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errUntouched, err)
	}
	for _, c := range e.all {
		if err := e.h.groups.join(c.pid(), e.spec.controllers()...); err != nil {
			return time.Time{}, errors.Join(err, e.end())
		}
	}
	for _, c := range e.all {
		if err := c.tell("go"); err != nil {
			return time.Time{}, errors.Join(err, e.end())
		}
	}
	e.began = time.Now()
	e.leave = make(chan struct{})
	go e.watch(e.leave)
	return e.began, nil
}

// watch ends the workers when the target's main process ends: its control group could not be removed over them.
func (e *stress) watch(leave <-chan struct{}) {
	for {
		p := []unix.PollFd{{Fd: int32(e.h.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 100)
		select {
		case <-leave:
			return
		default:
		}
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.killed = "its main process has ended, and the workers with it"
			_ = e.end()
			return
		}
	}
}

// end kills the workers.
func (e *stress) end() error {
	var errs []error
	for _, c := range e.all {
		errs = append(errs, c.end())
	}
	return errors.Join(errs...)
}

func (e *stress) undo() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leave != nil {
		close(e.leave)
		e.leave = nil
	}
	return e.end()
}

func (e *stress) look() (Look, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := Look{Means: "workers in its control group", Met: -1, Hit: -1}
	if e.killed != "" {
		k.Why = e.killed
		return k, nil
	}
	if e.began.IsZero() {
		k.Why = "its workers have not begun"
		return k, nil
	}
	kills, err := e.h.kills()
	if err != nil {
		return k, gone(err)
	}
	var seen []string
	for _, c := range e.all {
		if alive, how := c.alive(); !alive {
			k.Why = fmt.Sprintf("its %s worker has ended: %s", c.what, how)
			if kills > e.kills {
				k.Why = fmt.Sprintf("the kernel killed its %s worker for want of memory in the container's control group", c.what)
			}
			return k, nil
		}
		switch c.what {
		case "cpu":
			burnt, err := e.h.burnt(c.pid())
			if isGone(err) {
				k.Why = "its cpu worker has ended" // and nobody has waited for it yet
				return k, nil
			}
			if err != nil {
				return k, err
			}
			used, err := e.h.cpuUsed()
			if err != nil {
				return k, gone(err)
			}
			if burnt == 0 || used <= e.used {
				k.Why = "its workers have burnt nothing yet"
				return k, nil
			}
			seen = append(seen, fmt.Sprintf("%s burnt %v of CPU time in its control group, of %v that all in it used in %v",
				plural(e.spec.Workers, "worker", "workers"), burnt.Round(10*time.Millisecond),
				max(burnt, time.Duration(used-e.used)).Round(10*time.Millisecond), time.Since(e.began).Round(10*time.Millisecond)))
		case "memory":
			g, err := e.h.groups.of("memory")
			if err != nil {
				return k, err
			}
			usage, err := g.number(g.memoryFiles().usage)
			if err != nil {
				return k, gone(err)
			}
			if has := c.heard(); has < e.spec.Memory {
				k.Why = fmt.Sprintf("its worker has taken %s of %s so far", Bytes(has), Bytes(e.spec.Memory))
				return k, nil
			}
			seen = append(seen, fmt.Sprintf("a worker holds %s in its control group, which has %s", Bytes(e.spec.Memory), Bytes(usage)))
		}
	}
	k.InForce, k.Seen = true, strings.Join(seen, "; ")
	return k, nil
}

// kills is how many processes the kernel has killed for want of memory in the container; 0 where nobody counts.
func (h *host) kills() (int64, error) {
	g, err := h.groups.of("memory")
	if err != nil {
		return 0, nil
	}
	return g.memoryKills()
}

// cpuUsed is how much CPU time the container has used, in nanoseconds.
func (h *host) cpuUsed() (int64, error) {
	g, err := h.groups.of("cpuacct")
	if err != nil {
		return 0, err
	}
	if g.v2 {
		n, err := g.field("cpu.stat", "usage_usec")
		return n * 1000, err
	}
	return g.number("cpuacct.usage")
}

// burnt is how much CPU time a process has used, to a hundredth of a second.
func (h *host) burnt(pid int) (time.Duration, error) {
	f, err := h.stat(pid)
	if err != nil || len(f) < 13 {
		return 0, err
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// stat returns the fields of /proc/<pid>/stat after the name, from the state on.
func (h *host) stat(pid int) ([]string, error) {
	text, err := h.procFile(pid, "stat")
	if err != nil {
		return nil, err
	}
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:]), nil
}

func (h *host) checkStress(s StressSpec) (Look, error) {
	k := Look{Means: "workers in its control group", Met: -1, Hit: -1}
	all, err := h.workersIn(s)
	if err != nil && !isGone(err) {
		return k, err
	}
	k.InForce, k.Seen = len(all) > 0, fmt.Sprintf("%s in its control group", plural(int64(len(all)), "worker is", "workers are"))
	if !k.InForce {
		k.Why = "no worker is in its control group"
	}
	return k, nil
}

// healStress kills the workers that an agent has left: it may be about to die, and they with it.
func (h *host) healStress(s StressSpec) error {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		all, err := h.workersIn(s)
		if err != nil {
			return gone(err)
		}
		if len(all) == 0 {
			return nil
		}
		for _, pid := range all {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue // it has ended
			}
			if h.isWorker(pid, s.Fault) {
				err = kill(fd, pid, unix.SIGKILL)
			}
			unix.Close(fd)
			var r refusal
			if err != nil && !(errors.As(err, &r) && r.code == ExitNotThere) {
				return err
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s in the container's control group and cannot be killed: processes %v", plural(int64(len(all)), "worker is", "workers are"), slices.Sorted(slices.Values(all)))
		}
	}
}
