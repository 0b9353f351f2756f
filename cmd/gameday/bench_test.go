package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkVersion is how long the program takes to start and end, as a process.
func BenchmarkVersion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "gameday")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "gameday/cmd/gameday")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(path, "version").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.ResetTimer()
	for b.Loop() {
		if err := exec.Command(path, "version").Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(time.Millisecond)/float64(b.N), "ms/start")
}
