package sidecar

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where a helper finds the control groups of the engine's host.
const cgroupRoot = "/cgroup"

// A hierarchy is a tree of control groups that is mounted.
type hierarchy struct {
	point       string   // where it is mounted
	root        string   // which of its groups is mounted there
	controllers []string // of version 1; none: version 2
}

// hierarchies lists what is mounted below a directory, from the text of /proc/self/mountinfo.
func hierarchies(mountinfo, below string) []hierarchy {
	var out []hierarchy
	for _, m := range parseMounts(mountinfo) {
		if m.point != below && !strings.HasPrefix(m.point, below+"/") {
			continue
		}
		switch m.fs {
		case "cgroup2":
			out = append(out, hierarchy{point: m.point, root: m.root})
		case "cgroup":
			out = append(out, hierarchy{point: m.point, root: m.root, controllers: strings.Split(m.options, ",")})
		}
	}
	return out
}

// groups finds the control groups of a container by those of its main process.
type groups struct {
	id    string
	lines string // the main process's /proc/<pid>/cgroup
	trees []hierarchy

	mu   sync.Mutex
	open map[string]*group // by controller
}

// A group is the control group of a container, with one controller.
type group struct {
	own  *os.Root // the container's
	leaf *os.Root // its main process's: that, or one below it which the container has made
	v2   bool
}

// of returns the control group of a controller: "cpu", "memory". It is the same one for as long as the container lives, and not
// the one that takes its place after a restart. In version 2 "cpuacct" is always there.
func (g *groups) of(controller string) (*group, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if one := g.open[controller]; one != nil {
		return one, nil
	}
	dir, v2, err := g.path(controller)
	if err != nil {
		return nil, err
	}
	tree, err := g.tree(controller, v2)
	if err != nil {
		return nil, err
	}
	rel, ok := strings.CutPrefix(dir, strings.TrimSuffix(tree.root, "/")+"/")
	if !ok || strings.Contains(dir, "..") {
		return nil, fmt.Errorf("the control group %s of the container is not below the one that is mounted on the engine's host, %s", dir, tree.root)
	}
	own := ownGroup(rel, g.id)
	if own == "" {
		return nil, fmt.Errorf("the control group %s for %s is not the container's own: the engine does not limit it", dir, controller)
	}
	one := &group{v2: v2}
	if one.own, err = os.OpenRoot(path.Join(tree.point, own)); err != nil {
		return nil, fmt.Errorf("the control group of the container cannot be opened: %w", err)
	}
	if one.leaf, err = os.OpenRoot(path.Join(tree.point, rel)); err != nil {
		one.own.Close()
		return nil, fmt.Errorf("the control group of its main process cannot be opened: %w", err)
	}
	if v2 {
		has, err := one.read("cgroup.controllers")
		if err == nil && controller != "cpuacct" && !slices.Contains(strings.Fields(has), controller) {
			err = fmt.Errorf("the controller %q is not enabled for the container's control group; it has %s: systemd or a rootless engine has not delegated it", controller, orNone(strings.TrimSpace(has)))
		}
		if err != nil {
			one.close()
			return nil, err
		}
	}
	if g.open == nil {
		g.open = map[string]*group{}
	}
	g.open[controller] = one
	return one, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// path is the control group of the main process for a controller.
func (g *groups) path(controller string) (dir string, v2 bool, err error) {
	unified := ""
	for line := range strings.Lines(g.lines) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			unified = parts[2]
		} else if slices.Contains(strings.Split(parts[1], ","), controller) {
			return parts[2], false, nil
		}
	}
	if unified == "" {
		return "", false, fmt.Errorf("the kernel of the engine's host has no control groups for %s", controller)
	}
	return unified, true, nil
}

func (g *groups) tree(controller string, v2 bool) (hierarchy, error) {
	for _, h := range g.trees {
		if v2 && len(h.controllers) == 0 || !v2 && slices.Contains(h.controllers, controller) {
			return h, nil
		}
	}
	return hierarchy{}, fmt.Errorf("the control groups for %s are not mounted below /sys/fs/cgroup on the engine's host", controller)
}

// ownGroup cuts a path after the last directory that is named for a container, if that is the one; "" if not.
func ownGroup(dir, id string) string {
	parts := strings.Split(dir, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if got, ok := containerOf(parts[i]); ok {
			if got != id {
				return ""
			}
			return path.Join(parts[:i+1]...)
		}
	}
	return ""
}

func (g *groups) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.open {
		one.close()
	}
	g.open = nil
}

func (g *group) close() {
	g.own.Close()
	g.leaf.Close()
}

// isGone says whether an error means that the control group is not there any more.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) }

func (g *group) read(file string) (string, error) {
	text, err := g.own.ReadFile(file)
	return string(text), err
}

func (g *group) has(file string) bool {
	_, err := g.own.Stat(file)
	return err == nil
}

// number reads a file that holds one number; version 2 writes "max" for what has no bound, which is the largest one.
func (g *group) number(file string) (int64, error) {
	text, err := g.read(file)
	if err != nil {
		return 0, err
	}
	return parseNumber(text)
}

const unbounded = int64(1<<63 - 1)

func parseNumber(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "max" {
		return unbounded, nil
	}
	return strconv.ParseInt(text, 10, 64)
}

// field reads a number out of a file with a name and a number on each line; 0 if the name is not there.
func (g *group) field(file, name string) (int64, error) {
	text, err := g.read(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			return parseNumber(f[1])
		}
	}
	return 0, nil
}

// write writes to a file of a group. The kernel takes a value in one piece.
func write(dir *os.Root, file, value string) error {
	f, err := dir.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// writable says in words why a file of the group cannot be changed, and changes nothing.
func (g *group) writable(file string) error {
	f, err := g.own.OpenFile(file, os.O_WRONLY, 0)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the control groups are mounted read-only on the engine's host, so %s cannot be changed: mount /sys/fs/cgroup read-write there", file)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s of the container's control group may not be changed by a helper: root in containers is not root on the engine's host (a rootless engine, or userns-remap), or a security module forbids it", file)
	}
	return fmt.Errorf("%s of the container's control group cannot be changed: %w", file, err)
}
