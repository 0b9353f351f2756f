package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// A Rejudgement is what a scenario says of a run that was recorded earlier, beside what was said then. Nothing is done for it and
// nobody is asked: it is computed from the record.
type Rejudgement struct {
	Run        string           `json:"run"`
	Then       journal.Outcome  `json:"then"` // empty: the record ends before the run did
	Now        journal.Outcome  `json:"now"`
	ExitCode   int              `json:"exit_code"` // of Now
	Detail     string           `json:"detail,omitempty"`
	Hypotheses []RejudgedClaim  `json:"hypotheses"`
	Guardrails []RejudgedBounds `json:"guardrails"`
	Alerts     []RejudgedAlert  `json:"alerts"`
	Changes    []string         `json:"changes"` // of the variables, in words
	Notes      []string         `json:"notes"`   // what could not be applied, or has to be known about it, in words

	record *journal.Record
}

// A RejudgedClaim is a hypothesis, then and now.
type RejudgedClaim struct {
	Name      string                    `json:"name"`
	Changes   []string                  `json:"changes"`        // how it was declared then and now, in words
	Evaluated bool                      `json:"evaluated"`      // its query was evaluated anew, on the recorded series
	Then      *journal.HypothesisJudged `json:"then,omitempty"` // nil: there was no verdict
	Now       *journal.HypothesisJudged `json:"now,omitempty"`  // nil: it is not in the scenario any more
}

// RejudgedBounds is a guardrail, then and now.
type RejudgedBounds struct {
	Name    string                   `json:"name"`
	Changes []string                 `json:"changes"`
	Then    *journal.GuardrailJudged `json:"then,omitempty"`
	Now     *journal.GuardrailJudged `json:"now,omitempty"`
}

// Record is that of the run with the new verdicts in the place of its own, to draft a report from.
func (r *Rejudgement) Record() *journal.Record { return r.record }

// LoadForRun loads a scenario as one for a recorded run: variables have the values that they had in the run, unless o.Vars or
// o.VarFiles says otherwise, and the addresses and credentials that env() would give are not needed. notes say where the run's
// value stands in the way of another default.
func LoadForRun(path string, rec *journal.Record, o scenarios.Options) (ws *scenarios.Workspace, notes []string, ds scenarios.Diagnostics) {
	const nowhere = "http://recorded"
	env := o.Env
	if env == nil {
		env = os.LookupEnv
	}
	given := map[string]string{}
	use := func(placeholder bool) {
		o.Env = func(name string) (string, bool) {
			if v, ok := given[strings.TrimPrefix(name, "GAMEDAY_VAR_")]; ok && strings.HasPrefix(name, "GAMEDAY_VAR_") {
				return v, true
			}
			if v, ok := env(name); ok || !placeholder || strings.HasPrefix(name, "GAMEDAY_VAR_") {
				return v, ok
			}
			return nowhere, true
		}
		ws, ds = scenarios.Load(path, o)
	}
	then := rec.Started().Variables
	use(false)
	if ds.HasErrors() {
		use(true)
	}
	now := map[string]string{}
	if ws != nil {
		for _, v := range ws.Variables {
			now[v.Name] = v.Value
		}
	}
	for name, v := range then {
		if v != sensitive && (ws == nil || now[name] != "" && now[name] != sensitive && now[name] != v) {
			given[name] = unquoted(v)
		}
	}
	if len(given) == 0 {
		return ws, nil, ds
	}
	before := ds
	use(false)
	if ds.HasErrors() {
		use(true)
	}
	if ds.HasErrors() && before.HasErrors() {
		ds = before
	}
	if ws != nil {
		for _, v := range ws.Variables {
			if was := then[v.Name]; given[v.Name] != "" && v.Value == was && now[v.Name] != "" {
				notes = append(notes, fmt.Sprintf("var.%s is %s, as in the run, and not %s: to change it, use -var", v.Name, was, now[v.Name]))
			}
		}
	}
	return ws, notes, ds
}

// sensitive stands in the record for what must not be in it.
const sensitive = "(sensitive)"

// unquoted is a value of the record as it is given on a command line: text is written out.
func unquoted(v string) string {
	if strings.HasPrefix(v, `"`) {
		var text string
		if err := json.Unmarshal([]byte(v), &text); err == nil {
			return text
		}
	}
	return v
}

// Rejudge judges a recorded run by another scenario. open opens the recorded series of the run; it is called only where a query
// is not one that the run asked, or a claim about an alert or its rules are not those of the run. A *Refusal says what cannot be judged.
func Rejudge(ctx context.Context, rec *journal.Record, ws *scenarios.Workspace, sc *scenarios.Scenario, open func() (metrics.Source, error)) (*Rejudgement, error) {
	return judgeAgain(ctx, rec, ws, sc, open, false)
}

