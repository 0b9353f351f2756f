package report

import (
	"strings"
	"testing"

	"gameday/runner/journal"
)

func TestContainersInTheRecord(t *testing.T) {
	rec := heldRun(0.12)
	s := &story{rec}
	end := rec.Events[len(rec.Events)-1]
	rec.Events = rec.Events[:len(rec.Events)-1]
	s.add(85, &journal.ContainersWatched{Targets: []journal.Ref{store}, Neighbours: []journal.Ref{{ID: "1", Name: "shop-api-1"}, {ID: "2", Name: "shop-api-2"}}})
	s.add(86, &journal.ContainersWatched{Neighbours: []journal.Ref{{ID: "3", Name: "shop-job-1"}}, LeftOut: 4})
	s.add(88, &journal.ContainerGap{Container: store, From: at(80), To: at(88), Detail: "the engine sent nothing"})
	end.Seq = len(rec.Events) + 1
	rec.Events = append(rec.Events, end)
	d := Build(rec)
	for _, b := range breaches(t, d) {
		t.Error(b)
	}
	text := string(d.Markdown())
	for _, want := range []string{
		"of targets: `shop-store-1`, of neighbours: `shop-api-1`", "those of 4 more are not", "nothing was heard of what `shop-store-1` used, until 10:05:59",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	_, timeline, _ := strings.Cut(text, "Timeline\n")
	timeline, _, _ = strings.Cut(timeline, "\n## ")
	if !strings.Contains(timeline, "nothing was heard") || strings.Contains(timeline, "shop-api-1") {
		t.Errorf("a gap is a row of the timeline, and who is watched is none:\n%s", timeline)
	}
}
