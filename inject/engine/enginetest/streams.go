package enginetest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
)

// read reads n bytes of a stream, for half a minute at most.
func read(t testing.TB, s engine.Stream, n int) string {
	t.Helper()
	timer := time.AfterFunc(30*time.Second, func() { s.Close() })
	defer timer.Stop()
	b := make([]byte, n)
	got, err := io.ReadFull(s, b)
	if err != nil {
		t.Fatalf("read %q, then %v", b[:got], err)
	}
	return string(b)
}

func stdin(s *engine.Spec) { s.Stdin = true }

func testAttach(t *testing.T, e engine.Engine) {
	ctx, cancel := context.WithCancel(Context(t))
	c := Create(t, e, Unique("gameday-attach"), With(stdin), Args("print", "first", "echo", "printerr", "sorry", "exit", "4"))
	s, err := e.Attach(ctx, c.ID)
	must(t, err)
	defer s.Close()
	must(t, e.Start(ctx, c.ID))
	cancel() // the stream goes on
	if got := read(t, s, 6); got != "first\n" {
		t.Errorf("what it wrote first is read as %q", got)
	}
	for _, text := range []string{"one\n", strings.Repeat("x", 1<<20), "\x01\x00\x00\x00two"} {
		wrote := make(chan error, 1)
		go func() { _, err := io.WriteString(s, text); wrote <- err }()
		if got := read(t, s, len(text)); got != text {
			t.Errorf("of %d bytes, others came back: %.20q", len(text), got)
		}
		must(t, <-wrote)
	}
	must(t, s.CloseWrite())
	rest, err := io.ReadAll(s)
	must(t, err)
	if string(rest) != "" || s.Err() != "sorry\n" {
		t.Errorf("at the end, it wrote %q, and %q to stderr", rest, s.Err())
	}
	if code, err := e.Wait(Context(t), c.ID); err != nil || code != 4 {
		t.Errorf("it ended with %d, %v", code, err)
	}
}

func testAttachEnds(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Create(t, e, Unique("gameday-attach"), With(stdin), Args("echo", "exit", "6"))
	s, err := e.Attach(ctx, c.ID)
	must(t, err)
	must(t, e.Start(ctx, c.ID))
	if _, err := io.WriteString(s, "ready"); err != nil {
		t.Fatal(err)
	}
	read(t, s, 5)
	must(t, s.Close())
	if n, err := s.Read(make([]byte, 1)); err == nil || n != 0 {
		t.Errorf("read from a closed stream: %d bytes, %v", n, err)
	}
	if n, err := s.Write([]byte("x")); err == nil || n != 0 {
		t.Errorf("wrote to a closed stream: %d bytes, %v", n, err)
	}
	if code, err := e.Wait(ctx, c.ID); err != nil || code != 6 { // the end of the stream was that of its stdin
		t.Errorf("it ended with %d, %v", code, err)
	}

	c = Create(t, e, Unique("gameday-attach"), Args("echo", "print", "done")) // stdin is empty
	s, err = e.Attach(ctx, c.ID)
	must(t, err)
	defer s.Close()
	must(t, e.Start(ctx, c.ID))
	if got := read(t, s, 5); got != "done\n" {
		t.Errorf("without stdin, it wrote %q", got)
	}
	must(t, e.Kill(ctx, c.ID, "KILL"))
	if n, err := s.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after its end: %d bytes, %v", n, err)
	}
	c = Workload(t, e, Unique("gameday-attach"))
	must(t, e.Pause(ctx, c.ID))
	_, err = e.Attach(ctx, c.ID)
	want(t, engine.ErrConflict, err)
}

func testExec(t *testing.T, e engine.Engine) {
	ctx := Context(t)
	c := Workload(t, e, Unique("gameday-exec"), With(func(s *engine.Spec) { s.Env = []string{"COLOR=blue", "SIZE=small"} }))
	many := strings.Repeat("x", 50<<10)
	for _, x := range []struct {
		cmd  engine.Command
		want engine.ExecResult
	}{
		{engine.Command{Args: []string{"exit", "0"}}, engine.ExecResult{}},
		{engine.Command{Args: []string{"print", "one two", "wait", "200ms", "printerr", "three", "exit", "3"}}, engine.ExecResult{Code: 3, Output: "one two\nthree\n"}},
		{engine.Command{Args: []string{"leave", "print", "four", "exit", "5"}}, engine.ExecResult{Code: 5, Output: "four\n"}},
		{engine.Command{Args: []string{"env", "COLOR", "env", "SIZE", "who", "where", "exit", "0"}}, engine.ExecResult{Output: "blue\nsmall\n0:0\n/\n"}},
		{
			engine.Command{Args: []string{"env", "COLOR", "env", "SIZE", "who", "where", "exit", "0"}, User: "1000:1001", Env: []string{"COLOR=red"}, WorkDir: "/tmp"},
			engine.ExecResult{Output: "red\nsmall\n1000:1001\n/tmp\n"},
		},
		{engine.Command{Args: []string{"print", many, "print", many, "exit", "0"}}, engine.ExecResult{Output: (many + "\n" + many)[:engine.MaxExecOutput], Truncated: true}},
	} {
		x.cmd.Args = append([]string{"/workload"}, x.cmd.Args...)
		if got, err := e.Exec(ctx, c.ID, x.cmd); err != nil || got != x.want {
			t.Errorf("%.200q: code %d, %.200q, truncated %v, %v; want %d, %.200q", x.cmd.Args, got.Code, got.Output, got.Truncated, err, x.want.Code, x.want.Output)
		}
	}
	if got, err := e.Exec(ctx, c.ID, engine.Command{Args: []string{"/nothing/here"}}); err != nil || got.Code != 126 && got.Code != 127 ||
		!strings.Contains(got.Output, "/nothing/here") {
		t.Errorf("a program that does not exist: %+v, %v", got, err)
	}
	if got, err := e.Exec(ctx, c.ID, engine.Command{}); err == nil {
		t.Errorf("no program: %+v", got)
	}
	must(t, e.Pause(ctx, c.ID))
	_, err := e.Exec(ctx, c.ID, engine.Command{Args: []string{"/workload", "exit", "0"}})
	want(t, engine.ErrConflict, err)
	must(t, e.Kill(ctx, c.ID, "KILL"))
	Eventually(t, e, c.ID, "its end", exited)
	_, err = e.Exec(ctx, c.ID, engine.Command{Args: []string{"/workload", "exit", "0"}})
	want(t, engine.ErrConflict, err)
}

