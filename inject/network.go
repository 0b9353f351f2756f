package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
	"gameday/inject/sidecar/netfault"
)

// This file is what all faults on a target's packets have in common. A sidecar in the target's network namespace does them, and
// nothing of it is in the target's image.

// packets does everything but Doc and Plan for the kinds of the network family: what a fault is stands in its undo.
type packets struct{}

// netExtra is what the agent and the undo of a network fault need to know.
type netExtra struct {
	Spec sidecar.NetSpec `json:"spec"`
	Kind string          `json:"kind"`
}

// packetQueue and packetDrop are what network faults claim: a packet can stand in one queue, and be dropped once.
const (
	packetQueue = "the queue of packets"
	packetDrop  = "the dropping of packets"
)

// selectionArgs are the arguments that all network kinds have.
func selectionArgs(direction string) []Arg {
	return []Arg{
		{Name: "direction", Type: "string", Default: direction, Summary: "Which packets: those that the target sends (egress), receives (ingress), or both."},
		{Name: "peers", Type: "peers", Default: "all", Summary: "Only packets to or from these: targets, addresses or networks in CIDR form."},
		{Name: "protocol", Type: "string", Default: "all", Summary: `Only packets of "tcp", "udp" or "icmp".`},
		{Name: "ports", Type: "ports", Default: "all", Summary: `Only packets from or to one of these TCP or UDP ports: 5432, "8000-8100".`},
	}
}

// netDoc completes what all network kinds say of themselves.
func netDoc(d Doc, direction string) Doc {
	d.Family, d.Holds, d.Ahead, d.Follows = Network, DurationRequired, true, true
	d.Undo = "The rules and queues that it made are removed; a helper that dies takes the rules with it, so that no packet comes to a queue."
	d.Proof = "The kernel lists its rules, and counts packets that met them."
	d.ByHand = "docker stop -t 60 gameday-net-ID && docker rm gameday-net-ID"
	d.Args = append(d.Args, selectionArgs(direction)...)
	return d
}

// selection reads the arguments that all network kinds have.
func selection(f Fault, d Doc, fallback string) (Selection, error) {
	s := Selection{}
	err := checkFault(f, d)
	if err != nil {
		return s, err
	}
	if s.Direction, err = stringArg(f, "direction", fallback); err != nil {
		return s, err
	}
	if !slices.Contains([]string{"egress", "ingress", "both"}, s.Direction) {
		return s, fmt.Errorf("fault %q: direction is %q; it must be \"egress\", \"ingress\" or \"both\"", f.Name, s.Direction)
	}
	if s.Protocol, err = stringArg(f, "protocol", ""); err != nil {
		return s, err
	}
	if !slices.Contains([]string{"", "tcp", "udp", "icmp"}, s.Protocol) {
		return s, fmt.Errorf("fault %q: protocol is %q; it must be \"tcp\", \"udp\" or \"icmp\"", f.Name, s.Protocol)
	}
	switch v := f.Args["peers"].(type) {
	case nil:
	case []Peer:
		s.Peers = v
	default:
		return s, fmt.Errorf("fault %q: peers must be a list of addresses", f.Name)
	}
	switch v := f.Args["ports"].(type) {
	case nil:
	case []string:
		for _, text := range v {
			r, err := parsePorts(text)
			if err != nil {
				return s, fmt.Errorf("fault %q: ports: %w", f.Name, err)
			}
			s.Ports = append(s.Ports, r)
		}
	default:
		return s, fmt.Errorf("fault %q: ports must be a list of ports", f.Name)
	}
	if len(s.Ports) > 0 && s.Protocol == "icmp" {
		return s, fmt.Errorf("fault %q: ICMP has no ports: leave ports out, or choose another protocol", f.Name)
	}
	return s, nil
}

func parsePorts(text string) (PortRange, error) {
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	from, err := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	if err != nil || from == 0 {
		return PortRange{}, fmt.Errorf("%q is no port: write one from 1 to 65535, or a range such as \"8000-8100\"", text)
	}
	to, err := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	if err != nil || to < from {
		return PortRange{}, fmt.Errorf("%q is no range of ports: write it like \"8000-8100\"", text)
	}
	return PortRange{uint16(from), uint16(to)}, nil
}

// words says which packets of a container a selection is for: "packets that shop-api sends to shop-store (tcp, port 5432)".
func (s Selection) words(c engine.Container) string {
	out := map[string]string{
		"egress": "packets that " + c.Name + " sends", "ingress": "packets that " + c.Name + " receives", "both": "packets that " + c.Name + " sends or receives",
	}[s.Direction]
	switch {
	case len(s.Peers) > 0 && s.Direction == "both":
		out = "packets between " + c.Name + " and " + peerWords(s.Peers)
	case len(s.Peers) > 0:
		out += map[string]string{"egress": " to ", "ingress": " from "}[s.Direction] + peerWords(s.Peers)
	}
	var only []string
	if s.Protocol != "" {
		only = append(only, s.Protocol)
	}
	if len(s.Ports) > 0 {
		var ports []string
		for _, p := range s.Ports {
			ports = append(ports, p.String())
		}
		what := "port "
		if len(ports) > 1 {
			what = "ports "
		}
		only = append(only, what+strings.Join(ports, ", "))
	}
	if len(only) > 0 {
		out += " (" + strings.Join(only, ", ") + ")"
	}
	return out
}

