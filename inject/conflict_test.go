package inject

import (
	"net/netip"
	"testing"

	"gameday/inject/engine"
)

func peers(of ...string) []Peer {
	var out []Peer
	for _, p := range of {
		out = append(out, Peer{Prefix: netip.MustParsePrefix(p)})
	}
	return out
}

// Two fills fight over one file system, under whatever paths and in whichever containers it is.
func TestConflictOfFills(t *testing.T) {
	mounts := func(id string, m ...engine.Mount) engine.Container {
		c := runningContainer("no")
		c.ID, c.Mounts = id, m
		return c
	}
	volume := func(name, at string) engine.Mount {
		return engine.Mount{Type: "volume", Name: name, Source: "/var/lib/docker/volumes/" + name + "/_data", Destination: at, RW: true}
	}
	bind := func(source, at string) engine.Mount {
		return engine.Mount{Type: "bind", Source: source, Destination: at, RW: true}
	}
	one := mounts("1", volume("data", "/data"), volume("logs", "/data/logs"), bind("/srv", "/srv"), engine.Mount{Type: "tmpfs", Destination: "/mem", RW: true})
	two := mounts("2", volume("data", "/var/lib/db"), bind("/srv/db/", "/db"), bind("/srv2", "/other"), engine.Mount{Type: "tmpfs", Destination: "/mem", RW: true})
	for _, tt := range []struct {
		a    engine.Container
		at   string
		b    engine.Container
		bt   string
		want string
	}{
		{one, "/data", one, "/data/sub", "the space in the volume data"},
		{one, "/data", one, "/data/logs", ""},
		{one, "/tmp", one, "/var", "the space of its own file system"},
		{one, "/mem", one, "/mem/a", "the space in /mem"},
		{one, "/data", two, "/var/lib/db/x", "the space in the volume data"},
		{one, "/srv/a", two, "/db", "the space in /srv of the engine's host"},
		{one, "/srv", two, "/other", ""},
		{one, "/mem", two, "/mem", ""},
		{one, "/tmp", two, "/tmp", ""},
		{one, "/data/logs", two, "/var/lib/db", ""},
	} {
		plan := func(c engine.Container, path string) Step {
			s, err := fill{}.Plan(Fault{Name: "f", Kind: "fill", Duration: 1, Args: map[string]any{"path": path, "percent": 90.0}}, c, Host{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		a, b := plan(tt.a, tt.at), plan(tt.b, tt.bt)
		if got := Conflict(a, b); got != tt.want {
			t.Errorf("%s of %s and %s of %s: %q, want %q", tt.at, tt.a.ID, tt.bt, tt.b.ID, got, tt.want)
		}
		if (Conflict(b, a) == "") != (tt.want == "") {
			t.Errorf("%s and %s, the other way round: %q", tt.at, tt.bt, Conflict(b, a))
		}
	}
}

func TestConflict(t *testing.T) {
	delay := func(s Selection) Claim { return Claim{Thing: "the delay of packets", Only: &s} }
	tests := []struct {
		name string
		a, b []Claim
		want string
	}{
		{"nothing", nil, nil, ""},
		{"different things", []Claim{{Thing: mainProcess}}, []Claim{{Thing: memoryLimit}}, ""},
		{"one thing", []Claim{{Thing: memoryLimit}}, []Claim{{Thing: mainProcess}, {Thing: memoryLimit}}, memoryLimit},
		{"both share", []Claim{{Thing: running, Shared: true}}, []Claim{{Thing: running, Shared: true}}, ""},
		{"one shares, one takes", []Claim{{Thing: running, Shared: true}}, []Claim{{Thing: running}}, running},
		{"all packets", []Claim{delay(Selection{Direction: "egress"})}, []Claim{delay(Selection{Direction: "both"})}, "the delay of packets in the same direction"},
		{"other directions", []Claim{delay(Selection{Direction: "egress"})}, []Claim{delay(Selection{Direction: "ingress"})}, ""},
		{"one peer and all", []Claim{delay(Selection{Direction: "egress", Peers: peers("10.0.0.2/32")})}, []Claim{delay(Selection{Direction: "egress"})},
			"the delay of packets with 10.0.0.2"},
		{"a peer in a network", []Claim{delay(Selection{Direction: "egress", Peers: peers("10.0.0.2/32", "10.9.0.1/32")})},
			[]Claim{delay(Selection{Direction: "egress", Peers: peers("10.0.0.0/8")})}, "the delay of packets with 10.0.0.2 or 10.9.0.1"},
		{"other peers", []Claim{delay(Selection{Direction: "egress", Peers: peers("10.0.0.2/32")})},
			[]Claim{delay(Selection{Direction: "egress", Peers: peers("10.0.0.3/32", "fd00::/8")})}, ""},
		{"other protocols", []Claim{delay(Selection{Direction: "egress", Protocol: "tcp"})}, []Claim{delay(Selection{Direction: "egress", Protocol: "udp"})}, ""},
		{"ports that overlap", []Claim{delay(Selection{Direction: "egress", Ports: []PortRange{{80, 80}, {8000, 8100}}})},
			[]Claim{delay(Selection{Direction: "egress", Protocol: "tcp", Ports: []PortRange{{8050, 9000}}})}, "the delay of packets on port 8050-8100"},
		{"other ports", []Claim{delay(Selection{Direction: "egress", Ports: []PortRange{{80, 80}}})},
			[]Claim{delay(Selection{Direction: "egress", Ports: []PortRange{{81, 81}}})}, ""},
		{"ICMP has no ports", []Claim{delay(Selection{Direction: "egress", Protocol: "icmp"})},
			[]Claim{delay(Selection{Direction: "egress", Ports: []PortRange{{80, 80}}})}, ""},
	}
	for _, tt := range tests {
		a, b := Step{Claims: tt.a}, Step{Claims: tt.b}
		if got := Conflict(a, b); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := Conflict(b, a); got != tt.want && tt.name != "a peer in a network" {
			t.Errorf("%s, the other way round: %q, want %q", tt.name, got, tt.want)
		}
		b.Container = engine.Container{ID: "other"}
		if got := Conflict(a, b); got != "" {
			t.Errorf("%s, on two containers: %q", tt.name, got)
		}
	}
}
