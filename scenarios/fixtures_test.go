package scenarios

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gameday/runner/metrics"
)

var update = flag.Bool("update", false, "write the golden files anew")

func noEnv(string) (string, bool) { return "", false }

// fixtures lists the files of a directory of testdata.
func fixtures(t testing.TB, dir string) []string {
	t.Helper()
	var paths []string
	for _, suffix := range []string{nativeSuffix, jsonSuffix} {
		found, err := filepath.Glob(filepath.Join("testdata", dir, "*"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		t.Fatalf("no fixtures in testdata/%s", dir)
	}
	return paths
}

func TestValidFixturesLoad(t *testing.T) {
	for _, path := range fixtures(t, "valid") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			ws, ds := Load(path, Options{Env: noEnv, CheckRules: metrics.CheckRules, Sections: someSections})
			if len(ds) > 0 || ws == nil {
				t.Fatalf("unexpected diagnostics:\n%s", view(ds))
			}
			if len(ws.Scenarios) == 0 {
				t.Fatal("no scenario")
			}
		})
	}
}

var expectation = regexp.MustCompile(`ERROR: ([^#"]+)`)

// TestInvalidFixtures compares the diagnostics of each file with what its own lines announce: no more, no fewer.
func TestInvalidFixtures(t *testing.T) {
	for _, path := range fixtures(t, "invalid") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for i, line := range strings.Split(string(src), "\n") {
				for _, m := range expectation.FindAllStringSubmatch(line, -1) {
					want = append(want, fmt.Sprintf("%4d %s", i+1, strings.TrimSpace(m[1])))
				}
			}
			ws, ds := Load(path, Options{Env: noEnv, CheckRules: metrics.CheckRules, Sections: someSections})
			if ws != nil {
				t.Error("a file with errors gave a workspace")
			}
			var got []string
			for _, d := range ds {
				got = append(got, fmt.Sprintf("%4d %s", d.Line, d.Summary))
				if d.Detail == "" || d.Column == 0 || d.EndColumn == 0 || d.Snippet == "" {
					t.Errorf("incomplete diagnostic: %+v", d)
				}
			}
			sort.Strings(want)
			sort.Strings(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("diagnostics (-announced +reported):\n%s\n%s", diff, view(ds))
			}
		})
	}
}

// TestDiagnosticGolden pins both views of every invalid fixture.
func TestDiagnosticGolden(t *testing.T) {
	for _, path := range fixtures(t, "invalid") {
		_, ds := Load(path, Options{Env: noEnv, CheckRules: metrics.CheckRules, Sections: someSections})
		base := filepath.Join("testdata", "golden", filepath.Base(path))
		golden(t, base+".txt", []byte(view(ds)))
		text, err := json.MarshalIndent(ds, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, base+".diagnostics", append(text, '\n'))
	}
}

func TestColorAddsOnlyColor(t *testing.T) {
	_, ds := Load("testdata/invalid/names.gameday.hcl", Options{Env: noEnv, CheckRules: metrics.CheckRules, Sections: someSections})
	var plain, colored bytes.Buffer
	WriteDiagnostics(&plain, ds, false, 60)
	WriteDiagnostics(&colored, ds, true, 60)
	stripped := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored.String(), "")
	if diff := cmp.Diff(plain.String(), stripped); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(colored.String(), "\x1b[1;31mError:") {
		t.Error("no colour")
	}
	for _, line := range strings.Split(plain.String(), "\n") {
		if len([]rune(line)) > 60 && !strings.HasPrefix(line, "  on ") && !strings.HasPrefix(line, "Error:") {
			t.Errorf("wider than 60 columns: %q", line)
		}
	}
}

func view(ds Diagnostics) string {
	var b bytes.Buffer
	WriteDiagnostics(&b, ds, false, 0)
	return b.String()
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-golden +got; -update writes it anew):\n%s", path, diff)
	}
}

// someSections are those that the fixtures' reports may have.
var someSections = []ReportSection{{"attention", true}, {"header", true}, {"five-lines", false}, {"expected", false}, {"timeline", false}, {"detection", false}, {"appendix", true}}