// planPackets plans a fault on the packets of a container. Spec holds what the kind itself needs; does says what becomes of the
// packets, with %s for which ones.
func planPackets(f Fault, d Doc, c engine.Container, h Host, sel Selection, spec sidecar.NetSpec, thing, does string) (Step, error) {
	if err := ownNetwork(c, h, d.Kind); err != nil {
		return Step{}, err
	}
	spec.Directions = []string{sel.Direction}
	if sel.Direction == "both" {
		spec.Directions = []string{"egress", "ingress"}
	}
	spec.Protocol = sel.Protocol
	for _, p := range sel.Peers {
		spec.Peers = append(spec.Peers, p.Prefix)
	}
	for _, p := range sel.Ports {
		spec.Ports = append(spec.Ports, [2]uint16{p.From, p.To})
	}
	s, err := planned(f, d, c, netExtra{Spec: spec, Kind: d.Kind})
	if err != nil {
		return Step{}, err
	}
	s.Claims = append(s.Claims, Claim{Thing: thing, Only: &sel})
	s.Does = fmt.Sprintf(does, sel.words(c))
	s.UndoWords = fmt.Sprintf("remove the rules for the packets of %s", c.Name)
	if h.Kernel == nil {
		return s, nil
	}
	var directions []netfault.Direction
	for _, dir := range spec.Directions {
		directions = append(directions, netfault.Direction(dir))
	}
	means, warnings, err := netfault.MeansForAll(spec.Effect(d.Kind), directions, *h.Kernel)
	if err != nil {
		return Step{}, fmt.Errorf("the kernel of the Docker host (%s) cannot do %s on %s packets: %w", h.Info.Kernel, d.Kind, strings.Join(spec.Directions, " and "), err)
	}
	s.Warnings = append(s.Warnings, warnings...)
	s.Does += ", by " + means
	s.queues = slices.Contains(spec.Directions, "egress") && (means == netfault.ByNetem || means == netfault.ByTBF)
	return s, nil
}

// ownNetwork refuses containers whose packets are not theirs alone.
func ownNetwork(c engine.Container, h Host, kind string) error {
	const instead = "choose a target with a network of its own"
	switch mode := c.NetworkMode; {
	case mode == "host":
		return fmt.Errorf("%s uses the network of the host: %s would hit the packets of the whole host; %s", c.Name, kind, instead)
	case mode == "none":
		return fmt.Errorf("%s has no network (--network none): %s would hit nothing; %s", c.Name, kind, instead)
	case strings.HasPrefix(mode, "container:"):
		owner := strings.TrimPrefix(mode, "container:")
		if name := h.Names[owner]; name != "" {
			owner = name
		}
		return fmt.Errorf("%s shares the network of %.40s: %s would hit that one's packets as well; %s", c.Name, owner, kind, instead)
	}
	if guests := guestsOf(c, h); guests != "" {
		return fmt.Errorf("%s the network of %s: %s would hit their packets as well; %s", guests, c.Name, kind, instead)
	}
	return nil
}

func netExtraOf(u Undo) (netExtra, error) {
	var x netExtra
	if err := json.Unmarshal(u.Extra, &x); err != nil {
		return x, fmt.Errorf("the undo of fault %q on %s cannot be read: %w", u.Fault, u.Name, err)
	}
	return x, nil
}

// Check asks whether the devices of the target are free for the queues that a fault makes there.
func (packets) Check(ctx context.Context, t Tools, s Step) error {
	if !s.queues {
		return nil
	}
	r, err := askSpace(ctx, t, s.Fault.Run, s.Container, sidecar.OpFree)
	if err == nil && r.InTheWay != "" {
		err = errors.New(r.InTheWay)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be done to %s: %w", s.Fault.Kind, s.Container.Name, err)
	}
	return nil
}

// Warm starts the sidecar.
func (packets) Warm(ctx context.Context, t Tools, s Step) error {
	_, err := t.Sidecars.get(ctx, s.Fault.Run, s.Container, netSidecar)
	return err
}

// Complete lists what of nftables and queues is in the namespace, to be compared with afterwards.
func (packets) Complete(ctx context.Context, t Tools, s *Step) error {
	d, err := t.Sidecars.get(ctx, s.Fault.Run, s.Container, netSidecar)
	if err != nil {
		return err
	}
	r, err := d.call(ctx, sidecar.Request{Op: sidecar.OpDump})
	if err != nil {
		return err
	}
	s.Undo.Before.Kernel = notOurs(r.Lines)
	return nil
}

