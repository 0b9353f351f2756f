package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofrs/flock"
)

var (
	_ = register[Note]()
	_ = register[Prediction]()
	_ = register[PredictionsSealed]()
	_ = register[Confirmation]()
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

// NoteKind returns the kind that a word stands for: the kind itself, or the beginning of one kind alone.
func NoteKind(word string) (kind string, ok bool) {
	word = strings.ToLower(word)
	for _, k := range NoteKinds {
		switch {
		case k == word:
			return k, true
		case word != "" && strings.HasPrefix(k, word) && kind != "":
			return "", false
		case word != "" && strings.HasPrefix(k, word):
			kind = k
		}
	}
	return kind, kind != ""
}

// Vent is the word that a text begins with when it is nobody's business: it is no kind of note, and what follows it belongs into no record.
const Vent = "vent"

// SplitKind takes the kind off a text that begins with one, such as "!surprise the queue is empty"; without one it is an observation. The kind
// may be Vent. Where the word after the "!" stands for none, ok is false, and kind is that word.
func SplitKind(text string) (kind, rest string, ok bool) {
	text = strings.TrimSpace(text)
	marked, found := strings.CutPrefix(text, "!")
	if first, _ := utf8.DecodeRuneInString(marked); !found || !unicode.IsLetter(first) {
		return NoteObservation, text, true
	}
	word := marked
	if i := strings.IndexFunc(marked, func(r rune) bool { return r == ':' || unicode.IsSpace(r) }); i >= 0 {
		word, rest = marked[:i], strings.TrimSpace(strings.TrimPrefix(marked[i:], ":"))
	}
	switch small := strings.ToLower(word); {
	case strings.HasPrefix(Vent, small):
		return Vent, rest, true
	case strings.HasPrefix(small, Vent): // "!vents", "!vent,": rather kept back than told
		return Vent, marked, true
	}
	if kind, ok = NoteKind(word); !ok {
		return word, rest, false
	}
	return kind, rest, true
}

// A Note is what somebody said during the run or afterwards, verbatim. The event's time is when it was written down, and its actor
// is the role that says it: "role:<name>".
type Note struct {
	Text  string    `json:"text"`
	As    string    `json:"as"`             // one of NoteKinds
	About time.Time `json:"about"`          // the time that it speaks of
	On    string    `json:"on,omitempty"`   // the evidence that it speaks of, such as "E17"
	From  string    `json:"from,omitempty"` // the kind of chat that it was taken from; empty: it was noted by hand
	Key   string    `json:"key,omitempty"`  // tells it from others of that chat: the same message, taken again, has the same
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

// A Confirmation says that a manual step is done. The runner looks out for it, and has StepConfirmed written into the journal.
type Confirmation struct {
	Step string `json:"step"`
	Text string `json:"text,omitempty"` // verbatim
}

// Kind returns "people.confirmation".
func (*Confirmation) Kind() string { return "people.confirmation" }

// PredictionsSealed is written to the journal before the first injection: what was predicted by then, and nothing later, is set
// beside the outcome.
type PredictionsSealed struct {
	Predictions int    `json:"predictions"`
	Last        int    `json:"last"`             // the number of the last event of the people's file; 0: there was none
	Bytes       int    `json:"bytes,omitempty"`  // length of the people's file at that moment
	SHA256      string `json:"sha256,omitempty"` // of these bytes
}

// Kind returns "predictions.sealed".
func (*PredictionsSealed) Kind() string { return "predictions.sealed" }

// Role returns the role that speaks, or "" where the actor is none.
func (e Event) Role() string {
	role, _ := strings.CutPrefix(e.Actor, rolePrefix)
	if role == e.Actor {
		return ""
	}
	return role
}

// Actor is the actor that a role is.
func Actor(role string) string { return rolePrefix + role }

const rolePrefix = "role:"

// ErrSealed means that the first injection is begun or over: what is predicted now is no prediction.
var ErrSealed = errors.New("the predictions are sealed")

// Sealed returns the seal of a run's predictions, or nil.
func Sealed(events []Event) *PredictionsSealed {
	for _, e := range events {
		if p, ok := e.Payload.(*PredictionsSealed); ok {
			return p
		}
	}
	return nil
}

// Said is something to be put into the people's file.
type Said struct {
	Actor string
	At    time.Time // when it was said, where that is not now
	Payload
}

// Say appends what one of the people says to the people's file of a run directory, durably. Any process may, during the run and afterwards.
// Predictions are refused with ErrSealed after the seal.
func Say(dir, actor string, said ...Payload) ([]Event, error) {
	all := make([]Said, len(said))
	for i, p := range said {
		all[i] = Said{Actor: actor, Payload: p}
	}
	return SayAll(dir, func(*Record) ([]Said, error) { return all, nil })
}

// SayAll is Say for what depends on what has been said already: while choose looks at the record nobody else adds to it. The people's file is
// apart from the journal, whose lock the runner holds for as long as it lives.
func SayAll(dir string, choose func(*Record) ([]Said, error)) ([]Event, error) {
	unlock, err := lockPeople(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot note anything in %s: %w", dir, err)
	}
	defer unlock()
	rec, err := ReadEvents(dir)
	if err != nil {
		return nil, err
	}
	said, err := choose(rec)
	if err != nil || len(said) == 0 {
		return nil, err
	}
	seq := lastSeq(rec.People)
	var out []Event
	var lines bytes.Buffer
	for _, s := range said {
		if _, ok := s.Payload.(*Prediction); ok && Sealed(rec.Events) != nil {
			return nil, ErrSealed
		}
		at := s.At
		if at.IsZero() {
			at = time.Now()
		}
		at = at.UTC().Round(0)
		seq++
		e := Event{Seq: seq, Time: at, Offset: Duration(at.Sub(rec.Events[0].Time)), Actor: s.Actor, People: true, Payload: s.Payload}
		line, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("people's file: %s: %w", s.Kind(), err)
		}
		lines.Write(append(line, '\n'))
		out = append(out, e)
	}
	if err := AppendLines(filepath.Join(dir, PeopleFile), 0o644, lines.Bytes()); err != nil {
		return nil, fmt.Errorf("cannot note anything in %s: %w", dir, err)
	}
	return out, nil
}

// AppendLines appends whole lines to a file, durably; one that is not there is made with perm. Where the file breaks off in the middle of a line,
// that line is ended first: what is added never becomes one with it.
func AppendLines(path string, perm fs.FileMode, lines []byte) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	w := &log{file: f, size: fi.Size()}
	if w.size > 0 {
		end := make([]byte, 1)
		if _, err := f.ReadAt(end, w.size-1); err != nil {
			return err
		}
		w.torn = end[0] != '\n'
	}
	if err := w.add(lines); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("it cannot be made sure that it is on the disk: %w", err)
	}
	return nil
}

