package inject

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"gameday/inject/engine"
)

// Prepare plans a fault on a container as it is now. Call it just before the intent is written: a step that was made
// before another fault restarted the container would be refused by Inject.
func Prepare(ctx context.Context, t Tools, f Fault, id string, h Host) (Step, error) {
	k, ok := Lookup(f.Kind)
	if !ok {
		return Step{}, unknownKind(f.Kind)
	}
	c, err := inspect(ctx, t, id)
	if err != nil {
		return Step{}, err
	}
	s, err := k.Plan(f, c, h)
	if err != nil {
		return Step{}, err
	}
	if k, ok := k.(Completer); ok {
		if err := k.Complete(ctx, t, &s); err != nil {
			return Step{}, fmt.Errorf("fault %q on %s: %w", f.Name, c.Name, err)
		}
	}
	s.Undo.Before.Space = surveySpace(ctx, t, s)
	return s, nil
}

func unknownKind(kind string) error {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Doc().Kind)
	}
	return fmt.Errorf("this gameday knows no fault of kind %q; it knows %s", kind, strings.Join(names, ", "))
}

// planned returns the step that all kinds have in common, after the checks that all have in common.
func planned(f Fault, d Doc, c engine.Container, extra any) (Step, error) {
	if err := checkFault(f, d); err != nil {
		return Step{}, err
	}
	if err := checkTarget(c); err != nil {
		return Step{}, err
	}
	u := Undo{Run: f.Run, Fault: f.Name, Kind: d.Kind, ID: c.ID, Name: c.Name, Before: stateOf(c)}
	if extra != nil {
		var err error
		if u.Extra, err = json.Marshal(extra); err != nil {
			return Step{}, fmt.Errorf("fault %q: %w", f.Name, err)
		}
	}
	s := Step{Fault: f, Container: c, Undo: u, Claims: []Claim{{Thing: running, Shared: true}}}
	if d.Family == Process {
		s.Claims = []Claim{{Thing: mainProcess}}
	}
	return s, nil
}

// checkFault refuses arguments that the kind does not have, and a missing duration.
func checkFault(f Fault, d Doc) error {
	var unknown []string
	for name := range f.Args {
		if !slices.ContainsFunc(d.Args, func(a Arg) bool { return a.Name == name }) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("fault %q: %s takes no argument %q", f.Name, d.Kind, strings.Join(unknown, `", "`))
	}
	switch {
	case f.Duration < 0:
		return fmt.Errorf("fault %q: duration is %v; it must be longer than nothing", f.Name, f.Duration)
	case f.Duration == 0 && d.Holds == DurationRequired:
		return fmt.Errorf("fault %q: %s needs a duration, such as duration = \"30s\"", f.Name, d.Kind)
	}
	return nil
}

// checkTarget refuses containers on which no kind can act, or whose state would be undone wrongly.
func checkTarget(c engine.Container) error {
	switch {
	case c.Own():
		return fmt.Errorf("%s is a helper of gameday's own: choose another target", c.Name)
	case c.State.Paused:
		return fmt.Errorf("%s is paused already, by somebody else: run docker unpause %s first, or choose another target", c.Name, c.Name)
	case c.State.Restarting:
		return fmt.Errorf("%s is restarting again and again (exit code %d): it must run before it can be harmed; see docker logs %s", c.Name, c.State.ExitCode, c.Name)
	case c.State.Status != "running":
		return fmt.Errorf("%s does not run (%s): run docker start %s first, or choose another target", c.Name, c.State.Status, c.Name)
	}
	return nil
}

// keepsStopped refuses containers that the engine would remove as soon as they stop: nothing could bring them back.
func keepsStopped(c engine.Container, kind string) error {
	if c.AutoRemove {
		return fmt.Errorf("%s was started with --rm: the engine would remove it as soon as it ends, and %s could not be undone; start it without --rm", c.Name, kind)
	}
	return nil
}

// Sharing lists, by the ids of containers whose network others use, the names of those that do and run. Gameday's own helpers are
// no guests.
func Sharing(all []engine.Container) map[string][]string {
	ids := map[string]string{}
	for _, c := range all {
		ids[c.Name] = c.ID
	}
	out := map[string][]string{}
	for _, c := range all {
		owner, ok := strings.CutPrefix(c.NetworkMode, "container:")
		if !ok || c.Own() || !c.State.Running {
			continue
		}
		if id, byName := ids[owner]; byName {
			owner = id
		}
		out[owner] = append(out[owner], c.Name)
	}
	return out
}

// guestsOf says who else uses the network of a container: "a uses" or "a and b use".
func guestsOf(c engine.Container, h Host) string {
	switch others := h.Sharing[c.ID]; len(others) {
	case 0:
		return ""
	case 1:
		return others[0] + " uses"
	default:
		return strings.Join(others[:len(others)-1], ", ") + " and " + others[len(others)-1] + " use"
	}
}

// startsAlone refuses containers that others share the network of, for kinds that end the main process: the next one has a new
// network, and the others stay behind in the old one, which nothing leads to.
func startsAlone(c engine.Container, h Host, kind string) error {
	if guests := guestsOf(c, h); guests != "" {
		return fmt.Errorf("%s the network of %s: %s would cut them off for good, since %s gets a new network when it starts again; choose a target with a network of its own, or stop them before the run, and start them after it",
			guests, c.Name, kind, c.Name)
	}
	return nil
}

// stringArg reads an argument that is text.
func stringArg(f Fault, name, fallback string) (string, error) {
	v, ok := f.Args[name]
	if !ok {
		return fallback, nil
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("fault %q: %s must be text in quotes", f.Name, name)
	}
	return s, nil
}

// hasPolicy says whether the engine starts the container again when its process dies.
func hasPolicy(c engine.Container) bool {
	return c.RestartPolicy != "" && c.RestartPolicy != "no"
}

// limitsWords is what the engine limits a container to.
func limitsWords(l engine.Limits) string {
	return fmt.Sprintf("memory %d, with swap %d, nano-CPUs %d, CPU quota %d of %d, pids %d, OOM killer disabled %v",
		l.Memory, l.MemorySwap, l.NanoCPUs, l.CPUQuota, l.CPUPeriod, l.PidsLimit, l.OOMKillDisable)
}

// stateOf is what is compared before and after.
func stateOf(c engine.Container) State {
	s := State{
		Status:        c.State.Status,
		StartedAt:     c.State.StartedAt,
		RestartCount:  c.RestartCount,
		RestartPolicy: c.RestartPolicy,
		Health:        c.State.Health,
		Limits:        limitsWords(c.Limits),
	}
	for _, n := range c.Networks {
		s.Networks = append(s.Networks, Net{Name: n.Network, IPv4: n.IPv4, IPv6: n.IPv6, Aliases: slices.Clone(n.Aliases)})
	}
	sort.Slice(s.Networks, func(i, j int) bool { return s.Networks[i].Name < s.Networks[j].Name })
	return s
}
