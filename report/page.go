package report

import (
	"fmt"
	"strings"
	"time"
)

// An instant is a row of the timeline with where it is in the drawings.
type instant struct {
	row   string
	share float64
}

// prepare looks ahead: what is on the page, so that no link leads to what people took out, and when it was.
func (p *page) prepare() {
	p.anchors, p.rows, p.given = map[string]bool{}, map[string]string{}, map[string]bool{}
	p.span = p.d.facts.span()
	for _, s := range p.inOrder() {
		p.anchors[s.ID] = true
		if strings.HasPrefix(s.ID, questionPrefix) {
			p.questions = append(p.questions, s.ID)
		}
		for _, item := range p.shown(s) {
			switch i := item.(type) {
			case Heading:
				p.anchors[i.ID] = true
			case *Chart:
				p.anchors[i.ID] = true
			case Table:
				for _, r := range i.Rows {
					if r.At.IsZero() || p.rows[r.Evidence[0]] != "" {
						continue
					}
					id := "t-" + r.Evidence[0]
					p.rows[r.Evidence[0]], p.anchors[id] = id, true
					if p.span.has(r.At) && len(p.instants) < mostInstants {
						p.instants = append(p.instants, instant{id, p.span.share(r.At)})
					}
				}
			}
		}
	}
	for _, k := range p.written.kept {
		p.anchors[k.id] = true
	}
}

// mostInstants are marked in the drawings; each is two rules of the style sheet.
const mostInstants = 400

// inStep are the rules that mark the instant of a row of the timeline in every drawing while one looks at that row: no script is needed.
func (p *page) inStep() string {
	var b strings.Builder
	for _, state := range []string{":is(:focus-within,:target)", ":hover"} { // what the pointer is on wins
		for _, i := range p.instants {
			fmt.Fprintf(&b, ":root:has(#%s%s){--at:%.2f%%;--on:inline}\n", i.row, state, 100*i.share)
		}
	}
	return b.String()
}

// inOrder are the sections that are shown, in the order of the page: the five lines and the most telling questions come before what was
// run. A section that people took out is not among them, unless it is what has to be seen, or what citations lead to.
func (p *page) inOrder() []Section {
	var out []Section
	var header *Section
	for _, s := range p.d.Sections {
		if p.written.deleted[s.ID] && !mustBeSeen(s.ID) {
			continue
		}
		if s.ID == "header" {
			s.Title = "About this run"
			header = &s
			continue
		}
		if first := s.ID == "attention" || s.ID == "five-lines" || s.ID == "known" || s.Under == "known"; !first && header != nil {
			out, header = append(out, *header), nil
		}
		out = append(out, s)
	}
	if header != nil {
		out = append(out, *header)
	}
	return out
}

func mustBeSeen(id string) bool { return id == "attention" || id == "appendix" }

// shown is what of a section the machine draws: all, or where people have written a version of their own, the drawings.
func (p *page) shown(s Section) []Item {
	if _, edited := p.written.edited[s.ID]; !edited || mustBeSeen(s.ID) {
		return s.Items
	}
	var out []Item
	var heading Item
	for _, item := range s.Items {
		switch item.(type) {
		case Heading:
			heading = item
		case *Chart, *Lanes:
			if heading != nil {
				out = append(out, heading)
			}
			out, heading = append(out, item), nil
		}
	}
	return out
}

// contents is the way to every section.
func (p *page) contents() {
	p.raw("<nav aria-label=\"Contents\">\n<ul>\n")
	for _, s := range p.inOrder() {
		switch {
		case s.Under != "" || strings.HasPrefix(s.ID, questionPrefix):
		case s.ID == "attention":
			p.raw("<li><a class=\"urgent\" href=\"#attention\">Attention</a></li>\n")
		case s.Title != "":
			p.raw("<li><a href=\"#%s\">%s</a></li>\n", s.ID, text(s.Title))
		}
	}
	p.raw("</ul>\n</nav>\n")
}

// section sets a section, and beneath it what people wrote there.
func (p *page) section(s Section) {
	theirs, edited := p.written.edited[s.ID]
	switch {
	case strings.HasPrefix(s.ID, questionPrefix):
		p.question(s)
	case s.ID == "attention":
		p.raw("<section id=\"attention\" aria-label=\"Attention\">\n")
		if edited {
			p.theirVersion(theirs, editedByPeople)
		}
		p.items(s.Items)
		p.words(s.ID, "this", s.Seed)
		p.raw("</section>\n")
	default:
		class := "part"
		if s.Under != "" {
			class = "part under"
		}
		p.raw("<section class=\"%s\" id=\"%s\">\n", class, s.ID)
		if edited {
			p.theirVersion(theirs, editedByPeople)
		}
		if items := p.shown(s); len(items) > 0 {
			p.raw("<div class=\"machine\">\n")
			if s.Title != "" && (!edited || mustBeSeen(s.ID)) {
				p.raw("<h2>%s</h2>\n", text(s.Title))
			}
			p.items(items)
			p.raw("</div>\n")
		}
		p.words(s.ID, s.Title, s.Seed)
		if s.People && !p.wrote(s.ID, s.Seed) {
			p.blank()
		}
		p.raw("</section>\n")
	}
	p.keptAfter(s.ID)
}

