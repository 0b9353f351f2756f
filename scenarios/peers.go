package scenarios

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// peers reads whom a fault in the network is between: targets and addresses.
func (b *block) peers() ([]Peer, bool) {
	const name = "peers"
	exprs, diags := hcl.ExprList(b.attrs[name].Expr)
	if diags.HasErrors() {
		return b.computedPeers()
	}
	if len(exprs) == 0 {
		b.failAt(name, "Empty list", `"peers" names nobody, so nothing would happen. Name some, or leave it out for everyone.`)
		return nil, false
	}
	var peers []Peer
	right := true
	for _, e := range exprs {
		p, ok := b.peer(e)
		if ok && slices.Contains(peers, p) {
			b.l.fail(e.Range(), b.path, "Duplicate peer", fmt.Sprintf("%s is named twice. Name it once.", p))
			ok = false
		}
		right = right && ok
		peers = append(peers, p)
	}
	return peers, right
}

// computedPeers reads a list that is a variable's or a local's: it can only hold addresses.
func (b *block) computedPeers() ([]Peer, bool) {
	const name = "peers"
	if l, ok := b.l.literalPeer(b.attrs[name].Expr); ok {
		b.failAt(name, "Wrong type", fmt.Sprintf("%q is a list of targets and addresses: write [%s].", name, l))
		return nil, false
	}
	addresses, ok := b.strs(name)
	if !ok {
		return nil, false
	}
	var peers []Peer
	for _, a := range addresses {
		prefix, summary, detail := parsePrefix(a)
		if summary != "" {
			b.failAt(name, summary, detail)
			return nil, false
		}
		peers = append(peers, Peer{Prefix: prefix})
	}
	if len(peers) == 0 {
		b.failAt(name, "Empty list", `"peers" names nobody, so nothing would happen. Name some, or leave it out for everyone.`)
		return nil, false
	}
	return peers, true
}

// literalPeer says whether an expression is a single peer, without the list around it, and how it is written.
func (l *loader) literalPeer(expr hcl.Expression) (written string, ok bool) {
	native := nativeExpression(expr)
	if t, diags := hcl.AbsTraversalForExpr(native); !diags.HasErrors() && t.RootName() == "target" {
		if name, ok := secondName(t); ok && len(t) == 2 {
			return "target." + name, true
		}
	}
	if text := literalText(native); text != "" {
		return strconv.Quote(clipped(text)), true
	}
	return "", false
}

// peer reads one element of the list.
func (b *block) peer(expr hcl.Expression) (p Peer, ok bool) {
	l := b.l
	if l.namesTarget(expr) {
		name, ok := l.refer(expr, b.path, "target", sortedKeys(l.targets))
		return Peer{Target: l.targets[name]}, ok
	}
	v, _, ok := l.plain(expr, b.path, "peers", false)
	if !ok {
		return Peer{}, false
	}
	if v.Type() != cty.String {
		l.fail(expr.Range(), b.path, "Wrong type", fmt.Sprintf(`A peer is a target such as target.name, or an address such as "10.0.0.0/8"; this is %s.`, typeInWords(v.Type())))
		return Peer{}, false
	}
	prefix, summary, detail := parsePrefix(v.AsString())
	if summary != "" {
		l.fail(expr.Range(), b.path, summary, detail)
		return Peer{}, false
	}
	return Peer{Prefix: prefix}, true
}

// namesTarget says whether an expression is, or was meant to be, a reference to a block.
func (l *loader) namesTarget(expr hcl.Expression) bool {
	native := nativeExpression(expr)
	if t, diags := hcl.AbsTraversalForExpr(native); !diags.HasErrors() {
		root := t.RootName()
		return referenceRoots[root] || l.targets[root] != nil || len(t) > 1 && root != "var" && root != "local" && nearest(root, []string{"target"}) != ""
	}
	text := literalText(native)
	return strings.HasPrefix(text, "target.") || l.targets[text] != nil
}

