package runner

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/scenarios"
)

// container is a running one of a compose project "shop".
func container(name, service string, labels ...string) engine.Container {
	c := engine.Container{ID: "id-" + name, Name: name, Image: "shop:1", State: engine.State{Status: "running", Running: true},
		Labels: map[string]string{"com.docker.compose.project": "shop", "com.docker.compose.service": service}}
	for i := 0; i < len(labels); i += 2 {
		c.Labels[labels[i]] = labels[i+1]
	}
	return c
}

func asleep(c engine.Container) engine.Container {
	c.State = engine.State{Status: "exited"}
	return c
}

func names(in []engine.Container) string {
	var out []string
	for _, c := range in {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

func TestResolve(t *testing.T) {
	shop := []engine.Container{container("shop-api-2", "api", "tier", "back"), container("shop-api-1", "api", "tier", "back", "canary", ""),
		container("shop-store", "store", "tier", "back"), asleep(container("shop-old", "api")), {ID: "x", Name: "postgres", Image: "postgres:16",
			State: engine.State{Status: "running", Running: true}}}
	helper := container("gameday-guard", "api", engine.Label, "run", engine.RoleLabel, "guard")
	workload := container("gameday-demo", "api", engine.Label, "run", engine.RoleLabel, engine.RoleWorkload)
	for _, tt := range []struct {
		says    string
		target  scenarios.Target
		more    []engine.Container
		self    string
		chosen  string
		leftOut string // "name: reason; …"
		err     string
	}{
		{says: "name, exact", target: scenarios.Target{ContainerName: "shop-store"}, chosen: "shop-store"},
		{says: "name, not a part of it", target: scenarios.Target{ContainerName: "shop"}, err: `it matches no container (name "shop"); ` + "`docker ps` shows what runs"},
		{says: "name_regex matches anywhere", target: scenarios.Target{NameRegex: "api-[0-9]"}, chosen: "shop-api-1 shop-api-2"},
		{says: "name_regex that cannot be read", target: scenarios.Target{NameRegex: "("}, err: "its name_regex: error parsing regexp"},
		{says: "labels, all of them", target: scenarios.Target{Labels: map[string]string{"tier": "back", "com.docker.compose.service": "api"}},
			chosen: "shop-api-1 shop-api-2", leftOut: `shop-old: it has no label tier; shop-store: its label com.docker.compose.service is "store"`},
		{says: "an empty label is a label", target: scenarios.Target{Labels: map[string]string{"canary": ""}}, chosen: "shop-api-1"},
		{says: "an empty label narrows", target: scenarios.Target{ComposeService: "api", Labels: map[string]string{"canary": ""}}, chosen: "shop-api-1",
			leftOut: "shop-api-2: it has no label canary; shop-old: it has no label canary"},
		{says: "compose project", target: scenarios.Target{ComposeProject: "shop"}, chosen: "shop-api-1 shop-api-2 shop-store", leftOut: "shop-old: it does not run (it is exited)"},
		{says: "criteria are ANDed", target: scenarios.Target{ComposeProject: "shop", ComposeService: "store"}, chosen: "shop-store",
			leftOut: `shop-api-1: its compose service is "api"; shop-api-2: its compose service is "api"; shop-old: its compose service is "api"`},
		{says: "image", target: scenarios.Target{Image: "postgres:16"}, chosen: "postgres"},
		{says: "a criterion that a container has nothing for", target: scenarios.Target{Image: "postgres:16", ComposeProject: "shop"},
			err: `it matches no container (compose project "shop", image "postgres:16")`},
		{says: "no criterion", err: "it has no criterion"},
		{says: "none that runs", target: scenarios.Target{ContainerName: "shop-old"}, err: "it matches 1 container, but none that runs (shop-old is exited); start it first"},
		{says: "gameday's own container", target: scenarios.Target{ComposeService: "store"}, self: "id-shop-store",
			err: "it matches shop-store, the container that gameday itself runs in; narrow it"},
		{says: "gameday's own container, nearly", target: scenarios.Target{ComposeProject: "shop", ComposeService: "api"}, self: "id-shop-store", chosen: "shop-api-1 shop-api-2",
			leftOut: `shop-old: it does not run (it is exited); shop-store: its compose service is "store"`},
		{says: "a helper of gameday's own", target: scenarios.Target{ComposeService: "api"}, more: []engine.Container{helper},
			err: "it matches gameday-guard, a helper of gameday's own; narrow it"},
		{says: "a helper that does not run any more", target: scenarios.Target{ContainerName: "gameday-guard"}, more: []engine.Container{asleep(helper)}, err: "a helper of gameday's own"},
		{says: "what gameday made to be broken", target: scenarios.Target{ContainerName: "gameday-demo"}, more: []engine.Container{workload}, chosen: "gameday-demo"},
		{says: "pick more than there are", target: scenarios.Target{ComposeService: "store", Pick: scenarios.Pick{Count: 2}}, err: "it is to pick 2 containers, but only 1 runs and matches"},
		{says: "pick as many as there are", target: scenarios.Target{ComposeService: "store", Pick: scenarios.Pick{Count: 1}}, chosen: "shop-store"},
		{says: "a share is rounded up", target: scenarios.Target{ComposeService: "store", Pick: scenarios.Pick{Percent: 1}}, chosen: "shop-store"},
		{says: "all of it", target: scenarios.Target{ComposeService: "api", Pick: scenarios.Pick{Percent: 100}}, chosen: "shop-api-1 shop-api-2"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			target := tt.target
			r, err := resolve(&target, append(slices.Clone(shop), tt.more...), 1, tt.self)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error is %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, l := range r.LeftOut {
				left = append(left, l.Container+": "+l.Reason)
			}
			if got := names(r.Chosen); got != tt.chosen {
				t.Errorf("chosen: %s, want %s", got, tt.chosen)
			}
			if got := strings.Join(left, "; "); tt.leftOut != "" && got != tt.leftOut {
				t.Errorf("left out: %s\nwant:     %s", got, tt.leftOut)
			}
		})
	}
}

// TestPick: the choice depends on the seed, the target and the containers that match, and on nothing else.
func TestPick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []engine.Container
		n := rapid.IntRange(1, 12).Draw(t, "matching")
		for i := range n {
			all = append(all, container(fmt.Sprintf("api-%d", i), "api"))
		}
		pick := scenarios.Pick{Count: rapid.IntRange(1, n).Draw(t, "count")}
		want := pick.Count
		if rapid.Bool().Draw(t, "share") {
			pick = scenarios.Pick{Percent: rapid.IntRange(1, 100).Draw(t, "percent")}
			want = (n*pick.Percent + 99) / 100
		}
		target := &scenarios.Target{Name: "api", ComposeService: "api", Pick: pick}
		seed := rapid.Uint64().Draw(t, "seed")
		first, err := resolve(target, all, seed, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(first.Chosen) != want || len(first.Chosen)+len(first.LeftOut) != n {
			t.Errorf("%s of %d are %d, and %d left out", pick, n, len(first.Chosen), len(first.LeftOut))
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "others") {
			all = append(all, container(fmt.Sprintf("a%d", i), "store"), asleep(container(fmt.Sprintf("b%d", i), "api")))
		}
		again, err := resolve(target, rapid.Permutation(all).Draw(t, "order"), seed, "")
		if err != nil {
			t.Fatal(err)
		}
		if names(first.Chosen) != names(again.Chosen) {
			t.Errorf("chosen %s, and then %s", names(first.Chosen), names(again.Chosen))
		}
	})
}

