package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// streaming is an engine with a container whose attached stream says what is given, and then ends.
func streaming(t *testing.T, tty bool, text string) engine.Stream {
	t.Helper()
	var srv api
	srv.handle("GET /v1.41/containers/x/json", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"Id":"xxx","Config":{"Tty":%v}}`, tty)
	})
	srv.handle("POST /v1.41/containers/xxx/attach", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.RawQuery; got != "stderr=1&stdin=1&stdout=1&stream=1" || r.ContentLength != 0 {
			t.Errorf("query %q, with %d bytes", got, r.ContentLength)
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"+text)
	})
	s, err := srv.connect(t).Attach(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func frame(origin byte, text string) string {
	n := len(text)
	return string([]byte{origin, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + text
}

func TestStreamFrames(t *testing.T) {
	long := strings.Repeat("x", 10<<10) + "the end"
	for _, x := range []struct {
		name, text, out, err string
		tty                  bool
		ends                 string
	}{
		{name: "mixed", text: frame(1, "one") + frame(2, "sorry") + frame(1, "") + frame(1, "two"), out: "onetwo", err: "sorry"},
		{name: "last words", text: frame(2, long), err: long[len(long)-4096:]},
		{name: "terminal", tty: true, text: frame(1, "one"), out: frame(1, "one")},
		{name: "engine's error", text: frame(1, "one") + frame(3, "the disk is on fire"), out: "one", ends: "Docker says: the disk is on fire"},
		{name: "out of step", text: "hello there", ends: "out of step"},
		{name: "cut in a header", text: frame(1, "one")[:5], ends: "unexpected EOF"},
		{name: "cut in a piece", text: frame(1, "one")[:9], out: "o", ends: "unexpected EOF"},
		{name: "cut in an error", text: frame(2, "sorry")[:9], err: "s", ends: "unexpected EOF"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := streaming(t, x.tty, x.text)
			out, err := io.ReadAll(s)
			if string(out) != x.out || s.Err() != x.err || (err == nil) != (x.ends == "") || err != nil && !strings.Contains(err.Error(), x.ends) {
				t.Errorf("%.100q, stderr %.100q, %v", out, s.Err(), err)
			}
		})
	}
}

func TestAttachRefused(t *testing.T) {
	for _, x := range []struct {
		code     int
		message  string
		sentinel error
	}{
		{404, "No such container: x", engine.ErrNotFound},
		{409, "Container x is paused. Unpause the container before attach.", engine.ErrConflict},
		{500, "the disk is on fire", nil},
		{403, "", nil},
	} {
		var srv api
		srv.handle("GET /v1.41/containers/x/json", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"Id":"x"}`) })
		srv.handle("POST /v1.41/containers/x/attach", func(w http.ResponseWriter, _ *http.Request) { answer(w, x.code, x.message) })
		_, err := srv.connect(t).Attach(t.Context(), "x")
		if x.message == "" {
			x.message = "403 Forbidden"
		}
		wantError(t, err, x.sentinel, "attach to x: ", x.message)
	}
}

// The client would wait for the answer for ever.
func TestHangingAttach(t *testing.T) {
	var srv api
	srv.handle("GET /v1.41/containers/x/json", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"Id":"x"}`) })
	srv.handle("POST /v1.41/containers/x/attach", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	e := srv.connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := e.Attach(ctx, "x")
	wantError(t, err, engine.ErrUnreachable, "attach to x", "in time")
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = e.Attach(ctx, "x")
	if !errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("given up: %v", err)
	}
}

// A child process that held the stream's descriptor would keep the container's stdin open.
func TestStreamIsNotInherited(t *testing.T) {
	e := enginetest.Open(t)
	c := enginetest.Workload(t, e, enginetest.Unique("gameday-attach"))
	s, err := e.Attach(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	sockets := 0
	for _, entry := range entries {
		link, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil || !strings.HasPrefix(link, "socket:") {
			continue
		}
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %v", fd, flags, errno)
		}
		sockets++
	}
	if sockets == 0 {
		t.Error("the stream has no socket")
	}
}
