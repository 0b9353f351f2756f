package scenarios

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// What holds where a scenario says nothing else and has something to watch.
const (
	defaultBaseline = 30 * time.Second
	defaultRecovery = 60 * time.Second
)

// allPhases are the phases of a run in their order.
var allPhases = []Phase{"baseline", "fault", "recovery"}

var scenarioSchema = &hcl.BodySchema{
	Attributes: attributes("title", "description", "tags", "source", "baseline", "recovery"),
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "assumption", LabelNames: []string{"name"}},
		{Type: "hypothesis", LabelNames: []string{"name"}},
		{Type: "guardrail", LabelNames: []string{"name"}},
		{Type: "alert", LabelNames: []string{"name"}},
		{Type: "blast_radius"},
		{Type: "report"},
		{Type: "field", LabelNames: []string{"name"}},
		{Type: "fault", LabelNames: []string{"kind", "name"}},
		{Type: "observer", LabelNames: []string{"name"}},
		{Type: "manual", LabelNames: []string{"name"}},
	},
}

var (
	assumptionSchema  = &hcl.BodySchema{Attributes: attributes("description")}
	hypothesisSchema  = &hcl.BodySchema{Attributes: attributes("description", "query", "expect", "phases", "every", "tolerate", "within", "match", "no_data")}
	guardrailSchema   = &hcl.BodySchema{Attributes: attributes("description", "query", "abort_when", "for", "every", "no_data")}
	blastRadiusSchema = &hcl.BodySchema{Attributes: attributes("max_targets", "max_duration", "protect")}
)

func (l *loader) readScenarios(blocks hcl.Blocks) {
	seen := map[string]hcl.Range{}
	for _, hb := range blocks {
		b := l.open(hb, "", scenarioSchema)
		if !l.unique("scenario", hb, b.path, seen) {
			continue
		}
		l.ws.Scenarios = append(l.ws.Scenarios, b.scenario(hb.Labels[0]))
	}
}

func (b *block) scenario(name string) *Scenario {
	l := b.l
	s := &Scenario{Name: name, Range: toRange(b.def)}
	s.Title, _ = b.str("title")
	s.Description, _ = b.str("description")
	s.Tags, _ = b.strs("tags")
	watches := len(b.blocks.OfType("hypothesis"))+len(b.blocks.OfType("guardrail"))+len(b.blocks.OfType("alert")) > 0
	if watches {
		s.Baseline, s.Recovery = defaultBaseline, defaultRecovery
	}
	least := time.Duration(0)
	if watches {
		least = time.Nanosecond // the baseline is the gate: without it nothing could be judged
	}
	if d, ok := b.duration("baseline", least); ok {
		s.Baseline = d
	}
	if d, ok := b.duration("recovery", 0); ok {
		s.Recovery = d
	}
	s.Source = b.source(watches)

	names := map[string]hcl.Range{}
	for _, hb := range b.blocks.OfType("assumption") {
		ab := l.open(hb, b.path, assumptionSchema)
		if l.unique("assumption", hb, ab.path, names) {
			a := Assumption{Name: hb.Labels[0]}
			if ab.need("description", "what is taken for granted, in a sentence") {
				a.Description, _ = ab.str("description")
			}
			s.Assumptions = append(s.Assumptions, a)
		}
	}
	names = map[string]hcl.Range{}
	for _, hb := range b.blocks.OfType("hypothesis") {
		h := l.open(hb, b.path, hypothesisSchema)
		if l.unique("hypothesis", hb, h.path, names) {
			s.Hypotheses = append(s.Hypotheses, h.hypothesis(hb.Labels[0], s.Source))
		}
	}
	names = map[string]hcl.Range{}
	for _, hb := range b.blocks.OfType("guardrail") {
		g := l.open(hb, b.path, guardrailSchema)
		if l.unique("guardrail", hb, g.path, names) {
			s.Guardrails = append(s.Guardrails, g.guardrail(hb.Labels[0], s.Source))
		}
	}
	b.alerts(s)
	var radius *block
	if hb := b.single("blast_radius"); hb != nil {
		radius = l.open(hb, b.path, blastRadiusSchema)
		s.BlastRadius = radius.blastRadius()
	}
	b.reporting(s)
	faults := b.faults(s)
	b.observers(s)
	b.manuals(s)
	if len(b.blocks.OfType("fault")) == 0 && b.wrong == "" {
		l.fail(b.missing, b.path, "No fault", `A scenario injects at least one fault. Write a block fault "pause" "name" { … }.`)
	}
	b.checkRadius(s, faults, radius)
	return s
}

