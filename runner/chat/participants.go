package chat

import (
	"regexp"
	"strconv"
)

var participant = regexp.MustCompile(`\bparticipant-(\d+)\b`)

// Participants is for Options.Participants: with it a chat that was read is told apart from those of which something was imported before, and
// is numbered as before if it is one of them. imported has the roles of their messages by Key, words are all the roles and texts.
func Participants(read Result, imported map[string]string, words []string) int {
	again := false
	for _, m := range read.Messages {
		before, ok := imported[m.Key]
		if !ok {
			continue
		}
		again = true
		if was, is := number(before), number(m.Role); was >= is && is > 0 {
			return was - is
		}
	}
	if again {
		return 0
	}
	most := 0
	for _, w := range words {
		for _, m := range participant.FindAllStringSubmatch(w, -1) {
			n, _ := strconv.Atoi(m[1])
			most = max(most, n)
		}
	}
	return most
}

// number is that of a participant, or 0 for another role.
func number(role string) int {
	m := participant.FindStringSubmatch(role)
	if m == nil || m[0] != role {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}
