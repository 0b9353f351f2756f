package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

var alertRules = []journal.AlertRule{
	{Alert: "CheckoutSlow", Group: "shop", File: "alerts.yml", Line: 5, Expr: "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[4s]))) > 0.5", Interval: dur(1), For: dur(15),
		Labels: map[string]string{"severity": "page"}},
	{Alert: "StoreDown", Group: "shop", File: "alerts.yml", Line: 12, Expr: `up{job="store"} == 0`, Interval: dur(1), For: dur(300)},
	{Alert: "Watchdog", Group: "meta", File: "alerts.yml", Line: 20, Expr: "vector(1)", Interval: dur(1)},
}

// seenIn is what an alert does in ten phases: pending and firing so many seconds after the effect, each phase a tenth later. 0: never.
func seenIn(name string, pending, firing, resolved float64) *journal.AlertSeen {
	e := &journal.AlertSeen{Alert: name, By: journal.AlertReplay, Expected: true, Effect: at(effectAt), Undo: at(goneAt), End: at(endAt), Step: dur(0.1), For: dur(15), AtEnd: journal.AlertInactive}
	when := func(i int, after float64) *time.Time {
		if after == 0 {
			return nil
		}
		t := at(effectAt + after + float64(i)/10)
		return &t
	}
	span := func(after float64) *journal.AlertDelay {
		if after == 0 {
			return nil
		}
		return &journal.AlertDelay{AtLeast: dur(after), AtMost: dur(after + 0.9), First: *when(0, after), Last: *when(9, after)}
	}
	for i := range 10 {
		e.Phases = append(e.Phases, journal.AlertPhase{Offset: dur(float64(i) / 10), Pending: when(i, pending), Firing: when(i, firing), Resolved: when(i, resolved)})
	}
	e.Pending, e.Firing, e.Resolved = span(pending), span(firing), span(resolved)
	if pending > 0 {
		e.Pended = 10
	}
	if firing > 0 {
		e.Fired = 10
		e.Labels = []journal.LabelsOf{{"alertname": name, "severity": "page"}}
	}
	return e
}

// alertRun is the refuted or the held story with claims about alerts.
func alertRun(rec *journal.Record, claims []journal.AlertClaim, declared func(*journal.AlertsDeclared), after ...journal.Payload) *journal.Record {
	last := rec.Events[len(rec.Events)-1]
	d := &journal.AlertsDeclared{By: journal.AlertReplay, Expected: claims, Rules: alertRules}
	if declared != nil {
		declared(d)
	}
	s := &story{&journal.Record{Name: rec.Name, Queries: rec.Queries}}
	for _, e := range rec.Events[:len(rec.Events)-1] {
		s.add(e.Time.Sub(start).Seconds(), e.Payload)
		if _, ok := e.Payload.(*journal.Declared); ok {
			s.add(0.03, d)
		}
	}
	for _, p := range after {
		s.add(90.15, p)
	}
	s.add(90.2, last.Payload)
	return s.rec
}

func alertHeldRun() *journal.Record {
	return alertRun(heldRun(0.12), []journal.AlertClaim{{Alert: "CheckoutSlow", Description: "Somebody is told.", Fires: true, Within: dur(20), File: "shop.gameday.hcl", Line: 50},
		{Alert: "StoreDown", Fires: false, File: "shop.gameday.hcl", Line: 55}}, nil,
		&journal.AlertChanged{Alert: "CheckoutSlow", Group: "shop", Phase: journal.Fault, From: journal.AlertInactive, To: journal.AlertPending, At: at(30.6), Labels: map[string]string{"alertname": "CheckoutSlow", "severity": "page"}, Active: 1},
		&journal.AlertChanged{Alert: "CheckoutSlow", Group: "shop", Phase: journal.Fault, From: journal.AlertPending, To: journal.AlertFiring, At: at(45.6), Active: 1},
		&journal.AlertChanged{Alert: "CheckoutSlow", Group: "shop", Phase: journal.Recovery, From: journal.AlertFiring, To: journal.AlertInactive, At: at(62.6)},
		seenIn("CheckoutSlow", 0.3, 15.3, 32), &journal.AlertJudged{Alert: "CheckoutSlow", Verdict: journal.Held, Reason: journal.AlertFired, InTime: 10, Phases: 10},
		seenIn("StoreDown", 0, 0, 0), &journal.AlertJudged{Alert: "StoreDown", Verdict: journal.Held, Reason: journal.AlertQuiet, Phases: 10},
		&journal.AlertsSummed{By: journal.AlertReplay, Expected: 1, Fired: 1, Alerts: 3, Phases: 10, Evaluations: 2700, Took: dur(0.02)})
}

