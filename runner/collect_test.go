package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/engine/fake"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// A collecting is a collector at work for some targets.
type collecting struct {
	t    *testing.T
	c    *collector
	into *metrics.Embedded

	mu      sync.Mutex
	watched []string
	gaps    []journal.ContainerGap
}

func collect(t *testing.T, e engine.Engine, change func(*collector), targets ...engine.Container) *collecting {
	t.Helper()
	into, err := metrics.NewEmbedded(metrics.EmbeddedConfig{Interval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { into.Close() })
	if err := into.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := e.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{Targets: []Resolved{{Chosen: targets}}}
	x := &collecting{t: t, c: newCollector(e, info, into, plan.near), into: into}
	x.c.watched = func(w journal.ContainersWatched) {
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, r := range w.Targets {
			x.watched = append(x.watched, "target "+r.Name)
		}
		for _, r := range w.Neighbours {
			x.watched = append(x.watched, "neighbour "+r.Name)
		}
	}
	x.c.gap = func(g journal.ContainerGap) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.gaps = append(x.gaps, g)
	}
	if change != nil {
		change(x.c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { x.c.run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	soon, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	if x.c.await(soon); soon.Err() != nil {
		t.Fatal("there is no first sample")
	}
	return x
}

// told is what the collector has told of.
func (x *collecting) told() (watched []string, gaps []journal.ContainerGap) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.watched, x.gaps
}

// ask returns the values of a query now.
func (x *collecting) ask(query string) []float64 {
	x.t.Helper()
	res, err := x.into.Query(x.t.Context(), query, time.Now())
	if err != nil {
		x.t.Fatal(err)
	}
	out := []float64{}
	for _, s := range res.Series {
		out = append(out, s.Value)
	}
	return out
}

// comes waits until a query has these values.
func (x *collecting) comes(query string, want ...float64) {
	x.t.Helper()
	var got []float64
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = x.ask(query); slices.Equal(got, want) {
			return
		}
	}
	x.t.Fatalf("%s: %v, want %v", query, got, want)
}

// The same on an engine in memory and on a real one.
func TestCollector(t *testing.T) {
	t.Parallel()
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		e := fake.New()
		n := enginetest.TestNetwork(t, e)
		sick := enginetest.Workload(t, e, enginetest.Unique("gameday-sick"), enginetest.Network(n.Name), enginetest.HealthCheck())
		enginetest.Workload(t, e, enginetest.Unique("gameday-stranger"))
		enginetest.Workload(t, e, enginetest.Unique("gameday-helper"), enginetest.Network(n.Name), enginetest.Labels(map[string]string{engine.RoleLabel: "helper"}))
		x := collectsEverything(t, e, n, sick.Name)
		x.comes(fmt.Sprintf(`container_health{name=%q,state="healthy"}`, sick.Name), 1)
	})
	t.Run("docker", func(t *testing.T) {
		t.Parallel()
		e := enginetest.Open(t)
		collectsEverything(t, e, enginetest.TestNetwork(t, e))
	})
}

