package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// small is a scenario file around some text.
func small(more string) string {
	return more + `
target "api" {
  compose_service = "api"
}

scenario "small" {
  fault "pause" "p" {
    target   = target.api
    duration = "1s"
  }
}
`
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, text string, o Options) (*Workspace, Diagnostics) {
	t.Helper()
	if o.Env == nil {
		o.Env = noEnv
	}
	return Load(write(t, t.TempDir(), "a.gameday.hcl", text), o)
}

func mustLoad(t *testing.T, text string, o Options) *Workspace {
	t.Helper()
	ws, ds := load(t, text, o)
	if ws == nil || len(ds) > 0 {
		t.Fatalf("unexpected diagnostics:\n%s", view(ds))
	}
	return ws
}

// summaries joins what went wrong.
func summaries(ds Diagnostics) string {
	var s []string
	for _, d := range ds {
		s = append(s, d.Summary)
	}
	return strings.Join(s, "; ")
}

func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	deep := func(open, inner, shut string, n int) string {
		return "locals {\n  x = " + strings.Repeat(open, n) + inner + strings.Repeat(shut, n) + "\n}\n"
	}
	const many = 100_000
	for _, c := range []struct{ name, file, text, want string }{
		{"large", "a.gameday.hcl", strings.Repeat("# padding padding padding\n", 450_000), "File too large"},
		{"binary", "a.gameday.hcl", "\x7fELF\x02\x01\x01\x00\x00", "Not a text file"},
		{"not utf-8", "a.gameday.hcl", "# caf\xe9\n", "Not a text file"},
		{"utf-16", "a.gameday.hcl", "\xff\xfet\x00", "File is UTF-16"},
		{"parentheses", "a.gameday.hcl", deep("(", "1", ")", many), "Nested too deeply"},
		{"open parentheses", "a.gameday.hcl", deep("(", "1", "", many), "Nested too deeply"},
		{"lists", "a.gameday.hcl", deep("[", "", "]", many), "Nested too deeply"},
		{"objects", "a.gameday.hcl", deep("{ a = ", "1", " }", many), "Nested too deeply"},
		{"templates", "a.gameday.hcl", deep(`"${`, "1", `}"`, many), "Nested too deeply"},
		{"directives", "a.gameday.hcl", "locals {\n x = \"" + strings.Repeat("%{ if true }", 50_000) + "\"\n}\n", "Nested too deeply"},
		{"minus", "a.gameday.hcl", deep("-", "1", "", many), "Nested too deeply"},
		{"not", "a.gameday.hcl", deep("!", "true", "", many), "Nested too deeply"},
		{"sum", "a.gameday.hcl", deep("1+", "1", "", many), "Nested too deeply"},
		{"conditional", "a.gameday.hcl", deep("true?1:", "1", "", many), "Nested too deeply"},
		{"index", "a.gameday.hcl", deep("", "a", "[0]", many), "Nested too deeply"},
		{"blocks", "a.gameday.hcl", strings.Repeat("a {\n", many), "Nested too deeply"},
		{"calls", "a.gameday.hcl", deep("abs(", "1", ")", many), "Nested too deeply"},
		{"json lists", "a.gameday.json", strings.Repeat("[", many), "Nested too deeply"},
		{"json objects", "a.gameday.json", strings.Repeat(`{"a":`, many) + "1" + strings.Repeat("}", many), "Nested too deeply"},
		{"json template", "a.gameday.json", `{"locals":{"x":"${` + strings.Repeat("(", many) + `1"}}`, "Nested too deeply"},
		{"json type", "a.gameday.json", `{"variable":{"x":{"type":"` + strings.Repeat("list(", many) + `"}}}`, "Nested too deeply"},
		{"json syntax", "a.gameday.json", `{"target":`, "Unclosed object"},
		{"empty", "a.gameday.hcl", "", "No scenario"},
		{"only targets", "a.gameday.hcl", "target \"a\" {\n  image = \"x\"\n}\n", "No scenario"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ws, ds := Load(write(t, dir, c.file, c.text), Options{Env: noEnv})
			if ws != nil || summaries(ds) != c.want {
				t.Errorf("got %q, want %q\n%.500s", summaries(ds), c.want, view(ds))
			}
		})
	}
}

