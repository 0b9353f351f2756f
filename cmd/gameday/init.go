package main

import (
	"context"
	"fmt"
	"os"
	"sort"

	"github.com/spf13/cobra"

	"gameday/inject/engine"
	"gameday/scenarios"
)

func (a app) initCommand() *cobra.Command {
	var project, out string
	c := &cobra.Command{
		Use:   "init [-o FILE]",
		Short: "Write a starter scenario from the containers that run now",
		Long:  "Look at the containers that run and write a scenario to begin with, with comments that say what to change. Each is asked for /metrics on the usual ports; nothing is changed. The scenario is printed, or written to a new file with -o.",
		Args:  nothing,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signals()
			defer stop()
			s, done, err := a.setup(ctx, "")
			if err != nil {
				return err
			}
			defer done()
			all, err := s.Engine.Containers(ctx)
			if err != nil {
				return err
			}
			targets := starterTargets(ctx, all, project, s.Self)
			if len(targets) == 0 {
				if project != "" {
					return fmt.Errorf("no container of compose project %q runs; `docker ps` shows what does", project)
				}
				fmt.Fprintln(a.stderr, "No container runs, so the names in this scenario are made up.")
			}
			src := scenarios.Starter(project, targets)
			if out == "" {
				_, err := a.stdout.Write(src)
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if os.IsExist(err) {
				return fmt.Errorf("%s exists already; choose another name", out)
			}
			if err != nil {
				return err
			}
			if _, err := f.Write(src); err != nil {
				f.Close()
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "Wrote %s. Read it, then see what it would do:\n  gameday plan %s\n", out, out)
			return nil
		},
	}
	c.Flags().StringVar(&project, "compose-project", "", "only the services of this compose `project`")
	c.Flags().StringVarP(&out, "output", "o", "", "write to this new `file`, which should end in .gameday.hcl")
	return c
}

// services are what runs: one for each compose service, one for each container without compose, in name order. The second result is
// a container of each.
func services(all []engine.Container, project, self string) (targets []scenarios.StarterTarget, of []engine.Container) {
	at := map[string]int{}
	for _, c := range all {
		if !c.State.Running || c.Own() || c.ID == self || project != "" && c.ComposeProject() != project {
			continue
		}
		t := scenarios.StarterTarget{Name: c.Name, Container: c.Name, Containers: 1}
		if s := c.ComposeService(); s != "" {
			t = scenarios.StarterTarget{Name: s, ComposeProject: c.ComposeProject(), ComposeService: s, Containers: 1}
		}
		key := t.ComposeProject + "/" + t.Name
		if i, seen := at[key]; seen {
			targets[i].Containers++
			continue
		}
		at[key] = len(targets)
		targets, of = append(targets, t), append(of, c)
	}
	return targets, of
}

// starterTargets are the services that run, with the ports on which they answer with metrics.
func starterTargets(ctx context.Context, all []engine.Container, project, self string) []scenarios.StarterTarget {
	targets, of := services(all, project, self)
	ports := askPorts(ctx, of)
	for i, c := range of {
		targets[i].MetricsPort = ports[c.ID]
	}
	sort.SliceStable(targets, func(i, j int) bool { return targets[i].Name < targets[j].Name })
	return targets
}
