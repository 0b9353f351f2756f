package sidecar

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes a directory tree that looks like a container's control groups, and a host whose container has them. The files are
// plain ones: what the kernel refuses is tested on a kernel.
func tree(t *testing.T, lines string, trees func(dir string) []hierarchy, files map[string]string) *host {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{id: id, pid: os.Getpid(), fd: fd, engine: 1, groups: &groups{id: id, lines: lines, trees: trees(dir)}, proc: filepath.Join(dir, "proc"), sys: filepath.Join(dir, "sys")}
	t.Cleanup(func() { h.close() })
	return h
}

// ones makes a tree of version 1.
func ones(t *testing.T, files map[string]string) *host {
	t.Helper()
	all := map[string]string{
		"cpu/docker/" + id + "/cpu.cfs_quota_us":                  "-1\n",
		"cpu/docker/" + id + "/cpu.cfs_period_us":                 "100000\n",
		"cpu/docker/" + id + "/cpu.stat":                          "nr_periods 4\nnr_throttled 1\nthrottled_time 5\n",
		"cpu/docker/" + id + "/cgroup.procs":                      "",
		"memory/docker/" + id + "/memory.limit_in_bytes":          "9223372036854771712\n",
		"memory/docker/" + id + "/memory.memsw.limit_in_bytes":    "9223372036854771712\n",
		"memory/docker/" + id + "/memory.usage_in_bytes":          "20000000\n",
		"memory/docker/" + id + "/memory.failcnt":                 "7\n",
		"memory/docker/" + id + "/memory.stat":                    "inactive_file 1\ntotal_inactive_file 9000000\ntotal_active_file 6000000\n",
		"memory/docker/" + id + "/memory.oom_control":             "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"memory/docker/" + id + "/cgroup.procs":                   "",
		"blkio/docker/" + id + "/blkio.throttle.read_bps_device":  "",
		"blkio/docker/" + id + "/blkio.throttle.write_bps_device": "8:0 1000\n",
		"blkio/docker/" + id + "/blkio.throttle.io_serviced":      "8:0 Read 3\n8:0 Write 5\n8:0 Total 8\nTotal 8\n",
		"blkio/docker/" + id + "/blkio.throttle.io_service_bytes": "8:0 Read 4096\n8:0 Write 8192\nTotal 12288\n",
		"blkio/docker/" + id + "/cgroup.procs":                    "",
		"sys/devices/system/cpu/online":                           "0-3,8\n",
	}
	for name, text := range files {
		all[name] = text
	}
	lines := "9:name=systemd:/docker/" + id + "\n7:blkio:/docker/" + id + "\n4:memory:/docker/" + id + "\n2:cpu,cpuacct:/docker/" + id + "\n0::/\n"
	return tree(t, lines, func(dir string) []hierarchy {
		return []hierarchy{
			{point: filepath.Join(dir, "cpu"), root: "/", controllers: []string{"rw", "cpu", "cpuacct"}},
			{point: filepath.Join(dir, "memory"), root: "/", controllers: []string{"rw", "memory"}},
			{point: filepath.Join(dir, "blkio"), root: "/", controllers: []string{"rw", "blkio"}},
			{point: filepath.Join(dir, "unified"), root: "/"},
		}
	}, all)
}

// twos makes a tree of version 2, under systemd, whose container has made a group of its own.
func twos(t *testing.T, files map[string]string) *host {
	t.Helper()
	scope := "system.slice/docker-" + id + ".scope"
	all := map[string]string{
		scope + "/cgroup.controllers":      "cpu io memory pids\n",
		scope + "/cgroup.procs":            "",
		scope + "/cpu.max":                 "max 100000\n",
		scope + "/cpu.stat":                "usage_usec 5\nnr_periods 4\nnr_throttled 1\n",
		scope + "/memory.max":              "max\n",
		scope + "/memory.swap.max":         "max\n",
		scope + "/memory.current":          "20000000\n",
		scope + "/memory.stat":             "anon 5000000\ninactive_file 9000000\nactive_file 6000000\n",
		scope + "/memory.events":           "low 0\nhigh 0\nmax 7\noom 0\noom_kill 2\n",
		scope + "/io.max":                  "8:0 rbps=max wbps=1000 riops=max wiops=max\n",
		scope + "/io.stat":                 "8:0 rbytes=4096 wbytes=8192 rios=3 wios=5 dbytes=0 dios=0\n",
		scope + "/init.scope/cgroup.procs": "",
		"sys/devices/system/cpu/online":    "0-4\n",
	}
	for name, text := range files {
		all[name] = text
	}
	return tree(t, "0::/system.slice/docker-"+id+".scope/init.scope\n", func(dir string) []hierarchy {
		return []hierarchy{{point: dir, root: "/"}}
	}, all)
}

