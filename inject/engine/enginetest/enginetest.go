// Package enginetest says what every engine must do, as tests, and makes the containers that tests work on.
package enginetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
)

// Run tests an engine against the contract of engine.Engine. open is called once for each part, and the parts are side by side.
func Run(t *testing.T, open func(t *testing.T) engine.Engine) {
	for _, part := range []struct {
		name string
		test func(*testing.T, engine.Engine)
	}{
		{"Info", testInfo},
		{"Life", testLife},
		{"List", testList},
		{"Brief", testBrief},
		{"NotFound", testNotFound},
		{"Conflicts", testConflicts},
		{"Pause", testPause},
		{"PausedEnds", testPausedEnds},
		{"Stop", testStop},
		{"Restart", testRestart},
		{"Kill", testKill},
		{"RestartPolicy", testRestartPolicy},
		{"OnFailure", testOnFailure},
		{"Wait", testWait},
		{"AutoRemove", testAutoRemove},
		{"Logs", testLogs},
		{"Attach", testAttach},
		{"AttachEnds", testAttachEnds},
		{"Exec", testExec},
		{"ExecOutlasted", testExecOutlasted},
		{"Settings", testSettings},
		{"Health", testHealth},
		{"Networks", testNetworks},
		{"SharedNetwork", testSharedNetwork},
		{"Reconnect", testReconnect},
		{"StaticAddress", testStaticAddress},
		{"Membership", testMembership},
		{"Publish", testPublish},
		{"Events", testEvents},
		{"EventsFromTheStart", testEventsFromTheStart},
		{"EventsFromBefore", testEventsFromBefore},
		{"Stats", testStats},
		{"StatsOverRestarts", testStatsOverRestarts},
		{"Images", testImages},
		{"Cancelled", testCancelled},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, open(t))
		})
	}
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails the test if err does not wrap a sentinel, or wraps another one, too.
func want(t testing.TB, sentinel, err error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("error is %v, want one that wraps %q", err, sentinel)
	}
	for _, s := range []error{engine.ErrNotFound, engine.ErrConflict, engine.ErrUnreachable, engine.ErrPermission, engine.ErrTooOld} {
		if s != sentinel && errors.Is(err, s) {
			t.Errorf("error %v wraps %q as well", err, s)
		}
	}
}

func get(t testing.TB, e engine.Engine, id string) engine.Container {
	t.Helper()
	c, err := e.Container(Context(t), id)
	must(t, err)
	return c
}

func exited(c engine.Container) bool { return c.State.Status == "exited" }

func testInfo(t *testing.T, e engine.Engine) {
	info, err := e.Info(Context(t))
	must(t, err)
	for name, value := range map[string]string{
		"ID": info.ID, "Name": info.Name, "Version": info.Version, "API": info.API, "Kernel": info.Kernel, "OS": info.OS,
		"Arch": info.Arch, "Endpoint": info.Endpoint,
	} {
		if value == "" {
			t.Errorf("%s is empty", name)
		}
	}
	if info.Memory <= 0 {
		t.Errorf("its host has %d bytes of memory", info.Memory)
	}
	if info.CgroupVersion != "1" && info.CgroupVersion != "2" {
		t.Errorf("CgroupVersion is %q", info.CgroupVersion)
	}
	if d := info.CgroupDriver; d != "cgroupfs" && d != "systemd" && d != "none" {
		t.Errorf("CgroupDriver is %q", d)
	}
	if strings.HasPrefix(info.Endpoint, "unix://") != (info.SocketPath != "") || !strings.HasSuffix(info.Endpoint, info.SocketPath) {
		t.Errorf("SocketPath is %q, of %s", info.SocketPath, info.Endpoint)
	}
	again, err := e.Info(Context(t))
	must(t, err)
	if again != info {
		t.Errorf("asked again, it says %+v after %+v", again, info)
	}
}

