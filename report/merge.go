package report

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
)

// report.md is a row of blocks, each between two lines:
//
//	<!-- gameday:begin five-lines v1 sha256:0123456789ab -->
//	<!-- gameday:end five-lines -->
//
// The hash is that of the text as it was generated, so it tells whether a person has edited it since. A new text for a block
// that a person has edited stands right after it, between "gameday:offer" and "gameday:end". What stands outside of the blocks is
// people's, and belongs to the block before it. The first line lists the blocks that were ever written: one that is in the list and
// not in the file was deleted, and stays so; one with a ~ was taken out by the machine itself, and may come back.

// A block is one section of report.md.
type block struct {
	id      string
	version int
	offer   bool
	hash    string // as the marker says; of what was generated
	marker  string // the begin line as it stands in the file, with its line end
	body    string
	end     string // the end line as it stands
	seed    string // what people start from, written beneath the block when it is new; theirs from then on
}

// A chunk of report.md is either people's text or a block.
type chunk struct {
	text string
	*block
}

var (
	listMarker  = regexp.MustCompile(`^<!-- gameday:draft((?: ~?[a-z][a-z0-9-]*)*) -->$`)
	beginMarker = regexp.MustCompile(`^<!-- gameday:(begin|offer) ([a-z][a-z0-9-]*) v([0-9]{1,6}) sha256:([0-9a-f]{12}) -->$`)
	endMarker   = regexp.MustCompile(`^<!-- gameday:end ([a-z][a-z0-9-]*) -->$`)
)

// A question's id begins so.
const questionPrefix = "q-"

const byteOrderMark = "\ufeff"

func hash(body string) string {
	sum := sha256.Sum256([]byte(strings.ReplaceAll(body, "\r\n", "\n")))
	return fmt.Sprintf("%x", sum[:6])
}

func (b *block) edited() bool { return hash(b.body) != b.hash }

func (b *block) String() string { return b.marker + b.body + b.end }

// generated is a block as the machine writes it.
func (b block) generated(offer bool) *block {
	word := "begin"
	if offer {
		word = "offer"
	}
	b.offer, b.hash = offer, hash(b.body)
	b.marker = fmt.Sprintf("<!-- gameday:%s %s v%d sha256:%s -->\n", word, b.id, b.version, b.hash)
	b.end = fmt.Sprintf("<!-- gameday:end %s -->\n", b.id)
	return &b
}

// first is a new block with what people start from.
func (b block) first() string {
	if b.seed == "" {
		return b.generated(false).String()
	}
	return b.generated(false).String() + "\n" + strings.TrimRight(b.seed, "\n") + "\n"
}

func list(ids []string) string { return "<!-- gameday:draft " + strings.Join(ids, " ") + " -->\n" }

func freshMarkdown(blocks []block) []byte {
	var ids []string
	var b bytes.Buffer
	for _, x := range blocks {
		ids = append(ids, x.id)
	}
	b.WriteString(list(ids))
	for _, x := range blocks {
		b.WriteString("\n" + x.first())
	}
	return b.Bytes()
}

// A MarkerError is a line of report.md that looks like one of gameday's markers and cannot be read as one.
type MarkerError struct {
	Line int // counts from 1
	What string
}

func (e *MarkerError) Error() string {
	return fmt.Sprintf("report.md, line %d: %s; put the marker back as it was (report.md.bak may have it), or delete the whole block with both its markers", e.Line, e.What)
}

