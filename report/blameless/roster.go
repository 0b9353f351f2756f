package blameless

import (
	"bufio"
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

var (
	peopleHeader = regexp.MustCompile(`(?i)^\s*(?:who|names?|persons?|people|participants?|attendees?|members?|held by|filled by)\s*$`)
	betweenNames = regexp.MustCompile(`\s*(?:[,;/&+]|\band\b|\(|\))\s*`)
)

// Roster reads the names of those who took part from a file: of a Markdown table of roles the cells under "Who" or "Name", and otherwise
// a line for each, as "name", "role: name" or "role: name, name". Empty lines and those that begin with # are left out.
func Roster(src []byte) []string {
	p := &parser{src: withoutFrontMatter(src)}
	if names := p.rosterTables(p.parseMarkdown()); len(names) > 0 {
		return names
	}
	var out []string
	for s := bufio.NewScanner(bytes.NewReader(src)); s.Scan(); {
		line := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(s.Text()), "-*\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if _, names, ok := strings.Cut(line, ":"); ok {
			line = names
		}
		out = append(out, namesIn(line)...)
	}
	return out
}

// rosterTables are the names in a document's own tables of roles.
func (p *parser) rosterTables(root ast.Node) []string {
	var out []string
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		t, ok := n.(*extast.Table)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		roles, who := false, map[int]bool{}
		for row := t.FirstChild(); row != nil; row = row.NextSibling() {
			_, header := row.(*extast.TableHeader)
			i := 0
			for c := row.FirstChild(); c != nil; c = c.NextSibling() {
				text := p.plain(c)
				switch {
				case header:
					roles = roles || rolesHeader.MatchString(text)
					who[i] = peopleHeader.MatchString(text)
				case roles && who[i]:
					out = append(out, namesIn(text)...)
				}
				i++
			}
		}
		return ast.WalkSkipChildren, nil
	})
	return out
}

// namesIn are the names in a list of some: of one to four words that begin with a capital letter.
func namesIn(text string) []string {
	var out []string
	for _, name := range betweenNames.Split(text, -1) {
		words := strings.Fields(strings.Trim(name, " .*_`@"))
		first, _ := utf8.DecodeRuneInString(strings.Join(words, ""))
		if len(words) == 0 || len(words) > 4 || !unicode.IsUpper(first) || noName[strings.ToLower(words[0])] {
			continue
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

// noName are words that stand where a name is missing.
var noName = map[string]bool{"yes": true, "no": true, "nobody": true, "none": true, "tbd": true, "n/a": true, "team": true, "everyone": true, "all": true, "present": true, "absent": true}
