package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gameday/runner/chat"
	"gameday/runner/journal"
	"gameday/scenarios"
)

type chatFlags struct {
	file, format, roles, zone, channel string
	margin                             time.Duration
}

func (f *chatFlags) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "import", "", "take the messages of a chat from a `file` as notes; a Slack export may be its zip or directory, too; - is stdin")
	c.Flags().StringVar(&f.channel, "channel", "", "the `channel` of a Slack export that has several")
	c.Flags().StringVar(&f.format, "format", "", "the `format` of that file: "+strings.Join(chat.Formats, " or "))
	c.Flags().StringVar(&f.roles, "roles", "", "a `file` of lines name<tab>role: the roles of the people in the chat")
	c.Flags().StringVar(&f.zone, "zone", "UTC", "the time `zone` of times in the chat that have none, such as Europe/Berlin")
	c.Flags().DurationVar(&f.margin, "margin", aroundRun, "how long before and after the run messages count, too")
}

// importChat takes the messages of a chat as notes of a run.
func (a app) importChat(args []string, f noteFlags) error {
	o := chat.Options{Format: f.chat.format}
	if o.Format == "" {
		return fmt.Errorf("say which format the chat has: --format %s", strings.Join(chat.Formats, " or "))
	}
	known := false
	for _, name := range chat.Formats {
		known = known || name == o.Format
	}
	if !known {
		return fmt.Errorf("--format: there is no format %q. %s", clean(o.Format), scenarios.DidYouMean(o.Format, chat.Formats))
	}
	var err error
	if o.Zone, err = time.LoadLocation(f.chat.zone); err != nil {
		return fmt.Errorf("--zone: %q is no time zone that this machine knows; write one like Europe/Berlin or UTC", clean(f.chat.zone))
	}
	if f.chat.roles != "" {
		b, err := os.ReadFile(f.chat.roles)
		if err != nil {
			return fmt.Errorf("--roles: %w", err)
		}
		if o.Roles, err = chat.ReadRoles(b); err != nil {
			return fmt.Errorf("--roles: %s: %w", f.chat.roles, err)
		}
		for name, role := range o.Roles {
			if !validRole.MatchString(role) {
				return fmt.Errorf("--roles: %s: %q, which stands for %q, is no role: write up to 40 letters, digits, blanks, dots, dashes or underscores",
					f.chat.roles, clean(role), clean(name))
			}
		}
	}
	read, done, err := a.openChat(f.chat)
	if err != nil {
		return err
	}
	defer done()
	dir, err := currentRun(f.runs, args)
	if err != nil {
		return err
	}
	var rec *journal.Record
	var got chat.Result
	vents, going := 0, false
	said, err := journal.SayAll(dir, func(r *journal.Record) ([]journal.Said, error) {
		rec = r
		began, end := r.Events[0].Time, r.Events[len(r.Events)-1].Time
		if going, err = journal.Busy(dir); err == nil && going {
			end = time.Now()
		}
		o.Day, o.From, o.To = began, began.Add(-f.chat.margin), end.Add(f.chat.margin)
		if got, err = read(o); err != nil {
			if several := (*chat.ChannelsError)(nil); errors.As(err, &several) {
				return nil, fmt.Errorf("%s: %w; such as --channel %s", f.chat.file, err, journal.ShellWord(several.Channels[0].Name))
			}
			return nil, fmt.Errorf("%s: %w", f.chat.file, err)
		}
		have := map[string]string{} // of this format, by key
		var words []string
		for _, e := range r.People {
			n, ok := e.Payload.(*journal.Note)
			if !ok || n.From == "" {
				continue
			}
			text := withRole(e)
			words = append(words, text)
			if n.From == o.Format {
				have[n.Key] = text
			}
		}
		if o.Participants = chat.Participants(got, have, words); o.Participants > 0 {
			if got, err = read(o); err != nil {
				return nil, fmt.Errorf("%s: %w", f.chat.file, err)
			}
		}
		var out []journal.Said
		for _, m := range got.Messages {
			kind, text, ok := journal.SplitKind(m.Text)
			if kind == journal.Vent && ok {
				vents++
				continue
			}
			if _, ok := have[m.Key]; ok {
				continue
			}
			if len(m.Text) > longestNote {
				return nil, fmt.Errorf("%s: the message of %s at %s has %d bytes, and a note has %d at most; shorten it there", f.chat.file, m.Role, m.At.UTC().Format(time.RFC3339),
					len(m.Text), longestNote)
			}
			if !ok || text == "" { // in a chat it may be a word to somebody else, such as to a bot
				kind, text = journal.NoteObservation, m.Text
			}
			n := &journal.Note{Text: text, As: kind, About: m.At, From: o.Format, Key: m.Key}
			out = append(out, journal.Said{Actor: journal.Actor(m.Role), At: m.At, Payload: n})
		}
		return out, nil
	})
	if err != nil {
		return err
	}
	if f.asJSON {
		notes := []noteJSON{}
		for _, e := range said {
			notes = append(notes, newNoteJSON(rec, e))
		}
		return a.json(map[string]any{"notes": notes, "known": len(got.Messages) - vents - len(said), "outside": got.Outside,
			"skipped": got.Skipped, "vents": vents})
	}
	for _, e := range said {
		n := e.Payload.(*journal.Note)
		fmt.Fprintf(a.stdout, "%s %s (%s, %s): %s\n", e.ID(), n.About.Format("15:04:05Z"), e.Role(), n.As, oneLine(n.Text))
	}
	fmt.Fprintf(a.stderr, "%s imported into %s; %d imported before, %d of another time, %d that no person wrote.\n", plural(len(said), "message"), dir,
		len(got.Messages)-vents-len(said), got.Outside, got.Skipped)
	if o.Participants > 0 && slices.ContainsFunc(said, func(e journal.Event) bool {
		return chat.LastParticipant(withRole(e)) > o.Participants
	}) {
		fmt.Fprintf(a.stderr, "Its participants are numbered from %d on, because those before are of another chat; with --roles the same person has the same role in both.\n", o.Participants+1)
	}
	if vents > 0 {
		fmt.Fprintf(a.stderr, "%s with !%s left out: what is vented belongs into no run.\n", plural(vents, "message"), journal.Vent)
	}
	if len(said) > 0 && !going {
		a.draftLater(dir)
	}
	if len(said) == 0 && got.Outside > 0 && len(got.Messages) == 0 {
		return errors.New("no message is of the time of this run; is it the right run, and --zone the chat's time zone?")
	}
	return nil
}

