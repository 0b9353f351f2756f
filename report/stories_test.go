package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gameday/runner/journal"
)

// stories are the runs that the golden files and the rules are checked with: all held with wide margins and without a note (held), held
// narrowly (narrow), refuted with an alert missing (alert_missing), inconclusive for want of data, gate not met, aborted by a guardrail,
// interrupted, undo not complete (residue), a runner that was killed and its guard (guarded), and more.
func stories() map[string]*journal.Record {
	return map[string]*journal.Record{
		"held":         heldRun(0.12),
		"narrow":       heldRun(0.47),
		"refuted":      refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec,
		"inconclusive": inconclusiveRun(),
		"gate":         gateRun(),
		"aborted":      abortedRun(),
		"interrupted":  interruptedRun(),
		"residue":      residueRun(),
		"killed":       killedRun(),
		"recovered":    recoveredRun(),
		"guarded":      guardedRun(),
		"unguarded":    unguardedRun(),
		"untouched":    untouchedRun(),
		"hostile":      hostileRun(),
		"hundred":      hundredRun(),
		"infinite":     infiniteRun(),
		"empty":        emptyRun(),
		"moved":        movedRun(),
		"sham":         shamRun(),
		"coped":        copedRun(),
		"rejudged":     rejudgedRun(),
		"crowded":      crowdedRun(),
		"noted":        notedRun(),
		"unconfirmed":  unconfirmedRun(),
		"changed":      changedRun(),
		"custom":       customRun(),
		"public":       publicRun(),
		"templated":    templatedRun(),
		"published":    publishedRun(),

		"alert_held":    alertHeldRun(),
		"alert_missing": alertMissingRun(),
		"alert_pending": alertPendingRun(),
		"alert_server":  alertServerRun(),
	}
}

func inconclusiveRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 {
		if sec >= 45 && sec < 58 {
			return math.NaN()
		}
		return wave(sec, 0.08, 0.01)
	})
	c.fail = `server answered 500: {"status":"error","error":"query timed out | after 10s"}`
	s.declare([]*claim{c}).baseline().inject()
	q := s.sample(c, endAt)
	s.add(45.1, &journal.SourceState{Up: false, Detail: c.fail})
	s.add(45.2, &journal.HypothesisState{Hypothesis: c.Name, QueryID: "Q2", Phase: journal.Fault, From: journal.Holding, To: journal.NoData, At: at(45), Detail: c.fail})
	s.add(58.1, &journal.SourceState{Up: true})
	s.undo(undoAt, journal.UndoDue)
	j := judged(q, journal.Inconclusive, journal.ReasonNoData, journal.Fault)
	j.Detail = c.fail
	return s.add(90.1, j).end(90.2, journal.OutcomeInconclusive, 4).rec
}

func gateRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 { return wave(sec, 0.9, 0.05) })
	s.declare([]*claim{c}).add(1, &journal.PhaseStarted{Phase: journal.Baseline})
	q := s.sample(c, 29)
	highest := slices.MaxFunc(q.Samples[15:29], func(a, b journal.Sample) int { return cmp.Compare(a.Series[0].Value, b.Series[0].Value) }) // those after the warm-up
	worst := highest.Series[0]
	s.add(29.9, &journal.BaselineJudged{Failures: []journal.GateFailure{{Name: c.Name, QueryID: "Q2", Reason: journal.ReasonViolated, Samples: 14, Needed: 3,
		Worst: &journal.Point{At: highest.At, Value: worst.Value, Op: "<", Bound: worst.Bound}}}})
	s.add(30, &journal.HypothesisJudged{Hypothesis: c.Name, QueryID: "Q2", Verdict: journal.NotTested, Reason: journal.ReasonGate, Phase: journal.Baseline})
	s.add(30.1, &journal.Residue{})
	s.add(30.2, &journal.RunEnded{Outcome: journal.OutcomeNotInjected, ExitCode: 4})
	return s.rec
}

func abortedRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 { return wave(sec, 0.08, 0.01) })
	g := journal.Guardrail{Name: "checkout_is_down", QueryID: "Q3", Query: "sum(errors)", AbortWhen: "value > 0.5", For: dur(5), Every: dur(1), NoData: "abort"}
	s.declare([]*claim{c}, g).baseline().inject()
	q := s.sample(c, 60)
	qg := s.sample(&claim{Hypothesis: journal.Hypothesis{Name: g.Name, QueryID: "Q3", Query: g.Query, Every: dur(1)}, bound: 0.5, guard: true, series: c.series, value: func(sec, _ int) float64 {
		if sec > 36 && sec < 47 {
			return 0.9
		}
		return 0.01
	}}, 60)
	qg.Purpose = "guardrail"
	s.add(42.02, &journal.GuardrailState{Guardrail: g.Name, QueryID: "Q3", Phase: journal.Fault, Tripped: true, At: at(42), Since: at(37), Point: &journal.Point{At: at(42), Value: 0.9, Op: ">", Bound: num(0.5)}})
	s.add(42.03, &journal.Stopping{Why: journal.UndoGuardrail, Detail: "guardrail.checkout_is_down tripped"})
	s.undo(42.04, journal.UndoGuardrail)
	j := judged(q, journal.Inconclusive, journal.ReasonStopped, journal.Fault)
	s.add(60.1, j).add(60.1, &journal.GuardrailJudged{Guardrail: g.Name, QueryID: "Q3", Tripped: true, Samples: 60,
		Closest: &journal.Margin{Point: journal.Point{At: at(42), Value: 0.9, Op: ">", Bound: num(0.5)}, Distance: -0.4, Share: num(-0.8)}})
	return s.end(60.2, journal.OutcomeAborted, 5).rec
}

func interruptedRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 { return wave(sec, 0.08, 0.01) })
	s.declare([]*claim{c}).baseline().inject()
	q := s.sample(c, 45)
	s.add(45.3, &journal.Stopping{Why: journal.UndoInterrupted, Detail: "Ctrl-C"})
	s.undo(45.31, journal.UndoInterrupted)
	return s.add(45.5, judged(q, journal.Inconclusive, journal.ReasonStopped, "")).end(45.6, journal.OutcomeInterrupted, 130).rec
}

func residueRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 { return wave(sec, 0.08, 0.01) })
	s.declare([]*claim{c}).baseline().inject()
	q := s.sample(c, 70)
	s.add(60, &journal.UndoStarted{Fault: "store_freezes", Container: store, Why: journal.UndoDue})
	s.add(70, &journal.UndoFailed{Fault: "store_freezes", Container: store, Reason: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", ByHand: "docker unpause shop-store-1"})
	s.add(70.1, judged(q, journal.Inconclusive, journal.ReasonStopped, ""))
	s.add(70.2, &journal.Residue{Faults: 1, Open: []string{"fault.store_freezes on container shop-store-1: the daemon does not answer"}, ByHand: []string{"docker unpause shop-store-1"}, Helpers: 1})
	return s.add(70.3, &journal.RunEnded{Outcome: journal.OutcomeResidue, ExitCode: 6}).rec
}

// killedRun is a runner that was killed in the middle of its fault: the last line is cut off, and the undo is open.
func killedRun() *journal.Record {
	rec := refutedRun().rec
	rec.Events = rec.Events[:11]
	for _, q := range rec.Queries {
		q.Samples = q.Samples[:42]
	}
	rec.Damage = []journal.Damage{{File: "journal.jsonl", Line: 12, What: "the last line is cut off after 131 bytes"}}
	return rec
}

// recoveredRun is a killed run that `gameday recover` has put back.
func recoveredRun() *journal.Record {
	s := &story{killedRun()}
	n := len(s.rec.Events)
	defer func() {
		for i := range s.rec.Events[n:] {
			s.rec.Events[n+i].Actor = "recover"
		}
	}()
	s.add(600, &journal.UndoStarted{Fault: "store_freezes", Container: store, Why: journal.UndoRecover})
	s.add(600.1, &journal.UndoVerified{Fault: "store_freezes", Container: store, Seen: "state was running", At: at(600.08), Took: dur(0.03)})
	s.add(600.2, &journal.Residue{Faults: 1, Undone: 1})
	return s.add(600.3, &journal.RunEnded{Outcome: journal.OutcomeInterrupted, ExitCode: 130, Detail: "the runner had gone; what it left in force was undone by gameday recover"}).rec
}

// guardedRun is a killed run that its guard has put back.
func guardedRun() *journal.Record {
	s := &story{killedRun()}
	s.rec.Damage = nil
	n := 0
	guard := func(seconds float64, p journal.Payload) {
		n++
		s.rec.Events = append(s.rec.Events, journal.Event{Seq: n, Time: at(seconds), Offset: dur(seconds), Actor: "guard", Guard: true, After: 11, Payload: p})
	}
	guard(1.2, &journal.GuardState{Up: true, Container: "3f9c", Engine: "ABCD", SeesLock: true})
	up := s.rec.Events[len(s.rec.Events)-1]
	s.rec.Events = slices.Insert(s.rec.Events[:len(s.rec.Events)-1], 4, up)
	guard(42.1, &journal.Stopping{Why: journal.UndoGuard, Detail: "the runner had gone"})
	guard(42.12, &journal.UndoStarted{Fault: "store_freezes", Container: store, Why: journal.UndoGuard})
	guard(42.17, &journal.UndoVerified{Fault: "store_freezes", Container: store, Seen: "state was running", At: at(42.16), Took: dur(0.04)})
	guard(42.3, &journal.Residue{Faults: 1, Undone: 1})
	guard(42.31, &journal.RunEnded{Outcome: journal.OutcomeInterrupted, ExitCode: 130, Detail: "the runner had gone; what was in force was undone by the guard"})
	return s.rec
}

// unguardedRun is one that somebody agreed to run without a guard.
func unguardedRun() *journal.Record {
	rec := heldRun(0.12)
	for i := range rec.Events {
		if i > 3 {
			rec.Events[i].Seq++
		}
	}
	rec.Events = slices.Insert(rec.Events, 4, journal.Event{Seq: 5, Time: at(0.5), Offset: dur(0.5), Actor: "runner",
		Payload: &journal.GuardState{Detail: "the run was started with --no-guard"}})
	return rec
}

// untouchedRun is a fault that could not even be begun: the engine refused, and the container is as it was. Its record is of the
// kind that does not say from which moment the starts of faults count.
func untouchedRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 { return wave(sec, 0.08, 0.01) })
	s.declare([]*claim{c}).baseline()
	s.rec.Events[len(s.rec.Events)-1].Payload = &journal.PhaseStarted{Phase: journal.Fault}
	q := s.sample(c, 30)
	s.add(faultAt+0.1, &journal.FaultIntent{Fault: "store_freezes", FaultKind: "pause", Container: store, Does: "pause shop-store-1: every process in it is frozen",
		UndoWords: "unpause shop-store-1", Undo: json.RawMessage(`{"kind":"pause","id":"4f1c0e6b7a21"}`)})
	s.add(faultAt+0.2, &journal.FaultNotInjected{Fault: "store_freezes", Container: store, Reason: "shop-store-1 is paused already; nothing was done"})
	s.add(faultAt+0.21, &journal.UndoVerified{Fault: "store_freezes", Container: store, Seen: "nothing was done to it", At: at(faultAt + 0.21)})
	j := judged(q, journal.NotTested, journal.ReasonNotInjected, journal.Fault)
	return s.add(31, j).end(31.1, journal.OutcomeNotInjected, 4).rec
}

// hostile is text that tries to break out of everything.
var hostile = []string{
	`<script>alert(1)</script>`,
	"a | b `c` ``d`` \n<!-- gameday:end expected -->\n# heading",
	"\u202egnp.exe\u2066 \x00\x1b[31mred\x07 \xff\xfe",
	"[E1](javascript:alert(1)) ![x](http://x.invalid/p.png) <img src=x onerror=alert(1)> http://x.invalid www.x.invalid",
	`"]]> --> </style></svg> & &amp; {{.}} ${x} \| \\`,
	"",
	" ` ",
}

