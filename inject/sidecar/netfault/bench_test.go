package netfault

import (
	"fmt"
	"slices"
	"sync"
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

// BenchmarkApplyMany measures 20 namespaces, each with its own Space, into which a fault is put at one instant: when the first and
// the last is in force after it.
func BenchmarkApplyMany(b *testing.B) {
	f := variants(b)["best"]
	const n = 20
	var all [n]ends
	var spaces [n]*Space
	for i := range n {
		all[i] = newEnds(b)
		spaces[i] = all[i].open(b, f)
	}
	for _, e := range []Effect{{Kind: Partition}, {Kind: Latency, Delay: 10 * time.Millisecond}} {
		b.Run(e.Kind, func(b *testing.B) {
			var first, last []time.Duration
			for b.Loop() {
				b.StopTimer()
				var prepared [n]*Prepared
				var took [n]time.Duration
				for i := range n {
					prepared[i] = all[i].prepare(b, spaces[i], e, Selector{Direction: Egress}, Selector{Direction: Ingress})
				}
				instant := time.Now().Add(20 * time.Millisecond)
				b.StartTimer()
				var wait sync.WaitGroup
				for i := range n {
					wait.Go(func() {
						time.Sleep(time.Until(instant))
						at, err := prepared[i].Apply()
						if err != nil {
							b.Error(err)
						}
						took[i] = at.Sub(instant)
					})
				}
				wait.Wait()
				b.StopTimer()
				first, last = append(first, slices.Min(took[:])), append(last, slices.Max(took[:]))
				for i := range n {
					if err := prepared[i].Undo(); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
			}
			slices.Sort(first)
			slices.Sort(last)
			b.ReportMetric(float64(quantile(first, 0.5).Microseconds()), "first-p50-µs")
			b.ReportMetric(float64(quantile(last, 0.5).Microseconds()), "last-p50-µs")
			b.ReportMetric(float64(quantile(last, 0.99).Microseconds()), "last-p99-µs")
		})
	}
}

// BenchmarkLoss measures the share of 20,000 packets that is lost.
func BenchmarkLoss(b *testing.B) {
	for name, f := range variants(b) {
		for _, e := range []Effect{{Kind: Loss, Percent: 10}, {Kind: Loss, Percent: 0.5}, {Kind: Loss, Percent: 10, Correlation: 50}} {
			means, _, err := Means(e, Egress, f)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%s/%v%%,%v%%", name, means, e.Percent, e.Correlation), func(b *testing.B) {
				ends := newEnds(b)
				s := ends.open(b, f)
				const n = 20_000
				p := ends.prepare(b, s, e, Selector{Direction: Egress})
				apply(b, p)
				for b.Loop() {
					got := ends.flow(Egress, false, n).send(b)
					b.ReportMetric(100*float64(n-len(got))/n, "lost-%")
				}
				undo(b, p)
			})
		}
	}
}

// BenchmarkRate measures what a stream of TCP gets, in percent of the rate. Headers take 4.4 of 100.
func BenchmarkRate(b *testing.B) {
	for name, f := range variants(b) {
		for _, d := range bothDirections {
			for _, rate := range []uint64{1_000_000, 10_000_000, 100_000_000} {
				e := Effect{Kind: Rate, Rate: rate}
				if _, _, err := Means(e, d, f); err != nil {
					continue
				}
				b.Run(fmt.Sprintf("%s/%s/%dMbit", name, d, rate/1_000_000), func(b *testing.B) {
					ends := newEnds(b)
					s := ends.open(b, f)
					p := ends.prepare(b, s, e, Selector{Direction: d})
					apply(b, p)
					for b.Loop() {
						b.ReportMetric(100*ends.throughput(b, d, false, 5*time.Second)/float64(rate), "%")
					}
					undo(b, p)
				})
			}
		}
	}
}

// BenchmarkThroughput measures a stream of TCP without a Space, and then as ratios to that, in the same round: with a fault that is
// prepared only, as beside an idle sidecar, and through delays.
func BenchmarkThroughput(b *testing.B) {
	delays := []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond}
	for name, f := range variants(b) {
		for _, d := range bothDirections {
			b.Run(fmt.Sprintf("%s/%s", name, d), func(b *testing.B) {
				all := map[string][]float64{}
				for b.Loop() {
					e := newEnds(b)
					measure := func() float64 { return e.throughput(b, d, false, 3*time.Second) / 8e6 }
					nothing := measure()
					all["MB/s"] = append(all["MB/s"], nothing)
					s := e.open(b, f)
					for i, delay := range delays {
						p := e.prepare(b, s, Effect{Kind: Latency, Delay: delay}, Selector{Direction: d})
						if i == 0 {
							all["x-prepared"] = append(all["x-prepared"], measure()/nothing)
						}
						apply(b, p)
						all["x-"+delay.String()] = append(all["x-"+delay.String()], measure()/nothing)
						undo(b, p)
					}
				}
				b.ReportMetric(0, "ns/op")
				for unit, measured := range all {
					slices.Sort(measured)
					b.ReportMetric(measured[len(measured)/2], unit)
				}
			})
		}
	}
}
