package report

import (
	"slices"
	"time"

	"gameday/runner/journal"
)

// An event of one kind, with the id under which it is cited.
type noted[P any] struct {
	id string
	at time.Time
	p  P
}

// facts is the record, sorted by subject. Everything is there to be read even when half of the record is missing.
type facts struct {
	rec   *journal.Record
	index *Index
	clock Clock

	audience journal.Audience // whom the draft is for; the record has been made fit for it

	first, last string // evidence ids
	from, to    time.Time

	started  noted[*journal.RunStarted]     // p is never nil; id is empty when the event is missing
	declared noted[*journal.Declared]       // likewise
	custom   noted[*journal.ReportDeclared] // likewise
	targets  []noted[*journal.TargetResolved]
	phases   []noted[*journal.PhaseStarted]
	gate     *noted[*journal.BaselineJudged]
	faults   []*fault
	changes  []noted[*journal.TargetChanged]
	stops    []noted[*journal.Stopping]
	guard    []noted[*journal.GuardState]
	takeover *takeover // nil: the guard did not take over
	moved    *noted[*journal.Moved]
	blind    []noted[*journal.BlindSpots]
	residue  *noted[*journal.Residue]
	ended    *noted[*journal.RunEnded]
	rejudged *noted[*journal.Rejudged] // nil: the verdicts are the run's own
	earlier  *noted[*journal.EarlierRuns]

	hypotheses []*hypothesis
	guardrails []*guardrail
	alerts     alertFacts
	peopleFacts
	questions []Question
}

// A fault on one container, from intent to undo.
type fault struct {
	intent   *noted[*journal.FaultIntent]
	name     string
	kind     string
	target   journal.Ref
	injected *noted[*journal.FaultInjected]
	verified *noted[*journal.FaultVerified]
	missed   *noted[*journal.FaultNotInjected]
	early    *noted[*journal.FaultEndedEarly]
	followed []noted[*journal.FaultFollowed]
	nothing  *noted[*journal.FaultHitNothing]
	undoing  []noted[*journal.UndoStarted]
	undone   *noted[*journal.UndoVerified]
	failed   []noted[*journal.UndoFailed]
}

// open says that the fault was begun and nothing in the record shows it to be gone. A damaged record may have lost the intent.
func (f *fault) open() bool {
	return f.undone == nil && (f.intent != nil || f.injected != nil || f.verified != nil)
}

// untouched says that the fault was prepared and closed again without anything having been done to the container.
func (f *fault) untouched() bool {
	return f.undone != nil && f.injected == nil && f.verified == nil && len(f.undoing) == 0
}

// effect is the time by which the fault was in force; zero if that was not seen.
func (f *fault) effect() time.Time {
	if f.verified == nil {
		return time.Time{}
	}
	if t := f.verified.p.Effect; !t.IsZero() {
		return t
	}
	return f.verified.at
}

// gone is the time by which the fault was gone; zero if that was not seen, or if there was nothing to undo.
func (f *fault) gone() time.Time {
	if f.undone == nil || f.untouched() {
		return time.Time{}
	}
	if t := f.undone.p.At; !t.IsZero() {
		return t
	}
	return f.undone.at
}

func (f *fault) evidence() []string {
	var ids []string
	if f.intent != nil {
		ids = append(ids, f.intent.id)
	}
	if f.injected != nil {
		ids = append(ids, f.injected.id)
	}
	if f.verified != nil {
		ids = append(ids, f.verified.id)
	}
	if f.missed != nil {
		ids = append(ids, f.missed.id)
	}
	if f.early != nil {
		ids = append(ids, f.early.id)
	}
	for _, again := range f.followed {
		ids = append(ids, again.id)
	}
	if f.nothing != nil {
		ids = append(ids, f.nothing.id)
	}
	if len(f.failed) > 0 {
		ids = append(ids, f.failed[len(f.failed)-1].id)
	}
	if f.undone != nil {
		ids = append(ids, f.undone.id)
	}
	if len(ids) == 0 { // a fault is only ever made from an event
		ids = append(ids, f.undoing[0].id)
	}
	return cite(ids...)
}

// A hypothesis with what became of it.
type hypothesis struct {
	journal.Hypothesis
	declared string // evidence id of the declaration, or of the verdict where that is missing
	judged   *noted[*journal.HypothesisJudged]
	states   []noted[*journal.HypothesisState]
	query    *journal.Query
	verdict  journal.Verdict
	reason   journal.Reason // empty: the record ends before it was judged
	rests    []string       // evidence of the verdict
}

// A guardrail with what it saw.
type guardrail struct {
	journal.Guardrail
	declared string
	judged   *noted[*journal.GuardrailJudged]
	states   []noted[*journal.GuardrailState]
	query    *journal.Query
}

