package inject

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gameday/inject/engine"
)

// This file is about the addresses of a container that is out of its network. The engine gives out the lowest that is free, to
// whoever starts next: mostly to one that crashes because of the fault. So helpers hold them. A helper's interface is down: for
// everybody else there is nobody at the address.

const (
	holdsLabel = "gameday.holds" // the id of the network in which a helper holds an address
	maxHolders = 16              // for one container; an address that is further away is in no danger
	holdSlack  = 5 * time.Minute // for how long after its fault's end a helper that nobody has removed goes on
)

// holdSeconds is for how long an address is held at most.
func holdSeconds(fault time.Duration) int { return int((fault + holdSlack) / time.Second) }

// makeHolder makes a helper in the network, and does not start it.
func makeHolder(ctx context.Context, t Tools, u Undo, p place) (id string, err error) {
	image, err := t.Helper(ctx)
	if err != nil {
		return "", err
	}
	err = uncut(ctx, func(ctx context.Context) error {
		id, err = t.Engine.Create(ctx, engine.Spec{
			Name: "gameday-hold-" + random(), Image: image, Entrypoint: []string{"/gameday"}, Cmd: []string{"sidecar", "hold", strconv.Itoa(p.HoldSeconds)},
			Labels: map[string]string{
				engine.Label: u.Run, engine.RoleLabel: helperRole, targetLabel: u.ID, holdsLabel: p.NetworkID,
			},
			Network: p.Network, CapDrop: []string{"ALL"}, CapAdd: []string{"NET_ADMIN"}, ReadOnly: true, AutoRemove: true,
		})
		return err
	})
	return id, err
}

// members lists who is in the network. A helper that holds an address there is one.
func members(ctx context.Context, t Tools, p place) ([]engine.Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return t.Engine.Brief(ctx, engine.Filter{Network: p.NetworkID})
}

// holds says whether a container is a helper that holds an address in the network for a run.
func (p place) holds(c engine.Container, run string) bool {
	return c.Labels[engine.Label] == run && c.Labels[engine.RoleLabel] == helperRole && c.Labels[holdsLabel] == p.NetworkID
}

// ownHolders are the helpers that were made for an undo's container, wherever they are.
func ownHolders(ctx context.Context, t Tools, u Undo, p place) ([]engine.Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	all, err := t.Engine.Brief(ctx, engine.Filter{Label: targetLabel, Value: u.ID})
	return slices.DeleteFunc(all, func(c engine.Container) bool { return !p.holds(c, u.Run) }), err
}

// hold has each address of a place held by a helper, also by one that was made for another container. It goes on after it
// returns, so that the fault is not longer than it should be: see stop.
func hold(ctx context.Context, t Tools, u Undo, p place) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), helperLimit)
	h := &holding{cancel: cancel, done: make(chan struct{})}
	if before, ok := inHand.Swap(holdKey(u, p), h); ok {
		before.(*holding).stop()
	}
	go func() {
		defer close(h.done)
		defer cancel()
		// Whether it works decides only who else may get the address: Gone looks what came of that.
		if first(ctx, t, u, p) != nil {
			return
		}
		turn := turns.join(p.NetworkID, last)
		defer turn.leave()
		if turn.take(ctx) == nil {
			_ = holdNow(ctx, t, u, p)
		}
	}()
}

// inHand are the holds of this process that may go on; an undo stops its own before it does anything.
var inHand sync.Map // string → *holding

type holding struct {
	cancel func()
	done   chan struct{}
}

func (h *holding) stop() {
	h.cancel()
	<-h.done
}

func holdKey(u Undo, p place) string { return u.Run + " " + u.Fault + " " + u.ID + " " + p.NetworkID }

// endHolds stops all holds of a run, and forgets the places of its containers.
func endHolds(run string) {
	for _, m := range []*sync.Map{&seats, &outside} {
		m.Range(func(key, _ any) bool {
			if strings.HasPrefix(key.(string), run+" ") {
				m.Delete(key)
			}
			return true
		})
	}
	inHand.Range(func(key, h any) bool {
		if strings.HasPrefix(key.(string), run+" ") {
			inHand.Delete(key)
			h.(*holding).stop()
		}
		return true
	})
}

func stopHolding(u Undo, p place) {
	if h, ok := inHand.LoadAndDelete(holdKey(u, p)); ok {
		h.(*holding).stop()
	}
}

