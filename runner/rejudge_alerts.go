package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// A RejudgedAlert is a claim about an alert, then and now.
type RejudgedAlert struct {
	Name     string               `json:"name"`
	Changes  []string             `json:"changes"`        // how it was declared then and now, in words
	Replayed bool                 `json:"replayed"`       // its rules were evaluated anew, over the recorded series
	Then     *journal.AlertJudged `json:"then,omitempty"` // nil: there was no verdict
	Now      *journal.AlertJudged `json:"now,omitempty"`  // nil: it is not in the scenario any more
}

// anewAlerts is what a replay over the recorded series says of the alerts.
type anewAlerts struct {
	seen   []*journal.AlertSeen
	rules  []metrics.AlertRule
	summed *journal.AlertsSummed
}

// judgeAlerts judges the claims about alerts: those that are as they were keep their verdict, and for the others the rules are
// replayed over the recorded series.
func (re *rejudging) judgeAlerts(ctx context.Context) error {
	then := map[string]journal.AlertClaim{}
	judged := map[string]*journal.AlertJudged{}
	for _, e := range re.rec.Events {
		switch p := e.Payload.(type) {
		case *journal.AlertsDeclared:
			for _, c := range p.Expected {
				then[c.Alert] = c
			}
		case *journal.AlertJudged:
			judged[p.Alert] = p
		}
	}
	files := re.changedRules()
	claims := re.plan.Scenario.Alerts
	anew := re.again
	for _, c := range claims {
		x := RejudgedAlert{Name: c.Name, Changes: []string{}, Then: judged[c.Name], Now: judged[c.Name]}
		switch was, there := then[c.Name]; {
		case !there:
			x.Changes = append(x.Changes, "it was not in the run")
		default:
			if was.Fires != c.Fires {
				x.Changes = append(x.Changes, fmt.Sprintf("fires: %t → %t", was.Fires, c.Fires))
			}
			if was.Within != journal.Duration(c.Within) {
				x.Changes = append(x.Changes, fmt.Sprintf("within: %s → %s", was.Within, c.Within))
			}
		}
		x.Changes = append(x.Changes, files...)
		anew = anew || len(x.Changes) > 0 || x.Then == nil
		re.out.Alerts = append(re.out.Alerts, x)
	}
	for _, name := range slices.Sorted(maps.Keys(judged)) {
		if !slices.ContainsFunc(claims, func(c *scenarios.Alert) bool { return c.Name == name }) {
			re.out.Alerts = append(re.out.Alerts, RejudgedAlert{Name: name, Changes: []string{"it is not in the scenario any more"}, Then: judged[name]})
		}
	}
	if !anew || len(claims) == 0 {
		return nil
	}
	h := alertHistory{History: re.h, by: journal.AlertReplay}
	if src := re.rec.Started().Source; src == nil || src.Type != "embedded" {
		h.by, h.failed = journal.AlertServer, "this run asked a Prometheus server, and the series that its rules read are not recorded: put the old claim back, or run the scenario again"
	} else if !re.h.FaultStart.IsZero() {
		if err := re.replay(ctx, &h); err != nil {
			return err
		}
	}
	var all []alertSeen
	sums := []*journal.AlertSeen{}
	for _, name := range h.names(claims) {
		i := slices.IndexFunc(claims, func(c *scenarios.Alert) bool { return c.Name == name })
		seen := h.see(name, i >= 0)
		all = append(all, seen)
		if i >= 0 || seen.restless() {
			sums = append(sums, seen.event)
		}
		if i < 0 {
			continue
		}
		x := &re.out.Alerts[i]
		if x.Then != nil && len(x.Changes) == 0 && !re.again {
			continue // as it was then
		}
		x.Replayed = h.replayed != nil
		x.Now = judgeAlert(claims[i], seen, h)
		if x.Now.Reason == journal.AlertNotInjected {
			x.Now.Detail = re.notDone
		}
	}
	if h.replayed != nil {
		re.anew = &anewAlerts{seen: sums, summed: h.sum(claims, all)}
		for _, r := range h.replayed.Rules {
			re.anew.rules = append(re.anew.rules, r.Rule)
		}
	}
	return nil
}

