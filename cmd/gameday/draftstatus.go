package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/report/blameless"
	"gameday/report/followup"
	"gameday/runner/journal"
)

// setStatus writes down how far people are with the draft of a run, where they said so.
func setStatus(c *cobra.Command, dir, status string, by speaker) error {
	if !c.Flags().Changed("status") {
		if c.Flags().Changed("role") {
			return see(c, "--role belongs to --status")
		}
		return nil
	}
	status = strings.ReplaceAll(strings.TrimSpace(status), "-", " ")
	if !journal.IsStatus(status) {
		return see(c, fmt.Sprintf("--status %q is none of %s", status, strings.Join(journal.Statuses, ", ")))
	}
	role, err := by.given()
	if err != nil {
		return err
	}
	if role == "" {
		return see(c, "say with --role, or in "+roleVariable+", which role sets the status")
	}
	_, err = journal.Say(dir, journal.Actor(role), &journal.StatusSet{Status: status})
	return err
}

// warnClosed says what is unfinished in a draft that people have closed.
func (a app) warnClosed(rec *journal.Record, dir string) {
	if report.Status(rec) != journal.StatusClosed {
		return
	}
	path := filepath.Join(dir, "report.md")
	src, err := os.ReadFile(path)
	if err != nil {
		return // there is no draft here
	}
	errors, unfinished := 0, 0
	for _, f := range blameless.Lint(path, src, blameless.Options{}) {
		if f.Severity == blameless.Error {
			errors++
		}
	}
	agreed, err := report.Agreed(path)
	if err != nil {
		return // said by whatever lists them
	}
	for _, f := range agreed {
		unfinished += len(followup.Check(f, nil))
	}
	if errors > 0 {
		fmt.Fprintf(a.stderr, "gameday: warning: the draft is closed with %s of the lint; see `gameday lint %s`\n", plural(errors, "error"), journal.ShellWord(path))
	}
	if unfinished > 0 {
		fmt.Fprintf(a.stderr, "gameday: warning: the draft is closed with %s in its follow-ups; see `gameday followups --check`\n", plural(unfinished, "problem"))
	}
}
