package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gameday/runner/journal"
)

// CompareVersion is raised when a field of a Comparison's JSON changes its meaning or goes; new fields leave it as it is.
const CompareVersion = 1

// A Comparison lays two runs side by side. It is a pure function of their records.
type Comparison struct {
	SchemaVersion int                  `json:"schema_version"`
	First         ComparedRun          `json:"first"`
	Second        ComparedRun          `json:"second"`
	Worse         []string             `json:"worse"` // names of what held in the first run and does not in the second
	Notes         []string             `json:"notes"` // what has to be known to compare the two, in words
	Hypotheses    []ComparedHypothesis `json:"hypotheses"`
	Guardrails    []ComparedGuardrail  `json:"guardrails"`
	Alerts        []ComparedAlert      `json:"alerts"`
	Moved         []ComparedMovement   `json:"moved"` // at most ten, the strongest first; none unless both runs looked
}

// A ComparedRun is one of two runs.
type ComparedRun struct {
	Run      string          `json:"run"`
	Scenario string          `json:"scenario"`
	Started  time.Time       `json:"started"`
	Outcome  journal.Outcome `json:"outcome"`  // empty: the record ends before the run did
	Injected bool            `json:"injected"` // every fault was seen to take effect
}

// A ComparedHypothesis is one hypothesis in both runs, by its name.
type ComparedHypothesis struct {
	Name    string        `json:"name"`
	Changed []string      `json:"changed"` // what of its declaration differs, by the words of the language
	First   *ComparedSide `json:"first"`   // null: it is not in that run
	Second  *ComparedSide `json:"second"`
	Worse   bool          `json:"worse"` // it held in the first run and does not in the second
}

// A ComparedSide is what became of a hypothesis in one run.
type ComparedSide struct {
	Verdict             journal.Verdict              `json:"verdict"`
	Reason              journal.Reason               `json:"reason"` // empty: it was not judged
	Margin              *journal.Margin              `json:"margin"`
	FirstViolation      *journal.FirstViolation      `json:"first_violation"`
	HeldAgain           *journal.HeldAgain           `json:"held_again"`
	RecoveredBeforeUndo *journal.RecoveredBeforeUndo `json:"recovered_before_undo"`
}

// A ComparedGuardrail is one guardrail in both runs, by its name.
type ComparedGuardrail struct {
	Name    string                   `json:"name"`
	Changed []string                 `json:"changed"`
	First   *journal.GuardrailJudged `json:"first"` // null: it is not in that run, or was not summed up
	Second  *journal.GuardrailJudged `json:"second"`
}

// Compare compares two runs, the earlier one first. What held in it and is not in the second one any more does not hold there.
func Compare(first, second *journal.Record) *Comparison {
	a, b := gather(first), gather(second)
	c := &Comparison{SchemaVersion: CompareVersion, First: a.compared(), Second: b.compared(), Worse: []string{}, Notes: []string{},
		Hypotheses: []ComparedHypothesis{}, Guardrails: []ComparedGuardrail{}, Alerts: []ComparedAlert{}, Moved: []ComparedMovement{}}
	c.note(a, "first")
	c.note(b, "second")
	c.differences(a, b)
	for _, name := range union(a.hypotheses, b.hypotheses, hypothesisName) {
		c.hypothesis(name, named(a.hypotheses, name, hypothesisName), named(b.hypotheses, name, hypothesisName))
	}
	for _, name := range union(a.guardrails, b.guardrails, guardrailName) {
		c.guardrail(name, named(a.guardrails, name, guardrailName), named(b.guardrails, name, guardrailName))
	}
	c.compareAlerts(a, b)
	c.movements(a, b)
	if c.First.Outcome == journal.OutcomeHeld && c.Second.Outcome != journal.OutcomeHeld && len(c.Worse) == 0 {
		c.Worse = append(c.Worse, "the run as a whole")
	}
	return c
}

func (f *facts) compared() ComparedRun {
	return ComparedRun{Run: f.runID(), Scenario: f.started.p.Scenario, Started: f.from.UTC(), Outcome: f.outcome(), Injected: f.whollyInjected()}
}

// whollyInjected says that every fault that was declared was seen to take effect.
func (f *facts) whollyInjected() bool {
	if len(f.declared.p.Faults) == 0 {
		return false
	}
	for _, plan := range f.declared.p.Faults {
		if !slices.ContainsFunc(f.faults, func(x *fault) bool { return x.name == plan.Name && x.verified != nil }) {
			return false
		}
	}
	return !slices.ContainsFunc(f.faults, func(x *fault) bool { return x.missed != nil })
}

