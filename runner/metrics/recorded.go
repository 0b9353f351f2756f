package metrics

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// ErrNothingRecorded says that a directory holds no scraped series: the run asked a server, or ended before the first scrape.
var ErrNothingRecorded = errors.New("no scraped series are recorded")

// A RecordedConfig says where the samples of an earlier run are.
type RecordedConfig struct {
	// Dir is what the run's EmbeddedConfig had as Dir.
	Dir string
	// Interval is the scrape interval of the run: the step of subqueries without one. 0 means 1 second.
	Interval time.Duration
	// Log receives warnings, one line each, from any goroutine. nil drops them.
	Log func(string)
}

// A Recorded answers PromQL on what an Embedded has scraped, with the same engine. Not a byte in the directory is changed: blocks
// are read where they lie, and the write-ahead log of a run that died is read from a temporary copy, for reading it may repair
// it. All methods are safe for concurrent use.
type Recorded struct {
	config   RecordedConfig
	engine   *promql.Engine
	blocks   []*tsdb.Block
	log      *tsdb.DB // over the copy of the write-ahead log; nil: there is none
	copy     string
	from, to time.Time
	damage   string

	mu      sync.Mutex
	closed  bool
	queries sync.WaitGroup
	stop    context.CancelFunc // ends running queries
	running context.Context
}

var (
	_ Source            = (*Recorded)(nil)
	_ storage.Queryable = (*Recorded)(nil)
)

// OpenRecorded opens the samples of an earlier run. The error says what is wrong with them and what to do; it is
// ErrNothingRecorded where there are none.
func OpenRecorded(c RecordedConfig) (*Recorded, error) {
	if c.Interval <= 0 {
		c.Interval = defaultInterval
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the recorded series cannot be read: %w", err)
	}
	r := &Recorded{config: c, engine: newEngine(c.Interval, logger(c.Log), prometheus.NewRegistry())}
	r.running, r.stop = context.WithCancel(context.Background())
	for _, e := range entries {
		switch dir := filepath.Join(c.Dir, e.Name()); {
		case !e.IsDir():
		case e.Name() == "wal" && !empty(dir):
			err = r.openLog(dir)
		case len(e.Name()) == blockNameLength:
			err = r.openBlock(dir)
		}
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	if r.to.IsZero() && r.damage != "" {
		return nil, errors.Join(errors.New(r.damage), r.Close())
	}
	if r.to.IsZero() {
		return nil, errors.Join(fmt.Errorf("%w in %s", ErrNothingRecorded, c.Dir), r.Close())
	}
	return r, nil
}

// blockNameLength is that of a ULID, by which Prometheus names blocks.
const blockNameLength = 26

func empty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

func (r *Recorded) openBlock(dir string) error {
	b, err := tsdb.OpenBlock(logger(r.config.Log), dir, nil, nil)
	if err != nil {
		return damaged(dir, err)
	}
	r.blocks = append(r.blocks, b)
	meta := b.Meta()
	r.covers(meta.MinTime, meta.MaxTime-1) // the end of a block does not belong to it
	return nil
}

// openLog replays a copy of the write-ahead log.
func (r *Recorded) openLog(dir string) error {
	tmp, err := temporaryDir()
	if err != nil {
		return fmt.Errorf("no place for a copy of the write-ahead log: %w; set TMPDIR to a directory that can be written", err)
	}
	r.copy = tmp
	if err := os.CopyFS(filepath.Join(tmp, "wal"), os.DirFS(dir)); err != nil {
		return fmt.Errorf("the write-ahead log in %s cannot be copied to be read: %w; set TMPDIR to a directory with enough room", dir, err)
	}
	var torn atomic.Bool
	log := logger(func(line string) {
		if strings.Contains(line, "attempting repair") {
			torn.Store(true)
		}
		if r.config.Log != nil {
			r.config.Log(line)
		}
	})
	db, err := openStorage(tmp, true, log, prometheus.NewRegistry())
	if err != nil {
		return damaged(dir, err)
	}
	db.DisableCompactions()
	r.log = db
	if torn.Load() {
		r.damage = fmt.Sprintf("the write-ahead log in %s is damaged: what was scraped after that place is lost", dir)
	}
	if head := db.Head(); head.NumSeries() > 0 && head.MinTime() <= head.MaxTime() {
		r.covers(head.MinTime(), head.MaxTime())
	}
	return nil
}

func damaged(dir string, err error) error {
	return fmt.Errorf("the recorded series in %s are damaged (%w): restore the run directory from a copy; what the run's own queries returned is apart from them", dir, err)
}

// covers widens the time that is recorded; both ends are milliseconds since 1970.
func (r *Recorded) covers(from, to int64) {
	if first := time.UnixMilli(from).UTC(); r.from.IsZero() || first.Before(r.from) {
		r.from = first
	}
	if last := time.UnixMilli(to).UTC(); last.After(r.to) {
		r.to = last
	}
}

// Info describes the engine.
func (r *Recorded) Info() Info {
	return Info{Name: filepath.Base(r.config.Dir), Type: "recorded", Version: engineVersion(), Interval: r.config.Interval}
}

// Window is the time of the first and of the last sample.
func (r *Recorded) Window() (from, to time.Time) { return r.from, r.to }

// Damage says which samples of the run are lost; empty: none is known to be.
func (r *Recorded) Damage() string { return r.damage }

// Start does nothing: what is recorded is there.
func (r *Recorded) Start(context.Context) error { return nil }

// Querier gives access to the series themselves, between two times in milliseconds since 1970. It must be closed before Close.
func (r *Recorded) Querier(from, to int64) (storage.Querier, error) {
	var all []storage.Querier
	add := func(q storage.Querier, err error) error {
		if err != nil {
			for _, open := range all {
				err = errors.Join(err, open.Close())
			}
			return err
		}
		all = append(all, q)
		return nil
	}
	for _, b := range r.blocks {
		if b.OverlapsClosedInterval(from, to) {
			if err := add(tsdb.NewBlockQuerier(b, from, to)); err != nil {
				return nil, err
			}
		}
	}
	if r.log != nil {
		if err := add(r.log.Querier(from, to)); err != nil {
			return nil, err
		}
	}
	// What is both in a block and in the log, because the run died between writing the one and removing the other, counts once.
	return storage.NewMergeQuerier(all, nil, storage.ChainedSeriesMerge), nil
}

// begin registers a query. done must be called at its end.
func (r *Recorded) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, errors.New("the recorded series were closed")
	}
	r.queries.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.running, cancel)
	return ctx, func() {
		stop()
		cancel()
		r.queries.Done()
	}, nil
}

