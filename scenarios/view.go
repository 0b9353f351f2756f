package scenarios

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// WriteDiagnostics writes diagnostics for people: severity and summary, the place with the blocks around it, the line with the
// mistake underlined, and the detail wrapped to width columns (0: 80). The underline needs no colour; color adds it.
func WriteDiagnostics(w io.Writer, ds Diagnostics, color bool, width int) {
	if width <= 0 {
		width = 80
	}
	width = max(width, 20)
	out := bufio.NewWriter(w)
	defer out.Flush()
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	for i, d := range ds {
		if i > 0 {
			fmt.Fprintln(out)
		}
		head, code := "Error", "1;31"
		if d.Severity == SeverityWarning {
			head, code = "Warning", "1;33"
		}
		fmt.Fprintf(out, "%s %s\n", paint(code, head+":"), paint("1", printable(d.Summary)))
		if d.File != "" {
			place := "  on " + printable(d.File)
			if d.Line > 0 {
				place += fmt.Sprintf(" line %d", d.Line)
			}
			if d.Block != "" {
				place += ", in " + printable(d.Block)
			}
			fmt.Fprintln(out, place)
		}
		if d.Snippet != "" {
			number := fmt.Sprintf("  %4d | ", d.Line)
			gutter := strings.Repeat(" ", len(number)-2) + "| "
			text, from, to := clip(d, width-len(number))
			fmt.Fprintf(out, "%s%s\n", number, text)
			before, marked := columns(text, from), columns(text, to)
			fmt.Fprintf(out, "%s%s%s\n", gutter, strings.Repeat(" ", before), paint(code, strings.Repeat("^", marked-before)))
		}
		if d.Detail != "" {
			fmt.Fprintln(out)
			for _, paragraph := range strings.Split(d.Detail, "\n") {
				for _, line := range wrap(printable(paragraph), width-2) {
					fmt.Fprintln(out, strings.TrimRight("  "+line, " "))
				}
			}
		}
	}
}

// clip returns the part of a diagnostic's line that fits into width, and where in it the mistake begins and ends.
func clip(d Diagnostic, width int) (text string, from, to int) {
	width = max(width, 10)
	runes := []rune(printable(d.Snippet))
	from = min(max(d.Column-1, 0), len(runes))
	to = len(runes)
	if d.EndLine == d.Line {
		to = min(d.EndColumn-1, len(runes))
	}
	if to <= from {
		to = from + 1
	}
	start := 0
	if len(runes) > width {
		if from > width/2 {
			start = min(from-width/3, len(runes)-width)
		}
		start = max(start, 0)
		runes = runes[start:min(start+width, len(runes))]
	}
	from -= start
	to = max(min(to-start, max(len(runes), from+1)), from+1)
	return strings.TrimRight(string(runes), " "), from, to
}

// columns is how many columns of a terminal the first n characters of a text take. Behind its end every one takes one.
func columns(text string, n int) int {
	width := n
	for i, r := range []rune(text) {
		if i < n && unicode.Is(wide, r) {
			width++
		}
	}
	return width
}

// wide are the characters that take two columns: those of East Asia, and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

// printable replaces what would move a terminal's cursor or change its state. Tabs become one blank, so that columns stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == '\n':
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

// wrap breaks a paragraph into lines of at most width columns. Lines that begin with blanks are kept as they are.
func wrap(s string, width int) []string {
	if strings.HasPrefix(s, " ") {
		return []string{s}
	}
	var lines []string
	line, length := "", 0
	for _, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > width {
			lines = append(lines, line)
			line, length = "", 0
		}
		if length > 0 {
			line += " "
			length++
		}
		line += word
		length += n
	}
	return append(lines, line)
}
