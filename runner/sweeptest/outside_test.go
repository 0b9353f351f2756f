package sweeptest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// This file looks at targets without a line of gameday's: with docker, nsenter, nft, tc and ip, in the files of control groups and
// of /proc, and in directories that containers share with the host.

// A target is a container to harm.
type target struct {
	site     *site
	id, name string
	net      string // the network that it is in
	dir      string // of the host; it is /data in the container
	pid      int    // of the main process that was seen last
}

// targetOf makes a container that sends packets all the time and survives SIGTERM for as long as there is grace.
func (s *site) targetOf(t testing.TB, d deed, i int, labels map[string]string) *target {
	if d.kind == "disconnect" {
		i = 0 // it names one network
	}
	dir, net := t.TempDir(), s.nets[i%len(s.nets)].Name
	policy := d.policy
	args := []string{"ignore", "chat", "sleep"}
	if s.daemon != nil {
		// It comes back when the daemon does, and does not hold up its end.
		policy, args = "always", args[1:]
	}
	c := enginetest.Workload(t, s.engine, enginetest.Unique("gameday-sweep"), enginetest.Args(args...), enginetest.Labels(labels), enginetest.RestartPolicy(policy),
		enginetest.Network(net, "alias-of-target"), enginetest.With(func(s *engine.Spec) { s.Binds = []string{dir + ":/data"} }))
	x := &target{site: s, id: c.ID, name: c.Name, net: net, dir: dir, pid: c.State.PID}
	for end := time.Now().Add(ends); !slices.Equal(x.processes(), []string{"/workload " + strings.Join(args, " ")}); time.Sleep(look) {
		if time.Now().After(end) {
			t.Fatalf("the processes of %s are %q", x.name, x.processes())
		}
	}
	return x
}

// An inspected container is what the looks while one waits need of docker's words for it.
type inspected struct {
	ID, Name string
	State    struct {
		Status              string
		Running, Restarting bool
		Pid                 int
	}
	LogPath         string
	NetworkSettings struct{ Networks map[string]any }
}

// main is the process id of its main process; 0: it has none.
func (x *target) main() int {
	if x.pid != 0 {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", x.pid)); err == nil && len(b) > 0 {
			return x.pid
		}
	}
	x.pid = 0
	if in, err := x.site.inspect(x.id); err == nil && in.State.Running {
		x.pid = in.State.Pid
	}
	return x.pid
}

func (x *target) proc(name string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", x.main(), name))
	return string(b)
}

// inside runs a command in the network namespace. What cannot be told because the main process has just ended is empty.
func (x *target) inside(args ...string) string {
	pid := x.main()
	if pid == 0 {
		return ""
	}
	out, err := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(pid), "-n"}, args...)...).CombinedOutput()
	if err != nil {
		if x.main() != pid {
			return ""
		}
		return fmt.Sprintf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// rules are what nft and tc list.
func (x *target) rules() string {
	return x.inside("nft", "list", "ruleset") + x.inside("tc", "qdisc", "show")
}

// limits are the files of a control group that say what it may use, in both versions.
var limits = []string{
	"cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares", "cpuset.cpus", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
	"memory.soft_limit_in_bytes", "memory.swappiness", "memory.kmem.limit_in_bytes", "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
	"blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device", "pids.max", "freezer.state",
	"cpu.max", "cpu.max.burst", "cpu.weight", "memory.max", "memory.high", "memory.low", "memory.min", "memory.swap.max", "memory.oom.group", "io.max",
	"io.weight", "cgroup.freeze",
}

// groups are the directories of its control groups, by what they control; with version 2 it is one.
func (x *target) groups() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(x.proc("cgroup")) { // "4:memory:/docker/…", "0::/docker/…"
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 {
			if at, ok := hierarchies()[f[1]]; ok {
				out[f[1]] = filepath.Join(at, f[2])
			}
		}
	}
	return out
}

// hierarchies says where control groups are mounted, by what they control; "" is version 2.
func hierarchies() map[string]string {
	out := map[string]string{}
	b, _ := os.ReadFile("/proc/self/mounts") // "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0"
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case len(f) < 4:
		case f[2] == "cgroup2":
			out[""] = f[1]
		case f[2] == "cgroup":
			for name := range strings.SplitSeq(f[3], ",") {
				out[name] = f[1]
			}
			var own []string // the kernel lists those of one mount together
			for name := range strings.SplitSeq(f[3], ",") {
				if name != "rw" && !strings.Contains(name, "time") && name != "nosuid" && name != "nodev" && name != "noexec" {
					own = append(own, name)
				}
			}
			out[strings.Join(own, ",")] = f[1]
		}
	}
	return out
}

// group is what the files of its control groups say.
func (x *target) group() map[string]string {
	out := map[string]string{}
	for _, dir := range x.groups() {
		for _, name := range limits {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				out[name] = strings.TrimSpace(string(b))
			}
		}
	}
	return out
}

