package netfault

import (
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

var bothDirections = []Direction{Egress, Ingress}

func TestProbe(t *testing.T) {
	e := newEnds(t)
	var f Features
	in(t, e.target, func() {
		var err error
		if f, err = Probe(false); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%+v", f)
	if emulated && len(f.Missing) > 0 {
		t.Errorf("Debian's kernel has everything, but these were not found: %v", f.Missing)
	}
	e.clean(t, false)
}

// tries runs f for every direction and version of IP, and every way that this kernel has of doing an effect. After each, nothing
// may be left.
func tries(t *testing.T, eff Effect, f func(t *testing.T, e ends, s *Space, d Direction, six bool)) {
	best := variants(t)["best"]
	for name, features := range variants(t) {
		var e ends
		var s *Space
		for _, d := range bothDirections {
			means, _, err := Means(eff, d, features)
			if usual, _, _ := Means(eff, d, best); name != "best" && means == usual && alike(means, features, best) {
				continue // it would be the same again
			}
			for _, six := range []bool{false, true} {
				version := "IPv4"
				if six {
					version = "IPv6"
				}
				if s == nil {
					e = newEnds(t)
					s = e.open(t, features)
				}
				t.Run(strings.Join([]string{name, means, string(d), version}, "/"), func(t *testing.T) {
					if err != nil {
						t.Skipf("this kernel cannot: %v", err)
					}
					f(t, e, s, d, six)
					e.clean(t, true)
				})
			}
		}
		if s != nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			e.clean(t, false)
		}
	}
}

// alike says whether something is done in the same way with these and with those features.
func alike(means string, a, b Features) bool {
	switch means {
	case ByNFQueue:
		return a.Dup == b.Dup && a.Compat == b.Compat
	case ByNetem, ByTBF:
		return a.Prio == b.Prio
	}
	return true
}

func TestPartition(t *testing.T) {
	together(t)
	eff := Effect{Kind: Partition}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		p := e.prepare(t, s, eff, Selector{Direction: d})
		f := e.flow(d, six, 50)
		f.until = 50
		if got := f.send(t); len(got) != 50 {
			t.Errorf("prepared, but %d of 50 packets came", len(got))
		}
		apply(t, p)
		if got := f.send(t); len(got) != 0 {
			t.Errorf("%d of 50 packets came through the partition", len(got))
		}
		c, err := p.Counts()
		if err != nil || c.Matched != 50 || c.Hit != 50 || c.MatchedBytes == 0 || c.HitBytes != c.MatchedBytes {
			t.Errorf("counted %+v, %v; want 50", c, err)
		}
		if !strings.Contains(ruleset(t, e.target), "table inet gameday") {
			t.Error("nft lists no table gameday")
		}
		undo(t, p)
		if got := f.send(t); len(got) != 50 {
			t.Errorf("undone, but %d of 50 packets came", len(got))
		}
	})
}

func TestLoss(t *testing.T) {
	together(t)
	const n = 5000
	eff := Effect{Kind: Loss, Percent: 20}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		p := e.prepare(t, s, eff, Selector{Direction: d})
		apply(t, p)
		got := e.flow(d, six, n).send(t)
		c := undo(t, p)
		lost := float64(n-len(got)) / n
		if math.Abs(lost-0.2) > 0.04 {
			t.Errorf("%.1f %% were lost, 20 were asked for", lost*100)
		}
		if c.Matched != n || c.Hit != uint64(n-len(got)) {
			t.Errorf("counted %+v, but %d of %d came", c, len(got), n)
		}
	})
}

