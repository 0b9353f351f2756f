package runner_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"gameday/inject"
	"gameday/runner"
	"gameday/runner/guard"
	"gameday/runner/journal"
)

// A command that was seen to end is not looked for before its undo, neither by the run nor by what undoes from a record.
func TestExecThatWasSeenIsUndoneAtOnce(t *testing.T) {
	s, f := fakeStage(t)
	c := s.container()
	var looks atomic.Int32
	e := s.rehearse(s.embedded(target("t", c), steady+`
  fault "exec" "f" {
    target   = target.t
    run      = "/workload exit 0"
    undo     = "/workload exit 0"
    duration = "1s"
  }
`), on(func(*runner.Run, *journal.FaultVerified) { f.Hook("Execs", func(string) { looks.Add(1) }) }))
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	if n := looks.Load(); n != 0 {
		t.Errorf("the run looked %d times for a command that had ended", n)
	}
	in := one[*journal.FaultIntent](t, e)
	for _, seen := range []bool{true, false} {
		looks.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out := guard.UndoAll(ctx, inject.Tools{Engine: f}, journal.UndoRecover, func(journal.Payload) error { return nil },
			[]journal.OpenIntent{{FaultIntent: in, EffectSeen: seen}})
		cancel()
		if len(out.Undone) != 1 || (looks.Load() == 0) != seen {
			t.Errorf("seen %t: %+v, %d looks", seen, out, looks.Load())
		}
	}
	var u inject.Undo
	if err := json.Unmarshal(in.Undo, &u); err != nil || u.EffectSeen {
		t.Errorf("what is written before the fault claims that it was seen: %+v, %v", u, err)
	}
}
