package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"gameday/runner/journal"
)

func TestTemplateProblems(t *testing.T) {
	for src, want := range map[string]string{
		"Fine.\n\n{{ items }}\n":                                 "",
		"{{item \"table\" 2}}\n{{ item \"chart\" }}":             "",
		"By {{ field \"approver\" }}, {{ field \"approver\" }}.": "",
		"{{/* a {{ comment }} */}}{{ sentences }}":               "1:26: this slot inserts whole",
		"{{ items":                  "1:1: this slot has no end",
		"a }} b":                    "1:3: this closes a slot",
		"{{}}":                      "1:1: this slot cannot be read",
		"{{ item \"table }}":        "1:1: this slot cannot be read",
		"x\n  {{ item \"tabel\" }}": "2:3: there is no kind of item \"tabel\" (did you mean \"table\"?)",
		"{{ item table }}":          "1:1: \"item\" takes a name in quotes",
		"{{ item \"table\" 0 }}":    "1:1: \"0\" is no number",
		"{{ item \"table\" }}\n{{ item \"table\" }}": "2:1: this is in the template already",
		"{{ items \"x\" }}":                          "1:1: \"items\" takes nothing",
		"{{ itmes }}":                                "1:1: there is no slot \"itmes\" (did you mean \"items\"?)",
		"{{ range .Events }}":                        "1:1: there is no slot \"range\"",
		"{{ field \"aprover\" }}":                    "1:1: there is no field \"aprover\" (did you mean \"approver\"?): the fields are approver",
		"before {{ items }}":                         "1:8: this slot inserts whole paragraphs",
		"é![x](y)":                                   "1:2: pictures are not possible",
		"[E1]: https://elsewhere.example":            "1:4: a link that is defined elsewhere",
		"[!CAUTION]":                                 "1:1: alarms are the machine's",
		"a <script>alert(1)</script>":                "1:3: HTML is not possible",
		"<!-- gameday:end expected -->":              "1:1: HTML is not possible",
		"a\x1b[31m":                                  "1:2: there is a character here",
		"a\u202eb":                                   "1:2: there is a character here",
		"\xff":                                       "1:1: this is no text in UTF-8",
		strings.Repeat("x", largestTemplate+1):       "1:1: the template has more than 64 KiB",
		strings.Repeat("{{ field \"approver\" }}", 201): fmt.Sprintf("1:%d: there are more than 200 slots", 200*22+1),
	} {
		got := ""
		if p := CheckTemplate([]byte(src), []string{"approver"}); len(p) > 0 {
			got = fmt.Sprintf("%d:%d: %s", p[0].Line, p[0].Column, p[0].What)
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%.60q: %q, want %q", src, got, want)
		}
	}
}

// everySection sets all sections of a run that can be by one template.
func everySection(rec *journal.Record, text string) *journal.Record {
	s := &story{&journal.Record{Name: rec.Name, Events: slices.Clone(rec.Events), Queries: rec.Queries}}
	p := &journal.ReportDeclared{Fields: []journal.Field{field("approver", "string", `"A <b>board</b> | [E1](x)"`)}}
	for _, x := range SectionIDs() {
		if !x.Fixed {
			p.Templates = append(p.Templates, journal.SectionTemplate{Section: x.ID, File: "x.md", Text: text})
		}
	}
	return s.declareReport(p).rec
}

// said are the machine's items of a section as Markdown, and how often each stands in it.
func said(d *Draft, s Section) map[string]int {
	out := map[string]int{}
	for _, i := range s.Items {
		if _, words := i.(Words); !words {
			var b bytes.Buffer
			d.markdownItem(&b, i)
			out[fmt.Sprintf("%T %s", i, b.String())]++
		}
	}
	return out
}

// FuzzTemplate: whatever a template says, it is refused with a place, or it arranges and leaves out. What the machine says in a section
// stays as it is, with its evidence, and stands there once; the template's own text stays in its quotation.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{ items }}", "a\n{{ item \"table\" }}\n> b\n{{ items }}\n```\n", "{{ sentences }}\n\n| a |\n|---|\n| {{ field \"approver\" }} |\n", "{{/* c */}}- x\n    {{ part \"hypothesis-1\" }}\n",
		"# h\n\n1. {{ field \"x\" }}\n\n{{ item \"chart\" 1 }}\n{{ item \"chart\" }}", "[E1] [a](javascript:alert) `x", "{{ item \"heading\" }}\n---\n***\n"} {
		f.Add(s)
	}
	rec := alertMissingRun()
	plain := Build(everySection(rec, "{{ broken"))
	before := map[string]map[string]int{}
	for _, s := range plain.Sections {
		before[s.ID] = said(plain, s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		problems := CheckTemplate([]byte(text), nil)
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.What == "" {
				t.Fatalf("a problem without a place: %+v", p)
			}
		}
		if len(problems) > 0 {
			return
		}
		d := Build(everySection(rec, text))
		if err := d.check(); err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Sections {
			for item, n := range said(d, s) {
				if n > before[s.ID][item] {
					t.Fatalf("%s: an item that is not the machine's, or stands there more often:\n%s", s.ID, item)
				}
			}
		}
		_, ids, _, err := parse(string(d.Markdown()))
		if err != nil || !slices.Equal(ids, idsOf(plain)) {
			t.Fatalf("report.md cannot be read again: %v", err)
		}
		page, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(strings.NewReader(string(page)))
		if err != nil {
			t.Fatal(err)
		}
		walk(root, func(n *html.Node) {
			if n.Type == html.ElementNode && slices.Contains([]string{"script", "img", "iframe", "object", "b", "form"}, n.Data) {
				t.Fatalf("the page has an element <%s>", n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "href" && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
					t.Fatalf("the page has a link to %q", a.Val)
				}
			}
		})
	})
}

func idsOf(d *Draft) (out []string) {
	for _, s := range d.Sections {
		out = append(out, s.ID)
	}
	return out
}

// A template of items alone changes nothing of any draft.
func TestTemplateOfItemsChangesNothing(t *testing.T) {
	for name, rec := range stories() {
		if name == "hundred" || audienceOf(rec) != journal.AudienceTeam {
			continue
		}
		a, b := Build(everySection(rec, "{{ items }}\n")), Build(everySection(rec, "{{ broken"))
		for i, s := range a.Sections {
			if x, y := a.blocks()[i].body, b.blocks()[i].body; x != y && s.ID != "appendix" {
				t.Errorf("%s: %s differs", name, s.ID)
			}
		}
	}
}

// The sample is one of the stories, and is written anew with the golden files.
func TestSample(t *testing.T) {
	rec := alertMissingRun()
	s := sample{Name: rec.Name, Events: rec.Events, Queries: map[string]sampleQueries{}}
	for id, q := range rec.Queries {
		s.Queries[id] = sampleQueries{*q, q.Samples}
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("sample.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		sampleRecord = append(b, '\n')
	}
	if !bytes.Equal(sampleRecord, append(b, '\n')) {
		t.Error("sample.json is not the story any more; -update writes it")
	}
	if !bytes.Equal(Build(Sample()).Markdown(), Build(rec).Markdown()) {
		t.Error("the sample does not read as the story")
	}
	tried, err := TryTemplate(Sample(), []byte("Hello.\n\n{{ item \"table\" }}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tried {
		if x.Section == "expected" && (x.Stands != 1 || x.LeftOut < 3) {
			t.Errorf("%+v", x)
		}
	}
	if len(tried) < 8 {
		t.Errorf("%d sections were tried", len(tried))
	}
}
