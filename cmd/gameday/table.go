package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gameday/runner/journal"
)

// A table is printed in columns.
type table struct {
	head []string
	rows [][]string
}

func (t table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = oneLine(c)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return w.Flush()
}

// limitWords is a length of time that is known within limits.
func limitWords(least, most journal.Duration) string {
	round := func(d journal.Duration) time.Duration { return time.Duration(d).Round(time.Millisecond) }
	switch {
	case least == most:
		return round(most).String()
	case least <= 0:
		return "at most " + round(most).String()
	}
	return fmt.Sprintf("%s to %s", round(least), round(most))
}
