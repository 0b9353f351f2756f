package sweeptest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

// BenchmarkKilled measures from a SIGKILL of gameday, with 20 targets harmed, until each of them is as it was, until the last is, and
// until the guard has written down of all that it has seen so. Targets are looked at every 25 ms, and where that takes programs of
// its own every 250 ms: they would keep the machine busy.
func BenchmarkKilled(b *testing.B) {
	for _, kind := range []string{"pause", "partition", "latency", "cpu"} {
		b.Run(kind, func(b *testing.B) {
			v := &trial{TB: b, site: sharedSite(b), logs: map[string]*os.File{},
				k: kill{deed: deedOf(kind), victim: theRunner, step: "fault.verified", targets: 20, hold: 5 * time.Minute, baseline: 20 * time.Second}}
			if deedOf(kind).ruled {
				v.every = 10 * look
			}
			v.place()
			var all, last, told []time.Duration
			for b.Loop() {
				healed, written := v.killAll()
				all, last, told = append(all, healed...), append(last, slices.Max(healed)), append(told, written)
			}
			b.ReportMetric(0, "ns/op")
			for unit, share := range map[string]float64{"ms-p50": 0.5, "ms-p99": 0.99} {
				b.ReportMetric(float64(rank(all, share).Milliseconds()), unit)
				b.ReportMetric(float64(rank(last, share).Milliseconds()), "last-"+unit)
				b.ReportMetric(float64(rank(told, share).Milliseconds()), "told-"+unit)
			}
		})
	}
}

// deedOf is the first deed of a kind.
func deedOf(kind string) deed {
	return deeds[slices.IndexFunc(deeds, func(d deed) bool { return d.kind == kind })]
}

// killAll kills a run once all targets show its fault. Told is when the guard had written down that it saw the last of them gone.
func (v *trial) killAll() (healed []time.Duration, told time.Duration) {
	v.Helper()
	v.start()
	defer v.clear()
	if !v.await() {
		v.Fatalf("the run was over before anything was killed:\n%s", v.said())
	}
	for end := time.Now().Add(begins); slices.ContainsFunc(v.views, func(w *view) bool { return !w.shows() }); time.Sleep(look) {
		if time.Now().After(end) {
			v.Fatalf("not all targets show the fault\n%s", v.said())
		}
	}
	v.kill()
	o := v.watch()
	v.compare()
	v.record(&o)
	if len(v.problems) > 0 || len(o.healed) != v.k.targets {
		v.Fatalf("%d of %d targets were put back: %q", len(o.healed), v.k.targets, v.problems)
	}
	rec, err := journal.Read(v.runDir())
	if err != nil {
		v.Fatal(err)
	}
	for _, e := range rec.Events {
		if e.Guard && e.Payload.Kind() == (&journal.UndoVerified{}).Kind() {
			told = max(told, e.Time.Sub(v.killed))
		}
	}
	return o.healed, told
}

// BenchmarkMemory measures what the guard and the helpers that wait take: what is resident of their processes (RSS), which counts what of
// the binary is mapped and can be had back, and what their control groups say less what of files nobody uses, as docker stats does.
func BenchmarkMemory(b *testing.B) {
	s := privateSite(b, false)
	all := map[string][]float64{}
	for b.Loop() {
		for kind, flavours := range map[string][]string{"partition": {"net"}, "cpu": {"host", "reach"}} {
			v := &trial{TB: b, site: s, logs: map[string]*os.File{},
				k: kill{deed: deedOf(kind), victim: theRunner, step: "guard.state", targets: 1, hold: time.Second, baseline: 30 * time.Second}}
			v.begin()
			if !v.await() {
				b.Fatalf("the run was over before the guard was up:\n%s", v.said())
			}
			time.Sleep(10 * time.Second) // all have begun, and let go of what only that took
			measure(b, s, "guard", s.setup.Lock, all)
			for _, f := range flavours {
				id, err := s.docker("ps", "--no-trunc", "--quiet", "--filter", "label=gameday.flavour="+f)
				if err != nil {
					b.Fatal(err)
				}
				measure(b, s, f, strings.TrimSpace(id), all)
			}
			v.kill()
			v.watch()
			v.clear()
		}
	}
	b.ReportMetric(0, "ns/op")
	for unit, measured := range all {
		slices.Sort(measured)
		b.ReportMetric(measured[len(measured)/2], unit)
	}
}

// measure adds what a container of gameday's takes, in MiB.
func measure(b *testing.B, s *site, role, name string, all map[string][]float64) {
	b.Helper()
	in, err := s.inspect(name)
	if err != nil || !in.State.Running {
		b.Fatalf("%s (%s) does not run: %v", role, name, err)
	}
	own := &target{site: s, pid: in.State.Pid}
	all[role+"-MiB-rss"] = append(all[role+"-MiB-rss"], figure(b, "/proc/"+strconv.Itoa(in.State.Pid)+"/smaps_rollup", "Rss:")/1024)
	for _, dir := range own.groups() {
		used, err := os.ReadFile(filepath.Join(dir, "memory.usage_in_bytes"))
		idle := "total_inactive_file"
		if err != nil {
			used, err = os.ReadFile(filepath.Join(dir, "memory.current"))
			idle = "inactive_file"
		}
		if err != nil {
			continue
		}
		bytes, err := strconv.Atoi(strings.TrimSpace(string(used)))
		if err != nil {
			b.Fatal(err)
		}
		all[role+"-MiB-stats"] = append(all[role+"-MiB-stats"], (float64(bytes)-figure(b, filepath.Join(dir, "memory.stat"), idle))/(1<<20))
	}
}

// figure is what stands behind a name in a file of the kernel's.
func figure(b *testing.B, path, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatalf("%s has no %s", path, name)
	return 0
}
