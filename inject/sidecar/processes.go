package sidecar

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A process of the container.
type process struct {
	pid    int
	parent int
	start  string // by which it is told from a later one with the same pid
	name   string // what the kernel calls it
	argv0  string // the program's name as it was called
}

// processes lists the container's, but for workers of ours.
func (h *host) processes() ([]process, error) {
	pids, err := h.groups.pids()
	if err != nil {
		return nil, err
	}
	var out []process
	for _, pid := range pids {
		f, err := h.stat(pid)
		if err != nil || len(f) < 20 || h.isWorker(pid, "") {
			continue // it has ended, or is ours
		}
		name, err := h.procFile(pid, "comm")
		if err != nil {
			continue
		}
		line, _ := h.procFile(pid, "cmdline")
		argv0, _, _ := strings.Cut(line, "\x00")
		parent, _ := strconv.Atoi(f[1])
		out = append(out, process{pid: pid, parent: parent, start: f[19], name: strings.TrimSuffix(name, "\n"), argv0: filepath.Base(argv0)})
	}
	return out, nil
}

// pids lists the processes in the container's control group and in those below it.
func (g *groups) pids() ([]int, error) {
	one, err := g.any()
	if err != nil {
		return nil, err
	}
	var out []int
	var walk func(dir string) error
	walk = func(dir string) error {
		text, err := one.own.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return err
		}
		for _, f := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				out = append(out, pid)
			}
		}
		d, err := one.own.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		entries, err := d.ReadDir(-1)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() {
				if err := walk(filepath.Join(dir, e.Name())); err != nil && !isGone(err) {
					return err
				}
			}
		}
		return nil
	}
	return out, walk(".")
}

// any is a control group of the container, whatever it limits.
func (g *groups) any() (one *group, err error) {
	for _, c := range []string{"pids", "memory", "cpu"} {
		if one, err = g.of(c); err == nil {
			return one, nil
		}
	}
	return nil, err
}

func (p process) called(name string) bool {
	return p.name == name || p.argv0 == name || len(name) > 15 && p.name == name[:15]
}

func (p process) key() string { return fmt.Sprintf("%d/%s", p.pid, p.start) }

// named lists the container's processes that go by a name.
func (h *host) named(name string) (found, all []process, err error) {
	all, err = h.processes()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range all {
		if p.called(name) {
			found = append(found, p)
		}
	}
	return found, all, nil
}

// state is that of a process in /proc/<pid>/stat: "S", "T" …; "" if it has ended.
func (h *host) state(p process) string {
	f, err := h.stat(p.pid)
	if err != nil || len(f) < 20 || f[19] != p.start || f[0] == "Z" || f[0] == "X" {
		return ""
	}
	return f[0]
}
