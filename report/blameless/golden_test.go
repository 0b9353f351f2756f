package blameless

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

type goldenRow struct {
	line           int
	rule, sentence string
}

func golden(t *testing.T) []goldenRow {
	t.Helper()
	f, err := os.Open("testdata/golden.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []goldenRow
	s := bufio.NewScanner(f)
	for n := 1; s.Scan(); n++ {
		if strings.HasPrefix(s.Text(), "#") || s.Text() == "" {
			continue
		}
		rule, sentence, ok := strings.Cut(s.Text(), "\t")
		if !ok {
			t.Fatalf("golden.tsv:%d: want a rule, a tab and a sentence", n)
		}
		rows = append(rows, goldenRow{n, rule, sentence})
	}
	return rows
}

// A clean sentence must raise nothing, and every other sentence must raise its rule. A sentence may earn a second
// rule; those are listed for a reader to judge and do not count against precision.
func TestGolden(t *testing.T) {
	rows := golden(t)
	if len(rows) < 150 {
		t.Errorf("the golden file has %d sentences, want at least 150", len(rows))
	}
	type score struct{ hit, miss, false int }
	byRule := map[string]*score{}
	at := func(id string) *score {
		if byRule[id] == nil {
			byRule[id] = &score{}
		}
		return byRule[id]
	}
	clean := 0
	var also []string
	for _, r := range rows {
		var raised []string
		for _, f := range Lint("golden.md", []byte(r.sentence+"\n"), Options{}) {
			if !slices.Contains(raised, f.Rule) {
				raised = append(raised, f.Rule)
			}
		}
		if r.rule == "ok" {
			clean++
			for _, id := range raised {
				at(id).false++
			}
			if len(raised) > 0 {
				t.Errorf("golden.tsv:%d: clean, but raised %v: %s", r.line, raised, r.sentence)
			}
			continue
		}
		if slices.Contains(raised, r.rule) {
			at(r.rule).hit++
		} else {
			at(r.rule).miss++
			t.Errorf("golden.tsv:%d: want %s, raised %v: %s", r.line, r.rule, raised, r.sentence)
		}
		for _, id := range raised {
			if id != r.rule {
				also = append(also, fmt.Sprintf("%d %s also %s: %s", r.line, r.rule, id, r.sentence))
			}
		}
	}
	percent := func(a, b int) string {
		if a+b == 0 {
			return "   –"
		}
		return fmt.Sprintf("%3d%%", 100*a/(a+b))
	}
	var total score
	for _, r := range Rules() {
		if s := byRule[r.ID]; s != nil {
			t.Logf("%s  precision %s  recall %s  (%d sentences)", r.ID, percent(s.hit, s.false), percent(s.hit, s.miss), s.hit+s.miss)
			total.hit, total.miss, total.false = total.hit+s.hit, total.miss+s.miss, total.false+s.false
		}
	}
	t.Logf("all    precision %s  recall %s  (%d sentences, %d of them clean)", percent(total.hit, total.false), percent(total.hit, total.miss), len(rows), clean)
	for _, a := range also {
		t.Log(a)
	}
}
