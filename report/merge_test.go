package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func two(a, b string) []block {
	return []block{{id: "a", version: 1, body: a}, {id: "b", version: 1, body: b}}
}

func TestMerge(t *testing.T) {
	first := two("old a\n", "old b\n")
	fresh := string(freshMarkdown(first))
	merge := func(content string, blocks []block) string {
		t.Helper()
		got, err := mergeBlocks(content, blocks)
		if err != nil {
			t.Fatal(err)
		}
		again, err := mergeBlocks(string(got), blocks)
		if err != nil || string(again) != string(got) {
			t.Fatalf("merging again changes it (%v):\n%s\n---\n%s", err, got, again)
		}
		return string(got)
	}
	next := two("new a\n", "old b\n")

	if got := merge(fresh, first); got != fresh {
		t.Errorf("nothing new, and yet it changed:\n%s", got)
	}
	if got := merge(fresh+"\nOur words.", next); !strings.Contains(got, "new a") || strings.Contains(got, "old a") || !strings.HasSuffix(got, "\nOur words.") {
		t.Errorf("an untouched block was not replaced:\n%s", got)
	}
	edited := strings.Replace(fresh, "old a", "old a, as we saw it", 1)
	if got := merge(edited, first); got != edited {
		t.Errorf("the machine has nothing new to say about an edited block, and yet:\n%s", got)
	}
	offered := merge(edited, next)
	if !strings.Contains(offered, "old a, as we saw it") || !strings.Contains(offered, "gameday:offer a v1") || !strings.Contains(offered, "new a") {
		t.Errorf("the new text is not offered beside the edited one:\n%s", offered)
	}
	if got := merge(offered, two("newer a\n", "old b\n")); !strings.Contains(got, "newer a") || strings.Contains(got, "new a\n") || !strings.Contains(got, "as we saw it") {
		t.Errorf("an untouched offer was not replaced by the newer one:\n%s", got)
	}
	kept := strings.Replace(offered, "new a", "new a and more", 1)
	if got := merge(kept, two("newer a\n", "old b\n")); !strings.Contains(got, "new a and more") || !strings.Contains(got, "newer a") {
		t.Errorf("an edited offer was lost:\n%s", got)
	}
	cut := strings.Index(offered, "<!-- gameday:begin a")
	taken := offered[:cut] + offered[strings.Index(offered, "<!-- gameday:offer a"):]
	if got, want := merge(taken, next), string(freshMarkdown(next)); got != want {
		t.Errorf("an offer whose block was deleted did not become the block:\n%s", got)
	}
	byHand := strings.Replace(fresh, "old a", "new a", 1)
	if got, want := merge(byHand, next), string(freshMarkdown(next)); got != want {
		t.Errorf("the new text put in by hand still counts as an edit:\n%s", got)
	}
	begin := strings.Index(fresh, "<!-- gameday:begin a")
	end := strings.Index(fresh, "<!-- gameday:end a -->\n") + len("<!-- gameday:end a -->\n")
	deleted := fresh[:begin] + fresh[end:]
	if got := merge(deleted, next); strings.Contains(got, "new a") {
		t.Errorf("a deleted block came back:\n%s", got)
	}
	if got := merge(merge(fresh, first[1:]), first); !strings.Contains(got, "old a") || strings.Count(got, "gameday:begin") != 2 {
		t.Errorf("a block that the machine took out does not come back:\n%s", got)
	}
	more := append(two("old a\n", "old b\n"), block{id: "c", version: 1, body: "c\n"})
	if got := merge(fresh, more); !strings.Contains(got, "gameday:begin c") || !strings.HasPrefix(got, "<!-- gameday:draft a b c -->") {
		t.Errorf("a section that is new to this version was not added:\n%s", got)
	}
	if got := merge(deleted, more); strings.Contains(got, "old a") || !strings.Contains(got, "gameday:begin c") {
		t.Errorf("a new section beside a deleted one:\n%s", got)
	}
	if got := merge("Only our words.\n", next); got != "Only our words.\n" {
		t.Errorf("a file without markers was changed:\n%s", got)
	}
	windows := strings.ReplaceAll(fresh, "\n", "\r\n")
	if got := merge(windows+"Ours.\r\n", next); !strings.Contains(got, "new a") || strings.Contains(got, "old a") || !strings.HasSuffix(got, "Ours.\r\n") {
		t.Errorf("other line ends count as an edit:\n%q", got)
	}
}

