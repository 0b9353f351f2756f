package enginetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject/engine"
)

// run marks everything that this test process makes in Docker, also in images' tags: other test processes work on the
// same engine at the same time, and each removes only its own.
var run = "test-" + random()

func random() string {
	b := make([]byte, 5)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// RunLabel is the value of the label gameday on everything that this test process makes in Docker.
func RunLabel() string { return run }

// Unique returns a name that nobody else uses.
func Unique(prefix string) string { return prefix + "-" + random() }

// Open connects to the Docker engine of the environment. Without one the test fails.
func Open(t testing.TB) engine.Engine {
	t.Helper()
	e, err := engine.Connect(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if _, err := e.Info(Context(t)); err != nil {
		t.Fatal(err)
	}
	return e
}

// Context ends after two minutes, or with the test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// program is the workload program, built once in a test process.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "gameday-workload-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "workload")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "gameday/inject/engine/enginetest/workload")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the workload: %w\n%s", err, out)
	}
	return os.ReadFile(path)
})

// image is the description of the workload's image. Tests in other packages may run at the same time: the tag is this
// process's own.
func image(t testing.TB) engine.Image {
	t.Helper()
	content, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return engine.Image{
		Tag: "gameday-workload:" + strings.TrimPrefix(run, "test-"),
		Files: []engine.File{
			file("/workload", 0o755, content),
			{Path: "/bin/rm", Link: "/workload"},
			{Path: "/tmp", Mode: 0o1777},
		},
		Entrypoint: []string{"/workload"},
		Cmd:        []string{"sleep"},
		Labels:     map[string]string{engine.Label: run},
	}
}

func file(path string, mode int64, content []byte) engine.File {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	return engine.File{Path: path, Mode: mode, Size: int64(len(content)), Open: open}
}

var images = struct {
	sync.Mutex
	users map[string]int // engine, by id and endpoint → tests that hold the image
}{users: map[string]int{}}

// Helper makes the workload's image on an engine, and returns its tag. The last test that uses it removes it.
func Helper(t testing.TB, e engine.Engine) (tag string) {
	t.Helper()
	img := image(t)
	info, err := e.Info(Context(t))
	if err != nil {
		t.Fatal(err)
	}
	who := info.ID + info.Endpoint // two daemons on one machine may have one id
	images.Lock()
	defer images.Unlock()
	if images.users[who] == 0 {
		if _, err := e.BuildImage(Context(t), img); err != nil {
			t.Fatal(err)
		}
	}
	images.users[who]++
	t.Cleanup(func() {
		images.Lock()
		defer images.Unlock()
		if images.users[who]--; images.users[who] == 0 {
			if err := e.RemoveImage(cleanup(), img.Tag); err != nil {
				t.Error(err)
			}
		}
	})
	return img.Tag
}

// An Option changes what Workload makes.
type Option func(*engine.Spec)

// Args are the workload's arguments: see the workload program. Without them it sleeps.
func Args(args ...string) Option { return func(s *engine.Spec) { s.Cmd = args } }

// RestartPolicy sets the container's restart policy.
func RestartPolicy(policy string) Option { return func(s *engine.Spec) { s.RestartPolicy = policy } }

// Labels adds labels.
func Labels(labels map[string]string) Option {
	return func(s *engine.Spec) {
		for k, v := range labels {
			s.Labels[k] = v
		}
	}
}

// Network puts the container into a network, or "none", "host", "container:<id>".
func Network(name string, aliases ...string) Option {
	return func(s *engine.Spec) { s.Network, s.Aliases = name, aliases }
}

// Publish publishes container ports on free ports of 127.0.0.1.
func Publish(ports ...int) Option { return func(s *engine.Spec) { s.Publish = ports } }

// HealthCheck gives the container a quick health check, which a SIGUSR1 makes fail and another one succeed again.
func HealthCheck() Option {
	return func(s *engine.Spec) {
		s.Health = &engine.Health{Cmd: []string{"/workload", "health"}, Interval: 200 * time.Millisecond, Timeout: 10 * time.Second, Retries: 1}
	}
}

