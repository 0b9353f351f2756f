package netfault

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// echoServer answers what it is sent over TCP, in the peer's namespace, until the test ends.
func (e ends) echoServer(t testing.TB, ns string, at netip.AddrPort) {
	t.Helper()
	var l net.Listener
	in(t, ns, func() {
		var err error
		if l, err = net.Listen("tcp", at.String()); err != nil {
			t.Error(err)
		}
	})
	if l == nil {
		t.FailNow()
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
}

func connect(t testing.TB, ns string, to netip.AddrPort, limit time.Duration) (c net.Conn, err error) {
	t.Helper()
	in(t, ns, func() { c, err = net.DialTimeout("tcp", to.String(), limit) })
	return c, err
}

// talk sends a word and reads it back.
func talk(c net.Conn, limit time.Duration) error {
	c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

func TestRejectReset(t *testing.T) {
	together(t)
	eff := Effect{Kind: Reject, Reject: RejectTCPReset}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		f := e.flow(d, six, 10)
		at, elsewhere := f.dst, netip.AddrPortFrom(f.dst.Addr(), 7001)
		e.echoServer(t, f.to, at)
		e.echoServer(t, f.to, elsewhere)
		old, err := connect(t, f.from, at, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		if err := talk(old, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		p := e.prepare(t, s, eff, Selector{Direction: d, Ports: []Ports{{7000, 7000}}})
		apply(t, p)
		if c, err := connect(t, f.from, at, 10*time.Second); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("a new connection: %v; want it refused", err)
			if c != nil {
				c.Close()
			}
		}
		if err := talk(old, 10*time.Second); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("an existing connection: %v; want it reset", err)
		}
		if c, err := connect(t, f.from, elsewhere, 10*time.Second); err != nil {
			t.Errorf("another port: %v", err)
		} else {
			if err := talk(c, 10*time.Second); err != nil {
				t.Errorf("another port: %v", err)
			}
			c.Close()
		}
		if got := f.send(t); len(got) != 10 {
			t.Errorf("%d of 10 packets of UDP came; a reset is for TCP", len(got))
		}
		if c := undo(t, p); c.Hit < 2 || c.Matched != c.Hit {
			t.Errorf("counted %+v; want at least 2", c)
		}
		if c, err := connect(t, f.from, at, 10*time.Second); err != nil {
			t.Errorf("undone, but a new connection: %v", err)
		} else {
			c.Close()
		}
	})
}

func TestRejectICMP(t *testing.T) {
	together(t)
	eff := Effect{Kind: Reject, Reject: RejectICMP}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		p := e.prepare(t, s, eff, Selector{Direction: d, Protocol: "udp"})
		apply(t, p)
		f := e.flow(d, six, 1)
		in(t, f.from, func() {
			c, err := net.Dial("udp", f.dst.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			for range 2 {
				if _, err = c.Write([]byte("hello")); err != nil && !errors.Is(err, unix.EPERM) {
					break
				}
				if _, err = c.Read(make([]byte, 10)); err != nil {
					break
				}
			}
			if !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("a datagram: %v; want it refused", err)
			}
		})
		if c := undo(t, p); c.Hit < 1 {
			t.Errorf("counted %+v", c)
		}
	})
}

// Loopback and the namespace's own addresses, which go over it, are left alone, whatever a fault says.
func TestLoopbackIsLeftAlone(t *testing.T) {
	together(t)
	e := newEnds(t)
	s := e.open(t, variants(t)["best"])
	for _, at := range []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7000"), netip.MustParseAddrPort("[::1]:7000"), netip.AddrPortFrom(target4, 7001), netip.AddrPortFrom(target6, 7001)} {
		e.echoServer(t, e.target, at)
	}
	p := e.prepare(t, s, Effect{Kind: Partition}, Selector{Direction: Egress}, Selector{Direction: Ingress})
	q := e.prepare(t, s, Effect{Kind: Reject, Reject: RejectTCPReset}, Selector{Direction: Egress}, Selector{Direction: Ingress})
	apply(t, p)
	apply(t, q)
	for _, at := range []string{"127.0.0.1:7000", "[::1]:7000", "10.77.0.1:7001", "[fd77::1]:7001"} {
		c, err := connect(t, e.target, netip.MustParseAddrPort(at), time.Second)
		if err == nil {
			err = talk(c, time.Second)
			c.Close()
		}
		if err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	undo(t, q)
	undo(t, p)
	e.clean(t, true)
}

// throughput is what a stream of TCP gets from the target to the peer, or back, in bits of payload per second. What the queues
// take at the start is left out.
func (e ends) throughput(t testing.TB, d Direction, six bool, during time.Duration) float64 {
	t.Helper()
	f := e.flow(d, six, 0)
	at := netip.AddrPortFrom(f.dst.Addr(), 7500)
	var l net.Listener
	in(t, f.to, func() {
		var err error
		if l, err = net.Listen("tcp", at.String()); err != nil {
			t.Error(err)
		}
	})
	if l == nil {
		t.FailNow()
	}
	defer l.Close()
	type result struct {
		bits float64
		err  error
	}
	done := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- result{0, err}
			return
		}
		defer c.Close()
		b := make([]byte, 256<<10)
		var from time.Time
		total, skipped := 0, false
		begin := time.Now()
		for {
			n, err := c.Read(b)
			if err != nil {
				done <- result{0, err}
				return
			}
			now := time.Now()
			if !skipped {
				if now.Sub(begin) > during/5 {
					skipped, from = true, now
				}
				continue
			}
			total += n
			if now.Sub(begin) > during {
				done <- result{float64(total) * 8 / now.Sub(from).Seconds(), nil}
				return
			}
		}
	}()
	c, err := connect(t, f.from, at, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		b := make([]byte, 256<<10)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.bits
	case <-time.After(4*during + 20*time.Second):
		t.Fatal("the stream stands still")
	}
	return 0
}

