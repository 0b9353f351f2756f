package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"gameday/report"
	"gameday/runner/journal"
)

// shellLines are the command lines in a parsed workflow: of GitHub's steps, and of GitLab's scripts.
func shellLines(node any, key string) (out []string) {
	switch v := node.(type) {
	case map[string]any:
		for k, x := range v {
			out = append(out, shellLines(x, k)...)
		}
	case []any:
		for _, x := range v {
			out = append(out, shellLines(x, key)...)
		}
	case string:
		if key == "run" || strings.HasSuffix(key, "script") {
			out = append(out, strings.Split(v, "\n")...)
		}
	}
	return out
}

// Every command of gameday's in the sample workflows exists, with every flag; what a workflow needs of a CI system is in it.
func TestSampleWorkflows(t *testing.T) {
	for file, needs := range map[string][]string{
		"github.yml":     {"actions/checkout@", "go-version-file: go.mod", "if: always()", "actions/upload-artifact@", "path: runs/", "--annotations github", "$GITHUB_STEP_SUMMARY"},
		".gitlab-ci.yml": {"when: always", "junit: runs/*/junit.xml", "codequality: gl-code-quality-report.json", "--annotations gitlab=gl-code-quality-report.json", "exit_codes: 4"},
	} {
		text, err := os.ReadFile(filepath.Join("../../examples/ci", file))
		if err != nil {
			t.Fatal(err)
		}
		var parsed map[string]any
		if err := yaml.Unmarshal(text, &parsed); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, n := range needs {
			if !strings.Contains(string(text), n) {
				t.Errorf("%s has no %q", file, n)
			}
		}
		commands := 0
		for _, line := range shellLines(parsed, "") {
			for _, command := range strings.FieldsFunc(line, func(r rune) bool { return r == ';' || r == '|' || r == '&' }) {
				words := strings.Fields(command)
				i := slices.Index(words, "./bin/gameday")
				if i < 0 {
					continue
				}
				commands++
				checkCommand(t, file, words[i+1:])
			}
			for _, w := range strings.Fields(line) {
				if path, ok := strings.CutPrefix(w, "./examples/"); ok || strings.HasPrefix(w, "examples/") {
					if !ok {
						path = strings.TrimPrefix(w, "examples/")
					}
					if _, err := os.Stat(filepath.Join("../../examples", path)); err != nil {
						t.Errorf("%s: %v", file, err)
					}
				}
			}
		}
		if commands < 3 {
			t.Errorf("%s: %d commands were found: it has been read wrongly", file, commands)
		}
	}
}

// checkCommand parses a command line of gameday's as gameday does, without running it.
func checkCommand(t *testing.T, file string, words []string) {
	t.Helper()
	for i, w := range words {
		if w == "#" || strings.HasPrefix(w, ">") {
			words = words[:i]
			break
		}
	}
	c, rest, err := app{}.root().Find(words)
	if err != nil || c.Name() == "gameday" {
		t.Errorf("%s: gameday %s: there is no such command (%v)", file, strings.Join(words, " "), err)
		return
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("%s: gameday %s: %v", file, strings.Join(words, " "), err)
		return
	}
	if err := c.Args(c, c.Flags().Args()); err != nil {
		t.Errorf("%s: gameday %s: %v", file, strings.Join(words, " "), err)
	}
	if c.Name() == "run" {
		var f ciFlags
		f.annotations, _ = c.Flags().GetStringArray("annotations")
		if err := f.prepare(c); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// What the sample workflows hand to their systems is there, and can be read: that of a run which was refuted, and of one for the public.
func TestWorkflowsGetTheirFiles(t *testing.T) {
	rec := report.Sample()
	dir := t.TempDir()
	paths, err := report.Write(dir, rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.md", "report.html", "report.json", "junit.xml"} {
		if !slices.Contains(paths, filepath.Join(dir, name)) {
			t.Errorf("%s is missing", name)
		}
	}
	f := ciFlags{summary: filepath.Join(dir, "summary.md"), gitlab: filepath.Join(dir, "quality.json")}
	if err := f.tell(os.Stderr, []toldRun{{rec: rec, draft: "runs/x/report.md"}, {rec: rec, audience: journal.AudiencePublic}}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.summary)
	if err != nil || strings.Count(string(b), "## Refuted: ") != 2 {
		t.Errorf("the summary of two runs:\n%s", b)
	}
	var quality []struct {
		Description, Fingerprint, Severity string
		Location                           struct {
			Path  string
			Lines struct{ Begin int }
		}
	}
	if b, err = os.ReadFile(f.gitlab); err != nil || json.Unmarshal(b, &quality) != nil || len(quality) == 0 {
		t.Fatalf("%v: GitLab's file is\n%s", err, b)
	}
	for _, q := range quality {
		if q.Description == "" || q.Fingerprint == "" || q.Severity == "" || q.Location.Path == "" || q.Location.Lines.Begin < 1 {
			t.Errorf("GitLab cannot place %+v", q)
		}
	}
}
