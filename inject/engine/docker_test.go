package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	enginetest.Helper(t, enginetest.Open(t)) // holds the image, so that it is made once
	enginetest.Run(t, func(t *testing.T) engine.Engine { return enginetest.Open(t) })
}

func TestPublishedPortAnswers(t *testing.T) {
	e := enginetest.Open(t)
	c := enginetest.Workload(t, e, enginetest.Unique("gameday-http"), enginetest.Publish(8080), enginetest.Args("serve", "8080"))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	var body []byte
	enginetest.Eventually(t, e, c.ID, "its answer", func(c engine.Container) bool {
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", c.Ports[0].Host))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err = io.ReadAll(resp.Body)
		return err == nil
	})
	if string(body) != "ok\n" {
		t.Errorf("it answers %q", body)
	}
}

// A container's settings must reach the engine as they are.
func TestSpec(t *testing.T) {
	e := enginetest.Open(t)
	net := enginetest.TestNetwork(t, e)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sick"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := enginetest.Workload(t, e, enginetest.Unique("gameday-spec"), enginetest.With(func(s *engine.Spec) {
		s.Entrypoint, s.Cmd = []string{"/workload"}, []string{"health"}
		s.Network, s.PIDMode = net.Name, "host"
		s.CapDrop, s.CapAdd, s.ReadOnly, s.User = []string{"ALL"}, []string{"NET_ADMIN"}, true, "1000:1000"
		s.Binds, s.Tmpfs = []string{dir + ":/tmp:ro"}, map[string]string{"/run": "size=1m"}
		s.Env, s.Memory, s.StopSignal = []string{"COLOR=blue"}, 64<<20, "SIGINT"
	}))
	if c.PIDMode != "host" || c.NetworkMode != net.Name {
		t.Errorf("%+v", c)
	}
	if code, err := e.Wait(t.Context(), c.ID); err != nil || code != 1 {
		t.Errorf("the file that is bound to /tmp/sick makes it end with 1, not %d, %v", code, err)
	}
}

