package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// This file asks about containers without a helper beside each: one helper of a run reaches all of the engine's host. Whoever has
// to undo the faults of a runner that has gone would otherwise start one or two for each target, and an engine that starts twenty
// containers at once takes longer over all of them than anybody waits.

// allowSpaces lets a helper on the host enter the network namespaces of other containers, and list and remove rules and queues there.
func allowSpaces(s *engine.Spec) { s.CapAdd = append(s.CapAdd, "SYS_ADMIN", "NET_ADMIN") }

// everywhere is what the helper that reaches all is beside.
var everywhere = engine.Container{Name: "the containers"}

// askReach has a request about a container answered by the helper that reaches all, which is started if there is none. The pid 0
// stands for a container that does not run.
func askReach(ctx context.Context, t Tools, run string, c engine.Container, pid int, q sidecar.Request) (sidecar.Reply, error) {
	q.Container, q.PID, q.Usual = c.ID, pid, usualOf(c)
	for again := true; ; again = false {
		d, err := t.Sidecars.get(ctx, run, everywhere, reachSidecar)
		if err != nil {
			return sidecar.Reply{}, err
		}
		limit, cancel := context.WithTimeout(ctx, helperLimit)
		r, err := d.call(limit, q)
		cancel()
		switch {
		case errors.Is(err, errGone) && again:
		case r.Error != "":
			return r, errors.New(strings.TrimPrefix(r.Error, ErrUntouched.Error()+": "))
		default:
			return r, err
		}
	}
}

// askSpace has a request about the network namespace of a container answered, by the helper that reaches all or, where that cannot
// get there, by one that shares the namespace.
func askSpace(ctx context.Context, t Tools, run string, c engine.Container, op string) (sidecar.Reply, error) {
	r, first := askReach(ctx, t, run, c, c.State.PID, sidecar.Request{Op: op})
	if first == nil || ctx.Err() != nil {
		return r, first
	}
	said, err := askHelper(ctx, t, helper{run: run, target: c, args: []string{"net-" + op}, caps: []string{"NET_ADMIN"}, network: "container:" + c.ID})
	if err != nil {
		return r, fmt.Errorf("%w; and by another way: %w", first, err)
	}
	r = sidecar.Reply{}
	return r, json.Unmarshal(said, &r)
}
