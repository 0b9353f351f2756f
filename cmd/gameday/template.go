package main

import (
	"fmt"
	"os"

	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
)

// checkTemplate checks a section template, and tries it in every section of a run, or of a sample that is built in.
func (a app) checkTemplate(file, runs string, args []string, asJSON bool) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	rec, of := report.Sample(), "the sample that is built in"
	var fields []string
	if len(args) == 1 {
		dir, err := journal.Find(runs, args[0])
		if err != nil {
			return err
		}
		if rec, err = journal.Read(dir); err != nil {
			return err
		}
		of, fields = rec.Name, []string{}
		for _, e := range rec.Events {
			if p, ok := e.Payload.(*journal.ReportDeclared); ok {
				for _, f := range p.Fields {
					fields = append(fields, f.Name)
				}
			}
		}
	}
	problems := report.CheckTemplate(text, fields)
	tried := []report.TriedTemplate{}
	if len(problems) == 0 {
		if tried, err = report.TryTemplate(rec, text); err != nil {
			return err
		}
	}
	switch {
	case asJSON:
		if problems == nil {
			problems = []report.TemplateProblem{}
		}
		if err := a.json(map[string]any{"valid": len(problems) == 0, "problems": problems, "sections": tried}); err != nil {
			return err
		}
	case len(problems) > 0:
		for _, p := range problems {
			fmt.Fprintf(a.stdout, "%s:%d:%d: %s\n", file, p.Line, p.Column, p.What)
		}
	default:
		fmt.Fprintf(a.stderr, "%s: valid. As the template of a section of %s:\n", file, of)
		t := table{head: []string{"SECTION", "ITEMS IN IT", "LEFT OUT"}}
		for _, x := range tried {
			t.rows = append(t.rows, []string{x.Section, fmt.Sprint(x.Stands), fmt.Sprint(x.LeftOut)})
		}
		if err := t.print(a.stdout); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return exit(runner.ExitInvalid)
	}
	return nil
}
