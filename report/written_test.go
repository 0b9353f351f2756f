package report

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// askedDraft is a draft with a section for people to fill in.
func askedDraft() *Draft {
	d := Build(stories()["refuted"])
	d.Sections = slices.Insert(d.Sections, len(d.Sections)-1, Section{ID: "to-do", Version: 1, Title: "To do", People: true,
		Items: []Item{Para{say([]string{"E21"}, "Each has an owner, a date, and what shows that it is done.")}},
		Seed:  "| What | Team | Due | Done when |\n|---|---|---|---|\n"})
	return d
}

// peopled is what people made of that draft.
func peopled(d *Draft) string {
	md := string(d.Markdown())
	after := func(id, words string) {
		end := "<!-- gameday:end " + id + " -->\n"
		md = strings.Replace(md, end, end+"\n"+words, 1)
	}
	after("five-lines", "**What we know now:** the client waits for the store *without* a limit. We had believed that the timeout of March covers it ([E10], [Q2]).\n\n- The screens showed it 40 s late.\n- Nobody saw it on the order board.\n\nSee [the ticket](https://tracker.example/CHK-482).\n")
	after("q-refuted-checkout-stays-quick", "The latency panel was green: it shows the mean, and half of the calls never came back [E10].\n")
	md = strings.Replace(md, "| What | Team | Due | Done when |\n|---|---|---|---|\n", "| What | Team | Due | Done when |\n|---|---|---|---|\n| Give the client a deadline of 500 ms | checkout | 2026-12-10 | a run of `store_freezes` holds |\n", 1)
	md = strings.Replace(md, "## Impact and boundaries\n", "## Impact and boundaries\n\nThe budget of the week was not touched: no customer was on the rehearsal's shop.\n", 1)
	return md
}