func TestLatency(t *testing.T) {
	together(t)
	eff := Effect{Kind: Latency, Delay: 50 * time.Millisecond}
	peers := []netip.Prefix{netip.PrefixFrom(peer4, 32), netip.PrefixFrom(peer6, 64)}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		f := e.flow(d, six, 200)
		f.gap = time.Millisecond
		f.until, f.wait = f.count, 5*time.Second
		before := quantile(delays(f.send(t)), 0.5)
		p := e.prepare(t, s, eff, Selector{Direction: d, Peers: peers})
		apply(t, p)
		q := delays(f.send(t))
		// Machines that run tests are busy: how exact it is, is for the benchmark to say.
		if len(q) != 200 || q[0] < 49*time.Millisecond || !emulated && quantile(q, 0.5) > before+150*time.Millisecond {
			t.Errorf("%d of 200 packets came, after %v to %v, half of them after %v", len(q), quantile(q, 0), quantile(q, 1), quantile(q, 0.5))
		}
		if c := undo(t, p); c.Matched != 200 || c.Hit != 200 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestCorrelatedLoss(t *testing.T) {
	together(t)
	eff := Effect{Kind: Loss, Percent: 20, Correlation: 60}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		const n = 5000
		p := e.prepare(t, s, eff, Selector{Direction: d})
		apply(t, p)
		got := e.flow(d, six, n).send(t)
		c := undo(t, p)
		lost := float64(n-len(got)) / n
		if math.Abs(lost-0.2) > 0.06 {
			t.Errorf("%.1f %% were lost, 20 were asked for", lost*100)
		}
		if c.Matched != n || c.Hit != uint64(n-len(got)) {
			t.Errorf("counted %+v, but %d of %d came", c, len(got), n)
		}
		// Losses come in bursts: after a lost packet the next is lost with 0.6 + 0.4 × 0.2.
		came := make([]bool, n)
		for _, a := range got {
			came[a.number] = true
		}
		both, lostOnes := 0, 0
		for i := 1; i < n; i++ {
			if !came[i-1] {
				lostOnes++
				if !came[i] {
					both++
				}
			}
		}
		if share := float64(both) / float64(lostOnes); math.Abs(share-0.68) > 0.08 {
			t.Errorf("after a lost packet, %.2f of the next were lost; want 0.68", share)
		}
	})
}

func TestCorrupt(t *testing.T) {
	together(t)
	eff := Effect{Kind: Corrupt, Percent: 25}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		const n = 1000
		f := e.flow(d, six, n)
		f.size = 1000
		name := "UdpInCsumErrors"
		if six {
			name = "Udp6InCsumErrors"
		}
		before := e.kernelCounter(t, f.to, name)
		p := e.prepare(t, s, eff, Selector{Direction: d})
		apply(t, p)
		got := f.send(t)
		c := undo(t, p)
		// The receiver's checksum finds them out: to a program they are lost. netem changes bits of the headers too, some of which do no
		// harm, and some of which are found out by others.
		lost := float64(n-len(got)) / n
		if math.Abs(lost-0.25) > 0.07 {
			t.Errorf("%.1f %% did not come, 25 were asked for", lost*100)
		}
		if c.Matched != n || math.Abs(float64(c.Hit)-float64(n-len(got))) > 15 {
			t.Errorf("counted %+v, but %d of %d came", c, len(got), n)
		}
		if found := float64(e.kernelCounter(t, f.to, name) - before); found < 0.85*float64(c.Hit) || found > float64(c.Hit) {
			t.Errorf("the receiver found %v wrong checksums, %d packets were corrupted", found, c.Hit)
		}
	})
}

func TestDuplicate(t *testing.T) {
	together(t)
	eff := Effect{Kind: Duplicate, Percent: 25}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		const n = 1000
		p := e.prepare(t, s, eff, Selector{Direction: d})
		apply(t, p)
		got := e.flow(d, six, n).send(t)
		c := undo(t, p)
		seen := map[uint32]int{}
		for _, a := range got {
			seen[a.number]++
		}
		twice := 0
		for _, times := range seen {
			if times == 2 {
				twice++
			} else if times > 2 {
				t.Errorf("a packet came %d times", times)
			}
		}
		if len(seen) != n || math.Abs(float64(twice)/n-0.25) > 0.07 {
			t.Errorf("%d of %d came, %d of them twice; 25 %% were asked for", len(seen), n, twice)
		}
		if c.Matched != n || c.Hit != uint64(twice) {
			t.Errorf("counted %+v, but %d came twice", c, twice)
		}
	})
}

// A netem that duplicates is refused in words beside another, by kernels that do so, and leaves the other as it was.
func TestDuplicateBesideNetem(t *testing.T) {
	together(t)
	duplicate := Effect{Kind: Duplicate, Percent: 50, Correlation: 10}
	best := variants(t)["best"]
	for _, d := range bothDirections {
		if means, _, _ := Means(duplicate, d, best); means != ByNetem {
			t.Skip("this kernel has no netem")
		}
		e := newEnds(t)
		s := e.open(t, best)
		slow := e.prepare(t, s, Effect{Kind: Latency, Delay: 20 * time.Millisecond}, Selector{Direction: d})
		apply(t, slow)
		in(t, e.target, func() {
			p, err := s.Prepare("beside", []Selector{{Direction: d}}, duplicate)
			if err == nil {
				err = p.Undo() // an older kernel
			} else if strings.Contains(err.Error(), "beside a netem that duplicates") {
				err = nil
			}
			if err != nil {
				t.Error(err)
			}
		})
		if q := delays(e.flow(d, false, 20).send(t)); len(q) != 20 || q[0] < 20*time.Millisecond {
			t.Errorf("%s: %d of 20 packets came, the first after %v", d, len(q), quantile(q, 0))
		}
		undo(t, slow)
		p := e.prepare(t, s, duplicate, Selector{Direction: d})
		apply(t, p)
		if got := e.flow(d, false, 200).send(t); len(got) <= 200 {
			t.Errorf("%s: of 200 packets %d came", d, len(got))
		}
		undo(t, p)
		e.clean(t, true)
	}
}

