package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

type planFlags struct {
	sources
	only     []string
	seed     uint64
	runs     string
	patience time.Duration
	asJSON   bool
}

func (a app) planCommand() *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:   "plan FILE|DIR",
		Short: "Preview a run: what would be hit, when, the undo of each fault, the hypotheses now",
		Long: `Preview a run: which containers each target resolves to and which were left out and why, the time line with every fault and its undo,
the blast radius, what is watched, and each hypothesis evaluated once now. It changes nothing. Exit code 1 if the scenario does not fit what runs.`,
		Args: oneSource,
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("seed") {
				f.seed = newSeed()
			}
			ws, err := a.load(args[0], f.sources, f.asJSON)
			if err != nil {
				return err
			}
			chosen, err := choose(ws, f.only)
			if err != nil {
				return err
			}
			return a.plan(args[0], ws, chosen, f)
		},
	}
	f.flags(c)
	c.Flags().StringArrayVar(&f.only, "scenario", nil, "plan only the scenario of this `name` (may be repeated)")
	c.Flags().Uint64Var(&f.seed, "seed", 0, "a `number` from which the random choices of pick follow, as for run (default: a new one)")
	c.Flags().DurationVar(&f.patience, "patience", 20*time.Second, "how long the built-in engine may scrape until the hypotheses are evaluated")
	c.Flags().StringVar(&f.runs, "runs", "runs", "the `directory` of the runs, for the sham run that is offered")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return c
}

// shamCommand is what a person types for a run of a scenario without the faults. Values that must not be recorded are not in it.
func shamCommand(path, scenario string, f planFlags, variables []scenarios.Variable) string {
	words := []string{"gameday", "run", "--sham", "--scenario", scenario}
	for _, file := range f.varFiles {
		words = append(words, "-var-file", file)
	}
	for _, v := range f.vars {
		name, _, _ := strings.Cut(v, "=")
		if slices.ContainsFunc(variables, func(x scenarios.Variable) bool { return x.Name == strings.TrimSpace(name) && x.Sensitive }) {
			v = name + "=(sensitive)"
		}
		words = append(words, "-var", v)
	}
	if f.runs != "runs" {
		words = append(words, "--runs", f.runs)
	}
	words = append(words, path)
	for i, w := range words {
		words[i] = journal.ShellWord(w)
	}
	return strings.Join(words, " ")
}

// newSeed is short, so that a person can type it again.
func newSeed() uint64 { return rand.Uint64N(1_000_000) }

func (a app) plan(path string, ws *scenarios.Workspace, chosen []*scenarios.Scenario, f planFlags) error {
	ctx, stop := signals()
	defer stop()
	s, done, err := a.setup(ctx, f.runs)
	if err != nil {
		return err
	}
	defer done()
	if h, err := runner.Locked(ctx, s.Engine); err == nil && h != nil && (h.Alive || h.Open()) {
		fmt.Fprintf(a.stderr, "gameday: what you see may be the doing of a run: %v\n", &runner.LockedError{Holder: *h})
	}
	code := 0
	out := []planJSON{}
	for _, sc := range chosen {
		p, err := runner.MakePlan(ctx, s, ws, sc, "plan", f.seed)
		problems, refused := runner.IsRefusal(err)
		if err != nil && !refused {
			return err
		}
		var previews []runner.Preview
		var why error
		if refused {
			code = runner.ExitError
		} else {
			if len(p.Queries) > 0 && p.Scenario.Source.URL == "" && !f.asJSON && a.terminal(a.stderr) {
				fmt.Fprintln(a.stderr, "Scraping for a moment, to evaluate the hypotheses …")
			}
			var info metrics.Info
			previews, info, why = p.EvaluateNow(ctx, s, f.patience)
			if why != nil {
				why = fmt.Errorf("prometheus %q: %w", info.Name, why)
				code = runner.ExitError
			}
		}
		sham := ""
		if !refused {
			sham = shamCommand(path, sc.Name, f, ws.Variables)
		}
		if f.asJSON {
			out = append(out, toJSON(p, problems, previews, why, sham))
			continue
		}
		if refused {
			a.printProblems(sc.Name, "cannot be run here", problems)
		}
		a.printPlan(a.stdout, p, previews, why)
		if sham != "" {
			fmt.Fprintf(a.stdout, "What moves by itself is told by a run without the faults: %s\n\n", sham)
		}
	}
	if f.asJSON {
		if err := a.json(map[string]any{"plans": out}); err != nil {
			return err
		}
	}
	return exit(code)
}

func (a app) printProblems(scenario, what string, problems []runner.Problem) {
	fmt.Fprintf(a.stderr, "gameday: scenario %q %s:\n", scenario, what)
	for _, p := range problems {
		fmt.Fprintf(a.stderr, "  %s:%d: %s: %s\n", runner.SourcePath(p.File), p.Line, p.Block, oneLine(p.Message))
	}
}

