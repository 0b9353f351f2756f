package netfault

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAttributes(t *testing.T) {
	b := cat(str(1, "ab"), be16(2, 0x1234), nest(3, be32(4, 5), attr(7, nil)))
	want := []byte{
		7, 0, 1, 0, 'a', 'b', 0, 0,
		6, 0, 2, 0, 0x12, 0x34, 0, 0,
		16, 0, 3, 0x80, 8, 0, 4, 0, 0, 0, 0, 5, 4, 0, 7, 0,
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && !bytes.Equal(b, want) {
		t.Errorf("got % x, want % x", b, want)
	}
	if attrString(b, 1) != "ab" {
		t.Errorf("a string reads as %q", attrString(b, 1))
	}
	if v, ok := findAttr(b, 3, 4); !ok || binary.BigEndian.Uint32(v) != 5 {
		t.Errorf("a nested attribute reads as % x, %v", v, ok)
	}
	if _, ok := findAttr(b, 3, 9); ok {
		t.Error("an attribute was found that is not there")
	}
	// What is cut short is not read beyond its end.
	for n := range b {
		eachAttr(b[:n], func(uint16, []byte) {})
	}
	eachAttr([]byte{0, 0, 0, 0}, func(uint16, []byte) { t.Error("an attribute of no length was read") })
}

func TestShare(t *testing.T) {
	for percent, want := range map[float64]uint32{0.0001: 1, 0.01: 100, 0.004: 40, 50: 500_000, 99.9999: 999_999} {
		if got := millionths(percent); got != want {
			t.Errorf("%v %%: %d millionths, want %d", percent, got, want)
		}
	}
	if share(100) != nil {
		t.Error("all packets are drawn from")
	}
	if got := probability(100); got != math.MaxUint32 {
		t.Errorf("100 %% are %d", got)
	}
	if got := probability(50); got != 1<<31 {
		t.Errorf("50 %% are %d", got)
	}
}

func TestLine(t *testing.T) {
	var l line
	random := rand.New(rand.NewPCG(1, 2))
	in, out := uint32(0), uint32(0)
	last := time.Duration(0)
	for now := time.Duration(0); now < 10_000; now++ {
		for range random.IntN(4) {
			in++
			l.push(in, now+time.Duration(random.IntN(300)))
		}
		for {
			due, _ := l.next()
			id, ok := l.pop(now)
			if !ok {
				break
			}
			out++
			if id != out || due < last || due > now {
				t.Fatalf("packet %d left instead of %d, due at %d after %d, now %d", id, out, due, last, now)
			}
			last = due
		}
	}
	if l.n != int(in-out) || in < 10_000 {
		t.Errorf("%d came, %d left, %d are held", in, out, l.n)
	}
}

// The share is kept whatever the correlation is, and the correlation is what it says.
func TestChooser(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, c := range []float64{0, 0.25, 0.9} {
		choose := chooser{share: 0.1, correlation: c}
		const n = 400_000
		drawn, after, both := 0, 0, 0
		before := false
		for range n {
			now := choose.draw(random)
			if now {
				drawn++
			}
			if before {
				after++
				if now {
					both++
				}
			}
			before = now
		}
		if got := float64(drawn) / n; math.Abs(got-0.1) > 0.01 {
			t.Errorf("correlation %v: a share of %.3f, want 0.1", c, got)
		}
		if got, want := float64(both)/float64(after), c+(1-c)*0.1; math.Abs(got-want) > 0.02 {
			t.Errorf("correlation %v: %.3f of the next, want %.3f", c, got, want)
		}
	}
}

func TestSpread(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	s := spread{delay: 50, jitter: 20}
	low, high, sum := time.Duration(1000), time.Duration(0), time.Duration(0)
	for range 10_000 {
		d := s.draw(random)
		low, high, sum = min(low, d), max(high, d), sum+d
	}
	if low < 30 || low > 31 || high > 70 || high < 69 || sum < 490_000 || sum > 510_000 {
		t.Errorf("50 ± 20 was %d to %d, %d on the whole", low, high, sum)
	}
}

func TestFlipBit(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	udp4 := append([]byte{0x45, 9: 17, 27: 0}, bytes.Repeat([]byte{0}, 10)...)
	tcp6 := append([]byte{0x60, 6: 6, 39: 0}, append([]byte{12: 0x50, 19: 0}, 1, 2, 3)...)
	tests := []struct {
		name   string
		packet []byte
		from   int
	}{
		{"UDP", udp4, 28},
		{"TCP over IPv6", tcp6, 60},
		{"UDP without payload", udp4[:28], 20},
		{"a header alone", udp4[:20], 0},
		{"a header cut short", udp4[:10], 0},
		{"one byte", []byte{0x45}, 0},
		{"nothing that is known", []byte{0xff, 1, 2}, 0},
	}
	for _, tt := range tests {
		for range 200 {
			got := bytes.Clone(tt.packet)
			flipBit(got, random)
			changed := 0
			for i := range got {
				for x := got[i] ^ tt.packet[i]; x != 0; x &= x - 1 {
					changed++
					if i < tt.from {
						t.Fatalf("%s: byte %d was changed, want none before %d", tt.name, i, tt.from)
					}
				}
			}
			if changed != 1 {
				t.Fatalf("%s: %d bits were changed", tt.name, changed)
			}
		}
	}
	flipBit(nil, random)
}

func TestTBF(t *testing.T) {
	for _, bits := range []uint64{MinRate, 200_000, 1_000_000, 1_000_000_000, MaxRate} {
		options := tbf(bits, 1500).options
		opt, _ := findAttr(options, tbfParams)
		rate, _ := findAttr(options, tbfRate64)
		burst, _ := findAttr(options, tbfBurst)
		if len(opt) != 36 || native.Uint64(rate) != bits/8 {
			t.Errorf("%d bit/s: %d bytes of options, a rate of %d bytes/s", bits, len(opt), native.Uint64(rate))
		}
		limit, b := native.Uint32(opt[24:]), native.Uint32(burst)
		if b < 2*1514 || limit < b || limit < 32<<10 {
			t.Errorf("%d bit/s: a burst of %d and a limit of %d bytes", bits, b, limit)
		}
	}
}

func TestNetem(t *testing.T) {
	l := netem(Effect{Kind: Latency, Delay: 100 * time.Millisecond, Jitter: 64 * time.Microsecond})
	opt := []byte(l.options)
	if delay, jitter := native.Uint32(opt), native.Uint32(opt[20:]); delay != 1_562_500 || jitter != 1000 {
		t.Errorf("100 ms and 64 µs are %d and %d ticks", delay, jitter)
	}
	delay, _ := findAttr(opt[24:], netemLatency64)
	if native.Uint64(delay) != 100_000_000 {
		t.Errorf("100 ms are %d ns", native.Uint64(delay))
	}
	ge, ok := findAttr(netem(Effect{Kind: Loss, Percent: 10, Correlation: 50}).options[24:], netemLoss, netemLossGE)
	if !ok || native.Uint32(ge) != probability(5) || native.Uint32(ge[4:]) != probability(45) || native.Uint64(ge[8:]) != 0 {
		t.Errorf("10 %% of loss with a correlation of 50 %% is % x", ge)
	}
}

func TestChecks(t *testing.T) {
	all := Features{NFT: true, Owner: true, Numgen: true, Reject: true, NFQueue: true, Dup: true, Forward: true, Netem: true, TBF: true, Prio: true, IFB: true}
	tests := []struct {
		effect Effect
		want   string // part of the error
	}{
		{Effect{}, `no network effect ""`},
		{Effect{Kind: "slow"}, `no network effect "slow"`},
		{Effect{Kind: Latency}, "needs a delay"},
		{Effect{Kind: Latency, Delay: time.Second, Jitter: 2 * time.Second}, "cannot arrive before"},
		{Effect{Kind: Latency, Delay: time.Hour}, "outside 0 to 1m0s"},
		{Effect{Kind: Latency, Delay: -1, Jitter: -1}, "needs a delay"},
		{Effect{Kind: Loss}, "0 % is outside 0.0001 to 100"},
		{Effect{Kind: Loss, Percent: 100.1}, "outside"},
		{Effect{Kind: Loss, Percent: math.NaN()}, "outside"},
		{Effect{Kind: Loss, Percent: 1, Correlation: 100}, "correlation of 100 %"},
		{Effect{Kind: Loss, Percent: 1, Correlation: math.NaN()}, "correlation of NaN %"},
		{Effect{Kind: Partition, Correlation: 1}, "knows no correlation"},
		{Effect{Kind: Rate, Rate: 1}, "a rate of 1 bit/s"},
		{Effect{Kind: Reject, Reject: "politely"}, `not with "politely"`},
	}
	for _, tt := range tests {
		if _, _, err := Means(tt.effect, Egress, all); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v; want %q", tt.effect, err, tt.want)
		}
	}
	selectors := []struct {
		selector Selector
		want     string
	}{
		{Selector{}, `not ""`},
		{Selector{Direction: "both"}, `not "both"`},
		{Selector{Direction: Egress, Protocol: "sctp"}, `no protocol "sctp"`},
		{Selector{Direction: Egress, Protocol: "icmp", Ports: []Ports{{1, 2}}}, "icmp knows no ports"},
		{Selector{Direction: Egress, Ports: []Ports{{2, 1}}}, "2 to 1 is no range"},
		{Selector{Direction: Egress, Ports: []Ports{{0, 1}}}, "0 to 1 is no range"},
		{Selector{Direction: Egress, Peers: []netip.Prefix{{}}}, "no valid network"},
		{Selector{Direction: Egress, Peers: []netip.Prefix{netip.MustParsePrefix("::ffff:1.2.3.4/128")}}, "write it as IPv4"},
	}
	for _, tt := range selectors {
		if err := tt.selector.check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v; want %q", tt.selector, err, tt.want)
		}
	}
}

