package runner_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gameday/inject/engine"
	"gameday/runner"
)

// Where things lie on the engine's host, seen from a container.
func TestPathOnTheHost(t *testing.T) {
	c := engine.Container{Name: "me", Mounts: []engine.Mount{
		{Type: "bind", Source: "/srv/work", Destination: "/work", RW: true},
		{Type: "bind", Source: "/var/lib/elsewhere", Destination: "/work/deep", RW: true},
		{Type: "tmpfs", Destination: "/work/tmp", RW: true},
		{Type: "volume", Name: "runs", Source: "/var/lib/docker/volumes/runs/_data", Destination: "/runs", RW: true},
		{Type: "bind", Source: "/run/user/7/docker.sock", Destination: "/var/run/docker.sock"},
	}}
	for path, want := range map[string]string{
		"/work":                "/srv/work",
		"/work/runs/x":         "/srv/work/runs/x",
		"/work/deep":           "/var/lib/elsewhere",
		"/work/deep/x":         "/var/lib/elsewhere/x",
		"/work/deeper":         "/srv/work/deeper",
		"/runs/x":              "/var/lib/docker/volumes/runs/_data/x",
		"/var/run/docker.sock": "/run/user/7/docker.sock",
		"/work/tmp/x":          "",
		"/workshop":            "",
		"/":                    "",
	} {
		got, err := runner.OnHost(c, path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "docker run -v") {
			t.Errorf("%s: the error does not say what to do: %v", path, err)
		}
	}
}

// What a plan says of the guard.
func TestGuardPlan(t *testing.T) {
	s, f := fakeStage(t)
	dir, err := os.MkdirTemp("", "gd") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "real.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link := filepath.Join(dir, "docker.sock")
	if err := os.Symlink("real.sock", link); err != nil {
		t.Fatal(err)
	}
	self := f.AddContainer(engine.Container{Name: "me", Mounts: []engine.Mount{{Type: "bind", Source: "/host/sock", Destination: dir}}})
	both := f.AddContainer(engine.Container{Name: "both", Mounts: []engine.Mount{
		{Type: "bind", Source: "/host/sock", Destination: dir}, {Type: "bind", Source: "/host/runs", Destination: filepath.Dir(s.setup.Runs), RW: true}}})
	s.setup.NoGuard = false
	for _, x := range []struct {
		name, socket, self string
		declined           bool
		says               string // why it is not possible; empty: it is
	}{
		{"here", link, "", false, ""},
		{"declined", link, "", true, ""},
		{"over the network", "", "", false, "tcp://elsewhere:2376"},
		{"no socket", filepath.Join(dir, "none"), "", false, "cannot be found"},
		{"in a container with both", link, both.ID, false, ""},
		{"in a container with the socket alone", link, self.ID, false, "gameday runs in the container me"},
		{"in what looks like a container", link, "0123456789ab", false, ""},
	} {
		setup := s.setup
		setup.Info.SocketPath, setup.Info.Endpoint, setup.Self, setup.NoGuard = x.socket, "tcp://elsewhere:2376", x.self, x.declined
		p := runner.PlanGuard(t.Context(), setup)
		if p.Possible != (x.says == "") || p.Is() != (x.says == "" && !x.declined) || !strings.Contains(p.Why, x.says) {
			t.Errorf("%s: %+v", x.name, p)
		}
		if err := p.Refused(); (err != nil) != (x.says != "") {
			t.Errorf("%s: refused: %v", x.name, err)
		}
	}
	setup := s.setup
	setup.Info.SocketPath, setup.NoGuard = filepath.Join(dir, "none"), true
	if err := runner.PlanGuard(t.Context(), setup).Refused(); err != nil {
		t.Errorf("somebody agreed: %v", err)
	}
}
