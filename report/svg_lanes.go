package report

import (
	"fmt"
	"strings"
)

// Measures of the timeline's drawing.
const (
	laneTop, laneHeight = 40.0, 32.0
	barHeight           = 16.0
	mostBars            = 4   // rows of faults that are in force at the same time
	mostMarks           = 400 // events drawn
)

// lanes draws the timeline: one lane each for fault, system, signal, people and runner.
func (p *page) lanes(l *Lanes) {
	bars, rows := stack(l.Faults)
	faultHeight := max(laneHeight, 14+float64(rows)*(barHeight+3))
	middle, y := map[lane]float64{}, laneTop
	for _, name := range laneOrder {
		height := laneHeight
		if name == laneFault {
			height = faultHeight
		}
		middle[name] = y + height/2
		y += height
	}
	bottom := y
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart lanes" height="%g" role="img" aria-labelledby="lanes-t lanes-d"><title id="lanes-t">Timeline in lanes</title><desc id="lanes-d">%s</desc>`+"\n", bottom+46, text(l.Text.phrase().plainText(p.d.Clock)))
	p.bands(&b, l.Bands, laneTop, bottom, bottom+38)
	p.faultBands(&b, l.Faults, laneTop-6, bottom, 0)
	for _, name := range laneOrder {
		fmt.Fprintf(&b, `<line class="grid" x2="100%%" y1="%.1f" y2="%.1f"/><text class="lane-label" x="0" dx="-12" y="%.1f" text-anchor="end">%s</text>`, middle[name], middle[name], middle[name]+4, name)
	}
	b.WriteString("\n")
	first := laneTop + (faultHeight-float64(rows)*(barHeight+3))/2
	for i, f := range l.Faults {
		width := atLeast(p.span.width(f.From, f.To), "0.5%")
		fmt.Fprintf(&b, `<svg class="fault-bar" x="%s" y="%.1f" width="%s" height="%g"><title>%s</title><rect width="100%%" height="100%%" rx="3"/>`, p.span.percent(f.From), first+float64(bars[i])*(barHeight+3), width, barHeight, text(f.Label))
		if p.span.share(f.To)-p.span.share(f.From) > 0.12 {
			fmt.Fprintf(&b, `<text x="12" y="12">%s</text>`, text(shorten(f.Label, 40)))
		}
		b.WriteString("</svg>\n")
	}
	for i, m := range l.Marks {
		if i == mostMarks {
			break
		}
		if !p.span.has(m.At) {
			continue
		}
		place := p.rows[m.ID]
		if place == "" {
			place = m.ID
		}
		fmt.Fprintf(&b, `<a href="#%s"><title>%s</title><svg class="at" x="%s" y="%.1f">%s</svg></a>`+"\n", place, text(m.Title), p.span.percent(m.At), middle[m.Lane], markShape(m.Lane))
	}
	p.timeAxis(&b, bottom+22)
	cursor(&b, laneTop-6, bottom)
	b.WriteString("</svg>")
	p.raw("<figure id=\"lanes\">\n%s\n<figcaption><p>%s</p></figcaption>\n</figure>\n", b.String(), p.sentences([]Sentence{l.Text}))
}

// stack gives each fault a row of its own where it overlaps with another, and says how many rows that takes.
func stack(faults []Band) (row []int, rows int) {
	var ends []Band
	for _, f := range faults {
		n := 0
		for n < len(ends) && n < mostBars-1 && f.From.Before(ends[n].To) {
			n++
		}
		if n == len(ends) {
			ends = append(ends, f)
		} else if f.To.After(ends[n].To) {
			ends[n] = f
		}
		row = append(row, n)
	}
	return row, max(1, len(ends))
}

// markShape is a shape of its own for each lane, around the place where it stands.
func markShape(l lane) string {
	switch l {
	case laneFault:
		return `<path class="mark fault-mark" d="M-6 0l6 -6 6 6 -6 6z"/>`
	case laneSystem:
		return `<rect class="mark system" x="-5" y="-5" width="10" height="10"/>`
	case laneSignal:
		return `<path class="mark signal" d="M0 -6l6 10h-12z"/>`
	case lanePeople:
		return `<path class="mark people-mark" d="M-5 -6h10v8h-5l-4 4v-4h-1z"/>`
	}
	return `<circle class="mark runner" r="5"/>`
}
