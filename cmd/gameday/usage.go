package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gameday/runner/journal"
)

// exitCodes stands in the help of what ends with them.
const exitCodes = `Exit codes: 0 held, 1 error, 2 invalid scenario, 3 refuted, 4 inconclusive or
  not injected, 5 aborted by a guardrail, 6 undo not complete (a person is
  needed), 7 another run holds the lock, 130 interrupted and undone`

// helpWidth is how wide help is set; every terminal has room for it.
const helpWidth = 80

// settle makes the help of all commands fit helpWidth, and mistakes in a command line say where to look.
func settle(root *cobra.Command) {
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages", fmt.Sprintf("FlagUsagesWrapped %d", helpWidth)))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return see(c, err.Error()) })
	for _, c := range root.Commands() {
		var paragraphs []string
		for _, p := range strings.Split(c.Long, "\n\n") {
			indent := ""
			if strings.HasPrefix(p, "Exit codes: ") {
				indent = "  "
			}
			paragraphs = append(paragraphs, wrap(p, helpWidth-len(indent), indent))
		}
		c.Long = strings.Join(paragraphs, "\n\n")
	}
}

func see(c *cobra.Command, what string) error {
	return fmt.Errorf("%s; see `%s --help`", what, c.CommandPath())
}

// nothing, oneSource and atMostOneRun say what a command takes.
func nothing(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return see(c, fmt.Sprintf("it takes no argument, and there is %q", args[0]))
	}
	return nil
}

func oneSource(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return see(c, "name one scenario file or directory")
	}
	return nil
}

func atMostOneRun(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return see(c, "name one run at most")
	}
	return nil
}

// completeRuns offers the runs below a directory, the latest first.
func completeRuns(runs *string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		dirs, err := journal.Runs(*runs)
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		out := []cobra.Completion{"latest"}
		for i := len(dirs) - 1; i >= 0; i-- {
			out = append(out, dirs[i][strings.LastIndexByte(dirs[i], '/')+1:])
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// unknown puts cobra's words about an unknown command on one line.
func unknown(msg string) string {
	text, guesses, found := strings.Cut(msg, "\n\nDid you mean this?\n")
	if !strings.HasPrefix(text, "unknown command ") {
		return msg
	}
	if found {
		text += "; did you mean " + strings.Join(strings.Fields(guesses), " or ") + "?"
	}
	return text + "; see `gameday --help`"
}
