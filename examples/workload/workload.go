// Package workload starts the containers of an example in a network of their own, and removes all of them again.
package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gameday/inject/engine"
)

// The labels by which Docker Compose and everything that knows it finds a system's parts.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
)

// removeTimeout bounds a removal as a whole. It holds even when the caller's context has ended: an interrupted example must
// not stay.
const removeTimeout = 30 * time.Second

// pollEvery is how often the state of a container that is starting is looked at.
const pollEvery = 100 * time.Millisecond

// tooManyRestarts by the policy while a container is starting mean that it never will.
const tooManyRestarts = 5

// A Part is one container. Name, Network and Labels of its Spec are filled in by Up.
type Part struct {
	Service string // as in a compose file
	Name    string // of the container, and an alias in the network; without the project
	Spec    engine.Spec
}

// Options say what to start.
type Options struct {
	Run     string // value of the label "gameday"
	Project string // compose project; the containers are called <project>-<part>
	Parts   []Part
}

// A Workload is a running example.
type Workload struct {
	engine engine.Engine
	o      Options
}

// Up makes a network and the containers and starts them, in order. It returns when all run and those with a health
// check are healthy. On an error it removes what it made; a container that died is reported with the end of its log.
func Up(ctx context.Context, e engine.Engine, o Options) (*Workload, error) {
	if o.Run == "" || o.Project == "" {
		return nil, errors.New("an example needs the id of a run and the name of a project")
	}
	w := &Workload{engine: e, o: o}
	if err := w.up(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start %s: %w", o.Project, err), w.Down(ctx))
	}
	return w, nil
}

func (w *Workload) up(ctx context.Context) error {
	// Created by name, but removed by label: a name that is taken belongs to somebody else and stays.
	// What is being made is waited for, also when ctx ends: else the engine would make it after it was to be removed.
	whole := context.WithoutCancel(ctx)
	if _, err := w.engine.CreateNetwork(whole, w.o.Project, w.labels("")); err != nil {
		if errors.Is(err, engine.ErrConflict) {
			return fmt.Errorf("network %s exists already: stop what uses it, or start this under another name: %w", w.o.Project, err)
		}
		return fmt.Errorf("network %s: %w", w.o.Project, err)
	}
	for _, p := range w.o.Parts {
		spec := p.Spec
		spec.Name = w.ContainerName(p.Name)
		spec.Network = w.o.Project
		spec.Aliases = append([]string{p.Name}, spec.Aliases...)
		spec.Labels = w.labels(p.Service)
		if err := ctx.Err(); err != nil {
			return err
		}
		id, err := w.engine.Create(whole, spec)
		if err != nil {
			return fmt.Errorf("container %s: %w", spec.Name, err)
		}
		if err := w.engine.Start(whole, id); err != nil {
			return fmt.Errorf("container %s: %w", spec.Name, err)
		}
	}
	for _, p := range w.o.Parts {
		if err := w.Await(ctx, p.Name); err != nil {
			return err
		}
	}
	return nil
}

// labels returns the labels of a service's containers; of the network for "".
func (w *Workload) labels(service string) map[string]string {
	l := map[string]string{
		engine.Label:     w.o.Run,
		engine.RoleLabel: engine.RoleWorkload,
		composeProject:   w.o.Project,
	}
	if service != "" {
		l[composeService] = service
	}
	return l
}

// ContainerName returns the name of a part's container.
func (w *Workload) ContainerName(part string) string { return w.o.Project + "-" + part }

// Container returns a part's container as it is now.
func (w *Workload) Container(ctx context.Context, part string) (engine.Container, error) {
	return w.engine.Container(ctx, w.ContainerName(part))
}

// Address returns the IP address that a part has in the workload's network, or an error if it has none now.
func (w *Workload) Address(ctx context.Context, part string) (string, error) {
	c, err := w.Container(ctx, part)
	if err != nil {
		return "", err
	}
	for _, n := range c.Networks {
		if n.Network == w.o.Project && n.IPv4 != "" {
			return n.IPv4, nil
		}
	}
	return "", fmt.Errorf("%s has no address in network %s: it is %s", c.Name, w.o.Project, c.State.Status)
}

