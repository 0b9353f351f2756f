package blameless

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"gameday/report/followup"
)

var (
	rolesHeader  = regexp.MustCompile(`(?i)^\s*roles?\s*$`)
	rolesHeading = regexp.MustCompile(`(?i)^\s*(?:roles?|participants|attendance|attendees)\b`)

	owners = regexp.MustCompile(`(?i)\b(?:owners?|owned by|owning team|assignee|assigned to|team:)|@[a-z]|\bteam\b`)
	dues   = regexp.MustCompile(`(?i)\b(?:due|by \d|by (?:mon|tues|wednes|thurs|fri|satur|sun)day|by (?:the )?end of|before \d|deadline|until \d|target date)|\b20\d\d-\d\d-\d\d\b|\b(?:by|before) (?:next|january|february|march|april|may|june|july|august|september|october|november|december|q[1-4])\b`)
	dones  = regexp.MustCompile(`(?i)\b(?:done[- ]when|done once|done:|complete when|acceptance|verified by|proof:|accepted when|until .+ holds)\b`)
	said   = []struct {
		name  string
		words *regexp.Regexp
	}{{"owner", owners}, {"due date", dues}, {"done-when", dones}}
)

// followRules are the rules for what followup.Check finds. Names of people have a rule of their own, wherever they stand.
var followRules = map[followup.Fault]string{followup.Missing: "BL802", followup.NoVerb: "BL804", followup.Unreadable: "BL805", followup.NoReason: "BL806"}

// table reads a table cell by cell. Of a table of follow-ups, what is wrong with a row is noted at its cells.
func (p *parser) table(t *extast.Table, s scope) {
	var layout *followup.Layout
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []ast.Node
		var texts []string
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			cells = append(cells, c)
			texts = append(texts, p.plain(c))
		}
		problems := map[int][]followup.Problem{}
		if _, header := row.(*extast.TableHeader); header {
			s.rolesTable = rolesHeading.MatchString(p.heading)
			for _, h := range texts {
				s.rolesTable = s.rolesTable || rolesHeader.MatchString(h)
			}
			if l, ok := followup.ReadLayout(texts, p.heading); ok {
				layout = l
			}
		} else if layout != nil {
			problems = rowProblems(layout, texts)
		}
		for i, c := range cells {
			in := s
			in.item = false
			if _, header := row.(*extast.TableHeader); !header && layout != nil {
				in.row, in.rowStart, in.problems = true, i == layout.Action(), problems[i]
			}
			p.prose(c, in)
		}
	}
}

// rowProblems is what is wrong with a follow-up, by the number of the cell.
func rowProblems(l *followup.Layout, texts []string) map[int][]followup.Problem {
	cells := make([]followup.Cell, len(texts))
	for i, t := range texts {
		cells[i] = followup.Cell{Text: strings.TrimSpace(t), Line: 1, Column: i + 1}
	}
	out := map[int][]followup.Problem{}
	for _, x := range followup.Check(l.Row(cells), nil) {
		out[x.Cell.Column-1] = append(out[x.Cell.Column-1], x)
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
	s := b.sentences()
	if b.evidence || len(s) == 0 {
		return nil
	}
	var out []Finding
	add := func(rule, hides string) {
		f := b.finding(t.byID[rule], s[0].start, s[0].end)
		f.Hides = hides
		out = append(out, f)
	}
	if b.row {
		for _, x := range b.problems {
			if rule := followRules[x.Fault]; rule != "" {
				add(rule, strings.ToUpper(x.What[:1])+x.What[1:]+".")
			}
		}
		return out
	}
	section := followup.Heading(b.heading)
	if !b.itemStart || !section && !b.task {
		return nil
	}
	var missing []string
	for _, col := range said {
		if !col.words.MatchString(b.text) {
			missing = append(missing, col.name)
		}
	}
	if len(missing) == 0 || !section && (len(missing) < len(said) || len(here) > 0) {
		return nil
	}
	add("BL802", "It leaves open: "+strings.Join(missing, ", ")+".")
	return out
}
