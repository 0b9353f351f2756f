package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Beat is the runner's sign of life in the run directory: a number that goes up. Its guard judges by its own clock how long it
// has stood still.
type Beat struct {
	f *os.File
	n uint64
}

// OpenBeat begins to give signs of life in a run directory.
func OpenBeat(dir string) (*Beat, error) {
	f, err := os.OpenFile(filepath.Join(dir, beatName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot give signs of life: %w", err)
	}
	b := &Beat{f: f}
	return b, b.Beat()
}

// Beat gives one. It takes no room on the disk that was not taken at the first.
func (b *Beat) Beat() error {
	b.n++
	_, err := b.f.WriteAt(fmt.Appendf(nil, "%020d\n", b.n), 0)
	return err
}

// Close gives no more, and takes the file away.
func (b *Beat) Close() error { return errors.Join(b.f.Close(), os.Remove(b.f.Name())) }

// LastBeat is the last sign of life in a run directory; empty if there was none.
func LastBeat(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, beatName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}
