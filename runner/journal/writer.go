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

// The space set aside is enough for some hundred events: every undo of a large run. It is given back piece by piece, as the
// journal needs it, since whatever else fills the disk would take it at once.
const (
	reserveSize  = 256 << 10
	reservePiece = 8 << 10
)

var errClosed = errors.New("the record is closed")

// A Writer appends to a journal. It is safe for concurrent use. At most one process writes a journal at a time; the lock goes
// with the process, however it ends, so that whoever can take it knows that the runner has gone.
type Writer struct {
	dir   string
	name  string // of the file in it
	lock  *flock.Flock
	now   func() time.Time
	start time.Time

	mu      sync.Mutex
	f       *log
	seq     int
	full    bool // the reserve is in use
	reserve int64
	actor   string
	after   int // see Event.After
	samples map[string]*log
	last    []Event
}

// A file is what the writer needs of an *os.File that was opened to append.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// A log is a file of whole lines.
type log struct {
	file
	size int64 // up to which the file holds what was written
	torn bool  // its last line has no end, and could not be taken back
}

// add appends a whole line or nothing. If the disk is so broken that half a line stays, the next one begins on its own line.
func (l *log) add(line []byte) error {
	if l.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.Write(line)
	if err == nil {
		l.size, l.torn = l.size+int64(n), false
		return nil
	}
	if n > 0 {
		if terr := l.Truncate(l.size); terr != nil {
			l.size, l.torn = l.size+int64(n), true
			return errors.Join(err, terr)
		}
	}
	return err
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// Create makes the run directory <root>/<id> and an empty journal in it. start is the run's start, with a monotonic reading.
func Create(root, id string, start time.Time) (*Writer, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the directory for run directories: %w; name another one with --runs", err)
	}
	dir := filepath.Join(root, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w; name another place with --runs", err)
	}
	w, err := begin(root, dir)
	if err != nil {
		os.RemoveAll(dir) // nothing is in it: the run did not begin
		return nil, err
	}
	w.start = start
	return w, nil
}

func begin(root, dir string) (*Writer, error) {
	if err := os.Mkdir(filepath.Join(dir, SamplesDir), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w", err)
	}
	if err := writeReserve(filepath.Join(dir, reserveName)); err != nil {
		return nil, fmt.Errorf("cannot set space aside for the record: %w; make some room, or name another place with --runs", err)
	}
	w, err := open(dir, FileName, "runner", os.O_CREATE)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{dir, root} {
		if err := syncDir(d); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// Reopen opens the journal of a run whose runner has gone, to append to it under another actor's name. ErrBusy if it has not gone.
// A last line that was cut off is kept as it is.
func Reopen(dir, actor string) (*Writer, error) {
	if !IsRun(dir) {
		_, err := Read(dir)
		return nil, err
	}
	w, err := open(dir, FileName, actor, 0)
	if err != nil {
		return nil, err
	}
	// Read only now: until the lock was free its runner may have been writing.
	rec, err := Read(dir)
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.start = rec.Events[0].Time
	for _, e := range rec.Events {
		if !e.Guard {
			w.seq = max(w.seq, e.Seq)
		}
	}
	w.f.torn = rec.cut
	return w, nil
}

// Busy says whether a process is writing the journal in dir. It changes nothing there.
func Busy(dir string) (bool, error) { return busy(filepath.Join(dir, FileName)) }

func busy(path string) (bool, error) {
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	got, err := l.TryRLock()
	if err != nil {
		return false, err
	}
	if got {
		return false, l.Close()
	}
	return true, nil
}

// Whoever asks whether a file is busy holds its lock for a moment.
const (
	lockTries = 5
	lockPause = 10 * time.Millisecond
)

// open opens a file of events in dir under its lock.
func open(dir, name, actor string, create int) (*Writer, error) {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|create, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	got, err := l.TryLock()
	for n := 1; err == nil && !got && n < lockTries; n++ {
		time.Sleep(lockPause)
		got, err = l.TryLock()
	}
	if err == nil && !got {
		err = ErrBusy
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close(), l.Close())
	}
	w := &Writer{dir: dir, name: name, lock: l, now: time.Now, f: &log{file: f, size: fi.Size()}, actor: actor, samples: map[string]*log{}}
	if fi, err := os.Stat(filepath.Join(dir, reserveName)); err == nil {
		w.reserve = fi.Size()
	}
	return w, nil
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
	e := Event{Seq: w.seq + 1, Time: now.UTC().Round(0), Offset: Duration(now.Sub(w.start)), Actor: actor, Guard: w.name == GuardFile,
		After: w.after, Payload: p}
	line, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("journal: %s: %w", p.Kind(), err)
	}
	if w.f == nil {
		return e, fmt.Errorf("cannot write the journal in %s: %w", w.dir, errClosed)
	}
	err = w.insist(func() error { return w.f.add(append(line, '\n')) })
	if err == nil {
		// From here on the number is taken, even if it cannot be made sure that the line is on the disk.
		w.seq = e.Seq
		w.last = append(w.last, e)
		if durable {
			err = w.insist(w.f.Sync)
		}
	}
	if err != nil {
		return e, fmt.Errorf("cannot write the journal in %s: %w", w.dir, err)
	}
	if w.full {
		return e, fmt.Errorf("%w: the record of the run in %s goes on in the space set aside for its end", ErrReserve, w.dir)
	}
	return e, nil
}

// insist does something to the journal, and while the disk is full does it again with more and more of the reserve given back.
func (w *Writer) insist(do func() error) error {
	for {
		err := do()
		if err == nil || !isFull(err) {
			return err
		}
		w.full = true
		if w.reserve == 0 {
			return err
		}
		w.reserve = max(w.reserve-reservePiece, 0)
		if terr := os.Truncate(filepath.Join(w.dir, reserveName), w.reserve); terr != nil {
			w.reserve = 0
			os.Remove(filepath.Join(w.dir, reserveName))
		}
	}
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
	if w.f == nil {
		w.mu.Unlock()
		return errors.Join(fmt.Errorf("cannot record samples: %w", errClosed), f.Close())
	}
	w.samples[q.ID] = &log{file: f}
	w.mu.Unlock()
	return w.sampleLine(q.ID, q)
}

// Sample appends one sample of a query that was begun. On a full disk it fails, and from then on always: what space is left is
// the journal's.
func (w *Writer) Sample(queryID string, s Sample) error { return w.sampleLine(queryID, s) }

func (w *Writer) sampleLine(id string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("samples of %s: %w", id, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.samples[id]
	switch {
	case w.f == nil:
		err = errClosed
	case f == nil:
		err = errors.New("the query was not begun")
	case w.full:
		err = syscall.ENOSPC
	default:
		err = f.add(append(line, '\n'))
		w.full = isFull(err)
	}
	if err != nil {
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
		if !filepath.IsLocal(name) {
			name = filepath.Base(name)
		}
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, src, 0o644)
		}
		if err != nil {
			return fmt.Errorf("cannot copy the scenario: %w", err)
		}
	}
	return nil
}

// Close ends the record and lets go of the lock. What is written after it fails.
func (w *Writer) Close() error {
	err := w.close()
	os.Remove(filepath.Join(w.dir, reserveName))
	return err
}

func (w *Writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	var errs []error
	for _, f := range w.samples {
		errs = append(errs, f.Sync(), f.Close())
	}
	errs = append(errs, w.f.Sync(), w.f.Close(), w.lock.Close())
	w.f = nil
	return errors.Join(errs...)
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