func testLife(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	name := Unique("gameday-life")
	c := Create(t, e, name, Labels(map[string]string{"color": "blue"}))
	if c.Name != name || c.Labels["color"] != "blue" || c.Labels[engine.Label] != RunLabel() || c.Image == "" || !strings.HasPrefix(c.ImageID, "sha256:") {
		t.Errorf("created: %+v", c)
	}
	if c.State.Status != "created" || c.State.Running || c.State.PID != 0 || !c.State.StartedAt.IsZero() || c.Created.IsZero() {
		t.Errorf("created: %+v", c.State)
	}
	if c.RestartPolicy != "no" || c.NetworkMode != "bridge" || c.Own() {
		t.Errorf("created: restart policy %q, network %q, own %v", c.RestartPolicy, c.NetworkMode, c.Own())
	}
	must(t, e.Start(ctx, c.ID))
	must(t, e.Start(ctx, c.ID)) // it runs: no error
	for _, id := range []string{c.ID, name, c.ID[:12]} {
		if got := get(t, e, id); got.ID != c.ID {
			t.Errorf("looked up by %q: %+v", id, got)
		}
	}
	c = get(t, e, c.ID)
	if s := c.State; s.Status != "running" || !s.Running || s.Paused || s.PID == 0 || s.StartedAt.IsZero() || s.Health != "" {
		t.Errorf("started: %+v", s)
	}
	if len(c.Networks) != 1 || c.Networks[0].Network != "bridge" || c.Networks[0].IPv4 == "" || c.Networks[0].NetworkID == "" {
		t.Errorf("started: networks %+v", c.Networks)
	}
	must(t, e.Remove(ctx, c.ID))
	_, err := e.Container(ctx, c.ID)
	want(t, engine.ErrNotFound, err)
	must(t, e.Remove(ctx, c.ID)) // there is none: no error
}

func testList(t *testing.T, e engine.Engine) {
	prefix := Unique("gameday-list")
	b := Create(t, e, prefix+"-b")
	a := Workload(t, e, prefix+"-a", Labels(map[string]string{"color": "green"}))
	all, err := e.Containers(Context(t))
	must(t, err)
	if !slices.IsSortedFunc(all, func(a, b engine.Container) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the list is not ordered by name")
	}
	var names []string
	for _, c := range all {
		if !strings.HasPrefix(c.Name, prefix) {
			continue
		}
		names = append(names, c.Name)
		if c.ID == a.ID && (c.State.Status != "running" || c.Labels["color"] != "green" || len(c.Networks) != 1 || c.Networks[0].IPv4 == "") {
			t.Errorf("the running one is listed as %+v", c)
		}
		if c.ID == b.ID && c.State.Status != "created" {
			t.Errorf("the created one is listed as %+v", c)
		}
	}
	if !slices.Equal(names, []string{a.Name, b.Name}) {
		t.Errorf("listed: %q", names)
	}
}

func testBrief(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	n := TestNetwork(t, e)
	shade := Unique("shade")
	a := Workload(t, e, Unique("gameday-brief-a"), Network(n.Name, "web"), Labels(map[string]string{"shade": shade, "color": "green"}))
	b := Create(t, e, Unique("gameday-brief-b"), Labels(map[string]string{"shade": shade, "color": "red"}))
	paused := Workload(t, e, Unique("gameday-brief-c"), Network(n.Name))
	must(t, e.Pause(ctx, paused.ID))
	for _, x := range []struct {
		f    engine.Filter
		want []engine.Container
	}{
		{engine.Filter{Label: "shade", Value: shade}, []engine.Container{a, b}},
		{engine.Filter{Label: "color", Value: "green", Network: n.ID}, []engine.Container{a}},
		{engine.Filter{Label: "shade", Network: n.ID}, []engine.Container{a}},
		{engine.Filter{Network: n.ID}, []engine.Container{a, paused}},
		{engine.Filter{Label: Unique("none")}, nil},
		{engine.Filter{Network: Unique("none")}, nil},
	} {
		got, err := e.Brief(ctx, x.f)
		must(t, err)
		if !slices.EqualFunc(got, x.want, func(a, b engine.Container) bool { return a.ID == b.ID }) {
			t.Errorf("%+v: listed %+v, want %+v", x.f, got, x.want)
			continue
		}
		for i, c := range got {
			w := x.want[i]
			if w.ID == paused.ID {
				w.State.Status, w.State.Paused = "paused", true
			}
			if c.Name != w.Name || c.Labels[engine.Label] != RunLabel() || c.NetworkMode != w.NetworkMode || c.State.Status != w.State.Status ||
				c.State.Running != w.State.Running || c.State.Paused != w.State.Paused {
				t.Errorf("listed %+v, is %+v", c, w)
			}
			if w.State.Running && (len(c.Networks) != 1 || c.Networks[0].IPv4 != w.Networks[0].IPv4 || c.Networks[0].NetworkID != n.ID) {
				t.Errorf("listed in %+v, is in %+v", c.Networks, w.Networks)
			}
		}
	}
}

