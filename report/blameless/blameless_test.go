package blameless

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// brief writes findings as "line:col-line:col rule severity quote".
func brief(found []Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, fmt.Sprintf("%d:%d-%d:%d %s %s %s", f.Line, f.Column, f.EndLine, f.EndColumn, f.Rule, f.Severity, f.Quote))
	}
	return out
}

func TestMarkdown(t *testing.T) {
	tests := []struct {
		name, src string
		o         Options
		want      []string
	}{
		{name: "joined over a soft line break", src: "At noon the engineer\nshould have *checked* it.\n",
			want: []string{"1:9-2:21 BL101 error the engineer should have *checked"}},
		{name: "columns count characters", src: "Übung – she forgot the key.\n",
			want: []string{"1:9-1:19 BL302 error she forgot"}},
		{name: "curly apostrophe", src: "They shouldn’t have skipped lunch.\n",
			want: []string{"1:1-1:28 BL101 error They shouldn’t have skipped"}},
		{name: "carriage returns", src: "One.\r\nIt was\r\nBob's fault.\r\n",
			want: []string{"2:4-3:12 BL205 error was Bob's fault"}},
		{name: "front matter", src: "---\nsummary: the operator forgot it\n---\n\nShe forgot it.\n",
			want: []string{"5:1-5:11 BL302 error She forgot"}},
		{name: "a rule at the top is not front matter", src: "---\n\nShe forgot it.\n\n---\n",
			want: []string{"3:1-3:11 BL302 error She forgot"}},
		{name: "code and addresses", src: "```\nshe forgot it\n```\n\n    she forgot it\n\n`she forgot it` <https://example.org/she-forgot> [ok](she-forgot \"she forgot\")\n"},
		{name: "comments and HTML", src: "<!-- she forgot it -->\n\n<p>she forgot it</p>\n\nfine <!-- she forgot it --> text\n"},
		{name: "block quotes are evidence", src: "> The engineer should have checked it.\n",
			want: []string{"1:3-1:35 BL101 suggestion The engineer should have checked"}},
		{name: "quoted speech is evidence", src: "The responder wrote: \"I should have checked it.\"\n",
			want: []string{"1:23-1:44 BL101 suggestion I should have checked"}},
		{name: "quoted expressions are talked about", src: "Phrases like \"she should have known\" and 'human error' close a debrief.\n"},
		{name: "emphasis, heading, table cell and item", src: "# Human **error** led to this\n\n| a | b |\n|---|---|\n| x | we ignored the page |\n\n1. She forgot it\n",
			want: []string{"1:3-1:16 BL201 error Human **error", "5:7-5:17 BL302 error we ignored", "7:4-7:14 BL302 error She forgot"}},
		{name: "root cause once", src: "The root cause was A.\n\nThe root cause was B.\n", want: []string{"1:5-1:15 BL202 warning root cause"}},
		{name: "opt-out for the next block", src: "<!-- blameless:allow BL202 the template asks for it -->\n## Root cause\n\nThe root cause was A.\n",
			want: []string{"4:5-4:15 BL202 warning root cause"}},
		{name: "opt-out in the block", src: "The root cause was A. <!-- blameless:allow BL202, BL302 quoted from the ticket --> We forgot it.\n"},
		{name: "opt-out without a reason", src: "<!-- blameless:allow BL302 -->\nShe forgot it.\n",
			want: []string{"1:1-1:31 BL000 error <!-- blameless:allow BL302 -->", "2:1-2:11 BL302 error She forgot"}},
		{name: "opt-out of an unknown rule", src: "Text <!-- blameless:allow BL999 because --> text.\n",
			want: []string{"1:6-1:44 BL000 error <!-- blameless:allow BL999 because -->"}},
		{name: "names", o: Options{Names: []string{"Zoë Ng", "Zoë"}}, src: "Zoë Ng forgot it, Zoës too.\n\n| Role | Who |\n|---|---|\n| primary | Zoë Ng |\n",
			want: []string{"1:1-1:14 BL302 error Zoë Ng forgot", "1:1-1:7 BL901 warning Zoë Ng"}},
		{name: "names from the document's own roles", src: "Bo Li saw it.\n\n| Role | Who |\n|---|---|\n| primary | Bo Li |\n",
			want: []string{"1:1-1:6 BL901 warning Bo Li"}},
		{name: "unavailable", o: Options{Unavailable: true}, src: "The outage began.\n"},
		{name: "entities and escapes", src: "We&nbsp;forgot it\\. We ignored\\_it.\n", want: []string{"1:1-1:15 BL302 error We&nbsp;forgot"}},
		{name: "follow-ups in a list", src: "## Follow-ups\n\n- Raise the probe timeout\n- Raise the limit (owner: storage, due 2026-12-01, done when gd-3 holds)\n",
			want: []string{"3:3-3:26 BL802 warning Raise the probe timeout"}},
		{name: "follow-ups in a table", src: "## Follow-ups\n\n| Action | Owner | Due | Done when |\n|---|---|---|---|\n| Improve alerting | storage | | gd-3 holds |\n| Pin it | storage | 2026-12-01 | gd-3 holds |\n",
			want: []string{"5:3-5:10 BL801 suggestion Improve", "5:3-5:19 BL802 warning Improve alerting"}},
		{name: "follow-ups as data", src: "## Follow-ups\n\n| Action | Owning team | Due | Done when | Decision | Proof |\n|---|---|---|---|---|---|\n" +
			"| The pool is too small | storage | next week | it shows 40 | perhaps | the next run |\n| Pin the image | | | | not doing | |\n| Pin it | | | | not doing: it is pinned | |\n",
			want: []string{"5:3-5:24 BL804 suggestion The pool is too small", "5:37-5:46 BL805 warning next week", "5:63-5:70 BL805 warning perhaps", "5:73-5:85 BL805 warning the next run",
				"6:25-6:34 BL806 warning not doing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := brief(Lint("x.md", []byte(tt.src), tt.o))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestRules(t *testing.T) {
	last := ""
	for _, r := range Rules() {
		if r.ID <= last {
			t.Errorf("%s does not come after %s", r.ID, last)
		}
		last = r.ID
		if r.Severity == "" || r.Flags == "" || r.Instead == "" || r.Source == "" {
			t.Errorf("%s lacks a field: %+v", r.ID, r)
		}
	}
	for _, r := range table().rules {
		if r.ask == "" {
			t.Errorf("%s asks nothing", r.ID)
		}
	}
}

// Every rule is shown at least once by the golden file or by the cases above.
func TestEveryRuleIsShown(t *testing.T) {
	shown := map[string]bool{"BL000": true, "BL804": true, "BL805": true, "BL806": true, "BL901": true}
	for _, r := range golden(t) {
		shown[r.rule] = true
	}
	for _, r := range Rules() {
		if !shown[r.ID] {
			t.Errorf("no sentence in golden.tsv shows %s", r.ID)
		}
	}
}

// The words looked for before a pattern is tried never hide a match.
func TestRequiredWords(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		want    []string
	}{
		{`(?i)should\s+have`, []string{"should"}},
		{`(?i)(?:careless|reckless)ly`, []string{"careless", "reckless"}},
		{`a*`, nil},
		{`(?:forgot|b?)`, nil},
		{`(?:ab){2,}`, []string{"ab"}},
	} {
		if d := cmp.Diff(tt.want, required(tt.pattern)); d != "" {
			t.Errorf("%s: -want +got\n%s", tt.pattern, d)
		}
	}
	for i, row := range golden(t) {
		if i%8 != 0 { // trying every pattern on every sentence is slow, which is why the words are looked for
			continue
		}
		lower := strings.ToLower(row.sentence)
		for _, r := range table().rules {
			for _, c := range r.compiled {
				if len(c.find(row.sentence)) > 0 && !mayMatch(lower, c.required) {
					t.Errorf("%s would miss %q", r.ID, row.sentence)
				}
			}
		}
	}
}

func FuzzLint(f *testing.F) {
	for _, s := range []string{
		"---\na: b\n---\nShe forgot it.", "> \"we should have known\"", "| a | b |\n|--|--|\n| `x` \\| y | they failed to |",
		"<!-- blameless:allow BL202 -->\n# Root cause", "<!-- blameless:allow BL202 x", "\xff\xfe We\u00a0forgot &#x27; \\", "- [ ] Improve\n\t- x",
		"Zoë Zoë Zoë", "\ufeff+++\n+++\nhuman error led to it\r\n\r", "&NotEqualTilde; she &fjlig; forgot", "'a' \"b' c\" 'd e'",
	} {
		f.Add([]byte(s), "Zoë")
	}
	f.Fuzz(func(t *testing.T, src []byte, name string) {
		found := Lint("f.md", src, Options{Names: []string{name}})
		if d := cmp.Diff(brief(found), brief(Lint("f.md", src, Options{Names: []string{name}}))); d != "" {
			t.Fatalf("not the same twice: %s", d)
		}
		lines := bytes.Split(src, []byte("\n"))
		inside := func(line, col int) bool {
			return line >= 1 && line <= len(lines) && col >= 1 && col <= utf8.RuneCount(lines[line-1])+2
		}
		for _, x := range found {
			if !inside(x.Line, x.Column) || !inside(x.EndLine, x.EndColumn) {
				t.Fatalf("outside the file: %+v", x)
			}
			if x.EndLine < x.Line || x.EndLine == x.Line && x.EndColumn <= x.Column {
				t.Fatalf("ends before it starts: %+v", x)
			}
		}
	})
}
