// Package chat reads what people wrote in a chat while a run was going on, and puts roles in place of their names.
//
// What it returns holds none of the names that it knows: those of who wrote, those that the chat's own profiles tell, those of the
// list of roles, and those that are mentioned with an @.
package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Formats are the formats of chats that Read knows.
var Formats = []string{Slack, "text"}

// Slack is the format of Slack's exports.
const Slack = "slack"

// A Message is one message, with a role in place of a name.
type Message struct {
	At   time.Time
	Role string
	Text string
	Key  string // tells it from the others of the chat: the same message, read again, has the same
}

// Options says how a chat is to be read.
type Options struct {
	Format   string         // one of Formats
	Roles    Roles          // the roles of people by their names
	Day      time.Time      // near which times without a date are, such as the start of the run
	Zone     *time.Location // of times without one; nil: UTC
	From, To time.Time      // only what was written between these; zero: all

	Participants int // so many have a number from other chats already
}

// A raw message is one as it stands in the chat.
type raw struct {
	at   time.Time
	who  *person
	text string
}

// A Result is what a chat holds.
type Result struct {
	Messages []Message // in order of time
	Outside  int       // messages of another time
	Skipped  int       // entries that no person wrote: somebody joined, a bot
}

// Read reads a chat. The roles participant-1, participant-2 and so on are given out over the whole of it, so that a longer export of the same chat
// gives the same person the same one; see Participants for other chats.
func Read(b []byte, o Options) (Result, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	all := newPeople(o)
	var skipped int
	var messages []raw
	var err error
	switch o.Format {
	case Slack:
		messages, skipped, err = readSlack(b, all)
	case "text":
		messages, err = readText(b, o, all)
	default:
		err = fmt.Errorf("there is no format %q; the formats are %s", o.Format, strings.Join(Formats, " and "))
	}
	if err != nil {
		return Result{Skipped: skipped}, err
	}
	return o.told(messages, skipped, all), nil
}

// told is what was written at the time that is asked for, without names.
func (o Options) told(messages []raw, skipped int, all *people) Result {
	res := Result{Skipped: skipped}
	for _, m := range messages {
		all.mentions(m.text)
	}
	names := all.matcher()
	seen := map[string]int{}
	for _, m := range messages {
		masked := names.replace(m.text, func(*person) string { return "" })
		key := keyOf(m.at, masked)
		seen[key]++
		if n := seen[key]; n > 1 {
			key = fmt.Sprintf("%s-%d", key, n)
		}
		role := m.who.called()
		text := strings.TrimSpace(names.replace(m.text, (*person).called))
		if !o.within(m.at) {
			res.Outside++
			continue
		}
		if text == "" {
			res.Skipped++
			continue
		}
		res.Messages = append(res.Messages, Message{At: m.at, Role: role, Text: text, Key: key})
	}
	slices.SortStableFunc(res.Messages, func(a, b Message) int { return a.At.Compare(b.At) })
	return res
}

func (o Options) within(at time.Time) bool {
	return (o.From.IsZero() || !at.Before(o.From)) && (o.To.IsZero() || !at.After(o.To))
}

// keyOf has nothing of a name in it, so that no name can be guessed from it.
func keyOf(at time.Time, masked string) string {
	h := sha256.Sum256([]byte(at.UTC().Format(time.RFC3339Nano) + "\n" + masked))
	return hex.EncodeToString(h[:6])
}
