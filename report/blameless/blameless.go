// Package blameless reads Markdown prose and points out wording that blames people, that explains with
// hindsight, or that closes a question before it was asked. It knows English only.
//
// A finding is never called an offence. It carries the words found, what such words tend to hide, and a question
// that opens the subject again.
package blameless

import (
	"cmp"
	"slices"
	"strings"
)

// Severity says how much a finding weighs: an error blocks publishing, a warning and a suggestion do not.
type Severity string

// The severities, in falling order of weight.
const (
	Error      Severity = "error"
	Warning    Severity = "warning"
	Suggestion Severity = "suggestion"
)

func (s Severity) weight() int {
	switch s {
	case Error:
		return 2
	case Warning:
		return 1
	}
	return 0
}

// Finding is one place in a file whose wording deserves another look.
//
// Lines and columns count from 1; columns count characters (code points), not bytes. The end is exclusive: it is
// the position just after the last character of the quote.
type Finding struct {
	File      string   `json:"file"`
	Line      int      `json:"line"`
	Column    int      `json:"column"`
	EndLine   int      `json:"end_line"`
	EndColumn int      `json:"end_column"`
	Rule      string   `json:"rule"`
	Severity  Severity `json:"severity"`
	Quote     string   `json:"quote"`  // the words found, on one line
	Hides     string   `json:"hides"`  // what the wording hides
	Ask       string   `json:"ask"`    // a question to ask instead, or what to say instead
	Source    string   `json:"source"` // where the reasoning comes from

	start, end int
}

// Options tells the lint what the text alone cannot say.
type Options struct {
	// Names is the roster of people who took part, exactly as they would be written. A name is reported by
	// BL901 outside a roles table, and counts as a person for every other rule.
	Names []string
	// Unavailable says that a hypothesis showed full unavailability, so words such as "outage" are earned and
	// BL902 stays silent.
	Unavailable bool
}

// Lint checks one Markdown file and returns its findings by position. The same input gives the same findings.
// Code, addresses, front matter and HTML are not read; block quotes and quoted speech are evidence and weigh at most
// as suggestions; a quoted expression that the text talks about is left alone.
//
// An HTML comment "blameless:allow BL202 reason" exempts the block it stands in, or the block after it when it
// stands alone. Without a reason it exempts nothing and is itself reported as BL000.
func Lint(file string, src []byte, o Options) []Finding {
	doc := parse(src, o.Names)
	t := table()
	var found []Finding
	rootCause := false
	for _, b := range doc.blocks {
		var here []Finding
		for _, s := range b.sentences() {
			sentence := b.text[s.start:s.end]
			lower := strings.ToLower(sentence)
			for _, r := range t.rules {
				if r.ID == "BL902" && o.Unavailable {
					continue
				}
				if r.item && !(b.itemStart && s.start == b.textStart()) {
					continue
				}
				for _, m := range r.find(sentence, lower) {
					here = append(here, b.finding(r, s.start+m.start, s.start+m.end))
				}
			}
		}
		for _, n := range b.names {
			if !b.rolesTable {
				here = append(here, b.finding(t.byID["BL901"], n.start, n.end))
			}
		}
		here = append(here, b.followUp(t, here)...)
		here = slices.DeleteFunc(here, func(f Finding) bool { return b.allowed[f.Rule] || f.Severity == "" })
		for _, f := range withoutOverlap(here) {
			if f.Rule == "BL202" {
				if rootCause {
					continue
				}
				rootCause = true
			}
			found = append(found, f)
		}
	}
	found = append(found, doc.badComments(t)...)
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.end, b.end))
	})
	lines := newLines(src)
	for i := range found {
		f := &found[i]
		f.File = file
		f.Line, f.Column = lines.position(f.start)
		f.EndLine, f.EndColumn = lines.position(f.end)
		f.Quote = strings.Join(strings.Fields(strings.ToValidUTF8(string(src[f.start:f.end]), "\uFFFD")), " ")
	}
	return found
}

// withoutOverlap keeps one finding where several rules read the same words: the weightiest, then the longest. A
// finding of another rule that reads on beyond a kept one says something more and stays, and findings about a whole
// follow-up stand beside findings about its words.
func withoutOverlap(in []Finding) []Finding {
	slices.SortStableFunc(in, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity.weight(), a.Severity.weight()), cmp.Compare(b.end-b.start, a.end-a.start),
			cmp.Compare(a.start, b.start), cmp.Compare(a.Rule, b.Rule))
	})
	var kept []Finding
	for _, f := range in {
		clash := slices.ContainsFunc(kept, func(k Finding) bool {
			overlap := f.start < k.end && k.start < f.end
			return overlap && (f.Rule == k.Rule || f.end <= k.end) && !besides(f.Rule) && !besides(k.Rule)
		})
		if !clash {
			kept = append(kept, f)
		}
	}
	return kept
}

// besides reports the rules whose findings never displace, and are never displaced by, another rule's: they are
// about the follow-up or the name itself, whatever else its words say.
func besides(rule string) bool {
	switch rule {
	case "BL802", "BL804", "BL805", "BL806", "BL901":
		return true
	}
	return false
}
