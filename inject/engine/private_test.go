package engine_test

import (
	"errors"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// A daemon that is restarted is the same engine to whoever is connected: calls fail while it is away, and containers are gone or
// restarted afterwards as their policy says, or run on with live-restore.
func TestDaemonRestarts(t *testing.T) {
	for _, x := range []struct {
		name  string
		args  []string
		state string // of a container without a restart policy
	}{{"", nil, "exited"}, {"live-restore", []string{"--live-restore"}, "running"}} {
		t.Run(x.name, func(t *testing.T) {
			p := enginetest.PrivateEngine(t, x.args...)
			e := p.Engine()
			before, err := e.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			plain := enginetest.Workload(t, e, enginetest.Unique("gameday-plain"), enginetest.Network("none"))
			always := enginetest.Workload(t, e, enginetest.Unique("gameday-always"), enginetest.Network("none"), enginetest.RestartPolicy("always"))
			events, _, err := e.Events(t.Context(), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			p.Stop()
			if _, err := e.Containers(t.Context()); !errors.Is(err, engine.ErrUnreachable) {
				t.Errorf("while it is away: %v", err)
			}
			var broke error
			for ev := range events {
				broke = ev.Err
			}
			if broke == nil {
				t.Error("the events end without an error")
			}
			p.Start()
			after, err := e.Info(t.Context())
			if err != nil || after.ID != before.ID || after.LiveRestore != (x.args != nil) {
				t.Errorf("%+v, %v", after, err)
			}
			if c, err := e.Container(t.Context(), plain.ID); err != nil || c.State.Status != x.state {
				t.Errorf("%+v, %v", c.State, err)
			}
			c := enginetest.Eventually(t, e, always.ID, "its running", func(c engine.Container) bool { return c.State.Status == "running" })
			if same := c.State.StartedAt.Equal(always.State.StartedAt); same != (x.args != nil) {
				t.Errorf("started at %v, before %v", c.State.StartedAt, always.State.StartedAt)
			}
		})
	}
}