// lacks are the features of a kernel that can do everything but some.
func lacks(keys ...string) Features {
	f := Features{NFT: true, Owner: true, Numgen: true, Reject: true, RejectIngress: true, NFQueue: true, Dup: true, Forward: true, Netem: true, TBF: true, Prio: true, HTB: true, IFB: true, Missing: map[string]string{}}
	for _, k := range keys {
		f.Missing[k] = "no " + k + " here"
		*map[string]*bool{"nft": &f.NFT, "owner": &f.Owner, "numgen": &f.Numgen, "reject": &f.Reject, "reject ingress": &f.RejectIngress, "nfqueue": &f.NFQueue, "dup": &f.Dup,
			"forward": &f.Forward, "netem": &f.Netem, "tbf": &f.TBF, "prio": &f.Prio, "htb": &f.HTB, "ifb": &f.IFB}[k] = false
	}
	return f
}

func TestMeans(t *testing.T) {
	var (
		latency    = Effect{Kind: Latency, Delay: time.Second}
		loss       = Effect{Kind: Loss, Percent: 10}
		correlated = Effect{Kind: Loss, Percent: 10, Correlation: 10}
		corrupt    = Effect{Kind: Corrupt, Percent: 10}
		duplicate  = Effect{Kind: Duplicate, Percent: 10}
		reorder    = Effect{Kind: Reorder, Percent: 10, Correlation: 10}
		rate       = Effect{Kind: Rate, Rate: 1_000_000}
		cut        = Effect{Kind: Partition}
		reject     = Effect{Kind: Reject, Reject: RejectTCPReset}
	)
	tests := []struct {
		effect    Effect
		direction Direction
		features  Features
		want      string // the means, or part of the error
		warning   string // part of it
	}{
		{cut, Egress, lacks(), ByNFTables, ""},
		{cut, Egress, lacks("nft"), "no nft here", ""},
		{cut, Egress, lacks("owner"), ByNFTables, "no owner here"},
		{cut, Egress, lacks("nfqueue"), ByNFTables, "operation not permitted"},
		{cut, Ingress, lacks("nfqueue"), ByNFTables, ""},
		{reject, Ingress, lacks(), ByNFTables, ""},
		{reject, Ingress, lacks("reject"), "no reject here", ""},
		{reject, Ingress, lacks("reject ingress"), "no reject ingress here", ""},
		{reject, Egress, lacks("reject ingress"), ByNFTables, ""},
		{loss, Egress, lacks("netem"), ByNFTables, ""},
		{loss, Egress, lacks("numgen"), "no numgen here", ""},
		{correlated, Egress, lacks(), ByNetem, ""},
		{correlated, Ingress, lacks("ifb"), ByNFQueue, ""},
		{correlated, Egress, lacks("netem", "nfqueue"), "no netem here", ""},
		{latency, Egress, lacks(), ByNetem, ""},
		{latency, Egress, lacks("prio"), ByNetem, ""},
		{latency, Egress, lacks("prio", "htb"), ByNFQueue, "send buffer"},
		{latency, Egress, lacks("netem"), ByNFQueue, "send buffer"},
		{latency, Egress, lacks("netem", "dup"), ByNFQueue, "bulk throughput of TCP"},
		{latency, Ingress, lacks("netem"), ByNFQueue, ""},
		{latency, Ingress, lacks("forward"), ByNFQueue, ""},
		{latency, Ingress, lacks("netem", "nfqueue"), "no nfqueue here", ""},
		{corrupt, Ingress, lacks(), ByNetem, ""},
		{corrupt, Egress, lacks("netem"), ByNFQueue, ""},
		{reorder, Egress, lacks(), ByNFQueue, "bulk throughput of TCP"},
		{reorder, Egress, lacks("nfqueue"), ByNetem, "lower than what was asked for"},
		{duplicate, Ingress, lacks("netem"), ByNFTables, ""},
		{duplicate, Ingress, lacks("dup"), ByNetem, "no other netem"},
		{duplicate, Ingress, lacks("dup", "netem"), "no dup here", ""},
		{Effect{Kind: Duplicate, Percent: 10, Correlation: 5}, Egress, lacks(), ByNetem, "fewer packets"},
		{Effect{Kind: Duplicate, Percent: 10, Correlation: 5}, Egress, lacks("netem"), "without a correlation, it needs no netem", ""},
		{rate, Egress, lacks(), ByTBF, ""},
		{rate, Egress, lacks("tbf"), "no tbf here", ""},
		{rate, Ingress, lacks("ifb"), "no ifb here", ""},
		{rate, Ingress, lacks("prio"), ByTBF, ""},
		{rate, Egress, lacks("prio", "htb"), "no prio here", ""},
	}
	for _, tt := range tests {
		means, warning, err := Means(tt.effect, tt.direction, tt.features)
		got := means
		if err != nil {
			got = err.Error()
		}
		if (err == nil) != (got == tt.want) || !strings.Contains(got, tt.want) {
			t.Errorf("%s, %s without %v: %s; want %s", tt.effect.Kind, tt.direction, tt.features.Missing, got, tt.want)
		}
		if !strings.Contains(warning, tt.warning) || tt.warning == "" && warning != "" {
			t.Errorf("%s, %s without %v: the warning %q; want %q", tt.effect.Kind, tt.direction, tt.features.Missing, warning, tt.warning)
		}
	}
}

