package inject

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gameday/inject/sidecar"
	"gameday/inject/sidecar/netfault"
)

// This file compares what nftables and qdiscs are in the network namespace of a target before and after a fault that is not on its
// packets: nothing of it should have changed them, and somebody should be told if something has. Faults on packets compare by
// themselves.

// ComparesSpace says whether that is done around a fault: not on the host's network, which others change all the time.
func ComparesSpace(s Step) bool {
	k, ok := Lookup(s.Fault.Kind)
	return ok && k.Doc().Family != Network && s.Container.NetworkMode != "host"
}

// WarmReach starts the helper of a run that reaches all containers, so that no fault is late for its sake.
func WarmReach(ctx context.Context, t Tools, run string) error {
	_, err := t.Sidecars.get(ctx, run, everywhere, reachSidecar)
	return err
}

// surveySpace lists what is in the namespace. It asks only a helper that is there already, and returns nil where there is none,
// where nothing is compared, or where another fault of gameday's is in it.
func surveySpace(ctx context.Context, t Tools, s Step) []string {
	c := s.Container
	if !ComparesSpace(s) || t.Sidecars.peek(ctx, s.Fault.Run, "", reachSidecar) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	r, err := askReach(ctx, t, s.Fault.Run, c, c.State.PID, sidecar.Request{Op: sidecar.OpList})
	if err != nil || slices.ContainsFunc(r.Lines, netfault.Ours) {
		return nil
	}
	return append([]string{}, r.Lines...)
}

// spaceDifferences says what of the namespace is not as it was, if the container lives the same life.
func spaceDifferences(ctx context.Context, t Tools, u Undo) []string {
	if u.Before.Space == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	c, err := inspect(ctx, t, u.ID)
	if err != nil || !lives(c, u) {
		return nil
	}
	r, err := askReach(ctx, t, u.Run, c, c.State.PID, sidecar.Request{Op: sidecar.OpList})
	switch {
	case err != nil:
		return []string{fmt.Sprintf("whether its network namespace has the nftables and qdiscs that it had was not seen: %v", err)}
	case slices.ContainsFunc(r.Lines, netfault.Ours):
		return nil // a fault on its packets is in force, and compares when it is over
	}
	now, before := r.Lines, u.Before.Space
	if u.Kind == (disconnect{}).Doc().Kind {
		now, before = unnamed(now), unnamed(before)
	}
	return lineDifferences("its network namespace", now, before)
}

// device is the name of one in a line about a qdisc. The engine counts on when it puts a container back into a network.
var device = regexp.MustCompile(`^(qdisc \S+ dev )eth\d+ `)

func unnamed(lines []string) []string {
	out := []string{}
	for _, l := range lines {
		out = append(out, strings.TrimSpace(device.ReplaceAllString(l+" ", "${1}eth ")))
	}
	return out
}
