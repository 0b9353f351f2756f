package report

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	unsafe "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"gameday/runner/journal"
)

// keep writes a record as a run directory.
func keep(t testing.TB, rec *journal.Record) string {
	dir := filepath.Join(t.TempDir(), rec.Name)
	if err := os.MkdirAll(filepath.Join(dir, "samples"), 0o755); err != nil {
		t.Fatal(err)
	}
	lines := func(name string, n int, line func(i int) any) {
		var b bytes.Buffer
		for i := range n {
			x, err := json.Marshal(line(i))
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(x, '\n'))
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lines("journal.jsonl", len(rec.Events), func(i int) any { return rec.Events[i] })
	for id, q := range rec.Queries {
		lines("samples/"+id+".jsonl", len(q.Samples)+1, func(i int) any {
			if i == 0 {
				return q
			}
			return q.Samples[i-1]
		})
	}
	return dir
}

// A record that was written and read back says what it said before.
func TestFromTheDirectory(t *testing.T) {
	for _, name := range []string{"held", "refuted", "inconclusive", "hundred", "infinite"} {
		rec := stories()[name]
		got, err := journal.Read(keep(t, rec))
		if err != nil {
			t.Fatal(err)
		}
		if want, got := render(t, rec), render(t, got); string(got["md"]) != string(want["md"]) {
			t.Errorf("%s: the draft differs when the record is read back", name)
		}
	}
}

// A journal that is cut off at any byte, or has bytes that were never written, yields a draft that says so.
func TestRecordCutAnywhere(t *testing.T) {
	names := []string{"refuted", "residue", "gate", "aborted"}
	dirs, journals := map[string]string{}, map[string][]byte{}
	for _, n := range names {
		dirs[n] = keep(t, stories()[n])
		b, err := os.ReadFile(filepath.Join(dirs[n], "journal.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		journals[n] = b
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "story")
		content := journals[name]
		cut := rapid.IntRange(0, len(content)-1).Draw(t, "cut")
		damaged := append([]byte{}, content[:cut]...)
		if rapid.Bool().Draw(t, "hole") && cut > 10 {
			damaged[rapid.IntRange(0, cut-1).Draw(t, "at")] = 0
		}
		if err := os.WriteFile(filepath.Join(dirs[name], "journal.jsonl"), damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		rec, err := journal.Read(dirs[name])
		if err != nil {
			return // not even the start of the run can be read
		}
		d := Build(rec)
		md := string(d.Markdown())
		if !strings.Contains(md, "The record ends before the run did") && !strings.Contains(md, "The record is not whole") {
			t.Fatalf("cut at byte %d of %d, and the draft does not say so:\n%s", cut, len(content), md)
		}
		for form, set := range map[string]func() ([]byte, error){"html": d.HTML, "json": d.JSON, "junit": d.JUnit} {
			if _, err := set(); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
		}
		Summary(io.Discard, d, true, 80)
	})
}

// Events in any order, any number of times and without what should come before them never bring Build down.
func TestRecordInDisorder(t *testing.T) {
	all := stories()
	rapid.Check(t, func(t *rapid.T) {
		rec := &journal.Record{Name: "x", Queries: map[string]*journal.Query{}}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			from := all[rapid.SampledFrom([]string{"refuted", "residue", "hostile", "infinite", "aborted", "gate", "recovered"}).Draw(t, "story")]
			rec.Events = append(rec.Events, from.Events[rapid.IntRange(0, len(from.Events)-1).Draw(t, "event")])
			if rapid.Bool().Draw(t, "samples") {
				rec.Queries = from.Queries
			}
		}
		d := Build(rec)
		d.Markdown()
		for form, set := range map[string]func() ([]byte, error){"html": d.HTML, "json": d.JSON, "junit": d.JUnit} {
			if _, err := set(); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
		}
		Summary(io.Discard, d, false, 80)
	})
}

func TestNoRecord(t *testing.T) {
	for _, rec := range []*journal.Record{nil, {}, {Name: "x"}} {
		d := Build(rec)
		d.Markdown()
		Summary(io.Discard, d, false, 80)
		if _, err := d.HTML(); err == nil {
			t.Error("a record without an event was rendered")
		}
		if _, err := Write(t.TempDir(), rec); err == nil {
			t.Error("a record without an event was written")
		}
	}
}

// Whatever a name holds, it is text and nothing else when the Markdown is read, in a line and in a cell of a table.
func FuzzMarkdown(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Add("`|`")
	f.Add("\\|`")
	f.Add("a  b")
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(unsafe.WithUnsafe()))
	f.Fuzz(func(t *testing.T, s string) {
		shown := visible(s)
		if !utf8.ValidString(shown) || strings.ContainsAny(shown, "\n\r\x00\x1b\u202e\u2028") {
			t.Fatalf("%q is shown as %q", s, shown)
		}
		for _, set := range []string{"x " + codeSpan(shown, false) + " y", "x " + escapeMarkdown(shown) + " y"} {
			checkText(t, md, set, s)
		}
		for _, set := range []string{codeSpan(shown, true), escapeMarkdown(shown)} {
			checkText(t, md, "| h | i |\n|---|---|\n| x "+set+" y | z |\n", s)
		}
	})
}

func checkText(t *testing.T, md goldmark.Markdown, source, s string) {
	t.Helper()
	var b bytes.Buffer
	if err := md.Convert([]byte(source), &b); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	cells := 0
	walk(root, func(n *html.Node) {
		switch n.Type {
		case html.CommentNode:
			t.Errorf("%q set as %q becomes a comment", s, source)
		case html.ElementNode:
			switch n.Data {
			case "html", "head", "body", "p", "code", "table", "thead", "tbody", "tr", "th":
			case "td":
				cells++
			default:
				t.Errorf("%q set as %q becomes <%s>", s, source, n.Data)
			}
		}
	})
	if strings.HasPrefix(source, "| h") && (cells != 2 || strings.TrimSpace(textOf(find(root, "td")[1])) != "z") {
		t.Errorf("%q set as %q breaks out of its cell", s, source)
	}
}
