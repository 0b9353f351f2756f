package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gameday/runner/journal"
)

//go:embed style.css
var stylesheet string

// HTML is the draft as one page that needs nothing else: no script, no font, no picture from elsewhere. Nobody has written into it yet.
func (d *Draft) HTML() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return d.Page(d.Markdown())
}

// Page is the draft as HTML does it, with what people made of it in a report.md that has been merged with it.
func (d *Draft) Page(markdown []byte) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	w, err := readWritten(string(markdown), d.Sections)
	if err != nil {
		return nil, err
	}
	return d.page(w, nil), nil
}

// page draws the draft. notice says why people's words are not on it, where they cannot be read.
func (d *Draft) page(w *written, notice error) []byte {
	p := &page{d: d, cited: map[string]int{}, written: w, notice: notice}
	p.prose = newProseWriter(p)
	p.prepare()
	p.write()
	return d.facts.withoutStrayLinks(p.out.Bytes())
}

// A page is report.html being written. Everything from outside goes through text.
type page struct {
	d       *Draft
	out     bytes.Buffer
	cited   map[string]int // how often each piece of evidence was cited so far: the places that it leads back to
	written *written
	notice  error
	prose   *proseWriter

	anchors   map[string]bool   // the places on the page, citations and evidence aside
	rows      map[string]string // the row of the timeline for a piece of evidence
	given     map[string]bool   // rows that have their place already
	span      span
	instants  []instant
	questions []string // their ids, in order
}

