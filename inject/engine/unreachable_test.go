package engine_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
)

// api is an engine's HTTP API on a socket, for what a real engine cannot be made to do.
type api struct {
	mux     http.ServeMux
	version string // of the API; "1.41" if empty, none if "-"
}

func (a *api) handle(pattern string, h http.HandlerFunc) { a.mux.HandleFunc(pattern, h) }

func answer(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// connect serves the API and connects to it.
func (a *api) connect(t *testing.T) engine.Engine {
	t.Helper()
	if a.version == "" {
		a.version = "1.41"
	}
	a.handle("/_ping", func(w http.ResponseWriter, _ *http.Request) {
		if a.version != "-" {
			w.Header().Set("Api-Version", a.version)
		}
		w.Write([]byte("OK"))
	})
	path := socket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: &a.mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return connect(t, "unix://"+path)
}

// socket is a path that is short enough for one.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func connect(t *testing.T, host string) engine.Engine {
	t.Helper()
	e, err := engine.Connect(engine.Options{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// wantError fails the test if an error does not wrap a sentinel and no other, or does not say all that is wanted.
func wantError(t *testing.T, err, sentinel error, texts ...string) {
	t.Helper()
	for _, s := range []error{engine.ErrNotFound, engine.ErrConflict, engine.ErrUnreachable, engine.ErrPermission, engine.ErrTooOld} {
		if errors.Is(err, s) != (s == sentinel) {
			t.Errorf("error %v: wraps %q is %v", err, s, s != sentinel)
		}
	}
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

func TestTooOld(t *testing.T) {
	for _, x := range []struct{ version, says string }{{"1.24", "1.24"}, {"1.40", "1.40"}, {"-", "1.24"}} {
		t.Run(x.version, func(t *testing.T) {
			e := (&api{version: x.version}).connect(t)
			_, err := e.Info(t.Context())
			wantError(t, err, engine.ErrTooOld, "API "+x.says, "1.41", "Docker 20.10 or newer")
			wantError(t, e.Pause(t.Context(), "x"), engine.ErrTooOld)
			_, _, err = e.Events(t.Context(), time.Time{})
			wantError(t, err, engine.ErrTooOld)
			_, err = e.Wait(t.Context(), "x")
			wantError(t, err, engine.ErrTooOld)
		})
	}
}

func TestTooOldByEnvironment(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "1.30")
	_, err := new(api).connect(t).Info(t.Context())
	wantError(t, err, engine.ErrTooOld, "DOCKER_API_VERSION", "1.30", "unset it")
}

func TestNegotiation(t *testing.T) {
	srv := api{version: "1.99"} // newer than the client: it uses its own newest
	var path string
	srv.handle("/", func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		w.Write([]byte(`{"ID":"x","Architecture":"aarch64","SecurityOptions":["name=seccomp","name=rootless"]}`))
	})
	info, err := srv.connect(t).Info(t.Context())
	if err != nil || info.Arch != "arm64" || !info.Rootless || info.CgroupVersion != "1" || !info.Local || path != "/v"+info.API+"/info" {
		t.Errorf("%+v at %s, %v", info, path, err)
	}
}

func TestNoSocket(t *testing.T) {
	path := socket(t)
	_, err := connect(t, "unix://"+path).Info(t.Context())
	wantError(t, err, engine.ErrUnreachable, "there is no socket "+path, "is the daemon running? start it, or set DOCKER_HOST")
}

func TestNoDaemonBehindTheSocket(t *testing.T) {
	path := socket(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	e := connect(t, "unix://"+path)
	_, err = e.Info(t.Context())
	wantError(t, err, engine.ErrUnreachable, "nothing listens at "+path, "is the daemon running?")
	_, err = e.Container(t.Context(), "x")
	wantError(t, err, engine.ErrUnreachable, "nothing listens at "+path)
}

func TestNoDaemonAtThePort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := "tcp://" + l.Addr().String()
	l.Close()
	_, err = connect(t, host).Info(t.Context())
	wantError(t, err, engine.ErrUnreachable, "nothing listens at "+host)
}

func TestNotASocket(t *testing.T) {
	path := socket(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := connect(t, "unix://"+path).Info(t.Context())
	wantError(t, err, engine.ErrUnreachable, path)
}

// A daemon that accepts connections and says nothing holds nobody for longer than the limit.
func TestHangingEngine(t *testing.T) {
	path := socket(t)
	l, err := net.Listen("unix", path) // the kernel accepts, nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := connect(t, "unix://"+path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = e.Info(ctx)
	wantError(t, err, engine.ErrUnreachable, "in time", "hangs")
	_, err = e.Info(context.Background()) // returns at all: by its own limit
	wantError(t, err, engine.ErrUnreachable, "in time")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.Info(cancelled)
	wantError(t, err, nil, "canceled")
}

// An engine that hangs only after it has said which version it speaks.
func TestHangingCall(t *testing.T) {
	var srv api
	srv.handle("/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	e := srv.connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantError(t, e.Pause(ctx, "x"), engine.ErrUnreachable, "pause x", "in time")
}

func TestEngineErrors(t *testing.T) {
	const long = "3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c3f9c"
	for _, x := range []struct {
		code     int
		message  string
		sentinel error
	}{
		{500, "the disk is on fire", nil},
		{400, "Invalid signal: FOO", nil},
		{404, "No such container: x", engine.ErrNotFound},
		{409, "Container x is paused", engine.ErrConflict},
		{500, "Container x is not running", engine.ErrConflict},
		{500, "Container x is already paused", engine.ErrConflict},
	} {
		t.Run(x.message, func(t *testing.T) {
			var srv api
			srv.handle("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, x.code, x.message) })
			wantError(t, srv.connect(t).Pause(t.Context(), long), x.sentinel, "pause 3f9c3f9c3f9c: ", x.message)
		})
	}
}

func TestPingFails(t *testing.T) {
	path := socket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, 500, "still starting") })}
	go srv.Serve(l)
	defer srv.Close()
	_, err = connect(t, "unix://"+path).Info(t.Context())
	wantError(t, err, engine.ErrUnreachable, "500 Internal Server Error", "daemon's log")
}

// The daemon dies in the middle of things.
func TestBrokenConnection(t *testing.T) {
	var srv api
	cut := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}
	srv.handle("POST /v1.41/containers/x/pause", cut)
	srv.handle("GET /v1.41/info", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"SystemTime":"2026-11-23T00:00:00.5Z"}`))
	})
	srv.handle("GET /v1.41/events", func(w http.ResponseWriter, r *http.Request) {
		if since := r.URL.Query().Get("since"); since != "1795392000.500000000" {
			t.Errorf("events since %s", since)
		}
		w.Write([]byte(`{"Type":"container","Action":"die","Actor":{"ID":"x","Attributes":{"name":"shop","exitCode":"3"}},"timeNano":1795392001000000000}` + "\n"))
		http.NewResponseController(w).Flush()
		cut(w, r)
	})
	srv.handle("POST /v1.41/containers/x/wait", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		cut(w, r)
	})
	e := srv.connect(t)
	wantError(t, e.Pause(t.Context(), "x"), engine.ErrUnreachable, "pause x")
	_, err := e.Wait(t.Context(), "x")
	wantError(t, err, engine.ErrUnreachable)
	events, _, err := e.Events(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	ev := <-events
	if ev.Action != "die" || ev.Name != "shop" || ev.Labels["exitCode"] != "3" || ev.Time.Unix() != 1795392001 || ev.Err != nil {
		t.Errorf("%+v", ev)
	}
	wantError(t, (<-events).Err, engine.ErrUnreachable)
	if _, ok := <-events; ok {
		t.Error("the events go on")
	}
}

func TestConnectRefuses(t *testing.T) {
	for host, want := range map[string]string{"ssh://me@host": "ssh -L", "nonsense": "DOCKER_HOST"} {
		if _, err := engine.Connect(engine.Options{Host: host}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v", host, err)
		}
	}
}

// buildStatic builds the workload program, which is static.
func buildStatic(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", path, "gameday/inject/engine/enginetest/workload")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// dynamicBinary turns a program into one that asks for a dynamic linker: its first program header becomes PT_INTERP.
func dynamicBinary(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var header elf.Header64
	if err := binary.Read(bytes.NewReader(content), binary.LittleEndian, &header); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(content[header.Phoff:], uint32(elf.PT_INTERP))
	path := filepath.Join(t.TempDir(), "dynamic")
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
