package inject_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// BenchmarkEffect measures from a fault's planned instant to its effect, on 1 and on 20 targets at once, and how far the last of
// them is behind the first. Sidecars are warm, as in a run. Where the engine itself does it, the same calls made in parallel
// with nothing around them are measured in the same run: x_raw is the ratio of the medians of the last target's time.
func BenchmarkEffect(b *testing.B) {
	for _, bb := range []struct {
		kind string
		args map[string]any
		raw  func(context.Context, engine.Engine, string) error
		most int // rounds with 20 targets: to start so many again takes ten seconds
	}{
		{kind: "latency", args: map[string]any{"delay": 20 * time.Millisecond}},
		{kind: "loss", args: map[string]any{"percent": 50.0}},
		{kind: "partition"},
		{kind: "pause", raw: func(ctx context.Context, e engine.Engine, id string) error { return e.Pause(ctx, id) }},
		{kind: "kill", raw: func(ctx context.Context, e engine.Engine, id string) error { return e.Kill(ctx, id, "SIGKILL") }, most: 5},
		{kind: "stop", args: map[string]any{"grace": time.Second}, raw: func(ctx context.Context, e engine.Engine, id string) error { return e.Stop(ctx, id, time.Second) }, most: 5},
	} {
		for _, n := range []int{1, 20} {
			b.Run(fmt.Sprintf("%s/targets=%d", bb.kind, n), func(b *testing.B) {
				crowd := newCrowd(b, bb.kind, bb.args, n)
				var all, last, spread, raw []time.Duration
				for b.Loop() {
					if n > 1 && bb.most > 0 && len(last) >= bb.most {
						continue
					}
					took := crowd.hit()
					all = append(all, took...)
					last = append(last, slices.Max(took))
					spread = append(spread, slices.Max(took)-slices.Min(took))
					crowd.heal()
					if bb.raw != nil {
						raw = append(raw, slices.Max(crowd.each(func(s inject.Step) error { return bb.raw(b.Context(), crowd.tools.Engine, s.Container.ID) })))
						crowd.heal()
					}
				}
				b.ReportMetric(0, "ns/op")
				report := func(name string, d []time.Duration, share float64) {
					slices.Sort(d)
					b.ReportMetric(float64(d[min(int(share*float64(len(d))), len(d)-1)])/float64(time.Millisecond), name)
				}
				report("ms-p50", all, 0.50)
				report("ms-p99", all, 0.99)
				report("ms-spread", spread, 0.50)
				if bb.raw != nil {
					slices.Sort(last)
					slices.Sort(raw)
					b.ReportMetric(float64(last[len(last)/2])/float64(raw[len(raw)/2]), "x-raw")
				}
			})
		}
	}
}

// crowd is many targets of one fault.
type crowd struct {
	b     *testing.B
	tools inject.Tools
	kind  inject.Kind
	fault inject.Fault
	host  inject.Host
	ids   []string
	steps []inject.Step
}

func newCrowd(b *testing.B, name string, args map[string]any, n int) *crowd {
	b.Helper()
	c := &crowd{b: b, tools: injecttest.Tools(b), kind: kind(b, name)}
	info, err := c.tools.Engine.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	c.host.Info = info
	c.fault = inject.Fault{Run: enginetest.Unique("bench"), Name: "f", Kind: name, Args: args, Duration: time.Minute}
	network := enginetest.TestNetwork(b, c.tools.Engine)
	for range n {
		c.ids = append(c.ids, enginetest.Workload(b, c.tools.Engine, enginetest.Unique("gameday-bench"),
			enginetest.Network(network.Name), enginetest.Args("chat", "sleep")).ID)
	}
	b.Cleanup(func() {
		if err := inject.Sweep(enginetest.Context(b), c.tools, c.fault.Run); err != nil {
			b.Error(err)
		}
	})
	c.prepare()
	return c
}

// prepare plans the fault anew for every target, as a run does half a second before.
func (c *crowd) prepare() {
	c.steps = make([]inject.Step, len(c.ids))
	var wg sync.WaitGroup
	for i, id := range c.ids {
		wg.Go(func() {
			s, err := inject.Prepare(c.b.Context(), c.tools, c.fault, id, c.host)
			if err != nil {
				c.b.Error(err)
			}
			c.steps[i] = s
		})
	}
	wg.Wait()
}

// hit injects into all targets at one instant, and returns how long after it each was hit.
func (c *crowd) hit() []time.Duration {
	ahead := c.kind.Doc().Ahead
	at := time.Now().Add(500 * time.Millisecond)
	took := make([]time.Duration, len(c.steps))
	var wg sync.WaitGroup
	for i, s := range c.steps {
		wg.Go(func() {
			if ahead {
				s.At = at
			} else {
				time.Sleep(time.Until(at))
			}
			if err := c.kind.Inject(c.b.Context(), c.tools, s); err != nil {
				c.b.Error(err)
				return
			}
			took[i] = time.Since(at) // the engine has answered: it is done
			p, err := c.kind.Verify(c.b.Context(), c.tools, s)
			if err != nil {
				c.b.Error(err)
			}
			if ahead {
				took[i] = p.At.Sub(at) // by the sidecar's clock, right after the kernel's acknowledgement
			}
		})
	}
	wg.Wait()
	return took
}

// each does something to every target at one instant, and returns how long that took.
func (c *crowd) each(do func(inject.Step) error) []time.Duration {
	at := time.Now().Add(500 * time.Millisecond)
	took := make([]time.Duration, len(c.steps))
	var wg sync.WaitGroup
	for i, s := range c.steps {
		wg.Go(func() {
			time.Sleep(time.Until(at))
			if err := do(s); err != nil {
				c.b.Error(err)
			}
			took[i] = time.Since(at)
		})
	}
	wg.Wait()
	return took
}

// heal undoes everything and plans again.
func (c *crowd) heal() {
	var wg sync.WaitGroup
	for _, s := range c.steps {
		wg.Go(func() {
			if _, err := inject.Perform(context.Background(), c.tools, s.Undo); err != nil {
				c.b.Error(err)
			}
		})
	}
	wg.Wait()
	c.prepare()
}
