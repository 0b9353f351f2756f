package scenarios

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func seeds(f *testing.F) {
	for _, dir := range []string{"valid", "invalid"} {
		for _, path := range fixtures(f, dir) {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src, filepath.Ext(path) == ".json")
		}
	}
	f.Add([]byte(secretive), false)
	f.Add([]byte(small("")), false)
}

// FuzzLoad: whatever a file holds, loading it ends with a workspace or with errors that have a place, and both views of them
// can be written. A condition that loaded can be judged without a panic.
func FuzzLoad(f *testing.F) {
	seeds(f)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte, isJSON bool) {
		path := filepath.Join(dir, fmt.Sprintf("%d%s", os.Getpid(), nativeSuffix))
		if isJSON {
			path = filepath.Join(dir, fmt.Sprintf("%d%s", os.Getpid(), jsonSuffix))
		}
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		ws, ds := Load(path, Options{Env: noEnv, Vars: []string{"x=1"}})
		ws2, ds2 := Load(path, Options{Env: noEnv})
		for _, ds := range []Diagnostics{ds, ds2} {
			for _, d := range ds {
				if d.Summary == "" || d.File == "" {
					t.Fatalf("incomplete: %+v", d)
				}
			}
			WriteDiagnostics(&bytes.Buffer{}, ds, true, 40)
		}
		if (ws == nil) != ds.HasErrors() || (ws2 == nil) != ds2.HasErrors() {
			t.Fatalf("workspace %v, diagnostics:\n%s", ws2 != nil, view(ds2))
		}
		if ws2 == nil {
			return
		}
		one := 1.0
		for _, s := range ws2.Scenarios {
			if len(s.Faults) == 0 {
				t.Fatal("a scenario without a fault")
			}
			for _, h := range s.Hypotheses {
				for _, v := range []float64{0, 1, math.Inf(1), math.NaN()} {
					_, _ = h.Expect.Eval(Input{Value: v, Baseline: &one, Labels: map[string]string{"code": "500"}})
				}
			}
			for _, fault := range s.Faults {
				if fault.Target == nil {
					t.Fatal("a fault without a target")
				}
				fault.end()
			}
		}
	})
}

// FuzzQuantity: what can be read is written in a form that is read as the same.
func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"64MiB", "1.5GiB", "500MB", "1mbit", "200kbit", "1MiB/s", "-1B", "1e3B", "9999999999999TiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again(t, s, parseSize)
		again(t, s, parseThroughput)
		again(t, s, parseRate)
	})
}

func again[T interface {
	comparable
	fmt.Stringer
}](t *testing.T, s string, parse func(string) (T, string)) {
	q, problem := parse(s)
	if problem != "" {
		return
	}
	if got, problem := parse(q.String()); problem != "" || got != q {
		t.Errorf("%q is written %q, which is %v, %q", s, q, got, problem)
	}
}

// FuzzFormat: what is formatted parses, has the same tokens, and is not changed by formatting it again.
func FuzzFormat(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte, isJSON bool) {
		if isJSON {
			return
		}
		out, ds := Format(src, "a.gameday.hcl")
		if ds.HasErrors() {
			return
		}
		again, ds := Format(out, "a.gameday.hcl")
		if ds.HasErrors() {
			t.Fatalf("formatting broke it:\n%s\n%s", out, view(ds))
		}
		if !bytes.Equal(out, again) {
			t.Fatalf("not settled:\n%q\n%q", out, again)
		}
		text, _ := clean("", src)
		if before, after := meaning(text), meaning(out); before != after {
			t.Fatalf("other tokens:\n%s\n%s", before, after)
		}
	})
}

// meaning is a text without its spacing.
func meaning(src []byte) string {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	var b bytes.Buffer
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenComment {
			fmt.Fprintf(&b, "%c%s ", t.Type, bytes.TrimSpace(t.Bytes))
			continue
		}
		fmt.Fprintf(&b, "%c%q ", t.Type, t.Bytes)
	}
	return b.String()
}
