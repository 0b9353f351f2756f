package injecttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// unreliable is an engine that fails as a real one under trouble does. Changes are the calls that faults and undos make.
type unreliable struct {
	engine.Engine
	away   atomic.Int64 // that many calls fail, and do nothing
	lies   atomic.Int64 // that many changes are done, and answered with an error
	hangs  atomic.Bool  // changes are not answered
	inert  atomic.Bool  // changes are answered with success, and not done
	failed atomic.Int64 // calls that were answered with an error
}

func take(n *atomic.Int64) bool {
	for {
		had := n.Load()
		if had <= 0 {
			return false
		}
		if n.CompareAndSwap(had, had-1) {
			return true
		}
	}
}

var errAway = fmt.Errorf("connection refused: %w", engine.ErrUnreachable)

func (u *unreliable) change(ctx context.Context, do func() error) error {
	if u.hangs.Load() {
		<-ctx.Done()
		return fmt.Errorf("%w: %w", engine.ErrUnreachable, ctx.Err())
	}
	if take(&u.away) {
		u.failed.Add(1)
		return errAway
	}
	if u.inert.Load() {
		return nil
	}
	err := do()
	if take(&u.lies) {
		u.failed.Add(1)
		return errors.Join(errAway, err)
	}
	return err
}

func (u *unreliable) Containers(ctx context.Context) ([]engine.Container, error) {
	if take(&u.away) {
		u.failed.Add(1)
		return nil, errAway
	}
	return u.Engine.Containers(ctx)
}

func (u *unreliable) Brief(ctx context.Context, f engine.Filter) ([]engine.Container, error) {
	if take(&u.away) {
		u.failed.Add(1)
		return nil, errAway
	}
	return u.Engine.Brief(ctx, f)
}

func (u *unreliable) Container(ctx context.Context, id string) (engine.Container, error) {
	if take(&u.away) {
		u.failed.Add(1)
		return engine.Container{}, errAway
	}
	return u.Engine.Container(ctx, id)
}

func (u *unreliable) Pause(ctx context.Context, id string) error {
	return u.change(ctx, func() error { return u.Engine.Pause(ctx, id) })
}

func (u *unreliable) Unpause(ctx context.Context, id string) error {
	return u.change(ctx, func() error { return u.Engine.Unpause(ctx, id) })
}

func (u *unreliable) Stop(ctx context.Context, id string, grace time.Duration) error {
	return u.change(ctx, func() error { return u.Engine.Stop(ctx, id, grace) })
}

func (u *unreliable) Start(ctx context.Context, id string) error {
	return u.change(ctx, func() error { return u.Engine.Start(ctx, id) })
}

func (u *unreliable) Restart(ctx context.Context, id string, grace time.Duration) error {
	return u.change(ctx, func() error { return u.Engine.Restart(ctx, id, grace) })
}

func (u *unreliable) Kill(ctx context.Context, id string, signal string) error {
	return u.change(ctx, func() error { return u.Engine.Kill(ctx, id, signal) })
}

func (u *unreliable) ConnectNetwork(ctx context.Context, network, id string, at engine.Endpoint) error {
	return u.change(ctx, func() error { return u.Engine.ConnectNetwork(ctx, network, id, at) })
}

func (u *unreliable) DisconnectNetwork(ctx context.Context, network, id string) error {
	return u.change(ctx, func() error { return u.Engine.DisconnectNetwork(ctx, network, id) })
}

func (u *unreliable) Exec(ctx context.Context, id string, cmd engine.Command) (r engine.ExecResult, err error) {
	err = u.change(ctx, func() (err error) {
		r, err = u.Engine.Exec(ctx, id, cmd)
		return err
	})
	return r, err
}

// Wait waits for nothing when nothing was started.
func (u *unreliable) Wait(ctx context.Context, id string) (int, error) {
	if u.inert.Load() {
		return 0, nil
	}
	return u.Engine.Wait(ctx, id)
}

func (v *env) unreliable() *unreliable {
	u := &unreliable{Engine: v.tools.Engine}
	v.tools.Engine = u
	return u
}

// The engine does what it is asked and answers an error, when injecting and when undoing.
func testDidItSaidError(v *env) {
	c := v.target()
	s := v.plan(c)
	u := v.unreliable()
	u.lies.Store(1)
	err := v.c.Kind.Inject(enginetest.Context(v.t), v.tools, s)
	if err == nil {
		v.t.Error("the engine answered an error, and Inject returned none")
	}
	if errors.Is(err, inject.ErrUntouched) {
		v.t.Errorf("nobody can know that nothing was done: %v", err)
	}
	u.lies.Store(2)
	v.same(v.undo(s.Undo))
}

// The engine is away for a while, in the middle of an undo.
func testAway(v *env) {
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	u := v.unreliable()
	u.away.Store(4)
	v.same(v.undo(s.Undo))
	if u.failed.Load() != 4 {
		v.t.Errorf("the engine failed %d times, want 4", u.failed.Load())
	}
}

// Nothing comes of the fault: Verify ends with its context, and says what it saw.
func testNeverSeen(v *env) {
	if v.c.Blind {
		v.t.Skip("its effect is never seen")
	}
	c := v.target()
	s := v.plan(c)
	u := v.unreliable()
	u.inert.Store(true)
	if err := v.c.Kind.Inject(enginetest.Context(v.t), v.tools, s); err != nil {
		v.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	p, err := v.c.Kind.Verify(ctx, v.tools, s)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "running") {
		v.t.Errorf("Verify returned %+v, %v; want what it saw, and the end of its context", p, err)
	}
	u.away.Store(1 << 40)
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if p, err := v.c.Kind.Verify(ctx, v.tools, s); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		v.t.Errorf("Verify without an engine returned %+v, %v", p, err)
	}
	if _, _, err := v.c.Kind.Holding(context.Background(), v.tools, s); !errors.Is(err, engine.ErrUnreachable) {
		v.t.Errorf("Holding without an engine returned %v", err)
	}
}

// The undo is answered with success, but nothing comes of it: Perform tries until its context ends, and says what it saw.
func testUndoNeverSeen(v *env) {
	if v.c.Blind {
		v.t.Skip("its effect is never seen")
	}
	c := v.target()
	s := v.plan(c)
	v.harm(s)
	if v.c.Kind.Doc().Holds == inject.DurationOptional && v.runsNow(c.ID) {
		// It ended by itself: stop it, so that there is something to undo.
		Docker(v.t, "stop", "-t", "0", c.ID)
	}
	u := v.unreliable()
	u.inert.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	p, err := inject.Perform(ctx, v.tools, s.Undo)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.Name) {
		v.t.Errorf("Perform returned %+v, %v; want what it saw, and the end of its context", p, err)
	}
	u.hangs.Store(true)
	ctx, cancel = context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if p, err := inject.Perform(ctx, v.tools, s.Undo); !errors.Is(err, context.DeadlineExceeded) {
		v.t.Errorf("Perform on an engine that hangs returned %+v, %v; want the end of its context", p, err)
	}
	u.hangs.Store(false)
	u.inert.Store(false)
	v.undo(s.Undo)
}

func (v *env) runsNow(id string) bool { return v.c.outside(v.t, id).State.Status == "running" }
