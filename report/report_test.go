package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	unsafe "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"

	"gameday/runner/journal"
)

var update = flag.Bool("update", false, "write the golden files")

// render makes every form of a draft.
func render(t *testing.T, rec *journal.Record) map[string][]byte {
	t.Helper()
	d := Build(rec)
	out := map[string][]byte{"md": d.Markdown()}
	var err error
	for form, set := range map[string]func() ([]byte, error){"html": d.HTML, "json": d.JSON, "xml": d.JUnit} {
		if out[form], err = set(); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	Summary(&b, d, false, 100)
	out["txt"] = b.Bytes()
	return out
}

// The pages of some stories are kept whole; of the others the Markdown, which says the same.
func TestGolden(t *testing.T) {
	whole := map[string]bool{"refuted": true, "killed": true, "residue": true, "hostile": true, "empty": true, "custom": true}
	for name, rec := range stories() {
		for form, got := range render(t, rec) {
			if form != "md" && form != "txt" && !whole[name] {
				continue
			}
			path := filepath.Join("testdata", name+"."+form)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got, -update writes it):\n%s", path, diff)
			}
		}
	}
}

func TestTheSameRecordRendersTheSame(t *testing.T) {
	for name := range stories() {
		a, b := render(t, stories()[name]), render(t, stories()[name])
		for form := range a {
			if !bytes.Equal(a[form], b[form]) {
				t.Errorf("%s.%s differs from one rendering to the next", name, form)
			}
		}
	}
}

func TestSentenceWithoutEvidenceIsRefused(t *testing.T) {
	for _, s := range []Sentence{
		say(nil, "Nothing was seen."),
		say([]string{"E99"}, "Nothing was seen."),
		say([]string{"E1"}, "{} was seen."),
	} {
		d := Build(heldRun(0.1))
		d.Sections[0].Items = append(d.Sections[0].Items, Para{s})
		if _, err := d.HTML(); err == nil {
			t.Errorf("HTML rendered %+v", s)
		}
		if err := d.check(); err == nil {
			t.Errorf("check passed %+v", s)
		}
	}
}

// In Markdown nothing from outside may become anything but text: no raw HTML but our own anchors, no links but our own.
func TestMarkdownFromOutsideIsText(t *testing.T) {
	allowed := map[string]bool{}
	for _, e := range strings.Fields(`html head body h1 h2 h3 p a code strong table thead tbody tr th td ul li blockquote`) {
		allowed[e] = true
	}
	for name, rec := range stories() {
		md := Build(rec).Markdown()
		var b bytes.Buffer
		if err := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(unsafe.WithUnsafe())).Convert(md, &b); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := parse(string(md)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		root, err := html.Parse(&b)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		walk(root, func(n *html.Node) {
			switch n.Type {
			case html.CommentNode:
				if !strings.HasPrefix(n.Data, " gameday:") || strings.Contains(n.Data, "\n") {
					t.Errorf("%s: a comment %q", name, n.Data)
				}
			case html.ElementNode:
				if !allowed[n.Data] {
					t.Errorf("%s: an element <%s>", name, n.Data)
				}
				count[n.Data]++
				for _, a := range n.Attr {
					if a.Key == "href" && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "report.html#chart-") {
						t.Errorf("%s: a link to %q", name, a.Val)
					}
				}
			case html.TextNode:
				if i := strings.IndexAny(n.Data, "\u202e\u2066\x1b\x00\x07"); i >= 0 {
					t.Errorf("%s: a character that should be written out in %q", name, n.Data)
				}
			}
		})
		if count["h1"] != 1 {
			t.Errorf("%s: %d headings of the first level", name, count["h1"])
		}
		for _, table := range find(root, "tr") {
			if cells := len(find(table, "td")); cells > 0 && strings.TrimSpace(textOf(find(table, "td")[cells-1])) == "" {
				t.Errorf("%s: the row %q ends with an empty cell", name, textOf(table))
			}
		}
	}
}

func find(n *html.Node, element string) []*html.Node {
	var out []*html.Node
	walk(n, func(n *html.Node) {
		if n.Type == html.ElementNode && n.Data == element {
			out = append(out, n)
		}
	})
	return out
}

func walk(n *html.Node, do func(*html.Node)) {
	do(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, do)
	}
}

func textOf(n *html.Node) string {
	var b strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	})
	return b.String()
}

// The page needs nothing from elsewhere, runs nothing, and every anchor in it leads somewhere.
func TestHTMLStandsAlone(t *testing.T) {
	for name, rec := range stories() {
		page, err := Build(rec).HTML()
		if err != nil {
			t.Fatal(err)
		}
		checkPage(t, name, page)
	}
}

