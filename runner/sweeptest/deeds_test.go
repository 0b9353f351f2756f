package sweeptest

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"gameday/inject"
	"gameday/inject/injecttest"
)

// A deed is a kind of fault as the sweep does it, and how it is seen from outside.
type deed struct {
	kind   string
	body   string // its arguments, as they are written in a scenario
	policy string // restart policy of its targets
	brief  bool   // it has no duration: it is over by itself, or left to the restart policy
	// ends: the main process ends, and the target lives another life afterwards.
	ends  bool
	ruled bool // it is seen by programs that are started for each look
	// seen says whether a target shows the fault.
	seen func(*target) bool
}

// name is the deed's row in the table.
func (d deed) name() string {
	if d.policy != "" {
		return d.kind + ", restart policy"
	}
	return d.kind
}

// disturbed is the step that a run comes to when somebody restarts a target while the fault is in force; empty: none for certain.
func (d deed) disturbed() string {
	k, ok := inject.Lookup(d.kind)
	switch {
	case !ok || d.brief || d.kind == "exec" || d.kind == "disconnect" || d.kind == "fill" || // over already, or no different afterwards
		d.kind == "crash" || d.kind == "oom": // where its targets have a restart policy, that is what the fault waits for
		return ""
	case k.Doc().Follows:
		return followed
	}
	return endedEarly
}

// body writes arguments one a line.
func body(args ...string) string { return strings.Join(args, "\n    ") }

// deeds are at least one for each kind of fault.
var deeds = []deed{
	{kind: "pause", seen: (*target).frozen},
	{kind: "stop", body: `grace = "1s"`, ends: true, seen: (*target).down},
	{kind: "kill", ends: true, seen: (*target).down},
	{kind: "crash", ends: true, seen: (*target).down},
	{kind: "crash", policy: "always", brief: true, ends: true, seen: (*target).down},
	{kind: "restart", body: `grace = "1s"`, brief: true, ends: true, seen: (*target).down},
	{kind: "oom", ends: true, seen: (*target).down},
	{kind: "oom", policy: "always", brief: true, ends: true, seen: (*target).down},
	{kind: "signal", body: body(`process = "workload"`, `signal = "STOP"`), seen: (*target).halted},
	{kind: "exec", body: body(`run = "/workload touch /data/exec exit 0"`, `undo = ["/workload", "unlink", "/data/exec", "exit", "0"]`),
		seen: func(x *target) bool { _, err := os.Stat(filepath.Join(x.dir, "exec")); return err == nil }},
	{kind: "latency", body: body(`delay = "20ms"`, `jitter = "5ms"`), seen: (*target).ruled, ruled: true},
	{kind: "loss", body: "percent = 50", seen: (*target).ruled, ruled: true},
	{kind: "corrupt", body: "percent = 50", seen: (*target).ruled, ruled: true},
	{kind: "duplicate", body: "percent = 50", seen: (*target).ruled, ruled: true},
	{kind: "reorder", body: "percent = 50", seen: (*target).ruled, ruled: true},
	{kind: "rate", body: `rate = "8kbit"`, seen: (*target).ruled, ruled: true},
	{kind: "partition", seen: (*target).ruled, ruled: true},
	{kind: "reject", body: `with = "icmp"`, seen: (*target).ruled, ruled: true},
	{kind: "disconnect", body: `network = "NETWORK"`, seen: (*target).cutOff},
	{kind: "cpu", body: "limit = 0.5", seen: func(x *target) bool {
		return x.limited("cpu.cfs_quota_us", "50000") || x.limited("cpu.max", "50000 100000")
	}},
	{kind: "memory", body: `limit = "64MiB"`, seen: func(x *target) bool {
		return x.limited("memory.limit_in_bytes", "67108864") || x.limited("memory.max", "67108864")
	}},
	{kind: "io", body: `write = "1MiB/s"`, seen: func(x *target) bool {
		return x.limited("blkio.throttle.write_bps_device", "1048576") || x.limited("io.max", "wbps=1048576")
	}},
	{kind: "stress", body: body("cpu = 1", `memory = "16MiB"`), seen: (*target).worked},
	{kind: "fill", body: body(`path = "/data"`, `size = "8MiB"`), seen: func(x *target) bool {
		found, _ := filepath.Glob(filepath.Join(x.dir, ".gameday-*"))
		return len(found) > 0
	}},
}

// down: no main process runs.
func (x *target) down() bool {
	in, err := x.site.inspect(x.id)
	return err == nil && (!in.State.Running || in.State.Restarting)
}

// frozen: the processes in its control group are.
func (x *target) frozen() bool {
	return x.limited("freezer.state", "FROZEN") || x.limited("cgroup.freeze", "1")
}

// halted: its main process was sent a signal that stops it.
func (x *target) halted() bool {
	stat := x.proc("stat") // "1234 (workload) T …"
	_, rest, _ := strings.Cut(stat, ") ")
	return strings.HasPrefix(rest, "T")
}

// ruled: nft or tc lists something of gameday's in its network namespace.
func (x *target) ruled() bool { return injecttest.Seen{Rules: x.rules()}.Mine() }

// cutOff: it has left the network that it was in.
func (x *target) cutOff() bool {
	in, err := x.site.inspect(x.id)
	if err != nil {
		return false
	}
	_, ok := in.NetworkSettings.Networks[x.net]
	return !ok
}

// limited: a file of its control group has this among its words.
func (x *target) limited(file, word string) bool {
	return strings.Contains(" "+strings.Join(strings.Fields(x.group()[file]), " ")+" ", " "+word+" ")
}

// worked: somebody else's processes are in its control group.
func (x *target) worked() bool {
	for _, line := range x.processes() {
		if !strings.HasPrefix(line, "/workload") {
			return true
		}
	}
	return false
}

// mostTargets is how many targets a fault has at most.
const mostTargets = 2

// look is how often a target is looked at after a kill: the figures are no finer.
const look = 25 * time.Millisecond
