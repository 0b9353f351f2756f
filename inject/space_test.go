package inject_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// What somebody does to the packets of a target while a fault of another kind is in force is told, and nothing is where nobody did.
func TestNetworkNamespaceIsCompared(t *testing.T) {
	t.Parallel()
	ctx, tools := enginetest.Context(t), injecttest.Tools(t)
	n := enginetest.TestNetwork(t, tools.Engine)
	run := runOf(t)
	t.Cleanup(func() { inject.Sweep(enginetest.Context(t), tools, run) })
	if err := inject.WarmReach(ctx, tools, run); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string]map[string]any{"pause": nil, "disconnect": {"network": n.Name}, "exec": {"run": "/workload exit 0", "undo": "/workload exit 0"}} {
		for _, disturb := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/disturbed=%v", name, disturb), func(t *testing.T) {
				c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-space"), enginetest.Args("sleep"), enginetest.Network(n.Name, "alias"))
				s, err := inject.Prepare(ctx, tools, inject.Fault{Run: run, Name: "f", Kind: name, Args: args, Duration: time.Minute}, c.ID, inject.Host{})
				if err != nil {
					t.Fatal(err)
				}
				if err := kind(t, name).Inject(ctx, tools, s); err != nil {
					t.Fatal(err)
				}
				if disturb {
					out, err := exec.Command("nsenter", "-t", fmt.Sprint(c.State.PID), "-n", "nft", "add table inet somebody").CombinedOutput()
					if err != nil {
						t.Skipf("nft: %v: %s", err, out)
					}
				}
				p, err := inject.Perform(ctx, tools, s.Undo)
				if err != nil {
					t.Fatal(err)
				}
				if told := strings.Contains(strings.Join(p.Differences, "\n"), "somebody"); told != disturb || !disturb && len(p.Differences) > 0 {
					t.Errorf("%q", p.Differences)
				}
			})
		}
	}
}
