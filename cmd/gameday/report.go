package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gameday/report"
	"gameday/runner/journal"
)

func (a app) reportCommand() *cobra.Command {
	var runs string
	var template, status string
	var by speaker
	var asJSON, schema bool
	var j judgeFlags
	var ci ciFlags
	c := &cobra.Command{
		Use:   "report [RUN]",
		Short: "Draft the postmortem of a run again, from its record alone",
		Long: `Draft the postmortem of a run from its directory alone: report.md, report.html, report.json and junit.xml. RUN is a run directory, an id
below --runs or a part of one, or "latest", which is the default. What people wrote into report.md stays as it is. A run that was cut off is
reported as far as its record goes, and the draft says what is missing.

With --judge the run is held against another scenario, as if that had been its own: other bounds, tolerances, phases, and so on, and with the
embedded engine other queries too, which are then evaluated on the recorded series at the recorded times. Variables have the values of the
run, unless -var says otherwise. What became of each hypothesis then and now is printed; the run's own record and report stay as they are,
and --out DIR has a whole report drafted elsewhere. The exit code is that of the outcome now.

With --out alone the same report is drafted elsewhere, and with --audience for other readers: the organisation does not read private fields;
the public reads neither names of people, containers, hosts, images, networks and files, nor addresses, nor queries, nor what people or
systems said. What people wrote into the run's own report.md is not in it.

A section template is Markdown with slots, named by a block template "SECTION" { file = "…" } in the scenario's report block:
{{ items }} is everything in the section that no other slot names, {{ sentences }} its paragraphs, lists and questions, {{ item "table" }} its
tables (or paragraph, list, question, facts, chart, drawing, heading; {{ item "table" 2 }} is the second), {{ part "hypothesis-1" }} a heading with what
follows it, and {{ field "name" }} the value of a field. --check-template FILE says what is wrong in one, as file:line:column, and how much of
each section of RUN, or of a sample, would stand in it. Nothing is drafted then.

With --status people say how far they are with the draft: draft, "in review", reviewed, closed. It stands in the record with the --role that
set it, and in the header of the draft. One that is closed over errors of the lint or follow-ups that are not data is warned of.

For CI, --summary appends a short summary and --annotations points at the lines of the scenario that were not as claimed. The exit code stays
as it is.

` + exitCodes + `

Without --judge: 0, or 1 for an error; with --check-template 2 if there is something wrong in the template.`,
		Args:              atMostOneRun,
		ValidArgsFunction: completeRuns(&runs),
		RunE: func(c *cobra.Command, args []string) error {
			if schema {
				_, err := a.stdout.Write(report.Schema)
				return err
			}
			if template != "" {
				return a.checkTemplate(template, runs, args, asJSON)
			}
			if err := j.elsewhere(c); err != nil {
				return err
			}
			if err := ci.prepare(c); err != nil {
				return err
			}
			dir, err := namedRun(runs, args)
			if err != nil {
				return err
			}
			if err := setStatus(c, dir, status, by); err != nil {
				return err
			}
			if j.scenario != "" {
				return a.rejudge(dir, j, ci, asJSON)
			}
			if j.given() {
				return see(c, "--scenario, -var and -var-file belong to --judge")
			}
			rec, err := journal.Read(dir)
			if err != nil {
				return err
			}
			var paths []string
			if j.out != "" {
				dir = j.out
				paths, err = j.write(rec)
			} else {
				paths, err = report.Write(dir, rec)
			}
			if err != nil && len(paths) == 0 {
				return err
			}
			err = errors.Join(err, ci.tell(a.stderr, []toldRun{{rec, draftOf(paths), journal.Audience(j.audience)}}))
			defer a.warnClosed(rec, dir) // last, where it is seen
			if asJSON {
				b, rerr := os.ReadFile(filepath.Join(dir, "report.json"))
				if rerr != nil {
					return rerr
				}
				if _, werr := a.stdout.Write(b); werr != nil {
					return werr
				}
				return err
			}
			report.Summary(a.stderr, report.BuildFor(rec, journal.Audience(j.audience)), a.color(), a.width())
			for _, p := range paths {
				fmt.Fprintln(a.stdout, p)
			}
			return err
		},
	}
	c.Flags().StringVar(&runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&asJSON, "json", false, "print report.json; with --judge, what differs")
	j.flags(c)
	ci.flags(c)
	c.Flags().StringVar(&template, "check-template", "", "check this section template `file` instead of drafting")
	c.Flags().StringVar(&status, "status", "", "set the `status` of the draft: draft, in review, reviewed or closed")
	c.Flags().StringVar(&by.role, "role", "", "with --status, the `role` that sets it, not a name (default: $"+roleVariable+")")
	c.Flags().BoolVar(&schema, "schema", false, "print the JSON schema of report.json")
	for _, other := range []string{"judge", "out", "schema", "check-template"} {
		c.MarkFlagsMutuallyExclusive("status", other)
	}
	return c
}
