// Command gameday rehearses failure on Docker containers and drafts the postmortem.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gameday/inject/engine"
	"gameday/report"
	"gameday/runner"
	"gameday/scenarios"
)

// version is set when the binary is linked.
var version = ""

func main() {
	os.Exit(execute(os.Args[1:], app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}))
}

// An app is what a command talks to. Data goes to stdout, talk to stderr.
type app struct {
	stdin          *os.File
	stdout, stderr io.Writer
}

// A failure is an error with its exit code. An error without one has exit code 1.
type failure struct {
	code int
	err  error // nil: everything has been said
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// exit ends a command with a code when everything has been said.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return &failure{code: code}
}

// execute runs one command line. Here alone errors become exit codes; what these mean stands in runner/exit.go.
func execute(args []string, a app) int {
	if len(args) > 0 {
		if code, ok := inside(args, a); ok {
			return code
		}
	}
	root := a.root()
	root.SetArgs(singleDash(args))
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return runner.ExitHeld
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintln(a.stderr, "gameday: "+clean(unknown(msg)))
	}
	var f *failure
	var locked *runner.LockedError
	switch {
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &locked):
		return runner.ExitLocked
	}
	return runner.ExitError
}

func (a app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "gameday",
		Short: "Rehearse failure on Docker containers, and get the postmortem drafted",
		Long: `gameday injects the faults that a scenario file describes into Docker
containers, watches what should stay true meanwhile, undoes everything whatever
happens, and drafts a blameless rehearsal postmortem with evidence for every
sentence.

Try it:     gameday demo
Begin:      gameday init -o first.gameday.hcl
            gameday plan first.gameday.hcl
            gameday run first.gameday.hcl

` + exitCodes,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       versionText(),
	}
	root.AddCommand(a.initCommand(), a.faultsCommand(), a.validateCommand(), a.fmtCommand(), a.planCommand(), a.runCommand(), a.reportCommand(),
		a.queryCommand(), a.compareCommand(), a.followupsCommand(), a.debriefCommand(),
		a.statusCommand(), a.recoverCommand(), a.abortCommand(), a.noteCommand(), a.predictCommand(), a.confirmCommand(), a.lintCommand(), a.demoCommand(), a.versionCommand())
	settle(root)
	return root
}

// singleDash lets -var and -var-file be written as in Terraform.
func singleDash(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		for _, name := range []string{"-var", "-var-file"} {
			if arg == name || strings.HasPrefix(arg, name+"=") {
				out[i] = "-" + arg
			}
		}
	}
	return out
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

// sources are the flags with which a scenario's variables are set.
type sources struct {
	vars, varFiles []string
}

func (s *sources) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.vars, "var", nil, "set a variable: `name=value` (may be repeated; also -var)")
	c.Flags().StringArrayVar(&s.varFiles, "var-file", nil, "set variables from a `file` (.gamedayvars.hcl; may be repeated; also -var-file)")
}

// options say how scenarios are loaded: everything in them is checked.
func (s sources) options() scenarios.Options {
	o := scenarios.Options{Vars: s.vars, VarFiles: s.varFiles, CheckQuery: runner.CheckQuery, CheckSelector: runner.CheckSelector, CheckRules: runner.CheckRules}
	o.CheckTemplate = func(text []byte, fields []string) (out []scenarios.TemplateProblem) {
		if fields == nil {
			fields = []string{} // there are none
		}
		for _, p := range report.CheckTemplate(text, fields) {
			out = append(out, scenarios.TemplateProblem(p))
		}
		return out
	}
	for _, x := range report.SectionIDs() {
		o.Sections = append(o.Sections, scenarios.ReportSection(x))
	}
	return o
}

// load reads scenarios and says what is wrong with them; then the error is already told.
func (a app) load(path string, s sources, asJSON bool) (*scenarios.Workspace, error) {
	ws, ds := scenarios.Load(path, s.options())
	if ds.HasErrors() || len(ds) > 0 && !asJSON {
		if asJSON {
			a.json(map[string]any{"valid": !ds.HasErrors(), "diagnostics": ds})
		} else {
			scenarios.WriteDiagnostics(a.stderr, ds, a.color(), a.width())
		}
	}
	if ds.HasErrors() {
		return nil, exit(runner.ExitInvalid)
	}
	return ws, nil
}

// setup connects to the Docker engine. done must be called at the end.
func (a app) setup(ctx context.Context, runs string) (s runner.Setup, done func(), err error) {
	e, err := engine.Connect(engine.Options{})
	if err != nil {
		return s, nil, err
	}
	tools, cleanup := runner.NewTools(e, engine.Executable)
	s = runner.Setup{Engine: e, Tools: tools, Version: versionText(), Runs: runs}
	done = func() {
		cleanup()
		e.Close()
	}
	if err := s.Connect(ctx); err != nil {
		done()
		return s, nil, err
	}
	return s, done, nil
}

// signals returns a context that ends with the first SIGINT, SIGTERM or SIGHUP.
func signals() (context.Context, func()) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// color says whether talk may be coloured: on a terminal, unless NO_COLOR is set.
func (a app) color() bool {
	return a.terminal(a.stderr) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (a app) terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is that of the terminal, or 100 columns elsewhere.
func (a app) width() int {
	if w, _, ok := a.size(); ok && w > 20 {
		return w
	}
	return 100
}

// height is that of the terminal, or 24 lines elsewhere.
func (a app) height() int {
	if _, h, ok := a.size(); ok && h > 0 {
		return h
	}
	return 24
}

func (a app) size() (w, h int, ok bool) {
	f, ok := a.stderr.(*os.File)
	if !ok {
		return 0, 0, false
	}
	w, h, err := term.GetSize(int(f.Fd()))
	return w, h, err == nil
}
