package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a scenario says of its report goes before what the top level says, word by word and field by field.
func TestReportsOverlay(t *testing.T) {
	ws, ds := Load("testdata/valid/report.gameday.hcl", Options{Env: noEnv, Vars: []string{"change=CHG-7"}, Sections: someSections})
	if ds.HasErrors() {
		t.Fatal(view(ds))
	}
	text, err := os.ReadFile("testdata/valid/templates/detection.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := []string{"five-lines", "expected", "timeline"}
	want := []Report{
		{Audience: "organisation", TimeZone: "Europe/Berlin", Sections: sections},
		{Audience: "public", TimeZone: "Europe/Berlin", Sections: []string{"detection", "expected"}, Headings: map[string]string{"detection": "Would anybody have been told?"},
			Templates: []Template{{"detection", "templates/detection.md", "testdata/valid/templates/detection.md", text}}},
	}
	type field struct{ Name, Type, Value string }
	fields := [][]field{
		{{"change_reference", "string", `"CHG-7"`}, {"ordered_by", "string", `"Platform board"`}},
		{{"change_reference", "string", `"none needed"`}, {"ordered_by", "string", `"Platform board"`}, {"customers_affected", "number", "0"},
			{"regions", "list(string)", `["eu-west","eu-north"]`}, {"announced", "bool", "true"}, {"business_impact", "string", ""}},
	}
	for i, s := range ws.Scenarios {
		if diff := cmp.Diff(want[i], s.Report); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.Name, diff)
		}
		var got []field
		for _, f := range s.Fields {
			got = append(got, field{f.Name, f.Type, f.Value})
		}
		if diff := cmp.Diff(fields[i], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.Name, diff)
		}
	}
	if last := ws.Files[len(ws.Files)-1]; last.Name != "templates/detection.md" || string(last.Redacted) != string(text) {
		t.Errorf("the template is not among the files: %s", last.Name)
	}
}

// What is wrong in a template is said with its place in it.
func TestTemplatesAreChecked(t *testing.T) {
	check := func(text []byte, fields []string) []TemplateProblem {
		if !strings.Contains(strings.Join(fields, " "), "ordered_by") {
			t.Errorf("the fields are %v", fields)
		}
		return []TemplateProblem{{2, 5, "there is no item \"tabel\"."}}
	}
	_, ds := Load("testdata/valid/report.gameday.hcl", Options{Env: noEnv, Sections: someSections, CheckTemplate: check})
	place := filepath.Join("testdata/valid", "templates/detection.md") + ":2:5: there is no item"
	if len(ds) != 1 || ds[0].Summary != "Invalid template" || !strings.Contains(ds[0].Detail, place) {
		t.Error(view(ds))
	}
}

func TestTemplatesHaveASize(t *testing.T) {
	dir := t.TempDir()
	src := small("report {\n template \"expected\" {\n file = \"x.md\"\n }\n}\n")
	for name, text := range map[string]string{"x.md": strings.Repeat("x", largestTemplate+1), "a.gameday.hcl": src} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, ds := Load(dir, Options{Env: noEnv})
	if len(ds) != 1 || ds[0].Summary != "Template cannot be read" || !strings.Contains(ds[0].Detail, "64 KiB") {
		t.Error(view(ds))
	}
}
