package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gameday/runner/journal"
)

// hourRun is a run of an hour on 100 containers: three hypotheses about each of them, asked every second, which is 1.08 million samples, and two
// changes of each container.
func hourRun() *journal.Record {
	const containers, hour = 100, 3600
	s := begin("hour")
	var claims []*claim
	for i, name := range []string{"stays_quick", "keeps_working", "stays_small"} {
		c := quick(0.5, func(sec, n int) float64 { return wave(sec+n, 0.1+0.001*float64(i*n), 0.05) })
		c.Name, c.QueryID, c.series = name, fmt.Sprintf("Q%d", i+1), nil
		for n := range containers {
			c.series = append(c.series, map[string]string{"instance": fmt.Sprintf("api-%03d:8080", n), "job": "shop"})
		}
		claims = append(claims, c)
	}
	s.declare(claims).baseline().inject().undo(undoAt, journal.UndoDue)
	for n := range containers {
		ref := journal.Ref{ID: fmt.Sprintf("%012x", n), Name: fmt.Sprintf("shop-api-%d", n)}
		s.add(float64(100+30*n), &journal.TargetChanged{Container: ref, Change: "unhealthy"}).add(float64(110+30*n), &journal.TargetChanged{Container: ref, Change: "healthy"})
	}
	for _, c := range claims {
		s.add(hour, judged(s.sample(c, hour), journal.Held, journal.ReasonHeld, ""))
	}
	return s.end(hour+1, journal.OutcomeHeld, 0).rec
}

func renderAll(b *testing.B, rec *journal.Record) {
	b.Helper()
	d := Build(rec)
	page, err := d.HTML()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(page)), "bytes/page")
	if _, err := d.JSON(); err != nil {
		b.Fatal(err)
	}
	if _, err := d.JUnit(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRenderHour draws everything from a record in memory, and from its directory.
func BenchmarkRenderHour(b *testing.B) {
	rec := hourRun()
	b.Run("memory", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			renderAll(b, rec)
		}
	})
	b.Run("directory", func(b *testing.B) {
		dir := writeRecord(b, rec)
		b.ReportAllocs()
		for b.Loop() {
			rec, err := journal.Read(dir)
			if err != nil || len(rec.Damage) > 0 {
				b.Fatal(err, rec.Damage)
			}
			renderAll(b, rec)
		}
	})
}

// writeRecord writes a record as the runner does.
func writeRecord(t testing.TB, rec *journal.Record) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), rec.Name)
	put := func(name string, lines ...any) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		for _, l := range lines {
			if err := e.Encode(l); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var events []any
	for _, e := range rec.Events {
		events = append(events, e)
	}
	put(journal.FileName, events...)
	for id, q := range rec.Queries {
		lines := []any{q}
		for _, s := range q.Samples {
			lines = append(lines, s)
		}
		put(filepath.Join(journal.SamplesDir, id+".jsonl"), lines...)
	}
	return dir
}
