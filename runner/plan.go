package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// A Plan is a scenario fitted to what runs now. Making one changes nothing.
type Plan struct {
	Workspace *scenarios.Workspace
	Scenario  *scenarios.Scenario
	Seed      uint64
	Targets   []Resolved // in the order of the file; those that the scenario needs
	Faults    []PlannedFault
	Steps     []PlannedStep // of people
	Queries   []PlannedQuery
	Watched   Watched
	Alerts    []metrics.AlertRule // the alerting rules of the embedded source; those of a server when it has been asked
	// AlertsKnown says that Alerts are all that there are.
	AlertsKnown bool
	Guard       GuardPlan
	Sham        bool                // nothing is injected
	Blind       []journal.BlindSpot // what could not be seen, whatever happens; the warnings say it in words
	Warnings    []Problem           // what a careful person wants to know before

	host inject.Host
}

// A PlannedQuery is the query of one hypothesis or guardrail; exactly one of the two is set.
type PlannedQuery struct {
	ID         string // "Q1"
	Hypothesis *scenarios.Hypothesis
	Guardrail  *scenarios.Guardrail
	Text       string
	Every      time.Duration
	Lookback   time.Duration // how far into the past it reads
	Age        string        // a query for how old its newest samples are; empty: it does not matter
}

// Name is that of the hypothesis or guardrail.
func (q PlannedQuery) Name() string {
	if q.Hypothesis != nil {
		return q.Hypothesis.Name
	}
	return q.Guardrail.Name
}

func (q PlannedQuery) condition() *scenarios.Condition {
	if q.Hypothesis != nil {
		return q.Hypothesis.Expect
	}
	return q.Guardrail.AbortWhen
}

// Length is how long each part of the run is to take.
func (p *Plan) Length() (baseline, fault, recovery time.Duration) {
	first, last := span(p.Faults)
	return p.Scenario.Baseline + first, last - first, p.Scenario.Recovery
}

