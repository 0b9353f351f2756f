package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// checkArguments checks what the arguments of a fault say together. Those that are wrong by themselves are not in f.Args.
func (b *block) checkArguments(f *Fault) {
	b.checkNetwork(f)
	switch f.Kind {
	case "latency":
		b.checkLatency(f)
	case "reject":
		b.checkReject(f)
	case "signal":
		b.checkSignal(f)
	case "io":
		b.needOne("read", "write", `how many bytes a second are left, such as "1MiB/s"`)
	case "stress":
		b.needOne("cpu", "memory", `how many workers burn a core each, or how much memory is used up, such as "64MiB"`)
	case "fill":
		b.needOne("size", "percent", `how much is written, such as "1GiB", or how full the disk is to be, such as 95`)
		if b.has("size") && b.has("percent") {
			b.l.fail(b.attrs["percent"].NameRange, b.path, "size and percent exclude each other",
				`"size" says how much is written, "percent" how full the disk is then. Leave one of them out.`)
		}
	}
}

// needOne reports that neither of two arguments is there.
func (b *block) needOne(one, other, purpose string) {
	if b.has(one) || b.has(other) {
		return
	}
	for _, name := range []string{one, other} {
		if strings.Contains(b.wrong, fmt.Sprintf("Did you mean %q", name)) {
			return // it is there, with a slip in its name
		}
	}
	b.l.fail(b.missing, b.path, "Missing argument", fmt.Sprintf("%q or %q is missing: %s.", one, other, purpose))
}

// checkNetwork checks what all faults in the network have in common.
func (b *block) checkNetwork(f *Fault) {
	if f.Args["protocol"] == "icmp" && b.has("ports") {
		b.failAt("ports", "Ports without a protocol that has them", `ICMP has no ports. Leave "ports" out, or write protocol = "tcp" or "udp".`)
	}
	peers := f.Peers()
	i := slices.IndexFunc(peers, func(p Peer) bool { return p.Target != nil && p.Target == f.Target })
	if i < 0 {
		return
	}
	at := b.at("peers")
	if exprs, diags := hcl.ExprList(b.attrs["peers"].Expr); !diags.HasErrors() && i < len(exprs) {
		at = exprs[i].Range()
	}
	b.l.fail(at, b.path, "Fault between a target and itself", fmt.Sprintf(
		`target.%s is what this fault is for. Name the others that it talks to, or leave "peers" out for everyone.`, f.Target.Name))
}

func (b *block) checkLatency(f *Fault) {
	delay, ok := f.Args["delay"].(time.Duration)
	jitter, given := f.Args["jitter"].(time.Duration)
	if !given {
		return
	}
	if ok && jitter > delay {
		b.failAt("jitter", "Jitter longer than the delay", fmt.Sprintf(
			"%s around a delay of %s would let packets arrive before they were sent. Make the jitter at most %s.", inUnits(jitter), inUnits(delay), inUnits(delay)))
	}
	if c, _ := f.Args["correlation"].(float64); c > 0 && jitter == 0 {
		b.failAt("correlation", "Correlation without jitter",
			`"correlation" says how much the jitter of one packet is like that of the one before, and there is no jitter. Give one, or leave it out.`)
	}
}

// checkReject refuses a TCP reset for what is not TCP.
func (b *block) checkReject(f *Fault) {
	protocol, _ := f.Args["protocol"].(string)
	if f.Args["with"] != "tcp-reset" || protocol == "" || protocol == "tcp" {
		return
	}
	at := "with"
	if !b.has(at) {
		at = "protocol"
	}
	b.failAt(at, "Reset without TCP", fmt.Sprintf(`Only TCP has resets, and protocol is %q. Write with = "icmp".`, protocol))
}

// checkSignal asks for a duration where the signal freezes the process: something must let it go on.
func (b *block) checkSignal(f *Fault) {
	s, _ := f.Args["signal"].(string)
	if called := calledSignal(s); contains(freezingSignals, called) && !b.has("duration") {
		b.need("duration", fmt.Sprintf("%s freezes the process, and after this time it is told to go on, such as \"30s\"", called))
	}
}