// alertMissingRun has an alert that never fires, one that nobody expected, and noise before the fault.
func alertMissingRun() *journal.Record {
	unexpected := seenIn("Watchdog", 1, 1, 0)
	unexpected.Expected, unexpected.AtEnd, unexpected.Before = false, journal.AlertFiring, &journal.NoiseBefore{Pended: 2, Fired: 1}
	return alertRun(refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec, []journal.AlertClaim{{Alert: "CheckoutSlow", Fires: true, Within: dur(20), File: "shop.gameday.hcl", Line: 50}}, nil,
		seenIn("CheckoutSlow", 0, 0, 0), &journal.AlertJudged{Alert: "CheckoutSlow", Verdict: journal.Refuted, Reason: journal.AlertMissing, Phases: 10}, unexpected,
		&journal.AlertsSummed{By: journal.AlertReplay, Expected: 1, Missing: []string{"CheckoutSlow"}, Unexpected: []string{"Watchdog"}, Noise: []string{"Watchdog"}, Alerts: 3, Phases: 10, Evaluations: 2700})
}

// alertPendingRun has an alert whose rule asks for more time than the fault lasts, and one that fires by phase alone.
func alertPendingRun() *journal.Record {
	pending := seenIn("StoreDown", 0.4, 0, 0)
	pending.For, pending.Longest = dur(300), dur(170)
	pending.Lost = "no series matched up{job=\"store\"} any more after 10:04:51.000"
	some := seenIn("CheckoutSlow", 0.3, 15.3, 0)
	some.Fired = 6
	for i := range 4 {
		some.Phases[i].Firing = nil
	}
	some.Firing = &journal.AlertDelay{AtLeast: dur(15.7), AtMost: dur(16.2), First: *some.Phases[4].Firing, Last: *some.Phases[9].Firing}
	return alertRun(refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec,
		[]journal.AlertClaim{{Alert: "StoreDown", Fires: true, Within: dur(45), File: "shop.gameday.hcl", Line: 50}, {Alert: "CheckoutSlow", Fires: true, Within: dur(20), File: "shop.gameday.hcl", Line: 55}}, nil,
		pending, &journal.AlertJudged{Alert: "StoreDown", Verdict: journal.Refuted, Reason: journal.AlertMissing, Phases: 10},
		some, &journal.AlertJudged{Alert: "CheckoutSlow", Verdict: journal.Inconclusive, Reason: journal.AlertByPhase, InTime: 6, Phases: 10},
		&journal.AlertsSummed{By: journal.AlertReplay, Expected: 2, Missing: []string{"StoreDown"}, Alerts: 6, Phases: 10, Evaluations: 2700, Unknown: []journal.AlertsUnknown{
			{Why: "the rule could not be evaluated: found duplicate series for the match group {}", Alerts: []string{"QueueFull"}},
			{Why: "no series matched node_load1 at any time", Alerts: []string{"HostBusy", "HostIdle"}}}})
}

// alertServerRun is known from a server's own record, and from its Alertmanager.
func alertServerRun() *journal.Record {
	e := seenIn("CheckoutSlow", 0.3, 15.3, 32)
	e.By, e.Phases, e.Pended, e.Fired = journal.AlertServer, e.Phases[:1], 1, 1
	for i, d := range []*journal.AlertDelay{e.Pending, e.Firing, e.Resolved} {
		exact := []*time.Time{e.Phases[0].Pending, e.Phases[0].Firing, e.Phases[0].Resolved}[i]
		d.AtMost, d.Last = d.AtLeast+dur(1), exact.Add(time.Second)
		d.AtLeast, d.First = max(0, d.AtLeast-dur(1)), exact.Add(-min(time.Second, exact.Sub(e.Effect)))
	}
	e.Step = dur(1)
	e.Routed = &journal.AlertDelay{AtLeast: dur(16), AtMost: dur(18), First: at(effectAt + 16), Last: at(effectAt + 18)}
	return alertRun(heldRun(0.12), []journal.AlertClaim{{Alert: "CheckoutSlow", Fires: true, Within: dur(20), File: "shop.gameday.hcl", Line: 50}},
		func(d *journal.AlertsDeclared) {
			d.By, d.Notifier = journal.AlertServer, &journal.AlertManager{URL: "http://alerts:9093", Every: dur(2)}
			d.Rules = []journal.AlertRule{alertRules[0]}
			d.Rules[0].Line = 0
		},
		&journal.AlertRouted{Alert: "CheckoutSlow", Labels: map[string]string{"alertname": "CheckoutSlow"}, Receivers: []string{"on-call"}, StartsAt: at(effectAt + 15.3), After: at(effectAt + 16), At: at(effectAt + 18)},
		e, &journal.AlertJudged{Alert: "CheckoutSlow", Verdict: journal.Held, Reason: journal.AlertFired, InTime: 1, Phases: 1},
		&journal.AlertsSummed{By: journal.AlertServer, Expected: 1, Fired: 1, Alerts: 1, Phases: 1})
}