// One fault has one means for all its directions, and the plan takes the same as who prepares it.
func TestMeansForAll(t *testing.T) {
	both := []Direction{Egress, Ingress}
	latency, duplicate := Effect{Kind: Latency, Delay: time.Second}, Effect{Kind: Duplicate, Percent: 10}
	for _, tt := range []struct {
		effect   Effect
		lacks    []string
		want     string // the means, or part of the error
		warnings int
	}{
		{latency, nil, ByNetem, 0},
		{latency, []string{"ifb"}, ByNFQueue, 1},
		{latency, []string{"forward"}, ByNFQueue, 1},
		{latency, []string{"ifb", "nfqueue"}, "no nfqueue here", 0},
		{Effect{Kind: Loss, Percent: 10, Correlation: 10}, []string{"ifb"}, ByNFQueue, 0},
		{Effect{Kind: Corrupt, Percent: 10}, []string{"ifb"}, ByNFQueue, 0},
		{Effect{Kind: Rate, Rate: 1_000_000}, []string{"ifb"}, "no ifb here", 0},
		{duplicate, []string{"ifb"}, ByNFTables, 0},
		{duplicate, []string{"ifb", "dup"}, "no ifb here", 0},
	} {
		means, warnings, err := MeansForAll(tt.effect, both, lacks(tt.lacks...))
		if got := means; err == nil && got != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s without %v: %q, %v; want %q", tt.effect.Kind, tt.lacks, means, err, tt.want)
		}
		if len(warnings) != tt.warnings {
			t.Errorf("%s without %v: the warnings %q", tt.effect.Kind, tt.lacks, warnings)
		}
	}
}

