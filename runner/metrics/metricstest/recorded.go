package metricstest

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb"

	"gameday/runner/metrics"
)

// Stale as a value of Record marks that the series ends there, as a scrape does that finds it no more.
var Stale = math.Float64frombits(value.StaleNaN)

// Record writes series into dir as the embedded engine leaves them at the end of a run: one block. With died it leaves what a
// process does that was killed: the write-ahead log.
func Record(dir string, died bool, series ...metrics.Line) error {
	options := tsdb.DefaultOptions()
	options.NoLockfile = true
	options.MinBlockDuration = (24 * time.Hour).Milliseconds()
	options.MaxBlockDuration = options.MinBlockDuration
	options.RetentionDuration = 0
	db, err := tsdb.Open(dir, nil, nil, options, nil)
	if err != nil {
		return err
	}
	type sample struct {
		labels labels.Labels
		metrics.Point
	}
	var all []sample
	for _, s := range series {
		for _, p := range s.Points {
			all = append(all, sample{labels.FromMap(s.Labels), p})
		}
	}
	slices.SortStableFunc(all, func(a, b sample) int { return a.At.Compare(b.At) })
	for len(all) > 0 { // as by scrapes, one after the other
		app, at := db.Appender(context.Background()), all[0].At
		for ; len(all) > 0 && all[0].At.Equal(at); all = all[1:] {
			if _, err := app.Append(0, all[0].labels, at.UnixMilli(), all[0].Value); err != nil {
				return err
			}
		}
		if err := app.Commit(); err != nil {
			return err
		}
	}
	if died {
		return db.Close()
	}
	head := db.Head()
	if err := db.CompactHead(tsdb.NewRangeHead(head, head.MinTime(), head.MaxTime())); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	for _, name := range []string{"wal", "chunks_head"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Tree is everything in a directory, with times of change, to see later that nothing was.
func Tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if !d.IsDir() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(b)
		}
		out[path] = fmt.Sprintf("%s %s %q", info.Mode(), info.ModTime().UTC(), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
