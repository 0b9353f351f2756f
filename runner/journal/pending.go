package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// pendingDir is where, below the directory for run directories, predictions wait for the next run of their scenario.
const pendingDir = ".predictions"

func pendingFile(root, scenario string) string {
	return filepath.Join(root, pendingDir, filepath.Base(scenario)+".jsonl")
}

// Predict keeps a prediction until the next run of a scenario. Of several by one actor for one thing the last one counts.
func Predict(root, scenario, actor string, p *Prediction) error {
	path := pendingFile(root, scenario)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot keep the prediction: %w; name another directory with --runs", err)
	}
	line, err := json.Marshal(Event{Seq: 1, Time: time.Now().UTC().Round(0), Actor: actor, Payload: p})
	if err != nil {
		return err
	}
	unlock, err := lockPeople(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot keep the prediction: %w", err)
	}
	defer unlock()
	if err := AppendLines(path, 0o644, append(line, '\n')); err != nil {
		return fmt.Errorf("cannot keep the prediction: %w", err)
	}
	return nil
}

// TakePredictions puts the predictions that wait for a scenario into the people's file of a run that begins. They wait on, for the next run,
// until used is called: a run that ends before it injects anything leaves them all. A line that cannot be read stays where it
// is; UnreadPredictions names it.
func TakePredictions(root, scenario, dir string) (used func() error, err error) {
	path := pendingFile(root, scenario)
	taken := map[string]bool{}
	var said []Said
	err = pending(path, func(_ int, line []byte, e Event) {
		if p, ok := e.Payload.(*Prediction); ok {
			said = append(said, Said{Actor: e.Actor, At: e.Time, Payload: p})
			taken[string(line)] = true
		}
	})
	if err == nil {
		_, err = SayAll(dir, func(*Record) ([]Said, error) { return said, nil })
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take up predictions: %w", err)
	}
	return func() error {
		if len(taken) == 0 {
			return nil
		}
		if err := drop(path, taken); err != nil {
			return fmt.Errorf("cannot take the predictions that this run has taken up out of %s: %w; with them still there the next run would count them, too", path, err)
		}
		return nil
	}, nil
}

// UnreadPredictions are the lines that wait for a scenario and that no run can take up, by their numbers in the file at path.
func UnreadPredictions(root, scenario string) (path string, lines []int) {
	path = pendingFile(root, scenario)
	pending(path, func(n int, _ []byte, e Event) {
		if _, ok := e.Payload.(*Prediction); !ok {
			lines = append(lines, n)
		}
	})
	return path, lines
}

// pending reads the lines of a file of predictions that wait. One that cannot be read is an event with no payload. A file that is not there has none.
func pending(path string, do func(n int, line []byte, e Event)) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := lockPeople(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		line = bytes.TrimRight(line, "\n")
		var e Event
		if json.Unmarshal(line, &e) != nil {
			e.Payload = nil
		}
		if len(bytes.TrimSpace(line)) > 0 {
			do(n, line, e)
		}
	}
	return nil
}

// drop takes lines out of a file of predictions that wait; whatever else stands there by now stays.
func drop(path string, taken map[string]bool) error {
	unlock, err := lockPeople(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept []byte
	for line := range bytes.Lines(b) {
		if !taken[string(bytes.TrimRight(line, "\n"))] {
			kept = append(kept, line...)
		}
	}
	if len(bytes.TrimSpace(kept)) == 0 {
		return os.Remove(path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(kept)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