func TestTTYLogs(t *testing.T) {
	// A terminal's stream has no frames: what looks like a frame's header must come through.
	const text = "\x01\x00\x00\x00\x00\x00\x00\x02ab"
	var srv api
	srv.handle("GET /v1.41/containers/x/json", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"Id":"x","Config":{"Tty":true}}`) })
	srv.handle("GET /v1.41/containers/x/logs", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
	log, err := srv.connect(t).Logs(t.Context(), "x")
	if err != nil || string(log) != text {
		t.Errorf("logs: %q, %v", log, err)
	}
}

func TestHelperImage(t *testing.T) {
	self, err := engine.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e := enginetest.Open(t)
	info, err := e.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	binary := buildStatic(t)
	if err := engine.CheckBinary(binary, info.Arch); err != nil {
		t.Errorf("a static binary: %v", err)
	}
	if err := engine.CheckBinary(binary, "s390x"); err == nil || !strings.Contains(err.Error(), "GOARCH=s390x CGO_ENABLED=0") {
		t.Errorf("another architecture: %v", err)
	}
	img, err := engine.HelperImage(binary)
	if err != nil {
		t.Fatal(err)
	}
	again, err := engine.HelperImage(binary)
	if err != nil || again.Tag != img.Tag || len(img.Tag) != len("gameday-helper:")+12 || img.Labels[engine.Label] != "helper" {
		t.Errorf("%+v and %q, %v", img, again.Tag, err)
	}
	img.Tag = enginetest.Unique("gameday-helper-test") + ":1"
	img.Labels = map[string]string{engine.Label: enginetest.RunLabel()}
	t.Cleanup(func() {
		if err := e.RemoveImage(enginetest.Context(t), img.Tag); err != nil {
			t.Error(err)
		}
	})
	if _, err := e.BuildImage(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	id, err := e.Create(t.Context(), engine.Spec{
		Name: enginetest.Unique("gameday-helper"), Image: img.Tag, Cmd: []string{"exit", "9"},
		Labels: map[string]string{engine.Label: enginetest.RunLabel()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(enginetest.Context(t), id); err != nil {
			t.Error(err)
		}
	})
	if err := e.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if code, err := e.Wait(t.Context(), id); err != nil || code != 9 {
		t.Errorf("the helper ended with %d, %v", code, err)
	}

	text := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dynamicBinary(t, binary): "build it with CGO_ENABLED=0",
		text:                     "not a Linux program",
		text + "-none":           "no such file",
	} {
		if _, err := engine.HelperImage(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", path, err, want)
		}
	}
	if self == "" {
		t.Error("this program has no path")
	}
}

func TestContainersThatVanish(t *testing.T) {
	var srv api
	srv.handle("GET /v1.41/containers/json", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `[{"Id":"b"},{"Id":"gone"},{"Id":"a"}]`)
	})
	srv.handle("GET /v1.41/containers/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if id == "gone" {
			answer(w, http.StatusNotFound, "No such container: gone")
			return
		}
		fmt.Fprintf(w, `{"Id":%q,"Name":"/%s"}`, id, id)
	})
	all, err := srv.connect(t).Containers(t.Context())
	if err != nil || !slices.EqualFunc(all, []string{"a", "b"}, func(c engine.Container, name string) bool { return c.Name == name }) {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestRemoveWaitsForAnotherRemoval(t *testing.T) {
	var srv api
	calls := 0
	srv.handle("DELETE /v1.41/containers/x", func(w http.ResponseWriter, r *http.Request) {
		calls++
		if q := r.URL.Query(); q.Get("force") != "1" || q.Get("v") != "1" {
			t.Errorf("query %v", q)
		}
		if calls < 3 {
			answer(w, http.StatusConflict, "removal of container x is already in progress")
			return
		}
		answer(w, http.StatusNotFound, "No such container: x")
	})
	if err := srv.connect(t).Remove(t.Context(), "x"); err != nil || calls != 3 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// A busy engine says that a container is not paused although it is, and knows better a moment later.
func TestUnpauseRefusedInError(t *testing.T) {
	var srv api
	looks, calls := 0, 0
	srv.handle("GET /v1.41/containers/x/json", func(w http.ResponseWriter, _ *http.Request) {
		looks++
		fmt.Fprintf(w, `{"Id":"x","State":{"Running":true,"Paused":%v}}`, looks > 2)
	})
	srv.handle("POST /v1.41/containers/x/unpause", func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			answer(w, http.StatusInternalServerError, "Container x is not paused")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if err := srv.connect(t).Unpause(t.Context(), "x"); err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestGraceIsWholeSeconds(t *testing.T) {
	var srv api
	var got []string
	record := func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Query().Get("t"))
		w.WriteHeader(http.StatusNoContent)
	}
	srv.handle("POST /v1.41/containers/x/stop", record)
	srv.handle("POST /v1.41/containers/x/restart", record)
	e := srv.connect(t)
	for _, grace := range []time.Duration{0, time.Millisecond, time.Second, 1001 * time.Millisecond, -time.Second} {
		if err := e.Stop(t.Context(), "x", grace); err != nil {
			t.Error(err)
		}
		if err := e.Restart(t.Context(), "x", grace); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"0", "0", "1", "1", "1", "1", "2", "2", "0", "0"}; !slices.Equal(got, want) {
		t.Errorf("grace times %q, want %q", got, want)
	}
}

// The client reports the cause of an end as if the connection had failed; a caller that gave up must not hear of a dead engine.
func TestCallGivenUpIsNotAnUnreachableEngine(t *testing.T) {
	e, err := engine.Connect(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("Ctrl-C"))
	if _, err := e.Containers(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("the error is %v", err)
	}
}

// A directory that is not there is not made, unlike with Binds.
func TestHostDirIsNotMade(t *testing.T) {
	e := enginetest.Open(t)
	none := filepath.Join(t.TempDir(), "none")
	_, err := e.Create(enginetest.Context(t), engine.Spec{Name: enginetest.Unique("gameday-dir"), Image: enginetest.Helper(t, e), Network: "none",
		Labels: map[string]string{engine.Label: enginetest.RunLabel()}, Dirs: []engine.HostDir{{Source: none, Destination: "/in"}}})
	if err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
}
