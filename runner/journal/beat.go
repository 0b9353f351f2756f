package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Who gives signs of life in a run directory.
const (
	RunnerBeat = ".heartbeat"
	GuardBeat  = ".guard-heartbeat"
)

// A Beat is somebody's sign of life in a run directory: a number that goes up. The other side judges by its own clock how long it
// has stood still.
type Beat struct {
	f *os.File
	n uint64
}

// OpenBeat begins to give signs of life.
func OpenBeat(dir, who string) (*Beat, error) {
	f, err := os.OpenFile(filepath.Join(dir, who), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot give signs of life: %w", err)
	}
	b := &Beat{f: f}
	// Somebody who was started again goes on counting.
	_, _ = fmt.Fscanf(f, "%d", &b.n)
	return b, b.Beat()
}

// Beat gives one. It takes no room on the disk that was not taken at the first.
func (b *Beat) Beat() error {
	b.n++
	_, err := b.f.WriteAt(fmt.Appendf(nil, "%020d\n", b.n), 0)
	return err
}

// Close gives no more.
func (b *Beat) Close() error { return b.f.Close() }

// LastBeat is the last sign of life; empty if there was none.
func LastBeat(dir, who string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, who))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// RemoveBeats takes away what signs of life leave in a run directory.
func RemoveBeats(dir string) {
	for _, who := range []string{RunnerBeat, GuardBeat} {
		os.Remove(filepath.Join(dir, who))
	}
}