// collectsEverything takes containers through all that happens to them in a network, in which others may be already.
func collectsEverything(t *testing.T, e engine.Engine, n engine.NetworkInfo, others ...string) *collecting {
	a := enginetest.Workload(t, e, enginetest.Unique("gameday-a"), enginetest.Network(n.Name), enginetest.Args("chat"),
		enginetest.Labels(map[string]string{"com.docker.compose.service": "api"}), enginetest.With(func(s *engine.Spec) { s.Memory = 256 << 20 }))
	b := enginetest.Workload(t, e, enginetest.Unique("gameday-b"), enginetest.Network(n.Name))
	x := collect(t, e, nil, a)
	of := func(metric, name string, more ...string) string {
		return metric + "{" + strings.Join(append([]string{fmt.Sprintf("name=%q", name)}, more...), ",") + "}"
	}

	want := []string{"target " + a.Name, "neighbour " + b.Name}
	for _, name := range others {
		want = append(want, "neighbour "+name)
	}
	if got, _ := x.told(); !slices.Equal(got, want) {
		t.Errorf("it watches %q, want %q", got, want)
	}
	for _, query := range []string{
		fmt.Sprintf("count(container_memory_usage_bytes > 0) == %d", len(want)),
		of("container_memory_usage_bytes", a.Name, `container="`+a.Name+`"`, `service="api"`, `job="containers"`, `id="/docker/`+a.ID+`"`, `image="`+a.Image+`"`),
		of("container_spec_memory_limit_bytes", a.Name) + " == 256*1024*1024",
		of("container_spec_memory_limit_bytes", b.Name) + " == 0",
		of("container_network_receive_bytes_total", a.Name, `interface="eth0"`),
		of("container_threads", b.Name) + " > 0",
		of("container_memory_working_set_bytes", b.Name) + " > 0",
		"time() - " + of("container_start_time_seconds", a.Name) + " > 0 < 600",
		"time() - " + of("container_last_seen", a.Name) + " < 30",
		of("container_restarts_total", a.Name) + " == 0",
		of("container_oom_events_total", a.Name) + " == 0",
		"count(" + of("container_state", a.Name) + ") == 7",
		"sum(" + of("container_state", a.Name) + ") == 1",
	} {
		if got := x.ask(query); len(got) == 0 {
			t.Errorf("nothing comes of %s", query)
		}
	}
	// What is frozen uses nothing, and its series go on.
	cpu := of("container_cpu_usage_seconds_total", a.Name)
	x.comes(cpu+" > bool 0", 1)
	must(t, e.Pause(enginetest.Context(t), a.ID))
	x.comes(of("container_state", a.Name, `state="paused"`), 1)
	seen := x.ask(of("container_last_seen", a.Name))[0]
	x.comes(fmt.Sprintf("%s > bool %f", of("container_last_seen", a.Name), seen+0.01), 1)
	before, seen := x.ask(cpu), x.ask(of("container_last_seen", a.Name))[0]
	x.comes(fmt.Sprintf("%s > bool %f", of("container_last_seen", a.Name), seen+0.01), 1)
	if after := x.ask(cpu); !slices.Equal(before, after) {
		t.Errorf("while it is frozen it used CPU: %v, then %v", before, after)
	}
	must(t, e.Unpause(enginetest.Context(t), a.ID))
	x.comes(fmt.Sprintf("%s > bool %f", cpu, before[0]), 1)

	// What was killed uses nothing any more, and still has a state.
	must(t, e.Kill(enginetest.Context(t), a.ID, "KILL"))
	x.comes(of("container_state", a.Name, `state="exited"`), 1)
	x.comes(of("container_exit_code", a.Name), 137)
	x.comes(cpu)
	x.comes(of("container_memory_usage_bytes", a.Name))
	x.comes(of("container_restarts_total", a.Name), 0)
	must(t, e.Start(enginetest.Context(t), a.ID))
	x.comes(of("container_state", a.Name, `state="running"`), 1)
	x.comes(cpu+" > bool 0", 1)
	x.comes(fmt.Sprintf("%s > bool %f", of("container_start_time_seconds", a.Name), float64(a.State.StartedAt.UnixMilli())/1000), 1)
	x.comes(of("container_exit_code", a.Name), 137)

	// Somebody new, who ends again and again.
	d := enginetest.Workload(t, e, enginetest.Unique("gameday-d"), enginetest.Network(n.Name), enginetest.RestartPolicy("always"), enginetest.Args("wait", "1s", "exit", "3"))
	x.comes(of("container_exit_code", d.Name), 3)
	x.comes(of("container_restarts_total", d.Name)+" >= bool 2", 1)
	must(t, e.Remove(enginetest.Context(t), d.ID))
	x.comes(of("", d.Name))

	must(t, e.Remove(enginetest.Context(t), b.ID))
	x.comes(of("", b.Name))
	return x
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An engine that goes silent leaves no value standing, and that is recorded when it speaks again.
func TestCollectorInSilence(t *testing.T) {
	for name, x := range map[string]struct {
		silence func(*fake.Fake)
		speak   func(*fake.Fake)
		why     string
	}{
		"hangs":     {func(f *fake.Fake) { f.Quiet(true) }, func(f *fake.Fake) { f.Quiet(false) }, "sent nothing"},
		"goes away": {(*fake.Fake).Disconnect, (*fake.Fake).Reconnect, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fake.New()
			a := f.AddContainer(engine.Container{Name: "a"})
			c := collect(t, f, func(c *collector) {
				c.silence, c.unknownAfter, c.rescanEvery = time.Second, 2*time.Second, 200*time.Millisecond
			}, a)
			x.silence(f)
			c.comes("container_memory_usage_bytes")
			c.comes("count(container_state)", map[string][]float64{"hangs": {7}}[name]...) // it is listed all the same
			x.speak(f)
			c.comes("count(container_memory_usage_bytes)", 1)
			c.comes(`container_state{state="running"}`, 1)
			if _, gaps := c.told(); len(gaps) != 1 || gaps[0].Container.Name != "a" || gaps[0].To.Sub(gaps[0].From) < time.Second || !strings.Contains(gaps[0].Detail, x.why) {
				t.Errorf("gaps: %+v", gaps)
			}
		})
	}
}