func TestReorder(t *testing.T) {
	together(t)
	for _, correlation := range []float64{0, 50} {
		eff := Effect{Kind: Reorder, Percent: 20, Delay: 100 * time.Millisecond, Correlation: correlation}
		tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
			const n = 500
			f := e.flow(d, six, n)
			f.gap = time.Millisecond
			f.until, f.wait = n, 5*time.Second
			before := quantile(delays(f.send(t)), 0.5)
			p := e.prepare(t, s, eff, Selector{Direction: d})
			apply(t, p)
			got := f.send(t)
			c := undo(t, p)
			overtaken, last := 0, uint32(0)
			for _, a := range got {
				if a.number < last {
					overtaken++
				}
				last = max(last, a.number)
			}
			if len(got) != n || math.Abs(float64(overtaken)/n-0.2) > 0.12 {
				t.Errorf("%d of %d came, %d were overtaken; 20 %% were asked for", len(got), n, overtaken)
			}
			if q := delays(got); !emulated && quantile(q, 0.5) > before+90*time.Millisecond || q[len(q)-1] < 100*time.Millisecond {
				t.Errorf("half of the packets took %v, the slowest %v; want few of them held, by 100ms", quantile(q, 0.5), q[len(q)-1])
			}
			if c.Matched != n || math.Abs(float64(c.Hit)/n-0.2) > 0.12 {
				t.Errorf("counted %+v", c)
			}
		})
	}
}

func TestRate(t *testing.T) {
	together(t)
	eff := Effect{Kind: Rate, Rate: 4_000_000}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		p := e.prepare(t, s, eff, Selector{Direction: d, Ports: []Ports{{7000, 7000}}})
		apply(t, p)
		// Twice as much as passes is sent for a second.
		f := e.flow(d, six, 1000)
		f.gap = time.Millisecond
		f.size = 1000
		got := f.send(t)
		c := undo(t, p)
		// The first come at once. More than the queue takes is dropped, or the sender waits.
		frame := float64(f.size+8+20+14) * 8
		if six {
			frame += 20 * 8
		}
		span := got[len(got)-1].at - got[10].at
		if rate := float64(len(got)-11) * frame / span.Seconds(); rate > 1.15*4e6 || rate < 0.85*4e6 && !emulated {
			t.Errorf("%d of 1000 packets came, at %.2f Mbit/s; 4 were asked for", len(got), rate/1e6)
		}
		if c.Matched != 1000 || c.Hit == 0 && !emulated || c.Hit > 1000 {
			t.Errorf("counted %+v", c)
		}

		wide := e.prepare(t, s, Effect{Kind: Rate, Rate: 1_000_000_000}, Selector{Direction: d, Protocol: "udp"})
		apply(t, wide)
		if got := e.flow(d, six, 20).send(t); len(got) != 20 {
			t.Errorf("through a wide line, %d of 20 came", len(got))
		}
		if c := undo(t, wide); c.Hit != 0 || c.Matched != 20 {
			t.Errorf("nothing had to wait, and counted is %+v", c)
		}
	})
}

