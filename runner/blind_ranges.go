package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// A reading is PromQL that reads ranges: of a query, or of a rule.
type reading struct {
	name, queryID, text string
}

func (p *Plan) readings() (out []reading) {
	for _, q := range p.Queries {
		out = append(out, reading{q.Name(), q.ID, q.Text})
	}
	return out
}

func readingsOf(rules []metrics.RuleExpr) (out []reading) {
	for _, r := range rules {
		out = append(out, reading{name: r.Name, text: r.Expr})
	}
	return out
}

// ruleExprs are the rules that the embedded engine evaluates.
func ruleExprs(s *scenarios.Source) []metrics.RuleExpr {
	if s == nil || s.URL != "" {
		return nil
	}
	return metrics.RuleExprs(ruleFiles(s), s.EvaluationInterval)
}

// A job is what the embedded engine takes samples of, and how often.
type job struct {
	name     string
	interval time.Duration
}

// scrapedJobs, probedJobs and containerJob are those of a source.
func scrapedJobs(s *scenarios.Source) (out []job) {
	for _, sc := range s.Scrapes {
		out = append(out, job{sc.Job, cmp.Or(sc.Interval, s.Interval)})
	}
	return out
}

func probedJobs(s *scenarios.Source) (out []job) {
	for _, p := range s.Probes {
		out = append(out, job{p.Job, cmp.Or(p.Interval, s.Interval)})
	}
	return out
}

func containerJob(s *scenarios.Source) job { return job{containersJob, max(s.Interval, engineTells)} }

// jobsOf are those of which a range may have samples, as far as it names them or their metrics; the recording rules that write them are
// among them.
func jobsOf(s *scenarios.Source, rules []metrics.RuleExpr, r metrics.Range) []job {
	read := func(jobs []job) []job {
		return slices.DeleteFunc(jobs, func(j job) bool { return !r.Reads("", j.name) })
	}
	var written []job
	for _, x := range rules {
		if !x.Alert && r.Reads(x.Name, "") {
			written = append(written, job{x.Name, x.Interval})
		}
	}
	if len(written) > 0 {
		return written
	}
	if own := read([]job{containerJob(s)}); r.Names("container_") && len(own) > 0 {
		return own
	}
	if own := read(probedJobs(s)); r.Names("probe_") && len(own) > 0 {
		return own
	}
	return read(scrapedJobs(s))
}

// shortRanges notes the ranges that hold too few of the samples that the embedded engine takes. Where that hangs on which job it is,
// it is only a warning here: the record has it when it is known, see sparseRanges.
func (p *Plan) shortRanges(x reading, what string, warn func(format string, args ...any)) {
	s := p.Scenario.Source
	if s == nil || s.URL != "" {
		return
	}
	rules := ruleExprs(s)
	for _, r := range metrics.Ranges(x.text) {
		jobs := jobsOf(s, rules, r)
		if len(jobs) == 0 {
			continue // that there is no data is said elsewhere
		}
		byInterval := func(a, b job) int { return cmp.Compare(a.interval, b.interval) }
		switch quickest, slowest := slices.MinFunc(jobs, byInterval), slices.MaxFunc(jobs, byInterval); {
		case r.Length < enoughSamples*quickest.interval:
			p.noteRange(x, r.Length, quickest.interval)
			warn("%s looks back %s and there is a sample every %s: a range should be at least four times that, or a rate of it is often empty", what,
				journal.Duration(r.Length), journal.Duration(quickest.interval))
		case r.Length < enoughSamples*slowest.interval:
			warn("%s looks back %s, and of job %q there is a sample every %s: if that is what it reads, the range should be at least four times as long, or a rate of it is often empty",
				what, journal.Duration(r.Length), slowest.name, journal.Duration(slowest.interval))
		}
	}
}

func (p *Plan) noteRange(x reading, length, interval time.Duration) {
	if len(p.Blind) < 4*mostSpots {
		p.Blind = append(p.Blind, rangeSpot(x, length, interval))
	}
}

func rangeSpot(x reading, length, interval time.Duration) journal.BlindSpot {
	return journal.BlindSpot{What: journal.BlindRange, Name: x.name, QueryID: x.queryID, Reads: journal.Duration(length), Interval: journal.Duration(interval)}
}

// sparseRanges are those of the embedded engine's ranges of which the plan could not tell what they read. The engine can.
func (p *Plan) sparseRanges(ctx context.Context, src metrics.Source, at time.Time) (out []journal.BlindSpot) {
	s := p.Scenario.Source
	rules := ruleExprs(s)
	for _, x := range append(p.readings(), readingsOf(rules)...) {
		for _, r := range metrics.Ranges(x.text) {
			jobs := jobsOf(s, rules, r)
			rare := slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return r.Length >= enoughSamples*j.interval })
			if len(rare) == 0 || len(rare) == len(jobs) || len(out) == mostSpots {
				continue // fine, or in the plan
			}
			res, err := src.Query(ctx, fmt.Sprintf("group by (job) (count_over_time(%s))", r.Text), at)
			if err != nil {
				out = append(out, journal.BlindSpot{What: journal.BlindUnchecked, Name: x.name, QueryID: x.queryID, Detail: err.Error()})
				break
			}
			longest := time.Duration(0)
			for _, j := range rare {
				if slices.ContainsFunc(res.Series, func(one metrics.Series) bool { return one.Labels["job"] == j.name }) {
					longest = max(longest, j.interval)
				}
			}
			if longest > 0 {
				out = append(out, rangeSpot(x, r.Length, longest))
			}
		}
	}
	return out
}

// thinRanges finds the ranges that hold too few of a server's samples, and of what it has no answer to that.
func thinRanges(ctx context.Context, src metrics.Source, readings []reading, now time.Time) (out []journal.BlindSpot) {
	for _, x := range readings {
		for _, r := range metrics.Ranges(x.text) {
			if len(out) == mostSpots {
				return out
			}
			res, err := src.Query(ctx, fmt.Sprintf("min(count_over_time(%s))", r.Text), now)
			if err != nil {
				out = append(out, journal.BlindSpot{What: journal.BlindUnchecked, Name: x.name, QueryID: x.queryID, Detail: err.Error()})
				break
			}
			if len(res.Series) == 0 || res.Series[0].Value >= enoughSamples || res.Series[0].Value < 1 {
				continue // that there is no data is said elsewhere
			}
			out = append(out, rangeSpot(x, r.Length, (r.Length/time.Duration(res.Series[0].Value)).Round(time.Millisecond)))
		}
	}
	return out
}

// thinRanges are those of the time before the first fault.
func (r *Run) thinRanges(ctx context.Context) []journal.BlindSpot {
	r.mu.Lock()
	at := r.faultStart
	r.mu.Unlock()
	if r.source == nil || at.IsZero() {
		return nil
	}
	if r.plan.Scenario.Source.URL == "" {
		return r.plan.sparseRanges(ctx, r.source, at)
	}
	readings := r.plan.readings()
	var out []journal.BlindSpot
	if server, ok := unwatched(r.source).(*metrics.Server); ok && len(r.plan.Scenario.Alerts) > 0 {
		rules, err := server.RuleExprs(ctx, r.plan.claimed())
		if err != nil {
			for _, name := range r.plan.claimed() {
				out = append(out, journal.BlindSpot{What: journal.BlindUnchecked, Name: name, Detail: err.Error()})
			}
		}
		readings = append(readings, readingsOf(rules)...)
	}
	return append(out, thinRanges(ctx, r.source, readings, at)...)
}
