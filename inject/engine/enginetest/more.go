package enginetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
)

func testNetworks(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	n := TestNetwork(t, e)
	for _, value := range []string{RunLabel(), ""} {
		list, err := e.Networks(ctx, engine.Label, value)
		must(t, err)
		i := slices.IndexFunc(list, func(x engine.NetworkInfo) bool { return x.ID == n.ID })
		if i < 0 || list[i].Name != n.Name || list[i].Labels[engine.Label] != RunLabel() {
			t.Errorf("networks with %s=%s: %+v", engine.Label, value, list)
		}
	}
	if list, err := e.Networks(ctx, engine.Label, Unique("nothing")); err != nil || len(list) != 0 {
		t.Errorf("networks with a label that none has: %+v, %v", list, err)
	}
	_, err := e.CreateNetwork(ctx, n.Name, nil)
	want(t, engine.ErrConflict, err)

	c := Workload(t, e, Unique("gameday-net"), Network(n.Name, "web", "api"))
	if len(c.Networks) != 1 || c.NetworkMode != n.Name {
		t.Fatalf("in network %q: %+v", c.NetworkMode, c.Networks)
	}
	at := c.Networks[0]
	slices.Sort(at.Aliases)
	if at.Network != n.Name || at.NetworkID != n.ID || at.IPv4 == "" || !slices.Equal(at.Aliases, []string{"api", "web"}) {
		t.Errorf("its place: %+v", at)
	}
	want(t, engine.ErrConflict, e.RemoveNetwork(ctx, n.ID))
	must(t, e.Remove(ctx, c.ID))
	must(t, e.RemoveNetwork(ctx, n.Name))
	must(t, e.RemoveNetwork(ctx, n.ID)) // there is none: no error
}

func testSharedNetwork(t *testing.T, e engine.Engine) {
	owner := Workload(t, e, Unique("gameday-owner"))
	guest := Workload(t, e, Unique("gameday-guest"), Network("container:"+owner.Name))
	if guest.NetworkMode != "container:"+owner.ID || len(guest.Networks) != 0 {
		t.Errorf("a guest's network is %q, and it is in %+v", guest.NetworkMode, guest.Networks)
	}
}

func testPublish(t *testing.T, e engine.Engine) {
	c := Workload(t, e, Unique("gameday-publish"), Publish(8080, 9090), Args("serve", "8080", "serve", "9090"))
	if len(c.Ports) != 2 {
		t.Fatalf("ports: %+v", c.Ports)
	}
	for i, port := range []int{8080, 9090} {
		if p := c.Ports[i]; p.Container != port || p.Host == 0 || p.HostIP != "127.0.0.1" || p.Protocol != "tcp" {
			t.Errorf("port: %+v", p)
		}
	}
	_, err := e.Create(Context(t), engine.Spec{Name: Unique("gameday-publish"), Image: c.Image, Publish: []int{70000}})
	if err == nil || !strings.Contains(err.Error(), "70000") {
		t.Errorf("a port that does not exist: %v", err)
	}
}

// next is the next event of a container.
func next(t testing.TB, events <-chan engine.Event, id string) engine.Event {
	t.Helper()
	end := time.After(30 * time.Second)
	for {
		select {
		case ev, ok := <-events:
			if !ok || ev.Err != nil {
				t.Fatalf("the events end: %v", ev.Err)
			}
			if ev.ID == id {
				return ev
			}
		case <-end:
			t.Fatalf("no event of container %s", id)
		}
	}
}

// until collects a container's events up to an action.
func until(t testing.TB, events <-chan engine.Event, id, action string) (all []engine.Event, actions []string) {
	t.Helper()
	for {
		ev := next(t, events, id)
		all, actions = append(all, ev), append(actions, ev.Action)
		if ev.Action == action {
			return all, actions
		}
	}
}

func isPause(action string) bool { return action == "pause" || action == "unpause" }

