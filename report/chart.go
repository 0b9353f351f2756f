package report

import (
	"maps"
	"math"
	"sort"
	"strconv"
	"time"

	"gameday/runner/journal"
)

// Limits of a chart.
const (
	mostSeries = 8   // drawn; the others are counted
	mostPoints = 600 // of one series
)

// A Chart is one query over the run, with the bound that it was held against, the faults and the phases.
type Chart struct {
	ID       string
	Title    Phrase
	Text     Sentence // what it shows, for who cannot see it
	From, To time.Time
	Series   []Line
	LeftOut  Tally // labels of series that are not drawn
	Bound    []Dot // steps: each holds until the next
	BoundOp  string
	Several  bool // the series have bounds of their own; Bound is that of the worst
	Guard    bool // the bound is where a guardrail stops the run
	Bands    []Band
	Faults   []Band
	Bad      []Band // stretches in which the condition was violated
	Gaps     []Band // stretches without data
	Worst    *Dot
	Usual    *Range // the values in the baseline; nil: there were none
	Alerts   []AlertTick
	clock    Clock
}

// A Line is one series; each segment is drawn on its own, and between two segments there was no data.
type Line struct {
	Labels   map[string]string
	Segments [][]Dot
}

// A Range is from the lowest to the highest value.
type Range struct{ Low, High float64 }

// A Dot is one value at one time.
type Dot struct {
	At    time.Time
	Value float64
}

// An AlertTick says when an alert fires, in the phase in which it does so first.
type AlertTick struct {
	At   time.Time
	Name string
}

// A Band is a stretch of time with a name.
type Band struct {
	Label    string
	From, To time.Time
	Open     bool // its end is not in the record
}

func (f *facts) hypothesisChart(h *hypothesis, n int) *Chart {
	c := f.chart(h.query, "chart-h"+strconv.Itoa(n), h.Name, h.Every, false)
	if c != nil {
		c.Text = f.chartText(c, h.QueryID, h.declared)
	}
	return c
}

func (f *facts) guardrailChart(g *guardrail, n int) *Chart {
	c := f.chart(g.query, "chart-g"+strconv.Itoa(n), g.Name, g.Every, true)
	if c != nil {
		c.Text = f.chartText(c, g.QueryID, g.declared)
	}
	return c
}

// chartText says what the chart shows: its range, its extremes and what was left out.
func (f *facts) chartText(c *Chart, query, declared string) Sentence {
	ids := cite(f.query(query), declared)
	low, high, found := math.Inf(1), math.Inf(-1), false
	for _, s := range c.Series {
		for _, seg := range s.Segments {
			for _, d := range seg {
				low, high, found = math.Min(low, d.Value), math.Max(high, d.Value), true
			}
		}
	}
	if !found {
		return say(ids, "The chart of {} has no value to show.", c.Title.Args[0])
	}
	template := "The chart shows {} from {} to {}: the lowest value is {}, the highest {}"
	args := []Value{c.Title.Args[0], At(c.From), At(c.To), Num(low), Num(high)}
	if low == high {
		template, args = "The chart shows {} from {} to {}: every value is {}", args[:4]
	}
	if u := c.Usual; u != nil && low < high {
		if u.Low == u.High {
			template, args = template+"; in the baseline it was {} throughout", append(args, Num(u.Low))
		} else {
			template, args = template+"; in the baseline it was from {} to {}", append(args, Num(u.Low), Num(u.High))
		}
	}
	if n := len(c.Bad); n > 0 {
		if c.Guard {
			template += "; stretches in which the condition was met are marked"
		} else {
			template += "; stretches in which the condition did not hold are marked"
		}
	}
	if len(c.LeftOut) > 0 {
		template += "; drawn are the {} worst series, {} were left out"
		args = append(args, c.drawn(), c.LeftOut)
	}
	if len(c.Alerts) > 0 {
		var names List
		for _, a := range c.Alerts {
			names = append(names, Name(a.Name))
			ids = cite(append(ids, f.alert(a.Name).seen.id)...)
		}
		template += "; marked is when {} {} first"
		args = append(args, names, plural(len(names), "fires", "fire"))
	}
	if c.Several {
		template += "; each series has a bound of its own, and the one shown is that of the worst"
	}
	return say(ids, template+".", args...)
}