// What a fault does not name goes its way, at once.
func TestSelectors(t *testing.T) {
	together(t)
	prefix := func(a netip.Addr) []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())} }
	tests := []struct {
		name string
		sel  Selector
		hit  map[string]bool // of the flows below
	}{
		{"everything", Selector{}, map[string]bool{"4": true, "4 other": true, "4 port": true, "6": true, "6 other": true}},
		{"an IPv4 peer", Selector{Peers: prefix(peer4)}, map[string]bool{"4": true, "4 port": true}},
		{"an IPv6 peer", Selector{Peers: prefix(peer6)}, map[string]bool{"6": true}},
		{"a network", Selector{Peers: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/31"), netip.MustParsePrefix("fd77::2/127")}}, map[string]bool{"4": true, "4 other": true, "4 port": true, "6": true, "6 other": true}},
		{"a network, its end", Selector{Peers: []netip.Prefix{netip.MustParsePrefix("10.77.0.0/31"), netip.MustParsePrefix("fd77::/127")}}, map[string]bool{}},
		{"all of IPv4", Selector{Peers: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, map[string]bool{"4": true, "4 other": true, "4 port": true}},
		{"all of IPv6", Selector{Peers: []netip.Prefix{netip.MustParsePrefix("::/0")}}, map[string]bool{"6": true, "6 other": true}},
		{"TCP", Selector{Protocol: "tcp"}, map[string]bool{}},
		{"ICMP", Selector{Protocol: "icmp"}, map[string]bool{}},
		{"a port", Selector{Protocol: "udp", Ports: []Ports{{7100, 7100}}}, map[string]bool{"4 port": true}},
		{"local ports", Selector{Ports: []Ports{{40000, 40004}}}, map[string]bool{"4": true, "4 other": true, "4 port": true, "6": true, "6 other": true}},
		{"ports of TCP", Selector{Protocol: "tcp", Ports: []Ports{{7000, 7200}}}, map[string]bool{}},
		{"ranges of ports", Selector{Ports: []Ports{{1, 6999}, {7002, 7100}}}, map[string]bool{"4 port": true}},
		{"peers and ports", Selector{Peers: append(prefix(peer4), prefix(other6)...), Ports: []Ports{{7000, 7001}, {9, 9}}}, map[string]bool{"4": true, "6 other": true}},
	}
	e := newEnds(t)
	s := e.open(t, variants(t)["best"])
	// One effect whose rules are in the family inet, one that takes incoming packets in the family netdev, one in ip and ip6.
	for _, eff := range []Effect{{Kind: Partition}, {Kind: Rate, Rate: 1_000_000}, {Kind: Duplicate, Percent: 100}} {
		for _, d := range bothDirections {
			if _, _, err := Means(eff, d, variants(t)["best"]); err != nil {
				continue
			}
			flows := map[string]flow{"4": e.flow(d, false, 5), "4 other": e.flow(d, false, 5), "4 port": e.flow(d, false, 5), "6": e.flow(d, true, 5), "6 other": e.flow(d, true, 5)}
			ports := map[string]uint16{"4": 7000, "4 other": 7001, "4 port": 7100, "6": 7000, "6 other": 7001}
			local := uint16(40000)
			for name, f := range flows {
				f.src, f.dst = netip.AddrPortFrom(f.src.Addr(), local), netip.AddrPortFrom(f.dst.Addr(), ports[name])
				local++
				f.size = 100
				f.wait = 100 * time.Millisecond
				end := &f.dst
				if d == Ingress {
					end = &f.src
				}
				switch name {
				case "4 other":
					*end = netip.AddrPortFrom(other4, end.Port())
				case "6 other":
					*end = netip.AddrPortFrom(other6, end.Port())
				}
				flows[name] = f
			}
			for _, tt := range tests {
				tt.sel.Direction = d
				p := e.prepare(t, s, eff, tt.sel)
				apply(t, p)
				want := func(flow string) int {
					switch {
					case tt.hit[flow] && eff.Kind == Partition:
						return 0
					case tt.hit[flow] && eff.Kind == Duplicate:
						return 10
					}
					return 5
				}
				came := map[string]int{}
				var mu sync.Mutex
				var all sync.WaitGroup
				for name, f := range flows {
					if n := want(name); n > 0 {
						// What is to come is waited for, however busy the machine is. That no more comes is what the counts are for.
						f.until, f.wait = n, 5*time.Second
					}
					all.Go(func() {
						n := len(f.send(t))
						mu.Lock()
						came[name] = n
						mu.Unlock()
					})
				}
				all.Wait()
				for name := range flows {
					if came[name] != want(name) {
						t.Errorf("%s, %s, %s, flow %q: %d packets came; want %d", eff.Kind, d, tt.name, name, came[name], want(name))
					}
				}
				if c, err := p.Counts(); err != nil || c.Matched != uint64(5*len(tt.hit)) || c.Hit != c.Matched && eff.Kind != Rate {
					t.Errorf("%s, %s, %s: counted %+v, %v; want %d", eff.Kind, d, tt.name, c, err, 5*len(tt.hit))
				}
				undo(t, p)
			}
			e.clean(t, true)
		}
	}
}

// Packets that are held when a fault is undone are let go, not lost, and new ones are free at once.
func TestUndoReleasesHeldPackets(t *testing.T) {
	together(t)
	eff := Effect{Kind: Latency, Delay: 3 * time.Second}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		p := e.prepare(t, s, eff, Selector{Direction: d})
		apply(t, p)
		time.AfterFunc(500*time.Millisecond, func() {
			if err := p.Undo(); err != nil {
				t.Error(err)
			}
		})
		f := e.flow(d, six, 200)
		f.gap = 5 * time.Millisecond
		f.wait = 4 * time.Second
		f.until = f.count
		got := f.send(t)
		if len(got) != f.count {
			t.Errorf("%d of %d packets came", len(got), f.count)
		}
		late := 0
		for _, a := range got {
			if a.number > 150 && a.after > 200*time.Millisecond {
				late++
			}
		}
		if late > 0 && !emulated {
			t.Errorf("%d packets that were sent after the undo were late", late)
		}
		if c := undo(t, p); c.Hit > c.Matched || !emulated && (c.Matched < 50 || c.Matched > 150 || c.Hit+5 < c.Matched) {
			t.Errorf("counted %+v; want about 100, and all but the very last hit", c)
		}
	})
}