func gather(rec *journal.Record) *facts {
	f := &facts{rec: rec, index: newIndex(rec)}
	f.started.p, f.declared.p, f.custom.p = &journal.RunStarted{}, &journal.Declared{}, &journal.ReportDeclared{}
	events := f.index.Events
	if len(events) == 0 {
		return f
	}
	f.first = events[0].ID
	f.from, f.to = events[0].Event.Time, events[0].Event.Time
	for _, e := range events {
		if !e.Event.People { // people may speak long after the run
			f.last = e.ID
			if e.Event.Time.After(f.to) {
				f.to = e.Event.Time
			}
		}
		f.take(e.ID, e.Event)
	}
	f.clock = Clock{Zero: f.from, Day: f.from, Zone: zone(f.custom.p.TimeZone)}
	for _, p := range f.phases {
		if p.p.Phase == journal.Fault {
			f.clock.Zero, f.clock.From = p.at, fromPhase
			if p.p.Zero != nil {
				f.clock.Zero, f.clock.From = *p.p.Zero, fromFaults
			}
			break
		}
	}
	for _, h := range f.hypotheses {
		h.judge(f)
	}
	f.judgeAlerts()
	f.sortNotes()
	return f
}

func (f *facts) take(id string, e journal.Event) {
	at := e.Time
	switch p := e.Payload.(type) {
	case *journal.RunStarted:
		if f.started.id == "" {
			f.started = noted[*journal.RunStarted]{id, at, p}
		}
	case *journal.Declared:
		if f.declared.id == "" {
			f.declared = noted[*journal.Declared]{id, at, p}
			f.declare(id, p)
		}
	case *journal.ReportDeclared:
		if f.custom.id == "" {
			f.custom = noted[*journal.ReportDeclared]{id, at, p}
		}
	case *journal.TargetResolved:
		f.targets = append(f.targets, noted[*journal.TargetResolved]{id, at, p})
	case *journal.PhaseStarted:
		f.phases = append(f.phases, noted[*journal.PhaseStarted]{id, at, p})
	case *journal.BaselineJudged:
		f.gate = &noted[*journal.BaselineJudged]{id, at, p}
	case *journal.FaultIntent:
		f.faults = append(f.faults, &fault{intent: &noted[*journal.FaultIntent]{id, at, p}, name: p.Fault, kind: p.FaultKind, target: p.Container})
	case *journal.FaultInjected:
		f.fault(p.Fault, p.Container).injected = &noted[*journal.FaultInjected]{id, at, p}
	case *journal.FaultVerified:
		f.fault(p.Fault, p.Container).verified = &noted[*journal.FaultVerified]{id, at, p}
	case *journal.FaultNotInjected:
		f.fault(p.Fault, p.Container).missed = &noted[*journal.FaultNotInjected]{id, at, p}
	case *journal.FaultEndedEarly:
		f.fault(p.Fault, p.Container).early = &noted[*journal.FaultEndedEarly]{id, at, p}
	case *journal.FaultFollowed:
		x := f.fault(p.Fault, p.Container)
		x.followed = append(x.followed, noted[*journal.FaultFollowed]{id, at, p})
	case *journal.FaultHitNothing:
		f.fault(p.Fault, p.Container).nothing = &noted[*journal.FaultHitNothing]{id, at, p}
	case *journal.UndoStarted:
		x := f.fault(p.Fault, p.Container)
		x.undoing = append(x.undoing, noted[*journal.UndoStarted]{id, at, p})
	case *journal.UndoVerified:
		f.fault(p.Fault, p.Container).undone = &noted[*journal.UndoVerified]{id, at, p}
		if e.Guard && f.takeover != nil {
			f.takeover.undone = append(f.takeover.undone, noted[*journal.UndoVerified]{id, at, p})
		}
	case *journal.UndoFailed:
		x := f.fault(p.Fault, p.Container)
		x.failed = append(x.failed, noted[*journal.UndoFailed]{id, at, p})
	case *journal.TargetChanged:
		f.changes = append(f.changes, noted[*journal.TargetChanged]{id, at, p})
	case *journal.HypothesisState:
		h := f.hypothesis(p.Hypothesis, p.QueryID, id)
		h.states = append(h.states, noted[*journal.HypothesisState]{id, at, p})
	case *journal.HypothesisJudged:
		f.hypothesis(p.Hypothesis, p.QueryID, id).judged = &noted[*journal.HypothesisJudged]{id, at, p}
	case *journal.GuardrailState:
		g := f.guardrail(p.Guardrail, p.QueryID, id)
		g.states = append(g.states, noted[*journal.GuardrailState]{id, at, p})
	case *journal.GuardrailJudged:
		f.guardrail(p.Guardrail, p.QueryID, id).judged = &noted[*journal.GuardrailJudged]{id, at, p}
	case *journal.Stopping:
		if e.Guard {
			f.takeover = &takeover{noted: noted[*journal.Stopping]{id, at, p}}
		} else {
			f.stops = append(f.stops, noted[*journal.Stopping]{id, at, p})
		}
	case *journal.GuardState:
		f.guard = append(f.guard, noted[*journal.GuardState]{id, at, p})
	case *journal.Moved:
		f.moved = &noted[*journal.Moved]{id, at, p}
	case *journal.BlindSpots:
		f.blind = append(f.blind, noted[*journal.BlindSpots]{id, at, p})
	case *journal.Residue:
		f.residue = &noted[*journal.Residue]{id, at, p}
	case *journal.EarlierRuns:
		f.earlier = &noted[*journal.EarlierRuns]{id, at, p}
	case *journal.Rejudged:
		f.rejudged = &noted[*journal.Rejudged]{id, at, p}
	case *journal.RunEnded:
		f.ended = &noted[*journal.RunEnded]{id, at, p}
	default:
		if !f.takePeople(id, e) {
			f.takeAlert(id, at, p)
		}
	}
}

