package report

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

// values checks the arguments of a phrase against what its evidence holds, and returns what it does not hold.
func (k *known) values(d *Draft, args []Value, ids []string) []Value {
	return append(k.within(d, args, ids, numbersIn(args)), k.strangers(args)...)
}

// numbersIn are the values of metrics that a phrase names: a sample's time may stand beside its value.
func numbersIn(args []Value) []float64 {
	var out []float64
	for _, v := range args {
		switch v := v.(type) {
		case Num:
			out = append(out, float64(v))
		case Against:
			out = append(out, float64(v.Value))
		case List:
			out = append(out, numbersIn(v)...)
		case Inner:
			out = append(out, numbersIn(v.Args)...)
		}
	}
	return out
}

func (k *known) within(d *Draft, args []Value, ids []string, shown []float64) []Value {
	var wrong []Value
	at := func(t time.Time) bool { return k.time(t) || k.sampled(t, shown) }
	for _, v := range args {
		ok := true
		switch v := v.(type) {
		case Count:
			ok = slices.Contains(k.counts, v.N) || slices.Contains(k.lengths, v.N)
			if v.Of != nil {
				ok = len(v.Of) == v.N
				for _, id := range v.Of {
					ok = ok && slices.Contains(ids, id)
				}
			}
		case Tally:
			ok = k.tally(d, v)
		case Num:
			ok = k.value(float64(v))
		case Percent:
			ok = k.value(float64(v))
		case Seed:
			ok = v == Seed(d.facts.started.p.Seed)
		case Place:
			ok = slices.Contains(k.counts, int(v))
		case Verdict:
			ok = slices.Contains(k.verdicts, journal.Verdict(v))
		case Quote:
			ok = k.text(string(v))
		case Name:
			ok = k.name(string(v))
		case Prose:
			ok = k.text(string(v))
		case Dur:
			ok = slices.Contains(k.spans, time.Duration(v))
		case Span:
			ok = k.time(v.From) && k.time(v.To) && (v.Latest == nil || k.time(*v.Latest))
		case At:
			ok = at(time.Time(v))
		case By:
			ok = at(time.Time(v))
		case Exact:
			ok = k.time(time.Time(v))
		case TimeOfDay:
			ok = k.time(time.Time(v))
		case Since:
			ok = k.time(time.Time(v))
		case Days:
			ok = k.time(v.From) && k.time(v.To)
		case Date:
			ok = k.time(time.Time(v))
		case Between:
			ok = slices.ContainsFunc(k.between, func(b Between) bool {
				return b.First.Equal(v.First) && (v.After == nil || b.After != nil && b.After.Equal(*v.After))
			})
		case Lasting:
			ok = slices.Contains(k.limits, v)
		case Against:
			ok = k.point(v.Value, v.Op, v.Bound)
		case Left:
			ok = v.Bound != nil && k.point(v.Value, v.Op, v.Bound)
		case Halfway:
			text, least, most := words("{}", v).plainText(d.Clock), min(v.Value, v.Bound), max(v.Value, v.Bound)
			x, err := strconv.ParseFloat(strings.ReplaceAll(text, "−", "-"), 64)
			middle := float64(v.Value)/2 + float64(v.Bound)/2
			ok = k.value(float64(v.Value)) && k.value(float64(v.Bound)) && err == nil && float64(least) < x && x < float64(most) && math.Abs(x-middle) <= 0.051*math.Abs(middle)
		case Doubled:
			ok = slices.Contains(k.spans, time.Duration(v)) && words("{}", v).plainText(d.Clock) == words("{}", Dur(2*v)).plainText(d.Clock)
		case DoubledPercent:
			ok = k.value(float64(v)) && words("{}", v).plainText(d.Clock) == words("{}", Num(min(100, 2*v))).plainText(d.Clock)
		case Bytes:
			ok = slices.Contains(k.counts, int(v))
		case Word:
			ok = !strings.ContainsAny(string(v), "0123456789")
		case List:
			wrong = append(wrong, k.within(d, v, ids, shown)...)
		case Inner:
			wrong = append(wrong, k.within(d, v.Args, ids, shown)...)
		case Elsewhere:
			asked, aerr := url.Parse(d.facts.started.p.Source.URL)
			u, err := url.Parse(v.URL)
			ok = err == nil && aerr == nil && u.Scheme == asked.Scheme && u.Host == asked.Host && k.name(u.Query().Get("g0.expr"))
		case Command:
			ok = k.command(d, string(v))
		case Labels:
			ok = slices.ContainsFunc(k.labels, func(has map[string]string) bool {
				for name, x := range v {
					if y, is := has[name]; !is || x != y {
						return false
					}
				}
				return len(v) > 0 || len(has) == 0
			})
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
	causal   = regexp.MustCompile(`(?i)\b(because|caus(e|ed|es|ing)|due to|led to|leads to|result(ed|s) in|thanks to|root|fault of|so that|so (no|nothing|none)|as a result|hence|therefore|trigger(s|ed)?|made|brought|owing to)\b`)
	judging  = regexp.MustCompile(`(?i)\b(pass|fail|passes|fails|TODO|should have|outage|error of|unfortunately|luckily)\b`)
	hasDigit = regexp.MustCompile(`[0-9]`)
)

// Everything that a machine may not write is looked for in every sentence and every cell of every story.
func TestRulesForMachineText(t *testing.T) {
	for name, rec := range stories() {
		for _, b := range breaches(t, Build(rec)) {
			t.Errorf("%s, %s", name, b)
		}
	}
}

// The rules catch what they are for: each of these is one sentence too many in a draft that is right.
func TestRulesCatchWhatBreaksThem(t *testing.T) {
	rec := stories()["refuted"]
	wrong := at(3.25)
	point := func(i int) *journal.Point {
		x := rec.Queries["Q2"].Samples[i].Series[0]
		return &journal.Point{Value: x.Value, Op: x.Op, Bound: x.Bound}
	}
	for what, x := range map[string]Sentence{
		"no evidence":           {Template: "Nothing was seen."},
		"evidence not there":    say([]string{"E99"}, "Nothing was seen."),
		"a causal verb":         say([]string{"E1"}, "The store froze, which led to failures."),
		"a causal word, inside": say([]string{"E1"}, "The store froze {}.", Word("because it could")),
		"a judging word":        say([]string{"E1"}, "The checkout should have held."),
		"a number in words":     say([]string{"E1"}, "There were 3 of them."),
		"a wrong count":         say([]string{"E2"}, "There were {}.", Count{N: 77}),
		"a count of others":     say([]string{"E2"}, "There was {}.", Count{N: 1, Of: []string{"E3"}}),
		"a wrong value":         say([]string{"Q2"}, "It was {}.", Num(4.21)),
		"a wrong bound":         say([]string{"Q2"}, "It was {}.", Against{Value: rec.Queries["Q2"].Samples[3].Series[0].Value, Op: "<", Bound: num(0.6)}),
		"a value of others":     say([]string{"E1"}, "It was {}.", Num(0.5)),
		"a wrong time":          say([]string{"E1"}, "It was {}.", At(wrong)),
		"a wrong limit":         say([]string{"E1"}, "It was so {}.", By(wrong)),
		"a wrong length":        say([]string{"E1"}, "It took {}.", Dur(7*time.Second)),
		"a wrong sample":        say([]string{"Q2"}, "It was {}.", Between{nil, wrong}),
		"between other times":   say([]string{"E1", "Q2"}, "It took {}.", Dur(rec.Queries["Q2"].Samples[7].At.Sub(rec.Queries["Q2"].Samples[3].At))),
		"a span of samples":     say([]string{"Q2"}, "It took {}.", Span{From: rec.Queries["Q2"].Samples[3].At, To: rec.Queries["Q2"].Samples[7].At}),
		"a sample's time":       say([]string{"Q2"}, "It was {} {}.", Against{Value: point(3).Value, Op: point(3).Op, Bound: point(3).Bound}, At(rec.Queries["Q2"].Samples[44].At)),
		"a bound of others":     say([]string{"Q2"}, "It was {}.", Against{Value: point(3).Value, Op: ">", Bound: point(3).Bound}),
		"labels of nothing":     say([]string{"E2", "Q2"}, "It was {}.", Labels{"job": "nothing"}),
		"a command of others":   say([]string{"E1"}, "To undo it: {}", Command("gameday recover runs/another")),
		"a tally of nothing":    say([]string{"E2"}, "There are {}.", Tally{"nothing"}),
		"counted twice":         say([]string{"E2"}, "There are {}.", Tally{"checkout_stays_quick", "checkout_stays_quick"}),
		"a part of a name":      say([]string{"E2"}, "It is {}.", Name("checkout_stays")),
		"a name beside it":      say([]string{"E2", "Q2"}, "It is {}.", Name("checkout_keeps_working")),
		"wrong limits":          say([]string{"E1"}, "It took {}.", Lasting{0, 7 * time.Second}),
		"a wrong share":         say([]string{"E1"}, "It was {}.", Percent(0.123)),
		"a wrong proposal":      say([]string{"Q2"}, "Then {}.", Halfway{Value: rec.Queries["Q2"].Samples[3].Series[0].Value, Bound: 0.7}),
		"a wrong dose":          say([]string{"E1"}, "Then {}.", Doubled(7*time.Second)),
		"a wrong share of dose": say([]string{"E1"}, "Then {}.", DoubledPercent(31)),
		"a margin of others":    say([]string{"Q2"}, "It was {}, {}.", against(point(3)), Left(*point(49))),
		"a margin as others":    say([]string{"Q2"}, "It was {}, {}.", against(point(3)), Inner(marginPhrase(marginOf(point(49))))),
		"a wrong line":          say([]string{"E1"}, "It is in line {}.", Place(77)),
		"a verdict of others":   say([]string{"E1"}, "It is {}.", Verdict(journal.Inconclusive)),
		"a name of nothing":     say([]string{"E1"}, "It is {}.", Name("shop-nothing")),
		"words of nobody":       say([]string{"E1"}, "It said {}.", Quote("I am the walrus")),
		"prose of nobody":       say([]string{"E1"}, "It said: {}", Prose("because of 7 walruses")),
		"a count below zero":    say([]string{"E2"}, "There were {}.", Count{N: -2}),
		"a length as a value":   say([]string{"Q2"}, "It was {}.", Num(float64(len(rec.Queries["Q2"].Samples)))),
		"a missing value":       say([]string{"E1"}, "It was {}."),
	} {
		d := Build(rec)
		d.Sections[1].Items = append(d.Sections[1].Items, Para{x})
		if len(breaches(t, d)) == 0 {
			t.Errorf("%s: %q passes", what, x.Template)
		}
	}
	for what, i := range map[string]Item{
		"an empty paragraph": Para{}, "an empty list": Points{}, "an empty table": Table{}, "an empty heading": Heading{ID: "x", Text: words("Nothing below")},
		"a refuted hypothesis that is not learned from": Heading{ID: "x", Text: words("It failed"), Verdict: journal.Refuted},
	} {
		d := Build(rec)
		d.Sections[1].Items = append(d.Sections[1].Items, i)
		if len(breaches(t, d)) == 0 {
			t.Errorf("%s passes", what)
		}
	}
	good := Ask(say([]string{"E1"}, "It ran on {}. What was different?", Name("build-7")))
	for what, s := range map[string]Section{
		"a question that asks why":    {ID: "q-x", Under: "known", People: true, Items: []Item{Ask(say([]string{"E1"}, "Why did {} run?", Name("x")))}},
		"a question without a value":  {ID: "q-x", Under: "known", People: true, Items: []Item{Ask(say([]string{"E1"}, "What happened?"))}},
		"a question inside a section": {ID: "q-x", Under: "known", Items: []Item{good}},
		"a question under nothing":    {ID: "q-x", Under: "nowhere", People: true, Items: []Item{good}},
		"a section twice":             {ID: "known", Title: "Again", Items: []Item{Para{Sentence(good)}}},
		"a section without a heading": {ID: "more", Items: []Item{Para{Sentence(good)}}},
	} {
		d := Build(rec)
		d.Sections = append(d.Sections, s)
		d.Questions = append(d.Questions, Question{})
		if len(breaches(t, d)) == 0 {
			t.Errorf("%s passes", what)
		}
	}
	d := Build(rec)
	for i := range 12 {
		d.Sections = append(d.Sections, Section{ID: fmt.Sprintf("q-x-%d", i), Under: "known", People: true, Items: []Item{good}})
		d.Questions = append(d.Questions, Question{})
	}
	if len(breaches(t, d)) == 0 {
		t.Error("more than twelve questions pass")
	}
	d = Build(rec)
	d.Sections = slices.DeleteFunc(d.Sections, func(s Section) bool { return s.ID == "held" })
	if len(breaches(t, d)) == 0 {
		t.Error("a missing section passes")
	}
}

// breaches is every place of a draft that breaks a rule for machine text.
func breaches(t *testing.T, d *Draft) []string {
	var out []string
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if err := d.check(); err != nil {
		return []string{err.Error()}
	}
	evidence := newReader(d)
	check := func(section string, p Phrase, ids []string) {
		text := p.plainText(d.Clock)
		for _, tmpl := range ourWords(p) {
			if m := causal.FindString(tmpl); m != "" {
				bad("%s: %q explains (%s)", section, tmpl, m)
			}
			if m := judging.FindString(tmpl); m != "" {
				bad("%s: %q judges (%s)", section, tmpl, m)
			}
			if hasDigit.MatchString(strings.ReplaceAll(tmpl, "sha256", "")) {
				bad("%s: %q has a number that is no value", section, tmpl)
			}
		}
		if wrong := evidence.of(ids).values(d, p.Args, ids); len(wrong) > 0 {
			bad("%s: %q: %#v is not in the evidence %v", section, text, wrong, ids)
		}
	}
	asked := 0
	for _, id := range []string{"header", "five-lines", "known", "expected", "surprised", "timeline", "detection", "response", "impact", "contributors", "held",
		"near-misses", "unverified", "perspectives", "follow-ups", "next", "debrief", "appendix"} {
		if !d.has(id) && len(d.facts.custom.p.Sections) == 0 {
			bad("section %s is missing", id)
		}
	}
	ids := map[string]bool{}
	for _, s := range d.Sections {
		if ids[s.ID] {
			bad("two sections are called %s", s.ID)
		}
		ids[s.ID] = true
		if s.Under != "" && !ids[s.Under] {
			bad("section %s stands before %s, which it is a part of", s.ID, s.Under)
		}
		if (s.Title == "") != (s.Under != "" || s.ID == "header" || s.ID == "attention") {
			bad("section %s has the heading %q", s.ID, s.Title)
		}
		for _, item := range s.Items {
			q, is := item.(Ask)
			if !is {
				continue
			}
			asked++
			if text := q.Template; !strings.HasSuffix(text, "?") || len(q.Args) == 0 || prying.MatchString(text) {
				bad("the question %q of %s holds no value, or does not ask what or how", text, s.ID)
			}
			if !sectionID.MatchString(s.ID) || s.Under == "" || !s.People {
				bad("the question %s has no block of its own, beneath which people answer", s.ID)
			}
		}
		if len(s.Items) == 0 {
			bad("section %s is empty", s.ID)
		}
		for i, item := range s.Items {
			if h, ok := item.(Heading); ok {
				if i+1 == len(s.Items) || isHeading(s.Items[i+1]) {
					bad("an empty heading in %s", s.ID)
				}
				if h.Verdict == journal.Refuted && !strings.HasPrefix(h.Text.Template, "Learned: ") {
					bad("a refuted hypothesis is headed %q", h.Text.Template)
				}
			}
			for _, x := range sentences(item) {
				check(s.ID, x.phrase(), x.Evidence)
				out = append(out, unpaired(x.phrase().plainText(d.Clock))...)
			}
			for _, r := range rows(item) {
				var cells []string
				for _, c := range r.Cells {
					check(s.ID, c, r.Evidence)
					cells = append(cells, c.plainText(d.Clock))
				}
				out = append(out, unpaired(strings.Join(cells, " | "))...)
			}
			empty := false
			switch i := item.(type) {
			case Para:
				empty = len(i) == 0
			case Points:
				empty = len(i) == 0 || slices.ContainsFunc(i, func(p []Sentence) bool { return len(p) == 0 })
			case Table:
				empty = len(i.Rows) == 0
			}
			if empty {
				bad("an empty %T in %s", item, s.ID)
			}
		}
	}
	if asked > 12 || asked > len(d.Questions) || asked < len(d.Questions) && len(d.facts.custom.p.Sections) == 0 {
		bad("%d questions are asked, and %d were computed", asked, len(d.Questions))
	}
	return out
}

// prying is what no question begins with; "by whom" it may ask.
var (
	prying    = regexp.MustCompile(`(?i)\b(why|who|whose)\b`)
	sectionID = regexp.MustCompile(`^q(-[a-z0-9]+)+$`)
)

// ourWords are all templates and words in a phrase that are ours and not from outside.
func ourWords(p Phrase) []string {
	out := []string{p.Template}
	var inner func([]Value)
	inner = func(args []Value) {
		for _, a := range args {
			switch a := a.(type) {
			case Inner:
				out = append(out, a.Template)
				inner(a.Args)
			case Word:
				out = append(out, string(a))
			case List:
				inner(a)
			}
		}
	}
	inner(p.Args)
	return out
}

func isHeading(i Item) bool { _, ok := i.(Heading); return ok }

// The uncertainty that sampling leaves is written out.
func TestUncertaintyIsWrittenOut(t *testing.T) {
	md := string(Build(stories()["refuted"]).Markdown())
	for _, want := range []string{
		"it was violated from between 10:05:04 and 10:05:05 (T+4 s, 1 s between samples) and still when last seen",
		"held for good after 6.9 to 8 s",
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
