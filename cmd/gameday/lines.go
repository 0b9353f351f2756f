package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gameday/runner/journal"
)

// judgedIn says in which phases each hypothesis is judged.
type judgedIn map[string][]journal.Phase

func judgedPhases(d *journal.Declared) judgedIn {
	j := judgedIn{}
	for _, h := range d.Hypotheses {
		j[h.Name] = h.Phases
	}
	return j
}

// in says whether a hypothesis is judged in a phase; one of which nothing is known is.
func (j judgedIn) in(hypothesis string, p journal.Phase) bool {
	phases, known := j[hypothesis]
	return !known || slices.Contains(phases, p)
}

// line says in words what an event means to a person who watches; "" is for the record only.
func line(e journal.Event, judged judgedIn) string {
	switch p := e.Payload.(type) {
	case *journal.RunStarted:
		if p.Sham {
			return fmt.Sprintf("sham run %s begins: no fault will be injected", p.Run)
		}
		return fmt.Sprintf("run %s begins", p.Run)
	case *journal.PhaseStarted:
		switch p.Phase {
		case journal.Baseline:
			return "baseline: watching the steady state"
		case journal.Fault:
			return "fault: the first one is due"
		default:
			return "recovery: everything is undone, watching on"
		}
	case *journal.BaselineJudged:
		return baselineLine(p)
	case *journal.FaultVerified:
		return fmt.Sprintf("fault.%s is in force on %s: %s", p.Fault, p.Container.Name, p.Seen)
	case *journal.FaultNotInjected:
		return fmt.Sprintf("fault.%s was NOT injected on %s: %s", p.Fault, p.Container.Name, p.Reason)
	case *journal.FaultEndedEarly:
		return fmt.Sprintf("fault.%s ended early on %s: %s", p.Fault, p.Container.Name, p.Reason)
	case *journal.UndoVerified:
		s := fmt.Sprintf("fault.%s is undone on %s: %s", p.Fault, p.Container.Name, p.Seen)
		if len(p.Differences) > 0 {
			s += " (different from before: " + strings.Join(p.Differences, "; ") + ")"
		}
		return s
	case *journal.UndoFailed:
		return fmt.Sprintf("fault.%s is NOT UNDONE on %s: %s; by hand: %s", p.Fault, p.Container.Name, p.Reason, p.ByHand)
	case *journal.TargetChanged:
		if p.Ours {
			return ""
		}
		s := fmt.Sprintf("%s %s", p.Container.Name, changeWords(p.Change))
		if p.ExitCode != nil {
			s += fmt.Sprintf(" (exit code %d)", *p.ExitCode)
		}
		return s
	case *journal.HypothesisState:
		return hypothesisLine(p, judged.in(p.Hypothesis, p.Phase))
	case *journal.GuardrailState:
		if p.Blind {
			return fmt.Sprintf("guardrail.%s has no data to guard with: %s", p.Guardrail, p.Detail)
		}
		return fmt.Sprintf("guardrail.%s tripped: %s", p.Guardrail, pointWords(p.Point))
	case *journal.AlertChanged:
		return alertLine(p)
	case *journal.AlertRouted:
		return routedLine(p)
	case *journal.AlertJudged:
		return alertVerdictLine(p)
	case *journal.RunEnded:
		if p.Outcome == journal.OutcomeInconclusive && p.Detail != "" {
			return "inconclusive: " + p.Detail
		}
	case *journal.GuardState:
		if !p.Up {
			return "no guard: " + p.Detail
		}
	case *journal.PredictionsSealed:
		if p.Predictions > 0 {
			return plural(p.Predictions, "prediction") + " sealed"
		}
	case *journal.StepBegun:
		return stepLine(p)
	case *journal.StepConfirmed:
		return fmt.Sprintf("manual.%s is confirmed by %s, after %s", p.Step, cmp.Or(p.By, anyRole), length(time.Duration(p.Took).Round(100*time.Millisecond)))
	case *journal.StepTimedOut:
		return fmt.Sprintf("manual.%s was NOT confirmed within %s", p.Step, length(time.Duration(p.Took)))
	case *journal.Stopping:
		return "stopping, and undoing everything: " + p.Detail
	}
	return ""
}

