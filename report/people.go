package report

import (
	"slices"
	"strings"
	"time"

	"gameday/runner/journal"
)

// A spoken event is what somebody said, with the role that said it; the role is empty where the record does not tell.
type spoken[P any] struct {
	noted[P]
	role string
}

// peopleFacts is all that the record has of what people said and did.
type peopleFacts struct {
	notes       []spoken[*journal.Note]       // by the time that they speak of
	words       []word                        // all that was said, by the time at which it was
	predictions []spoken[*journal.Prediction] // as they were sealed; of several by one role for one thing the last
	uncounted   []spoken[*journal.Prediction] // nothing shows that they were there before the fault
	sealed      int                           // how many predictions count, those included that one of the same role took the place of
	seal        *noted[*journal.PredictionsSealed]
	status      *spoken[*journal.StatusSet] // the last that people set; nil: none
	// confirmations are what was said with the confirmation of a step, by evidence id.
	confirmations map[string]string
	steps         []*step // in the order of the scenario
}

// A step is a manual step with what became of it.
type step struct {
	journal.ManualStep
	declared  string // evidence id of the declaration, or of the first event where that is missing
	begun     *noted[*journal.StepBegun]
	confirmed *noted[*journal.StepConfirmed]
	timedOut  *noted[*journal.StepTimedOut]
}

// takePeople takes an event about people. It says whether it was one.
func (f *facts) takePeople(id string, e journal.Event) bool {
	switch p := e.Payload.(type) {
	case *journal.Note:
		f.words = append(f.words, word{e.Time, id})
		f.notes = append(f.notes, spoken[*journal.Note]{noted[*journal.Note]{id, e.Time, p}, e.Role()})
	case *journal.Prediction:
		f.words = append(f.words, word{e.Time, id})
		f.predicted(spoken[*journal.Prediction]{noted[*journal.Prediction]{id, e.Time, p}, e.Role()}, f.counts(e))
	case *journal.PredictionsSealed:
		if f.seal == nil {
			f.seal = &noted[*journal.PredictionsSealed]{id, e.Time, p}
		}
	case *journal.StatusSet:
		if journal.IsStatus(p.Status) {
			f.status = &spoken[*journal.StatusSet]{noted[*journal.StatusSet]{id, e.Time, p}, e.Role()}
		}
	case *journal.Confirmation: // the journal has what became of it
		f.words = append(f.words, word{e.Time, id})
		if f.confirmations == nil {
			f.confirmations = map[string]string{}
		}
		f.confirmations[id] = p.Text
	case *journal.StepBegun:
		f.step(p.Step, id).begun = &noted[*journal.StepBegun]{id, e.Time, p}
	case *journal.StepConfirmed:
		f.step(p.Step, id).confirmed = &noted[*journal.StepConfirmed]{id, e.Time, p}
	case *journal.StepTimedOut:
		f.step(p.Step, id).timedOut = &noted[*journal.StepTimedOut]{id, e.Time, p}
	default:
		return false
	}
	return true
}

// counts says that a prediction was made before the fault: it stands in the file as it was sealed, or nothing was injected at all. What
// people said comes after the journal, so that the seal and the faults are known by then.
func (f *facts) counts(e journal.Event) bool {
	return e.Sealed || f.seal == nil && len(f.faults) == 0
}

func (f *facts) predicted(p spoken[*journal.Prediction], counts bool) {
	if !counts {
		f.uncounted = append(f.uncounted, p)
		return
	}
	f.sealed++
	f.predictions = slices.DeleteFunc(f.predictions, func(x spoken[*journal.Prediction]) bool {
		return x.role == p.role && x.p.Of == p.p.Of && x.p.Alert == p.p.Alert
	})
	f.predictions = append(f.predictions, p)
}

// step is the manual step of a name; it is made where the record has lost its declaration.
func (f *facts) step(name, id string) *step {
	for _, s := range f.steps {
		if s.Name == name {
			return s
		}
	}
	s := &step{ManualStep: journal.ManualStep{Name: name, Confirm: true}, declared: id}
	f.steps = append(f.steps, s)
	return s
}

func (f *facts) declareSteps(id string, d *journal.Declared) {
	for _, s := range d.Steps {
		f.steps = append(f.steps, &step{ManualStep: s, declared: id})
	}
}

// sortNotes puts the notes in the order of the times that they speak of, and all that was said in that of the times at which it was.
func (f *facts) sortNotes() {
	slices.SortStableFunc(f.words, func(a, b word) int { return a.at.Compare(b.at) })
	slices.SortStableFunc(f.notes, func(a, b spoken[*journal.Note]) int { return about(a).Compare(about(b)) })
}