// Await waits until a part runs and, if it has a health check, is healthy.
func (w *Workload) Await(ctx context.Context, part string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		c, err := w.Container(ctx, part)
		if err != nil {
			return err
		}
		switch s := c.State; {
		case s.Status == "running" && (s.Health == "" || s.Health == "healthy"):
			return nil
		case c.RestartCount >= tooManyRestarts:
			return fmt.Errorf("%s dies again and again, with exit code %d%s", c.Name, s.ExitCode, w.lastWords(ctx, c.ID))
		case s.Status == "exited" || s.Status == "dead":
			return fmt.Errorf("%s ended with exit code %d%s", c.Name, s.ExitCode, w.lastWords(ctx, c.ID))
		case s.Health == "unhealthy":
			return fmt.Errorf("%s is unhealthy%s", c.Name, w.lastWords(ctx, c.ID))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: it is %s %s: %w%s", c.Name, c.State.Status, c.State.Health, ctx.Err(),
				w.lastWords(context.WithoutCancel(ctx), c.ID))
		case <-tick.C:
		}
	}
}

// lastWords returns the last lines of a container's log, to be put behind an error.
func (w *Workload) lastWords(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	log, err := w.engine.Logs(ctx, id)
	if err != nil || len(log) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return "; its log ends with:\n" + strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// Logs returns what the containers of a service wrote, one after the other in the order of their names.
func (w *Workload) Logs(ctx context.Context, service string) ([]byte, error) {
	var all []byte
	found := false
	for _, p := range w.o.Parts {
		if p.Service != service {
			continue
		}
		found = true
		log, err := w.engine.Logs(ctx, w.ContainerName(p.Name))
		if err != nil {
			return nil, fmt.Errorf("log of %s: %w", w.ContainerName(p.Name), err)
		}
		all = append(all, log...)
	}
	if !found {
		return nil, fmt.Errorf("%s has no service %q", w.o.Project, service)
	}
	return all, nil
}

// Down removes the containers and the network, also when ctx has ended, within 30 s. It may be called twice.
func (w *Workload) Down(ctx context.Context) error {
	return remove(ctx, w.engine, w.labels(""))
}

// Remove removes every workload of a run, whoever started it, also when ctx has ended, within 30 s.
func Remove(ctx context.Context, e engine.Engine, run string) error {
	if run == "" {
		return errors.New("which run's containers are to be removed? An empty id would mean all")
	}
	return remove(ctx, e, map[string]string{engine.Label: run, engine.RoleLabel: engine.RoleWorkload})
}

// remove removes containers and then networks that carry all of the labels. It goes on after errors, to leave as little as
// possible.
func remove(ctx context.Context, e engine.Engine, labels map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	containers, err := e.Containers(ctx)
	if err != nil {
		return fmt.Errorf("cannot remove the containers with %s=%s: %w", engine.Label, labels[engine.Label], err)
	}
	failed := make(chan error, len(containers))
	var removals sync.WaitGroup
	for _, c := range containers {
		if !carries(c.Labels, labels) {
			continue
		}
		removals.Go(func() {
			if err := e.Remove(ctx, c.ID); err != nil {
				failed <- fmt.Errorf("cannot remove container %s: %w", c.Name, err)
			}
		})
	}
	removals.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	networks, err := e.Networks(ctx, engine.Label, labels[engine.Label])
	if err != nil {
		errs = append(errs, fmt.Errorf("cannot list networks: %w", err))
	}
	for _, n := range networks {
		if !carries(n.Labels, labels) {
			continue
		}
		if err := e.RemoveNetwork(ctx, n.ID); err != nil {
			errs = append(errs, fmt.Errorf("cannot remove network %s: %w", n.Name, err))
		}
	}
	return errors.Join(errs...)
}

func carries(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}
