package inject_test

import (
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// apart gives targets no network: nothing here needs one.
var apart = []enginetest.Option{enginetest.Network("none")}

// has says whether a file of a container's control group says something, in either version.
func has(files map[string]string) func(_, now injecttest.Seen) bool {
	return func(_, now injecttest.Seen) bool {
		for name, want := range files {
			if now.Group[name] == want {
				return true
			}
		}
		return false
	}
}

func TestCPU(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "cpu"), Args: map[string]any{"limit": 0.5}, Duration: time.Minute, Driven: true, Stands: true, Late: time.Second, Target: apart,
		Effect: has(map[string]string{"cpu.cfs_quota_us": "50000", "cpu.max": "50000 100000"}),
	})
}

func TestMemory(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "memory"), Args: map[string]any{"limit": int64(64 << 20)}, Duration: time.Minute, Driven: true, Late: time.Second, Target: apart,
		Effect: has(map[string]string{"memory.limit_in_bytes": "67108864", "memory.max": "67108864"}),
	})
}

// onDisk gives a container a directory of the host's, in case that its own file system is on no disk.
func onDisk(t *testing.T) enginetest.Option {
	dir := t.TempDir()
	return enginetest.With(func(s *engine.Spec) { s.Binds = []string{dir + ":/data"} })
}

func TestIO(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "io"), Args: map[string]any{"write": int64(1 << 20)}, Duration: time.Minute, Driven: true, Late: time.Second, Target: append(apart, onDisk(t)),
		Effect: func(_, now injecttest.Seen) bool {
			return strings.HasSuffix(now.Group["blkio.throttle.write_bps_device"], " 1048576") || strings.Contains(now.Group["io.max"], "wbps=1048576")
		},
	})
}

// working says whether a worker of gameday's is in a container's control group.
func working(_, now injecttest.Seen) bool {
	for _, n := range now.Names {
		if n != "workload" {
			return true
		}
	}
	return false
}

func TestStress(t *testing.T) {
	// What is burnt here is not to starve the tests beside it.
	light := enginetest.With(func(s *engine.Spec) { s.CPUShares = 16 })
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "stress"), Args: map[string]any{"cpu": int64(1), "memory": int64(16 << 20)}, Duration: time.Minute, Driven: true, Stands: true, Late: time.Second, Target: append(apart, light),
		Effect: working,
	})
}

func TestOOM(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "oom"), Driven: true, Ends: true, Late: time.Second, Target: apart,
		Effect: func(before, now injecttest.Seen) bool { return down(before, now) && now.State.ExitCode == 137 },
	})
}

// stopped says whether the main process is.
func stopped(_, now injecttest.Seen) bool { return now.Process == "T" }

func TestSignal(t *testing.T) {
	t.Parallel()
	t.Run("STOP", func(t *testing.T) {
		injecttest.Run(t, injecttest.Case{
			Kind: kind(t, "signal"), Args: map[string]any{"process": "workload", "signal": "STOP"}, Duration: time.Minute, Driven: true, Late: time.Second, Target: apart,
			Effect: stopped,
		})
	})
	t.Run("KILL", func(t *testing.T) {
		injecttest.Run(t, injecttest.Case{
			Kind: kind(t, "signal"), Args: map[string]any{"process": "workload", "signal": "KILL"}, Driven: true, Late: time.Second, Target: apart,
			Effect: down,
		})
	})
}

func TestFill(t *testing.T) {
	injecttest.Run(t, injecttest.Case{
		Kind: kind(t, "fill"), Args: map[string]any{"path": "/data", "size": int64(8 << 20)}, Duration: time.Minute, Driven: true, Late: time.Second,
		Target: append(apart, onDisk(t)),
		Effect: func(_, now injecttest.Seen) bool { return now.Filled("/data") },
	})
}
