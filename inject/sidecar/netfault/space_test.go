package netfault

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ends are two network namespaces with a veth pair between them: faults are done to the target, and the peer is the rest of
// the world. Both have loopback.
type ends struct {
	target, peer string
}

var (
	target4 = netip.MustParseAddr("10.77.0.1")
	peer4   = netip.MustParseAddr("10.77.0.2")
	other4  = netip.MustParseAddr("10.77.0.3") // the peer's too
	target6 = netip.MustParseAddr("fd77::1")
	peer6   = netip.MustParseAddr("fd77::2")
	other6  = netip.MustParseAddr("fd77::3")
)

// emulated says that the machine is an emulated one, as .ci/vm has it: there nothing can be said of how quick something is.
var emulated = os.Getenv("GAMEDAY_TEST_EMULATED") != ""

// together lets a test run beside others where nobody looks at the time.
func together(t *testing.T) {
	if emulated {
		t.Parallel()
	}
}

func newEnds(t testing.TB) ends {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces can only be made by root: run this test as root, as CI does")
	}
	b := make([]byte, 4)
	rand.Read(b)
	name := "gameday-test-" + hex.EncodeToString(b)
	e := ends{target: name + "-t", peer: name + "-p"}
	t.Cleanup(func() {
		exec.Command("ip", "netns", "del", e.target).Run()
		exec.Command("ip", "netns", "del", e.peer).Run()
	})
	ip(t, "", "netns add "+e.target, "netns add "+e.peer, "link add eth0 netns "+e.target+" type veth peer name eth0 netns "+e.peer)
	up := []string{"link set lo up", "link set eth0 up"}
	ip(t, e.target, append(up, address(target4), address(target6))...)
	ip(t, e.peer, append(up, address(peer4), address(other4), address(peer6), address(other6))...)
	// A link takes up to a second until it carries IPv6.
	for _, six := range []bool{false, true} {
		f := e.flow(Egress, six, 1)
		f.wait = 20 * time.Millisecond
		for begin := time.Now(); len(f.send(t)) == 0; {
			if time.Since(begin) > 20*time.Second {
				t.Fatal("no packet goes through the link")
			}
		}
	}
	return e
}

func address(a netip.Addr) string {
	if a.Is4() {
		return "addr add " + a.String() + "/24 dev eth0"
	}
	return "addr add " + a.String() + "/64 dev eth0 nodad"
}

// ip runs commands of ip in a namespace, by one process: to start one takes long in an emulated machine.
func ip(t testing.TB, ns string, commands ...string) {
	t.Helper()
	args := []string{"-batch", "-"}
	if ns != "" {
		args = append([]string{"-n", ns}, args...)
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(commands, "; "), err, out)
	}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// in runs f on a thread that is in a namespace. Sockets that f makes stay there.
func in(t testing.TB, ns string, f func()) {
	t.Helper()
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		ended := false
		defer func() {
			if err == nil && !ended {
				err = errors.New("the test gave up in the namespace " + ns)
			}
			failed <- err
		}()
		if err == nil {
			f()
			ended = true
		}
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

var probed = sync.OnceValues(func() (f Features, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			f, err = Probe(true)
		}
	}()
	<-done
	return f, err
})

// variants are this kernel's features, and what is left of them without the best means, so that every way of doing an effect
// is tried where it can be.
func variants(t testing.TB) map[string]Features {
	t.Helper()
	f, err := probed()
	if err != nil {
		t.Fatalf("the kernel cannot be probed (this test must run as root): %v", err)
	}
	all := map[string]Features{"best": f}
	for name, has := range map[string]bool{"without netem": f.Netem && f.NFQueue, "without prio": f.Netem && f.Prio && f.HTB, "without dup": f.Netem && f.Dup, "without ifb": f.Netem && f.IFB && f.NFQueue} {
		if has {
			all[name] = f.variant(name)
		}
	}
	return all
}

// variant are the features without one of them.
func (f Features) variant(name string) Features {
	switch name {
	case "without netem":
		f.Netem = false
	case "without prio":
		f.Prio = false
	case "without dup":
		f.Dup = false
	case "without ifb":
		f.IFB = false
	}
	return f
}

