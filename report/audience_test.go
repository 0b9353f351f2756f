package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gameday/runner/journal"
)

// publicRun is the customer's, for everybody to read.
func publicRun() *journal.Record {
	rec := customRun()
	for _, e := range rec.Events {
		if p, ok := e.Payload.(*journal.ReportDeclared); ok {
			p.Audience = journal.AudiencePublic
		}
	}
	return rec
}

// publishedRun is the one that people watched, for everybody to read; one of them is called by her name.
func publishedRun() *journal.Record {
	s := &story{notedRun()}
	for _, e := range s.rec.Events {
		switch p := e.Payload.(type) {
		case *journal.RunStarted:
			p.Description += " Zelda Quark asked for it, after db-7.shop.example had frozen."
		case *journal.Declared:
			p.Observers[2].Name, p.Steps[1].Who = "Zelda Quark", "Zelda Quark"
		case *journal.StepBegun:
			if p.Who == "dba" {
				p.Who = "Zelda Quark"
			}
		case *journal.UndoVerified:
			p.Differences = append(p.Differences, "its address was 172.20.0.4")
		}
	}
	for i, e := range s.rec.People {
		if e.Role() == "on-call" {
			s.rec.People[i].Actor = journal.Actor("Zelda Quark")
		}
	}
	approver := field("approver", "string", `"Turanga"`)
	return s.declareReport(&journal.ReportDeclared{Audience: journal.AudiencePublic, Fields: []journal.Field{approver}}).rec
}

