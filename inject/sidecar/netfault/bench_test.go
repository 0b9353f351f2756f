package netfault

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkApply measures how long it takes to put a prepared fault in force, and to take it back up to the point where
// packets are free again.
func BenchmarkApply(b *testing.B) {
	f := variants(b)["best"]
	for _, e := range []Effect{{Kind: Partition}, {Kind: Loss, Percent: 10}, {Kind: Latency, Delay: 10 * time.Millisecond}, {Kind: Rate, Rate: 1_000_000}} {
		b.Run(e.Kind, func(b *testing.B) {
			ends := newEnds(b)
			s := ends.open(b, f)
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				p := ends.prepare(b, s, e, Selector{Direction: Egress}, Selector{Direction: Ingress})
				b.StartTimer()
				begin := time.Now()
				at, err := p.Apply()
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, at.Sub(begin))
				b.StopTimer()
				if err := p.Undo(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			slices.Sort(took)
			b.ReportMetric(float64(quantile(took, 0.5).Microseconds()), "p50-µs")
			b.ReportMetric(float64(quantile(took, 0.99).Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkDelay measures what is added to packets, beyond what they take without a fault.
func BenchmarkDelay(b *testing.B) {
	for name, f := range variants(b) {
		for _, d := range bothDirections {
			for _, asked := range []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond} {
				means, _, err := Means(Effect{Kind: Latency, Delay: asked}, d, f)
				if err != nil {
					b.Fatal(err)
				}
				b.Run(fmt.Sprintf("%s/%s/%s/%v", name, means, d, asked), func(b *testing.B) {
					e := newEnds(b)
					s := e.open(b, f)
					fl := e.flow(d, false, 1000)
					fl.gap = time.Millisecond
					base := quantile(delays(fl.send(b)), 0.5)
					p := e.prepare(b, s, Effect{Kind: Latency, Delay: asked}, Selector{Direction: d})
					apply(b, p)
					for b.Loop() {
						q := delays(fl.send(b))
						ms := func(d time.Duration) float64 { return float64((d - base).Microseconds()) / 1000 }
						b.ReportMetric(ms(quantile(q, 0.01)), "p1-ms")
						b.ReportMetric(ms(quantile(q, 0.5)), "p50-ms")
						b.ReportMetric(ms(quantile(q, 0.99)), "p99-ms")
						b.ReportMetric(float64(len(q)), "came")
					}
					undo(b, p)
				})
			}
		}
	}
}
