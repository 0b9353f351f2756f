package blameless

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The shape that SARIF 2.1.0 asks for, and what code hosts refuse when it is missing.
func TestSARIF(t *testing.T) {
	src := "# What was seen\n\nÜbung – she forgot it.\n\nShe forgot it. The outage began.\n"
	lint := func(src string) map[string]any {
		b, err := SARIF(Lint("runs/a b/report.md", []byte(src), Options{}), "1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		var log map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		if err := d.Decode(&log); err != nil {
			t.Fatal(err)
		}
		return log
	}
	log := lint(src)
	if log["version"] != "2.1.0" || !strings.Contains(log["$schema"].(string), "sarif-2.1.0") {
		t.Errorf("version %v, schema %v", log["version"], log["$schema"])
	}
	run := log["runs"].([]any)[0].(map[string]any)
	driver := run["tool"].(map[string]any)["driver"].(map[string]any)
	rules := driver["rules"].([]any)
	if driver["name"] == "" || driver["version"] != "1.2.3" || len(rules) != len(Rules()) || run["columnKind"] != "unicodeCodePoints" {
		t.Errorf("driver %v with %d rules", driver["name"], len(rules))
	}
	for _, r := range rules {
		r := r.(map[string]any)
		for _, field := range []string{"shortDescription", "fullDescription", "help"} {
			if text, _ := r[field].(map[string]any)["text"].(string); text == "" {
				t.Errorf("rule %v has no %s", r["id"], field)
			}
		}
		if l := r["defaultConfiguration"].(map[string]any)["level"]; l != "error" && l != "warning" && l != "note" {
			t.Errorf("rule %v has level %v", r["id"], l)
		}
	}
	results := run["results"].([]any)
	if len(results) != 3 {
		t.Fatalf("%d results", len(results))
	}
	prints := func(log map[string]any) []string {
		var out []string
		for _, r := range log["runs"].([]any)[0].(map[string]any)["results"].([]any) {
			out = append(out, r.(map[string]any)["partialFingerprints"].(map[string]any)["gamedayLint/v1"].(string))
		}
		return out
	}
	seen := map[string]bool{}
	for i, r := range results {
		r := r.(map[string]any)
		if id := rules[int(r["ruleIndex"].(float64))].(map[string]any)["id"]; id != r["ruleId"] {
			t.Errorf("result %d points at the rule %v and is of %v", i, id, r["ruleId"])
		}
		at := r["locations"].([]any)[0].(map[string]any)["physicalLocation"].(map[string]any)
		if uri := at["artifactLocation"].(map[string]any)["uri"]; uri != "runs/a%20b/report.md" {
			t.Errorf("uri %v", uri)
		}
		for k, v := range at["region"].(map[string]any) {
			if n, ok := v.(float64); ok && n < 1 {
				t.Errorf("result %d: %s is %v", i, k, v)
			}
		}
		seen[prints(log)[i]] = true
	}
	if len(seen) != 3 {
		t.Error("two findings have one fingerprint")
	}
	if d := cmp.Diff(prints(log), prints(lint("One more line.\n\n"+src))); d != "" {
		t.Errorf("fingerprints change where lines move: %s", d)
	}
	if fileURI("/a/b.md") != "file:///a/b.md" {
		t.Errorf("%s", fileURI("/a/b.md"))
	}
	if empty := lint("Fine.\n")["runs"].([]any)[0].(map[string]any)["results"]; empty == nil || len(empty.([]any)) != 0 {
		t.Errorf("results of a clean file are %v", empty)
	}
}

func TestRoster(t *testing.T) {
	for src, want := range map[string][]string{
		"Ada Lovelace\n\n# those who watched\nincident lead: Zoë Ng, Bo\n":                                            {"Ada Lovelace", "Zoë Ng", "Bo"},
		"| Role | Who | Present |\n|---|---|---|\n| primary | **Ada** and Bo (remote) | Yes |\n| scribe | – | No |\n": {"Ada", "Bo"},
		"| Name | Age |\n|---|---|\n| x | 3 |\n":                                                                      nil,
	} {
		got := Roster([]byte(src))
		if want == nil {
			continue // without roles it is no table of roles, and its lines are no names
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: -want +got\n%s", src, d)
		}
	}
}