func (c *Comparison) note(f *facts, which string) {
	add := func(format string, args ...any) { c.Notes = append(c.Notes, fmt.Sprintf(format, args...)) }
	switch {
	case f.started.p.Sham:
		add("the %s run was a sham: nothing was injected, on purpose", which)
	case f.gate != nil && !f.gate.p.Passed:
		add("in the %s run nothing was injected: the baseline did not hold", which)
	case !f.whollyInjected():
		add("in the %s run not every fault was seen to take effect", which)
	}
	if f.ended == nil {
		add("the record of the %s run ends before the run did", which)
	}
	if len(f.rec.Damage) > 0 {
		add("the record of the %s run is damaged: %s: %s", which, f.rec.Damage[0].File, f.rec.Damage[0].What)
	}
}

// differences names what makes two runs hard to compare.
func (c *Comparison) differences(a, b *facts) {
	add := func(format string, args ...any) { c.Notes = append(c.Notes, fmt.Sprintf(format, args...)) }
	if x, y := a.started.p, b.started.p; x.Scenario != y.Scenario {
		add("the runs are of two scenarios, %s and %s", x.Scenario, y.Scenario)
	}
	plain := func(f *facts) []journal.FaultPlan {
		var out []journal.FaultPlan
		for _, p := range f.declared.p.Faults {
			out = append(out, journal.FaultPlan{Name: p.Name, FaultKind: p.FaultKind, Target: p.Target, Start: p.Start, Duration: p.Duration, Args: p.Args})
		}
		return out
	}
	if !reflect.DeepEqual(plain(a), plain(b)) {
		add("the faults were declared differently")
	}
	if x, y := a.declared.p, b.declared.p; x.Baseline != y.Baseline || x.Recovery != y.Recovery {
		add("the baseline or the recovery had another length")
	}
	names := map[string]bool{}
	for name := range a.started.p.Variables {
		names[name] = true
	}
	for name := range b.started.p.Variables {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if x, y := a.started.p.Variables[name], b.started.p.Variables[name]; x != y {
			add("var.%s was %s and is %s", name, cmp.Or(x, "not there"), cmp.Or(y, "not there"))
		}
	}
}

// union is the names in two lists, in the order of the second, those that it has no more at the end.
func union[T any](a, b []T, name func(T) string) []string {
	var out []string
	for _, x := range append(slices.Clone(b), a...) {
		if !slices.Contains(out, name(x)) {
			out = append(out, name(x))
		}
	}
	return out
}

// named is what has a name in a list; nil where nothing has.
func named[T any](all []*T, name string, of func(*T) string) *T {
	if i := slices.IndexFunc(all, func(x *T) bool { return of(x) == name }); i >= 0 {
		return all[i]
	}
	return nil
}

func hypothesisName(h *hypothesis) string { return h.Name }

func guardrailName(g *guardrail) string { return g.Name }

func (c *Comparison) hypothesis(name string, a, b *hypothesis) {
	h := ComparedHypothesis{Name: name, Changed: []string{}, First: a.side(), Second: b.side()}
	if a != nil && b != nil {
		changed := func(word string, same bool) {
			if !same {
				h.Changed = append(h.Changed, word)
			}
		}
		changed("query", a.Query == b.Query)
		changed("expect", a.Expect == b.Expect)
		changed("phases", slices.Equal(a.Phases, b.Phases))
		changed("every", a.Every == b.Every)
		changed("tolerate", a.Tolerate == b.Tolerate)
		changed("within", a.Within == b.Within)
		changed("match", a.Match == b.Match)
		changed("no_data", a.NoData == b.NoData)
	}
	if h.Worse = a != nil && a.verdict == journal.Held && (b == nil || b.verdict != journal.Held); h.Worse {
		c.Worse = append(c.Worse, name)
	}
	c.Hypotheses = append(c.Hypotheses, h)
}

func (h *hypothesis) side() *ComparedSide {
	if h == nil {
		return nil
	}
	s := &ComparedSide{Verdict: h.verdict, Reason: h.reason}
	if h.judged != nil {
		p := h.judged.p
		s.Margin, s.FirstViolation, s.HeldAgain, s.RecoveredBeforeUndo = p.Margin, p.FirstViolation, p.HeldAgain, p.RecoveredBeforeUndo
	}
	return s
}

func (c *Comparison) guardrail(name string, a, b *guardrail) {
	g := ComparedGuardrail{Name: name, Changed: []string{}}
	if a != nil && a.judged != nil {
		g.First = a.judged.p
	}
	if b != nil && b.judged != nil {
		g.Second = b.judged.p
	}
	if a != nil && b != nil {
		for _, x := range []struct {
			word string
			same bool
		}{{"query", a.Query == b.Query}, {"abort_when", a.AbortWhen == b.AbortWhen}, {"for", a.For == b.For}, {"every", a.Every == b.Every}, {"no_data", a.NoData == b.NoData}} {
			if !x.same {
				g.Changed = append(g.Changed, x.word)
			}
		}
	}
	c.Guardrails = append(c.Guardrails, g)
}

