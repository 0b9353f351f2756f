package inject

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// signal tells a process inside a container something, whichever it is: the main one, a worker, a child.
type signal struct{ onHost }

// Doc describes signal.
func (signal) Doc() Doc {
	return Doc{
		Kind:       "signal",
		Family:     Process,
		Summary:    "Sends a signal to every process of the container that goes by a name. The engine does not notice, so that the restart policy acts.",
		Undo:       "Wakes what STOP has stopped, and starts the container again if it has ended. Other signals leave nothing to undo.",
		Proof:      "The kernel took the signal for so many processes; of STOP it shows that they are stopped, and of KILL that they have ended.",
		Holds:      DurationOptional,
		EndsItself: true,
		Ahead:      true,
		ByHand:     "docker restart CONTAINER",
		Args: []Arg{{
			Name:    "process",
			Type:    "string",
			Summary: "The process's name as ps shows it, or that of its program.",
		}, {
			Name:    "signal",
			Type:    "string",
			Default: "TERM",
			Summary: "The signal, by name or number. STOP needs a duration, after which the processes go on.",
		}},
		Example: `fault "signal" "worker_hangs" {
  target   = target.api
  process  = "worker"
  signal   = "STOP"
  duration = "30s"
}`,
	}
}

// Plan asks for a duration where the signal's effect lasts.
func (k signal) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	process, err := stringArg(f, "process", "")
	if err != nil {
		return Step{}, err
	}
	sig, err := signalName(f, "TERM")
	switch {
	case err != nil:
		return Step{}, err
	case process == "":
		return Step{}, fmt.Errorf("fault %q: signal needs the name of a process, such as process = \"worker\"", f.Name)
	}
	s, err := planOnHost(f, k.Doc(), c, h, sidecar.SignalSpec{Process: process, Signal: sig})
	if err != nil {
		return Step{}, err
	}
	s.Does = fmt.Sprintf("send %s to every process called %s in %s", sig, process, c.Name)
	switch {
	case sidecar.Freezes(sig) && f.Duration == 0:
		return Step{}, fmt.Errorf("fault %q: %s stops a process until it is woken, so it needs a duration, such as duration = \"30s\"", f.Name, sig)
	case sidecar.Freezes(sig):
		s.Does += ", which stops it"
		s.Lasts = true
		s.UndoWords = fmt.Sprintf("send SIGCONT to every process called %s in %s", process, c.Name)
	default:
		s.UndoWords = fmt.Sprintf("start %s, if it has ended; a signal cannot be taken back", c.Name)
		if f.Duration > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s is over as soon as it is sent: its duration only says when %s is started again, should it have ended", sig, c.Name))
		}
		if guests := guestsOf(c, h); guests != "" {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s the network of %s: should %s end its main process, %s gets a new network when it starts again, and they are cut off until they are restarted", guests, c.Name, sig, c.Name))
		}
		if c.AutoRemove {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s was started with --rm: should %s end it, the engine removes it, and nothing brings it back", c.Name, sig))
		}
	}
	return s, nil
}

// Check asks nothing: whether a process is there that goes by the name can only be told when the fault is due.
func (signal) Check(context.Context, Tools, Step) error { return nil }

// Complete refuses to end a container that could not be brought back.
func (k signal) Complete(ctx context.Context, t Tools, s *Step) error {
	if err := k.onHost.Complete(ctx, t, s); err != nil {
		return err
	}
	spec, err := signalSpec(s.Undo)
	if err != nil {
		return err
	}
	if spec.Main && spec.Signal == "SIGKILL" {
		return keepsStopped(s.Container, "signal")
	}
	return nil
}

func signalSpec(u Undo) (spec sidecar.SignalSpec, err error) {
	if err := json.Unmarshal(u.Extra, &spec); err != nil {
		return spec, fmt.Errorf("the undo of fault %q on %s cannot be read: %w", u.Fault, u.Name, err)
	}
	return spec, nil
}

// Verify takes what the sidecar has seen, and waits for the engine to notice if the main process has ended.
func (k signal) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	return k.verifyEnd(ctx, t, s)
}

// Holding says whether what was stopped still is, or else that the signal was sent and nothing of it lasts.
func (k signal) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	spec, err := signalSpec(s.Undo)
	if err != nil {
		return false, "", err
	}
	if sidecar.Freezes(spec.Signal) {
		return k.onHost.Holding(ctx, t, s)
	}
	ok, why, err := staysDown(ctx, t, s)
	if err == nil && !ok && why == aliveWords {
		why = "the signal was sent, and nothing of it lasts"
	}
	return ok, why, err
}

// Undo wakes what was stopped, and starts the container if it has ended.
func (k signal) Undo(ctx context.Context, t Tools, u Undo) error {
	spec, err := signalSpec(u)
	if err != nil {
		return err
	}
	if !sidecar.Freezes(spec.Signal) {
		if err := undoAgent(ctx, t, u, hostSidecar); err != nil {
			return err
		}
		return startAgain(ctx, t, u, slowSignal(spec))
	}
	if err := k.onHost.Undo(ctx, t, u); err != nil {
		return err
	}
	return startAgain(ctx, t, u, 0)
}

// byHand restarts the container where something may be stopped in it. Otherwise there is nothing to undo but its end.
func (k signal) byHand(u Undo) string {
	verb := "start"
	if spec, err := signalSpec(u); err != nil || sidecar.Freezes(spec.Signal) {
		verb = "restart"
	}
	return joinCommand([]string{"docker", verb, nameOf(u)})
}

// slowSignal is how long the main process may take to end of a signal that asks it to.
func slowSignal(spec sidecar.SignalSpec) time.Duration {
	if spec.Main {
		return settle
	}
	return 0
}

// Gone looks whether anything is still stopped, and waits until the container runs.
func (k signal) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	return goneAndRuns(ctx, t, u, k.onHost)
}
