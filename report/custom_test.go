package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"golang.org/x/net/html"

	"gameday/runner/journal"
)

// declareReport puts what the scenario says of its report after its declaration.
func (s *story) declareReport(p *journal.ReportDeclared) *story {
	i := slices.IndexFunc(s.rec.Events, func(e journal.Event) bool { _, ok := e.Payload.(*journal.Declared); return ok }) + 1
	s.rec.Events = slices.Insert(s.rec.Events, i, journal.Event{Time: s.rec.Events[i-1].Time, Offset: s.rec.Events[i-1].Offset, Actor: "runner", Payload: p})
	for j := range s.rec.Events {
		s.rec.Events[j].Seq = j + 1
	}
	return s
}

func field(name, typ, value string) journal.Field {
	return journal.Field{Name: name, Type: typ, Value: json.RawMessage(value)}
}

// customRun is the refuted one, with a report as its customer wants it.
func customRun() *journal.Record {
	s := refutedRun()
	change := field("change_reference", "string", `"CHG-1042 | approved"`)
	change.Label, change.Description = "Change", "The change that allows this rehearsal."
	affected := field("customers_affected", "number", "0")
	affected.Private = true
	s.declareReport(&journal.ReportDeclared{
		TimeZone: "Europe/Berlin",
		Sections: []string{"timeline", "expected", "five-lines", "impact"},
		Headings: map[string]string{"five-lines": "Summary for the *board*", "timeline": "What happened"},
		Fields:   []journal.Field{change, affected, field("regions", "list(string)", `["eu-west","eu-north"]`), field("announced", "bool", "true"), field("business_impact", "string", "")},
	})
	return s.end(90.2, journal.OutcomeRefuted, 3).rec
}

// templatedRun is an all-round run whose customer has set sections by templates.
func templatedRun() *journal.Record {
	rec := alertMissingRun()
	s := &story{&journal.Record{Name: rec.Name, Events: slices.Clone(rec.Events), Queries: rec.Queries}}
	return s.declareReport(&journal.ReportDeclared{
		Fields: []journal.Field{field("approver", "string", `"The *board*"`)},
		Templates: []journal.SectionTemplate{
			{Section: "expected", File: "expected.md", Text: "Approved by {{ field \"approver\" }}.\n\n{{ item \"table\" }}\n\n### In detail\n\n{{ items }}\n\nThat is **all**.\n"},
			{Section: "detection", File: "detection.md", Text: "{{/* the alert first */}}\n{{ part \"alert-1\" }}\n{{ sentences }}\n"},
			{Section: "impact", File: "impact.md", Text: "Impact is told by the business.\n\n{{ item \"list\" 1 }}\n"},
			{Section: "timeline", File: "broken.md", Text: "{{ nothing of this kind }}"},
		},
	}).rec
}

func TestReportAsDeclared(t *testing.T) {
	says(t, customRun(), []string{
		"## Summary for the \\*board\\*\n", "## What happened\n", "| Time (Europe/Berlin) | T |", "`Europe/Berlin`; T+0 is 11:05:01", "| Change | CHG-1042 \\| approved | [E",
		"| customers\\_affected | `0` |", "| regions | eu-west and eu-north |", "| announced | `true` |", "| business\\_impact | not given |",
	}, []string{"(UTC)", "10:05:01", "## Response"})
	var ids []string
	for _, s := range Build(customRun()).Sections {
		ids = append(ids, s.ID)
	}
	if want := []string{"header", "timeline", "expected", "five-lines", "impact", "appendix"}; !slices.Equal(ids, want) {
		t.Errorf("the sections are %v, want %v", ids, want)
	}
}

// Whatever sections are left out, the page leads nowhere that is not there, and what a person must do stays.
func TestEverySectionCanBeLeftOut(t *testing.T) {
	all := SectionIDs()
	for name, rec := range stories() {
		if name == "empty" || name == "custom" {
			continue
		}
		alone := func(sections []string) *journal.Record {
			s := &story{&journal.Record{Name: rec.Name, Events: slices.Clone(rec.Events), People: rec.People, Queries: rec.Queries, Damage: rec.Damage}}
			return s.declareReport(&journal.ReportDeclared{Sections: sections}).rec
		}
		for _, x := range all {
			if x.Fixed {
				continue
			}
			d := Build(alone([]string{x.ID}))
			for _, l := range strayLinks(t, d) {
				t.Errorf("%s with %s alone: a link leads to %s, which is not there", name, x.ID, l)
			}
			if d.has("attention") != Build(rec).has("attention") || !d.has("header") || !d.has("appendix") {
				t.Errorf("%s with %s alone: a section is missing that nobody can take out", name, x.ID)
			}
		}
	}
}

// strayLinks are the links of a page that lead nowhere in it.
func strayLinks(t *testing.T, d *Draft) (out []string) {
	t.Helper()
	page, err := d.HTML()
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids, links := map[string]bool{}, []string{}
	walk(root, func(n *html.Node) {
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				ids["#"+a.Val] = true
			case "href":
				links = append(links, a.Val)
			}
		}
	})
	return slices.DeleteFunc(links, func(l string) bool { return ids[l] })
}

// A record may name a zone that is none.
func TestZonesThatAreNone(t *testing.T) {
	for _, name := range []string{"Local", "../../etc/passwd", "Europe/Atlantis", "", "UTC", "\x00"} {
		if z := zone(name); z != nil {
			t.Errorf("%q is %v", name, z)
		}
	}
	if z := zone("America/New_York"); z == nil {
		t.Error("there is no New York")
	}
}

// What people declare in a field is not said to be missing from the record.
func TestFieldSaysWhatTheRecordDoesNot(t *testing.T) {
	with := func(fields ...journal.Field) *journal.Record {
		s := refutedRun()
		s.declareReport(&journal.ReportDeclared{Fields: fields})
		return s.end(90.2, journal.OutcomeRefuted, 3).rec
	}
	load, announced := field("load", "string", `"40 requests per second"`), field("announced", "bool", "true")
	says(t, with(field("load", "string", "")), []string{"how much load there was, nor whether the run was announced"}, nil)
	says(t, with(load), []string{"The record does not say whether the run was announced."}, []string{"how much load"})
	says(t, with(announced), []string{"The record does not say how much load there was."}, []string{"nor whether"})
	says(t, with(load, announced), nil, []string{"The record does not say"})
}
