package runner_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gameday/runner"
	"gameday/runner/journal"
)

// A disk is a small file system that tests fill up.
type disk struct {
	t   *testing.T
	dir string
}

// smallDisk mounts one. Mounting needs root, as in the containers that CI runs in.
func smallDisk(t *testing.T, size string) *disk {
	t.Helper()
	d := &disk{t, t.TempDir()}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("this test mounts a small disk, and has to be run as root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

// fill writes until nothing more fits. What becomes free later is not taken.
func (d *disk) fill() {
	f, err := os.OpenFile(filepath.Join(d.dir, "ballast"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Error(err)
		return
	}
	defer f.Close()
	for _, n := range []int{64 << 10, 4 << 10, 1} {
		for {
			if _, err := f.Write(make([]byte, n)); err != nil {
				break
			}
		}
	}
}

func (d *disk) empty() {
	if err := os.Remove(filepath.Join(d.dir, "ballast")); err != nil {
		d.t.Error(err)
	}
}

// The disk gets full at any moment of a run: everything is undone, and what was recorded can be read.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"run.started", "phase.started", "baseline.judged", "fault.intent", "fault.verified", "undo.started", "undo.verified"} {
		t.Run(kind, func(t *testing.T) {
			s, _ := fakeStage(t)
			d := smallDisk(t, "2m")
			s.setup.Runs = filepath.Join(d.dir, "runs")
			c := s.container()
			var once sync.Once
			r := s.prepare(remote(servePrometheus(t, "hundred").url, target("t", c), strict+pauseFor("f", "t", "2s")), func(_ *runner.Run, ev journal.Event) {
				if ev.Payload.Kind() == kind {
					once.Do(d.fill)
				}
			})
			res, err := r.Execute(t.Context())
			d.empty()
			// Before the baseline it ends the run as any error does; later it is the record that could not be written to its end.
			said := res.Detail
			if err != nil {
				said += err.Error()
			}
			if !strings.Contains(said, "disk is full") && !strings.Contains(said, "no space left") {
				t.Errorf("Execute: %v, %s", err, res.Detail)
			}
			if err == nil && kind != "run.started" {
				t.Error("Execute returned no error")
			}
			rec, rerr := journal.Read(r.Dir())
			if rerr != nil {
				t.Fatal(rerr)
			}
			e := ending{Result: res, err: err, rec: rec}
			for _, x := range rec.Damage {
				// A sample that did not fit may be cut off; the journal must be whole.
				if !strings.HasPrefix(x.File, journal.SamplesDir) {
					t.Errorf("damage: %+v", x)
				}
			}
			rec.Damage = nil
			s.cameTo(e, journal.OutcomeError, runner.ExitError)
			s.clean(e, c)
			says(t, rec.Ended().Detail, "space")
		})
	}
}

// The embedded engine keeps its samples on the same disk.
func TestDiskFullUnderTheEmbeddedEngine(t *testing.T) {
	s := realStage(t)
	d := smallDisk(t, "32m")
	s.setup.Runs = filepath.Join(d.dir, "runs")
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), strict+pauseFor("f", "t", "3s")), on(func(*runner.Run, *journal.FaultVerified) { d.fill() }))
	res, err := r.Execute(t.Context())
	d.empty()
	if err == nil || res.Outcome != journal.OutcomeError {
		t.Errorf("%+v, %v", res, err)
	}
	rec, rerr := journal.Read(r.Dir())
	if rerr != nil {
		t.Fatal(rerr)
	}
	e := ending{Result: res, err: err, rec: rec}
	s.clean(e, c)
	s.drafts(e)
}

// Without room for the space that is set aside nothing begins.
func TestDiskFullAtTheStart(t *testing.T) {
	s, _ := fakeStage(t)
	d := smallDisk(t, "128k")
	s.setup.Runs = filepath.Join(d.dir, "runs")
	c := s.container()
	r := s.prepare(s.embedded(target("t", c), steady+pauseFor("f", "t", "1s")), nil)
	if res, err := r.Execute(t.Context()); err == nil || res.Outcome != "" {
		t.Errorf("%+v, %v", res, err)
	}
	s.noneLeft(filepath.Base(r.Dir()))
	if got := s.status(c); got != "running" {
		t.Errorf("it is %s", got)
	}
}

// A recovery undoes even where it cannot write down that it does.
func TestRecoverOnADiskThatCannotBeWritten(t *testing.T) {
	s, f := fakeStage(t)
	d := smallDisk(t, "2m")
	s.setup.Runs = filepath.Join(d.dir, "runs")
	c := s.container()
	f.Fail("Unpause", errors.New("not now"), -1)
	r := s.prepare(remote(servePrometheus(t, "ok").url, target("t", c), strict+pauseFor("f", "t", "1s")), nil)
	r.LimitUndo(time.Second)
	res, err := r.Execute(t.Context())
	if err != nil || res.Exit != runner.ExitResidue {
		t.Fatalf("%+v, %v", res, err)
	}
	f.Fail("Unpause", nil, 0)
	remount := func(flags uintptr) {
		if err := syscall.Mount("", d.dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	out, err := runner.Recover(t.Context(), s.setup, r.Dir())
	if err == nil || len(out.Undone) != 1 || len(out.Damage) == 0 {
		t.Errorf("recover: %+v, %v", out, err)
	}
	if got := s.status(c); got != "running" {
		t.Errorf("it is %s", got)
	}
	remount(0)
	if out, err := runner.Recover(t.Context(), s.setup, r.Dir()); err != nil || len(out.Open) != 0 {
		t.Errorf("recover when it can be written again: %+v, %v", out, err)
	}
	rec, err := journal.Read(r.Dir())
	if err != nil || len(journal.OpenIntents(rec.Events)) != 0 {
		t.Errorf("%v\n%s", err, story(rec))
	}
	s.noneLeft(res.Run)
}
