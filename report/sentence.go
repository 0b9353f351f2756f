package report

import (
	"fmt"
	"strings"
	"time"

	"gameday/runner/journal"
)

// A Phrase is text with typed values in it. Each "{}" of the template takes the next argument. Templates hold no numbers and
// nothing that comes from outside: those are arguments.
type Phrase struct {
	Template string
	Args     []Value
}

// A Sentence is a phrase with the evidence that it rests on: ids such as "E17" (an event) or "Q3" (a query). A sentence
// without evidence cannot be rendered.
type Sentence struct {
	Template string
	Args     []Value
	Evidence []string
}

// phrase is the sentence without its evidence.
func (s Sentence) phrase() Phrase { return Phrase{s.Template, s.Args} }

// check says why a sentence may not be rendered.
func (s Sentence) check(x *Index) error {
	if len(s.Evidence) == 0 {
		return fmt.Errorf("the sentence %q cites no evidence", s.Template)
	}
	for _, id := range s.Evidence {
		if !x.Has(id) {
			return fmt.Errorf("the sentence %q cites %s, which is not in the record", s.Template, id)
		}
	}
	return s.phrase().check()
}

func (p Phrase) check() error {
	if n := strings.Count(p.Template, "{}"); n != len(p.Args) {
		return fmt.Errorf("the template %q takes %d values and was given %d", p.Template, n, len(p.Args))
	}
	return nil
}

// say makes a sentence; evidence ids that are empty or repeated are dropped.
func say(evidence []string, template string, args ...Value) Sentence {
	return Sentence{Template: template, Args: args, Evidence: cite(evidence...)}
}

// words makes a phrase.
func words(template string, args ...Value) Phrase { return Phrase{template, args} }