// file returns what a file of a tree holds.
func file(t *testing.T, h *host, controller, name string) string {
	t.Helper()
	g, err := h.groups.of(controller)
	if err != nil {
		t.Fatal(err)
	}
	text, err := g.read(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

func TestHierarchies(t *testing.T) {
	const text = `22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /docker/outer /cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /cgroup/uni\040fied rw,relatime - cgroup2 cgroup2 rw
42 31 0:39 / /sys/fs/cgroup ro,relatime - cgroup2 cgroup2 rw
`
	got := hierarchies(text, "/cgroup")
	if len(got) != 3 || got[0].point != "/cgroup/cpu,cpuacct" || !slices.Contains(got[0].controllers, "cpuacct") ||
		got[1].root != "/docker/outer" || got[2].point != "/cgroup/uni fied" || len(got[2].controllers) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestFindGroups(t *testing.T) {
	outer := "/docker/" + otherID
	for _, tt := range []struct{ name, lines, root, dir, want string }{
		{"cgroupfs", "4:memory:/docker/" + id, "/", "docker/" + id, ""},
		{"own parent", "4:memory:/team/a/" + id, "/", "team/a/" + id, ""},
		{"in another container", "4:memory:" + outer + "/docker/" + id, outer, "docker/" + id, ""},
		{"groups of its own", "4:memory:/docker/" + id + "/worker", "/", "docker/" + id, ""},
		{"the host's", "4:memory:/\n", "/", "docker/" + id, "not the container's own"},
		{"another container's", "4:memory:" + outer, "/", "docker/" + otherID, "not the container's own"},
		{"out of sight", "4:memory:/elsewhere/" + id, "/docker", "elsewhere/" + id, "not below"},
		{"another namespace", "4:memory:/../" + id, "/", id, "not below"},
		{"no such controller", "4:pids:/docker/" + id, "/", "docker/" + id, "has no control groups for memory"},
		{"not there any more", "4:memory:/docker/" + id, "/", "docker/other", "no such file"},
	} {
		dir := t.TempDir()
		os.MkdirAll(filepath.Join(dir, tt.dir, "worker"), 0o755)
		os.WriteFile(filepath.Join(dir, tt.dir, "memory.limit_in_bytes"), []byte("5"), 0o644)
		g := &groups{id: id, lines: tt.lines, trees: []hierarchy{{point: dir, root: tt.root, controllers: []string{"memory"}}}}
		one, err := g.of("memory")
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			} else if n, err := one.number("memory.limit_in_bytes"); n != 5 {
				t.Errorf("%s: read %d, %v", tt.name, n, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
		if tt.name == "not there any more" && !isGone(err) {
			t.Errorf("%v does not say that the group is gone", err)
		}
		g.close()
	}
}

// Each kind writes what it should, is seen, and puts everything back.
func TestLimits(t *testing.T) {
	const gib = 1 << 30
	mountinfo := map[string]string{
		"proc/1/mountinfo":      "27 1 8:0 / / rw - ext4 /dev/sda rw\n",
		"sys/dev/block/8:0/dev": "8:0\n",
	}
	own := "30 1 0:50 / / rw - overlay overlay rw,lowerdir=l/A:l/B,upperdir=/var/lib/docker/overlay2/x/diff,workdir=/w\n"
	for _, tt := range []struct {
		name   string
		host   func(*testing.T, map[string]string) *host
		kind   string
		spec   LimitSpec
		during []string // controller, file, value
		dump   []string
	}{
		{"cpu 1", ones, "cpu", LimitSpec{Cores: 0.5}, []string{"cpu", "cpu.cfs_quota_us", "50000"}, []string{"cpu.cfs_period_us 100000", "cpu.cfs_quota_us -1"}},
		{"cpu 2", twos, "cpu", LimitSpec{Cores: 0.5}, []string{"cpu", "cpu.max", "50000 100000"}, []string{"cpu.max max 100000"}},
		{"memory 1", ones, "memory", LimitSpec{Memory: 64 << 20}, []string{"memory", "memory.memsw.limit_in_bytes", "69206016"},
			[]string{"memory.limit_in_bytes 9223372036854771712", "memory.memsw.limit_in_bytes 9223372036854771712"}},
		{"memory 2", twos, "memory", LimitSpec{Memory: 64<<20 + 1}, []string{"memory", "memory.max", "67108864"}, []string{"memory.max max", "memory.swap.max max"}},
		{"io 1", ones, "io", LimitSpec{Read: gib, Write: 500}, []string{"blkio", "blkio.throttle.write_bps_device", "8:0 500"}, []string{"blkio.throttle.write_bps_device 8:0 1000"}},
		{"io 2", twos, "io", LimitSpec{Write: 500}, []string{"io", "io.max", "8:0 wbps=500"}, []string{"io.max 8:0 rbps=max wbps=1000 riops=max wiops=max"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.host(t, mountinfo)
			os.MkdirAll(filepath.Join(h.proc, text(int64(h.pid))), 0o755)
			os.WriteFile(filepath.Join(h.proc, text(int64(h.pid)), "mountinfo"), []byte(own), 0o644)
			spec, err := h.surveyLimits(tt.kind, tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := h.dump(tt.kind, nil)
			if err != nil || !slices.Equal(lines, tt.dump) {
				t.Errorf("dump is %q, %v; want %q", lines, err, tt.dump)
			}
			l := &limit{h: h, kind: tt.kind, spec: spec, halt: make(chan struct{})}
			if _, err := l.apply(); err != nil {
				t.Fatal(err)
			}
			if got := file(t, h, tt.during[0], tt.during[1]); got != tt.during[2] {
				t.Errorf("%s is %q, want %q", tt.during[1], got, tt.during[2])
			}
			if tt.kind == "io" {
				return // a plain file keeps the last line alone
			}
			if k, err := l.look(); err != nil || !k.InForce || k.Seen == "" || k.Met < 1 {
				t.Errorf("look returned %+v, %v", k, err)
			}
			if k, err := h.checkOurs(spec.Settings); err != nil || !k.InForce {
				t.Errorf("check returned %+v, %v", k, err)
			}
			for range 2 {
				if err := l.undo(); err != nil {
					t.Fatal(err)
				}
				if lines, err := h.dump(tt.kind, nil); err != nil || !slices.Equal(lines, tt.dump) {
					t.Errorf("after the undo %q, %v; want %q", lines, err, tt.dump)
				}
			}
			if k, err := h.checkOurs(spec.Settings); err != nil || k.InForce || k.Why == "" {
				t.Errorf("after the undo check returned %+v, %v", k, err)
			}
		})
	}
}

// What somebody else has changed since is theirs.
func TestForeignLimit(t *testing.T) {
	h := twos(t, nil)
	spec, err := h.surveyLimits("memory", LimitSpec{Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	l := &limit{h: h, kind: "memory", spec: spec, halt: make(chan struct{})}
	g, _ := h.groups.of("memory")
	write(g.own, "memory.max", "1000000000")
	if _, err := l.apply(); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("it was changed since it was looked up, and apply returned %v", err)
	}
	write(g.own, "memory.max", "max")
	if _, err := l.apply(); err != nil {
		t.Fatal(err)
	}
	write(g.own, "memory.max", "1000000000")
	if k, err := l.look(); err != nil || k.InForce || !strings.Contains(k.Why, "memory.max is 1000000000") {
		t.Errorf("look returned %+v, %v", k, err)
	}
	if err := l.undo(); err != nil {
		t.Fatal(err)
	}
	if is, swap := file(t, h, "memory", "memory.max"), file(t, h, "memory", "memory.swap.max"); is != "1000000000" || swap != "max" {
		t.Errorf("after the undo memory.max is %s and memory.swap.max %s", is, swap)
	}
}

func TestLimitRefusals(t *testing.T) {
	scope := "system.slice/docker-" + id + ".scope"
	one := "docker/" + id
	for _, tt := range []struct {
		name string
		h    *host
		kind string
		spec LimitSpec
		want string
	}{
		{"all cores", ones(t, nil), "cpu", LimitSpec{Cores: 5}, "has 5 cores"},
		{"as before", ones(t, map[string]string{"cpu/" + one + "/cpu.cfs_quota_us": "50000"}), "cpu", LimitSpec{Cores: 0.5}, "may use 0.5 cores already"},
		{"as before", twos(t, map[string]string{scope + "/cpu.max": "25000 100000"}), "cpu", LimitSpec{Cores: 0.5}, "may use 0.25 cores already"},
		{"more memory", twos(t, map[string]string{scope + "/memory.max": "8388608"}), "memory", LimitSpec{Memory: 64 << 20}, "may use 8MiB already"},
		{"in use", ones(t, map[string]string{"memory/" + one + "/memory.usage_in_bytes": "114614720\n"}), "memory", LimitSpec{Memory: 64 << 20}, "holds 95MiB"},
		{"not delegated", twos(t, map[string]string{scope + "/cgroup.controllers": "memory pids"}), "cpu", LimitSpec{Cores: 0.5}, "not enabled"},
	} {
		if s, err := tt.h.surveyLimits(tt.kind, tt.spec); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, %v; want an error with %q", tt.name, s, err, tt.want)
		}
	}
}

func TestQuotaFor(t *testing.T) {
	for _, tt := range []struct {
		cores         float64
		period        int64
		quota, become int64
	}{{0.5, 100000, 50000, 100000}, {2, 20000, 40000, 20000}, {0.01, 100000, 1000, 100000}, {0.01, 10000, 1000, 100000}, {0.05, 20000, 1000, 20000}} {
		if q, p := quotaFor(tt.cores, tt.period); q != tt.quota || p != tt.become {
			t.Errorf("%v of %d: %d %d, want %d %d", tt.cores, tt.period, q, p, tt.quota, tt.become)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 64 << 20: "64MiB", 9961472: "9.5MiB", 1 << 40: "1TiB", 3 << 50: "3072TiB", unbounded: "any amount"} {
		if got := Bytes(n).String(); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestDisks(t *testing.T) {
	sys := t.TempDir()
	for _, d := range []string{"devices/vda", "devices/vda/vda1", "devices/dm-3/dm", "dev/block", "class/block"} {
		os.MkdirAll(filepath.Join(sys, d), 0o755)
	}
	for f, text := range map[string]string{"vda/dev": "254:0\n", "vda/vda1/dev": "254:1\n", "vda/vda1/partition": "1\n", "dm-3/dev": "253:3\n", "dm-3/dm/name": "data-shop\n"} {
		os.WriteFile(filepath.Join(sys, "devices", f), []byte(text), 0o644)
	}
	for name, to := range map[string]string{"dev/block/254:0": "vda", "dev/block/254:1": "vda/vda1", "dev/block/253:3": "dm-3",
		"class/block/vda1": "vda/vda1", "class/block/dm-3": "dm-3"} {
		os.Symlink(filepath.Join(sys, "devices", to), filepath.Join(sys, name))
	}
	const engine = "27 1 254:1 / / rw - ext4 /dev/vda1 rw\n28 27 253:3 / /var/lib/docker rw - xfs /dev/mapper/data-shop rw\n"
	const hosts = "50 30 254:1 /x/hosts /etc/hosts rw - ext4 /dev/vda1 rw\n"
	const overlay = "30 1 0:50 / / rw - overlay overlay rw,lowerdir=l/A:l/B,upperdir=/var/lib/docker/overlay2/x/diff,workdir=/w\n"
	for _, tt := range []struct{ name, own, want, err string }{
		{"overlay", overlay + hosts, "253:3", ""},
		{"a partition", overlay + "31 30 254:1 /v /data rw - ext4 /dev/vda1 rw\n", "253:3 254:0", ""},
		{"a device by name", "30 1 0:40 /x / rw - btrfs /dev/mapper/data-shop rw\n", "253:3", ""},
		{"a partition by name", "30 1 0:40 /x / rw - btrfs /dev/vda1 rw\n", "254:0", ""},
		{"fuse", "30 1 0:39 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0\n" + hosts, "", "another process reads and writes"},
		{"fuse and a volume", "30 1 0:39 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw\n31 30 253:3 /v /data rw - xfs /dev/dm-3 rw\n", "253:3", ""},
		{"memory", "30 1 0:39 / / rw - tmpfs tmpfs rw\n31 30 0:40 / /dev/shm rw - tmpfs shm rw\n32 30 0:41 / /proc rw - proc proc rw\n", "", "in memory"},
		{"far away", "30 1 0:39 / / rw - nfs4 filer:/x rw\n", "", "on no disk of this host"},
		{"nothing", "", "", "no files"},
	} {
		got, err := disks(parseMounts(tt.own), parseMounts(engine), sys)
		if strings.Join(got, " ") != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v; want %q and an error with %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestCovering(t *testing.T) {
	all := parseMounts("1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /var rw - ext4 b rw\n3 1 8:3 / /var/lib rw - ext4 c rw\n4 1 8:4 / /var/lib rw - ext4 d rw\n")
	for path, want := range map[string]string{"/": "8:1", "/va": "8:1", "/variable": "8:1", "/var": "8:2", "/var/log/x": "8:2", "/var/lib/x": "8:4"} {
		if m, ok := covering(all, path); !ok || m.dev != want {
			t.Errorf("%s lies on %s, want %s", path, m.dev, want)
		}
	}
	if _, ok := covering(nil, "/"); ok {
		t.Error("without mounts there is one")
	}
}

// A limit of memory leaves the sum of memory and swap room, so that it is the one that is met; where the sum has less room, it stays.
func TestSwapBesideMemory(t *testing.T) {
	for _, tt := range []struct{ sum, want string }{
		{"9223372036854771712", "69206016"},
		{"69206017", "69206016"},
		{"69206016", ""},
		{"67174400", ""},
	} {
		g, err := ones(t, map[string]string{"memory/docker/" + id + "/memory.memsw.limit_in_bytes": tt.sum + "\n"}).groups.of("memory")
		if err != nil {
			t.Fatal(err)
		}
		all, err := g.memoryTo(swapRoom, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range all {
			if s.File == g.memoryFiles().swap {
				got = strings.Join(s.Set, " ")
			}
		}
		if got != tt.want {
			t.Errorf("with a sum of %s it is lowered to %q, want %q", tt.sum, got, tt.want)
		}
	}
}
