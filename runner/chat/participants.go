package chat

import (
	"regexp"
	"strconv"
)

var participant = regexp.MustCompile(`\bparticipant-(\d{1,5})\b`)

// Participants is for Options.Participants: with it a chat that was read gets the numbers that it had, if something of it was imported before,
// or else such that nobody else has. imported has the role and the text of each message of the same format that was, by its Key; words has
// them of all formats.
func Participants(read Result, imported map[string]string, words []string) int {
	for _, m := range read.Messages {
		before, is := numbers(imported[m.Key]), numbers(m.Role+" "+m.Text)
		if len(is) > 0 && len(before) == len(is) && before[0] >= is[0] {
			return before[0] - is[0]
		}
	}
	most := 0
	for _, w := range words {
		most = max(most, LastParticipant(w))
	}
	return most
}

// LastParticipant is the highest number of a participant that a text names; 0: it names none.
func LastParticipant(text string) int {
	most := 0
	for _, n := range numbers(text) {
		most = max(most, n)
	}
	return most
}

// numbers are those of the participants that a text names, in their order.
func numbers(text string) (out []int) {
	for _, m := range participant.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			out = append(out, n)
		}
	}
	return out
}