// Query evaluates at exactly the given time.
func (r *Recorded) Query(ctx context.Context, query string, at time.Time) (Result, error) {
	if err := Check(query); err != nil {
		return Result{}, err
	}
	ctx, done, err := r.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	defer done()
	result, err := instant(ctx, r.engine, r, query, at)
	return result, r.explain(err)
}

// explain finds out whether a query failed because the samples cannot be read.
func (r *Recorded) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if broken := r.verify(); broken != nil {
		return damaged(r.config.Dir, broken)
	}
	return err
}

// verify reads every sample.
func (r *Recorded) verify() error {
	q, err := r.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	defer q.Close()
	set := q.Select(r.running, false, nil, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*"))
	var it chunkenc.Iterator
	for set.Next() {
		it = set.At().Iterator(it)
		for it.Next() != chunkenc.ValNone {
		}
		if it.Err() != nil {
			return it.Err()
		}
	}
	return set.Err()
}

// Close ends the queries that run and removes the temporary copy.
func (r *Recorded) Close() error {
	r.mu.Lock()
	before := r.closed
	r.closed = true
	r.mu.Unlock()
	if before {
		return nil
	}
	r.stop()
	r.queries.Wait()
	err := r.engine.Close()
	for _, b := range r.blocks {
		err = errors.Join(err, b.Close())
	}
	if r.log != nil {
		err = errors.Join(err, r.log.Close())
	}
	if r.copy != "" {
		err = errors.Join(err, os.RemoveAll(r.copy))
	}
	return err
}