func testEvents(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	events, _, err := e.Events(ctx, time.Time{})
	must(t, err)
	c := Workload(t, e, Unique("gameday-events"), Args("print", "ready"))
	ready(t, e, c.ID)
	check := func(last string, want ...string) []engine.Event {
		t.Helper()
		all, actions := until(t, events, c.ID, last)
		if !isPause(last) {
			// A busy engine hears from containerd of a pause after it was lifted, and tells of both once more, whatever comes in between.
			all = slices.DeleteFunc(all, func(ev engine.Event) bool { return isPause(ev.Action) })
			actions = slices.DeleteFunc(actions, isPause)
		}
		if !slices.Equal(actions, want) {
			t.Errorf("events are %q, want %q", actions, want)
		}
		for i, ev := range all {
			if ev.Name != c.Name || ev.Labels[engine.Label] != RunLabel() || ev.Time.IsZero() || i > 0 && ev.Time.Before(all[i-1].Time) {
				t.Errorf("event %+v", ev)
			}
		}
		return all
	}
	check("start", "create", "start")
	must(t, e.Pause(ctx, c.ID))
	check("pause", "pause")
	must(t, e.Unpause(ctx, c.ID))
	check("unpause", "unpause")
	must(t, e.Stop(ctx, c.ID, 10*time.Second))
	stop := check("stop", "kill", "die", "stop")
	if stop[0].Labels["signal"] != "15" || stop[1].Labels["exitCode"] != "0" {
		t.Errorf("stopped with signal %q, exit code %q", stop[0].Labels["signal"], stop[1].Labels["exitCode"])
	}
	must(t, e.Start(ctx, c.ID))
	check("start", "start")
	Eventually(t, e, c.ID, "its being ready again", func(engine.Container) bool {
		log, err := e.Logs(ctx, c.ID)
		return err == nil && bytes.Count(log, []byte("ready\n")) == 2
	})
	must(t, e.Restart(ctx, c.ID, 10*time.Second))
	check("restart", "kill", "die", "stop", "start", "restart")
	must(t, e.Kill(ctx, c.ID, "KILL"))
	killed, actions := until(t, events, c.ID, "die") // the engine may tell of the signal after the end
	if !slices.Contains(actions, "die") || killed[len(killed)-1].Labels["exitCode"] != "137" {
		t.Errorf("killed: %+v", killed)
	}
	must(t, e.Remove(ctx, c.ID))
	_, actions = until(t, events, c.ID, "destroy")
	if actions = slices.DeleteFunc(actions, isPause); len(actions) > 2 {
		t.Errorf("removed: %q", actions)
	}
}

// testEventsFromTheStart does something as soon as Events has returned, again and again: it must always be seen.
func testEventsFromTheStart(t *testing.T, e engine.Engine) {
	c := Workload(t, e, Unique("gameday-events"))
	for range 20 {
		events, _, err := e.Events(t.Context(), time.Time{})
		must(t, err)
		must(t, e.Kill(t.Context(), c.ID, "USR1"))
		if ev := next(t, events, c.ID); ev.Action != "kill" || ev.Labels["signal"] != "10" {
			t.Errorf("the first event is %+v", ev)
		}
	}
}