func TestPageHasWhatPeopleWrote(t *testing.T) {
	d := askedDraft()
	page, err := d.Page([]byte(peopled(d)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "peopled.html")
	if *update {
		if err := os.WriteFile(path, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(page, want) {
		t.Errorf("%s is not what is drawn now (%v); -update writes it", path, err)
	}
	checkPage(t, "peopled", page)
	root := parsePage(t, page)
	for class, want := range map[string][]string{
		"people":   {"The latency panel was green", "Give the client a deadline", "no customer was on", "the client waits for the store without a limit"},
		"edited":   {"no customer was on the rehearsal's shop", "Guardrail"},
		"question": {"screens that you watched", "The latency panel was green", "What would make it easier"},
		"machine":  {"Each has an owner"},
	} {
		var all strings.Builder
		walk(root, func(n *html.Node) {
			if slices.Contains(strings.Fields(attribute(n, "class")), class) {
				all.WriteString(strings.Join(strings.Fields(textOf(n)), " "))
			}
		})
		for _, w := range want {
			if !strings.Contains(all.String(), w) {
				t.Errorf("%q is not in what is %s", w, class)
			}
		}
	}
	places := 0
	for _, s := range d.Sections {
		if s.People {
			places++
		}
	}
	if n := bytes.Count(page, []byte(`class="blank"`)); n != places-2 { // one question is answered, and the table has a row
		t.Errorf("there are %d places to write on, for %d sections of people's", n, places)
	}
	if !bytes.Contains(page, []byte(`Assembled from evidence, then edited by people`)) {
		t.Error("an edited section is not marked")
	}
}

func parsePage(t *testing.T, page []byte) *html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestPageWithoutWhatPeopleTookOut(t *testing.T) {
	for _, s := range askedDraft().Sections {
		d := askedDraft()
		var b strings.Builder
		chunks, _, _, _ := parse(string(d.Markdown()))
		for _, c := range chunks {
			if c.block == nil || c.id != s.ID {
				b.WriteString(whole(c))
			}
		}
		page, err := d.Page([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		checkPage(t, "without "+s.ID, page)
		if there := bytes.Contains(page, []byte(` id="`+s.ID+`"`)); there != mustBeSeen(s.ID) {
			t.Errorf("%s was taken out; it is on the page: %v", s.ID, there)
		}
	}
	d := Build(stories()["residue"]) // nothing but people's words is left
	page, err := d.Page([]byte("We write it ourselves.\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"We write it ourselves.", "A person is needed", `id="E1"`} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page of a draft that was replaced lacks %q", want)
		}
	}
	checkPage(t, "residue, replaced", page)
}

// What the draft no longer has is drawn for what people wrote, where it stands and as what it is.
func TestPageKeepsWhatTheDraftLost(t *testing.T) {
	old := string(askedDraft().Markdown())
	cut := func(id string) string { // a block, which is taken out
		from := strings.Index(old, "<!-- gameday:begin "+id+" ")
		end := "<!-- gameday:end " + id + " -->\n"
		to := strings.Index(old, end) + len(end)
		block := old[from:to]
		old = old[:from] + old[to:]
		return block
	}
	const asked, moved, section = "q-refuted-checkout-stays-quick", "q-no-notes", "to-do"
	question, answered, edited := cut(asked), cut(moved), cut(section)
	question = strings.Replace(question, "\n<!-- gameday:end", "\nAnd what did the board show?\n<!-- gameday:end", 1)
	edited = strings.Replace(edited, "\n<!-- gameday:end", "\nThe *deadline* goes first.\n<!-- gameday:end", 1)
	list, rest, _ := strings.Cut(old, "\n")
	old = list + "\n" + answered + "\nA button on the board would do.\n\n" + edited + "\nThe rest can wait.\n\n" + question + rest

	d := Build(stories()["held"])
	d.Sections = slices.DeleteFunc(d.Sections, func(s Section) bool { return s.ID == moved })
	merged, err := d.Merge([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	page, err := d.Page(merged)
	if err != nil {
		t.Fatal(err)
	}
	checkPage(t, "kept", page)
	said := map[string]string{}
	walk(parsePage(t, page), func(n *html.Node) {
		if n.Data == "section" {
			said[attribute(n, "id")] = strings.Join(strings.Fields(textOf(n)), " ")
		}
	})
	for id, want := range map[string][]string{
		moved:   {"Asked before", "What would make it easier", "A button on the board would do."},
		asked:   {"Asked before", "then edited by people", "screens that you watched", "And what did the board show?"},
		section: {"for an earlier version of this draft, then edited by people", "To do", "The deadline goes first.", "The rest can wait."},
	} {
		for _, w := range want {
			if !strings.Contains(said[id], w) {
				t.Errorf("%q is not in %s: %q", w, id, said[id])
			}
		}
	}
	if strings.Contains(said[section], "Asked before") {
		t.Errorf("a section is headed as a question: %q", said[section])
	}
}

// Whatever stands in report.md, it is text on the page.
func TestWhatPeopleWroteIsText(t *testing.T) {
	hostile := []string{
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a <b onclick=x>b</b> < c", "<style>*{display:none}</style>", "<!-- gone --> stays", "<!-- open",
		"[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\tscript:alert(1))", "[x](&#106;avascript:alert(1))", "[x](data:text/html,<script>1</script>)", "[x](vbscript:x)", "[x](file:///etc/passwd)",
		"[x](//evil.example/)", "[x](\\\\evil.example)", "[x](http:evil)", "<javascript:alert(1)>", "<https://ok.example/>", "https://ok.example/?a=b&c=\"d", "![p](https://evil.example/p.png)", "[![p](q.png)](https://ok.example)",
		"[x]: javascript:alert(1)\n\n[x]", "[E1]: https://evil.example\n\n[E1]", "[x](#E1) [y](#e18) [z](#nowhere) [w](report.html#chart-h1)", "# heading", "## <h1>", "| a | b |\n|:-:|---|\n| <td> | [E1] |", "- [x] done\n- [ ] open",
		"\u202etxet\u202c", "\x1b[31m", "\x00", "\xff\xfe", "👩\u200d🚒 ⚠\ufe0f", "<div\n<p\n", "<details>\n<summary>s</summary>\nx\n</details>", "<?php x ?>", "<![CDATA[x]]>", "<!DOCTYPE x>", "```html\n<script>\n```", "    <script>", "&lt;script&gt; &#60;script&#62;",
		"[a](https://ok.example/\"onmouseover=\"alert(1))", "[a](https://ok.example 'title\" onclick=x')", "<a id=\"e17\"></a>", "</div></section></main>", "[^1]\n\n[^1]: note", strings.Repeat("> ", 200) + "deep", strings.Repeat("[", 300), strings.Repeat("*a ", 300),
	}
	d := askedDraft()
	plain := string(d.Markdown())
	rapid.Check(t, func(rt *rapid.T) {
		words := strings.Join(rapid.SliceOfN(rapid.SampledFrom(hostile), 1, 6).Draw(rt, "words"), rapid.SampledFrom([]string{"", " ", "\n", "\n\n"}).Draw(rt, "between"))
		end := rapid.SampledFrom([]string{"<!-- gameday:end five-lines -->\n", "<!-- gameday:end q-no-notes -->\n"}).Draw(rt, "beneath")
		content := strings.Replace(plain, end, end+words+"\n\n", 1)
		if rapid.Bool().Draw(rt, "edited") {
			content = strings.Replace(plain, end, words+"\n"+end, 1)
		}
		page, err := d.Page([]byte(content))
		if err != nil {
			rt.Skip("a marker that cannot be read")
		}
		checkPage(t, words, page)
		if bytes.Count(page, []byte("<main")) != 1 || !bytes.HasSuffix(page, []byte("</main>\n</body>\n</html>\n")) || t.Failed() {
			rt.Fatalf("the page is not whole with %q", words)
		}
	})
	page, err := d.Page([]byte(plain + "\nlatency <500ms and <store> too\n"))
	if err != nil || !bytes.Contains(page, []byte("latency &lt;500ms and &lt;store&gt; too")) {
		t.Errorf("what looks like markup is not shown as it was written (%v)", err)
	}
}

func TestPageSaysThatTheDraftCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "report.md"), []byte("<!-- gameday:end header -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, killedRun()); err == nil {
		t.Fatal("a marker that cannot be read is taken")
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !bytes.Contains(page, []byte("What people wrote is not on this page: report.md, line 1:")) {
		t.Errorf("the page does not say so (%v)", err)
	}
}
