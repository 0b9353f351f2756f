package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

const (
	// enoughSamples is how many samples a range has to hold so that a rate of it is seldom empty.
	enoughSamples = 4
	// mostSpots is how many blind spots of one kind are written down.
	mostSpots = 50
)

// blindFaults notes the faults that are over before the next sample is due.
func (p *Plan) blindFaults(warn report) {
	every := time.Duration(0)
	for _, q := range p.Queries {
		if every == 0 || q.Every < every {
			every = q.Every
		}
	}
	if len(p.Queries) == 0 {
		return
	}
	every = max(every, p.Scenario.Source.Interval)
	_, all, _ := p.Length()
	for _, f := range p.Faults {
		d := f.Fault.Duration
		if d == 0 || d >= every {
			continue
		}
		p.Blind = append(p.Blind, journal.BlindSpot{What: journal.BlindFault, Name: f.Fault.Name, Reads: journal.Duration(d), Interval: journal.Duration(every)})
		if all >= every { // or every hypothesis says so
			warn(f.Fault.Range, fmt.Sprintf("fault %q %q", f.Fault.Kind, f.Fault.Name), "it lasts %s, and there is a sample every %s: nothing may be seen of it", d, every)
		}
	}
}

// blindRules notes the alerting rules that are evaluated more rarely than the faults last.
func (p *Plan) blindRules() {
	_, fault, _ := p.Length()
	for _, r := range p.Alerts {
		if fault > 0 && r.Interval > fault {
			p.Blind = append(p.Blind, journal.BlindSpot{What: journal.BlindRule, Name: r.Alert, Reads: journal.Duration(fault), Interval: journal.Duration(r.Interval)})
		}
	}
}

// blindNow looks for what a source cannot see at the moment, and adds it to the warnings of the plan.
func (p *Plan) blindNow(ctx context.Context, src metrics.Source, now time.Time) {
	sc := p.Scenario
	warn := func(format string, args ...any) {
		pr := at(sc.Source.Range, fmt.Sprintf("prometheus %q", sc.Source.Name))
		pr.Message = fmt.Sprintf(format, args...)
		p.Warnings = append(p.Warnings, pr)
	}
	if emb, ok := src.(*metrics.Embedded); ok {
		for _, t := range emb.Targets() {
			if !t.Up {
				warn("%s does not answer when it is scraped (%s): nothing of it can be seen", targetWords(t.Labels), t.LastError)
			}
		}
		for _, t := range emb.Probes() {
			if !t.Up {
				warn("%s does not answer when it is probed (%s)", targetWords(t.Labels), t.LastError)
			}
		}
		return
	}
	for _, spot := range thinRanges(ctx, src, p.Queries, now) {
		warn("the query of %s looks back %s, and that holds hardly any samples (there is one about every %s): a range should hold at least %d, or a rate of it is often empty",
			spot.Name, spot.Reads, spot.Interval, enoughSamples)
	}
	if sc.Source.Watch == "" {
		return
	}
	if down, err := src.Query(ctx, metrics.Up(sc.Source.Watch), now); err == nil {
		for _, s := range down.Series {
			if s.Value == 0 {
				warn("%s does not answer when the server scrapes it: nothing of it can be seen", targetWords(s.Labels))
			}
		}
	}
}

// thinRanges finds the ranges in queries that hold too few samples, as far as the source can tell.
func thinRanges(ctx context.Context, src metrics.Source, queries []PlannedQuery, now time.Time) (out []journal.BlindSpot) {
	for _, q := range queries {
		for _, r := range metrics.Ranges(q.Text) {
			res, err := src.Query(ctx, fmt.Sprintf("min(count_over_time(%s))", r.Text), now)
			if err != nil || len(res.Series) == 0 || res.Series[0].Value >= enoughSamples || res.Series[0].Value < 1 {
				continue // that there is no data is said elsewhere
			}
			out = append(out, journal.BlindSpot{What: journal.BlindRange, Name: q.Name(), QueryID: q.ID, Reads: journal.Duration(r.Length),
				Interval: journal.Duration((r.Length / time.Duration(res.Series[0].Value)).Round(time.Millisecond))})
		}
	}
	return out
}

// thinRanges asks a server for those of the baseline.
func (r *Run) thinRanges(ctx context.Context) []journal.BlindSpot {
	r.mu.Lock()
	at := r.faultStart
	r.mu.Unlock()
	if r.source == nil || r.plan.Scenario.Source.URL == "" || at.IsZero() {
		return nil
	}
	return thinRanges(ctx, r.source, r.plan.Queries, at)
}

// writeSpots writes down what could not be seen, if there is anything.
func (r *Run) writeSpots(spots []journal.BlindSpot) error {
	if len(spots) == 0 {
		return nil
	}
	return r.write(&journal.BlindSpots{Spots: spots})
}

// targetWords names a target by its labels.
func targetWords(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "__name__" {
			parts = append(parts, fmt.Sprintf("%s=%q", name, labels[name]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

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
