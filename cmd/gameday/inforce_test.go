package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gameday/runner"
)

func TestPrintInForce(t *testing.T) {
	show := func(now runner.InForce) string {
		var out bytes.Buffer
		app{stdout: &out}.printInForce(now)
		return out.String()
	}
	if got := show(runner.InForce{}); got != "Nothing is in force.\n" {
		t.Errorf("%q", got)
	}
	since, due := time.Now().Add(-90*time.Second), time.Now().Add(-time.Second)
	fault := runner.OpenFault{Fault: "freeze", Kind: "pause", Container: "shop\x1b[2J-store", State: "in force", Since: &since, Undo: "unpause shop-store", Due: &due}
	stuck := fault
	stuck.State, stuck.ByHand, stuck.Due = "NOT UNDONE", "docker unpause shop-store", nil
	got := show(runner.InForce{
		Runs: []runner.RunInForce{
			{Run: "r1", Lock: true, Since: since, Runner: runner.RunnerAlive, Guard: runner.GuardUp, Faults: []runner.OpenFault{fault}},
			{Run: "r2", Dir: "runs/r2", Since: since, Runner: runner.RunnerGone, Guard: runner.GuardNone, Faults: []runner.OpenFault{stuck}},
			{Run: "r3", Lock: true, Since: since, Runner: runner.RunnerElsewhere, Guard: runner.GuardAway, FromLabels: true, Fired: "the runner had gone"},
		},
		Helpers: []runner.Helper{{Name: "gameday-net-1", Run: "r4", State: "running", Stray: true}, {Name: "gameday-net-2", Run: "r1", State: "running"}},
	})
	for _, want := range []string{
		"r1\n  since ", ", for 1m30s\n  runner    alive (process 0 on )\n  guard     up\n  fault     fault.freeze (pause) on shop", "in force since", "; undo: unpause shop-store, due at",
		"r2\n", "  lock      not held\n  NOT DONE  fault.freeze", "            by hand: docker unpause shop-store\n  to do     gameday recover runs/r2\n",
		"r3\n", "  guard     away: its container does not run; it has taken over: the runner had gone\n  faults    none is in force\n",
		"helper gameday-net-1 (running) of r4, which holds no lock; `gameday recover r4` removes it\nhelper gameday-net-2 (running) of r1\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	if strings.ContainsRune(got, '\x1b') {
		t.Errorf("what came from outside draws over the screen:\n%q", got)
	}
}
