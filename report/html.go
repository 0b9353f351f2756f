package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"strings"
	"unicode/utf8"

	"gameday/runner/journal"
)

//go:embed style.css
var stylesheet string

// HTML is the draft as one page that needs nothing else: no script, no font, no picture from elsewhere.
func (d *Draft) HTML() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	p := &page{d: d, cited: map[string]int{}}
	p.write()
	return d.facts.withoutStrayLinks(p.out.Bytes()), nil
}

// A page is report.html being written. Everything from outside goes through text.
type page struct {
	d     *Draft
	out   bytes.Buffer
	cited map[string]int // how often each piece of evidence was cited so far: the places that it leads back to
}

func (p *page) raw(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

// text is escaped for HTML, in text and in attributes.
func text(s string) string { return html.EscapeString(visible(s)) }

func (p *page) write() {
	d, f := p.d, p.d.facts
	p.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	p.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s: %s</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", text(f.outcomeTitle()), text(d.Title), stylesheet)
	header, rest := Section{}, []Section{}
	for _, s := range d.Sections {
		switch s.ID {
		case "attention":
			p.raw("<section id=\"attention\">\n")
			p.items(s.Items)
			p.raw("</section>\n")
		case "header":
			header = s
		default:
			rest = append(rest, s)
		}
	}
	p.hero()
	for i, s := range rest {
		p.raw("<section class=\"machine\" id=\"%s\">\n", s.ID)
		if s.Title != "" {
			p.raw("<h2>%s</h2>\n", text(s.Title))
		}
		p.items(s.Items)
		p.raw("</section>\n")
		if i == 0 { // the outcome and the five lines come first, then what was run
			p.raw("<section class=\"machine about\" id=\"header\">\n<h2>About this run</h2>\n")
			p.items(header.Items)
			p.raw("</section>\n")
		}
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
			p.raw("<li><a href=\"#hypothesis-%d\">%s<bdi>%s</bdi></a></li>\n", i+1, badge(h.verdict), text(h.Name))
		}
		for i, x := range claimed {
			p.raw("<li><a href=\"#alert-%d\">%s<span>alert <bdi>%s</bdi></span></a></li>\n", i+1, badge(x.verdict), text(x.name))
		}
		p.raw("</ul>\n")
	}
	p.raw("</header>\n")
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
		case Para:
			p.raw("<p>%s</p>\n", p.sentences(i))
		case Ask:
			p.raw("<p class=\"question\"><strong>Question.</strong> %s</p>\n", p.sentences([]Sentence{Sentence(i)}))
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

// phrase sets a phrase as HTML. Text from outside is isolated, so that its direction stays its own.
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
			if utf8.RuneCountInString(piece.text) <= short {
				class = " class=\"n\""
			}
			b.WriteString("<code" + class + "><bdi>" + text(piece.text) + "</bdi></code>")
		case command:
			b.WriteString("<code class=\"command\">" + text(piece.text) + "</code>")
		case quote:
			b.WriteString("<q><bdi>" + text(piece.text) + "</bdi></q>")
		case prose:
			b.WriteString("<bdi>" + text(piece.text) + "</bdi>")
		case verdict:
			b.WriteString("<strong class=\"v " + verdictClass(journal.Verdict(piece.text)) + "\">" + text(piece.text) + "</strong>")
		default:
			b.WriteString(text(piece.text))
		}
	}
	return b.String()
}

// chips are the citations of a sentence. Each is an anchor of its own, so that the evidence can lead back to it.
func (p *page) chips(ids []string) string {
	var b strings.Builder
	b.WriteString("<span class=\"chips\">")
	for _, id := range ids {
		p.cited[id]++
		fmt.Fprintf(&b, "<a class=\"ev\" id=\"c-%s-%d\" href=\"#%s\">%s</a>", id, p.cited[id], id, id)
	}
	b.WriteString("</span>")
	return b.String()
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
		p.raw("<tr role=\"row\">")
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
