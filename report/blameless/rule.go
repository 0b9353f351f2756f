package blameless

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Rule describes one rule of the lint to a reader.
type Rule struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Flags    string   `json:"flags"`   // the wording that it points out
	Instead  string   `json:"instead"` // what to say instead
	Source   string   `json:"source"`  // where the reasoning comes from
}

// Rules lists the rules by id.
func Rules() []Rule {
	var out []Rule
	for _, r := range ruleData {
		out = append(out, r.Rule)
	}
	return out
}

// clause is one way to word what a rule points out. Its patterns ignore case and may name parts of the vocabulary.
// Go's regular expressions cannot look around, so what must not stand near a match is a pattern of its own.
type clause struct {
	match     string
	notBefore string // on the sentence before the match, anchored at its end
	notAfter  string // on the sentence after the match, anchored at its start
	notIn     string // on the match
	unless    string // on the whole sentence
	actor     bool   // the match starts with a person, who has to be one who acts
}

type rule struct {
	Rule
	hides, ask string
	item       bool // applies only where a list item or a follow-up begins
	clauses    []clause
	compiled   []compiledClause
}

type compiledClause struct {
	match, notBefore, notAfter, notIn, unless *regexp.Regexp
	actor                                     bool
	required                                  []string
}

type rules struct {
	rules []*rule
	byID  map[string]*rule
}

// table compiles the rules at first use, so that a program that never lints pays nothing.
var table = sync.OnceValue(func() rules {
	t := rules{byID: map[string]*rule{}}
	for _, r := range ruleData {
		for _, c := range r.clauses {
			r.compiled = append(r.compiled, compiledClause{
				match:     compile(`(?:^|[^\w'@/.-])(`, c.match, `)(?:$|[^\w])`),
				notBefore: compile(`(?:`, c.notBefore, `)$`),
				notAfter:  compile(`^(?:`, c.notAfter, `)`),
				notIn:     compile(``, c.notIn, ``),
				unless:    compile(``, c.unless, ``),
				actor:     c.actor,
				required:  required(`(?i)` + vocabulary.Replace(c.match)),
			})
		}
		t.rules = append(t.rules, &r)
		t.byID[r.ID] = &r
	}
	slices.SortFunc(t.rules, func(a, b *rule) int { return strings.Compare(a.ID, b.ID) })
	return t
})

func compile(prefix, pattern, suffix string) *regexp.Regexp {
	if pattern == "" {
		return nil
	}
	return regexp.MustCompile(`(?i)` + prefix + vocabulary.Replace(pattern) + suffix)
}

// find returns where in the sentence the rule's wording stands; lower is the sentence in lower case.
func (r *rule) find(sentence, lower string) []span {
	var out []span
	for _, c := range r.compiled {
		if mayMatch(lower, c.required) {
			out = append(out, c.find(sentence)...)
		}
	}
	return out
}

func (c *compiledClause) find(sentence string) []span {
	if c.unless != nil && c.unless.MatchString(sentence) {
		return nil
	}
	var out []span
	for pos := 0; pos < len(sentence); {
		m := c.match.FindStringSubmatchIndex(sentence[pos:])
		if m == nil {
			break
		}
		start, end := pos+m[2], pos+m[3]
		if c.admits(sentence, start, end) {
			out = append(out, span{start, end})
			pos = end
			continue
		}
		// A later word may begin a match that the refused one covered. The next round starts at white space, so
		// that the start of the slice is not taken for the start of the sentence.
		next := strings.IndexByte(sentence[start:], ' ')
		if next < 0 {
			break
		}
		pos = start + next
	}
	return out
}

// inName: a word that goes on like this is part of the name of a machine, such as careless-whisper-02.
var inName = regexp.MustCompile(`^[-_.][\w.-]*\d`)

func (c *compiledClause) admits(sentence string, start, end int) bool {
	if start == end {
		return false
	}
	switch {
	case !strings.ContainsAny(sentence[start:end], " \t\n") && inName.MatchString(sentence[end:]):
		return false
	case c.notBefore != nil && c.notBefore.MatchString(sentence[:start]),
		c.notAfter != nil && c.notAfter.MatchString(sentence[end:]),
		c.notIn != nil && c.notIn.MatchString(sentence[start:end]),
		c.actor && !actor(sentence, start, end):
		return false
	}
	return true
}