// Every reason for a verdict on an alert has a sentence, with and without what was seen, which keeps the rules for machine text.
func TestEveryAlertReasonHasASentence(t *testing.T) {
	reasons := []journal.AlertReason{journal.AlertFired, journal.AlertQuiet, journal.AlertMissing, journal.AlertLate, journal.AlertUnwanted, journal.AlertByPhase, journal.AlertAlready,
		journal.AlertUnseen, journal.AlertTooRare, journal.AlertTooShort, journal.AlertNotReplayed, journal.AlertNotStarted, journal.AlertNotInjected, journal.AlertSham, journal.AlertFaultEnded,
		journal.AlertHitNothing, journal.AlertStopped, journal.AlertShortHistory, journal.AlertByEffect, "of a later version"}
	verdicts := []journal.Verdict{journal.Held, journal.Refuted, journal.Inconclusive, journal.NotTested}
	n := 0
	for _, by := range []journal.AlertSource{journal.AlertReplay, journal.AlertServer} {
		for _, reason := range reasons {
			for _, fires := range []bool{true, false} {
				e := seenIn("CheckoutSlow", 0.3, 15.3, 0)
				e.Noise, e.By = journal.AlertPending, by
				judged := &journal.AlertJudged{Alert: "CheckoutSlow", Verdict: verdicts[n%len(verdicts)], Reason: reason, InTime: 10, Phases: 10, Detail: "its words | `as they are`"}
				n++
				with := [][]journal.Payload{{e, judged}, {judged}}
				if n == 1 {
					with = append(with, []journal.Payload{e}, []journal.Payload{judged, &journal.AlertsSummed{By: by, Error: "the server is gone"}}, nil)
				}
				for _, after := range with {
					small := begin("store_freezes").declare(nil).baseline().inject().undo(undoAt, journal.UndoDue).end(90.2, journal.OutcomeInconclusive, 4).rec
					rec := alertRun(small, []journal.AlertClaim{{Alert: "CheckoutSlow", Fires: fires, Within: dur(20)}}, func(d *journal.AlertsDeclared) { d.By = by }, after...)
					for _, b := range breaches(t, Build(rec)) {
						t.Errorf("%s, %s, %s: %s", by, reason, judged.Verdict, b)
					}
				}
			}
		}
	}
}

// What an alert did at the Alertmanager is told as it was seen: never that somebody was told, and never that it was not there where
// there was no answer.
func TestAlertsAtTheAlertmanager(t *testing.T) {
	labels := map[string]string{"alertname": "CheckoutSlow"}
	routed := func(muted string, after, until float64) *journal.AlertRouted {
		return &journal.AlertRouted{Alert: "CheckoutSlow", Labels: labels, Receivers: []string{"on-call"}, Muted: muted, After: at(effectAt + after), At: at(effectAt + until)}
	}
	for _, x := range []struct {
		events     []*journal.AlertRouted
		unanswered []journal.AlertsUnanswered
		routed     bool
		want       []string
	}{
		{nil, nil, false, []string{"It was not seen at the Alertmanager, which was asked every 2 s"}},
		{[]*journal.AlertRouted{routed("silenced", 16, 18)}, nil, false, []string{"It was seen at the Alertmanager, but only muted", "it was `silenced` there, and nobody is told while it is"}},
		{[]*journal.AlertRouted{routed("", 16, 18), routed("inhibited", 18, 20)}, nil, true, []string{"for `on-call`, 16 to 18 s after the first effect", "it was `inhibited` there"}},
		{nil, []journal.AlertsUnanswered{{From: at(1), To: at(3), Why: "refused"}}, false, []string{"It was not seen at the Alertmanager", "The Alertmanager gave no answer from "}},
		{nil, []journal.AlertsUnanswered{{From: at(effectAt + 3), Why: "refused"}}, false, []string{"Whether it reached the Alertmanager is not known, which gave no answer after ", "The Alertmanager gave no answer after "}},
		{nil, []journal.AlertsUnanswered{{To: at(effectAt + 3), Why: "refused"}}, false, []string{"is not known, which gave no answer until "}},
		{nil, []journal.AlertsUnanswered{{Why: "one"}, {Why: "two"}, {Why: "three"}, {Why: "four"}, {Why: "five"}}, false, []string{"is not known, which gave no answer at all", "In all it gave none 5 times"}},
	} {
		rec := alertServerRun()
		rec.Events = slices.DeleteFunc(rec.Events, func(e journal.Event) bool { _, is := e.Payload.(*journal.AlertRouted); return is })
		for i := 0; i < len(rec.Events); i++ {
			switch p := rec.Events[i].Payload.(type) {
			case *journal.AlertSeen:
				if !x.routed {
					p.Routed = nil
				}
				for _, r := range x.events {
					ev := rec.Events[i]
					ev.Payload = r
					rec.Events = slices.Insert(rec.Events, i, ev)
					i++
				}
			case *journal.AlertsSummed:
				p.Unanswered = x.unanswered
			}
		}
		for i := range rec.Events {
			rec.Events[i].Seq = i + 1
		}
		r := Build(rec)
		for _, want := range x.want {
			if md := string(r.Markdown()); !strings.Contains(md, want) {
				t.Errorf("%+v: the draft does not say %q", x, want)
			}
		}
		for _, b := range breaches(t, r) {
			t.Error(b)
		}
	}
}

