package blameless

import (
	"regexp"
	"strings"
)

// comment is an opt-out that cannot be followed, with the reason why.
type comment struct {
	start, end int
	problem    string
}

var (
	htmlComment = regexp.MustCompile(`(?s)<!--\s*blameless:allow\b(.*?)-->`)
	ruleID      = regexp.MustCompile(`^BL\d{3},?$`)
)

// comment reads the opt-outs between two offsets and returns the rules they exempt.
func (p *parser) comment(start, end int) []string {
	var allowed []string
	for _, m := range htmlComment.FindAllSubmatchIndex(p.src[start:end], -1) {
		var ids []string
		words := strings.Fields(string(p.src[start+m[2] : start+m[3]]))
		for len(words) > 0 && ruleID.MatchString(words[0]) {
			ids = append(ids, strings.TrimSuffix(words[0], ","))
			words = words[1:]
		}
		problem := ""
		switch {
		case len(ids) == 0:
			problem = "The opt-out names no rule."
		case strings.Trim(strings.Join(words, ""), "-–—:.") == "":
			problem = "The opt-out gives no reason."
		}
		for _, id := range ids {
			if _, known := table().byID[id]; !known || id == "BL000" {
				problem = "There is no rule " + id + " to opt out of."
			}
		}
		if problem != "" {
			p.doc.comments = append(p.doc.comments, comment{start + m[0], start + m[1], problem})
			continue
		}
		allowed = append(allowed, ids...)
	}
	return allowed
}

func (d *document) badComments(t rules) []Finding {
	var out []Finding
	r := t.byID["BL000"]
	for _, c := range d.comments {
		out = append(out, Finding{Rule: r.ID, Severity: r.Severity, Hides: c.problem, Ask: r.ask, Source: r.Source, start: c.start, end: c.end})
	}
	return out
}
