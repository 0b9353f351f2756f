package main

import (
	"gameday/runner"
	"gameday/runner/journal"
)

// planJSON is a plan for machines. Field names are an interface.
type planJSON struct {
	Scenario string           `json:"scenario"`
	Title    string           `json:"title,omitempty"`
	Seed     uint64           `json:"seed"`
	Problems []runner.Problem `json:"problems"`
	Warnings []runner.Problem `json:"warnings"`
	Targets  []targetJSON     `json:"targets"`
	Timeline []step           `json:"timeline"`
	Radius   radiusJSON       `json:"blast_radius"`
	Watched  watchedJSON      `json:"watched"`
	Guard    runner.GuardPlan `json:"guard"`
	Queries  []queryJSON      `json:"queries"`
	Alerts   []alertJSON      `json:"alerts"`
	Source   string           `json:"source_error,omitempty"`
	Sham     string           `json:"sham,omitempty"` // the command of a run without the faults; empty: the scenario cannot be run here

	Observers []observerJSON `json:"observers"`
	Steps     []manualJSON   `json:"steps"`
}

type observerJSON struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Watches     []string `json:"watches"`
}

type manualJSON struct {
	Name         string            `json:"name"`
	Instructions string            `json:"instructions"`
	Who          string            `json:"who,omitempty"`
	Before       bool              `json:"before"`       // the injection waits for it
	At           *journal.Duration `json:"at,omitempty"` // otherwise: from the end of the baseline
	Confirm      bool              `json:"confirm"`
	Timeout      journal.Duration  `json:"timeout,omitempty"`
}

type targetJSON struct {
	Name     string            `json:"name"`
	Selector string            `json:"selector"`
	Pick     string            `json:"pick"`
	Chosen   []journal.Ref     `json:"chosen"`
	LeftOut  []journal.LeftOut `json:"left_out"`
}

type radiusJSON struct {
	Containers  []string         `json:"containers"`
	MaxTargets  int              `json:"max_targets,omitempty"`
	Duration    journal.Duration `json:"duration"`
	MaxDuration journal.Duration `json:"max_duration,omitempty"`
}

type queryJSON struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	Guardrail bool             `json:"guardrail"`
	Query     string           `json:"query"`
	Condition string           `json:"condition"`
	Every     journal.Duration `json:"every"`
	State     journal.State    `json:"state,omitempty"`
	Point     *journal.Point   `json:"point,omitempty"`
	Error     string           `json:"error,omitempty"`
	Note      string           `json:"note,omitempty"`
}

func toJSON(p *runner.Plan, problems []runner.Problem, previews []runner.Preview, why error, sham string) planJSON {
	sc := p.Scenario
	_, fault, _ := p.Length()
	out := planJSON{Scenario: sc.Name, Title: sc.Title, Seed: p.Seed, Problems: problems, Warnings: p.Warnings, Timeline: timeline(p), Watched: toWatchedJSON(p.Watched), Guard: p.Guard, Sham: sham,
		Radius: radiusJSON{Containers: []string{}, MaxTargets: sc.BlastRadius.MaxTargets, Duration: journal.Duration(fault),
			MaxDuration: journal.Duration(sc.BlastRadius.MaxDuration)}}
	for _, c := range p.Containers() {
		out.Radius.Containers = append(out.Radius.Containers, c.Name)
	}
	for _, t := range p.Targets {
		tj := targetJSON{Name: t.Target.Name, Selector: t.Target.Selector(), Pick: t.Target.Pick.String(), Chosen: []journal.Ref{}, LeftOut: list(t.LeftOut)}
		for _, c := range t.Chosen {
			tj.Chosen = append(tj.Chosen, journal.Ref{ID: c.ID, Name: c.Name})
		}
		out.Targets = append(out.Targets, tj)
	}
	for i, q := range p.Queries {
		qj := queryJSON{ID: q.ID, Name: q.Name(), Guardrail: q.Guardrail != nil, Query: q.Text, Every: journal.Duration(q.Every)}
		if q.Hypothesis != nil {
			qj.Condition = q.Hypothesis.Expect.String()
		} else {
			qj.Condition = q.Guardrail.AbortWhen.String()
		}
		if i < len(previews) {
			qj.State, qj.Point, qj.Error, qj.Note = previews[i].State, previews[i].Point, previews[i].Error, previews[i].Note
		}
		out.Queries = append(out.Queries, qj)
	}
	out.Alerts = alertsJSON(p)
	for _, o := range sc.Observers {
		out.Observers = append(out.Observers, observerJSON{o.Name, o.Description, list(o.Watches)})
	}
	for _, s := range p.Steps {
		m := manualJSON{Name: s.Step.Name, Instructions: s.Step.Instructions, Who: s.Who(), Before: s.Step.Before, Confirm: s.Step.Confirm, Timeout: journal.Duration(s.Step.Timeout)}
		if !m.Before {
			at := journal.Duration(s.Start)
			m.At = &at
		}
		out.Steps = append(out.Steps, m)
	}
	out.Observers, out.Steps = list(out.Observers), list(out.Steps)
	if why != nil {
		out.Source = why.Error()
	}
	// An empty list is a list for whoever reads it.
	out.Problems, out.Warnings = list(out.Problems), list(out.Warnings)
	out.Targets, out.Queries = list(out.Targets), list(out.Queries)
	return out
}

func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
