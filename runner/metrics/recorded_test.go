package metrics_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gameday/runner/metrics"
	"gameday/runner/metrics/metricstest"
)

// recordedFrom is when the recorded series of these tests begin: a while ago, on a whole minute.
var recordedFrom = time.Now().Add(-time.Hour).UTC().Truncate(time.Minute)

// second is so many seconds after that.
func second(n float64) time.Time { return recordedFrom.Add(time.Duration(n * float64(time.Second))) }

// aSystem is what a system with two instances exports in five minutes, scraped every second, 137 ms after it began: counters of
// which one is reset, gauges with a gap, an end and odd values, and a histogram.
func aSystem() []metrics.Line {
	var out []metrics.Line
	add := func(labels map[string]string, value func(sec int) (float64, bool)) {
		line := metrics.Line{Labels: labels}
		for sec := range 300 {
			if v, ok := value(sec); ok {
				line.Points = append(line.Points, metrics.Point{At: second(float64(sec) + 0.137), Value: v})
			}
		}
		out = append(out, line)
	}
	for i, instance := range []string{"a:8080", "b:8080"} {
		base := map[string]string{"job": "shop", "instance": instance}
		with := func(name string, pairs ...string) map[string]string {
			m := maps.Clone(base)
			m["__name__"] = name
			for j := 0; j < len(pairs); j += 2 {
				m[pairs[j]] = pairs[j+1]
			}
			return m
		}
		add(with("up"), func(sec int) (float64, bool) {
			return map[bool]float64{true: 0, false: 1}[i == 1 && sec >= 120 && sec < 150], true
		})
		add(with("http_requests_total", "code", "200"), func(sec int) (float64, bool) {
			if i == 1 && sec >= 150 { // restarted
				sec -= 150
			}
			return float64(7*sec + i), true
		})
		add(with("http_requests_total", "code", "500"), func(sec int) (float64, bool) { return float64(max(sec-120, 0)), sec >= 100 })
		add(with("temperature", "room", `with "quotes", \ and ü`), func(sec int) (float64, bool) {
			switch {
			case sec == 200:
				return metricstest.Stale, true
			case sec > 200, sec >= 60 && sec < 75:
				return 0, false
			}
			return 20 + math.Sin(float64(sec)/7)/3, true
		})
		for _, b := range []struct {
			le    string
			share float64
		}{{"0.1", 0.5}, {"0.5", 0.9}, {"1", 0.99}, {"+Inf", 1}} {
			add(with("duration_seconds_bucket", "le", b.le), func(sec int) (float64, bool) { return math.Floor(float64(sec*100) * b.share), true })
		}
	}
	odd := map[string]float64{"nan": math.NaN(), "inf": math.Inf(1), "minus": math.Inf(-1), "tiny": 1e-9, "huge": 3e22, "zero": 0}
	for _, kind := range slices.Sorted(maps.Keys(odd)) {
		add(map[string]string{"__name__": "odd", "kind": kind}, func(int) (float64, bool) { return odd[kind], true })
	}
	return out
}