func TestPickIsFair(t *testing.T) {
	all := []engine.Container{container("a", "api"), container("b", "api"), container("c", "api")}
	seen := map[string]int{}
	for seed := range uint64(3000) {
		r, err := resolve(&scenarios.Target{Name: "api", ComposeService: "api", Pick: scenarios.Pick{Count: 1}}, all, seed, "")
		if err != nil {
			t.Fatal(err)
		}
		seen[names(r.Chosen)]++
	}
	for _, name := range []string{"a", "b", "c"} {
		if seen[name] < 800 || seen[name] > 1200 {
			t.Errorf("chosen: %v", seen)
		}
	}
}

// The record of a target says how it was set up, and with how many others it shares its work.
func TestDescribeTarget(t *testing.T) {
	a := container("shop-api-1", "api")
	a.Limits = engine.Limits{Memory: 64 << 20, NanoCPUs: 1.5e9, PidsLimit: -1}
	a.Health = &engine.Health{Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 3}
	b := engine.Container{ID: "b", Name: "alone", State: engine.State{Running: true}, Limits: engine.Limits{CPUQuota: 25000}}
	all := []engine.Container{a, container("shop-api-2", "api"), asleep(container("shop-api-3", "api")), container("shop-store", "store"), b}
	r, err := resolve(&scenarios.Target{ContainerName: a.Name}, all, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	got := r.describe(r.Chosen[0])
	if got.Replicas != 2 || *got.Limits != (journal.Limits{Memory: 64 << 20, CPUs: 1.5}) ||
		*got.HealthCheck != (journal.HealthCheck{Interval: journal.Duration(5 * time.Second), Timeout: journal.Duration(2 * time.Second), Retries: 3}) {
		t.Errorf("%+v, %+v, %+v", got, got.Limits, got.HealthCheck)
	}
	if r, err = resolve(&scenarios.Target{ContainerName: "alone"}, all, 1, ""); err != nil {
		t.Fatal(err)
	}
	if got := r.describe(r.Chosen[0]); got.Replicas != 0 || got.HealthCheck != nil || *got.Limits != (journal.Limits{CPUs: 0.25}) {
		t.Errorf("%+v, %+v", got, got.Limits)
	}
}