// With changes anything else.
func With(f func(*engine.Spec)) Option { return f }

// Create makes a container that runs the workload program and does not start it. It is labelled gameday=test-<random> and
// gameday.role=workload, and it is removed at the end of the test.
func Create(t testing.TB, e engine.Engine, name string, opts ...Option) engine.Container {
	t.Helper()
	spec := engine.Spec{
		Name: name, Image: Helper(t, e),
		Labels: map[string]string{engine.Label: run, engine.RoleLabel: engine.RoleWorkload},
	}
	for _, o := range opts {
		o(&spec)
	}
	id, err := e.Create(Context(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(cleanup(), id); err != nil {
			t.Error(err)
		}
	})
	c, err := e.Container(Context(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Workload makes a container as Create does, and starts it. Container names are shared by everybody on the engine: make
// one with Unique.
func Workload(t testing.TB, e engine.Engine, name string, opts ...Option) engine.Container {
	t.Helper()
	c := Create(t, e, name, opts...)
	if err := e.Start(Context(t), c.ID); err != nil {
		t.Fatal(err)
	}
	c, err := e.Container(Context(t), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNetwork makes a network and removes it at the end of the test, after the containers that are made later. With
// subnets its containers may have static addresses: see Subnet.
func TestNetwork(t testing.TB, e engine.Engine, subnets ...string) engine.NetworkInfo {
	t.Helper()
	n := engine.NetworkInfo{Name: Unique("gameday-net"), Labels: map[string]string{engine.Label: run}}
	id, err := e.CreateNetwork(Context(t), n.Name, n.Labels, subnets...)
	if err != nil {
		t.Fatal(err)
	}
	n.ID = id
	t.Cleanup(func() {
		ctx := cleanup()
		err := e.RemoveNetwork(ctx, id)
		// A busy engine still has the endpoint of a container for a moment after it has said that the container is removed.
		for end := time.Now().Add(10 * time.Second); errors.Is(err, engine.ErrConflict) && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond)
			err = e.RemoveNetwork(ctx, id)
		}
		// One that is killed while it starts, the engine may never forget. What counts is that nobody is in the network.
		if in, lerr := e.Brief(ctx, engine.Filter{Network: id}); errors.Is(err, engine.ErrConflict) && lerr == nil && len(in) == 0 {
			t.Logf("%v; there is no container in it", err)
			return
		}
		if err != nil {
			t.Error(err)
		}
	})
	return n
}

// Subnet returns a subnet that most likely nobody else uses, in 10.64.0.0/10, and the fourth address in it.
func Subnet() (subnet, fourth string) {
	var b [2]byte
	rand.Read(b[:])
	prefix := fmt.Sprintf("10.%d.%d.", 64+b[0]%64, b[1])
	return prefix + "0/24", prefix + "4"
}

// Subnet6 is an IPv6 subnet that nobody else uses, and the fourth address in it, as engines spell them: without leading zeros.
func Subnet6() (subnet, fourth string) {
	prefix := "fd00:" + random()[:4] + ":" + random()[:4] + ":1::"
	return netip.MustParsePrefix(prefix + "/64").String(), netip.MustParseAddr(prefix + "4").String()
}

// cleanup is the context of what is removed at the end of a test, whose own context may be over.
func cleanup() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	time.AfterFunc(time.Minute, cancel)
	return ctx
}

// Eventually waits until a container is as asked for, and fails the test if that takes more than half a minute.
func Eventually(t testing.TB, e engine.Engine, id, what string, ok func(engine.Container) bool) engine.Container {
	t.Helper()
	var c engine.Container
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, err = e.Container(Context(t), id); err == nil && ok(c) {
			return c
		}
	}
	t.Fatalf("container %s: waited for %s in vain: %+v, %v", id, what, c, err)
	return c
}
