package report

import (
	"regexp"
	"slices"
	"testing"

	"gameday/runner/journal"
)

// inUTC is a time of day of the common run as a clock in UTC shows it; that of a half-hour zone shows none of these.
var inUTC = regexp.MustCompile(`\b10:(0[3-9]|1[0-9]):[0-9]{2}`)

// A draft has one time zone: whatever is declared, machine text and charts show no time of any other. The record's own text, in
// which times are as it has them, is quoted as it is.
func TestOneTimeZone(t *testing.T) {
	for name, rec := range stories() {
		if name == "empty" {
			continue // it declares nothing
		}
		i := slices.IndexFunc(rec.Events, func(e journal.Event) bool { _, ok := e.Payload.(*journal.ReportDeclared); return ok })
		if i >= 0 {
			p := *rec.Events[i].Payload.(*journal.ReportDeclared)
			p.TimeZone = "Asia/Kolkata"
			rec.Events[i].Payload = &p
		} else {
			(&story{rec}).declareReport(&journal.ReportDeclared{TimeZone: "Asia/Kolkata"})
		}
		d := Build(rec)
		if d.Clock.ZoneName() != "Asia/Kolkata" {
			t.Fatalf("%s: the clock shows %s", name, d.Clock.ZoneName())
		}
		walkPhrases(d, func(section string, p Phrase) {
			for _, x := range p.pieces(d.Clock) {
				if x.style == plain && inUTC.MatchString(x.text) {
					t.Errorf("%s, %s: %q is in another time zone", name, section, x.text)
				}
			}
		})
		page, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range chartText.FindAllStringSubmatch(string(page), -1) {
			if inUTC.MatchString(m[1]) {
				t.Errorf("%s: %q in a chart is in another time zone", name, m[1])
			}
		}
	}
}

// walkPhrases hands out every phrase of machine text: sentences, headings and cells.
func walkPhrases(d *Draft, see func(section string, p Phrase)) {
	for _, s := range d.Sections {
		for _, item := range s.Items {
			if h, ok := item.(Heading); ok {
				see(s.ID, h.Text)
			}
			for _, x := range sentences(item) {
				see(s.ID, x.phrase())
			}
			for _, r := range rows(item) {
				for _, c := range r.Cells {
					see(s.ID, c)
				}
			}
		}
	}
}

var chartText = regexp.MustCompile(`<(?:text|title|desc)[^>]*>([^<]*)<`)
