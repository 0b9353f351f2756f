package netfault

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var bothDirections = []Direction{Egress, Ingress}

func TestProbe(t *testing.T) {
	e := newEnds(t)
	var f Features
	in(t, e.target, func() {
		var err error
		if f, err = Probe(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%+v", f)
	e.clean(t, false)
}

func TestPartition(t *testing.T) {
	for _, d := range bothDirections {
		for _, six := range []bool{false, true} {
			e := newEnds(t)
			s := e.open(t, variants(t)["best"])
			p := e.prepare(t, s, Effect{Kind: Partition}, Selector{Direction: d})
			if got := e.flow(d, six, 50).send(t); len(got) != 50 {
				t.Errorf("%s: prepared, but %d of 50 packets came", d, len(got))
			}
			apply(t, p)
			if got := e.flow(d, six, 50).send(t); len(got) != 0 {
				t.Errorf("%s: %d of 50 packets came through the partition", d, len(got))
			}
			c, err := p.Counts()
			if err != nil || c.Matched != 50 || c.Hit != 50 || c.MatchedBytes == 0 || c.HitBytes != c.MatchedBytes {
				t.Errorf("%s: counted %+v, %v; want 50", d, c, err)
			}
			if !strings.Contains(ruleset(t, e.target), "gameday") {
				t.Errorf("%s: nft lists no table gameday", d)
			}
			undo(t, p)
			if got := e.flow(d, six, 50).send(t); len(got) != 50 {
				t.Errorf("%s: undone, but %d of 50 packets came", d, len(got))
			}
			e.clean(t, true)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			e.clean(t, false)
		}
	}
}

func TestLoss(t *testing.T) {
	const n = 5000
	for _, d := range bothDirections {
		e := newEnds(t)
		s := e.open(t, variants(t)["best"])
		p := e.prepare(t, s, Effect{Kind: Loss, Percent: 20}, Selector{Direction: d})
		apply(t, p)
		got := e.flow(d, false, n).send(t)
		c := undo(t, p)
		lost := float64(n-len(got)) / n
		if math.Abs(lost-0.2) > 0.04 {
			t.Errorf("%s: %.1f %% were lost, 20 were asked for", d, lost*100)
		}
		if c.Matched != n || c.Hit != uint64(n-len(got)) {
			t.Errorf("%s: counted %+v, but %d of %d came", d, c, len(got), n)
		}
	}
}

func TestLatency(t *testing.T) {
	for name, f := range variants(t) {
		for _, d := range bothDirections {
			for _, six := range []bool{false, true} {
				e := newEnds(t)
				s := e.open(t, f)
				means, _, err := Means(Effect{Kind: Latency, Delay: time.Second}, d, f)
				if err != nil {
					t.Fatal(err)
				}
				p := e.prepare(t, s, Effect{Kind: Latency, Delay: 50 * time.Millisecond}, Selector{Direction: d, Peers: []netip.Prefix{netip.PrefixFrom(peer4, 32), netip.PrefixFrom(peer6, 64)}})
				apply(t, p)
				fl := e.flow(d, six, 200)
				fl.gap = time.Millisecond
				q := delays(fl.send(t))
				if len(q) != 200 || q[0] < 49*time.Millisecond || quantile(q, 0.5) > 80*time.Millisecond {
					t.Errorf("%s, %s by %s: %d of 200 packets came, after %v to %v", name, d, means, len(q), quantile(q, 0), quantile(q, 1))
				}
				c := undo(t, p)
				if c.Matched != 200 || c.Hit != 200 {
					t.Errorf("%s, %s by %s: counted %+v", name, d, means, c)
				}
				e.clean(t, true)
			}
		}
	}
}
