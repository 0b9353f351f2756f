package report

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// A proseWriter sets people's Markdown on the page. It is text from outside: markup in it is shown as text, a link leads to a web page, a mail
// address, a file beside the report or a place on the page and nowhere else, and pictures are named, not loaded. A citation such as
// [E17] leads to its evidence, as the machine's do.
type proseWriter struct {
	page  *page
	least int // the highest level of a heading
	md    goldmark.Markdown
}

func newProseWriter(p *page) *proseWriter {
	w := &proseWriter{page: p}
	w.md = goldmark.New(
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone)), extension.Strikethrough, extension.Linkify, extension.TaskList),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(w, 100))),
	)
	return w
}

// write sets Markdown; headings are of the given level or below it.
func (w *proseWriter) write(markdown string, least int) string {
	w.least = least
	src := []byte(readable(markdown))
	ctx := parser.NewContext()
	for _, m := range citation.FindAllSubmatch(src, -1) {
		if w.page.d.Index.Has(string(m[1])) {
			ctx.AddReference(parser.NewReference(m[1], append([]byte("#"), m[1]...), nil))
		}
	}
	root := w.md.Parser().Parse(gmtext.NewReader(src), parser.WithContext(ctx))
	var columns []string
	ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch row := n.(type) {
		case *extast.TableHeader:
			if entering {
				columns = nil
				for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
					cell.SetAttributeString("scope", []byte("col"))
					columns = append(columns, plainText(cell, src))
				}
			}
			return ast.WalkSkipChildren, nil
		case *extast.TableRow: // a narrow page sets its cells as lines, each with the name of its column
			cell := row.FirstChild()
			for i := 0; cell != nil && i < len(columns); i++ {
				cell.SetAttributeString("data-label", []byte(columns[i]))
				cell = cell.NextSibling()
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	var b bytes.Buffer
	if err := w.md.Renderer().Render(&b, src, root); err != nil { // writing into memory does not fail
		return "<pre>" + text(markdown) + "</pre>"
	}
	return b.String()
}

// plainText is what a node says, without its markup.
func plainText(n ast.Node, src []byte) string {
	var b strings.Builder
	ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := c.(*ast.Text); ok && entering {
			b.Write(util.UnescapePunctuations(t.Value(src)))
		}
		return ast.WalkContinue, nil
	})
	return visible(html.UnescapeString(b.String()))
}

var citation = regexp.MustCompile(`\[([EGNQ][0-9]+(?:-[0-9]+)?)\]`)

// readable is people's text with what cannot be seen written out, line by line. Joiners and variation selectors, which emoji are made of,
// stay.
func readable(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		for _, r := range strings.TrimRight(line, "\r\n") {
			switch r {
			case '\t', '\u200c', '\u200d', '\ufe0e', '\ufe0f':
				b.WriteRune(r)
			default:
				b.WriteString(visible(string(r)))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// RegisterFuncs takes over what goldmark would set in another way.
func (w *proseWriter) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, w.heading)
	r.Register(ast.KindLink, w.link)
	r.Register(ast.KindAutoLink, w.autoLink)
	r.Register(ast.KindImage, w.image)
	r.Register(ast.KindRawHTML, w.rawHTML)
	r.Register(ast.KindHTMLBlock, w.htmlBlock)
	r.Register(extast.KindTable, w.table)
}

func (w *proseWriter) heading(out util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	level := min(6, max(w.least, n.(*ast.Heading).Level))
	if entering {
		fmt.Fprintf(out, "<h%d>", level)
	} else {
		fmt.Fprintf(out, "</h%d>\n", level)
	}
	return ast.WalkContinue, nil
}

func (w *proseWriter) link(out util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	dest := string(n.(*ast.Link).Destination)
	fragment, here := strings.CutPrefix(strings.TrimPrefix(dest, "report.html"), "#")
	if id := strings.ToUpper(fragment); here && w.page.d.Index.Has(id) {
		if entering {
			out.WriteString(w.page.chip(id))
		}
		return ast.WalkSkipChildren, nil
	}
	open := ""
	switch {
	case here && w.page.anchors[fragment]:
		open = `<a href="#` + text(fragment) + `">`
	case !here && leadsSomewhere(dest):
		open = `<a href="` + text(dest) + `" rel="noopener noreferrer">`
	}
	if open != "" {
		if entering {
			out.WriteString(open)
		} else {
			out.WriteString("</a>")
		}
	}
	return ast.WalkContinue, nil
}

// leadsSomewhere says whether a link of people's is one to a web page, a mail address or a file beside the report.
func leadsSomewhere(dest string) bool {
	u, err := url.Parse(dest)
	if err != nil || strings.ContainsAny(dest, "\\\x00\n\r\t") {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return u.Host != ""
	case "mailto":
		return true
	case "":
		return u.Host == "" && u.Path != "" && !strings.HasPrefix(u.Path, "/")
	}
	return false
}

func (w *proseWriter) autoLink(out util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	link := n.(*ast.AutoLink)
	dest := string(link.URL(src))
	if link.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(dest), "mailto:") {
		dest = "mailto:" + dest
	}
	if !leadsSomewhere(dest) || inLink(n) {
		out.WriteString(text(string(link.Label(src))))
		return ast.WalkContinue, nil
	}
	fmt.Fprintf(out, `<a href="%s" rel="noopener noreferrer">%s</a>`, text(dest), text(string(link.Label(src))))
	return ast.WalkContinue, nil
}

// image names a picture and leads to it: a page that is one file loads nothing.
func (w *proseWriter) image(out util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	dest := string(n.(*ast.Image).Destination)
	linked := !inLink(n) && leadsSomewhere(dest)
	switch {
	case entering && linked:
		fmt.Fprintf(out, `<a href="%s" rel="noopener noreferrer">picture: `, text(dest))
	case entering:
		out.WriteString("picture: ")
	case linked:
		out.WriteString("</a>")
	}
	return ast.WalkContinue, nil
}

func inLink(n ast.Node) bool {
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Kind() == ast.KindLink {
			return true
		}
	}
	return false
}

var (
	comment    = regexp.MustCompile(`(?s)<!--.*?(?:-->|\z)`)
	ownAnchors = regexp.MustCompile(`^(?:<a id="[a-z0-9-]+">|</a>)$`) // what report.md's evidence index has
)

func (w *proseWriter) rawHTML(out util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		raw := string(n.(*ast.RawHTML).Segments.Value(src))
		if !ownAnchors.MatchString(raw) {
			out.WriteString(text(comment.ReplaceAllString(raw, "")))
		}
	}
	return ast.WalkSkipChildren, nil
}

func (w *proseWriter) htmlBlock(out util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		block := n.(*ast.HTMLBlock)
		raw := string(block.Lines().Value(src))
		if block.HasClosure() {
			raw += string(block.ClosureLine.Value(src))
		}
		if raw = strings.TrimSpace(comment.ReplaceAllString(raw, "")); raw != "" {
			out.WriteString("<pre>" + recorded(raw) + "</pre>\n")
		}
	}
	return ast.WalkContinue, nil
}

func (w *proseWriter) table(out util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		out.WriteString("<div class=\"wide\" role=\"region\" aria-label=\"Table\" tabindex=\"0\"><table>\n")
	} else {
		out.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}
