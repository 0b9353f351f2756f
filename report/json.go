package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"time"

	"gameday/runner/journal"
)

// Schema is the JSON schema of report.json.
//
//go:embed schema/report.schema.json
var Schema []byte

// SchemaVersion is raised when a field of report.json changes its meaning or goes; new fields leave it as it is.
const SchemaVersion = 1

type jsonReport struct {
	SchemaVersion int               `json:"schema_version"`
	Run           string            `json:"run"`
	Scenario      jsonScenario      `json:"scenario"`
	Gameday       string            `json:"gameday_version"`
	Started       time.Time         `json:"started"`
	Ended         time.Time         `json:"ended"` // of the last event
	Complete      bool              `json:"complete"`
	Outcome       string            `json:"outcome"`
	ExitCode      *int              `json:"exit_code"`
	Seed          uint64            `json:"seed"`
	Zero          time.Time         `json:"zero"`      // T+0
	Audience      string            `json:"audience"`  // whom it is for, which decides what is left out
	TimeZone      string            `json:"time_zone"` // of the texts; times are in UTC
	Fields        []jsonField       `json:"fields"`
	Hypotheses    []jsonHypothesis  `json:"hypotheses"`
	Faults        []jsonFault       `json:"faults"`
	Guardrails    []jsonGuardrail   `json:"guardrails"`
	Alerts        []jsonAlert       `json:"alerts"`
	AlertsUnknown []jsonUnknown     `json:"alerts_unknown,omitempty"`
	Sham          bool              `json:"sham,omitempty"`
	Moved         *jsonMoved        `json:"moved,omitempty"`
	BlindSpots    []jsonBlindSpot   `json:"blind_spots,omitempty"`
	Residue       jsonResidue       `json:"residue"`
	Damage        []journal.Damage  `json:"damage"`
	Questions     []jsonQuestion    `json:"questions"`
	Surprises     []jsonSentence    `json:"surprises"` // what was not as declared
	Next          []jsonSentence    `json:"next"`      // proposed experiments
	Observers     []jsonObserver    `json:"observers"`
	Notes         []jsonNote        `json:"notes"`       // by the time that they speak of
	Predictions   []jsonPrediction  `json:"predictions"` // the last of each role for each thing, and those that came too late
	Steps         []jsonStep        `json:"steps"`
	Rejudged      *journal.Rejudged `json:"rejudged,omitempty"` // the verdicts are not the run's own
	Evidence      []jsonEvidence    `json:"evidence"`

	Earlier *journal.EarlierRuns `json:"earlier,omitempty"`
	Status  string               `json:"status"` // of the draft, as people set it
}

type jsonScenario struct {
	Name  string   `json:"name"`
	Title string   `json:"title"`
	Hash  string   `json:"hash"`
	Tags  []string `json:"tags"`
}

type jsonHypothesis struct {
	Name      string                `json:"name"`
	Query     string                `json:"query"`
	Expect    string                `json:"expect"`
	Verdict   journal.Verdict       `json:"verdict"`
	Reason    string                `json:"reason"`
	Detail    string                `json:"detail"`
	Margin    *journal.Margin       `json:"margin"`
	HeldAgain *journal.HeldAgain    `json:"held_again"`
	Phases    []journal.PhaseJudged `json:"phases"`
	Evidence  []string              `json:"evidence"`

	FirstViolation      *journal.FirstViolation      `json:"first_violation"`
	RecoveredBeforeUndo *journal.RecoveredBeforeUndo `json:"recovered_before_undo"`
}

type jsonFault struct {
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`
	Container   string     `json:"container"`
	ContainerID string     `json:"container_id"`
	Effect      *time.Time `json:"effect"` // null: not seen
	Gone        *time.Time `json:"gone"`   // null: not seen
	Open        bool       `json:"open"`
	Differences []string   `json:"differences"`
	Evidence    []string   `json:"evidence"`
}

type jsonGuardrail struct {
	Name      string          `json:"name"`
	Query     string          `json:"query"`
	AbortWhen string          `json:"abort_when"`
	Tripped   bool            `json:"tripped"`
	Blind     bool            `json:"blind"`
	Closest   *journal.Margin `json:"closest"`
	Evidence  []string        `json:"evidence"`
}

type jsonQuestion struct {
	ID       string    `json:"id"`
	Trigger  string    `json:"trigger"`
	Of       string    `json:"of,omitempty"`
	Time     time.Time `json:"time,omitzero"` // the moment that it is about
	Text     string    `json:"text"`
	Evidence []string  `json:"evidence"`
}

type jsonSentence struct {
	Text     string   `json:"text"`
	Evidence []string `json:"evidence"`
}

func (f *facts) jsonSentences(list []Sentence) []jsonSentence {
	out := []jsonSentence{}
	for _, s := range list {
		out = append(out, jsonSentence{s.phrase().plainText(f.clock), s.Evidence})
	}
	return out
}

type jsonResidue struct {
	Complete bool     `json:"complete"` // every fault was seen to be gone
	Open     []string `json:"open"`
	ByHand   []string `json:"by_hand"`
	Helpers  int      `json:"helpers"`
}

type jsonEvidence struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time,omitzero"`
	Kind    string    `json:"kind"`
	Actor   string    `json:"actor,omitempty"`
	Text    string    `json:"text"`
	Samples *int      `json:"samples,omitempty"`
}