// keptAfter sets the blocks that the draft no longer has and that stay for what people wrote, where they stand: after a section, or before
// all of them ("").
func (p *page) keptAfter(after string) {
	for _, k := range p.written.kept {
		if k.after != after {
			continue
		}
		if !strings.HasPrefix(k.id, questionPrefix) {
			p.raw("<section class=\"part\" id=\"%s\">\n", k.id)
			p.theirVersion(k.body, "Assembled from evidence for an earlier version of this draft, then edited by people")
			p.words(k.id, "this", "")
			p.raw("</section>\n")
			continue
		}
		p.raw("<section class=\"question\" id=\"%s\">\n<p class=\"ask\">%s<span>Asked before</span></p>\n", k.id, askIcon)
		if k.edited {
			p.theirVersion(k.body, editedByPeople)
		} else {
			p.raw("<div class=\"asked\">%s</div>\n", p.prose.write(k.body, 3))
		}
		p.words(k.id, "this question", "")
		p.raw("</section>\n")
	}
}

// question sets what to talk about, with what people answered, or a line to write on where it is printed.
func (p *page) question(s Section) {
	n := 0
	for i, id := range p.questions {
		if id == s.ID {
			n = i + 1
		}
	}
	p.raw("<section class=\"question\" id=\"%s\" aria-label=\"Question %d\">\n<p class=\"ask\">%s<span>Question %d of %d</span>", s.ID, n, askIcon, n, len(p.questions))
	if n < len(p.questions) {
		p.raw("<a href=\"#%s\">next</a>", p.questions[n])
	}
	p.raw("</p>\n")
	if theirs, edited := p.written.edited[s.ID]; edited {
		p.theirVersion(theirs, editedByPeople)
	} else {
		p.raw("<div class=\"asked\">\n")
		p.items(s.Items)
		p.raw("</div>\n")
	}
	p.words(s.ID, "this question", s.Seed)
	if !p.wrote(s.ID, s.Seed) {
		p.blank()
	}
	p.raw("</section>\n")
}

// wrote says whether people wrote more beneath a block than what they were given to start from.
func (p *page) wrote(id, seed string) bool {
	words := strings.TrimSpace(p.written.words[id])
	return words != "" && words != strings.TrimSpace(seed)
}

// words sets what people wrote beneath a block.
func (p *page) words(id, about, seed string) {
	if strings.TrimSpace(p.written.words[id]) == "" {
		return
	}
	by, class := "Written by people", "people"
	if !p.wrote(id, seed) {
		by, class = "For people to fill in", "people unwritten"
	}
	set := p.prose.write(p.written.words[id], 3)
	if strings.TrimSpace(set) == "" { // a comment, say
		return
	}
	p.raw("<div class=\"%s\" role=\"group\" aria-label=\"People on %s\" dir=\"auto\">\n<p class=\"by\">%s%s</p>\n%s</div>\n", class, text(about), peopleIcon, by, set)
}

const editedByPeople = "Assembled from evidence, then edited by people"

// theirVersion sets a block as people have edited it, under what it is.
func (p *page) theirVersion(markdown, what string) {
	p.raw("<div class=\"people edited\" role=\"group\" aria-label=\"Edited by people\" dir=\"auto\">\n<p class=\"by\">%s%s</p>\n%s</div>\n", peopleIcon, what, p.prose.write(markdown, 2))
}

// blank is room to write on, in print.
func (p *page) blank() {
	p.raw("<div class=\"blank\" aria-hidden=\"true\"><span></span><span></span></div>\n")
}

const (
	askIcon    = `<svg class="icon ask-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M3 1.5h18a1.5 1.5 0 011.5 1.5v14a1.5 1.5 0 01-1.5 1.5H11l-5.5 4.6v-4.6H3A1.500 1.500 0 011.500 17V3A1.500 1.500 0 013 1.500z"/><path class="ink" d="M9 7.600c0-3.600 6-3.500 6-.2 0 2.200-3 2.200-3 4.400M12 14.600v.3"/></svg>`
	peopleIcon = `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="7" r="5"/><path d="M2.500 22.500c0-11 19-11 19 0z"/></svg>`
)

// A span is the time that all drawings show, over the same width.
type span struct {
	from, to time.Time
	ends     string // evidence for its end
}

// span is from the start of the run to its end. What somebody did or wrote much later, such as a recovery the next day, is not in it:
// the run would be too small to see.
func (f *facts) span() span {
	s := span{from: f.from, to: f.from, ends: f.first}
	for _, q := range f.index.Queries {
		if q.Query != nil && len(q.Query.Samples) > 0 {
			if last := q.Query.Samples[len(q.Query.Samples)-1].At; last.After(s.to) {
				s.to, s.ends = last, q.ID
			}
		}
	}
	sampled, late := s.to.After(s.from), s.to.Add(max(30*time.Second, s.to.Sub(s.from)/4))
	for _, e := range f.index.Events {
		if at := e.Event.Time; at.After(s.to) && (!sampled || !at.After(late)) && !e.Event.People {
			s.to, s.ends = at, e.ID
		}
	}
	if !s.to.After(s.from) {
		s.to = s.from.Add(time.Second)
	}
	return s
}

func (s span) has(t time.Time) bool { return !t.Before(s.from) && !t.After(s.to) }

// share is where in the span a time is: 0 at its beginning or before, 1 at its end or after.
func (s span) share(t time.Time) float64 {
	x := scale{float64(s.from.UnixNano()), float64(s.to.UnixNano()), 0, 1}.of(float64(t.UnixNano()))
	return max(0, min(1, x))
}

// percent is that as a place in a drawing.
func (s span) percent(t time.Time) string { return fmt.Sprintf("%.2f%%", 100*s.share(t)) }

// width is the part of the drawing between two times.
func (s span) width(from, to time.Time) string {
	return fmt.Sprintf("%.2f%%", 100*max(0, s.share(to)-s.share(from)))
}