// open opens the target's namespace until the end of the test.
func (e ends) open(t testing.TB, f Features) *Space {
	t.Helper()
	var s *Space
	in(t, e.target, func() {
		var err error
		if s, err = Open(f); err != nil {
			t.Error(err)
		}
	})
	if s == nil {
		t.FailNow()
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// prepare prepares a fault in the target's namespace: the sockets of queues are made by the calling thread.
func (e ends) prepare(t testing.TB, s *Space, eff Effect, sel ...Selector) *Prepared {
	t.Helper()
	var p *Prepared
	in(t, e.target, func() {
		var err error
		if p, err = s.Prepare(fmt.Sprintf("%s.%d", eff.Kind, time.Now().UnixNano()), sel, eff); err != nil {
			t.Error(err)
		}
	})
	if p == nil {
		t.FailNow()
	}
	return p
}

func apply(t testing.TB, p *Prepared) {
	t.Helper()
	if _, err := p.Apply(); err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Present(); err != nil || !ok {
		t.Fatalf("the fault is not present after Apply: %v, %v", ok, err)
	}
}

func undo(t testing.TB, p *Prepared) Counts {
	t.Helper()
	if err := p.Undo(); err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Present(); err != nil || ok {
		t.Fatalf("the fault is present after Undo: %v, %v", ok, err)
	}
	if err := p.Undo(); err != nil {
		t.Fatalf("undone twice: %v", err)
	}
	c, err := p.Counts()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// arrival is a packet that came.
type arrival struct {
	number uint32
	after  time.Duration // it was sent
	at     time.Duration // since the flow began
}

// flow is a stream of numbered UDP packets from one namespace to the other.
type flow struct {
	from, to string
	src, dst netip.AddrPort
	count    int
	size     int           // of the payload
	gap      time.Duration // between packets
	wait     time.Duration // for late ones
	until    int           // so many have come, if not 0
	refused  bool          // whether the calls may fail
}

// freed opens a socket, once its port is free: a process that another test is just starting may still have the last one open.
func freed(open func() (*net.UDPConn, error)) (c *net.UDPConn, err error) {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if c, err = open(); !errors.Is(err, unix.EADDRINUSE) || time.Since(begin) > 10*time.Second {
			return c, err
		}
	}
}

// send sends the packets and returns what came, in that order, with duplicates.
func (f flow) send(t testing.TB) []arrival {
	t.Helper()
	var in0, out0 *net.UDPConn
	in(t, f.to, func() {
		var err error
		in0, err = freed(func() (*net.UDPConn, error) { return net.ListenUDP("udp", net.UDPAddrFromAddrPort(f.dst)) })
		if err != nil {
			t.Error(err)
		}
	})
	in(t, f.from, func() {
		var err error
		out0, err = freed(func() (*net.UDPConn, error) {
			return net.DialUDP("udp", net.UDPAddrFromAddrPort(f.src), net.UDPAddrFromAddrPort(f.dst))
		})
		if err != nil {
			t.Error(err)
		}
	})
	if in0 == nil || out0 == nil {
		t.FailNow()
	}
	defer in0.Close()
	defer out0.Close()
	raw, err := in0.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { growBuffer(int(fd), unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, 8<<20) })
	}
	if err != nil {
		t.Error(err)
	}

	size := max(f.size, 12)
	wait := f.wait
	if wait == 0 {
		wait = 300 * time.Millisecond
	}
	if emulated {
		wait *= 4
	}
	start := time.Now()
	var got []arrival
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, err := in0.Read(b)
			now := time.Since(start)
			if err != nil {
				return
			}
			if n >= 12 {
				got = append(got, arrival{binary.BigEndian.Uint32(b), now - time.Duration(binary.BigEndian.Uint64(b[4:])), now})
				if len(got) == f.until {
					return
				}
			}
		}
	}()
	b := make([]byte, size)
	for i := range f.count {
		if f.gap > 0 {
			for next := time.Duration(i) * f.gap; ; {
				left := next - time.Since(start)
				if left <= 0 {
					break
				}
				time.Sleep(left)
			}
		} else if i%64 == 63 {
			time.Sleep(200 * time.Microsecond) // the receiver's buffer is finite
		}
		binary.BigEndian.PutUint32(b, uint32(i))
		binary.BigEndian.PutUint64(b[4:], uint64(time.Since(start)))
		if _, err := out0.Write(b); err != nil && !f.refused && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ENETUNREACH) && !errors.Is(err, unix.EADDRNOTAVAIL) {
			t.Errorf("packet %d cannot be sent: %v", i, err)
			break
		}
	}
	in0.SetReadDeadline(time.Now().Add(wait))
	<-done
	return got
}

