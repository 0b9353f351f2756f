package runner

import (
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// spell is one of an alert's, in seconds after the start of the run; 0: never.
func spell(pending, firing, resolved float64) metrics.Spell {
	at := func(s float64) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return alertsBegan.Add(time.Duration(s * float64(time.Second)))
	}
	return metrics.Spell{Pending: at(pending), Firing: at(firing), Resolved: at(resolved), Labels: map[string]string{"alertname": "A"}}
}

var alertsBegan = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// A run of alerts: the fault takes effect at 30 s, is undone at 60 s, and the run ends at 120 s.
func alertsAt(change func(*alertHistory), phases ...[]metrics.Spell) alertHistory {
	at := func(s float64) time.Time { return alertsBegan.Add(time.Duration(s * float64(time.Second))) }
	h := alertHistory{by: journal.AlertReplay, History: History{Start: alertsBegan, FaultStart: at(29.9), Deeds: deeds{effect: limits{at(29.9), at(30)}}, LastUndo: at(60), End: at(120), Injected: true}}
	h.replayed = &metrics.Replayed{Phases: len(phases)}
	one := metrics.ReplayedRule{Rule: metrics.AlertRule{Alert: "A", Interval: time.Second, For: 15 * time.Second}}
	for i, spells := range phases {
		one.Phases = append(one.Phases, metrics.RulePhase{Offset: time.Duration(i) * 100 * time.Millisecond, First: at(0), Last: at(120), Spells: spells})
	}
	h.replayed.Rules = []metrics.ReplayedRule{one}
	if change != nil {
		change(&h)
	}
	return h
}