// A step is one line of the time line.
type step struct {
	At   journal.Duration `json:"at"` // from the end of the baseline
	What string           `json:"what"`
	Undo string           `json:"undo,omitempty"`
}

// timeline is what would happen when, in order.
func timeline(p *runner.Plan) []step {
	sc := p.Scenario
	var steps []step
	add := func(at time.Duration, what, undo string) {
		steps = append(steps, step{journal.Duration(at), what, undo})
	}
	add(-sc.Baseline, "baseline: the steady state is watched, and must hold", "")
	for _, s := range p.Steps {
		at := s.Start
		if s.Step.Before {
			at = -sc.Baseline
		}
		add(at, stepPlan(s), "")
	}
	last := time.Duration(0)
	open := false
	for _, f := range p.Faults {
		last = max(last, f.End())
		for _, st := range f.Steps {
			add(f.Start, fmt.Sprintf("fault.%s: %s", f.Fault.Name, st.Does), st.UndoWords)
			if f.Fault.Duration > 0 {
				add(f.End(), fmt.Sprintf("undo of fault.%s: %s", f.Fault.Name, st.UndoWords), "")
			} else {
				open = true
			}
		}
	}
	if open {
		add(last, fmt.Sprintf("faults without a duration are left to the restart policy for up to %s, then put back", sc.Recovery), "")
	}
	add(last, "recovery: everything is undone, watching on", "")
	add(last+sc.Recovery, "end, and the draft of the postmortem", "")
	sort.SliceStable(steps, func(i, j int) bool { return steps[i].At < steps[j].At })
	return steps
}

// stepPlan says what a person is to do.
func stepPlan(s runner.PlannedStep) string {
	text := "manual." + s.Step.Name
	if who := s.Who(); who != "" {
		text += ", for " + who
	}
	text += ": " + strings.Join(strings.Fields(s.Step.Instructions), " ")
	switch {
	case s.Step.Before && s.Step.Confirm:
		text += fmt.Sprintf(" (the baseline lasts until it is confirmed; without that for %s nothing is injected)", length(s.Step.Timeout))
	case s.Step.Confirm && s.Step.Timeout > 0:
		text += fmt.Sprintf(" (to be confirmed within %s; the faults do not wait for it)", length(s.Step.Timeout))
	case s.Step.Confirm:
		text += " (to be confirmed; the faults do not wait for it)"
	}
	return text
}

func (a app) printPlan(w io.Writer, p *runner.Plan, previews []runner.Preview, why error) {
	sc := p.Scenario
	head := func(s string) {
		if a.color() {
			s = "\x1b[1m" + s + reset
		}
		fmt.Fprintf(w, "\n%s\n", s)
	}
	// line writes a line, broken on a terminal so that what follows is set in by hang columns.
	line := func(indent, hang int, text string) {
		if text = oneLine(text); a.terminal(w) {
			at := min(hang-indent, len(text))
			at += len(text[at:]) - len(strings.TrimLeft(text[at:], " ")) // wrap drops spaces at the beginning
			head, rest := text[:at], text[at:]
			text = head + wrap(rest, a.width()-hang-1, strings.Repeat(" ", hang))
		}
		fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", indent), text)
	}
	title := sc.Title
	if title == "" {
		title = sc.Name
	}
	head(fmt.Sprintf("%s (%s)", oneLine(title), sc.Name))
	baseline, fault, recovery := p.Length()
	fmt.Fprintf(w, "  about %s: %s baseline, %s faults, %s recovery; seed %d\n", length(baseline+fault+recovery), length(baseline), length(fault), length(recovery), p.Seed)

	head("Targets")
	for _, t := range p.Targets {
		var names []string
		for _, c := range t.Chosen {
			names = append(names, c.Name)
		}
		line(2, 6, fmt.Sprintf("%s = %s: %s", t.Target.Name, t.Target.Selector(), orNone(names)))
		for _, l := range leftOut(t.LeftOut) {
			line(6, 8, l)
		}
	}

	head("Time line (T+0s is the end of the baseline)")
	steps, when := timeline(p), 8
	for _, s := range steps {
		when = max(when, len(offset(time.Duration(s.At))))
	}
	for _, s := range steps {
		line(2, 2+1+when, fmt.Sprintf("%-*s %s", when, offset(time.Duration(s.At)), s.What))
	}

	head("Blast radius")
	for _, l := range radius(p) {
		line(2, 4, l)
	}

	if lines := watched(p.Watched); len(lines) > 0 {
		head("Watched")
		for _, l := range lines {
			line(2, 4, l)
		}
	}

	head("If gameday dies")
	line(2, 4, guardWords(p.Guard))

	if len(p.Queries) > 0 {
		head("Hypotheses and guardrails")
	}
	name := 0
	for _, q := range p.Queries {
		name = max(name, len(q.Name()))
	}
	for i, q := range p.Queries {
		line(2, 2+name+2, queryPlan(q, name, previews, i))
	}
	if why != nil {
		line(2, 4, "not evaluated: "+why.Error())
	}
	other := otherAlerts(p)
	if len(sc.Alerts) > 0 || other != "" {
		head("Alerts")
	}
	name = 0
	for _, a := range sc.Alerts {
		name = max(name, len(oneLine(a.Name)))
	}
	for i := range sc.Alerts {
		line(2, 2+name+2, alertPlan(p, i, name))
	}
	if other != "" {
		line(2, 4, other)
	}
	if len(sc.Observers) > 0 {
		head("Observers")
	}
	name = 0
	for _, o := range sc.Observers {
		name = max(name, len(o.Name))
	}
	for _, o := range sc.Observers {
		text := fmt.Sprintf("%-*s  %s", name, o.Name, strings.Join(strings.Fields(o.Description), " "))
		if len(o.Watches) > 0 {
			text = strings.TrimRight(text, " ") + "  watches " + strings.Join(o.Watches, ", ")
		}
		line(2, 2+name+2, text)
	}
	if len(p.Warnings) > 0 {
		head("Worth knowing")
	}
	for _, x := range p.Warnings {
		line(2, 4, fmt.Sprintf("%s:%d: %s: %s", runner.SourcePath(x.File), x.Line, x.Block, x.Message))
	}
	fmt.Fprintln(w)
}

