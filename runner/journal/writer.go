package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// ErrReserve means that the disk is full: what was to be written stands in the journal, but on space that was set aside
// for this case. The run must be ended now; its undos still fit.
var ErrReserve = errors.New("the disk is full")

// ErrBusy means that another process is writing this journal: its runner is alive.
var ErrBusy = errors.New("another process is writing this journal")

// reserveSize is enough for some hundred events: every undo of a large run.
const reserveSize = 256 << 10

// A Writer appends to a journal. It is safe for concurrent use. At most one process writes a journal at a time; the lock goes
// with the process, however it ends, so that whoever can take it knows that the runner has gone.
type Writer struct {
	dir   string
	lock  *flock.Flock
	now   func() time.Time
	start time.Time

	mu      sync.Mutex
	f       file
	size    int64 // up to which the file holds whole lines
	seq     int
	full    bool // the reserve is in use
	actor   string
	samples map[string]file
	last    []Event
}

// A file is what the writer needs of an *os.File.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// Create makes the run directory <root>/<id> and an empty journal in it. start is the run's start, with a monotonic reading.
func Create(root, id string, start time.Time) (*Writer, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the directory for run directories: %w; name another one with --runs", err)
	}
	dir := filepath.Join(root, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w; name another place with --runs", err)
	}
	if err := os.Mkdir(filepath.Join(dir, SamplesDir), 0o755); err != nil {
		return nil, err
	}
	if err := writeReserve(filepath.Join(dir, reserveName)); err != nil {
		return nil, fmt.Errorf("cannot set space aside for the record: %w", err)
	}
	w, err := open(dir, "runner")
	if err != nil {
		return nil, err
	}
	w.start = start
	for _, d := range []string{dir, root} {
		if err := syncDir(d); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// Reopen opens the journal of a run whose runner has gone, to append to it under another actor's name. ErrBusy if it has not gone.
// A last line that was cut off is kept as it is.
func Reopen(dir, actor string) (*Writer, error) {
	rec, err := Read(dir)
	if err != nil {
		return nil, err
	}
	w, err := open(dir, actor)
	if err != nil {
		return nil, err
	}
	w.start = rec.Events[0].Time
	w.seq = rec.Events[len(rec.Events)-1].Seq
	if rec.cut {
		if _, err := w.f.Write([]byte("\n")); err != nil {
			w.Close()
			return nil, fmt.Errorf("cannot append to %s: %w", FileName, err)
		}
		w.size++
	}
	return w, nil
}

// Busy says whether a process is writing the journal in dir.
func Busy(dir string) (bool, error) {
	l := flock.New(filepath.Join(dir, FileName))
	got, err := l.TryRLock()
	if err != nil {
		return false, err
	}
	if got {
		return false, l.Close()
	}
	return true, nil
}

func open(dir, actor string) (*Writer, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	l := flock.New(path)
	got, err := l.TryLock()
	if err == nil && !got {
		err = ErrBusy
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &Writer{dir: dir, lock: l, now: time.Now, f: f, size: fi.Size(), actor: actor, samples: map[string]file{}}, nil
}

// Dir returns the run directory.
func (w *Writer) Dir() string { return w.dir }

// Append writes one event by the writer's own actor. With ErrReserve the event is written all the same.
func (w *Writer) Append(p Payload) (Event, error) { return w.append(w.actor, p, false) }

// AppendBy writes one event by another actor.
func (w *Writer) AppendBy(actor string, p Payload) (Event, error) { return w.append(actor, p, false) }

// Commit writes one event and returns after it is on the disk: what it announces may be done then.
func (w *Writer) Commit(p Payload) (Event, error) { return w.append(w.actor, p, true) }

func (w *Writer) append(actor string, p Payload, durable bool) (Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	e := Event{Seq: w.seq + 1, Time: now.UTC().Round(0), Offset: Duration(now.Sub(w.start)), Actor: actor, Payload: p}
	line, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("journal: %s: %w", p.Kind(), err)
	}
	line = append(line, '\n')
	err = w.write(line)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		w.full = true
		os.Remove(filepath.Join(w.dir, reserveName))
		err = w.write(line)
	}
	if err == nil && durable {
		err = w.f.Sync()
	}
	if err != nil {
		return e, fmt.Errorf("cannot write the journal in %s: %w", w.dir, err)
	}
	w.seq = e.Seq
	w.last = append(w.last, e)
	if w.full {
		return e, fmt.Errorf("%w: the record of the run in %s goes on in the space set aside for its end", ErrReserve, w.dir)
	}
	return e, nil
}

// write appends a whole line or nothing.
func (w *Writer) write(line []byte) error {
	n, err := w.f.Write(line)
	if err != nil {
		if n > 0 {
			if terr := w.f.Truncate(w.size); terr != nil {
				w.size += int64(n)
				return errors.Join(err, terr)
			}
		}
		return err
	}
	w.size += int64(n)
	return nil
}

// Events returns what this writer has written so far.
func (w *Writer) Events() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last[:len(w.last):len(w.last)]
}

// BeginQuery starts the samples file of a query.
func (w *Writer) BeginQuery(q Query) error {
	f, err := os.OpenFile(filepath.Join(w.dir, SamplesDir, q.ID+".jsonl"), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("cannot record samples: %w", err)
	}
	w.mu.Lock()
	w.samples[q.ID] = f
	w.mu.Unlock()
	return w.sampleLine(q.ID, q)
}

// Sample appends one sample of a query that was begun.
func (w *Writer) Sample(queryID string, s Sample) error { return w.sampleLine(queryID, s) }

func (w *Writer) sampleLine(id string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("samples of %s: %w", id, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.samples[id]
	if f == nil {
		return fmt.Errorf("samples of %s: the query was not begun, or the record is closed", id)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("cannot record samples of %s in %s: %w", id, w.dir, err)
	}
	return nil
}

// SaveScenario copies the scenario's files, redacted, into the run directory.
func (w *Writer) SaveScenario(files map[string][]byte) error {
	dir := filepath.Join(w.dir, ScenarioDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, src := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), src, 0o644); err != nil {
			return fmt.Errorf("cannot copy the scenario: %w", err)
		}
	}
	return nil
}

// Close ends the record and lets go of the lock.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	err := w.f.Sync()
	for _, f := range w.samples {
		err = errors.Join(err, f.Sync(), f.Close())
	}
	clear(w.samples)
	err = errors.Join(err, w.f.Close())
	w.f = nil
	os.Remove(filepath.Join(w.dir, reserveName))
	return errors.Join(err, w.lock.Close())
}

func writeReserve(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	// Written, not truncated to size: a sparse file sets nothing aside.
	_, err = f.Write(make([]byte, reserveSize))
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
