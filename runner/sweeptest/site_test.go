package sweeptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
	"gameday/runner"
)

// A site is an engine to sweep on, for one kill at a time.
type site struct {
	engine engine.Engine
	daemon *enginetest.Private  // nil: the engine is the environment's, and others use it
	nets   []engine.NetworkInfo // one for each target, so that none takes the address of another one that is down
	setup  runner.Setup         // for what a person would do afterwards
	binary string               // gameday; empty: the runner is this test's own program
	client *http.Client         // to the engine's socket
}

func newSite(t testing.TB, tools inject.Tools, daemon *enginetest.Private) *site {
	t.Helper()
	s := &site{engine: tools.Engine, daemon: daemon}
	for range mostTargets {
		s.nets = append(s.nets, enginetest.TestNetwork(t, s.engine))
	}
	enginetest.Helper(t, s.engine) // so that the image stays from one kill to the next
	s.setup = runner.Setup{Engine: s.engine, Tools: tools, Version: "test", Lock: enginetest.Unique("gameday-lock")}
	if err := s.setup.Connect(enginetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if daemon != nil {
		s.setup.Lock = runner.LockName
	}
	socket := s.setup.Info.SocketPath
	if socket == "" {
		t.Fatal("the engine is not reached over a socket, so no run can have a guard")
	}
	s.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// sharedSite is on the environment's engine, with a lock of its own.
func sharedSite(t testing.TB) *site { return newSite(t, injecttest.Tools(t), nil) }

// privateSite is on an engine of its own, where the runner is the gameday that people run. With live its containers run on while its
// daemon is away.
func privateSite(t testing.TB, live bool) *site {
	t.Helper()
	var args []string
	if live {
		args = append(args, "--live-restore")
	}
	daemon := enginetest.PrivateEngine(t, args...)
	s := newSite(t, inject.Tools{Engine: daemon.Engine(), Helper: func(context.Context) (string, error) { return "", errors.New("only gameday has it") }}, daemon)
	s.binary = gameday(t)
	return s
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gameday-sweep-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "gameday"), "gameday/cmd/gameday")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build gameday: %w\n%s", err, out)
	}
	return filepath.Join(dir, "gameday"), nil
})

// gameday is the path of the binary, which goes with the test.
func gameday(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(path)) })
	return path
}

func (s *site) env() []string {
	if s.daemon != nil {
		return append(os.Environ(), "DOCKER_HOST="+s.daemon.Host)
	}
	return os.Environ()
}

// docker runs a docker command.
func (s *site) docker(args ...string) (string, error) {
	cmd := exec.Command("docker", args...)
	cmd.Env = s.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// errNone is the error of a container that is not there.
var errNone = errors.New("there is no such container")

// inspect asks the engine about a container as docker inspect does, without starting a program for each look.
func (s *site) inspect(name string) (inspected, error) {
	var in inspected
	return in, s.get("/containers/"+name+"/json", &in)
}

func (s *site) get(path string, into any) error {
	res, err := s.client.Get("http://docker" + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(res.Body).Decode(into)
	case http.StatusNotFound:
		return errNone
	}
	return fmt.Errorf("GET %s: %s", path, res.Status)
}

// A listed container is one of gameday's own.
type listed struct {
	ID      string `json:"Id"`
	Names   []string
	State   string
	Status  string
	Created int64
	Labels  map[string]string
}

func (l listed) String() string {
	return fmt.Sprintf("%s (%s, %s, label gameday=%s, role %s)", strings.Join(l.Names, " "), l.State, l.Status, l.Labels[engine.Label], l.Labels[engine.RoleLabel])
}

// own lists what gameday has made for a scenario: containers whose label names it, the lock, and helpers of targets.
func (s *site) own(scenario string, targets []*target) ([]listed, error) {
	var all []listed
	if err := s.get("/containers/json?all=1", &all); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(l listed) bool {
		switch {
		case l.Labels[engine.RoleLabel] == engine.RoleWorkload || l.Labels[engine.Label] == "":
			return true
		case strings.Contains(l.Labels[engine.Label], scenario), slices.Contains(l.Names, "/"+s.setup.Lock), s.daemon != nil:
			return false
		}
		return !slices.ContainsFunc(targets, func(x *target) bool { return l.Labels["gameday.target"] == x.id })
	}), nil
}
