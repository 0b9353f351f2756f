package moved

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

const (
	// apart is how much Cliff's delta must be at least in size for something to have moved, or to have come back.
	apart = 0.75
	// smallest is the least relative size of a movement.
	smallest = 0.05
	// wander is how many times as far as it drifted in the baseline something must have moved.
	wander = 2
	// wholeTarget is the share of a target's series that must have appeared or vanished for the target to have done so.
	wholeTarget = 0.5
	// again is what each further movement of the same target, or of the same metric, counts, of what it would count as the first:
	// what befalls a target shows in many of its metrics, and something else tells more than the tenth of these.
	again = 0.8
	// fewSeries is how many series a target must have for that.
	fewSeries = 5
)

// A Comparison takes series one by one and keeps only what moved.
type Comparison struct {
	w       Windows
	settled Window
	series  int
	groups  map[string]*group
	steps   steps
	targets map[string]*tally
	scratch []float64
	bins    [4][]float64
}

// A group is what moved of one metric on one target.
type group struct {
	best   Movement
	series int
	target string
}

// A tally is of one target.
type tally struct {
	before, fault      int // series that it had in the baseline and in the fault
	appeared, vanished int
}

// New begins a comparison.
func New(w Windows) *Comparison {
	return &Comparison{w: w, settled: w.settled(), groups: map[string]*group{}, steps: newSteps(), targets: map[string]*tally{}}
}

// Add compares one series. It keeps nothing of the samples.
func (c *Comparison) Add(s Series) {
	if Skip(s.Metric) {
		return
	}
	c.series++
	at := key(s.Labels)
	t := c.targets[at]
	if t == nil {
		t = &tally{}
		c.targets[at] = t
	}
	m, ok := c.compare(&s, t)
	switch {
	case ok && m.few:
		collect(c.steps.groups, &s, at, m)
	case ok:
		collect(c.groups, &s, at, m)
	}
}

// collect puts a movement into the group of its metric on its target. What changed in different ways is told apart, but whether
// something came back or not is one subject.
func collect(groups map[string]*group, s *Series, at string, m Movement) {
	id := s.Metric + "\x00" + at
	g := groups[id]
	if g == nil {
		g = &group{target: at}
		groups[id] = g
	}
	g.series++
	if g.series == 1 || stronger(m, g.best) < 0 {
		m.Metric, m.Labels, m.Target = s.Metric, maps.Clone(s.Labels), targetOf(s.Labels)
		g.best = m
	}
}

// compare says how a series moved, if it did.
func (c *Comparison) compare(s *Series, t *tally) (Movement, bool) {
	m := c.modeOf(s)
	var before, during, after, end view
	for i, x := range []struct {
		v *view
		w Window
	}{{&before, c.w.Baseline}, {&during, c.w.Fault}, {&after, c.w.Recovery}, {&end, c.settled}} {
		*x.v = c.look(s, x.w, m, c.bins[i])
		c.bins[i] = x.v.bins[:0]
	}
	nb, nf, _ := c.w.Bins()
	out := Movement{By: Level, Baseline: before.phase(m), Fault: during.phase(m), Recovery: after.phase(m)}
	if m != byLevel {
		out.By = Rate
	}
	own := s.Metric != "up" // which is about the target
	if own && before.seen > 0 {
		t.before++
	}
	if own && during.seen > 0 {
		t.fault++
	}
	share := float64(during.seen) / float64(nf)
	floor := c.floor(s, m)
	switch {
	case before.seen == 0 && during.seen >= 2 && share >= 0.5:
		out.Change, out.Delta, out.Size = Appeared, share, 1
		if last := c.last(s); m != byLevel && finite(last) {
			// Counters begin at zero: what it has by the end has happened since.
			out.Size = size(0, last/c.w.Fault.To.Sub(c.w.Fault.From).Seconds(), floor)
		}
		if own {
			t.appeared++
		}
	case float64(before.seen) >= 0.5*float64(nb) && share < 0.5:
		out.Change, out.Delta, out.Size = Vanished, -(1 - share), 1
		if own {
			t.vanished++
		}
	case len(before.bins) >= needed && len(during.bins) >= needed:
		if isStart(s.Metric) && m == byLevel {
			return c.started(s, out)
		}
		b, f := before.level(m), during.level(m)
		out.Delta = cliff(before.bins, during.bins)
		out.Size = size(b, f, floor)
		step, stepped := c.stepped(s, out, before, during)
		switch {
		case step.few:
			return step, stepped
		case math.Abs(out.Delta) < apart || out.Size < smallest || (f > b) != (out.Delta > 0) || math.Abs(f-b) < wander*before.drift:
			return out, false
		}
		if out.Change = c.since(before, during, end, m, out.Delta); out.Change == "" {
			return out, false
		}
		if stepped {
			out.Size = max(out.Size, step.Size)
		}
	default:
		return out, false
	}
	out.Rank = math.Abs(out.Delta) * out.Size
	return out, out.Rank > 0
}