// cite is the list of ids without empty ones and repetitions, in order.
func cite(ids ...string) []string {
	var out []string
	seen := map[string]bool{}
	for _, id := range ids {
		if id != "" && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// style says how a piece of text is to be set.
type style int

const (
	plain   style = iota // our own words, numbers and times
	name                 // a name from outside: set as code
	quote                // somebody's words, verbatim: set as code
	prose                // a description from outside: set as text, escaped
	command              // what a person can type: set as code, to be copied
	verdict              // one of the four verdict words
	link                 // leads out of the draft
)

// A piece is a stretch of text in one style.
type piece struct {
	style style
	text  string
	to    string // where a link leads
}

// A Value is one typed argument of a sentence.
type Value interface {
	pieces(c Clock) []piece
}

// The kinds of values.
type (
	// Count is a number of things. Of lists the evidence that was counted, where it was counted rather than recorded.
	Count struct {
		N  int
		Of []string
	}
	// Num is a value of a metric.
	Num float64
	// Dur is a length of time that is recorded as one.
	Dur time.Duration
	// Span is the length of time between two recorded moments. Where the first is known only within limits, From is the earliest it may
	// have been, and Latest the latest.
	Span struct {
		From, To time.Time
		Latest   *time.Time
	}
	// At is a point in time, shown by the clock and as an offset.
	At time.Time
	// Date is a day.
	Date time.Time
	// Days is how many days lie between two points in time.
	Days struct{ From, To time.Time }
	// TimeOfDay is a point in time without its offset.
	TimeOfDay time.Time
	// Exact is a point in time to the millisecond, without its offset.
	Exact time.Time
	// Place is a line in a file.
	Place int
	// Between is a point in time that is known only to lie between two samples; without After it is known to be no later than First.
	Between struct {
		After *time.Time
		First time.Time
	}
	// By is a point in time that is the latest possible one, so it is shown to the millisecond.
	By time.Time
	// Lasting is a length of time that is known only within limits. It reads "10.5 to 11.4 s" or "at most 895 ms".
	Lasting struct{ AtLeast, AtMost time.Duration }
	// Against is a value beside the bound that it was held against, with as many digits as it takes to tell them apart.
	Against struct {
		Value journal.Number
		Op    string
		Bound *journal.Number
		Trips bool // the bound is where a guardrail stops the run, not what was expected
	}
	// Left is how much room a value leaves to its bound, or how far beyond it is.
	Left journal.Point
	// Percent is a share, 1 being all.
	Percent float64
	// Name is a name from outside.
	Name string
	// Quote is somebody's words, verbatim.
	Quote string
	// Command is what a person can type.
	Command string
	// Elsewhere leads to an address outside the draft, of http or https.
	Elsewhere struct{ Text, URL string }
	// Prose is a description from outside.
	Prose string
	// Word is one of our own words that a template leaves open.
	Word string
	// Verdict is one of the four words for what became of a hypothesis.
	Verdict journal.Verdict
	// List is several values, set with commas and an "and".
	List []Value
	// Labels is what tells one series from another.
	Labels map[string]string
	// Inner is a phrase within a phrase.
	Inner Phrase
)

func one(s style, text string) []piece { return []piece{{style: s, text: text}} }

// outside is text from outside; that it was left out is said in words of our own.
func outside(s style, text string) []piece {
	if text == leftOut {
		s = plain
	}
	return one(s, text)
}

func (v Count) pieces(Clock) []piece { return one(plain, fmt.Sprint(v.N)) }
func (v Num) pieces(Clock) []piece   { return one(plain, formatNumber(float64(v), 4)) }
func (v Dur) pieces(Clock) []piece   { return one(plain, formatDuration(time.Duration(v))) }
func (v Span) pieces(c Clock) []piece {
	if v.Latest == nil {
		return Dur(v.To.Sub(v.From)).pieces(c)
	}
	return Lasting{max(0, v.To.Sub(*v.Latest)), max(0, v.To.Sub(v.From))}.pieces(c)
}

func (v At) pieces(c Clock) []piece {
	return one(plain, c.Time(time.Time(v))+" ("+c.Offset(time.Time(v))+")")
}

func (v Date) pieces(c Clock) []piece { return one(plain, c.in(time.Time(v)).Format("2006-01-02")) }
func (v Days) pieces(Clock) []piece {
	n := int(v.To.Sub(v.From) / day)
	return one(plain, fmt.Sprintf("%d %s", n, plural(n, "day", "days")))
}

func (v TimeOfDay) pieces(c Clock) []piece { return one(plain, c.Time(time.Time(v))) }
func (v Exact) pieces(c Clock) []piece     { return one(plain, c.Exact(time.Time(v))) }
func (v Place) pieces(Clock) []piece       { return one(plain, fmt.Sprint(int(v))) }

func (v By) pieces(c Clock) []piece {
	return one(plain, "by "+c.Exact(time.Time(v))+" ("+c.Offset(time.Time(v))+")")
}

func (v Between) pieces(c Clock) []piece {
	if v.After == nil || !v.After.Before(v.First) {
		return By(v.First).pieces(c)
	}
	return one(plain, fmt.Sprintf("between %s and %s (%s, %s between samples)", c.Time(*v.After), c.Time(v.First),
		c.Offset(v.First), formatDuration(v.First.Sub(*v.After))))
}

func (v Lasting) pieces(Clock) []piece {
	if v.AtLeast == v.AtMost {
		return one(plain, formatDuration(v.AtMost))
	}
	return one(plain, formatLimits(v.AtLeast, v.AtMost))
}

func (v Against) pieces(Clock) []piece {
	value, bound := formatNumber(float64(v.Value), 4), ""
	if v.Bound == nil {
		return one(plain, value)
	}
	bound = formatNumber(float64(*v.Bound), 4)
	for digits := 5; value == bound && v.Value != *v.Bound && digits < 18; digits++ {
		value, bound = formatNumber(float64(v.Value), digits), formatNumber(float64(*v.Bound), digits)
	}
	word := "expected"
	if v.Trips {
		word = "stops the run at"
	}
	return one(plain, value+" ("+word+" "+strings.TrimSpace(v.Op+" "+bound)+")")
}

// against is a point beside what was expected of it.
func against(p *journal.Point) Against { return Against{Value: p.Value, Op: p.Op, Bound: p.Bound} }

func (v Left) pieces(c Clock) []piece {
	m := marginOf((*journal.Point)(&v))
	if m == nil {
		return one(plain, "not in the record")
	}
	return marginPhrase(m).pieces(c)
}

func (v Percent) pieces(Clock) []piece { return one(plain, formatNumber(float64(v)*100, 3)+" %") }
func (v Name) pieces(Clock) []piece    { return outside(name, string(v)) }
func (v Quote) pieces(Clock) []piece   { return outside(quote, string(v)) }
func (v Command) pieces(Clock) []piece { return one(command, string(v)) }
func (v Elsewhere) pieces(Clock) []piece {
	return []piece{{style: link, text: v.Text, to: v.URL}}
}
func (v Prose) pieces(Clock) []piece   { return one(prose, string(v)) }
func (v Word) pieces(Clock) []piece    { return one(plain, string(v)) }
func (v Verdict) pieces(Clock) []piece { return one(verdict, string(v)) }
func (v Inner) pieces(c Clock) []piece { return Phrase(v).pieces(c) }

func (v List) pieces(c Clock) []piece {
	var out []piece
	for i, item := range v {
		switch {
		case i > 0 && i == len(v)-1:
			out = append(out, piece{style: plain, text: " and "})
		case i > 0:
			out = append(out, piece{style: plain, text: ", "})
		}
		out = append(out, item.pieces(c)...)
	}
	return out
}

func (v Labels) pieces(Clock) []piece { return one(name, formatLabels(v)) }

// pieces sets the arguments into the template. What only adds to what is said before it, and was left out, is not mentioned.
func (p Phrase) pieces(c Clock) []piece {
	var out []piece
	parts := strings.Split(p.Template, "{}")
	for i, text := range parts {
		silent := p.adds(parts, i)
		if silent {
			text = text[:len(text)-2]
		}
		if text != "" {
			out = append(out, piece{style: plain, text: text})
		}
		if !silent && i < len(p.Args) && i < len(parts)-1 {
			out = append(out, p.Args[i].pieces(c)...)
		}
	}
	return out
}

// adds says that an argument was left out and stands at the end, after a colon, where the sentence is whole without it.
func (p Phrase) adds(parts []string, i int) bool {
	if i >= len(p.Args) || i >= len(parts)-1 || strings.Trim(parts[i+1], ".") != "" || !withheld(p.Args[i]) {
		return false
	}
	text := parts[i]
	return (strings.HasSuffix(text, ": ") || strings.HasSuffix(text, "; ")) && (i > 0 || strings.Count(text, " ") > 2) // not so "Left behind: "
}

// withheld says that the audience does not read a value.
func withheld(v Value) bool {
	return v == Quote(leftOut) || v == Name(leftOut) || v == Command(leftOut)
}

// plainText is the phrase with nothing marked, for places that know no markup.
func (p Phrase) plainText(c Clock) string {
	var b strings.Builder
	for _, piece := range p.pieces(c) {
		if piece.style == quote {
			b.WriteString("“" + visible(piece.text) + "”")
		} else {
			b.WriteString(visible(piece.text))
		}
	}
	return b.String()
}

// plural picks the word for a number.
func plural(n int, single, many string) Word {
	if n == 1 {
		return Word(single)
	}
	return Word(many)
}

// Since is the offset of a point in time alone.
type Since time.Time

func (v Since) pieces(c Clock) []piece { return one(plain, c.Offset(time.Time(v))) }

// Seed is the seed of the run's random choices.
type Seed uint64

func (v Seed) pieces(Clock) []piece { return one(plain, fmt.Sprint(uint64(v))) }

// Tally is a number of things that the report itself counted, by what tells them apart: names and labels that the evidence has, or ids.
type Tally []string

func (v Tally) pieces(Clock) []piece { return one(plain, fmt.Sprint(len(v))) }
