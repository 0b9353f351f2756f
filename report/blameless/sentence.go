package blameless

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	sentenceEnd  = regexp.MustCompile(`[.!?…]+["')\]]*\s+|\n+`)
	abbreviation = regexp.MustCompile(`(?i)(?:^|[\s(])(?:e\.g|i\.e|etc|vs|cf|approx|resp|no|fig|sec|ch|dr|mr|mrs|ms|st|a\.m|p\.m|incl|max|min|avg|est|[a-z])\.\s+$`)
)

// sentences returns the places of the block's sentences, without the white space around them.
func (b *block) sentences() []span {
	var out []span
	start := 0
	add := func(end int) {
		s := b.text[start:end]
		from := start + len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, span{from, from + len(s)})
		}
		start = end
	}
	for _, m := range sentenceEnd.FindAllStringIndex(b.text, -1) {
		if b.text[m[0]] != '\n' && abbreviation.MatchString(b.text[max(0, m[0]-8):m[1]]) {
			continue
		}
		add(m[1])
	}
	add(len(b.text))
	return out
}

// textStart is where the block's first character that is not white space stands.
func (b *block) textStart() int {
	return len(b.text) - len(strings.TrimLeftFunc(b.text, unicode.IsSpace))
}

// quotedSpans finds the text between quotation marks. A mark without its partner quotes nothing.
func quotedSpans(s string) []span {
	var out []span
	open := -1
	for i := range len(s) {
		if s[i] != '"' {
			continue
		}
		if open < 0 {
			open = i
			continue
		}
		out = append(out, span{open + 1, i})
		open = -1
	}
	for _, m := range singleQuoted.FindAllStringSubmatchIndex(s, -1) {
		out = append(out, span{m[2], m[3]})
	}
	return out
}

// Single quotation marks are told from apostrophes by the space or bracket outside them.
var singleQuoted = regexp.MustCompile(`(?:^|[\s(\[])'([^'"\s](?:[^'"]|\w'\w)*)'(?:$|[\s)\].,;:!?])`)

var (
	attribution = regexp.MustCompile(`(?i)\b(?:said|says?|wrote|writes|noted|notes?|asked|told|replied|answered|recalled|reported|added|commented|posted|typed|put it|remembered|statement)\b[^"]{0,60}$`)
	attributed  = regexp.MustCompile(`(?i)^["',.]*\s*(?:\w+\s+){0,3}(?:said|says|wrote|noted|asked|told|replied|answered|recalled|reported|added|commented|posted)\b`)
	mention     = regexp.MustCompile(`(?i)\b(?:terms?|phrases?|words?|wording|label(?:led)?|labels|expressions?|language|sentences?|statements? like|questions? like|like|such as|avoid\w*|instead of|rather than|called|never (?:say|write|ask)|(?:do not|don't|not) (?:say|write|ask)|replace|rule)\b[^"]{0,20}$`)
	earlierList = regexp.MustCompile(`(?:"[^"]*"(?:,|\s|or|and)*)+$`)
)

// weigh lowers a severity for words that are evidence, and returns "" for words that the text only talks about.
func (b *block) weigh(sev Severity, start, end int) Severity {
	for _, q := range b.quoted {
		if start < q.start || end > q.end {
			continue
		}
		before := strings.TrimRight(b.text[:q.start-1], " ")
		before = earlierList.ReplaceAllString(before, "")
		if mention.MatchString(before) || !(attribution.MatchString(before) || attributed.MatchString(b.text[q.end:])) {
			return ""
		}
		return Suggestion
	}
	if mentionDirect.MatchString(b.text[:start]) {
		return ""
	}
	if b.evidence {
		return Suggestion
	}
	return sev
}

var mentionDirect = regexp.MustCompile(`(?i)\b(?:terms?|phrases?|words?|label|expression)\s+$`)

// finding makes a finding for the words from start to end of the block's text.
func (b *block) finding(r *rule, start, end int) Finding {
	for start < end && b.text[start] == ' ' {
		start++
	}
	f := Finding{Rule: r.ID, Severity: b.weigh(r.Severity, start, end), Hides: r.hides, Ask: r.ask, Source: r.Source}
	f.start, f.end = b.at[start].start, b.at[end-1].end
	return f
}
