package inject

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"gameday/inject/engine"
	"gameday/inject/engine/fake"
	"gameday/inject/sidecar"
)

// Whoever undoes what another process has left asks one helper about all targets, and starts none beside each: the faults on
// packets and those on limits alike.
func TestOneHelperReachesAllTargets(t *testing.T) {
	f := fake.New()
	started := 0
	helper := func(context.Context) (string, error) {
		started++
		return "", errors.New("no more helpers")
	}
	tools := Tools{Engine: f, Helper: helper, Sidecars: NewSidecars(f, helper)}
	var mu sync.Mutex
	asked := map[string][]string{}
	d := play(t, func(q sidecar.Request) *sidecar.Reply {
		mu.Lock()
		defer mu.Unlock()
		asked[q.Container] = append(asked[q.Container], q.Op)
		return &sidecar.Reply{Look: &sidecar.Look{Why: "nothing is there"}}
	})
	tools.Sidecars.slot("run", "", reachSidecar).s = d

	for range 3 {
		c := f.AddContainer(engine.Container{})
		for _, kind := range []string{"partition", "cpu"} {
			u := Undo{Run: "run", Fault: "f", Kind: kind, ID: c.ID, Name: c.Name, Before: stateOf(c), Extra: []byte(`{}`)}
			if _, err := Perform(t.Context(), tools, u); err != nil {
				t.Error(err)
			}
		}
		if got := strings.Join(asked[c.ID], " "); got != "clean heal look" {
			t.Errorf("about %s was asked %q", c.Name, got)
		}
	}
	if len(asked) != 3 || started > 0 {
		t.Errorf("asked about %v; other helpers: %d", asked, started)
	}
}

// What the helper says is in the way is told without what belongs between it and gameday.
func TestReachTellsWhatIsInTheWay(t *testing.T) {
	f := fake.New()
	tools := Tools{Engine: f, Sidecars: NewSidecars(f, nil)}
	c := f.AddContainer(engine.Container{})
	tools.Sidecars.slot("run", "", reachSidecar).s = play(t, func(sidecar.Request) *sidecar.Reply {
		return &sidecar.Reply{Error: "nothing was done: it has no limit", Untouched: true}
	})
	_, err := askReach(t.Context(), tools, "run", c, 1, sidecar.Request{Op: sidecar.OpSurvey, Kind: "cpu"})
	if err == nil || err.Error() != "it has no limit" {
		t.Error(err)
	}
}
