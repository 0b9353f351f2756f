package runner_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/scenarios"
)

// What a scenario says of its report is in the record as it says it, and reads back as the same.
func TestReportIsDeclared(t *testing.T) {
	ws, ds := scenarios.Load("../scenarios/testdata/valid/report.gameday.hcl", scenarios.Options{})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	declared := runner.DescribeReport(ws.Scenarios[1])
	line, err := json.Marshal(journal.Event{Seq: 1, Actor: "runner", Payload: declared})
	if err != nil {
		t.Fatal(err)
	}
	var back journal.Event
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(declared, back.Payload); diff != "" {
		t.Errorf("(-declared +read back):\n%s", diff)
	}
	if declared.Audience != "public" || declared.TimeZone != "Europe/Berlin" || len(declared.Fields) != 6 || declared.Fields[5].Value != nil || len(declared.Templates) != 1 || declared.Templates[0].Text == "" {
		t.Errorf("%+v", declared)
	}
	if d := runner.DescribeReport(&scenarios.Scenario{}); d != nil {
		t.Errorf("a scenario that says nothing of its report declares %+v", d)
	}
}
