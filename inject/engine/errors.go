package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// connectError is a connection that could not be made. Its text must not hold what the Docker client looks for to put
// its own text in place ("connection refused", "dial unix").
type connectError struct {
	sentinel error
	text     string
	cause    error
}

func (e *connectError) Error() string   { return e.sentinel.Error() + ": " + e.text }
func (e *connectError) Unwrap() []error { return []error{e.sentinel, e.cause} }

// dialError says why an endpoint could not be connected to, and what to do. It returns nil for nil.
func dialError(host string, err error) error {
	const start = "is the daemon running? start it, or set DOCKER_HOST"
	path := strings.TrimPrefix(host, "unix://")
	var dns *net.DNSError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return &connectError{ErrPermission, path + ": permission denied; add yourself to the docker group, or use sudo", err}
	case errors.Is(err, syscall.ENOENT):
		return &connectError{ErrUnreachable, "there is no socket " + path + "; " + start, err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &connectError{ErrUnreachable, "nothing listens at " + path + "; " + start, err}
	case errors.Is(err, syscall.ENOTSOCK):
		return &connectError{ErrUnreachable, path + " is no socket; set DOCKER_HOST", err}
	case errors.As(err, &dns):
		return &connectError{ErrUnreachable, "there is no host " + dns.Name + "; set DOCKER_HOST", err}
	case errors.Is(err, context.Canceled):
		return err
	case isTimeout(err):
		return &connectError{ErrUnreachable, "no connection to " + path + " in time; " + start, err}
	}
	cause := err
	for u := errors.Unwrap(cause); u != nil; u = errors.Unwrap(cause) {
		cause = u
	}
	return &connectError{ErrUnreachable, path + ": " + cause.Error() + "; " + start, err}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// unreachable classifies the failure of an engine's very first answer.
func unreachable(host string, err error) error {
	var connect *connectError
	switch {
	case errors.As(err, &connect):
		return connect
	case errors.Is(err, context.Canceled):
		return err
	case isTimeout(err):
		return fmt.Errorf("%w in time: %s: the daemon accepts connections but hangs; restart it, or set DOCKER_HOST (%w)",
			ErrUnreachable, host, err)
	}
	return fmt.Errorf("%w as one should: %s: %w; look at the daemon's log, or set DOCKER_HOST", ErrUnreachable, host, err)
}

// classify wraps the sentinel that a client's error stands for. It returns nil for nil.
func (d *docker) classify(what string, err error) error {
	if err == nil {
		return nil
	}
	what = short(what)
	var connect *connectError
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict), errors.Is(err, ErrUnreachable),
		errors.Is(err, ErrPermission), errors.Is(err, ErrTooOld):
		if errors.As(err, &connect) {
			err = connect // without the client's prefixes
		}
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	case isTimeout(err):
		return fmt.Errorf("%s: %w in time: %w", what, ErrUnreachable, err)
	case cerrdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w: %s", what, ErrNotFound, daemonText(err))
	case cerrdefs.IsConflict(err), isStateText(err):
		return fmt.Errorf("%s: %w: %s", what, ErrConflict, daemonText(err))
	case client.IsErrConnectionFailed(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%s: %w: %s: the connection broke (%w); is the daemon running?", what, ErrUnreachable, d.cli.DaemonHost(), err)
	}
	return fmt.Errorf("%s: Docker says: %s", what, daemonText(err))
}

var longID = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)

// daemonText is the engine's own message without the client's prefix, and with ids as people know them.
func daemonText(err error) string {
	return short(strings.TrimSpace(strings.TrimPrefix(err.Error(), "Error response from daemon: ")))
}

// short cuts the ids in a text to the twelve digits that the docker command line shows.
func short(text string) string { return longID.ReplaceAllString(text, "$1") }

// isStateText recognises conflicts that some engines report as internal errors.
func isStateText(err error) bool {
	text := err.Error()
	for _, s := range []string{"is not running", "is not paused", "is already paused", "is already in use"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