// withRole is a note's text after the role of who wrote it.
func withRole(note journal.Event) string {
	return note.Role() + " " + note.Payload.(*journal.Note).Text
}

// openChat is how the chat is to be read, and what is to be done after that.
func (a app) openChat(f chatFlags) (read func(chat.Options) (chat.Result, error), done func(), err error) {
	done = func() {}
	if export, within, err := chat.FindExport(f.file); f.format == chat.Slack && (export != nil || err != nil) {
		if err != nil {
			return nil, nil, fmt.Errorf("--import: %w", err)
		}
		if f.channel != "" {
			within = f.channel
		}
		return func(o chat.Options) (chat.Result, error) { return chat.ReadExport(export, within, o) }, func() { export.Close() }, nil
	}
	if f.channel != "" {
		return nil, nil, fmt.Errorf("--channel: %s is no Slack export with channels, but one file of messages; leave --channel out", f.file)
	}
	b, err := a.chatFile(f.file)
	return func(o chat.Options) (chat.Result, error) { return chat.Read(b, o) }, done, err
}

// largestChat bounds what is read of a chat, in bytes.
const largestChat = 64 << 20

func (a app) chatFile(path string) ([]byte, error) {
	var in io.Reader = a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--import: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, largestChat+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--import: %w", err)
	case len(b) > largestChat:
		return nil, fmt.Errorf("--import: %s is larger than %d MiB; export the day of the run alone", path, largestChat>>20)
	}
	return b, nil
}
