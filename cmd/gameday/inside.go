package main

import (
	"gameday/examples/etcd"
	"gameday/examples/shop"
	"gameday/inject/sidecar"
	"gameday/runner/guard"
)

// inside runs what the binary does inside containers of its own making: helpers of faults, the guard of a run, and the demo's shop. It is looked at
// before anything else, so that a helper starts at once.
func inside(args []string, a app) (code int, ok bool) {
	switch args[0] {
	case "sidecar":
		return sidecar.Main(args[1:], a.stdin, a.stdout, a.stderr), true
	case "guard":
		return guard.Main(args[1:], a.stdout, a.stderr), true
	case "shop":
		return shop.Main(args[1:], a.stdout, a.stderr), true
	case "etcd-writer":
		return etcd.Main(args[1:], a.stdout, a.stderr), true
	}
	return 0, false
}
