package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gameday/inject"
	"gameday/scenarios"
)

// faultJSON describes a kind of fault to machines. Field names are an interface.
type faultJSON struct {
	Kind             string          `json:"kind"`
	Summary          string          `json:"summary"`
	Undo             string          `json:"undo"`
	Proof            string          `json:"proof"`
	ByHand           string          `json:"by_hand"`
	DurationRequired bool            `json:"duration_required"`
	Arguments        []faultArgument `json:"arguments"`
	Example          string          `json:"example"`
}

type faultArgument struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"` // as it would be written, or what leaving it out means
	Words    []string `json:"words,omitempty"`   // the only values that it can have
	Summary  string   `json:"summary"`
}

func (a app) faultsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "faults [KIND]",
		Short: "List the kinds of faults, or explain one: arguments, undo, proof, an example",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return see(c, "name one kind at most")
			}
			return nil
		},
		ValidArgsFunction: completeKinds,
		RunE: func(c *cobra.Command, args []string) error {
			all := describeKinds()
			if len(args) == 1 {
				i := slices.IndexFunc(all, func(k faultJSON) bool { return k.Kind == args[0] })
				if i < 0 {
					return see(c, fmt.Sprintf("there is no kind of fault %q; there are %s", args[0], strings.Join(kindNames(all), ", ")))
				}
				all = all[i : i+1]
			}
			switch {
			case asJSON:
				return a.json(map[string]any{"faults": all})
			case len(args) == 1:
				explainKind(a.stdout, all[0])
			default:
				listKinds(a.stdout, all)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// completeKinds offers the kinds of faults.
func completeKinds(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []cobra.Completion
	for _, k := range describeKinds() {
		out = append(out, cobra.CompletionWithDesc(k.Kind, k.Summary))
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// describeKinds is what this version can do, in the order of the language.
func describeKinds() []faultJSON {
	words := map[string][]string{} // by kind and argument
	for _, k := range scenarios.FaultKinds() {
		for _, x := range k.Args {
			words[k.Name+" "+x.Name] = x.Words
		}
	}
	var out []faultJSON
	for _, k := range inject.Kinds() {
		d := k.Doc()
		f := faultJSON{Kind: d.Kind, Summary: d.Summary, Undo: d.Undo, Proof: d.Proof, ByHand: d.ByHand, Example: d.Example,
			DurationRequired: d.Holds == inject.DurationRequired, Arguments: []faultArgument{}}
		for _, x := range d.Args {
			f.Arguments = append(f.Arguments, faultArgument{Name: x.Name, Type: x.Type, Required: x.Default == "", Default: x.Default,
				Words: words[d.Kind+" "+x.Name], Summary: x.Summary})
		}
		out = append(out, f)
	}
	return out
}

func kindNames(all []faultJSON) []string {
	names := make([]string, len(all))
	for i, k := range all {
		names[i] = k.Kind
	}
	return names
}

func listKinds(w io.Writer, all []faultJSON) {
	widest := 0
	for _, k := range all {
		widest = max(widest, len(k.Kind))
	}
	for _, k := range all {
		fmt.Fprintf(w, "%-*s  %s\n", widest, k.Kind, wrap(k.Summary, helpWidth-widest-2, strings.Repeat(" ", widest+2)))
	}
	fmt.Fprintln(w, "\nMore on one of them: gameday faults KIND")
}

// typeWords are the types of arguments as they are written.
var typeWords = map[string]string{
	"duration":   `a time such as "300ms"`,
	"string":     "text",
	"percent":    "a number from 0 to 100",
	"number":     "a number",
	"whole":      "a whole number",
	"size":       `a size such as "64MiB"`,
	"throughput": `bytes in a second, such as "1MiB/s"`,
	"rate":       `bits in a second, such as "1mbit"`,
	"command":    `a command such as "rm /tmp/ready", or a list such as ["rm", "/tmp/ready"]`,
	"peers":      `a list such as [target.store, "10.0.0.0/8"]`,
	"ports":      `a list such as [443, "8000-8100"]`,
}

func explainKind(w io.Writer, k faultJSON) {
	paragraph := func(name, text string) {
		const indent = 2
		fmt.Fprintf(w, "\n%s\n  %s\n", name, wrap(text, helpWidth-indent, strings.Repeat(" ", indent)))
	}
	fmt.Fprintf(w, "%s\n  %s\n", k.Kind, wrap(k.Summary, helpWidth-2, "  "))
	fmt.Fprintf(w, "\nExample\n  %s\n", strings.ReplaceAll(k.Example, "\n", "\n  "))
	duration := "duration"
	if k.DurationRequired {
		duration += " (required)"
	}
	paragraph("Arguments", "target (required), description, start, after, "+duration+", as every fault has them.")
	for _, x := range k.Arguments {
		is := "text"
		if t := typeWords[x.Type]; t != "" {
			is = t
		}
		if len(x.Words) > 0 {
			is = `"` + strings.Join(x.Words, `", "`) + `"`
		}
		if x.Required {
			is += "; required"
		} else {
			is += "; default: " + x.Default
		}
		const indent = "      "
		fmt.Fprintf(w, "  %s: %s\n%s%s\n", x.Name, wrap(is, helpWidth-len(x.Name)-4, indent), indent, wrap(x.Summary, helpWidth-len(indent), indent))
	}
	paragraph("Undo", k.Undo+" By hand: "+k.ByHand)
	paragraph("Proof", k.Proof)
}
