package runner

import (
	"context"
	"slices"
	"time"

	"gameday/runner/journal"
)

// A sham run is a rehearsal without its faults: the same schedule, the same questions, and nobody touches the targets. What moves
// in it moves by itself, so it tells what to think of movements in a real run.

// ShamDetail is what is said of the outcome of a sham run: it tests nothing, and so it is never a pass.
const ShamDetail = "it was a sham run: nothing was injected, as intended"

// noGuardForSham is why a sham run has no guard.
const noGuardForSham = "a sham run injects nothing, so there is nothing that could have to be undone"

// injected are the faults that the run is to inject: in a sham run none.
func (p *Plan) injected() []PlannedFault {
	if p.Sham {
		return nil
	}
	return p.Faults
}

// pretend lives through the time of all faults without doing anything. A fault that would be left to the restart policy has the
// least time that a real run watches it.
func (r *Run) pretend(ctx context.Context) {
	first, last := span(r.plan.Faults)
	if !r.stopped.sleep(prepareTime) {
		return
	}
	now := time.Now()
	zero := now.Add(-first).UTC().Round(0)
	r.steps.begin(ctx, zero)
	r.mu.Lock()
	r.faultStart = now
	r.mu.Unlock()
	r.enter(journal.PhaseStarted{Phase: journal.Fault, Zero: &zero}, now.Add(max(last-first, r.plan.watchable())))
	r.stopped.sleep(time.Until(r.phaseEnd()))
	r.mu.Lock()
	r.lastUndo = time.Now()
	r.mu.Unlock()
}

// shamNoise is how far each metric moved in the newest sham run of a scenario; nil without one.
func shamNoise(runs, scenario string) (*journal.NoiseCompared, map[string]journal.Number) {
	dirs, err := journal.RunsOf(runs, scenario)
	if err != nil {
		return nil, nil // movements are told without it
	}
	for _, dir := range dirs {
		rec, err := journal.ReadEvents(dir)
		if err != nil || !rec.Started().Sham || rec.Started().Scenario != scenario {
			continue
		}
		for _, e := range slices.Backward(rec.Events) {
			m, ok := e.Payload.(*journal.Moved)
			if !ok || m.Why != "" {
				continue
			}
			floor := map[string]journal.Number{}
			for _, f := range m.Floor {
				floor[f.Metric] = f.Rank
			}
			return &journal.NoiseCompared{Run: rec.Started().Run, Movements: m.Total()}, floor
		}
	}
	return nil, nil
}
