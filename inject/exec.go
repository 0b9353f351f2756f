package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gameday/inject/engine"
)

// execute runs a command of the user's in the container, and another one to undo it. What they do, gameday cannot see.
type execute struct{}

// execExtra is what the undo of exec needs to know.
type execExtra struct {
	Run     []string `json:"run"`
	Undo    []string `json:"undo"`
	User    string   `json:"user,omitempty"`
	Seconds float64  `json:"timeout_s"`
	Others  []string `json:"others,omitempty"` // executions of the same command that are not the fault's
	// Unseen: nobody has looked for others yet, so that those that run may be the fault's or not.
	Unseen bool `json:"unseen,omitempty"`
}

const (
	defaultCommandTime = 30 * time.Second
	maxCommandTime     = time.Hour
)

// Doc describes exec.
func (execute) Doc() Doc {
	return Doc{
		Kind:    "exec",
		Family:  Process,
		Summary: "Runs a command of your own in the container, without a shell.",
		Undo: "Ends the command if it still runs, and runs the undo command. That may happen more than once, also after a restart, and even if the " +
			"command itself never ran: it must be repeatable, and end with exit code 0 when there is nothing left to undo.",
		Proof:  "The command, and then its undo, ended with exit code 0. What came of them only the hypotheses can show.",
		Holds:  DurationRequired,
		ByHand: "docker exec CONTAINER COMMAND",
		Args: []Arg{
			{Name: "run", Type: "command", Summary: `The command: a line such as "touch /tmp/busy", or a list of the program and its arguments. For a shell, if the image has one: ["sh", "-c", "…"].`},
			{Name: "undo", Type: "command", Summary: "The command that undoes it, any number of times."},
			{Name: "user", Type: "string", Default: "the container's", Summary: `The user, and the group after a colon, under whom both run: "root", "1000:1000".`},
			{Name: "timeout", Type: "duration", Default: "30s", Summary: "How long each of them may take. One that takes longer is killed, and has failed."},
		},
		Example: `fault "exec" "readiness_is_lost" {
  target   = target.api
  run      = "rm -f /tmp/ready"
  undo     = "touch /tmp/ready"
  duration = "30s"
}`,
	}
}

// Plan takes the commands apart.
func (k execute) Plan(f Fault, c engine.Container, _ Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	run, rerr := commandArg(f, "run")
	undo, uerr := commandArg(f, "undo")
	user, serr := stringArg(f, "user", "")
	limit, terr := commandTimeArg(f)
	if err := errors.Join(rerr, uerr, serr, terr); err != nil {
		return Step{}, err
	}
	s, err := planned(f, k.Doc(), c, execExtra{Run: run, Undo: undo, User: user, Seconds: limit.Seconds(), Unseen: true})
	if err != nil {
		return Step{}, err
	}
	as := ""
	if user != "" {
		as = " as user " + user
	}
	s.Does = fmt.Sprintf("run %s in %s%s", joinCommand(run), c.Name, as)
	s.UndoWords = fmt.Sprintf("run %s in %s%s", joinCommand(undo), c.Name, as)
	s.Claims = []Claim{{Thing: running, Shared: true}}
	s.Warnings = append(s.Warnings, fmt.Sprintf("gameday runs the undo of %q, and cannot see what it puts back: it only sees its exit code", f.Name))
	return s, nil
}

func commandTimeArg(f Fault) (time.Duration, error) {
	v, ok := f.Args["timeout"]
	if !ok {
		return defaultCommandTime, nil
	}
	d, ok := v.(time.Duration)
	switch {
	case !ok:
		return 0, fmt.Errorf("fault %q: timeout must be a duration, such as \"5s\"", f.Name)
	case d <= 0 || d > maxCommandTime:
		return 0, fmt.Errorf("fault %q: timeout is %v; it must be longer than nothing, and at most %v", f.Name, d, maxCommandTime)
	}
	return d, nil
}