func testNotFound(t *testing.T, e engine.Engine) {
	ctx, id := Context(t), Unique("gameday-none")
	_, lookErr := e.Container(ctx, id)
	_, logsErr := e.Logs(ctx, id)
	_, waitErr := e.Wait(ctx, id)
	_, attachErr := e.Attach(ctx, id)
	_, execsErr := e.Execs(ctx, id)
	_, statsErr := e.Stats(ctx, id)
	_, execErr := e.Exec(ctx, id, engine.Command{Args: []string{"/workload", "exit", "0"}})
	_, createErr := e.Create(ctx, engine.Spec{Name: id, Image: Unique("gameday-none") + ":none"})
	for name, err := range map[string]error{
		"Container": lookErr, "Logs": logsErr, "Wait": waitErr, "Create": createErr, "Attach": attachErr, "Exec": execErr, "Execs": execsErr, "Stats": statsErr,
		"ConnectNetwork": e.ConnectNetwork(ctx, "bridge", id, engine.Endpoint{}), "DisconnectNetwork": e.DisconnectNetwork(ctx, "bridge", id),
		"Pause": e.Pause(ctx, id), "Unpause": e.Unpause(ctx, id), "Start": e.Start(ctx, id), "Stop": e.Stop(ctx, id, 0),
		"Restart": e.Restart(ctx, id, 0), "Kill": e.Kill(ctx, id, "KILL"),
	} {
		t.Run(name, func(t *testing.T) { want(t, engine.ErrNotFound, err) })
	}
	must(t, e.Remove(ctx, id))
	must(t, e.RemoveNetwork(ctx, id))
	must(t, e.RemoveImage(ctx, id+":none"))
}

func testConflicts(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Workload(t, e, Unique("gameday-conflict"))
	_, err := e.Create(ctx, engine.Spec{Name: c.Name, Image: c.Image})
	want(t, engine.ErrConflict, err)
	want(t, engine.ErrConflict, e.Unpause(ctx, c.ID))
	want(t, engine.ErrConflict, e.RemoveImage(ctx, c.Image))
	if err := e.Kill(ctx, c.ID, "NONSENSE"); err == nil {
		t.Error("a signal that does not exist is no error")
	}
	must(t, e.Stop(ctx, c.ID, 10*time.Second))
	want(t, engine.ErrConflict, e.Pause(ctx, c.ID))
	want(t, engine.ErrConflict, e.Unpause(ctx, c.ID))
	want(t, engine.ErrConflict, e.Kill(ctx, c.ID, "KILL"))
	must(t, e.Stop(ctx, c.ID, 0)) // it does not run: no error
}

func testPause(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Workload(t, e, Unique("gameday-pause"))
	must(t, e.Pause(ctx, c.ID))
	p := get(t, e, c.ID)
	if s := p.State; s.Status != "paused" || !s.Paused || !s.Running || !s.StartedAt.Equal(c.State.StartedAt) {
		t.Errorf("paused: %+v", s)
	}
	want(t, engine.ErrConflict, e.Pause(ctx, c.ID))
	want(t, engine.ErrConflict, e.Start(ctx, c.ID))
	must(t, e.Unpause(ctx, c.ID))
	// A busy engine hears from containerd of the pause after it was lifted, and takes it to be paused for another moment.
	thawed := Eventually(t, e, c.ID, "its running", func(c engine.Container) bool { return c.State.Status == "running" && !c.State.Paused })
	if s := thawed.State; !s.StartedAt.Equal(c.State.StartedAt) || s.PID != c.State.PID {
		t.Errorf("thawed: %+v, before %+v", s, c.State)
	}
}

func testPausedEnds(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Workload(t, e, Unique("gameday-paused"))
	must(t, e.Pause(ctx, c.ID))
	must(t, e.Restart(ctx, c.ID, 10*time.Second))
	if s := get(t, e, c.ID).State; s.Status != "running" || !s.StartedAt.After(c.State.StartedAt) {
		t.Errorf("restarted while paused: %+v", s)
	}
	must(t, e.Pause(ctx, c.ID))
	must(t, e.Kill(ctx, c.ID, "KILL"))
	if s := Eventually(t, e, c.ID, "its end", exited).State; s.Paused || s.ExitCode != 137 {
		t.Errorf("killed while paused: %+v", s)
	}
	must(t, e.Start(ctx, c.ID))
	must(t, e.Pause(ctx, c.ID))
	must(t, e.Remove(ctx, c.ID))
}