// kernelCounter reads a counter of the kernel's in a namespace.
func (e ends) kernelCounter(t testing.TB, ns, name string) uint64 {
	t.Helper()
	proto, field := name[:3], name[3:]
	if strings.HasPrefix(name, "Udp6") {
		for line := range strings.Lines(run(t, "ip", "netns", "exec", ns, "cat", "/proc/net/snmp6")) {
			if f := strings.Fields(line); f[0] == name {
				n, _ := strconv.ParseUint(f[1], 10, 64)
				return n
			}
		}
		t.Fatalf("the kernel has no counter %s", name)
	}
	var names []string
	for line := range strings.Lines(run(t, "ip", "netns", "exec", ns, "cat", "/proc/net/snmp")) {
		f := strings.Fields(line)
		if f[0] != proto+":" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, n := range names {
			if n == field {
				v, _ := strconv.ParseUint(f[i], 10, 64)
				return v
			}
		}
	}
	t.Fatalf("the kernel has no counter %s", name)
	return 0
}

// Connections of TCP stand through a delay, existing and new ones, are slowed by it in both directions of talk, and lose nothing
// when it is undone in the middle.
func TestConnectionsUnderLatency(t *testing.T) {
	together(t)
	eff := Effect{Kind: Latency, Delay: 60 * time.Millisecond}
	tries(t, eff, func(t *testing.T, e ends, s *Space, d Direction, six bool) {
		f := e.flow(d, six, 0)
		e.echoServer(t, f.to, f.dst)
		old, err := connect(t, f.from, f.dst, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		p := e.prepare(t, s, eff, Selector{Direction: d})
		apply(t, p)
		begin := time.Now()
		fresh, err := connect(t, f.from, f.dst, 5*time.Second)
		if took := time.Since(begin); err != nil || took < 60*time.Millisecond {
			t.Fatalf("a new connection stood after %v, %v", took, err)
		}
		defer fresh.Close()
		for name, c := range map[string]net.Conn{"existing": old, "new": fresh} {
			begin := time.Now()
			if err := talk(c, 5*time.Second); err != nil || time.Since(begin) < 60*time.Millisecond {
				t.Errorf("an %s connection answered after %v, %v", name, time.Since(begin), err)
			}
		}
		half := func() {
			if err := p.Undo(); err != nil {
				t.Error(err)
			}
		}
		if err := transfer(fresh, 4<<20, half); err != nil {
			t.Errorf("a transfer through the fault and its undo: %v", err)
		}
		if c := undo(t, p); c.Hit < 5 || c.Hit > c.Matched {
			t.Errorf("counted %+v", c)
		}
	})
}

// transfer sends bytes to an echo server and compares what comes back. When half of it is back, half is called.
func transfer(c net.Conn, size int, half func()) error {
	c.SetDeadline(time.Now().Add(60 * time.Second))
	pattern := func(b []byte, at int) {
		for i := range b {
			b[i] = byte((at + i) * 7 >> 3)
		}
	}
	sent := make(chan error, 1)
	go func() {
		b := make([]byte, 64<<10)
		for at := 0; at < size; at += len(b) {
			pattern(b, at)
			if _, err := c.Write(b); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got, want := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := 0; at < size; at += len(got) {
		if _, err := io.ReadFull(c, got); err != nil {
			return err
		}
		if pattern(want, at); !bytes.Equal(got, want) {
			return errors.New("the bytes differ")
		}
		if at == size/2 {
			go half()
		}
	}
	return <-sent
}

// Address translation in the target's namespace, and the connection tracking that goes with it, work on under every fault that lets
// packets pass.
func TestAddressTranslation(t *testing.T) {
	together(t)
	for name, f := range variants(t) {
		e := newEnds(t)
		run(t, "ip", "netns", "exec", e.target, "nft", `table ip translate {
			chain out { type nat hook output priority -100; ip daddr 10.77.0.99 dnat to 10.77.0.2; }
			chain post { type nat hook postrouting priority 100; ip daddr 10.77.0.2 masquerade; }
			chain strict { type filter hook input priority 0; iif eth0 ct state invalid drop; }
		}`)
		e.echoServer(t, e.peer, netip.AddrPortFrom(peer4, 7000))
		s := e.open(t, f)
		for _, eff := range []Effect{
			{Kind: Latency, Delay: 20 * time.Millisecond},
			{Kind: Reorder, Percent: 50, Delay: 2 * time.Millisecond},
			{Kind: Duplicate, Percent: 50},
			{Kind: Loss, Percent: 1},
			{Kind: Rate, Rate: 100_000_000},
		} {
			for _, d := range bothDirections {
				if _, _, err := Means(eff, d, f); err != nil {
					continue
				}
				sel := Selector{Direction: d, Peers: []netip.Prefix{netip.PrefixFrom(peer4, 32)}}
				if eff.Kind == Duplicate && d == Ingress {
					sel.Peers = nil // it sees the peer's translated address
				}
				p := e.prepare(t, s, eff, sel)
				apply(t, p)
				c, err := connect(t, e.target, netip.MustParseAddrPort("10.77.0.99:7000"), 10*time.Second)
				if err != nil {
					t.Errorf("%s, %s, %s: %v", eff.Kind, name, d, err)
				} else {
					if err := transfer(c, 1<<20, func() {}); err != nil {
						t.Errorf("%s, %s, %s: %v", eff.Kind, name, d, err)
					}
					c.Close()
				}
				if c := undo(t, p); c.Matched == 0 {
					t.Errorf("%s, %s, %s: counted %+v", eff.Kind, name, d, c)
				}
			}
		}
	}
}
