package sidecar

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A LimitSpec is a fault that lowers limits of a container: cpu, memory, io.
type LimitSpec struct {
	Cores  float64 `json:"cores,omitempty"`
	Memory int64   `json:"memory,omitempty"` // bytes
	Read   int64   `json:"read,omitempty"`   // bytes per second; 0: as it is
	Write  int64   `json:"write,omitempty"`
	// Settings, of a survey, is what the fault changes, and what it was.
	Settings []Setting `json:"settings,omitempty"`
}

// pageRound is what limits of memory are rounded down to: the largest page that Linux runs with, so that the kernel shows the
// value that was written.
const pageRound = 64 << 10

// surveyLimits looks up what a fault has to change.
func (h *host) surveyLimits(kind string, spec LimitSpec) (LimitSpec, error) {
	var err error
	switch kind {
	case "cpu":
		spec.Settings, err = h.cpuSettings(spec.Cores)
	case "memory":
		spec.Settings, err = h.memorySettings(spec.Memory)
	case "io":
		spec.Settings, err = h.ioSettings(spec.Read, spec.Write)
	}
	if err != nil {
		return spec, err
	}
	return spec, h.writable(spec.Settings)
}

func (h *host) writable(all []Setting) error {
	for _, s := range all {
		g, err := h.groups.of(s.Controller)
		if err == nil {
			err = g.writable(s.File)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Of the time that a group may run: the kernel's least, and the period that Docker and the kernel start with.
const (
	leastQuota  = 1000 // microseconds
	usualPeriod = 100_000
)

func (h *host) cpuSettings(cores float64) ([]Setting, error) {
	if have := h.online(); cores >= float64(have) {
		return nil, fmt.Errorf("the engine's host has %d cores, so that a limit of %s changes nothing", have, decimal(cores))
	}
	g, err := h.groups.of("cpu")
	if err != nil {
		return nil, err
	}
	quota, period := unbounded, int64(usualPeriod)
	if g.v2 {
		text, err := g.read("cpu.max")
		if err != nil {
			return nil, err
		}
		f := strings.Fields(text)
		if len(f) == 2 {
			if quota, err = parseNumber(f[0]); err == nil {
				period, err = parseNumber(f[1])
			}
		}
		if len(f) != 2 || err != nil {
			return nil, fmt.Errorf("cpu.max is %q, which is no quota and no period", text)
		}
		if err := lowers(float64(quota)/float64(period), cores, quota != unbounded); err != nil {
			return nil, err
		}
		return g.cpuTo(quota, period, cores), nil
	}
	if quota, err = g.number("cpu.cfs_quota_us"); err == nil {
		period, err = g.number("cpu.cfs_period_us")
	}
	if err != nil {
		return nil, err
	}
	if err := lowers(float64(quota)/float64(period), cores, quota > 0); err != nil {
		return nil, err
	}
	if quota <= 0 {
		quota = unbounded
	}
	return g.cpuTo(quota, period, cores), nil
}

// cpuTo is what is to be changed so that a group that may run for a quota of each period may use so many cores.
func (g *group) cpuTo(quota, period int64, cores float64) []Setting {
	newQuota, newPeriod := quotaFor(cores, period)
	was := text(quota)
	if g.v2 {
		if quota == unbounded {
			was = "max"
		}
		return []Setting{{Controller: "cpu", File: "cpu.max", Was: fmt.Sprintf("%s %d", was, period), Set: []string{fmt.Sprintf("%d %d", newQuota, newPeriod)}}}
	}
	if quota == unbounded {
		was = "-1"
	}
	all := []Setting{{Controller: "cpu", File: "cpu.cfs_quota_us", Was: was, Set: []string{text(newQuota)}}}
	if newPeriod != period {
		all = append(all, Setting{Controller: "cpu", File: "cpu.cfs_period_us", Was: text(period), Set: []string{text(newPeriod)}})
	}
	return all
}

func text(n int64) string { return strconv.FormatInt(n, 10) }

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// lowers says in words why a number of cores is no lower limit than the one there is.
func lowers(now, asked float64, limited bool) error {
	if limited && now <= asked {
		return fmt.Errorf("the container may use %s cores already, so that a limit of %s changes nothing", decimal(math.Round(now*1000)/1000), decimal(asked))
	}
	return nil
}

// quotaFor is a number of cores in the kernel's words. The period stays, unless it is too short for so few.
func quotaFor(cores float64, period int64) (int64, int64) {
	if quota := int64(math.Round(cores * float64(period))); quota >= leastQuota {
		return quota, period
	}
	return max(leastQuota, int64(math.Round(cores*usualPeriod))), usualPeriod
}

// The files of memory, and their limits.
type memoryFiles struct {
	limit, swap string // swap, of version 1, counts memory and swap together
	usage       string
	cache       []string // what of memory.stat the kernel can drop
	kills       [2]string
	met         [2]string // how often the limit was met: a file, and what of it; "": the whole file is the number
}

func (g *group) memoryFiles() memoryFiles {
	if g.v2 {
		return memoryFiles{"memory.max", "memory.swap.max", "memory.current", []string{"inactive_file", "active_file"}, [2]string{"memory.events", "oom_kill"}, [2]string{"memory.events", "max"}}
	}
	return memoryFiles{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.usage_in_bytes", []string{"total_inactive_file", "total_active_file"},
		[2]string{"memory.oom_control", "oom_kill"}, [2]string{"memory.failcnt", ""}}
}

func (g *group) memoryKills() (int64, error) {
	f := g.memoryFiles()
	return g.field(f.kills[0], f.kills[1])
}

// held is how much memory the group uses, and how much of it the kernel cannot take away.
func (g *group) held() (usage, held int64, err error) {
	f := g.memoryFiles()
	if usage, err = g.number(f.usage); err != nil {
		return 0, 0, err
	}
	held = usage
	for _, name := range f.cache {
		n, err := g.field("memory.stat", name)
		if err != nil {
			return 0, 0, err
		}
		held -= n
	}
	return usage, max(held, 0), nil
}

func (h *host) memorySettings(bytes int64) ([]Setting, error) {
	g, err := h.groups.of("memory")
	if err != nil {
		return nil, err
	}
	f := g.memoryFiles()
	want := bytes / pageRound * pageRound
	has, err := g.number(f.limit)
	if err != nil {
		return nil, err
	}
	if has <= want {
		return nil, fmt.Errorf("the container may use %s already, so that a limit of %s changes nothing", Bytes(has), Bytes(bytes))
	}
	_, held, err := g.held()
	if err != nil {
		return nil, err
	}
	if held >= want {
		return nil, fmt.Errorf("it holds %s, which is no less than %s: the kernel would kill one of its processes, or refuse; ask for more, or use fault \"oom\"", Bytes(held), Bytes(bytes))
	}
	return g.memoryTo(swapRoom, want)
}

// swapRoom is how much swap is left to a container whose memory is limited, where the kernel limits the sum (version 1). It charges the
// sum first, and recent kernels (6.18 is one) count nowhere what comes to that limit: with one limit for both, nothing would be seen of
// the fault. What is charged at once is no more than this, which is a huge page.
const swapRoom = 2 << 20

// memoryTo is what is to be changed so that a group may use some memory, and so much swap beyond it where the kernel limits the sum, else
// none. With several values, each may be tried.
func (g *group) memoryTo(room int64, want ...int64) ([]Setting, error) {
	f := g.memoryFiles()
	var set []string
	for _, w := range want {
		set = append(set, text(w))
	}
	was, err := g.read(f.limit)
	if err != nil {
		return nil, err
	}
	all := []Setting{{Controller: "memory", File: f.limit, Was: strings.TrimSpace(was), Set: set}}
	// Kernels that do not count swap have no file for it.
	if was, err = g.read(f.swap); err == nil {
		if was = strings.TrimSpace(was); lower(was, g.swapTo(room, want)) {
			all = append(all, Setting{Controller: "memory", File: f.swap, Was: was, Set: g.swapTo(room, want)})
		}
	}
	return all, nil
}

// swapTo are the limits of swap that go with those of memory.
func (g *group) swapTo(room int64, memory []int64) []string {
	if g.v2 {
		return []string{"0"}
	}
	var set []string
	for _, m := range memory {
		set = append(set, text(m+room))
	}
	return set
}

// lower says whether every one of these limits is lower than what there is.
func lower(was string, set []string) bool {
	return !slices.ContainsFunc(set, func(s string) bool { return bound(s) >= bound(was) })
}

// ioSettings is what is to be changed so that the container reads and writes no faster. What is slower already stays.
func (h *host) ioSettings(read, write int64) ([]Setting, error) {
	possible, err := h.throttles(read, write)
	if err != nil {
		return nil, err
	}
	var all []Setting
	for _, s := range possible {
		if s.Was, err = h.groups.now(s); err != nil {
			return nil, err
		}
		if has, err := parseNumber(s.Was); err == nil && has > 0 && has <= bound(s.Set[0]) {
			continue
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, errors.New("the container may not read or write faster than that already: the limits change nothing")
	}
	return all, nil
}

// throttles are the settings by which reading from the container's disks, and writing to them, are limited to so many bytes per
// second, without what they were; 0: not at all.
func (h *host) throttles(read, write int64) ([]Setting, error) {
	devices, err := h.devices()
	if err != nil {
		return nil, err
	}
	// Of version 1 the controller has another name.
	g, err := h.groups.of("blkio")
	controller := "blkio"
	if err != nil || g.v2 {
		controller = "io"
		if g, err = h.groups.of(controller); err != nil {
			return nil, err
		}
	}
	var all []Setting
	for _, dev := range devices {
		for _, x := range []struct {
			bytes    int64
			v1, part string
		}{{read, "blkio.throttle.read_bps_device", readPart}, {write, writeFile, writePart}} {
			if x.bytes == 0 {
				continue
			}
			s := Setting{Controller: controller, File: x.v1, Key: dev, Set: []string{text(x.bytes)}}
			if g.v2 {
				s.File, s.Key = "io.max", dev+" "+x.part
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// What tells a limit of writing from one of reading: a file of version 1, and what of a line of version 2.
const (
	readPart, writePart = "rbps", "wbps"
	writeFile           = "blkio.throttle.write_bps_device"
)

// device is the device of a throttle, and writes says whether it is one of writing.
func (s Setting) device() string {
	dev, _, _ := strings.Cut(s.Key, " ")
	return dev
}

func (s Setting) writes() bool { return s.File == writeFile || strings.HasSuffix(s.Key, " "+writePart) }

// dumpLimits lists the limits that faults of a kind change, as they are now.
func (h *host) dumpLimits(kind string) ([]string, error) {
	controllers := map[string][]string{"cpu": {"cpu"}, "memory": {"memory"}, "oom": {"memory"}, "io": {"blkio", "io"}}
	files := map[string][]string{
		"cpu":    {"cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"},
		"memory": {"memory.max", "memory.swap.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"},
		"blkio":  {"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"},
		"io":     {"io.max"},
	}
	var lines []string
	var last error
	found := false
	for _, c := range controllers[kind] {
		g, err := h.groups.of(c)
		if err != nil {
			last = err
			continue
		}
		found = true
		for _, f := range files[c] {
			if !g.has(f) {
				continue
			}
			text, err := g.read(f)
			if err != nil {
				return nil, err
			}
			for line := range strings.Lines(text) {
				lines = append(lines, f+" "+strings.TrimSpace(line))
			}
		}
	}
	if !found {
		return nil, last
	}
	slices.Sort(lines)
	return lines, nil
}

// A limit is a fault that lowers limits, of one container.
type limit struct {
	h     *host
	kind  string
	spec  LimitSpec
	count counts // when it was prepared
	gave  int64  // bytes of memory that it gave up when the limit was lowered
	once  sync.Once
	halt  chan struct{}
}

// busyLimit is how long the kernel is asked again to lower a limit of memory: it gives up where it cannot take something away
// at once, such as caches that are being written to a disk.
const busyLimit = 5 * time.Second

func (h *host) prepareLimit(kind string, spec LimitSpec) (effect, error) {
	if len(spec.Settings) == 0 {
		return nil, errors.New("it was not looked up what the fault has to change")
	}
	l := &limit{h: h, kind: kind, spec: spec, halt: make(chan struct{})}
	var err error
	l.count, err = l.counted()
	return l, err
}

func (l *limit) stop() { l.once.Do(func() { close(l.halt) }) }

func (l *limit) apply() (time.Time, error) {
	var todo values
	for _, s := range l.spec.Settings {
		now, err := l.h.groups.now(s)
		if err != nil {
			return time.Time{}, fmt.Errorf("%w: %w", errUntouched, err)
		}
		if now != s.Was {
			return time.Time{}, fmt.Errorf("%w: %s is %s now, and was %s when the fault was prepared: somebody else changes it", errUntouched, s, now, s.Was)
		}
		todo.add(s, s.Set[0])
	}
	usage := l.usage()
	for end := time.Now().Add(busyLimit); ; {
		err := l.h.groups.write(todo)
		if err == nil {
			at := time.Now()
			l.gave = max(usage-l.usage(), 0)
			return at, nil
		}
		if busy := errors.Is(err, unix.EBUSY); !busy || time.Now().After(end) {
			if busy {
				err = fmt.Errorf("the container holds more memory than that and gives none of it up: %w", err)
			}
			return time.Time{}, errors.Join(err, l.undo())
		}
		select {
		case <-l.halt:
			return time.Time{}, errors.Join(errors.New("it was taken back before the kernel had lowered the limit"), l.undo())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// usage is how much memory the container uses, for a limit of that.
func (l *limit) usage() int64 {
	if l.kind != "memory" {
		return 0
	}
	g, err := l.h.groups.of("memory")
	if err != nil {
		return 0
	}
	n, _ := g.number(g.memoryFiles().usage) // 0 where it cannot be read
	return n
}

func (l *limit) undo() error { return l.h.groups.restore(l.spec.Settings) }

func (l *limit) look() (Look, error) {
	k, err := l.h.checkSettings(l.spec.Settings)
	if err != nil {
		return k, err
	}
	k.Met, k.Hit = -1, -1
	if !k.InForce {
		return k, nil
	}
	now, err := l.counted()
	if err != nil {
		return k, err
	}
	now.bytes += l.gave
	k.Met, k.Hit, k.Seen = now.since(l.count, l.kind)
	return k, nil
}

// checkSettings says whether settings are as a fault has written them.
func (h *host) checkSettings(all []Setting) (Look, error) {
	k := Look{Means: "control group"}
	for _, s := range all {
		now, err := h.groups.now(s)
		switch {
		case err != nil && isGone(err):
			k.Why = "its control group is gone"
			return k, nil
		case err != nil:
			return k, err
		case !slices.Contains(s.Set, now):
			k.Why = fmt.Sprintf("%s is %s, and not %s", s, now, strings.Join(s.Set, " or "))
			return k, nil
		}
	}
	if h.over() {
		k.Why = "its main process has ended"
		return k, nil
	}
	k.InForce = true
	return k, nil
}

// checkLimits says whether anything that a fault has written is still there, whoever looked up what was before.
func (h *host) checkLimits(s LimitSpec) (Look, error) {
	all, err := h.settings(s)
	if err != nil {
		return Look{}, err
	}
	return h.checkOurs(all)
}

// healLimits puts back what a fault has written.
func (h *host) healLimits(s LimitSpec) error {
	all, err := h.settings(s)
	if err != nil {
		return err
	}
	return h.groups.restore(all)
}

// checkOurs says whether anything that a fault has written is still there.
func (h *host) checkOurs(all []Setting) (Look, error) {
	k := Look{Means: "control group", Met: -1, Hit: -1}
	ours, err := h.groups.ours(all)
	switch {
	case err != nil && isGone(err):
		k.Why = "its control group is gone"
		return k, nil
	case err != nil:
		return k, err
	}
	var seen []string
	for _, s := range ours {
		now, err := h.groups.now(s)
		if err != nil {
			return k, err
		}
		seen = append(seen, fmt.Sprintf("%s is %s", s, now))
	}
	k.InForce, k.Seen = len(ours) > 0, strings.Join(seen, ", ")
	if !k.InForce {
		k.Why = "its limits are no longer those of the fault"
	}
	return k, nil
}
