package sidecar

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test program be the workers, and what they work on.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "sidecar" {
		os.Exit(Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	if os.Getenv(victimEnv) != "" {
		victim()
		return
	}
	os.Exit(m.Run())
}

const victimEnv = "GAMEDAY_TEST_VICTIM"

// victim holds 24 MiB, says so, writes 8 MiB to the disk into each file that its stdin names, and ends with that.
func victim() {
	mem := make([]byte, 24<<20)
	for i := range mem {
		mem[i] = byte(i) | 1
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		f, err := os.Create(lines.Text())
		if err == nil {
			_, err = f.Write(mem[:8<<20])
			err = errors.Join(err, f.Sync(), f.Close())
		}
		fmt.Println("written", err)
	}
	fmt.Println(mem[0])
}

// A patient is a victim that can be told to write.
type patient struct {
	*exec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

// write has the victim write 8 MiB to a file and to its disk, and says how long that took.
func (p *patient) write(t *testing.T, path string) time.Duration {
	t.Helper()
	begin := time.Now()
	fmt.Fprintln(p.in, path)
	if !p.out.Scan() || p.out.Text() != "written <nil>" {
		t.Fatalf("the process that writes says %q", p.out.Text())
	}
	return time.Since(begin)
}

// kernel makes a control group as a container has one on this machine's kernel, with a process in it.
func kernel(t *testing.T) (*host, *patient) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("control groups are made by root")
	}
	root := "/sys/fs/cgroup"
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if len(hierarchies(string(mountinfo), root)) == 0 {
		root = t.TempDir()
		if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
			t.Skipf("there are no control groups, and none can be mounted: %v", err)
		}
		t.Cleanup(func() { unix.Unmount(root, unix.MNT_DETACH) })
		if mountinfo, err = os.ReadFile("/proc/self/mountinfo"); err != nil {
			t.Fatal(err)
		}
	}
	trees := hierarchies(string(mountinfo), root)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victimEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Test processes share the machine.
	var random [32]byte
	rand.Read(random[:])
	name := hex.EncodeToString(random[:])
	var dirs []string
	for _, h := range trees {
		if len(h.controllers) == 0 && len(trees) > 1 {
			continue // it has no controllers here
		}
		if len(h.controllers) > 0 && !slices.ContainsFunc([]string{"cpu", "cpuacct", "memory", "blkio"}, func(c string) bool { return slices.Contains(h.controllers, c) }) {
			continue
		}
		if len(h.controllers) == 0 {
			if err := os.WriteFile(filepath.Join(h.point, "cgroup.subtree_control"), []byte("+cpu +memory +io"), 0); err != nil {
				t.Skipf("the controllers cannot be had: %v", err)
			}
		}
		dir := filepath.Join(h.point, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
		for _, d := range dirs {
			var err error
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if err = os.Remove(d); err == nil {
					break
				}
			}
			if err != nil {
				t.Errorf("a process is left in %s: %v", d, err)
			}
		}
	})
	// It is born in the group, so that its memory counts there.
	join := "for d in " + strings.Join(dirs, " ") + `; do echo $$ > $d/cgroup.procs || exit 1; done; exec "$0"`
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", join, fmt.Sprintf("/proc/%d/exe", os.Getpid())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &patient{cmd, in, bufio.NewScanner(out)}
	if !p.out.Scan() || p.out.Text() != "ready" {
		t.Fatalf("the process in the group says %q", p.out.Text())
	}
	pid := cmd.Process.Pid
	fd, lines, err := hold(pid, name)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{id: name, pid: pid, fd: fd, groups: &groups{id: name, lines: lines, trees: trees}, proc: "/proc", sys: "/sys", engine: os.Getpid()}
	t.Cleanup(func() { h.close() })
	return h, p
}

// survey looks a fault up as an agent does.
func survey(t *testing.T, h *host, kind string, spec any) (json.RawMessage, effect) {
	t.Helper()
	raw, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	found, err := h.survey(kind, raw)
	if err != nil {
		t.Fatal(err)
	}
	e, err := h.prepare("f", kind, found)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.undo() })
	return found, e
}

