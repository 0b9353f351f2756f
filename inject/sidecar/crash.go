package sidecar

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"
)

// crash kills one process with SIGKILL, given its pid on the host and the id of the container that it must belong to:
//
//	crash <pid> <container id>
func crash(args []string, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintf(stderr, "crash: %v\n", err)
		return exitCode(err)
	}
	pid, id, err := processArgs(args)
	if err != nil {
		return fail(err)
	}
	fd, _, err := hold(pid, id)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(fd)
	if err := kill(fd, pid, unix.SIGKILL); err != nil {
		return fail(err)
	}
	fmt.Fprintf(stdout, "killed process %d of container %.12s\n", pid, id)
	return ExitDone
}

// processArgs reads the arguments <pid> <container id>.
func processArgs(args []string) (pid int, id string, err error) {
	if len(args) != 2 {
		return 0, "", refuse(ExitUsage, "two arguments are needed, <pid> <container id>, not %d", len(args))
	}
	pid, err = strconv.Atoi(args[0])
	if err != nil || pid <= 1 {
		return 0, "", refuse(ExitUsage, "%q is no process id of a container", args[0])
	}
	if id = args[1]; !isID(id) {
		return 0, "", refuse(ExitUsage, "%q is no container id: 64 hexadecimal digits are needed", id)
	}
	return pid, id, nil
}

// kill sends a signal to a process that is held.
func kill(fd, pid int, sig unix.Signal) error {
	err := unix.PidfdSendSignal(fd, sig, nil, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return refuse(ExitNotThere, "process %d has ended already", pid)
	case errors.Is(err, unix.EPERM):
		return refuse(ExitDenied, "process %d may not be sent a signal from here: a security module (AppArmor, SELinux, seccomp) or a user namespace stands between", pid)
	case err != nil:
		return refuse(ExitDenied, "process %d cannot be sent a signal: %v", pid, err)
	}
	return nil
}
