package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gameday/runner/journal"
)

// Every pair of stories can be compared, alike each time, and only what held can be worse.
func TestCompareAnything(t *testing.T) {
	for a, first := range stories() {
		for b, second := range stories() {
			c := Compare(first, second)
			var text, again bytes.Buffer
			if err := c.Write(&text); err != nil {
				t.Fatal(err)
			}
			if err := Compare(first, second).Write(&again); err != nil || text.String() != again.String() {
				t.Errorf("%s and %s are compared differently each time", a, b)
			}
			if strings.ContainsAny(text.String(), "\x1b\x00\u202e") {
				t.Errorf("%s and %s: a character that should be written out", a, b)
			}
			if a == b && len(c.Worse) > 0 {
				t.Errorf("%s is worse than itself: %q", a, c.Worse)
			}
			for _, h := range c.Hypotheses {
				want := h.First != nil && h.First.Verdict == journal.Held && (h.Second == nil || h.Second.Verdict != journal.Held)
				if h.Worse != want || want != slices.Contains(c.Worse, h.Name) {
					t.Errorf("%s and %s: %s worse: %t, want %t", a, b, h.Name, h.Worse, want)
				}
			}
			for _, d := range c.Alerts {
				if d.Worse != (d.First.held() && !d.Second.held()) || d.Worse != slices.Contains(c.Worse, alertName(d.Name)) {
					t.Errorf("%s and %s: %s worse: %t", a, b, d.Name, d.Worse)
				}
			}
			if j, err := json.Marshal(c); err != nil || bytes.Contains(j, []byte(`:null,"notes"`)) {
				t.Errorf("%s and %s: %v", a, b, err)
			}
		}
	}
}

// What a comparison says of two runs is kept whole.
func TestCompareGolden(t *testing.T) {
	for _, pair := range [][2]string{{"held", "refuted"}, {"coped", "narrow"}, {"gate", "killed"}, {"moved", "moved"}, {"sham", "held"}, {"alert_held", "alert_missing"}} {
		all := stories()
		first, second := all[pair[0]], all[pair[1]]
		for _, e := range second.Events {
			if d, ok := e.Payload.(*journal.Declared); ok && pair[1] == "narrow" {
				d.Hypotheses[1].Within = dur(20)
			}
		}
		c := Compare(first, second)
		var text bytes.Buffer
		if err := c.Write(&text); err != nil {
			t.Fatal(err)
		}
		j, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		for ending, got := range map[string][]byte{"txt": text.Bytes(), "json": append(j, '\n')} {
			path := filepath.Join("testdata", "compare", pair[0]+"_"+pair[1]+"."+ending)
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s (-want +got; go test ./report -update writes it anew):\n%s", path, d)
			}
		}
	}
}