func testStop(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	polite := Workload(t, e, Unique("gameday-stop"), RestartPolicy("always"), Args("print", "ready"))
	ready(t, e, polite.ID)
	must(t, e.Stop(ctx, polite.ID, 30*time.Second))
	if c := get(t, e, polite.ID); c.State.Status != "exited" || c.State.ExitCode != 0 || c.State.FinishedAt.IsZero() || c.State.PID != 0 ||
		c.RestartCount != 0 {
		t.Errorf("stopped: %+v, restarts %d", c.State, c.RestartCount)
	}
	must(t, e.Start(ctx, polite.ID))
	if c := get(t, e, polite.ID); c.State.Status != "running" || c.State.ExitCode != 0 || c.RestartCount != 0 {
		t.Errorf("started again: %+v, restarts %d", c.State, c.RestartCount)
	}
	stubborn := Workload(t, e, Unique("gameday-stop"), Args("ignore", "print", "ready"))
	ready(t, e, stubborn.ID)
	must(t, e.Stop(ctx, stubborn.ID, 300*time.Millisecond))
	if s := get(t, e, stubborn.ID).State; s.Status != "exited" || s.ExitCode != 137 {
		t.Errorf("stopped although it ignores that: %+v", s)
	}
}

// ready waits until the workload has printed "ready".
func ready(t testing.TB, e engine.Engine, id string) {
	t.Helper()
	Eventually(t, e, id, "its being ready", func(engine.Container) bool {
		log, err := e.Logs(Context(t), id)
		return err == nil && strings.Contains(string(log), "ready\n")
	})
}

func testRestart(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Workload(t, e, Unique("gameday-restart"), Args("print", "ready"))
	ready(t, e, c.ID)
	must(t, e.Restart(ctx, c.ID, 10*time.Second))
	r := get(t, e, c.ID)
	if r.State.Status != "running" || !r.State.StartedAt.After(c.State.StartedAt) || r.RestartCount != 0 {
		t.Errorf("restarted: %+v, restarts %d; before %+v", r.State, r.RestartCount, c.State)
	}
	must(t, e.Stop(ctx, c.ID, 10*time.Second))
	must(t, e.Restart(ctx, c.ID, 10*time.Second))
	if s := get(t, e, c.ID).State; s.Status != "running" {
		t.Errorf("restarted while it did not run: %+v", s)
	}
}

func testKill(t *testing.T, e engine.Engine) {
	Helper(t, e)
	for _, x := range []struct {
		signal string
		code   int
	}{{"KILL", 137}, {"SIGKILL", 137}, {"9", 137}, {"SIGTERM", 0}, {"USR2", 70}} {
		t.Run(x.signal, func(t *testing.T) {
			t.Parallel()
			c := Workload(t, e, Unique("gameday-kill"), RestartPolicy("always"), Args("print", "ready"))
			ready(t, e, c.ID)
			must(t, e.Kill(Context(t), c.ID, x.signal))
			k := Eventually(t, e, c.ID, "its end", exited)
			if k.State.ExitCode != x.code || k.RestartCount != 0 {
				t.Errorf("killed: %+v, restarts %d", k.State, k.RestartCount)
			}
			time.Sleep(400 * time.Millisecond) // more than restart policies wait
			if k := get(t, e, c.ID); k.State.Status != "exited" || k.RestartCount != 0 {
				t.Errorf("its restart policy has acted: %+v, restarts %d", k.State, k.RestartCount)
			}
		})
	}
}

func testRestartPolicy(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Workload(t, e, Unique("gameday-policy"), RestartPolicy("always"), Args("wait", "300ms", "exit", "3"))
	if c.RestartPolicy != "always" {
		t.Errorf("its restart policy is %q", c.RestartPolicy)
	}
	r := Eventually(t, e, c.ID, "its restart", func(c engine.Container) bool { return c.RestartCount > 0 && c.State.Status == "running" })
	if !r.State.StartedAt.After(c.State.StartedAt) || r.State.FinishedAt.IsZero() {
		t.Errorf("restarted: %+v, before %+v", r.State, c.State)
	}
	s := Eventually(t, e, c.ID, "the pause before a restart", func(c engine.Container) bool { return c.State.Restarting })
	if s.State.Status != "restarting" || !s.State.Running || s.State.ExitCode != 3 {
		t.Errorf("restarting: %+v", s.State)
	}
	must(t, e.Stop(ctx, c.ID, 10*time.Second))
	Eventually(t, e, c.ID, "its end", exited)
}