func TestMarkersThatCannotBeRead(t *testing.T) {
	fresh := string(freshMarkdown(two("a\n", "b\n")))
	for what, c := range map[string]struct {
		content string
		line    int
	}{
		"no hash":        {strings.Replace(fresh, "sha256:", "", 1), 3},
		"no end":         {strings.Replace(fresh, "<!-- gameday:end a -->\n", "", 1), 6},
		"no begin":       {strings.Join(strings.Split(fresh, "\n")[3:], "\n"), 2},
		"text behind":    {strings.Replace(fresh, "<!-- gameday:end a -->", "<!-- gameday:end a --> ours", 1), 5},
		"twice":          {fresh + strings.Join(strings.Split(fresh, "\n")[2:], "\n"), 10},
		"unknown word":   {"x\n<!-- gameday:frob a -->\n", 2},
		"last block cut": {fresh[:strings.LastIndex(fresh, "<!-- gameday:end")], 7},
		"wrong end":      {strings.Replace(fresh, "end a", "end b", 1), 5},
	} {
		_, err := mergeBlocks(c.content, two("new a\n", "b\n"))
		var bad *MarkerError
		if !errors.As(err, &bad) || bad.Line != c.line {
			t.Errorf("%s: %v, want an error in line %d", what, err, c.line)
		}
	}
}

// What people wrote stays with the block that it stands beneath, whatever comes and goes around it.
func TestWordsBelongToTheBlockBefore(t *testing.T) {
	merge := func(content string, blocks ...block) string {
		t.Helper()
		got, err := mergeBlocks(content, blocks)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	a, b, c := block{id: "a", version: 1, body: "a\n"}, block{id: "b", version: 1, body: "b\n"}, block{id: "c", version: 1, body: "c\n", seed: "| owner | due |\n"}
	q := block{id: "q-slow", version: 1, body: "What was it?\n"}
	end := func(id string) string { return "<!-- gameday:end " + id + " -->\n" }

	content := strings.Replace(string(freshMarkdown([]block{a, b})), end("a"), end("a")+"Ours.\n", 1)
	got := merge(content, a, c, b)
	if !strings.Contains(got, end("a")+"Ours.\n\n<!-- gameday:begin c") {
		t.Errorf("a new block stands between a block and people's words:\n%s", got)
	}
	if !strings.Contains(got, end("c")+"\n| owner | due |\n\n<!-- gameday:begin b") {
		t.Errorf("what people start from is not beneath its block:\n%s", got)
	}
	for _, again := range []string{strings.Replace(got, "| owner | due |\n", "", 1), strings.Replace(got, "owner", "team", 1)} {
		if merged := merge(merge(merge(again, a, c, b), a, b), a, c, b); strings.Contains(merged, "owner") || strings.Count(merged, "gameday:begin") != 3 {
			t.Errorf("what people start from came again:\n%s", merged)
		}
	}

	asked := merge(content, a, q, b)
	if got := merge(asked, a, b); strings.Contains(got, "What was it") || !strings.HasPrefix(got, "<!-- gameday:draft a b ~q-slow -->") {
		t.Errorf("a question that nobody answered stays without its trigger:\n%s", got)
	}
	if got := merge(merge(asked, a, b), a, q, b); !strings.Contains(got, "What was it") {
		t.Errorf("a question whose trigger is back does not come back:\n%s", got)
	}
	answered := strings.Replace(asked, end("q-slow"), end("q-slow")+"\nThe pool.\n", 1)
	if got := merge(answered, a, b); got != answered {
		t.Errorf("an answered question did not stay as it was:\n%s", got)
	}
	w, err := readWritten(answered, []Section{{ID: "a"}, {ID: "b"}})
	if err != nil || w.words["a"] != "Ours.\n\n" || w.words["q-slow"] != "\nThe pool.\n\n" || !slices.Equal(w.kept, []kept{{"q-slow", "a", "What was it?\n", false}}) || w.deleted["a"] || len(w.edited) > 0 {
		t.Errorf("people's side is read as %+v, %v", w, err)
	}
	w, err = readWritten(strings.Replace(strings.Replace(answered, "What was it", "What is it", 1), b.generated(false).String(), "", 1), []Section{{ID: "a"}, {ID: "q-slow"}, {ID: "b"}})
	if err != nil || !w.deleted["b"] || w.edited["q-slow"] != "What is it?\n" || len(w.kept) > 0 {
		t.Errorf("people's side is read as %+v, %v", w, err)
	}
}

// Whatever people write, answer, change and delete, in whatever editor, and however often and with whatever text the draft is
// rendered again, no byte of theirs is lost, and it stays where they wrote it.
func TestNoHumanByteIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) []block {
			var out []block
			for i, id := range []string{"a", "q-1", "b", "q-2", "c", "d"} {
				if i > 0 && rapid.IntRange(0, 4).Draw(t, label+" without "+id) == 0 {
					continue // the machine has nothing to say there this time
				}
				b := block{id: id, version: 1, body: rapid.SampledFrom([]string{"x\n", "y\n", "longer\ntext\n", "| t |\n"}).Draw(t, label)}
				if id == "b" || id == "c" {
					b.seed = "seed of " + id + "\n"
				}
				out = append(out, b)
			}
			return out
		}
		content := string(freshMarkdown(draw("first")))
		word := 0
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			deleted := map[string]bool{}
			for range rapid.IntRange(0, 4).Draw(t, "edits") {
				word++
				content = editAtRandom(t, content, fmt.Sprintf("human-%d", word), deleted)
			}
			next := draw("next")
			merged, err := mergeBlocks(content, next)
			if err != nil {
				t.Fatalf("%v\n%s", err, content)
			}
			if again, err := mergeBlocks(string(merged), next); err != nil || !bytes.Equal(again, merged) {
				t.Fatalf("merging again changes it (%v):\n%s\n---\n%s", err, merged, again)
			}
			checkHumanBytes(t, content, string(merged), next, deleted)
			content = string(merged)
		}
	})
}