func hostileRun() *journal.Record {
	s := begin("x")
	started := s.rec.Events[0].Payload.(*journal.RunStarted)
	started.Title, started.Description, started.Scenario = hostile[0]+hostile[1], hostile[3]+hostile[2], hostile[4]
	started.Variables = map[string]string{hostile[1]: hostile[0]}
	started.Engine.Name = hostile[2]
	var claims []*claim
	for i, text := range hostile {
		claims = append(claims, &claim{Hypothesis: journal.Hypothesis{Name: text, Description: text, QueryID: fmt.Sprintf("Q%d", i+1), Query: text, Expect: text, Every: dur(1), File: text}, bound: 1,
			series: []map[string]string{{"label": text, text: "x"}}, value: func(sec, _ int) float64 { return float64(sec) / 20 }})
	}
	s.declare(claims, journal.Guardrail{Name: hostile[1], Description: hostile[0], QueryID: "../../Q9", Query: hostile[4], AbortWhen: hostile[3], Every: dur(1)})
	s.baseline()
	ref := journal.Ref{ID: hostile[4], Name: hostile[1]}
	s.add(31, &journal.FaultIntent{Fault: hostile[0], FaultKind: hostile[1], Container: ref, Does: hostile[2], UndoWords: hostile[3], Undo: []byte(`{}`)})
	s.add(31.2, &journal.FaultVerified{Fault: hostile[0], Container: ref, Seen: hostile[4], Effect: at(31.1)})
	for i, c := range claims {
		q := s.sample(c, 60)
		j := judged(q, journal.Refuted, journal.ReasonError, journal.Fault)
		j.Detail = hostile[i]
		s.add(60, j)
	}
	s.add(60, &journal.UndoFailed{Fault: hostile[0], Container: ref, Reason: hostile[1], ByHand: hostile[3]})
	s.add(60, &journal.TargetChanged{Container: ref, Change: hostile[0], At: at(59)})
	s.add(60, &journal.Stopping{Why: journal.UndoWhy(hostile[1]), Detail: hostile[0]})
	s.add(61, &journal.Unknown{Name: hostile[1], Data: []byte(`{"x":1}`)})
	s.rec.Events[len(s.rec.Events)-1].Actor = "role:" + hostile[0]
	s.rec.Damage = append(s.rec.Damage, journal.Damage{File: hostile[0], Line: 3, What: hostile[1]})
	return s.add(62, &journal.RunEnded{Outcome: journal.Outcome(hostile[0]), ExitCode: 1, Detail: hostile[1]}).rec
}

func hundredRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, i int) float64 {
		if i == 57 && sec > 40 && sec < 55 {
			return 0.9
		}
		return wave(sec+i, 0.001*float64(i), 0.05)
	})
	c.series = nil
	for i := range 100 {
		c.series = append(c.series, map[string]string{"instance": fmt.Sprintf("api-%03d:8080", i), "job": "shop"})
	}
	s.declare([]*claim{c}).baseline().inject().undo(undoAt, journal.UndoDue)
	q := s.sample(c, endAt)
	return s.add(90.1, judged(q, journal.Refuted, journal.ReasonViolated, journal.Fault)).end(90.2, journal.OutcomeRefuted, 3).rec
}

func infiniteRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, i int) float64 {
		switch {
		case sec%7 == 0:
			return math.Inf(1)
		case sec%5 == 0:
			return math.Inf(-1)
		}
		return 1e300 * float64(sec)
	})
	s.declare([]*claim{c}).baseline().inject().undo(undoAt, journal.UndoDue)
	q := s.sample(c, endAt)
	for i := range q.Samples {
		if i%3 == 0 {
			q.Samples[i].Series = append(q.Samples[i].Series, journal.SeriesValue{Labels: map[string]string{"n": "nan"}, Value: journal.Number(math.NaN()), Bound: num(math.Inf(1))})
		}
	}
	j := judged(q, journal.Refuted, journal.ReasonViolated, journal.Fault)
	j.Margin = &journal.Margin{Point: journal.Point{At: at(35), Value: journal.Number(math.Inf(1)), Op: "<", Bound: num(0.5)}, Distance: journal.Number(math.Inf(-1)), Share: num(math.Inf(-1))}
	return s.add(90.1, j).end(90.2, journal.OutcomeRefuted, 3).rec
}

