package sidecar

import (
	"os"
	"path/filepath"
	"testing"
)

// What a fault has written is put back to what the engine has where nobody has looked up what was there.
func TestUnsurveyed(t *testing.T) {
	own := "30 1 8:0 / / rw - ext4 /dev/sda rw\n"
	mountinfo := map[string]string{
		"proc/1/mountinfo":        "27 1 8:0 / / rw - ext4 /dev/sda rw\n",
		"sys/dev/block/8:0/dev":   "8:0\n",
		"sys/class/block/sda/dev": "8:0\n",
	}
	limited := Usual{Memory: 256 << 20, MemorySwap: 512 << 20, CPUQuota: 150000, CPUPeriod: 100000, Write: []Rate{{Device: "/dev/sda", Bytes: 1000}}}
	type files [][2]string
	for _, tt := range []struct {
		name       string
		host       func(*testing.T, map[string]string) *host
		controller string
		spec       LimitSpec
		left       files // by the fault
		want       files
		usual      Usual
	}{
		{"cpu 1", ones, "cpu", LimitSpec{Cores: 0.25}, files{{"cpu.cfs_quota_us", "25000"}}, files{{"cpu.cfs_quota_us", "-1"}}, Usual{}},
		{"cpu 1 limited", ones, "cpu", LimitSpec{Cores: 0.25}, files{{"cpu.cfs_quota_us", "25000"}}, files{{"cpu.cfs_quota_us", "150000"}}, limited},
		{"cpu 2", twos, "cpu", LimitSpec{Cores: 0.25}, files{{"cpu.max", "25000 100000"}}, files{{"cpu.max", "max 100000"}}, Usual{}},
		{"cpu 2 limited", twos, "cpu", LimitSpec{Cores: 0.25}, files{{"cpu.max", "25000 100000"}}, files{{"cpu.max", "150000 100000"}}, limited},
		{"cpu 2 of somebody else", twos, "cpu", LimitSpec{Cores: 0.25}, files{{"cpu.max", "30000 100000"}}, files{{"cpu.max", "30000 100000"}}, limited},
		{"memory 1", ones, "memory", LimitSpec{Memory: 64<<20 + 1}, files{{"memory.limit_in_bytes", "67108864"}, {"memory.memsw.limit_in_bytes", "69206016"}},
			files{{"memory.limit_in_bytes", "-1"}, {"memory.memsw.limit_in_bytes", "-1"}}, Usual{}},
		{"memory 1 limited", ones, "memory", LimitSpec{Memory: 64 << 20}, files{{"memory.limit_in_bytes", "67108864"}, {"memory.memsw.limit_in_bytes", "69206016"}},
			files{{"memory.limit_in_bytes", "268435456"}, {"memory.memsw.limit_in_bytes", "536870912"}}, limited},
		{"memory 1, no swap", ones, "memory", LimitSpec{Memory: 64 << 20}, files{{"memory.limit_in_bytes", "67108864"}, {"memory.memsw.limit_in_bytes", "68157440"}},
			files{{"memory.limit_in_bytes", "68157440"}, {"memory.memsw.limit_in_bytes", "68157440"}}, Usual{Memory: 65 << 20, MemorySwap: 65 << 20}},
		{"memory 2", twos, "memory", LimitSpec{Memory: 64 << 20}, files{{"memory.max", "67108864"}, {"memory.swap.max", "0"}},
			files{{"memory.max", "max"}, {"memory.swap.max", "max"}}, Usual{}},
		{"memory 2 limited", twos, "memory", LimitSpec{Memory: 64 << 20}, files{{"memory.max", "67108864"}, {"memory.swap.max", "0"}},
			files{{"memory.max", "268435456"}, {"memory.swap.max", "268435456"}}, limited},
		{"io 1", ones, "blkio", LimitSpec{Write: 500}, files{{"blkio.throttle.write_bps_device", "8:0 500"}}, files{{"blkio.throttle.write_bps_device", "8:0 0"}}, Usual{}},
		{"io 1 limited", ones, "blkio", LimitSpec{Write: 500}, files{{"blkio.throttle.write_bps_device", "8:0 500"}}, files{{"blkio.throttle.write_bps_device", "8:0 1000"}}, limited},
		{"io 2", twos, "io", LimitSpec{Read: 700, Write: 500}, files{{"io.max", "8:0 wbps=500"}}, files{{"io.max", "8:0 wbps=max"}}, Usual{Read: limited.Write}},
		{"oom 1", ones, "memory", LimitSpec{}, files{{"memory.limit_in_bytes", "33554432"}, {"memory.memsw.limit_in_bytes", "33554432"}},
			files{{"memory.limit_in_bytes", "268435456"}, {"memory.memsw.limit_in_bytes", "536870912"}}, limited},
		{"oom 2", twos, "memory", LimitSpec{}, files{{"memory.max", "1048576"}, {"memory.swap.max", "0"}}, files{{"memory.max", "max"}, {"memory.swap.max", "max"}}, Usual{}},
		{"oom 2 as before", twos, "memory", LimitSpec{}, files{{"memory.max", "268431360"}, {"memory.swap.max", "5"}}, files{{"memory.max", "268431360"}, {"memory.swap.max", "5"}},
			Usual{Memory: 268435455, MemorySwap: 268435460}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.host(t, mountinfo)
			os.MkdirAll(filepath.Join(h.proc, text(int64(h.pid))), 0o755)
			os.WriteFile(filepath.Join(h.proc, text(int64(h.pid)), "mountinfo"), []byte(own), 0o644)
			g, err := h.groups.of(tt.controller)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range tt.left {
				if err := write(g.own, f[0], f[1]); err != nil {
					t.Fatal(err)
				}
			}
			h.usual = &tt.usual
			heal := func() error { return h.healLimits(tt.spec) }
			check := func() (Look, error) { return h.checkLimits(tt.spec) }
			if tt.spec.Cores == 0 && tt.spec.Memory == 0 && tt.spec.Write == 0 {
				heal = func() error { return h.healOOM(OOMSpec{}) }
				check = func() (Look, error) { return h.checkOOM(OOMSpec{}) }
			}
			ours := tt.left[0] != tt.want[0]
			if k, err := check(); err != nil || k.InForce != ours {
				t.Errorf("before, check returned %+v, %v", k, err)
			}
			for range 2 {
				if err := heal(); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range tt.want {
				if got := file(t, h, tt.controller, f[0]); got != f[1] {
					t.Errorf("%s is %q, want %q", f[0], got, f[1])
				}
			}
			if k, err := check(); err != nil || k.InForce || k.Why == "" {
				t.Errorf("afterwards, check returned %+v, %v", k, err)
			}
		})
	}
}