// What a server recorded is told apart from what its rules would have done in other phases.
func TestServerAlertsInOtherPhases(t *testing.T) {
	for _, x := range []struct {
		own    bool // it fired on the server
		others int  // in so many of nine it would fire
		judged journal.AlertJudged
		want   string
	}{
		{true, 9, journal.AlertJudged{Verdict: journal.Held, Reason: journal.AlertFired}, "by the server's own record it fired 15.3 s after the first effect, within the 20 s declared; it would fire in 10 of 10 phases of its evaluation, that of the record among them, 15.3 to 16.2 s after the effect."},
		{true, 3, journal.AlertJudged{Verdict: journal.Inconclusive, Reason: journal.AlertByPhase}, "whether that is within the 20 s declared hangs on the phase of its evaluation alone; it would fire in 4 of 10 phases"},
		{false, 3, journal.AlertJudged{Verdict: journal.Inconclusive, Reason: journal.AlertByPhase}, "by the server's own record it did not fire, and that hangs on the phase of its evaluation alone; it would fire in 3 of 10 phases of its evaluation, that of the record among them, "},
		{false, 0, journal.AlertJudged{Verdict: journal.Refuted, Reason: journal.AlertMissing}, "by the server's own record it did not fire; it never became pending; it would fire in 0 of 10 phases of its evaluation, that of the record among them."},
		{false, 0, journal.AlertJudged{Verdict: journal.Held, Reason: journal.AlertQuiet}, "by the server's own record it did not fire, as claimed; it would fire in 0 of 10 phases of its evaluation, that of the record among them."},
		{true, 3, journal.AlertJudged{Verdict: journal.Refuted, Reason: journal.AlertUnwanted}, "and the claim is that it does not; it would fire in 4 of 10 phases"},
	} {
		e := seenIn("CheckoutSlow", 0.3, 15.3, 0)
		e.By, e.Fired = journal.AlertServer, x.others
		if x.own {
			e.Fired++
		} else {
			e.Phases[0].Firing = nil
		}
		for i := range e.Phases[1:] {
			if i >= x.others {
				e.Phases[1+i].Firing = nil
			}
		}
		if e.Fired == 0 {
			e.Firing, e.Pending, e.Pended = nil, nil, 0
		}
		x.judged.Alert, x.judged.Phases = "CheckoutSlow", 10
		rec := alertRun(heldRun(0.12), []journal.AlertClaim{{Alert: "CheckoutSlow", Fires: true, Within: dur(20), File: "shop.gameday.hcl", Line: 50}},
			func(d *journal.AlertsDeclared) { d.By = journal.AlertServer }, e, &x.judged, &journal.AlertsSummed{By: journal.AlertServer, Expected: 1, Alerts: 1, Phases: 1})
		r := Build(rec)
		md := string(r.Markdown())
		if !strings.Contains(md, x.want) {
			t.Errorf("it does not say %q:\n%s", x.want, md)
		}
		if says := strings.Contains(md, "It fired at "); x.own != says {
			t.Errorf("%+v: it says that it fired: %t", x, says)
		}
		for _, b := range breaches(t, r) {
			t.Error(b)
		}
	}
}

