package inject_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// places is what docker inspect says of a container's networks, word for word but for the endpoint's own id, and for what is
// there and empty.
func places(t testing.TB, id string) map[string]any {
	t.Helper()
	var all []struct {
		NetworkSettings struct {
			Networks map[string]map[string]any
			Ports    any
		}
	}
	if err := json.Unmarshal([]byte(injecttest.Docker(t, "inspect", id)), &all); err != nil || len(all) != 1 {
		t.Fatal(err)
	}
	out := map[string]any{"ports": all[0].NetworkSettings.Ports}
	for name, at := range all[0].NetworkSettings.Networks {
		delete(at, "EndpointID")
		for key, value := range at {
			if m, ok := value.(map[string]any); value == nil || ok && len(m) == 0 {
				delete(at, key)
			}
		}
		out[name] = at
	}
	return out
}

// sweep removes the helpers of this test process's faults.
func sweep(t testing.TB, tools inject.Tools) {
	t.Cleanup(func() {
		if err := inject.Sweep(enginetest.Context(t), tools, runOf(t)); err != nil {
			t.Error(err)
		}
	})
}

// disconnected takes a container out of a network and waits until its address is held.
func disconnected(t *testing.T, tools inject.Tools, network, id string) inject.Step {
	t.Helper()
	s := do(t, tools, "disconnect", map[string]any{"network": network}, id)
	if _, ok := places(t, id)[network]; ok {
		t.Fatalf("%s is in network %s", id, network)
	}
	var want engine.Endpoint
	for _, at := range s.Container.Networks {
		if at.Network == network {
			want = at
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		for _, h := range holders(t, want.NetworkID) {
			c, err := tools.Engine.Container(enginetest.Context(t), h)
			if err == nil && len(c.Networks) == 1 && c.Networks[0].IPv4 == want.IPv4 {
				return s
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nobody holds %s", want.IPv4)
		}
	}
}

// holders are the helpers that hold addresses in a network.
func holders(t testing.TB, network string) []string {
	return strings.Fields(injecttest.Docker(t, "ps", "-q", "--no-trunc", "--filter", "label=gameday.holds="+network))
}

func TestDisconnectPutsBackExactly(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	e := tools.Engine
	subnet, fourth := enginetest.Subnet()
	subnet6, fourth6 := enginetest.Subnet6()
	chosen := enginetest.TestNetwork(t, e, subnet, subnet6)
	plain := enginetest.TestNetwork(t, e)
	other := enginetest.TestNetwork(t, e)
	in := func(network string, opts ...enginetest.Option) engine.Container {
		return enginetest.Workload(t, e, enginetest.Unique("gameday-place"), append([]enginetest.Option{enginetest.Network(network, "store", "db")}, opts...)...)
	}
	for _, tt := range []struct {
		what    string
		network string
		make    func() engine.Container
	}{
		{"an address of the engine's choice", plain.Name, func() engine.Container { return in(plain.Name) }},
		{"the second network of two", plain.Name, func() engine.Container {
			c := in(other.Name)
			injecttest.Docker(t, "network", "connect", "--alias", "second", plain.Name, c.ID)
			return c
		}},
		{"the first network of two", other.Name, func() engine.Container {
			c := in(other.Name)
			injecttest.Docker(t, "network", "connect", "--alias", "second", plain.Name, c.ID)
			return c
		}},
		{"static addresses", chosen.Name, func() engine.Container {
			c := in(plain.Name)
			injecttest.Docker(t, "network", "connect", "--ip", fourth, "--ip6", fourth6, "--alias", "fixed", chosen.Name, c.ID)
			return c
		}},
		{"a subnet of a person's choice", chosen.Name, func() engine.Container { return in(chosen.Name) }},
		{"a lower address that is free", plain.Name, func() engine.Container {
			var lower []engine.Container
			for range 2 {
				lower = append(lower, in(plain.Name))
			}
			c := in(plain.Name)
			for _, l := range lower {
				if err := e.Remove(enginetest.Context(t), l.ID); err != nil {
					t.Fatal(err)
				}
			}
			return c
		}},
		{"a lower address that is free, in two families", chosen.Name, func() engine.Container {
			lower := in(chosen.Name)
			c := in(chosen.Name)
			if err := e.Remove(enginetest.Context(t), lower.ID); err != nil {
				t.Fatal(err)
			}
			return c
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			c := tt.make()
			before := places(t, c.ID)
			s := disconnected(t, tools, tt.network, c.ID)
			p, err := inject.Perform(enginetest.Context(t), injecttest.Tools(t), s.Undo)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Differences) > 0 {
				t.Errorf("%q", p.Differences)
			}
			if after := places(t, c.ID); !reflect.DeepEqual(after, before) {
				t.Errorf("docker inspect says\n%v, before\n%v", after, before)
			}
		})
	}
}

// What crashes because of the fault, and is started again, does not get the address.
func TestDisconnectHoldsTheAddress(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	n := enginetest.TestNetwork(t, tools.Engine)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-held"), enginetest.Network(n.Name))
	neighbour := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-neighbour"), enginetest.Network(n.Name))
	s := disconnected(t, tools, n.Name, c.ID)
	injecttest.Docker(t, "restart", "-t", "0", neighbour.ID)
	now := enginetest.Eventually(t, tools.Engine, neighbour.ID, "its restart", func(c engine.Container) bool { return c.State.Status == "running" })
	if at := now.Networks[0].IPv4; at != neighbour.Networks[0].IPv4 {
		t.Errorf("restarted, the neighbour is at %s, was at %s", at, neighbour.Networks[0].IPv4)
	}
	for _, h := range holders(t, n.ID) {
		pid := strings.TrimSpace(injecttest.Docker(t, "inspect", "-f", "{{.State.Pid}}", h))
		links, err := exec.Command("nsenter", "-t", pid, "-n", "ip", "-br", "link").CombinedOutput()
		if err != nil || !strings.Contains(string(links), "eth0") || strings.Contains(string(links), " UP ") {
			t.Errorf("whoever holds the address answers there: %s, %v", links, err)
		}
	}
	if p, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil || len(p.Differences) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// Another container has got the address: that is said, with its name, and put right once it is gone.
func TestDisconnectAddressIsTaken(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	n := enginetest.TestNetwork(t, tools.Engine)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-robbed"), enginetest.Network(n.Name))
	s := disconnected(t, tools, n.Name, c.ID)
	for _, h := range holders(t, n.ID) {
		injecttest.Docker(t, "rm", "-f", h)
	}
	thief := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-thief"), enginetest.Network(n.Name))
	if thief.Networks[0].IPv4 != c.Networks[0].IPv4 {
		t.Fatalf("the thief is at %s, not at %s", thief.Networks[0].IPv4, c.Networks[0].IPv4)
	}
	began := time.Now()
	p, err := inject.Perform(enginetest.Context(t), tools, s.Undo)
	if err == nil || !strings.Contains(err.Error(), thief.Name) || !strings.Contains(err.Error(), c.Networks[0].IPv4) || time.Since(began) > 30*time.Second {
		t.Errorf("%+v, %v after %v", p, err, time.Since(began))
	}
	if at, ok := places(t, c.ID)[n.Name]; !ok {
		t.Error("without its address, it is not in the network at all")
	} else if ip := at.(map[string]any)["IPAddress"]; ip == "" || ip == c.Networks[0].IPv4 {
		t.Errorf("it is at %v", ip)
	}
	injecttest.Docker(t, "stop", "-t", "0", thief.ID)
	if p, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil || len(p.Differences) > 0 {
		t.Errorf("the thief is gone: %+v, %v", p, err)
	}
}

// While it is out, the container is stopped, or restarted: it is put back in any case.
func TestDisconnectAndAnotherLife(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	n := enginetest.TestNetwork(t, tools.Engine)
	for _, change := range []string{"stop", "restart"} {
		c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-life"), enginetest.Network(n.Name, "store"))
		s := disconnected(t, tools, n.Name, c.ID)
		injecttest.Docker(t, change, "-t", "0", c.ID)
		ok, why, err := kind(t, "disconnect").Holding(enginetest.Context(t), tools, s)
		if ok != (change == "restart") || err != nil || ok == (why != "") {
			t.Errorf("%s: Holding returned %v, %q, %v", change, ok, why, err)
		}
		p, err := inject.Perform(enginetest.Context(t), tools, s.Undo)
		if err != nil || !strings.Contains(p.Seen, n.Name) {
			t.Errorf("%s: %+v, %v", change, p, err)
		}
		injecttest.Docker(t, "start", c.ID)
		now := enginetest.Eventually(t, tools.Engine, c.ID, "its start", func(c engine.Container) bool { return c.State.Status == "running" })
		if len(now.Networks) != 1 || now.Networks[0].IPv4 == "" || !reflect.DeepEqual(now.Networks[0].Aliases, []string{"store"}) {
			t.Errorf("%s: afterwards it is in %+v", change, now.Networks)
		}
	}
}

// Its network is removed while it is out.
func TestDisconnectNetworkIsGone(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	name := enginetest.Unique("gameday-lost")
	labels := map[string]string{engine.Label: enginetest.RunLabel()}
	if _, err := tools.Engine.CreateNetwork(enginetest.Context(t), name, labels); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tools.Engine.RemoveNetwork(context.Background(), name) })
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-lost"), enginetest.Network(name))
	s := disconnected(t, tools, name, c.ID)
	if err := inject.Sweep(enginetest.Context(t), tools, runOf(t)); err != nil {
		t.Fatal(err)
	}
	if err := tools.Engine.RemoveNetwork(enginetest.Context(t), name); err != nil {
		t.Fatal(err)
	}
	limit, cancel := context.WithTimeout(enginetest.Context(t), 3*time.Second)
	defer cancel()
	if p, err := inject.Perform(limit, tools, s.Undo); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := tools.Engine.CreateNetwork(enginetest.Context(t), name, labels); err != nil {
		t.Fatal(err)
	}
	if p, err := inject.Perform(enginetest.Context(t), tools, s.Undo); err != nil && !strings.Contains(err.Error(), " and not at ") {
		t.Errorf("there is one of that name again: %+v, %v", p, err)
	}
	if _, ok := places(t, c.ID)[name]; !ok {
		t.Error("there is one of that name again, and the container is not in it")
	}
	if err := tools.Engine.Remove(enginetest.Context(t), c.ID); err != nil { // before its network
		t.Fatal(err)
	}
}

func TestDisconnectWarnings(t *testing.T) {
	t.Parallel()
	tools := injecttest.Tools(t)
	sweep(t, tools)
	n := enginetest.TestNetwork(t, tools.Engine)
	c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-ports"), enginetest.Network(n.Name), enginetest.Publish(8080))
	s := disconnected(t, tools, n.Name, c.ID)
	words := strings.Join(s.Warnings, "\n")
	if !strings.Contains(words, "only network") || !strings.Contains(words, "8080") {
		t.Errorf("warnings: %s", words)
	}
	p, err := inject.Perform(enginetest.Context(t), tools, s.Undo)
	if err != nil {
		t.Fatal(err)
	}
	now, err := tools.Engine.Container(enginetest.Context(t), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(now.Ports) != 1 || (now.Ports[0] == c.Ports[0]) == strings.Contains(strings.Join(p.Differences, "\n"), "published ports") {
		t.Errorf("ports %+v, were %+v; differences %q", now.Ports, c.Ports, p.Differences)
	}
	t.Logf("ports %+v, were %+v", now.Ports, c.Ports)
}
