package sidecar

import "testing"

func TestPacketsSeen(t *testing.T) {
	tests := []struct {
		kind     string
		met, hit int64
		want     string
	}{
		{"partition", 0, 0, "no packet has matched"},
		{"partition", 1, 1, "1 packet was dropped"},
		{"latency", 1204, 1204, "1,204 packets were delayed"},
		{"loss", 412, 3, "412 packets matched, 3 were dropped"},
		{"loss", 412, 1, "412 packets matched, 1 was dropped"},
		{"loss", 1, 0, "1 packet matched, none was dropped"},
		{"rate", 412, 0, "412 packets matched, none had to wait"},
		{"rate", 412, 500, "412 packets matched, some had to wait"},
	}
	for _, tt := range tests {
		if got := packetsSeen(tt.kind, tt.met, tt.hit); got != tt.want {
			t.Errorf("%s, %d and %d: %q, want %q", tt.kind, tt.met, tt.hit, got, tt.want)
		}
	}
}
