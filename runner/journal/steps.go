package journal

import (
	"fmt"
	"slices"
	"time"
)

var (
	_ = register[StepBegun]()
	_ = register[StepConfirmed]()
	_ = register[StepTimedOut]()
)

// An Observer is a role that watches a run, as it was declared.
type Observer struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Watches     []string `json:"watches,omitempty"` // names of hypotheses, or free text
	File        string   `json:"file"`
	Line        int      `json:"line"`
}

// A ManualStep is something that a person is to do during a run, as it was declared.
type ManualStep struct {
	Name         string   `json:"name"`
	Instructions string   `json:"instructions"`
	Who          string   `json:"who,omitempty"`    // name of an observer
	Before       bool     `json:"before,omitempty"` // it stands before the injection, and has no start
	Start        Duration `json:"start"`            // counted from the end of the baseline
	Timeout      Duration `json:"timeout,omitempty"`
	Confirm      bool     `json:"confirm"` // a person is to say when it is done
	File         string   `json:"file"`
	Line         int      `json:"line"`
}

// StepBegun says that people were told of a manual step.
type StepBegun struct {
	Step string     `json:"step"`
	Who  string     `json:"who,omitempty"`
	Due  *time.Time `json:"due,omitempty"` // when its timeout is over; nil: it has none

	Instructions string `json:"instructions,omitempty"`
}

// Kind returns "step.begun".
func (*StepBegun) Kind() string { return "step.begun" }

// StepConfirmed says that a person has confirmed a manual step.
type StepConfirmed struct {
	Step string    `json:"step"`
	By   string    `json:"by,omitempty"`   // the role
	Said string    `json:"said,omitempty"` // the evidence id of the confirmation, such as "N4"
	At   time.Time `json:"at"`             // when that was said
	Took Duration  `json:"took"`           // since the step began
}

// Kind returns "step.confirmed".
func (*StepConfirmed) Kind() string { return "step.confirmed" }

// StepTimedOut says that nobody confirmed a manual step in time.
type StepTimedOut struct {
	Step string   `json:"step"`
	Took Duration `json:"took"` // since the step began
}

// Kind returns "step.timed_out".
func (*StepTimedOut) Kind() string { return "step.timed_out" }

// WaitingSteps are the names of the manual steps that have begun and wait for a confirmation, in the order in which they began.
func (r *Record) WaitingSteps() []string {
	confirm := map[string]bool{}
	for _, s := range r.Declared().Steps {
		confirm[s.Name] = s.Confirm
	}
	var waiting []string
	over := func(name string) { waiting = slices.DeleteFunc(waiting, func(w string) bool { return w == name }) }
	for _, e := range slices.Concat(r.Events, r.People) {
		switch p := e.Payload.(type) {
		case *StepBegun:
			if confirm[p.Step] {
				waiting = append(waiting, p.Step)
			}
		case *StepConfirmed:
			over(p.Step)
		case *StepTimedOut:
			over(p.Step)
		case *Confirmation: // on its way into the journal
			over(p.Step)
		}
	}
	return waiting
}

// StateOfStep says in words where a manual step stands.
func (r *Record) StateOfStep(name string) string {
	state := "it has not begun"
	for _, e := range slices.Concat(r.Events, r.People) {
		switch p := e.Payload.(type) {
		case *StepBegun:
			if p.Step == name {
				state = "it asks for none"
			}
		case *StepConfirmed:
			if p.Step == name {
				return "it is confirmed already"
			}
		case *StepTimedOut:
			if p.Step == name {
				return "its timeout is over"
			}
		case *Confirmation:
			if p.Step == name {
				return "it is confirmed already"
			}
		}
	}
	return state
}

// Refusal is why nothing was injected when nobody confirmed a step in time; empty where the injection did not wait for that step.
func (d *Declared) Refusal(p *StepTimedOut) string {
	for _, s := range d.Steps {
		if s.Name == p.Step && s.Before {
			return fmt.Sprintf("manual.%s was not confirmed within %s", p.Step, p.Took)
		}
	}
	return ""
}