// source finds out where a scenario's numbers come from. It is nil if that is nowhere, or was reported.
func (b *block) source(watches bool) *Source {
	l := b.l
	names := sortedKeys(l.sources)
	switch {
	case b.has("source"):
		name, _ := b.reference("source", "prometheus", names)
		return l.sources[name]
	case !watches:
		return nil
	case len(names) == 1:
		return l.sources[names[0]]
	case len(names) == 0:
		detail := `Hypotheses, guardrails and alerts ask for numbers, but there is no prometheus block. Write one: prometheus "own" {} watches the containers themselves, a scrape block in it reads their metrics, and a url stands for a server.`
		if !l.directory {
			detail += " Only this file was loaded: if there is one in another file, load the directory."
		}
		l.fail(b.missing, b.path, "No source of numbers", detail)
		return nil
	}
	l.fail(b.missing, b.path, "Several sources of numbers", fmt.Sprintf(
		"There are %s. Say which one is asked: source = prometheus.%s.", inWords(prefixed("prometheus.", names), "and"), names[0]))
	return nil
}

// query reads a query and has it checked.
func (b *block) query(s *Source) string {
	if !b.need("query", "the PromQL that gives the value") {
		return ""
	}
	q, ok := b.str("query")
	if !ok || s == nil || b.l.options.CheckQuery == nil {
		return q
	}
	if err := b.l.options.CheckQuery(q, s); err != nil {
		b.failAt("query", "Invalid query", fmt.Sprintf("%v\nCorrect the PromQL.", err))
	}
	return q
}

func (b *block) hypothesis(name string, s *Source) *Hypothesis {
	h := &Hypothesis{Name: name, Range: toRange(b.def), Phases: slices.Clone(allPhases)}
	h.Description, _ = b.str("description")
	h.Query = b.query(s)
	if b.need("expect", "what should be true of the value, such as value < 0.01") {
		h.Expect = b.condition("expect", true)
	}
	if b.has("phases") {
		h.Phases = b.phases()
	}
	h.Every = b.every()
	h.Tolerate, _ = b.duration("tolerate", 0)
	h.Within, _ = b.duration("within", time.Nanosecond)
	if b.has("tolerate") && b.has("within") {
		b.l.fail(b.attrs["within"].NameRange, b.path, "tolerate and within exclude each other",
			`"tolerate" says how long it may be untrue, "within" when it must be true at least once. Leave one of them out; two hypotheses can say both.`)
	}
	h.MatchAny = b.one("match", "all", "all", "any") == "any"
	h.NoData = b.one("no_data", "inconclusive", "inconclusive", "holds", "violates")
	return h
}

// phases reads where a hypothesis is judged, and brings it into the order of a run.
func (b *block) phases() []Phase {
	words, ok := b.strs("phases")
	if !ok {
		return slices.Clone(allPhases)
	}
	given := map[Phase]bool{}
	for _, w := range words {
		known := false
		for _, p := range allPhases {
			known = known || string(p) == w
		}
		if !known {
			detail := fmt.Sprintf(`There is no phase %q. The phases are "baseline", "fault" and "recovery".`, clipped(w))
			if near := nearest(w, []string{"baseline", "fault", "recovery"}); near != "" {
				detail += fmt.Sprintf(" Did you mean %q?", near)
			}
			b.failAt("phases", "Unknown phase", detail)
			return slices.Clone(allPhases)
		}
		if given[Phase(w)] {
			b.failAt("phases", "Duplicate phase", fmt.Sprintf("%q is named twice. Name it once.", w))
			return slices.Clone(allPhases)
		}
		given[Phase(w)] = true
	}
	if len(given) == 0 {
		b.failAt("phases", "Empty list", `A hypothesis is judged in at least one phase. Name one, or leave "phases" out for all three.`)
		return slices.Clone(allPhases)
	}
	var phases []Phase
	for _, p := range allPhases {
		if given[p] {
			phases = append(phases, p)
		}
	}
	return phases
}

func (b *block) every() time.Duration {
	d, _ := b.duration("every", shortestInterval)
	return d
}

func (b *block) guardrail(name string, s *Source) *Guardrail {
	g := &Guardrail{Name: name, Range: toRange(b.def)}
	g.Description, _ = b.str("description")
	g.Query = b.query(s)
	if b.need("abort_when", "when the run is stopped, such as value > 0.5") {
		g.AbortWhen = b.condition("abort_when", false)
	}
	g.For, _ = b.duration("for", 0)
	g.Every = b.every()
	g.NoData = b.one("no_data", "abort", "abort", "ignore")
	return g
}

func (b *block) blastRadius() BlastRadius {
	r := BlastRadius{Range: toRange(b.def)}
	r.MaxTargets, _ = b.whole("max_targets", 1, 100000)
	r.MaxDuration, _ = b.duration("max_duration", time.Nanosecond)
	a := b.attrs["protect"]
	if a == nil {
		return r
	}
	exprs, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		b.failAt("protect", "Wrong type", `"protect" is a list of targets: [target.name].`)
		return r
	}
	for _, e := range exprs {
		if name, ok := b.l.refer(e, b.path, "target", sortedKeys(b.l.targets)); ok {
			r.Protect = append(r.Protect, b.l.targets[name])
		}
	}
	return r
}
