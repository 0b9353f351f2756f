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
