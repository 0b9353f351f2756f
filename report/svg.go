package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Measures of a chart, in its own units; it is scaled to the width of the page.
const (
	chartWidth, chartHeight = 760.0, 310.0
	plotLeft, plotRight     = 6.0, 754.0
	plotTop, plotBottom     = 46.0, 262.0
)

// chart writes a chart with its legend and its text.
func (p *page) chart(c *Chart) {
	var b strings.Builder
	x := scale{float64(c.From.UnixNano()), float64(c.To.UnixNano()), plotLeft, plotRight}
	low, high := c.extent()
	ticks := niceTicks(low, high, 4)
	low, high = math.Min(low, ticks[0]), math.Max(high, ticks[len(ticks)-1])
	y := scale{low, high, plotBottom, plotTop + 34}
	at := func(t time.Time) float64 { return x.of(float64(t.UnixNano())) }
	desc := c.Text.phrase().plainText(p.d.Clock)

	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		chartWidth, chartHeight, c.ID, c.ID, c.ID, text(c.Title.plainText(p.d.Clock)), c.ID, text(desc))
	b.WriteString("\n")
	fmt.Fprintf(&b, `<defs><pattern id="%s-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-bg" width="6" height="6"/><rect class="hatch" width="2.4" height="6"/></pattern><clipPath id="%s-clip"><rect x="%g" y="%g" width="%g" height="%g"/></clipPath></defs>`,
		c.ID, c.ID, plotLeft, plotTop, plotRight-plotLeft, plotBottom-plotTop)
	b.WriteString("\n")
	drawBands(&b, c.Bands, at, plotTop, plotBottom, plotBottom+40)
	for i, f := range c.Faults {
		a, z := clamp(at(f.From)), clamp(at(f.To))
		fmt.Fprintf(&b, `<g class="fault"><rect x="%.1f" y="%g" width="%.1f" height="%g"/><path d="M%.1f %gV%g"/>`, a, plotTop-6, math.Max(1, z-a), plotBottom-plotTop+6, a, plotTop-6, plotBottom)
		if !f.Open {
			fmt.Fprintf(&b, `<path class="undo" d="M%.1f %gV%g"/><path class="undo-flag" d="M%.1f %gl-5 -7h10z"/>`, z, plotTop-6, plotBottom, z, plotTop-6)
		}
		b.WriteString("</g>\n")
		if i < 4 {
			anchor, tx := "start", a+3
			if a > chartWidth*0.6 {
				anchor, tx = "end", math.Max(z, a)-8
			}
			label := f.Label
			if f.Open {
				label += " (no end in the record)"
			}
			fmt.Fprintf(&b, `<text class="fault-label" x="%.1f" y="%g" text-anchor="%s">%s</text>`+"\n", tx, plotTop-10-float64(i%2)*14, anchor, text(shorten(label, 34)))
		}
	}
	for _, t := range ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%g %.1fH%g"/>`, plotLeft, y.of(t), plotRight)
	}
	b.WriteString("\n")
	fmt.Fprintf(&b, `<g clip-path="url(#%s-clip)">`, c.ID)
	for _, g := range c.Gaps {
		a, z := at(g.From), at(g.To)
		fmt.Fprintf(&b, `<rect class="gap" x="%.1f" y="%g" width="%.1f" height="%g"/>`, a-1, plotTop, math.Max(2, z-a+2), plotBottom-plotTop)
	}
	for i := len(c.Series) - 1; i >= 0; i-- {
		drawLine(&b, c.Series[i], i, at, y)
	}
	if len(c.Bound) > 0 {
		b.WriteString(`<path class="bound" d="`)
		for i, d := range c.Bound {
			if i == 0 {
				fmt.Fprintf(&b, "M%g %.1f", plotLeft, y.of(d.Value))
				continue
			}
			fmt.Fprintf(&b, "H%.1fV%.1f", at(d.At), y.of(d.Value))
		}
		fmt.Fprintf(&b, `H%g"/>`, plotRight)
	}
	b.WriteString("</g>\n")
	for _, s := range c.Bad {
		a, z := at(s.From), at(s.To)
		fmt.Fprintf(&b, `<rect class="bad" fill="url(#%s-hatch)" x="%.1f" y="%g" width="%.1f" height="9"/>`, c.ID, clamp(a-1.5), plotBottom, math.Max(3, z-a+3))
	}
	for i, t := range ticks {
		class := "tick"
		if i%2 == 1 {
			class = "tick minor"
		}
		fmt.Fprintf(&b, `<text class="%s" x="%g" y="%.1f">%s</text>`, class, plotLeft+4, y.of(t)-4, text(formatNumber(t, 4)))
	}
	b.WriteString("\n")
	if n := len(c.Bound); n > 0 {
		last := c.Bound[n-1]
		fmt.Fprintf(&b, `<text class="bound-label" x="%g" y="%.1f" text-anchor="end">%s</text>`+"\n", plotRight-4, y.of(last.Value)-5, text(c.boundWord()+" "+strings.TrimSpace(c.BoundOp+" "+formatNumber(last.Value, 4))))
	}
	if c.Worst != nil {
		wx, wy := at(c.Worst.At), y.of(c.Worst.Value)
		anchor := "middle"
		if wx < plotLeft+40 {
			anchor = "start"
		} else if wx > plotRight-40 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<path class="worst" d="M%.1f %.1fl5.5 -5.5 5.5 5.5 -5.5 5.5z"/><text class="worst-label" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", wx-5.5, wy, wx, wy-10, anchor, text(formatNumber(c.Worst.Value, 4)))
	}
	for _, a := range c.Alerts {
		fmt.Fprintf(&b, `<path class="mark signal" d="M%.1f %gl6 10h-12z"><title>%s</title></path>`+"\n", at(a.At), plotTop, text("alert "+a.Name+" fires"))
	}
	drawTimeAxis(&b, p.d.Clock, c.From, c.To, at, plotBottom+9)
	b.WriteString("</svg>")
	p.raw("<figure id=\"%s\">\n%s\n<figcaption>", c.ID, b.String())
	p.legend(c)
	p.raw("<p>%s</p></figcaption>\n</figure>\n", p.sentences([]Sentence{c.Text}))
}

