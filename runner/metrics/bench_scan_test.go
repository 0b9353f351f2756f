package metrics

import (
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// BenchmarkScan reads 50,000 series of a five-minute run, with a sample a second, from the storage.
func BenchmarkScan(b *testing.B) {
	const series, samples = 50_000, 300
	e, err := NewEmbedded(EmbeddedConfig{Name: "own", Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	if err := e.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	began := time.Now().Add(-samples * time.Second)
	sets := make([]labels.Labels, series)
	for i := range sets {
		sets[i] = labels.FromStrings("__name__", "metric_"+strconv.Itoa(i%500), "job", "shop", "instance", strconv.Itoa(i/500))
	}
	for n := range samples {
		app := e.db.Appender(b.Context())
		for i, set := range sets {
			if _, err := app.Append(0, set, began.Add(time.Duration(n)*time.Second).UnixMilli(), float64(n*i)+0.5); err != nil {
				b.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	used := cpuTime(b)
	for b.Loop() {
		n := 0
		if _, err := e.Scan(b.Context(), Scan{From: began, To: time.Now()}, func(s RawSeries) { n += len(s.Times) }); err != nil || n != series*samples {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric((cpuTime(b)-used).Seconds()/float64(b.N), "cpu-s/op") // whatever else the machine does
}
