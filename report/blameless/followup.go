package blameless

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

// followRow is one row of a table of follow-ups.
type followRow struct {
	missing []string // which of owner, due and done-when the row leaves blank
}

var (
	followHeading = regexp.MustCompile(`(?i)\b(?:follow-?\s?ups?|action items?|actions|remediations?|corrective actions?)\b`)
	rolesHeader   = regexp.MustCompile(`(?i)^\s*roles?\s*$`)
	rolesHeading  = regexp.MustCompile(`(?i)^\s*(?:roles?|participants|attendance|attendees)\b`)
	blankCell     = regexp.MustCompile(`(?i)^\s*(?:-+|–|—|\?+|tbd|tba|none|n/a|unassigned|nobody)?\s*$`)

	owners  = regexp.MustCompile(`(?i)\b(?:owners?|owned by|owning team|assignee|assigned to|team:)|@[a-z]|\bteam\b`)
	dues    = regexp.MustCompile(`(?i)\b(?:due|by \d|by (?:mon|tues|wednes|thurs|fri|satur|sun)day|by (?:the )?end of|before \d|deadline|until \d|target date)|\b20\d\d-\d\d-\d\d\b|\b(?:by|before) (?:next|january|february|march|april|may|june|july|august|september|october|november|december|q[1-4])\b`)
	dones   = regexp.MustCompile(`(?i)\b(?:done[- ]when|done once|done:|complete when|acceptance|verified by|proof:|accepted when|until .+ holds)\b`)
	columns = []struct {
		name   string
		header *regexp.Regexp
		words  *regexp.Regexp
	}{
		{"owner", regexp.MustCompile(`(?i)own|assign|team|\bwho\b|responsible`), owners},
		{"due date", regexp.MustCompile(`(?i)\bdue|deadline|\bby\b|\bwhen\b|date`), dues},
		{"done-when", regexp.MustCompile(`(?i)done|accept|proof|verif|complete`), dones},
	}
	actionHeader = regexp.MustCompile(`(?i)^\s*(?:follow-?\s?ups?|actions?|action items?|tasks?|todo|remediation|what)\b`)
)

// table reads a table cell by cell. In a table of follow-ups the cell with the action stands for its row.
func (p *parser) table(t *extast.Table, s scope) {
	var headers []string
	action := -1
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []ast.Node
		var texts []string
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			cells = append(cells, c)
			texts = append(texts, p.plain(c))
		}
		if _, ok := row.(*extast.TableHeader); ok {
			headers = texts
			s.rolesTable = rolesHeading.MatchString(p.heading)
			for i, h := range headers {
				s.rolesTable = s.rolesTable || rolesHeader.MatchString(h)
				if action < 0 && actionHeader.MatchString(h) {
					action = i
				}
			}
			if !followTable(headers, p.heading) {
				action = -1
			}
		}
		for i, c := range cells {
			in := s
			in.item = false
			if _, header := row.(*extast.TableHeader); !header && i == action {
				in.rowStart = true
				in.row = &followRow{missing: missingCells(headers, texts)}
			}
			p.prose(c, in)
		}
	}
}

// followTable reports whether a table holds follow-ups: by the heading above it, or by a column named for them.
func followTable(headers []string, heading string) bool {
	if followHeading.MatchString(heading) {
		return true
	}
	for _, h := range headers {
		if followHeading.MatchString(h) {
			return true
		}
	}
	return false
}

func missingCells(headers, cells []string) []string {
	var out []string
	for _, col := range columns {
		given := false
		for i, h := range headers {
			// "Done when" is the column for the proof, although it says "when".
			if col.name == "due date" && dones.MatchString(h) {
				continue
			}
			given = given || col.header.MatchString(h) && i < len(cells) && !blankCell.MatchString(cells[i])
		}
		if !given {
			out = append(out, col.name)
		}
	}
	return out
}

// plain is the text of a node with nothing resolved, enough to tell what a cell is about.
func (p *parser) plain(n ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := c.(*ast.Text); ok && entering {
			b.Write(t.Value(p.src))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// followUp checks that a follow-up says who, by when and how one will know. A bare check box outside a section of
// follow-ups is taken for one only when it says none of the three and no other rule has asked it to be specific.
func (b *block) followUp(t rules, here []Finding) []Finding {
	if !b.itemStart || b.evidence {
		return nil
	}
	var missing []string
	section := followHeading.MatchString(b.heading)
	switch {
	case b.row != nil:
		missing = b.row.missing
	case section || b.task:
		for _, col := range columns {
			if !col.words.MatchString(b.text) {
				missing = append(missing, col.name)
			}
		}
		if !section && (len(missing) < len(columns) || len(here) > 0) {
			return nil
		}
	}
	if len(missing) == 0 {
		return nil
	}
	s := b.sentences()
	if len(s) == 0 {
		return nil
	}
	f := b.finding(t.byID["BL802"], s[0].start, s[0].end)
	f.Hides = "It leaves open: " + strings.Join(missing, ", ") + "."
	return []Finding{f}
}
