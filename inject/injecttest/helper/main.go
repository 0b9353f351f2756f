// Command helper is what helper containers run in tests: the sidecar's commands, the guard, and nothing else of gameday.
package main

import (
	"os"

	"gameday/inject/sidecar"
	"gameday/runner/guard"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "guard" {
		os.Exit(guard.Main(args[1:], os.Stdout, os.Stderr))
	}
	if len(args) > 0 && args[0] == "sidecar" {
		args = args[1:]
	}
	os.Exit(sidecar.Main(args, os.Stdin, os.Stdout, os.Stderr))
}