// Write sets the comparison as tables for people.
func (c *Comparison) Write(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(cells ...string) {
		for i := range cells {
			cells[i] = visible(cells[i])
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	line("", "FIRST", "SECOND")
	line("run", c.First.Run, c.Second.Run)
	line("scenario", c.First.Scenario, c.Second.Scenario)
	line("outcome", outcomeText(c.First.Outcome), outcomeText(c.Second.Outcome))
	for _, h := range c.Hypotheses {
		line("", "", "")
		mark := ""
		if h.Worse {
			mark = "  ← held before"
		}
		line(h.Name, h.First.verdictText(), h.Second.verdictText()+mark)
		for _, row := range []struct {
			what string
			text func(*ComparedSide) string
		}{
			{"  margin", (*ComparedSide).marginText},
			{"  first violated", (*ComparedSide).violationText},
			{"  held again", (*ComparedSide).againText},
			{"  recovered before the undo", (*ComparedSide).recoveredText},
		} {
			if a, b := row.text(h.First), row.text(h.Second); a != none || b != none {
				line(row.what, a, b)
			}
		}
		if len(h.Changed) > 0 {
			line("  declared differently", strings.Join(h.Changed, ", "), "")
		}
	}
	for _, g := range c.Guardrails {
		line("", "", "")
		line("guardrail "+g.Name, guardrailText(g.First), guardrailText(g.Second))
		if len(g.Changed) > 0 {
			line("  declared differently", strings.Join(g.Changed, ", "), "")
		}
	}
	for _, d := range c.Alerts {
		line("", "", "")
		d.rows(line)
		if len(d.Changed) > 0 {
			line("  declared differently", strings.Join(d.Changed, ", "), "")
		}
	}
	if len(c.Moved) > 0 {
		line("", "", "")
		line("what else moved, and its rank", "", "")
	}
	for _, m := range c.Moved {
		line(m.name(), m.First.text(), m.Second.text())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	if len(c.Notes) > 0 {
		fmt.Fprintln(w, "\nWorth knowing")
	}
	for _, n := range c.Notes {
		fmt.Fprintf(w, "  %s\n", visible(n))
	}
	verdict := "Nothing that held in the first run fails to hold in the second."
	if len(c.Worse) > 0 {
		verdict = "Held in the first run and not in the second: " + strings.Join(c.Worse, ", ") + "."
	}
	_, err := fmt.Fprintf(w, "\n%s\n", visible(verdict))
	return err
}

// none stands where a run has nothing to say.
const none = "-"

func outcomeText(o journal.Outcome) string {
	if o == "" {
		return "not in the record"
	}
	return string(o)
}

func (s *ComparedSide) verdictText() string {
	switch {
	case s == nil:
		return "not in this run"
	case s.Reason == "":
		return string(s.Verdict) + " (not judged)"
	case s.Verdict == journal.Held:
		return string(s.Verdict)
	}
	return fmt.Sprintf("%s (%s)", s.Verdict, s.Reason)
}

func (s *ComparedSide) marginText() string {
	if s == nil || s.Margin == nil {
		return none
	}
	return marginPhrase(s.Margin).plainText(Clock{})
}

func (s *ComparedSide) violationText() string {
	if s == nil || s.FirstViolation == nil {
		return none
	}
	return limitsText(s.FirstViolation.AtLeast, s.FirstViolation.AtMost) + " after the effect"
}

func (s *ComparedSide) againText() string {
	switch {
	case s == nil || s.HeldAgain == nil:
		return none
	case s.HeldAgain.AtMost == 0:
		return "it held at the undo"
	}
	return limitsText(s.HeldAgain.AtLeast, s.HeldAgain.AtMost) + " after the undo"
}

func (s *ComparedSide) recoveredText() string {
	if s == nil || s.RecoveredBeforeUndo == nil {
		return none
	}
	return limitsText(s.RecoveredBeforeUndo.AtLeast, s.RecoveredBeforeUndo.AtMost) + " before it"
}

func limitsText(least, most journal.Duration) string {
	return words("{}", Lasting{time.Duration(least), time.Duration(most)}).plainText(Clock{})
}

func guardrailText(g *journal.GuardrailJudged) string {
	switch {
	case g == nil:
		return none
	case g.Tripped && g.Blind:
		return "tripped for want of data"
	case g.Tripped:
		return "tripped"
	case g.Closest != nil:
		return "quiet, " + marginPhrase(g.Closest).plainText(Clock{})
	}
	return "quiet"
}
