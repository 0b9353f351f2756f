package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"

	"golang.org/x/sync/errgroup"
)

// A Record is everything that a run directory holds, as far as it can be read.
type Record struct {
	Name    string            // base name of the directory
	Events  []Event           // in their order, the guard's among the journal's; the first is a *RunStarted
	People  []Event           // what people said during the run and afterwards, in the order in which it was written down
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
	rec, err := ReadEvents(dir)
	if err != nil {
		return nil, err
	}
	rec.readSamples(filepath.Join(dir, SamplesDir))
	return rec, nil
}

// ReadEvents is Read without the samples, which may be large.
func ReadEvents(dir string) (*Record, error) {
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
	rec.Events, rec.cut = rec.readEvents(FileName, b)
	if len(rec.Events) == 0 {
		return nil, fmt.Errorf("%s has no readable event; a run writes its first event before it does anything, so it did nothing", filepath.Join(dir, FileName))
	}
	if _, ok := rec.Events[0].Payload.(*RunStarted); !ok {
		return nil, fmt.Errorf("%s does not begin with the start of a run (event %d is %s); its beginning is missing", filepath.Join(dir, FileName),
			rec.Events[0].Seq, rec.Events[0].Payload.Kind())
	}
	rec.readGuard(dir)
	rec.readPeople(dir)
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

// readEvents reads the lines of a file of events, and says whether the last one has no end.
func (r *Record) readEvents(name string, b []byte) (events []Event, cut bool) {
	next := 1
	read := func(n int, line []byte) error {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		// Numbers out of order are named, but no event is thrown away for it: it may be the one that has to be undone.
		switch {
		case e.Seq == next+1:
			r.damage(name, n, "event %d is missing", next)
		case e.Seq > next:
			r.damage(name, n, "events %d to %d are missing", next, e.Seq-1)
		case e.Seq < next:
			r.damage(name, n, "event %d stands where event %d was to be", e.Seq, next)
		}
		next = e.Seq + 1
		e.Guard, e.People = name == GuardFile, name == PeopleFile
		events = append(events, e)
		return nil
	}
	cut = r.readLines(name, b, read)
	return events, cut
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
	parts := make([]Record, len(ids)) // each file's damage, in the order of the files whichever is read first
	var read errgroup.Group
	read.SetLimit(runtime.GOMAXPROCS(0))
	for i, id := range ids {
		q := declared[id]
		r.Queries[id] = &q
		read.Go(func() error {
			parts[i].readQuery(dir, &q, r.sampling())
			return nil
		})
	}
	read.Wait()
	for _, p := range parts {
		r.Damage = append(r.Damage, p.Damage...)
	}
}

// readQuery reads the samples of one query. sampling says whether the run came as far as to take some.
func (r *Record) readQuery(dir string, q *Query, sampling bool) {
	name := SamplesDir + "/" + filepath.Base(q.ID) + ".jsonl"
	b, err := os.ReadFile(filepath.Join(dir, filepath.Base(q.ID)+".jsonl"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !sampling:
		return
	case errors.Is(err, fs.ErrNotExist):
		r.damage(name, 0, "the samples of %s %s are missing", q.Purpose, q.Name)
		return
	case err != nil:
		r.damage(name, 0, "the samples of %s %s cannot be read: %v", q.Purpose, q.Name, reason(err))
		return
	}
	var scanner sampleScanner
	r.readLines(name, b, func(n int, line []byte) error {
		if n == 1 {
			var header Query // the journal has it too
			return json.Unmarshal(line, &header)
		}
		s, err := scanner.read(line)
		if err != nil {
			return err
		}
		q.Samples = append(q.Samples, s)
		return nil
	})
	sort.SliceStable(q.Samples, func(i, j int) bool { return q.Samples[i].At.Before(q.Samples[j].At) })
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

// Event returns the event that is cited as id.
func (r *Record) Event(id string) (Event, bool) {
	for _, list := range [][]Event{r.Events, r.People} {
		for _, e := range list {
			if e.ID() == id {
				return e, true
			}
		}
	}
	return Event{}, false
}

// Declared returns what was declared, or nothing in particular where the record has lost it.
func (r *Record) Declared() *Declared {
	for _, e := range r.Events {
		if d, ok := e.Payload.(*Declared); ok {
			return d
		}
	}
	return &Declared{}
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

// Intended says whether a journal that cannot be read as a record speaks of a fault's intent all the same.
func Intended(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	return err == nil && bytes.Contains(b, []byte((*FaultIntent)(nil).Kind()))
}

// Started returns the first event's payload.
func (r *Record) Started() *RunStarted { return r.Events[0].Payload.(*RunStarted) }

// An OpenIntent is one whose undo was not seen.
type OpenIntent struct {
	*FaultIntent
	EffectSeen bool // since the intent; of a fault that follows its target, in its first life at least
}

// OpenIntents returns the intents whose undo was not seen, newest first: what may still be in force.
func OpenIntents(events []Event) []OpenIntent {
	type intent struct {
		seq int
		p   OpenIntent
	}
	var open []intent
	// close takes out the intents for a fault on a container; what the guard had not read, it has not undone.
	close := func(fault, id string, e Event) {
		open = slices.DeleteFunc(open, func(in intent) bool {
			return in.p.Fault == fault && in.p.Container.ID == id && !(e.Guard && in.seq > e.After)
		})
	}
	for _, e := range events {
		switch p := e.Payload.(type) {
		case *FaultIntent:
			close(p.Fault, p.Container.ID, e)
			open = append(open, intent{e.Seq, OpenIntent{FaultIntent: p}})
		case *FaultVerified:
			for i := range open {
				if in := &open[i].p; in.Fault == p.Fault && in.Container.ID == p.Container.ID {
					in.EffectSeen = true
				}
			}
		case *UndoVerified:
			close(p.Fault, p.Container.ID, e)
		}
	}
	var out []OpenIntent
	for _, in := range slices.Backward(open) {
		out = append(out, in.p)
	}
	return out
}
