package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/scenarios"
)

// roleVariable gives the role of whoever types, so that it need not be typed each time.
const roleVariable = "GAMEDAY_ROLE"

// anyRole is who speaks without having said in which role.
const anyRole = "participant"

// A speaker is the flag that says in which role somebody speaks.
type speaker struct{ role string }

func (s *speaker) flag(c *cobra.Command) {
	c.Flags().StringVar(&s.role, "role", "", "the `role` that says so, not a name (default: $"+roleVariable+")")
}

var validRole = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,39}$`)

// given is the role, or "" where none was given.
func (s speaker) given() (string, error) {
	role := strings.TrimSpace(s.role)
	if role == "" {
		role = strings.TrimSpace(os.Getenv(roleVariable))
	}
	if role != "" && !validRole.MatchString(role) {
		return "", fmt.Errorf("%q is no role: write up to 40 letters, digits, blanks, dots, dashes or underscores, such as sre or on-call", clean(role))
	}
	return role, nil
}

// namedRun is the run directory that is named, else the latest.
func namedRun(runs string, args []string) (string, error) {
	if len(args) > 0 {
		return journal.Find(runs, args[0])
	}
	return journal.Find(runs, "latest")
}

// currentRun is the run directory that is named, else that of the run in progress, else the latest.
func currentRun(runs string, args []string) (string, error) {
	if len(args) == 0 {
		if dir, err := journal.Current(runs); err != nil || dir != "" {
			return dir, err
		}
	}
	return namedRun(runs, args)
}

// runInProgress is the run directory that is named, or "" for that of the run in progress; "" is returned where there is none.
func runInProgress(runs, name string) (string, error) {
	if name != "" {
		return journal.Find(runs, name)
	}
	return journal.Current(runs)
}

// longestNote bounds what can be said at once, in bytes.
const longestNote = 20 << 10

// spokenText is what somebody says: the words given, or stdin for "-".
func (a app) spokenText(words string) (string, error) {
	if words == "-" {
		b, err := io.ReadAll(io.LimitReader(a.stdin, longestNote+1))
		if err != nil {
			return "", fmt.Errorf("cannot read what to note: %w", err)
		}
		words = string(b)
	}
	words = strings.TrimSpace(words)
	switch {
	case words == "":
		return "", errors.New(`there is nothing to note; write it in quotes: gameday note "the queue is empty"`)
	case len(words) > longestNote:
		return "", fmt.Errorf("this is longer than %d bytes; note what matters, and keep the rest elsewhere", longestNote)
	case !utf8.ValidString(words):
		return "", errors.New("this is no text: it is not UTF-8")
	}
	return words, nil
}

// aroundRun is how long before and after a run what people say still belongs to it.
const aroundRun = 5 * time.Minute

// spokenTime is the time that is meant: an offset counts back from now, everything else is read as `gameday query` does. It has to lie in the run,
// or not further than aroundRun from it.
func spokenTime(rec *journal.Record, going bool, text string, now time.Time) (time.Time, error) {
	m := runner.MomentsOf(rec)
	at := now
	if text != "" {
		var err error
		if d, derr := time.ParseDuration(strings.ReplaceAll(text, "−", "-")); derr == nil && strings.ContainsAny(text, "-−+") {
			at = now.Add(d)
		} else if at, err = m.Parse(text); err != nil {
			return at, fmt.Errorf("--at: %w; or how long ago it was, such as -90s", err)
		}
	}
	at = at.UTC().Round(0)
	began, end := rec.Events[0].Time, now
	if !going {
		for _, e := range rec.Events {
			if e.Time.After(m.Start) {
				end = e.Time
			}
		}
	}
	switch {
	case text == "":
	case at.After(now):
		return at, fmt.Errorf("--at: %s is in the future; a time of day is one in UTC, where it is %s now", at.Format(time.RFC3339), now.UTC().Format(time.TimeOnly))
	case at.Before(began.Add(-aroundRun)):
		return at, fmt.Errorf("--at: %s is %s before the run, which began at %s; a time of day is one in UTC, and a note may lie up to %.0f minutes before the run",
			at.Format(time.RFC3339), began.Sub(at).Round(time.Second), began.Format(time.RFC3339), aroundRun.Minutes())
	case at.After(end.Add(aroundRun)):
		return at, fmt.Errorf("--at: %s is %s after the run, which ended at %s; a time of day is one in UTC, and a note may lie up to %.0f minutes after the run; what is noted without --at is of now",
			at.Format(time.RFC3339), at.Sub(end).Round(time.Second), end.Format(time.RFC3339), aroundRun.Minutes())
	}
	return at, nil
}

// evidenceTime is when the evidence was that a note is keyed to; zero for a query, which has no time of its own.
func evidenceTime(rec *journal.Record, id string) (time.Time, error) {
	if e, ok := rec.Event(id); ok {
		return e.Time, nil
	}
	d := rec.Declared()
	for _, h := range d.Hypotheses {
		if h.QueryID == id {
			return time.Time{}, nil
		}
	}
	for _, g := range d.Guardrails {
		if g.QueryID == id {
			return time.Time{}, nil
		}
	}
	return time.Time{}, fmt.Errorf("--on: there is no evidence %s in this run; it has E1 to E%d so far: `gameday report` lists them at the end of the draft",
		clean(id), rec.Events[len(rec.Events)-1].Seq)
}

// spokenKind takes the kind off what somebody says; it may be journal.Vent.
func spokenKind(text string) (kind, rest string, err error) {
	kind, rest, ok := journal.SplitKind(text)
	kinds := append(slices.Clone(journal.NoteKinds), journal.Vent)
	switch {
	case !ok:
		return "", "", fmt.Errorf("there is no kind %q. %s What begins with !%s is kept to yourself", clean("!"+kind), scenarios.DidYouMean(kind, kinds), journal.Vent)
	case rest == "":
		return "", "", fmt.Errorf("there is nothing to note after !%s", kind)
	}
	return kind, rest, nil
}

// noteKind is the kind that is meant.
func noteKind(word string) (string, error) {
	kind, ok := journal.NoteKind(word)
	if !ok {
		return "", fmt.Errorf("--kind: there is no kind %q. %s", clean(word), scenarios.DidYouMean(word, journal.NoteKinds))
	}
	return kind, nil
}