var mismatch = regexp.MustCompile(`^its (.+) is "|^its (name) does not match$`)

// leftOut says in few lines what nearly was chosen: containers that are left out for the same kind of reason share one.
func leftOut(all []journal.LeftOut) []string {
	names := map[string][]string{}
	var reasons []string
	for _, l := range all {
		reason := l.Reason
		if m := mismatch.FindStringSubmatch(reason); m != nil {
			reason = "another " + m[1] + m[2]
		}
		if names[reason] == nil {
			reasons = append(reasons, reason)
		}
		names[reason] = append(names[reason], l.Container)
	}
	out := make([]string, 0, len(reasons))
	for _, reason := range reasons {
		n := names[reason]
		const most = 6
		shown := strings.Join(n[:min(len(n), most)], ", ")
		if len(n) > most {
			shown += fmt.Sprintf(" and %d more", len(n)-most)
		}
		out = append(out, fmt.Sprintf("not %s: %s", shown, reason))
	}
	return out
}

func queryPlan(q runner.PlannedQuery, name int, previews []runner.Preview, i int) string {
	now := ""
	if i < len(previews) {
		v := previews[i]
		state := string(v.State)
		switch {
		case q.Guardrail != nil && v.State == journal.Holding:
			state = "quiet"
		case q.Guardrail != nil && v.State == journal.Violated:
			state = "WOULD TRIP"
		}
		value := v.Error
		if v.Point != nil {
			value = number(v.Point.Value)
			if len(v.Point.Labels) > 0 {
				value += " " + labelWords(v.Point.Labels)
			}
		}
		now = fmt.Sprintf("now %s: %s", state, oneLine(value))
		if v.Note != "" {
			now += " (" + v.Note + ")"
		}
		now = "; " + now
	}
	what := "expect "
	cond := ""
	if q.Hypothesis != nil {
		cond = q.Hypothesis.Expect.String()
	} else {
		what, cond = "aborts when ", q.Guardrail.AbortWhen.String()
	}
	return fmt.Sprintf("%-*s  %s%s%s", name, q.Name(), what, oneLine(cond), now)
}

func radius(p *runner.Plan) []string {
	br := p.Scenario.BlastRadius
	_, fault, _ := p.Length()
	hit := p.Containers()
	var names []string
	for _, c := range hit {
		names = append(names, c.Name)
	}
	limit := func(ok bool, most string) string {
		if !ok {
			return "no limit declared"
		}
		return "at most " + most
	}
	out := []string{
		fmt.Sprintf("%s: %s (%s)", plural(len(hit), "container"), orNone(names), limit(br.MaxTargets > 0, fmt.Sprint(br.MaxTargets))),
		fmt.Sprintf("%s with faults (%s)", length(fault), limit(br.MaxDuration > 0, length(br.MaxDuration))),
	}
	var protected []string
	for _, t := range br.Protect {
		protected = append(protected, t.Name)
	}
	if len(protected) > 0 {
		out = append(out, "protected: "+strings.Join(protected, ", "))
	}
	return out
}

// guardWords says what happens to what is in force when gameday dies.
func guardWords(g runner.GuardPlan) string {
	switch {
	case g.Is():
		return "its guard, a helper container beside the targets, undoes everything within seconds"
	case g.Declined:
		return "faults stay in force until gameday recover: the run is to have no guard (--no-guard)"
	}
	return "faults stay in force until gameday recover: there can be no guard, because " + g.Why + "; a run has to be started with --no-guard"
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// offset is a time relative to the end of the baseline.
func offset(d time.Duration) string {
	if d < 0 {
		return "T-" + length(-d)
	}
	return "T+" + length(d)
}

// length is a duration as it is told everywhere.
func length(d time.Duration) string { return journal.Duration(d).String() }