func TestManySmallPartsAreNotDeep(t *testing.T) {
	var b strings.Builder
	b.WriteString("locals {\n  list = [" + strings.Repeat("1 + 1,\n", 2000) + "]\n")
	b.WriteString("  text = \"" + strings.Repeat("${1}-", 2000) + "\"\n")
	b.WriteString("  here = <<EOT\n" + strings.Repeat("line ${1 + 1}\n", 2000) + "EOT\n}\n")
	for range 500 {
		b.WriteString("# a comment\n")
	}
	mustLoad(t, small(b.String()), Options{})
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	other := write(t, dir, "notes.txt", "x")
	unreadable := write(t, t.TempDir(), "a.gameday.hcl", small(""))
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	inside := t.TempDir()
	if err := os.Mkdir(filepath.Join(inside, "a.gameday.hcl"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none.gameday.hcl"), "No such file or directory"},
		{"empty path", "", "No such file or directory"},
		{"other file", other, "Not a scenario file"},
		{"no files", dir, "No scenario files"},
		{"a directory with the name of a file", inside, "Not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ws, ds := Load(c.path, Options{Env: noEnv})
			if ws != nil || summaries(ds) != c.want {
				t.Errorf("got %q, want %q", summaries(ds), c.want)
			}
		})
	}
	if runtime.GOOS != "windows" && os.Geteuid() != 0 {
		if err := os.Chmod(unreadable, 0); err != nil {
			t.Fatal(err)
		}
		if _, ds := Load(unreadable, Options{Env: noEnv}); summaries(ds) != "File cannot be read" {
			t.Errorf("got %q", summaries(ds))
		}
	}
}

func TestDirectoryIsOneNamespace(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.gameday.hcl", "scenario \"s\" {\n  fault \"kill\" \"k\" {\n    target = target.api\n  }\n}\n")
	write(t, dir, "a.gameday.hcl", "target \"api\" {\n  image = \"x\"\n}\n")
	write(t, dir, "c.gameday.json", `{"target": {"store": {"image": "y"}}}`)
	write(t, dir, "d.gamedayvars.hcl", "not = \"looked at\"\n")
	ws, ds := Load(dir, Options{Env: noEnv})
	if ws == nil || len(ds) > 0 {
		t.Fatal(view(ds))
	}
	var names []string
	for _, f := range ws.Files {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "a.gameday.hcl b.gameday.hcl c.gameday.json" {
		t.Errorf("files %s", got)
	}
	if len(ws.Targets) != 2 || ws.Scenarios[0].Faults[0].Target != ws.Targets[0] {
		t.Errorf("targets %v", ws.Targets)
	}

	// One file alone does not see the others, and says so.
	_, ds = Load(filepath.Join(dir, "b.gameday.hcl"), Options{Env: noEnv})
	if summaries(ds) != "Unknown target" || !strings.Contains(ds[0].Detail, "load the directory") {
		t.Errorf("got %s", view(ds))
	}

	// A duplicate in another file names the first.
	write(t, dir, "e.gameday.hcl", "target \"api\" {\n  image = \"z\"\n}\n")
	_, ds = Load(dir, Options{Env: noEnv})
	if summaries(ds) != "Duplicate target" || !strings.Contains(ds[0].Detail, "a.gameday.hcl line 1") {
		t.Errorf("got %s", view(ds))
	}
}

func TestByteOrderMarkAndCRLF(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(small("locals {\n  q = <<EOT\nup\nEOT\n}\n"), "\n", "\r\n")
	ws := mustLoad(t, text, Options{})
	if string(ws.Files[0].Source) != text {
		t.Error("the source is not as it stands")
	}
	_, ds := load(t, "\ufeff"+strings.ReplaceAll("# x\ntarget \"a\" {\n  nam = 1\n}\n", "\n", "\r\n"), Options{})
	if len(ds) == 0 || ds[0].Line != 3 && ds[1].Line != 3 {
		t.Errorf("wrong place:\n%s", view(ds))
	}
}

