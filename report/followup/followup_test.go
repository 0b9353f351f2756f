package followup

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// line is a follow-up on one line.
func line(f FollowUp) string {
	var more []string
	for _, m := range f.More {
		more = append(more, m.Name+"="+m.Cell.Text)
	}
	d, reason := f.Decided()
	return fmt.Sprintf("%d:%d %s | %s | %s | %s | %s | %s (%s) | %s | %s", f.Action.Line, f.Action.Column, f.Action.Text, f.Owner.Text, f.Due.Text, f.Done.Text,
		f.Ticket.Text, d, reason, f.ProofScenario(), strings.Join(more, " "))
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"as gameday lays it out", "## Follow-ups\n\n| Action | Owning team | Due | Done when | Ticket | Decision | Proof |\n|---|---|---|---|---|---|---|\n" +
			"| Raise the `pool` to 40 | Storefront | 2026-12-04 | the pool shows 40 | [OPS-12](https://x.invalid/OPS-12) | do | `store_freezes` |\n" +
			"| Drop the cache \\| the copy | Data | 4 Dec 2026 | it is gone | | not doing: it pays for itself | |\n| | | | | | | |\n",
			[]string{"5:3 Raise the pool to 40 | Storefront | 2026-12-04 | the pool shows 40 | OPS-12 | do () | store_freezes | ",
				"6:3 Drop the cache | the copy | Data | 4 Dec 2026 | it is gone |  | not doing (it pays for itself) |  | "}},
		{"in another order, in other words, with more columns", "# Review\n\nACTION ITEM | priority | by when | WHO | accepted when\n--- | --- | --- | --- | ---\n**Rename** the flag | P2 | Dec 4, 2026 | Pay | _gone_\n",
			[]string{"5:1 Rename the flag | Pay | Dec 4, 2026 | gone |  | undecided () |  | priority=P2"}},
		{"no table of follow-ups", "## What was seen\n\n| What | When |\n|---|---|\n| it froze | 10:04 |\n", nil},
		{"the machine's list of earlier ones", "## Follow-ups\n\n| Agreed on | Owning team | Due | Age | Run |\n|---|---|---|---|---|\n| x | y | z | 3 days | r |\n", nil},
		{"in code", "## Follow-ups\n\n```\n| Action | Owner |\n|---|---|\n| x | y |\n```\n", nil},
		{"a row too short and one too long", "## Actions\n\n| Action | Owner | Due |\n|---|---|---|\n| Fix it |\n| Fix that | a | b | c | d |\n",
			[]string{"5:3 Fix it |  |  |  |  | undecided () |  | ", "6:3 Fix that | a | b |  |  | undecided () |  | "}},
		{"in a quotation and in a list", "> ## Follow-ups\n>\n> | Task | Team |\n> |---|---|\n> | Cut | Ops |\n\n- x\n\n  | Task | Team |\n  |---|---|\n  | Dig | Ops |\n",
			[]string{"5:5 Cut | Ops |  |  |  | undecided () |  | ", "11:5 Dig | Ops |  |  |  | undecided () |  | "}},
		{"columns count characters", "## Follow-ups\n\n| Owner | Action |\n|---|---|\n| Zoë’s Team | Füll it |\n",
			[]string{"5:16 Füll it | Zoë’s Team |  |  |  | undecided () |  | "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Parse([]byte(tt.src)) {
				got = append(got, line(f))
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

// row is a follow-up in the layout of the draft, with each cell at its own place.
func row(cells ...string) FollowUp {
	l, _ := ReadLayout([]string{"Action", "Owning team", "Due", "Done when", "Ticket", "Decision", "Proof"}, "Follow-ups")
	var out []Cell
	for i, c := range cells {
		out = append(out, Cell{Text: c, Line: 1, Column: i + 1})
	}
	return l.Row(out)
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		cells []string
		want  []string
	}{
		{[]string{"Raise the pool", "Storefront", "2026-12-04", "it shows 40", "", "do", "store_freezes"}, nil},
		{[]string{"Raise the pool", "Storefront", "2026-12-04", "it shows 40", "", "do, after the freeze", ""}, nil},
		{[]string{"Raise the pool", "", "", "tbd", "", "do", ""}, []string{"missing 1 it leaves open: owner, due date, done-when"}},
		{[]string{"Raise the pool", "Storefront", "2026-12-04", "", "", "later", ""}, nil},
		{[]string{"Raise the pool", "Storefront", "", "", "", "later", ""}, []string{"missing 1 it leaves open: due date"}},
		{[]string{"Raise the pool", "Ines", "2026-12-04", "it shows 40", "", "do", ""}, []string{`person 2 the owner "Ines" is a person: name the team, which is there when the person is not`}},
		{[]string{"Raise the pool", "Storefront (ines)", "2026-12-04", "it shows 40", "", "do", ""}, []string{`person 2 the owner "Ines" is a person: name the team, which is there when the person is not`}},
		{[]string{"Raise the pool", "Inestimable", "2026-13-04", "it shows 40", "", "do", ""}, []string{`unreadable 3 "2026-13-04" is not a date: write it as 2026-12-04`}},
		{[]string{"Raise the pool", "Storefront", "next week", "it shows 40", "", "", "after the next run"}, []string{
			"missing 1 it is not decided: do, later, or not doing with the reason", `unreadable 3 "next week" is not a date: write it as 2026-12-04`,
			`unreadable 7 the proof "after the next run" is not the name of a scenario, such as store_freezes`}},
		{[]string{"The pool is to be raised", "Storefront", "2026-12-04", "it shows 40", "", "perhaps", ""}, []string{
			`unreadable 6 the decision "perhaps" is none of do, later, not doing (with the reason) and done`,
			`no verb 1 it does not begin with a verb: say what is to be done, such as "Raise …" or "Remove …"`}},
		{[]string{"The pool", "", "", "", "", "not doing: it would cost more than it saves", ""}, nil},
		{[]string{"The pool", "", "", "", "", "Not doing", ""}, []string{`no reason 6 it is not done, and no reason is given: write "not doing: " and the reason`}},
		{[]string{"The pool", "", "", "", "", "won’t do (too costly)", ""}, nil},
		{[]string{"The pool", "", "", "", "", "done 2026-11-30", ""}, nil},
		{[]string{"", "Storefront", "", "", "", "", ""}, []string{"missing 2 the row has no action: say what will be different, verb first"}},
		{[]string{"", "", "", "", "", "", ""}, nil},
	} {
		var got []string
		for _, p := range Check(row(tt.cells...), []string{"Ines", ""}) {
			got = append(got, fmt.Sprintf("%s %d %s", p.Fault, p.Cell.Column, p.What))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%q: -want +got\n%s", tt.cells, d)
		}
	}
}

// Without a column for decisions nobody is asked to decide.
func TestOtherLayoutsAskForLess(t *testing.T) {
	found := Parse([]byte("## Actions\n\n| Action | Owner | Due | Done when |\n|---|---|---|---|\n| Raise the pool | Storefront | 2026-12-04 | it shows 40 |\n"))
	if len(found) != 1 || len(Check(found[0], nil)) != 0 || !found[0].Open() {
		t.Errorf("found %+v", found)
	}
}

func TestOpen(t *testing.T) {
	for decision, want := range map[string]bool{"": true, "do": true, "later": true, "maybe": true, "not doing: x": false, "no": false, "nothing yet": true, "done": false, "Done.": false, "undone": true, "none": true} {
		f := row("Raise it", "", "", "", "", decision, "")
		if f.Open() != want {
			t.Errorf("%q is open: %v", decision, !want)
		}
	}
	if f := row("", "Storefront"); f.Open() {
		t.Error("a row without an action is open")
	}
}

func TestDate(t *testing.T) {
	for text, want := range map[string]string{
		"2026-12-04": "2026-12-04", "2026-12-4 (was 2026-11-30)": "2026-12-04", "4 December 2026": "2026-12-04", "4. Dec 2026": "2026-12-04", "by December 4, 2026": "2026-12-04",
		"2026-02-30": "", "04/12/2026": "", "Q1 2027": "", "soon": "", "in 4 runs 2026": "",
	} {
		got := ""
		if d, ok := Date(text); ok {
			got = d.Format("2006-01-02")
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestVerbFirst(t *testing.T) {
	for _, yes := range []string{"Raise the pool", "raise it", "OPS-3: Drop it", "[P1] Provision a host", "Re-run it", "“Pin” the image", "Partition the log", "Seed the test", "Alert on lag", "Double-check it", "Implement a limit", "Ping them", "Reduce the lag", "#12 Embed it", "Audit it"} {
		if !VerbFirst(yes) {
			t.Errorf("%q does not begin with a verb", yes)
		}
	}
	for _, no := range []string{"", "The pool is small", "Better alerting", "Monitoring of lag", "Documentation", "We should raise it", "Added a limit", "More replicas", "Replicated the data", "42", "Visibility of lag", "It's slow", "Adding a limit"} {
		if VerbFirst(no) {
			t.Errorf("%q begins with a verb", no)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("## Follow-ups\n\n| Action | Owner | Due |\n|---|---|---|\n| `x | y` \\| z | Zoë | 2026-01-01 |\n"))
	f.Add([]byte("> | Action | Due |\n> |:-|-:|\n> | \xff | &amp; &#x27; |\n\r\n\tx"))
	f.Fuzz(func(t *testing.T, src []byte) {
		lines := strings.Split(string(src), "\n")
		for _, x := range Parse(src) {
			for _, p := range Check(x, []string{"Zoë"}) {
				if p.What == "" || p.Fault == "" {
					t.Fatalf("%+v says nothing", p)
				}
				if c := p.Cell; c.Line > 0 && (c.Line > len(lines) || c.Column < 1 || c.Column > utf8.RuneCountInString(lines[c.Line-1])+1) {
					t.Fatalf("%+v is outside of the file", c)
				}
			}
		}
	})
}
