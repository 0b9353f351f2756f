package inject

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

const (
	helperRole  = "helper"         // the value of engine.RoleLabel
	targetLabel = "gameday.target" // the id of the container that a helper acts on
	helperLimit = 20 * time.Second // for what a helper does
)

// helper is one command of gameday's own binary, run once in a container beside the target.
type helper struct {
	run    string
	target engine.Container
	image  string
	args   []string // after `/gameday sidecar`
	caps   []string // the only capabilities that it keeps
	// network is "none" if empty; otherwise the network namespace of another container.
	network string
	pid     string // "host", or empty: a pid namespace of its own
	binds   []string
	allow   func(*engine.Spec) // what else it gets
}

// askHelper runs a helper and returns what it has printed.
func askHelper(ctx context.Context, t Tools, h helper) (said []byte, err error) {
	if h.image, err = t.Helper(ctx); err != nil {
		return nil, fmt.Errorf("%w: the helper image could not be made: %w", ErrUntouched, err)
	}
	return runHelper(ctx, t, h)
}

// runHelper makes a helper container with nothing to write to, runs it, waits for its end, and removes it whatever happens.
// It returns what the helper has printed, which is part of the error when it fails. The error is ErrUntouched only when the
// helper was never started, or said so by its exit code.
func runHelper(ctx context.Context, t Tools, h helper) (said []byte, err error) {
	name := "gameday-" + h.args[0] + "-" + random()
	if h.network == "" {
		h.network = "none"
	}
	defer func() {
		rerr := limited(context.WithoutCancel(ctx), t, name, func(ctx context.Context) error { return t.Engine.Remove(ctx, name) })
		if rerr != nil {
			err = errors.Join(err, fmt.Errorf("the helper %s could not be removed: %w; run docker rm -f %s", name, rerr, name))
		}
	}()
	err = uncut(ctx, func(ctx context.Context) error {
		spec := engine.Spec{
			Name:       name,
			Image:      h.image,
			Entrypoint: []string{"/gameday"},
			Cmd:        append([]string{"sidecar"}, h.args...),
			Labels: map[string]string{
				engine.Label:     h.run,
				engine.RoleLabel: helperRole,
				targetLabel:      h.target.ID,
			},
			Network:  h.network,
			PIDMode:  h.pid,
			CapDrop:  []string{"ALL"},
			CapAdd:   h.caps,
			Binds:    h.binds,
			ReadOnly: true,
		}
		if h.allow != nil {
			h.allow(&spec)
		}
		_, err := t.Engine.Create(ctx, spec)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: the helper %s could not be made: %w", ErrUntouched, name, err)
	}
	if err := uncut(ctx, func(ctx context.Context) error { return t.Engine.Start(ctx, name) }); err != nil {
		return nil, fmt.Errorf("the helper %s could not be started: %w", name, err)
	}
	wait, cancel := context.WithTimeout(ctx, helperLimit)
	defer cancel()
	code, err := t.Engine.Wait(wait, name)
	if err != nil {
		return nil, fmt.Errorf("the helper %s was not seen to end: %w", name, err)
	}
	out, lerr := t.Engine.Logs(wait, name)
	if code == 0 {
		return out, lerr
	}
	text := "it said nothing"
	if lerr == nil && len(bytes.TrimSpace(out)) > 0 {
		text = string(bytes.TrimSpace(out))
	}
	err = fmt.Errorf("the helper %s ended with exit code %d: %s", name, code, text)
	switch code {
	case sidecar.ExitUsage, sidecar.ExitNotThere, sidecar.ExitDenied:
		err = fmt.Errorf("%w to %s: %w", ErrUntouched, h.target.Name, err)
	}
	return out, err
}

// removeHelpers removes the helpers of a run.
func removeHelpers(ctx context.Context, t Tools, run string) error {
	all, err := helpers(ctx, t, run, "")
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, removeHelper(ctx, t, c))
	}
	return errors.Join(errs...)
}

// removeOnce removes the helpers beside a target that run a single command. Sidecars, and those that hold an address, belong to
// other faults.
func removeOnce(ctx context.Context, t Tools, u Undo) error {
	all, err := helpers(ctx, t, u.Run, u.ID)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		if c.Labels[flavourLabel] == "" && c.Labels[holdsLabel] == "" {
			errs = append(errs, removeHelper(ctx, t, c))
		}
	}
	return errors.Join(errs...)
}

// helpers lists the helpers of a run that act on a target; an empty target stands for all helpers.
func helpers(ctx context.Context, t Tools, run, target string) ([]engine.Container, error) {
	look, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	all, err := t.Engine.Brief(look, engine.Filter{Label: engine.Label, Value: run})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c engine.Container) bool {
		return c.Labels[engine.Label] != run || c.Labels[engine.RoleLabel] != helperRole ||
			target != "" && c.Labels[targetLabel] != target
	}), nil
}

func removeHelper(ctx context.Context, t Tools, c engine.Container) error {
	err := limited(ctx, t, c.ID, func(ctx context.Context) error { return t.Engine.Remove(ctx, c.ID) })
	if err != nil {
		return fmt.Errorf("the helper %s could not be removed: %w; run docker rm -f %s", c.Name, err, c.Name)
	}
	return nil
}

// orphanEnd is how long a sidecar whose process has gone may take to undo what it holds, before it is removed.
const orphanEnd = time.Second

// removeFlavour removes the sidecars of one flavour that another process has left beside a target. One that still runs is given
// a moment to undo what it holds by itself.
func removeFlavour(ctx context.Context, t Tools, u Undo, f flavour) error {
	all, err := helpers(ctx, t, u.Run, u.ID)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		if c.Labels[flavourLabel] != string(f) {
			continue
		}
		if c.State.Running {
			wait, cancel := context.WithTimeout(ctx, orphanEnd)
			_, _ = t.Engine.Wait(wait, c.ID)
			cancel()
		}
		errs = append(errs, removeHelper(ctx, t, c))
	}
	return errors.Join(errs...)
}

// Sweep ends the sidecars that this process drives for a run, and removes the helper containers that faults of the run have
// left behind. Undo does so for its own fault; this is for the end of a run.
func Sweep(ctx context.Context, t Tools, run string) error {
	if run == "" {
		return nil
	}
	endHolds(run)
	return errors.Join(t.Sidecars.end(ctx, run), removeHelpers(ctx, t, run))
}

func random() string {
	var b [6]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