func (p *page) raw(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

// text is escaped for HTML, in text and in attributes.
func text(s string) string { return html.EscapeString(visible(s)) }

func (p *page) write() {
	d, f := p.d, p.d.facts
	style := stylesheet + p.inStep()
	sum := sha256.Sum256([]byte(style))
	p.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	// Nothing may be loaded or run, whatever finds its way into the page; its style sheet is let in by its hash.
	p.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n", base64.StdEncoding.EncodeToString(sum[:]))
	p.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s: %s</title>\n<style>%s</style>\n</head>\n<body>\n", text(f.outcomeTitle()), text(d.Title), style)
	p.raw("<a class=\"skip\" href=\"#report\">Skip to the report</a>\n")
	p.contents()
	p.raw("<main id=\"report\">\n")
	if p.notice != nil {
		p.raw("<p class=\"notice\" role=\"alert\">What people wrote is not on this page: %s.</p>\n", text(p.notice.Error()))
	}
	order := p.inOrder()
	if len(order) > 0 && order[0].ID == "attention" { // it comes before everything else
		p.section(order[0])
		order = order[1:]
	}
	p.hero()
	p.words("", "the whole run", "")
	p.keptAfter("")
	for _, s := range order {
		p.section(s)
	}
	p.raw("</main>\n</body>\n</html>\n")
}

// hero is the first screen: the outcome by shape and word, the title, and every verdict, those on alerts included.
func (p *page) hero() {
	f := p.d.facts
	class := outcomeClass(f.outcome())
	if len(f.open()) > 0 {
		class = "residue"
	}
	p.raw("<header class=\"hero %s\">\n<p class=\"kicker\">%s <span>%s</span> draft</p>\n<h1><bdi>%s</bdi></h1>\n", class, f.kind(), f.clock.in(f.from).Format("2 January 2006"), text(p.d.Title))
	p.raw("<p class=\"outcome\">%s<span>%s</span></p>\n", outcomeIcon(class), text(f.outcomeTitle()))
	claimed := f.claimed()
	if len(f.hypotheses)+len(claimed) > 0 {
		p.raw("<ul class=\"verdicts\">\n")
		for i, h := range f.hypotheses {
			p.verdict("hypothesis-"+strconv.Itoa(i+1), badge(h.verdict)+"<bdi>"+text(h.Name)+"</bdi>")
		}
		for i, x := range claimed {
			p.verdict("alert-"+strconv.Itoa(i+1), badge(x.verdict)+"<span>alert <bdi>"+text(x.name)+"</bdi></span>")
		}
		p.raw("</ul>\n")
	}
	if n := len(p.questions); n > 0 {
		p.raw("<p class=\"asks\"><a href=\"#%s\">%s%d %s to talk about</a></p>\n", p.questions[0], askIcon, n, plural(n, "question", "questions"))
	}
	p.raw("</header>\n")
}

// verdict is one verdict of the hero, with its place on the page where there is one: people may have taken it out.
func (p *page) verdict(place, what string) {
	if p.anchors[place] {
		what = "<a href=\"#" + place + "\">" + what + "</a>"
	}
	p.raw("<li>%s</li>\n", what)
}

func (p *page) items(items []Item) {
	for _, item := range items {
		switch i := item.(type) {
		case Heading:
			class := ""
			if i.Verdict == journal.Refuted {
				class = " class=\"learned\""
			}
			p.raw("<h3 id=\"%s\"%s>%s", i.ID, class, p.phrase(i.Text))
			if i.Verdict != "" {
				p.raw(" %s", badge(i.Verdict))
			}
			p.raw("</h3>\n")
		case Words:
			p.template(i)
		case Para:
			p.raw("<p>%s</p>\n", p.sentences(i))
		case Ask:
			p.raw("<p>%s</p>\n", p.sentences([]Sentence{Sentence(i)}))
		case Points:
			p.raw("<ul class=\"points\">\n")
			for _, s := range i {
				p.raw("<li>%s</li>\n", p.sentences(s))
			}
			p.raw("</ul>\n")
		case Alarm:
			class := "alarm"
			if i.Urgent {
				class = "alarm urgent"
			}
			p.raw("<div class=\"%s\" role=\"alert\">\n<h2>%s%s</h2>\n<ul>\n", class, outcomeIcon("residue"), text(i.Title))
			for _, s := range i.Sentences {
				p.raw("<li>%s</li>\n", p.sentences([]Sentence{s}))
			}
			p.raw("</ul>\n</div>\n")
		case Facts:
			p.raw("<dl>\n")
			for _, r := range i {
				p.raw("<div><dt>%s</dt><dd>%s %s</dd></div>\n", p.phrase(r.Cells[0]), p.phrase(r.Cells[1]), p.chips(r.Evidence))
			}
			p.raw("</dl>\n")
		case Table:
			p.table(i)
		case *Chart:
			p.chart(i)
		case *Lanes:
			p.lanes(i)
		}
	}
}

func (p *page) sentences(list []Sentence) string {
	var parts []string
	for _, s := range list {
		parts = append(parts, p.phrase(s.phrase())+" "+p.chips(s.Evidence))
	}
	return strings.Join(parts, " ")
}

// phrase sets a phrase as HTML. Text from outside is isolated, so that its direction stays its own; the ground of a name and the marks of a
// quotation are within that, for a line may break before it begins.
func (p *page) phrase(x Phrase) string {
	var b strings.Builder
	for _, piece := range x.pieces(p.d.Clock) {
		switch piece.style {
		case name:
			if strings.TrimSpace(piece.text) == "" {
				b.WriteString("(empty)")
				continue
			}
			const short = 28 // a name that stays on one line even in a narrow column
			class := ""
			if utf8.RuneCountInString(visible(piece.text)) <= short {
				class = " class=\"n\""
			}
			b.WriteString("<bdi><code" + class + ">" + text(piece.text) + "</code></bdi>")
		case command:
			b.WriteString("<code class=\"command\">" + text(piece.text) + "</code>")
		case quote:
			b.WriteString("<bdi><q>" + text(piece.text) + "</q></bdi>")
		case prose:
			b.WriteString("<bdi>" + text(piece.text) + "</bdi>")
		case link:
			b.WriteString(`<a href="` + text(piece.to) + `" rel="noopener noreferrer">` + text(piece.text) + "</a>")
		case verdict:
			b.WriteString("<strong class=\"v " + verdictClass(journal.Verdict(piece.text)) + "\">" + text(piece.text) + "</strong>")
		default:
			b.WriteString(unbroken(text(piece.text)))
		}
	}
	return b.String()
}

var (
	withUnit    = regexp.MustCompile(`(\d) (%|(?:ns|µs|ms|s|min|h|[KMGT]?i?B)\b)`)
	smallerUnit = regexp.MustCompile(`(\x{a0}(?:min|h)) (\d)`) // 1 min 2 s
	comparison  = regexp.MustCompile(`((?:&lt;|&gt;)=?|[=!]=) (-?\d)`)
)

// unbroken keeps a number in escaped text with its unit, and with the comparison before it, on one line.
func unbroken(s string) string {
	s = withUnit.ReplaceAllString(s, "$1\u00a0$2")
	s = smallerUnit.ReplaceAllString(s, "$1\u00a0$2")
	return comparison.ReplaceAllString(s, "$1\u00a0$2")
}

// chips are the citations of a sentence.
func (p *page) chips(ids []string) string {
	var b strings.Builder
	b.WriteString("<span class=\"chips\">")
	for _, id := range ids {
		b.WriteString(p.chip(id))
	}
	b.WriteString("</span>")
	return b.String()
}

// chip is one citation. It is an anchor of its own, so that the evidence can lead back to it.
func (p *page) chip(id string) string {
	p.cited[id]++
	return `<a class="ev" id="c-` + id + "-" + strconv.Itoa(p.cited[id]) + `" href="#` + id + `">` + id + `</a>`
}

func (p *page) table(t Table) {
	class := "scroll"
	if t.Index {
		class = "scroll index"
	}
	// The roles keep it a table for screen readers where a narrow page sets its rows as blocks.
	p.raw("<div class=\"%s\" role=\"region\" aria-label=\"%s\" tabindex=\"0\"><table role=\"table\">\n<thead><tr role=\"row\">", class, text(strings.Join(t.Columns, ", ")))
	for _, c := range t.Columns {
		p.raw("<th role=\"columnheader\" scope=\"col\">%s</th>", text(c))
	}
	if !t.Index {
		p.raw("<th role=\"columnheader\" scope=\"col\">Evidence</th>")
	}
	p.raw("</tr></thead>\n<tbody>\n")
	for _, r := range t.Rows {
		if t.Index {
			p.indexRow(r)
			continue
		}
		id := ""
		if row := p.rows[r.Evidence[0]]; !r.At.IsZero() && !p.given[row] {
			p.given[row], id = true, " id=\""+row+"\""
		}
		p.raw("<tr role=\"row\"%s>", id)
		for i, c := range r.Cells {
			p.raw("<td role=\"cell\" data-label=\"%s\">%s</td>", text(t.Columns[i]), p.phrase(c))
		}
		p.raw("<td role=\"cell\" data-label=\"Evidence\">%s</td></tr>\n", p.chips(r.Evidence))
	}
	p.raw("</tbody></table></div>\n")
}

// indexRow is where citations lead: the evidence, the way back to each citation, and the event as it stands in the journal.
func (p *page) indexRow(r Row) {
	const most = 6
	id := r.Evidence[0]
	p.raw("<tr role=\"row\" id=\"%s\"><td role=\"cell\"><strong>%s</strong>", id, id)
	n := p.cited[id]
	if n > 0 {
		p.raw(" <span class=\"back\">")
		for i := 1; i <= min(n, most); i++ {
			p.raw("<a href=\"#c-%s-%d\" aria-label=\"back to citation %d of %s\">↩</a>", id, i, i, id)
		}
		p.raw("</span>")
	}
	p.raw("</td>")
	for i, c := range r.Cells {
		p.raw("<td role=\"cell\">%s", p.phrase(c))
		if i == len(r.Cells)-1 && r.Payload != "" {
			p.raw("<details><summary>as recorded</summary><pre>%s</pre></details>", recorded(r.Payload))
		}
		p.raw("</td>")
	}
	p.raw("</tr>\n")
}

// recorded sets indented JSON, whose line ends are ours.
func recorded(payload string) string {
	lines := strings.Split(payload, "\n")
	for i, l := range lines {
		lines[i] = text(l)
	}
	return strings.Join(lines, "\n")
}

func verdictClass(v journal.Verdict) string {
	switch v {
	case journal.Held:
		return "held"
	case journal.Refuted:
		return "refuted"
	case journal.Inconclusive:
		return "inconclusive"
	}
	return "not-tested"
}

func outcomeClass(o journal.Outcome) string {
	switch o {
	case journal.OutcomeHeld:
		return "held"
	case journal.OutcomeRefuted:
		return "refuted"
	case journal.OutcomeResidue, journal.OutcomeError:
		return "residue"
	case journal.OutcomeAborted, journal.OutcomeInterrupted:
		return "stopped"
	case journal.OutcomeNotInjected:
		return "not-tested"
	}
	return "inconclusive"
}

// badge shows a verdict by shape and word, so that it is read without colour.
func badge(v journal.Verdict) string {
	c := verdictClass(v)
	return "<span class=\"badge " + c + "\">" + outcomeIcon(c) + "<span>" + text(string(v)) + "</span></span>"
}

// outcomeIcon is a shape of its own for each class.
func outcomeIcon(class string) string {
	shape := map[string]string{
		"held":         `<circle cx="12" cy="12" r="11"/><path class="ink" d="M6.5 12.5l4 4 7-8.5"/>`,
		"refuted":      `<path d="M12 0l12 12-12 12L0 12z"/><path class="ink" d="M8.2 8.2l7.6 7.6M15.8 8.2l-7.6 7.6"/>`,
		"inconclusive": `<rect x="1.5" y="1.5" width="21" height="21" rx="4"/><path class="ink" d="M8.6 9.2c0-4.4 6.8-4.2 6.8-.4 0 2.6-3.4 2.6-3.4 5.4M12 17.4v.6"/>`,
		"not-tested":   `<circle class="ring" cx="12" cy="12" r="9.7"/><path class="line" d="M7.5 12h9"/>`,
		"stopped":      `<path d="M7.4 0.9h9.2l6.5 6.5v9.2l-6.5 6.5H7.4L.9 16.6V7.4z"/><path class="ink" d="M7 12h10"/>`,
		"residue":      `<path d="M12 1l11.6 21H.4z"/><path class="ink" d="M12 9v6M12 18.2v.4"/>`,
	}[class]
	return `<svg class="icon ` + class + `" viewBox="0 0 24 24" aria-hidden="true">` + shape + `</svg>`
}

// sentenceCase begins with a capital.
func sentenceCase(s string) string {
	for i, r := range s {
		return strings.ToUpper(string(r)) + s[i+len(string(r)):]
	}
	return s
}