func testOnFailure(t *testing.T, e engine.Engine) {
	c := Workload(t, e, Unique("gameday-policy"), RestartPolicy("on-failure"), Args("exit", "0"))
	if c := Eventually(t, e, c.ID, "its end", exited); c.RestartCount != 0 {
		t.Errorf("it has not failed: restarts %d", c.RestartCount)
	}
	c = Workload(t, e, Unique("gameday-policy"), RestartPolicy("on-failure"), Args("wait", "200ms", "exit", "1"))
	Eventually(t, e, c.ID, "its restart", func(c engine.Container) bool { return c.RestartCount > 0 })
}

func testWait(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Workload(t, e, Unique("gameday-wait"), Args("wait", "300ms", "exit", "7"))
	for _, when := range []string{"before its end", "after its end"} {
		if code, err := e.Wait(ctx, c.ID); err != nil || code != 7 {
			t.Errorf("%s: code %d, %v", when, code, err)
		}
	}
	c = Workload(t, e, Unique("gameday-wait"))
	soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := e.Wait(soon, c.ID)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("it runs for longer than was waited: %v", err)
	}
}

func testAutoRemove(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Create(t, e, Unique("gameday-auto"), With(func(s *engine.Spec) { s.AutoRemove = true }))
	if !c.AutoRemove {
		t.Errorf("created: %+v", c)
	}
	must(t, e.Start(ctx, c.ID))
	must(t, e.Kill(ctx, c.ID, "KILL"))
	must(t, e.Remove(ctx, c.ID)) // while the engine may be removing it
	_, err := e.Container(ctx, c.ID)
	want(t, engine.ErrNotFound, err)
}

func testLogs(t *testing.T, e engine.Engine) {
	c := Workload(t, e, Unique("gameday-logs"), Args("print", "one", "wait", "50ms", "printerr", "two", "wait", "50ms", "print", "three", "exit", "0"))
	_, err := e.Wait(Context(t), c.ID)
	must(t, err)
	var log []byte
	Eventually(t, e, c.ID, "its logs", func(engine.Container) bool {
		log, err = e.Logs(Context(t), c.ID)
		return err == nil && len(log) >= len("one\ntwo\nthree\n")
	})
	if string(log) != "one\ntwo\nthree\n" {
		t.Errorf("logs: %q", log)
	}
}

func testHealth(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	events, _, err := e.Events(ctx, time.Time{})
	must(t, err)
	c := Workload(t, e, Unique("gameday-health"), HealthCheck())
	if h := c.Health; h == nil || h.Interval != 200*time.Millisecond || h.Timeout != 10*time.Second || h.Retries != 1 {
		t.Errorf("its health check is %+v", h)
	}
	is := func(health string) func(engine.Container) bool {
		return func(c engine.Container) bool { return c.State.Health == health }
	}
	Eventually(t, e, c.ID, "health", is("healthy"))
	must(t, e.Kill(ctx, c.ID, "USR1"))
	Eventually(t, e, c.ID, "illness", is("unhealthy"))
	must(t, e.Kill(ctx, c.ID, "USR1"))
	Eventually(t, e, c.ID, "health again", is("healthy"))
	var seen []string
	for len(seen) < 3 {
		if ev := next(t, events, c.ID); strings.HasPrefix(ev.Action, "health_status") {
			seen = append(seen, ev.Action)
		} else if strings.HasPrefix(ev.Action, "exec_") {
			t.Errorf("the health check itself is told as %q", ev.Action)
		}
	}
	if w := []string{"health_status: healthy", "health_status: unhealthy", "health_status: healthy"}; !slices.Equal(seen, w) {
		t.Errorf("events: %q", seen)
	}
}

func testCancelled(t *testing.T, e engine.Engine) {
	ctx, cancel := context.WithCancel(Context(t))
	_, err := e.Info(ctx)
	must(t, err)
	events, _, err := e.Events(ctx, time.Time{})
	must(t, err)
	cancel()
	_, err = e.Containers(ctx)
	if !errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("error is %v", err)
	}
	end := time.After(10 * time.Second)
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				return
			}
			if ev.Err != nil {
				t.Errorf("a stream that was given up says %v", ev.Err)
			}
		case <-end:
			t.Fatal("the stream does not end with its context")
		}
	}
}