func testExecOutlasted(t *testing.T, e engine.Engine) {
	c := Workload(t, e, Unique("gameday-exec"))
	soon, cancel := context.WithTimeout(Context(t), time.Second)
	defer cancel()
	got, err := e.Exec(soon, c.ID, engine.Command{Args: []string{"/workload", "print", "first", "sleep"}})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, engine.ErrUnreachable) || got.Output != "first\n" {
		t.Errorf("it runs for longer than was waited: %+v, %v", got, err)
	}
	execs, err := e.Execs(Context(t), c.ID)
	must(t, err)
	if len(execs) != 1 || !slices.Equal(execs[0].Args, []string{"/workload", "print", "first", "sleep"}) || execs[0].ID == "" || execs[0].PID == 0 {
		t.Errorf("it goes on, and what is executed is listed as %+v", execs)
	}
	if _, err := e.Exec(Context(t), c.ID, engine.Command{Args: []string{"/workload", "exit", "0"}}); err != nil {
		t.Fatal(err)
	}
	if execs, err := e.Execs(Context(t), c.ID); err != nil || len(execs) != 1 {
		t.Errorf("another one has ended, and these are listed: %+v, %v", execs, err)
	}
	ended := make(chan error, 1)
	go func() {
		got, err := e.Exec(Context(t), c.ID, engine.Command{Args: []string{"/workload", "sleep"}})
		if err == nil && got.Code != 137 {
			t.Errorf("its container was killed: %+v", got)
		}
		ended <- err
	}()
	time.Sleep(300 * time.Millisecond) // it most likely runs; if not, the error is one of the container's state
	must(t, e.Kill(Context(t), c.ID, "KILL"))
	if err := <-ended; err != nil {
		want(t, engine.ErrConflict, err)
	}
	Eventually(t, e, c.ID, "its end", exited)
	if execs, err := e.Execs(Context(t), c.ID); err != nil || len(execs) != 0 {
		t.Errorf("the container has ended, and these are listed: %+v, %v", execs, err)
	}
}

func testSettings(t *testing.T, e engine.Engine) {
	owner := Create(t, e, Unique("gameday-settings"), With(func(s *engine.Spec) {
		s.Binds = []string{t.TempDir() + ":/in:ro", t.TempDir() + ":/out"}
		s.Tmpfs = map[string]string{"/run": "size=1m"}
	}))
	c := Create(t, e, Unique("gameday-settings"), With(func(s *engine.Spec) {
		s.VolumesFrom = []string{owner.ID}
		s.CapDrop, s.CapAdd, s.ReadOnly, s.User = []string{"ALL"}, []string{"NET_ADMIN"}, true, "1000:1000"
		s.SecurityOpt, s.OOMScoreAdj, s.CgroupnsMode, s.Memory = []string{"no-new-privileges"}, -7, "host", 64<<20
	}))
	if !slices.Equal(c.CapDrop, []string{"ALL"}) || len(c.CapAdd) != 1 || !strings.HasSuffix(c.CapAdd[0], "NET_ADMIN") || !c.ReadOnly ||
		c.User != "1000:1000" || c.OOMScoreAdj != -7 || c.CgroupnsMode != "host" || c.Privileged || c.TTY || c.Runtime == "" ||
		!slices.Equal(c.SecurityOpt, []string{"no-new-privileges"}) {
		t.Errorf("its settings are %+v", c)
	}
	if l := c.Limits; l.Memory != 64<<20 || l.NanoCPUs != 0 || l.CPUQuota != 0 || l.OOMKillDisable {
		t.Errorf("its limits are %+v", l)
	}
	check := func(c engine.Container, want ...string) {
		t.Helper()
		var got []string
		for _, m := range c.Mounts {
			if (m.Type == "bind") != (m.Source != "") {
				t.Errorf("mount %+v", m)
			}
			got = append(got, m.Type+" "+m.Destination+map[bool]string{true: "", false: " ro"}[m.RW])
		}
		if !slices.Equal(got, want) {
			t.Errorf("its mounts are %q, want %q", got, want)
		}
	}
	check(owner, "bind /in ro", "bind /out", "tmpfs /run")
	check(c, "bind /in ro", "bind /out")
	check(Create(t, e, Unique("gameday-settings"), With(func(s *engine.Spec) {
		s.Dirs = []engine.HostDir{{Source: t.TempDir(), Destination: "/in", ReadOnly: true}, {Source: t.TempDir(), Destination: "/out"}}
	})), "bind /in ro", "bind /out")
	if owner.ReadOnly || owner.Limits.Memory != 0 || len(owner.CapAdd)+len(owner.CapDrop) != 0 {
		t.Errorf("settings that were not asked for: %+v", owner)
	}
}
