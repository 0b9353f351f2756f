package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agext/levenshtein"

	"gameday/runner/journal"
)

// A section template is Markdown with slots, by which a customer arranges one section:
//
//	{{ items }}            everything in the section that no other slot names
//	{{ sentences }}        its paragraphs, lists and questions
//	{{ item "table" }}     all its tables; {{ item "table" 2 }} the second one
//	{{ part "alert-1" }}   a heading by its id, and what follows it up to the next one
//	{{ field "approver" }} the value of a field of the scenario, within a text
//	{{/* … */}}            nothing
//
// Each slot but the last two stands on a line of its own. What a slot inserts is set by the machine, with its citations, as always, and no
// item is inserted twice. The template's own text is shown as what it is: the customer's. There is nothing in a template that
// reads, computes or repeats.

// Limits of a template.
const (
	largestTemplate = 64 << 10 // bytes
	mostSlots       = 200
)

// A TemplateProblem is something wrong in a section template.
type TemplateProblem struct {
	Line   int    `json:"line"`   // counts from 1
	Column int    `json:"column"` // counts from 1, in characters
	What   string `json:"what"`   // and what to do
}

// itemKinds are the kinds of items by the names that templates have for them.
var itemKinds = []string{"paragraph", "list", "question", "table", "facts", "chart", "drawing", "heading"}

func itemKind(i Item) string {
	switch i.(type) {
	case Para:
		return "paragraph"
	case Points:
		return "list"
	case Ask:
		return "question"
	case Table:
		return "table"
	case Facts:
		return "facts"
	case *Chart:
		return "chart"
	case *Lanes:
		return "drawing"
	case Heading:
		return "heading"
	}
	return ""
}

// A slot is a piece of a template.
type slot struct {
	what string // "text", "items", "sentences", "item", "part", "field"
	arg  string // the text, or what is named
	n    int    // of an item: the n-th of its kind; 0: all
}

// Words is text of a customer's template, with values of fields in it.
type Words []TemplateWords

// A TemplateWords is a stretch of a template's text, or the value of a field.
type TemplateWords struct {
	Text  string
	Value *Sentence // of a field; nil: it is text
}

func (Words) item() {}

// CheckTemplate says what is wrong in a section template. fields are the names of those that there are; nil: they are not known.
func CheckTemplate(text []byte, fields []string) []TemplateProblem {
	_, problems := parseTemplate(string(text), fields)
	return problems
}

// parseTemplate reads a template.
func parseTemplate(src string, fields []string) (slots []slot, problems []TemplateProblem) {
	src = strings.ReplaceAll(strings.TrimPrefix(src, byteOrderMark), "\r\n", "\n")
	problem := func(at int, format string, args ...any) {
		before := src[:at]
		line := strings.Count(before, "\n") + 1
		column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
		problems = append(problems, TemplateProblem{line, column, fmt.Sprintf(format, args...)})
	}
	if len(src) > largestTemplate {
		problem(0, "the template has more than %d KiB: shorten it", largestTemplate>>10)
		return nil, problems
	}
	if !utf8.ValidString(src) {
		problem(0, "this is no text in UTF-8: save it as such")
		return nil, problems
	}
	used := map[string]bool{}
	for at := 0; at < len(src); {
		open := strings.Index(src[at:], "{{")
		text := src[at:]
		if open >= 0 {
			text = src[at : at+open]
		}
		checkWords(text, func(i int, what string) { problem(at+i, "%s", what) })
		if text != "" {
			slots = append(slots, slot{what: "text", arg: text})
		}
		if open < 0 {
			break
		}
		from := at + open
		end, closing := strings.Index(src[from:], "}}"), "}}"
		if comment := strings.HasPrefix(src[from:], "{{/*"); comment {
			closing = "*/}}"
			end = strings.Index(src[from:], closing)
		}
		if end < 0 {
			problem(from, "this slot has no end: close it with %s", closing)
			break
		}
		inner := src[from+2 : from+end]
		at = from + end + len(closing)
		if closing != "}}" {
			continue
		}
		if len(slots) >= mostSlots {
			problem(from, "there are more than %d slots: shorten the template", mostSlots)
			break
		}
		s, what := readSlot(inner, fields)
		if what == "" && s.what != "field" {
			lineStart := strings.LastIndexByte(src[:from], '\n') + 1
			rest, _, _ := strings.Cut(src[at:], "\n")
			key := fmt.Sprint(s.what, " ", s.arg, " ", s.n)
			switch {
			case strings.TrimSpace(src[lineStart:from]) != "" || strings.TrimSpace(rest) != "":
				what = "this slot inserts whole paragraphs and tables: put it on a line of its own"
			case used[key]:
				what = "this is in the template already, and nothing is inserted twice: leave one out"
			}
			used[key] = true
		}
		if what != "" {
			problem(from, "%s", what)
			continue
		}
		slots = append(slots, s)
	}
	return slots, problems
}

