package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gameday/runner/journal"
)

type noteFlags struct {
	speaker
	kind, at, on string
	runs         string
	vent, vents  bool
	asJSON       bool
	chat         chatFlags
}

func (a app) noteCommand() *cobra.Command {
	var f noteFlags
	c := &cobra.Command{
		Use:   `note [RUN] "TEXT"`,
		Short: "Note what you see, do or wonder about, during a run or afterwards",
		Long: `Note what you see, do or wonder about, from any terminal on the machine of the run: it goes into the run's record, verbatim, with your role
and the time, and stands in the timeline of the draft. Without RUN it is for the run in progress, or else for the latest one. A text of "-" is
read from stdin. A text that begins with "!" and the beginning of a kind, such as "!surprise the queue is empty", has that kind; one that begins
with "!vent" goes where --vent puts it, and any other word after a "!" is refused.

--at says when it was, if not now: how long ago (-90s), a time of day in UTC (14:03:05), T+12s, or RFC 3339, up to five minutes before or
after the run. --on keys it to a piece of evidence of
the draft, such as E17, and it stands right under that. An action that takes back an earlier one is best noted --on that one, such as N3.

--import takes the messages of a chat as notes: those from the time of the run and --margin around it. Each name becomes the role that --roles
has for it, a file of lines "name<tab>role", or else participant-1, participant-2 and so on, in the order in which they appear in the file, after
those of other chats that were imported; also where a name is mentioned in a text. Names never reach the run. What was imported already is not
imported again, and a message that begins with "!vent" is left out. The formats are slack, a Slack export, and text, lines of "time nick text",
where times without a date are of the day of the run, in --zone. Of a Slack export FILE is the zip as Slack gives it out, its directory, that of
one channel or one file of messages in it; its users.json tells the names. Of a whole export with several channels say which one, with --channel.

--vent is for what has to be said and is nobody's business: it is kept in your own state directory, and reaches no run and no report. --vents
prints what is there.`,
		Args:              func(c *cobra.Command, args []string) error { return f.check(c, args) },
		ValidArgsFunction: completeRuns(&f.runs),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case f.vents:
				return a.vents(f.asJSON)
			case f.vent:
				return a.vent(args[0])
			case f.chat.file != "":
				return a.importChat(args, f)
			}
			return a.note(args, f)
		},
	}
	f.speaker.flag(c)
	c.Flags().StringVar(&f.kind, "kind", "", "what `kind` of note it is: action, observation (default), expectation, assumption, decision, question or surprise")
	c.Flags().StringVar(&f.at, "at", "", "when it was, if not now: a `time`, such as -90s or 14:03:05")
	c.Flags().StringVar(&f.on, "on", "", "the `evidence` that it is about, such as E17")
	c.Flags().StringVar(&f.runs, "runs", "runs", "look for run directories in this `directory`")
	f.chat.flags(c)
	c.Flags().BoolVar(&f.vent, "vent", false, "keep it to yourself: in no run, in no report")
	c.Flags().BoolVar(&f.vents, "vents", false, "print what you have kept to yourself")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return c
}

// check says what is missing or too much in a command line.
func (f *noteFlags) check(c *cobra.Command, args []string) error {
	only := func(what string, others ...string) error {
		for _, o := range others {
			if c.Flags().Changed(o) {
				return see(c, fmt.Sprintf("--%s does not go with %s", o, what))
			}
		}
		return nil
	}
	switch {
	case f.vents:
		if len(args) > 0 {
			return see(c, "--vents takes no text")
		}
		return only("--vents", "vent", "kind", "role", "at", "on", "import", "format", "roles", "zone", "margin", "channel")
	case f.vent:
		if len(args) != 1 {
			return see(c, "write what is to be kept to yourself in quotes, as one text")
		}
		return only("--vent", "kind", "role", "at", "on", "import", "format", "roles", "zone", "margin", "channel")
	case f.chat.file != "":
		if len(args) > 1 {
			return see(c, "name one run at most")
		}
		return only("--import", "kind", "role", "at", "on")
	case len(args) == 0:
		return see(c, `write what to note in quotes: gameday note "the queue is empty"`)
	case len(args) > 2:
		return see(c, fmt.Sprintf("there are %d texts; put what you note in quotes, as one", len(args)))
	}
	return only("a note of your own", "format", "roles", "zone", "margin", "channel")
}

// A noteJSON is a note as --json prints it.
type noteJSON struct {
	Run  string    `json:"run"`
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	Role string    `json:"role"`
	*journal.Note
}

func newNoteJSON(rec *journal.Record, e journal.Event) noteJSON {
	return noteJSON{rec.Started().Run, e.ID(), e.Time, e.Role(), e.Payload.(*journal.Note)}
}

func (a app) note(args []string, f noteFlags) error {
	role, err := f.given()
	if err != nil {
		return err
	}
	if role == "" {
		role = anyRole
	}
	text, err := a.spokenText(args[len(args)-1])
	if err != nil {
		return err
	}
	kind, text, err := spokenKind(text)
	if err != nil {
		return err
	}
	if kind == journal.Vent {
		return a.keepVent(text)
	}
	if f.kind != "" {
		if kind, err = noteKind(f.kind); err != nil {
			return err
		}
	}
	dir, err := currentRun(f.runs, args[:len(args)-1])
	if err != nil {
		return err
	}
	rec, err := journal.ReadEvents(dir)
	if err != nil {
		return err
	}
	going, err := journal.Busy(dir)
	if err != nil {
		return err
	}
	n := &journal.Note{Text: text, As: kind, On: f.on}
	if n.About, err = spokenTime(rec, going, f.at, time.Now()); err != nil {
		return err
	}
	if f.on != "" {
		at, err := evidenceTime(rec, f.on)
		if err != nil {
			return err
		}
		// An action upon another one, such as taking it back, has a time of its own.
		on, _ := rec.Event(f.on)
		if f.at == "" && !at.IsZero() && !(kind == journal.NoteAction && on.People) {
			n.About = at
		}
	}
	said, err := journal.Say(dir, journal.Actor(role), n)
	if err != nil {
		return err
	}
	if f.asJSON {
		return a.json(newNoteJSON(rec, said[0]))
	}
	fmt.Fprintf(a.stdout, "%s %s (%s, %s): %s\n", said[0].ID(), n.About.Format("15:04:05Z"), role, kind, oneLine(text))
	if !going {
		a.draftLater(dir)
	}
	return nil
}

// draftLater says how what people said after a run comes into its draft.
func (a app) draftLater(dir string) {
	fmt.Fprintf(a.stderr, "To have it in the draft: gameday report %s\n", journal.ShellWord(dir))
}
