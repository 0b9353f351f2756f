package inject_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// unsurveyed is the undo of a fault as it is planned, before anybody has looked up what it changes: all that is left of it when the
// record of its run is lost.
func unsurveyed(t *testing.T, f inject.Fault, c engine.Container) inject.Undo {
	t.Helper()
	s, err := kind(t, f.Kind).Plan(f, c, inject.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Undo
}

// A helper that dies in the middle of oom leaves a low limit of memory, and raised scores. The engine knows what they were.
func TestOOMOfALostRun(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t, enginetest.With(func(s *engine.Spec) { s.Memory = 256 << 20 }))
	u := unsurveyed(t, inject.Fault{Run: runOf(t), Name: "f", Kind: "oom"}, c)
	before := injecttest.Outside(t, c.ID)
	if strings.Contains(before.Group["cgroup.procs"], "\n") {
		t.Fatalf("it has processes %q", before.Group["cgroup.procs"])
	}
	score := filepath.Join("/proc", before.Group["cgroup.procs"], "oom_score_adj")
	files := [][2]string{{"memory.limit_in_bytes", "67108864"}, {"memory.memsw.limit_in_bytes", "69206016"}, {"memory.max", "67108864"}, {"memory.swap.max", "0"}}
	lowered := 0
	for _, f := range files {
		for _, group := range []string{"memory/docker/" + c.ID, "docker/" + c.ID, "system.slice/docker-" + c.ID + ".scope"} {
			path := filepath.Join("/sys/fs/cgroup", group, f[0])
			if _, err := os.Stat(path); err != nil {
				continue
			}
			if err := os.WriteFile(path, []byte(f[1]), 0); err != nil {
				t.Fatal(err)
			}
			lowered++
		}
	}
	if lowered == 0 {
		t.Fatal("no limit is lowered")
	}
	if _, v1 := before.Group["memory.limit_in_bytes"]; v1 { // with control groups of version 2 the fault needs no scores
		if err := os.WriteFile(score, []byte("1000"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := inject.Perform(enginetest.Context(t), tools, u); err != nil {
		t.Fatal(err)
	}
	after := injecttest.Outside(t, c.ID)
	for _, f := range files {
		if after.Group[f[0]] != before.Group[f[0]] {
			t.Errorf("%s is %q, and was %q", f[0], after.Group[f[0]], before.Group[f[0]])
		}
	}
	if now, err := os.ReadFile(score); err != nil || strings.TrimSpace(string(now)) != "0" {
		t.Errorf("the score of the main process is %q, %v", now, err)
	}
	if !after.State.StartedAt.Equal(before.State.StartedAt) {
		t.Errorf("the undo restarted it: %+v", after)
	}
}

// Without a record nobody can tell whether the fault has started a command or somebody else: it is not ended, and that is said. Once
// it has ended the undo command is run.
func TestExecOfALostRun(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-exec"))
	u := unsurveyed(t, execFault(t, map[string]any{"run": "/workload sleep", "undo": "/workload touch /tmp/undone exit 0"}), c)
	injecttest.Docker(t, "exec", "-d", c.ID, "/workload", "sleep")
	limit, cancel := context.WithTimeout(enginetest.Context(t), 2*time.Second)
	defer cancel()
	p, err := inject.Perform(limit, tools, u)
	if err == nil || !strings.Contains(err.Error(), "/workload sleep runs in "+c.Name) || !strings.Contains(err.Error(), "docker top") {
		t.Errorf("the command runs: %+v, %v", p, err)
	}
	if all := executions(t, tools.Engine, c.ID); len(all) != 1 {
		t.Errorf("somebody's command was ended: %+v", all)
	}
	injecttest.Docker(t, "restart", "-t", "0", c.ID)
	if _, err := inject.Perform(enginetest.Context(t), tools, u); err != nil {
		t.Error(err)
	}
	injecttest.Docker(t, "exec", c.ID, "/workload", "exists", "/tmp/undone", "exit", "0")
}
