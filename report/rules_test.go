package report

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

// known is every time, duration and number that a piece of evidence holds, lengths of lists included.
type known struct {
	times   []time.Time
	spans   []time.Duration
	numbers []float64
}

func (k *known) read(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			k.read(x)
		}
	case []any:
		k.numbers = append(k.numbers, float64(len(v)))
		for _, x := range v {
			k.read(x)
		}
	case float64:
		k.numbers = append(k.numbers, v)
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			k.times = append(k.times, t)
		} else if d, err := time.ParseDuration(v); err == nil {
			k.spans = append(k.spans, d)
		}
		switch v {
		case "NaN":
			k.numbers = append(k.numbers, math.NaN())
		case "+Inf":
			k.numbers = append(k.numbers, math.Inf(1))
		case "-Inf":
			k.numbers = append(k.numbers, math.Inf(-1))
		}
	}
}

func knownOf(t *testing.T, x *Index, ids []string) *known {
	k := &known{}
	add := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var x any
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatal(err)
		}
		k.read(x)
	}
	for _, id := range ids {
		for _, e := range x.Events {
			if e.ID == id {
				add(e.Event)
				if d, ok := e.Event.Payload.(*journal.Declared); ok { // a list that is not there counts as empty
					k.numbers = append(k.numbers, float64(len(d.Hypotheses)), float64(len(d.Guardrails)), float64(len(d.Faults)))
				}
			}
		}
		for _, q := range x.Queries {
			if q.ID == id {
				add(q.Every)
				if q.Query != nil {
					add(q.Query.Samples)
				}
			}
		}
	}
	return k
}

func (k *known) time(t time.Time) bool {
	return slices.ContainsFunc(k.times, func(x time.Time) bool { return x.Equal(t) })
}

// span is a duration that is recorded, or lies between two recorded times.
func (k *known) span(d time.Duration) bool {
	if d == 0 || slices.Contains(k.spans, d) {
		return true
	}
	for _, a := range k.times {
		if k.time(a.Add(d)) {
			return true
		}
	}
	return false
}

func (k *known) number(f float64) bool {
	return slices.ContainsFunc(k.numbers, func(x float64) bool {
		return x == f || x == -f || math.IsNaN(x) && math.IsNaN(f)
	})
}

// values checks the arguments of a phrase against what its evidence holds, and returns what it does not hold.
func (k *known) values(d *Draft, args []Value, ids []string) []Value {
	var wrong []Value
	for _, v := range args {
		ok := true
		switch v := v.(type) {
		case Count:
			ok = k.number(float64(v.N))
			if v.Of != nil {
				ok = len(v.Of) == v.N
				for _, id := range v.Of {
					ok = ok && slices.Contains(ids, id)
				}
			}
		case Num:
			ok = k.number(float64(v))
		case Percent:
			ok = k.number(float64(v))
		case Seed:
			ok = true // beyond what a float64 holds exactly; the event is cited
		case Place, Tally, Verdict:
		case Dur:
			ok = k.span(time.Duration(v))
		case At:
			ok = k.time(time.Time(v))
		case TimeOfDay:
			ok = k.time(time.Time(v))
		case Since:
			ok = k.time(time.Time(v))
		case Date:
			ok = k.time(time.Time(v))
		case Between:
			ok = k.time(v.First) && (v.After == nil || k.time(*v.After))
		case Lasting:
			ok = k.span(v.AtLeast) && k.span(v.AtMost)
		case Against:
			ok = k.number(float64(v.Value)) && (v.Bound == nil || k.number(float64(*v.Bound)))
		case Word:
			ok = !strings.ContainsAny(string(v), "0123456789")
		case List:
			wrong = append(wrong, k.values(d, v, ids)...)
		case Inner:
			wrong = append(wrong, k.values(d, v.Args, ids)...)
		case Name, Quote, Prose, Command, Labels:
		default:
			ok = false
		}
		if !ok {
			wrong = append(wrong, v)
		}
	}
	return wrong
}

var (
	causal   = regexp.MustCompile(`(?i)\b(because|caus(e|ed|es|ing)|due to|led to|leads to|result(ed|s) in|thanks to|root|fault of|so that)\b`)
	judging  = regexp.MustCompile(`(?i)\b(pass|fail|passes|fails|TODO|should have|outage|error of|unfortunately|luckily)\b`)
	hasDigit = regexp.MustCompile(`[0-9]`)
)