// Inject prepares the fault in the sidecar, and puts it in force at its time.
func (packets) Inject(ctx context.Context, t Tools, s Step) error {
	c, err := ready(ctx, t, s)
	if err != nil {
		return err
	}
	x, err := netExtraOf(s.Undo)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	spec, err := json.Marshal(x.Spec)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	d, err := t.Sidecars.get(ctx, s.Fault.Run, c, netSidecar)
	if err != nil {
		return fmt.Errorf("%w to %s: %w", ErrUntouched, c.Name, err)
	}
	return d.inject(ctx, faultID(s.Undo), x.Kind, spec, s)
}

// Verify waits until the kernel lists the rules and has counted a packet. The effect was there from when the rules were.
func (packets) Verify(ctx context.Context, t Tools, s Step) (Proof, error) {
	x, err := netExtraOf(s.Undo)
	if err != nil {
		return Proof{}, err
	}
	met := func(l sidecar.Look) bool {
		// One that is for a share of the packets may need many of them until it hits the first.
		return l.Hit > 0 || l.Met > 0 && x.Spec.Percent > 0 && x.Spec.Percent < 100
	}
	return watchAgent(ctx, t, s, netSidecar, met, "its rules are in force, but no packet has met them: is there traffic that it is for?")
}

// Holding says whether the rules are still in force, in the life of the target that they were made for.
func (packets) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	return holdingAgent(ctx, t, s, netSidecar)
}

// Undo lets the sidecar take the fault back. Where this process drives none, what a sidecar of another process has left is
// removed.
func (packets) Undo(ctx context.Context, t Tools, u Undo) error {
	return undoAgent(ctx, t, u, netSidecar)
}

// byHand has the sidecar undo what it holds, and go. Of one that is killed the kernel drops the rules with the process, but not the queues.
func (packets) byHand(u Undo) string {
	name := netSidecar.container(u.ID)
	return fmt.Sprintf("docker stop -t 60 %s && docker rm %[1]s", name)
}

// Gone compares the namespace with what it was before.
func (packets) Gone(ctx context.Context, t Tools, u Undo) (Proof, error) {
	c, err := inspect(ctx, t, u.ID)
	if errors.Is(err, engine.ErrNotFound) {
		return withDifferences(Proof{Seen: goneWords, At: time.Now()}, u, nil), nil
	}
	if err != nil {
		return Proof{}, err
	}
	if !c.State.Running {
		return withDifferences(Proof{Seen: "it is " + status(c) + ", and its network namespace is gone with everything in it", At: time.Now()}, u, &c), nil
	}
	p := Proof{}
	var lines []string
	alone := true // no other fault is in the namespace, to be taken for a difference
	if d := t.Sidecars.peek(ctx, u.Run, u.ID, netSidecar); d != nil && d.startedAt.Equal(c.State.StartedAt) {
		l, err := d.look(ctx, faultID(u))
		var untouched = errors.Is(err, ErrUntouched) // it never came to the sidecar
		if err != nil && !untouched {
			return Proof{}, err
		}
		if l.InForce {
			return Proof{}, fmt.Errorf("its rules are still in force: %s", l.Seen)
		}
		r, err := d.call(ctx, sidecar.Request{Op: sidecar.OpDump})
		if err != nil {
			return Proof{}, err
		}
		lines, alone = notOurs(r.Lines), r.Holds == 0
		p.Seen = "its rules are gone"
		if !untouched {
			p.Seen = l.Seen + "; " + p.Seen
			if l.At > 0 && l.Hit == 0 {
				p.HitNothing = l.Seen
			}
		}
	} else {
		cleaned, err := askSpace(ctx, t, u.Run, c, sidecar.OpClean)
		if err != nil {
			return Proof{}, err
		}
		p.Seen = "nothing of gameday's is in its network namespace"
		lines = notOurs(cleaned.Lines)
		if ours := len(cleaned.Lines) - len(lines); ours > 0 {
			return Proof{}, fmt.Errorf("%d of gameday's rules are still in its network namespace", ours)
		}
	}
	p.At = time.Now()
	p = withDifferences(p, u, &c)
	if alone && c.State.StartedAt.Equal(u.Before.StartedAt) {
		p.Differences = append(p.Differences, lineDifferences("its network namespace", lines, u.Before.Kernel)...)
	}
	return p, nil
}

// notOurs leaves out the lines of a dump that are gameday's own.
func notOurs(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), netfault.Ours)
}

// ProbeKernel asks the kernel of the engine's host what network faults it can do, in a helper with a namespace of its own.
func ProbeKernel(ctx context.Context, t Tools, run string) (*netfault.Features, error) {
	said, err := askHelper(ctx, t, helper{run: run, args: []string{"net-probe"}, caps: []string{"NET_ADMIN"}, network: "none"})
	if err != nil {
		return nil, fmt.Errorf("the kernel of the Docker host could not be asked what it can do: %w", err)
	}
	var f netfault.Features
	if err := json.Unmarshal(said, &f); err != nil {
		return nil, fmt.Errorf("the kernel of the Docker host could not be asked what it can do: %w", err)
	}
	return &f, nil
}