func judgeAgain(ctx context.Context, rec *journal.Record, ws *scenarios.Workspace, sc *scenarios.Scenario, open func() (metrics.Source, error), again bool) (*Rejudgement, error) {
	re := &rejudging{
		again: again,
		out:   &Rejudgement{Run: rec.Started().Run, Hypotheses: []RejudgedClaim{}, Guardrails: []RejudgedBounds{}, Alerts: []RejudgedAlert{}, Changes: []string{}, Notes: []string{}},
		rec:   rec,
		h:     Recall(rec),
		plan:  &Plan{Workspace: ws, Scenario: sc, Faults: schedule(sc.Faults)},
		open:  open,
	}
	re.plan.planQueries(unsaid, unsaid)
	re.declared()
	if err := re.samples(ctx); err != nil {
		return nil, err
	}
	if err := re.judgeAlerts(ctx); err != nil {
		return nil, err
	}
	re.judge()
	re.compose()
	return re.out, nil
}

// unsaid drops what a plan would warn of: the run is over.
func unsaid(scenarios.Range, string, string, ...any) {}

// A rejudging is a Rejudgement in the making.
type rejudging struct {
	out  *Rejudgement
	rec  *journal.Record
	h    History // of the run; its samples are replaced by those of the plan's queries
	plan *Plan
	open func() (metrics.Source, error)

	then      *journal.Declared
	judged    map[string]*journal.HypothesisJudged
	guarded   map[string]*journal.GuardrailJudged
	gateAt    time.Time // when the gate was judged; zero: it was not
	evaluated map[string]bool
	changes   map[string][]string // by the query's id
	gate      journal.BaselineJudged
	why       journal.UndoWhy // why the run was ended before its time
	whyDetail string
	notDone   string
	unknown   []string    // faults of the scenario that were not in the run
	again     bool        // also claims about alerts that have not changed are judged anew
	anew      *anewAlerts // nil: what the run says of alerts stands
}