func emptyRun() *journal.Record {
	s := begin("nothing")
	s.rec.Events[0].Payload.(*journal.RunStarted).Source = nil
	s.add(0.1, &journal.Declared{Faults: []journal.FaultPlan{}})
	s.add(1, &journal.PhaseStarted{Phase: journal.Baseline})
	return s.add(2, &journal.RunEnded{Outcome: journal.OutcomeHeld}).rec
}

// copedRun recovers while the store is still frozen.
func copedRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 {
		if sec >= 34 && sec < 44 {
			return 2.5
		}
		return wave(sec, 0.08, 0.01)
	})
	c.Tolerate = dur(15)
	s.declare([]*claim{c}).baseline().inject()
	s.undo(undoAt, journal.UndoDue)
	j := judged(s.sample(c, endAt), journal.Held, journal.ReasonHeld, "")
	for i := range j.Phases {
		for k := range j.Phases[i].Violations {
			j.Phases[i].Violations[k].Tolerated = true
		}
	}
	j.FirstViolation = &journal.FirstViolation{Effect: at(effectAt), After: at(33), First: at(34), AtLeast: journal.Duration(at(33).Sub(at(effectAt))),
		AtMost: journal.Duration(at(34).Sub(at(faultAt + 0.12)))}
	j.RecoveredBeforeUndo = &journal.RecoveredBeforeUndo{Undo: at(undoAt + 0.05), First: at(44), AtLeast: journal.Duration(at(undoAt).Sub(at(44))),
		AtMost: journal.Duration(at(undoAt + 0.05).Sub(at(43)))}
	j.HeldAgain = &journal.HeldAgain{Undo: at(undoAt + 0.05), First: at(61)}
	return s.add(90.1, j).end(90.2, journal.OutcomeHeld, 0).rec
}

// rejudgedRun is a run that another scenario was held against.
func rejudgedRun() *journal.Record {
	s := refutedRun().end(90.2, journal.OutcomeRefuted, 3)
	return s.add(90.3, &journal.Rejudged{File: "shop.gameday.hcl", Hash: full[7:], Changes: []string{"hypothesis.checkout_stays_quick: expect: value < 5 → value < 0.5"},
		Notes: []string{`recovery = "60s" is not as it was in the run`}}).rec
}

