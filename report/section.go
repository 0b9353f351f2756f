package report

import (
	"time"

	"gameday/runner/journal"
)

// A Section is one part of the draft. Its id names its block in report.md and its anchor in report.html; both are an interface
// and stay as they are.
type Section struct {
	ID      string
	Version int    // of what the section says; raised when its form changes
	Title   string // empty: the section has no heading of its own
	Under   string // the section that it is a part of, such as a question's, whose id begins with "q-"; empty: it stands by itself
	People  bool   // people write here: what stands in it leads up to their words
	Seed    string // Markdown that people start from, written beneath the block when it is first put into report.md; theirs from then on
	Items   []Item
}

// An Item is one part of a section: a Para, an Ask, a Points, a Facts, a Table, a Heading, a Chart or a Lanes.
type Item interface{ item() }

// Para is a paragraph.
type Para []Sentence

// An Ask is a question to the people of the rehearsal: what was seen, and then what only they can say.
type Ask Sentence

// Points is a list, one sentence or a few to each point.
type Points [][]Sentence

// An Alarm is what a person has to see first. An urgent one is shown in red: something may still be in force.
type Alarm struct {
	Title     string
	Urgent    bool
	Sentences []Sentence
}

// Facts is a list of labelled facts.
type Facts []Row

// A Table has a head and rows; each row cites its evidence in a last column of its own.
type Table struct {
	Columns []string
	Rows    []Row
	Index   bool // it is the evidence index: its rows are what citations lead to
}

// A Row is one row of a table. Like a sentence it cannot be rendered without evidence.
type Row struct {
	Cells    []Phrase
	Evidence []string
	Payload  string    // for the evidence index: the event as it stands in the journal
	At       time.Time // for the timeline: when it was; the drawings mark that instant
}

// A Heading opens a part of a section. Verdict is shown beside it where there is one.
type Heading struct {
	ID      string
	Text    Phrase
	Verdict journal.Verdict
}

func (Para) item()    {}
func (Ask) item()     {}
func (Points) item()  {}
func (Alarm) item()   {}
func (Facts) item()   {}
func (Table) item()   {}
func (Heading) item() {}
func (*Chart) item()  {}
func (*Lanes) item()  {}

func (r Row) check(x *Index) error {
	if err := (Sentence{Template: "a row", Evidence: r.Evidence}).check(x); err != nil {
		return err
	}
	for _, c := range r.Cells {
		if err := c.check(); err != nil {
			return err
		}
	}
	return nil
}

// row makes a row of a table.
func row(evidence []string, cells ...Phrase) Row {
	return Row{Cells: cells, Evidence: cite(evidence...)}
}

// sentences are all sentences of an item, those of charts included.
func sentences(i Item) []Sentence {
	switch i := i.(type) {
	case Para:
		return i
	case Ask:
		return []Sentence{Sentence(i)}
	case Points:
		var out []Sentence
		for _, p := range i {
			out = append(out, p...)
		}
		return out
	case Words:
		var out []Sentence
		for _, w := range i {
			if w.Value != nil {
				out = append(out, *w.Value)
			}
		}
		return out
	case Alarm:
		return i.Sentences
	case *Chart:
		return []Sentence{i.Text}
	case *Lanes:
		return []Sentence{i.Text}
	}
	return nil
}

// rows are all rows of an item.
func rows(i Item) []Row {
	switch i := i.(type) {
	case Facts:
		return i
	case Table:
		return i.Rows
	}
	return nil
}