// For the public, too, a replay is not called a server's own record, nor the other way round.
func TestHowAlertsAreKnownForThePublic(t *testing.T) {
	for name, server := range map[string]bool{"alert_held": false, "alert_server": true} {
		md := string(BuildFor(stories()[name], journal.AudiencePublic).Markdown())
		if said := strings.Contains(md, "by the server's own record"); said != server {
			t.Errorf("%s: it says that it is by the server's own record: %t", name, said)
		}
	}
}

func TestAlertsInTheFiveLines(t *testing.T) {
	for _, x := range []struct{ name, want string }{
		{"alert_held", "Of 1 alert expected to fire, 1 did in every phase; the first was `CheckoutSlow`, 15.3 to 16.2 s after the first effect"},
		{"alert_missing", "Of 1 alert expected to fire, 0 did in every phase, and 1 did not; 1 fired that no block of the scenario names"},
		{"alert_pending", "it was pending for 2 min 50 s of the 5 min that its rule asks for"},
		{"alert_pending", "Of 2 alerts expected to fire, 0 did in every phase, and 1 did not; what 3 others would have done is not known"},
		{"alert_pending", "No unexpected alert was seen to fire; what 3 alerts would have done is not known"},
		{"alert_pending", "Whether `HostBusy` and `HostIdle` would have fired is not known: `no series matched node_load1 at any time`"},
		{"alert_pending", "Not all that its rule reads was there after the effect"},
		{"alert_server", "by the server's own record it fired 15.3 s after the first effect, within the 20 s declared; the rule is evaluated every 1 s, and another phase could have had it 14.3 to 16.3 s after the effect"},
		{"alert_server", "It was first seen at the Alertmanager, for `on-call`, 16 to 18 s after the first effect; when it sent a notification is not known"},
		{"held", "The scenario lists no alert; none was watched for"},
	} {
		if md := string(Build(stories()[x.name]).Markdown()); !strings.Contains(md, x.want) {
			t.Errorf("%s does not say %q", x.name, x.want)
		}
	}
}

// An alert whose rule looks back further than the record does is not said to have fired, whatever its replay did.
func TestAlertWithLittleHistory(t *testing.T) {
	short := func(name string) *journal.AlertSeen {
		e := seenIn(name, 0.3, 15.3, 0)
		e.ShortHistory = "the rule looks back 5m, and only 30s were recorded before the fault"
		return e
	}
	other := short("HostBusy")
	other.Expected = false
	rec := alertRun(heldRun(0.12), []journal.AlertClaim{{Alert: "CheckoutSlow", Fires: true, Within: dur(20), File: "shop.gameday.hcl", Line: 50}}, nil,
		short("CheckoutSlow"), &journal.AlertJudged{Alert: "CheckoutSlow", Verdict: journal.Inconclusive, Reason: journal.AlertShortHistory, InTime: 10, Phases: 10, Detail: short("").ShortHistory},
		other, &journal.AlertsSummed{By: journal.AlertReplay, Expected: 1, Unexpected: []string{"HostBusy"}, Alerts: 2, Phases: 10})
	md := string(Build(rec).Markdown())
	for _, want := range []string{
		"Of 1 alert expected to fire, 0 did in every phase, and of 1 it is not known; 1 fired that no block of the scenario names.",
		"`CheckoutSlow` is **inconclusive**: it had less history than its rule asks for: `the rule looks back 5m, and only 30s were recorded before the fault`.",
		"and no block of the scenario names it. [E20] On a server with all of the history it may fire at another time, or not at all: `the rule looks back 5m,",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if n := strings.Count(md, "On a server with all of the history"); n != 2 {
		t.Errorf("it says %d times what the short history means", n)
	}
	for _, b := range breaches(t, Build(rec)) {
		t.Error(b)
	}
	if t.Failed() {
		t.Log(md)
	}
}

// The verdicts on claims about alerts stand at the top of the page beside those on hypotheses, and lead to their place.
func TestAlertsAmongTheVerdictsOfThePage(t *testing.T) {
	page, err := Build(stories()["alert_pending"]).HTML()
	if err != nil {
		t.Fatal(err)
	}
	top, rest, _ := strings.Cut(string(page), "</header>")
	for _, want := range []string{`<a href="#alert-1"><span class="badge refuted">`, `<span>alert <bdi>StoreDown</bdi></span>`, `<a href="#alert-2">`} {
		if !strings.Contains(top, want) {
			t.Errorf("%s is not at the top of the page", want)
		}
	}
	if !strings.Contains(rest, `id="alert-2"`) {
		t.Error("the verdict leads nowhere")
	}
}
