package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Measures of a drawing, in CSS pixels down the page. Across, everything is a part of the width, so that letters and marks keep their size on
// a phone and on a projector; only lines are stretched.
const (
	plotTop, plotBottom = 40.0, 240.0
	chartHeight         = 286.0
	lineWidth           = 1000.0 // of the drawing that lines are stretched from
)

// chart writes a chart with its legend and its text.
func (p *page) chart(c *Chart) {
	var b strings.Builder
	low, high := c.extent()
	ticks := niceTicks(low, high, 4)
	low, high = math.Min(low, ticks[0]), math.Max(high, ticks[len(ticks)-1])
	room := 24.0 // above the highest value, for its label
	if len(c.Alerts) > 0 {
		room += 14 // and for the marks of alerts above that
	}
	y := scale{low, high, plotBottom, plotTop + room}
	line := lineScale{p.span, scale{low, high, plotBottom - plotTop, room}}

	fmt.Fprintf(&b, `<svg class="chart" height="%g" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		chartHeight, c.ID, c.ID, c.ID, text(p.named(c.Title)), c.ID, text(c.Text.phrase().plainText(p.d.Clock)))
	b.WriteString("\n")
	fmt.Fprintf(&b, `<defs><pattern id="%s-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-bg" width="6" height="6"/><rect class="hatch" width="2.4" height="6"/></pattern></defs>`+"\n", c.ID)
	p.bands(&b, c.Bands, plotTop, plotBottom, plotBottom+38)
	if u := c.Usual; u != nil {
		top := y.of(u.High)
		fmt.Fprintf(&b, `<rect class="usual" width="100%%" y="%.1f" height="%.1f"/>`+"\n", top, math.Max(2, y.of(u.Low)-top))
	}
	p.faultBands(&b, c.Faults, plotTop-6, plotBottom, 4)
	for _, t := range ticks {
		fmt.Fprintf(&b, `<line class="grid" x2="100%%" y1="%.1f" y2="%.1f"/><text class="tick" x="0" dx="-8" y="%.1f" text-anchor="end">%s</text>`, y.of(t), y.of(t), y.of(t)+4, text(formatNumber(t, 4)))
	}
	b.WriteString("\n")
	for _, g := range c.Gaps {
		fmt.Fprintf(&b, `<rect class="gap" x="%s" y="%g" width="%s" height="%g"/>`, p.span.percent(g.From), plotTop, atLeast(p.span.width(g.From, g.To), "0.3%"), plotBottom-plotTop)
	}
	var dots strings.Builder
	fmt.Fprintf(&b, `<svg y="%g" width="100%%" height="%g" viewBox="0 0 %g %g" preserveAspectRatio="none">`, plotTop, plotBottom-plotTop, lineWidth, plotBottom-plotTop)
	for i := len(c.Series) - 1; i >= 0; i-- {
		line.draw(&b, &dots, c.Series[i], i)
	}
	if len(c.Bound) > 0 {
		b.WriteString(`<path class="bound" d="`)
		for i, d := range c.Bound {
			if i == 0 {
				fmt.Fprintf(&b, "M0 %.1f", line.y.of(d.Value))
				continue
			}
			fmt.Fprintf(&b, "H%.1fV%.1f", line.x(d.At), line.y.of(d.Value))
		}
		fmt.Fprintf(&b, `H%g"/>`, lineWidth)
	}
	b.WriteString("</svg>" + dots.String() + "\n")
	for _, s := range c.Bad {
		fmt.Fprintf(&b, `<rect class="bad" fill="url(#%s-hatch)" x="%s" y="%g" width="%s" height="9"/>`, c.ID, p.span.percent(s.From), plotBottom, atLeast(p.span.width(s.From, s.To), "0.4%"))
	}
	if n := len(c.Bound); n > 0 {
		last := c.Bound[n-1]
		fmt.Fprintf(&b, `<text class="bound-label" x="100%%" dx="-4" y="%.1f" text-anchor="end">%s</text>`+"\n", y.of(last.Value)-5, text(c.boundWord()+" "+strings.TrimSpace(c.BoundOp+" "+formatNumber(last.Value, 4))))
	}
	for _, a := range c.Alerts {
		fmt.Fprintf(&b, `<svg class="at alert-tick" x="%s" y="%g"><line y2="%g"/><path class="mark signal" d="M0 -2l6 10h-12z"><title>%s</title></path></svg>`+"\n", p.span.percent(a.At), plotTop, plotBottom-plotTop, text("alert "+a.Name+" fires"))
	}
	if c.Worst != nil {
		anchor := "middle"
		switch share := p.span.share(c.Worst.At); {
		case share < 0.06:
			anchor = "start"
		case share > 0.94:
			anchor = "end"
		}
		fmt.Fprintf(&b, `<svg class="at" x="%s" y="%.1f"><path class="worst" d="M-5.5 0l5.5 -5.5 5.5 5.5 -5.5 5.5z"/><text class="worst-label" y="-10" text-anchor="%s">%s</text></svg>`+"\n", p.span.percent(c.Worst.At), y.of(c.Worst.Value), anchor, text(formatNumber(c.Worst.Value, 4)))
	}
	p.timeAxis(&b, plotBottom+22)
	cursor(&b, plotTop-6, plotBottom)
	b.WriteString("</svg>")
	p.raw("<figure id=\"%s\">\n%s\n<figcaption>", c.ID, b.String())
	p.legend(c)
	p.raw("<p>%s</p></figcaption>\n</figure>\n", p.sentences([]Sentence{c.Text}))
}