// first starts one helper without waiting for the network's turn: where many containers are taken out at once, their helpers
// get each other's addresses, and all are held.
func first(ctx context.Context, t Tools, u Undo, p place) error {
	if c, err := inspect(ctx, t, u.ID); err != nil {
		return err
	} else if _, ok := p.in(c); ok {
		return errors.New("it is not out")
	}
	own, err := ownHolders(ctx, t, u, p)
	if err != nil {
		return err
	}
	id := ""
	for _, c := range own {
		if c.State.Status == "created" { // made by Warm
			id = c.ID
		}
	}
	if id == "" {
		if id, err = makeHolder(ctx, t, u, p); err != nil {
			return err
		}
	}
	return start(ctx, t, id)
}

// starting are the starts of helpers at this time: a burst of them would disturb what is watched.
var starting = make(chan struct{}, 2)

func start(ctx context.Context, t Tools, id string) error {
	select {
	case starting <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-starting }()
	return uncut(ctx, func(ctx context.Context) error { return t.Engine.Start(ctx, id) })
}

// holdNow starts helpers until all addresses of a place are held. It is called in the network's turn.
func holdNow(ctx context.Context, t Tools, u Undo, p place) error {
	all, err := members(ctx, t, p)
	if err != nil {
		return err
	}
	missing := map[string]bool{p.IPv4: true, p.IPv6: true}
	delete(missing, "")
	for _, c := range all {
		if at, ok := p.in(c); ok && p.holds(c, u.Run) {
			delete(missing, at.IPv4)
			delete(missing, at.IPv6)
		}
	}
	for n := 0; len(missing) > 0 && n < maxHolders; n++ {
		id, err := makeHolder(ctx, t, u, p)
		if err != nil {
			return err
		}
		if err := start(ctx, t, id); err != nil {
			return err
		}
		c, err := inspect(ctx, t, id)
		if err != nil {
			return err
		}
		at, ok := p.in(c)
		if !ok {
			return fmt.Errorf("the helper %s is not in network %s", c.Name, p.Network)
		}
		delete(missing, at.IPv4)
		delete(missing, at.IPv6)
		if !before(at.IPv4, p.IPv4, missing) && !before(at.IPv6, p.IPv6, missing) {
			return nil // the engine is beyond it, or has a long way to go
		}
	}
	return nil
}

// before says whether the engine, which gave out the address at, may come to an address that is still missing soon.
func before(at, want string, missing map[string]bool) bool {
	a, aerr := netip.ParseAddr(at)
	w, werr := netip.ParseAddr(want)
	if aerr != nil || werr != nil || !missing[want] {
		return false
	}
	for range maxHolders {
		if a = a.Next(); a == w {
			return true
		}
	}
	return false
}

// freeUp has the helpers that hold a place's addresses let go of them, and no others.
func freeUp(ctx context.Context, t Tools, u Undo, p place) error {
	all, err := members(ctx, t, p)
	if err != nil {
		return err
	}
	for _, c := range all {
		if at, ok := p.in(c); !ok || !p.shares(at) || !p.holds(c, u.Run) {
			continue
		}
		err := limited(ctx, t, c.ID, func(ctx context.Context) error { return t.Engine.DisconnectNetwork(ctx, p.NetworkID, c.ID) })
		if err != nil && !errors.Is(err, engine.ErrConflict) {
			return fmt.Errorf("the helper %s does not let go of %s: %w; run docker rm -f %s", c.Name, p.addresses(), err, c.Name)
		}
	}
	return nil
}

// letGo removes the helpers that were made for an undo's container.
func letGo(ctx context.Context, t Tools, u Undo, p place) error {
	own, err := ownHolders(ctx, t, u, p)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, len(own))
	for i, c := range own {
		wg.Go(func() {
			err := limited(ctx, t, c.ID, func(ctx context.Context) error { return t.Engine.Remove(ctx, c.ID) })
			if err != nil {
				errs[i] = fmt.Errorf("the helper %s could not be removed: %w; run docker rm -f %s", c.Name, err, c.Name)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// shares says whether somebody at another place has one of its addresses.
func (p place) shares(at engine.Endpoint) bool {
	return p.IPv4 != "" && at.IPv4 == p.IPv4 || p.IPv6 != "" && at.IPv6 == p.IPv6
}
