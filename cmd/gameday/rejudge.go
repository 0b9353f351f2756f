package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// judgeFlags are those of `report --judge`.
type judgeFlags struct {
	sources
	scenario string // a file or directory
	name     string // of the scenario in it
	out      string
	audience string
}

func (j *judgeFlags) flags(c *cobra.Command) {
	c.Flags().StringVar(&j.scenario, "judge", "", "judge the run by this scenario `file` or directory")
	c.Flags().StringVar(&j.name, "scenario", "", "with --judge, by the scenario of this `name` (default that of the run, or the only one)")
	c.Flags().StringVar(&j.out, "out", "", "draft in this `directory`, and leave the run's own report alone")
	c.Flags().StringVar(&j.audience, "audience", "", "with --out, draft for the `team`, the organisation (without private fields) or the public (without names, queries and people's words)")
	j.sources.flags(c)
}

func (j *judgeFlags) given() bool {
	return j.name != "" || len(j.vars) > 0 || len(j.varFiles) > 0
}

func (a app) rejudge(dir string, j judgeFlags, ci ciFlags, asJSON bool) error {
	rec, err := journal.Read(dir)
	if err != nil {
		return err
	}
	ws, notes, ds := runner.LoadForRun(j.scenario, rec, j.options())
	if ds.HasErrors() {
		if asJSON {
			a.json(map[string]any{"valid": false, "diagnostics": ds})
		} else {
			scenarios.WriteDiagnostics(a.stderr, ds, a.color(), a.width())
		}
		return exit(runner.ExitInvalid)
	}
	sc, err := chosenForRun(ws, rec, j.name)
	if err != nil {
		return err
	}
	ctx, stop := signals()
	defer stop()
	var damage string
	re, err := runner.Rejudge(ctx, rec, ws, sc, func() (metrics.Source, error) {
		src, err := runner.RecordedSeries(dir, rec)
		if err != nil {
			return nil, err
		}
		damage = src.Damage()
		return src, nil
	})
	if problems, refused := runner.IsRefusal(err); refused {
		a.printProblems(sc.Name, "cannot be applied to this run", problems)
		return exit(runner.ExitInvalid)
	}
	if err != nil {
		return err
	}
	re.Notes = append(re.Notes, notes...)
	if damage != "" {
		re.Notes = append(re.Notes, damage)
	}
	draft := ""
	if j.out != "" {
		paths, err := j.write(re.Record())
		draft = draftOf(paths)
		for _, p := range paths {
			fmt.Fprintln(a.stderr, p)
		}
		if err != nil {
			return err
		}
	}
	if err := ci.tell(a.stderr, []toldRun{{re.Record(), draft, journal.Audience(j.audience)}}); err != nil {
		return err
	}
	if asJSON {
		err = a.json(re)
	} else {
		err = printRejudgement(a.stdout, filepath.Base(dir), re)
	}
	if err != nil {
		return err
	}
	return exit(re.ExitCode)
}

// elsewhere checks what is said of a report that is not the run's own.
func (j *judgeFlags) elsewhere(c *cobra.Command) error {
	switch a := journal.Audience(j.audience); {
	case a != "" && a != journal.AudienceTeam && a != journal.AudienceOrganisation && a != journal.AudiencePublic:
		return see(c, fmt.Sprintf("--audience is team, organisation or public, not %q", j.audience))
	case a != "" && j.out == "":
		return see(c, "--audience goes with --out: the run's own report is for the audience that its scenario names")
	case j.out != "" && journal.IsRun(j.out):
		return fmt.Errorf("--out %s is a run directory, and its report is that of the run: name another directory", j.out)
	}
	return nil
}

// write drafts a record in the directory of --out.
func (j *judgeFlags) write(rec *journal.Record) ([]string, error) {
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return nil, err
	}
	return report.WriteFor(j.out, rec, journal.Audience(j.audience))
}

