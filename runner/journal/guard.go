package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// A Witness sees whether a process is writing a journal, even when somebody has removed the run directory meanwhile.
type Witness struct{ f *os.File }

// OpenWitness begins to look at the journal in dir.
func OpenWitness(dir string) (*Witness, error) {
	f, err := os.Open(filepath.Join(dir, FileName))
	if err != nil {
		return nil, err
	}
	return &Witness{f}, nil
}

// Busy says whether a process is writing the journal.
func (w *Witness) Busy() (bool, error) {
	err := syscall.Flock(int(w.f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, syscall.Flock(int(w.f.Fd()), syscall.LOCK_UN)
}

// Close looks no more.
func (w *Witness) Close() error { return w.f.Close() }

// OpenGuard opens the guard's file in a run directory, to append to it. It is the guard's alone, so that what the guard does can
// be written down whatever the runner is doing; its lock goes with the guard. ErrBusy if there is another guard. What is in the
// file already is returned: a guard that was started again goes on where it was.
func OpenGuard(dir string) (*Writer, []Event, error) {
	_, err := os.Stat(filepath.Join(dir, GuardFile))
	fresh := errors.Is(err, fs.ErrNotExist)
	w, err := open(dir, GuardFile, "guard", os.O_CREATE)
	if err != nil {
		return nil, nil, err
	}
	if fresh {
		if err := syncDir(dir); err != nil {
			return nil, nil, errors.Join(err, w.close())
		}
	}
	w.start = time.Now()
	if rec, err := ReadEvents(dir); err == nil {
		w.start = rec.Events[0].Time
	}
	var rec Record
	b, err := os.ReadFile(filepath.Join(dir, GuardFile))
	if err != nil {
		return nil, nil, errors.Join(err, w.close())
	}
	events, cut := rec.readEvents(GuardFile, b)
	w.seq = lastSeq(events)
	w.f.torn = cut
	return w, events, nil
}

// HasRead says up to which event the writer of the guard's file has read the journal: see Event.After.
func (w *Writer) HasRead(events []Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range events {
		if !e.Guard {
			w.after = max(w.after, e.Seq)
		}
	}
}

// GuardBusy says whether the guard of a run is there: whether a process is writing its file.
func GuardBusy(dir string) (bool, error) {
	is, err := busy(filepath.Join(dir, GuardFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return is, err
}

// GuardEvents reads what the guard of a run has written so far; nothing if there is none.
func GuardEvents(dir string) ([]Event, error) {
	b, err := os.ReadFile(filepath.Join(dir, GuardFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rec Record
	events, _ := rec.readEvents(GuardFile, b)
	return events, nil
}

// Fired returns why the guard took over from the runner, or nil if it has not.
func Fired(events []Event) *Stopping {
	for _, e := range events {
		if s, ok := e.Payload.(*Stopping); ok && e.Guard {
			return s
		}
	}
	return nil
}

// readGuard puts the guard's events among the journal's.
func (r *Record) readGuard(dir string) {
	b, err := os.ReadFile(filepath.Join(dir, GuardFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		r.damage(GuardFile, 0, "what the guard did cannot be read: %v", reason(err))
		return
	}
	events, _ := r.readEvents(GuardFile, b)
	r.Events = merge(r.Events, events)
}

// merge puts each of the guard's events after the events of the journal that the guard had read by then, whatever the clock was
// set to meanwhile, and apart from that by time. The order within each of the two stays; the start of the run stays first.
func merge(own, guard []Event) []Event {
	out := make([]Event, 0, len(own)+len(guard))
	next := 0 // of own
	for _, g := range guard {
		least := 1
		for i, e := range slices.Backward(own) {
			if e.Seq <= g.After {
				least = max(least, i+1)
				break
			}
		}
		for next < len(own) && (next < least || !own[next].Time.After(g.Time)) {
			out = append(out, own[next])
			next++
		}
		out = append(out, g)
	}
	return append(out, own[next:]...)
}
