package report

import "strings"

// written is people's side of report.md: what they wrote, by the block that it belongs to, and what they made of the blocks.
type written struct {
	words   map[string]string // what stands beneath the block with that id, an offer that they edited included; before all blocks: ""
	edited  map[string]string // their version of a block
	deleted map[string]bool   // blocks that they took out
	kept    []kept            // blocks that the draft no longer has and that stay for what people wrote
}

// A kept block stands after another one, which the draft still has; "": before all of them.
type kept struct {
	id, after, body string
	edited          bool // people made it what it is; otherwise it is a question that they answered
}

// readWritten reads people's side of a report.md that has been merged with the draft's sections.
func readWritten(content string, sections []Section) (*written, error) {
	chunks, _, _, err := parse(content)
	if err != nil {
		return nil, err
	}
	w := &written{words: wordsOf(chunks), edited: map[string]string{}, deleted: map[string]bool{}}
	w.words[""] = strings.TrimPrefix(w.words[""], byteOrderMark)
	fresh, there := map[string]bool{}, map[string]bool{}
	for _, s := range sections {
		fresh[s.ID] = true
	}
	main, after := mainOf(chunks), ""
	for _, c := range chunks {
		if c.block == nil || c.id == "" {
			continue
		}
		switch there[c.id] = true; {
		case c.block != main[c.id]:
			if c.block.edited() {
				w.words[c.id] += "\n" + c.body
			}
		case !fresh[c.id]:
			w.kept = append(w.kept, kept{c.id, after, c.body, c.block.edited()})
		default:
			if after = c.id; c.block.edited() {
				w.edited[c.id] = c.body
			}
		}
	}
	for _, s := range sections {
		w.deleted[s.ID] = !there[s.ID]
	}
	return w, nil
}
