package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/runner/journal"
)

// codeQualityFile is where GitLab's jobs look by habit.
const codeQualityFile = "gl-code-quality-report.json"

// ciFlags are those with which a command tells a CI system what became of a run.
type ciFlags struct {
	summary     string
	annotations []string

	github bool
	gitlab string // a file; empty: none
}

func (f *ciFlags) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.summary, "summary", "", "append a short summary in Markdown to this `file`, such as $GITHUB_STEP_SUMMARY")
	c.Flags().StringArrayVar(&f.annotations, "annotations", nil,
		"point at the lines of the scenario that were not as claimed: `github` writes workflow commands to stderr, gitlab[=FILE] a code quality report (default "+codeQualityFile+
			"), none nothing (may be repeated; default github where GITHUB_ACTIONS is true, else none)")
}

// prepare reads the flags, and sees that what is to be written can be, before anything is done.
func (f *ciFlags) prepare(c *cobra.Command) error {
	list := f.annotations
	if !c.Flags().Changed("annotations") && os.Getenv("GITHUB_ACTIONS") == "true" {
		list = []string{"github"}
	}
	for _, x := range list {
		system, file, named := strings.Cut(x, "=")
		switch {
		case system == "github" && !named:
			f.github = true
		case system == "gitlab" && !named:
			f.gitlab = codeQualityFile
		case system == "gitlab" && file != "":
			f.gitlab = file
		case x == "none":
		default:
			return see(c, fmt.Sprintf("--annotations is github, gitlab, gitlab=FILE or none, not %q", x))
		}
	}
	if f.summary == "" {
		return nil
	}
	file, err := os.OpenFile(f.summary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the summary: %w", err)
	}
	return file.Close()
}

// A told run is one of which a CI system is told.
type toldRun struct {
	rec      *journal.Record
	draft    string // path of its Markdown; empty: there is none
	audience journal.Audience
}

// tell tells the CI system of runs.
func (f *ciFlags) tell(stderr io.Writer, runs []toldRun) error {
	var all []report.Annotation
	first := ""
	for _, r := range runs {
		d := report.BuildFor(r.rec, r.audience)
		if f.summary != "" {
			if err := f.appendSummary(d, r.draft); err != nil {
				return err
			}
		}
		for _, a := range d.Annotations() {
			a.File = fromRepository(a.File)
			all = append(all, a)
		}
		if files := r.rec.Started().Files; first == "" && len(files) > 0 {
			first = files[0].Name
		}
	}
	if f.github {
		if err := report.WriteGitHub(stderr, all); err != nil {
			return err
		}
	}
	if f.gitlab == "" {
		return nil
	}
	for _, a := range all {
		if a.File != "" {
			first = a.File // the record has the name alone
			break
		}
	}
	b, err := report.CodeQuality(all, first)
	if err == nil {
		err = os.WriteFile(f.gitlab, b, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write the code quality report: %w", err)
	}
	return nil
}

// tellResults tells the CI system of the scenarios that were rehearsed.
func (f *ciFlags) tellResults(stderr io.Writer, results []result) error {
	if f.summary == "" && !f.github && f.gitlab == "" {
		return nil
	}
	var runs []toldRun
	for _, r := range results {
		if r.Dir == "" {
			continue
		}
		rec, err := journal.ReadEvents(r.Dir)
		if err != nil {
			return err
		}
		runs = append(runs, toldRun{rec: rec, draft: draftOf(r.Drafts)})
	}
	return f.tell(stderr, runs)
}

func (f *ciFlags) appendSummary(d *report.Draft, draft string) error {
	b, err := d.StepSummary(draft)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.summary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.Write(b)
		if cerr := file.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write the summary: %w", err)
	}
	return nil
}

// fromRepository is a path, counted from the working directory, as the CI system counts it: from where it put the repository.
func fromRepository(file string) string {
	for _, name := range []string{"GITHUB_WORKSPACE", "CI_PROJECT_DIR"} {
		root := os.Getenv(name)
		if file == "" || root == "" {
			continue
		}
		if abs, err := filepath.Abs(file); err == nil {
			if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
				return filepath.ToSlash(rel)
			}
		}
	}
	return file
}

// draftOf is the Markdown among the drafts.
func draftOf(paths []string) string {
	for _, p := range paths {
		if filepath.Base(p) == "report.md" {
			return p
		}
	}
	return ""
}
