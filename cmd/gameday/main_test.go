package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/runner/metrics/metricstest"
)

// TestMain makes the command gameday of this test's own binary. It has to be a static one, hence CGO_ENABLED=0, because it is
// also what runs inside the containers that the scripts start: there it is /gameday.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gameday": func() {
			os.Exit(execute(os.Args[1:], app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}))
		},
	})
}

// TestScripts runs what needs no Docker engine. The scripts are the specification of the commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// Nothing here may reach an engine, even by mistake.
			env.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
			return copyRecorded(filepath.Join(env.WorkDir, "runs"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "truncate": truncate, "series": recordSeries},
	})
}

// copyRecorded puts the run directories of testdata/runs where a script can change them.
func copyRecorded(to string) error {
	return os.CopyFS(to, os.DirFS("testdata/runs"))
}

// code N COMMAND… runs a command, which must end with exit code N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	got := exitCode(ts.Exec(args[1], args[2:]...))
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// exitCode is that of a command that has run; 0 stands for no error, -1 for one that was not the command's own.
func exitCode(err error) int {
	var e *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.ExitCode()
	}
	return -1
}

// truncate FILE N leaves the first N bytes of a file; with a negative N all but the last.
func truncate(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	st, err := os.Stat(path)
	ts.Check(err)
	if n < 0 {
		n += st.Size()
	}
	ts.Check(os.Truncate(path, n))
}

// glob is the only path that matches a pattern.
func glob(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", &fs.PathError{Op: "find exactly one", Path: pattern, Err: fs.ErrNotExist}
	}
	return found[0], nil
}

// series RUN puts series beside a recorded run, as its embedded engine would have: queue, which is 3 and during the fault 8.
func recordSeries(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(recordQueue(ts.MkAbs(args[0])))
}

func recordQueue(dir string) error {
	rec, err := journal.ReadEvents(dir)
	if err != nil {
		return err
	}
	m := runner.MomentsOf(rec)
	line := metrics.Line{Labels: map[string]string{"__name__": "queue", "container": "store"}}
	for at := m.Start.Add(-time.Second); at.Before(m.End); at = at.Add(500 * time.Millisecond) {
		v := 3.0
		if at.After(m.Fault) && at.Before(m.Undo) {
			v = 8
		}
		line.Points = append(line.Points, metrics.Point{At: at, Value: v})
	}
	return metricstest.Record(filepath.Join(dir, journal.SamplesDir, journal.TSDBDir), false, line)
}
