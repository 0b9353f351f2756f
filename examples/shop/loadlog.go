package shop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// A LoadSecond is one line of the load generator's log: what users saw in about a second. It is the truth that a
// rehearsal's verdicts can be held against, since it comes neither from gameday nor from its metrics.
type LoadSecond struct {
	Time    time.Time `json:"time"` // end of the second
	Sent    int       `json:"sent"` // checkouts begun in it
	OK      int       `json:"ok"`   // checkouts that ended well in it, whenever they began
	Failed  int       `json:"failed"`
	P99     float64   `json:"p99_ms"`  // of those that ended in it; 0 if none did
	Waiting int       `json:"waiting"` // not answered at its end
}

// ParseLoad reads the log of service "load". Lines that are no JSON objects, and a last line that is cut off, are passed
// over; an object that is not a LoadSecond is an error.
func ParseLoad(log []byte) ([]LoadSecond, error) {
	var seconds []LoadSecond
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(log, []byte("\n"))
		if !whole {
			return seconds, nil
		}
		log = rest
		line = bytes.TrimSpace(line)
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var s LoadSecond
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("line %d of the load log is not a summary of a second: %w", n, err)
		}
		seconds = append(seconds, s)
	}
}