// testEventsFromBefore listens again after a while: what came meanwhile is told where it is asked for, once and in its order.
func testEventsFromBefore(t *testing.T, e engine.Engine) {
	began := time.Now()
	c := Workload(t, e, Unique("gameday-events"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, from, err := e.Events(ctx, time.Time{})
	must(t, err)
	info, err := e.Info(ctx)
	must(t, err)
	if info.Local && (from.Before(began) || from.After(time.Now())) {
		t.Errorf("it is listened to from %s on", from)
	}
	must(t, e.Kill(ctx, c.ID, "USR1"))
	last := next(t, events, c.ID)
	cancel()
	const before, unheard, heard = "10", "18", "28" // signals, by number
	must(t, e.Kill(t.Context(), c.ID, "CONT"))
	for _, x := range []struct {
		after time.Time
		want  []string
	}{
		{time.Time{}, []string{heard}},
		{time.Now().Add(time.Hour), []string{heard}},
		{last.Time, []string{unheard, heard, heard, heard}},
		{last.Time.Add(-1), []string{before, unheard, heard, heard, heard, heard}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		events, _, err := e.Events(ctx, x.after)
		must(t, err)
		must(t, e.Kill(ctx, c.ID, "WINCH"))
		var got []string
		for range x.want {
			got = append(got, next(t, events, c.ID).Labels["signal"])
		}
		cancel()
		if !slices.Equal(got, x.want) {
			t.Errorf("after %s: %q, want %q", x.after, got, x.want)
		}
	}
}

func testImages(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	tag := Unique("gameday-image") + ":one"
	program, err := program()
	must(t, err)
	img := engine.Image{
		Tag: tag,
		Files: []engine.File{
			file("/deep/down/workload", 0o755, program),
			file("/etc/motd", 0o644, []byte("hello\n")),
			{Path: "/tmp", Mode: 0o1777},
			{Path: "/bin", Link: "deep/down"},
		},
		Entrypoint: []string{"/bin/workload"}, Cmd: []string{"print", "made", "exit", "5"},
		Env: []string{"COLOR=blue"}, WorkDir: "/tmp", Labels: map[string]string{engine.Label: RunLabel(), "color": "blue"},
	}
	t.Cleanup(func() { must(t, e.RemoveImage(cleanup(), tag)) })
	has := func(tag string, want bool) {
		t.Helper()
		if got, err := e.HasImage(ctx, tag); err != nil || got != want {
			t.Errorf("HasImage: %v, %v", got, err)
		}
	}
	has(tag, false)
	id, err := e.BuildImage(ctx, img)
	must(t, err)
	has(tag, true)
	slices.Reverse(img.Files)
	again, err := e.BuildImage(ctx, img)
	must(t, err)
	if again != id || !strings.HasPrefix(id, "sha256:") {
		t.Errorf("the same content made %s and %s", id, again)
	}
	other := img
	other.Tag = strings.Replace(tag, ":one", ":two", 1)
	other.Files = append(slices.Clone(img.Files), file("/more", 0o644, []byte("x")))
	t.Cleanup(func() { must(t, e.RemoveImage(cleanup(), other.Tag)) })
	if different, err := e.BuildImage(ctx, other); err != nil || different == id {
		t.Errorf("other content made %s, too, %v", different, err)
	}

	cid, err := e.Create(ctx, engine.Spec{Name: Unique("gameday-image"), Image: tag, Labels: map[string]string{engine.RoleLabel: engine.RoleWorkload}})
	must(t, err)
	t.Cleanup(func() { must(t, e.Remove(cleanup(), cid)) })
	if c := get(t, e, cid); c.Image != tag || c.ImageID != id || c.Labels["color"] != "blue" || c.Labels[engine.Label] != RunLabel() {
		t.Errorf("made from the image: %+v", c)
	}
	must(t, e.Start(ctx, cid))
	if code, err := e.Wait(ctx, cid); err != nil || code != 5 {
		t.Errorf("it ended with %d, %v", code, err)
	}
	must(t, e.Remove(ctx, cid))
	must(t, e.RemoveImage(ctx, tag))
	has(tag, false)

	broken := errors.New("the disk is on fire")
	for name, f := range map[string]engine.File{
		"relative":   file("motd", 0o644, nil),
		"too long":   {Path: "/motd", Size: 3, Open: file("/motd", 0, []byte("hello")).Open},
		"too short":  {Path: "/motd", Size: 30, Open: file("/motd", 0, []byte("hello")).Open},
		"unreadable": {Path: "/motd", Size: 3, Open: func() (io.ReadCloser, error) { return nil, broken }},
	} {
		bad := engine.Image{Tag: tag, Files: []engine.File{f}}
		if _, err := e.BuildImage(ctx, bad); err == nil || !strings.Contains(err.Error(), "motd") || (name == "unreadable") != errors.Is(err, broken) {
			t.Errorf("%s: error is %v", name, err)
		}
		has(tag, false)
	}
}
