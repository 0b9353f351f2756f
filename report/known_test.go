package report

import (
	"strings"
	"testing"

	"gameday/runner/journal"
)

// What is noted long after the time that it speaks of shows nothing of what was known then: it stands there with both times, and no delay
// is measured to the time that it speaks of.
func TestWhenPeopleSpoke(t *testing.T) {
	observed := note(journal.NoteObservation, "Checkout hangs.", 34)
	acted := note(journal.NoteAction, "restarted the api", 60)
	tell := func(seconds ...float64) string {
		s := refutedRun().end(400, journal.OutcomeRefuted, 3)
		s.say(seconds[0], "sre", observed).say(seconds[1], "dba", acted)
		for _, b := range breaches(t, Build(s.rec)) {
			t.Error(b)
		}
		return string(Build(s.rec).Markdown())
	}
	for _, tt := range []struct {
		seconds      []float64
		want, absent []string
	}{
		{[]float64{35, 61}, []string{
			"The first that people noted was `Checkout hangs.`, by `sre`, 4.79 s after the first effect. [N1]",
			"held for good from 10:05:39 (T+38 s); the nearest action before that was at 10:05:31 (T+30 s), 8 s earlier, by `dba`: `restarted the api`.",
			"| `sre` (`observation`): `Checkout hangs.` | yes | [N1] |",
			"- 10:05:05 (T+4 s) (`observation`): `Checkout hangs.`",
		}, []string{"noted at"}},
		{[]float64{320, 61}, []string{
			"The first that people noted was `restarted the api`, by `dba`, 30.8 s after the first effect. [N2]",
			"| `sre` (`observation`): `Checkout hangs.` | noted at 10:09:51 (T+4 min 50 s) | [N1] |",
			"- 10:05:05 (T+4 s) (`observation`, noted at 10:09:51 (T+4 min 50 s)): `Checkout hangs.`",
			"the record has no word of anybody for 4 min 19 s, until 10:09:51 (T+4 min 50 s) | – |",
		}, nil},
		{[]float64{330, 320}, []string{
			"The first that people noted was `restarted the api`, by `dba`, 4 min 50 s after the first effect; it speaks of 10:05:31 (T+30 s). [N2]",
			"was at 10:05:31 (T+30 s), 8 s earlier, by `dba` (noted at 10:09:51 (T+4 min 50 s)): `restarted the api`.",
			"| `dba` (noted at 10:09:51 (T+4 min 50 s)) | `restarted the api` |",
		}, nil},
		{[]float64{700, 710}, []string{
			"What people saw and did after the first effect was noted after the run only, from 10:16:11 (T+11 min 10 s) on. [N1]",
			"the record has no word of anybody for 6 min 40 s, until 10:11:11",
		}, []string{"The first that people noted"}},
	} {
		md := tell(tt.seconds...)
		for _, w := range tt.want {
			if !strings.Contains(md, w) {
				t.Errorf("noted at %v: the draft has no %q", tt.seconds, w)
			}
		}
		for _, w := range tt.absent {
			if strings.Contains(md, w) {
				t.Errorf("noted at %v: the draft has %q", tt.seconds, w)
			}
		}
	}
	if md := string(Build(refutedRun().end(400, journal.OutcomeRefuted, 3).rec).Markdown()); strings.Contains(md, knownColumn) {
		t.Error("where nobody noted anything, the timeline asks what was known then")
	}
}

// An alert counts as known when it fires and the run sees it, and not when it is told of afterwards or was muted.
func TestAlertsKnownThen(t *testing.T) {
	s := &story{alertHeldRun()}
	s.say(40, "sre", note(journal.NoteObservation, "It is red.", 40))
	n := 0
	for i, e := range s.rec.Events {
		if p, ok := e.Payload.(*journal.AlertChanged); ok && p.To == journal.AlertFiring {
			n++
			f := gather(s.rec)
			e.Time = p.At
			if m := f.describe(EventEvidence{ID: e.ID(), Event: e}); f.knownThen(m).plainText(f.clock) != "yes" {
				t.Errorf("%s: %v", e.ID(), f.knownThen(m))
			}
			s.rec.Events[i].Time = p.At.Add(2 * hindsight)
			if m := f.describe(EventEvidence{ID: e.ID(), Event: s.rec.Events[i]}); f.knownThen(m).plainText(f.clock) != "–" {
				t.Errorf("%s, seen late: %v", e.ID(), f.knownThen(m))
			}
		}
	}
	if n == 0 {
		t.Error("no alert fires")
	}
}