// Everything that a machine may not write is looked for in every sentence and every cell of every story.
func TestRulesForMachineText(t *testing.T) {
	for name, rec := range stories() {
		d := Build(rec)
		if err := d.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		check := func(section string, p Phrase, ids []string) {
			text := p.plainText(d.Clock)
			templates := []string{p.Template}
			var inner func([]Value)
			inner = func(args []Value) {
				for _, a := range args {
					switch a := a.(type) {
					case Inner:
						templates = append(templates, a.Template)
						inner(a.Args)
					case Word:
						templates = append(templates, string(a))
					case List:
						inner(a)
					}
				}
			}
			inner(p.Args)
			for _, tmpl := range templates {
				if m := causal.FindString(tmpl); m != "" {
					t.Errorf("%s, %s: %q explains (%s)", name, section, tmpl, m)
				}
				if m := judging.FindString(tmpl); m != "" {
					t.Errorf("%s, %s: %q judges (%s)", name, section, tmpl, m)
				}
				if hasDigit.MatchString(strings.ReplaceAll(tmpl, "sha256", "")) {
					t.Errorf("%s, %s: %q has a number that is no value", name, section, tmpl)
				}
			}
			if wrong := knownOf(t, d.Index, ids).values(d, p.Args, ids); len(wrong) > 0 {
				t.Errorf("%s, %s: %q: %#v is not in the evidence %v", name, section, text, wrong, ids)
			}
		}
		for _, s := range d.Sections {
			if len(s.Items) == 0 {
				t.Errorf("%s: section %s is empty", name, s.ID)
			}
			for i, item := range s.Items {
				if _, heading := item.(Heading); heading && (i+1 == len(s.Items) || isHeading(s.Items[i+1])) {
					t.Errorf("%s: an empty heading in %s", name, s.ID)
				}
				if h, ok := item.(Heading); ok && h.Verdict == journal.Refuted && !strings.HasPrefix(h.Text.Template, "Learned: ") {
					t.Errorf("%s: a refuted hypothesis is headed %q", name, h.Text.Template)
				}
				for _, x := range sentences(item) {
					check(s.ID, x.phrase(), x.Evidence)
				}
				for _, r := range rows(item) {
					for _, c := range r.Cells {
						check(s.ID, c, r.Evidence)
					}
				}
				switch i := item.(type) {
				case Para:
					if len(i) == 0 {
						t.Errorf("%s: an empty paragraph in %s", name, s.ID)
					}
				case Points:
					for _, p := range i {
						if len(p) == 0 {
							t.Errorf("%s: an empty point in %s", name, s.ID)
						}
					}
					if len(i) == 0 {
						t.Errorf("%s: an empty list in %s", name, s.ID)
					}
				case Table:
					if len(i.Rows) == 0 {
						t.Errorf("%s: an empty table in %s", name, s.ID)
					}
				}
			}
		}
	}
}

func isHeading(i Item) bool { _, ok := i.(Heading); return ok }

// The uncertainty that sampling leaves is written out.
func TestUncertaintyIsWrittenOut(t *testing.T) {
	md := string(Build(stories()["refuted"]).Markdown())
	for _, want := range []string{
		"it began between 10:05:04 and 10:05:05 (T+4 s, 1 s between samples)",
		"between 6.97 s and 7.97 s after the last undo",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft does not say %q", want)
		}
	}
}

func TestVerdictsOfARecordThatEndsTooSoon(t *testing.T) {
	d := Build(killedRun())
	got := map[string]journal.Verdict{}
	for _, h := range d.facts.hypotheses {
		got[h.Name] = h.verdict
	}
	if got["checkout_stays_quick"] != journal.Refuted || got["checkout_keeps_working"] != journal.Inconclusive {
		t.Errorf("verdicts are %v", got)
	}
	md := string(d.Markdown())
	for _, want := range []string{"gameday recover runs/" + d.facts.rec.Name, "unpause shop-store-1", "the record ends before it was judged", "the last line is cut off", "The last event is `target.changed`"} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft does not say %q", want)
		}
	}
	if d.Sections[0].ID != "attention" {
		t.Errorf("the first section is %s", d.Sections[0].ID)
	}
	if s, ok := Build(recoveredRun()).facts.attention(); ok && strings.Contains(string(Build(recoveredRun()).Markdown()), "A person is needed") {
		t.Errorf("a fault that recover has undone is still shown as open: %+v", s)
	}
}
