package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"aligned", "target  \"a\"{\nname=\"x\" # why\n   compose_project = \"y\"\n}\n", "target \"a\" {\n  name            = \"x\" # why\n  compose_project = \"y\"\n}\n"},
		{"line ends and byte order mark", "\ufefflocals {\r\na=1\r\n}\r\n", "locals {\n  a = 1\n}\n"},
		{"heredoc stays", "locals {\na=<<EOT\n  x   =  1\nEOT\n}\n", "locals {\n  a = <<EOT\n  x   =  1\nEOT\n}\n"},
		{"does not load", "nothing \"like\" {\nthis=1\n}\n", "nothing \"like\" {\n  this = 1\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ds := Format([]byte(c.in), "a.gameday.hcl")
			if diff := cmp.Diff(c.want, string(got)); diff != "" || len(ds) > 0 {
				t.Errorf("%s%s", diff, view(ds))
			}
		})
	}
	if out, ds := Format([]byte("target \"a\" {"), "a.gameday.hcl"); out != nil || !ds.HasErrors() || ds[0].Line != 1 {
		t.Errorf("a syntax error was formatted: %s %s", out, view(ds))
	}
}

func TestFormatFiles(t *testing.T) {
	dir := t.TempDir()
	ugly := write(t, dir, "a.gameday.hcl", "locals {\na=1\n}\n")
	pretty := write(t, dir, "b.gameday.hcl", "locals {\n  a = 1\n}\n")
	values := write(t, dir, "c.gamedayvars.hcl", "a=1\n")
	broken := write(t, dir, "d.gameday.hcl", "locals {\n")
	write(t, dir, "e.gameday.json", `{"locals":  {}}`)
	if err := os.Chmod(ugly, 0o640); err != nil {
		t.Fatal(err)
	}

	changed, ds := FormatFiles(dir, true)
	if diff := cmp.Diff([]string{ugly, values}, changed); diff != "" || len(ds) != 1 || ds[0].File != broken {
		t.Errorf("check: %s%s", diff, view(ds))
	}
	if text, _ := os.ReadFile(ugly); string(text) != "locals {\na=1\n}\n" {
		t.Error("check wrote")
	}

	link := filepath.Join(t.TempDir(), "link.gameday.hcl")
	if err := os.Symlink(ugly, link); err != nil {
		t.Fatal(err)
	}
	if changed, ds := FormatFiles(link, false); len(changed) != 1 || len(ds) > 0 {
		t.Errorf("link: %v %s", changed, view(ds))
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	changed, _ = FormatFiles(dir, false)
	if diff := cmp.Diff([]string{values}, changed); diff != "" {
		t.Error(diff)
	}
	want, _ := os.ReadFile(pretty)
	got, _ := os.ReadFile(ugly)
	info, err := os.Stat(ugly)
	if err != nil || string(got) != string(want) || info.Mode().Perm() != 0o640 {
		t.Errorf("%s %v %v", got, info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 5 {
		t.Errorf("left behind: %v", entries)
	}
	if _, ds := FormatFiles(t.TempDir(), false); summaries(ds) != "Nothing to format" {
		t.Error(summaries(ds))
	}
	if _, ds := FormatFiles(dir+"/none", false); summaries(ds) != "No such file or directory" {
		t.Error(summaries(ds))
	}
}

func TestStarter(t *testing.T) {
	for name, c := range map[string]struct {
		project string
		targets []StarterTarget
	}{
		"nothing": {},
		"compose": {"shop", []StarterTarget{
			{Name: "api", Container: "shop-api-1", ComposeProject: "shop", ComposeService: "api", Image: "shop/api", MetricsPort: 8080},
			{Name: "store", Container: "shop-store-1", ComposeProject: "shop", ComposeService: "store"},
			{Name: "front", Container: "shop-front-1", ComposeProject: "shop", ComposeService: "front", MetricsPort: 80},
		}},
		"one":        {"", []StarterTarget{{Name: "redis", Container: "redis", Image: "redis:7", MetricsPort: 9121}}},
		"no metrics": {"", []StarterTarget{{Name: "redis", Container: "redis"}, {Name: "redis", Container: "redis-2"}}},
		"hostile": {"a\nb ${x}", []StarterTarget{
			{Name: "9 lives\n\"${x}\"", Container: "x\"${y}%{z}\n"}, {Name: "", Image: "only/image"}, {Name: "ü", ComposeProject: "\xff"},
			{Name: "", MetricsPort: 99999}, {Name: strings.Repeat("long", 50), Container: "l", MetricsPort: 1}, {Name: "9_lives", Container: "z"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			src := Starter(c.project, c.targets)
			ws := mustLoad(t, string(src), Options{})
			s := ws.Scenarios[0]
			if len(s.Faults) != 1 || s.Faults[0].Kind != "pause" || s.BlastRadius.MaxTargets != 1 || len(ws.Targets) != max(1, len(c.targets)) {
				t.Errorf("%+v", s)
			}
			formatted, ds := Format(src, "a.gameday.hcl")
			if len(ds) > 0 || string(formatted) != string(src) {
				t.Errorf("not in form: %s", cmp.Diff(string(src), string(formatted)))
			}
			metrics := 0
			for _, target := range c.targets {
				if target.MetricsPort > 0 && target.MetricsPort < 65536 {
					metrics++
				}
			}
			if len(ws.Sources[0].Scrapes) != metrics || (len(s.Hypotheses) == 1) != (metrics > 0) {
				t.Errorf("%d scrapes, %d hypotheses:\n%s", len(ws.Sources[0].Scrapes), len(s.Hypotheses), src)
			}
			golden(t, filepath.Join("testdata", "golden", "starter_"+strings.ReplaceAll(name, " ", "_")+".txt"), src)
		})
	}
}

// TestStarterOfSeveral: of a service with several containers one is picked, so that the starter fits its own blast radius, and all
// are scraped.
func TestStarterOfSeveral(t *testing.T) {
	src := Starter("shop", []StarterTarget{
		{Name: "api", ComposeProject: "shop", ComposeService: "api", MetricsPort: 8080, Containers: 2},
		{Name: "one_api", ComposeProject: "shop", ComposeService: "one_api", MetricsPort: 8080, Containers: 3},
	})
	ws := mustLoad(t, string(src), Options{})
	s := ws.Scenarios[0]
	if got := s.Faults[0].Target; got.Pick.Count != 1 || got.ComposeService != "api" || s.BlastRadius.MaxTargets != 1 {
		t.Errorf("the fault's target is %+v", got)
	}
	for _, scrape := range ws.Sources[0].Scrapes {
		if scrape.Target.Pick != (Pick{}) {
			t.Errorf("only some containers of %s are scraped", scrape.Job)
		}
	}
	golden(t, filepath.Join("testdata", "golden", "starter_several.txt"), src)
}

// TestStarterAlwaysLoads: whatever containers are called, the starter for them is a right file.
func TestStarterAlwaysLoads(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String()
		targets := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) StarterTarget {
			return StarterTarget{
				Name:           text.Draw(rt, "name"),
				Container:      text.Draw(rt, "container"),
				ComposeProject: text.Draw(rt, "project"),
				ComposeService: text.Draw(rt, "service"),
				Image:          text.Draw(rt, "image"),
				MetricsPort:    rapid.IntRange(-1, 70000).Draw(rt, "port"),
				Containers:     rapid.IntRange(-1, 3).Draw(rt, "containers"),
			}
		}), 0, 4).Draw(rt, "targets")
		src := Starter(text.Draw(rt, "whole"), targets)
		path := filepath.Join(dir, "a.gameday.hcl")
		if err := os.WriteFile(path, src, 0o600); err != nil {
			rt.Fatal(err)
		}
		if ws, ds := Load(path, Options{Env: noEnv}); ws == nil || len(ds) > 0 {
			rt.Fatalf("%s\n%s", src, view(ds))
		}
	})
}
