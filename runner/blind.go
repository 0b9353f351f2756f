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

// shortestFault is how long the fault is to last that lasts for the shortest time, as verdicts have it; of those that only begin, the
// whole time of the faults; 0: there is none.
func (p *Plan) shortestFault() time.Duration {
	if d := least(p.Faults, func(f PlannedFault) time.Duration { return f.Fault.Duration }); d > 0 {
		return d
	}
	_, all, _ := p.Length()
	return all
}

// blindRules are the alerting rules that are evaluated more rarely, or need a recording rule that is, than the shortest fault lasts.
func (p *Plan) blindRules(rules []metrics.AlertRule) (out []journal.BlindSpot) {
	fault := p.shortestFault()
	for _, r := range rules {
		if fault > 0 && r.Rarest() > fault && len(out) < mostSpots {
			out = append(out, journal.BlindSpot{What: journal.BlindRule, Name: r.Alert, Reads: journal.Duration(fault), Interval: journal.Duration(r.Rarest())})
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
		warnOfSilence(ctx, emb, upOfAll, since, now, &uptimes{}, func(b journal.BlindSpot) bool { return !silent[seriesKey(b.Labels)] }, warn)
		return
	}
	up := &uptimes{}
	server, isServer := src.(*metrics.Server)
	readings := p.readings()
	if isServer {
		rules, err := server.RuleExprs(ctx, p.claimed())
		if err == nil {
			readings = append(readings, readingsOf(rules)...)
		}
	}
	for _, spot := range thinRanges(ctx, src, readings, now) {
		if spot.What == journal.BlindUnchecked {
			warn("whether the ranges in what %s reads hold enough samples could not be asked: %s", spot.Name, spot.Detail)
			continue
		}
		warn("%s looks back %s, and that holds hardly any samples (there is one about every %s): a range should hold at least %d, or a rate of it is often empty",
			spot.Name, spot.Reads, spot.Interval, enoughSamples)
	}
	if !isServer {
		return
	}
	for _, selector := range p.upSelectors(p.Alerts) {
		warnOfSilence(ctx, server, selector, now.Add(-lookAtTargets), now, up, nil, warn)
	}
	for _, spot := range append(p.alertsBetween(p.Alerts), p.rarelyScraped(up)...) {
		warn("%s", shortFaultWords(spot))
	}
}

// claimed are the alerts that the scenario names.
func (p *Plan) claimed() (out []string) {
	for _, a := range p.Scenario.Alerts {
		out = append(out, a.Name)
	}
	return out
}

// upSelectors select the series up of the targets of which a server is asked: what watch selects, and the jobs and instances that
// queries and the rules of claimed alerts name.
func (p *Plan) upSelectors(rules []metrics.AlertRule) []string {
	var out []string
	if watch := p.Scenario.Source.Watch; watch != "" {
		out = append(out, metrics.Up(watch))
	}
	var texts []string
	for _, q := range p.Queries {
		texts = append(texts, q.Text)
	}
	for _, r := range rules {
		if slices.Contains(p.claimed(), r.Alert) {
			texts = append(texts, r.Expr)
		}
	}
	for _, text := range texts {
		for _, selector := range metrics.UpOf(text) {
			if !slices.Contains(out, selector) {
				out = append(out, selector)
			}
		}
	}
	return out
}

// warnOfSilence says which targets were silent, or were not scraped, between two times; but for those that are not wanted, and for
// those that are in all already, to which it adds.
func warnOfSilence(ctx context.Context, src metrics.Scanner, selector string, from, to time.Time, all *uptimes, wanted func(journal.BlindSpot) bool, warn func(string, ...any)) {
	up := &uptimes{}
	left, err := up.scan(ctx, src, selector, from, to)
	switch {
	case err != nil:
		warn("whether the targets answer (%s) could not be asked: %v", selector, err)
		return
	case left != "":
		warn("whether the targets answer (%s) is known in part only: %s", selector, left)
	case len(up.targets) == 0 && wanted == nil:
		warn("there is no series %s: whether the targets behind it answer cannot be seen", selector)
	}
	up.without(all)
	all.targets = append(all.targets, up.targets...)
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