// A stream that breaks is taken up again, and the end of the events is no end.
func TestCollectorGoesOn(t *testing.T) {
	t.Parallel()
	f := fake.New()
	a, b := f.AddContainer(engine.Container{Name: "a"}), f.AddContainer(engine.Container{Name: "b", RestartPolicy: "always"})
	c := collect(t, f, func(c *collector) { c.rescanEvery = 200 * time.Millisecond }, a, b)
	for range 3 {
		f.Disconnect()
		f.Reconnect()
		seen := c.ask(`container_last_seen{name="a"}`)[0]
		c.comes(fmt.Sprintf(`container_last_seen{name="a"} > bool %f`, seen+0.5), 1)
	}
	// Nothing but an event tells of a kill for want of memory, and it counts once.
	killed := fmt.Sprintf("container_oom_events_total{name=%q}", b.Name)
	c.comes(killed, 0)
	f.Disconnect()
	must(t, f.OOM(b.ID))
	f.Reconnect()
	c.comes(killed, 1)
	for range 2 {
		f.Disconnect()
		f.Reconnect()
		seen := c.ask("container_last_seen{name=\"a\"}")[0]
		c.comes(fmt.Sprintf("container_last_seen{name=\"a\"} > bool %f", seen+0.5), 1)
	}
	c.comes(killed, 1)
	f.Fail("Container", engine.ErrUnreachable, 3)
	must(t, f.Pause(t.Context(), a.ID))
	c.comes(`container_state{name="a",state="paused"}`, 1)
	if _, gaps := c.told(); len(gaps) != 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestUsageSeries(t *testing.T) {
	got := map[string]float64{}
	for _, s := range usageSamples(engine.Stats{
		Read:     time.UnixMilli(1_700_000_000_250),
		CPU:      engine.CPUStats{Total: 1500 * time.Millisecond, User: time.Second, System: 500 * time.Millisecond, Periods: 10, ThrottledPeriods: 4, Throttled: 2 * time.Second},
		Memory:   engine.MemoryStats{Usage: 100, WorkingSet: 80, RSS: 60, Cache: 40, Limit: 1000, FailCount: 2},
		Networks: []engine.InterfaceStats{{Name: "eth0", RxBytes: 1, RxPackets: 2, RxErrors: 3, RxDropped: 4, TxBytes: 5, TxPackets: 6, TxErrors: 7, TxDropped: 8}, {Name: "eth1"}},
		Disk:     engine.DiskStats{Counted: true, ReadBytes: 11, WriteBytes: 12, ReadOps: 13, WriteOps: 14},
		Pids:     engine.PidsStats{Current: 5, Limit: 50},
	}, 1000) {
		name := s.Name
		for k, v := range s.Labels {
			name += "{" + k + "=" + v + "}"
		}
		got[name] = s.Value
	}
	for name, want := range map[string]float64{
		"container_last_seen":                                              1_700_000_000.25,
		"container_cpu_usage_seconds_total{cpu=total}":                     1.5,
		"container_cpu_user_seconds_total":                                 1,
		"container_cpu_system_seconds_total":                               0.5,
		"container_cpu_cfs_periods_total":                                  10,
		"container_cpu_cfs_throttled_periods_total":                        4,
		"container_cpu_cfs_throttled_seconds_total":                        2,
		"container_memory_usage_bytes":                                     100,
		"container_memory_working_set_bytes":                               80,
		"container_memory_rss":                                             60,
		"container_memory_cache":                                           40,
		"container_memory_failcnt":                                         2,
		"container_spec_memory_limit_bytes":                                0, // the host's memory is no limit
		"container_network_receive_bytes_total{interface=eth0}":            1,
		"container_network_receive_packets_total{interface=eth0}":          2,
		"container_network_receive_errors_total{interface=eth0}":           3,
		"container_network_receive_packets_dropped_total{interface=eth0}":  4,
		"container_network_transmit_bytes_total{interface=eth0}":           5,
		"container_network_transmit_packets_total{interface=eth0}":         6,
		"container_network_transmit_errors_total{interface=eth0}":          7,
		"container_network_transmit_packets_dropped_total{interface=eth0}": 8,
		"container_network_transmit_packets_dropped_total{interface=eth1}": 0,
		"container_fs_reads_bytes_total":                                   11,
		"container_fs_writes_bytes_total":                                  12,
		"container_threads":                                                5,
		"container_threads_max":                                            50,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	if _, ok := got["container_fs_reads_total"]; ok {
		t.Error("operations are told that nobody counted")
	}
}

func TestStateSeries(t *testing.T) {
	code := 3
	c := engine.Container{RestartCount: 2, State: engine.State{Status: "exited", Health: "unhealthy", StartedAt: time.Unix(1_700_000_000, 0)},
		Limits: engine.Limits{NanoCPUs: 500_000_000}}
	got := map[string]float64{}
	for _, s := range stateSamples(c, 1, &code) {
		got[s.Name+s.Labels["state"]] = s.Value
	}
	for name, want := range map[string]float64{
		"container_stateexited": 1, "container_staterunning": 0, "container_healthunhealthy": 1, "container_healthhealthy": 0,
		"container_restarts_total": 2, "container_oom_events_total": 1, "container_exit_code": 3, "container_start_time_seconds": 1_700_000_000,
		"container_spec_cpu_quota": 50_000, "container_spec_cpu_period": 100_000,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	for _, s := range stateSamples(engine.Container{State: engine.State{Status: "created"}}, 0, nil) {
		if slices.Contains([]string{"container_health", "container_exit_code", "container_start_time_seconds", "container_spec_cpu_quota"}, s.Name) {
			t.Errorf("it has %s", s.Name)
		}
	}
}
