package blameless

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	mdparser "github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"gameday/report/followup"
)

// unread stands in the prose for something that is not read, such as code: one word that no rule knows.
const unread = "__"

type span struct{ start, end int }

// block is the prose of one paragraph, heading, list item or table cell, without its markup.
type block struct {
	text string
	at   []span // for each byte of text, where the character it belongs to stands in the source
	// names holds the places of roster names; in the text they are written as handles.
	names  []span
	quoted []span // text between quotation marks

	evidence   bool // inside a block quote
	itemStart  bool // the first prose of a list item or of a follow-up row
	heading    string
	task       bool // an unchecked box
	rolesTable bool
	row        bool // a cell of a table of follow-ups
	problems   []followup.Problem
	allowed    map[string]bool
}

type document struct {
	blocks   []*block
	comments []comment
}

type parser struct {
	src     []byte
	names   *regexp.Regexp
	doc     *document
	heading string
}

func parse(src []byte, names []string) *document {
	p := &parser{src: withoutFrontMatter(src), doc: &document{}}
	root := p.parseMarkdown()
	p.names = rosterPattern(slices.Concat(names, p.rosterTables(root)))
	p.children(root, scope{})
	return p.doc
}

// markdown is made once: that takes longer than to read a short file with it.
var markdown = sync.OnceValue(func() mdparser.Parser {
	return goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList, extension.Linkify)).Parser()
})

func (p *parser) parseMarkdown() ast.Node { return markdown().Parse(text.NewReader(p.src)) }

