package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A faulty file has room for so many bytes, and fails with ENOSPC after writing what fits.
type faulty struct {
	file
	limited  bool
	room     int
	truncate error
	sync     error
}

func (f *faulty) Write(b []byte) (int, error) {
	if !f.limited || len(b) <= f.room {
		f.room -= len(b)
		return f.file.Write(b)
	}
	n, err := f.file.Write(b[:f.room])
	f.room = 0
	if err == nil {
		err = syscall.ENOSPC
	}
	return n, err
}

func (f *faulty) Truncate(size int64) error {
	if f.truncate != nil {
		return f.truncate
	}
	return f.file.Truncate(size)
}

func (f *faulty) Sync() error { return errors.Join(f.sync, f.file.Sync()) }

func TestFullDiskWritesWholeEventsOrNone(t *testing.T) {
	for room := range 60 {
		w := create(t)
		commit(t, w, &RunStarted{})
		real := w.f.file
		w.f.file = &faulty{file: real, limited: true, room: room}
		if _, err := w.Append(&SourceState{}); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrReserve) {
			t.Fatalf("room for %d: %v", room, err)
		}
		w.f.file = real
		if _, err := w.Append(&RunEnded{}); !errors.Is(err, ErrReserve) {
			t.Fatalf("room for %d: %v", room, err)
		}
		if rec := read(t, w.Dir()); len(rec.Events) != 2 || len(rec.Damage) > 0 {
			t.Fatalf("room for %d: %d events, damage %v", room, len(rec.Events), rec.Damage)
		}
	}
}

func TestHalfALineThatCannotBeTakenBack(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{})
	real := w.f.file
	w.f.file = &faulty{file: real, limited: true, room: 20, truncate: errors.New("input/output error")}
	if _, err := w.Append(&SourceState{}); err == nil {
		t.Fatal("it went well")
	}
	w.f.file = real
	_, _ = w.Append(&RunEnded{})
	rec := read(t, w.Dir())
	if len(rec.Events) != 2 || rec.Ended() == nil || len(rec.Damage) != 1 || rec.Damage[0].Line != 2 {
		t.Errorf("events %+v, damage %v", rec.Events, rec.Damage)
	}
}

func TestReserveIsGivenBackPieceByPiece(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{})
	path := filepath.Join(w.Dir(), reserveName)
	size := func() int64 {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size()
	}
	f := &faulty{file: w.f.file, limited: true}
	w.f.file = f
	before := size()
	failures := 0
	w.f.file = &refusing{file: f.file, times: 3, refused: &failures}
	if _, err := w.Commit(&UndoVerified{}); !errors.Is(err, ErrReserve) {
		t.Fatal(err)
	}
	if got := before - size(); got != 3*reservePiece || failures != 3 {
		t.Errorf("%d bytes were given back for %d failures", got, failures)
	}
}

type refusing struct {
	file
	times   int
	refused *int
}

func (r *refusing) Write(b []byte) (int, error) {
	if *r.refused < r.times {
		*r.refused++
		return 0, syscall.ENOSPC
	}
	return r.file.Write(b)
}

func TestSamplesOnAFullDisk(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{}, &Declared{Hypotheses: []Hypothesis{{Name: "h", QueryID: "Q1"}}}, &PhaseStarted{Phase: Baseline})
	if err := w.BeginQuery(Query{ID: "Q1"}); err != nil {
		t.Fatal(err)
	}
	s := Sample{At: time.Unix(1, 0).UTC(), State: Holding}
	if err := w.Sample("Q1", s); err != nil {
		t.Fatal(err)
	}
	real := w.samples["Q1"].file
	w.samples["Q1"].file = &faulty{file: real, limited: true, room: 30}
	for range 2 {
		if err := w.Sample("Q1", s); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the sample got %v", err)
		}
	}
	w.samples["Q1"].file = real
	if err := w.Sample("Q1", s); !errors.Is(err, syscall.ENOSPC) {
		t.Error("a sample took space that is the journal's")
	}
	if _, err := w.Append(&RunEnded{}); !errors.Is(err, ErrReserve) {
		t.Errorf("the runner was not told: %v", err)
	}
	if rec := read(t, w.Dir()); len(rec.Queries["Q1"].Samples) != 1 || len(rec.Damage) > 0 {
		t.Errorf("samples %v, damage %v", rec.Queries["Q1"].Samples, rec.Damage)
	}
}

