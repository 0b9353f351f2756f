package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// describeFile is a file of a scenario as the record has it.
func describeFile(f scenarios.File) journal.File {
	sum := sha256.Sum256(f.Redacted)
	return journal.File{Name: f.Name, SHA256: hex.EncodeToString(sum[:])}
}

// sourceFile is the file of a line of the scenario as the record has it: its path from the working directory, so that a line in a repository
// can be pointed at, or its name alone where it lies elsewhere.
func sourceFile(r scenarios.Range) string {
	wd, err := filepath.Abs(".")
	if err == nil {
		if abs, err := filepath.Abs(r.File); err == nil {
			if rel, err := filepath.Rel(wd, abs); err == nil && filepath.IsLocal(rel) {
				return filepath.ToSlash(rel)
			}
		}
	}
	return filepath.Base(r.File)
}

// describe is the plan as the record keeps it.
func (r *Run) describe() (*journal.RunStarted, *journal.Declared, []*journal.TargetResolved) {
	p, sc, info := r.plan, r.plan.Scenario, r.setup.Info
	host, _ := os.Hostname()
	started := &journal.RunStarted{Run: r.id, Version: r.setup.Version, Scenario: sc.Name, Title: sc.Title, Description: sc.Description, Tags: sc.Tags,
		Sham: p.Sham, Hash: hash(p.Workspace.Files), Variables: map[string]string{}, Seed: p.Seed, Host: host, PID: os.Getpid(),
		Engine: journal.Engine{ID: info.ID, Name: info.Name, Version: info.Version, API: info.API, Kernel: info.Kernel, OS: info.OS,
			Cgroups: info.CgroupVersion, Endpoint: info.Endpoint}}
	for _, f := range p.Workspace.Files {
		started.Files = append(started.Files, describeFile(f))
	}
	for _, v := range p.Workspace.Variables {
		started.Variables[v.Name] = v.Value
	}
	if r.source != nil {
		i := r.source.Info()
		started.Source = &journal.Source{Name: i.Name, Type: i.Type, URL: i.URL, Version: i.Version}
		if i.Interval > 0 {
			started.Source.Interval = i.Interval.String()
		}
	}
	var targets []*journal.TargetResolved
	for _, t := range p.Targets {
		tr := &journal.TargetResolved{Target: t.Target.Name, Selector: t.Target.Selector(), Pick: t.Target.Pick.String(), LeftOut: t.LeftOut}
		for _, c := range t.Chosen {
			tr.Chosen = append(tr.Chosen, t.describe(c))
		}
		targets = append(targets, tr)
	}
	return started, r.declaration(), targets
}

// describeReport is how the report is to be drawn; nil where the scenario says nothing of it.
func describeReport(sc *scenarios.Scenario) *journal.ReportDeclared {
	r := &journal.ReportDeclared{Audience: journal.Audience(sc.Report.Audience), TimeZone: sc.Report.TimeZone, Sections: sc.Report.Sections, Headings: sc.Report.Headings}
	for _, t := range sc.Report.Templates {
		r.Templates = append(r.Templates, journal.SectionTemplate{Section: t.Section, File: t.Name, Text: string(t.Text)})
	}
	for _, f := range sc.Fields {
		field := journal.Field{Name: f.Name, Label: f.Label, Description: f.Description, Type: f.Type, Private: f.Private}
		if f.Value != "" {
			field.Value = json.RawMessage(f.Value)
		}
		r.Fields = append(r.Fields, field)
	}
	if reflect.ValueOf(*r).IsZero() {
		return nil
	}
	return r
}

func (r *Run) declaration() *journal.Declared {
	p, sc := r.plan, r.plan.Scenario
	d := &journal.Declared{Baseline: journal.Duration(sc.Baseline), Recovery: journal.Duration(sc.Recovery), Observers: declareObservers(sc), Steps: declareSteps(p.Steps)}
	for _, a := range sc.Assumptions {
		d.Assumptions = append(d.Assumptions, journal.Assumption{Name: a.Name, Description: a.Description})
	}
	d.Hypotheses, d.Guardrails = declareQueries(p.Queries)
	for _, f := range p.Faults {
		d.Faults = append(d.Faults, declareFault(f))
	}
	d.BlastRadius = journal.BlastRadius{MaxTargets: sc.BlastRadius.MaxTargets, MaxDuration: journal.Duration(sc.BlastRadius.MaxDuration)}
	protected := map[string]bool{}
	for _, t := range sc.BlastRadius.Protect {
		d.BlastRadius.Protect = append(d.BlastRadius.Protect, t.Name)
		for _, c := range p.target(t.Name).Chosen {
			protected[c.Name] = true
		}
	}
	for name := range protected {
		d.BlastRadius.Protected = append(d.BlastRadius.Protected, name)
	}
	sort.Strings(d.BlastRadius.Protected)
	return d
}

// declareQueries is what is claimed and guarded, as the record keeps it.
func declareQueries(queries []PlannedQuery) (hypotheses []journal.Hypothesis, guardrails []journal.Guardrail) {
	for _, q := range queries {
		if h := q.Hypothesis; h != nil {
			match := "all"
			if h.MatchAny {
				match = "any"
			}
			hypotheses = append(hypotheses, journal.Hypothesis{Name: h.Name, Description: h.Description, QueryID: q.ID, Query: h.Query,
				Expect: h.Expect.String(), Phases: phases(h.Phases), Every: journal.Duration(q.Every), Lookback: journal.Duration(q.Lookback),
				Tolerate: journal.Duration(h.Tolerate), Within: journal.Duration(h.Within), Match: match, NoData: h.NoData,
				File: sourceFile(h.Range), Line: h.Range.Line})
			continue
		}
		g := q.Guardrail
		guardrails = append(guardrails, journal.Guardrail{Name: g.Name, Description: g.Description, QueryID: q.ID, Query: g.Query,
			AbortWhen: g.AbortWhen.String(), For: journal.Duration(g.For), Every: journal.Duration(q.Every), NoData: g.NoData,
			File: sourceFile(g.Range), Line: g.Range.Line})
	}
	return hypotheses, guardrails
}

// declareFault is a planned fault, as the record keeps it.
func declareFault(f PlannedFault) journal.FaultPlan {
	fp := journal.FaultPlan{Name: f.Fault.Name, FaultKind: f.Fault.Kind, Description: f.Fault.Description, Target: f.Fault.Target.Name,
		Start: journal.Duration(f.Start), Duration: journal.Duration(f.Fault.Duration), File: sourceFile(f.Fault.Range), Line: f.Fault.Range.Line}
	var does, undo []string
	for _, s := range f.Steps {
		fp.Containers = append(fp.Containers, s.Container.Name)
		does, undo = append(does, s.Does), append(undo, s.UndoWords)
	}
	fp.Does, fp.Undo = strings.Join(does, "; "), strings.Join(undo, "; ")
	for _, name := range f.Fault.ArgNames {
		fp.Args = append(fp.Args, journal.Argument{Name: name, Value: argument(f.Fault.Args[name])})
	}
	return fp
}
