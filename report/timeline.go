package report

import (
	"slices"
	"sort"
	"time"

	"gameday/runner/journal"
)

// A lane of the timeline says who or what an event belongs to.
type lane string

// The lanes, from the fault to the people.
const (
	laneFault  lane = "fault"
	laneSystem lane = "system"
	laneSignal lane = "signal"
	lanePeople lane = "people"
	laneRunner lane = "runner"
)

var laneOrder = []lane{laneFault, laneSystem, laneSignal, lanePeople, laneRunner}

// A moment is one event as the timeline shows it.
type moment struct {
	id    string
	at    time.Time
	lane  lane
	text  Phrase
	of    string   // what a signal is about; a subject that changes very often is not shown each time
	also  []string // further evidence
	seen  bool     // somebody confirmed it, or it is an alert that fired; and it was recorded at that time
	minor bool     // no change of state: in the evidence index, not in the timeline
}

// moments describes every event, in the order of the journal.
func (f *facts) moments() []moment {
	out := make([]moment, 0, len(f.index.Events))
	for _, e := range f.index.Events {
		out = append(out, f.describe(e))
	}
	return out
}

// describe says in one phrase what an event is, when it was, and where it belongs.
func (f *facts) describe(e EventEvidence) moment {
	m := moment{id: e.ID, at: e.Event.Time, lane: laneRunner}
	on := func(fault string, c journal.Ref) []Value { return []Value{Name(fault), Name(c.Name)} }
	switch p := e.Event.Payload.(type) {
	case *journal.RunStarted:
		m.text = words("the run started")
		if p.Sham {
			m.text = words("the sham run started")
		}
	case *journal.Declared:
		m.text, m.minor = words("{} {}, {} {} and {} {} were declared", Count{N: len(p.Hypotheses)}, plural(len(p.Hypotheses), "hypothesis", "hypotheses"),
			Count{N: len(p.Guardrails)}, plural(len(p.Guardrails), "guardrail", "guardrails"), Count{N: len(p.Faults)}, plural(len(p.Faults), "fault", "faults")), true
	case *journal.ReportDeclared:
		m.text, m.minor = words("the report was declared, with {} {}", Count{N: len(p.Fields)}, plural(len(p.Fields), "field", "fields")), true
	case *journal.TargetResolved:
		m.text, m.minor = words("target {} was resolved to {} {}", Name(p.Target), Count{N: len(p.Chosen)}, plural(len(p.Chosen), "container", "containers")), true
	case *journal.PhaseStarted:
		m.text = words("phase {} began", Name(p.Phase))
	case *journal.BaselineJudged:
		if m.text = words("the baseline gate was met: the steady state held"); !p.Passed {
			m.text = words("the baseline gate was not met")
			if len(p.Failures) > 0 {
				m.text = words("the baseline gate was not met: {} ({})", Name(p.Failures[0].Name), Name(p.Failures[0].Reason))
			}
		}
	case *journal.FaultIntent:
		m.lane, m.minor = laneFault, true
		m.text = words("gameday was about to inject {} into {}: {}", append(on(p.Fault, p.Container), Quote(p.Does))...)
	case *journal.FaultInjected:
		m.lane, m.minor = laneFault, f.fault(p.Fault, p.Container).verified != nil
		m.text = words("gameday injected {} into {}; the call took {}", append(on(p.Fault, p.Container), Dur(p.Took))...)
	case *journal.FaultVerified:
		m.lane = laneFault
		if !p.Effect.IsZero() {
			m.at = p.Effect
		}
		m.text = words("{} was in force on {}: {}", append(on(p.Fault, p.Container), Quote(p.Seen))...)
	case *journal.FaultNotInjected:
		m.lane = laneFault
		m.text = words("{} was not seen to take effect on {}: {}", append(on(p.Fault, p.Container), Quote(p.Reason))...)
	case *journal.FaultEndedEarly:
		m.lane = laneFault
		m.text = words("{} ended before its time on {}: {}", append(on(p.Fault, p.Container), Quote(p.Reason))...)
	case *journal.FaultFollowed:
		m.lane = laneFault
		if !p.Effect.IsZero() {
			m.at = p.Effect
		}
		m.text = words("{} was in force on {} again, after its restart: {}", append(on(p.Fault, p.Container), Quote(p.Seen))...)
	case *journal.FaultHitNothing:
		m.lane = laneFault
		m.text = words("{} hit nothing on {}: {}", append(on(p.Fault, p.Container), Quote(p.Seen))...)
	case *journal.UndoStarted:
		m.lane, m.minor = laneFault, p.Why == journal.UndoDue
		m.text = words("gameday began to undo {} on {} ({})", append(on(p.Fault, p.Container), Name(p.Why))...)
		if e.Event.Guard {
			m.text = words("the guard began to undo {} on {}", on(p.Fault, p.Container)...)
		}
	case *journal.UndoVerified:
		m.lane = laneFault
		if !p.At.IsZero() {
			m.at = p.At
		}
		m.text = words("{} was gone from {}: {}", append(on(p.Fault, p.Container), Quote(p.Seen))...)
		if f.fault(p.Fault, p.Container).untouched() {
			m.text = words("{} was closed on {}: {}", append(on(p.Fault, p.Container), Quote(p.Seen))...)
		}
	case *journal.UndoFailed:
		m.lane = laneFault
		m.text = words("the undo of {} on {} failed: {}", append(on(p.Fault, p.Container), Quote(p.Reason))...)
	case *journal.TargetChanged:
		m.lane = laneSystem
		if !p.At.IsZero() {
			m.at = p.At
		}
		m.text = words("{} changed: {}", Name(p.Container.Name), Name(p.Change))
		if p.ExitCode != nil {
			m.text = words("{} changed: {}, exit code {}", Name(p.Container.Name), Name(p.Change), Count{N: *p.ExitCode})
		}
		if !p.Target {
			m.text.Template += "; it is no target"
		}
		if p.Ours {
			m.text.Template += "; gameday did this"
		}
	case *journal.HypothesisState:
		m.lane = laneSignal
		if !p.At.IsZero() {
			m.at = p.At
		}
		m.of = p.Hypothesis
		m.minor = p.From == journal.Waiting && p.To == journal.Holding
		m.text = words("{} went from {} to {}", Name(p.Hypothesis), Name(p.From), Name(p.To))
		if p.From == p.To || p.From == "" {
			m.text = words("{} is {}", Name(p.Hypothesis), Name(p.To))
		}
		if p.Point != nil {
			m.text.Template += ": {}"
			m.text.Args = append(m.text.Args, against(p.Point))
		}
		if p.Refuted {
			m.text.Template += "; from here on it is {}"
			m.text.Args = append(m.text.Args, Verdict(journal.Refuted))
		}
		if phases := f.hypothesis(p.Hypothesis, p.QueryID, e.ID).Phases; len(phases) > 0 && p.Phase != "" && !slices.Contains(phases, p.Phase) {
			m.text.Template += "; it is not judged in this phase"
		}
		if p.Detail != "" {
			m.text.Template += "; {}"
			m.text.Args = append(m.text.Args, Quote(p.Detail))
		}
	case *journal.GuardrailState:
		m.lane = laneSignal
		if !p.At.IsZero() {
			m.at = p.At
		}
		m.of = p.Guardrail
		word := Word("is watching again")
		if p.Tripped {
			word = "tripped"
		} else if p.Blind {
			word = "has no data"
		}
		m.text = words("guardrail {} {}", Name(p.Guardrail), word)
		if p.Point != nil {
			v := against(p.Point)
			v.Trips = true
			m.text.Template += ": {}"
			m.text.Args = append(m.text.Args, v)
		}
		if p.Detail != "" {
			m.text.Template += "; {}"
			m.text.Args = append(m.text.Args, Quote(p.Detail))
		}
	case *journal.SourceState:
		m.lane = laneSignal
		m.text = words("the source of numbers {}", Word(map[bool]string{true: "answers again", false: "stopped answering"}[p.Up]))
		if p.Detail != "" {
			m.text.Template += ": {}"
			m.text.Args = append(m.text.Args, Quote(p.Detail))
		}
	case *journal.ContainersWatched:
		m.watched(p)
	case *journal.ContainerGap:
		m.gap(p)
	case *journal.Stopping:
		if p.Why == journal.UndoInterrupted {
			m.lane = lanePeople
		}
		m.text = words("the run was stopped ({}): {}", Name(p.Why), Quote(p.Detail))
		if e.Event.Guard {
			m.text = words("the guard took over: {}", Quote(p.Detail))
		}
	case *journal.GuardState:
		if m.text = words("the guard was up"); !p.Up {
			m.text = words("there was no guard: {}", Quote(p.Detail))
		}
	case *journal.HypothesisJudged:
		m.minor = true
		m.text = judgedAs(Inner(words("{}", Name(p.Hypothesis))), string(p.Verdict), string(p.Reason))
	case *journal.GuardrailJudged:
		m.minor = true
		m.text = words("guardrail {} was summed up from {} {}", Name(p.Guardrail), Count{N: p.Samples}, plural(p.Samples, "sample", "samples"))
	case *journal.Moved:
		m.minor, m.text = true, describeMoved(p)
	case *journal.BlindSpots:
		m.minor, m.text = true, words("{} blind {} noted", Count{N: len(p.Spots)}, plural(len(p.Spots), "spot was", "spots were"))
	case *journal.Residue:
		m.text = words("the undos were summed up: {} of {} {} closed", Count{N: p.Undone}, Count{N: p.Faults}, plural(p.Faults, "fault", "faults"))
		if p.Faults == 0 {
			m.text = words("no fault was begun, and there was nothing to undo")
		}
	case *journal.RunEnded:
		m.text = words("the run ended: {}", outcomeValue(p.Outcome))
		if p.Detail != "" {
			m.text = words("the run ended: {}; {}", outcomeValue(p.Outcome), Quote(p.Detail))
		}
		if e.Event.Guard {
			m.text = words("the guard summed up: {}; {}", outcomeValue(p.Outcome), Quote(p.Detail))
		}
	case *journal.EarlierRuns:
		m.minor, m.text = true, describeEarlier(p)
	case *journal.Rejudged:
		m.minor = true
		m.text = rejudgedMoment(p)
	case *journal.Unknown:
		m.text = words("an event of a kind that this version does not know: {}", Name(p.Name))
	default:
		known := false
		if m, known = describeAlert(m, p); !known {
			if m, known = f.describePeople(m, e.Event); !known {
				m.text = words("an event that this version does not know")
			}
		}
	}
	if e.Event.Role() != "" {
		m.lane = lanePeople
	}
	m.seen = m.seen && e.Event.Time.Sub(m.at) <= hindsight
	return m
}

