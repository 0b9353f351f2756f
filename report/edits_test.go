package report

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whole drafts of the golden runs are edited as people edit a file, line by line and whatever the lines are, and rendered again and again, from the
// record as it was and from others. What people typed carries a word of its own on each line, so that the test needs nothing of the code under
// test to see that every such line is still there, byte for byte and in the same order, and that the page shows it.
func TestWhatPeopleTypeStaysInWholeDrafts(t *testing.T) {
	if f := flag.Lookup("rapid.seed"); f.Value.String() == "0" { // the same edits each time, unless asked for others
		if err := f.Value.Set("1"); err != nil {
			t.Fatal(err)
		}
		defer f.Value.Set("0")
	}
	drafts := map[string]*Draft{}
	blocks := map[string][]block{}
	for name, rec := range stories() {
		drafts[name] = Build(rec)
		blocks[name] = drafts[name].blocks()
	}
	names := slices.Sorted(maps.Keys(drafts))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "run")
		f := &editedFile{lines: lines(string(freshMarkdown(blocks[name])))}
		for range rapid.IntRange(1, 5).Draw(t, "renderings") {
			for range rapid.IntRange(0, 6).Draw(t, "edits") {
				f.edit(t)
			}
			if rapid.Bool().Draw(t, "from another record") {
				name = rapid.SampledFrom(names).Draw(t, "run")
			}
			before := strings.Join(f.lines, "")
			merged, err := mergeBlocks(before, blocks[name])
			if err != nil {
				t.Fatalf("%v\n%s", err, before)
			}
			again, err := mergeBlocks(string(merged), blocks[name])
			if err != nil || !bytes.Equal(again, merged) {
				t.Fatalf("nothing changed, and rendered again it is another text (%v):\n%s\n---\n%s", err, merged, again)
			}
			if was, is := typed(before), typed(string(merged)); !slices.Equal(was, is) {
				t.Fatalf("typed was\n%q\nand now there is\n%q", was, is)
			}
			checkMachine(t, before, string(merged), blocks[name])
			f.lines = lines(string(merged))
		}
		d := drafts[name]
		w, err := readWritten(strings.Join(f.lines, ""), d.Sections)
		if err != nil {
			t.Fatal(err)
		}
		page := string(d.page(w, nil))
		for _, line := range typed(strings.Join(f.lines, "")) {
			if mark := typedMark.FindString(line); !strings.Contains(page, mark) {
				t.Fatalf("the page does not show %q of\n%s", line, strings.Join(f.lines, ""))
			}
		}
	})
}

// An editedFile is a draft in an editor.
type editedFile struct {
	lines []string // each with its line end
	words int
}

var (
	typedMark  = regexp.MustCompile(`typed[0-9]+x`)
	markerLine = regexp.MustCompile(`^<!-- gameday:(draft|begin|offer|end)[ a-z0-9~:-]* -->\r?\n?$`)
)

func lines(text string) []string { return slices.Collect(strings.Lines(text)) }

// typed are the lines with a word of people's.
func typed(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if typedMark.MatchString(line) {
			out = append(out, strings.TrimRight(line, "\r\n"))
		}
	}
	return out
}

func (f *editedFile) word() string {
	f.words++
	return fmt.Sprintf("typed%dx", f.words)
}

// section is where a block begins and ends with what people wrote beneath it, as an editor's folding would have it; ok is false where line i belongs to none.
func (f *editedFile) section(i int) (from, to int, ok bool) {
	for from = i; from >= 0 && !strings.HasPrefix(f.lines[from], "<!-- gameday:begin"); from-- {
	}
	if from < 0 {
		return 0, 0, false
	}
	for to = from + 1; to < len(f.lines) && !strings.HasPrefix(f.lines[to], "<!-- gameday:begin"); to++ {
	}
	return from, to, true
}

