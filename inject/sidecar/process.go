package sidecar

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A refusal is an error with the exit code of a helper that did nothing.
type refusal struct {
	code int
	text string
}

func (r refusal) Error() string { return r.text }

// Unwrap makes every refusal one that says that nothing was done.
func (r refusal) Unwrap() error { return errUntouched }

func refuse(code int, format string, a ...any) error {
	return refusal{code, fmt.Sprintf(format, a...)}
}

// exitCode is the exit code for an error; ExitDenied for one that has none of its own.
func exitCode(err error) int {
	var r refusal
	if errors.As(err, &r) {
		return r.code
	}
	return ExitDenied
}

// hold takes hold of a process, given its pid on the host and the id of the container that it must belong to. The pidfd that
// it returns stands for that process alone.
//
// Whoever told the pid did so a moment ago, and the kernel may have given it to another process since. So the process is held
// first, and only then its control groups are read: if it died in between, the pidfd signals nobody.
func hold(pid int, id string) (fd int, groups string, err error) {
	fd, err = unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return -1, "", refuse(ExitNotThere, "process %d has ended already", pid)
	case errors.Is(err, unix.ENOSYS):
		return -1, "", refuse(ExitDenied, "the kernel cannot hold a process (pidfd_open): Linux 5.3 or newer is needed")
	case errors.Is(err, unix.EPERM):
		return -1, "", refuse(ExitDenied, "the engine's seccomp profile does not let a helper hold a process (pidfd_open)")
	case err != nil:
		return -1, "", refuse(ExitDenied, "process %d cannot be held: %v", pid, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ESRCH):
		err = refuse(ExitNotThere, "process %d has ended already, or is not visible from here", pid)
	case err != nil:
		err = refuse(ExitDenied, "the control groups of process %d cannot be read: %v", pid, err)
	case !belongs(string(text), id):
		err = refuse(ExitNotThere, "process %d is not in container %.12s, so it was left alone", pid, id)
	}
	if err != nil {
		unix.Close(fd)
		return -1, "", err
	}
	return fd, string(text), nil
}

// ended says whether a process that is held has ended.
func ended(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}

// belongs says whether control groups, as /proc/<pid>/cgroup lists them, are a container's: version 1
// ("4:memory:/docker/<id>"), version 2 ("0::/system.slice/docker-<id>.scope"), seen from a control group namespace of one's
// own ("0::/../<id>"), and the groups that the container has made below its own. A container inside that container is
// another one.
func belongs(groups, id string) bool {
	found := false
	lines := bufio.NewScanner(strings.NewReader(groups))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		innermost := ""
		for _, dir := range strings.Split(parts[2], "/") {
			if got, ok := containerOf(dir); ok {
				innermost = got
			}
		}
		switch innermost {
		case "":
		case id:
			found = true
		default:
			return false
		}
	}
	return found && lines.Err() == nil
}

// containerOf returns the container id in the name of a control group: "<id>" or "docker-<id>.scope".
func containerOf(dir string) (string, bool) {
	if scope, ok := strings.CutSuffix(dir, ".scope"); ok {
		dir = scope[strings.LastIndexByte(scope, '-')+1:]
	}
	return dir, isID(dir)
}

func isID(s string) bool {
	if len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
