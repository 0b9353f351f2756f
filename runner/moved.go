package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/runner/moved"
	"gameday/scenarios"
)

const (
	// lookBackLimit is how long the look at all series may take. Everything is undone and judged by then.
	lookBackLimit = 20 * time.Second
	// mostFindings and mostFloor are how many movements, and metrics of a noise floor, are kept.
	mostFindings = 50
	mostFloor    = 1000
)

// NotWatched says in words why nothing is known of what else moved in a source; empty: all series in reach are compared.
func NotWatched(s *scenarios.Source) string {
	switch {
	case s == nil:
		return "the scenario has no source of numbers"
	case s.URL != "" && s.Watch == "":
		return fmt.Sprintf("prometheus %q is a server that knows much more than this system, and does not say which of its series to compare; "+
			"say it with a selector, such as watch = \"{job=~\\\"shop.*\\\"}\"", s.Name)
	}
	return ""
}

// lookBack reads all series in reach once more and writes down what moved in them and which targets could not be seen. It comes
// after all undos and verdicts, and changes nothing of them.
func (r *Run) lookBack(end time.Time) {
	switch why, _ := r.stopped.why(); why {
	case journal.UndoInterrupted, journal.UndoGuard:
		r.write(&journal.Moved{Why: "the run was ended before its time"})
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookBackLimit)
	defer cancel()
	if !r.stopped.is() {
		var cancelStop context.CancelFunc
		ctx, cancelStop = r.untilStopped(ctx)
		defer cancelStop()
	}
	m := r.compareAll(ctx, end)
	r.writeSpots(append(r.thinRanges(ctx), r.lookAtTargets(ctx, end)...))
	r.write(m)
}

// lookAtTargets is what could not be seen of targets in the run. Of a server those are looked at whose series are read, whether
// anything is compared or not.
func (r *Run) lookAtTargets(ctx context.Context, end time.Time) (out []journal.BlindSpot) {
	src, ok := unwatched(r.source).(metrics.Scanner)
	if !ok {
		return nil
	}
	r.mu.Lock()
	start := r.start.Round(0)
	r.mu.Unlock()
	if start.IsZero() {
		return nil
	}
	server := r.plan.Scenario.Source.URL != ""
	selectors := []string{upOfAll}
	if server {
		var rules []metrics.AlertRule
		if r.alerts != nil {
			rules = r.alerts.rules
		}
		out = r.plan.alertsBetween(rules)
		selectors = r.plan.upSelectors(rules)
	}
	all := &uptimes{}
	for _, selector := range selectors {
		up := &uptimes{}
		left, err := up.scan(ctx, src, selector, start, end.Round(0))
		switch {
		case err != nil:
			left = err.Error()
		case left == "" && len(up.targets) == 0 && server:
			left = "there is no such series"
		}
		if left != "" && server {
			out = append(out, journal.BlindSpot{What: journal.BlindTargets, Name: selector, Detail: left})
		}
		up.without(all)
		all.targets = append(all.targets, up.targets...)
	}
	if server {
		out = append(out, r.plan.rarelyScraped(all)...)
	}
	return append(out, all.spots(end)...)
}

// compareAll compares the fault with the baseline and the recovery in every series.
func (r *Run) compareAll(ctx context.Context, end time.Time) *journal.Moved {
	out := &journal.Moved{}
	src, why := r.scanner()
	if why != "" {
		out.Why = why
		return out
	}
	r.mu.Lock()
	course := moved.Course{Start: r.start.Round(0), Fault: r.faultStart.Round(0), Undo: r.lastUndo.Round(0), End: end.Round(0)}
	notDone := r.notDone
	r.mu.Unlock()
	if course.Fault.IsZero() || notDone != "" {
		out.Why = "no fault was in force"
		return out
	}
	windows, err := moved.Cut(course, slowest(r.plan.Scenario.Source))
	if err != nil {
		out.Why = err.Error()
		return out
	}
	all := moved.New(windows)
	scan := metrics.Scan{Selector: r.plan.Scenario.Source.Watch, From: course.Start, To: course.End, Skip: moved.Skip}
	began := time.Now()
	left, err := src.Scan(ctx, scan, func(s metrics.RawSeries) {
		all.Add(moved.Series{Metric: s.Metric, Labels: s.Labels, Type: kinds[s.Kind], Times: s.Times, Values: s.Values})
	})
	switch {
	case err != nil && ctx.Err() != nil:
		out.Why = fmt.Sprintf("it took longer than the %s that it may, or was interrupted", lookBackLimit)
	case err != nil:
		out.Why = err.Error()
	default:
		out.Selector, out.Left = scan.Selector, left
		r.describeMoved(out, windows, all)
		out.Took = journal.Duration(time.Since(began))
	}
	return out
}