// chart draws a query's samples together; nil if there are none.
func (f *facts) chart(q *journal.Query, id, title string, every journal.Duration, guard bool) *Chart {
	if q == nil || len(q.Samples) == 0 {
		return nil
	}
	c := &Chart{ID: id, Title: words("{}", Name(title)), Guard: guard, clock: f.clock}
	c.From, c.To = q.Samples[0].At, q.Samples[len(q.Samples)-1].At
	if !c.To.After(c.From) {
		c.To = c.From.Add(time.Second)
	}
	step := 5 * time.Duration(every) / 2
	c.lines(q.Samples, step)
	c.stretches(q.Samples)
	c.Bands = f.bands(c.From, c.To)
	c.Usual = c.usual()
	for _, x := range f.faults {
		if x.verified == nil {
			continue
		}
		b := Band{Label: x.name, From: x.effect(), To: x.gone()}
		if b.To.IsZero() {
			b.To, b.Open = c.To, true
		}
		if b.To.Before(c.From) || b.From.After(c.To) {
			continue
		}
		c.Faults = append(c.Faults, b)
	}
	c.Alerts = f.alertTicks(c.From, c.To)
	return c
}

// usual is the range of what is drawn in the baseline.
func (c *Chart) usual() *Range {
	low, high := math.Inf(1), math.Inf(-1)
	for _, b := range c.Bands {
		if b.Label != string(journal.Baseline) {
			continue
		}
		for _, s := range c.Series {
			for _, seg := range s.Segments {
				for _, d := range seg {
					if !d.At.Before(b.From) && d.At.Before(b.To) {
						low, high = math.Min(low, d.Value), math.Max(high, d.Value)
					}
				}
			}
		}
	}
	if low > high {
		return nil
	}
	return &Range{low, high}
}

// bands are the phases of the run within a window.
func (f *facts) bands(from, to time.Time) []Band {
	var out []Band
	for i, p := range f.phases {
		b := Band{Label: string(p.p.Phase), From: p.at, To: to}
		if i+1 < len(f.phases) {
			b.To = f.phases[i+1].at
		}
		if b.From.Before(from) {
			b.From = from
		}
		if b.To.After(to) {
			b.To = to
		}
		if b.From.Before(b.To) {
			out = append(out, b)
		}
	}
	return out
}

// A track is one series while it is being read.
type track struct {
	key    string
	labels map[string]string
	dots   [][]Dot
	last   int // index of its last sample, −1: none
	bad    int
	worst  float64
	steps  []Dot // the bound
	op     string
	peak   *Dot
}

func (c *Chart) lines(samples []journal.Sample, gap time.Duration) {
	tracks := map[string]*track{}
	var order []*track
	var before []*track // by their place in the sample before: mostly it is the same one again
	for i, s := range samples {
		for n, v := range s.Series {
			if n == len(before) {
				before = append(before, nil)
			}
			t := before[n]
			if t == nil || !maps.Equal(t.labels, v.Labels) {
				key := formatLabels(v.Labels)
				if t = tracks[key]; t == nil {
					t = &track{key: key, labels: v.Labels, last: -1, worst: math.Inf(-1)}
					tracks[key] = t
					order = append(order, t)
				}
				before[n] = t
			}
			value := float64(v.Value)
			if !finite(value) {
				continue
			}
			d := Dot{s.At, value}
			broken := t.last < 0 || t.last != i-1 || gap > 0 && s.At.Sub(samples[t.last].At) > gap
			if broken {
				t.dots = append(t.dots, nil)
			}
			t.dots[len(t.dots)-1] = append(t.dots[len(t.dots)-1], d)
			t.last = i
			past := value
			if v.Bound != nil && finite(float64(*v.Bound)) {
				b := float64(*v.Bound)
				t.op = v.Op
				if n := len(t.steps); n == 0 || t.steps[n-1].Value != b {
					t.steps = append(t.steps, Dot{s.At, b})
				}
				// A claim "value < b" is worst above b, a guardrail's "value > b" too.
				if past = value - b; (v.Op == ">" || v.Op == ">=") != c.Guard {
					past = -past
				}
			}
			if !v.OK && s.State != journal.Waiting {
				t.bad++
			}
			if past > t.worst {
				t.worst = past
				t.peak = &Dot{s.At, value}
			}
		}
	}
	sort.SliceStable(order, func(i, j int) bool {
		a, b := order[i], order[j]
		switch {
		case a.bad != b.bad:
			return a.bad > b.bad
		case a.worst != b.worst:
			return a.worst > b.worst
		}
		return a.key < b.key
	})
	for _, t := range order {
		c.Several = c.Several || len(t.steps) > 0 && len(order[0].steps) > 0 && t.steps[0].Value != order[0].steps[0].Value
	}
	for i, t := range order {
		if len(t.dots) == 0 {
			continue
		}
		if len(c.Series) == mostSeries {
			c.LeftOut = append(c.LeftOut, t.key)
			continue
		}
		if i == 0 {
			c.Bound, c.BoundOp = t.steps, t.op
			if t.bad > 0 {
				c.Worst = t.peak
			}
		}
		c.Series = append(c.Series, Line{t.labels, thin(t.dots, c.From, c.To)})
	}
}

