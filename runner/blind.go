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
	// lookAtTargets is how far a plan looks back at whether a server's targets answered; of mostSilent of them it says so.
	lookAtTargets = 5 * time.Minute
	mostSilent    = 10
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

// blindRules are the alerting rules that are evaluated more rarely than the faults last.
func (p *Plan) blindRules(rules []metrics.AlertRule) (out []journal.BlindSpot) {
	_, fault, _ := p.Length()
	for _, r := range rules {
		if fault > 0 && r.Interval > fault && len(out) < mostSpots {
			out = append(out, journal.BlindSpot{What: journal.BlindRule, Name: r.Alert, Reads: journal.Duration(fault), Interval: journal.Duration(r.Interval)})
		}
	}
	return out
}

// blindNow looks for what a source cannot see at the moment, and adds it to the warnings of the plan: so, too, what it could not be
// asked. It was asked for numbers since the given time.
func (p *Plan) blindNow(ctx context.Context, src metrics.Source, since, now time.Time) {
	sc := p.Scenario
	warn := func(format string, args ...any) {
		p.Warnings = append(p.Warnings, problem(sc.Source.Range, fmt.Sprintf("prometheus %q", sc.Source.Name), format, args...))
	}
	if emb, ok := src.(*metrics.Embedded); ok {
		silent := map[string]bool{}
		for _, t := range emb.Targets() {
			if !t.Up {
				silent[seriesKey(t.Labels)] = true
				warn("%s does not answer when it is scraped (%s): nothing of it can be seen", targetWords(t.Labels), t.LastError)
			}
		}
		for _, t := range emb.Probes() {
			if !t.Up {
				warn("%s does not answer when it is probed (%s)", targetWords(t.Labels), t.LastError)
			}
		}
		warnOfSilence(ctx, emb, `{__name__="up"}`, since, now, func(b journal.BlindSpot) bool { return !silent[seriesKey(b.Labels)] }, warn)
		return
	}
	for _, spot := range thinRanges(ctx, src, p.Queries, now) {
		if spot.What == journal.BlindUnchecked {
			warn("whether the ranges in the query of %s hold enough samples could not be asked: %s", spot.Name, spot.Detail)
			continue
		}
		warn("the query of %s looks back %s, and that holds hardly any samples (there is one about every %s): a range should hold at least %d, or a rate of it is often empty",
			spot.Name, spot.Reads, spot.Interval, enoughSamples)
	}
	if server, ok := src.(*metrics.Server); ok {
		for _, selector := range p.upSelectors() {
			warnOfSilence(ctx, server, selector, now.Add(-lookAtTargets), now, nil, warn)
		}
	}
}

// upSelectors select the series up of the targets of which a server is asked: what watch selects, and the jobs and instances that
// queries name.
func (p *Plan) upSelectors() []string {
	var out []string
	if watch := p.Scenario.Source.Watch; watch != "" {
		out = append(out, metrics.Up(watch))
	}
	for _, q := range p.Queries {
		for _, selector := range metrics.UpOf(q.Text) {
			if !slices.Contains(out, selector) {
				out = append(out, selector)
			}
		}
	}
	return out
}

// warnOfSilence says which targets were silent, or were not scraped, between two times; but for those that are not wanted.
func warnOfSilence(ctx context.Context, src metrics.Scanner, selector string, from, to time.Time, wanted func(journal.BlindSpot) bool, warn func(string, ...any)) {
	up := &uptimes{}
	left, err := src.Scan(ctx, metrics.Scan{Selector: selector, From: from, To: to, Skip: func(metric string) bool { return metric != "up" }}, up.add)
	switch {
	case err != nil:
		warn("whether the targets answer (%s) could not be asked: %v", selector, err)
		return
	case left != "":
		warn("whether the targets answer (%s) is known in part only: %s", selector, left)
	case len(up.targets) == 0 && wanted == nil:
		warn("there is no series %s: whether the targets behind it answer cannot be seen", selector)
	}
	spots := up.spots(to)
	if wanted != nil {
		spots = slices.DeleteFunc(spots, func(b journal.BlindSpot) bool { return !wanted(b) })
	}
	for i, b := range spots {
		if i == mostSilent {
			warn("so it is with %s more", count(len(spots)-i, "target"))
			break
		}
		warn("%s", silenceWords(b, to.Sub(from)))
	}
}

// silenceWords says what was not seen of a target in the time that was looked at.
func silenceWords(b journal.BlindSpot, looked time.Duration) string {
	const clock = "15:04:05"
	if b.What == journal.BlindNeverUp {
		return fmt.Sprintf("%s did not answer even once in the last %s when it was scraped: nothing of it can be seen", targetWords(b.Labels), journal.Duration(looked.Round(time.Second)))
	}
	what := "did not answer when it was scraped"
	if b.What == journal.BlindGap {
		what = "was not scraped"
	}
	s := fmt.Sprintf("%s %s from %s to %s", targetWords(b.Labels), what, b.From.Format(clock), b.To.Format(clock))
	if b.Gaps > 1 {
		s += fmt.Sprintf(", the longest of %d such times in the last %s", b.Gaps, journal.Duration(looked.Round(time.Second)))
	}
	return s + ": what it does at such a time cannot be seen"
}

// thinRanges finds the ranges in queries that hold too few samples, and the queries of which the source has no answer to that.
func thinRanges(ctx context.Context, src metrics.Source, queries []PlannedQuery, now time.Time) (out []journal.BlindSpot) {
	for _, q := range queries {
		for _, r := range metrics.Ranges(q.Text) {
			res, err := src.Query(ctx, fmt.Sprintf("min(count_over_time(%s))", r.Text), now)
			if err != nil {
				out = append(out, journal.BlindSpot{What: journal.BlindUnchecked, Name: q.Name(), QueryID: q.ID, Detail: err.Error()})
				break
			}
			if len(res.Series) == 0 || res.Series[0].Value >= enoughSamples || res.Series[0].Value < 1 {
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
