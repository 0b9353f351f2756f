package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

const (
	execFirstLook = 5 * time.Millisecond   // between looks whether a command has ended; doubled up to execLastLook
	execLastLook  = 200 * time.Millisecond // between looks at one that takes longer
	execFlush     = time.Second            // for the rest of the output after the end: processes that were left behind may hold it open
)

// Exec runs a command in a container and waits for its end.
func (d *docker) Exec(ctx context.Context, id string, cmd Command) (ExecResult, error) {
	what := "run a command in " + id
	if len(cmd.Args) == 0 {
		return ExecResult{}, fmt.Errorf("%s: there is no command", what)
	}
	what = fmt.Sprintf("run %q in %s", cmd.Args[0], id)
	var exec string
	var conn net.Conn
	var out head
	ended := make(chan error, 1)
	err := d.call(ctx, callLimit, what, func(ctx context.Context) error {
		made, err := d.cli.ContainerExecCreate(ctx, id, container.ExecOptions{
			User: cmd.User, Env: cmd.Env, WorkingDir: cmd.WorkDir, Cmd: cmd.Args, AttachStdout: true, AttachStderr: true,
		})
		if err != nil {
			return err
		}
		exec = made.ID
		c, r, err := d.hijack(ctx, "/exec/"+exec+"/start", nil, container.ExecStartOptions{})
		if err != nil {
			return err
		}
		conn = c
		go func() {
			_, err := io.Copy(&out, &frames{r: r})
			ended <- err
		}()
		return nil
	})
	if err != nil {
		return ExecResult{}, err
	}
	code, err := d.execEnd(ctx, what, exec, ended)
	conn.Close()
	text, more := out.result()
	return ExecResult{Code: code, Output: text, Truncated: more}, err
}

// execEnd waits until a command has ended. The end of its output is not its end, nor the other way round.
func (d *docker) execEnd(ctx context.Context, what, exec string, ended <-chan error) (int, error) {
	what = short(what)
	closed := false
	for look := execFirstLook; ; look = min(2*look, execLastLook) {
		var in container.ExecInspect
		err := d.call(ctx, callLimit, what, func(ctx context.Context) (err error) {
			in, err = d.cli.ContainerExecInspect(ctx, exec)
			return err
		})
		if ctx.Err() != nil { // it runs for longer than the caller waits: not the engine's fault
			return 0, fmt.Errorf("%s: %w; it goes on in the container", what, ctx.Err())
		}
		if err != nil {
			return 0, err
		}
		// Before its start, too, a command does not run; then it has neither a process nor a code.
		if !in.Running && (in.Pid != 0 || in.ExitCode != 0) {
			if !closed {
				select {
				case <-ended:
				case <-time.After(execFlush):
				case <-ctx.Done():
				}
			}
			return in.ExitCode, nil
		}
		wait := time.NewTimer(look)
		select {
		case err := <-ended:
			closed = true
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				wait.Stop()
				return 0, d.classify(what, err)
			}
			ended, look = nil, execFirstLook
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// Execs lists what is being executed in a container. The client leaves the commands out.
func (d *docker) Execs(ctx context.Context, id string) ([]Execution, error) {
	var all []Execution
	err := d.call(ctx, callLimit, "list what is executed in "+id, func(ctx context.Context) error {
		in, err := d.cli.ContainerInspect(ctx, id)
		if err != nil || in.ContainerJSONBase == nil {
			return err
		}
		for _, exec := range in.ExecIDs {
			e, running, err := d.execution(ctx, exec)
			if errors.Is(err, cerrdefs.ErrNotFound) {
				continue // it has ended meanwhile
			}
			if err != nil {
				return err
			}
			if running {
				all = append(all, e)
			}
		}
		return nil
	})
	return all, err
}

func (d *docker) execution(ctx context.Context, exec string) (e Execution, running bool, err error) {
	var in struct {
		Running       bool
		Pid           int
		ProcessConfig struct {
			Entrypoint string
			Arguments  []string
		}
	}
	conn, err := d.exchange(ctx, http.MethodGet, "/exec/"+exec+"/json", nil, nil, func(resp *http.Response, _ *bufio.Reader) error {
		if resp.StatusCode != http.StatusOK {
			return said(resp)
		}
		return json.NewDecoder(resp.Body).Decode(&in)
	})
	if err != nil {
		return e, false, err
	}
	conn.Close()
	e = Execution{ID: exec, Args: append([]string{in.ProcessConfig.Entrypoint}, in.ProcessConfig.Arguments...), PID: in.Pid}
	return e, in.Running, nil
}

// A head keeps the start of what is written to it.
type head struct {
	mu   sync.Mutex
	text bytes.Buffer
	more bool
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	room := MaxExecOutput - h.text.Len()
	h.text.Write(p[:min(room, len(p))])
	h.more = h.more || len(p) > room
	return len(p), nil
}

func (h *head) result() (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String(), h.more
}
