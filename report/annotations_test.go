package report

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gameday/runner/journal"
)

// A workflow command as GitHub's runner reads it: ::name key=value,key=value::message, on one line.
var workflowCommand = regexp.MustCompile(`^::(error|warning|notice)((?: [a-z]+=[^,:\r\n]*)?(?:,[a-z]+=[^,:\r\n]*)*)::([^\r\n]*)$`)

// readCommand takes a workflow command apart, as the runner does.
func readCommand(t *testing.T, line string) (level string, properties map[string]string, message string) {
	t.Helper()
	m := workflowCommand.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no workflow command: %q", line)
	}
	properties = map[string]string{}
	for _, p := range strings.Split(strings.TrimPrefix(m[2], " "), ",") {
		k, v, _ := strings.Cut(p, "=")
		properties[k] = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(v)
	}
	return m[1], properties, strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(m[3])
}

// Every annotation of every story can be read by the two systems, and says at its line what the draft says.
func TestAnnotationsCanBeRead(t *testing.T) {
	for name, rec := range stories() {
		list := Build(rec).Annotations()
		var b bytes.Buffer
		if err := WriteGitHub(&b, list); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(list) == 0 {
			lines = nil
		}
		if len(lines) != len(list) {
			t.Fatalf("%s: %d lines for %d annotations", name, len(lines), len(list))
		}
		quality, err := CodeQuality(list, "shop.gameday.hcl")
		if err != nil {
			t.Fatal(err)
		}
		var issues []map[string]any
		if err := json.Unmarshal(quality, &issues); err != nil || len(issues) != len(list) {
			t.Fatalf("%s: %v\n%s", name, err, quality)
		}
		prints := map[string]bool{}
		for i, a := range list {
			level, properties, message := readCommand(t, lines[i])
			if level != string(a.Level) || message != a.Message || properties["title"] != "gameday: "+a.Title || properties["file"] != a.File || message == "" {
				t.Errorf("%s: %+v is read as %s %v %q", name, a, level, properties, message)
			}
			issue := issues[i]
			location, _ := issue["location"].(map[string]any)
			lines, _ := location["lines"].(map[string]any)
			begin, _ := lines["begin"].(float64)
			path, _ := location["path"].(string)
			print, _ := issue["fingerprint"].(string)
			if len(issue) != 5 || issue["description"] == "" || issue["check_name"] != "gameday."+a.Check || path == "" || begin < 1 || len(print) != 64 ||
				!slices.Contains([]any{"info", "minor", "major", "critical", "blocker"}, issue["severity"]) {
				t.Errorf("%s: GitLab gets %v", name, issue)
			}
			if prints[print] && name != "hostile" {
				t.Errorf("%s: two entries have one fingerprint", name)
			}
			prints[print] = true
		}
	}
}

// A refuted hypothesis is an error at its own line, with what was seen.
func TestRefutedIsAnErrorAtItsLine(t *testing.T) {
	rec := refutedRun().end(90.2, journal.OutcomeRefuted, 3).rec
	for _, e := range rec.Events {
		if d, ok := e.Payload.(*journal.Declared); ok {
			for i := range d.Hypotheses {
				d.Hypotheses[i].File, d.Hypotheses[i].Line = "game days/shop, all.gameday.hcl", 40+i
			}
		}
	}
	for _, a := range []journal.Audience{journal.AudienceTeam, journal.AudiencePublic} {
		var b bytes.Buffer
		if err := WriteGitHub(&b, BuildFor(rec, a).Annotations()); err != nil {
			t.Fatal(err)
		}
		want := "::error file=game days/shop%2C all.gameday.hcl,line=41,title=gameday%3A Refuted%3A checkout_stays_quick::checkout_stays_quick was refuted in the fault phase: it was seen violated. ["
		if !strings.HasPrefix(b.String(), want) || !strings.Contains(b.String(), "Seen: 4.167 (expected < 0.5) at 10:05:31") || strings.Count(b.String(), "\n") != 1 {
			t.Errorf("%s:\n%s", a, b.String())
		}
	}
	for name, want := range map[string][]Level{"held": nil, "gate": {LevelWarning}, "inconclusive": {LevelWarning}, "alert_missing": {LevelError, LevelError}} {
		var got []Level
		for _, a := range Build(stories()[name]).Annotations() {
			got = append(got, a.Level)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if list := Build(residueRun()).Annotations(); !list[0].Urgent || !strings.Contains(list[0].Message, "docker unpause shop-store-1") {
		t.Errorf("what a person must do does not come first: %+v", list)
	}
}

// The summary of a step has every verdict with its margin, and nothing in it is read as anything but text.
func TestStepSummary(t *testing.T) {
	for name, rec := range stories() {
		d := Build(rec)
		b, err := d.StepSummary("runs/x/report.md")
		if err != nil {
			t.Fatal(err)
		}
		s := string(b)
		if !strings.HasPrefix(s, "## ") || !strings.HasSuffix(s, "Draft of the postmortem: `runs/x/report.md`\n\n") || strings.Contains(s, "<script") && !strings.Contains(s, "`<script") {
			t.Errorf("%s:\n%s", name, s)
		}
		for _, h := range d.facts.hypotheses {
			if want := "| " + d.md(words("{}", Name(h.Name)), true) + " | **" + string(h.verdict) + "** | "; !strings.Contains(s, want) {
				t.Errorf("%s: the summary has no row %q", name, want)
			}
			if want := " | " + d.md(h.margin(), true) + " | ["; !strings.Contains(s, want) {
				t.Errorf("%s: the summary has no margin %q", name, want)
			}
		}
		if d.has("attention") != strings.Contains(s, "> [!") {
			t.Errorf("%s: what comes before everything else in the draft is not in the summary, or the other way round", name)
		}
	}
}
