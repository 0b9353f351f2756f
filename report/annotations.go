package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"gameday/runner/journal"
)

// A Level says how much an annotation matters.
type Level string

// The levels of annotations.
const (
	LevelError   Level = "error"   // a claim was refuted, a guardrail tripped, or something was left behind
	LevelWarning Level = "warning" // a claim could not be decided
)

// An Annotation is something that a run says about a line of its scenario.
type Annotation struct {
	Level   Level
	Check   string // what it is about: "hypothesis", "alert", "guardrail", "undo", "run"
	Name    string // of that
	File    string // from the directory in which the run was started; empty: it is about no line
	Line    int    // counts from 1; 0 where there is no file
	Title   string
	Message string
	Urgent  bool // a person is needed

	scenario string
}

// A place is a line of a scenario.
type place struct {
	file string
	line int
}

// placesOf finds where hypotheses, guardrails, alerts and faults stand, by "kind name". Whoever reads annotations has the files.
func placesOf(rec *journal.Record) map[string]place {
	out := map[string]place{}
	for _, e := range rec.Events {
		switch p := e.Payload.(type) {
		case *journal.Declared:
			for _, h := range p.Hypotheses {
				out["hypothesis "+h.QueryID] = place{h.File, h.Line}
			}
			for _, g := range p.Guardrails {
				out["guardrail "+g.QueryID] = place{g.File, g.Line}
			}
			for i, x := range p.Faults {
				out[fmt.Sprintf("fault %d", i)] = place{x.File, x.Line}
			}
		case *journal.AlertsDeclared:
			for i, x := range p.Expected {
				out[fmt.Sprintf("alert %d", i)] = place{x.File, x.Line}
			}
		}
	}
	return out
}

// Annotations are what is not as the scenario claims, each at its line.
func (d *Draft) Annotations() []Annotation {
	f := d.facts
	var out []Annotation
	add := func(level Level, check, name, where, title, message string) *Annotation {
		at := d.places[where]
		if at.line < 1 || at.file == "" {
			at = place{}
		}
		out = append(out, Annotation{Level: level, Check: check, Name: visible(name), File: at.file, Line: at.line, Title: visible(title), Message: message, scenario: f.started.p.Scenario})
		return &out[len(out)-1]
	}
	words := func(s Sentence) string {
		return s.phrase().plainText(d.Clock) + " [" + strings.Join(s.Evidence, "] [") + "]"
	}
	judged := func(v journal.Verdict) Level {
		if v == journal.Refuted {
			return LevelError
		}
		return LevelWarning
	}
	for _, x := range f.open() {
		where := slices.IndexFunc(f.declared.p.Faults, func(p journal.FaultPlan) bool { return p.Name == x.name })
		a := add(LevelError, "undo", x.name, fmt.Sprintf("fault %d", where), "A person is needed: "+x.name+" may still be in force", "")
		for _, s := range f.openSentences(x) {
			a.Message = strings.TrimSpace(a.Message + " " + words(s))
		}
		a.Urgent = true
	}
	for _, h := range f.hypotheses {
		if h.verdict == journal.Held {
			continue
		}
		message := words(f.reasonSentence(h))
		if h.verdict != journal.NotTested {
			message += " Seen: " + f.observed(h).plainText(d.Clock) + "; margin: " + h.margin().plainText(d.Clock) + "."
		}
		add(judged(h.verdict), "hypothesis", h.Name, "hypothesis "+h.QueryID, sentenceCase(string(h.verdict))+": "+h.Name, message)
	}
	for _, x := range f.claimed() {
		if x.verdict == journal.Held {
			continue
		}
		where := "alert"
		if f.alerts.declared != nil {
			where = fmt.Sprintf("alert %d", slices.IndexFunc(f.alerts.declared.p.Expected, func(c journal.AlertClaim) bool { return c.Alert == x.name }))
		}
		add(judged(x.verdict), "alert", x.name, where, sentenceCase(string(x.verdict))+": alert "+x.name, words(f.alertReason(x)))
	}
	for _, g := range f.guardrails {
		if slices.ContainsFunc(g.states, func(s noted[*journal.GuardrailState]) bool { return s.p.Tripped }) {
			add(LevelError, "guardrail", g.Name, "guardrail "+g.QueryID, "Guardrail "+g.Name+" stopped the run", words(f.guardrailSentence(g)))
		}
	}
	switch {
	case f.first == "":
	case f.ended == nil:
		add(LevelError, "run", f.runID(), "", "The record ends before the run did", words(f.cutAlarm().Sentences[0]))
	case f.outcome() == journal.OutcomeError:
		message := words(say([]string{f.ended.id}, "The run ended with an error."))
		if f.ended.p.Detail != "" {
			message = words(say([]string{f.ended.id}, "The run ended with an error: {}.", Quote(f.ended.p.Detail)))
		}
		add(LevelError, "run", f.runID(), "", "The run ended with an error", message)
	}
	return out
}

// WriteGitHub writes annotations as the workflow commands of GitHub Actions, one a line.
func WriteGitHub(w io.Writer, list []Annotation) error {
	value := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, a := range list {
		at := ""
		if a.File != "" {
			at = fmt.Sprintf("file=%s,line=%d,", property.Replace(a.File), a.Line)
		}
		if _, err := fmt.Fprintf(w, "::%s %stitle=%s::%s\n", a.Level, at, property.Replace("gameday: "+a.Title), value.Replace(a.Message)); err != nil {
			return err
		}
	}
	return nil
}

// A codeQuality entry is as GitLab reads it.
type codeQuality struct {
	Description string       `json:"description"`
	CheckName   string       `json:"check_name"`
	Fingerprint string       `json:"fingerprint"`
	Severity    string       `json:"severity"` // "info", "minor", "major", "critical", "blocker"
	Location    codeLocation `json:"location"`
}

type codeLocation struct {
	Path  string `json:"path"`
	Lines struct {
		Begin int `json:"begin"`
	} `json:"lines"`
}

// CodeQuality is annotations as a code quality report of GitLab. One that is about no line is put at the beginning of a file of its
// scenario, as GitLab wants a place for each.
func CodeQuality(list []Annotation, file string) ([]byte, error) {
	out := []codeQuality{}
	for _, a := range list {
		sum := sha256.Sum256([]byte(strings.Join([]string{"gameday", a.scenario, a.Check, a.Name}, "\x00")))
		e := codeQuality{Description: a.Title + ". " + a.Message, CheckName: "gameday." + a.Check, Fingerprint: hex.EncodeToString(sum[:]), Severity: "minor"}
		switch {
		case a.Urgent:
			e.Severity = "critical"
		case a.Level == LevelError:
			e.Severity = "major"
		}
		if e.Location.Path, e.Location.Lines.Begin = a.File, a.Line; a.File == "" {
			e.Location.Path, e.Location.Lines.Begin = file, 1
		}
		out = append(out, e)
	}
	b, err := json.MarshalIndent(out, "", "  ")
	return append(b, '\n'), err
}
