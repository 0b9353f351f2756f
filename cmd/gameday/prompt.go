package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gameday/runner"
	"gameday/runner/journal"
)

// A prompt takes what is typed while a run goes on: n notes something, c confirms a step.
type prompt struct {
	role string // "" where none was given
	// note and confirm save what was typed, and say in a line what became of it. What is not saved can be typed on.
	note    func(text string) (said string, saved bool)
	confirm func(step string) string
	told    []string // lines to be shown

	asking asking
	text   []rune
	step   string
	who    string // whom that step is for; "" for anybody
	rest   []byte // of a character that has not come whole
}

type asking int

const (
	askNothing asking = iota
	askNote
	askConfirm
)

// keys are what can be typed now, for the head of the block.
func (p *prompt) keys(s runner.Status) string {
	if p == nil {
		return ""
	}
	if waiting(s).Name != "" {
		return "; n: note, c: confirm"
	}
	return "; n: note"
}

// waiting is the step that waits for the longest time; its name is "" where none does.
func waiting(s runner.Status) runner.StepStatus {
	for _, st := range s.Steps {
		if st.State == runner.StepWaiting {
			return st
		}
	}
	return runner.StepStatus{}
}

// lines are what stands under the block.
func (p *prompt) lines(width int) []string {
	switch {
	case p == nil:
		return nil
	case p.asking == askConfirm:
		return []string{fmt.Sprintf("confirm manual.%s as %s? (Enter confirms, Esc leaves)", oneLine(p.step), oneLine(cmp.Or(p.role, p.who, anyRole)))}
	case p.asking == askNote:
		head := "note as " + cmp.Or(p.role, anyRole) + ": "
		text := string(p.text) + "_"
		if room := max(width-1-utf8.RuneCountInString(head), 8); utf8.RuneCountInString(text) > room {
			text = "…" + string([]rune(text)[len(p.text)+1-(room-1):])
		}
		return []string{head + text, "  (Enter saves, Esc leaves; begin with !" + journal.Vent + " to keep it to yourself, or with", "  !" + strings.Join(journal.NoteKinds, " !") + ")"}
	}
	return nil
}

// take takes what was typed. It says whether anything has changed that is shown.
func (p *prompt) take(b []byte, s runner.Status) bool {
	b = append(p.rest, b...)
	p.rest = nil
	changed := false
	for len(b) > 0 {
		if b[0] == escape && len(b) > 1 && (b[1] == '[' || b[1] == 'O') {
			b = b[sequence(b):] // an arrow, or the like
			continue
		}
		if !utf8.FullRune(b) {
			p.rest = append([]byte(nil), b...)
			return changed
		}
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		changed = p.key(r, s) || changed
	}
	return changed
}

const escape = 0x1b

// sequence is how long the escape sequence is that b begins with.
func sequence(b []byte) int {
	for i := 2; i < len(b); i++ {
		if b[i] >= 0x40 && b[i] <= 0x7e {
			return i + 1
		}
	}
	return len(b)
}

func (p *prompt) key(r rune, s runner.Status) bool {
	switch {
	case p.asking == askNothing && (r == 'n' || r == 'N'):
		p.asking, p.text = askNote, nil
	case p.asking == askNothing && (r == 'c' || r == 'C') && waiting(s).Name != "":
		p.asking, p.step, p.who = askConfirm, waiting(s).Name, waiting(s).Who
	case p.asking == askNothing:
		return false
	case r == escape:
		p.asking = askNothing
	case r == '\r' || r == '\n':
		was := p.asking
		p.asking = askNothing
		if was == askConfirm {
			p.told = append(p.told, p.confirm(p.step))
		} else if text := strings.TrimSpace(string(p.text)); text != "" {
			said, saved := p.note(text)
			p.told = append(p.told, said)
			if !saved {
				p.asking = askNote
			}
		}
	case p.asking == askConfirm:
		return false
	case r == 0x7f || r == '\b':
		p.text = p.text[:max(len(p.text)-1, 0)]
	case r == 0x15: // Ctrl-U
		p.text = nil
	case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
		return false
	case len(p.text) < longestTyped:
		p.text = append(p.text, r)
	}
	return true
}

// longestTyped bounds what can be typed, in characters.
const longestTyped = 2000

// prompt is that of a run, for this terminal.
func (a app) prompt(dir string) *prompt {
	role, err := speaker{}.given()
	if err != nil {
		role = ""
	}
	failed := func(err error) string { return "not saved: " + oneLine(err.Error()) }
	return &prompt{role: role,
		note: func(text string) (string, bool) {
			n := &journal.Note{About: time.Now().UTC().Round(0)}
			var err error
			if n.As, n.Text, err = spokenKind(text); err != nil {
				return failed(err), false
			}
			if n.As == journal.Vent {
				path, err := keepToYourself(n.Text)
				if err != nil {
					return failed(err), false
				}
				return "kept to yourself, in " + oneLine(path), true
			}
			said, err := journal.Say(dir, journal.Actor(cmp.Or(role, anyRole)), n)
			if err != nil {
				return failed(err), false
			}
			return fmt.Sprintf("%s (%s, %s): %s", said[0].ID(), said[0].Role(), n.As, oneLine(n.Text)), true
		},
		confirm: func(step string) string {
			e, err := confirmStep(dir, step, role, "")
			if err != nil {
				return failed(err)
			}
			return fmt.Sprintf("%s: %s confirms step %s", e.ID(), e.Role(), step)
		}}
}
