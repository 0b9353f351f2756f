package inject_test

import (
	"os"
	"strings"
	"testing"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// Who shares the network of a target is not harmed unannounced: kinds that would hit the guest as well, or leave it in a network
// that nothing leads to, refuse the target, and name the guest. Others, and a guest that does not run, are fine.
func TestGuestsOfATarget(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	n := enginetest.TestNetwork(t, tools.Engine)
	owner := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-owner"), enginetest.Network(n.Name))
	guest := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-guest"), enginetest.Network("container:"+owner.ID))
	args := map[string]map[string]any{
		"disconnect": {"network": n.Name},
		"partition":  nil, "reject": nil, "loss": {"percent": 50.0},
		"stop": nil, "kill": nil, "crash": nil, "restart": nil, "oom": nil,
		"pause": nil, "signal": {"process": "workload", "signal": "TERM"},
	}
	spares := map[string]bool{"pause": true, "signal": true}
	plan := func(name string) (inject.Step, error) {
		all, err := tools.Engine.Containers(enginetest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		f := inject.Fault{Run: runOf(t), Name: "f", Kind: name, Args: args[name], Duration: 30e9}
		return kind(t, name).Plan(f, owner, inject.Host{Sharing: inject.Sharing(all)})
	}
	for name := range args {
		s, err := plan(name)
		switch {
		case spares[name] && err != nil, !spares[name] && (err == nil || !strings.Contains(err.Error(), guest.Name)):
			t.Errorf("%s: Plan returned %+v, %v", name, s, err)
		case name == "signal" && !strings.Contains(strings.Join(s.Warnings, "\n"), guest.Name):
			t.Errorf("signal: the warnings are %q", s.Warnings)
		}
	}

	// What they are refused for is true.
	space := func(c engine.Container) string {
		now := injecttest.Outside(t, c.ID)
		to, err := os.Readlink("/proc/" + strings.TrimSpace(injecttest.Docker(t, "inspect", "-f", "{{.State.Pid}}", now.ID)) + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	if space(owner) != space(guest) {
		t.Fatal("they do not share a network")
	}
	injecttest.Docker(t, "restart", "-t", "0", owner.ID)
	if space(owner) == space(guest) {
		t.Error("the guest shares the network of its owner after a restart, too")
	}

	injecttest.Docker(t, "stop", "-t", "0", guest.ID)
	for name := range args {
		if _, err := plan(name); err != nil {
			t.Errorf("%s, when the guest does not run: %v", name, err)
		}
	}
}

func TestSharing(t *testing.T) {
	up := engine.State{Status: "running", Running: true}
	got := inject.Sharing([]engine.Container{
		{ID: "1", Name: "owner", State: up},
		{ID: "2", Name: "by-id", NetworkMode: "container:1", State: up},
		{ID: "3", Name: "by-name", NetworkMode: "container:owner", State: up},
		{ID: "4", Name: "asleep", NetworkMode: "container:1"},
		{ID: "5", Name: "helper", NetworkMode: "container:1", State: up, Labels: map[string]string{engine.Label: "r", engine.RoleLabel: "helper"}},
		{ID: "6", Name: "alone", NetworkMode: "bridge", State: up},
	})
	if len(got) != 1 || strings.Join(got["1"], " ") != "by-id by-name" {
		t.Errorf("got %v", got)
	}
}