func checkPage(t *testing.T, name string, page []byte) {
	t.Helper()
	allowed := map[string]bool{}
	for _, e := range strings.Fields(`html head meta title style body main section header nav p span h1 h2 h3 ul li a bdi svg path line rect circle g defs pattern clippath desc text code q strong dl div dt dd table thead tbody tr th td details summary pre figure figcaption em del ol h4 h5 h6 hr br blockquote input`) {
		allowed[e] = true
	}
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids, links := map[string]bool{}, []string{}
	walk(root, func(n *html.Node) {
		if n.Type != html.ElementNode {
			return
		}
		if !allowed[strings.ToLower(n.Data)] {
			t.Errorf("%s: element <%s>", name, n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("%s: two elements have the id %q", name, a.Val)
				}
				ids[a.Val] = true
			case a.Key == "href" && within(n, "people") && leadsSomewhere(a.Val):
				if !strings.Contains(attribute(n, "rel"), "noreferrer") {
					t.Errorf("%s: the link to %q tells where it comes from", name, a.Val)
				}
			case a.Key == "href":
				links = append(links, a.Val)
			case a.Key == "src" || a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("%s: attribute %s on <%s>", name, a.Key, n.Data)
			}
		}
	})
	for _, l := range links {
		if !strings.HasPrefix(l, "#") || !ids[l[1:]] {
			t.Errorf("%s: a link leads to %q, which is not there", name, l)
		}
	}
	for _, bad := range []string{"@import", "url(http", "\u202e", "\x00", "\x1b", "NaN NaN", "LNaN", "MNaN"} {
		if bytes.Contains(page, []byte(bad)) {
			t.Errorf("%s: the page holds %q", name, bad)
		}
	}
	if i := brokenPlace.FindIndex(page); i != nil {
		t.Errorf("%s: a chart has a place that is no number: %s", name, page[max(0, i[0]-60):i[1]+20])
	}
}

// within says whether an element is inside one of a class.
func within(n *html.Node, class string) bool {
	for ; n != nil; n = n.Parent {
		if slices.Contains(strings.Fields(attribute(n, "class")), class) {
			return true
		}
	}
	return false
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// brokenPlace finds a number in a drawing that is none.
var brokenPlace = regexp.MustCompile(`(?: d| x| y| cx| cy| width| height)="[^"]*(?:NaN|Inf)[^"]*"`)

func TestJSONKeepsToItsSchema(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(Schema, &schema); err != nil {
		t.Fatal(err)
	}
	for name, rec := range stories() {
		b, err := Build(rec).JSON()
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		for _, e := range conform(schema, schema, v, "report") {
			t.Errorf("%s: %s", name, e)
		}
	}
}

func TestJUnitShape(t *testing.T) {
	want := map[string][3]int{ // failures, errors, skipped
		"held": {0, 0, 0}, "refuted": {1, 0, 0}, "inconclusive": {0, 1, 0}, "gate": {0, 0, 1}, "residue": {1, 1, 0}, "empty": {0, 0, 0}, "killed": {2, 1, 0},
	}
	for name, rec := range stories() {
		b, err := Build(rec).JUnit()
		if err != nil {
			t.Fatal(err)
		}
		var got junitSuites
		if err := xml.Unmarshal(b, &got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := [3]int{}
		for _, c := range got.Suite.Cases {
			results := 0
			for i, r := range []*junitResult{c.Failure, c.Error, c.Skipped} {
				if r != nil {
					n[i]++
					results++
					if r.Message == "" {
						t.Errorf("%s: %s gives no reason", name, c.Name)
					}
				}
			}
			if results > 1 {
				t.Errorf("%s: %s has %d results", name, c.Name, results)
			}
		}
		if n != [3]int{got.Failures, got.Errors, got.Skipped} || got.Tests != len(got.Suite.Cases) {
			t.Errorf("%s: the counts do not match the cases", name)
		}
		if w, ok := want[name]; ok && n != w {
			t.Errorf("%s: failures, errors, skipped = %v, want %v", name, n, w)
		}
	}
}

func TestSummarySaysWhatMattersFirst(t *testing.T) {
	for name, first := range map[string]string{
		"held": "Held: ", "refuted": "Refuted: ", "residue": "! A person is needed", "killed": "! A person is needed", "gate": "Not injected: ",
	} {
		for _, width := range []int{0, 40, 80, 200} {
			var b bytes.Buffer
			Summary(&b, Build(stories()[name]), false, width)
			if !strings.HasPrefix(b.String(), first) {
				t.Errorf("%s at width %d begins with %.40q, want %q", name, width, b.String(), first)
			}
			if strings.Contains(b.String(), "\x1b") {
				t.Errorf("%s: colour was not asked for", name)
			}
		}
	}
	var b bytes.Buffer
	Summary(&b, Build(residueRun()), true, 80)
	if !strings.Contains(b.String(), "docker unpause shop-store-1") || !strings.Contains(b.String(), "\x1b[31;1m") {
		t.Errorf("the command to put it back is not shown in red:\n%s", b.String())
	}
}