// Features go to another process as JSON.
func TestFeaturesAsJSON(t *testing.T) {
	f := Features{Kernel: "6.1", NFT: true, HTB: true, Missing: map[string]string{"netem": "x"}}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var g Features
	if err := json.Unmarshal(b, &g); err != nil || g.Kernel != f.Kernel || !g.NFT || !g.HTB || g.Netem || g.Missing["netem"] != "x" {
		t.Errorf("%s reads as %+v, %v", b, g, err)
	}
}

// A fault that sees one version of IP has tables for that one only.
func TestRules(t *testing.T) {
	six := Selector{Direction: Egress, Peers: []netip.Prefix{netip.MustParsePrefix("fd00::/8")}}
	if six.seenBy(unix.NFPROTO_IPV4) || !six.seenBy(unix.NFPROTO_IPV6) || !six.seenBy(unix.NFPROTO_INET) {
		t.Error("an IPv6 peer is seen by the wrong tables")
	}
	count := func(sel Selector) int {
		part := plan{name: "f1_x.out", number: 1, family: unix.NFPROTO_INET, direction: Egress, selectors: []Selector{sel}, kind: Partition, hit: []rule{{drop()}}}.build()
		n := 0
		for _, m := range part.make {
			if m.typ == unix.NFT_MSG_NEWRULE {
				n++
			}
		}
		return n
	}
	var peers []netip.Prefix
	for i := range 50 {
		peers = append(peers, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32))
	}
	base := count(Selector{})
	if got := count(Selector{Peers: peers}); got != base+49 {
		t.Errorf("50 peers take %d rules instead of %d", got, base+49)
	}
	// The lists are gone through one after the other, not each with each.
	if got := count(Selector{Peers: peers, Ports: []Ports{{1, 1}, {2, 2}}}); got != base+49+8 {
		t.Errorf("50 peers and 2 ports of 2 protocols take %d rules instead of %d", got, base+49+8)
	}
}