// since says what became of a movement by the end of the recovery; empty: neither did it come back nor did it stay, so that it is
// no more than noise.
func (c *Comparison) since(before, during, end view, m mode, delta float64) Change {
	if len(end.bins) < needed {
		return Moved
	}
	side := math.Copysign(1, delta)
	b, f, e := before.level(m), during.level(m), end.level(m)
	switch back := math.Abs(e-b) < math.Abs(e-f); {
	case back && -side*cliff(during.bins, end.bins) >= apart:
		return Returned
	case !back && side*cliff(before.bins, end.bins) >= apart:
		return Stayed
	}
	return ""
}

// last is the last value of a series in the window of the fault, where it has one.
func (c *Comparison) last(s *Series) float64 {
	_, to := s.between(c.w.Fault)
	return s.Values[to-1]
}

// floor is what is added to rates so that a few events more or less are not much: one event in each bin, for a counter of events.
// One of fractions, such as seconds, has no such thing.
func (c *Comparison) floor(s *Series, m mode) float64 {
	if m == byLevel || !s.whole() {
		return 0
	}
	return 1 / c.w.Bin.Seconds()
}

// size is how far two levels are apart, relative to the larger one: 0.5 is doubled or halved, 1 is from or to nothing.
func size(a, b, floor float64) float64 {
	larger := max(math.Abs(a), math.Abs(b)) + floor
	if larger == 0 {
		return 0
	}
	return min(math.Abs(b/larger-a/larger), 1)
}

// stronger orders movements, the strongest first: by rank; a value that moved tells more than one that came or went; then by how
// many series moved.
func stronger(a, b Movement) int {
	gone := func(m Movement) int {
		if m.Change == Appeared || m.Change == Vanished {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(b.Rank, a.Rank), cmp.Compare(gone(a), gone(b)), cmp.Compare(b.Series, a.Series))
}

// Compared is how many series were compared.
func (c *Comparison) Compared() int { return c.series }

// Movements are what moved, the strongest first, but so that what moves often leaves room for others.
func (c *Comparison) Movements() []Movement {
	type keyed struct {
		Movement
		id string
	}
	var all []keyed
	came, went := map[string]*keyed{}, map[string]*keyed{}
	groups := c.steps.beside(c.groups, c.w)
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		g := groups[id]
		m := keyed{g.best, id}
		m.Series = g.series
		t := c.targets[g.target]
		merged := map[string]*keyed(nil)
		switch own := m.Metric != "up"; {
		case own && m.Change == Vanished && isWhole(t.vanished, t.before):
			merged = went
		case own && m.Change == Appeared && isWhole(t.appeared, t.fault):
			merged = came
		}
		if merged == nil {
			all = append(all, m)
			continue
		}
		whole := merged[g.target]
		if whole == nil {
			whole = &keyed{Movement{Target: m.Target, Labels: m.Target, Change: m.Change, By: Level, Size: 1}, string(m.Change) + g.target}
			merged[g.target] = whole
		}
		whole.Series += g.series
		if math.Abs(m.Delta) > math.Abs(whole.Delta) {
			whole.Delta, whole.Rank = m.Delta, math.Abs(m.Delta)
		}
	}
	for _, merged := range []map[string]*keyed{came, went} {
		for _, id := range slices.Sorted(maps.Keys(merged)) {
			all = append(all, *merged[id])
		}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return cmp.Or(stronger(a.Movement, b.Movement), cmp.Compare(a.id, b.id)) })
	counts := make(map[string]float64, len(all)) // by id
	before := map[string]int{}                   // stronger movements of the same target or metric
	for _, m := range all {
		at, metric := "target "+key(m.Target), "metric "+m.Metric
		if m.By == Step { // an event tells something else than what is measured all the time
			at, metric = "steps of "+at, "steps of "+metric
		}
		counts[m.id] = m.Rank * math.Pow(again, float64(before[at]+before[metric]))
		before[at]++
		before[metric]++
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return cmp.Compare(counts[b.id], counts[a.id]) })
	out := make([]Movement, len(all))
	for i, m := range all {
		out[i] = m.Movement
	}
	return out
}

// isWhole says whether so many of a target's series stand for all of it.
func isWhole(n, of int) bool { return of >= fewSeries && float64(n) >= wholeTarget*float64(of) }
