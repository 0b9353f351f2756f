package followup

import (
	"fmt"
	"regexp"
	"strings"
)

// A Fault is a kind of problem.
type Fault string

// The kinds of problems.
const (
	Missing    Fault = "missing"    // owner, due date, done-when or decision is not filled in
	NoVerb     Fault = "no verb"    // the action does not begin with a verb
	Unreadable Fault = "unreadable" // due is no date, the decision is none, or the proof no name of a scenario
	NoReason   Fault = "no reason"  // it is not done, and no reason is given
	Person     Fault = "person"     // the owner is a person of the roster
)

// A Problem is why a follow-up is not yet one that somebody can be held to.
type Problem struct {
	Fault Fault
	Cell  Cell   // where; the action, where the cell in question is empty or has no column
	What  string // what is wrong, and what to do
}

// Check says what a follow-up lacks. people is the roster of those who took part, as they would be written; an owner is a team, and
// none of them. What is not going to be done needs a reason and nothing else; what is done needs nothing.
func Check(f FollowUp, people []string) []Problem {
	var out []Problem
	add := func(fault Fault, c Cell, format string, args ...any) {
		if c.Line == 0 || c.Text == "" {
			c = f.Action
		}
		out = append(out, Problem{fault, c, fmt.Sprintf(format, args...)})
	}
	if f.Action.Blank() {
		for _, c := range []Cell{f.Owner, f.Due, f.Done, f.Ticket, f.Decision, f.Proof} {
			if !c.Blank() {
				add(Missing, c, "the row has no action: say what will be different, verb first")
				break
			}
		}
		return out
	}
	decision, reason := f.Decided()
	switch decision {
	case Unclear:
		add(Unreadable, f.Decision, "the decision %q is none of do, later, not doing (with the reason) and done", f.Decision.Text)
	case Undecided:
		if f.Columns["decision"] {
			add(Missing, f.Decision, "it is not decided: do, later, or not doing with the reason")
		}
	case NotDoing:
		if strings.TrimSpace(reason) == "" {
			add(NoReason, f.Decision, "it is not done, and no reason is given: write \"not doing: \" and the reason")
		}
		return out
	case Done:
		return out
	}
	if !VerbFirst(f.Action.Text) {
		add(NoVerb, f.Action, "it does not begin with a verb: say what is to be done, such as \"Raise …\" or \"Remove …\"")
	}
	var missing []string
	if f.Owner.Blank() {
		missing = append(missing, "owner")
	} else if name := person(f.Owner.Text, people); name != "" {
		add(Person, f.Owner, "the owner %q is a person: name the team, which is there when the person is not", name)
	}
	if f.Due.Blank() {
		missing = append(missing, "due date")
	} else if _, ok := f.DueDate(); !ok {
		add(Unreadable, f.Due, "%q is not a date: write it as 2026-12-04", f.Due.Text)
	}
	if f.Done.Blank() && decision != Later {
		missing = append(missing, "done-when")
	}
	if !f.Proof.Blank() && f.ProofScenario() == "" {
		add(Unreadable, f.Proof, "the proof %q is not the name of a scenario, such as store_freezes", f.Proof.Text)
	}
	if missing != nil {
		add(Missing, Cell{}, "it leaves open: %s", strings.Join(missing, ", "))
	}
	return out
}

// person is the name from the roster that an owner is, or contains.
func person(owner string, people []string) string {
	for _, p := range people {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if regexp.MustCompile(`(?i)(?:^|[^\pL\pN])` + regexp.QuoteMeta(p) + `(?:$|[^\pL\pN])`).MatchString(owner) {
			return p
		}
	}
	return ""
}
