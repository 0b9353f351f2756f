package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// A Record is everything that a run directory holds, as far as it can be read.
type Record struct {
	Name    string            // base name of the directory
	Events  []Event           // in their order; the first is a *RunStarted
	Queries map[string]*Query // by id
	Damage  []Damage          // what is missing or unreadable

	cut bool // the journal's last line has no end
}

// Damage is something in a run directory that is missing or cannot be read.
type Damage struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // counts from 1; 0: the whole file
	What string `json:"what"`
}

// Read reads a run directory. What cannot be read becomes Damage; an error means that not even the first event is there, and as
// nothing is done before it is written, such a run did nothing.
func Read(dir string) (*Record, error) {
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not a run directory: it has no %s", dir, FileName)
		}
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	rec := &Record{Name: filepath.Base(abs), Queries: map[string]*Query{}}
	rec.readEvents(b)
	if len(rec.Events) == 0 {
		return nil, fmt.Errorf("%s has no readable event; a run writes its first event before it does anything, so it did nothing", filepath.Join(dir, FileName))
	}
	if _, ok := rec.Events[0].Payload.(*RunStarted); !ok {
		return nil, fmt.Errorf("%s does not begin with the start of a run (event %d is %s); its beginning is missing", filepath.Join(dir, FileName),
			rec.Events[0].Seq, rec.Events[0].Payload.Kind())
	}
	rec.readSamples(filepath.Join(dir, SamplesDir))
	return rec, nil
}

func (r *Record) damage(file string, line int, format string, args ...any) {
	r.Damage = append(r.Damage, Damage{file, line, fmt.Sprintf(format, args...)})
}

// lines calls do for each whole line, and returns the bytes of a last line that has no end.
func lines(b []byte, do func(n int, line []byte)) (n int, rest []byte) {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return n, b
		}
		n++
		do(n, b[:i])
		b = b[i+1:]
	}
}

func (r *Record) readEvents(b []byte) {
	next := 1
	read := func(n int, line []byte) error {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		// Numbers out of order are named, but no event is thrown away for it: it may be the one that has to be undone.
		switch {
		case e.Seq == next+1:
			r.damage(FileName, n, "event %d is missing", next)
		case e.Seq > next:
			r.damage(FileName, n, "events %d to %d are missing", next, e.Seq-1)
		case e.Seq < next:
			r.damage(FileName, n, "event %d stands where event %d was to be", e.Seq, next)
		}
		next = e.Seq + 1
		r.Events = append(r.Events, e)
		return nil
	}
	r.cut = r.readLines(FileName, b, read)
}

// readLines reads the lines of a file. It says whether the last one has no end; it counts all the same if only the end of the
// line is missing.
func (r *Record) readLines(name string, b []byte, read func(n int, line []byte) error) (cut bool) {
	n, rest := lines(b, func(n int, line []byte) {
		if read(n, line) != nil {
			r.damage(name, n, "this line cannot be read (%d bytes)", len(line))
		}
	})
	if len(rest) == 0 {
		return false
	}
	if read(n+1, rest) != nil {
		r.damage(name, n+1, "the last line is cut off after %d bytes", len(rest))
	} else {
		r.damage(name, n+1, "the last line is whole, but has no end; what came after it is missing")
	}
	return true
}

func (r *Record) readSamples(dir string) {
	declared := map[string]Query{}
	for _, e := range r.Events {
		if d, ok := e.Payload.(*Declared); ok {
			for _, h := range d.Hypotheses {
				declared[h.QueryID] = Query{ID: h.QueryID, Purpose: "hypothesis", Name: h.Name, Text: h.Query, Every: h.Every}
			}
			for _, g := range d.Guardrails {
				declared[g.QueryID] = Query{ID: g.QueryID, Purpose: "guardrail", Name: g.Name, Text: g.Query, Every: g.Every}
			}
		}
	}
	ids := make([]string, 0, len(declared))
	for id := range declared {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		q := declared[id]
		r.Queries[id] = &q
		name := SamplesDir + "/" + filepath.Base(id) + ".jsonl"
		b, err := os.ReadFile(filepath.Join(dir, filepath.Base(id)+".jsonl"))
		switch {
		case errors.Is(err, fs.ErrNotExist) && !r.sampling():
			continue
		case errors.Is(err, fs.ErrNotExist):
			r.damage(name, 0, "the samples of %s %s are missing", q.Purpose, q.Name)
			continue
		case err != nil:
			r.damage(name, 0, "the samples of %s %s cannot be read: %v", q.Purpose, q.Name, reason(err))
			continue
		}
		r.readLines(name, b, func(n int, line []byte) error {
			if n == 1 {
				var header Query // the journal has it too
				return json.Unmarshal(line, &header)
			}
			var s Sample
			if err := json.Unmarshal(line, &s); err != nil {
				return err
			}
			q.Samples = append(q.Samples, s)
			return nil
		})
		sort.SliceStable(q.Samples, func(i, j int) bool { return q.Samples[i].At.Before(q.Samples[j].At) })
	}
}

// reason is an error without the path, which is another one on every machine.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// sampling says whether the run came as far as to sample.
func (r *Record) sampling() bool {
	for _, e := range r.Events {
		if _, ok := e.Payload.(*PhaseStarted); ok {
			return true
		}
	}
	return false
}

// Ended returns the last RunEnded, or nil when the record ends before the run did.
func (r *Record) Ended() *RunEnded {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if e, ok := r.Events[i].Payload.(*RunEnded); ok {
			return e
		}
	}
	return nil
}

// Started returns the first event's payload.
func (r *Record) Started() *RunStarted { return r.Events[0].Payload.(*RunStarted) }

// OpenIntents returns the intents whose undo was not seen, newest first: what may still be in force.
func OpenIntents(events []Event) []*FaultIntent {
	var open []*FaultIntent
	close := func(fault, id string) {
		open = slices.DeleteFunc(open, func(p *FaultIntent) bool { return p.Fault == fault && p.Container.ID == id })
	}
	for _, e := range events {
		switch p := e.Payload.(type) {
		case *FaultIntent:
			close(p.Fault, p.Container.ID)
			open = append(open, p)
		case *UndoVerified:
			close(p.Fault, p.Container.ID)
		}
	}
	slices.Reverse(open)
	return open
}
