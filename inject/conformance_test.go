package inject_test

import (
	"os"
	"os/exec"
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

// down: the main process has ended, and nothing has started it again.
func down(before, now injecttest.Seen) bool {
	return now.State.Status == "exited" && now.State.FinishedAt.After(before.State.StartedAt)
}

// rules: nft or tc list something of gameday's.
func rules(_, now injecttest.Seen) bool { return now.Mine() }

// TestNetwork runs the suite for every kind that is done to packets.
func TestNetwork(t *testing.T) {
	t.Parallel()
	stands := map[string]bool{"latency": true, "partition": true} // held by a queue, and by rules alone
	for name, args := range map[string]map[string]any{
		"latency":   {"delay": 20 * time.Millisecond, "jitter": 5 * time.Millisecond},
		"loss":      {"percent": 50.0},
		"corrupt":   {"percent": 50.0},
		"duplicate": {"percent": 50.0},
		"reorder":   {"percent": 50.0},
		"rate":      {"rate": int64(8000)},
		"partition": nil,
		"reject":    {"with": "icmp"},
	} {
		t.Run(name, func(t *testing.T) {
			injecttest.Run(t, injecttest.Case{Kind: kind(t, name), Args: args, Duration: time.Minute, Effect: rules, OwnNetwork: true, Chatty: true, Driven: true, Stands: stands[name], Late: time.Second})
		})
	}
}

func TestPause(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind:     kind(t, "pause"),
		Stands:   true,
		Duration: time.Minute,
		Effect:   func(_, now injecttest.Seen) bool { return now.State.Paused },
		Late:     time.Second,
	})
}

func TestStop(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind:     kind(t, "stop"),
		Stands:   true,
		Args:     map[string]any{"grace": time.Second},
		Duration: time.Minute,
		Effect:   down,
		Ends:     true,
		Late:     2 * time.Second,
	})
}

func TestKill(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind:   kind(t, "kill"),
		Effect: down,
		Ends:   true,
		Late:   time.Second,
	})
}

func TestCrash(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind:   kind(t, "crash"),
		Effect: down,
		Ends:   true,
		Late:   time.Second,
	})
}

func TestRestart(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "restart"),
		Args: map[string]any{"grace": time.Second},
		Effect: func(before, now injecttest.Seen) bool {
			return now.State.Status == "running" && now.State.StartedAt.After(before.State.StartedAt)
		},
		Late: 2 * time.Second,
	})
}

func TestExec(t *testing.T) {
	const file = "/dev/shm/gameday" // writable with a read-only root, and for everybody
	injecttest.Run(t, injecttest.Case{
		Kind:     kind(t, "exec"),
		Args:     map[string]any{"run": "/workload touch " + file + " exit 0", "undo": []string{"/workload", "unlink", file, "exit", "0"}},
		Duration: time.Minute,
		Effect: func(_, now injecttest.Seen) bool {
			return exec.Command("docker", "exec", now.ID, "/workload", "exists", file, "exit", "0").Run() == nil
		},
		Blind: true,
		Late:  time.Second,
	})
}

func TestDisconnect(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "disconnect"),
		ArgsFor: func(c engine.Container) map[string]any {
			if len(c.Networks) == 0 {
				return map[string]any{"network": "shop_default"}
			}
			return map[string]any{"network": c.Networks[0].Network}
		},
		Duration: time.Minute,
		Effect: func(before, now injecttest.Seen) bool {
			for name := range before.NetworkSettings.Networks {
				if _, ok := now.NetworkSettings.Networks[name]; ok {
					return false
				}
			}
			return true
		},
		OwnNetwork: true,
		Late:       time.Second,
	})
}
