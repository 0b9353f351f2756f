package sidecar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// crash kills one process with SIGKILL, given its pid on the host and the id of the container that it must belong to:
//
//	crash <pid> <container id>
//
// The engine told the pid a moment ago, and the kernel may have given it to another process since. So the process is held
// by a pidfd first, and only then its control groups are read: if it died in between, the pidfd signals nobody.
func crash(args []string, stdout, stderr io.Writer) int {
	fail := func(code int, format string, a ...any) int {
		fmt.Fprintf(stderr, "crash: "+format+"\n", a...)
		return code
	}
	if len(args) != 2 {
		return fail(ExitUsage, "two arguments are needed, <pid> <container id>, not %d", len(args))
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil || pid <= 1 {
		return fail(ExitUsage, "%q is no process id of a container", args[0])
	}
	id := args[1]
	if !isID(id) {
		return fail(ExitUsage, "%q is no container id: 64 hexadecimal digits are needed", id)
	}

	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return fail(ExitNotThere, "process %d has ended already", pid)
	case errors.Is(err, unix.ENOSYS):
		return fail(ExitDenied, "the kernel cannot hold a process (pidfd_open): Linux 5.3 or newer is needed")
	case errors.Is(err, unix.EPERM):
		return fail(ExitDenied, "the engine's seccomp profile does not let a helper hold a process (pidfd_open)")
	case err != nil:
		return fail(ExitDenied, "process %d cannot be held: %v", pid, err)
	}
	defer unix.Close(fd)

	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ESRCH):
		return fail(ExitNotThere, "process %d has ended already, or is not visible from here", pid)
	case err != nil:
		return fail(ExitDenied, "the control groups of process %d cannot be read: %v", pid, err)
	}
	if !belongs(string(groups), id) {
		return fail(ExitNotThere, "process %d is not in container %.12s, so it was left alone", pid, id)
	}

	err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return fail(ExitNotThere, "process %d has ended already", pid)
	case errors.Is(err, unix.EPERM):
		return fail(ExitDenied, "process %d may not be killed from here: a security module (AppArmor, SELinux, seccomp) or a user namespace stands between", pid)
	case err != nil:
		return fail(ExitDenied, "process %d cannot be killed: %v", pid, err)
	}
	fmt.Fprintf(stdout, "killed process %d of container %.12s\n", pid, id)
	return ExitDone
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
