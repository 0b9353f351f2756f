package report

import (
	_ "embed"
	"encoding/json"

	"gameday/runner/journal"
)

// sampleRecord is a run with something in every section. A test writes it anew.
//
//go:embed sample.json
var sampleRecord []byte

type sample struct {
	Name    string                   `json:"name"`
	Events  []journal.Event          `json:"events"`
	Queries map[string]sampleQueries `json:"queries"`
}

type sampleQueries struct {
	journal.Query
	Samples []journal.Sample `json:"samples"`
}

// Sample is the record of a run that never was, to try templates on.
func Sample() *journal.Record {
	var s sample
	if err := json.Unmarshal(sampleRecord, &s); err != nil {
		panic(err) // it is part of the binary
	}
	rec := &journal.Record{Name: s.Name, Events: s.Events, Queries: map[string]*journal.Query{}}
	for id, q := range s.Queries {
		x := q.Query
		x.Samples = q.Samples
		rec.Queries[id] = &x
	}
	return rec
}

// A TriedTemplate says what a template does in one section of a draft.
type TriedTemplate struct {
	Section string `json:"section"`
	Stands  int    `json:"stands"`   // items of the section that stand in it
	LeftOut int    `json:"left_out"` // items that do not
}

// TryTemplate sets each section of a run's draft by a template that CheckTemplate finds nothing wrong in.
func TryTemplate(rec *journal.Record, text []byte) ([]TriedTemplate, error) {
	plain := Build(rec)
	slots, _ := parseTemplate(string(text), nil)
	var out []TriedTemplate
	tried := *plain
	tried.Sections = nil
	for _, s := range plain.Sections {
		if !fixed(s.ID) && s.Under == "" {
			all := len(s.Items)
			s.Items = plain.facts.fill(slots, s.Items)
			n := 0
			for _, i := range s.Items {
				if _, words := i.(Words); !words {
					n++
				}
			}
			out = append(out, TriedTemplate{s.ID, n, all - n})
		}
		tried.Sections = append(tried.Sections, s)
	}
	if _, err := tried.HTML(); err != nil {
		return nil, err
	}
	if _, _, _, err := parse(string(tried.Markdown())); err != nil {
		return nil, err
	}
	return out, nil
}
