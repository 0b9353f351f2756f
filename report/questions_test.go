package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"gameday/runner/journal"
)

// say adds what a role said to the record: when it was written down, in seconds of the run.
func (s *story) say(seconds float64, role string, p journal.Payload) *story {
	s.rec.People = append(s.rec.People, journal.Event{Seq: len(s.rec.People) + 1, Time: at(seconds), Offset: dur(seconds), Actor: "role:" + role, People: true, Payload: p})
	return s
}

func note(as, text string, about float64) *journal.Note {
	return &journal.Note{As: as, Text: text, About: at(about)}
}

// without is a copy of a record without its end, so that more can be added.
func without(rec *journal.Record) *story {
	rec.Events = rec.Events[:len(rec.Events)-2]
	return &story{rec}
}

// Each trigger asks its question where the record has what it is about, and is silent where it has not.
func TestTriggers(t *testing.T) {
	narrowGuard := func() *journal.Record {
		rec := heldRun(0.12)
		for _, e := range rec.Events {
			if g, ok := e.Payload.(*journal.GuardrailJudged); ok {
				q := rec.Queries["Q3"]
				v := q.Samples[50].Series[0]
				v.Value = 0.45
				q.Samples[50].Series[0] = v
				g.Closest = &journal.Margin{Point: journal.Point{At: q.Samples[50].At, Value: 0.45, Op: ">", Bound: num(0.5)}, Distance: 0.05, Share: num(0.1)}
			}
		}
		return rec
	}
	change := func(what string, target, ours bool, seconds float64) *journal.TargetChanged {
		return &journal.TargetChanged{Container: journal.Ref{ID: "77aa", Name: "shop-api-2"}, Change: what, At: at(seconds), Target: target, Ours: ours}
	}
	changes := func(more ...*journal.TargetChanged) *journal.Record {
		s := without(heldRun(0.12))
		for _, c := range more {
			s.add(90.15, c)
		}
		return s.end(90.2, journal.OutcomeHeld, 0).rec
	}
	storm := func(n int) *journal.Record {
		var after []journal.Payload
		for i := range n {
			e := seenIn(fmt.Sprintf("A%d", i), 1, float64(2+10*i), 0)
			e.Expected = false
			after = append(after, e)
		}
		return alertRun(heldRun(0.12), nil, nil, after...)
	}
	late := func() *journal.Record {
		return alertRun(heldRun(0.12), []journal.AlertClaim{{Alert: "CheckoutSlow", Fires: true, Within: dur(5), File: "f", Line: 1}}, nil, seenIn("CheckoutSlow", 1, 15.3, 0),
			&journal.AlertJudged{Alert: "CheckoutSlow", Verdict: journal.Refuted, Reason: journal.AlertLate, Phases: 10})
	}
	unwanted := func() *journal.Record {
		return alertRun(heldRun(0.12), []journal.AlertClaim{{Alert: "StoreDown", File: "f", Line: 1}}, nil, seenIn("StoreDown", 1, 15.3, 0),
			&journal.AlertJudged{Alert: "StoreDown", Verdict: journal.Refuted, Reason: journal.AlertUnwanted, Phases: 10})
	}
	uncertain := func() *journal.Record {
		rec := inconclusiveRun()
		for _, e := range rec.Events {
			switch p := e.Payload.(type) {
			case *journal.HypothesisJudged:
				p.Reason, p.Detail = journal.ReasonUncertain, ""
			case *journal.Declared:
				p.Hypotheses[0].Tolerate = dur(3)
			}
		}
		return rec
	}
	never := func(reason journal.Reason) *journal.Record {
		rec := refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec
		for _, e := range rec.Events {
			if p, ok := e.Payload.(*journal.HypothesisJudged); ok && p.Verdict == journal.Refuted {
				p.Reason, p.Phase, p.HeldAgain = reason, journal.Recovery, nil
			}
		}
		return rec
	}
	slow := func(lookback float64) *journal.Record {
		rec := refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec
		for _, e := range rec.Events {
			if p, ok := e.Payload.(*journal.Declared); ok {
				p.Hypotheses[1].Lookback = dur(lookback)
			}
		}
		return rec
	}
	said := func(rec *journal.Record, said ...any) *journal.Record {
		s := &story{rec}
		for i := 0; i < len(said); i += 2 {
			p, seconds := said[i+1].(journal.Payload), 80.0
			if n, ok := p.(*journal.Note); ok { // noted at the time that it speaks of
				seconds = n.About.Sub(at(0)).Seconds()
			}
			s.say(seconds, said[i].(string), p)
		}
		for i, e := range rec.People {
			_, rec.People[i].Sealed = e.Payload.(*journal.Prediction)
		}
		return rec
	}
	typed := func(rec *journal.Record, said ...any) *journal.Record { // what was said, and how many seconds after the start it was typed
		s := &story{rec}
		for i := 0; i < len(said); i += 2 {
			s.say(float64(said[i+1].(int)), "ops", said[i].(journal.Payload))
		}
		return rec
	}
	refuted := func() *journal.Record { return refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec }
	long := func() *journal.Record { // the fault of the common run, stretched to more than three minutes of silence
		s := without(heldRun(0.12))
		s.add(400, &journal.HypothesisState{Hypothesis: "checkout_stays_quick", QueryID: "Q2", Phase: journal.Recovery, From: journal.Holding, To: journal.Violated,
			At: at(399), Point: &journal.Point{At: at(399), Value: 0.9, Op: "<", Bound: num(0.5)}})
		return s.end(600, journal.OutcomeHeld, 0).rec
	}
	blindGuard := func() *journal.Record {
		rec := abortedRun()
		for _, e := range rec.Events {
			if p, ok := e.Payload.(*journal.GuardrailState); ok {
				p.Blind, p.Point = true, nil
			}
		}
		return rec
	}
	dip := func() *journal.Record {
		s := begin("store_freezes")
		c := quick(0.5, func(sec, _ int) float64 {
			if sec == 9 {
				return 0.7
			}
			return 0.1
		})
		c.Tolerate = dur(2)
		s.declare([]*claim{c}).baseline().inject().undo(undoAt, journal.UndoDue)
		return s.add(90.1, judged(s.sample(c, endAt), journal.Held, journal.ReasonHeld, "")).end(90.2, journal.OutcomeHeld, 0).rec
	}
	noted := "a note"
	for _, tt := range []struct {
		trigger string
		rec     *journal.Record
		want    string // in its text; empty: it is not asked
	}{
		{"refuted", refuted(), "In checkout_stays_quick the value was 4.167 (expected < 0.5) at 10:05:31 (T+30 s). What did the screens"},
		{"refuted", killedRun(), "In checkout_stays_quick the value was"},
		{"refuted", heldRun(0.12), ""},
		{"alert-missing", alertMissingRun(), "CheckoutSlow was expected within 20 s of the first effect and had not fired at 10:06:01"},
		{"alert-missing", alertHeldRun(), ""},
		{"alert-unexpected", alertMissingRun(), "Watchdog fires from 10:05:02.2 (T+1.2 s), 1 to 1.9 s after the first effect, and nobody listed it"},
		{"alert-unexpected", unwanted(), "the scenario says that it does not"},
		{"alert-unexpected", alertHeldRun(), ""},
		{"alert-late", late(), "CheckoutSlow fires 15.3 to 16.2 s after the first effect, from 10:05:16.5 (T+15.5 s), and was expected within 5 s"},
		{"alert-storm", storm(3), "3 alerts begin to fire within 20 s, from 10:05:03.2"},
		{"alert-storm", storm(2), ""},
		{"outside", changes(change("unhealthy", false, false, 41), change("unhealthy", false, false, 43)), "shop-api-2 was no target and changed at 10:05:12 (T+11 s): unhealthy. How was this dependency"},
		{"outside", changes(change("healthy", false, false, 41), change("unhealthy", true, false, 41), change("died", false, true, 41)), ""},
		{"guardrail", abortedRun(), "Guardrail checkout_is_down ended the run at 10:05:13.0 (T+12 s), at a value of 0.9. Would we set it there again?"},
		{"guardrail", blindGuard(), "it had no data to guard with since 10:05:08"},
		{"guardrail", heldRun(0.12), ""},
		{"margin", heldRun(0.47), "and 4.19 % of the bound was left"},
		{"margin", narrowGuard(), "Guardrail checkout_is_down was within 10 % of ending the run: the value was 0.45 (stops the run at > 0.5)"},
		{"margin", heldRun(0.12), ""},
		{"undo-helped", refuted(), "checkout_stays_quick held for good 6.9 to 8 s later; that it would have held without the undo was not shown"},
		{"undo-helped", copedRun(), ""},
		{"recovered", copedRun(), "checkout_stays_quick held for good from 10:05:15 (T+14 s), 16 to 17.1 s before the last undo. Which mechanism"},
		{"recovered", refuted(), ""},
		{"slow-recovery", slow(1), "The faults were gone at 10:05:31.0 (T+30 s), and checkout_stays_quick held for good only from 10:05:39"},
		{"slow-recovery", refuted(), ""}, // its query looks back further than that
		{"slow-recovery", never(journal.ReasonNotRecovered), "at the end of the run, 10:06:01.3 (T+1 min), checkout_stays_quick did not hold for good"},
		{"stopped", interruptedRun(), "The run was stopped by hand at 10:05:16.3 (T+15.3 s) (“Ctrl-C”)"},
		{"stopped", abortedRun(), ""},
		{"baseline", gateRun(), "Before any fault, at 10:05:00 (T+29 s), the value in checkout_stays_quick was"},
		{"baseline", dip(), "Before any fault, at 10:04:40 (T−21 s), the value in checkout_stays_quick was 0.7 (expected < 0.5)"},
		{"baseline", heldRun(0.12), ""},
		{"inconclusive", inconclusiveRun(), "13 samples are missing, from 10:05:16 (T+15 s) on, and checkout_stays_quick cannot be decided"},
		{"inconclusive", uncertain(), "checkout_stays_quick is asked every 1 s, and whether a violation outlasted the 3 s tolerated cannot be told"},
		{"inconclusive", heldRun(0.12), ""},
		{"reversed", changes(change("paused", false, false, 41), change("unpaused", false, false, 49)), "shop-api-2 was paused at 10:05:12 (T+11 s), not by gameday, and let go on 8 s later. What changed"},
		{"reversed", changes(change("unpaused", false, false, 49)), ""},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "raised the pool to 50", 41), "dba", note(journal.NoteAction, "restarted shop-api-2", 45), "ops", note(journal.NoteAction, "Put the pool back to 10.", 49)),
			"“raised the pool to 50”, by dba at 10:05:12 (T+11 s); 8 s later, by ops: “Put the pool back to 10.”. What changed the picture?"},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "restarted shop-api-2", 41), "dba", note(journal.NoteAction, "undid the restart", 49)), "8 s later, by dba: “undid the restart”"},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "raised the pool to 50", 41), "dba", note(journal.NoteAction, "restarted shop-api-2", 45), "dba",
			&journal.Note{As: journal.NoteAction, Text: "reverted", On: "N1", About: at(49)}), "“raised the pool to 50”, by dba at 10:05:12 (T+11 s); 8 s later"},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "raised the pool to 50", 41), "ops", note(journal.NoteAction, "rolled back the release", 49)), ""},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "raised the pool to 50", 41), "ops", note(journal.NoteAction, "raised the pool to 60", 49)), ""},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "restarted shop-api-2", 41), "ops", note(journal.NoteAction, "took shop-api-2 out of the pool", 49)), ""},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "took shop-api-2 out", 41), "ops", note(journal.NoteAction, "putting shop-api-2 back", 49)), "8 s later, by ops: “putting shop-api-2 back”"},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteObservation, "the pool is at 50", 41), "ops", note(journal.NoteAction, "put the pool back to 10", 49)), ""},
		{"reversed", said(heldRun(0.12), "dba", note(journal.NoteAction, "raised the pool to 50", 49), "ops", note(journal.NoteAction, "put the pool back to 10", 41)), ""},
		{"all-held", heldRun(0.12), "2 of 2 hypotheses held; the nearest to its bound was 0.1223 (expected < 0.5)"},
		{"all-held", heldRun(0.47), ""},
		{"all-held", copedRun(), ""},
		{"all-held", said(heldRun(0.12), "dev", note(journal.NoteSurprise, noted, 40)), ""},
		{"no-notes", heldRun(0.12), "From 10:04:31 (T−30 s) to 10:06:01.3 (T+1 min) the record holds no human observation"},
		{"no-notes", said(heldRun(0.12), "dev", note(journal.NoteObservation, noted, 40)), ""},
		{"no-notes", gateRun(), ""},
		{"changed", changedRun(), "in this run it is"},
		{"changed", heldRun(0.12), ""},
		{"follow-up", changedRun(), "was open when this run began. Did it matter today?"},
		{"predictions", said(refuted(), "dev", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Held}, "ops", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Refuted}),
			"Of checkout_stays_quick before the fault: dev expected held, and ops expected refuted; it is refuted"},
		{"predictions", said(refuted(), "dev", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Held}, "ops", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Held}), ""},
		{"silence", said(long(), "ops", note(journal.NoteObservation, noted, 40), "dev", note(journal.NoteObservation, noted, 450)),
			"Nothing was noted from 10:05:11 (T+10 s) to 10:12:01 (T+7 min), 6 min 50 s, while checkout_stays_quick went from holding to violated: 0.9 (expected < 0.5)"},
		{"silence", said(long(), "ops", note(journal.NoteObservation, noted, 390), "dev", note(journal.NoteObservation, noted, 450)), ""},
		{"silence", typed(long(), note(journal.NoteObservation, noted, 40), 300, note(journal.NoteAction, noted, 40), 390, note(journal.NoteDecision, noted, 40), 450), ""},
		{"silence", typed(long(), note(journal.NoteObservation, noted, 40), 40, &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Held}, 390, note(journal.NoteObservation, noted, 40), 450), ""},
		{"silence", typed(long(), note(journal.NoteObservation, noted, 390), 500), "Nothing was noted from 10:05:01.2 (T+214 ms) to 10:12:51 (T+7 min 50 s), 7 min 50 s, while"},
		{"silence", long(), ""}, // nobody said anything at all, which is another question
		{"action", said(refuted(), "ops", note(journal.NoteAction, "drained the queue", 55)), "“drained the queue”, by ops at 10:05:26 (T+25 s); checkout_stays_quick held for good from 10:05:39 (T+38 s), 13 s later"},
		{"action", said(refuted(), "ops", note(journal.NoteAction, "put it back", 75), "ops", note(journal.NoteObservation, "it is slow", 40)), ""},
	} {
		d := Build(tt.rec)
		for _, b := range breaches(t, d) {
			t.Errorf("%s: %s", tt.trigger, b)
		}
		i := slices.IndexFunc(d.Questions, func(q Question) bool { return q.Trigger == tt.trigger })
		switch {
		case i < 0 && tt.want != "":
			t.Errorf("%s is not asked", tt.trigger)
		case i >= 0 && tt.want == "":
			t.Errorf("%s is asked: %s", tt.trigger, d.Questions[i].Text.phrase().plainText(d.Clock))
		case i >= 0 && !strings.Contains(d.Questions[i].Text.phrase().plainText(d.Clock), tt.want):
			t.Errorf("%s asks\n%s, want\n%s", tt.trigger, d.Questions[i].Text.phrase().plainText(d.Clock), tt.want)
		}
	}
}

