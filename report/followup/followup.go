// Package followup reads the table of follow-ups that people write into a postmortem, and checks it as data: who does what by when,
// and what will show that it is done.
package followup

import (
	"regexp"
	"strings"
	"time"
)

// A FollowUp is one row of a table of follow-ups. A cell that the table has no column for is empty, and has no place.
type FollowUp struct {
	Action   Cell // what will be different, verb first
	Owner    Cell // the team
	Due      Cell
	Done     Cell // what will show that it is done
	Ticket   Cell
	Decision Cell
	Proof    Cell            // the scenario whose next run has to hold
	More     []More          // what else the table has, in its order
	Columns  map[string]bool // the keys of the columns that the table has
}

// A Cell is one cell of a table, and where it stands: lines and columns count from 1, columns in characters, and the end is exclusive.
type Cell struct {
	Text               string // without its markup
	Line, Column       int
	EndLine, EndColumn int
}

// More is a cell of a column that gameday does not know.
type More struct {
	Name string
	Cell Cell
}

// Blank says that nobody has filled a cell in.
func (c Cell) Blank() bool { return blank.MatchString(c.Text) }

var blank = regexp.MustCompile(`(?i)^\s*(?:-+|–|—|\?+|…|\.\.\.|tbd|tba|none|n/a|unassigned|nobody)?\s*$`)

// columns are what a column can be, each with the titles that people give it. The first one that fits counts, so that "done when" is no
// date although it says "when".
var columns = []struct {
	key   string
	title *regexp.Regexp
	cell  func(*FollowUp) *Cell
}{
	{"action", regexp.MustCompile(`(?i)^\s*(?:follow-?\s?ups?|actions?|action items?|tasks?|todo|remediation|what)\b`), func(f *FollowUp) *Cell { return &f.Action }},
	{"proof", regexp.MustCompile(`(?i)\bproof\b|\bproven|\bscenario`), func(f *FollowUp) *Cell { return &f.Proof }},
	{"done", regexp.MustCompile(`(?i)\bdone|accept|verif|complete`), func(f *FollowUp) *Cell { return &f.Done }},
	{"decision", regexp.MustCompile(`(?i)\bdeci(?:sion|ded)|\bdisposition`), func(f *FollowUp) *Cell { return &f.Decision }},
	{"ticket", regexp.MustCompile(`(?i)\bticket|\bissue|\btracker|\btracked`), func(f *FollowUp) *Cell { return &f.Ticket }},
	{"due", regexp.MustCompile(`(?i)\bdue|deadline|\bby\b|\bwhen\b|date`), func(f *FollowUp) *Cell { return &f.Due }},
	{"owner", regexp.MustCompile(`(?i)own|assign|team|\bwho\b|responsible`), func(f *FollowUp) *Cell { return &f.Owner }},
}

var (
	actionTitle = regexp.MustCompile(`(?i)^\s*(?:actions?|tasks?|todo)\s*$`)
	about       = regexp.MustCompile(`(?i)\b(?:follow-?\s?ups?|action items?|actions|remediations?|corrective actions?)\b`)
)

// Heading says that a heading is that of follow-ups.
func Heading(heading string) bool { return about.MatchString(heading) }

// Layout says which column is what.
type Layout struct {
	keys   []string // by column; empty: it is none of ours
	titles []string
}

// Action is the number of the column with the actions.
func (l *Layout) Action() int {
	for i, k := range l.keys {
		if k == "action" {
			return i
		}
	}
	return -1
}

// ReadLayout reads the titles of a table. ok says that it is one of follow-ups: it has a column of actions, and is one by the heading above
// it, by the title of a column, or because it asks who does an action, and by when or how one will know.
func ReadLayout(titles []string, heading string) (l *Layout, ok bool) {
	l = &Layout{keys: make([]string, len(titles)), titles: titles}
	seen := map[string]bool{}
	ok, named := Heading(heading), false
	for i, t := range titles {
		ok, named = ok || about.MatchString(t), named || actionTitle.MatchString(t)
		for _, c := range columns {
			if c.title.MatchString(t) {
				if !seen[c.key] {
					l.keys[i], seen[c.key] = c.key, true
				}
				break
			}
		}
	}
	ok = ok || named && seen["owner"] && (seen["due"] || seen["done"])
	return l, ok && seen["action"]
}