func stepLine(p *journal.StepBegun) string {
	s := fmt.Sprintf("manual.%s is due", p.Step)
	if p.Who != "" {
		s += " for " + p.Who
	}
	s += ": " + strings.Join(strings.Fields(p.Instructions), " ")
	if p.Due != nil {
		s += fmt.Sprintf(" (until %s; when it is done: gameday confirm %s)", p.Due.Format("15:04:05Z"), p.Step)
	}
	return s
}

func changeWords(c string) string {
	switch c {
	case "healthy", "unhealthy":
		return "became " + c
	case "removed", "paused", "unpaused", "restarted":
		return "was " + c
	case "oom":
		return "ran out of memory"
	}
	return c
}

func baselineLine(p *journal.BaselineJudged) string {
	if p.Passed {
		return ""
	}
	var parts []string
	for _, f := range p.Failures {
		s := f.Name + ": "
		switch {
		case f.Reason == journal.ReasonViolated && f.Worst != nil:
			s += pointWords(f.Worst)
		case f.Detail != "":
			s += f.Detail
		default:
			s += fmt.Sprintf("%s counted, %d are needed; make the baseline longer", plural(f.Samples, "sample"), f.Needed)
		}
		parts = append(parts, s)
	}
	return "the baseline did NOT hold, so nothing is injected: " + strings.Join(parts, "; ")
}

func hypothesisLine(p *journal.HypothesisState, judged bool) string {
	aside := ""
	if !judged {
		aside = "; it is not judged in this phase"
	}
	switch {
	case p.To == journal.NoData:
		return fmt.Sprintf("%s has no data: %s%s", p.Hypothesis, p.Detail, aside)
	case p.To == journal.Violated && p.Refuted:
		return fmt.Sprintf("%s is refuted: %s", p.Hypothesis, pointWords(p.Point))
	case p.To == journal.Violated && (!judged || p.Phase == journal.Baseline):
		return fmt.Sprintf("%s does not hold: %s%s", p.Hypothesis, pointWords(p.Point), aside)
	case p.To == journal.Violated && p.Phase == journal.Recovery:
		return fmt.Sprintf("%s does not hold yet: %s", p.Hypothesis, pointWords(p.Point))
	case p.To == journal.Violated:
		return fmt.Sprintf("%s is violated: %s", p.Hypothesis, pointWords(p.Point))
	case p.To == journal.Holding && p.From != journal.Waiting:
		return fmt.Sprintf("%s holds again: %s", p.Hypothesis, pointWords(p.Point))
	}
	return ""
}

// pointWords is a value with its bound and series: `0.42, not < 0.01 {code="500"}`.
func pointWords(p *journal.Point) string {
	if p == nil {
		return "no value"
	}
	s := number(p.Value)
	if p.Bound != nil && p.Op != "" {
		s += " (bound " + p.Op + " " + number(*p.Bound) + ")"
	}
	if len(p.Labels) > 0 {
		s += " " + labelWords(p.Labels)
	}
	return s
}

func labelWords(labels map[string]string) string {
	names := make([]string, 0, len(labels))
	for n := range labels {
		if n != "__name__" {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	parts := make([]string, 0, len(names))
	for _, n := range names {
		parts = append(parts, n+"="+strconv.Quote(longIDs.ReplaceAllString(labels[n], "$1…")))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// longIDs are the ids of containers and images in full. People, and Docker to people, use their beginnings.
var longIDs = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)

// number formats a value for people: four significant digits.
func number(n journal.Number) string { return strconv.FormatFloat(float64(n), 'g', 4, 64) }

// left is a duration for people, to the second.
func left(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	return length(d.Round(time.Second))
}