// crowdedRun gives reason for more questions than anybody could answer.
func crowdedRun() *journal.Record {
	s := begin("store_freezes")
	var claims []*claim
	for i := range 6 {
		c := quick(0.5, func(sec, _ int) float64 {
			switch {
			case sec < 34 || sec >= 64:
				return 0.1
			case i > 3:
				return math.NaN()
			}
			return 1 + float64(i)
		})
		c.Name, c.QueryID = fmt.Sprintf("claim_%d", i), fmt.Sprintf("Q%d", i+1)
		claims = append(claims, c)
	}
	s.declare(claims).baseline().inject()
	for i := range 5 {
		s.add(41.5, &journal.TargetChanged{Container: journal.Ref{ID: fmt.Sprint(i), Name: fmt.Sprintf("Shop_API/%d", i)}, Change: "unhealthy", At: at(41.46)})
	}
	s.undo(undoAt, journal.UndoDue)
	for i, c := range claims {
		j := judged(s.sample(c, endAt), journal.Refuted, journal.ReasonViolated, journal.Fault)
		if i > 3 {
			j = judged(s.sample(c, endAt), journal.Inconclusive, journal.ReasonNoData, journal.Fault)
		}
		s.add(90.1, j)
	}
	s.end(90.2, journal.OutcomeRefuted, 3)
	var after []journal.Payload
	for i := range 4 {
		e := seenIn(fmt.Sprintf("A%d", i), 1, float64(2+i), 0)
		e.Expected = false
		after = append(after, e)
	}
	rec := alertRun(s.rec, []journal.AlertClaim{{Alert: "CheckoutSlow", Fires: true, Within: dur(20), File: "f", Line: 1}}, nil,
		append(after, seenIn("CheckoutSlow", 0, 0, 0), &journal.AlertJudged{Alert: "CheckoutSlow", Verdict: journal.Refuted, Reason: journal.AlertMissing, Phases: 10})...)
	(&story{rec}).say(70, "dev", note(journal.NoteSurprise, "the whole page turned red", 100))
	return rec
}