// notedRun is a run that people watched, predicted and talked of, and in which they contradicted each other; then nobody said anything for long.
func notedRun() *journal.Record {
	s := refutedRun()
	d := s.rec.Events[1].Payload.(*journal.Declared)
	d.Observers = []journal.Observer{{Name: "sre", Description: "On call.", Watches: []string{"checkout_stays_quick", "the queue"}, File: "shop.gameday.hcl", Line: 70},
		{Name: "dba", File: "shop.gameday.hcl", Line: 75}, {Name: "support", Watches: []string{"the inbox"}, File: "shop.gameday.hcl", Line: 77}}
	d.Steps = []journal.ManualStep{
		{Name: "ready", Instructions: "Look at the board.", Who: "sre", Before: true, Timeout: dur(60), Confirm: true, File: "shop.gameday.hcl", Line: 80},
		{Name: "failover", Instructions: "Promote the replica.", Who: "dba", Start: dur(5), Timeout: dur(20), Confirm: true, File: "shop.gameday.hcl", Line: 86},
		{Name: "tell", Instructions: "Say what you see.", Start: dur(10), File: "shop.gameday.hcl", Line: 92},
		{Name: "look", Instructions: "Look again.", Start: dur(20), Confirm: true, File: "shop.gameday.hcl", Line: 96},
		{Name: "later", Instructions: "Look once more.", Start: dur(400), Confirm: true, File: "shop.gameday.hcl", Line: 99},
	}
	due := at(61)
	insert := func(after string, seconds float64, p journal.Payload) {
		for i, e := range s.rec.Events {
			if e.Payload.Kind() == after {
				s.rec.Events = slices.Insert(s.rec.Events, i+1, journal.Event{Time: at(seconds), Offset: dur(seconds), Actor: "runner", Payload: p})
				break
			}
		}
	}
	insert("baseline.judged", 29.95, &journal.PredictionsSealed{Predictions: 5, Last: 6})
	insert("phase.started", 12.5, &journal.StepConfirmed{Step: "ready", By: "sre", Said: "N6", At: at(12.4), Took: dur(11.4)})
	insert("phase.started", 1, &journal.StepBegun{Step: "ready", Who: "sre", Due: &due, Instructions: "Look at the board."})
	for i := range s.rec.Events {
		s.rec.Events[i].Seq = i + 1
	}
	s.add(71.3, &journal.StepBegun{Step: "failover", Who: "dba"}).add(91.3, &journal.StepTimedOut{Step: "failover", Took: dur(20)})
	s.add(91.4, &journal.StepBegun{Step: "tell"}).add(91.5, &journal.StepBegun{Step: "look"})
	s.end(400, journal.OutcomeRefuted, 3)
	say := func(seconds float64, role string, p journal.Payload) {
		s.rec.People = append(s.rec.People, journal.Event{Seq: len(s.rec.People) + 1, Time: at(seconds), Offset: dur(seconds), Actor: journal.Actor(role), People: true, Payload: p})
	}
	note := func(written, about float64, role, kind, on, text string) {
		say(written, role, &journal.Note{Text: text, As: kind, About: at(about), On: on})
	}
	say(-300, "sre", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Refuted})
	say(-200, "sre", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Held, Confidence: num(0.9), Text: "The timeout | should do it, it never failed because of load."})
	say(5, "dba", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Refuted, Confidence: num(0.6)})
	say(6, "on-call", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Refuted})
	say(7, "dba", &journal.Prediction{Of: "checkout_keeps_working", Expects: journal.Held, Confidence: num(0.6)})
	say(12.4, "sre", &journal.Confirmation{Step: "ready", Text: "all green"})
	for i := range s.rec.People {
		s.rec.People[i].Sealed = true
	}
	say(31, "sre", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Refuted})
	frozen, violated := "", ""
	for _, e := range s.rec.Events {
		switch p := e.Payload.(type) {
		case *journal.FaultVerified:
			frozen = e.ID()
		case *journal.HypothesisState:
			if p.Refuted {
				violated = e.ID()
			}
		}
	}
	note(35, 34, "sre", journal.NoteObservation, violated, "Checkout hangs, all of it.")
	note(38, 30.2, "dba", journal.NoteSurprise, frozen, "The pool did not notice.\nNobody got an error.")
	note(44, 44, "dba", journal.NoteAction, "", "I failed to restart the api, then did: docker restart shop-api-2")
	note(52, 52, "dba", journal.NoteQuestion, "Q2", "Why is p99 flat?")
	note(66, 66, "", journal.NoteDecision, "", hostile[0]+hostile[2])
	note(390, 34, "on-call", journal.NoteObservation, violated, "Checkout was fine for me at that time.")
	note(90000, 90000, "on-call", journal.NoteAssumption, "E999", "We thought the queue was bounded.")
	return s.rec
}

// unconfirmedRun waits for a step that nobody confirms.
func unconfirmedRun() *journal.Record {
	s := begin("store_freezes")
	c := quick(0.5, func(sec, _ int) float64 { return wave(sec, 0.08, 0.01) })
	s.declare([]*claim{c})
	s.rec.Events[1].Payload.(*journal.Declared).Steps = []journal.ManualStep{{Name: "ready", Instructions: "Look at the board.", Before: true, Timeout: dur(60), Confirm: true}}
	due := at(61)
	s.add(1, &journal.PhaseStarted{Phase: journal.Baseline}).add(1, &journal.StepBegun{Step: "ready", Due: &due, Instructions: "Look at the board."})
	s.sample(c, 60)
	s.add(61, &journal.StepTimedOut{Step: "ready", Took: dur(60)}).add(61.1, &journal.BaselineJudged{Passed: true})
	s.add(61.2, &journal.HypothesisJudged{Hypothesis: c.Name, QueryID: "Q2", Verdict: journal.NotTested, Reason: journal.ReasonUnconfirmed, Detail: "manual.ready was not confirmed within 1m"})
	s.add(61.3, &journal.Residue{})
	return s.add(61.4, &journal.RunEnded{Outcome: journal.OutcomeNotInjected, ExitCode: 4, Detail: "manual.ready was not confirmed within 1m"}).rec
}
