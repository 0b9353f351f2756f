package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"gameday/report/blameless"
	"gameday/runner"
)

func (a app) lintCommand() *cobra.Command {
	var names []string
	var roster string
	var asJSON, sarif, unavailable bool
	c := &cobra.Command{
		Use:   "lint FILE…",
		Short: "Check the language of a postmortem: does it look for conditions, or for somebody to blame?",
		Long: `Check English Markdown for language that blames, and offer a question to ask instead: one line for each finding, as file:line:column, the rule,
how much it weighs, the words, what they hide, and the question. Any Markdown will do, not only gameday's drafts.

Names of those who took part are to be roles instead: they are taken from the file's own table of roles (a column "Role" and one "Who" or
"Name"), from --roster and from --name. A comment with a reason takes a rule out for the block that it stands in, or before:
<!-- blameless:allow BL202 the customer's template asks for it -->

Exit code 3 if there is an error; warnings and suggestions are for people to weigh.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return see(c, "name at least one file")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			names, err := participants(names, roster)
			if err != nil {
				return err
			}
			findings := []blameless.Finding{}
			for _, path := range args {
				src, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				findings = append(findings, blameless.Lint(path, src, blameless.Options{Names: names, Unavailable: unavailable})...)
			}
			code := 0
			for _, f := range findings {
				if f.Severity == "error" {
					code = runner.ExitRefuted
				}
				if !asJSON && !sarif {
					fmt.Fprintf(a.stdout, "%s:%d:%d: %s %s: %s: %s %s (%s)\n", clean(f.File), f.Line, f.Column, f.Rule, f.Severity, strconv.Quote(f.Quote), f.Hides, f.Ask, f.Source)
				}
			}
			switch {
			case sarif:
				b, err := blameless.SARIF(findings, versionText())
				if err != nil {
					return err
				}
				if _, err := a.stdout.Write(b); err != nil {
					return err
				}
			case asJSON:
				if err := a.json(map[string]any{"findings": findings}); err != nil {
					return err
				}
			}
			return exit(code)
		},
	}
	participantFlags(c, &names, &roster, "should be a role instead")
	c.Flags().BoolVar(&unavailable, "unavailable", false, "nothing worked at all for a time, as a hypothesis has shown: \"outage\" and \"down\" are the right words")
	c.Flags().BoolVar(&sarif, "sarif", false, "print SARIF 2.1.0, for code hosts")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("json", "sarif")
	return c
}

// participantFlags are the ways to say who took part. what is said of their names.
func participantFlags(c *cobra.Command, names *[]string, roster *string, what string) {
	c.Flags().StringArrayVar(names, "name", nil, "a participant's `name` that "+what+" (may be repeated)")
	c.Flags().StringVar(roster, "roster", "", "a `file` with the names of those who took part: a table of roles, or a line for each")
}

// participants are the names that were given, and those in the file.
func participants(names []string, roster string) ([]string, error) {
	if roster == "" {
		return names, nil
	}
	src, err := os.ReadFile(roster)
	if err != nil {
		return nil, err
	}
	read := blameless.Roster(src)
	if len(read) == 0 { // and who relies on it would believe that nobody is named
		return nil, fmt.Errorf("--roster: %s has no name in it: write one on each line, with a capital letter first, such as Ines Krause", roster)
	}
	return append(names, read...), nil
}