// parse splits report.md into people's text and blocks. known is the list of blocks that were ever written; listed says
// whether there is such a list.
func parse(content string) (chunks []chunk, known []string, listed bool, err error) {
	var text strings.Builder
	var open *block
	openLine := 0
	var body strings.Builder
	seen := map[string]bool{}
	flush := func() {
		if text.Len() > 0 {
			chunks = append(chunks, chunk{text: text.String()})
			text.Reset()
		}
	}
	if rest, ok := strings.CutPrefix(content, byteOrderMark); ok { // some editors write one
		content = rest
		text.WriteString(byteOrderMark)
	}
	n := 0
	for line := range strings.Lines(content) {
		n++
		bare := strings.TrimRight(line, "\r\n")
		if !strings.HasPrefix(strings.TrimLeft(bare, " \t\ufeff"), "<!-- gameday:") {
			if open != nil {
				body.WriteString(line)
			} else {
				text.WriteString(line)
			}
			continue
		}
		begin, end := beginMarker.FindStringSubmatch(bare), endMarker.FindStringSubmatch(bare)
		switch ids := listMarker.FindStringSubmatch(bare); {
		case ids != nil && open == nil && !listed:
			flush()
			listed = true
			known = strings.Fields(ids[1])
			chunks = append(chunks, chunk{block: &block{marker: line}})
		case begin != nil && open == nil:
			flush()
			open = &block{id: begin[2], offer: begin[1] == "offer", hash: begin[4], marker: line}
			fmt.Sscan(begin[3], &open.version)
			openLine = n
			if !open.offer && seen[open.id] {
				return nil, nil, false, &MarkerError{n, fmt.Sprintf("the block %s begins a second time", open.id)}
			}
			seen[open.id] = seen[open.id] || !open.offer
			body.Reset()
		case begin != nil:
			return nil, nil, false, &MarkerError{n, fmt.Sprintf("the block %s begins before the block %s of line %d has ended", begin[2], open.id, openLine)}
		case end != nil && open == nil:
			return nil, nil, false, &MarkerError{n, fmt.Sprintf("the block %s ends, but does not begin", end[1])}
		case end != nil && end[1] != open.id:
			return nil, nil, false, &MarkerError{n, fmt.Sprintf("the block %s ends inside the block %s of line %d", end[1], open.id, openLine)}
		case end != nil:
			open.body, open.end = body.String(), line
			chunks = append(chunks, chunk{block: open})
			open = nil
		default:
			return nil, nil, false, &MarkerError{n, "this marker cannot be read"}
		}
	}
	if open != nil {
		return nil, nil, false, &MarkerError{openLine, fmt.Sprintf("the block %s begins, but does not end", open.id)}
	}
	flush()
	return chunks, known, listed, nil
}

// Merge puts newly generated blocks into a report.md that people may have written into, without losing a byte of theirs:
// text outside the markers stays as it is, a block that nobody touched is replaced, one that somebody edited stays with the new
// text offered right after it, and one that somebody deleted stays deleted. A block that the draft no longer has goes, but not a
// question that somebody has answered.
func (d *Draft) Merge(content []byte) ([]byte, error) {
	return mergeBlocks(string(content), d.blocks())
}

func mergeBlocks(content string, blocks []block) ([]byte, error) {
	if strings.TrimSpace(strings.TrimPrefix(content, byteOrderMark)) == "" {
		return freshMarkdown(blocks), nil
	}
	chunks, known, listed, err := parse(content)
	if err != nil {
		return nil, err
	}
	w := &mergeWriter{fresh: map[string]*block{}, main: mainOf(chunks), offers: map[string][]*block{}, words: wordsOf(chunks)}
	for i := range blocks {
		w.fresh[blocks[i].id] = &blocks[i]
	}
	for _, c := range chunks {
		if c.block != nil && c.offer {
			w.offers[c.id] = append(w.offers[c.id], c.block)
		}
	}
	if !listed { // without the list nothing is known to be new, so nothing is added
		for _, x := range blocks {
			known = append(known, x.id)
		}
	}
	added := w.added(blocks, known)
	known = w.remember(blocks, known)
	owners := ownersOf(chunks)
	if !slices.Contains(owners, "") {
		w.insert(added[""])
	}
	for i, c := range chunks {
		switch {
		case c.block == nil:
			w.out.WriteString(c.text)
		case c.id == "":
			line := list(known)
			if strings.TrimRight(c.marker, "\r\n") == strings.TrimRight(line, "\n") {
				line = c.marker
			}
			w.out.WriteString(line)
		default:
			w.block(c.block)
		}
		if !slices.Contains(owners[i+1:], owners[i]) { // people's words stay with their block, so what is new comes after them
			w.insert(added[owners[i]])
		}
	}
	return w.out.Bytes(), nil
}

// ownersOf says to which block each chunk belongs: text to the block before it, whether or not an offer stands between. What stands
// before every block belongs to "".
func ownersOf(chunks []chunk) []string {
	main := mainOf(chunks)
	owner := ""
	var out []string
	for _, c := range chunks {
		if c.block != nil && main[c.id] == c.block {
			owner = c.id
		}
		out = append(out, owner)
	}
	return out
}

// mainOf is the block for each id. An offer that outlived its block was taken up: it is the block now.
func mainOf(chunks []chunk) map[string]*block {
	main := map[string]*block{}
	for _, c := range chunks {
		if c.block != nil && c.id != "" && (main[c.id] == nil || main[c.id].offer && !c.offer) {
			main[c.id] = c.block
		}
	}
	return main
}

