package inject_test

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// Many containers are taken out of one network at once, and put back at once: each has its own place again, whatever order the
// engine gives out addresses in.
func TestDisconnectOfMany(t *testing.T) {
	t.Parallel()
	const many = 8
	tools := injecttest.Tools(t)
	sweep(t, tools)
	k := kind(t, "disconnect")
	n := enginetest.TestNetwork(t, tools.Engine)
	steps, before := make([]inject.Step, many), make([]map[string]any, many)
	each := func(do func(i int) error) {
		t.Helper()
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				if err := do(i); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	ids := make([]string, many)
	for i := range ids {
		ids[i] = enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-many"), enginetest.Network(n.Name, enginetest.Unique("alias"))).ID
		before[i] = places(t, ids[i])
	}
	f := inject.Fault{Run: runOf(t), Name: "f", Kind: "disconnect", Args: map[string]any{"network": n.Name}, Duration: time.Minute}
	each(func(i int) (err error) {
		steps[i], err = inject.Prepare(enginetest.Context(t), tools, f, ids[i], inject.Host{})
		return err
	})
	each(func(i int) error {
		err := k.Inject(enginetest.Context(t), tools, steps[i])
		if err == nil {
			_, err = k.Verify(enginetest.Context(t), tools, steps[i])
		}
		return err
	})
	for i, id := range ids {
		if _, ok := places(t, id)[n.Name]; ok {
			t.Errorf("target %d is in its network", i)
		}
	}
	each(func(i int) error {
		limit, cancel := context.WithTimeout(context.Background(), inject.UndoLimit(steps[i].Undo))
		defer cancel()
		p, err := inject.Perform(limit, tools, steps[i].Undo)
		if len(p.Differences) > 0 {
			t.Errorf("target %d: %q", i, p.Differences)
		}
		return err
	})
	for i, id := range ids {
		if after := places(t, id); !reflect.DeepEqual(after, before[i]) {
			t.Errorf("docker inspect says of target %d\n%v, before\n%v", i, after, before[i])
		}
	}
	if left := holders(t, n.ID); len(left) > 0 {
		t.Errorf("addresses are still held: %q", left)
	}
}

// Two that got each other's addresses, as an engine that fails in the middle may leave them, are both put right: neither gives
// up because the other is at its place.
func TestDisconnectOfTwoExchanged(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	n := enginetest.TestNetwork(t, tools.Engine)
	sweep(t, tools)
	var ids []string
	for range 2 {
		ids = append(ids, enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-exchanged"), enginetest.Network(n.Name)).ID)
	}
	var before []map[string]any
	var steps []inject.Step
	for _, id := range ids {
		before = append(before, places(t, id))
	}
	for _, id := range ids {
		steps = append(steps, disconnected(t, tools, n.Name, id))
	}
	injecttest.Docker(t, append([]string{"rm", "-f"}, holders(t, n.ID)...)...)
	for _, i := range []int{1, 0} {
		injecttest.Docker(t, "network", "connect", n.Name, ids[i])
	}
	for i, id := range ids {
		if reflect.DeepEqual(places(t, id), before[i]) {
			t.Fatalf("target %d is at its own place: they have not exchanged them", i)
		}
	}
	var all sync.WaitGroup
	for _, s := range steps {
		all.Go(func() {
			limit, cancel := context.WithTimeout(context.Background(), inject.UndoLimit(s.Undo))
			defer cancel()
			if _, err := inject.Perform(limit, tools, s.Undo); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, id := range ids {
		if after := places(t, id); !reflect.DeepEqual(after, before[i]) {
			t.Errorf("docker inspect says of target %d\n%v, before\n%v", i, after, before[i])
		}
	}
}