// parsePrefix reads an address, or a range of them in CIDR notation.
func parsePrefix(s string) (p netip.Prefix, summary, detail string) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return p, "Invalid address", fmt.Sprintf("%q names an interface, which means nothing inside a container. Leave it out: %q.", clipped(s), a.WithZone(""))
		}
		a = a.Unmap()
		p = netip.PrefixFrom(a, a.BitLen())
	} else if p, err = netip.ParsePrefix(s); err != nil {
		return p, "Invalid address", fmt.Sprintf(`%q is no address and no target. Write target.name, "10.0.0.7" or "10.0.0.0/8"; host names are not looked up.`, clipped(s))
	} else if p != p.Masked() {
		return p, "Invalid address", fmt.Sprintf("%q has an address and a range in one. Write %q for the range, or %q for the address.", clipped(s), p.Masked(), p.Addr())
	}
	if p.Addr().IsLoopback() && p.Bits() >= loopbackBits(p.Addr()) {
		return p, "Invalid address", fmt.Sprintf("%q is what a container talks to itself by, and faults leave that alone. Name the others that it talks to.", clipped(s))
	}
	return p, "", ""
}

// loopbackBits is the length of the prefix that holds all addresses of the loopback.
func loopbackBits(a netip.Addr) int {
	if a.Is4() {
		return 8
	}
	return a.BitLen()
}

// String is the peer as it is written.
func (p Peer) String() string {
	switch {
	case p.Target != nil:
		return "target." + p.Target.Name
	case p.Prefix.IsSingleIP():
		return p.Prefix.Addr().String()
	}
	return p.Prefix.String()
}

// String is the range as it is written: "443", "8000-8100".
func (r PortRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(int(r.From))
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

const highestPort = 65535

// ports reads a list of ports and ranges, orders it, and joins what overlaps.
func (b *block) ports(name string) ([]PortRange, bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return nil, false
	}
	const example = `[443, "8000-8100"]`
	if t := v.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		if r, problem := parsePorts(v); problem == "" {
			b.failAt(name, "Wrong type", fmt.Sprintf("%q is a list: write [%s].", name, r.written()))
			return nil, false
		}
		b.failType(name, "a list such as "+example, v)
		return nil, false
	}
	var ranges []PortRange
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		r, problem := parsePorts(e)
		if problem != "" {
			b.failAt(name, "Invalid port", problem)
			return nil, false
		}
		ranges = append(ranges, r)
	}
	if len(ranges) == 0 {
		b.failAt(name, "Empty list", `"ports" names no port, so nothing would happen. Name some, or leave it out for all.`)
		return nil, false
	}
	slices.SortFunc(ranges, func(x, y PortRange) int { return int(x.From) - int(y.From) })
	joined := ranges[:1]
	for _, r := range ranges[1:] {
		if last := &joined[len(joined)-1]; r.From <= last.To {
			last.To = max(last.To, r.To)
		} else {
			joined = append(joined, r)
		}
	}
	return joined, true
}

func (r PortRange) written() string {
	if r.From == r.To {
		return r.String()
	}
	return strconv.Quote(r.String())
}

// parsePorts reads one element: 443, "443" or "8000-8100".
func parsePorts(v cty.Value) (r PortRange, problem string) {
	const example = `Write a number such as 443, or a range such as "8000-8100".`
	var text string
	switch {
	case v.IsNull():
		return r, "One of the ports is null. " + example
	case v.Type() == cty.Number:
		text = v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.String:
		text = strings.TrimSpace(v.AsString())
	default:
		return r, fmt.Sprintf("A port is no %s. %s", strings.TrimPrefix(typeInWords(v.Type()), "a "), example)
	}
	first, second, isRange := strings.Cut(text, "-")
	from, err := strconv.Atoi(strings.TrimSpace(first))
	to := from
	if isRange && err == nil {
		to, err = strconv.Atoi(strings.TrimSpace(second))
	}
	switch {
	case err != nil:
		return r, fmt.Sprintf("%q is no port. %s", clipped(text), example)
	case from < 1 || from > highestPort || to < 1 || to > highestPort:
		return r, fmt.Sprintf("%q is no port: they go from 1 to %d.", clipped(text), highestPort)
	case from > to:
		return r, fmt.Sprintf("%q goes backwards. Write %q.", clipped(text), fmt.Sprintf("%d-%d", to, from))
	}
	return PortRange{uint16(from), uint16(to)}, ""
}