// named is a title, also where a damaged record has lost the name.
func (p *page) named(title Phrase) string {
	if s := strings.TrimSpace(title.plainText(p.d.Clock)); s != "" {
		return s
	}
	return "without a name"
}

// cursor marks the instant of the row of the timeline that one looks at.
func cursor(b *strings.Builder, top, bottom float64) {
	fmt.Fprintf(b, `<rect class="cursor" y="%g" width="2" height="%g"/>`+"\n", top, bottom-top)
}

// atLeast keeps a band wide enough to be seen.
func atLeast(width, least string) string {
	var a, z float64
	fmt.Sscanf(width, "%f", &a)
	fmt.Sscanf(least, "%f", &z)
	if a < z {
		return least
	}
	return width
}

// faultBands shades the time in which each fault was in force, and marks when it was undone. The first few have their names, as far as
// there is room; on a narrow page there is less.
func (p *page) faultBands(b *strings.Builder, faults []Band, top, bottom float64, named int) {
	wide, narrow := labels{width: 640}, labels{width: 280}
	for i, f := range faults {
		a, z := p.span.percent(f.From), p.span.percent(f.To)
		fmt.Fprintf(b, `<g class="fault"><rect x="%s" y="%g" width="%s" height="%g"><title>%s</title></rect><line x1="%s" x2="%s" y1="%g" y2="%g"/>`, a, top, atLeast(p.span.width(f.From, f.To), "0.1%"), bottom-top, text(f.Label), a, a, top, bottom)
		if !f.Open {
			fmt.Fprintf(b, `<line class="undo" x1="%s" x2="%s" y1="%g" y2="%g"/><svg class="at" x="%s" y="%g"><path class="undo-flag" d="M0 0l-5 -7h10z"/></svg>`, z, z, top, bottom, z, top)
		}
		b.WriteString("</g>\n")
		if i >= named {
			continue
		}
		anchor, x, dx, share := "start", a, 3, p.span.share(f.From)
		if share > 0.5 {
			anchor, x, dx, share = "end", z, -8, p.span.share(f.To)
		}
		label := shorten(f.Label, 24)
		if f.Open {
			label += " (open)"
		}
		row := wide.row(share, anchor == "end", label)
		if row < 0 {
			continue
		}
		class := "fault-label"
		if narrow.row(share, anchor == "end", label) != row {
			class += " minor"
		}
		fmt.Fprintf(b, `<text class="%s" x="%s" dx="%d" y="%g" text-anchor="%s">%s</text>`+"\n", class, x, dx, top-10-float64(row)*14, anchor, text(label))
	}
}

// labels are the names above a drawing of some width, in two rows.
type labels struct {
	width float64
	taken [2][][2]float64 // from and to, in pixels
}