// Faults overlap, and one is undone while another holds packets: those are not lost by it.
func TestOverlap(t *testing.T) {
	together(t)
	e := newEnds(t)
	s := e.open(t, variants(t)["best"])
	slow := e.prepare(t, s, Effect{Kind: Latency, Delay: 300 * time.Millisecond}, Selector{Direction: Ingress, Protocol: "udp"})
	cut := e.prepare(t, s, Effect{Kind: Partition}, Selector{Direction: Ingress, Protocol: "tcp"})
	loss := e.prepare(t, s, Effect{Kind: Loss, Percent: 50}, Selector{Direction: Ingress, Protocol: "udp"})
	apply(t, slow)
	apply(t, cut)
	go func() {
		time.Sleep(200 * time.Millisecond)
		if err := cut.Undo(); err != nil {
			t.Error(err)
		}
	}()
	f := e.flow(Ingress, false, 200)
	f.gap = 2 * time.Millisecond
	f.wait = time.Second
	f.until = f.count
	got := f.send(t)
	if q := delays(got); len(q) != 200 || q[0] < 299*time.Millisecond {
		t.Errorf("%d of 200 packets came, the first after %v", len(q), quantile(q, 0))
	}
	apply(t, loss)
	got = f.send(t)
	if q := delays(got); len(q) < 60 || len(q) > 140 || q[0] < 299*time.Millisecond {
		t.Errorf("with loss: %d of 200 packets came, the first after %v", len(q), quantile(q, 0))
	}
	undo(t, loss)
	undo(t, slow)
	undo(t, cut)
	e.clean(t, true)
}

func TestForeignQdisc(t *testing.T) {
	together(t)
	e := newEnds(t)
	s := e.open(t, variants(t)["best"])
	run(t, "tc", "-n", e.target, "qdisc", "add", "dev", "eth0", "root", "handle", "5:", "tbf", "rate", "1gbit", "burst", "64kb", "latency", "50ms")
	before := run(t, "tc", "-n", e.target, "qdisc", "show")
	in(t, e.target, func() {
		_, err := s.Prepare("x", []Selector{{Direction: Egress}}, Effect{Kind: Rate, Rate: 1_000_000})
		if err == nil || !strings.Contains(err.Error(), "eth0 has a qdisc already, tbf 5:") {
			t.Errorf("a rate on top of another qdisc: %v", err)
		}
	})
	p := e.prepare(t, s, Effect{Kind: Rate, Rate: 1_000_000}, Selector{Direction: Ingress})
	apply(t, p)
	undo(t, p)
	if after := run(t, "tc", "-n", e.target, "qdisc", "show"); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

// The device for incoming packets must not look like a network.
func TestIFBHasNoAddress(t *testing.T) {
	together(t)
	e := newEnds(t)
	s := e.open(t, variants(t)["best"])
	p := e.prepare(t, s, Effect{Kind: Rate, Rate: 1_000_000}, Selector{Direction: Ingress})
	time.Sleep(100 * time.Millisecond)
	if a := run(t, "ip", "-n", e.target, "-o", "addr", "show", "dev", ifbName); strings.Contains(a, "inet") {
		t.Errorf("it has an address: %s", a)
	}
	if r := run(t, "ip", "-n", e.target, "-6", "route", "show", "table", "all"); strings.Contains(r, ifbName) {
		t.Errorf("it has routes:\n%s", r)
	}
	if err := p.Undo(); err != nil { // without Apply
		t.Error(err)
	}
	e.clean(t, true)
}