// chosenForRun is the scenario by which a run is judged.
func chosenForRun(ws *scenarios.Workspace, rec *journal.Record, name string) (*scenarios.Scenario, error) {
	var names []string
	for _, sc := range ws.Scenarios {
		if sc.Name == name || name == "" && (sc.Name == rec.Started().Scenario || len(ws.Scenarios) == 1) {
			return sc, nil
		}
		names = append(names, sc.Name)
	}
	if name == "" {
		return nil, fmt.Errorf("the run was of the scenario %q, which is not among %s: choose one with --scenario", rec.Started().Scenario, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(names, ", "))
}

func printRejudgement(out io.Writer, run string, re *runner.Rejudgement) error {
	then := string(re.Then)
	if then == "" {
		then = "not in the record"
	}
	fmt.Fprintf(out, "%s: %s\n", clean(run), thenNow(then, string(re.Now)))
	if re.Detail != "" && re.Now != re.Then {
		fmt.Fprintf(out, "  %s\n", clean(oneLine(re.Detail)))
	}
	for _, c := range re.Changes {
		fmt.Fprintf(out, "  %s\n", clean(oneLine(c)))
	}
	t := table{head: []string{"HYPOTHESIS", "VERDICT", "MARGIN", "HELD AGAIN AFTER"}}
	changes := map[string][]string{}
	for _, h := range re.Hypotheses {
		t.rows = append(t.rows, []string{h.Name, thenNow(verdictWords(h.Then), verdictWords(h.Now)), thenNow(marginWords(h.Then), marginWords(h.Now)), thenNow(againWords(h.Then), againWords(h.Now))})
		changes[h.Name] = h.Changes
		if h.Evaluated {
			changes[h.Name] = append(changes[h.Name], "its query was evaluated anew on the recorded series; one that was still being scraped when the run asked may count now")
		}
	}
	for _, g := range re.Guardrails {
		t.rows = append(t.rows, []string{"guardrail." + g.Name, thenNow(trippedWords(g.Then), trippedWords(g.Now)), thenNow(closestWords(g.Then), closestWords(g.Now)), ""})
		changes["guardrail."+g.Name] = g.Changes
	}
	for _, x := range re.Alerts {
		name := "alert." + x.Name
		t.rows = append(t.rows, []string{name, thenNow(alertVerdictWords(x.Then), alertVerdictWords(x.Now)), "", ""})
		changes[name] = x.Changes
		if x.Replayed {
			changes[name] = append(changes[name], "its rules were replayed over the recorded series")
		}
	}
	fmt.Fprintln(out)
	if err := t.print(out); err != nil {
		return err
	}
	for _, row := range t.rows {
		for i, c := range changes[row[0]] {
			if i == 0 {
				fmt.Fprintf(out, "\n%s\n", clean(row[0]))
			}
			fmt.Fprintf(out, "  %s\n", clean(oneLine(c)))
		}
	}
	if len(re.Notes) > 0 {
		fmt.Fprintln(out, "\nWorth knowing")
	}
	for _, n := range re.Notes {
		fmt.Fprintf(out, "  %s\n", clean(oneLine(n)))
	}
	return nil
}

// thenNow is "then → now", or what both are.
func thenNow(then, now string) string {
	if then == now {
		return now
	}
	return then + " → " + now
}

func verdictWords(v *journal.HypothesisJudged) string {
	switch {
	case v == nil:
		return "none"
	case v.Verdict == journal.Held || string(v.Verdict) == string(v.Reason):
		return string(v.Verdict)
	case v.Phase != "":
		return fmt.Sprintf("%s (%s, %s)", v.Verdict, v.Reason, v.Phase)
	}
	return fmt.Sprintf("%s (%s)", v.Verdict, v.Reason)
}

func alertVerdictWords(v *journal.AlertJudged) string {
	switch {
	case v == nil:
		return "none"
	case v.Verdict == journal.Held:
		return string(v.Verdict)
	}
	return fmt.Sprintf("%s (%s)", v.Verdict, v.Reason)
}

func marginWords(v *journal.HypothesisJudged) string {
	if v == nil {
		return "-"
	}
	return distanceWords(v.Margin)
}

func distanceWords(m *journal.Margin) string {
	if m == nil {
		return "-"
	}
	return number(m.Distance)
}

func againWords(v *journal.HypothesisJudged) string {
	switch {
	case v == nil || v.HeldAgain == nil:
		return "-"
	case v.HeldAgain.AtMost == 0:
		return "held already"
	}
	return limitWords(v.HeldAgain.AtLeast, v.HeldAgain.AtMost)
}

func trippedWords(g *journal.GuardrailJudged) string {
	switch {
	case g == nil:
		return "none"
	case g.Tripped && g.Blind:
		return "tripped (blind)"
	case g.Tripped:
		return "tripped"
	}
	return "quiet"
}

func closestWords(g *journal.GuardrailJudged) string {
	if g == nil {
		return "-"
	}
	return distanceWords(g.Closest)
}