// editAtRandom does to a draft what somebody might do in an editor.
func editAtRandom(t *rapid.T, content, text string, deleted map[string]bool) string {
	chunks, _, _, err := parse(content)
	if err != nil {
		t.Fatal(err)
	}
	var blocks, texts []int
	for i, c := range chunks {
		switch {
		case c.block == nil:
			texts = append(texts, i)
		case c.id != "":
			blocks = append(blocks, i)
		}
	}
	text += rapid.SampledFrom([]string{"", " <!-- gameday:x", "\r", "|", "é", "\t`", "\n\n", "\r\n\r\nmore"}).Draw(t, "odd")
	join := func() string {
		var b strings.Builder
		for _, c := range chunks {
			if s := whole(c); s != "" { // a marker begins a line, whatever stood before it
				if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
					b.WriteString("\n")
				}
				b.WriteString(s)
			}
		}
		return b.String()
	}
	any := func(of []int) int { return of[rapid.IntRange(0, len(of)-1).Draw(t, "which")] }
	switch kind := rapid.IntRange(0, 7).Draw(t, "kind"); {
	case kind == 0 || len(blocks) == 0: // words somewhere between the blocks
		i := rapid.IntRange(0, len(chunks)).Draw(t, "where")
		chunks = slices.Insert(chunks, i, chunk{text: text})
	case kind == 1: // an answer right beneath a block
		chunks = slices.Insert(chunks, any(blocks)+1, chunk{text: text})
	case kind == 2: // something within a block
		b := *chunks[any(blocks)].block
		b.body += text + "\n"
		return strings.Replace(join(), strings.TrimSuffix(b.String(), text+"\n"+b.end), b.marker+b.body, 1)
	case kind == 3: // the text of a block
		c := chunks[any(blocks)]
		c.block.body = ""
	case kind == 4: // a block, with an offer of it
		id := chunks[any(blocks)].id
		deleted[id] = true
		chunks = slices.DeleteFunc(chunks, func(c chunk) bool { return c.block != nil && c.id == id })
	case kind == 5 && len(texts) > 0: // their own words
		chunks[any(texts)].text = ""
	case kind == 6: // an editor that writes other line ends
		return strings.ReplaceAll(strings.ReplaceAll(content, "\r\n", "\n"), "\n", "\r\n")
	case kind == 7 && len(blocks) > 1: // a block is moved
		from, to := any(blocks), any(blocks)
		chunks[from], chunks[to] = chunks[to], chunks[from]
	}
	return join()
}

