package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

var (
	_ = register[Note]()
	_ = register[Prediction]()
	_ = register[PredictionsSealed]()
)

// The kinds of notes, a closed list: the report asks about surprises, and tells actions from what was seen.
const (
	NoteAction      = "action"
	NoteObservation = "observation"
	NoteExpectation = "expectation"
	NoteAssumption  = "assumption"
	NoteDecision    = "decision"
	NoteQuestion    = "question"
	NoteSurprise    = "surprise"
)

// NoteKinds are the kinds of notes, in the order in which they are offered.
var NoteKinds = []string{NoteAction, NoteObservation, NoteExpectation, NoteAssumption, NoteDecision, NoteQuestion, NoteSurprise}

// A Note is what somebody said during the run or afterwards, verbatim. The event's time is when it was written down, and its actor
// is the role that says it: "role:<name>".
type Note struct {
	Text  string    `json:"text"`
	As    string    `json:"as"`             // one of NoteKinds
	About time.Time `json:"about"`          // the time that it speaks of
	On    string    `json:"on,omitempty"`   // the evidence that it speaks of, such as "E17"
	From  string    `json:"from,omitempty"` // the file that it was taken from; empty: it was noted by hand
}

// Kind returns "people.note".
func (*Note) Kind() string { return "people.note" }

// A Prediction is what a role expects of one hypothesis or alert before anything is injected. Of several by one role for one thing the last
// one counts.
type Prediction struct {
	Of         string  `json:"of"`                   // the name of a hypothesis or an alert
	Alert      bool    `json:"alert,omitempty"`      // it is an alert
	Expects    Verdict `json:"expects"`              // Held or Refuted
	Confidence *Number `json:"confidence,omitempty"` // from 0.5 (a coin's) to 1; nil: not said
	Text       string  `json:"text,omitempty"`       // verbatim
}

// Kind returns "people.prediction".
func (*Prediction) Kind() string { return "people.prediction" }

// PredictionsSealed is written to the journal before the first injection: what was predicted by then, and nothing later, is set
// beside the outcome.
type PredictionsSealed struct {
	Predictions int    `json:"predictions"`
	Last        int    `json:"last"`             // the number of the last event of the people's file; 0: there was none
	SHA256      string `json:"sha256,omitempty"` // of the people's file up to and with that event
}

// Kind returns "predictions.sealed".
func (*PredictionsSealed) Kind() string { return "predictions.sealed" }

// Say appends what people say to the people's file of a run directory, durably. Any process may, during the run and afterwards; the actor is
// "role:<name>". The file is apart from the journal, whose lock the runner holds for as long as it lives.
func Say(dir, actor string, said ...Payload) ([]Event, error) {
	rec, err := ReadEvents(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, PeopleFile)
	l := flock.New(path)
	if err := l.Lock(); err != nil {
		return nil, fmt.Errorf("cannot note anything in %s: %w", dir, err)
	}
	defer l.Close()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot note anything in %s: %w", dir, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read what was noted so far: %w", err)
	}
	var old Record
	events, cut := old.readEvents(PeopleFile, b)
	seq := 0
	for _, e := range events {
		seq = max(seq, e.Seq)
	}
	var out []Event
	var lines bytes.Buffer
	if cut {
		lines.WriteByte('\n')
	}
	for _, p := range said {
		now := time.Now().UTC().Round(0)
		seq++
		e := Event{Seq: seq, Time: now, Offset: Duration(now.Sub(rec.Events[0].Time)), Actor: actor, People: true, Payload: p}
		line, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("people's file: %s: %w", p.Kind(), err)
		}
		lines.Write(append(line, '\n'))
		out = append(out, e)
	}
	w := &log{file: f, size: int64(len(b))}
	if err := w.add(lines.Bytes()); err != nil {
		return nil, fmt.Errorf("cannot note anything in %s: %w", dir, err)
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("cannot make sure that the note in %s is on the disk: %w", dir, err)
	}
	return out, nil
}

// readPeople reads what people said.
func (r *Record) readPeople(dir string) {
	b, err := os.ReadFile(filepath.Join(dir, PeopleFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		r.damage(PeopleFile, 0, "what people said cannot be read: %v", reason(err))
	default:
		r.People, _ = r.readEvents(PeopleFile, b)
	}
}