// The kernel takes every limit, shows it, and has the old one back after the undo: by the agent, or by another that knows the data
// alone.
func TestLimitsOnTheKernel(t *testing.T) {
	for _, tt := range []struct {
		kind string
		spec LimitSpec
	}{{"cpu", LimitSpec{Cores: 0.5}}, {"cpu", LimitSpec{Cores: 0.01}}, {"memory", LimitSpec{Memory: 64 << 20}}, {"memory", LimitSpec{Memory: 64<<20 + 12345}}} {
		t.Run(fmt.Sprintf("%s %+v", tt.kind, tt.spec), func(t *testing.T) {
			h, _ := kernel(t)
			before, err := h.dump(tt.kind, nil)
			if err != nil || len(before) == 0 {
				t.Fatalf("%q, %v", before, err)
			}
			found, e := survey(t, h, tt.kind, tt.spec)
			for _, undo := range []func() error{e.undo, func() error { return h.heal(tt.kind, found) }} {
				if _, err := e.apply(); err != nil {
					t.Fatal(err)
				}
				if k, err := e.look(); err != nil || !k.InForce {
					t.Errorf("%s: look returned %+v, %v", tt.kind, k, err)
				}
				if k, err := h.check(tt.kind, found); err != nil || !k.InForce {
					t.Errorf("%s: check returned %+v, %v", tt.kind, k, err)
				}
				if err := undo(); err != nil {
					t.Fatal(err)
				}
				if after, err := h.dump(tt.kind, nil); err != nil || !slices.Equal(after, before) {
					t.Errorf("%s: after the undo %q, %v; want %q", tt.kind, after, err, before)
				}
				if k, err := h.check(tt.kind, found); err != nil || k.InForce {
					t.Errorf("%s: after the undo check returned %+v, %v", tt.kind, k, err)
				}
			}
		})
	}
}

// Files that are written come to a limit of memory, and the kernel counts that.
func TestMemoryMetOnTheKernel(t *testing.T) {
	h, p := kernel(t)
	dir := onDisk(t)
	_, e := survey(t, h, "memory", LimitSpec{Memory: 48 << 20})
	if _, err := e.apply(); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		p.write(t, filepath.Join(dir, fmt.Sprint(i)))
	}
	if k, err := e.look(); err != nil || !k.InForce || k.Met <= 0 || !strings.Contains(k.Seen, "came to its limit") {
		t.Errorf("look returned %+v, %v", k, err)
	}
}

// The kernel writes no faster than the limit says, counts what was written, and is as before after the undo.
func TestIOOnTheKernel(t *testing.T) {
	h, p := kernel(t)
	file := filepath.Join(onDisk(t), "file")
	before, err := h.dump("io", nil)
	if err != nil {
		t.Fatal(err)
	}
	found, e := survey(t, h, "io", LimitSpec{Write: 2 << 20})
	if _, err := e.apply(); err != nil {
		t.Fatal(err)
	}
	if took := p.write(t, file); took < 2*time.Second {
		t.Errorf("8 MiB were written within %v, with a limit of 2 MiB/s", took)
	}
	if k, err := e.look(); err != nil || !k.InForce || k.Met <= 0 || !strings.Contains(k.Seen, "came to the limit") {
		t.Errorf("look returned %+v, %v", k, err)
	}
	if err := h.heal("io", found); err != nil {
		t.Fatal(err)
	}
	if after, err := h.dump("io", nil); err != nil || !slices.Equal(after, before) {
		t.Errorf("after the undo %q, %v; want %q", after, err, before)
	}
	if k, err := h.check("io", found); err != nil || k.InForce {
		t.Errorf("after the undo check returned %+v, %v", k, err)
	}
}

// onDisk is a directory on a disk. The emulated machine has none; it makes one of memory.
func onDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if os.Getenv("GAMEDAY_TEST_EMULATED") == "" {
		return dir
	}
	do := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v: %s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	do("modprobe", "loop")
	image := filepath.Join(t.TempDir(), "image")
	// Written in whole, so that its memory is not that of the group that writes to it later.
	if err := os.WriteFile(image, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	dev := do("losetup", "-f")
	do("losetup", dev, image)
	t.Cleanup(func() { do("losetup", "-d", dev) })
	do("mke2fs", dev)
	do("mount", "-t", "ext2", dev, dir)
	t.Cleanup(func() { do("umount", dir) })
	return dir
}

// Less memory than is held is refused.
func TestTooLittleMemoryOnTheKernel(t *testing.T) {
	h, _ := kernel(t)
	raw, _ := json.Marshal(LimitSpec{Memory: 8 << 20})
	if _, err := h.survey("memory", raw); err == nil || !strings.Contains(err.Error(), "the kernel would kill") {
		t.Errorf("survey returned %v", err)
	}
}

func TestOOMOnTheKernel(t *testing.T) {
	h, cmd := kernel(t)
	before, err := h.dump("oom", nil)
	if err != nil {
		t.Fatal(err)
	}
	found, e := survey(t, h, "oom", OOMSpec{})
	at, err := e.apply()
	if err != nil {
		t.Fatal(err)
	}
	if k, err := e.look(); err != nil || !k.InForce || at.IsZero() || !strings.Contains(k.Seen, "the main process") {
		t.Errorf("look returned %+v, %v", k, err)
	}
	err = cmd.Wait()
	if st, ok := cmd.ProcessState.Sys().(interface{ Signaled() bool }); !ok || !st.Signaled() {
		t.Errorf("the process ended with %v", err)
	}
	if after, err := h.dump("oom", nil); err != nil || !slices.Equal(after, before) {
		t.Errorf("after the kill %q, %v; want %q", after, err, before)
	}
	if k, err := h.check("oom", found); err != nil || k.InForce {
		t.Errorf("after the kill check returned %+v, %v", k, err)
	}
}