// Twelve questions at most, three of a kind, five of them at the top; a surprise that somebody noted brings up what it is about.
func TestTheMostTellingQuestionsComeFirst(t *testing.T) {
	d := Build(crowdedRun())
	var ids []string
	kinds := map[string]int{}
	for _, q := range d.Questions {
		ids = append(ids, q.ID)
		kinds[q.Trigger]++
	}
	if len(ids) != mostQuestions || kinds["refuted"] != mostOfTrigger || kinds["outside"] != mostOfTrigger || kinds["alert-unexpected"] != mostOfTrigger {
		t.Errorf("%d questions: %v", len(ids), ids)
	}
	// What is refuted was worst more than a minute before what the note is about.
	want := []string{"q-alert-missing-checkoutslow", "q-outside-shop-api-0", "q-outside-shop-api-1", "q-outside-shop-api-2", "q-refuted-claim-0"}
	if !slices.Equal(ids[:5], want) {
		t.Errorf("first come %v", ids[:5])
	}
	under := map[string]int{}
	var top []string
	for _, s := range d.Sections {
		if under[s.Under]++; s.Under == "known" {
			top = append(top, s.ID)
		}
	}
	// Two of a kind are enough at the top.
	if want := []string{"q-alert-missing-checkoutslow", "q-outside-shop-api-0", "q-outside-shop-api-1", "q-refuted-claim-0", "q-refuted-claim-1"}; !slices.Equal(top, want) {
		t.Errorf("at the top stand %v", top)
	}
	if under["known"] != mostSeeds || under["debrief"] != mostQuestions-mostSeeds {
		t.Errorf("questions stand under %v", under)
	}
	silent := crowdedRun()
	silent.People = nil
	if first := Build(silent).Questions[0].ID; first != "q-refuted-claim-0" {
		t.Errorf("without the note %s comes first", first)
	}
}

