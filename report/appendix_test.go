package report

import (
	"strings"
	"testing"

	"gameday/runner/journal"
)

// A query leads into the server that was asked, and nowhere else.
func TestQueriesLeadIntoPrometheus(t *testing.T) {
	for address, want := range map[string]string{
		"http://prometheus.example:9090/of/ours/":  "http://prometheus.example:9090/of/ours/graph?g0.end_input=2026-11-22+10%3A06%3A02&g0.expr=",
		"https://prometheus.example":               "https://prometheus.example/graph?g0.end_input=",
		"http://someone:secret@prometheus.example": "http://prometheus.example/graph?g0.end_input=",
		"javascript:alert(1)":                      "",
		"unix:///run/prometheus.sock":              "",
		"":                                         "",
	} {
		rec := heldRun(0.12)
		rec.Events[0].Payload.(*journal.RunStarted).Source = &journal.Source{Name: "ours", Type: "server", URL: address}
		d := Build(rec)
		html, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		page := string(html)
		md := string(d.Markdown())
		if want == "" {
			if strings.Contains(md, "[in Prometheus]") || strings.Contains(page, "in Prometheus</a>") {
				t.Errorf("%q leads somewhere", address)
			}
			continue
		}
		if !strings.Contains(md, ", [in Prometheus](<"+want) || !strings.Contains(page, `<a href="`+strings.ReplaceAll(want, "&", "&amp;")) {
			t.Errorf("nothing leads to %s", want)
		}
		for _, b := range breaches(t, d) {
			t.Error(b)
		}
		if md := string(BuildFor(rec, journal.AudiencePublic).Markdown()); strings.Contains(md, "prometheus.example") {
			t.Error("the public is led into the server")
		}
	}
}

// What people noted is read by the lint, too.
func TestLanguageOfNotes(t *testing.T) {
	noted := func(texts ...string) *journal.Record {
		s := &story{heldRun(0.12)}
		for _, text := range texts {
			s.say(60, "sre", &journal.Note{As: journal.NoteObservation, Text: text, About: at(60)})
		}
		return s.rec
	}
	says(t, noted(), []string{"No note is in the record, so the language lint had nothing of people's to read."}, nil)
	says(t, noted("The queue grew to 300."), []string{"Of 1 note the language lint asks about none."}, nil)
	says(t, noted("The queue grew to 300.", "Somebody carelessly restarted it, a clear human error."), []string{"Of 2 notes the language lint asks about 1. `gameday lint runs/"}, nil)
}
