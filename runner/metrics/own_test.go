package metrics_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gameday/runner/metrics"
)

// own is an engine that scrapes nothing.
func own(t testing.TB) *metrics.Embedded {
	t.Helper()
	e, err := metrics.NewEmbedded(metrics.EmbeddedConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// ask returns what a query says at a time, as "labels value" in order.
func ask(t testing.TB, e *metrics.Embedded, query string, at time.Time) []string {
	t.Helper()
	res, err := e.Query(t.Context(), query, at)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, s := range res.Series {
		out = append(out, fmt.Sprint(s.Labels, " ", s.Value))
	}
	return out
}

func TestGroup(t *testing.T) {
	e := own(t)
	start := time.Now().Add(-time.Minute).Truncate(time.Second)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	g := e.Group(map[string]string{"name": "api"})
	eth := func(i int, v float64) metrics.Sample {
		return metrics.Sample{Name: "rx", Labels: map[string]string{"interface": fmt.Sprint("eth", i), "name": "the group's wins"}, Value: v}
	}
	check := func(seconds float64, want ...string) {
		t.Helper()
		got := ask(t, e, "rx", at(seconds))
		for i, w := range want {
			want[i] = fmt.Sprintf("map[__name__:rx interface:%s name:api] %s", w[:4], w[5:])
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("at %v: %q, want %q", seconds, got, want)
		}
	}
	for _, x := range []struct {
		at      float64
		samples []metrics.Sample
	}{
		{1, []metrics.Sample{eth(0, 10), eth(1, 20)}},
		{2, []metrics.Sample{eth(0, 11), eth(1, 21)}},
		{1.5, []metrics.Sample{eth(0, 99)}}, // late
		{2, []metrics.Sample{eth(0, 99)}},   // again
		{3, []metrics.Sample{eth(0, 12)}},   // the second interface has gone
		{4, []metrics.Sample{eth(0, 13)}},
		{3.5, nil}, // an end that comes late
		{6, nil},   // and once more
		{7, []metrics.Sample{eth(0, 1)}},
		{8, nil},
		{8, []metrics.Sample{eth(0, 99)}},
	} {
		if err := g.Append(at(x.at), x.samples...); err != nil {
			t.Errorf("at %v: %v", x.at, err)
		}
	}
	check(0.9)
	check(1, "eth0 10", "eth1 20")
	check(2.9, "eth0 11", "eth1 21")
	check(3, "eth0 12")
	check(4, "eth0 13")
	check(4.001)
	check(6.9)
	check(7.5, "eth0 1")
	check(8)
	check(30)
	// Another group may continue the series.
	if err := e.Group(map[string]string{"name": "api"}).Append(at(9), eth(0, 2)); err != nil {
		t.Error(err)
	}
	check(30, "eth0 2")
}

func TestGroupRefuses(t *testing.T) {
	e := own(t)
	g := e.Group(map[string]string{"name": "api"})
	good := metrics.Sample{Name: "good", Value: 1}
	for words, s := range map[string]metrics.Sample{
		"twice":     good,
		"{name=":    {},
		`"no-dash"`: {Name: "a", Labels: map[string]string{"no-dash": "x"}},
		"UTF-8":     {Name: "a", Labels: map[string]string{"x": "\xff"}},
	} {
		if err := g.Append(time.Now(), good, s); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if got := ask(t, e, "good", time.Now()); len(got) != 0 {
		t.Errorf("of refused samples some are stored: %q", got)
	}
	if err := g.Append(time.Now(), good); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Append(time.Now(), good); err == nil {
		t.Error("after the end samples are taken")
	}
}

// Groups are written to and ended while queries run and the engine is closed.
func TestGroupsSideBySide(t *testing.T) {
	e := own(t)
	var all sync.WaitGroup
	for i := range 8 {
		g := e.Group(map[string]string{"n": fmt.Sprint(i)})
		all.Go(func() {
			for range 200 {
				if g.Append(time.Now(), metrics.Sample{Name: "x", Value: 1}) != nil {
					return // it was closed
				}
				_ = g.Append(time.Now())
			}
		})
	}
	ask(t, e, "sum(x)", time.Now())
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// Whatever comes in whatever order, a query sees the last samples that were not late, and nothing after an end.
func TestGroupModel(t *testing.T) {
	e := own(t)
	start := time.Now().Add(-time.Hour).Truncate(time.Second)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		g := e.Group(map[string]string{"case": fmt.Sprint(n)})
		var last int
		var want []string
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			at := rapid.IntRange(1, 100).Draw(rt, "at")
			has := rapid.SliceOfDistinct(rapid.IntRange(0, 3), rapid.ID[int]).Draw(rt, "series")
			var samples []metrics.Sample
			for _, i := range has {
				samples = append(samples, metrics.Sample{Name: "m", Labels: map[string]string{"i": fmt.Sprint(i)}, Value: float64(at)})
			}
			if err := g.Append(start.Add(time.Duration(at)*time.Second), samples...); err != nil {
				rt.Fatal(err)
			}
			switch {
			case at > last:
				last, want = at, nil
				for i := range 4 {
					for _, h := range has {
						if h == i {
							want = append(want, fmt.Sprintf("map[__name__:m case:%d i:%d] %d", n, i, at))
						}
					}
				}
			case len(has) == 0:
				want = nil
			}
			if got := ask(t, e, fmt.Sprintf("m{case=\"%d\"}", n), start.Add(time.Duration(last)*time.Second+500*time.Millisecond)); strings.Join(got, "\n") != strings.Join(want, "\n") {
				rt.Fatalf("%q, want %q", got, want)
			}
		}
	})
}