// The id of a question is that of its block: plain, and its own.
func TestQuestionIDs(t *testing.T) {
	taken := map[string]bool{}
	for _, tt := range [][2]string{{"checkout_stays_quick", "q-x-checkout-stays-quick"}, {"Checkout Stays  Quick!", "q-x-checkout-stays-quick-2"}, {"", "q-x"}, {"☃", "q-x-2"},
		{strings.Repeat("a-", 60), "q-x-" + strings.TrimSuffix(strings.Repeat("a-", 30), "-")}} {
		if got := questionID("x", tt[0], taken); got != tt[1] {
			t.Errorf("%q: %s, want %s", tt[0], got, tt[1])
		}
	}
}

// How a target was set up is told as far as the record knows it; a version that did not look is not taken for one that found nothing.
func TestFactsAboutTargets(t *testing.T) {
	says(t, heldRun(0.12), []string{"| `shop-store-1` | `always` | every 5 s, each may take 2 s; 3 in a row count; not in the first 10 s | memory 256 MiB and 0.5 processors | 1 of service `store` ran |"}, nil)
	for want, c := range map[string]journal.Container{
		"| there is one: it was `healthy` | not in the record | not in the record |":                     {Health: "healthy"},
		"| not in the record | not in the record | not in the record |":                                  {},
		"| none | none | it belongs to no compose service |":                                             {Limits: &journal.Limits{}},
		"| none | 1 processor and 100 processes | 2 of service `api` ran |":                              {Limits: &journal.Limits{CPUs: 1, PIDs: 100}, Service: "api", Replicas: 2},
		"| every 30 s, each may take 30 s; 3 in a row count | none | it belongs to no compose service |": {Limits: &journal.Limits{}, HealthCheck: &journal.HealthCheck{Interval: dur(30), Timeout: dur(30), Retries: 3}},
	} {
		rec := heldRun(0.12)
		for _, e := range rec.Events {
			if p, ok := e.Payload.(*journal.TargetResolved); ok {
				c.ID, c.Name, c.RestartPolicy = p.Chosen[0].ID, p.Chosen[0].Name, "no"
				p.Chosen = []journal.Container{c}
			}
		}
		says(t, rec, []string{"| `shop-store-1` | `no` " + want}, nil)
		for _, b := range breaches(t, Build(rec)) {
			t.Error(b)
		}
	}
}

