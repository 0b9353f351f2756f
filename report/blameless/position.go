package blameless

import (
	"sort"
	"unicode/utf8"
)

// lines turns byte offsets of a source into lines and columns.
type lines struct {
	src    []byte
	starts []int
}

func newLines(src []byte) lines {
	l := lines{src: src, starts: []int{0}}
	for i, c := range src {
		if c == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// position returns the line and the column, in characters, both from 1.
func (l lines) position(offset int) (line, column int) {
	line = sort.SearchInts(l.starts, offset+1)
	return line, utf8.RuneCount(l.src[l.starts[line-1]:offset]) + 1
}
