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
	known          []string // what the rules get wrong about it: "missed", or the rules that are raised over a clean sentence
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
		fields := strings.Split(s.Text(), "\t")
		if len(fields) < 2 || len(fields) > 3 {
			t.Fatalf("golden.tsv:%d: want a rule, a tab and a sentence, and perhaps another tab and what the rules get wrong", n)
		}
		r := goldenRow{line: n, rule: fields[0], sentence: fields[1]}
		if len(fields) == 3 {
			r.known = strings.Fields(fields[2])
		}
		rows = append(rows, r)
	}
	return rows
}

// A clean sentence must raise nothing, and every other sentence must raise its rule, unless it is known that the rules get it wrong: that
// counts against precision and recall like anything else. A sentence may earn a second rule; those are listed for a reader to judge and do
// not count against precision. The rules were written with most of these sentences at hand, so other texts will fare worse.
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
	seen := map[string]int{}
	var also []string
	for _, r := range rows {
		if first := seen[r.sentence]; first > 0 {
			t.Errorf("golden.tsv:%d: it stands in line %d already: %s", r.line, first, r.sentence)
		}
		seen[r.sentence] = r.line
		var raised []string
		for _, f := range Lint("golden.md", []byte(r.sentence+"\n"), Options{}) {
			if !slices.Contains(raised, f.Rule) {
				raised = append(raised, f.Rule)
			}
		}
		var wrong []string
		if r.rule == "ok" {
			clean++
			wrong = raised
			for _, id := range raised {
				at(id).false++
			}
		} else if slices.Contains(raised, r.rule) {
			at(r.rule).hit++
		} else {
			at(r.rule).miss++
			wrong = []string{"missed"}
		}
		if !slices.Equal(wrong, r.known) {
			t.Errorf("golden.tsv:%d: want %s, raised %v, and known to be wrong is %v: %s", r.line, r.rule, raised, r.known, r.sentence)
		}
		for _, id := range raised {
			if r.rule != "ok" && id != r.rule {
				also = append(also, fmt.Sprintf("%d %s also %s: %s", r.line, r.rule, id, r.sentence))
			}
		}
	}
	if 2*clean < len(rows) {
		t.Errorf("%d of %d sentences are clean, want at least half: false alarms are what makes people turn a lint off", clean, len(rows))
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
