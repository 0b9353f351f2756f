package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
	"gameday/scenarios"
)

type runFlags struct {
	sources
	ci     ciFlags
	only   []string
	yes    bool
	seed   uint64
	runs   string
	wait   time.Duration
	alone  bool // without a guard
	sham   bool // without the faults
	asJSON bool
}

func (a app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run FILE|DIR",
		Short: "Rehearse scenarios: baseline, faults, recovery, and a draft of the postmortem",
		Long: `Rehearse every scenario of a file or directory, one after the other: watch the steady state, inject the faults, undo them, watch the
recovery, and draft the postmortem. Nothing is injected when the baseline does not hold. Ctrl-C undoes everything at once. If gameday
itself dies or hangs, its guard, a helper container beside the targets, undoes everything within seconds.

Each scenario gets a run directory with its record and drafts. The exit code is the worst of all scenarios.

With --sham everything is done but the faults are left out and no target is touched: what moves then moves by itself. The next runs of the
scenario are held against it. A sham run tests nothing, so its hypotheses are not tested and it ends with exit code 4, like any run whose
faults were not injected; it never ends with 0.

For CI, --summary appends a short summary of each scenario and --annotations points at the lines that were not as claimed.

` + exitCodes,
		Args: oneSource,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.ci.prepare(c); err != nil {
				return err
			}
			if !c.Flags().Changed("seed") {
				f.seed = newSeed()
			}
			return a.run(args[0], f)
		},
	}
	f.flags(c)
	c.Flags().StringArrayVar(&f.only, "scenario", nil, "rehearse only the scenario of this `name` (may be repeated)")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask for confirmation")
	c.Flags().Uint64Var(&f.seed, "seed", 0, "a `number` from which the random choices of pick follow, to repeat a run (default: a new one)")
	c.Flags().StringVar(&f.runs, "runs", "runs", "make run directories in this `directory`")
	c.Flags().DurationVar(&f.wait, "wait", 0, "how long to wait while another run holds the lock of the engine")
	c.Flags().BoolVar(&f.alone, "no-guard", false, "go without a guard: if gameday dies, faults stay until gameday recover")
	c.Flags().BoolVar(&f.sham, "sham", false, "leave the faults out, to see what moves by itself; ends with exit code 4")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print the results as JSON on stdout")
	f.ci.flags(c)
	return c
}

// A result is how one scenario ended, for --json.
type result struct {
	Scenario string          `json:"scenario"`
	Run      string          `json:"run,omitempty"`
	Dir      string          `json:"dir,omitempty"`
	Outcome  journal.Outcome `json:"outcome"`
	ExitCode int             `json:"exit_code"`
	Error    string          `json:"error,omitempty"`
	Drafts   []string        `json:"drafts,omitempty"`

	unsteady bool // the baseline did not hold
}

func (a app) run(path string, f runFlags) error {
	ws, err := a.load(path, f.sources, f.asJSON)
	if err != nil {
		return err
	}
	chosen, err := choose(ws, f.only)
	if err != nil {
		return err
	}
	ctx, in := a.interruptible()
	defer in.stop()
	s, done, err := a.setup(ctx, f.runs)
	if err != nil {
		return err
	}
	defer done()
	s.Wait, s.NoGuard, s.Sham = f.wait, f.alone, f.sham
	if err := a.free(ctx, s); err != nil {
		return err
	}

	plans := make([]*runner.Plan, len(chosen))
	code := 0
	for i, sc := range chosen {
		plans[i], err = runner.MakePlan(ctx, s, ws, sc, "plan", f.seed)
		if problems, ok := runner.IsRefusal(err); ok {
			a.printProblems(sc.Name, "refused", problems)
			code = runner.ExitError
		} else if err != nil {
			return err
		}
	}
	if code != 0 {
		return exit(code) // nothing has been touched
	}
	if err := plans[0].Guard.Refused(); err != nil { // the same for all
		return err
	}
	if err := a.confirm(ctx, plans, f.yes || f.sham); err != nil { // a sham run touches nothing
		return err
	}
	results := []result{}
	for _, sc := range chosen {
		r := a.rehearse(ctx, in, s, ws, sc, f.seed)
		results = append(results, r)
		code = runner.WorseExit(code, r.ExitCode)
		if ctx.Err() != nil || r.ExitCode == runner.ExitResidue || r.ExitCode == runner.ExitLocked {
			break // the next scenario must not begin over what this one left, or after a person said stop
		}
	}
	if err := f.ci.tellResults(a.stderr, results); err != nil {
		fmt.Fprintln(a.stderr, "gameday: "+clean(err.Error()))
		code = runner.WorseExit(code, runner.ExitError)
	}
	if f.asJSON {
		if err := a.json(map[string]any{"results": results, "exit_code": code}); err != nil {
			return err
		}
	}
	return exit(code)
}

