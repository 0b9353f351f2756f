// Package journal is the record of a run: what happened, in order, one event a line, written down before it is acted on.
//
// Everything that is said about a run afterwards is computed from this record. The package knows nothing of scenarios, of
// Docker or of Prometheus; its events are plain data.
package journal

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// An Event is one line of the journal.
type Event struct {
	Seq     int       // counts from 1, without gaps
	Time    time.Time // UTC, to the nanosecond
	Offset  Duration  // since the run started, from the monotonic clock
	Actor   string    // "runner", "guard", "recover", "role:<name>", "container:<name>" or "prometheus"
	Guard   bool      // it stands in the guard's file, whose numbers are its own
	People  bool      // it stands in the people's file, likewise
	Sealed  bool      // of the people's: it stands there as it was sealed before the first injection
	After   int       // of the guard's: the number of the last event of the journal that the guard had read by then; 0: none
	Payload Payload   // what happened
}

// ID is what the event is cited by: "E17", "G3" if it stands in the guard's file, or "N5" if it stands in the people's.
func (e Event) ID() string {
	file := "E"
	switch {
	case e.Guard:
		file = "G"
	case e.People:
		file = "N"
	}
	return file + strconv.Itoa(e.Seq)
}

// A Payload is what happened; its type tells the kind of the event.
type Payload interface{ Kind() string }

// Unknown is a payload of a kind that this version does not know. It is kept as it was.
type Unknown struct {
	Name string
	Data json.RawMessage
}

// Kind returns the kind's name as it stands in the file.
func (u *Unknown) Kind() string { return u.Name }

type wireEvent struct {
	Seq    int             `json:"seq"`
	Time   time.Time       `json:"time"`
	Offset Duration        `json:"offset"`
	Actor  string          `json:"actor"`
	After  int             `json:"after,omitempty"`
	Kind   string          `json:"kind"`
	Data   json.RawMessage `json:"data"`
}

// MarshalJSON writes the event as one object with the payload under "data".
func (e Event) MarshalJSON() ([]byte, error) {
	var data json.RawMessage
	if u, ok := e.Payload.(*Unknown); ok {
		data = u.Data
	} else {
		b, err := json.Marshal(e.Payload)
		if err != nil {
			return nil, err
		}
		data = b
	}
	return json.Marshal(wireEvent{e.Seq, e.Time, e.Offset, e.Actor, e.After, e.Payload.Kind(), data})
}

// UnmarshalJSON reads what MarshalJSON wrote. A kind that this version does not know becomes *Unknown.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w wireEvent
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	if w.Kind == "" {
		return fmt.Errorf("event %d has no kind", w.Seq)
	}
	*e = Event{Seq: w.Seq, Time: w.Time, Offset: w.Offset, Actor: w.Actor, After: w.After}
	make, known := kinds[w.Kind]
	if !known {
		e.Payload = &Unknown{w.Kind, w.Data}
		return nil
	}
	p := make()
	if err := json.Unmarshal(w.Data, p); err != nil {
		return fmt.Errorf("event %d (%s): %w", w.Seq, w.Kind, err)
	}
	e.Payload = p
	return nil
}

// Duration is a time.Duration that is written as text ("1m30s") in JSON.
type Duration time.Duration

// MarshalJSON writes the duration as Go does.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	*d = Duration(v)
	return err
}

// String formats the duration without the zeros that Go adds: "1m", not "1m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Number is a float64 that survives JSON: NaN and the infinities are written as text, everything else in the shortest form
// that reads back as the same value.
type Number float64

// MarshalJSON writes a JSON number, or "NaN", "+Inf", "-Inf".
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Number) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		f, err := strconv.ParseFloat(s, 64)
		*n = Number(f)
		return err
	}
	var f float64
	err := json.Unmarshal(b, &f)
	*n = Number(f)
	return err
}