// What is proposed is twice what was, or halfway to the bound, and said to be beyond the blast radius where it is.
func TestProposals(t *testing.T) {
	with := func(rec *journal.Record, change func(*journal.Declared)) *journal.Record {
		for _, e := range rec.Events {
			if d, ok := e.Payload.(*journal.Declared); ok {
				change(d)
			}
		}
		return rec
	}
	fault := func(kind string, args ...journal.Argument) *journal.Record {
		return with(heldRun(0.12), func(d *journal.Declared) { d.Faults[0].FaultKind, d.Faults[0].Args = kind, args })
	}
	for _, tt := range []struct {
		rec  *journal.Record
		want string
	}{
		{heldRun(0.12), "Repeat with a larger fault: `duration` of `store_freezes` at 1 min instead of 30 s. "},
		{with(heldRun(0.12), func(d *journal.Declared) { d.BlastRadius.MaxDuration = dur(45) }), "at 1 min instead of 30 s, with more than the 45 s that the blast radius allows now."},
		{fault("latency", journal.Argument{Name: "delay", Value: "200ms"}), "`delay` of `store_freezes` at 400 ms instead of 200 ms."},
		{fault("loss", journal.Argument{Name: "percent", Value: "30"}), "`percent` of `store_freezes` at 60 % instead of 30 %."},
		{fault("loss", journal.Argument{Name: "percent", Value: "70"}), "`percent` of `store_freezes` at 100 % instead of 70 %."},
		{heldRun(0.12), "Repeat unannounced: "},
		{heldRun(0.47), "Repeat as it is, under another load or unannounced: `checkout_stays_quick` held with 0.02094 left (4.19 % of the bound)."},
		{refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec, "Repeat after the follow-up, and expect the same: `checkout_stays_quick` (`value < 0.5`)."},
		{alertMissingRun(), "and expect the same: `checkout_stays_quick` (`value < 0.5`) and alert `CheckoutSlow` (fires within 20 s)."},
		{inconclusiveRun(), "Fix the signal first: `checkout_stays_quick` had no data from 10:05:16 (T+15 s) on; then repeat."},
		{gateRun(), "Repeat once `checkout_stays_quick` is as claimed while nothing is done."},
		{abortedRun(), "or after the follow-up on what guardrail `checkout_is_down` (`value > 0.5`) saw: it ended this run at 10:05:13.0"},
		{interruptedRun(), "Repeat to the end: `checkout_stays_quick` was not judged over all of its phases."},
		{residueRun(), "Before anything else is injected: put back what the top of this page names."},
		{shamRun(), "Run the same scenario with its faults"},
		{emptyRun(), "The record proposes no further experiment."},
	} {
		says(t, tt.rec, []string{tt.want}, nil)
		for _, b := range breaches(t, Build(tt.rec)) {
			t.Error(b)
		}
	}
	for want, v := range map[string]Halfway{"0.31": {0.1223, 0.5}, "0.97": {0.996, 0.95}, "0.98": {0.991, 0.969}, "−1.5": {-1, -2}, "1e-05": {0.00002, 0}, "101.5": {101, 102}} {
		if got := words("{}", v).plainText(Clock{}); got != want {
			t.Errorf("halfway between %v and %v is %s, want %s", v.Value, v.Bound, got, want)
		}
	}
}