// checkHumanBytes compares a draft before and after it was merged with blocks.
func checkHumanBytes(t *rapid.T, content, merged string, next []block, deleted map[string]bool) {
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\nbefore:\n%s\nafter:\n%s", fmt.Sprintf(format, args...), content, merged)
	}
	before, known, listed, err := parse(content)
	if err != nil {
		t.Fatal(err)
	}
	after, _, _, err := parse(merged)
	if err != nil {
		fail("the merged draft cannot be read: %v", err)
	}
	// Every stretch of people's text and every edited block is still there, byte for byte and in order.
	rest := merged
	there := map[string]bool{}
	for _, c := range before {
		if c.block != nil && c.id != "" {
			there[c.id] = true
		}
		if c.block != nil && (c.id == "" || !c.edited() || isFresh(c.block, next)) {
			continue
		}
		i := strings.Index(rest, whole(c))
		if i < 0 {
			fail("lost %q", whole(c))
		}
		rest = rest[i+len(whole(c)):]
	}
	old, now := wordsOf(before), wordsOf(after)
	has := map[string]bool{}
	for _, c := range after {
		if c.block != nil && c.id != "" {
			has[c.id] = true
		}
	}
	for id, words := range old {
		if (id == "" || has[id]) && !strings.HasPrefix(now[id], words) {
			fail("beneath %q stood %q, and now %q", id, words, now[id])
		}
		if strings.HasPrefix(id, questionPrefix) && strings.TrimSpace(words) != "" && !has[id] {
			fail("the question %s was answered and is gone", id)
		}
	}
	fresh := map[string]bool{}
	for _, b := range next {
		fresh[b.id] = true
		isNew := listed && !there[b.id] && !slices.Contains(known, b.id) && !slices.Contains(known, "~"+b.id)
		if strings.TrimSpace(strings.TrimPrefix(content, byteOrderMark)) == "" {
			isNew = true
		}
		if b.seed == "" {
			continue
		}
		if isNew && !strings.HasPrefix(now[b.id], "\n"+b.seed) {
			fail("%s is new, and people have nothing to start from", b.id)
		}
		if was := strings.Count(content, b.seed[:9]); !isNew && strings.Count(merged, b.seed[:9]) != was {
			fail("what people start from in %s was there %d times, and is not any more", b.id, was)
		}
	}
	for id := range has {
		if deleted[id] && !there[id] {
			fail("the deleted block %s came back", id)
		}
		if !fresh[id] && !strings.HasPrefix(id, questionPrefix) && !strings.Contains(content, id) {
			fail("the block %s is from nowhere", id)
		}
	}
}

// isFresh says that people put the new text of a block in its place by hand.
func isFresh(b *block, next []block) bool {
	return slices.ContainsFunc(next, func(x block) bool { return x.id == b.id && hash(x.body) == hash(b.body) })
}

func whole(c chunk) string {
	if c.block != nil {
		return c.block.String()
	}
	return c.text
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	rec := killedRun()
	paths, err := Write(dir, rec)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	if want := []string{"report.md", "report.html", "report.json", "junit.xml"}; !slices.Equal(names, want) {
		t.Fatalf("wrote %v, want %v", names, want)
	}
	path := filepath.Join(dir, "report.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours := "\nWhat we learned: the timeout is missing.\n"
	if err := os.WriteFile(path, append(b, ours...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, recoveredRun()); err != nil {
		t.Fatal(err)
	}
	now, _ := os.ReadFile(path)
	if !bytes.HasSuffix(now, []byte(ours)) || bytes.Contains(now, []byte("A person is needed")) {
		t.Errorf("after the recovery the draft is\n%s", now)
	}
	if bak, _ := os.ReadFile(path + ".bak"); !bytes.Equal(bak, append(b, ours...)) {
		t.Errorf("report.md.bak is not the version before")
	}
	if err := os.WriteFile(path, bytes.Replace(now, []byte("gameday:end header"), []byte("gameday:and header"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	broken, _ := os.ReadFile(path)
	var bad *MarkerError
	if paths, err := Write(dir, rec); !errors.As(err, &bad) || len(paths) != 3 {
		t.Errorf("a broken marker: %v, %v", paths, err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, broken) {
		t.Errorf("a draft that cannot be read was changed")
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".gameday-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
