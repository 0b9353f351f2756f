package inject

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gameday/inject/engine"
)

// This file puts containers back at their places in a network.

// seats are the places that undos of this process put containers back at, by run, container and network, until the run is swept.
// An engine that fails in the middle of an undo may leave one container at the address of another: who finds that knows here
// where the other belongs.
var seats sync.Map // string → seat

// outside are the seats of containers that an undo took out of a network to make room, until they are put back. Their own undos
// may be over: so every undo of the run in that network sees to them.
var outside sync.Map // string → seat

type seat struct {
	u Undo
	p place
}

func seatKey(run, id, network string) string { return run + " " + id + " " + network }

// putBack connects a container again, in its turn.
func putBack(ctx context.Context, t Tools, u Undo, p place, turn *turn) error {
	defer turn.leave()
	if err := turn.take(ctx); err != nil {
		return err
	}
	return seat{u, p}.put(ctx, t)
}

// put connects a container at its place. The address that is next is its own once all lower ones are in use: so helpers hold
// these while it is connected. Another that is there by mistake is put at its own place afterwards.
func (s seat) put(ctx context.Context, t Tools) (err error) {
	u, p := s.u, s.p
	const tries = 3
	for try := 1; ; try++ {
		c, ierr := inspect(ctx, t, u.ID)
		if ierr != nil {
			if errors.Is(ierr, engine.ErrNotFound) {
				return nil
			}
			return ierr
		}
		at, ok := p.in(c)
		switch {
		case ok && (!lives(c, u) || p.same(at)):
			return nil
		case ok && try > tries:
			return nil // Gone says what is the matter
		case try > tries:
			return fmt.Errorf("%s is not in network %s although the engine has connected it", u.Name, p.Network)
		}
		ready := func() error { return freeUp(ctx, t, u, p) }
		if ok { // at another address
			if by := p.taken(ctx, t, u); by.ID != "" {
				other, ok := displaced(ctx, t, u.Run, by.ID, p)
				if !ok {
					return nil // Gone says what is the matter
				}
				outside.Store(other.key(), other)
				if err := leave(ctx, t, other.u, other.p); err != nil {
					return err
				}
				defer func() {
					// Its own undo may be over: it is not left outside, however little time this one has.
					ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), helperLimit)
					defer cancel()
					err = errors.Join(err, other.putFromOutside(ctx, t))
				}()
			}
			if err := leave(ctx, t, u, p); err != nil {
				return err
			}
			ready = func() error {
				if err := holdNow(ctx, t, u, p); err != nil {
					return err
				}
				return freeUp(ctx, t, u, p)
			}
		}
		if err := ready(); err != nil {
			if ok { // better elsewhere than nowhere
				err = errors.Join(err, connect(ctx, t, u, p, p.endpoint()))
			}
			return err
		}
		want := p.endpoint()
		if try == tries { // where the engine lets it, at the price that the address is fixed from now on
			want.StaticIPv4, want.StaticIPv6 = p.IPv4, p.IPv6
		}
		if err := connect(ctx, t, u, p, want); err != nil {
			return err
		}
	}
}

func (s seat) key() string { return seatKey(s.u.Run, s.u.ID, s.p.NetworkID) }

// putFromOutside puts a container back that was taken out to make room. Nobody else may look whether that has worked: so it
// does.
func (s seat) putFromOutside(ctx context.Context, t Tools) error {
	if err := s.put(ctx, t); err != nil {
		return fmt.Errorf("%s was taken out of network %s to make room, and could not be put back: %w", s.u.Name, s.p.Network, err)
	}
	c, err := inspect(ctx, t, s.u.ID)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	if at, _ := s.p.in(c); err == nil && lives(c, s.u) && !s.p.same(at) {
		return errors.New(s.p.elsewhere(ctx, t, s.u, at))
	}
	outside.Delete(s.key())
	return nil
}

// putAllFromOutside puts back whom undos of this run have taken out of a network and could not put back.
func putAllFromOutside(ctx context.Context, t Tools, run string, p place, turn *turn) error {
	var errs []error
	outside.Range(func(key, found any) bool {
		s := found.(seat)
		if s.u.Run != run || s.p.NetworkID != p.NetworkID {
			return true
		}
		defer turn.leave()
		if err := turn.take(ctx); err != nil {
			errs = append(errs, err)
			return false
		}
		if _, still := outside.Load(key); still { // who had the turn may have done it
			errs = append(errs, s.putFromOutside(ctx, t))
		}
		return true
	})
	return errors.Join(errs...)
}

func leave(ctx context.Context, t Tools, u Undo, p place) error {
	return limited(ctx, t, u.ID, func(ctx context.Context) error {
		err := t.Engine.DisconnectNetwork(ctx, p.Network, u.ID)
		if errors.Is(err, engine.ErrConflict) {
			return nil // somebody else did
		}
		return err
	})
}

// connect connects a container, at an address of the engine's choice if the one that is wanted cannot be had.
func connect(ctx context.Context, t Tools, u Undo, p place, at engine.Endpoint) error {
	return limited(ctx, t, u.ID, func(ctx context.Context) error {
		var err error
		for _, network := range []string{p.NetworkID, p.Network} { // it may have been made anew
			if err = t.Engine.ConnectNetwork(ctx, network, u.ID, at); !errors.Is(err, engine.ErrNotFound) {
				break
			}
		}
		if err == nil || errors.Is(err, engine.ErrUnreachable) || errors.Is(err, engine.ErrNotFound) || ctx.Err() != nil || at.StaticIPv4+at.StaticIPv6 == "" {
			return conflictIsFine(ctx, t, u, p, err)
		}
		at.StaticIPv4, at.StaticIPv6 = "", ""
		return conflictIsFine(ctx, t, u, p, t.Engine.ConnectNetwork(ctx, p.Network, u.ID, at))
	})
}

// conflictIsFine drops an error that says only that somebody else has connected the container.
func conflictIsFine(ctx context.Context, t Tools, u Undo, p place, err error) error {
	if !errors.Is(err, engine.ErrConflict) {
		return err
	}
	if c, lerr := inspect(ctx, t, u.ID); lerr == nil {
		if _, ok := p.in(c); ok {
			return nil
		}
	}
	return err
}

// displaced returns the seat of a container that this run's faults took out of the network of p, and that is there at another
// place than its own.
func displaced(ctx context.Context, t Tools, run, id string, p place) (seat, bool) {
	found, ok := seats.Load(seatKey(run, id, p.NetworkID))
	if !ok {
		return seat{}, false
	}
	s := found.(seat)
	c, err := inspect(ctx, t, id)
	if err != nil || !lives(c, s.u) {
		return seat{}, false
	}
	at, in := s.p.in(c)
	return s, in && !s.p.same(at)
}

// taken returns another container that has got one of a place's addresses; it has no ID if none has. A helper is none: it lets go.
func (p place) taken(ctx context.Context, t Tools, u Undo) engine.Container {
	all, err := members(ctx, t, p)
	if err != nil {
		return engine.Container{}
	}
	for _, c := range all {
		if at, ok := p.in(c); ok && c.ID != u.ID && !p.holds(c, u.Run) && p.shares(at) {
			return c
		}
	}
	return engine.Container{}
}
