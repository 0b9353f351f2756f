package fake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gameday/inject/engine"
)

// Create makes a container.
func (f *Fake) Create(ctx context.Context, spec engine.Spec) (string, error) {
	if err := f.enter(ctx, "Create", spec.Name); err != nil {
		return "", err
	}
	defer f.mu.Unlock()
	what := "create container " + spec.Name
	img := f.images[spec.Image]
	if img == nil {
		return "", fmt.Errorf("%s: %w: No such image: %s", what, engine.ErrNotFound, spec.Image)
	}
	for _, b := range f.boxes {
		if b.c.Name == spec.Name {
			return "", fmt.Errorf("%s: %w: the name is already in use by container %s", what, engine.ErrConflict, b.c.ID)
		}
	}
	for _, p := range spec.Publish {
		if p < 1 || p > 65535 {
			return "", fmt.Errorf("%s: there is no port %d to publish; use 1 to 65535", what, p)
		}
	}
	c := engine.Container{
		ID: newID(), Name: spec.Name, Image: spec.Image, ImageID: img.id, Created: time.Now().UTC(), Labels: map[string]string{},
		State: engine.State{Status: "created"}, RestartPolicy: cmp.Or(spec.RestartPolicy, "no"), AutoRemove: spec.AutoRemove,
		NetworkMode: cmp.Or(spec.Network, "bridge"), PIDMode: spec.PIDMode, CgroupnsMode: cmp.Or(spec.CgroupnsMode, "private"), Runtime: "runc",
		ReadOnly: spec.ReadOnly, User: spec.User, OOMScoreAdj: spec.OOMScoreAdj, Limits: limits(spec), Health: spec.Health,
		CapAdd: slices.Clone(spec.CapAdd), CapDrop: slices.Clone(spec.CapDrop), SecurityOpt: slices.Clone(spec.SecurityOpt),
	}
	if err := f.mount(&c, spec); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	c.Name = cmp.Or(c.Name, "container-"+c.ID[:6])
	maps.Copy(c.Labels, img.img.Labels)
	maps.Copy(c.Labels, spec.Labels)
	if owner, ok := strings.CutPrefix(c.NetworkMode, "container:"); ok {
		b, err := f.find(owner)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		c.NetworkMode = "container:" + b.c.ID
	} else {
		n, ok := f.networks[c.NetworkMode]
		if ok {
			c.Networks = []engine.Endpoint{{Network: n.Name, NetworkID: n.ID, Aliases: slices.Clone(spec.Aliases)}}
		} else {
			c.Networks = []engine.Endpoint{{Network: c.NetworkMode}} // found missing at the start, as with a real engine
		}
	}
	b := &box{c: c, spec: spec, over: make(chan struct{})}
	close(b.over)
	b.args = spec.Cmd
	if spec.Cmd == nil {
		b.args = img.img.Cmd
	}
	f.boxes[c.ID] = b
	f.emit(b, "create")
	return c.ID, nil
}

// Start starts a container.
func (f *Fake) Start(ctx context.Context, id string) error {
	b, err := f.enterBox(ctx, "Start", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	switch {
	case b.c.State.Paused:
		return fmt.Errorf("start %s: %w: cannot start a paused container, try unpause instead", id, engine.ErrConflict)
	case b.c.State.Running && !b.c.State.Restarting:
		return nil
	}
	return f.start(b)
}

// Pause freezes all processes.
func (f *Fake) Pause(ctx context.Context, id string) error {
	b, err := f.enterBox(ctx, "Pause", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	s := &b.c.State
	if !s.Running || s.Restarting || s.Paused {
		return fmt.Errorf("pause %s: %w: it is %s", id, engine.ErrConflict, s.Status)
	}
	s.Status, s.Paused = "paused", true
	f.emit(b, "pause")
	return nil
}

// Unpause thaws them.
func (f *Fake) Unpause(ctx context.Context, id string) error {
	b, err := f.enterBox(ctx, "Unpause", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	if !b.c.State.Paused {
		return fmt.Errorf("unpause %s: %w: it is not paused", id, engine.ErrConflict)
	}
	f.thaw(b)
	return nil
}

// Stop asks the main process to end and kills it after the grace time.
func (f *Fake) Stop(ctx context.Context, id string, grace time.Duration) error {
	b, err := f.enterBox(ctx, "Stop", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.stop(ctx, b, grace)
}

// stop returns once the process is over. It unlocks f while it waits.
func (f *Fake) stop(ctx context.Context, b *box, grace time.Duration) error {
	if !b.c.State.Running {
		return nil
	}
	if err := f.signal(b, "TERM"); err != nil {
		return err
	}
	if b.c.State.Running {
		over, generation, cut := b.over, b.generation, f.cut
		kill := time.AfterFunc(max(0, grace), func() { // also if the caller is gone
			f.mu.Lock()
			defer f.mu.Unlock()
			if b.generation == generation && b.c.State.Running {
				_ = f.signal(b, "KILL") // of a process that runs: nothing is wrong with it
			}
		})
		f.mu.Unlock()
		var err error
		select {
		case <-over:
			kill.Stop()
		case <-cut:
			err = unreachable()
		case <-ctx.Done():
			err = ctx.Err()
		}
		f.mu.Lock()
		if err != nil {
			return fmt.Errorf("stop %s: %w", b.c.ID, err)
		}
	}
	f.emit(b, "stop")
	return nil
}

// Restart stops with the grace time, then starts.
func (f *Fake) Restart(ctx context.Context, id string, grace time.Duration) error {
	b, err := f.enterBox(ctx, "Restart", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	if err := f.stop(ctx, b, grace); err != nil {
		return err
	}
	if f.boxes[b.c.ID] == nil {
		return fmt.Errorf("restart %s: %w: No such container", id, engine.ErrNotFound)
	}
	if err := f.start(b); err != nil {
		return err
	}
	f.emit(b, "restart")
	return nil
}

// Kill sends a signal to the main process.
func (f *Fake) Kill(ctx context.Context, id, signal string) error {
	b, err := f.enterBox(ctx, "Kill", id)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.signal(b, signal)
}

// Remove kills and removes a container.
func (f *Fake) Remove(ctx context.Context, id string) error {
	if err := f.enter(ctx, "Remove", id); err != nil {
		return err
	}
	defer f.mu.Unlock()
	b, err := f.find(id)
	if err != nil {
		return nil // there is none
	}
	if b.c.State.Running {
		if err := f.signal(b, "KILL"); err != nil {
			return err
		}
	}
	f.remove(b)
	return nil
}

// Wait waits until a container does not run.
func (f *Fake) Wait(ctx context.Context, id string) (int, error) {
	b, err := f.enterBox(ctx, "Wait", id)
	if err != nil {
		return 0, err
	}
	over, cut := b.over, f.cut
	f.mu.Unlock()
	select {
	case <-over:
		f.mu.Lock()
		defer f.mu.Unlock()
		return b.c.State.ExitCode, nil
	case <-cut:
		return 0, fmt.Errorf("wait for %s: %w", id, unreachable())
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for %s: %w", id, ctx.Err())
	}
}