// peoplePatience is how long to wait for another process that adds to the people's file.
const peoplePatience = 3 * time.Second

// lockPeople keeps writers of the people's file and the seal apart. The lock is on the directory: one of its own would be one more file in it.
func lockPeople(dir string) (unlock func(), err error) {
	l := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	locked := make(chan error, 1)
	go func() { locked <- l.Lock() }() // in its turn: whoever asks again and again may never get it
	select {
	case err := <-locked:
		return func() { l.Close() }, err
	case <-time.After(peoplePatience):
		go func() {
			<-locked
			l.Close()
		}()
		return func() {}, fmt.Errorf("another process has been adding to it for %s", peoplePatience)
	}
}

func lastSeq(events []Event) int {
	seq := 0
	for _, e := range events {
		seq = max(seq, e.Seq)
	}
	return seq
}

// SealPredictions makes the seal over what has been predicted by now and has write put it into the journal. Nobody predicts meanwhile; but a run
// is not held up for good by a process that hangs.
func (w *Writer) SealPredictions(write func(*PredictionsSealed) error) error {
	unlock, _ := lockPeople(w.dir)
	defer unlock()
	seal := &PredictionsSealed{}
	b, err := os.ReadFile(filepath.Join(w.dir, PeopleFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("cannot seal the predictions: %w", err)
	default:
		var r Record
		events, _ := r.readEvents(PeopleFile, b)
		seal.Last = lastSeq(events)
		for _, e := range events {
			if _, ok := e.Payload.(*Prediction); ok {
				seal.Predictions++
			}
		}
		seal.SHA256 = sum(b)
		seal.Bytes = len(b)
	}
	return write(seal)
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// PeopleSince reads what people said in a run, if there is more of it than a size in bytes, and returns the size.
func PeopleSince(dir string, size int64) ([]Event, int64) {
	path := filepath.Join(dir, PeopleFile)
	if fi, err := os.Stat(path); err != nil || fi.Size() == size {
		return nil, size
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, size
	}
	whole := b[:bytes.LastIndexByte(b, '\n')+1] // a line without an end is being written
	var r Record
	events, _ := r.readEvents(PeopleFile, whole)
	return events, int64(len(b))
}

// readPeople reads what people said, and marks what stands there as it was sealed: by its place in the file, since a number can be written
// into any line. Where the seal is broken nothing is known to have been said before it.
func (r *Record) readPeople(dir string) {
	seal := Sealed(r.Events)
	b, err := os.ReadFile(filepath.Join(dir, PeopleFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if seal != nil && seal.Bytes > 0 {
			r.damage(PeopleFile, 0, "it is missing, and what had been said before the first injection was sealed in it")
		}
		return
	case err != nil:
		r.damage(PeopleFile, 0, "what people said cannot be read: %v", reason(err))
		return
	}
	r.People, _ = r.readEvents(PeopleFile, b)
	switch {
	case seal == nil:
	case len(b) < seal.Bytes:
		r.damage(PeopleFile, 0, "it is shorter than what was sealed before the first injection: %d bytes of %d", len(b), seal.Bytes)
	case seal.Bytes < 0, seal.Bytes > 0 && sum(b[:seal.Bytes]) != seal.SHA256:
		r.damage(PeopleFile, 0, "what had been said before the first injection is not what was sealed then")
	default:
		for i := range sealedEvents(b, seal.Bytes) {
			r.People[i].Sealed = true
		}
	}
}

// sealedEvents is how many events stand in the first bytes of the people's file. A line that was cut off at the seal and was written on
// afterwards is none of them.
func sealedEvents(b []byte, sealed int) int {
	if sealed < len(b) && b[sealed] != '\n' {
		sealed = bytes.LastIndexByte(b[:sealed], '\n') + 1
	}
	var prefix Record
	events, _ := prefix.readEvents(PeopleFile, b[:sealed])
	return len(events)
}