func rosterPattern(names []string) *regexp.Regexp {
	var quoted []string
	for _, n := range names {
		// Written as the prose is read, or a typographic apostrophe would part the two.
		if n = plainMarks(strings.TrimSpace(strings.ToValidUTF8(n, ""))); strings.TrimSpace(n) != "" {
			quoted = append(quoted, strings.Join(mapSlice(strings.Fields(n), regexp.QuoteMeta), `\s+`))
		}
	}
	if quoted == nil {
		return nil
	}
	// The longest name first, so that a full name wins over the first name it starts with.
	slices.SortFunc(quoted, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile(`(?:^|[^\pL\pN_@])(` + strings.Join(quoted, "|") + `)(?:$|[^\pL\pN_])`)
}

func plainMarks(s string) string {
	var b strings.Builder
	for _, r := range s {
		if plain, ok := typography[r]; ok {
			b.WriteString(plain)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func mapSlice(in []string, f func(string) string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}

var frontMatter = regexp.MustCompile(`\A(?:\xEF\xBB\xBF)?(?:---[ \t]*\r?\n(?s:.*?)\r?\n?(?:---|\.\.\.)|\+\+\+[ \t]*\r?\n(?s:.*?)\r?\n?\+\+\+)[ \t]*(?:\r?\n|\z)`)

// withoutFrontMatter blanks a metadata header and keeps every offset as it was.
func withoutFrontMatter(src []byte) []byte {
	m := frontMatter.FindIndex(src)
	if m == nil {
		return src
	}
	head := src[:m[1]]
	// A thematic break at the top is not a header: a header has no blank line right after its first marker.
	first := bytes.IndexByte(head, '\n')
	if rest := bytes.TrimLeft(head[first+1:], " \t"); len(rest) > 0 && (rest[0] == '\n' || rest[0] == '\r') {
		return src
	}
	out := bytes.Clone(src)
	for i := range head {
		if out[i] != '\n' && out[i] != '\r' {
			out[i] = ' '
		}
	}
	return out
}

// scope is what a node hands down to the nodes inside it.
type scope struct {
	evidence   bool
	item       bool
	task       bool
	rolesTable bool
	row        bool
	rowStart   bool
	problems   []followup.Problem
	allowed    map[string]bool
}

func (p *parser) children(n ast.Node, s scope) {
	pending := map[string]bool{}
	first := true
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if h, ok := c.(*ast.HTMLBlock); ok {
			start, end := blockSpan(h)
			for _, rule := range p.comment(start, end) {
				pending[rule] = true
			}
			continue
		}
		inner := s
		inner.item = s.item && first
		if len(pending) > 0 {
			inner.allowed = union(s.allowed, pending)
			pending = map[string]bool{}
		}
		p.node(c, inner)
		first = false
	}
}

func blockSpan(h *ast.HTMLBlock) (start, end int) {
	l := h.Lines()
	if l.Len() == 0 {
		return 0, 0
	}
	start, end = l.At(0).Start, l.At(l.Len()-1).Stop
	if h.HasClosure() && h.ClosureLine.Stop > end {
		end = h.ClosureLine.Stop
	}
	return start, end
}

func union(a, b map[string]bool) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

func (p *parser) node(n ast.Node, s scope) {
	switch n := n.(type) {
	case *ast.CodeBlock, *ast.FencedCodeBlock, *ast.ThematicBreak, *ast.LinkReferenceDefinition:
	case *ast.Heading:
		if b := p.prose(n, s); b != nil {
			p.heading = b.text
		}
	case *ast.Paragraph, *ast.TextBlock:
		p.prose(n, s)
	case *ast.Blockquote:
		s.evidence, s.item = true, false
		p.children(n, s)
	case *ast.ListItem:
		s.item, s.task = true, false
		p.children(n, s)
	case *extast.Table:
		p.table(n, s)
	default:
		p.children(n, s)
	}
}

// prose adds the text of one leaf block to the document.
func (p *parser) prose(n ast.Node, s scope) *block {
	b := &block{evidence: s.evidence, heading: p.heading, row: s.row, problems: s.problems, rolesTable: s.rolesTable, allowed: s.allowed}
	b.itemStart = s.item || s.rowStart
	w := &proseWriter{src: p.src}
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch c := c.(type) {
		case *ast.Text:
			w.source(c.Segment.Start, c.Segment.Stop)
			if c.HardLineBreak() {
				w.add("\n", c.Segment.Stop, c.Segment.Stop)
			} else if c.SoftLineBreak() {
				w.add(" ", c.Segment.Stop, c.Segment.Stop+1)
			}
		case *ast.CodeSpan:
			w.hole(c)
			return ast.WalkSkipChildren, nil
		case *ast.AutoLink:
			w.add(unread, w.last, w.last)
			return ast.WalkSkipChildren, nil
		case *ast.RawHTML:
			if c.Segments.Len() > 0 {
				for _, rule := range p.comment(c.Segments.At(0).Start, c.Segments.At(c.Segments.Len()-1).Stop) {
					b.allowed = union(b.allowed, map[string]bool{rule: true})
				}
			}
			return ast.WalkSkipChildren, nil
		case *extast.TaskCheckBox:
			b.task = !c.IsChecked
		}
		return ast.WalkContinue, nil
	})
	if strings.TrimSpace(string(w.text)) == "" {
		return nil
	}
	b.text, b.at = string(w.text), w.at
	b.hideNames(p.names)
	b.quoted = quotedSpans(b.text)
	p.doc.blocks = append(p.doc.blocks, b)
	return b
}

// hideNames writes every roster name as a handle, which the rules read as a person.
func (b *block) hideNames(names *regexp.Regexp) {
	if names == nil {
		return
	}
	var out strings.Builder
	var at []span
	done := 0
	for pos := 0; pos <= len(b.text); {
		m := names.FindStringSubmatchIndex(b.text[pos:])
		if m == nil {
			break
		}
		start, end := pos+m[2], pos+m[3]
		out.WriteString(b.text[done:start])
		at = append(at, b.at[done:start]...)
		from := out.Len()
		out.WriteString("@name")
		for range "@name" {
			at = append(at, span{b.at[start].start, b.at[end-1].end})
		}
		b.names = append(b.names, span{from, out.Len()})
		done, pos = end, end
	}
	out.WriteString(b.text[done:])
	b.at = append(at, b.at[done:]...)
	b.text = out.String()
}

// proseWriter gathers text and remembers where in the source each byte of it came from.
type proseWriter struct {
	src  []byte
	text []byte
	at   []span
	last int // the source offset after the last byte taken
}

func (w *proseWriter) add(s string, start, end int) {
	for i := range len(s) {
		w.text = append(w.text, s[i])
		w.at = append(w.at, span{start, min(end, len(w.src))})
	}
}

func (w *proseWriter) hole(n ast.Node) {
	first, ok := n.FirstChild().(*ast.Text)
	last, ok2 := n.LastChild().(*ast.Text)
	if ok && ok2 {
		w.add(unread, first.Segment.Start, last.Segment.Stop)
		w.last = last.Segment.Stop
		return
	}
	w.add(unread, w.last, w.last)
}

var (
	entity     = regexp.MustCompile(`^&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)
	typography = map[rune]string{'’': "'", '‘': "'", 'ʼ': "'", '“': `"`, '”': `"`, '„': `"`, '«': `"`, '»': `"`, '\u00a0': " ",
		'\u202f': " ", '\u2011': "-", '\u2010': "-", '\u200b': "", '\u00ad': "", '\t': " ", '\r': " ", '\n': " "}
)

// source takes a stretch of the source, with escapes and entities resolved and typographic marks made plain.
func (w *proseWriter) source(start, stop int) {
	for i := start; i < stop; {
		rest := w.src[i:stop]
		if rest[0] == '\\' && len(rest) > 1 && isPunct(rest[1]) {
			w.add(string(rest[1:2]), i, i+2)
			i += 2
			continue
		}
		if rest[0] == '&' {
			if e := entity.Find(rest); e != nil {
				for _, r := range html.UnescapeString(string(e)) {
					w.char(r, i, i+len(e))
				}
				i += len(e)
				continue
			}
		}
		r, size := utf8.DecodeRune(rest)
		w.char(r, i, i+size)
		i += size
	}
	w.last = stop
}

func (w *proseWriter) char(r rune, start, end int) {
	if plain, ok := typography[r]; ok {
		w.add(plain, start, end)
		return
	}
	w.add(string(r), start, end)
}

func isPunct(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}