// row is the lower row in which a name has room, which it takes; -1: it has none. The name begins, or ends, at a part of the width.
func (l *labels) row(share float64, ends bool, name string) int {
	const letter, gap = 7.0, 12.0
	from := share*l.width + gap/2
	to := from + letter*float64(len([]rune(name)))
	if ends {
		from, to = from-gap-(to-from), from-gap
	}
	if from < -40 || to > l.width+8 { // beyond that it is cut off
		return -1
	}
	for i, row := range l.taken {
		if !slices.ContainsFunc(row, func(t [2]float64) bool { return from < t[1]+gap && t[0] < to+gap }) {
			l.taken[i] = append(row, [2]float64{from, to})
			return i
		}
	}
	return -1
}

// boundWord says what the bound line is.
func (c *Chart) boundWord() string {
	if c.Guard {
		return "stops the run"
	}
	return "bound"
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// extent is the range of values that a chart shows, the bound among them.
func (c *Chart) extent() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	see := func(v float64) { low, high = math.Min(low, v), math.Max(high, v) }
	for _, s := range c.Series {
		for _, seg := range s.Segments {
			for _, d := range seg {
				see(d.Value)
			}
		}
	}
	for _, d := range c.Bound {
		see(d.Value)
	}
	switch {
	case low > high:
		return 0, 1
	case low == high && low == 0:
		return 0, 1
	case low == high:
		return math.Min(0, low), math.Max(0, high)
	}
	if low > 0 && low < (high-low)*2 {
		low = 0
	}
	return low, high
}

// bands are the phases of the run.
func (p *page) bands(b *strings.Builder, bands []Band, top, bottom, label float64) {
	for _, s := range bands {
		a, share := p.span.percent(s.From), p.span.share(s.To)-p.span.share(s.From)
		fmt.Fprintf(b, `<rect class="phase %s" x="%s" y="%g" width="%s" height="%g"/>`, phaseClass(s.Label), a, top, p.span.width(s.From, s.To), bottom-top)
		if p.span.share(s.From) > 0.001 {
			fmt.Fprintf(b, `<line class="phase-edge" x1="%s" x2="%s" y1="%g" y2="%g"/>`, a, a, top, label-2)
		}
		if share > 0.08 {
			fmt.Fprintf(b, `<text class="phase-label" x="%s" dx="4" y="%g">%s</text>`, a, label, text(s.Label))
		}
	}
	b.WriteString("\n")
}

func phaseClass(label string) string {
	switch label {
	case "baseline", "fault", "recovery":
		return "phase-" + label
	}
	return "phase-other"
}

// A lineScale places a series in the drawing that is stretched to the width of the chart.
type lineScale struct {
	span span
	y    scale
}

func (l lineScale) x(t time.Time) float64 { return lineWidth * l.span.share(t) }

// draw writes a series; values that stand alone are dots, which are not stretched.
func (l lineScale) draw(b, dots *strings.Builder, s Line, i int) {
	fmt.Fprintf(b, `<g class="series s%d">`, i)
	var place []byte
	for _, seg := range s.Segments {
		if len(seg) == 1 {
			fmt.Fprintf(dots, `<circle class="dot s%d" cx="%s" cy="%.1f" r="2.4"/>`, i, l.span.percent(seg[0].At), plotTop+l.y.of(seg[0].Value))
			continue
		}
		place = append(place[:0], `<path d="M`...)
		for j, d := range seg {
			if j > 0 {
				place = append(place, 'L')
			}
			place = strconv.AppendFloat(place, l.x(d.At), 'f', 1, 64)
			place = append(place, ' ')
			place = strconv.AppendFloat(place, l.y.of(d.Value), 'f', 1, 64)
		}
		b.Write(append(place, `"/>`...))
	}
	b.WriteString("</g>\n")
}