// everyForm is a draft in all forms, the summary of a step included.
func everyForm(t interface{ Fatal(...any) }, d *Draft) string {
	var all bytes.Buffer
	all.Write(d.Markdown())
	for _, set := range []func() ([]byte, error){d.HTML, d.JSON, d.JUnit} {
		b, err := set()
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	Summary(&all, d, false, 4000)
	return all.String()
}

// through changes a record as text, so that what is replaced is replaced wherever it stands.
func through(t interface{ Fatal(...any) }, rec *journal.Record, change func(string) string) *journal.Record {
	again := func(v, to any) {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal([]byte(change(string(b))), to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out := &journal.Record{Queries: map[string]*journal.Query{}}
	again(rec.Name, &out.Name)
	again(rec.Damage, &out.Damage)
	for _, x := range []struct {
		from []journal.Event
		to   *[]journal.Event
	}{{rec.Events, &out.Events}, {rec.People, &out.People}} {
		for _, e := range x.from {
			var n journal.Event
			again(e, &n)
			n.Guard, n.People = e.Guard, e.People
			*x.to = append(*x.to, n)
		}
	}
	for id, q := range rec.Queries {
		n := &journal.Query{}
		again(q, n)
		again(q.Samples, &n.Samples)
		out.Queries[id] = n
	}
	return out
}

// hidden are names in the stories that the public does not read.
var hidden = []string{"shop-store-1", "shop-api-2", "shop-api-1", "build-7", "docker-1", "shop.gameday.hcl", "shop:demo", "docker.sock", "4f1c0e6b7a21"}

// Whatever a container, a host or a file is called, and wherever that is written down, the public does not read it; nor a query, nor what
// anybody said. Everything that remains is as true as the draft for the team.
func TestThePublicReadsNoNames(t *testing.T) {
	all := stories()
	delete(all, "hundred") // it takes longest, and has nothing that others lack
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range all {
			if !yield(n) {
				return
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		story := rapid.SampledFrom(names).Draw(t, "story")
		rec := all[story]
		word := rapid.StringMatching(`[a-z][a-z0-9]{3,8}([-_.][a-z0-9]{2,6}){0,2}`)
		given := map[string]string{}
		var pairs []string
		for i, old := range hidden {
			n := fmt.Sprintf("%s%s%d", word.Draw(t, "name"), []string{"-", "_", "."}[i%3], i)
			given[old], pairs = n, append(pairs, old, n)
		}
		if d := Build(rec); len(d.facts.faults) > 0 && rapid.Bool().Draw(t, "in the title") {
			pairs = append(pairs, "frozen store", "frozen "+strings.ToUpper(given["shop-store-1"])+"'s")
		}
		rec = through(t, rec, strings.NewReplacer(pairs...).Replace)
		d := BuildFor(rec, journal.AudiencePublic)
		out := strings.ToLower(everyForm(t, d))
		for _, n := range given {
			if i := strings.Index(out, strings.ToLower(n)); i >= 0 {
				t.Fatalf("the public reads %q: …%s…", n, out[max(0, i-80):min(len(out), i+80)])
			}
		}
		unsaid := func(what, s string) {
			if story == "hostile" {
				return // its queries are the names of its hypotheses
			}
			if s = strings.ToLower(strings.TrimSpace(s)); len(s) > 8 && strings.Contains(out, text(s)) {
				t.Fatalf("the public reads %s %q", what, s)
			}
		}
		for _, q := range rec.Queries {
			unsaid("the query", q.Text)
		}
		for _, e := range rec.Events {
			switch p := e.Payload.(type) {
			case *journal.FaultIntent:
				unsaid("what a fault does,", p.Does)
			case *journal.UndoFailed:
				unsaid("a command,", p.ByHand)
			case *journal.AlertsDeclared:
				for _, r := range p.Rules {
					unsaid("a rule,", r.Expr)
				}
			}
		}
		for _, e := range rec.People {
			if p, ok := e.Payload.(*journal.Note); ok {
				unsaid("a note,", p.Text)
			}
		}
	})
}

// What is left is still a draft: every kind of event is read as what it is, every sentence has its evidence, and every number is in it.
func TestWhatThePublicReadsIsTrue(t *testing.T) {
	for name, rec := range stories() {
		if name == "hundred" {
			continue
		}
		for _, a := range []journal.Audience{journal.AudienceOrganisation, journal.AudiencePublic} {
			redacted := forAudience(rec, a)
			for i, e := range redacted.Events {
				if was, is := rec.Events[i].Payload, e.Payload; fmt.Sprintf("%T", was) != fmt.Sprintf("%T", is) {
					t.Errorf("%s, %s: event %d was %T and is %T", name, a, i+1, was, is)
				}
			}
			d := BuildFor(rec, a)
			for _, b := range breaches(t, d) {
				t.Errorf("%s, %s: %s", name, a, b)
			}
			verdicts := func(d *Draft) (out []journal.Verdict) {
				for _, h := range d.facts.hypotheses {
					out = append(out, h.verdict)
				}
				return out
			}
			if team := Build(rec); !slices.Equal(verdicts(team), verdicts(d)) || team.facts.outcome() != d.facts.outcome() && name != "hostile" || a == journal.AudiencePublic && len(team.facts.open()) != len(d.facts.open()) {
				t.Errorf("%s, %s: the verdicts, the outcome or what is open are others: %v, %v, %d and %v, %v, %d", name, a, verdicts(team), team.facts.outcome(), len(team.facts.open()), verdicts(d), d.facts.outcome(), len(d.facts.open()))
			}
			one, err := d.JSON()
			two, err2 := BuildFor(rec, a).JSON()
			if err != nil || err2 != nil || !bytes.Equal(one, two) {
				t.Errorf("%s, %s: it differs from one time to the next: %v %v", name, a, err, err2)
			}
		}
	}
}

// What was left out is not told as if it were something else, and what was not is still told.
func TestWhatIsLeftOutIsNotMisstated(t *testing.T) {
	for name, rec := range stories() {
		if name == "hundred" {
			continue
		}
		team, public := string(Build(rec).Markdown()), string(BuildFor(rec, journal.AudiencePublic).Markdown())
		for _, s := range []string{"process 0", "(empty)", "`(left out)`", "sha256 `id", ": (left out)", "(left out)."} {
			if strings.Count(public, s) > strings.Count(team, s) && name != "hostile" {
				t.Errorf("%s: the public reads %q", name, s)
			}
		}
	}
	rec := publishedRun()
	rec.People = append(rec.People, journal.Event{Seq: len(rec.People) + 1, Time: at(95000), Actor: journal.Actor("Zelda Quark"), People: true, Payload: &journal.StatusSet{Status: journal.StatusReviewed}})
	says(t, rec, []string{"| Status | reviewed, set by `participant 1` on ", "| Ran on | `host 2` |", "| File | `file 1` |", "`sre`, `dba` and `participant 1`"}, nil)
	if b, err := BuildFor(rec, journal.AudiencePublic).JSON(); err != nil || !strings.Contains(string(b), `"hash": ""`) {
		t.Errorf("the hash in JSON is not empty: %v", err)
	}
	says(t, unconfirmedRun(), []string{"| Ran on | `build-7`, process 4211 |"}, nil)
	if md := string(BuildFor(unconfirmedRun(), journal.AudiencePublic).Markdown()); !strings.Contains(md, "step `ready` was not confirmed within 1 min, and nothing was injected") {
		t.Error(md)
	}
}

// The value of a private field is read by the team alone, wherever else it stands.
func TestPrivateFieldsArePrivate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[A-Z][a-z]{4,9} (Bank|plc|GmbH)-[0-9]{3}`).Draw(t, "value")
		s := refutedRun()
		customer := field("who_pays", "string", fmt.Sprintf("%q", value))
		customer.Private, customer.Label, customer.Description = true, "Paying customer", "Whom we tell first."
		list := field("told_to", "list(string)", fmt.Sprintf(`["nobody", %q]`, value+"/desk"))
		list.Private = true
		s.declareReport(&journal.ReportDeclared{Fields: []journal.Field{customer, field("change", "string", `"CHG-1"`), list}})
		rec := s.end(90.2, journal.OutcomeRefuted, 3).rec
		rec.Events[0].Payload.(*journal.RunStarted).Variables["customer"] = fmt.Sprintf("%q", value)
		rec.Events[0].Payload.(*journal.RunStarted).Description = "For " + strings.ToUpper(value) + ", since March."
		rec.Queries["Q2"].Text = fmt.Sprintf("up{customer=%q}", value)
		for _, a := range []journal.Audience{journal.AudienceTeam, journal.AudienceOrganisation, journal.AudiencePublic} {
			d := BuildFor(rec, a)
			out := strings.ToLower(everyForm(t, d))
			read := strings.Contains(out, strings.ToLower(value)) || strings.Contains(out, "who_pays") || strings.Contains(out, "paying customer") || strings.Contains(out, "whom we tell")
			if read != (a == journal.AudienceTeam) {
				t.Fatalf("%s reads the private field: %v", a, read)
			}
			if !strings.Contains(out, "chg-1") {
				t.Fatalf("%s does not read the other field", a)
			}
			if a == journal.AudienceOrganisation && !strings.Contains(out, "shop-store-1") {
				t.Fatal("the organisation does not read names of containers")
			}
		}
	})
}

// The name of a metric is hidden where it is one, and nowhere else: "up" is a word.
func TestNamesOfMetricsAreWords(t *testing.T) {
	rec := movedRun()
	for _, e := range rec.Events {
		switch p := e.Payload.(type) {
		case *journal.RunStarted:
			p.Title = "Nothing piles up"
		case *journal.Moved:
			p.Findings[0].Metric = "up"
		}
	}
	md := string(BuildFor(rec, journal.AudiencePublic).Markdown())
	if !strings.Contains(md, "# Rehearsal: Nothing piles up\n") || strings.Contains(md, "`up`") {
		t.Error(md)
	}
}

func TestScrub(t *testing.T) {
	r := newRedactor(true)
	for _, n := range []string{"db", "db-2", "checkout", "10.0.0.7", "größe"} {
		r.pseudonym("container", n)
	}
	r.settle()
	for in, want := range map[string]string{
		"db and db-2":               "container 1 and container 2",
		"db-22":                     "container 1-22",
		"dbs, adb":                  "dbs, adb",
		"checkout_works; Checkout!": "container 3_works; container 3!",
		"at 10.0.0.7:80":            "at container 4:80",
		"110.0.0.7 and 10.0.0.71":   "110.0.0.7 and 10.0.0.71",
		"Größe, übergröße":          "container 5, übergröße",
		"\xff db \xff":              "\xff container 1 \xff",
		"":                          "",
	} {
		if got := r.scrub(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// Pseudonyms are the same throughout a draft, and tell one thing from another.
func TestPseudonymsTellThingsApart(t *testing.T) {
	md := string(Build(publicRun()).Markdown())
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(container|host|image) [0-9]+`).FindAllString(md, -1) {
		found[m] = true
	}
	for _, want := range []string{"container 1", "container 2", "host 1", "host 2", "image 1"} {
		if !found[want] {
			t.Errorf("there is no %s; there are %v", want, found)
		}
	}
}
