package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gameday/inject/engine"
)

// input is what a process has not read yet.
type input struct {
	data []byte
	ends bool
}

// A stream is an attached container. Its fields are guarded by the fake's lock.
type stream struct {
	f      *Fake
	b      *box
	out    []byte
	err    []byte
	over   error // what Read returns after the rest
	closed bool
}

// Attach connects to a container's streams.
func (f *Fake) Attach(ctx context.Context, id string) (engine.Stream, error) {
	b, err := f.enterBox(ctx, "Attach", id)
	if err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if b.c.State.Paused || b.c.State.Restarting {
		return nil, fmt.Errorf("attach to %s: %w: it is %s", id, engine.ErrConflict, b.c.State.Status)
	}
	s := &stream{f: f, b: b}
	b.streams = append(b.streams, s)
	return s, nil
}

// detach ends all streams of a container.
func (b *box) detach(why error) {
	for _, s := range b.streams {
		if s.over == nil {
			s.over = why
		}
	}
	b.streams = nil
}

// output has the process write.
func (f *Fake) output(b *box, stderr bool, text string) {
	b.log = append(b.log, text...)
	for _, s := range b.streams {
		if stderr {
			s.err = append(s.err, text...)
		} else {
			s.out = append(s.out, text...)
		}
	}
	f.news.Broadcast()
}

// feed has a process that copies its stdin do so with what there is.
func (f *Fake) feed(b *box) {
	if b.echo == nil || b.c.State.Paused || !b.c.State.Running {
		return
	}
	if len(b.stdin.data) > 0 {
		f.output(b, false, string(b.stdin.data))
		b.stdin.data = nil
	}
	if b.stdin.ends || !b.spec.Stdin {
		rest := *b.echo
		b.echo = nil
		f.do(b, rest)
	}
}

func (s *stream) Read(p []byte) (int, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	for len(s.out) == 0 && s.over == nil {
		s.f.news.Wait()
	}
	if s.closed || len(s.out) == 0 {
		return 0, s.over
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

func (s *stream) Write(p []byte) (int, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	switch {
	case s.closed:
		return 0, net.ErrClosed
	case s.over != nil:
		return 0, os.NewSyscallError("write", errors.New("broken pipe"))
	}
	if s.b.spec.Stdin {
		s.b.stdin.data = append(s.b.stdin.data, p...)
		s.f.feed(s.b)
	}
	return len(p), nil
}

func (s *stream) CloseWrite() error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.over == nil {
		s.b.stdin.ends = true
		s.f.feed(s.b)
	}
	return nil
}

func (s *stream) Close() error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if s.over == nil {
		s.b.stdin.ends = true
		s.f.feed(s.b)
		s.b.streams = slices.DeleteFunc(s.b.streams, func(x *stream) bool { return x == s })
	}
	s.closed, s.over = true, net.ErrClosed
	s.f.news.Broadcast()
	return nil
}

func (s *stream) Err() string {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return string(s.err[max(0, len(s.err)-4<<10):])
}

// Exec runs the workload program in a container.
func (f *Fake) Exec(ctx context.Context, id string, cmd engine.Command) (engine.ExecResult, error) {
	b, err := f.enterBox(ctx, "Exec", id)
	if err != nil {
		return engine.ExecResult{}, err
	}
	what := "run a command in " + id
	s, over, cut := b.c.State, b.over, f.cut
	if len(cmd.Args) > 0 && cmd.Args[0] == "/workload" && s.Running {
		run := newID()
		if b.execs == nil {
			b.execs = map[string]engine.Execution{}
		}
		b.execs[run] = engine.Execution{ID: run, Args: slices.Clone(cmd.Args), PID: b.pid + 1 + len(b.execs)}
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			select {
			case <-ctx.Done(): // it goes on
			default:
				delete(b.execs, run)
			}
		}()
	}
	f.mu.Unlock()
	switch {
	case len(cmd.Args) == 0:
		return engine.ExecResult{}, fmt.Errorf("%s: there is no command", what)
	case !s.Running || s.Restarting || s.Paused:
		return engine.ExecResult{}, fmt.Errorf("%s: %w: it is %s", what, engine.ErrConflict, s.Status)
	case cmd.Args[0] != "/workload":
		return engine.ExecResult{Code: 127, Output: fmt.Sprintf("exec: %q: no such file or directory\r\n", cmd.Args[0])}, nil
	}
	var out bytes.Buffer
	result := func(code int, err error) (engine.ExecResult, error) {
		text := out.String()
		return engine.ExecResult{
			Code: code, Output: text[:min(len(text), engine.MaxExecOutput)], Truncated: len(text) > engine.MaxExecOutput,
		}, err
	}
	for args := cmd.Args[1:]; ; {
		do, value := "sleep", ""
		if len(args) > 0 {
			do, args = args[0], args[1:]
		}
		if len(args) > 0 && slices.Contains([]string{"print", "printerr", "wait", "exit", "env"}, do) {
			value, args = args[0], args[1:]
		}
		var wait <-chan time.Time // never
		switch do {
		case "print", "printerr":
			out.WriteString(value + "\n")
			continue
		case "env", "who", "where":
			user := cmd.User
			if user == "" {
				user = b.spec.User
			}
			out.WriteString(answer(do, value, user, cmd.WorkDir, append(slices.Clone(b.spec.Env), cmd.Env...)))
			continue
		case "exit":
			code, _ := strconv.Atoi(value)
			return result(code, nil)
		case "echo", "leave": // its stdin is empty
			continue
		case "wait":
			d, _ := time.ParseDuration(value)
			wait = time.After(d)
		}
		select {
		case <-wait:
		case <-over:
			return result(137, nil)
		case <-cut:
			return result(0, fmt.Errorf("%s: %w", what, unreachable()))
		case <-ctx.Done():
			return result(0, fmt.Errorf("%s: %w; it goes on in the container", what, ctx.Err()))
		}
	}
}

// Execs lists what is being executed.
func (f *Fake) Execs(ctx context.Context, id string) ([]engine.Execution, error) {
	b, err := f.enterBox(ctx, "Execs", id)
	if err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.execs), func(x, y engine.Execution) int { return x.PID - y.PID }), nil
}

// answer is what the workload says of itself.
func answer(what, name, user, dir string, env []string) string {
	switch what {
	case "who":
		if user == "" {
			user = "0:0"
		}
		return user + "\n"
	case "where":
		if dir == "" {
			dir = "/"
		}
		return dir + "\n"
	}
	text := ""
	for _, e := range env {
		if k, v, _ := strings.Cut(e, "="); k == name {
			text = v
		}
	}
	return text + "\n"
}