func TestCheckQuery(t *testing.T) {
	const text = `
prometheus "own" {}

target "api" {
  image = "x"
}

scenario "s" {
  hypothesis "h" {
    query  = "su(up)"
    expect = value == 1
  }

  guardrail "g" {
    query      = "up"
    abort_when = value == 0
  }

  fault "kill" "k" {
    target = target.api
  }
}
`
	var asked []string
	_, ds := load(t, text, Options{CheckQuery: func(q string, s *Source) error {
		asked = append(asked, s.Name+" "+q)
		if q == "up" {
			return nil
		}
		return errors.New("unknown function su")
	}})
	if strings.Join(asked, ", ") != "own su(up), own up" {
		t.Errorf("asked %v", asked)
	}
	if len(ds) != 1 || ds[0].Summary != "Invalid query" || ds[0].Line != 10 || ds[0].Column != 14 ||
		!strings.Contains(ds[0].Detail, "unknown function su") || ds[0].Block != `scenario "s", hypothesis "h"` {
		t.Errorf("%+v", ds)
	}
}

func TestDefaults(t *testing.T) {
	ws := mustLoad(t, `
prometheus "own" {
  scrape "api" {
    target = target.api
    port   = 80
  }
}

target "api" {
  image = "x"
}

scenario "s" {
  hypothesis "h" {
    query  = "up"
    expect = value == 1
  }

  guardrail "g" {
    query      = "up"
    abort_when = value == 0
  }

  fault "stop" "a" {
    target   = target.api
    duration = "1m30s"
  }

  fault "kill" "b" {
    target = target.api
    signal = "sigterm"
  }

  fault "restart" "c" {
    target = target.api
    grace  = "0s"
  }

  fault "kill" "d" {
    target = target.api
  }
}
`, Options{})
	s := ws.Scenarios[0]
	if s.Baseline != 30*time.Second || s.Recovery != 60*time.Second || s.Source != ws.Sources[0] {
		t.Errorf("scenario %+v", s)
	}
	if src := ws.Sources[0]; src.Interval != time.Second || src.Scrapes[0].Path != "/metrics" || src.Scrapes[0].Scheme != "http" {
		t.Errorf("source %+v", src)
	}
	h, g := s.Hypotheses[0], s.Guardrails[0]
	if len(h.Phases) != 3 || h.NoData != "inconclusive" || h.MatchAny || g.NoData != "abort" {
		t.Errorf("%+v %+v", h, g)
	}
	for i, want := range []any{10 * time.Second, "TERM", time.Duration(0), "KILL"} {
		f := s.Faults[i]
		if got := f.Args[f.ArgNames[0]]; got != want {
			t.Errorf("%s: %v, want %v", f.Name, got, want)
		}
	}
	if s.Faults[0].Duration != 90*time.Second || s.Faults[1].Duration != 0 {
		t.Error("durations")
	}
	if small := mustLoad(t, small(""), Options{}).Scenarios[0]; small.Source != nil || small.Baseline != 0 || small.Recovery != 0 {
		t.Errorf("nothing is watched, but %+v", small)
	}
}

func TestPickAndSelector(t *testing.T) {
	for text, want := range map[string]string{`"all"`: "all", `"one"`: "one", "1": "one", "2": "2", `"3"`: "3", `"50%"`: "50%", `"100%"`: "100%"} {
		ws := mustLoad(t, small("target \"x\" {\n  name = \"a\"\n  labels = { tier = \"front\" }\n  pick = "+text+"\n}\n"), Options{})
		if got := ws.Targets[0].Pick.String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if got := ws.Targets[0].Selector(); got != `name "a", label tier="front"` {
			t.Error(got)
		}
	}
}
