package runner

import (
	"fmt"
	"slices"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// blindFaults notes the faults that are over before the next sample is due: of everything, of one query, or of one job.
func (p *Plan) blindFaults(warn report) {
	s := p.Scenario.Source
	if s == nil || len(p.Queries) == 0 {
		p.Blind = append(p.Blind, p.alertsBetween(p.Alerts)...)
		for _, spot := range p.alertsBetween(p.Alerts) {
			warn(p.Scenario.Range, fmt.Sprintf("scenario %q", p.Scenario.Name), "%s", shortFaultWords(spot))
		}
	}
	if s == nil {
		return
	}
	jobs := p.sampled()
	_, all, _ := p.Length()
	judged := p.judgedInFault()
	for _, f := range p.Faults {
		d := f.Fault.Duration
		if d == 0 || p.unseen(f.Fault.Name) {
			continue
		}
		block := fmt.Sprintf("fault %q %q", f.Fault.Kind, f.Fault.Name)
		if every := max(leastEvery(judged), shortest(jobs)); d < every {
			p.noteFault(f, every, "", nil)
			if all >= every { // or every hypothesis says so
				warn(f.Fault.Range, block, "it lasts %s, and there is a sample every %s: nothing may be seen of it", journal.Duration(d), journal.Duration(every))
			}
			continue
		}
		for _, q := range judged {
			if d >= q.Every {
				continue
			}
			p.noteFault(f, q.Every, q.ID, nil)
			if all >= q.Every {
				warn(f.Fault.Range, block, "it lasts %s, and %s has a sample every %s: it may see nothing of it", journal.Duration(d), q.Name(), journal.Duration(q.Every))
			}
		}
		for _, j := range jobs {
			if d < j.interval {
				p.noteFault(f, j.interval, "", map[string]string{"job": j.name})
				warn(f.Fault.Range, block, "it lasts %s, and of job %q there is a sample every %s: nothing may be seen of it there", journal.Duration(d), j.name, journal.Duration(j.interval))
			}
		}
	}
}

func (p *Plan) noteFault(f PlannedFault, every time.Duration, queryID string, labels map[string]string) {
	if len(p.Blind) < 4*mostSpots {
		p.Blind = append(p.Blind, faultSpot(f, every, queryID, labels))
	}
}

func faultSpot(f PlannedFault, every time.Duration, queryID string, labels map[string]string) journal.BlindSpot {
	return journal.BlindSpot{What: journal.BlindFault, Name: f.Fault.Name, QueryID: queryID, Labels: labels, Reads: journal.Duration(f.Fault.Duration), Interval: journal.Duration(every)}
}

// unseen says whether it is known of a fault that nobody may see it.
func (p *Plan) unseen(fault string) bool {
	return slices.ContainsFunc(p.Blind, func(b journal.BlindSpot) bool {
		return b.What == journal.BlindFault && b.Name == fault && b.QueryID == "" && b.Labels == nil
	})
}

// judgedInFault are the queries that are to see the faults; all of them, if none is.
func (p *Plan) judgedInFault() (out []PlannedQuery) {
	for _, q := range p.Queries {
		if q.Guardrail != nil || slices.Contains(q.Hypothesis.Phases, "fault") {
			out = append(out, q)
		}
	}
	if out == nil {
		return p.Queries
	}
	return out
}

func leastEvery(queries []PlannedQuery) time.Duration {
	return least(queries, func(q PlannedQuery) time.Duration { return q.Every })
}

func shortest(jobs []job) time.Duration {
	return least(jobs, func(j job) time.Duration { return j.interval })
}

// least is the shortest time of all, but for what has none; 0 where nothing has.
func least[T any](all []T, of func(T) time.Duration) (out time.Duration) {
	for _, x := range all {
		if d := of(x); d > 0 && (out == 0 || d < out) {
			out = d
		}
	}
	return out
}

// sampled are the jobs of the embedded engine; what it tells of containers only if a query may ask for it.
func (p *Plan) sampled() []job {
	s := p.Scenario.Source
	if s.URL != "" {
		return nil
	}
	out := append(scrapedJobs(s), probedJobs(s)...)
	if p.asksFor(&collector{}) != nil {
		out = append(out, containerJob(s))
	}
	return out
}

// alertsBetween are the faults that are over before an alerting rule is evaluated again, of a scenario in which nothing else would
// see them.
func (p *Plan) alertsBetween(rules []metrics.AlertRule) (out []journal.BlindSpot) {
	if len(p.Queries) > 0 {
		return nil
	}
	least := time.Duration(0)
	for _, r := range rules {
		if slices.Contains(p.claimed(), r.Alert) && (least == 0 || r.Interval < least) {
			least = r.Interval
		}
	}
	for _, f := range p.Faults {
		if f.Fault.Duration > 0 && f.Fault.Duration < least && len(out) < mostSpots {
			out = append(out, faultSpot(f, least, "", nil))
		}
	}
	return out
}

// rarelyScraped are the faults that are over before a server scrapes targets again: of each job the one that is scraped most rarely.
func (p *Plan) rarelyScraped(up *uptimes) (out []journal.BlindSpot) {
	slowest := map[string]uptime{}
	var jobs []string
	for _, t := range up.targets {
		name := t.labels["job"]
		if known, ok := slowest[name]; !ok || t.interval > known.interval {
			slowest[name] = t
			if !ok {
				jobs = append(jobs, name)
			}
		}
	}
	slices.Sort(jobs)
	for _, f := range p.Faults {
		for _, name := range jobs {
			// The times of scrapes are not exact: what is as long as the interval is not called shorter.
			t := slowest[name]
			if d := f.Fault.Duration; d > 0 && d < t.interval*19/20 && !p.unseen(f.Fault.Name) && len(out) < mostSpots {
				out = append(out, faultSpot(f, t.interval, "", t.labels))
			}
		}
	}
	return out
}

// shortFaultWords says that a fault may not be seen.
func shortFaultWords(b journal.BlindSpot) string {
	if b.Labels != nil {
		return fmt.Sprintf("fault.%s lasts %s, and %s is scraped every %s: nothing may be seen of it there", b.Name, b.Reads, targetWords(b.Labels), b.Interval)
	}
	return fmt.Sprintf("fault.%s lasts %s, and the rules of the alerts are evaluated every %s: they may see nothing of it", b.Name, b.Reads, b.Interval)
}