// Where a run or a fault took another course than declared, the draft does not say that nothing did.
func TestDivergences(t *testing.T) {
	none := "No claim is refuted, and nothing else in the record went otherwise than declared."
	for want, rec := range map[string]*journal.Record{
		none: heldRun(0.12),
		"The baseline gate was not met: the steady state was not as claimed before anything was done.": gateRun(),
		"Guardrail `checkout_is_down` ended the run before its time, at 10:05:13.0":                    abortedRun(),
		"The run was ended before its time at 10:05:16.3 (T+15.3 s) (`interrupted`).":                  interruptedRun(),
		"The guard took over from the runner at 10:05:13.1":                                            guardedRun(),
		"Fault `store_freezes` on `shop-store-1` is not shown to be gone.":                             residueRun(),
		"Fault `store_freezes` was not seen to take effect on `shop-store-1`.":                         untouchedRun(),
		"Alert `CheckoutSlow` was **refuted** (expected: fires within 20 s): it does not fire.":        alertMissingRun(),
		"`checkout_stays_quick` held again 16 to 17.1 s before the last undo":                          copedRun(),
		"Moved, and named in no hypothesis, guardrail or alert: 1":                                     movedRun(),
	} {
		if want != none {
			says(t, rec, []string{want}, []string{none})
		} else {
			says(t, rec, []string{none}, nil)
		}
		for _, b := range breaches(t, Build(rec)) {
			t.Error(b)
		}
	}
}

