package inject

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
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
}

// runHelper makes a helper container in the host's pid namespace, with no network and nothing to write to, runs it, waits
// for its end, and removes it whatever happens. What it says is part of the error when it fails. The error is ErrUntouched
// only when the helper was never started, or said so by its exit code.
func runHelper(ctx context.Context, t Tools, h helper) (err error) {
	name := "gameday-" + h.args[0] + "-" + random()
	defer func() {
		rerr := limited(context.WithoutCancel(ctx), t, name, func(ctx context.Context) error { return t.Engine.Remove(ctx, name) })
		if rerr != nil {
			err = errors.Join(err, fmt.Errorf("the helper %s could not be removed: %w; run docker rm -f %s", name, rerr, name))
		}
	}()
	err = uncut(ctx, func(ctx context.Context) error {
		_, err := t.Engine.Create(ctx, engine.Spec{
			Name:       name,
			Image:      h.image,
			Entrypoint: []string{"/gameday"},
			Cmd:        append([]string{"sidecar"}, h.args...),
			Labels: map[string]string{
				engine.Label:     h.run,
				engine.RoleLabel: helperRole,
				targetLabel:      h.target.ID,
			},
			Network:  "none",
			PIDMode:  "host",
			CapDrop:  []string{"ALL"},
			CapAdd:   h.caps,
			ReadOnly: true,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: the helper %s could not be made: %w", ErrUntouched, name, err)
	}
	if err := uncut(ctx, func(ctx context.Context) error { return t.Engine.Start(ctx, name) }); err != nil {
		return fmt.Errorf("the helper %s could not be started: %w", name, err)
	}
	wait, cancel := context.WithTimeout(ctx, helperLimit)
	defer cancel()
	code, err := t.Engine.Wait(wait, name)
	if err != nil {
		return fmt.Errorf("the helper %s was not seen to end: %w", name, err)
	}
	if code == 0 {
		return nil
	}
	said := "it said nothing"
	if out, err := t.Engine.Logs(wait, name); err == nil && len(bytes.TrimSpace(out)) > 0 {
		said = string(bytes.TrimSpace(out))
	}
	err = fmt.Errorf("the helper %s ended with exit code %d: %s", name, code, said)
	switch code {
	case sidecar.ExitUsage, sidecar.ExitNotThere, sidecar.ExitDenied:
		err = fmt.Errorf("%w to %s: %w", ErrUntouched, h.target.Name, err)
	}
	return err
}

// removeHelpers removes the helpers of a run that act on a target; an empty target stands for any.
func removeHelpers(ctx context.Context, t Tools, run, target string) error {
	look, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	all, err := t.Engine.Containers(look)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		if c.Labels[engine.Label] != run || c.Labels[engine.RoleLabel] != helperRole || c.Labels[targetLabel] == "" {
			continue
		}
		if target != "" && c.Labels[targetLabel] != target {
			continue
		}
		err := limited(ctx, t, c.ID, func(ctx context.Context) error { return t.Engine.Remove(ctx, c.ID) })
		if err != nil {
			errs = append(errs, fmt.Errorf("the helper %s could not be removed: %w; run docker rm -f %s", c.Name, err, c.Name))
		}
	}
	return errors.Join(errs...)
}

// Sweep removes the helper containers that faults of a run have left behind. Undo does so for its own fault; this is for
// the end of a run.
func Sweep(ctx context.Context, t Tools, run string) error {
	if run == "" {
		return nil
	}
	return removeHelpers(ctx, t, run, "")
}

func random() string {
	var b [6]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
