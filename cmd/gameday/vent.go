package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gameday/runner/journal"
)

// A vent is what somebody keeps to themselves.
type vent struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// ventFile is in the user's state directory, away from every run.
func ventFile() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no place for what is yours alone: %w; set XDG_STATE_HOME", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "gameday", "vents.jsonl"), nil
}

// vent keeps a text where nothing of gameday's but vents looks.
func (a app) vent(words string) error {
	text, err := a.spokenText(words)
	if err != nil {
		return err
	}
	return a.keepVent(text)
}

func (a app) keepVent(text string) error {
	path, err := keepToYourself(text)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "Kept to yourself, in %s. It is in no run and in no report.\n", path)
	return nil
}

// keepToYourself adds a text to the user's own file, and says which that is.
func keepToYourself(text string) (path string, err error) {
	if path, err = ventFile(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("cannot keep it: %w", err)
	}
	line, err := json.Marshal(vent{time.Now().UTC().Round(0), text})
	if err != nil {
		return "", err
	}
	if err := journal.AppendLines(path, 0o600, append(line, '\n')); err != nil {
		return "", fmt.Errorf("cannot keep it: %w", err)
	}
	return path, nil
}

// vents prints what was kept, oldest first.
func (a app) vents(asJSON bool) error {
	path, err := ventFile()
	if err != nil {
		return err
	}
	all := []vent{}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("cannot read what was kept: %w", err)
	default:
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 8*longestNote)
		for n := 1; lines.Scan(); n++ {
			var v vent
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				return fmt.Errorf("%s, line %d cannot be read: %w; correct it, or take the line out", path, n, err)
			}
			all = append(all, v)
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("cannot read what was kept: %w", err)
		}
	}
	if asJSON {
		return a.json(map[string]any{"vents": all})
	}
	for _, v := range all {
		fmt.Fprintf(a.stdout, "%s %s\n", v.Time.Format("2006-01-02T15:04:05Z"), oneLine(v.Text))
	}
	return nil
}