// smallDisk mounts a file system of a few bytes. Where that is not permitted the fake files above must do.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Logf("NOT TESTED ON A REAL FULL DISK: a tmpfs cannot be mounted here (%v); only the simulated disk was tested", err)
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("%s is still mounted: %v", dir, err)
		}
	})
	return dir
}

func TestRealFullDisk(t *testing.T) {
	root := smallDisk(t, 1<<20)
	if root == "" {
		return
	}
	w, err := Create(root, "run", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	commit(t, w, &RunStarted{}, &Declared{Hypotheses: []Hypothesis{{Name: "h", QueryID: "Q1"}}}, &PhaseStarted{Phase: Baseline})
	if err := w.BeginQuery(Query{ID: "Q1"}); err != nil {
		t.Fatal(err)
	}
	samples := 0
	for ; samples < 1e6; samples++ {
		if err := w.Sample("Q1", Sample{At: time.Unix(int64(samples), 0), State: Holding, Error: strings.Repeat("x", 100)}); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			break
		}
	}
	// Somebody else fills what is left, and goes on to do so.
	greedy, err := os.Create(filepath.Join(root, "greedy"))
	if err != nil {
		t.Fatal(err)
	}
	defer greedy.Close()
	eat := func() {
		for size := 64 << 10; size > 0; {
			if _, err := greedy.Write(make([]byte, size)); err != nil {
				size /= 2
			}
		}
	}
	const undos = 200
	for i := range undos {
		eat()
		ref := Ref{ID: strings.Repeat("f", 64), Name: fmt.Sprint("shop-", i)}
		for _, p := range []Payload{&UndoStarted{Fault: "provider_hangs", Container: ref, Why: UndoError},
			&UndoVerified{Fault: "provider_hangs", Container: ref, Seen: "state was running", At: time.Now()}} {
			if _, err := w.Commit(p); !errors.Is(err, ErrReserve) {
				t.Fatalf("undo %d: %v", i, err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rec := read(t, w.Dir())
	if len(rec.Events) != 3+2*undos || len(rec.Damage) > 0 || len(rec.Queries["Q1"].Samples) != samples {
		t.Errorf("%d events, %d of %d samples, damage %v", len(rec.Events), len(rec.Queries["Q1"].Samples), samples, rec.Damage)
	}
}

func TestRealFullDiskAtTheStart(t *testing.T) {
	root := smallDisk(t, 64<<10)
	if root == "" {
		return
	}
	if _, err := Create(root, "run", time.Now()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a run without space for its record began: %v", err)
	}
	if entries, _ := os.ReadDir(root); len(entries) > 0 {
		t.Errorf("it left %v", entries)
	}
}

// A record that was cut off by a full disk is taken up again on the same full disk: what has to be undone must be readable there.
func TestReopenOnAFullDisk(t *testing.T) {
	root := smallDisk(t, 1<<20)
	if root == "" {
		return
	}
	w, err := Create(root, "run", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	commit(t, w, &RunStarted{}, &FaultIntent{Fault: "x", Undo: json.RawMessage("{}")})
	if _, err := w.f.Write([]byte(`{"seq":3,"ti`)); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil { // as a process does that is killed: the reserve stays
		t.Fatal(err)
	}
	fill, err := os.Create(filepath.Join(root, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	defer fill.Close()
	for size := 64 << 10; size > 0; {
		if _, err := fill.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	again, err := Reopen(w.Dir(), "recover")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for i := range 50 {
		if _, err := again.Commit(&UndoVerified{Fault: fmt.Sprint("x", i), Seen: strings.Repeat("y", 200)}); err != nil && !errors.Is(err, ErrReserve) {
			t.Fatal(err)
		}
	}
	if rec := read(t, w.Dir()); len(rec.Events) != 52 || len(rec.Damage) != 1 {
		t.Errorf("%d events, damage %v", len(rec.Events), rec.Damage)
	}
}