// checkWords says what of a template's text could be taken for something else than a customer's words.
func checkWords(text string, problem func(at int, what string)) {
	for i, r := range text {
		rest := text[i:]
		switch {
		case r == '\n' || r == '\t':
		case unicode.IsControl(r) || r == 0xfeff || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Co, r):
			problem(i, fmt.Sprintf("there is a character here that nobody can see (%U): take it out", r))
			return
		case strings.HasPrefix(rest, "!["):
			problem(i, "pictures are not possible, as a report is one file: take it out, or write a link [text](address)")
			return
		case strings.HasPrefix(rest, "]:"):
			problem(i, "a link that is defined elsewhere could change where citations lead: write [text](address)")
			return
		case strings.HasPrefix(rest, "[!"):
			problem(i, "alarms are the machine's: take it out, or write it in bold")
			return
		case r == '<' && len(rest) > 1 && (rest[1] == '/' || rest[1] == '!' || rest[1] == '?' || unicode.IsLetter(rune(rest[1]))):
			problem(i, "HTML is not possible in a template: write Markdown, and &lt; for the character itself")
			return
		case strings.HasPrefix(rest, "}}"):
			problem(i, "this closes a slot that was not opened: write {{ before it, or take it out")
			return
		}
	}
}

// readSlot reads what stands between the braces.
func readSlot(inner string, fields []string) (s slot, problem string) {
	const all = `the slots are {{ items }}, {{ sentences }}, {{ item "table" }}, {{ part "hypothesis-1" }} and {{ field "name" }}`
	words, ok := slotWords(inner)
	if !ok || len(words) == 0 {
		return s, "this slot cannot be read: " + all
	}
	s.what = words[0].text
	args := words[1:]
	quoted := len(args) > 0 && args[0].quoted
	switch s.what {
	case "items", "sentences":
		if len(args) > 0 {
			return s, fmt.Sprintf("%q takes nothing: write {{ %s }}", s.what, s.what)
		}
		return s, ""
	case "item", "part", "field":
		if !quoted || args[0].text == "" || len(args) > 2 || len(args) == 2 && s.what != "item" {
			return s, fmt.Sprintf("%q takes a name in quotes: %s", s.what, all)
		}
	default:
		return s, fmt.Sprintf("there is no slot %q%s: %s", clip(s.what), meant(s.what, []string{"items", "sentences", "item", "part", "field"}), all)
	}
	s.arg = args[0].text
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1].text)
		if err != nil || n < 1 || n > 1000 || args[1].quoted {
			return s, fmt.Sprintf("%q is no number of an item: count from 1, without quotes", clip(args[1].text))
		}
		s.n = n
	}
	switch {
	case s.what == "item" && !slices.Contains(itemKinds, s.arg):
		return s, fmt.Sprintf("there is no kind of item %q%s: the kinds are %s", clip(s.arg), meant(s.arg, itemKinds), strings.Join(itemKinds, ", "))
	case s.what == "field" && fields != nil && !slices.Contains(fields, s.arg):
		known := "the scenario declares none"
		if len(fields) > 0 {
			known = "the fields are " + strings.Join(fields, ", ")
		}
		return s, fmt.Sprintf("there is no field %q%s: %s", clip(s.arg), meant(s.arg, fields), known)
	}
	return s, ""
}

type slotWord struct {
	text   string
	quoted bool
}

// slotWords splits what stands in a slot at blanks; a word in quotes may have any in it.
func slotWords(s string) (out []slotWord, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t\n")
		if s == "" {
			return out, true
		}
		if s[0] == '"' {
			word, rest, closed := strings.Cut(s[1:], `"`)
			if !closed || strings.Contains(word, "\n") {
				return nil, false
			}
			out, s = append(out, slotWord{word, true}), rest
			continue
		}
		end := strings.IndexAny(s, " \t\n\"")
		if end < 0 {
			end = len(s)
		}
		out, s = append(out, slotWord{s[:end], false}), s[end:]
	}
}

