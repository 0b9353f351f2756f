// Package sidecar is what gameday's own binary does inside its helper containers, beside the targets. It stands on its own:
// it talks to no Docker engine, and its imports are few, so that a helper starts at once and stays small.
package sidecar

import (
	"fmt"
	"io"
)

// The exit codes of helpers. Only with ExitDone was anything done.
const (
	ExitDone     = 0
	ExitUsage    = 2 // the arguments make no sense
	ExitNotThere = 3 // what it should act on is not there, or is something else
	ExitDenied   = 4 // the kernel does not let it, or cannot do it
	ExitLeft     = 5 // something that it did could not be undone
)

// Main runs one command of a helper, given without the program's name, and returns its exit code. What was done goes to
// stdout; what was not, and why, to stderr. The agents (net, host, reach) serve requests from stdin until it ends.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	const known = "crash, hold, host, net, net-probe, net-free, net-clean, reach"
	if len(args) == 0 {
		fmt.Fprintln(stderr, "sidecar: which command? This is what gameday runs in its helper containers; it knows: "+known)
		return ExitUsage
	}
	switch args[0] {
	case "crash":
		return crash(args[1:], stdout, stderr)
	case "host":
		return hostAgent(args[1:], stdin, stdout, stderr)
	case workerCommand:
		return worker(args[1:], stdin, stdout, stderr)
	case "hold":
		return holdAddresses(args[1:], stderr)
	case "net":
		return netAgent(stdin, stdout, stderr)
	case "net-probe", "net-free", "net-clean":
		return netOnce(args[0], stdout, stderr)
	case "reach":
		return reachAgent(stdin, stdout)
	}
	fmt.Fprintf(stderr, "sidecar: there is no command %q; it knows: %s\n", args[0], known)
	return ExitUsage
}