// drawn are the labels of the series that are drawn.
func (c *Chart) drawn() Tally {
	var out Tally
	for _, s := range c.Series {
		out = append(out, formatLabels(s.Labels))
	}
	return out
}

// stretches finds where the condition was violated and where there was no data.
func (c *Chart) stretches(samples []journal.Sample) {
	add := func(to *[]Band, i int, same bool) {
		s := samples[i]
		if same {
			(*to)[len(*to)-1].To = s.At
			return
		}
		*to = append(*to, Band{From: s.At, To: s.At})
	}
	for i, s := range samples {
		same := i > 0 && samples[i-1].State == s.State
		switch s.State {
		case journal.Violated:
			add(&c.Bad, i, same)
		case journal.NoData:
			add(&c.Gaps, i, same)
		}
	}
	const most = 200
	c.Bad, c.Gaps = merge(c.Bad, most), merge(c.Gaps, most)
}

// merge joins the nearest bands until at most so many are left.
func merge(bands []Band, most int) []Band {
	for len(bands) > most {
		var out []Band
		for i := 0; i < len(bands); i += 2 {
			b := bands[i]
			if i+1 < len(bands) {
				b.To = bands[i+1].To
			}
			out = append(out, b)
		}
		bands = out
	}
	return bands
}

// thin keeps at most about mostPoints of a series: from each bin of time its lowest and its highest, so that no extreme is
// lost. Segments stay apart.
func thin(segments [][]Dot, from, to time.Time) [][]Dot {
	total := 0
	for _, s := range segments {
		total += len(s)
	}
	if total <= mostPoints {
		return segments
	}
	bins := mostPoints / 2
	if len(segments) > bins { // so many gaps that each bin has some: its extremes are shown as dots
		var all []Dot
		for _, s := range segments {
			all = append(all, s...)
		}
		var out [][]Dot
		for _, d := range extremes(all, from, to, bins) {
			out = append(out, []Dot{d})
		}
		return out
	}
	var out [][]Dot
	for _, s := range segments {
		share := max(1, bins*len(s)/total)
		out = append(out, extremes(s, s[0].At, s[len(s)-1].At, share))
	}
	return out
}

func extremes(dots []Dot, from, to time.Time, bins int) []Dot {
	width := to.Sub(from)/time.Duration(bins) + 1
	var out []Dot
	for i := 0; i < len(dots); {
		bin := int(dots[i].At.Sub(from) / width)
		low, high := i, i
		j := i
		for ; j < len(dots) && int(dots[j].At.Sub(from)/width) == bin; j++ {
			if dots[j].Value < dots[low].Value {
				low = j
			}
			if dots[j].Value > dots[high].Value {
				high = j
			}
		}
		switch {
		case low == high:
			out = append(out, dots[low])
		default:
			out = append(out, dots[min(low, high)], dots[max(low, high)])
		}
		i = j
	}
	return out
}

// Lanes is the drawing of the timeline.
type Lanes struct {
	Text     Sentence
	From, To time.Time
	Bands    []Band
	Faults   []Band
	Marks    []Mark
}

// A Mark is one event in its lane.
type Mark struct {
	Lane  lane
	At    time.Time
	ID    string
	Title string
}

func (f *facts) lanes(shown []moment) *Lanes {
	span := f.span()
	l := &Lanes{From: span.from, To: span.to}
	later := 0
	for _, m := range shown {
		if m.at.After(l.To) { // people may speak long after the run
			continue
		}
		l.Marks = append(l.Marks, Mark{m.lane, m.at, m.id, m.text.plainText(f.clock)})
		if !span.has(m.at) {
			later++
		}
	}
	l.Bands = f.bands(l.From, l.To)
	for _, x := range f.faults {
		if x.verified == nil {
			continue
		}
		b := Band{Label: x.name, From: x.effect(), To: x.gone()}
		if b.To.IsZero() {
			b.To, b.Open = l.To, true
		}
		l.Faults = append(l.Faults, b)
	}
	l.Text = say(cite(f.first, span.ends), "The drawing shows the run from {} to {}, with the changes listed below it.", At(l.From), At(l.To))
	if later > 0 {
		l.Text = say(cite(f.first, span.ends), "The drawing shows the run from {} to {}; what came later is in the list alone.", At(l.From), At(l.To))
	}
	return l
}
