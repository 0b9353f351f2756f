package followup

import (
	"bytes"
	"html"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown is made once: that takes longer than to read a draft with it.
var markdown = sync.OnceValue(func() parser.Parser { return goldmark.New(goldmark.WithExtensions(extension.Table)).Parser() })

// Parse reads the follow-ups of a Markdown file: the rows of every table of follow-ups, in their order. Rows in which nothing is filled in
// are left out.
func Parse(src []byte) []FollowUp {
	if !bytes.ContainsRune(src, '|') {
		return nil
	}
	root := markdown().Parse(text.NewReader(src))
	var out []FollowUp
	heading := ""
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			heading = plain(n, src)
			return ast.WalkSkipChildren, nil
		case *extast.Table:
			out = append(out, readTable(n, src, heading)...)
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return out
}

func readTable(t *extast.Table, src []byte, heading string) []FollowUp {
	var out []FollowUp
	var layout *Layout
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []Cell
		blank := true
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			cell := readCell(c, src)
			blank = blank && strings.TrimSpace(cell.Text) == ""
			cells = append(cells, cell)
		}
		if _, ok := row.(*extast.TableHeader); ok {
			var titles []string
			for _, c := range cells {
				titles = append(titles, c.Text)
			}
			if layout, ok = ReadLayout(titles, heading); !ok {
				return nil
			}
			continue
		}
		if layout != nil && !blank {
			out = append(out, layout.Row(cells))
		}
	}
	return out
}

func readCell(c ast.Node, src []byte) Cell {
	cell := Cell{Text: strings.TrimSpace(plain(c, src))}
	if l := c.Lines(); l.Len() > 0 {
		start, end := l.At(0).Start, l.At(l.Len()-1).Stop
		s := src[start:end]
		start += len(s) - len(bytes.TrimLeft(s, " \t"))
		end = max(start, end-(len(s)-len(bytes.TrimRight(s, " \t"))))
		cell.Line, cell.Column = position(src, start)
		cell.EndLine, cell.EndColumn = position(src, end)
	}
	return cell
}

// position is the line and the column, in characters, of an offset.
func position(src []byte, offset int) (line, column int) {
	before := src[:offset]
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
}

// plain is the text of a node as a reader sees it.
func plain(n ast.Node, src []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch c := c.(type) {
		case *ast.Text:
			v := c.Value(src)
			if _, code := c.Parent().(*ast.CodeSpan); !code {
				v = []byte(html.UnescapeString(string(util.UnescapePunctuations(v))))
			}
			b.Write(v)
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.AutoLink:
			b.Write(c.URL(src))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
