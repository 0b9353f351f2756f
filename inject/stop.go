package inject

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gameday/inject/engine"
)

// defaultGrace is the engine's own.
const defaultGrace = 10 * time.Second

// maxGrace keeps a stop, and the undo that waits for it, within the time that people wait.
const maxGrace = time.Hour

// afterGrace is how much longer than the grace time the engine may take to end a process.
const afterGrace = 10 * time.Second

// stop ends a container as an operator or a deployment does: asked first, killed after the grace time.
type stop struct{}

// graceExtra is what the undo of stop and restart needs to know: how long a stop may still be under way.
type graceExtra struct {
	Seconds int `json:"grace_s"`
}

// underWay is how long a stop that nobody waited for may still take.
func underWay(u Undo) time.Duration {
	var e graceExtra
	if err := json.Unmarshal(u.Extra, &e); err != nil || e.Seconds < 0 || e.Seconds > int(maxGrace/time.Second) {
		return defaultGrace + settle // not written by Plan
	}
	return time.Duration(e.Seconds)*time.Second + settle
}

var graceArg = Arg{
	Name:    "grace",
	Type:    "duration",
	Default: "10s",
	Summary: "How long the main process may take to end by itself before it is killed, in whole seconds.",
}

// graceOf reads the grace time, in whole seconds, the finest that the engine counts in.
func graceOf(f Fault) (time.Duration, error) {
	const name = "grace"
	v, ok := f.Args[name]
	if !ok {
		return defaultGrace, nil
	}
	d, ok := v.(time.Duration)
	switch {
	case !ok:
		return 0, fmt.Errorf("fault %q: %s must be a duration, such as \"5s\"", f.Name, name)
	case d < 0:
		return 0, fmt.Errorf("fault %q: %s is %v; it cannot be less than nothing", f.Name, name, d)
	case d > maxGrace:
		return 0, fmt.Errorf("fault %q: %s is %v; the longest is %v", f.Name, name, d, maxGrace)
	case d%time.Second != 0:
		return 0, fmt.Errorf("fault %q: %s is %v; the engine counts in whole seconds", f.Name, name, d)
	}
	return d, nil
}

// Doc describes stop.
func (stop) Doc() Doc {
	return Doc{
		Kind:    "stop",
		Family:  Process,
		Summary: "Stops the container as a deployment does: its main process is asked to end, and killed after the grace time. The restart policy stays silent.",
		Undo:    "Starts it again, unless it runs.",
		Proof:   "The engine shows that the main process has ended.",
		Holds:   DurationRequired,
		ByHand:  "docker start CONTAINER",
		Args:    []Arg{graceArg},
		Example: `fault "stop" "api_is_deployed" {
  target   = target.api
  grace    = "5s"
  duration = "30s"
}`,
	}
}

// Plan refuses a container that the engine would remove once it has stopped.
func (k stop) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	grace, err := graceOf(f)
	if err != nil {
		return Step{}, err
	}
	s, err := planned(f, k.Doc(), c, graceExtra{int(grace / time.Second)})
	if err != nil {
		return Step{}, err
	}
	if err := keepsStopped(c, "stop"); err != nil {
		return Step{}, err
	}
	if err := startsAlone(c, h, "stop"); err != nil {
		return Step{}, err
	}
	s.Does = fmt.Sprintf("stop %s: its main process is asked to end, and killed after %v", c.Name, grace)
	s.UndoWords = "start " + c.Name
	s.Claims = append(s.Claims, Claim{Thing: running})
	return s, nil
}

// Inject stops the container, and returns when it has stopped. When ctx ends before, the engine goes on stopping it: the
// undo waits for that.
func (stop) Inject(ctx context.Context, t Tools, s Step) error {
	grace, err := graceOf(s.Fault)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	if _, err := ready(ctx, t, s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, grace+afterGrace)
	defer cancel()
	return t.Engine.Stop(ctx, s.Container.ID, grace)
}

// Verify waits until the main process has ended.
func (stop) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return died(ctx, t, s, "")
}

// Holding says whether the container is still down.
func (stop) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	return staysDown(ctx, t, s)
}

// Undo starts the container, unless it runs. If it was not stopped yet it is watched for the grace time.
func (stop) Undo(ctx context.Context, t Tools, u Undo) error {
	return startAgain(ctx, t, u, underWay(u))
}

// Gone waits until the container runs.
func (stop) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	return runsAgain(ctx, t, u)
}