func TestAlertVerdicts(t *testing.T) {
	const wants, refuses = true, false
	in := func(spells ...metrics.Spell) []metrics.Spell { return spells }
	rule := func(change func(*metrics.ReplayedRule)) func(*alertHistory) {
		return func(h *alertHistory) { change(&h.replayed.Rules[0]) }
	}
	lost := func(from, to int) func(*alertHistory) {
		return rule(func(r *metrics.ReplayedRule) {
			r.Lost = []metrics.Loss{{Gap: metrics.Gap{From: alertsBegan.Add(time.Duration(from) * time.Second), To: alertsBegan.Add(time.Duration(to) * time.Second)}, Of: "x"}}
		})
	}
	looksBack := func(seconds float64) func(*alertHistory) {
		return rule(func(r *metrics.ReplayedRule) { r.Rule.Lookback = time.Duration(seconds * float64(time.Second)) })
	}
	server := func(h *alertHistory) { h.by = journal.AlertServer } // its own phase is the first
	unswept := func(h *alertHistory) { h.by, h.replayed.Rules[0].Unswept = journal.AlertServer, "no answer" }
	failed := rule(func(r *metrics.ReplayedRule) {
		r.Phases[1].Failed = []metrics.FailedEvaluation{{At: alertsBegan.Add(40 * time.Second), Error: "many-to-many matching"}}
	})
	for name, c := range map[string]struct {
		fires   bool
		within  float64
		change  func(*alertHistory)
		phases  [][]metrics.Spell
		verdict journal.Verdict
		reason  journal.AlertReason
		detail  string
	}{
		"fires in every phase":            {wants, 20, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Held, journal.AlertFired, ""},
		"fires at the deadline":           {wants, 15.7, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Held, journal.AlertFired, ""},
		"perhaps at the deadline":         {wants, 15.65, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Inconclusive, journal.AlertByEffect, ""},
		"perhaps, and late in another":    {wants, 15.55, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Inconclusive, journal.AlertByEffect, ""},
		"certainly after the deadline":    {wants, 15.45, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Refuted, journal.AlertLate, ""},
		"must not, and perhaps in time":   {refuses, 15.55, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertByEffect, ""},
		"perhaps, and it stopped":         {wants, 15.55, func(h *alertHistory) { h.Stopped = true }, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertStopped, ""},
		"in time in one phase only":       {wants, 15.75, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.8, 45.8, 70))}, journal.Inconclusive, journal.AlertByPhase, ""},
		"fires in one phase only":         {wants, 20, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 0, 45))}, journal.Inconclusive, journal.AlertByPhase, ""},
		"late in every phase":             {wants, 10, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Refuted, journal.AlertLate, ""},
		"late in one, never in the other": {wants, 10, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in()}, journal.Refuted, journal.AlertLate, ""},
		"only pending":                    {wants, 60, nil, [][]metrics.Spell{in(spell(30.5, 0, 60)), in(spell(30.6, 0, 60))}, journal.Refuted, journal.AlertMissing, ""},
		"never":                           {wants, 60, nil, [][]metrics.Spell{in(), in()}, journal.Refuted, journal.AlertMissing, ""},
		"the second spell fires":          {wants, 40, nil, [][]metrics.Spell{in(spell(30.5, 0, 40), spell(45, 60, 70)), in(spell(46, 61, 70))}, journal.Held, journal.AlertFired, ""},
		"firing already":                  {wants, 20, nil, [][]metrics.Spell{in(spell(10, 25, 70)), in(spell(10, 25, 70))}, journal.Inconclusive, journal.AlertAlready, ""},
		"pending already":                 {wants, 20, nil, [][]metrics.Spell{in(spell(25, 40, 70)), in(spell(25, 40, 70))}, journal.Inconclusive, journal.AlertAlready, ""},
		"pending since the injection":     {wants, 20, nil, [][]metrics.Spell{in(spell(29.95, 45, 70))}, journal.Held, journal.AlertFired, ""},
		"firing already, and fires anew":  {wants, 20, nil, [][]metrics.Spell{in(spell(10, 25, 70), spell(31, 46, 70)), in(spell(10, 25, 70), spell(31, 46, 70))}, journal.Held, journal.AlertFired, ""},
		"fired and was resolved before":   {wants, 60, nil, [][]metrics.Spell{in(spell(5, 20, 25)), in(spell(5, 20, 25))}, journal.Refuted, journal.AlertMissing, ""},
		"the record is too short":         {wants, 100, nil, [][]metrics.Spell{in(), in()}, journal.Inconclusive, journal.AlertTooShort, ""},
		"nothing to see":                  {wants, 60, rule(func(r *metrics.ReplayedRule) { r.Unseen = "no series matched x" }), [][]metrics.Spell{in(), in()}, journal.Inconclusive, journal.AlertUnseen, "no series"},
		"cannot be evaluated":             {wants, 60, failed, [][]metrics.Spell{in(), in()}, journal.Inconclusive, journal.AlertUnseen, "many-to-many"},
		"could not be evaluated after it": {wants, 5, failed, [][]metrics.Spell{in(), in()}, journal.Refuted, journal.AlertMissing, ""},
		"fires although it failed once":   {wants, 20, failed, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Held, journal.AlertFired, ""},
		"nothing was scraped": {wants, 60, func(h *alertHistory) {
			h.gaps = []metrics.Gap{{From: alertsBegan.Add(35 * time.Second), To: alertsBegan.Add(45 * time.Second)}}
		}, [][]metrics.Spell{in(), in()}, journal.Inconclusive, journal.AlertUnseen, "10s"},
		"nothing was scraped before": {wants, 60, func(h *alertHistory) {
			h.gaps = []metrics.Gap{{From: alertsBegan, To: alertsBegan.Add(10 * time.Second)}}
		}, [][]metrics.Spell{in(), in()}, journal.Refuted, journal.AlertMissing, ""},
		"too little history, and fires":     {wants, 20, looksBack(31), [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertShortHistory, "the rule looks back 31s, and only 29.9s were recorded before the fault"},
		"too little history, and is late":   {wants, 10, looksBack(31), [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertShortHistory, "31s"},
		"too little history, and does not":  {wants, 20, looksBack(31), [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertShortHistory, "31s"},
		"too little history, and must not":  {refuses, 0, looksBack(31), [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertShortHistory, "31s"},
		"too little history, and unwanted":  {refuses, 0, looksBack(31), [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertShortHistory, "31s"},
		"too little history, and stopped":   {wants, 20, func(h *alertHistory) { looksBack(31)(h); h.Stopped = true }, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertStopped, ""},
		"just enough history":               {wants, 20, looksBack(29.9), [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Held, journal.AlertFired, ""},
		"just enough history, and quiet":    {refuses, 0, looksBack(29.9), [][]metrics.Spell{in()}, journal.Held, journal.AlertQuiet, ""},
		"evaluated too rarely":              {wants, 60, rule(func(r *metrics.ReplayedRule) { r.Rule.Interval = time.Minute }), [][]metrics.Spell{in(), in()}, journal.Inconclusive, journal.AlertTooRare, "every 1m"},
		"more rarely than one of several":   {refuses, 0, func(h *alertHistory) { h.Deeds.shortest = 900 * time.Millisecond }, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertTooRare, "the shortest fault was in force for 900ms"},
		"the fault ended early":             {wants, 20, func(h *alertHistory) { h.EndedEarly = "it was unpaused" }, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertFaultEnded, "unpaused"},
		"never, and the fault ended early":  {wants, 20, func(h *alertHistory) { h.EndedEarly = "it was unpaused" }, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertFaultEnded, "unpaused"},
		"the fault hit nothing":             {wants, 20, func(h *alertHistory) { h.HitNothing = "no packet" }, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertHitNothing, "no packet"},
		"stopped":                           {wants, 20, func(h *alertHistory) { h.Stopped = true }, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertStopped, ""},
		"not injected":                      {wants, 20, func(h *alertHistory) { h.Injected = false }, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.NotTested, journal.AlertNotInjected, ""},
		"a sham run":                        {wants, 20, func(h *alertHistory) { h.Sham = true }, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.NotTested, journal.AlertSham, ""},
		"the gate was not met":              {wants, 20, func(h *alertHistory) { h.FaultStart, h.replayed = time.Time{}, nil }, nil, journal.NotTested, journal.AlertNotStarted, ""},
		"stopped before the fault":          {wants, 20, func(h *alertHistory) { h.FaultStart, h.replayed, h.Stopped = time.Time{}, nil, true }, nil, journal.NotTested, journal.AlertStopped, ""},
		"not replayed":                      {wants, 20, func(h *alertHistory) { h.replayed, h.failed = nil, "took too long" }, nil, journal.Inconclusive, journal.AlertNotReplayed, "took too long"},
		"the server has no such rule":       {wants, 20, func(h *alertHistory) { h.replayed.Rules[0].Rule.Alert = "B" }, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertUnseen, "no rule"},
		"must not, and does not":            {refuses, 0, nil, [][]metrics.Spell{in(), in()}, journal.Held, journal.AlertQuiet, ""},
		"must not, and is only pending":     {refuses, 0, nil, [][]metrics.Spell{in(spell(30.5, 0, 40)), in(spell(30.5, 0, 40))}, journal.Held, journal.AlertQuiet, ""},
		"must not, and does":                {refuses, 0, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Refuted, journal.AlertUnwanted, ""},
		"must not, and does in one phase":   {refuses, 0, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in()}, journal.Inconclusive, journal.AlertByPhase, ""},
		"must not in time, and does later":  {refuses, 10, nil, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Held, journal.AlertQuiet, ""},
		"must not, and fired already":       {refuses, 0, nil, [][]metrics.Spell{in(spell(10, 25, 70)), in(spell(10, 25, 70))}, journal.Inconclusive, journal.AlertAlready, ""},
		"must not, and was pending already": {refuses, 0, nil, [][]metrics.Spell{in(spell(25, 0, 31)), in(spell(25, 0, 31))}, journal.Held, journal.AlertQuiet, ""},
		"must not, pending before, fires":   {refuses, 0, nil, [][]metrics.Spell{in(spell(25, 40, 70)), in(spell(25, 40, 70))}, journal.Inconclusive, journal.AlertAlready, ""},
		"must not, and could not see":       {refuses, 0, rule(func(r *metrics.ReplayedRule) { r.Unseen = "no series matched x" }), [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertUnseen, "no series"},
		"must not, and what it reads went":  {refuses, 0, lost(40, 50), [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertUnseen, "no series matched x from 10:00:40.000 UTC to 10:00:50.000 UTC"},
		"must not, and it went before":      {refuses, 0, lost(10, 20), [][]metrics.Spell{in()}, journal.Held, journal.AlertQuiet, ""},
		"must not in time, and it went":     {refuses, 5, lost(40, 50), [][]metrics.Spell{in()}, journal.Held, journal.AlertQuiet, ""},
		"must, and what it reads went":      {wants, 60, lost(40, 50), [][]metrics.Spell{in()}, journal.Refuted, journal.AlertMissing, ""},
		"must not, and is evaluated rarely": {refuses, 0, rule(func(r *metrics.ReplayedRule) { r.Rule.Interval = time.Minute }), [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertTooRare, ""},
		"must not, does, and was stopped":   {refuses, 0, func(h *alertHistory) { h.Stopped = true }, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Refuted, journal.AlertUnwanted, ""},
		"must not, and hit nothing":         {refuses, 0, func(h *alertHistory) { h.HitNothing = "no packet" }, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertHitNothing, ""},
		"a server's fires":                  {wants, 20, server, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Held, journal.AlertFired, ""},
		"a server's, in its phase alone":    {wants, 20, server, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 0, 45))}, journal.Inconclusive, journal.AlertByPhase, ""},
		"a server's, in another phase":      {wants, 20, server, [][]metrics.Spell{in(spell(30.5, 0, 45)), in(spell(30.6, 45.6, 70))}, journal.Inconclusive, journal.AlertByPhase, ""},
		"a server's is late":                {wants, 14, server, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in(spell(30.6, 45.6, 70))}, journal.Refuted, journal.AlertLate, ""},
		"a server's is pending":             {wants, 60, server, [][]metrics.Spell{in(spell(30.5, 0, 40)), in(spell(30.6, 0, 40))}, journal.Refuted, journal.AlertMissing, ""},
		"a server's must not, and is quiet": {refuses, 0, server, [][]metrics.Spell{in(), in()}, journal.Held, journal.AlertQuiet, ""},
		"must not, and would in another":    {refuses, 0, server, [][]metrics.Spell{in(), in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertByPhase, ""},
		"must not, and did":                 {refuses, 0, server, [][]metrics.Spell{in(spell(30.5, 45.5, 70)), in()}, journal.Refuted, journal.AlertUnwanted, ""},
		"must not, and nobody can tell":     {refuses, 0, unswept, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertNotReplayed, "no answer"},
		"it did, and nobody can tell more":  {refuses, 0, unswept, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Refuted, journal.AlertUnwanted, ""},
		"fires, and nobody can tell more":   {wants, 20, unswept, [][]metrics.Spell{in(spell(30.5, 45.5, 70))}, journal.Inconclusive, journal.AlertNotReplayed, "no answer"},
		"nobody can tell, and it stopped":   {wants, 60, func(h *alertHistory) { unswept(h); h.Stopped = true }, [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertStopped, ""},
		"what it needs is evaluated rarely": {refuses, 0, rule(func(r *metrics.ReplayedRule) { r.Rule.Needs = time.Minute }), [][]metrics.Spell{in()}, journal.Inconclusive, journal.AlertTooRare, "every 1m"},
	} {
		t.Run(name, func(t *testing.T) {
			h := alertsAt(c.change, c.phases...)
			claim := &scenarios.Alert{Name: "A", Fires: c.fires, Within: time.Duration(c.within * float64(time.Second))}
			v := judgeAlert(claim, h.see("A", true), h)
			if v.Verdict != c.verdict || v.Reason != c.reason || !strings.Contains(v.Detail, c.detail) {
				t.Errorf("%+v, want %s (%s) %q", v, c.verdict, c.reason, c.detail)
			}
		})
	}
}

// What is seen of an alert is summed up over the phases, and over the rules that make it.
func TestAlertsSeen(t *testing.T) {
	h := alertsAt(nil, []metrics.Spell{spell(5, 20, 25), spell(30.5, 45.5, 70)}, []metrics.Spell{spell(30.6, 45.6, 70.1), spell(80, 0, 0)})
	other := metrics.ReplayedRule{Rule: metrics.AlertRule{Alert: "A", Interval: 2 * time.Second, For: time.Minute}, Phases: []metrics.RulePhase{{Spells: []metrics.Spell{spell(31, 0, 60)}}, {Offset: 200 * time.Millisecond}}}
	b := metrics.ReplayedRule{Rule: metrics.AlertRule{Alert: "B", Interval: time.Second}, Phases: []metrics.RulePhase{{Spells: []metrics.Spell{spell(40, 40, 0)}}, {}}}
	quiet := metrics.ReplayedRule{Rule: metrics.AlertRule{Alert: "C", Interval: time.Second}, Phases: []metrics.RulePhase{{}, {}}}
	h.replayed.Rules = append(h.replayed.Rules, other, b, quiet)
	claims := []*scenarios.Alert{{Name: "A", Fires: true, Within: 20 * time.Second}}
	if got := strings.Join(h.names(claims), " "); got != "A B C" {
		t.Error(got)
	}
	a := h.see("A", true)
	e := a.event
	if e.Pended != 2 || e.Fired != 2 || time.Duration(e.Firing.AtLeast) != 15500*time.Millisecond || time.Duration(e.Firing.AtMost) != 15700*time.Millisecond ||
		time.Duration(e.Resolved.AtLeast) != 40*time.Second || time.Duration(e.Pending.AtMost) != 700*time.Millisecond {
		t.Errorf("%+v", e)
	}
	if e.Before == nil || *e.Before != (journal.NoiseBefore{Pended: 1, Fired: 1}) || e.Noise != "" || e.AtEnd != journal.AlertPending || time.Duration(e.For) != time.Minute ||
		time.Duration(e.Step) != time.Second || time.Duration(e.Phases[1].Offset) != 200*time.Millisecond || len(e.Labels) != 1 {
		t.Errorf("%+v", e)
	}
	seenB := h.see("B", false)
	if !seenB.restless() || seenB.event.Fired != 1 || seenB.event.AtEnd != journal.AlertFiring || h.see("C", false).restless() {
		t.Errorf("%+v", seenB.event)
	}
	sum := h.sum(claims, []alertSeen{a, seenB, h.see("C", false)})
	if sum.Expected != 1 || sum.Fired != 1 || len(sum.Missing) != 0 || strings.Join(sum.Unexpected, " ") != "B" || strings.Join(sum.Noise, " ") != "A" || sum.Alerts != 3 || sum.Unknown != nil {
		t.Errorf("%+v", sum)
	}
}

// An alert that had to fire, and whose rule had too little history, counts neither as fired nor as missing.
func TestAlertsSummedWithLittleHistory(t *testing.T) {
	claims := []*scenarios.Alert{{Name: "A", Fires: true, Within: 20 * time.Second}}
	for _, spells := range [][]metrics.Spell{{spell(30.5, 45.5, 70)}, nil} {
		h := alertsAt(func(h *alertHistory) { h.replayed.Rules[0].Rule.Lookback = time.Minute }, spells)
		if sum := h.sum(claims, []alertSeen{h.see("A", true)}); sum.Expected != 1 || sum.Fired != 0 || len(sum.Missing) != 0 {
			t.Errorf("%+v", sum)
		}
	}
}

// What a server recorded is known up to an interval of its rule on either side; none of it comes before the effect, which is known up to 0.1 s.
func TestServerAlertsSeen(t *testing.T) {
	h := alertsAt(func(h *alertHistory) { h.by = journal.AlertServer }, []metrics.Spell{spell(30.5, 45.5, 70)})
	e := h.see("A", true).event
	for what, c := range map[string]struct {
		got     *journal.AlertDelay
		at      *time.Time
		from    float64
		to      float64
		instant float64
	}{
		"pending":  {e.Pending, e.Phases[0].Pending, -0.1, 1.5, 30.5},
		"firing":   {e.Firing, e.Phases[0].Firing, 14.5, 16.5, 45.5},
		"resolved": {e.Resolved, e.Phases[0].Resolved, 39, 41, 70},
	} {
		second := func(s float64) time.Time { return alertsBegan.Add(time.Duration(s * float64(time.Second))) }
		if c.got == nil || !c.got.First.Equal(second(30+c.from)) || !c.got.Last.Equal(second(30+c.to)) || time.Duration(c.got.AtLeast).Seconds() != max(0, c.from) ||
			time.Duration(c.got.AtMost).Seconds() != c.to+0.1 || !c.at.Equal(second(c.instant)) {
			t.Errorf("%s: %+v, %s", what, c.got, c.at)
		}
	}
	if time.Duration(e.Step) != time.Second {
		t.Error(e.Step)
	}
}

// An alert that nobody claims anything of, and that did not fire, is quiet only if its rule could be followed.
func TestAlertsUnknown(t *testing.T) {
	h := alertsAt(nil, []metrics.Spell{spell(30.5, 45.5, 70)}, []metrics.Spell{spell(30.6, 45.6, 70)})
	add := func(name, unseen string, failed []metrics.FailedEvaluation, spells ...metrics.Spell) {
		h.replayed.Rules = append(h.replayed.Rules, metrics.ReplayedRule{Rule: metrics.AlertRule{Alert: name, Interval: time.Second}, Unseen: unseen,
			Phases: []metrics.RulePhase{{Spells: spells}, {Failed: failed}}})
	}
	broken := []metrics.FailedEvaluation{{At: alertsBegan.Add(40 * time.Second), Error: "many-to-many matching"}}
	early := []metrics.FailedEvaluation{{At: alertsBegan.Add(20 * time.Second), Error: "many-to-many matching"}}
	add("Broken", "", broken)
	add("Early", "", early)
	add("Fired", "", broken, spell(40, 40, 50))
	add("Gone", "no series matched x", nil)
	add("Lost", "no series matched x", nil)
	add("Quiet", "", nil)
	add("Farsighted", "", nil)
	h.replayed.Rules[len(h.replayed.Rules)-1].Rule.Lookback = time.Minute
	add("Vanished", "", nil)
	h.replayed.Rules[len(h.replayed.Rules)-1].Lost = []metrics.Loss{{Gap: metrics.Gap{From: alertsBegan.Add(40 * time.Second), To: h.End}, Of: "y", Forever: true}}
	claims := []*scenarios.Alert{{Name: "A", Fires: true, Within: 20 * time.Second}}
	var all []alertSeen
	for _, name := range h.names(claims) {
		all = append(all, h.see(name, name == "A"))
	}
	got := h.sum(claims, all).Unknown
	if len(got) != 4 || got[3].Why != "no series matched y any more after 10:00:40.000 UTC" || strings.Join(got[3].Alerts, " ") != "Vanished" ||
		got[1].Why != "the rule looks back 1m, and only 29.9s were recorded before the fault" || strings.Join(got[1].Alerts, " ") != "Farsighted" || got[0].Why != "the rule could not be evaluated: many-to-many matching" || strings.Join(got[0].Alerts, " ") != "Broken" ||
		got[2].Why != "no series matched x" || strings.Join(got[2].Alerts, " ") != "Gone Lost" {
		t.Errorf("%+v", got)
	}
}

// Of several short faults the shortest counts, and not the time from the first to the last with the pauses between them.
func TestShortestFault(t *testing.T) {
	at := func(s float64) time.Time { return alertsBegan.Add(time.Duration(s * float64(time.Second))) }
	h := alertHistory{History: History{LastUndo: at(63)}}
	for i, name := range []string{"a", "b"} {
		from := 30 + 30*float64(i)
		h.Deeds.take(journal.Event{Time: at(from), Payload: &journal.FaultInjected{Fault: name, Called: at(from)}})
		h.Deeds.take(journal.Event{Time: at(from), Payload: &journal.FaultVerified{Fault: name, Effect: at(from)}})
		h.Deeds.take(journal.Event{Time: at(from + 2), Payload: &journal.UndoStarted{Fault: name}})
		h.Deeds.take(journal.Event{Time: at(from + 2), Payload: &journal.UndoVerified{Fault: name, At: at(from + 2 + float64(i))}})
	}
	if got := h.faultLength(); got != 2*time.Second {
		t.Error(got)
	}
}

// The plan holds a rule, with the recording rules that it needs, against the shortest fault, as its verdict does.
func TestRulesAreHeldAgainstTheShortestFault(t *testing.T) {
	for name, c := range map[string]struct {
		lasts []time.Duration
		rule  metrics.AlertRule
		blind bool
	}{
		"two long ones":                 {[]time.Duration{20 * time.Second, 20 * time.Second}, metrics.AlertRule{Interval: 15 * time.Second}, false},
		"a short one among long ones":   {[]time.Duration{20 * time.Second, 10 * time.Second, 0}, metrics.AlertRule{Interval: 15 * time.Second}, true},
		"one that only begins":          {[]time.Duration{0, 20 * time.Second}, metrics.AlertRule{Interval: 15 * time.Second}, false},
		"it needs a rare recording":     {[]time.Duration{20 * time.Second}, metrics.AlertRule{Interval: 15 * time.Second, Needs: time.Minute}, true},
		"it needs a frequent recording": {[]time.Duration{20 * time.Second}, metrics.AlertRule{Interval: 15 * time.Second, Needs: time.Second}, false},
	} {
		p := &Plan{Scenario: &scenarios.Scenario{}}
		for _, d := range c.lasts {
			p.Faults = append(p.Faults, PlannedFault{Fault: &scenarios.Fault{Duration: d}})
		}
		if spots := p.blindRules([]metrics.AlertRule{c.rule}); len(spots) > 0 != c.blind {
			t.Errorf("%s: %+v", name, spots)
		}
	}
}