// calm leaves out the middle of a subject that changes very often; a row in its place says how many changes that were.
func calm(shown []moment) []moment {
	const ends = 12
	of, seen := map[string]Tally{}, map[string]int{}
	for _, m := range shown {
		of[m.of] = append(of[m.of], m.id)
	}
	var out []moment
	for _, m := range shown {
		if m.of == "" || len(of[m.of]) <= 2*ends+1 {
			out = append(out, m)
			continue
		}
		n := seen[m.of]
		seen[m.of]++
		switch {
		case n < ends || n >= len(of[m.of])-ends:
			out = append(out, m)
		case n == ends:
			m.text = words("from here on {} changed {} times more than is shown; the evidence index has them all", Name(m.of), of[m.of][ends:len(of[m.of])-ends])
			out = append(out, m)
		}
	}
	return out
}

// timeline is what changed, in order of time.
func (f *facts) timeline() Section {
	s := Section{ID: "timeline", Version: 1, Title: "Timeline"}
	t := Table{Columns: []string{f.clock.column(), "T", "Lane", "What changed"}}
	var shown []moment
	people := false
	for _, m := range f.moments() {
		if !m.minor {
			people = people || m.lane == lanePeople
			shown = append(shown, m)
		}
	}
	sort.SliceStable(shown, func(i, j int) bool { return shown[i].at.Before(shown[j].at) })
	if len(f.notes) > 0 {
		t.Columns = append(t.Columns, knownColumn)
	}
	for _, m := range f.withPeople(calm(shown)) {
		r := row(append([]string{m.id}, m.also...), words("{}", TimeOfDay(m.at)), words("{}", Since(m.at)), words("{}", Word(m.lane)), m.text)
		if len(f.notes) > 0 {
			r.Cells = append(r.Cells, f.knownThen(m))
		}
		r.At = m.at
		t.Rows = append(t.Rows, r)
	}
	if len(t.Rows) == 0 {
		s.Items = append(s.Items, Para{say([]string{f.last}, "No change of state is in the record.")})
		return s
	}
	s.Items = append(s.Items, f.lanes(shown), t)
	if len(f.notes) > 0 {
		s.Items = append(s.Items, f.howKnown())
	}
	if !people {
		s.Items = append(s.Items, Para{say(cite(f.first, f.last), "The record holds no human observation.")})
	}
	return s
}

// judgedAs is a verdict with its reason, where that says more.
func judgedAs(what Inner, verdict, reason string) Phrase {
	if verdict == reason {
		return words("{} was judged: {}", what, Name(verdict))
	}
	return words("{} was judged: {} ({})", what, Name(verdict), Name(reason))
}