// Workers burn in the group, and go with the fault.
func TestStressOnTheKernel(t *testing.T) {
	h, _ := kernel(t)
	found, e := survey(t, h, "stress", StressSpec{Fault: "r/f", Workers: 1, Memory: 16 << 20})
	if k, err := h.check("stress", found); err != nil || k.InForce {
		t.Errorf("before it check returned %+v, %v", k, err)
	}
	if _, err := e.apply(); err != nil {
		t.Fatal(err)
	}
	var k Look
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && !k.InForce; time.Sleep(20 * time.Millisecond) {
		if k, err = e.look(); err != nil {
			t.Fatal(err)
		}
	}
	if !k.InForce || !strings.Contains(k.Seen, "of CPU time") || !strings.Contains(k.Seen, "holds 16MiB") {
		t.Errorf("look returned %+v", k)
	}
	if k, err := h.check("stress", found); err != nil || !k.InForce {
		t.Errorf("check returned %+v, %v", k, err)
	}
	if err := h.heal("stress", found); err != nil {
		t.Fatal(err)
	}
	if k, err := h.check("stress", found); err != nil || k.InForce {
		t.Errorf("after the heal check returned %+v, %v", k, err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && k.InForce; time.Sleep(5 * time.Millisecond) {
		if k, err = e.look(); err != nil {
			t.Fatal(err)
		}
	}
	if k.InForce || !strings.Contains(k.Why, "worker has ended") {
		t.Errorf("somebody killed the workers, and look returned %+v", k)
	}
}

// The workers do not outlive the process whose group they are in: it could not be removed.
func TestStressEndsWithTheProcess(t *testing.T) {
	h, cmd := kernel(t)
	_, e := survey(t, h, "stress", StressSpec{Fault: "r/f", Workers: 1})
	if _, err := e.apply(); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	var k Look
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && k.Why == ""; time.Sleep(5 * time.Millisecond) {
		k, _ = e.look()
	}
	if k.InForce || k.Why == "" {
		t.Errorf("look returned %+v", k)
	}
}

func TestSignalOnTheKernel(t *testing.T) {
	h, cmd := kernel(t)
	name := "exe" // as the kernel calls what is executed through /proc
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid)); err == nil {
		name = strings.TrimSpace(string(text))
	}
	found, e := survey(t, h, "signal", SignalSpec{Process: name, Signal: "SIGSTOP"})
	if _, err := e.apply(); err != nil {
		t.Fatal(err)
	}
	var k Look
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && !k.InForce; time.Sleep(5 * time.Millisecond) {
		k, _ = e.look()
	}
	if !k.InForce || !strings.Contains(k.Seen, "SIGSTOP was sent to 1 process called "+name+" and stopped it") {
		t.Errorf("look returned %+v", k)
	}
	if err := h.heal("signal", found); err != nil {
		t.Fatal(err)
	}
	if k, err := h.check("signal", found); err != nil || k.InForce {
		t.Errorf("after the heal check returned %+v, %v", k, err)
	}
	raw, _ := json.Marshal(SignalSpec{Process: "nobody", Signal: "SIGTERM"})
	if _, err := h.survey("signal", raw); err == nil || !strings.Contains(err.Error(), `no process called "nobody"`) {
		t.Errorf("survey returned %v", err)
	}
	_, kill := survey(t, h, "signal", SignalSpec{Process: name, Signal: "SIGKILL"})
	if _, err := kill.apply(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if k, err := kill.look(); err != nil || !k.InForce || !k.Ended {
		t.Errorf("look returned %+v, %v", k, err)
	}
}

// Where nobody takes notice of a signal, it would do nothing.
func TestDeaf(t *testing.T) {
	h := &host{proc: t.TempDir()}
	os.MkdirAll(filepath.Join(h.proc, "5"), 0o755)
	for _, tt := range []struct{ status, signal, want string }{
		{"NSpid:\t5\t7\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000000\n", "SIGHUP", "ignores SIGHUP"},
		{"NSpid:\t5\t7\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000001\n", "SIGHUP", ""},
		{"NSpid:\t5\t1\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000001\n", "SIGHUP", ""},
		{"NSpid:\t5\t7\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n", "SIGTERM", ""},
		{"NSpid:\t5\t1\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n", "SIGTERM", "first process"},
		{"NSpid:\t5\t1\nSigIgn:\tffffffffffffffff\nSigCgt:\t0000000000000000\n", "SIGKILL", ""},
		{"NSpid:\t5\t7\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n", "SIGWINCH", "does not wait for SIGWINCH"},
		{"NSpid:\t5\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n", "SIGTERM", ""},
	} {
		os.WriteFile(filepath.Join(h.proc, "5", "status"), []byte(tt.status), 0o644)
		if got := h.deaf(process{pid: 5}, tt.signal); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s of %q: %q, want %q", tt.signal, tt.status, got, tt.want)
		}
	}
}
