package inject_test

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/injecttest"
)

func TestMain(m *testing.M) {
	if os.Getenv(runnerEnv) != "" {
		runnerProcess()
		return
	}
	os.Exit(injecttest.Main(m))
}

func kind(t testing.TB, name string) inject.Kind {
	t.Helper()
	k, ok := inject.Lookup(name)
	if !ok {
		t.Fatalf("there is no kind %q", name)
	}
	return k
}

// known is a kind that there is.
func known(name string) inject.Kind {
	k, ok := inject.Lookup(name)
	if !ok {
		panic("there is no kind " + name)
	}
	return k
}

// down: the main process has ended, and nothing has started it again.
func down(before, now injecttest.Seen) bool {
	return now.State.Status == "exited" && now.State.FinishedAt.After(before.State.StartedAt)
}

// rules: nft or tc list something of gameday's.
func rules(_, now injecttest.Seen) bool { return now.Mine() }

// cases are the kinds of faults as they are tested on a real engine, at least one for each. A directory of the host's is for those that need
// a disk.
func cases(dir string) []injecttest.Case {
	return slices.Concat(processCases(), packetCases(), hostCases(dir))
}

// TestConformance runs the suite for every kind.
func TestConformance(t *testing.T) {
	t.Parallel()
	all := cases(t.TempDir())
	for _, k := range inject.Kinds() {
		if name := k.Doc().Kind; !slices.ContainsFunc(all, func(c injecttest.Case) bool { return c.Kind.Doc().Kind == name }) {
			t.Errorf("no case of the conformance suite has a fault of the kind %s", name)
		}
	}
	for _, c := range all {
		t.Run(c.Name(), func(t *testing.T) { injecttest.Run(t, c) })
	}
}

// packetCases are the kinds that are done to packets.
func packetCases() []injecttest.Case {
	all := []injecttest.Case{
		{Kind: known("latency"), Args: map[string]any{"delay": 20 * time.Millisecond, "jitter": 5 * time.Millisecond}, Stands: true}, // held by a queue
		{Kind: known("loss"), Args: map[string]any{"percent": 50.0}},
		{Kind: known("corrupt"), Args: map[string]any{"percent": 50.0}},
		{Kind: known("duplicate"), Args: map[string]any{"percent": 50.0}},
		{Kind: known("reorder"), Args: map[string]any{"percent": 50.0}},
		{Kind: known("rate"), Args: map[string]any{"rate": int64(8000)}},
		{Kind: known("partition"), Stands: true}, // held by rules alone
		{Kind: known("reject"), Args: map[string]any{"with": "icmp"}},
	}
	for i := range all {
		c := &all[i]
		c.Duration, c.Effect, c.OwnNetwork, c.Chatty, c.Driven, c.Late = time.Minute, rules, true, true, true, time.Second
	}
	return all
}

// processCases are the kinds that the engine does.
func processCases() []injecttest.Case {
	const file = "/dev/shm/gameday" // writable with a read-only root, and for everybody
	return []injecttest.Case{
		{
			Kind: known("pause"), Duration: time.Minute, Stands: true, Late: time.Second,
			Effect: func(_, now injecttest.Seen) bool { return now.State.Paused },
		},
		{
			Kind: known("stop"), Args: map[string]any{"grace": time.Second}, Duration: time.Minute, Stands: true, Ends: true, Late: 2 * time.Second,
			Effect: down,
		},
		{Kind: known("kill"), Ends: true, Late: time.Second, Effect: down},
		{Kind: known("crash"), Ends: true, Late: time.Second, Effect: down},
		{
			Kind: known("restart"), Args: map[string]any{"grace": time.Second}, Late: 2 * time.Second, Past: true,
			Effect: func(before, now injecttest.Seen) bool {
				return now.State.Status == "running" && now.State.StartedAt.After(before.State.StartedAt)
			},
		},
		{
			Kind: known("exec"), Duration: time.Minute, Blind: true, Late: time.Second,
			Args: map[string]any{"run": "/workload touch " + file + " exit 0", "undo": []string{"/workload", "unlink", file, "exit", "0"}},
			Effect: func(_, now injecttest.Seen) bool {
				return exec.Command("docker", "exec", now.ID, "/workload", "exists", file, "exit", "0").Run() == nil
			},
		},
		{
			Kind: known("disconnect"), Duration: time.Minute, OwnNetwork: true, Late: time.Second,
			ArgsFor: func(c engine.Container) map[string]any {
				if len(c.Networks) == 0 {
					return map[string]any{"network": "shop_default"}
				}
				return map[string]any{"network": c.Networks[0].Network}
			},
			Effect: func(before, now injecttest.Seen) bool {
				for name := range before.NetworkSettings.Networks {
					if _, ok := now.NetworkSettings.Networks[name]; ok {
						return false
					}
				}
				return true
			},
		},
	}
}
