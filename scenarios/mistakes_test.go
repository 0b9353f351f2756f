package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each of these texts has as many mistakes as it has wanted words, and each word is in its own diagnostic.
func TestOneDiagnosticForEachMistake(t *testing.T) {
	hypothesis := func(expect string) string {
		return "prometheus \"p\" {\n}\n" + strings.Replace(oneFault, `scenario "s" {`,
			"scenario \"s\" {\n  hypothesis \"h\" {\n    query = \"up\"\n    expect = "+expect+"\n  }", 1)
	}
	kill := func(argument string) string {
		return strings.NewReplacer(`"pause"`, `"kill"`, `duration = "1s"`, argument).Replace(oneFault)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a slip in a needed argument": {strings.NewReplacer("target ", "tagret ", "duration", "dration").Replace(
			strings.Replace(oneFault, `target "t"`, "target\t\"t\"", 1)), []string{`Did you mean "target"?`, `Did you mean "duration"?`}},
		"a slip in the only criterion":    {strings.Replace(oneFault, "name =", "nme =", 1), []string{`Did you mean "name"?`}},
		"a block as an argument":          {"target \"t\" {\n  name = \"x\"\n}\nscenario \"s\" {\n  fault = \"pause\"\n}\n", []string{`block of type "fault"`}},
		"a fault outside a scenario":      {"fault \"pause\" \"q\" {\n}\n" + oneFault, []string{"stands inside a scenario block"}},
		"assignment for comparison":       {hypothesis("value = 1"), []string{"For = write ==."}},
		"PromQL's and":                    {hypothesis("value < 1 and value > 0"), []string{"For and write &&."}},
		"SQL's unequal":                   {hypothesis("value <> 1"), []string{"For <> write !=."}},
		"a brace on the line":             {strings.Replace(oneFault, "\"1s\"\n  }", "\"1s\" }", 1), []string{"a line of its own"}},
		"a function that panics":          {hypothesis("value < pow(-1, 0.5)"), []string{"no answer for these arguments"}},
		"an infinite bound":               {hypothesis("value < pow(10, 400)"), []string{"infinite"}},
		"a signal that freezes":           {kill(`signal = "SIGSTOP"`), []string{`Use fault "pause"`}},
		"a signal that freezes, a number": {kill(`signal = "19"`), []string{`Use fault "pause"`}},
		"a signal that ends nothing":      {kill(`signal = "WINCH"`), []string{"ends no process"}},
		"a signal of real time":           {kill(`signal = "RTMIN+1"`), []string{"There is no signal"}},
		"half a second of grace":          {strings.Replace(kill(`grace = "500ms"`), `"kill"`, `"restart"`, 1), []string{"whole seconds"}},
		"a slip in another's argument":    {kill(`perzent = 5`), []string{"write one of"}},
		"a slip near two arguments":       {strings.Replace(kill(`precent = 5`), `"kill"`, `"loss"`, 1), []string{`"duration" is missing`, `Did you mean "percent"?`}},
		"an argument as a block":          {kill("undo {\n}"), []string{"There is nothing of that kind here"}},
		"an unknown function, misspelled": {hypothesis("value < celi(0.5)"), []string{"Did you mean ceil()?"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, ds := loadText(t, "x.gameday.hcl", c.text, Options{})
			if len(ds) != len(c.want) {
				t.Fatalf("%d diagnostics, want %d:\n%s", len(ds), len(c.want), view(ds))
			}
			for i, want := range c.want {
				if !strings.Contains(ds[i].Detail, want) {
					t.Errorf("%q is not in:\n%s", want, view(ds[i:i+1]))
				}
			}
			if strings.Contains(view(ds), "goroutine") {
				t.Errorf("a stack is shown:\n%s", view(ds))
			}
		})
	}
}

// No text that could be a credential gets into a diagnostic.
func TestDiagnosticsKeepSecrets(t *testing.T) {
	const secret = "hunter 2"
	env := func(name string) (string, bool) { return secret, name == "TOKEN" }
	dir := t.TempDir()
	values := func(name, text string) string {
		path := filepath.Join(dir, name+varFileSuffix)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sensitive := "variable \"v\" {\n  type = number\n  sensitive = true\n}\n" + oneFault
	for name, c := range map[string]struct {
		text  string
		files []string
	}{
		"a header's name":            {text: "prometheus \"p\" {\n  url = \"http://x\"\n  headers = { (env(\"TOKEN\")) = \"x\" }\n}\n" + oneFault},
		"a header's type":            {text: "prometheus \"p\" {\n  url = \"http://x\"\n  headers = { (env(\"TOKEN\")) = 1 }\n}\n" + oneFault},
		"a syntax error on the line": {text: "prometheus \"p\" {\n  url = \"http://x\"\n  bearer_token = \"hunter 2\n}\n" + oneFault},
		"a template sign in it":      {text: "prometheus \"p\" {\n  url = \"http://x\"\n  bearer_token = \"x%{hunter 2}\"\n}\n" + oneFault},
		"JSON, in a call":            {text: `{"prometheus": {"p": {"url": "http://x", "bearer_token": "${parseint(\u0065nv(\"TOKEN\"), 10)}"}}}`},
		"a file of values":           {text: sensitive, files: []string{values("wrong", "v = \"hunter 2\"\n")}},
		"a broken file of values":    {text: sensitive, files: []string{values("token", "token = \"hunter 2\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			file := "x.gameday.hcl"
			if strings.HasPrefix(c.text, "{") {
				file = "x.gameday.json"
			}
			_, ds := loadText(t, file, c.text, Options{Env: env, VarFiles: c.files})
			if !ds.HasErrors() {
				t.Fatal("it loads")
			}
			if text := view(ds); strings.Contains(text, "hunter") {
				t.Errorf("the secret is shown:\n%s", text)
			}
			if len(c.files) > 0 && len(ds) != 1 {
				t.Errorf("%d diagnostics for one mistake:\n%s", len(ds), view(ds))
			}
		})
	}
}

// Every file of a directory that cannot be read is named, and nothing hangs.
func TestDirectoryWithOddFiles(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]string{"a": "nowhere", "b": "/dev/zero", "c": "c" + nativeSuffix} {
		if err := os.Symlink(to, filepath.Join(dir, name+nativeSuffix)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d"+nativeSuffix), 0o700); err != nil {
		t.Fatal(err)
	}
	_, ds := Load(dir, Options{Env: noEnv})
	var got []string
	for _, d := range ds {
		got = append(got, d.Summary)
	}
	if want := "Link to nowhere, Not a file, File cannot be read, Not a file"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
}
