// Package workloadtest prepares the engine for the tests of the examples, and checks that they leave nothing behind.
package workloadtest

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
)

// A Stage is what a test starts an example on.
type Stage struct {
	Engine engine.Engine
	Run    string // value of the label "gameday"
	Prefix string // for names
	Image  string // tag of an image with the command gameday/examples/up as /gameday
}

// New connects to the engine and makes the image. At the end of the test it fails if anything of the run is left, after
// removing it.
func New(t *testing.T) *Stage {
	t.Helper()
	e, err := engine.Connect(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	id := strings.ToLower(rand.Text()[:8])
	s := &Stage{Engine: e, Run: "test-" + id, Prefix: "test-" + id, Image: "gameday-example:test-" + id}

	binary := filepath.Join(t.TempDir(), "up")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "gameday/examples/up")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // no flags: neither -race nor -cover make a static binary
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	image, err := engine.HelperImage(binary)
	if err != nil {
		t.Fatal(err)
	}
	image.Tag = s.Image
	image.Labels = map[string]string{engine.Label: s.Run}
	if _, err := e.BuildImage(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, left := range s.Left(t, ctx) {
			t.Errorf("left behind: %s", left)
		}
		s.clear(t, ctx)
	})
	return s
}

// Left names the containers and networks of the run.
func (s *Stage) Left(t *testing.T, ctx context.Context) []string {
	t.Helper()
	containers, err := s.Engine.Containers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, c := range containers {
		if c.Labels[engine.Label] == s.Run {
			left = append(left, "container "+c.Name)
		}
	}
	networks, err := s.Engine.Networks(ctx, engine.Label, s.Run)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range networks {
		left = append(left, "network "+n.Name)
	}
	return left
}

// clear removes everything of the run without using what is under test.
func (s *Stage) clear(t *testing.T, ctx context.Context) {
	t.Helper()
	containers, err := s.Engine.Containers(ctx)
	if err != nil {
		t.Error(err)
	}
	for _, c := range containers {
		if c.Labels[engine.Label] == s.Run {
			if err := s.Engine.Remove(ctx, c.ID); err != nil {
				t.Error(err)
			}
		}
	}
	networks, err := s.Engine.Networks(ctx, engine.Label, s.Run)
	if err != nil {
		t.Error(err)
	}
	for _, n := range networks {
		if err := s.Engine.RemoveNetwork(ctx, n.ID); err != nil {
			t.Error(err)
		}
	}
	if err := s.Engine.RemoveImage(ctx, s.Image); err != nil {
		t.Error(err)
	}
}

// Await waits until something is true, for a minute at most.
func Await(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