// Row makes a follow-up of the cells of a row.
func (l *Layout) Row(cells []Cell) FollowUp {
	f := FollowUp{Columns: map[string]bool{}}
	for i, key := range l.keys {
		var cell Cell
		if i < len(cells) {
			cell = cells[i]
		}
		if key == "" {
			f.More = append(f.More, More{strings.TrimSpace(l.titles[i]), cell})
			continue
		}
		f.Columns[key] = true
		for _, c := range columns {
			if c.key == key {
				*c.cell(&f) = cell
			}
		}
	}
	return f
}

// A Decision is what people decided about a follow-up.
type Decision string

// The decisions. What is undecided is open, like what is to be done.
const (
	Do        Decision = "do"
	Later     Decision = "later"
	NotDoing  Decision = "not doing"
	Done      Decision = "done"
	Undecided Decision = "undecided" // the cell is blank
	Unclear   Decision = "unclear"   // the cell says something else
)

var decisions = regexp.MustCompile(`(?is)^\s*(?:(do|doing|yes|agreed|go|in progress|started)|(later|deferred|defer|postponed|not now)|` +
	`(not doing|not do|won['’]?t(?:\s+do)?|will not do|wontfix|no|declined|rejected|dropped)|(done|closed|finished|completed?|fixed))(?:$|[^\pL\pN](.*)$)`)

// Decided reads the decision, and what stands after it: the reason.
func (f *FollowUp) Decided() (Decision, string) {
	if f.Decision.Blank() {
		return Undecided, ""
	}
	m := decisions.FindStringSubmatch(f.Decision.Text)
	if m == nil {
		return Unclear, ""
	}
	rest := strings.TrimSpace(strings.TrimLeft(m[5], " \t:;,.–—-("))
	rest = strings.TrimSpace(strings.TrimSuffix(rest, ")"))
	for i, d := range []Decision{Do, Later, NotDoing, Done} {
		if m[i+1] != "" {
			return d, rest
		}
	}
	return Unclear, ""
}

// Open says whether there is something left to do, as far as people said. A row without an action asks for nothing.
func (f *FollowUp) Open() bool {
	d, _ := f.Decided()
	return !f.Action.Blank() && d != NotDoing && d != Done
}

// DueDate is the day by which it is to be done, at midnight UTC; false: there is none that can be read.
func (f *FollowUp) DueDate() (time.Time, bool) { return Date(f.Due.Text) }

var dates = []struct {
	find    *regexp.Regexp
	layouts []string
}{
	{regexp.MustCompile(`\b\d{4}-\d{1,2}-\d{1,2}\b`), []string{"2006-1-2"}},
	{regexp.MustCompile(`\b\d{1,2}\.? \pL{3,9},? \d{4}\b`), []string{"2 January 2006", "2 Jan 2006"}},
	{regexp.MustCompile(`\b\pL{3,9} \d{1,2},? \d{4}\b`), []string{"January 2 2006", "Jan 2 2006"}},
}

// Date finds a day in a text: 2026-12-04, 4 December 2026 or Dec 4, 2026. Forms that mean another day elsewhere are not read.
func Date(text string) (time.Time, bool) {
	text = strings.Join(strings.Fields(text), " ")
	for _, d := range dates {
		for _, found := range d.find.FindAllString(text, -1) {
			found = strings.NewReplacer(",", "", ".", "").Replace(found)
			for _, layout := range d.layouts {
				if t, err := time.Parse(layout, found); err == nil {
					return t, true
				}
			}
		}
	}
	return time.Time{}, false
}

var scenarioName = regexp.MustCompile(`^(?:scenario\.)?([\pL_][\pL\pN_-]*)$`)

// ProofScenario is the name of the scenario that proves it; empty: none is named.
func (f *FollowUp) ProofScenario() string {
	if f.Proof.Blank() {
		return ""
	}
	if m := scenarioName.FindStringSubmatch(strings.TrimSpace(f.Proof.Text)); m != nil {
		return m[1]
	}
	return ""
}

// Place is a cell that stands in the row: the action, or the first other one that there is.
func (f *FollowUp) Place() Cell {
	for _, c := range columns {
		if cell := c.cell(f); cell.Line > 0 {
			return *cell
		}
	}
	return Cell{}
}