func clip(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return string([]rune(s)[:40]) + "…"
	}
	return s
}

// meant is a question after the name that was probably meant.
func meant(given string, names []string) string {
	best, least := "", 3
	for _, n := range names {
		if d := levenshtein.Distance(clip(given), n, nil); d < least && d < len(n) {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// fill sets a section's items into a template.
func (f *facts) fill(slots []slot, items []Item) []Item {
	taken := make([]bool, len(items))
	wanted := func(s slot) func(int) bool {
		kind, part := 0, ""
		return func(i int) bool {
			k := itemKind(items[i])
			if h, ok := items[i].(Heading); ok {
				part = h.ID
			}
			switch s.what {
			case "sentences":
				return k == "paragraph" || k == "list" || k == "question"
			case "part":
				return part != "" && part == s.arg
			case "item":
				if k == s.arg {
					kind++
				}
				return k == s.arg && (s.n == 0 || s.n == kind)
			}
			return s.what == "items"
		}
	}
	filled := make([][]Item, len(slots))
	take := func(rest bool) {
		for n, s := range slots {
			if (s.what == "items") != rest || s.what == "text" || s.what == "field" {
				continue
			}
			want := wanted(s)
			for i, item := range items {
				if want(i) && !taken[i] { // asked of each, because it counts
					taken[i] = true
					filled[n] = append(filled[n], item)
				}
			}
		}
	}
	take(false)
	take(true)
	var out []Item
	var words Words
	flush := func() {
		if slices.ContainsFunc(words, func(w TemplateWords) bool { return w.Value != nil || strings.TrimSpace(w.Text) != "" }) {
			out = append(out, words)
		}
		words = nil
	}
	for n, s := range slots {
		switch s.what {
		case "text":
			words = append(words, TemplateWords{Text: s.arg})
		case "field":
			v := f.fieldSentence(s.arg)
			words = append(words, TemplateWords{Value: &v})
		default:
			flush()
			out = append(out, filled[n]...)
		}
	}
	flush()
	return out
}

// fieldSentence is the value of a field, with where it stands in the record.
func (f *facts) fieldSentence(name string) Sentence {
	ids := cite(f.custom.id, f.first)[:1]
	if i := slices.IndexFunc(f.custom.p.Fields, func(x journal.Field) bool { return x.Name == name }); i >= 0 {
		return say(ids, "{}", fieldValue(f.custom.p.Fields[i]))
	}
	return say(ids, "{}", Word(leftOut)) // the audience does not read it
}

// templated is a section as its template, if it has one, wants it. A template that cannot be read stands for none: it was checked when the
// scenario was loaded.
func (f *facts) templated(s Section) Section {
	for _, t := range f.custom.p.Templates {
		if t.Section != s.ID {
			continue
		}
		if slots, problems := parseTemplate(t.Text, nil); len(problems) == 0 {
			s.Items = f.fill(slots, s.Items)
		}
		break
	}
	return s
}

// markdown is the text of a template as Markdown; link says how a citation is written.
func (w Words) markdown(d *Draft, link func(id string) string) string {
	var b strings.Builder
	for _, x := range w {
		if x.Value == nil {
			b.WriteString(x.Text)
			continue
		}
		b.WriteString(d.md(x.Value.phrase(), false))
		for _, id := range x.Value.Evidence {
			b.WriteString(" " + link(id))
		}
	}
	return strings.Trim(b.String(), "\n")
}

// quoted sets a template's text apart in report.md: as a quotation, out of which nothing in it can break.
func (w Words) quoted(d *Draft) string {
	var b strings.Builder
	for line := range strings.Lines(w.markdown(d, func(id string) string { return "[" + id + "]" })) {
		b.WriteString(strings.TrimRight("> "+strings.TrimRight(line, "\n"), " ") + "\n")
	}
	return b.String() + "\n"
}

// template sets a template's text apart on the page.
func (p *page) template(w Words) {
	src := w.markdown(p.d, func(id string) string { return "[" + id + "]" })
	p.raw("<div class=\"people template\" role=\"group\" aria-label=\"Text of the scenario's template\" dir=\"auto\">\n<p class=\"by\">Text of the scenario's template</p>\n%s</div>\n", p.prose.write(src, 3))
}
