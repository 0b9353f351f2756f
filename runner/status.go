package runner

import (
	"time"

	"gameday/runner/journal"
)

// Status is what a run looks like at one moment, for a person who watches.
type Status struct {
	Run       string
	Scenario  string
	Phase     journal.Phase
	PhaseEnds time.Time // as planned; zero when it is not known
	Stopping  string    // why the run is being ended; empty: it is not
	Faults    []FaultStatus
	Queries   []QueryStatus
	Steps     []StepStatus
	Alerts    []AlertStatus // those of the scenario, and every other one that is not at rest
}

// FaultStatus is one fault on one container.
type FaultStatus struct {
	Name, Kind, Container string
	State                 FaultState
	Until                 time.Time // when it is to be undone, or injected while it is planned
}

// A FaultState is where a fault stands in its life.
type FaultState string

// The states of a fault's life.
const (
	FaultPlanned   FaultState = "planned"
	FaultInjecting FaultState = "injecting"
	FaultInForce   FaultState = "in force"
	FaultUndoing   FaultState = "undoing"
	FaultUndone    FaultState = "undone"
	FaultFailed    FaultState = "not injected"
	FaultStuck     FaultState = "NOT UNDONE"
)

// QueryStatus is a hypothesis or guardrail with its last sample.
type QueryStatus struct {
	Name      string
	Guardrail bool
	State     journal.State
	Refuted   bool
	Point     *journal.Point
	Expect    string // as written
	Detail    string // why there is no data
}

// Status is what the run looks like now.
func (r *Run) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Run: r.id, Scenario: r.plan.Scenario.Name, Phase: r.phase, PhaseEnds: r.phaseEnds}
	if why, detail := r.stopped.why(); why != "" {
		s.Stopping = detail
	}
	for _, k := range r.faultOrder {
		s.Faults = append(s.Faults, *r.faults[k])
	}
	for _, q := range r.plan.Queries {
		l := r.live[q.ID]
		s.Queries = append(s.Queries, QueryStatus{Name: q.Name(), Guardrail: q.Guardrail != nil, State: l.state, Refuted: l.refuted || l.tripped,
			Point: l.point, Expect: q.condition().String(), Detail: l.detail})
	}
	s.Alerts = r.alerts.status()
	s.Steps = r.steps.status()
	return s
}