func readExec(u Undo) (execExtra, error) {
	var e execExtra
	if err := json.Unmarshal(u.Extra, &e); err != nil || len(e.Run) == 0 || len(e.Undo) == 0 {
		return e, fmt.Errorf("the undo of fault %q has no commands: its record is damaged", u.Fault)
	}
	return e, nil
}

// limit is how long each command may take.
func (e execExtra) limit() time.Duration {
	d := time.Duration(e.Seconds * float64(time.Second))
	if d <= 0 || d > maxCommandTime {
		return defaultCommandTime // not written by Plan
	}
	return d
}

func (e execExtra) command(args []string) engine.Command {
	return engine.Command{Args: args, User: e.User}
}

// commandTime is how long an undo may take beyond others.
func commandTime(u Undo) time.Duration {
	e, err := readExec(u)
	if err != nil {
		return defaultCommandTime
	}
	return e.limit()
}

// Complete looks what runs already: a command of the same words is not the fault's, then.
func (execute) Complete(ctx context.Context, t Tools, s *Step) error {
	e, err := readExec(s.Undo)
	if err != nil {
		return err
	}
	e.Others, e.Unseen = nil, false
	all, err := e.executions(ctx, t, s.Container.ID)
	if err != nil {
		return err
	}
	for _, x := range all {
		e.Others = append(e.Others, x.ID)
	}
	s.Undo.Extra, err = json.Marshal(e)
	return err
}

// executions are those of the command that may be the fault's.
func (e execExtra) executions(ctx context.Context, t Tools, id string) ([]engine.Execution, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	all, err := t.Engine.Execs(ctx, id)
	return slices.DeleteFunc(all, func(x engine.Execution) bool {
		return !slices.Equal(x.Args, e.Run) || slices.Contains(e.Others, x.ID)
	}), err
}

// Inject runs the command and waits for its end. When ctx ends before, the command goes on: the undo ends it.
func (execute) Inject(ctx context.Context, t Tools, s Step) error {
	e, err := readExec(s.Undo)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	if _, err := ready(ctx, t, s); err != nil {
		return err
	}
	return refused(e.do(ctx, t, s.Container.ID, e.Run, "the command"))
}

// do runs one of the commands. One that has not ended in time goes on.
func (e execExtra) do(ctx context.Context, t Tools, id string, args []string, what string) error {
	limited, cancel := context.WithTimeout(ctx, e.limit())
	defer cancel()
	result, err := t.Engine.Exec(limited, id, e.command(args))
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s %s did not end within %v%s: %w", what, joinCommand(args), e.limit(), said(result), err)
	case err != nil:
		return err
	case result.Code != 0:
		return fmt.Errorf("%s %s ended with exit code %d%s", what, joinCommand(args), result.Code, said(result))
	}
	return nil
}

// said is the start of a command's output, for an error.
func said(r engine.ExecResult) string {
	const most = 500
	text := strings.TrimSpace(strings.ToValidUTF8(r.Output, "�"))
	if text == "" {
		return ", and said nothing"
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return ": " + text
}

// Verify says what Inject has seen: it returned no error.
func (execute) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return await(ctx, t, s.Container.ID, s.Container.Name, "the container after the command", func(c *engine.Container) (string, error) {
		switch {
		case c == nil:
			return "", fmt.Errorf("%s is gone: the command, or somebody else, has removed it", s.Container.Name)
		case !c.State.StartedAt.Equal(s.Container.State.StartedAt):
			return "the command ended with exit code 0, and the container was restarted since", nil
		}
		return "the command ended with exit code 0", nil
	})
}

// Holding says whether the container still lives the life in which the command was run.
func (execute) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	c, err := inspect(ctx, t, s.Container.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return false, goneWords, nil
	case err != nil:
		return false, "", err
	case !c.State.Running:
		return false, "it is " + status(c), nil
	case !c.State.StartedAt.Equal(s.Container.State.StartedAt):
		return false, "it was restarted: what the command has done to its processes is over", nil
	}
	return true, "", nil
}