// JSON is the draft for programs, as Schema describes it.
func (d *Draft) JSON() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	f := d.facts
	p, hash := f.started.p, f.started.p.Hash
	if f.audience == journal.AudiencePublic {
		hash = "" // which stands there by another name
	}
	r := jsonReport{
		SchemaVersion: SchemaVersion, Run: f.runID(), Gameday: p.Version, Started: f.from.UTC(), Ended: f.to.UTC(), Complete: f.ended != nil && len(f.rec.Damage) == 0,
		Outcome: outcomeOrUnfinished(f), Seed: p.Seed, Zero: f.clock.Zero.UTC(), Audience: string(f.audience), TimeZone: f.clock.ZoneName(), Fields: f.jsonFields(),
		Scenario:   jsonScenario{p.Scenario, p.Title, hash, some(p.Tags)},
		Hypotheses: []jsonHypothesis{}, Faults: []jsonFault{}, Guardrails: []jsonGuardrail{}, Alerts: f.jsonAlerts(), Damage: some(f.rec.Damage), Evidence: []jsonEvidence{},
	}
	if f.rejudged != nil {
		r.Rejudged = f.rejudged.p
	}
	if f.ended != nil {
		r.ExitCode = &f.ended.p.ExitCode
	}
	for _, h := range f.hypotheses {
		j := jsonHypothesis{Name: h.Name, Query: h.QueryID, Expect: h.Expect, Verdict: h.verdict, Reason: string(h.reason), Phases: []journal.PhaseJudged{}, Evidence: h.rests}
		if j.Reason == "" {
			j.Reason = "not judged"
		}
		if h.judged != nil {
			j.Detail, j.Margin, j.HeldAgain, j.Phases = h.judged.p.Detail, h.judged.p.Margin, h.judged.p.HeldAgain, some(h.judged.p.Phases)
			j.FirstViolation, j.RecoveredBeforeUndo = h.judged.p.FirstViolation, h.judged.p.RecoveredBeforeUndo
		}
		r.Hypotheses = append(r.Hypotheses, j)
	}
	r.Residue = jsonResidue{Complete: true, Open: []string{}, ByHand: []string{}}
	if f.residue != nil {
		r.Residue.Helpers = f.residue.p.Helpers
		if !f.recovered() {
			r.Residue.Open, r.Residue.ByHand = some(f.residue.p.Open), some(f.residue.p.ByHand)
		}
	}
	for _, x := range f.faults {
		j := jsonFault{Name: x.name, Kind: x.kind, Container: x.target.Name, ContainerID: x.target.ID, Open: x.open(), Differences: []string{}, Evidence: some(x.evidence())}
		if t := x.effect(); !t.IsZero() {
			t = t.UTC()
			j.Effect = &t
		}
		if t := x.gone(); !t.IsZero() {
			t = t.UTC()
			j.Gone = &t
			j.Differences = some(x.undone.p.Differences)
		}
		r.Residue.Complete = r.Residue.Complete && !j.Open
		r.Faults = append(r.Faults, j)
	}
	r.Residue.Complete = r.Residue.Complete && len(r.Residue.Open) == 0 && r.Residue.Helpers == 0
	for _, g := range f.guardrails {
		j := jsonGuardrail{Name: g.Name, Query: g.QueryID, AbortWhen: g.AbortWhen, Evidence: cite(g.declared, f.query(g.QueryID))}
		if g.judged != nil {
			j.Tripped, j.Blind, j.Closest = g.judged.p.Tripped, g.judged.p.Blind, g.judged.p.Closest
			j.Evidence = cite(append(j.Evidence, g.judged.id)...)
		}
		for _, s := range g.states {
			j.Tripped, j.Blind = j.Tripped || s.p.Tripped, j.Blind || s.p.Blind
		}
		r.Guardrails = append(r.Guardrails, j)
	}
	if r.Status = journal.StatusDraft; f.status != nil {
		r.Status = f.status.p.Status
	}
	if f.earlier != nil {
		r.Earlier = f.earlier.p
	}
	r.Questions = []jsonQuestion{}
	for _, q := range f.questions {
		r.Questions = append(r.Questions, jsonQuestion{ID: q.ID, Trigger: q.Trigger, Of: q.Of, Time: q.At.UTC(), Text: q.Text.phrase().plainText(f.clock), Evidence: q.Text.Evidence})
	}
	r.Surprises, r.Next = f.jsonSentences(f.surprises()), f.jsonSentences(f.proposals())
	r.AlertsUnknown = f.jsonUnknown()
	r.Observers, r.Notes, r.Predictions, r.Steps = f.jsonObservers(), f.jsonNotes(), f.jsonPredictions(), f.jsonSteps()
	r.Sham = f.sham()
	r.Moved, r.BlindSpots = f.jsonMoved()
	for i, m := range f.moments() {
		e := f.index.Events[i]
		r.Evidence = append(r.Evidence, jsonEvidence{ID: e.ID, Time: e.Event.Time.UTC(), Kind: e.Event.Payload.Kind(), Actor: e.Event.Actor, Text: m.text.plainText(f.clock)})
	}
	for _, q := range f.index.Queries {
		n := 0
		if q.Query != nil {
			n = len(q.Query.Samples)
		}
		r.Evidence = append(r.Evidence, jsonEvidence{ID: q.ID, Kind: "query", Text: q.Text, Samples: &n})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// some is the list, and never null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
