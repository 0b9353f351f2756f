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
// that a person has edited stands right after it, between "gameday:offer" and "gameday:end". The first line lists the blocks
// that were ever written: one that is in the list and not in the file was deleted, and stays so.

// A block is one section of report.md.
type block struct {
	id      string
	version int
	offer   bool
	hash    string // as the marker says; of what was generated
	marker  string // the begin line as it stands in the file, with its line end
	body    string
	end     string // the end line as it stands
}

// A chunk of report.md is either people's text or a block.
type chunk struct {
	text string
	*block
}

var (
	listMarker  = regexp.MustCompile(`^<!-- gameday:draft((?: [a-z][a-z0-9-]*)*) -->$`)
	beginMarker = regexp.MustCompile(`^<!-- gameday:(begin|offer) ([a-z][a-z0-9-]*) v([0-9]{1,6}) sha256:([0-9a-f]{12}) -->$`)
	endMarker   = regexp.MustCompile(`^<!-- gameday:end ([a-z][a-z0-9-]*) -->$`)
)

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

func list(ids []string) string { return "<!-- gameday:draft " + strings.Join(ids, " ") + " -->\n" }

func freshMarkdown(blocks []block) []byte {
	var ids []string
	var b bytes.Buffer
	for _, x := range blocks {
		ids = append(ids, x.id)
	}
	b.WriteString(list(ids))
	for _, x := range blocks {
		b.WriteString("\n" + x.generated(false).String())
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
// text offered right after it, and one that somebody deleted stays deleted.
func (d *Draft) Merge(content []byte) ([]byte, error) {
	return mergeBlocks(string(content), d.blocks())
}

func mergeBlocks(content string, blocks []block) ([]byte, error) {
	if strings.TrimSpace(content) == "" {
		return freshMarkdown(blocks), nil
	}
	chunks, known, listed, err := parse(content)
	if err != nil {
		return nil, err
	}
	fresh := map[string]*block{}
	for i := range blocks {
		fresh[blocks[i].id] = &blocks[i]
	}
	main, offers := map[string]*block{}, map[string][]*block{}
	for _, c := range chunks {
		switch {
		case c.block == nil || c.id == "":
		case c.offer:
			offers[c.id] = append(offers[c.id], c.block)
		default:
			main[c.id] = c.block
		}
	}
	// An offer that outlived its block was taken up: it is the block now.
	for id, list := range offers {
		if main[id] == nil {
			main[id] = list[0]
		}
	}
	if !listed { // without the list nothing is known to be new, so nothing is added
		for _, x := range blocks {
			known = append(known, x.id)
		}
	}
	w := &mergeWriter{fresh: fresh, main: main, offers: offers}
	added := w.added(blocks, known)
	for _, x := range blocks {
		if !slices.Contains(known, x.id) {
			known = append(known, x.id)
		}
	}
	known = slices.DeleteFunc(known, func(id string) bool { // what the machine itself takes out may come back
		b := main[id]
		return b != nil && fresh[id] == nil && !b.edited()
	})
	for i, c := range chunks {
		switch {
		case c.block == nil:
			w.text(c.text)
		case c.id == "":
			line := list(known)
			if strings.TrimRight(c.marker, "\r\n") == strings.TrimRight(line, "\n") {
				line = c.marker
			}
			w.text(line)
			w.insert(added[""])
		default:
			w.block(c.block)
		}
		if c.block != nil && c.id != "" && w.lastOf(chunks, i, c.id) {
			w.insert(added[c.id])
		}
	}
	return w.out.Bytes(), nil
}

type mergeWriter struct {
	out    bytes.Buffer
	fresh  map[string]*block
	main   map[string]*block
	offers map[string][]*block
}

func (w *mergeWriter) text(s string) { w.out.WriteString(s) }

// machine writes a generated block on lines of its own: what stands before it may have no line end.
func (w *mergeWriter) machine(b *block) {
	if n := w.out.Len(); n > 0 && w.out.Bytes()[n-1] != '\n' {
		w.out.WriteByte('\n')
	}
	w.out.WriteString(b.String())
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
	if !b.edited() || taken {
		if next != nil {
			w.machine(next.generated(false))
		}
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
	w.machine(next.generated(true))
}

// added says after which block of the file each block that was never written before belongs; "" is the top.
func (w *mergeWriter) added(blocks []block, known []string) map[string][]*block {
	out := map[string][]*block{}
	after := ""
	for i := range blocks {
		b := &blocks[i]
		switch {
		case w.main[b.id] != nil:
			after = b.id
		case !slices.Contains(known, b.id):
			out[after] = append(out[after], b)
		}
	}
	return out
}

// insert writes blocks that the file never had before.
func (w *mergeWriter) insert(blocks []*block) {
	for _, b := range blocks {
		if n := w.out.Len(); n > 0 && w.out.Bytes()[n-1] != '\n' {
			w.out.WriteByte('\n')
		}
		w.out.WriteByte('\n')
		w.machine(b.generated(false))
	}
}

// lastOf says that no further chunk belongs to the block with that id.
func (w *mergeWriter) lastOf(chunks []chunk, i int, id string) bool {
	for _, c := range chunks[i+1:] {
		if c.block != nil && c.id == id {
			return false
		}
	}
	return true
}

// writeMarkdown merges the draft into the file, and keeps the version before as .bak. A person may save the file meanwhile: then
// it is merged again.
func (d *Draft) writeMarkdown(path string) error {
	for range 5 {
		old, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return replace(path, d.Markdown())
		}
		if err != nil {
			return fmt.Errorf("cannot read the draft that is there: %w", err)
		}
		merged, err := d.Merge(old)
		if err != nil {
			return err
		}
		if bytes.Equal(old, merged) {
			return nil
		}
		if err := replace(path+".bak", old); err != nil {
			return err
		}
		if now, err := os.ReadFile(path); err == nil && !bytes.Equal(now, old) {
			continue
		}
		return replace(path, merged)
	}
	return fmt.Errorf("%s keeps changing while it is being written; close it in the editor and render again", path)
}