// Undo ends the command if it still runs, and runs the undo command. One that may be somebody else's it does not end: it fails for
// as long as that runs.
func (execute) Undo(ctx context.Context, t Tools, u Undo) error {
	e, err := readExec(u)
	if err != nil {
		return err
	}
	if !u.EffectSeen { // or else it has ended, and what runs of these words is somebody else's
		err := untilActed(ctx, t, u, settle, func(c engine.Container) (bool, error) {
			if e.Unseen {
				return false, e.ended(ctx, t, u)
			}
			return false, e.end(ctx, t, u, c, e.Run) // it may still be on its way
		})
		if err != nil {
			return err
		}
	}
	c, err := inspect(ctx, t, u.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return nil
	case err != nil:
		return err
	case c.State.Paused:
		return fmt.Errorf("%s is paused, and its undo command cannot run in it: run docker unpause %s, or undo it by hand", u.Name, u.Name)
	case !c.State.Running, c.State.Restarting:
		return fmt.Errorf("%s is %s, and its undo command cannot run in it: start it, or undo it by hand", u.Name, status(c))
	}
	err = e.do(ctx, t, u.ID, e.Undo, "the undo command")
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = errors.Join(err, e.end(ctx, t, u, c, e.Undo))
	}
	return err
}

// ended fails while the command runs.
func (e execExtra) ended(ctx context.Context, t Tools, u Undo) error {
	all, err := e.executions(ctx, t, u.ID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return nil
	case err == nil && len(all) > 0:
		err = fmt.Errorf("%s runs in %s, and without the record of its run nobody can tell whether the fault has started it: look with docker top %s, end it unless it is somebody else's, and then undo it",
			joinCommand(e.Run), u.Name, nameOf(u))
	}
	return err
}

// end kills what is left of a command, and not what that has started. It takes a helper: the engine starts commands, and
// cannot end them.
func (e execExtra) end(ctx context.Context, t Tools, u Undo, c engine.Container, args []string) error {
	e.Run = args
	all, err := e.executions(ctx, t, c.ID)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	if err != nil || len(all) == 0 {
		return err
	}
	image, err := t.Helper(ctx)
	if err != nil {
		return fmt.Errorf("%s goes on in %s, and the helper that would end it could not be made: %w", joinCommand(args), u.Name, err)
	}
	for _, x := range all {
		if x.PID == 0 {
			continue // it is being started; the next look sees it
		}
		_, err := runHelper(ctx, t, helper{run: u.Run, target: c, image: image, args: []string{"crash", strconv.Itoa(x.PID), c.ID}, caps: []string{"KILL"}, pid: "host"})
		if err != nil && !errors.Is(err, ErrUntouched) { // ErrUntouched: it has ended by itself, or the next look says more
			return err
		}
	}
	return nil
}

// Gone says what Undo has seen: it returned no error. It waits until nothing of the command runs.
func (execute) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	e, err := readExec(u)
	if err != nil {
		return Proof{}, err
	}
	var now *engine.Container
	p, err := await(ctx, t, u.ID, u.Name, "the end of the command", func(c *engine.Container) (string, error) {
		if now = c; c == nil {
			return goneWords, nil
		}
		if !u.EffectSeen {
			if left, err := e.executions(ctx, t, u.ID); err != nil || len(left) > 0 {
				return "", nil
			}
		}
		return "the undo command ended with exit code 0", nil
	})
	if err != nil {
		return Proof{}, err
	}
	return withDifferences(p, u, now), nil
}

func (execute) byHand(u Undo) string {
	e, err := readExec(u)
	if err != nil {
		return ""
	}
	args := []string{"docker", "exec"}
	if e.User != "" {
		args = append(args, "--user", e.User)
	}
	return joinCommand(append(append(args, nameOf(u)), e.Undo...))
}