// timeAxis writes offsets beneath a drawing.
func (p *page) timeAxis(b *strings.Builder, y float64) {
	clock, from, to := p.d.Clock, p.span.from, p.span.to
	step := niceStep(to.Sub(from), 6)
	t := clock.Zero.Add(from.Sub(clock.Zero).Truncate(step))
	const most = 60 // times too far apart for a duration to hold end here
	for range most {
		if t.After(to) {
			break
		}
		if t.Before(from) {
			t = t.Add(step)
			continue
		}
		anchor := "middle"
		switch share := p.span.share(t); {
		case share < 0.03:
			anchor = "start"
		case share > 0.97:
			anchor = "end"
		}
		class := "tick"
		if t.Sub(clock.Zero)/step%2 != 0 {
			class = "tick minor"
		}
		fmt.Fprintf(b, `<text class="%s" x="%s" y="%g" text-anchor="%s">%s</text>`, class, p.span.percent(t), y, anchor, text(clock.Offset(t)))
		t = t.Add(step)
	}
	b.WriteString("\n")
}

// niceStep divides a time into at most so many round steps.
func niceStep(d time.Duration, n int) time.Duration {
	for _, unit := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour} {
		for _, k := range []time.Duration{1, 2, 5, 10, 15, 20, 30, 100, 200, 500} {
			if unit == time.Millisecond && (k == 15 || k == 30) || unit != time.Millisecond && k > 30 {
				continue
			}
			if unit*k*time.Duration(n) >= d {
				return unit * k
			}
		}
	}
	step := 24 * time.Hour
	for step*time.Duration(n) < d && step < 1<<61 {
		step *= 2
	}
	return step
}

// niceTicks are round numbers that span a range, at least two.
func niceTicks(low, high float64, n int) []float64 {
	span := high - low
	if !(span > 0) || math.IsInf(span, 0) {
		return []float64{low, high}
	}
	step := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, k := range []float64{1, 2, 2.5, 5, 10} {
		if span/(step*k) <= float64(n) {
			step *= k
			break
		}
	}
	if step == 0 || math.IsInf(step, 0) {
		return []float64{low, high}
	}
	var out []float64
	first := math.Floor(low/step + 1e-9)
	for i := range n + 3 {
		v := (first + float64(i)) * step
		if math.IsInf(v, 0) {
			return []float64{low, high}
		}
		out = append(out, v)
		if v >= high-step*1e-9 {
			break
		}
	}
	return out
}

// A scale maps values to places.
type scale struct{ from, to, a, b float64 }

func (s scale) of(v float64) float64 {
	if s.to == s.from {
		return s.a
	}
	r := (v - s.from) / (s.to - s.from)
	if math.IsNaN(r) || math.IsInf(r, 0) { // a range beyond what a float can hold
		r = v/2/(s.to/2-s.from/2) - s.from/2/(s.to/2-s.from/2)
	}
	return s.a + r*(s.b-s.a)
}

func (p *page) legend(c *Chart) {
	p.raw("<ul class=\"legend\">")
	for i, s := range c.Series {
		label := "value"
		if len(s.Labels) > 0 {
			label = formatLabels(s.Labels)
		}
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><g class="series s%d"><path d="M0 5H26"/></g></svg><bdi>%s</bdi></li>`, i, text(shorten(label, 90)))
	}
	if n := len(c.LeftOut); n > 0 {
		p.raw("<li>%d further series not drawn</li>", n)
	}
	if len(c.Bound) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><path class="bound" d="M0 5H26"/></svg>%s</li>`, c.boundWord())
	}
	if c.Usual != nil {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="usual" width="26" height="10"/></svg>range in the baseline</li>`)
	}
	if len(c.Bad) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="bad" fill="url(#%s-hatch)" width="26" height="10"/></svg>condition not met</li>`, c.ID)
	}
	if len(c.Faults) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><g class="fault"><rect width="26" height="10"/><line x1=".5" x2=".5" y2="10"/></g></svg>fault in force</li>`)
	}
	if slices.ContainsFunc(c.Faults, func(f Band) bool { return !f.Open }) {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><path class="undo-flag" d="M13 9l-5 -7h10z"/></svg>undone</li>`)
	}
	if len(c.Alerts) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><path class="mark signal" d="M13 0l6 10h-12z"/></svg>an alert fires</li>`)
	}
	if len(c.Gaps) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="gap" width="26" height="10"/></svg>no data</li>`)
	}
	p.raw("</ul>\n")
}
