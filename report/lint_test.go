package report

import (
	"os"
	"path/filepath"
	"testing"

	"gameday/report/blameless"
)

// TestDraftsLintClean keeps rule 9: what the machine writes passes the lint that people's words are held to.
func TestDraftsLintClean(t *testing.T) {
	files, err := filepath.Glob("testdata/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden drafts: %v", err)
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range blameless.Lint(path, src, blameless.Options{}) {
			t.Errorf("%s:%d:%d: %s %s: %q", f.File, f.Line, f.Column, f.Rule, f.Severity, f.Quote)
		}
	}
}