// wordsOf is what people wrote beneath each block.
func wordsOf(chunks []chunk) map[string]string {
	words := map[string]string{}
	for i, owner := range ownersOf(chunks) {
		words[owner] += chunks[i].text
	}
	return words
}

type mergeWriter struct {
	out    bytes.Buffer
	fresh  map[string]*block
	main   map[string]*block
	offers map[string][]*block
	words  map[string]string // what people wrote beneath each block
}

// machine writes generated text on lines of its own: what stands before it may have no line end.
func (w *mergeWriter) machine(s string) {
	if n := w.out.Len(); n > 0 && w.out.Bytes()[n-1] != '\n' {
		w.out.WriteByte('\n')
	}
	w.out.WriteString(s)
}

// goes says that the machine takes a block of the file out: it has nothing to say there any more, and nobody has edited it, or answered
// it where it is a question.
func (w *mergeWriter) goes(b *block) bool {
	answered := strings.HasPrefix(b.id, questionPrefix) && strings.TrimSpace(w.words[b.id]) != ""
	return w.fresh[b.id] == nil && !b.edited() && !answered
}

// remember is the list of the blocks that were ever written, with what is new and what goes now.
func (w *mergeWriter) remember(blocks []block, known []string) []string {
	var out []string
	for _, id := range known {
		bare := strings.TrimPrefix(id, "~")
		switch b := w.main[bare]; {
		case b != nil && w.goes(b):
			id = "~" + bare
		case b != nil || w.fresh[bare] != nil:
			id = bare
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	for _, x := range blocks {
		if !slices.Contains(out, x.id) {
			out = append(out, x.id)
		}
	}
	return out
}

// block writes a block of the file, or what takes its place.
func (w *mergeWriter) block(b *block) {
	next := w.fresh[b.id]
	if b != w.main[b.id] { // an offer beside its block
		if b.edited() {
			w.out.WriteString(b.String())
		}
		return
	}
	taken := next != nil && hash(b.body) == hash(next.body) // the person has put the new text in its place
	switch {
	case w.goes(b):
		return
	case next != nil && (!b.edited() || taken):
		w.machine(next.generated(false).String())
		return
	}
	w.out.WriteString(b.String())
	if next == nil {
		return
	}
	text := hash(next.body)
	if text == b.hash {
		return // the machine says what it said when the person began to edit
	}
	for _, o := range w.offers[b.id] {
		if o != b && o.edited() && o.hash == text {
			return
		}
	}
	w.machine(next.generated(true).String())
}

// added says after which block of the file each block that it does not have belongs; "" is the top.
func (w *mergeWriter) added(blocks []block, known []string) map[string][]string {
	out := map[string][]string{}
	after := ""
	for _, b := range blocks {
		switch {
		case w.main[b.id] != nil:
			after = b.id
		case slices.Contains(known, "~"+b.id):
			out[after] = append(out[after], b.generated(false).String())
		case !slices.Contains(known, b.id):
			out[after] = append(out[after], b.first())
		}
	}
	return out
}

// insert writes blocks that the file has not, with an empty line between them and what is around them.
func (w *mergeWriter) insert(blocks []string) {
	for _, b := range blocks {
		if bytes.HasSuffix(w.out.Bytes(), []byte("\n\n")) || bytes.HasSuffix(w.out.Bytes(), []byte("\n\r\n")) {
			w.out.WriteString(b + "\n")
			continue
		}
		w.machine("")
		w.out.WriteString("\n" + b)
	}
}

// writeMarkdown merges the draft into the file, and keeps the version before as .bak. A person may save the file meanwhile: then
// it is merged again. It returns what the file holds now.
func (d *Draft) writeMarkdown(path string) ([]byte, error) {
	for range 5 {
		old, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			fresh := d.Markdown()
			return fresh, replace(path, fresh)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the draft that is there: %w", err)
		}
		merged, err := d.Merge(old)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(old, merged) {
			return merged, nil
		}
		if err := replace(path+".bak", old); err != nil {
			return nil, err
		}
		if now, err := os.ReadFile(path); err == nil && !bytes.Equal(now, old) {
			continue
		}
		return merged, replace(path, merged)
	}
	return nil, fmt.Errorf("%s keeps changing while it is being written; close it in the editor and render again", path)
}