// sixRefuted gives reason for more than a few questions of one kind, and hardly any other.
func sixRefuted() *journal.Record {
	s := begin("store_freezes")
	var claims []*claim
	for i := range 6 {
		c := quick(0.5, func(sec, _ int) float64 {
			if sec < 34 || sec >= 64 {
				return 0.1
			}
			return 1 + float64(i)
		})
		c.Name, c.QueryID = fmt.Sprintf("claim_%d", i), fmt.Sprintf("Q%d", i+1)
		claims = append(claims, c)
	}
	s.declare(claims).baseline().inject().undo(undoAt, journal.UndoDue)
	for _, c := range claims {
		s.add(90.1, judged(s.sample(c, endAt), journal.Refuted, journal.ReasonViolated, journal.Fault))
	}
	return s.end(90.2, journal.OutcomeRefuted, 3).rec
}

// While there is room, everything that gives reason for a question is asked about.
func TestNothingIsLeftUnaskedWhereThereIsRoom(t *testing.T) {
	several := false
	all := maps.Clone(stories())
	all["six refuted"] = sixRefuted()
	for name, rec := range all {
		f := gather(rec)
		asked := map[string]int{}
		questions := f.ask()
		for _, q := range questions {
			asked[q.Trigger]++
		}
		if len(questions) == mostQuestions {
			continue
		}
		for _, tr := range triggers {
			n := len(tr.ask(f))
			if asked[tr.name] != n {
				t.Errorf("%s: %d of %d questions of %s are asked, and there is room for %d more", name, asked[tr.name], n, tr.name, mostQuestions-len(questions))
			}
			several = several || n > mostOfTrigger
		}
	}
	if !several {
		t.Error("no story has more than a few questions of one kind")
	}
}

// A claim that held although its bound was passed, for no longer than is tolerated, was not near to its bound but beyond it.
func TestAllHeldBeyondABound(t *testing.T) {
	rec := heldRun(0.1)
	for _, e := range rec.Events {
		if p, ok := e.Payload.(*journal.HypothesisJudged); ok && p.Margin != nil {
			p.Margin.Distance, p.Margin.Share = -p.Margin.Distance-1, nil
		}
	}
	asked := gather(rec).askAllHeld()
	if len(asked) != 1 || !strings.Contains(asked[0].Text.Template, "the furthest beyond its bound was {} at {}, in {}, which the scenario allows. Nothing surprised") {
		t.Errorf("asked %+v", asked)
	}
}
