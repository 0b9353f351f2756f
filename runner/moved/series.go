package moved

import (
	"math"
	"slices"
	"sort"
	"time"
)

// A mode is how a series is compared.
type mode int

const (
	byLevel mode = iota
	byIncrease
	byDecrease
)

// modeOf is how a series is to be compared.
func (c *Comparison) modeOf(s *Series) mode {
	if s.isCounter() {
		return byIncrease
	}
	return c.trend(s)
}

// isCounter says whether a series is one, by what its metric is said to be.
func (s *Series) isCounter() bool {
	return s.Type == Counter || s.Type == Unknown && isCounter(s.Metric)
}

// trend says whether a gauge only ever grew or only ever shrank in the baseline: then its level is bound to be another one later,
// and only its slope can have moved.
func (c *Comparison) trend(s *Series) mode {
	up, down, steps := 0, 0, 0
	from, to := s.between(c.w.Baseline)
	for i := from + 1; i < to; i++ {
		steps++
		switch d := s.Values[i] - s.Values[i-1]; {
		case d > 0:
			up++
		case d < 0:
			down++
		}
		if up > 0 && down > 0 {
			return byLevel
		}
	}
	const few = 4
	switch {
	case steps < few || up+down < steps/2:
		return byLevel
	case up > 0:
		return byIncrease
	default:
		return byDecrease
	}
}

// between are the samples of a window: from the index from up to, and without, to.
func (s *Series) between(w Window) (from, to int) {
	a, b := w.From.UnixMilli(), w.To.UnixMilli()
	from = sort.Search(len(s.Times), func(i int) bool { return s.Times[i] >= a })
	to = from + sort.Search(len(s.Times)-from, func(i int) bool { return s.Times[from+i] >= b })
	return from, to
}

// whole says whether a series has whole numbers only, as a counter of events does.
func (s *Series) whole() bool {
	return !slices.ContainsFunc(s.Values, func(v float64) bool { return v != math.Trunc(v) })
}

// A view is what one window shows of a series.
type view struct {
	bins []float64 // the level of each bin that has one, sorted
	seen int       // bins that have a sample
	mean float64
	// drift is how far the mean of its second half is from that of its first: what wanders by itself may go on doing so.
	drift float64
}

// look cuts a window of a series into bins. A bin without samples has no level, nor has one in which a counter has no increase
// that could be told.
func (c *Comparison) look(s *Series, w Window, m mode, bins []float64) view {
	v := view{bins: bins[:0]}
	width := c.w.Bin.Milliseconds()
	begin := w.From.UnixMilli()
	i, end := s.between(w)
	last := i - 1 // the sample before, from which an increase counts
	if last >= 0 && begin-s.Times[last] > c.w.Bin.Milliseconds() {
		last = -1 // it is from another time
	}
	for i < end {
		until := begin + ((s.Times[i]-begin)/width+1)*width
		level, ok, any := 0.0, false, false
		if m == byLevel {
			c.scratch = c.scratch[:0]
			for ; i < end && s.Times[i] < until; i++ {
				if x := s.Values[i]; finite(x) {
					c.scratch = append(c.scratch, x)
				}
			}
			if any = len(c.scratch) > 0; any {
				slices.Sort(c.scratch)
				level, ok = middle(c.scratch), true
			}
		} else {
			sum, millis := 0.0, int64(0)
			for ; i < end && s.Times[i] < until; i++ {
				x := s.Values[i]
				if !finite(x) {
					continue
				}
				any = true
				if last >= 0 {
					// A step the other way is a reset: how much was lost in it nobody knows.
					if d := x - s.Values[last]; d >= 0 && m == byIncrease || d <= 0 && m == byDecrease {
						sum += d
						millis += s.Times[i] - s.Times[last]
					}
				}
				last = i
			}
			if ok = millis > 0; ok {
				level = sum / (float64(millis) / float64(time.Second/time.Millisecond))
			}
		}
		if any {
			v.seen++
		}
		if ok && finite(level) { // the sum of two large numbers is infinite
			v.bins = append(v.bins, level)
		}
	}
	v.mean = mean(v.bins)
	half := len(v.bins) / 2
	v.drift = math.Abs(mean(v.bins[:half]) - mean(v.bins[half:]))
	slices.Sort(v.bins)
	return v
}

// phase is the view as it is told.
func (v view) phase(m mode) Phase {
	p := Phase{Bins: len(v.bins)}
	if p.Bins > 0 {
		p.Level = v.level(m)
	}
	return p
}

// level is the median of a gauge. Of a rate it is the mean: the median of rare events is always zero.
func (v view) level(m mode) float64 {
	if m == byLevel {
		return middle(v.bins)
	}
	return v.mean
}

// mean of nothing is 0.
func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x / float64(len(v))
	}
	return sum
}

// middle is the median of sorted values.
func middle(v []float64) float64 {
	n := len(v)
	lo, hi := v[(n-1)/2], v[n/2]
	if lo == hi {
		return lo
	}
	return lo/2 + hi/2 // the sum of two large numbers is infinite
}

// finite says that x is a number, and not infinite: the difference of anything else to itself is NaN.
func finite(x float64) bool { return x-x == 0 }

// cliff is Cliff's delta of two sorted lists: how much more often a value of b is above one of a than below it, from −1 to 1.
func cliff(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	above, below := 0, 0
	lo, hi := 0, 0 // of a: so many are less than, and so many at most, the value of b
	for _, x := range b {
		for lo < len(a) && a[lo] < x {
			lo++
		}
		hi = max(hi, lo)
		for hi < len(a) && a[hi] <= x {
			hi++
		}
		above += lo
		below += len(a) - hi
	}
	return float64(above-below) / float64(len(a)*len(b))
}
