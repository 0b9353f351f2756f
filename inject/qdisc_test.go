package inject_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// A target with a qdisc of its own is refused by the plan, for faults that would need its place, and for no others.
func TestQdiscOfATarget(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	n := enginetest.TestNetwork(t, tools.Engine)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-qdisc"), enginetest.Network(n.Name))
	kernel, err := inject.ProbeKernel(enginetest.Context(t), tools, runOf(t))
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, args map[string]any) error {
		t.Helper()
		f := inject.Fault{Run: runOf(t), Name: "f", Kind: name, Args: args, Duration: time.Minute}
		s, err := kind(t, name).Plan(f, c, inject.Host{Kernel: kernel})
		if err != nil {
			t.Fatal(err)
		}
		return kind(t, name).(inject.Checker).Check(enginetest.Context(t), tools, s)
	}
	rate := map[string]any{"rate": int64(1_000_000)}
	if err := check("rate", rate); err != nil {
		t.Errorf("without a qdisc: %v", err)
	}
	pid := strings.TrimSpace(injecttest.Docker(t, "inspect", "-f", "{{.State.Pid}}", c.ID))
	tc := exec.Command("nsenter", "-t", pid, "-n", "tc", "qdisc", "add", "dev", "eth0", "root", "handle", "7:", "tbf", "rate", "1gbit", "burst", "1mb", "latency", "50ms")
	if out, err := tc.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := check("rate", rate); err == nil || !strings.Contains(err.Error(), ": the device eth0 has a qdisc already, tbf 7:") {
		t.Errorf("with a qdisc: %v", err)
	}
	if err := check("partition", nil); err != nil {
		t.Errorf("a partition needs no qdisc: %v", err)
	}
}
