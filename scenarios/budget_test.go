package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const oneFault = `
target "t" { name = "x" }
scenario "s" {
  fault "pause" "p" {
    target   = target.t
    duration = "1s"
  }
}
`

// loadText loads text as a file of the given name.
func loadText(t *testing.T, name, text string, o Options) (*Workspace, Diagnostics) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if o.Env == nil {
		o.Env = noEnv
	}
	return Load(path, o)
}

// doubling makes 40 local values of which each is twice the one before.
func doubling(first, format string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  a0 = %s\n", first)
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&b, "  a%d = %s\n", i, strings.ReplaceAll(format, "PREVIOUS", fmt.Sprintf("local.a%d", i-1)))
	}
	return b.String()
}

func TestEvaluationIsBounded(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for name, locals := range map[string]string{
		"strings that double": doubling(`"0123456789"`, `"${PREVIOUS}${PREVIOUS}"`),
		"lists that double":   doubling(`["x"]`, `concat(PREVIOUS, PREVIOUS)`),
		"nested lists":        doubling(`["x"]`, `[PREVIOUS, PREVIOUS]`),
		"loops in loops":      `a = [for x in range(1000) : [for y in range(1000) : [for z in range(1000) : z]]]`,
		"conditions in loops": `a = [for x in range(1000) : x if length([for y in range(1000) : y if y > 2000]) > 1]`,
		"templates":           `a = "%{for i in range(1000)}%{for j in range(1000)}%{for k in range(1000)}x%{endfor}%{endfor}%{endfor}"`,
		"large calls in loop": `a = [for x in range(1000) : length(concat(range(1000), range(1000)))]`,
		"format, width":       `a = format("%1000000000d", 1)`,
		"format, many widths": `a = format("` + strings.Repeat("%900000d", 100) + `", 1)`,
		"formatlist":          `a = formatlist("%90000d", range(1000))`,
		"indent":              `a = indent(1000000000, "a\nb")`,
		"join":                `a = join("` + long + `", range(1000))`,
		"replace":             `a = replace("` + long + `", "a", "` + long + `")`,
		"regexreplace":        `a = regexreplace("` + long + `", "a", "` + long + `")`,
		"regexall":            `a = regexall("` + strings.Repeat("(", 600) + "a" + strings.Repeat(")", 600) + `", "` + long + `")`,
		"number in a text":    `a = "x${1e100000000}"`,
		"number out of JSON":  `a = true ? jsondecode("1e100000000") : "x"`,
		"range":               `a = range(1000000)`,
	} {
		t.Run(name, func(t *testing.T) {
			_, ds := loadText(t, "x.gameday.hcl", "locals {\n"+locals+"\n}\n"+oneFault, Options{})
			if !ds.HasErrors() {
				t.Fatal("it loads")
			}
			if d := ds[0]; d.Detail == "" || d.Line == 0 || len(d.Detail) > 400 {
				t.Errorf("diagnostic: %+v", d)
			}
		})
	}
}

func TestEvaluationIsBoundedElsewhere(t *testing.T) {
	const loops = `%{for i in range(1000)}%{for j in range(1000)}%{for k in range(1000)}x%{endfor}%{endfor}%{endfor}`
	for name, text := range map[string]string{
		"default": `variable "v" { default = "` + loops + `" }` + oneFault,
		"title":   strings.Replace(oneFault, `scenario "s" {`, `scenario "s" {`+"\n  title = \""+loops+`"`, 1),
		"expect": "prometheus \"p\" {\n}\n" + strings.Replace(oneFault, `scenario "s" {`,
			"scenario \"s\" {\n  hypothesis \"h\" {\n    query = \"up\"\n    expect = \""+loops+"\" == \"\" || value < 1\n  }", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if _, ds := loadText(t, "x.gameday.hcl", text, Options{}); !ds.HasErrors() || ds[0].Summary != tooLargeSummary {
				t.Errorf("diagnostics:\n%s", view(ds))
			}
		})
	}
	t.Run("JSON", func(t *testing.T) {
		text := `{"locals": {"a": ["` + loops + `"], "b": "${1/0}"}, "target": {"t": {"name": "x"}},
			"scenario": {"s": {"fault": {"pause": {"p": {"target": "${target.t}", "duration": "1s"}}}}}}`
		_, ds := loadText(t, "x.gameday.json", text, Options{})
		if len(ds) != 2 || ds[0].Summary != tooLargeSummary || !strings.Contains(ds[1].Detail, "division by zero") {
			t.Errorf("diagnostics:\n%s", view(ds))
		}
	})
	t.Run("file of values", func(t *testing.T) {
		values := filepath.Join(t.TempDir(), "x"+varFileSuffix)
		if err := os.WriteFile(values, []byte(`v = [for a in [1, 2] : [for b in [1, 2] : b]]`), 0o600); err != nil {
			t.Fatal(err)
		}
		_, ds := loadText(t, "x.gameday.hcl", `variable "v" {}`+oneFault, Options{VarFiles: []string{values}})
		if len(ds) != 1 || ds[0].Summary != "Loops not allowed" {
			t.Errorf("diagnostics:\n%s", view(ds))
		}
	})
}

// What is large and reasonable loads.
func TestLargeValuesLoad(t *testing.T) {
	text := "locals {\n  a = \"" + strings.Repeat("x", 500_000) + "\"\n" +
		"  b = join(\",\", [for i in range(1000) : format(\"%08d\", i)])\n  c = length(local.a) > 1 ? 1e300 : 1e-300\n}\n" + oneFault
	if _, ds := loadText(t, "x.gameday.hcl", strings.Replace(text, "length(", "strlen(", 1), Options{}); len(ds) > 0 {
		t.Errorf("diagnostics:\n%s", view(ds))
	}
}
