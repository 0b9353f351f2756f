package enginetest

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"gameday/inject/engine"
)

// in returns a container's place in a network.
func in(t testing.TB, e engine.Engine, id, network string) (engine.Endpoint, bool) {
	t.Helper()
	for _, at := range get(t, e, id).Networks {
		if at.Network == network {
			slices.Sort(at.Aliases)
			return at, true
		}
	}
	return engine.Endpoint{}, false
}

func testReconnect(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	n := TestNetwork(t, e)
	c := Workload(t, e, Unique("gameday-connect"), Network(n.Name, "api", "web"))
	before, _ := in(t, e, c.ID, n.Name)
	if before.IPv4Bits == 0 || before.Gateway == "" || before.MAC == "" || before.StaticIPv4 != "" || before.IPv6 != "" {
		t.Errorf("its place is %+v", before)
	}
	must(t, e.DisconnectNetwork(ctx, n.ID, c.ID))
	if at, ok := in(t, e, c.ID, n.Name); ok {
		t.Errorf("taken out, it is at %+v", at)
	}
	want(t, engine.ErrConflict, e.DisconnectNetwork(ctx, n.Name, c.ID))
	must(t, e.ConnectNetwork(ctx, n.Name, c.ID, before))
	// Nobody has taken the address meanwhile, and it is the lowest that is free.
	if after, ok := in(t, e, c.ID, n.Name); !ok || !reflect.DeepEqual(after, before) {
		t.Errorf("put back, it is at %+v, was at %+v", after, before)
	}
	want(t, engine.ErrConflict, e.ConnectNetwork(ctx, n.Name, c.ID, before))
	before.StaticIPv4 = before.IPv4
	other := TestNetwork(t, e)
	if err := e.ConnectNetwork(ctx, other.Name, c.ID, before); err == nil {
		t.Error("a static address in a network whose subnet the engine chose is no error")
	}
}

func testStaticAddress(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	subnet, fourth := Subnet()
	subnet6, fourth6 := Subnet6()
	n := TestNetwork(t, e, subnet, subnet6)
	c := Workload(t, e, Unique("gameday-static"))
	must(t, e.ConnectNetwork(ctx, n.Name, c.ID, engine.Endpoint{StaticIPv4: fourth, StaticIPv6: fourth6, Aliases: []string{"store"}}))
	at, _ := in(t, e, c.ID, n.Name)
	if at.IPv4 != fourth || at.IPv6 != fourth6 || at.StaticIPv4 != fourth || at.StaticIPv6 != fourth6 || at.IPv4Bits != 24 || at.IPv6Bits != 64 ||
		at.Gateway == "" || at.GatewayIPv6 == "" || !slices.Equal(at.Aliases, []string{"store"}) || at.NetworkID != n.ID {
		t.Errorf("its place is %+v", at)
	}
	other := Workload(t, e, Unique("gameday-static"))
	want(t, engine.ErrConflict, e.ConnectNetwork(ctx, n.Name, other.ID, engine.Endpoint{StaticIPv4: fourth}))
	if at, ok := in(t, e, other.ID, n.Name); ok {
		t.Errorf("refused, it is at %+v", at)
	}
	must(t, e.ConnectNetwork(ctx, n.Name, other.ID, engine.Endpoint{})) // an attempt that failed is in the way of none
	must(t, e.Restart(ctx, c.ID, 10*time.Second))
	if again, _ := in(t, e, c.ID, n.Name); !reflect.DeepEqual(again, at) {
		t.Errorf("restarted, it is at %+v, was at %+v", again, at)
	}
	if _, err := e.CreateNetwork(ctx, Unique("gameday-net"), nil, "nonsense"); err == nil {
		t.Error("a subnet that is none is no error")
	}
}

func testMembership(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	n := TestNetwork(t, e)
	c := Create(t, e, Unique("gameday-member"))
	must(t, e.ConnectNetwork(ctx, n.Name, c.ID, engine.Endpoint{Aliases: []string{"early"}})) // before it runs
	if at, ok := in(t, e, c.ID, n.Name); !ok || at.IPv4 != "" {
		t.Errorf("before it runs, it is at %+v", at)
	}
	must(t, e.Start(ctx, c.ID))
	if at, _ := in(t, e, c.ID, n.Name); at.IPv4 == "" || !slices.Equal(at.Aliases, []string{"early"}) {
		t.Errorf("started, it is at %+v", at)
	}
	must(t, e.DisconnectNetwork(ctx, "bridge", c.ID))
	must(t, e.DisconnectNetwork(ctx, n.Name, c.ID))
	if c := get(t, e, c.ID); len(c.Networks) != 0 || !c.State.Running {
		t.Errorf("taken out of all networks: %+v", c)
	}
	must(t, e.ConnectNetwork(ctx, "bridge", c.ID, engine.Endpoint{}))
	if at, ok := in(t, e, c.ID, "bridge"); !ok || at.IPv4 == "" {
		t.Errorf("put back, it is at %+v", at)
	}
	want(t, engine.ErrNotFound, e.ConnectNetwork(ctx, Unique("gameday-none"), c.ID, engine.Endpoint{}))
	want(t, engine.ErrNotFound, e.DisconnectNetwork(ctx, Unique("gameday-none"), c.ID))
	host := Workload(t, e, Unique("gameday-member"), Network("host"))
	want(t, engine.ErrConflict, e.ConnectNetwork(ctx, n.Name, host.ID, engine.Endpoint{}))
	guest := Workload(t, e, Unique("gameday-member"), Network("container:"+c.ID))
	want(t, engine.ErrConflict, e.ConnectNetwork(ctx, n.Name, guest.ID, engine.Endpoint{}))
}