func record(t testing.TB, died bool) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "tsdb")
	if err := metricstest.Record(dir, died, aSystem()...); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openRecorded(t testing.TB, dir string) *metrics.Recorded {
	t.Helper()
	src, err := metrics.OpenRecorded(metrics.RecordedConfig{Dir: dir, Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

var sameValues = cmpopts.EquateNaNs()

// What a run's own engine answered, its record answers too: from the block of a run that ended, and from the write-ahead log of
// one that was killed. Neither is changed by it.
func TestRecordedAnswersAsTheRunDid(t *testing.T) {
	dir := t.TempDir()
	live := openEmbedded(t, metricstest.NewExporter(t), dir)
	if err := live.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	metricstest.WaitForScrapes(t, live, 12)
	// Whatever was scraped by then is in the storage by now.
	times := []time.Time{time.Now().Add(-time.Second), time.Now().Add(-1500 * time.Millisecond)}
	metricstest.WaitForScrapes(t, live, 16)
	want := map[string]metrics.Result{}
	for _, q := range metricstest.Queries {
		for i, at := range times {
			result, err := live.Query(t.Context(), q.Query, at)
			if err != nil {
				t.Fatal(err)
			}
			want[fmt.Sprint(i, q.Query)] = result
		}
	}
	killed := filepath.Join(t.TempDir(), "tsdb")
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"block": dir, "log": killed} {
		t.Run(name, func(t *testing.T) {
			before := metricstest.Tree(t, dir)
			src, err := metrics.OpenRecorded(metrics.RecordedConfig{Dir: dir, Interval: metricstest.Interval})
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range metricstest.Queries {
				for i, at := range times {
					got, err := src.Query(t.Context(), q.Query, at)
					if err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(want[fmt.Sprint(i, q.Query)], got, sameValues); d != "" {
						t.Errorf("%s: the run and its record differ (-run +record):\n%s", q.Query, d)
					}
				}
			}
			for name, refused := range metricstest.Refused {
				if _, err := src.Query(t.Context(), refused[0], times[0]); err == nil || !strings.Contains(err.Error(), refused[1]) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if from, to := src.Window(); !from.Before(times[1]) || to.Before(times[0]) {
				t.Errorf("recorded from %s to %s", from, to)
			}
			for range 2 {
				if err := src.Close(); err != nil {
					t.Error(err)
				}
			}
			if _, err := src.Query(t.Context(), "up", times[0]); err == nil {
				t.Error("a query of a closed record succeeded")
			}
			if d := cmp.Diff(before, metricstest.Tree(t, dir)); d != "" {
				t.Errorf("the record was changed:\n%s", d)
			}
		})
	}
}

// A run that died between writing the block and removing the log has everything twice, and it counts once.
func TestRecordedTwice(t *testing.T) {
	dir := record(t, false)
	log := record(t, true)
	if err := os.CopyFS(filepath.Join(dir, "wal"), os.DirFS(filepath.Join(log, "wal"))); err != nil {
		t.Fatal(err)
	}
	got, err := openRecorded(t, dir).Query(t.Context(), `count_over_time(up{instance="a:8080"}[10s])`, second(100))
	if err != nil || len(got.Series) != 1 || got.Series[0].Value != 10 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNothingRecorded(t *testing.T) {
	with := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for name, dir := range map[string]string{"absent": filepath.Join(t.TempDir(), "none"), "empty": with(), "empty log": with("wal"), "something else": with("notes")} {
		if src, err := metrics.OpenRecorded(metrics.RecordedConfig{Dir: dir}); !errors.Is(err, metrics.ErrNothingRecorded) {
			t.Errorf("%s: %v, %v", name, src, err)
		}
	}
}

// What is damaged is said to be, with what to do, and nothing panics.
func TestRecordedDamage(t *testing.T) {
	block := func(t *testing.T, dir string) string {
		found, err := filepath.Glob(filepath.Join(dir, "??????????????????????????"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	cut := func(t *testing.T, path string, leave func(size int64) int64) {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, leave(info.Size()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	half := func(size int64) int64 { return size / 2 }
	none := func(int64) int64 { return 0 }
	for name, break_ := range map[string]func(*testing.T, string){
		"no meta.json":     func(t *testing.T, b string) { os.Remove(filepath.Join(b, "meta.json")) },
		"half a meta.json": func(t *testing.T, b string) { cut(t, filepath.Join(b, "meta.json"), half) },
		"no index":         func(t *testing.T, b string) { os.Remove(filepath.Join(b, "index")) },
		"half an index":    func(t *testing.T, b string) { cut(t, filepath.Join(b, "index"), half) },
		"an empty index":   func(t *testing.T, b string) { cut(t, filepath.Join(b, "index"), none) },
		"no chunks":        func(t *testing.T, b string) { os.RemoveAll(filepath.Join(b, "chunks")) },
		"half the chunks":  func(t *testing.T, b string) { cut(t, filepath.Join(b, "chunks", "000001"), half) },
		"empty chunks":     func(t *testing.T, b string) { cut(t, filepath.Join(b, "chunks", "000001"), none) },
		"other chunks": func(t *testing.T, b string) {
			path := filepath.Join(b, "chunks", "000001")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := len(text) / 4; i < len(text); i += 50 {
				text[i] ^= 0xff
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := record(t, false)
			break_(t, block(t, dir))
			src, err := metrics.OpenRecorded(metrics.RecordedConfig{Dir: dir})
			if err == nil {
				defer src.Close()
				_, err = src.EvaluateRange(t.Context(), `{__name__=~".+"}`, second(0), second(299), time.Second)
			}
			if err == nil || !strings.Contains(err.Error(), "are damaged") || !strings.Contains(err.Error(), "restore") {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("a log that was cut off", func(t *testing.T) {
		dir := record(t, true)
		segments, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
		if err != nil || len(segments) == 0 {
			t.Fatal(segments, err)
		}
		cut(t, segments[0], half)
		before := metricstest.Tree(t, dir)
		src := openRecorded(t, dir)
		if src.Damage() == "" {
			t.Error("that samples are lost is not said")
		}
		if d := cmp.Diff(before, metricstest.Tree(t, dir)); d != "" {
			t.Errorf("it was repaired in place:\n%s", d)
		}
	})
	t.Run("a log that is none", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "tsdb")
		if err := os.MkdirAll(filepath.Join(dir, "wal"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "wal", "00000000"), []byte(strings.Repeat("no log\n", 9000)), 0o644); err != nil {
			t.Fatal(err)
		}
		if src, err := metrics.OpenRecorded(metrics.RecordedConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%v, %v", src, err)
		}
	})
}
