package journal

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEventsAreNumberedWithoutGaps(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{Run: "run"})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 25 {
				var err error
				switch n % 3 {
				case 0:
					_, err = w.Append(&SourceState{Detail: fmt.Sprint(i, n)})
				case 1:
					_, err = w.AppendBy("prometheus", &SourceState{Detail: fmt.Sprint(i, n)})
				default:
					_, err = w.Commit(&SourceState{Detail: fmt.Sprint(i, n)})
				}
				if err != nil {
					t.Error(err)
				}
				_ = w.Events()
			}
		})
	}
	wg.Wait()
	rec := read(t, w.Dir())
	if len(rec.Events) != 201 || len(rec.Damage) != 0 {
		t.Fatalf("%d events, damage %v", len(rec.Events), rec.Damage)
	}
	if !reflect.DeepEqual(rec.Events, w.Events()) {
		t.Error("what was read is not what was written")
	}
	for i, e := range rec.Events {
		if e.Seq != i+1 {
			t.Fatalf("event %d stands at %d", e.Seq, i+1)
		}
	}
}

// A counted file counts what was made durable.
type counted struct {
	file
	order []string
}

func (c *counted) Write(b []byte) (int, error) {
	c.order = append(c.order, "write")
	return c.file.Write(b)
}

func (c *counted) Sync() error {
	c.order = append(c.order, "sync")
	return c.file.Sync()
}

func TestCommitIsDurable(t *testing.T) {
	w := create(t)
	c := &counted{file: w.f.file}
	w.f.file = c
	_, _ = w.Append(&RunStarted{})
	commit(t, w, &FaultIntent{})
	if got := strings.Join(c.order, " "); got != "write write sync" {
		t.Errorf("it did: %s", got)
	}
}

func TestFailedSyncKeepsTheNumberTaken(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{})
	real := w.f.file
	w.f.file = &faulty{file: real, sync: errors.New("input/output error")}
	if _, err := w.Commit(&FaultIntent{Fault: "x"}); err == nil {
		t.Error("a commit that did not reach the disk went well")
	}
	w.f.file = real
	commit(t, w, &UndoStarted{Fault: "x"})
	if rec := read(t, w.Dir()); len(rec.Events) != 3 || len(rec.Damage) != 0 {
		t.Errorf("%d events, damage %v", len(rec.Events), rec.Damage)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{})
	if _, err := Reopen(w.Dir(), "recover"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second writer got %v", err)
	}
	if busy, err := Busy(w.Dir()); !busy || err != nil {
		t.Errorf("busy is %v, %v", busy, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if busy, err := Busy(w.Dir()); busy || err != nil {
		t.Errorf("after the end busy is %v, %v", busy, err)
	}
	again, err := Reopen(w.Dir(), "recover")
	if err != nil {
		t.Fatal(err)
	}
	commit(t, again, &RunEnded{})
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if rec := read(t, w.Dir()); len(rec.Events) != 2 || rec.Events[1].Actor != "recover" || rec.Events[1].Seq != 2 {
		t.Errorf("events are %+v", rec.Events)
	}
}

func TestLookingChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Busy(dir); err == nil {
		t.Error("a directory without a journal has a state")
	}
	if _, err := Reopen(dir, "recover"); err == nil {
		t.Error("a directory without a journal was opened")
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("%v was made", entries)
	}
}

func TestLockGoesWithTheProcess(t *testing.T) {
	root := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRoot+"="+root)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "writing\n" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the child said %q, %v", line, err)
	}
	dir := filepath.Join(root, "child")
	busy, berr := Busy(dir)
	_, rerr := Reopen(dir, "recover")
	if err := cmd.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !busy || berr != nil || !errors.Is(rerr, ErrBusy) {
		t.Errorf("while it was alive: busy %v, %v; reopened with %v", busy, berr, rerr)
	}
	w, err := Reopen(dir, "recover")
	if err != nil {
		t.Fatal(err)
	}
	commit(t, w, &RunEnded{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if rec := read(t, dir); len(rec.Events) != 2 {
		t.Errorf("events are %+v", rec.Events)
	}
}

func TestReopenKeepsEveryByte(t *testing.T) {
	whole := journalBytes(t, 3)
	for _, cut := range []int{len(whole) - 1, len(whole) - 2, len(whole) - 40} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		before := read(t, dir)
		w, err := Reopen(dir, "recover")
		if err != nil {
			t.Fatal(err)
		}
		commit(t, w, &UndoStarted{Fault: "x"}, &RunEnded{})
		w.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), string(whole[:cut])+"\n{") {
			t.Errorf("cut at %d: the old bytes are not all there:\n%s", cut, b)
		}
		after := read(t, dir)
		if len(after.Events) != len(before.Events)+2 {
			t.Errorf("cut at %d: %d events became %d", cut, len(before.Events), len(after.Events))
		}
		for i, e := range after.Events {
			if e.Seq != i+1 {
				t.Errorf("cut at %d: event %d stands at %d", cut, e.Seq, i+1)
			}
		}
	}
}

func TestAfterClose(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{})
	if err := w.BeginQuery(Query{ID: "Q1"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, aerr := w.Append(&RunEnded{})
	for what, err := range map[string]error{"append": aerr, "sample": w.Sample("Q1", Sample{}), "begin": w.BeginQuery(Query{ID: "Q2"})} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(filepath.Join(w.Dir(), reserveName)); !os.IsNotExist(err) {
		t.Error("the reserve is still there")
	}
}

func TestCreateLeavesNothingBehindWhenItFails(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(root, "file"), "run", time.Now()); err == nil || !strings.Contains(err.Error(), "--runs") {
		t.Errorf("a file as the root: %v", err)
	}
	w, err := Create(root, "run", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	commit(t, w, &RunStarted{})
	if _, err := Create(root, "run", time.Now()); err == nil {
		t.Error("a run directory was taken twice")
	}
	if !IsRun(w.Dir()) {
		t.Error("the run that was there is gone")
	}
}
