package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// InForce is what gameday is doing to an engine's containers now, or has left there.
type InForce struct {
	Runs    []RunInForce `json:"runs"`    // the one that holds the lock first
	Helpers []Helper     `json:"helpers"` // containers of gameday's own, but for locks
}

// Nothing says that nothing is in force, and nobody is about to do anything.
func (f InForce) Nothing() bool { return len(f.Runs)+len(f.Helpers) == 0 }

// A RunInForce is a run that goes on, or one that has left something.
type RunInForce struct {
	Run      string        `json:"run"`
	Scenario string        `json:"scenario,omitempty"`
	Dir      string        `json:"dir"`
	Host     string        `json:"host"`
	PID      int           `json:"pid"`
	Since    time.Time     `json:"since"`
	Lock     bool          `json:"lock"` // it holds the lock of the engine
	Runner   RunnerIs      `json:"runner"`
	Guard    GuardIs       `json:"guard"`
	Fired    string        `json:"guard_took_over,omitempty"` // why the guard has taken over
	Phase    journal.Phase `json:"phase,omitempty"`
	Faults   []OpenFault   `json:"faults"`
	// FromLabels: its record is not on this machine, or cannot be read; the faults are those that were planned.
	FromLabels bool `json:"from_labels,omitempty"`
}

// RunnerIs says how the process of a run is.
type RunnerIs string

// What can be said of a runner.
const (
	RunnerAlive     RunnerIs = "alive"
	RunnerHangs     RunnerIs = "hangs" // its guard has taken over, and it is still there
	RunnerGone      RunnerIs = "gone"
	RunnerElsewhere RunnerIs = "on another machine, or without its record" // nothing is known of it
)

// An OpenFault is one fault on one container that is not seen to be gone.
type OpenFault struct {
	Fault     string     `json:"fault"`
	Kind      string     `json:"kind"`
	Container string     `json:"container"`
	State     string     `json:"state"` // "about to be injected", "in force", "being undone", "NOT UNDONE" …
	Since     *time.Time `json:"since,omitempty"`
	Undo      string     `json:"undo"`
	Due       *time.Time `json:"due,omitempty"`     // when the runner undoes it
	ByHand    string     `json:"by_hand,omitempty"` // its undo has failed
}

// A Helper is a container that gameday made for itself.
type Helper struct {
	Name  string    `json:"name"`
	Run   string    `json:"run"`
	Role  string    `json:"role"`
	State string    `json:"state"`
	Since time.Time `json:"since"`
	Stray bool      `json:"stray"` // its run holds no lock, and it has been there for a while
}

// Look says what is in force now, as far as it is seen from this machine.
func Look(ctx context.Context, s Setup) (InForce, error) {
	out := InForce{Runs: []RunInForce{}, Helpers: []Helper{}}
	all, err := s.Engine.Containers(ctx)
	if err != nil {
		return out, err
	}
	held := map[string]bool{}
	for _, c := range all {
		role := c.Labels[engine.RoleLabel]
		if role == guard.RoleLock {
			held[c.Labels[engine.Label]] = true
		}
		if role != guard.RoleLock || c.Name != s.lockName() {
			continue
		}
		h, err := holder(c)
		if err != nil {
			return out, err
		}
		out.Runs = append(out.Runs, lookAtHolder(ctx, s, h, all))
	}
	for _, c := range all {
		if role := c.Labels[engine.RoleLabel]; c.Own() && role != guard.RoleLock {
			run := c.Labels[engine.Label]
			out.Helpers = append(out.Helpers, Helper{Name: c.Name, Run: run, Role: role, State: c.State.Status, Since: c.Created, Stray: !held[run] && time.Since(c.Created) > strayAge})
		}
	}
	dirs, err := Unrecovered(ctx, s)
	if err != nil {
		return out, err
	}
	for _, dir := range dirs {
		rec, err := journal.ReadEvents(dir)
		if err != nil || len(out.Runs) > 0 && out.Runs[0].Run == rec.Started().Run {
			continue
		}
		p := rec.Started()
		r := RunInForce{Run: p.Run, Dir: dir, Host: p.Host, PID: p.PID, Since: rec.Events[0].Time, Runner: RunnerGone, Guard: GuardNone}
		r.read(rec)
		out.Runs = append(out.Runs, r)
	}
	return out, nil
}