// kinds are what exporters say of their metrics.
var kinds = map[string]moved.Type{"counter": moved.Counter, "gauge": moved.Gauge}

// scanner is the source as one whose samples can be read, or why there is none.
func (r *Run) scanner() (metrics.Scanner, string) {
	src := r.source
	if src == nil {
		return nil, "nothing was asked of a source of numbers"
	}
	if why := NotWatched(r.plan.Scenario.Source); why != "" {
		return nil, why
	}
	s, ok := unwatched(src).(metrics.Scanner)
	if !ok {
		return nil, "the source hands out no samples"
	}
	return s, ""
}

// unwatched is the source itself.
func unwatched(src metrics.Source) metrics.Source {
	if w, ok := src.(*watchedSource); ok {
		return w.Source
	}
	return src
}

// slowest is the longest time between two scrapes of the embedded engine. That of a server is not known: a second.
func slowest(s *scenarios.Source) time.Duration {
	if s.URL != "" {
		return time.Second
	}
	longest := s.Interval
	for _, sc := range s.Scrapes {
		longest = max(longest, sc.Interval)
	}
	return longest
}

// describeMoved puts a comparison into the form of the record.
func (r *Run) describeMoved(out *journal.Moved, w moved.Windows, all *moved.Comparison) {
	b, f, rec := w.Bins()
	out.Bin, out.Compared = journal.Duration(w.Bin), all.Compared()
	for _, x := range []struct {
		phase journal.Phase
		w     moved.Window
		bins  int
	}{{journal.Baseline, w.Baseline, b}, {journal.Fault, w.Fault, f}, {journal.Recovery, w.Recovery, rec}} {
		out.Windows = append(out.Windows, journal.MovedWindow{Phase: x.phase, From: x.w.From.UTC(), To: x.w.To.UTC(), Bins: x.bins})
	}
	movements := all.Movements()
	counts := map[moved.Change]int{}
	for _, m := range movements {
		counts[m.Change]++
	}
	for _, c := range []moved.Change{moved.Returned, moved.Stayed, moved.Moved, moved.Appeared, moved.Vanished} {
		if counts[c] > 0 {
			out.Counts = append(out.Counts, journal.MovedCount{Change: string(c), Movements: counts[c]})
		}
	}
	var floor map[string]journal.Number
	if r.plan.Sham {
		out.Floor = noiseOf(movements)
	} else {
		out.Noise, floor = shamNoise(r.setup.Runs, r.plan.Scenario.Name)
	}
	readers := r.readers()
	for _, m := range movements[:min(mostFindings, len(movements))] {
		j := journal.Movement{Metric: m.Metric, Target: m.Target, Labels: m.Labels, Change: string(m.Change), By: string(m.By),
			Baseline: movedLevel(m.Baseline), Fault: movedLevel(m.Fault), Recovery: movedLevel(m.Recovery),
			Delta: journal.Number(m.Delta), Size: journal.Number(m.Size), Rank: journal.Number(m.Rank), Series: m.Series}
		for _, x := range readers {
			if x.reads(m.Metric) {
				j.Named = append(j.Named, x.name)
			}
		}
		if noise, moves := floor[m.Metric]; moves {
			j.Sham, j.InNoise = &noise, noise >= j.Rank
		}
		if j.InNoise {
			out.Noise.Within++
		}
		out.Findings = append(out.Findings, j)
	}
}

func movedLevel(p moved.Phase) *journal.MovedLevel {
	if p.Bins == 0 {
		return nil
	}
	return &journal.MovedLevel{Value: journal.Number(p.Level), Bins: p.Bins}
}

// A reader is who names metrics in the scenario.
type reader struct {
	name  string
	reads func(metric string) bool
}

func (r *Run) readers() []reader {
	var out []reader
	for _, q := range r.plan.Queries {
		out = append(out, reader{q.Name(), metrics.Names(q.Text)})
	}
	rules := r.plan.Alerts
	if r.alerts != nil {
		rules = r.alerts.rules
	}
	for _, rule := range rules {
		out = append(out, reader{rule.Alert, metrics.Names(rule.Expr)})
	}
	return out
}

// noiseOf is how far each metric moved in a sham run: those that moved most, by name.
func noiseOf(movements []moved.Movement) []journal.MetricNoise {
	highest := map[string]float64{}
	for _, m := range movements { // the strongest first
		if _, known := highest[m.Metric]; !known && len(highest) < mostFloor {
			highest[m.Metric] = m.Rank
		}
	}
	var out []journal.MetricNoise
	for _, name := range slices.Sorted(maps.Keys(highest)) {
		out = append(out, journal.MetricNoise{Metric: name, Rank: journal.Number(highest[name])})
	}
	return out
}
