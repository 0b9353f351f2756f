package report

import (
	"time"

	"gameday/runner/journal"
)

type jsonNote struct {
	ID    string    `json:"id"`
	Role  string    `json:"role"`
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
	About time.Time `json:"about"`
	Time  time.Time `json:"time"` // when it was written down
	On    string    `json:"on,omitempty"`
	From  string    `json:"from,omitempty"`
}

type jsonPrediction struct {
	ID         string          `json:"id"`
	Role       string          `json:"role"`
	Of         string          `json:"of"`
	Alert      bool            `json:"alert"`
	Expects    journal.Verdict `json:"expects"`
	Confidence *journal.Number `json:"confidence"`
	Text       string          `json:"text,omitempty"`
	Counts     bool            `json:"counts"` // it was made before the first injection: it stands there as it was sealed, or nothing was injected
}

type jsonStep struct {
	Name         string            `json:"name"`
	Instructions string            `json:"instructions"`
	Who          string            `json:"who,omitempty"`
	Before       bool              `json:"before"`    // the injection waited for it
	Begun        *time.Time        `json:"begun"`     // null: it was not begun
	Confirmed    *time.Time        `json:"confirmed"` // null: it was not confirmed
	By           string            `json:"by,omitempty"`
	Said         string            `json:"said,omitempty"` // with the confirmation, as the audience reads it
	Took         *journal.Duration `json:"took"`
	TimedOut     bool              `json:"timed_out"`
	Evidence     []string          `json:"evidence"`
}

type jsonObserver struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Watches     []string `json:"watches"`
}

func (f *facts) jsonNotes() []jsonNote {
	out := []jsonNote{}
	for _, n := range f.notes {
		out = append(out, jsonNote{ID: n.id, Role: n.role, Kind: n.p.As, Text: n.p.Text, About: about(n).UTC(), Time: n.at.UTC(), On: n.p.On, From: n.p.From})
	}
	return out
}

func (f *facts) jsonPredictions() []jsonPrediction {
	out := []jsonPrediction{}
	add := func(p spoken[*journal.Prediction], counts bool) {
		out = append(out, jsonPrediction{ID: p.id, Role: p.role, Of: p.p.Of, Alert: p.p.Alert, Expects: p.p.Expects, Confidence: p.p.Confidence, Text: p.p.Text, Counts: counts})
	}
	for _, p := range f.predictions {
		add(p, true)
	}
	for _, p := range f.uncounted {
		add(p, false)
	}
	return out
}

func (f *facts) jsonSteps() []jsonStep {
	out := []jsonStep{}
	for _, s := range f.steps {
		j := jsonStep{Name: s.Name, Instructions: s.Instructions, Who: s.Who, Before: s.Before, TimedOut: s.timedOut != nil}
		ids := []string{s.declared}
		if s.begun != nil {
			at := s.begun.at.UTC()
			j.Begun, ids = &at, append(ids, s.begun.id)
		}
		if s.confirmed != nil {
			at := s.confirmed.p.At.UTC()
			said, words := f.saidWith(s.confirmed.p)
			j.Confirmed, j.By, j.Said, j.Took, ids = &at, s.confirmed.p.By, words, &s.confirmed.p.Took, append(ids, s.confirmed.id, said)
		}
		if s.timedOut != nil {
			ids = append(ids, s.timedOut.id)
		}
		j.Evidence = cite(ids...)
		out = append(out, j)
	}
	return out
}

func (f *facts) jsonObservers() []jsonObserver {
	out := []jsonObserver{}
	for _, o := range f.declared.p.Observers {
		out = append(out, jsonObserver{o.Name, o.Description, some(o.Watches)})
	}
	return out
}
