package inject

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestSplitCommand(t *testing.T) {
	for line, want := range map[string][]string{
		"touch /tmp/x":                 {"touch", "/tmp/x"},
		"  a\tb  ":                     {"a", "b"},
		`a 'b c' "d e" f\ g`:           {"a", "b c", "d e", "f g"},
		`a ''"" ""`:                    {"a", "", ""},
		`a'b'"c"\d`:                    {"abcd"},
		`a "b\"c\\d\$e\f"`:             {"a", `b"c\d$e\f`},
		`sh -c 'echo $HOME | wc > /f'`: {"sh", "-c", "echo $HOME | wc > /f"},
		`a b=c d#e f~ 'x'=1`:           {"a", "b=c", "d#e", "f~", "x=1"},
		`a \$x \# \~`:                  {"a", "$x", "#", "~"},
		`./a=b c`:                      {"./a=b", "c"},
		`grüße "ä"`:                    {"grüße", "ä"},
	} {
		got, err := splitCommand(line)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
		out, err := exec.Command("sh", "-c", "printf '%s\\0' "+line).Output() // what a shell makes of it
		if fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(fields, want) {
			t.Errorf("%s: a shell says %q, %v; want %q", line, fields, err, want)
		}
		out, err = exec.Command("sh", "-c", "printf '%s\\0' "+joinCommand(want)).Output()
		if fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(fields, want) {
			t.Errorf("%s, as it is shown: a shell says %q, %v; want %q", joinCommand(want), fields, err, want)
		}
	}
	for line, want := range map[string]string{
		"":             "no program",
		"  ":           "no program",
		"'' a":         "no program",
		"echo $HOME":   "shell",
		`echo "$HOME"`: "shell",
		"a `b`":        "shell",
		"a | b":        "shell",
		"a && b":       "shell",
		"a; b":         "shell",
		"a > b":        "shell",
		"a *":          "shell",
		"a ~/b":        "shell",
		"a # b":        "shell",
		"a {b,c}":      "shell",
		"a\nb":         "shell",
		"A=b c":        "variable",
		"a 'b":         "' has no end",
		`a "b`:         `" has no end`,
		`a "b\`:        `" has no end`,
		`a \`:          "at the end",
	} {
		if got, err := splitCommand(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error with %q", line, got, err, want)
		}
	}
}