// out is a flow from the target to the peer, or back.
func (e ends) flow(d Direction, six bool, count int) flow {
	t, p := target4, peer4
	if six {
		t, p = target6, peer6
	}
	f := flow{from: e.target, to: e.peer, src: netip.AddrPortFrom(t, 40000), dst: netip.AddrPortFrom(p, 7000), count: count}
	if d == Ingress {
		f = flow{from: e.peer, to: e.target, src: netip.AddrPortFrom(p, 40000), dst: netip.AddrPortFrom(t, 7000), count: count}
	}
	return f
}

// delays are what the packets took, sorted.
func delays(got []arrival) []time.Duration {
	var d []time.Duration
	for _, a := range got {
		d = append(d, a.after)
	}
	slices.Sort(d)
	return d
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

// ruleset is what nft lists in a namespace, ours or not.
func ruleset(t testing.TB, ns string) string {
	t.Helper()
	return run(t, "ip", "netns", "exec", ns, "nft", "list", "ruleset")
}

// clean fails the test if anything is left in the target's namespace, seen by other tools than ours.
func (e ends) clean(t testing.TB, allowTable bool) {
	t.Helper()
	rules := strings.TrimSpace(ruleset(t, e.target))
	if allowTable {
		rules = strings.TrimSpace(strings.NewReplacer("# progname", "", "table inet gameday", "", "flags owner", "", "{", "", "}", "").Replace(firstTable(rules)))
	}
	if rules != "" {
		t.Errorf("nft still lists:\n%s", rules)
	}
	if q := run(t, "tc", "-n", e.target, "qdisc", "show"); strings.Contains(q, "6764:") || !strings.Contains(q, "qdisc noqueue 0: dev eth0 root") {
		t.Errorf("tc still lists:\n%s", q)
	}
	if l := run(t, "ip", "-n", e.target, "-o", "link"); strings.Contains(l, ifbName) {
		t.Errorf("ip still lists:\n%s", l)
	}
}

// firstTable strips the comment with which nft names an owner.
func firstTable(rules string) string {
	var lines []string
	for _, l := range strings.Split(rules, "\n") {
		l, _, _ = strings.Cut(l, "#")
		lines = append(lines, l)
	}
	return strings.Join(lines, "\n")
}

// Whether a rule may hang in a hook is tried in that hook: in a chain without one the kernel takes it in any case.
func TestRulesAreTriedInTheirHooks(t *testing.T) {
	e := newEnds(t)
	in(t, e.target, func() {
		c, err := dial(unix.NETLINK_NETFILTER)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.close()
		reject := rule{rejectUnreachable()}
		if err := c.tryRule(unix.NFPROTO_INET, reject); err != nil {
			t.Errorf("without a hook: %v", err)
		}
		if err := c.tryHooked(reject, []hook{{"postrouting", unix.NF_INET_POST_ROUTING, afterTranslation}}); err == nil {
			t.Error("the kernel takes a reject after routing")
		}
		hooks := hooksFor(unix.NFPROTO_INET, Ingress, Reject)
		if err := c.tryHooked(reject, hooks); err != nil {
			t.Errorf("%v: %v", hooks, err)
		}
	})
	if left := run(t, "ip", "netns", "exec", e.target, "nft", "list", "ruleset"); left != "" {
		t.Errorf("nft lists\n%s", left)
	}
}
