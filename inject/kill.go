package inject

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// kill is what an operator does with docker kill: the engine counts the container as stopped by hand, and its restart
// policy stays silent. See crash for what a bug does.
type kill struct{}

// slowDeath is how long an undo watches a process that has survived a signal which asks it to end: it may be about to.
const slowDeath = 10 * time.Second

// killExtra is what the undo of a kill needs to know.
type killExtra struct {
	Signal string `json:"signal"`
}

// Doc describes kill.
func (kill) Doc() Doc {
	return Doc{
		Kind:    "kill",
		Family:  Process,
		Summary: "Kills the container's main process as an operator does with docker kill. The restart policy stays silent.",
		Undo:    "Starts the container again, unless it runs.",
		Proof:   "The engine shows that the main process has ended.",
		Holds:   DurationOptional,
		ByHand:  "docker start CONTAINER",
		Args: []Arg{{
			Name:    "signal",
			Type:    "string",
			Default: "KILL",
			Summary: "The signal, by name or number. A process that survives it was not harmed, and the fault counts as not injected.",
		}},
		Example: `fault "kill" "api_is_killed" {
  target   = target.api
  signal   = "TERM"
  duration = "30s"
}`,
	}
}

// Plan refuses signals that freeze or wake a process instead of ending it.
func (k kill) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sig, err := signalArg(f)
	if err != nil {
		return Step{}, err
	}
	s, err := planned(f, k.Doc(), c, killExtra{sig})
	if err != nil {
		return Step{}, err
	}
	if err := keepsStopped(c, "kill"); err != nil {
		return Step{}, err
	}
	if err := startsAlone(c, h, "kill"); err != nil {
		return Step{}, err
	}
	s.Does = fmt.Sprintf("kill %s with %s, as an operator does", c.Name, sig)
	if hasPolicy(c) {
		s.Does += fmt.Sprintf(": its restart policy %q stays silent", c.RestartPolicy)
	}
	s.UndoWords = "start " + c.Name
	s.Claims = append(s.Claims, Claim{Thing: running})
	if f.Duration == 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("nothing but gameday brings %s back, at the end of the run: no restart policy acts after a kill; give a duration to bring it back sooner", c.Name))
	}
	if sig != "SIGKILL" && hasPolicy(c) {
		s.Warnings = append(s.Warnings, fmt.Sprintf("if %s survives %s, its restart policy stays silent until it is started the next time: the engine counts it as stopped by hand", c.Name, sig))
	}
	return s, nil
}

// signals are Linux's, whatever system gameday itself runs on, by their numbers.
var signals = []string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
	10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 17: "SIGCHLD",
	18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU", 23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ",
	26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO", 30: "SIGPWR", 31: "SIGSYS",
}

// signalArg returns the full name of a signal that ends a process: "SIGKILL".
func signalArg(f Fault) (string, error) {
	name, err := signalName(f, "KILL")
	switch {
	case err != nil:
		return "", err
	case sidecar.Freezes(name):
		return "", fmt.Errorf("fault %q: %s freezes a process and does not end it: use fault \"pause\", which can be undone", f.Name, name)
	case sidecar.Harmless(name):
		return "", fmt.Errorf("fault %q: %s ends no process", f.Name, name)
	}
	return name, nil
}

// signalName returns a signal's full name.
func signalName(f Fault, fallback string) (string, error) {
	given, err := stringArg(f, "signal", fallback)
	if err != nil {
		return "", err
	}
	name := strings.ToUpper(strings.TrimSpace(given))
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < len(signals) {
		name = signals[n]
	} else if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if !slices.Contains(signals[1:], name) {
		return "", fmt.Errorf("fault %q: there is no signal %q; the usual ones are KILL, TERM, INT, HUP, QUIT and ABRT", f.Name, given)
	}
	return name, nil
}

// Inject sends the signal.
func (kill) Inject(ctx context.Context, t Tools, s Step) error {
	sig, err := signalArg(s.Fault)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	if _, err := ready(ctx, t, s); err != nil {
		return err
	}
	return uncut(ctx, func(ctx context.Context) error {
		return refused(t.Engine.Kill(ctx, s.Container.ID, sig))
	})
}

// Verify waits until the main process has ended. One that survives was not harmed.
func (kill) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	sig, err := signalArg(s.Fault)
	if err != nil {
		return Proof{}, err
	}
	return died(ctx, t, s, "the process survived "+sig)
}

// Holding says whether the container is still down.
func (kill) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	return staysDown(ctx, t, s)
}

// Undo starts the container, unless it runs. A process that was only asked to end is watched for a while: it may be
// about to.
func (kill) Undo(ctx context.Context, t Tools, u Undo) error {
	limit := slowDeath
	var e killExtra
	if err := json.Unmarshal(u.Extra, &e); err == nil && e.Signal == "SIGKILL" {
		limit = settle
	}
	return startAgain(ctx, t, u, limit)
}

// Gone waits until the container runs.
func (kill) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	return runsAgain(ctx, t, u)
}