func lookAtHolder(ctx context.Context, s Setup, h *Holder, all []engine.Container) RunInForce {
	r := RunInForce{Run: h.Run, Dir: h.Dir, Host: h.Host, PID: h.PID, Since: h.Since, Lock: true, Guard: h.Guard, Fired: h.Fired, Faults: []OpenFault{}}
	switch {
	case !h.Alive:
		r.Runner = RunnerGone
	case h.Fired != "":
		r.Runner = RunnerHangs
	case h.Here:
		r.Runner = RunnerAlive
	default:
		r.Runner = RunnerElsewhere
	}
	if h.Here {
		if rec, err := journal.ReadEvents(h.Dir); err == nil {
			r.read(rec)
			return r
		}
	}
	r.FromLabels = true
	events := guardEvents(ctx, s.Engine, h)
	if f := journal.Fired(events); f != nil && r.Fired == "" {
		r.Fired = f.Detail
	}
	if end := guardEnd(events); end != nil && end.Outcome == journal.OutcomeInterrupted {
		return r // its guard has undone everything
	}
	planned, err := guard.PlannedUndos(h.c)
	if err != nil {
		return r
	}
	for _, p := range planned {
		r.Faults = append(r.Faults, OpenFault{Fault: p.Undo.Fault, Kind: p.Undo.Kind, Container: p.Undo.Name, State: "planned; the container is " + statusOf(all, p.Undo.ID), Undo: p.Words})
	}
	return r
}

func statusOf(all []engine.Container, id string) string {
	for _, c := range all {
		if c.ID == id {
			return c.State.Status
		}
	}
	return "gone"
}

// read takes from a record what is in force.
func (r *RunInForce) read(rec *journal.Record) {
	r.Scenario = rec.Started().Scenario
	r.Faults = []OpenFault{}
	lasts := map[string]time.Duration{}
	byKey := map[string]*OpenFault{}
	var order []string
	of := func(fault string, c journal.Ref) *OpenFault {
		if f := byKey[fault+"/"+c.ID]; f != nil {
			return f
		}
		return &OpenFault{} // its intent is missing
	}
	for _, e := range rec.Events {
		at := e.Time
		switch p := e.Payload.(type) {
		case *journal.Declared:
			for _, f := range p.Faults {
				lasts[f.Name] = time.Duration(f.Duration)
			}
		case *journal.PhaseStarted:
			r.Phase = p.Phase
		case *journal.FaultIntent:
			k := p.Fault + "/" + p.Container.ID
			byKey[k] = &OpenFault{Fault: p.Fault, Kind: p.FaultKind, Container: p.Container.Name, State: "about to be injected", Since: &at, Undo: p.UndoWords}
			order = append(order, k)
		case *journal.FaultInjected:
			f := of(p.Fault, p.Container)
			f.State, f.Since = "being injected", &at
		case *journal.FaultVerified:
			f := of(p.Fault, p.Container)
			f.State, f.Since = "in force", &p.Effect
			if d := lasts[p.Fault]; d > 0 {
				due := p.Effect.Add(d)
				f.Due = &due
			}
		case *journal.UndoStarted:
			f := of(p.Fault, p.Container)
			f.State, f.Due = "being undone", nil
		case *journal.UndoFailed:
			f := of(p.Fault, p.Container)
			f.State, f.ByHand = "NOT UNDONE", p.ByHand
		}
	}
	open := map[string]bool{}
	for _, in := range journal.OpenIntents(rec.Events) {
		open[in.Fault+"/"+in.Container.ID] = true
		if f := of(in.Fault, in.Container); f.ByHand == "" && r.Runner == RunnerGone {
			var u inject.Undo
			if json.Unmarshal(in.Undo, &u) == nil {
				f.ByHand = inject.ByHand(u)
			}
			f.Due = nil // nobody is there to do it
		}
	}
	for _, k := range order {
		if open[k] {
			r.Faults = append(r.Faults, *byKey[k])
			open[k] = false
		}
	}
	sort.SliceStable(r.Faults, func(i, j int) bool { return r.Faults[i].Since.Before(*r.Faults[j].Since) })
}

// String sums a fault up: "fault.freeze (pause) on shop-store-1".
func (f OpenFault) String() string {
	return fmt.Sprintf("fault.%s (%s) on %s", f.Fault, f.Kind, f.Container)
}