// free waits until no other run holds the lock of the engine, for as long as the set-up is to wait. It is asked before the plan is
// made and before a person is asked: containers in which another run's faults are in force would not fit the plan, for a reason
// that has nothing to do with the scenario. Whoever takes the lock after this is met by the rehearsal itself.
func (a app) free(ctx context.Context, s runner.Setup) error {
	told := false
	for begin := time.Now(); ; {
		h, err := runner.Locked(ctx, s.Engine)
		if err != nil {
			return err
		}
		switch {
		case h == nil, !h.Alive && !h.Open():
			return nil
		case !runner.Patient(h, time.Since(begin), s.Wait):
			return &runner.LockedError{Holder: *h}
		}
		if !told && !h.Alive {
			fmt.Fprintf(a.stderr, "Waiting until the guard of %s, whose runner has gone, has undone what it left …\n", oneLine(h.Run))
			told = true
		}
		if !told {
			fmt.Fprintf(a.stderr, "Waiting for up to %s until %s, which holds the lock of this Docker engine, is over …\n", length(s.Wait), oneLine(h.Run))
			told = true
		}
		select {
		case <-ctx.Done():
			return &failure{code: runner.ExitInterrupted, err: errors.New("nothing was done")}
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func choose(ws *scenarios.Workspace, only []string) ([]*scenarios.Scenario, error) {
	if len(only) == 0 {
		return ws.Scenarios, nil
	}
	var out []*scenarios.Scenario
	for _, name := range only {
		found := false
		for _, sc := range ws.Scenarios {
			if sc.Name == name {
				out, found = append(out, sc), true
			}
		}
		if !found {
			var names []string
			for _, sc := range ws.Scenarios {
				names = append(names, sc.Name)
			}
			return nil, fmt.Errorf("there is no scenario %q; there are: %s", name, strings.Join(names, ", "))
		}
	}
	return out, nil
}

// rehearse runs one scenario, drafts its postmortem and says how it ended.
func (a app) rehearse(ctx context.Context, in *interrupts, s runner.Setup, ws *scenarios.Workspace, sc *scenarios.Scenario, seed uint64) result {
	out := result{Scenario: sc.Name, Outcome: journal.OutcomeError, ExitCode: runner.ExitError}
	fail := func(err error) result {
		fmt.Fprintln(a.stderr, "gameday: "+clean(err.Error()))
		out.Error = err.Error()
		var locked *runner.LockedError
		switch {
		case ctx.Err() != nil:
			out.Outcome, out.ExitCode = journal.OutcomeInterrupted, runner.ExitInterrupted
		case errors.As(err, &locked):
			out.ExitCode = runner.ExitLocked
		}
		return out
	}
	id := journal.NewID(sc.Name, time.Now())
	plan, err := runner.MakePlan(ctx, s, ws, sc, id, seed)
	if err != nil {
		if problems, ok := runner.IsRefusal(err); ok {
			a.printProblems(sc.Name, "refused", problems)
		}
		return fail(err)
	}
	s.FollowUps, s.Unread = report.OpenFollowUps(s.Runs)
	a.warnUnread(s.Runs, sc.Name)
	d := &display{w: a.stderr, terminal: a.terminal(a.stderr), color: a.color(), width: a.width, height: a.height}
	r := runner.NewRun(s, plan, id, d.event)
	if d.terminal && a.terminal(a.stdin) {
		d.prompt = a.prompt(r.Dir())
	}
	d.start(r.Status)
	var keys *keyboard
	if d.prompt != nil {
		keys = newKeyboard(a.stdin, d.typed)
	}
	in.attach(attached{d, r.Dir(), plan.Guard.Is(), keys})
	res, err := r.Execute(ctx)
	keys.stop()
	d.stop()
	in.detach()
	if err != nil && res.Outcome == "" {
		return fail(err)
	}
	out.Run, out.Dir, out.Outcome, out.ExitCode, out.unsteady = res.Run, res.Dir, res.Outcome, res.Exit, res.Unsteady
	if err == nil && res.Outcome == journal.OutcomeError {
		err = errors.New(res.Detail)
	}
	if err != nil {
		fmt.Fprintln(a.stderr, "gameday: "+clean(err.Error()))
		out.Error = err.Error()
	}
	paths, err := a.draft(res.Dir, a.stderr)
	if err != nil {
		fmt.Fprintln(a.stderr, "gameday: the draft: "+clean(err.Error()))
		out.Error = strings.TrimSpace(out.Error + " " + err.Error())
	}
	out.Drafts = paths
	return out
}

// draft writes the drafts of a run and sums it up.
func (a app) draft(dir string, w interface{ Write([]byte) (int, error) }) ([]string, error) {
	rec, err := journal.Read(dir)
	if err != nil {
		return nil, err
	}
	paths, err := report.Write(dir, rec)
	fmt.Fprintln(w)
	report.Summary(w, report.BuildFor(rec, journal.AudienceTeam), a.color(), a.width()) // who runs it may have to undo something
	for _, p := range paths {
		if filepath.Base(p) == "report.md" || filepath.Base(p) == "report.html" {
			fmt.Fprintf(w, "Draft: %s\n", p)
		}
	}
	fmt.Fprintln(w)
	return paths, err
}

// confirm asks a person, on a terminal, to type a word before anything is injected.
func (a app) confirm(ctx context.Context, plans []*runner.Plan, yes bool) error {
	if yes {
		return nil
	}
	if !a.terminal(a.stdin) || !a.terminal(a.stderr) {
		return errors.New("nobody can confirm here, because this is not a terminal; look at `gameday plan`, then use --yes")
	}
	for _, p := range plans {
		a.printPlan(a.stderr, p, nil, nil)
	}
	var names []string
	for _, p := range plans {
		for _, c := range p.Containers() {
			names = append(names, c.Name)
		}
	}
	word := plans[0].Scenario.Name
	if len(plans) > 1 {
		word = "all"
	}
	fmt.Fprintf(a.stderr, "%s\nType %q to go on: ", wrap(fmt.Sprintf("This injects faults into %s.", strings.Join(unique(names), ", ")), a.width()-1, ""), word)
	typed := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(a.stdin).ReadString('\n')
		typed <- text
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return &failure{code: runner.ExitInterrupted, err: errors.New("nothing was done")}
	case text := <-typed:
		if strings.TrimSpace(text) != word {
			return &failure{code: runner.ExitError, err: errors.New("not confirmed; nothing was done")}
		}
	}
	return nil
}

func unique(in []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// interrupts turns signals into what design.md promises: the first undoes now, the second says that this is going on, the third
// leaves and says how to recover.
type interrupts struct {
	ch     chan os.Signal
	cancel context.CancelCauseFunc
	quit   chan struct{}
	at     chan attached
}

type attached struct {
	d       *display
	dir     string
	guarded bool
	keys    *keyboard // nil: none are read
}

func (a app) interruptible() (context.Context, *interrupts) {
	ctx, cancel := context.WithCancelCause(context.Background())
	in := &interrupts{ch: make(chan os.Signal, 4), cancel: cancel, quit: make(chan struct{}), at: make(chan attached)}
	signal.Notify(in.ch, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go a.handleSignals(in)
	return ctx, in
}

func (a app) handleSignals(in *interrupts) {
	var now attached
	say := func(text string) {
		if now.d != nil {
			now.d.say(text)
		} else {
			fmt.Fprintln(a.stderr, text)
		}
	}
	count := 0
	for {
		select {
		case <-in.quit:
			return
		case now = <-in.at:
		case sig := <-in.ch:
			count++
			switch {
			case count == 1:
				in.cancel(errors.New(signalName(sig)))
				if now.d != nil {
					say(signalName(sig) + ": undoing everything now")
				}
			case now.d == nil:
				os.Exit(runner.ExitInterrupted)
			case count == 2:
				say("Undo is going on. Once more leaves it undone.")
			case now.guarded:
				now.keys.restore()
				say("Leaving while faults may be in force. The guard undoes them now: see `gameday status`. If it does not, undo them with:\n  " +
					journal.RecoverCommand(now.dir))
				os.Exit(runner.ExitResidue)
			default:
				now.keys.restore()
				say("Leaving while faults may be in force. Undo them with:\n  " + journal.RecoverCommand(now.dir))
				os.Exit(runner.ExitResidue)
			}
		}
	}
}

func signalName(s os.Signal) string {
	switch s {
	case os.Interrupt:
		return "Ctrl-C"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP"
	}
	return s.String()
}

func (in *interrupts) attach(now attached) { in.at <- now }
func (in *interrupts) detach()             { in.at <- attached{} }

func (in *interrupts) stop() {
	signal.Stop(in.ch)
	close(in.quit)
	in.cancel(nil)
}
