package runner_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"gameday/inject"
	"gameday/scenarios"
)

// The language and the faults describe the kinds that both have in the same way, and in the same order: they do not know each
// other, so only a test can tell. A kind that the language alone has is refused by the plan.
func TestKindsAgree(t *testing.T) {
	type argument struct{ name, kind, fallback string }
	type kind struct {
		name     string
		required bool
		args     []argument
	}
	var language, faults []kind
	for _, k := range scenarios.FaultKinds() {
		if k.Built {
			x := kind{name: k.Name, required: k.DurationRequired}
			for _, a := range k.Args {
				x.args = append(x.args, argument{a.Name, a.Type, a.Default})
			}
			language = append(language, x)
		}
	}
	for _, k := range inject.Kinds() {
		d := k.Doc()
		x := kind{name: d.Kind, required: d.Holds == inject.DurationRequired}
		for _, a := range d.Args {
			x.args = append(x.args, argument{a.Name, a.Type, a.Default})
		}
		faults = append(faults, x)
	}
	if len(language) != len(faults) {
		t.Fatalf("the language has %d kinds, and there are %d faults", len(language), len(faults))
	}
	for i, f := range faults {
		if l := language[i]; l.name != f.name || l.required != f.required || !slices.Equal(l.args, f.args) {
			t.Errorf("the language has %+v\nthe fault is %+v", l, f)
		}
	}
}

type goPackage struct {
	ImportPath, Doc string
	Imports         []string
	GoFiles         []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,GoFiles", "gameday/...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}

// walls says which of gameday's packages a part of it may import, besides those below itself. What is not listed may import all.
var walls = map[string][]string{
	"gameday/scenarios":        {},
	"gameday/inject":           {},
	"gameday/inject/engine":    {},
	"gameday/inject/sidecar":   {},
	"gameday/runner/journal":   {},
	"gameday/runner/chat":      {},
	"gameday/runner/metrics":   {},
	"gameday/runner/moved":     {},
	"gameday/runner":           {"gameday/scenarios", "gameday/inject", "gameday/inject/engine"},
	"gameday/runner/guard":     {"gameday/inject", "gameday/inject/engine", "gameday/inject/sidecar", "gameday/runner/journal"},
	"gameday/report":           {"gameday/runner/journal"},
	"gameday/report/blameless": {"gameday/report/followup"},
	"gameday/report/followup":  {},
	"gameday/cmd":              {"gameday/scenarios", "gameday/runner", "gameday/inject", "gameday/report", "gameday/examples"},
}

// owners are the only packages that may import a library.
var owners = map[string]string{
	"github.com/hashicorp/hcl/":  "gameday/scenarios",
	"github.com/zclconf/go-cty/": "gameday/scenarios",
	"github.com/docker/docker/":  "gameday/inject/engine",
	"github.com/prometheus/":     "gameday/runner/metrics",
	"github.com/spf13/cobra":     "gameday/cmd",
	"github.com/gofrs/flock":     "gameday/runner/journal",
}

// Test helpers stand outside the walls, and so do the examples, which are systems to break.
func outside(path string) bool {
	return strings.HasSuffix(path, "test") || strings.Contains(path, "test/") || strings.HasPrefix(path, "gameday/examples")
}

func within(path, part string) bool { return path == part || strings.HasPrefix(path, part+"/") }

// Imports go one way.
func TestWalls(t *testing.T) {
	for _, p := range packages(t) {
		if outside(p.ImportPath) {
			continue
		}
		part := ""
		for w := range walls {
			if within(p.ImportPath, w) && len(w) > len(part) {
				part = w
			}
		}
		if part == "" {
			t.Errorf("%s belongs to no part of the house: say in this test what it may import", p.ImportPath)
			continue
		}
		for _, in := range p.Imports {
			if within(in, "gameday") && !within(in, part) && !slices.ContainsFunc(walls[part], func(w string) bool { return within(in, w) }) {
				t.Errorf("%s imports %s", p.ImportPath, in)
			}
			for library, owner := range owners {
				if strings.HasPrefix(in, library) && !within(p.ImportPath, owner) {
					t.Errorf("%s imports %s, which is the business of %s", p.ImportPath, in, owner)
				}
			}
		}
	}
}

// A package says in a sentence what it is.
func TestEveryPackageHasADocComment(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no doc comment", p.ImportPath)
		}
	}
}
