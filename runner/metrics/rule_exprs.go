package metrics

import (
	"context"
	"slices"
	"time"
)

// A RuleExpr is what an alerting or a recording rule evaluates, and how often.
type RuleExpr struct {
	Name     string // of the alert or of the metric that is written
	Alert    bool
	Expr     string
	Interval time.Duration
}

// RuleExprs are those of files, in their order; none where they are refused. evaluation is as for AlertRules.
func RuleExprs(files []RuleFile, evaluation time.Duration) (out []RuleExpr) {
	groups, err := readRules(files, evaluation)
	if err != nil {
		return nil
	}
	for _, g := range groups {
		for _, r := range g.rules {
			one := RuleExpr{r.record, r.alert != nil, r.text, g.interval}
			if one.Alert {
				one.Name = r.alert.Alert
			}
			out = append(out, one)
		}
	}
	return out
}

// RuleExprs are those of the server's alerts of the given names, and of the recording rules that these read.
func (s *Server) RuleExprs(ctx context.Context, alerts []string) ([]RuleExpr, error) {
	var groups []struct {
		Interval float64 `json:"interval"`
		Rules    []struct {
			Type, Name, Query string
		} `json:"rules"`
	}
	if err := s.ruleGroups(ctx, &groups); err != nil {
		return nil, err
	}
	var needed, recording []RuleExpr
	for _, g := range groups {
		for _, r := range g.Rules {
			one := RuleExpr{r.Name, r.Type == "alerting", r.Query, seconds(g.Interval)}
			switch {
			case !one.Alert:
				recording = append(recording, one)
			case slices.Contains(alerts, r.Name):
				needed = append(needed, one)
			}
		}
	}
	for i := 0; i < len(needed); i++ {
		expr, err := parse(needed[i].Expr)
		if err != nil {
			continue // a dialect
		}
		for _, from := range selectors(expr) {
			recording = slices.DeleteFunc(recording, func(r RuleExpr) bool {
				reads := from.reads(r.Name)
				if reads {
					needed = append(needed, r)
				}
				return reads
			})
		}
	}
	return needed, nil
}
