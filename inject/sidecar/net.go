package sidecar

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"gameday/inject/sidecar/netfault"
)

// A NetSpec is one network fault, as it goes to an agent.
type NetSpec struct {
	Directions  []string       `json:"directions"` // "egress", "ingress"
	Peers       []netip.Prefix `json:"peers,omitempty"`
	Protocol    string         `json:"protocol,omitempty"`
	Ports       [][2]uint16    `json:"ports,omitempty"` // from, to
	Delay       time.Duration  `json:"delay,omitempty"`
	Jitter      time.Duration  `json:"jitter,omitempty"`
	Percent     float64        `json:"percent,omitempty"`
	Correlation float64        `json:"correlation,omitempty"`
	Rate        uint64         `json:"rate,omitempty"` // bits per second
	Reject      string         `json:"reject,omitempty"`
}

// Effect is the fault in the words of the network library.
func (s NetSpec) Effect(kind string) netfault.Effect {
	return netfault.Effect{Kind: kind, Delay: s.Delay, Jitter: s.Jitter, Percent: s.Percent, Correlation: s.Correlation, Rate: s.Rate, Reject: s.Reject}
}

// selectors are the packets that it is for, one selector for each direction.
func (s NetSpec) selectors() []netfault.Selector {
	var out []netfault.Selector
	for _, d := range s.Directions {
		sel := netfault.Selector{Direction: netfault.Direction(d), Peers: s.Peers, Protocol: s.Protocol}
		for _, p := range s.Ports {
			sel.Ports = append(sel.Ports, netfault.Ports{From: p[0], To: p[1]})
		}
		out = append(out, sel)
	}
	return out
}

// netRole is what an agent does to the packets of the network namespace that it is in.
type netRole struct {
	features netfault.Features
	mu       sync.Mutex
	space    *netfault.Space // nil until a fault is prepared
}

// netAgent serves the network namespace that it is in.
func netAgent(in io.Reader, out, errs io.Writer) int {
	f, err := netfault.Probe(false)
	if err != nil {
		fmt.Fprintf(errs, "net: %v\n", err)
		return ExitDenied
	}
	return serve(&netRole{features: f}, in, out, Lease, stopped())
}

func (r *netRole) open() (*netfault.Space, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.space == nil {
		s, err := netfault.Open(r.features)
		if err != nil {
			return nil, err
		}
		r.space = s
	}
	return r.space, nil
}

func (r *netRole) prepare(id, kind string, raw json.RawMessage) (effect, error) {
	var spec NetSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, err
	}
	s, err := r.open()
	if err != nil {
		return nil, err
	}
	p, err := s.Prepare(id, spec.selectors(), spec.Effect(kind))
	if err != nil {
		return nil, err
	}
	return &netEffect{p: p, kind: kind, means: p.Means()}, nil
}

func (r *netRole) dump(string, json.RawMessage) ([]string, error) { return netfault.Dump() }

func (r *netRole) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.space == nil {
		return nil
	}
	return r.space.Close()
}

// netEffect is one network fault.
type netEffect struct {
	p     *netfault.Prepared
	kind  string
	means string
}

func (e *netEffect) apply() (time.Time, error) { return e.p.Apply() }
func (e *netEffect) undo() error               { return e.p.Undo() }

func (e *netEffect) look() (Look, error) {
	l := Look{Means: e.means}
	there, err := e.p.Present()
	if err != nil {
		return l, err
	}
	if l.InForce = there; !there {
		l.Why = "the kernel does not list its rules"
	}
	c, err := e.p.Counts()
	if err != nil {
		return l, err
	}
	l.Met, l.Hit = int64(c.Matched), int64(c.Hit)
	l.Seen = packetsSeen(e.kind, l.Met, l.Hit)
	if there && l.Met > 0 && l.Hit == 0 {
		l.Seen += " yet"
	}
	return l, nil
}

// done says in words what a kind does to a packet.
var done = map[string]string{
	"latency": "delayed", "loss": "dropped", "corrupt": "corrupted", "duplicate": "sent twice", "reorder": "let overtake others",
	"partition": "dropped", "reject": "rejected",
}

// packetsSeen is what a kind did to how many packets: "412 packets matched, 3 were dropped".
func packetsSeen(kind string, met, hit int64) string {
	what := done[kind]
	switch {
	case met == 0:
		return "no packet has matched"
	case kind == "rate" && hit == 0:
		return packets(met) + " matched, none had to wait"
	case kind == "rate":
		return packets(met) + " matched, some had to wait" // the kernel counts how often, not how many
	case hit == met:
		return fmt.Sprintf("%s %s", packets(met), wasWere(met, what))
	case hit == 0:
		return fmt.Sprintf("%s matched, none was %s", packets(met), what)
	}
	return fmt.Sprintf("%s matched, %s %s", packets(met), thousands(hit), wasWere(hit, what))
}

func packets(n int64) string {
	if n == 1 {
		return "1 packet"
	}
	return thousands(n) + " packets"
}

func wasWere(n int64, what string) string {
	if n == 1 {
		return "was " + what
	}
	return "were " + what
}

// thousands writes a count with commas: "1,204".
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// netOnce answers one question in the namespace that it is in, and prints the answer as JSON:
//
//	net-probe   what the kernel can do; for a namespace in which nobody else is
//	net-free    a Reply to OpFree
//	net-clean   a Reply to OpClean
func netOnce(what string, out, errs io.Writer) int {
	answer, err := any(nil), error(nil)
	switch what {
	case "net-probe":
		answer, err = netfault.Probe(true)
	case "net-free", "net-clean":
		r := Reply{}
		r.Lines, r.InTheWay, err = spaceOnce(strings.TrimPrefix(what, "net-"))
		answer = r
	}
	if err == nil {
		err = json.NewEncoder(out).Encode(answer)
	}
	if err != nil {
		fmt.Fprintf(errs, "%s: %v\n", what, err)
		return ExitDenied
	}
	return ExitDone
}
