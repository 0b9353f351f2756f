package scenarios

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// underlined returns what the carets of a view are under.
func underlined(t *testing.T, d Diagnostic, width int) string {
	t.Helper()
	var b strings.Builder
	WriteDiagnostics(&b, Diagnostics{d}, false, width)
	lines := strings.Split(b.String(), "\n")
	for i, l := range lines {
		if j := strings.IndexByte(l, '^'); j >= 0 && strings.TrimLeft(l[strings.IndexByte(l, '|')+1:], " ^") == "" {
			above := []rune(lines[i-1])
			from := utf8.RuneCountInString(l[:j])
			to := from + strings.Count(l, "^")
			return string(above[from:min(to, len(above))])
		}
	}
	t.Fatalf("no underline:\n%s", b.String())
	return ""
}

func TestUnderline(t *testing.T) {
	long := strings.Repeat("x", 300) + "HERE" + strings.Repeat("y", 300)
	for _, c := range []struct {
		name, want string
		d          Diagnostic
		width      int
	}{
		{"plain", "HERE", Diagnostic{Line: 3, Column: 5, EndLine: 3, EndColumn: 9, Snippet: "abc HERE"}, 80},
		{"tabs", "HERE", Diagnostic{Line: 3, Column: 3, EndLine: 3, EndColumn: 7, Snippet: "\t\tHERE"}, 80},
		{"not ascii", "HERE", Diagnostic{Line: 3, Column: 5, EndLine: 3, EndColumn: 9, Snippet: "äöü HERE"}, 80},
		{"several lines", "HERE and on", Diagnostic{Line: 3, Column: 5, EndLine: 9, EndColumn: 2, Snippet: "abc HERE and on"}, 80},
		{"long line", "HERE", Diagnostic{Line: 3, Column: 301, EndLine: 3, EndColumn: 305, Snippet: long}, 80},
		{"narrow", "HERE", Diagnostic{Line: 3, Column: 301, EndLine: 3, EndColumn: 305, Snippet: long}, 1},
		{"long mistake", strings.Repeat("x", 71), Diagnostic{Line: 3, Column: 1, EndLine: 3, EndColumn: 300, Snippet: long}, 80},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := underlined(t, c.d, c.width); got != c.want {
				t.Errorf("%q is underlined, not %q", got, c.want)
			}
		})
	}
}

func TestViewKeepsTheTerminalSafe(t *testing.T) {
	for _, d := range []Diagnostic{
		{Summary: "a\x1b[2Jb", Detail: "c\x1b]0;title\a", File: "d\x1b", Block: "e\x1b", Line: 1, Column: 1, EndLine: 1, EndColumn: 2, Snippet: "f\x1b[31m"},
		{},
		{Line: 1, Column: 100, EndLine: 1, EndColumn: 2, Snippet: "short"},
		{Line: 1, Column: -5, EndLine: 0, EndColumn: -2, Snippet: "short"},
	} {
		if got := view(Diagnostics{d}); strings.ContainsAny(got, "\x1b\a") {
			t.Errorf("%q", got)
		}
	}
}

func TestConditionIsSafeForConcurrentUse(t *testing.T) {
	c := parseCondition(t, `value / baseline < local.by_code[labels.code] + var.limit`)
	done := make(chan error)
	for i := range 4 {
		go func() {
			var err error
			for range 200 {
				base := float64(i + 1)
				var j Judgement
				j, err = c.Eval(Input{Value: base * 0.5, Baseline: &base, Labels: map[string]string{"code": "500"}})
				if err != nil || !j.OK {
					break
				}
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// The underline stands under the mistake where characters take two columns.
func TestUnderlineOfWideCharacters(t *testing.T) {
	d := Diagnostic{Severity: SeverityError, Summary: "x", File: "f", Line: 1, Column: 4, EndLine: 1, EndColumn: 7, Snippet: "日 =本b("}
	var out strings.Builder
	WriteDiagnostics(&out, Diagnostics{d}, false, 80)
	if want := "     1 | 日 =本b(\n       |     ^^^^\n"; !strings.Contains(out.String(), want) {
		t.Errorf("%s is not in:\n%s", want, out.String())
	}
}
