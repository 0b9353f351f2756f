package report

import (
	"encoding/json"
	"slices"
	"testing"

	"gameday/runner/journal"
)

// Programs read of a manual step what people read: who confirmed it, when, and with which words. The public reads none.
func TestStepsInJSON(t *testing.T) {
	for audience, said := range map[journal.Audience]string{journal.AudienceTeam: "all green", journal.AudiencePublic: leftOut} {
		b, err := BuildFor(stories()["noted"], audience).JSON()
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Steps []struct {
				Name, By, Said string
				Evidence       []string
			}
		}
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Steps) == 0 || r.Steps[0].Said != said || !slices.Contains(r.Steps[0].Evidence, "N6") {
			t.Errorf("for %s: %+v", audience, r.Steps)
		}
	}
}