// about is the time that a note speaks of, by its own account.
func about(n spoken[*journal.Note]) time.Time {
	if n.p.About.IsZero() {
		return n.at
	}
	return n.p.About
}

// roles are the roles that said something, in alphabetical order.
func (f *facts) roles() []string {
	var out []string
	add := func(role string) {
		if !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	for _, n := range f.notes {
		add(n.role)
	}
	for _, p := range f.predictions {
		add(p.role)
	}
	slices.SortFunc(out, strings.Compare)
	return out
}

// predictionsOf are what was predicted of a hypothesis or an alert, by role.
func (f *facts) predictionsOf(name string, alert bool) []spoken[*journal.Prediction] {
	var out []spoken[*journal.Prediction]
	for _, p := range f.predictions {
		if p.p.Of == name && p.p.Alert == alert {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b spoken[*journal.Prediction]) int { return strings.Compare(a.role, b.role) })
	return out
}

// describePeople says what an event of people is, verbatim where they speak.
func (f *facts) describePeople(m moment, e journal.Event) (moment, bool) {
	role := roleName(e.Role())
	switch p := e.Payload.(type) {
	case *journal.Note:
		m.lane = lanePeople
		if !p.About.IsZero() {
			m.at = p.About
		}
		m.text = words("{} ({}): {}", role, Name(p.As), Quote(p.Text))
	case *journal.Prediction:
		m.lane, m.minor = lanePeople, true
		m.text = words("{} predicted of {}: {}", role, Name(p.Of), Name(p.Expects))
		if p.Confidence != nil {
			m.text.Template += ", with a confidence of {}"
			m.text.Args = append(m.text.Args, Percent(*p.Confidence))
		}
		if p.Text != "" {
			m.text.Template += "; {}"
			m.text.Args = append(m.text.Args, Quote(p.Text))
		}
		if !f.counts(e) {
			m.text.Template += "; it is not among what was sealed before the fault"
		}
	case *journal.PredictionsSealed:
		m.minor = true
		m.text = words("{} {} sealed", Count{N: p.Predictions}, plural(p.Predictions, "prediction was", "predictions were"))
	case *journal.Confirmation:
		m.lane, m.minor = lanePeople, true
		m.text = words("{} said that step {} is done", role, Name(p.Step))
		if p.Text != "" {
			m.text.Template += ": {}"
			m.text.Args = append(m.text.Args, Quote(p.Text))
		}
	case *journal.StatusSet:
		m.lane, m.minor = lanePeople, true
		m.text = words("{} set the status of the draft: {}", role, Name(p.Status))
	case *journal.StepBegun:
		m.lane = lanePeople
		m.text = words("step {} was due", Name(p.Step))
		if p.Who != "" {
			m.text = words("step {} was due for {}", Name(p.Step), Name(p.Who))
		}
	case *journal.StepConfirmed:
		m.lane, m.seen = lanePeople, true
		if !p.At.IsZero() {
			m.at = p.At
		}
		m.text = words("step {} was confirmed after {}", Name(p.Step), Dur(p.Took))
		if p.By != "" {
			m.text = words("step {} was confirmed by {} after {}", Name(p.Step), Name(p.By), Dur(p.Took))
		}
	case *journal.StepTimedOut:
		m.lane = lanePeople
		m.text = words("step {} was not confirmed within {}", Name(p.Step), Dur(p.Took))
	default:
		return m, false
	}
	return m, true
}

// roleName is a role as a sentence names it.
func roleName(role string) Value {
	if role == "" {
		return Word("somebody")
	}
	return Name(role)
}

// everyRole is who watched, acted or spoke, and where that is said.
func (f *facts) everyRole() (List, []string) {
	var roles List
	var ids []string
	seen := map[string]bool{}
	add := func(role, id string) {
		if role != "" && !seen[role] {
			seen[role] = true
			roles, ids = append(roles, Name(role)), append(ids, id)
		}
	}
	for _, o := range f.declared.p.Observers {
		add(o.Name, f.declared.id)
	}
	for _, p := range f.predictions {
		add(p.role, p.id)
	}
	for _, n := range f.notes {
		add(n.role, n.id)
	}
	return roles, cite(ids...)
}

// Status is how far people are with the draft, as they said last.
func Status(rec *journal.Record) string {
	if f := gather(rec); f.status != nil {
		return f.status.p.Status
	}
	return journal.StatusDraft
}