// boundWord says what the bound line is.
func (c *Chart) boundWord() string {
	if c.Guard {
		return "stops the run"
	}
	return "bound"
}

func clamp(v float64) float64 { return math.Max(plotLeft, math.Min(plotRight, v)) }

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

func drawBands(b *strings.Builder, bands []Band, at func(time.Time) float64, top, bottom, label float64) {
	for _, s := range bands {
		a, z := clamp(at(s.From)), clamp(at(s.To))
		fmt.Fprintf(b, `<rect class="phase %s" x="%.1f" y="%g" width="%.1f" height="%g"/>`, phaseClass(s.Label), a, top, math.Max(0, z-a), bottom-top)
		if a > plotLeft+1 {
			fmt.Fprintf(b, `<path class="phase-edge" d="M%.1f %gV%g"/>`, a, top, label-8)
		}
		if z-a > 50 {
			fmt.Fprintf(b, `<text class="phase-label" x="%.1f" y="%g">%s</text>`, a+4, label, text(s.Label))
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

func drawLine(b *strings.Builder, l Line, i int, at func(time.Time) float64, y scale) {
	fmt.Fprintf(b, `<g class="series s%d">`, i)
	for _, seg := range l.Segments {
		if len(seg) == 1 {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.4"/>`, at(seg[0].At), y.of(seg[0].Value))
			continue
		}
		b.WriteString(`<path d="`)
		for j, d := range seg {
			op := "L"
			if j == 0 {
				op = "M"
			}
			fmt.Fprintf(b, "%s%.1f %.1f", op, at(d.At), y.of(d.Value))
		}
		b.WriteString(`"/>`)
	}
	b.WriteString("</g>\n")
}

func drawTimeAxis(b *strings.Builder, clock Clock, from, to time.Time, at func(time.Time) float64, top float64) {
	step := niceStep(to.Sub(from), 6)
	first := clock.Zero.Add(from.Sub(clock.Zero).Truncate(step))
	const most = 60 // times too far apart for a duration to hold end here
	t := first
	for range most {
		if t.After(to) {
			break
		}
		if t.Before(from) {
			t = t.Add(step)
			continue
		}
		x := at(t)
		anchor := "middle"
		if x < plotLeft+24 {
			anchor, x = "start", math.Max(plotLeft, x)
		} else if x > plotRight-24 {
			anchor, x = "end", math.Min(plotRight, x)
		}
		class := "tick"
		if t.Sub(clock.Zero)/step%2 != 0 {
			class = "tick minor"
		}
		fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%g" text-anchor="%s">%s</text>`, class, x, top+13, anchor, text(clock.Offset(t)))
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
	if c.LeftOut > 0 {
		p.raw("<li>%d further series not drawn</li>", c.LeftOut)
	}
	if len(c.Bound) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><path class="bound" d="M0 5H26"/></svg>%s</li>`, c.boundWord())
	}
	if len(c.Bad) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="bad" fill="url(#%s-hatch)" width="26" height="10"/></svg>condition not met</li>`, c.ID)
	}
	if len(c.Faults) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><g class="fault"><rect width="26" height="10"/><path d="M.5 0V10"/></g></svg>fault in force</li><li><svg viewBox="0 0 26 10" aria-hidden="true"><path class="undo-flag" d="M13 9l-5 -7h10z"/></svg>undone</li>`)
	}
	if len(c.Gaps) > 0 {
		p.raw(`<li><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="gap" width="26" height="10"/></svg>no data</li>`)
	}
	p.raw("</ul>\n")
}

// lanes draws the timeline: one lane each for fault, system, signal, people and runner.
func (p *page) lanes(l *Lanes) {
	const left, right, top, height = 62.0, 748.0, 18.0, 34.0
	bottom := top + height*float64(len(laneOrder))
	x := scale{float64(l.From.UnixNano()), float64(l.To.UnixNano()), left + 6, right - 6}
	at := func(t time.Time) float64 { return math.Max(left, math.Min(right, x.of(float64(t.UnixNano())))) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart lanes" viewBox="0 0 760 %g" role="img" aria-labelledby="lanes-t lanes-d"><title id="lanes-t">Timeline in lanes</title><desc id="lanes-d">%s</desc>`+"\n", bottom+40, text(l.Text.phrase().plainText(p.d.Clock)))
	for _, s := range l.Bands {
		a, z := at(s.From), at(s.To)
		fmt.Fprintf(&b, `<rect class="phase %s" x="%.1f" y="%g" width="%.1f" height="%g"/>`, phaseClass(s.Label), a, top, math.Max(0, z-a), bottom-top)
		if z-a > 60 {
			fmt.Fprintf(&b, `<text class="phase-label" x="%.1f" y="%g">%s</text>`, a+3, top-6, text(s.Label))
		}
	}
	row := map[lane]float64{}
	for i, name := range laneOrder {
		row[name] = top + height*(float64(i)+0.5)
		fmt.Fprintf(&b, `<path class="grid" d="M%g %.1fH%g"/><text class="lane-label" x="0" y="%.1f">%s</text>`, left, row[name], right, row[name]+4, name)
	}
	b.WriteString("\n")
	for _, f := range l.Faults {
		a, z := at(f.From), at(f.To)
		fmt.Fprintf(&b, `<g class="fault-bar"><rect x="%.1f" y="%.1f" width="%.1f" height="14" rx="3"><title>%s</title></rect></g>`, a, row[laneFault]-7, math.Max(3, z-a), text(f.Label))
	}
	for i, m := range l.Marks {
		if i == 400 {
			break
		}
		cx, cy := at(m.At), row[m.Lane]
		fmt.Fprintf(&b, `<a href="#%s"><title>%s</title>%s</a>`, m.ID, text(m.Title), markShape(m.Lane, cx, cy))
	}
	b.WriteString("\n")
	drawTimeAxis(&b, p.d.Clock, l.From, l.To, at, bottom+4)
	b.WriteString("</svg>")
	p.raw("<figure>\n%s\n<figcaption><p>%s</p></figcaption>\n</figure>\n", b.String(), p.sentences([]Sentence{l.Text}))
}

// markShape is a shape of its own for each lane.
func markShape(l lane, x, y float64) string {
	switch l {
	case laneFault:
		return fmt.Sprintf(`<path class="mark fault-mark" d="M%.1f %.1fl6 -6 6 6 -6 6z"/>`, x-6, y)
	case laneSystem:
		return fmt.Sprintf(`<rect class="mark system" x="%.1f" y="%.1f" width="10" height="10"/>`, x-5, y-5)
	case laneSignal:
		return fmt.Sprintf(`<path class="mark signal" d="M%.1f %.1fl6 10h-12z"/>`, x, y-6)
	case lanePeople:
		return fmt.Sprintf(`<path class="mark people" d="M%.1f %.1fh10v8h-5l-4 4v-4h-1z"/>`, x-5, y-6)
	}
	return fmt.Sprintf(`<circle class="mark runner" cx="%.1f" cy="%.1f" r="5"/>`, x, y)
}
