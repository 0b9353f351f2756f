package inject_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// onHost makes a target that nothing but faults on the host concern, and the tools for it.
func onHost(t *testing.T, opts ...enginetest.Option) (inject.Tools, engine.Container) {
	t.Helper()
	tools := injecttest.Tools(t)
	t.Cleanup(func() {
		if err := inject.Sweep(enginetest.Context(t), tools, runOf(t)); err != nil {
			t.Error(err)
		}
	})
	return tools, enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-host"), append(slices.Clone(apart), opts...)...)
}

// perform undoes as another process does, with the data alone.
func perform(t *testing.T, s inject.Step) inject.Proof {
	t.Helper()
	p, err := inject.Perform(enginetest.Context(t), injecttest.Tools(t), s.Undo)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// either returns the value of the first file that a container's control group has.
func either(s injecttest.Seen, files ...string) string {
	for _, f := range files {
		if v, ok := s.Group[f]; ok {
			return v
		}
	}
	return ""
}

// A limit of the engine's own comes back exactly, and one that somebody sets meanwhile stays and is told of.
func TestLimitOfTheEngine(t *testing.T) {
	t.Parallel()
	memory := []string{"memory.limit_in_bytes", "memory.max"}
	limited := enginetest.With(func(s *engine.Spec) { s.Memory = 256 << 20 })
	tools, c := onHost(t, limited)
	before := injecttest.Outside(t, c.ID)
	s := do(t, tools, "memory", map[string]any{"limit": int64(64 << 20)}, c.ID)
	if now := injecttest.Outside(t, c.ID); either(now, memory...) != "67108864" {
		t.Errorf("the limit is %s", either(now, memory...))
	}
	if in := injecttest.Docker(t, "inspect", "-f", "{{.HostConfig.Memory}}", c.ID); strings.TrimSpace(in) != "268435456" {
		t.Errorf("the engine shows another limit: %s", in)
	}
	if p := perform(t, s); len(p.Differences) > 0 {
		t.Errorf("differences: %q", p.Differences)
	}
	after := injecttest.Outside(t, c.ID)
	for _, f := range append(memory, "memory.memsw.limit_in_bytes", "memory.swap.max") {
		if after.Group[f] != before.Group[f] {
			t.Errorf("%s is %q, and was %q", f, after.Group[f], before.Group[f])
		}
	}

	s = do(t, tools, "memory", map[string]any{"limit": int64(64 << 20)}, c.ID)
	injecttest.Docker(t, "update", "--memory", "128m", "--memory-swap", "200m", c.ID)
	p := perform(t, s)
	if got := either(injecttest.Outside(t, c.ID), memory...); got != "134217728" {
		t.Errorf("somebody has set 128 MiB, and after the undo the limit is %s", got)
	}
	if !slices.ContainsFunc(p.Differences, func(d string) bool { return strings.Contains(d, "134217728") }) {
		t.Errorf("nothing is said of the other limit: %q", p.Differences)
	}
}

// A limit that the container never comes to has tested nothing.
func TestLimitThatHitsNothing(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"sleep": true, "burn": false} {
		tools, c := onHost(t, enginetest.Args(name, "sleep"))
		s := do(t, tools, "cpu", map[string]any{"limit": 0.2}, c.ID)
		time.Sleep(time.Second)
		p, err := inject.Perform(enginetest.Context(t), tools, s.Undo)
		if err != nil {
			t.Fatal(err)
		}
		if (p.HitNothing != "") != want {
			t.Errorf("%s: %+v", name, p)
		}
		if !want && !strings.Contains(p.Seen, "held back in") {
			t.Errorf("%s: the proof says %q", name, p.Seen)
		}
	}
}

// What the kernel kills for want of memory is not stopped by hand: the restart policy acts, and the limits are as before.
func TestOOMWithRestartPolicy(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t, enginetest.RestartPolicy("always"))
	before := injecttest.Outside(t, c.ID)
	s := do(t, tools, "oom", nil, c.ID)
	now := enginetest.Eventually(t, tools.Engine, c.ID, "its restart", func(c engine.Container) bool { return c.State.Status == "running" && c.RestartCount == 1 })
	if ok, why, err := kind(t, "oom").Holding(enginetest.Context(t), tools, s); ok || why != "the restart policy started it again" || err != nil {
		t.Errorf("Holding returned %v, %q, %v", ok, why, err)
	}
	p := perform(t, s)
	after := injecttest.Outside(t, c.ID)
	if !after.State.StartedAt.Equal(now.State.StartedAt) || after.RestartCount != 1 {
		t.Errorf("the undo restarted it: %+v", after)
	}
	for _, f := range []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max", "memory.swap.max"} {
		if after.Group[f] != before.Group[f] {
			t.Errorf("%s is %q, and was %q: %+v", f, after.Group[f], before.Group[f], p)
		}
	}
}

