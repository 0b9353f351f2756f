// Package examples_test checks what all examples have in common.
package examples_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gameday/examples/shop"
	"gameday/inject"
	"gameday/runner"
	"gameday/scenarios"
)

// directories are the namespaces, with what must be given to load them.
var directories = map[string][]string{
	"shop":                    nil,
	"faults":                  nil,
	"outside":                 nil,
	"people":                  nil,
	"etcd/leader_freezes":     {"leader=etcd-member-1"},
	"etcd/leader_crashes":     {"leader=etcd-member-1"},
	"etcd/leader_partitioned": {"leader=etcd-member-1"},
	"etcd/slow_disk":          {"leader=etcd-member-1"},
}

func TestScenariosLoad(t *testing.T) {
	for dir, vars := range directories {
		t.Run(dir, func(t *testing.T) {
			ws, ds := scenarios.Load(dir, scenarios.Options{Vars: vars, CheckQuery: runner.CheckQuery, CheckRules: runner.CheckRules})
			for _, d := range ds {
				t.Error(d.Error())
			}
			if ws == nil {
				return
			}
			if len(ws.Scenarios) == 0 {
				t.Error("no scenario")
			}
			for _, s := range ws.Scenarios {
				if s.Title == "" || s.Description == "" || len(s.Hypotheses) == 0 || s.BlastRadius.MaxTargets == 0 {
					t.Errorf("%s: an example needs a title, a description, a hypothesis and a blast radius", s.Name)
				}
				for _, h := range s.Hypotheses {
					if h.Description == "" {
						t.Errorf("%s: hypothesis %s has no description", s.Name, h.Name)
					}
				}
			}
		})
	}
}

func TestEveryScenarioFileIsTestedFormattedAndListed(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".gameday.hcl") {
			return err
		}
		n++
		dir := filepath.ToSlash(filepath.Dir(path))
		if _, ok := directories[dir]; !ok {
			t.Errorf("%s: its directory is not loaded by a test", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if formatted, ds := scenarios.Format(text, path); ds.HasErrors() || !bytes.Equal(formatted, text) {
			t.Errorf("%s is not formatted: gameday fmt %s %v", path, dir, ds)
		}
		if bytes.Contains(text, []byte("scenario \"")) && !bytes.Contains(readme, []byte(filepath.ToSlash(path))) {
			t.Errorf("%s is not listed in README.md", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Error("no scenario files")
	}
}

// TestFaultsAreRehearsed finds scenarios in faults/ that nobody rehearses, or that end otherwise than README.md says.
func TestFaultsAreRehearsed(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ws, ds := scenarios.Load("faults", scenarios.Options{})
	if ds.HasErrors() {
		t.Fatal(ds[0].Error())
	}
	if len(ws.Scenarios) != len(faults) {
		t.Errorf("%d scenarios are in faults/, and %d are rehearsed", len(ws.Scenarios), len(faults))
	}
	for _, f := range faults {
		path := "faults/" + f.file + ".gameday.hcl"
		said := false
		for line := range strings.Lines(string(readme)) {
			said = said || strings.Contains(line, "("+path+")") && strings.HasSuffix(strings.TrimSpace(line), "| "+string(f.ends)+" |")
		}
		if !said {
			t.Errorf("README.md does not say that %s ends as %s", path, f.ends)
		}
	}
}

// TestEveryKindHasAnExample finds kinds of faults that no scenario here uses.
func TestEveryKindHasAnExample(t *testing.T) {
	used := map[string]bool{}
	for dir, vars := range directories {
		ws, ds := scenarios.Load(dir, scenarios.Options{Vars: vars})
		if ds.HasErrors() {
			t.Fatal(ds[0].Error())
		}
		for _, s := range ws.Scenarios {
			for _, f := range s.Faults {
				used[f.Kind] = true
			}
		}
	}
	for _, k := range inject.Kinds() {
		if !used[k.Doc().Kind] {
			t.Errorf("there is no example of %s", k.Doc().Kind)
		}
	}
}

func TestShopScenariosAreEmbedded(t *testing.T) {
	files, err := filepath.Glob("shop/*.gameday.hcl")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "shop/alerts.yml")
	for _, f := range files {
		if _, err := shop.Scenarios.Open(filepath.Base(f)); err != nil {
			t.Errorf("%s is not embedded: %v", f, err)
		}
	}
}
