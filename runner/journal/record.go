package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	n, rest := lines(b, func(n int, line []byte) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			r.damage(FileName, n, "this line cannot be read (%d bytes)", len(line))
			return
		}
		switch {
		case e.Seq > next:
			r.damage(FileName, n, "events %d to %d are missing", next, e.Seq-1)
		case e.Seq < next:
			r.damage(FileName, n, "event %d stands where event %d was to be; it is left out", e.Seq, next)
			return
		}
		next = e.Seq + 1
		r.Events = append(r.Events, e)
	})
	if len(rest) > 0 {
		r.cut = true
		r.damage(FileName, n+1, "the last line is cut off after %d bytes", len(rest))
	}
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
		if err != nil {
			if r.sampling() {
				r.damage(name, 0, "the samples of %s %s are missing", q.Purpose, q.Name)
			}
			continue
		}
		n, rest := lines(b, func(n int, line []byte) {
			if n == 1 {
				return // the query itself, which the journal has too
			}
			var s Sample
			if err := json.Unmarshal(line, &s); err != nil {
				r.damage(name, n, "this line cannot be read (%d bytes)", len(line))
				return
			}
			q.Samples = append(q.Samples, s)
		})
		if len(rest) > 0 {
			r.damage(name, n+1, "the last line is cut off after %d bytes", len(rest))
		}
		sort.SliceStable(q.Samples, func(i, j int) bool { return q.Samples[i].At.Before(q.Samples[j].At) })
	}
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
	type key struct{ fault, id string }
	open := map[key]*FaultIntent{}
	var order []key
	for _, e := range events {
		switch p := e.Payload.(type) {
		case *FaultIntent:
			k := key{p.Fault, p.Container.ID}
			if open[k] == nil {
				order = append(order, k)
			}
			open[k] = p
		case *UndoVerified:
			delete(open, key{p.Fault, p.Container.ID})
		}
	}
	var out []*FaultIntent
	for i := len(order) - 1; i >= 0; i-- {
		if p := open[order[i]]; p != nil {
			out = append(out, p)
		}
	}
	return out
}
