package fake_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/engine/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) engine.Engine { return fake.New() })
}

func TestFail(t *testing.T) {
	f, ctx := fake.New(), context.Background()
	c := f.AddContainer(engine.Container{Name: "a"})
	f.Fail("Pause", engine.ErrPermission, 2)
	for range 2 {
		if err := f.Pause(ctx, c.ID); !errors.Is(err, engine.ErrPermission) {
			t.Errorf("error is %v", err)
		}
	}
	if err := f.Pause(ctx, c.ID); err != nil {
		t.Error(err)
	}
	f.Fail("Remove", engine.ErrNotFound, -1)
	for range 5 {
		if err := f.Remove(ctx, c.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("error is %v", err)
		}
	}
}

func TestDelayEndsWithTheContext(t *testing.T) {
	f := fake.New()
	f.Delay("Info", time.Hour)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := f.Info(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
}

func TestHook(t *testing.T) {
	f, ctx := fake.New(), context.Background()
	c := f.AddContainer(engine.Container{Name: "a"})
	f.Hook("Unpause", func(id string) {
		if err := f.Kill(ctx, id, "KILL"); err != nil {
			t.Error(err)
		}
	})
	if err := f.Pause(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	if err := f.Unpause(ctx, c.ID); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("somebody killed it just before: error is %v", err)
	}
}

func TestDisconnect(t *testing.T) {
	f, ctx := fake.New(), context.Background()
	c := f.AddContainer(engine.Container{Name: "a"})
	events, _, err := f.Events(ctx, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() {
		_, err := f.Wait(ctx, c.ID)
		waited <- err
	}()
	f.Disconnect()
	f.Disconnect()
	if err := <-waited; !errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("Wait: %v", err)
	}
	if ev := <-events; !errors.Is(ev.Err, engine.ErrUnreachable) {
		t.Errorf("event: %+v", ev)
	}
	if _, ok := <-events; ok {
		t.Error("the events do not end")
	}
	if _, err := f.Container(ctx, c.ID); !errors.Is(err, engine.ErrUnreachable) || errors.Is(err, engine.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	f.Reconnect()
	if c, err := f.Container(ctx, c.ID); err != nil || !c.State.Running {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestExit(t *testing.T) {
	f, ctx := fake.New(), context.Background()
	c := f.AddContainer(engine.Container{Name: "a", RestartPolicy: "always", Networks: []engine.Endpoint{{Network: "shop", IPv4: "10.0.0.2"}}})
	if err := f.Exit(c.ID, 139); err != nil {
		t.Fatal(err)
	}
	got := enginetest.Eventually(t, f, c.ID, "its restart", func(c engine.Container) bool { return c.State.Status == "running" })
	if got.RestartCount != 1 || got.Networks[0].IPv4 == "" {
		t.Errorf("%+v", got)
	}
	if err := f.Kill(ctx, c.ID, "KILL"); err != nil {
		t.Fatal(err)
	}
	if err := f.Exit(c.ID, 1); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("it does not run: error is %v", err)
	}
}