// The kernel's choice may be another process than the main one, which lives on as it was.
func TestOOMOfAnotherProcess(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t, enginetest.Args("fork", "leaky", "48MiB", "sleep"))
	enginetest.Eventually(t, tools.Engine, c.ID, "its other process, with its memory", func(engine.Container) bool {
		now := injecttest.Outside(t, c.ID)
		used, _ := strconv.Atoi(cmp.Or(now.Group["memory.current"], now.Group["memory.usage_in_bytes"]))
		return len(now.Names) > 1 && used > 40<<20
	})
	s := do(t, tools, "oom", nil, c.ID)
	now := injecttest.Outside(t, c.ID)
	alone := func() bool { return len(now.Names) == 1 && !strings.Contains(now.Group["cgroup.procs"], "\n") }
	for end := time.Now().Add(10 * time.Second); !alone() && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		now = injecttest.Outside(t, c.ID) // who was killed is in the list until it has been waited for
	}
	if now.State.Status != "running" || !now.State.StartedAt.Equal(c.State.StartedAt) || !alone() {
		t.Errorf("%+v", now)
	}
	if score, err := os.ReadFile(filepath.Join("/proc", now.Group["cgroup.procs"], "oom_score_adj")); err != nil || strings.TrimSpace(string(score)) != "0" {
		t.Errorf("the score of the main process is %q, %v", score, err)
	}
	if p := perform(t, s); len(p.Differences) > 0 {
		t.Errorf("differences: %q", p.Differences)
	}
	if now := injecttest.Outside(t, c.ID); !now.State.StartedAt.Equal(c.State.StartedAt) {
		t.Errorf("the undo restarted it: %+v", now)
	}
}

// A worker that somebody kills is told of, and not started again.
func TestStressWorkerKilled(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t)
	s := do(t, tools, "stress", map[string]any{"cpu": int64(1)}, c.ID)
	agent := strings.TrimSpace(injecttest.Docker(t, "inspect", "-f", "{{.State.Pid}}", "gameday-host-"+c.ID[:12]))
	threads, err := filepath.Glob(filepath.Join("/proc", agent, "task/*/children"))
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, children := range threads {
		list, err := os.ReadFile(children)
		if err != nil {
			continue // the thread has ended
		}
		for _, worker := range strings.Fields(string(list)) {
			pid, err := strconv.Atoi(worker)
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			killed++
		}
	}
	if killed != 1 {
		t.Fatalf("the helper has %d workers, want 1", killed)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ok, why, err := kind(t, "stress").Holding(enginetest.Context(t), tools, s)
		if !ok && err == nil && strings.Contains(why, "worker") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("its worker is dead, and Holding returned %v, %q, %v", ok, why, err)
		}
	}
	perform(t, s)
}

// The engine can remove a container's control groups although workers of ours were in them.
func TestStressOverARestart(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t)
	s := do(t, tools, "stress", map[string]any{"cpu": int64(1), "memory": int64(16 << 20)}, c.ID)
	injecttest.Docker(t, "restart", "-t", "0", c.ID)
	if now := injecttest.Outside(t, c.ID); working(now, now) {
		t.Errorf("a worker has outlived the restart: %q", now.Names)
	}
	if p := perform(t, s); len(p.Differences) > 0 {
		t.Errorf("differences: %q", p.Differences)
	}
}

// A signal reaches the process that goes by the name, and no other.
func TestSignalToOneProcess(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t, enginetest.Args("fork", "worker", "1MiB", "sleep"))
	enginetest.Eventually(t, tools.Engine, c.ID, "its other process", func(engine.Container) bool { return len(injecttest.Outside(t, c.ID).Names) > 1 })
	f := inject.Fault{Run: runOf(t), Name: "f", Kind: "signal", Args: map[string]any{"process": "nobody"}}
	if _, err := inject.Prepare(enginetest.Context(t), tools, f, c.ID, inject.Host{}); err == nil || !strings.Contains(err.Error(), "no process called") {
		t.Errorf("there is no such process, and Prepare returned %v", err)
	}
	s := do(t, tools, "signal", map[string]any{"process": "worker", "signal": "KILL"}, c.ID)
	now := injecttest.Outside(t, c.ID)
	if now.State.Status != "running" || !now.State.StartedAt.Equal(c.State.StartedAt) {
		t.Errorf("%+v", now)
	}
	if ok, why, err := kind(t, "signal").Holding(enginetest.Context(t), tools, s); ok || !strings.Contains(why, "nothing of it lasts") || err != nil {
		t.Errorf("Holding returned %v, %q, %v", ok, why, err)
	}
	if p := perform(t, s); len(p.Differences) > 0 {
		t.Errorf("differences: %q", p.Differences)
	}
}

