package scenarios

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// command reads what is run in a container: a command line, or a list of the program and its arguments.
func (b *block) command(name string) (any, bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return nil, false
	}
	switch t := v.Type(); {
	case t == cty.String:
		line, ok := b.str(name)
		if !ok {
			return nil, false
		}
		if strings.ContainsRune(line, 0) {
			b.failNull(name)
			return nil, false
		}
		if problem := lineProblem(line); problem != "" {
			b.failAt(name, "Invalid command", fmt.Sprintf("%q: %s", name, problem))
			return nil, false
		}
		return line, true
	case !t.IsTupleType() && !t.IsListType():
		b.failType(name, `a command such as "rm /tmp/ready", or a list such as ["rm", "/tmp/ready"]`, v)
		return nil, false
	}
	var words []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			b.failAt(name, "Wrong type", fmt.Sprintf("%q is a list of strings: the program, then its arguments.", name))
			return nil, false
		}
		if strings.ContainsRune(e.AsString(), 0) {
			b.failNull(name)
			return nil, false
		}
		words = append(words, e.AsString())
	}
	if len(words) == 0 || words[0] == "" {
		b.failAt(name, "Empty command", fmt.Sprintf("%q names no program. Write it first in the list.", name))
		return nil, false
	}
	return words, true
}

// lineProblem says why a command line cannot be taken apart without a shell, or "": an image need not have one. Words are parted
// by blanks, and kept together by '…', "…" and \.
func lineProblem(line string) string {
	const special = "$`*?[]|&;<>(){}\n\r"
	shell := func(c byte) string {
		return fmt.Sprintf(`%q needs a shell, and none is involved. Write ["sh", "-c", "…"] if the image has one, or put it in single quotes.`, string(c))
	}
	word, first := "", true // the word so far, and whether it is the first
	var program string
	started := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == ' ' || c == '\t':
			if started && first {
				program, first = word, false
			}
			word, started = "", false
			continue
		case c == '\'' || c == '"':
			end := closing(line, i)
			if end < 0 {
				return fmt.Sprintf("a %c has no end. Close it.", c)
			}
			inside := line[i+1 : end]
			if at := strings.IndexAny(unescaped(inside), "$`"); c == '"' && at >= 0 {
				return shell(unescaped(inside)[at])
			}
			word += inside
			i = end
		case c == '\\':
			if i++; i == len(line) || line[i] == '\n' {
				return `a \ stands at the end of the line. Leave it out.`
			}
			word += line[i : i+1]
		case strings.IndexByte(special, c) >= 0, !started && (c == '#' || c == '~'):
			return shell(c)
		default:
			word += line[i : i+1]
		}
		started = true
	}
	if first {
		program = word
	}
	if program == "" {
		return "it names no program. Write it first."
	}
	if name, _, ok := strings.Cut(program, "="); ok && !strings.Contains(name, "/") {
		return fmt.Sprintf(`%q would set a variable in a shell, and none is involved. Write ["sh", "-c", "…"] if the image has one.`, clipped(program))
	}
	return ""
}

// closing is where the quotes that begin at i end, or -1.
func closing(line string, i int) int {
	for j := i + 1; j < len(line); j++ {
		switch {
		case line[j] == line[i]:
			return j
		case line[i] == '"' && line[j] == '\\':
			j++
		}
	}
	return -1
}

// unescaped is a text with a blank for every character behind a \.
func unescaped(s string) string {
	out := []byte(s)
	for i := 0; i+1 < len(out); i++ {
		if out[i] == '\\' {
			out[i+1] = ' '
			i++
		}
	}
	return string(out)
}
