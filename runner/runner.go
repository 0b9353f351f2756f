// Package runner rehearses one scenario: it watches the steady state, injects the faults at their time, undoes them whatever
// happens, and writes down what it saw so that verdicts and reports can be computed from the record alone.
package runner

import (
	"context"
	"fmt"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/journal"
	"gameday/scenarios"
)

// A Setup is what a plan and a run work with.
type Setup struct {
	Engine  engine.Engine
	Info    engine.Info
	Tools   inject.Tools
	Version string        // of gameday
	Self    string        // id of the container that gameday runs in, or ""
	Runs    string        // the directory for run directories
	Wait    time.Duration // how long to wait for the lock while another run holds it
	Lock    string        // name of the lock's container; empty is LockName. Only tests that share an engine use another one
	Sham    bool          // everything but the injection
	NoGuard bool          // somebody agrees that nothing undoes what is in force when this process dies
	// RunnerGone says that somebody knows the runner of a run on another machine to be gone: see RecoverRun.
	RunnerGone bool
	// FollowUps are what is open after earlier runs, and Unread what could not be read to find out. The runner cannot know: they stand in drafts.
	FollowUps []journal.OpenFollowUp
	Unread    []journal.Unread
}

// Connect asks the engine who it is and completes the set-up.
func (s *Setup) Connect(ctx context.Context) error {
	info, err := s.Engine.Info(ctx)
	if err != nil {
		return err
	}
	s.Info = info
	s.Self = engine.Self()
	return nil
}

// A Problem is why a scenario cannot be rehearsed here and now: the file is valid, but does not fit what runs.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Block   string `json:"block"`
	Message string `json:"message"` // what is wrong, then what to do
}

// A Refusal is the error of a plan with problems. Every problem that could be found at once is in it.
type Refusal struct{ Problems []Problem }

func (r *Refusal) Error() string {
	if len(r.Problems) == 1 {
		return r.Problems[0].Block + ": " + r.Problems[0].Message
	}
	return count(len(r.Problems), "problem") + " stand in the way; the first: " + r.Problems[0].Block + ": " + r.Problems[0].Message
}

func at(r scenarios.Range, block string) Problem {
	return Problem{File: r.File, Line: r.Line, Block: block}
}

// problem is what is the matter with a block, in words.
func problem(r scenarios.Range, block, format string, args ...any) Problem {
	pr := at(r, block)
	for i, arg := range args {
		if d, ok := arg.(time.Duration); ok {
			args[i] = journal.Duration(d) // told as it is in the report
		}
	}
	pr.Message = fmt.Sprintf(format, args...)
	return pr
}

// DefaultEvery is how often a query is asked where the scenario does not say.
func DefaultEvery(s *scenarios.Source) time.Duration {
	if s != nil && s.URL == "" {
		return s.Interval
	}
	return serverEvery
}

// phases converts the language's phases to the record's.
func phases(in []scenarios.Phase) []journal.Phase {
	out := make([]journal.Phase, len(in))
	for i, p := range in {
		out[i] = journal.Phase(p)
	}
	return out
}
