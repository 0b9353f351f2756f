package runner

import (
	"testing"
	"time"

	"gameday/inject/engine"
	"gameday/runner/metrics"
)

// BenchmarkContainerSample turns what the engine says once a second of one container into stored samples.
func BenchmarkContainerSample(b *testing.B) {
	into, err := metrics.NewEmbedded(metrics.EmbeddedConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer into.Close()
	if err := into.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	group := into.Group(seriesLabels(engine.Container{ID: "4f1c0e6b7a21", Name: "shop-store-1", Image: "shop:1"}))
	s := engine.Stats{Read: time.Now(), Networks: []engine.InterfaceStats{{Name: "eth0"}, {Name: "eth1"}}, Disk: engine.DiskStats{Counted: true, CountedOps: true}}
	for b.Loop() {
		s.Read = s.Read.Add(time.Second)
		s.CPU.Total += 10 * time.Millisecond
		if err := group.Append(s.Read, usageSamples(s, 1<<30)...); err != nil {
			b.Fatal(err)
		}
	}
}
