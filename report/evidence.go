package report

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"gameday/runner/journal"
)

// An Index is all that can be cited: the events of the journal as E<seq>, the guard's as G<seq>, the people's as N<seq>, and the queries as
// Q<n>.
type Index struct {
	Events  []EventEvidence
	Queries []QueryEvidence
	has     map[string]bool
}

// EventEvidence is one event.
type EventEvidence struct {
	ID    string
	Event journal.Event
}

// QueryEvidence is one query with what it returned. Query is nil where the samples are not in the record.
type QueryEvidence struct {
	ID       string
	Purpose  string // "hypothesis" or "guardrail"
	Name     string // of that
	Text     string
	Every    journal.Duration
	Query    *journal.Query
	Declared string // the event that declares it, if any
}

// Has says whether an id can be cited.
func (x *Index) Has(id string) bool { return x.has[id] }

// event is the event with an id that the index has.
func (x *Index) event(id string) EventEvidence {
	i := slices.IndexFunc(x.Events, func(e EventEvidence) bool { return e.ID == id })
	return x.Events[i]
}

// newIndex gives every event and every query its id. Two events with the same number, which only a damaged record has, are told
// apart by a suffix.
func newIndex(rec *journal.Record) *Index {
	x := &Index{has: map[string]bool{}}
	for _, e := range slices.Concat(rec.Events, rec.People) {
		id := e.ID()
		for n := 2; x.has[id]; n++ {
			id = fmt.Sprintf("%s-%d", e.ID(), n)
		}
		x.has[id] = true
		x.Events = append(x.Events, EventEvidence{id, e})
	}
	queries := map[string]QueryEvidence{}
	for id, q := range rec.Queries {
		if q != nil && validQueryID(id) {
			queries[id] = QueryEvidence{ID: id, Purpose: q.Purpose, Name: q.Name, Text: q.Text, Every: q.Every, Query: q}
		}
	}
	declare := func(at, id, purpose, name, text string, every journal.Duration) {
		if !validQueryID(id) {
			return
		}
		q, known := queries[id]
		if !known {
			q = QueryEvidence{ID: id, Purpose: purpose, Name: name, Text: text, Every: every}
		}
		q.Declared = at
		queries[id] = q
	}
	for _, e := range x.Events {
		if d, ok := e.Event.Payload.(*journal.Declared); ok {
			for _, h := range d.Hypotheses {
				declare(e.ID, h.QueryID, "hypothesis", h.Name, h.Query, h.Every)
			}
			for _, g := range d.Guardrails {
				declare(e.ID, g.QueryID, "guardrail", g.Name, g.Query, g.Every)
			}
		}
	}
	for id, q := range queries {
		x.has[id] = true
		x.Queries = append(x.Queries, q)
	}
	sort.Slice(x.Queries, func(i, j int) bool { return queryNumber(x.Queries[i].ID) < queryNumber(x.Queries[j].ID) })
	return x
}

// validQueryID keeps ids from outside that are no ids out of anchors and file names.
func validQueryID(id string) bool {
	return strings.HasPrefix(id, "Q") && queryNumber(id) > 0 && id == fmt.Sprintf("Q%d", queryNumber(id))
}

func queryNumber(id string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "Q"))
	return n
}