// edit does to the file what somebody does to a text.
func (f *editedFile) edit(t *rapid.T) {
	line := func() int { return rapid.IntRange(0, len(f.lines)-1).Draw(t, "line") }
	where := func(is func(string) bool) int { // one of the lines of that kind, or -1
		var at []int
		for i, l := range f.lines {
			if is(l) {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			return -1
		}
		return rapid.SampledFrom(at).Draw(t, "line")
	}
	plain := func(l string) bool { return strings.TrimSpace(l) != "" && !markerLine.MatchString(l) }
	sentence := func(l string) bool { return plain(l) && !strings.HasPrefix(l, "|") && !strings.Contains(l, "]: #") }
	row := func(l string) bool { return strings.HasPrefix(l, "| ") }
	bare := func(i int) (string, string) {
		text := strings.TrimRight(f.lines[i], "\r\n")
		return text, f.lines[i][len(text):]
	}
	switch kind := rapid.SampledFrom([]string{"paragraph", "answer", "strike", "reword", "cell", "row", "cut line", "cut section", "move section", "copy text", "line ends"}).Draw(t, "kind"); kind {
	case "paragraph": // words of their own anywhere, also inside a block
		f.lines = slices.Insert(f.lines, line(), "\n", f.word()+" is what we think.\n", "\n")
	case "answer":
		if i := where(func(l string) bool { return strings.HasPrefix(l, "<!-- gameday:end ") }); i >= 0 {
			f.lines = slices.Insert(f.lines, i+1, "\n", "> "+f.word()+": the pool, we **think**.\n", "- and "+f.word()+"\n")
		}
	case "strike":
		if i := where(func(l string) bool { return sentence(l) && !strings.HasPrefix(l, "~~") }); i >= 0 { // four of them would begin a block of code
			text, end := bare(i)
			f.lines[i] = "~~" + text + "~~ " + f.word() + end
		}
	case "reword":
		if i := where(sentence); i >= 0 {
			text, end := bare(i)
			words := strings.Fields(text)
			words[len(words)/2] = f.word()
			f.lines[i] = strings.Join(words, " ") + end
		}
	case "cell":
		if i := where(row); i >= 0 {
			text, end := bare(i)
			f.lines[i] = strings.TrimSuffix(text, "|") + f.word() + " |" + end
		}
	case "row": // also into the empty table of follow-ups
		if i := where(func(l string) bool { return strings.HasPrefix(l, "|--") }); i >= 0 {
			text, _ := bare(i)
			f.lines = slices.Insert(f.lines, i+1, "| "+f.word()+strings.Repeat(" | ", strings.Count(text, "|")-1)+"|\n")
		}
	case "cut line":
		if i := where(func(l string) bool { return plain(l) && !typedMark.MatchString(l) }); i >= 0 {
			f.lines = slices.Delete(f.lines, i, i+1)
		}
	case "cut section":
		if from, to, ok := f.section(line()); ok {
			f.lines = slices.Delete(f.lines, from, to)
		}
	case "move section":
		if from, to, ok := f.section(line()); ok {
			moved := slices.Clone(f.lines[from:to])
			f.lines = slices.Delete(f.lines, from, to)
			at := len(f.lines)
			if i := where(func(l string) bool { return strings.HasPrefix(l, "<!-- gameday:begin") }); i >= 0 {
				at = i
			}
			f.lines = slices.Insert(f.lines, at, moved...)
		}
	case "copy text": // of a block to the end of the file
		if i := where(sentence); i >= 0 {
			text, _ := bare(i)
			f.lines = append(f.lines, "\n", f.word()+" quotes: "+text+"\n")
		}
	case "line ends":
		for i, l := range f.lines {
			f.lines[i] = strings.TrimRight(l, "\r\n") + "\r\n"
		}
	}
}

// checkMachine holds the machine's side against what it has to say: a block in which nobody has changed a byte has its newest text, one that somebody changed
// is as they left it, and the newest text stands right after it where that is another one than they began with. None that was deleted is back, and a question
// that was answered stays when the machine does not ask it any more.
func checkMachine(t *rapid.T, before, after string, next []block) {
	was, is := textsOf(before), textsOf(after)
	for id, old := range was {
		if _, there := is[id]; !there && (old.changed || strings.HasPrefix(id, questionPrefix) && old.answered) {
			t.Fatalf("%s was changed or answered, and is gone:\n%s", id, old.body)
		}
	}
	for _, b := range next {
		now, there := is[b.id]
		old, had := was[b.id]
		switch {
		case had && !there:
			t.Fatalf("the block %s is lost", b.id)
		case had && old.changed && now.body != old.body && lf(now.body) != b.body:
			t.Fatalf("people made of %s:\n%s\nand now it is:\n%s", b.id, old.body, now.body)
		case had && old.changed && lf(now.body) != b.body && hash(b.body) != old.hash && !strings.Contains(after, fmt.Sprintf("<!-- gameday:offer %s v%d sha256:%s -->", b.id, b.version, hash(b.body))):
			t.Fatalf("the new text of %s is not offered:\n%s", b.id, b.body)
		case had && !old.changed && now.body != b.body:
			t.Fatalf("nobody changed %s, and it is not the newest text:\n%s", b.id, now.body)
		case !had && there && strings.Contains(strings.SplitN(before, "\n", 2)[0]+" ", " "+b.id+" "):
			t.Fatalf("the block %s was deleted and is back", b.id)
		}
	}
}

func lf(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

type machineText struct {
	body, hash string
	changed    bool
	answered   bool // people typed something beneath it
}

var beginLine = regexp.MustCompile(`^<!-- gameday:begin (\S+) v\d+ sha256:(\S+) -->`)

// textsOf reads the text of each block that is no offer.
func textsOf(text string) map[string]machineText {
	out := map[string]machineText{}
	id, sum, last, offer := "", "", "", false
	var body strings.Builder
	for line := range strings.Lines(text) {
		if m := beginLine.FindStringSubmatch(line); m != nil {
			id, sum = m[1], m[2]
			body.Reset()
		} else if strings.HasPrefix(line, "<!-- gameday:end") {
			if id != "" {
				out[id] = machineText{body.String(), sum, hash(body.String()) != sum, false}
				last = id
			}
			id, offer = "", false
		} else if strings.HasPrefix(line, "<!-- gameday:offer") {
			offer = true
		} else if id != "" {
			body.WriteString(line)
		} else if m := out[last]; last != "" && !offer && typedMark.MatchString(line) {
			m.answered = true
			out[last] = m
		}
	}
	return out
}