// A file in the container's own layer goes whether or not the container runs, so does one that the host has in memory, and one in the
// container's own memory goes with its stop.
func TestFillOfAStoppedTarget(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/tmp", "/mem", "/data"} {
		memory := inMemory(t)
		tools, c := onHost(t, enginetest.With(func(s *engine.Spec) {
			s.Tmpfs, s.Binds = map[string]string{"/mem": "size=64m"}, []string{memory + ":/data"}
		}))
		s := do(t, tools, "fill", map[string]any{"path": path, "size": int64(8 << 20)}, c.ID)
		if now := injecttest.Outside(t, c.ID); !now.Filled(path) {
			t.Errorf("%s is not filled", path)
		}
		injecttest.Docker(t, "stop", "-t", "0", c.ID)
		p := perform(t, s)
		if p.Seen == "" {
			t.Errorf("%+v", p)
		}
		injecttest.Docker(t, "start", c.ID)
		if now := injecttest.Outside(t, c.ID); now.Filled(path) {
			t.Errorf("%s is still filled after the undo: %+v", path, p)
		}
	}
}

// inMemory is a directory that the host has in memory.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "gameday-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A volume outlives its container, and the file must not; nor where the host has the volume in memory.
func TestFillOfARemovedTarget(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), inMemory(t)} {
		tools, c := onHost(t, enginetest.With(func(s *engine.Spec) { s.Binds = []string{dir + ":/data"} }))
		s := do(t, tools, "fill", map[string]any{"path": "/data", "size": int64(8 << 20)}, c.ID)
		injecttest.Docker(t, "rm", "-f", c.ID)
		perform(t, s)
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("the volume %s holds %v, %v", dir, left, err)
		}
	}
}

// A share of a file system of the container's own is what df says.
func TestFillToAPercent(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t, enginetest.With(func(s *engine.Spec) { s.Tmpfs = map[string]string{"/mem": "size=32m"} }))
	s := do(t, tools, "fill", map[string]any{"path": "/mem", "percent": 90.0}, c.ID)
	files, err := filepath.Glob(filepath.Join("/proc", strings.TrimSpace(injecttest.Docker(t, "inspect", "-f", "{{.State.Pid}}", c.ID)), "root/mem/.gameday-*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	if st, err := os.Stat(files[0]); err != nil || st.Size() < 28<<20 || st.Size() > 30<<20 {
		t.Errorf("the file has %d bytes, %v", st.Size(), err)
	}
	perform(t, s)
}

// What is written and waited for is held back.
func TestIOIsSlow(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t, onDisk(t.TempDir()), enginetest.Args("spool", "/data/spool", "1MiB", "sleep"))
	s := do(t, tools, "io", map[string]any{"write": int64(512 << 10)}, c.ID)
	time.Sleep(4 * time.Second)
	p, err := inject.Perform(enginetest.Context(t), tools, s.Undo)
	if err != nil {
		t.Fatal(err)
	}
	if p.HitNothing != "" || !strings.Contains(p.Seen, "came to the limit") || len(p.Differences) > 0 {
		t.Errorf("%+v", p)
	}
}

// What only the host can tell is told when a fault is planned, and leaves nothing there.
func TestCheckOnTheHost(t *testing.T) {
	t.Parallel()
	tools, c := onHost(t)
	for want, args := range map[string]map[string]any{"": {"limit": 0.5}, "changes nothing": {"limit": 4096.0}} {
		f := inject.Fault{Run: enginetest.Unique("test"), Name: "f", Kind: "cpu", Args: args, Duration: time.Minute}
		s, err := kind(t, "cpu").Plan(f, c, inject.Host{})
		if err != nil {
			t.Fatal(err)
		}
		err = kind(t, "cpu").(inject.Checker).Check(enginetest.Context(t), tools, s)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.Name)) {
			t.Errorf("%v: %v, want an error with %q", args, err, want)
		}
		if err := inject.Sweep(enginetest.Context(t), tools, f.Run); err != nil {
			t.Error(err)
		}
		if left := injecttest.Docker(t, "ps", "-aq", "--filter", "label=gameday="+f.Run); left != "" {
			t.Errorf("left behind: %s", left)
		}
	}
}
