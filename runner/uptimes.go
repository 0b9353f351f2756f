package runner

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// uptimes is when the targets of a source were scraped, and whether they answered.
type uptimes struct{ targets []uptime }

// An uptime is that of one target.
type uptime struct {
	labels   map[string]string
	interval time.Duration // the usual time between two scrapes
	up       bool          // it answered at least once
	down     absence       // it was scraped and did not answer
	gap      absence       // it was not scraped
	last     int64
}

// An absence is the longest time of its kind, and how often there was one.
type absence struct {
	from, to int64 // milliseconds since 1970
	times    int
}

func (a *absence) add(from, to int64) {
	a.times++
	if to-from > a.to-a.from {
		a.from, a.to = from, to
	}
}

// add takes in the series up of one target.
func (u *uptimes) add(s metrics.RawSeries) {
	if len(s.Times) == 0 {
		return
	}
	steps := make([]float64, 0, len(s.Times))
	for i := 1; i < len(s.Times); i++ {
		steps = append(steps, float64(s.Times[i]-s.Times[i-1]))
	}
	t := uptime{labels: maps.Clone(s.Labels), last: s.Times[len(s.Times)-1]}
	if len(steps) > 0 {
		t.interval = time.Duration(median(steps)) * time.Millisecond
	}
	since := int64(-1) // when a stretch without answers began
	for i, at := range s.Times {
		if i > 0 && t.late(at-s.Times[i-1]) {
			t.gap.add(s.Times[i-1], at)
		}
		switch up := s.Values[i] != 0; {
		case up && since >= 0:
			t.down.add(since, at)
			since = -1
		case !up && since < 0:
			since = at
		}
		t.up = t.up || s.Values[i] != 0
	}
	if since >= 0 {
		t.down.add(since, t.last)
	}
	u.targets = append(u.targets, t)
}

// upOfAll selects the series up of every target.
const upOfAll = `{__name__="up"}`

// scan adds the targets whose series up a selector selects, as they were between two times.
func (u *uptimes) scan(ctx context.Context, src metrics.Scanner, selector string, from, to time.Time) (left string, err error) {
	return src.Scan(ctx, metrics.Scan{Selector: selector, From: from, To: to, Skip: func(metric string) bool { return metric != "up" }}, u.add)
}

// without leaves out the targets that others have.
func (u *uptimes) without(others *uptimes) {
	known := map[string]bool{}
	for _, t := range others.targets {
		known[seriesKey(t.labels)] = true
	}
	u.targets = slices.DeleteFunc(u.targets, func(t uptime) bool { return known[seriesKey(t.labels)] })
}

// late says whether two scrapes are so far apart that one between them is missing.
func (t uptime) late(millis int64) bool {
	return t.interval > 0 && time.Duration(millis)*time.Millisecond > t.interval*5/2
}

// spots are what could not have been seen of the targets until the end.
func (u *uptimes) spots(end time.Time) []journal.BlindSpot {
	var never, down, gaps []journal.BlindSpot
	slices.SortFunc(u.targets, func(a, b uptime) int { return strings.Compare(seriesKey(a.labels), seriesKey(b.labels)) })
	for _, t := range u.targets {
		spot := func(what journal.BlindWhat, a absence) journal.BlindSpot {
			from, to := time.UnixMilli(a.from).UTC(), time.UnixMilli(a.to).UTC()
			return journal.BlindSpot{What: what, Labels: t.labels, Reads: journal.Duration(to.Sub(from)), Interval: journal.Duration(t.interval),
				From: &from, To: &to, Gaps: a.times}
		}
		if t.late(end.UnixMilli() - t.last) {
			t.gap.add(t.last, end.UnixMilli())
		}
		switch {
		case !t.up:
			never = append(never, journal.BlindSpot{What: journal.BlindNeverUp, Labels: t.labels, Interval: journal.Duration(t.interval)})
			continue
		case t.down.times > 0:
			down = append(down, spot(journal.BlindDown, t.down))
		}
		if t.gap.times > 0 {
			gaps = append(gaps, spot(journal.BlindGap, t.gap))
		}
	}
	var out []journal.BlindSpot
	for _, list := range [][]journal.BlindSpot{never, down, gaps} {
		out = append(out, list[:min(mostSpots, len(list))]...)
	}
	return out
}
