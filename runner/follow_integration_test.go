package runner_test

import (
	"testing"

	"gameday/inject/engine/enginetest"
	"gameday/runner"
	"gameday/runner/journal"
)

// A target that crashes in the middle of a fault on its packets is followed: the fault is put back into the namespace of its new
// life, and the record says so.
func TestFollowsARestart(t *testing.T) {
	s := realStage(t)
	c := s.container(enginetest.RestartPolicy("always"), enginetest.Args("chat", "sleep"))
	e := s.rehearse(s.embedded(target("t", c), steady+`
  fault "loss" "lossy" {
    target   = target.t
    percent  = 50
    duration = "20s"
  }

  fault "crash" "crashes" {
    target = target.t
    start  = "1500ms"
  }
`), nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	again := one[*journal.FaultFollowed](t, e)
	if again.Fault != "lossy" || again.Why == "" || again.Seen == "" || !again.Effect.After(again.Lost) {
		t.Errorf("%+v", again)
	}
	inOrder(t, e, "fault.verified", "fault.followed", "run.residue")
	s.drafts(e)
}

// A fault that is in force and meets nothing tests nothing: no hypothesis is held by it.
func TestHitNothing(t *testing.T) {
	s := realStage(t)
	c := s.container(enginetest.Args("chat", "sleep"))
	e := s.rehearse(s.embedded(target("t", c), steady+`
  fault "loss" "hardly" {
    target   = target.t
    percent  = 0.0001
    duration = "1s"

    # The fate of a packet is that of the one before it: in effect one lot is drawn for all of them, one in a million.
    correlation = 99.99
  }
`), nil)
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	s.clean(e, c)
	if n := one[*journal.FaultHitNothing](t, e); n.Fault != "hardly" || n.Seen == "" {
		t.Errorf("%+v", n)
	}
	e.wantVerdict(t, "steady", journal.Inconclusive, journal.ReasonHitNothing)
	s.drafts(e)
}