// processes are the command lines of those in its control groups.
func (x *target) processes() []string {
	pids := map[string]bool{}
	for _, dir := range x.groups() {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for pid := range strings.FieldsSeq(string(b)) {
			pids[pid] = true
		}
	}
	var out []string
	for pid := range pids {
		if b, err := os.ReadFile("/proc/" + pid + "/cmdline"); err == nil {
			out = append(out, strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " ")))
		}
	}
	slices.Sort(out)
	return out
}

// A picture is all that is compared before and after, line by line under a name for each.
type picture map[string]string

// picture looks at all of a target.
func (x *target) picture(t testing.TB) picture {
	t.Helper()
	out := picture{}
	text, err := x.site.docker("inspect", x.id)
	if err != nil {
		t.Fatal(err)
	}
	var all []any
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 {
		t.Fatalf("docker inspect %s: %v\n%s", x.id, err, text)
	}
	flatten(out, "docker inspect", all[0])
	x.pid = 0
	if x.main() == 0 {
		return out
	}
	for name, value := range x.group() {
		out["control group "+name] = value
	}
	for name, dir := range x.groups() {
		var below []string
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() {
				below = append(below, e.Name())
			}
		}
		out["control groups below "+name] = strings.Join(below, " ")
	}
	out["processes"] = strings.Join(x.processes(), "\n")
	out["the main process"] = "runs"
	if x.halted() {
		out["the main process"] = "is stopped"
	}
	for _, args := range [][]string{
		{"nft", "-s", "list", "ruleset"}, {"iptables-save"}, {"tc", "qdisc", "show"}, {"tc", "filter", "show"}, {"ip", "-o", "addr"}, {"ip", "route"}, {"ip", "rule"},
	} {
		if _, err := exec.LookPath(args[0]); err == nil {
			out[strings.Join(args, " ")] = unnumbered(x.inside(args...))
		}
	}
	var files []string
	filepath.WalkDir(x.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			fi, _ := d.Info()
			files = append(files, fmt.Sprintf("%s %d", strings.TrimPrefix(path, x.dir), fi.Size()*int64(min(1, len(path)-len(x.dir)))))
		}
		return nil
	})
	out["files in /data"] = strings.Join(files, "\n")
	return out
}

// flatten puts a JSON value into a picture, each leaf under its path.
func flatten(out picture, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			flatten(out, path+" "+name, child)
		}
	case []any:
		if len(v) > 0 {
			out[path] = marshal(v)
		}
	case nil: // a daemon that was started again has empty lists where there was nothing
	default:
		out[path] = marshal(v)
	}
}

func marshal(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// Numbers that are given out anew each time something is made, and comments.
var passing = regexp.MustCompile(`(?m)^#.*\n|^\d+: |@if\d+|link-netnsid \d+|valid_lft \S+|preferred_lft \S+|127\.0\.0\.11:\d+|--to-source :\d+|--sport \d+|sport \d+|to 127\.0\.0\.11:\d+|to :\d+|\[\d+:\d+\]`)

func unnumbered(text string) string { return passing.ReplaceAllString(text, "") }

// another says what of a picture belongs to one life of the main process, and is another one in the next.
var another = regexp.MustCompile(`^docker inspect (State (Pid|StartedAt|FinishedAt|ExitCode|OOMKilled)|NetworkSettings (SandboxID|SandboxKey|Networks \S+ EndpointID)|RestartCount)$`)

// reconnected says what is another one when a container has left a network and has come back.
var reconnected = regexp.MustCompile(`^docker inspect NetworkSettings Networks \S+ EndpointID$`)

// interfaces are those of a container. One that has come back into a network has another name there: docker counts on.
var interfaces = regexp.MustCompile(`\beth\d+\b`)

// renamed is a picture without the names of interfaces.
func (p picture) renamed() picture {
	out := picture{}
	for name, value := range p {
		out[name] = interfaces.ReplaceAllString(value, "eth")
	}
	return out
}

// addresses are those that a daemon chooses: one that has ended its containers gives them out anew, to whichever starts first.
var addresses = regexp.MustCompile(`\b172\.\d+\.\d+\.\d+\b|\b02:42(:[0-9a-f]{2}){4}\b`)

// readdressed is a picture without the addresses that the daemon chose.
func (p picture) readdressed() picture {
	out := picture{}
	for name, value := range p {
		out[name] = addresses.ReplaceAllString(value, "address")
	}
	return out
}

// differences lists what is not as it was.
func differences(before, after picture, ignore ...*regexp.Regexp) []string {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, wasThere := before[name]
		is, isThere := after[name]
		if was == is && wasThere == isThere || slices.ContainsFunc(ignore, func(r *regexp.Regexp) bool { return r.MatchString(name) }) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: was %q, is %q", name, was, is))
	}
	return out
}
