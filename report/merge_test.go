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

// Whatever people write, change and delete, and however often and with whatever text the draft is rendered again, no byte of
// theirs is lost.
func TestNoHumanByteIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := []string{"a", "b", "c", "d"}
		n := rapid.IntRange(1, 4).Draw(t, "sections")
		draw := func(label string) []block {
			var out []block
			for i := range n {
				out = append(out, block{id: ids[i], version: 1, body: rapid.SampledFrom([]string{"x\n", "y\n", "longer\ntext\n", "| t |\n"}).Draw(t, label)})
			}
			return out
		}
		content := string(freshMarkdown(draw("first")))
		var human, deleted []string
		word := 0
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			for range rapid.IntRange(0, 3).Draw(t, "edits") {
				chunks, _, _, err := parse(content)
				if err != nil {
					t.Fatal(err)
				}
				var blocks []chunk
				for _, c := range chunks {
					if c.block != nil && c.id != "" {
						blocks = append(blocks, c)
					}
				}
				word++
				text := fmt.Sprintf("human-%d%s", word, rapid.SampledFrom([]string{"", " <!-- gameday:x", "\r", "|", "é", "\t`"}).Draw(t, "odd"))
				switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
				case kind == 0 || len(blocks) == 0: // a line of their own, before some chunk or at the end
					i := rapid.IntRange(0, len(chunks)).Draw(t, "where")
					var b strings.Builder
					for j, c := range chunks {
						if j == i {
							b.WriteString(text + "\n")
						}
						b.WriteString(whole(c))
					}
					if i == len(chunks) {
						if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
							b.WriteString("\n")
						}
						b.WriteString(text) // without a line end
					}
					content = b.String()
					human = append(human, text)
				case kind == 1: // inside a block
					c := blocks[rapid.IntRange(0, len(blocks)-1).Draw(t, "block")]
					content = strings.Replace(content, c.block.String(), c.marker+c.body+text+"\n"+c.end, 1)
					human = append(human, text)
				case kind == 2: // delete a block with all that belongs to it, what they wrote into it too
					c := blocks[rapid.IntRange(0, len(blocks)-1).Draw(t, "block")]
					for _, x := range blocks {
						if x.id == c.id {
							content = strings.Replace(content, x.block.String(), "", 1)
						}
					}
					deleted = append(deleted, c.id)
					human = slices.DeleteFunc(human, func(h string) bool { return !strings.Contains(content, h) })
				case kind == 3: // drop a machine block's line
					c := blocks[rapid.IntRange(0, len(blocks)-1).Draw(t, "block")]
					content = strings.Replace(content, c.block.String(), c.marker+c.end, 1)
					human = slices.DeleteFunc(human, func(h string) bool { return !strings.Contains(content, h) })
				}
			}
			before, _, _, err := parse(content)
			if err != nil {
				t.Fatal(err)
			}
			merged, err := mergeBlocks(content, draw("next"))
			if err != nil {
				t.Fatalf("%v\n%s", err, content)
			}
			after, _, _, err := parse(string(merged))
			if err != nil {
				t.Fatalf("the merged draft cannot be read: %v\n%s", err, merged)
			}
			// Every stretch of people's text and every edited block is still there, byte for byte and in order.
			rest := string(merged)
			for _, c := range before {
				if c.block != nil && (c.id == "" || !c.edited()) {
					continue
				}
				i := strings.Index(rest, whole(c))
				if i < 0 {
					t.Fatalf("lost %q\nbefore:\n%s\nafter:\n%s", whole(c), content, merged)
				}
				rest = rest[i+len(whole(c)):]
			}
			for _, h := range human {
				if !bytes.Contains(merged, []byte(h)) {
					t.Fatalf("lost %q\nbefore:\n%s\nafter:\n%s", h, content, merged)
				}
			}
			for _, c := range after {
				if c.block != nil && slices.Contains(deleted, c.id) {
					t.Fatalf("the deleted block %s came back\nbefore:\n%s\nafter:\n%s", c.id, content, merged)
				}
			}
			content = string(merged)
		}
	})
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
