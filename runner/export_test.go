package runner

import (
	"context"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// AbortAt is Abort for a lock of another name.
func AbortAt(ctx context.Context, e engine.Engine, lock string) (*Holder, error) {
	return abort(ctx, e, lock)
}

// LockedAt is Locked for a lock of another name.
func LockedAt(ctx context.Context, e engine.Engine, lock string) (*Holder, error) {
	return locked(ctx, e, lock)
}

// LimitUndo makes each undo of a run give up sooner.
func (r *Run) LimitUndo(d time.Duration) { r.undoLimit = func(inject.Undo) time.Duration { return d } }

// RejudgeAnew is Rejudge with all claims about alerts judged anew, by a replay over the recorded series.
func RejudgeAnew(ctx context.Context, rec *journal.Record, ws *scenarios.Workspace, sc *scenarios.Scenario, open func() (metrics.Source, error)) (*Rejudgement, error) {
	return judgeAgain(ctx, rec, ws, sc, open, true)
}

// PlanGuard says whether a run can have a guard.
func PlanGuard(ctx context.Context, s Setup) GuardPlan { return planGuard(ctx, s) }

// OnHost finds the place on the engine's host of a path in a container.
func OnHost(c engine.Container, path string) (string, error) { return onHost(c, path) }

// DescribeReport is how the report of a scenario is declared.
var DescribeReport = describeReport
