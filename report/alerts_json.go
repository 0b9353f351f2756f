package report

import "gameday/runner/journal"

type jsonAlert struct {
	Name     string               `json:"name"`
	Expected bool                 `json:"expected"` // a block of the scenario names it
	Fires    bool                 `json:"fires"`    // of such a block: it has to fire
	Within   journal.Duration     `json:"within"`
	Verdict  *journal.Verdict     `json:"verdict"` // null: no block names it
	Reason   string               `json:"reason"`
	Detail   string               `json:"detail"`
	By       string               `json:"by"` // "replay" or "server"
	Phases   int                  `json:"phases"`
	Pended   int                  `json:"pended"`
	Fired    int                  `json:"fired"`
	InTime   int                  `json:"in_time"`
	Pending  *journal.AlertDelay  `json:"pending"`
	Firing   *journal.AlertDelay  `json:"firing"`
	Resolved *journal.AlertDelay  `json:"resolved"`
	Routed   *journal.AlertDelay  `json:"routed"`
	Before   *journal.NoiseBefore `json:"before"`
	AtEnd    string               `json:"at_end"`
	Evidence []string             `json:"evidence"`
}

// jsonAlerts are the alerts that were claimed or that left their rest.
func (f *facts) jsonAlerts() []jsonAlert {
	out := []jsonAlert{}
	for _, x := range f.alerts.all {
		j := jsonAlert{Name: x.name, Evidence: []string{f.alertsEvidence()}}
		claimed := x.claim != nil || x.judged != nil
		if !claimed && x.seen == nil {
			continue
		}
		if x.claim != nil {
			j.Expected, j.Fires, j.Within = true, x.claim.Fires, x.claim.Within
		}
		if claimed {
			v := x.verdict
			j.Verdict, j.Evidence, j.Reason = &v, cite(append(j.Evidence, x.rests...)...), "not judged"
		}
		if x.judged != nil {
			j.Expected, j.Reason, j.Detail, j.InTime = true, string(x.judged.p.Reason), x.judged.p.Detail, x.judged.p.InTime
		}
		if x.seen != nil {
			e := x.seen.p
			j.By, j.Phases, j.Pended, j.Fired = string(e.By), len(e.Phases), e.Pended, e.Fired
			j.Pending, j.Firing, j.Resolved, j.Routed, j.Before, j.AtEnd = e.Pending, e.Firing, e.Resolved, e.Routed, e.Before, string(e.AtEnd)
			j.Evidence = cite(append(j.Evidence, x.seen.id)...)
		}
		out = append(out, j)
	}
	return out
}

// jsonUnknown are alerts that no block of the scenario names, and of which it is not known whether they would have fired.
type jsonUnknown struct {
	journal.AlertsUnknown
	Evidence []string `json:"evidence"`
}

func (f *facts) jsonUnknown() (out []jsonUnknown) {
	if s := f.alerts.summed; s != nil {
		for _, u := range s.p.Unknown {
			out = append(out, jsonUnknown{u, []string{s.id}})
		}
	}
	return out
}
