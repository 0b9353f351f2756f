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

// Predict keeps a prediction until the next run of a scenario begins. Of several by one actor for one thing the last one counts.
func Predict(root, scenario, actor string, p *Prediction) error {
	dir := filepath.Join(root, pendingDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot keep the prediction: %w; name another directory with --runs", err)
	}
	line, err := json.Marshal(Event{Seq: 1, Time: time.Now().UTC().Round(0), Actor: actor, Payload: p})
	if err != nil {
		return err
	}
	unlock, err := lockPeople(dir)
	if err != nil {
		return fmt.Errorf("cannot keep the prediction: %w", err)
	}
	defer unlock()
	f, err := os.OpenFile(filepath.Join(dir, filepath.Base(scenario)+".jsonl"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("cannot keep the prediction: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot keep the prediction: %w", err)
	}
	return nil
}

// TakePredictions puts the predictions that wait for a scenario into the people's file of a run that begins. A line that cannot be read is no
// prediction.
func TakePredictions(root, scenario, dir string) error {
	waiting := filepath.Join(root, pendingDir)
	path := filepath.Join(waiting, filepath.Base(scenario)+".jsonl")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := lockPeople(waiting)
	if err != nil {
		return fmt.Errorf("cannot take up predictions: %w", err)
	}
	defer unlock()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot take up predictions: %w", err)
	}
	var said []Said
	for line := range bytes.Lines(b) {
		var e Event
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		if p, ok := e.Payload.(*Prediction); ok {
			said = append(said, Said{Actor: e.Actor, At: e.Time, Payload: p})
		}
	}
	if _, err := SayAll(dir, func(*Record) ([]Said, error) { return said, nil }); err != nil {
		return fmt.Errorf("cannot take up predictions: %w", err)
	}
	// Only now: what is taken up twice counts once.
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot take up predictions: %w", err)
	}
	return nil
}
