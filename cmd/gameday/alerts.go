package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// alertLine says in words how an alert changed, as seen live.
func alertLine(p *journal.AlertChanged) string {
	name := p.Alert
	if p.Active > 1 {
		name += fmt.Sprintf(" (%d times)", p.Active)
	}
	if len(p.Labels) > 1 {
		name += " " + labelWords(without(p.Labels, "alertname"))
	}
	switch p.To {
	case journal.AlertUnknown:
		return fmt.Sprintf("alert %s cannot be evaluated: %s", p.Alert, p.Detail)
	case journal.AlertPending:
		return fmt.Sprintf("alert %s is pending", name)
	case journal.AlertFiring:
		return fmt.Sprintf("alert %s fires", name)
	}
	if p.From == journal.AlertFiring {
		return fmt.Sprintf("alert %s is resolved", p.Alert)
	}
	if p.From == journal.AlertPending {
		return fmt.Sprintf("alert %s is not pending any more", p.Alert)
	}
	return fmt.Sprintf("alert %s is %s", p.Alert, p.To)
}

// routedLine says that an alert is where alerts go to, and for whom.
func routedLine(p *journal.AlertRouted) string {
	s := fmt.Sprintf("alert %s is at the Alertmanager, for %s", p.Alert, orNone(p.Receivers))
	if p.Muted != "" {
		s += "; it is " + p.Muted + ", so nobody is told"
	}
	return s
}

// alertVerdictLine says what became of a claim about an alert.
func alertVerdictLine(p *journal.AlertJudged) string {
	s := fmt.Sprintf("alert %s: %s", p.Alert, p.Verdict)
	switch p.Reason {
	case journal.AlertFired, journal.AlertUnwanted:
		s += fmt.Sprintf(", it fires in %d of %s", p.InTime, plural(p.Phases, "phase"))
	case journal.AlertByPhase:
		if p.Phases == 1 {
			s += ", whether it fires in time hangs on the phase of its evaluation alone"
			break
		}
		s += fmt.Sprintf(", it fires in time in %d of %s, by phase alone", p.InTime, plural(p.Phases, "phase"))
	case journal.AlertByEffect:
		s += ", whether it fires in time hangs on when exactly the fault took effect"
	case journal.AlertMissing:
		s += fmt.Sprintf(", it fires in none of %s", plural(p.Phases, "phase"))
	case journal.AlertLate:
		s += ", it fires too late"
	case journal.AlertAlready:
		s += ", it was not at rest before the fault"
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

func without(labels map[string]string, name string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		if k != name {
			out[k] = v
		}
	}
	return out
}

// alertRow is the row of the status block for an alert.
func alertRow(a runner.AlertStatus) row {
	r := row{state: string(a.State), name: "alert." + oneLine(a.Name), value: "-", note: "nobody expects it"}
	if !a.Since.IsZero() {
		r.value = "for " + left(time.Since(a.Since))
	}
	switch {
	case a.Expected && a.Fires:
		r.note = "fires within " + length(a.Within)
	case a.Expected && a.Within > 0:
		r.note = "does not fire within " + length(a.Within)
	case a.Expected:
		r.note = "does not fire"
	}
	if a.Active > 1 {
		r.note += fmt.Sprintf("; %d of them", a.Active)
	}
	if a.Detail != "" {
		r.note += "; " + oneLine(a.Detail)
	}
	return r
}

// alertPlan says what is claimed of an alert, and which rule would make it.
func alertPlan(p *runner.Plan, i, width int) string {
	a := p.Scenario.Alerts[i]
	claim := "fires within " + length(a.Within)
	switch {
	case !a.Fires && a.Within > 0:
		claim = "does not fire within " + length(a.Within)
	case !a.Fires:
		claim = "does not fire"
	}
	var rules []string
	for _, r := range p.AlertRules(a.Name) {
		rules = append(rules, ruleWords(r))
	}
	switch {
	case len(rules) == 0 && p.AlertsKnown:
		rules = []string{"there is no rule of this name"}
	case len(rules) == 0:
		rules = []string{"the server's rules are asked for when the run begins"}
	}
	return fmt.Sprintf("%-*s  %s; %s", width, oneLine(a.Name), claim, strings.Join(rules, "; "))
}

// ruleWords says where a rule stands, and how soon it can fire.
func ruleWords(r metrics.AlertRule) string {
	s := fmt.Sprintf("%s, evaluated every %s", oneLine(r.Place()), length(r.Interval))
	if r.For > 0 {
		s += ", for " + length(r.For)
	}
	return s
}

// otherAlerts says which alerts are watched that the scenario has no block for; empty: there are none.
func otherAlerts(p *runner.Plan) string {
	var names []string
	for _, r := range p.Alerts {
		claimed := false
		for _, a := range p.Scenario.Alerts {
			claimed = claimed || a.Name == r.Alert
		}
		if !claimed && !slices.Contains(names, oneLine(r.Alert)) {
			names = append(names, oneLine(r.Alert))
		}
	}
	if len(names) == 0 {
		return ""
	}
	const most = 8
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return "also watched: " + strings.Join(names, ", ") + more
}

// alertJSON is a claim about an alert, for machines. Field names are an interface.
type alertJSON struct {
	Name   string           `json:"name"`
	Fires  bool             `json:"fires"`
	Within journal.Duration `json:"within"`
	Rules  []ruleJSON       `json:"rules"` // empty: there is none, or a server did not tell its own
}

type ruleJSON struct {
	File     string           `json:"file"`
	Line     int              `json:"line"`
	Group    string           `json:"group"`
	Expr     string           `json:"expr"`
	For      journal.Duration `json:"for"`
	Interval journal.Duration `json:"interval"`
}

func alertsJSON(p *runner.Plan) []alertJSON {
	out := []alertJSON{}
	for _, a := range p.Scenario.Alerts {
		j := alertJSON{Name: a.Name, Fires: a.Fires, Within: journal.Duration(a.Within), Rules: []ruleJSON{}}
		for _, r := range p.AlertRules(a.Name) {
			j.Rules = append(j.Rules, ruleJSON{r.File, r.Line, r.Group, r.Expr, journal.Duration(r.For), journal.Duration(r.Interval)})
		}
		out = append(out, j)
	}
	return out
}