// declared reads what the record says of the verdicts, and notes what differs and cannot be applied.
func (re *rejudging) declared() {
	re.then = &journal.Declared{}
	re.judged, re.guarded = map[string]*journal.HypothesisJudged{}, map[string]*journal.GuardrailJudged{}
	verdicts := false
	for _, e := range re.rec.Events {
		switch p := e.Payload.(type) {
		case *journal.Declared:
			re.then = p
		case *journal.BaselineJudged:
			re.gateAt = e.Time
		case *journal.HypothesisJudged:
			re.judged[p.Hypothesis], verdicts = p, true
		case *journal.AlertJudged:
			verdicts = true
		case *journal.GuardrailJudged:
			re.guarded[p.Guardrail] = p
		case *journal.FaultNotInjected:
			if re.notDone == "" && re.why == "" {
				re.notDone = fmt.Sprintf("fault.%s on %s: %s", p.Fault, p.Container.Name, p.Reason)
			}
		case *journal.StepTimedOut:
			if re.notDone == "" && re.why == "" {
				re.notDone = re.then.Refusal(p)
			}
		case *journal.Stopping:
			if re.why == "" && !verdicts {
				re.why, re.whyDetail = p.Why, p.Detail
			}
		}
	}
	note := func(format string, args ...any) { re.out.Notes = append(re.out.Notes, fmt.Sprintf(format, args...)) }
	if re.rec.Ended() == nil && re.why == "" {
		re.why, re.whyDetail = journal.UndoInterrupted, "the record ends before the run did"
	}
	sc := re.plan.Scenario
	if name := re.rec.Started().Scenario; sc.Name != name {
		note("the run was of the scenario %q, and %q is applied to it", name, sc.Name)
	}
	const stays = "is not as it was in the run; what was done cannot be done otherwise any more, and counts as it was"
	if time.Duration(re.then.Baseline) != sc.Baseline {
		note("baseline = %q %s (%s)", sc.Baseline, stays, re.then.Baseline)
	}
	if time.Duration(re.then.Recovery) != sc.Recovery {
		note("recovery = %q %s (%s)", sc.Recovery, stays, re.then.Recovery)
	}
	faults := map[string]journal.FaultPlan{}
	for _, f := range re.then.Faults {
		faults[f.Name] = comparableFault(f)
	}
	for _, f := range re.plan.Faults {
		was, there := faults[f.Fault.Name]
		delete(faults, f.Fault.Name)
		if !there {
			note("fault.%s was not in the run, so nothing is known of it", f.Fault.Name)
			re.unknown = append(re.unknown, "fault."+f.Fault.Name)
		} else if !reflect.DeepEqual(was, comparableFault(declareFault(f))) {
			note("fault.%s %s", f.Fault.Name, stays)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		note("fault.%s is not in the scenario any more; it was injected all the same", name)
	}
	for _, v := range re.plan.Workspace.Variables {
		if was, there := re.rec.Started().Variables[v.Name]; there && was != v.Value {
			re.out.Changes = append(re.out.Changes, fmt.Sprintf("var.%s: %s → %s", v.Name, was, v.Value))
		}
	}
}

// comparableFault is a fault without what depends on where it is written and what it hit.
func comparableFault(f journal.FaultPlan) journal.FaultPlan {
	return journal.FaultPlan{Name: f.Name, FaultKind: f.FaultKind, Target: f.Target, Start: f.Start, Duration: f.Duration, Args: slices.Clone(f.Args)}
}

// samples finds the samples of each query: those of the run where it asked the same, and else new ones.
func (re *rejudging) samples(ctx context.Context) error {
	re.evaluated, re.changes = map[string]bool{}, map[string][]string{}
	recorded := re.h.Samples
	then := re.h.Usual
	re.h.Samples, re.h.Usual = map[string][]journal.Sample{}, nil
	known := map[string]map[string]float64{}
	hypotheses, guardrails := declareQueries(re.plan.Queries)
	now := map[string]asked{}
	for _, h := range hypotheses {
		now[h.QueryID] = askedBy(h)
	}
	for _, g := range guardrails {
		now[g.QueryID] = askedOf(g)
	}
	var problems []Problem
	var missing []PlannedQuery
	for i := range re.plan.Queries {
		q := &re.plan.Queries[i]
		was, there := re.before(*q)
		if there {
			re.changes[q.ID] = was.differences(now[q.ID])
		} else {
			re.changes[q.ID] = []string{"it was not in the run"}
		}
		switch {
		case there && was.query == q.Text && was.every == q.Every && was.age != q.Age && slices.ContainsFunc(recorded[was.id], func(s journal.Sample) bool { return s.Age != 0 }):
			problems = append(problems, re.refusal(*q, was, there))
		case there && was.query == q.Text && was.every == q.Every:
			re.h.Samples[q.ID] = recorded[was.id]
			q.Lookback = was.lookback
			known[q.ID] = then[was.id].medians
		case re.rec.Started().Source == nil || re.rec.Started().Source.Type != "embedded":
			problems = append(problems, re.refusal(*q, was, there))
		default:
			missing = append(missing, *q)
		}
	}
	if len(problems) > 0 {
		return &Refusal{Problems: problems}
	}
	if len(missing) > 0 {
		if err := re.evaluate(ctx, missing, recorded); err != nil {
			return err
		}
	}
	if re.gateAt.IsZero() {
		return nil
	}
	// The gate is judged as it was then: with what was known when it was judged, and with the medians of then.
	until := re.h
	until.FaultStart = re.gateAt
	_, re.h.Usual = gate(re.plan.Queries, until)
	for id, m := range known {
		if m != nil {
			u := re.h.Usual[id]
			u.medians = m
			re.h.Usual[id] = u
		}
	}
	re.gate = regate(re.plan.Queries, until, re.h.Usual)
	return nil
}

// regate is gate with a baseline that is known.
func regate(queries []PlannedQuery, h History, u map[string]usual) journal.BaselineJudged {
	out := journal.BaselineJudged{Passed: true}
	h.Usual = u
	for _, q := range queries {
		_, rows := baselineOf(q, h)
		for i := range rows {
			rows[i].Median = journal.Number(u[q.ID].medians[seriesKey(rows[i].Labels)])
		}
		out.Medians = append(out.Medians, rows...)
		if f := gateFailure(look(q, h)); f != nil {
			out.Passed = false
			out.Failures = append(out.Failures, *f)
		}
	}
	return out
}

// asked is what a record or a scenario says of a query and of the bounds on it, by the words of the language.
type asked struct {
	id, query       string
	every, lookback time.Duration
	arguments       [][2]string
	age             string // the query for how old it is, of a server
}

func askedBy(h journal.Hypothesis) asked {
	var in []string
	for _, p := range h.Phases {
		in = append(in, string(p))
	}
	return asked{h.QueryID, h.Query, time.Duration(h.Every), time.Duration(h.Lookback), [][2]string{
		{"query", oneLine(h.Query)}, {"expect", oneLine(h.Expect)}, {"phases", strings.Join(in, ", ")}, {"every", h.Every.String()}, {"tolerate", h.Tolerate.String()},
		{"within", h.Within.String()}, {"match", h.Match}, {"no_data", h.NoData}}, metrics.Age(h.Query, h.Match == "any")}
}

func askedOf(g journal.Guardrail) asked {
	return asked{g.QueryID, g.Query, time.Duration(g.Every), time.Duration(0), [][2]string{
		{"query", oneLine(g.Query)}, {"abort_when", oneLine(g.AbortWhen)}, {"for", g.For.String()}, {"every", g.Every.String()}, {"no_data", g.NoData}}, metrics.Age(g.Query, true)}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (a asked) differences(b asked) []string {
	out := []string{}
	for i, was := range a.arguments {
		if is := b.arguments[i]; was != is {
			out = append(out, fmt.Sprintf("%s: %s → %s", was[0], was[1], is[1]))
		}
	}
	return out
}

// before is what the run says of a query.
func (re *rejudging) before(q PlannedQuery) (asked, bool) {
	if q.Hypothesis != nil {
		if i := slices.IndexFunc(re.then.Hypotheses, func(h journal.Hypothesis) bool { return h.Name == q.Name() }); i >= 0 {
			return askedBy(re.then.Hypotheses[i]), true
		}
		return asked{}, false
	}
	if i := slices.IndexFunc(re.then.Guardrails, func(g journal.Guardrail) bool { return g.Name == q.Name() }); i >= 0 {
		a := askedOf(re.then.Guardrails[i])
		a.lookback = q.Lookback
		return a, true
	}
	return asked{}, false
}

// refusal says why a query cannot be answered any more.
func (re *rejudging) refusal(q PlannedQuery, was asked, there bool) Problem {
	r, block := scenarios.Range{}, ""
	if q.Hypothesis != nil {
		r, block = q.Hypothesis.Range, fmt.Sprintf("hypothesis %q", q.Name())
	} else {
		r, block = q.Guardrail.Range, fmt.Sprintf("guardrail %q", q.Name())
	}
	p := at(r, block)
	const only = "this run asked a Prometheus server, and only what its own queries returned is recorded"
	switch {
	case !there:
		p.Message = only + "; nothing is known of this one: leave it out, or run the scenario again"
	case was.query == q.Text && was.every == q.Every:
		p.Message = only + "; it was asked how old that is of all series together, or of the newest alone, by match: put the old match back, or run the scenario again"
	case was.query != q.Text:
		p.Message = only + "; the query was changed: put the old one back, or run the scenario again. It was " + oneLine(was.query)
	default:
		p.Message = fmt.Sprintf("%s, every %s; every = %q cannot be judged: put the old one back, or run the scenario again", only, was.every, q.Every)
	}
	return p
}

// evaluate asks the recorded series, at the times at which the run asked under that name, and for what is new at times of its own.
func (re *rejudging) evaluate(ctx context.Context, queries []PlannedQuery, recorded map[string][]journal.Sample) error {
	src, err := re.open()
	if err != nil {
		return err
	}
	defer src.Close()
	for _, q := range queries {
		var times []time.Time
		if was, there := re.before(q); there && was.every == q.Every {
			for _, s := range recorded[was.id] {
				times = append(times, s.At)
			}
		} else {
			for at := re.h.Start.Add(q.Every); !at.After(re.h.End); at = at.Add(q.Every) {
				times = append(times, at)
			}
		}
		for _, at := range times {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s := ask(ctx, src, q, at, usual{})
			s.Took, s.Phase = 0, re.h.phase(at)
			re.h.Samples[q.ID] = append(re.h.Samples[q.ID], s)
		}
		re.evaluated[q.ID] = true
	}
	return nil
}

// judge makes the verdicts and the outcome.
func (re *rejudging) judge() {
	worst := journal.Held
	note := func(format string, args ...any) { re.out.Notes = append(re.out.Notes, fmt.Sprintf(format, args...)) }
	for _, q := range re.plan.Queries {
		if q.Hypothesis != nil {
			v := judge(q, re.h)
			if v.Verdict == journal.NotTested && v.Reason == journal.ReasonNotInjected {
				v.Detail = re.notDone
			}
			if rank[v.Verdict] > rank[worst] {
				worst = v.Verdict
			}
			re.out.Hypotheses = append(re.out.Hypotheses, RejudgedClaim{Name: q.Name(), Changes: re.changes[q.ID], Evaluated: re.evaluated[q.ID], Then: re.judged[q.Name()], Now: v})
			continue
		}
		g := RejudgedBounds{Name: q.Name(), Changes: re.changes[q.ID], Then: re.guarded[q.Name()]}
		at, blind := trips(q, re.h)
		switch changed := len(g.Changes) > 0 || g.Then == nil || len(re.out.Changes) > 0 || re.otherFiles(); {
		case !changed:
			g.Now = judgeGuardrail(q, re.h, g.Then.Tripped, g.Then.Blind)
		default:
			g.Now = judgeGuardrail(q, re.h, !at.IsZero(), blind)
		}
		switch then := g.Then != nil && g.Then.Tripped; {
		case g.Now.Tripped && !then && !at.IsZero() && re.h.phase(at) == journal.Fault:
			note("guardrail.%s would have stopped the run at %s: what came after would not have happened", g.Name, at.UTC().Format("15:04:05.000"))
			if re.why == "" {
				re.why, re.whyDetail = journal.UndoGuardrail, fmt.Sprintf("guardrail.%s would have tripped", g.Name)
			}
		case then && !g.Now.Tripped:
			note("guardrail.%s would not have stopped the run: what would have come after is not known", g.Name)
		}
		re.out.Guardrails = append(re.out.Guardrails, g)
	}
	claims := 0
	for _, x := range re.out.Alerts {
		if x.Now != nil {
			claims++
			if rank[x.Now.Verdict] > rank[worst] {
				worst = x.Now.Verdict
			}
		}
	}
	re.gone()
	ended := re.rec.Ended()
	if ended != nil {
		re.out.Then = ended.Outcome
	}
	failed := []string{}
	for _, f := range re.gate.Failures {
		failed = append(failed, f.Name)
	}
	if len(failed) > 0 && !re.h.FaultStart.IsZero() {
		note("the baseline would not have held for %s, and nothing would have been injected", join(failed))
	}
	if re.gate.Passed && re.h.FaultStart.IsZero() && re.why == "" && re.notDone == "" {
		note("the baseline holds now, but nothing was injected in this run: what the fault would have done is not known")
		re.gate.Passed, failed = false, []string{"nothing was injected in this run"}
	}
	if ended != nil && (ended.Outcome == journal.OutcomeResidue || ended.Outcome == journal.OutcomeError) {
		re.out.Now, re.out.Detail = ended.Outcome, ended.Detail
	} else {
		e := ending{notDone: re.notDone, why: re.why, detail: re.whyDetail, passed: re.gate.Passed, gateFailed: failed}
		re.out.Now, re.out.Detail = e.outcome(re.h, worst, len(re.plan.Scenario.Hypotheses)+claims)
	}
	if re.out.Now == journal.OutcomeHeld && len(re.unknown) > 0 {
		re.out.Now, re.out.Detail = journal.OutcomeInconclusive, join(re.unknown)+" was not in the run"
	}
	re.out.ExitCode = ExitCode(re.out.Now)
}

// otherFiles says whether the scenario's files are not those of the run: what a bound is made of may stand elsewhere in them.
func (re *rejudging) otherFiles() bool {
	return hash(re.plan.Workspace.Files) != re.rec.Started().Hash
}

// gone lists what the run had and the scenario has not any more.
func (re *rejudging) gone() {
	for _, h := range re.then.Hypotheses {
		if !slices.ContainsFunc(re.out.Hypotheses, func(r RejudgedClaim) bool { return r.Name == h.Name }) {
			re.out.Hypotheses = append(re.out.Hypotheses, RejudgedClaim{Name: h.Name, Changes: []string{"it is not in the scenario any more"}, Then: re.judged[h.Name]})
		}
	}
	for _, g := range re.then.Guardrails {
		if !slices.ContainsFunc(re.out.Guardrails, func(r RejudgedBounds) bool { return r.Name == g.Name }) {
			re.out.Guardrails = append(re.out.Guardrails, RejudgedBounds{Name: g.Name, Changes: []string{"it is not in the scenario any more"}, Then: re.guarded[g.Name]})
		}
	}
}

// trips is when a guardrail would have ended the run, and whether for want of data; zero: it would not have.
func trips(q PlannedQuery, h History) (at time.Time, blind bool) {
	var since time.Time
	bad := false
	for _, s := range look(q, h).all {
		if h.phase(s.At) == journal.Baseline && s.At.Before(h.Start.Add(q.Lookback+firstScrape(q))) {
			continue
		}
		if s.State == journal.Holding {
			since, bad = time.Time{}, false
			continue
		}
		if since.IsZero() {
			since = s.At
		}
		bad = bad || s.State == journal.Violated
		if s.At.Sub(since) >= q.Guardrail.For && h.phase(s.At) != journal.Baseline {
			return s.At, !bad
		}
	}
	return time.Time{}, false
}