func (f *facts) declare(id string, d *journal.Declared) {
	f.declareSteps(id, d)
	for _, h := range d.Hypotheses {
		f.hypotheses = append(f.hypotheses, &hypothesis{Hypothesis: h, declared: id, query: f.rec.Queries[h.QueryID]})
	}
	for _, g := range d.Guardrails {
		f.guardrails = append(f.guardrails, &guardrail{Guardrail: g, declared: id, query: f.rec.Queries[g.QueryID]})
	}
}

// fault is the latest fault of that name on that container; a record that lost its intent gets one without.
func (f *facts) fault(name string, c journal.Ref) *fault {
	for _, x := range slices.Backward(f.faults) {
		if x.name == name && (x.target.ID == c.ID || x.target.ID == "" || c.ID == "") && x.target.Name == c.Name {
			return x
		}
	}
	x := &fault{name: name, target: c}
	for _, p := range f.declared.p.Faults {
		if p.Name == name {
			x.kind = p.FaultKind
		}
	}
	f.faults = append(f.faults, x)
	return x
}

func (f *facts) hypothesis(name, query, id string) *hypothesis {
	for _, h := range f.hypotheses {
		if h.Name == name {
			return h
		}
	}
	h := &hypothesis{Hypothesis: journal.Hypothesis{Name: name, QueryID: query}, declared: id, query: f.rec.Queries[query]}
	f.hypotheses = append(f.hypotheses, h)
	return h
}

func (f *facts) guardrail(name, query, id string) *guardrail {
	for _, g := range f.guardrails {
		if g.Name == name {
			return g
		}
	}
	g := &guardrail{Guardrail: journal.Guardrail{Name: name, QueryID: query}, declared: id, query: f.rec.Queries[query]}
	f.guardrails = append(f.guardrails, g)
	return g
}

// judge takes the verdict from the record. Where the record ends before one was written, what was refuted live stays
// refuted, what no fault was in force for was not tested, and everything else is inconclusive.
func (h *hypothesis) judge(f *facts) {
	if h.judged != nil {
		h.verdict, h.reason = h.judged.p.Verdict, h.judged.p.Reason
		h.rests = cite(h.judged.id, f.query(h.QueryID))
		switch h.verdict {
		case journal.Held, journal.Refuted, journal.Inconclusive, journal.NotTested:
		default:
			h.verdict = journal.Inconclusive
		}
		return
	}
	h.verdict = journal.Inconclusive
	if f.ended != nil && !slices.ContainsFunc(f.faults, func(x *fault) bool { return !x.untouched() }) {
		h.verdict = journal.NotTested
	}
	h.rests = cite(h.declared, f.last)
	for _, s := range h.states {
		if s.p.Refuted {
			h.verdict, h.reason = journal.Refuted, journal.ReasonViolated
			h.rests = cite(s.id, f.query(h.QueryID))
			return
		}
	}
}

// query is the id of a query if it can be cited, and empty if not.
func (f *facts) query(id string) string {
	if f.index.Has(id) {
		return id
	}
	return ""
}

// count is how many hypotheses have a verdict, with the evidence of each.
func (f *facts) count(v journal.Verdict) Count {
	c := Count{Of: []string{}}
	for _, h := range f.hypotheses {
		if h.verdict == v {
			c.N++
			c.Of = append(c.Of, h.rests[0])
		}
	}
	return c
}

// open is every fault that nothing shows to be gone.
func (f *facts) open() []*fault {
	var out []*fault
	for _, x := range f.faults {
		if x.open() {
			out = append(out, x)
		}
	}
	return out
}

// lastUndo is when the last fault was seen to be gone; zero if none was.
func (f *facts) lastUndo() time.Time {
	var last time.Time
	for _, x := range f.faults {
		if g := x.gone(); g.After(last) {
			last = g
		}
	}
	return last
}

// cut says, of what was never judged, what came to its end before.
func (f *facts) cut() Word {
	if f.ended == nil {
		return "the record ends"
	}
	if o := f.outcome(); o == journal.OutcomeInterrupted || o == journal.OutcomeResidue {
		return "the run was cut off"
	}
	return "the run ended"
}

// declaredEvidence is what the declarations are cited by; the first event where they are missing.
func (f *facts) declaredEvidence() string {
	if f.declared.id != "" {
		return f.declared.id
	}
	return f.first
}

// outcome of the run as the record has it; empty where it ends before one was written.
func (f *facts) outcome() journal.Outcome {
	if f.ended == nil {
		return ""
	}
	return f.ended.p.Outcome
}
