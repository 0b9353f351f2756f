package sidecar

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// devices lists the disks that hold the files of the container, as "254:0": whole disks, because the kernel limits no
// partition.
func (h *host) devices() ([]string, error) {
	own, engine, err := h.mounts()
	if err != nil {
		return nil, err
	}
	return disks(own, engine, h.sys)
}

func (h *host) procFile(pid int, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(h.proc, fmt.Sprint(pid), name))
	return string(text), err
}

// perContainer are files that the engine makes for each container; nothing is written to them.
var perContainer = []string{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}

// virtual are file systems that hold no files of anybody's.
var virtual = []string{"proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "devtmpfs", "nsfs", "bpf", "debugfs", "tracefs", "securityfs"}

func disks(own, engine []mount, sys string) ([]string, error) {
	var found, without []string
	for _, m := range own {
		if slices.Contains(perContainer, m.point) || slices.Contains(virtual, m.fs) || strings.HasPrefix(m.point, "/dev") {
			continue
		}
		dev, err := disk(m, engine, sys)
		if err != nil {
			if w := fmt.Sprintf("%s is %s, %v", m.point, m.fs, err); !slices.Contains(without, w) {
				without = append(without, w)
			}
			continue
		}
		if !slices.Contains(found, dev) {
			found = append(found, dev)
		}
	}
	if len(found) > 0 {
		slices.Sort(found)
		return found, nil
	}
	if len(without) == 0 {
		without = []string{"it has no files"}
	}
	return nil, fmt.Errorf("no disk holds files of the container whose use could be limited: %s; a volume on a disk would do", strings.Join(without, "; "))
}

// disk is the whole disk that a mount lies on.
func disk(m mount, engine []mount, sys string) (string, error) {
	switch {
	case !strings.HasPrefix(m.dev, "0:"):
		return wholeDisk(filepath.Join(sys, "dev/block", m.dev))
	case strings.HasPrefix(m.source, "/dev/"):
		// A file system of several devices, such as btrfs: the kernel names the first.
		return namedDisk(m.source, sys)
	case m.fs == "overlay":
		upper := option(m.options, "upperdir")
		if !strings.HasPrefix(upper, "/") {
			return "", errors.New("and the kernel does not say where its files are")
		}
		under, ok := covering(engine, upper)
		if !ok || under.fs == "overlay" {
			return "", fmt.Errorf("and %s is on no disk", upper)
		}
		return disk(under, nil, sys)
	case strings.HasPrefix(m.fs, "fuse"):
		return "", errors.New("which another process reads and writes for it, out of reach of its limits")
	case m.fs == "tmpfs":
		return "", errors.New("which is in memory")
	}
	return "", errors.New("which is on no disk of this host")
}

// option returns the value of an option of a file system.
func option(options, name string) string {
	for _, o := range strings.Split(options, ",") {
		if v, ok := strings.CutPrefix(o, name+"="); ok {
			return unescape(v)
		}
	}
	return ""
}

// wholeDisk is the disk of a device in /sys, or of which that is a partition.
func wholeDisk(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("on a device that the kernel does not list")
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		dir = filepath.Dir(dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "dev"))
	return strings.TrimSpace(string(text)), err
}

// namedDisk finds a device by its name below /dev: "/dev/sda2", "/dev/mapper/data".
func namedDisk(source, sys string) (string, error) {
	class := filepath.Join(sys, "class/block")
	if name, ok := strings.CutPrefix(source, "/dev/mapper/"); ok {
		all, err := filepath.Glob(filepath.Join(class, "dm-*/dm/name"))
		if err != nil {
			return "", err
		}
		for _, f := range all {
			if text, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(text)) == name {
				return wholeDisk(filepath.Dir(filepath.Dir(f)))
			}
		}
	}
	return wholeDisk(filepath.Join(class, filepath.Base(source)))
}
