package enginetest

import (
	"context"
	"testing"
	"time"

	"gameday/inject/engine"
)

// nextStats waits for the next of a stream that is as asked for.
func nextStats(t testing.TB, stream <-chan engine.Stats, what string, ok func(engine.Stats) bool) engine.Stats {
	t.Helper()
	end := time.After(30 * time.Second)
	var last engine.Stats
	for {
		select {
		case s, open := <-stream:
			if !open || s.Err != nil {
				t.Fatalf("waited for %s, and the stream has ended: %v; before that: %+v", what, s.Err, last)
			}
			if last = s; ok(s) {
				return s
			}
		case <-end:
			t.Fatalf("waited for %s in vain: %+v", what, last)
		}
	}
}

func whatever(engine.Stats) bool { return true }

// ends waits until a stream has ended, and returns the last error.
func ends(t testing.TB, stream <-chan engine.Stats) (err error) {
	t.Helper()
	end := time.After(30 * time.Second)
	for {
		select {
		case s, open := <-stream:
			if !open {
				return err
			}
			err = s.Err
		case <-end:
			t.Fatal("the stream does not end")
		}
	}
}

func testStats(t *testing.T, e engine.Engine) {
	n := TestNetwork(t, e)
	info, err := e.Info(Context(t))
	must(t, err)
	c := Workload(t, e, Unique("gameday-stats"), Network(n.Name), Args("chat"), With(func(s *engine.Spec) { s.Memory = 256 << 20 }))
	free := Workload(t, e, Unique("gameday-stats"), Network("none"))
	ctx, cancel := context.WithCancel(Context(t))
	defer cancel()
	stream, err := e.Stats(ctx, c.ID[:12])
	must(t, err)
	a := nextStats(t, stream, "the first", whatever)
	b := nextStats(t, stream, "use of the CPU", func(s engine.Stats) bool { return s.CPU.Total > a.CPU.Total })
	if d := time.Since(a.Read); !b.Read.After(a.Read) || d < -time.Minute || d > time.Minute {
		t.Errorf("read at %v, then at %v", a.Read, b.Read)
	}
	if used, took := b.CPU.Total-a.CPU.Total, b.Read.Sub(a.Read); used > 2*took+time.Second || b.CPU.User+b.CPU.System > 2*b.CPU.Total+time.Second {
		t.Errorf("in %v one thread used %v: %+v", took, used, b.CPU)
	}
	if m := b.Memory; m.Usage == 0 || m.Usage > m.Limit || m.WorkingSet == 0 || m.WorkingSet > m.Usage || m.Limit != 256<<20 {
		t.Errorf("memory: %+v", m)
	}
	if len(b.Networks) != 1 || b.Networks[0].Name != "eth0" || b.Networks[0].TxBytes < a.Networks[0].TxBytes {
		t.Errorf("networks: %+v, before %+v", b.Networks, a.Networks)
	}
	if b.Pids.Current == 0 {
		t.Errorf("pids: %+v", b.Pids)
	}

	must(t, e.Pause(ctx, c.ID))
	paused := nextStats(t, stream, "a sample of the pause", func(s engine.Stats) bool { return s.Read.After(b.Read) })
	first := nextStats(t, stream, "another one", func(s engine.Stats) bool { return s.Read.After(paused.Read) })
	again := nextStats(t, stream, "and another", func(s engine.Stats) bool { return s.Read.After(first.Read) })
	if again.CPU.Total != first.CPU.Total {
		t.Errorf("while it is frozen it used %v, then %v", first.CPU.Total, again.CPU.Total)
	}

	other, err := e.Stats(ctx, free.Name)
	must(t, err)
	if s := nextStats(t, other, "the first", whatever); len(s.Networks) != 0 || s.Memory.Limit < uint64(info.Memory)/2 || s.Pids.Limit > 1<<40 {
		t.Errorf("without a network and without limits: %+v", s)
	}
	must(t, e.Remove(ctx, free.ID))
	if err := ends(t, other); err != nil {
		t.Errorf("of a container that is removed: %v", err)
	}
	cancel()
	if err := ends(t, stream); err != nil {
		t.Errorf("nobody listens any more: %v", err)
	}
}

func testStatsOverRestarts(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Create(t, e, Unique("gameday-stats"), Args("chat"))
	stream, err := e.Stats(ctx, c.ID)
	must(t, err)
	must(t, e.Start(ctx, c.ID))
	nextStats(t, stream, "use of the CPU", func(s engine.Stats) bool { return s.CPU.Total > 0 })
	must(t, e.Kill(ctx, c.ID, "KILL"))
	Eventually(t, e, c.ID, "its end", exited)
	must(t, e.Start(ctx, c.ID))
	started := get(t, e, c.ID).State.StartedAt
	nextStats(t, stream, "the next life", func(s engine.Stats) bool { return s.Read.After(started) && s.CPU.Total > 0 })
}