// changedRules says in words which files of rules are not those of the run.
func (re *rejudging) changedRules() []string {
	s := re.plan.Scenario.Source
	if s == nil {
		return nil
	}
	then := map[string]string{}
	for _, f := range re.rec.Started().Files {
		then[f.Name] = f.SHA256
	}
	var out []string
	for _, f := range re.plan.Workspace.Files {
		if !slices.ContainsFunc(s.Rules, func(r scenarios.RuleFile) bool { return r.Name == f.Name }) {
			continue
		}
		if was, there := then[f.Name]; !there {
			out = append(out, fmt.Sprintf("the rules in %s were not in the run", f.Name))
		} else if was != describeFile(f).SHA256 {
			out = append(out, fmt.Sprintf("the rules in %s are not those of the run", f.Name))
		}
	}
	return out
}

// replay evaluates the scenario's rules over the recorded series.
func (re *rejudging) replay(ctx context.Context, h *alertHistory) error {
	src, err := re.open()
	if err != nil {
		return err
	}
	defer src.Close()
	series, ok := src.(*metrics.Recorded)
	if !ok {
		return errors.New("the rules can be replayed over recorded series alone")
	}
	s := re.plan.Scenario.Source
	h.replayed, err = metrics.Replay(ctx, series, metrics.ReplayConfig{Rules: ruleFiles(s), Evaluation: s.EvaluationInterval, Span: h.span(s.Interval)})
	if err == nil {
		h.gaps, err = metrics.Gaps(ctx, series, h.Start, h.End, longestGap(s))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		h.failed = err.Error()
	}
	return nil
}

// alert returns the new verdict on a claim; nil: there is none.
func (re *rejudging) alert(name string) *journal.AlertJudged {
	for _, x := range re.out.Alerts {
		if x.Name == name {
			return x.Now
		}
	}
	return nil
}

// composeAlerts puts what is said of alerts now in the place of an event about them. keep is false for an event that goes.
func (re *rejudging) composeAlerts(p journal.Payload, placed map[string]bool) (now []journal.Payload, keep bool) {
	switch p := p.(type) {
	case *journal.AlertsDeclared:
		d := *p
		d.Expected = alertClaims(re.plan.Scenario.Alerts)
		if re.anew != nil {
			d.Rules = alertRules(re.anew.rules)
		}
		return []journal.Payload{&d}, true
	case *journal.AlertJudged:
		if v := re.alert(p.Alert); v != nil {
			placed[p.Alert] = true
			return []journal.Payload{v}, true
		}
		return nil, false
	case *journal.AlertSeen:
		return []journal.Payload{p}, re.anew == nil
	case *journal.AlertsSummed:
		return []journal.Payload{p}, re.anew == nil
	}
	return []journal.Payload{p}, true
}

// lateAlerts are the events about alerts that have no place in the run's own record.
func (re *rejudging) lateAlerts(placed map[string]bool) (out []journal.Payload) {
	if re.anew != nil {
		for _, s := range re.anew.seen {
			out = append(out, s)
		}
	}
	for _, x := range re.out.Alerts {
		if x.Now != nil && !placed[x.Name] {
			out = append(out, x.Now)
		}
	}
	if re.anew != nil {
		out = append(out, re.anew.summed)
	}
	return out
}

// alertClaims declares alert blocks.
func alertClaims(alerts []*scenarios.Alert) (out []journal.AlertClaim) {
	for _, a := range alerts {
		out = append(out, journal.AlertClaim{Alert: a.Name, Description: a.Description, Fires: a.Fires, Within: journal.Duration(a.Within),
			File: sourceFile(a.Range), Line: a.Range.Line})
	}
	return out
}

// alertRules declares alerting rules.
func alertRules(rules []metrics.AlertRule) (out []journal.AlertRule) {
	for _, x := range rules {
		out = append(out, journal.AlertRule{Alert: x.Alert, Group: x.Group, File: x.File, Line: x.Line, Expr: x.Expr,
			Interval: journal.Duration(x.Interval), For: journal.Duration(x.For), KeepFiringFor: journal.Duration(x.KeepFiringFor), Labels: x.Labels})
	}
	return out
}
