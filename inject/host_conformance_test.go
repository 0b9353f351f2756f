package inject_test

import (
	"strings"
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

// onDisk gives a container a directory of the host's, in case that its own file system is on no disk.
func onDisk(dir string) enginetest.Option {
	return enginetest.With(func(s *engine.Spec) { s.Binds = []string{dir + ":/data"} })
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

// hostCases are the kinds that a helper on the engine's host does.
func hostCases(dir string) []injecttest.Case {
	// What is burnt here is not to starve the tests beside it.
	light := enginetest.With(func(s *engine.Spec) { s.CPUShares = 16 })
	disk := onDisk(dir)
	all := []injecttest.Case{
		{
			Kind: known("cpu"), Args: map[string]any{"limit": 0.5}, Duration: time.Minute, Stands: true,
			Effect: has(map[string]string{"cpu.cfs_quota_us": "50000", "cpu.max": "50000 100000"}),
		},
		{
			Kind: known("memory"), Args: map[string]any{"limit": int64(64 << 20)}, Duration: time.Minute,
			Effect: has(map[string]string{"memory.limit_in_bytes": "67108864", "memory.max": "67108864"}),
		},
		{
			Kind: known("io"), Args: map[string]any{"write": int64(1 << 20)}, Duration: time.Minute, Target: []enginetest.Option{disk},
			Effect: func(_, now injecttest.Seen) bool {
				return strings.HasSuffix(now.Group["blkio.throttle.write_bps_device"], " 1048576") || strings.Contains(now.Group["io.max"], "wbps=1048576")
			},
		},
		{
			Kind: known("stress"), Args: map[string]any{"cpu": int64(1), "memory": int64(16 << 20)}, Duration: time.Minute, Stands: true, Target: []enginetest.Option{light},
			Effect: working,
		},
		{
			Kind: known("oom"), Ends: true,
			Effect: func(before, now injecttest.Seen) bool { return down(before, now) && now.State.ExitCode == 137 },
		},
		{
			Kind: known("signal"), As: "STOP", Args: map[string]any{"process": "workload", "signal": "STOP"}, Duration: time.Minute,
			Effect: func(_, now injecttest.Seen) bool { return now.Process == "T" }, // its main process is stopped
		},
		{Kind: known("signal"), As: "KILL", Args: map[string]any{"process": "workload", "signal": "KILL"}, Effect: down},
		{
			Kind: known("fill"), Args: map[string]any{"path": "/data", "size": int64(8 << 20)}, Duration: time.Minute, Target: []enginetest.Option{disk},
			Effect: func(_, now injecttest.Seen) bool { return now.Filled("/data") },
		},
	}
	for i := range all {
		c := &all[i]
		c.Driven, c.Late, c.Target = true, time.Second, append(c.Target, apart...)
	}
	return all
}
