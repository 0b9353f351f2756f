package netfault

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const holderVariable = "GAMEDAY_TEST_NETFAULT_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(holderVariable) != "" {
		holdFaults(os.Getenv(holderVariable))
	}
	os.Exit(m.Run())
}

// everyKind is one effect of each kind.
var everyKind = []Effect{
	{Kind: Partition},
	{Kind: Reject, Reject: RejectICMP},
	{Kind: Loss, Percent: 30},
	{Kind: Loss, Percent: 30, Correlation: 25},
	{Kind: Latency, Delay: 200 * time.Millisecond, Jitter: 10 * time.Millisecond},
	{Kind: Corrupt, Percent: 30},
	{Kind: Duplicate, Percent: 30},
	{Kind: Reorder, Percent: 30, Delay: 20 * time.Millisecond},
	{Kind: Rate, Rate: 1_000_000},
}

// holdFaults is another process, in the target's namespace: it puts every kind of fault in force in both directions, says so, and
// waits for its end.
func holdFaults(variant string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	f, err := Probe(false)
	fail(err)
	f = f.variant(variant)
	s, err := Open(f)
	fail(err)
	for i, e := range everyKind {
		for _, d := range bothDirections {
			means, _, err := Means(e, d, f)
			if err != nil || variant == "without dup" && means == ByNetem && e.Kind != Duplicate {
				continue // a netem that duplicates has to be the only one
			}
			// Each has ports of its own, so that all see packets.
			p, err := s.Prepare(fmt.Sprintf("%s.%d.%s", e.Kind, i, d), []Selector{{Direction: d, Peers: []netip.Prefix{netip.PrefixFrom(peer4, 32)}, Protocol: "udp", Ports: []Ports{{uint16(7000 + i), uint16(7000 + i)}}}}, e)
			fail(err)
			_, err = p.Apply()
			fail(err)
		}
	}
	fmt.Println("in force")
	for {
		time.Sleep(time.Hour)
	}
}

// A process that holds faults of every kind is killed: its rules are gone at once, and Clean removes its qdiscs.
func TestKilledHolder(t *testing.T) {
	together(t)
	for variant := range variants(t) {
		e := newEnds(t)
		var before []string
		in(t, e.target, func() {
			var err error
			if before, err = Dump(); err != nil {
				t.Error(err)
			}
		})
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("ip", "netns", "exec", e.target, self)
		cmd.Env = append(os.Environ(), holderVariable+"="+variant)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || said != "in force\n" {
			cmd.Process.Kill()
			t.Fatalf("%s: the holder said %q, %v", variant, said, err)
		}
		if rules := ruleset(t, e.target); strings.Count(rules, "goto f") < 10 {
			t.Errorf("%s: nft lists few rules:\n%s", variant, rules)
		}

		// Another one is refused while this one lives.
		in(t, e.target, func() {
			f, _ := probed()
			if s, err := Open(f); err == nil {
				t.Errorf("%s: a second Open in one namespace was let through", variant)
				s.Close()
			} else if !strings.Contains(err.Error(), "only one sidecar") {
				t.Errorf("%s: a second Open: %v", variant, err)
			}
			if _, err := Clean(); err == nil || !strings.Contains(err.Error(), "living process") {
				t.Errorf("%s: Clean beside a living owner: %v", variant, err)
			}
		})

		// With packets held in every queue and qdisc.
		for i := range everyKind {
			for _, d := range bothDirections {
				f := e.flow(d, false, 20)
				f.dst = netip.AddrPortFrom(f.dst.Addr(), uint16(7000+i))
				f.wait, f.refused = time.Millisecond, true
				f.send(t)
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		if got := e.flow(Egress, false, 20).send(t); len(got) != 20 {
			t.Errorf("%s: the holder is dead, but %d of 20 packets came out", variant, len(got))
		}
		if got := e.flow(Ingress, false, 20).send(t); len(got) != 20 {
			t.Errorf("%s: the holder is dead, but %d of 20 packets came in", variant, len(got))
		}
		if rules := strings.TrimSpace(ruleset(t, e.target)); rules != "" {
			t.Errorf("%s: the holder is dead, but nft lists:\n%s", variant, rules)
		}
		in(t, e.target, func() {
			removed, err := Clean()
			if err != nil {
				t.Error(err)
			}
			t.Logf("%s: removed %q", variant, removed)
			after, err := Dump()
			if err != nil || !slices.Equal(before, after) {
				t.Errorf("%s: before:\n%s\nafter (%v):\n%s", variant, strings.Join(before, "\n"), err, strings.Join(after, "\n"))
			}
			if removed, err := Clean(); err != nil || len(removed) > 0 {
				t.Errorf("%s: Clean again: %q, %v", variant, removed, err)
			}
		})
		e.clean(t, false)
	}
}