// Containers returns the distinct containers that faults are planned for, ordered by name.
func (p *Plan) Containers() []engine.Container {
	byID := map[string]engine.Container{}
	for _, f := range p.Faults {
		for _, s := range f.Steps {
			byID[s.Container.ID] = s.Container
		}
	}
	out := make([]engine.Container, 0, len(byID))
	for _, c := range byID {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func (p *Plan) target(name string) Resolved {
	for _, r := range p.Targets {
		if r.Target.Name == name {
			return r
		}
	}
	return Resolved{}
}

func (p *Plan) targets() map[string]Resolved {
	out := map[string]Resolved{}
	for _, r := range p.Targets {
		out[r.Target.Name] = r
	}
	return out
}

// MakePlan fits a scenario to the containers that run now. A *Refusal lists everything that stands in the way.
func MakePlan(ctx context.Context, s Setup, ws *scenarios.Workspace, sc *scenarios.Scenario, run string, seed uint64) (*Plan, error) {
	all, err := s.Engine.Containers(ctx)
	if err != nil {
		return nil, err
	}
	p := &Plan{Workspace: ws, Scenario: sc, Seed: seed, Guard: planGuard(ctx, s), Sham: s.Sham}
	var problems []Problem
	refuse := func(r scenarios.Range, block, format string, args ...any) {
		problems = append(problems, problem(r, block, format, args...))
	}
	warn := func(r scenarios.Range, block, format string, args ...any) {
		if pr := problem(r, block, format, args...); !slices.Contains(p.Warnings, pr) { // of several containers the same may be said
			p.Warnings = append(p.Warnings, pr)
		}
	}

	self := s.Self
	for _, c := range all {
		// Where only the host name tells who gameday is, the id is a short one.
		if s.Self != "" && strings.HasPrefix(c.ID, s.Self) {
			self = c.ID
		}
	}
	failed := map[string]bool{}
	for _, t := range neededTargets(ws, sc) {
		r, err := resolve(t, all, seed, self)
		if err != nil {
			refuse(t.Range, fmt.Sprintf("target %q", t.Name), "%v", err)
			failed[t.Name] = true
		}
		p.Targets = append(p.Targets, r)
	}

	p.Faults = schedule(sc.Faults)
	p.Steps = manualSteps(sc, p.Faults)
	if p.host, err = hostOf(ctx, s, sc, all, run); err != nil {
		return nil, err
	}
	for i := range p.Faults {
		f := &p.Faults[i]
		block := fmt.Sprintf("fault %q %q", f.Fault.Kind, f.Fault.Name)
		kind, ok := inject.Lookup(f.Fault.Kind)
		if !ok {
			refuse(f.Fault.Range, block, "this kind of fault is not built yet")
			continue
		}
		if failed[f.Fault.Target.Name] {
			continue
		}
		if slices.ContainsFunc(f.Fault.Peers(), func(x scenarios.Peer) bool { return x.Target != nil && failed[x.Target.Name] }) {
			continue
		}
		for _, c := range p.target(f.Fault.Target.Name).Chosen {
			peers, warnings, err := p.around(all).peers(f.Fault, c)
			if err != nil {
				refuse(f.Fault.Range, block, "%v", err)
				continue
			}
			step, err := kind.Plan(declared(run, f.Fault, peers), c, p.host)
			if err != nil {
				refuse(f.Fault.Range, block, "%v", err)
				continue
			}
			f.Steps = append(f.Steps, step)
			for _, w := range append(warnings, step.Warnings...) {
				warn(f.Fault.Range, block, "%s", w)
			}
		}
	}
	if len(problems) == 0 {
		if err := p.checkOnHost(ctx, s.Tools, run, refuse); err != nil {
			return nil, err
		}
	}
	p.planWatching(all)
	for _, x := range conflicts(p.Faults) {
		refuse(x.b.Fault.Range, fmt.Sprintf("fault %q %q", x.b.Fault.Kind, x.b.Fault.Name),
			"it is in force on %s at the same time as fault.%s, and the two would fight over %s; use `after = fault.%s`, or another target",
			x.container, x.a.Fault.Name, x.over, x.a.Fault.Name)
	}
	for _, f := range p.Faults {
		if a, b, over := f.shared(); over != "" {
			refuse(f.Fault.Range, fmt.Sprintf("fault %q %q", f.Fault.Kind, f.Fault.Name),
				"%s and %s share %s, and both would take it at the same time; use `pick = \"one\"` in the target, or another target", a.Name, b.Name, over)
		}
	}
	p.checkBlastRadius(refuse, failed)
	p.planQueries(refuse, warn)
	p.planAlerts(refuse, warn)
	for _, x := range readingsOf(ruleExprs(sc.Source)) {
		p.shortRanges(x, "the rule "+x.name, func(format string, args ...any) {
			warn(sc.Source.Range, fmt.Sprintf("prometheus %q", sc.Source.Name), format, args...)
		})
	}
	p.blindFaults(warn)

	if len(problems) > 0 {
		return p, &Refusal{problems}
	}
	return p, nil
}

// around is where the plan finds the peers of its faults: among the containers that it was made for.
func (p *Plan) around(all []engine.Container) surroundings {
	return surroundings{
		chosen: func(target string) ([]engine.Container, error) { return p.target(target).Chosen, nil },
		find: func(id string) (engine.Container, error) {
			if i := slices.IndexFunc(all, func(c engine.Container) bool { return c.ID == id || c.Name == id }); i >= 0 {
				return all[i], nil
			}
			return engine.Container{}, fmt.Errorf("%w: %s", engine.ErrNotFound, id)
		},
	}
}

// hostOf describes the engine's host as far as the scenario's faults depend on it. Its kernel is asked in a helper container of
// its own, which touches nothing, and only where a fault is for packets.
func hostOf(ctx context.Context, s Setup, sc *scenarios.Scenario, all []engine.Container, run string) (inject.Host, error) {
	h := inject.Host{Info: s.Info, Names: map[string]string{}, Sharing: inject.Sharing(all)}
	for _, c := range all {
		h.Names[c.ID] = c.Name
	}
	for _, f := range sc.Faults {
		if k, ok := inject.Lookup(f.Kind); ok && k.Doc().Family == inject.Network {
			var err error
			h.Kernel, err = inject.ProbeKernel(ctx, s.Tools, run)
			return h, err
		}
	}
	return h, nil
}

// checkOnHost asks a helper whether the faults can be done of which nobody else can tell. It is gone when this returns.
func (p *Plan) checkOnHost(ctx context.Context, t inject.Tools, run string, refuse report) error {
	var g errgroup.Group
	g.SetLimit(warmers)
	errs := make([][]error, len(p.Faults))
	for i, f := range p.Faults {
		k, _ := inject.Lookup(f.Fault.Kind)
		c, ok := k.(inject.Checker)
		if !ok {
			continue
		}
		errs[i] = make([]error, len(f.Steps))
		for j, s := range f.Steps {
			g.Go(func() error {
				errs[i][j] = c.Check(ctx, t, s)
				return nil
			})
		}
	}
	_ = g.Wait() // each has its own place
	var err error
	if slices.ContainsFunc(errs, func(of []error) bool { return of != nil }) {
		err = inject.Sweep(context.WithoutCancel(ctx), t, run)
	}
	for i, f := range p.Faults {
		for _, err := range errs[i] {
			if err != nil {
				refuse(f.Fault.Range, fmt.Sprintf("fault %q %q", f.Fault.Kind, f.Fault.Name), "%v", err)
			}
		}
	}
	return err
}

type report func(r scenarios.Range, block, format string, args ...any)

func (p *Plan) checkBlastRadius(refuse report, failed map[string]bool) {
	br := p.Scenario.BlastRadius
	hit := p.Containers()
	if br.MaxTargets > 0 && len(hit) > br.MaxTargets {
		var names []string
		for _, c := range hit {
			names = append(names, c.Name)
		}
		refuse(br.Range, "blast_radius", "the faults would hit %s (%s), but max_targets is %d; narrow the targets with `pick`, or raise the limit",
			count(len(hit), "container"), list(names), br.MaxTargets)
	}
	first, last := span(p.Faults)
	if br.MaxDuration > 0 && last-first > br.MaxDuration {
		refuse(br.Range, "blast_radius", "the faults last %s, but max_duration is %s", last-first, br.MaxDuration)
	}
	for _, t := range br.Protect {
		if failed[t.Name] {
			continue
		}
		for _, c := range p.target(t.Name).Chosen {
			for _, h := range hit {
				if h.ID == c.ID {
					refuse(br.Range, "blast_radius", "%s is protected by target.%s, and a fault would hit it; narrow that fault's target", c.Name, t.Name)
				}
			}
		}
	}
}

func (p *Plan) planQueries(refuse, warn report) {
	sc := p.Scenario
	if len(sc.Hypotheses) == 0 && len(sc.Alerts) == 0 {
		warn(sc.Range, fmt.Sprintf("scenario %q", sc.Name), "%s, and the run ends as inconclusive; say in a hypothesis what should stay true", NoHypothesis)
	}
	every := DefaultEvery(sc.Source)
	_, fault, _ := p.Length()
	add := func(q PlannedQuery, r scenarios.Range, block string) {
		q.ID = fmt.Sprintf("Q%d", len(p.Queries)+1)
		if q.Every == 0 {
			q.Every = every
		}
		lb, err := metrics.Lookback(q.Text)
		if err != nil {
			// A server may speak more than PromQL, so this is its business; the embedded engine's queries were checked.
			warn(r, block, "cannot tell how far into the past the query reads (%v), so the warm-up is taken as none", err)
		}
		q.Lookback = lb
		if sc.Source.URL != "" { // the embedded engine knows when a series has ended
			q.Age = metrics.Age(q.Text, q.Hypothesis == nil || q.Hypothesis.MatchAny) // a guardrail guards with what is left
		}
		p.Queries = append(p.Queries, q)
		p.shortRanges(reading{q.Name(), q.ID, q.Text}, "the query", func(format string, args ...any) { warn(r, block, format, args...) })
		for _, hint := range metrics.Hints(q.Text) {
			warn(r, block, "%s", hint)
		}
		if n := baselineSamples(sc.Baseline, q); n < minBaseline {
			warn(r, block, "the baseline of %s is too short: after the warm-up (%s) it leaves %s, and at least %d must hold before anything is injected; make it at least %s",
				sc.Baseline, q.Lookback, count(n, "sample"), minBaseline, neededBaseline(q))
		}
	}
	for _, h := range sc.Hypotheses {
		block := fmt.Sprintf("hypothesis %q", h.Name)
		q := PlannedQuery{Hypothesis: h, Text: h.Query, Every: h.Every}
		add(q, h.Range, block)
		q = p.Queries[len(p.Queries)-1]
		inFault, inRecovery := slices.Contains(h.Phases, "fault"), slices.Contains(h.Phases, "recovery")
		if inFault && fault > 0 && fault < q.Every {
			warn(h.Range, block, "the faults last %s and it is sampled every %s: nothing may be seen of them", fault, q.Every)
		}
		if inFault && fault > 0 && fault < q.Lookback {
			warn(h.Range, block, "the query looks back %s, and the faults last %s: what it shows of them is mixed with what was before", q.Lookback, fault)
		}
		if inRecovery && sc.Recovery > 0 && sc.Recovery < q.Lookback+2*q.Every {
			warn(h.Range, block, "the recovery of %s is hardly longer than what the query looks back on (%s): it will still see the fault at the end", sc.Recovery, q.Lookback)
		}
		if h.Tolerate > 0 && h.Tolerate < 2*q.Every {
			warn(h.Range, block, "tolerate is %s and it is sampled every %s: a short violation cannot be told from one that is too long", h.Tolerate, q.Every)
		}
		if h.Within > 0 && inFault && fault > 0 && h.Within > fault {
			warn(h.Range, block, "within is %s, but the fault phase ends after %s", h.Within, fault)
		}
	}
	for _, g := range sc.Guardrails {
		add(PlannedQuery{Guardrail: g, Text: g.Query, Every: g.Every}, g.Range, fmt.Sprintf("guardrail %q", g.Name))
	}
	p.checkProbed(warn)
	if why := NotWatched(sc.Source); why != "" && len(p.Queries) > 0 {
		warn(sc.Source.Range, fmt.Sprintf("prometheus %q", sc.Source.Name), "what else moves in this run is not computed: %s", why)
	}
}

// watchable is how long the fault phase must be at least so that every hypothesis that is judged in it has a sample there.
func (p *Plan) watchable() time.Duration {
	var d time.Duration
	for _, q := range p.Queries {
		if q.Hypothesis != nil && slices.Contains(q.Hypothesis.Phases, "fault") {
			d = max(d, 2*q.Every)
		}
	}
	return d
}

// NoHypothesis is what is said of a scenario that claims nothing.
const NoHypothesis = "the scenario has no hypothesis, so nothing is judged"

// minBaseline is how many samples must hold before anything is injected.
const minBaseline = 3

// firstScrape is how long the first numbers take at most after the start.
func firstScrape(q PlannedQuery) time.Duration { return q.Every }

func baselineSamples(baseline time.Duration, q PlannedQuery) int {
	left := baseline - q.Lookback - firstScrape(q)
	if left < 0 {
		return 0
	}
	return int(left / q.Every)
}

func neededBaseline(q PlannedQuery) time.Duration {
	return q.Lookback + firstScrape(q) + (minBaseline+1)*q.Every
}

// neededTargets are those of the faults and their peers, the protected ones and those that are scraped or probed, in the order of the file.
func neededTargets(ws *scenarios.Workspace, sc *scenarios.Scenario) []*scenarios.Target {
	need := map[*scenarios.Target]bool{}
	for _, f := range sc.Faults {
		need[f.Target] = true
		for _, p := range f.Peers() {
			if p.Target != nil {
				need[p.Target] = true
			}
		}
	}
	for _, t := range sc.BlastRadius.Protect {
		need[t] = true
	}
	if sc.Source != nil {
		for i := range sc.Source.Scrapes {
			if t := sc.Source.Scrapes[i].Target; t != nil {
				need[t] = true
			}
		}
		for i := range sc.Source.Probes {
			if t := sc.Source.Probes[i].Target; t != nil {
				need[t] = true
			}
		}
	}
	var out []*scenarios.Target
	for _, t := range ws.Targets {
		if need[t] {
			out = append(out, t)
		}
	}
	return out
}

func list(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", join(names[:most]), len(names)-most)
	}
	return join(names)
}

func join(names []string) string {
	switch len(names) {
	case 0:
		return "none"
	case 1:
		return names[0]
	}
	out := names[0]
	for _, n := range names[1 : len(names)-1] {
		out += ", " + n
	}
	return out + " and " + names[len(names)-1]
}

// A Preview is what one query says at the time of the plan.
type Preview struct {
	Query PlannedQuery
	State journal.State
	Point *journal.Point
	Error string
	Note  string // what it cannot say yet
}

// EvaluateNow asks every query of the plan once. With the embedded engine it scrapes for as long as the queries look back, but
// for no longer than patience.
func (p *Plan) EvaluateNow(ctx context.Context, s Setup, patience time.Duration) ([]Preview, metrics.Info, error) {
	if len(p.Queries) == 0 && !p.watchesAlerts() {
		return nil, metrics.Info{}, nil
	}
	src, err := openSource(p.Scenario.Source, p.targets(), s.Info, "")
	if err != nil {
		return nil, metrics.Info{}, err
	}
	defer src.Close()
	began := time.Now()
	if err := src.Start(ctx); err != nil {
		return nil, src.Info(), err
	}
	var wait time.Duration
	if p.Scenario.Source.URL == "" {
		for _, q := range p.Queries {
			wait = max(wait, q.Lookback+2*q.Every)
		}
	}
	short := wait > patience
	if emb, ok := src.(*metrics.Embedded); ok {
		var wg sync.WaitGroup
		defer wg.Wait()
		collecting, cancel := context.WithCancel(ctx)
		defer cancel()
		c := newCollector(s.Engine, s.Info, emb, p.near)
		wg.Go(func() { c.run(collecting) })
		awaitFirstScrape(ctx, emb, p.Scenario.Source, p.asksFor(c))
	}
	select {
	case <-time.After(min(wait, patience)):
	case <-ctx.Done():
		return nil, src.Info(), ctx.Err()
	}
	now := time.Now()
	out := make([]Preview, len(p.Queries))
	for i, q := range p.Queries {
		out[i] = preview(ctx, src, q, now)
		if short && q.Lookback+2*q.Every > patience {
			out[i].Note = fmt.Sprintf("after %s of scraping; the query looks back %s", patience, q.Lookback)
		}
	}
	if server, ok := src.(*metrics.Server); ok {
		p.askAlerts(ctx, server)
	}
	p.blindNow(ctx, src, began, now)
	return out, src.Info(), nil
}

func preview(ctx context.Context, src metrics.Source, q PlannedQuery, now time.Time) Preview {
	v := Preview{Query: q}
	if q.condition().UsesBaseline() {
		v.Note = "compared with the baseline, which is not known yet"
	}
	s := ask(ctx, src, q, now, usual{})
	v.State, v.Error = s.State, s.Error
	v.Point = worst(q, s)
	if v.Point == nil && len(s.Series) > 0 {
		v.Point = &journal.Point{At: now, Value: s.Series[0].Value, Labels: s.Series[0].Labels}
	}
	return v
}

// SourcePath is the file of a range, relative to the working directory where that is shorter.
func SourcePath(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		if wd, err := filepath.Abs("."); err == nil {
			if rel, err := filepath.Rel(wd, abs); err == nil && len(rel) < len(file) {
				return rel
			}
		}
	}
	return file
}

// IsRefusal returns the problems of a plan that was refused.
func IsRefusal(err error) ([]Problem, bool) {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Problems, true
	}
	return nil, false
}
