package inject

import (
	"errors"
	"fmt"
	"strings"
)

// splitCommand takes a command line apart as a shell would, as far as that needs no shell: words are parted by blanks, and kept
// together by '…', "…" and \. What only a shell could make sense of is an error.
func splitCommand(line string) ([]string, error) {
	const (
		blanks  = " \t"
		special = "$`*?[]|&;<>(){}\n\r"
	)
	needs := func(c byte) error {
		return fmt.Errorf("%q needs a shell: write [\"sh\", \"-c\", \"…\"] if the image has one, or put it in single quotes", string(c))
	}
	var words []string
	var word []byte
	in := false // a word, which may be empty: ''
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case strings.IndexByte(blanks, c) >= 0:
			if in {
				words, word, in = append(words, string(word)), nil, false
			}
			continue
		case c == '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("a ' has no end")
			}
			word = append(word, line[i+1:i+1+end]...)
			i += end + 1
		case c == '"':
			closed := false
			for i++; i < len(line) && !closed; i++ {
				switch c := line[i]; {
				case c == '"':
					closed = true
				case c == '$' || c == '`':
					return nil, needs(c)
				case c == '\\' && i+1 < len(line) && strings.IndexByte("\"\\$`", line[i+1]) >= 0:
					i++
					word = append(word, line[i])
				default:
					word = append(word, c)
				}
			}
			if !closed {
				return nil, errors.New("a \" has no end")
			}
			i--
		case c == '\\':
			if i++; i == len(line) || line[i] == '\n' {
				return nil, errors.New("a \\ stands at the end of the line")
			}
			word = append(word, line[i])
		case strings.IndexByte(special, c) >= 0, !in && (c == '#' || c == '~'):
			return nil, needs(c)
		default:
			word = append(word, c)
		}
		in = true
	}
	if in {
		words = append(words, string(word))
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("it names no program")
	}
	if name, _, ok := strings.Cut(words[0], "="); ok && !strings.Contains(name, "/") {
		return nil, fmt.Errorf("%s would set a variable in a shell: write [\"sh\", \"-c\", \"…\"] if the image has one", words[0])
	}
	return words, nil
}

// joinCommand is a command as a person can copy it into a shell.
func joinCommand(args []string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_"
	var b strings.Builder
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if arg != "" && strings.Trim(arg, plain) == "" {
			b.WriteString(arg)
			continue
		}
		b.WriteString("'" + strings.ReplaceAll(arg, "'", `'\''`) + "'")
	}
	return b.String()
}

// commandArg reads an argument that is a command: a line, or a list of the program and its arguments.
func commandArg(f Fault, name string) ([]string, error) {
	switch v := f.Args[name].(type) {
	case nil:
		return nil, fmt.Errorf("fault %q: %s is missing: write the command, such as \"touch /tmp/busy\"", f.Name, name)
	case string:
		args, err := splitCommand(v)
		if err != nil {
			return nil, fmt.Errorf("fault %q: %s = %q: %w", f.Name, name, v, err)
		}
		return args, nil
	case []string:
		if len(v) == 0 || v[0] == "" {
			return nil, fmt.Errorf("fault %q: %s names no program: write it first in the list", f.Name, name)
		}
		return v, nil
	}
	return nil, fmt.Errorf("fault %q: %s must be a command, such as \"touch /tmp/busy\" or [\"touch\", \"/tmp/busy\"]", f.Name, name)
}
