package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// closeLimit bounds Close. Saving 18 million samples takes under a second.
const closeLimit = 30 * time.Second

func openStorage(dir string, temporary bool, log *slog.Logger, registry prometheus.Registerer) (*tsdb.DB, error) {
	options := tsdb.DefaultOptions()
	// The write-ahead log stays on: a run that dies keeps its samples in it.
	// A run directory has its own lock, and a crash would leave the file behind. In a temporary one it tells whether somebody
	// is still there.
	options.NoLockfile = !temporary
	// One block for the whole run, written at its end, and nothing ever dropped.
	options.MinBlockDuration = (24 * time.Hour).Milliseconds()
	options.MaxBlockDuration = options.MinBlockDuration
	options.RetentionDuration = 0
	return tsdb.Open(dir, log, registry, options, nil)
}

const (
	temporaryPrefix = "gameday-metrics-"
	lockName        = "lock" // the storage's own
	// abandonedAfter is how old a temporary directory has to be, so that one which is being set up is left alone.
	abandonedAfter = time.Minute
)

// temporaryDir makes a directory for samples that nobody keeps, and removes those of processes that were killed.
func temporaryDir() (string, error) {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	for _, dir := range old {
		removeAbandoned(dir, time.Now().Add(-abandonedAfter))
	}
	return os.MkdirTemp("", temporaryPrefix)
}

// removeAbandoned removes a temporary directory that nobody holds the lock of any more: the kernel gives it up with the
// process. A directory without a lock is not taken for ours.
func removeAbandoned(dir string, before time.Time) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.ModTime().After(before) {
		return
	}
	lock := filepath.Join(dir, lockName)
	if info, err := os.Lstat(lock); err != nil || !info.Mode().IsRegular() {
		return
	}
	held, _, err := fileutil.Flock(lock)
	if err != nil {
		return
	}
	os.RemoveAll(dir)
	held.Release()
}

// saveAndClose writes everything as one block and leaves nothing else. Where the block cannot be written, the write-ahead
// log stays and has all of it.
func saveAndClose(db *tsdb.DB, dir string, temporary bool) error {
	if temporary {
		return errors.Join(db.Close(), os.RemoveAll(dir))
	}
	var saving error
	if head := db.Head(); head.NumSeries() > 0 && head.MinTime() <= head.MaxTime() {
		saving = db.CompactHead(tsdb.NewRangeHead(head, head.MinTime(), head.MaxTime()))
	}
	if err := errors.Join(saving, db.Close()); err != nil {
		return fmt.Errorf("the samples could not be saved as a block; they are in the write-ahead log in %s: %w", dir, err)
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "wal")), os.RemoveAll(filepath.Join(dir, "chunks_head")))
}

// Close stops scraping, ends the queries that run, and saves what was scraped as one block in Dir. It takes at most 30
// seconds; a later call waits for the first and returns the same.
func (e *Embedded) Close() error {
	e.mu.Lock()
	before := e.state
	e.state = stateClosed
	e.mu.Unlock()
	if before == stateClosed {
		return e.waitClosed()
	}
	e.stop()
	go func() {
		defer close(e.closed)
		if before == stateRunning {
			// A querier that is open would make the storage's Close wait for ever, and a scraper would write into it.
			e.rules.stop()
			e.prober.stop()
			e.scraper.stop()
			e.users.Wait()
			e.closeErr = saveAndClose(e.db, e.dir, e.temporary)
		}
		e.closeErr = errors.Join(e.closeErr, e.engine.Close())
	}()
	return e.waitClosed()
}

func (e *Embedded) waitClosed() error {
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-e.closed:
		return e.closeErr
	case <-limit.C:
		return fmt.Errorf("the samples were not saved within %s; they are in the write-ahead log in %s", closeLimit, e.dir)
	}
}
