package netfault

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	tableName     = "gameday"
	tableOwned    = 0x2 // NFT_TABLE_F_OWNER: the kernel removes the table when its socket is closed
	tableOwner    = 7   // NFTA_TABLE_OWNER
	hookDevices   = 4   // NFTA_HOOK_DEVS
	deviceName    = 1   // NFTA_DEVICE_NAME
	nfDrop        = 0   // the verdicts of netfilter
	nfAccept      = 1
	copyMarks     = 0x67610000 // the packet marks of copies that rules make begin here; the fault's number is added
	maxFaults     = 180        // so many numbers there are
	shareOf       = 1_000_000  // shares of packets are counted in millionths
	queueBypass   = 0x1        // NFT_QUEUE_FLAG_BYPASS, NFQ_FLAG_BYPASS: without a listener, packets pass
	registerAddr  = unix.NFT_REG_1
	registerValue = unix.NFT_REG_1
	registerOld   = unix.NFT_REG_2
	registerNew   = unix.NFT_REG_3
)

// nftMessage is one message of a transaction.
type nftMessage struct {
	typ    uint16 // NFT_MSG_…
	flags  uint16
	family byte
	body   attrs
}

func newTable(family byte, owned bool) nftMessage {
	body := str(unix.NFTA_TABLE_NAME, tableName)
	if owned {
		body = append(body, be32(unix.NFTA_TABLE_FLAGS, tableOwned)...)
	}
	return nftMessage{unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE | unix.NLM_F_EXCL, family, body}
}

func deleteTable(family byte) nftMessage {
	return nftMessage{unix.NFT_MSG_DELTABLE, 0, family, str(unix.NFTA_TABLE_NAME, tableName)}
}

// chainRef names a chain of our table.
type chainRef struct {
	family byte
	name   string
}

func (c chainRef) attrs() attrs {
	return cat(str(unix.NFTA_RULE_TABLE, tableName), str(unix.NFTA_RULE_CHAIN, c.name))
}

func newChain(c chainRef) nftMessage {
	return nftMessage{unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE | unix.NLM_F_EXCL, c.family,
		cat(str(unix.NFTA_CHAIN_TABLE, tableName), str(unix.NFTA_CHAIN_NAME, c.name))}
}

// newBaseChain hangs a chain into a hook. Devices are named only for the family netdev.
func newBaseChain(c chainRef, hook uint32, priority int32, devices []string) nftMessage {
	h := cat(be32(unix.NFTA_HOOK_HOOKNUM, hook), be32(unix.NFTA_HOOK_PRIORITY, uint32(priority)))
	if len(devices) > 0 {
		var list attrs
		for _, d := range devices {
			list = append(list, str(deviceName, d)...)
		}
		h = append(h, nest(hookDevices, list)...)
	}
	m := newChain(c)
	m.body = append(m.body, cat(nest(unix.NFTA_CHAIN_HOOK, h), be32(unix.NFTA_CHAIN_POLICY, nfAccept), str(unix.NFTA_CHAIN_TYPE, "filter"))...)
	return m
}

func deleteChain(c chainRef) nftMessage {
	return nftMessage{unix.NFT_MSG_DELCHAIN, 0, c.family,
		cat(str(unix.NFTA_CHAIN_TABLE, tableName), str(unix.NFTA_CHAIN_NAME, c.name))}
}

func newRule(c chainRef, r rule) nftMessage {
	return nftMessage{unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE | unix.NLM_F_APPEND, c.family,
		append(c.attrs(), nest(unix.NFTA_RULE_EXPRESSIONS, r...)...)}
}

// deleteRules empties a chain.
func deleteRules(c chainRef) nftMessage {
	return nftMessage{unix.NFT_MSG_DELRULE, 0, c.family, c.attrs()}
}

// rule is a list of expressions, evaluated from left to right until one does not match.
type rule []attrs

func expression(name string, data ...attrs) attrs {
	return nest(unix.NFTA_LIST_ELEM, str(unix.NFTA_EXPR_NAME, name), nest(unix.NFTA_EXPR_DATA, data...))
}

func loadMeta(key, register uint32) attrs {
	return expression("meta", be32(unix.NFTA_META_KEY, key), be32(unix.NFTA_META_DREG, register))
}

func setMeta(key, register uint32) attrs {
	return expression("meta", be32(unix.NFTA_META_KEY, key), be32(unix.NFTA_META_SREG, register))
}

func compare(op uint32, value ...byte) attrs {
	return expression("cmp", be32(unix.NFTA_CMP_SREG, registerValue), be32(unix.NFTA_CMP_OP, op),
		nest(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, value)))
}

func loadPayload(base, offset, size uint32) attrs {
	return expression("payload", be32(unix.NFTA_PAYLOAD_DREG, registerValue), be32(unix.NFTA_PAYLOAD_BASE, base),
		be32(unix.NFTA_PAYLOAD_OFFSET, offset), be32(unix.NFTA_PAYLOAD_LEN, size))
}

// mask keeps only the bits of a mask in the register.
func mask(m []byte) attrs {
	return expression("bitwise", be32(unix.NFTA_BITWISE_SREG, registerValue), be32(unix.NFTA_BITWISE_DREG, registerValue),
		be32(unix.NFTA_BITWISE_LEN, uint32(len(m))),
		nest(unix.NFTA_BITWISE_MASK, attr(unix.NFTA_DATA_VALUE, m)),
		nest(unix.NFTA_BITWISE_XOR, attr(unix.NFTA_DATA_VALUE, make([]byte, len(m)))))
}

func immediate(register uint32, value ...byte) attrs {
	return expression("immediate", be32(unix.NFTA_IMMEDIATE_DREG, register),
		nest(unix.NFTA_IMMEDIATE_DATA, attr(unix.NFTA_DATA_VALUE, value)))
}

func verdict(code int32, chain string) attrs {
	v := be32(unix.NFTA_VERDICT_CODE, uint32(code))
	if chain != "" {
		v = append(v, str(unix.NFTA_VERDICT_CHAIN, chain)...)
	}
	return expression("immediate", be32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT),
		nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, v)))
}

func gotoChain(chain string) attrs { return verdict(unix.NFT_GOTO, chain) }
func leaveChain() attrs            { return verdict(unix.NFT_RETURN, "") }
func drop() attrs                  { return verdict(nfDrop, "") }
func counter() attrs               { return expression("counter") }

// share lets a share of the packets go on, drawn for each packet on its own. The number that the kernel draws is in its own
// byte order, and comparisons are made byte by byte from the left: without the swap a little-endian machine compares nonsense.
func share(percent float64) rule {
	if percent >= 100 {
		return nil
	}
	return rule{
		expression("numgen", be32(unix.NFTA_NG_DREG, registerValue), be32(unix.NFTA_NG_MODULUS, shareOf),
			be32(unix.NFTA_NG_TYPE, unix.NFT_NG_RANDOM), be32(unix.NFTA_NG_OFFSET, 0)),
		hostToNetwork(),
		compare(unix.NFT_CMP_LT, binary.BigEndian.AppendUint32(nil, millionths(percent))...),
	}
}

// hostToNetwork turns the byte order of a number around.
func hostToNetwork() attrs {
	return expression("byteorder", be32(unix.NFTA_BYTEORDER_SREG, registerValue), be32(unix.NFTA_BYTEORDER_DREG, registerValue),
		be32(unix.NFTA_BYTEORDER_OP, unix.NFT_BYTEORDER_HTON), be32(unix.NFTA_BYTEORDER_LEN, 4), be32(unix.NFTA_BYTEORDER_SIZE, 4))
}

func millionths(percent float64) uint32 { return uint32(percent*shareOf/100 + 0.5) }

func rejectReset() attrs {
	return expression("reject", be32(unix.NFTA_REJECT_TYPE, unix.NFT_REJECT_TCP_RST), attr(unix.NFTA_REJECT_ICMP_CODE, []byte{0}))
}

// rejectUnreachable answers with "port unreachable", in ICMP or ICMPv6 as the packet is.
func rejectUnreachable() attrs {
	return expression("reject", be32(unix.NFTA_REJECT_TYPE, unix.NFT_REJECT_ICMPX_UNREACH), attr(unix.NFTA_REJECT_ICMP_CODE, []byte{unix.NFT_REJECT_ICMPX_PORT_UNREACH}))
}

// toQueue hands packets to user space, by nft_queue.
func toQueue(number, flags uint16) attrs {
	return expression("queue", be16(unix.NFTA_QUEUE_NUM, number), be16(unix.NFTA_QUEUE_TOTAL, 1), be16(unix.NFTA_QUEUE_FLAGS, flags))
}

// toQueueCompat does the same by the iptables target NFQUEUE, for kernels without nft_queue.
func toQueueCompat(number, flags uint16) attrs {
	info := make([]byte, 8) // struct xt_NFQ_info_v3, padded
	native.PutUint16(info, number)
	native.PutUint16(info[2:], 1)
	native.PutUint16(info[4:], flags)
	return expression("target", str(unix.NFTA_TARGET_NAME, "NFQUEUE"), be32(unix.NFTA_TARGET_REV, 3), attr(unix.NFTA_TARGET_INFO, info))
}

// setPriority sends packets to a class of a qdisc: classful qdiscs take a priority that carries their handle as the class.
func setPriority(class uint32) rule {
	return rule{immediate(registerNew, native.AppendUint32(nil, class)...), setMeta(unix.NFT_META_PRIORITY, registerNew)}
}

// forward takes packets from a device's ingress to another device.
func forward(ifindex int) rule {
	return rule{immediate(registerValue, native.AppendUint32(nil, uint32(ifindex))...), expression("fwd", be32(unix.NFTA_FWD_SREG_DEV, registerValue))}
}

// duplicate sends a copy of a packet to where the packet goes, by the same device. The copy is marked with the fault's number,
// and the packet's own mark put back. A copy starts again where packets that are made here start.
func duplicate(family byte, number int, d Direction) rule {
	r := rule{
		loadMeta(unix.NFT_META_MARK, registerOld),
		immediate(registerNew, native.AppendUint32(nil, copyMarks+uint32(number))...),
		setMeta(unix.NFT_META_MARK, registerNew),
		loadAddress(family, Egress),
	}
	to := be32(unix.NFTA_DUP_SREG_ADDR, registerAddr)
	if d == Egress {
		r = append(r, loadMeta(unix.NFT_META_OIF, registerNew))
		to = append(to, be32(unix.NFTA_DUP_SREG_DEV, registerNew)...)
	}
	return append(r, expression("dup", to), setMeta(unix.NFT_META_MARK, registerOld))
}

// isCopy matches copies that this fault made, or with later ones also those of the faults after it. This fault has seen all of
// their originals.
func isCopy(number int, later bool) rule {
	mark := binary.BigEndian.AppendUint32(nil, copyMarks+uint32(number))
	r := rule{loadMeta(unix.NFT_META_MARK, registerValue), hostToNetwork()}
	if !later {
		return append(r, compare(unix.NFT_CMP_EQ, mark...))
	}
	return append(r, compare(unix.NFT_CMP_GTE, mark...), compare(unix.NFT_CMP_LTE, binary.BigEndian.AppendUint32(nil, copyMarks+maxFaults)...))
}

// isStream matches packets of a connection of TCP that stands and has its end here.
func isStream() rule {
	const flags, syn = 13, 2
	return append(isProtocol(unix.IPPROTO_TCP),
		loadPayload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, flags, 1), mask([]byte{syn}), compare(unix.NFT_CMP_EQ, 0),
		loadMeta(unix.NFT_META_SKUID, registerValue)) // which only packets of a socket have
}

// multicast matches packets to many.
func multicast(family byte) rule {
	if family == unix.NFPROTO_IPV6 {
		return isPeer(family, Egress, netip.MustParsePrefix("ff00::/8"))
	}
	return isPeer(family, Egress, netip.MustParsePrefix("224.0.0.0/4"))
}

// loadAddress loads the address of the packet's other end: its destination if it goes out, its source if it comes in.
func loadAddress(family byte, d Direction) attrs {
	offset, size := uint32(12), uint32(4)
	if family == unix.NFPROTO_IPV6 {
		offset, size = 8, 16
	}
	if d == Egress {
		offset += size
	}
	return loadPayload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, size)
}

// isVersion matches IPv4 or IPv6 in a table of the given family. Tables of one version need no such match.
func isVersion(table, version byte) rule {
	switch table {
	case unix.NFPROTO_INET:
		return rule{loadMeta(unix.NFT_META_NFPROTO, registerValue), compare(unix.NFT_CMP_EQ, version)}
	case unix.NFPROTO_NETDEV:
		ether := uint16(unix.ETH_P_IP)
		if version == unix.NFPROTO_IPV6 {
			ether = unix.ETH_P_IPV6
		}
		return rule{loadMeta(unix.NFT_META_PROTOCOL, registerValue), compare(unix.NFT_CMP_EQ, binary.BigEndian.AppendUint16(nil, ether)...)}
	}
	return nil
}

// isPeer matches packets to or from a prefix.
func isPeer(table byte, d Direction, p netip.Prefix) rule {
	version := byte(unix.NFPROTO_IPV4)
	if p.Addr().Is6() {
		version = unix.NFPROTO_IPV6
	}
	r := isVersion(table, version)
	if p.Bits() == 0 {
		return r
	}
	r = append(r, loadAddress(version, d))
	addr := p.Masked().Addr().AsSlice()
	if !p.IsSingleIP() {
		m := make([]byte, len(addr))
		for i := range p.Bits() {
			m[i/8] |= 0x80 >> (i % 8)
		}
		r = append(r, mask(m))
	}
	return append(r, compare(unix.NFT_CMP_EQ, addr...))
}

func isProtocol(number byte) rule {
	return rule{loadMeta(unix.NFT_META_L4PROTO, registerValue), compare(unix.NFT_CMP_EQ, number)}
}

// isPort matches a source (offset 0) or destination (offset 2) port of TCP or UDP.
func isPort(offset uint32, p Ports) rule {
	r := rule{loadPayload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2)}
	if p.From == p.To {
		return append(r, compare(unix.NFT_CMP_EQ, binary.BigEndian.AppendUint16(nil, p.From)...))
	}
	return append(r,
		compare(unix.NFT_CMP_GTE, binary.BigEndian.AppendUint16(nil, p.From)...),
		compare(unix.NFT_CMP_LTE, binary.BigEndian.AppendUint16(nil, p.To)...))
}

// linkMessages match what hosts of a link tell each other to make it work: ICMPv6's multicast listener, router and neighbour
// messages, which are to IPv6 what ARP is to IPv4, and IGMP. They are no traffic of the target's, and neither hit nor counted.
func linkMessages(table byte) (list []rule) {
	if table != unix.NFPROTO_IPV4 {
		icmpType := append(isProtocolIn(table, unix.NFPROTO_IPV6, unix.IPPROTO_ICMPV6), loadPayload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1))
		list = append(list,
			slices.Concat(icmpType, rule{compare(unix.NFT_CMP_GTE, 130), compare(unix.NFT_CMP_LTE, 137)}),
			slices.Concat(icmpType, rule{compare(unix.NFT_CMP_EQ, 143)}))
	}
	if table != unix.NFPROTO_IPV6 {
		list = append(list, isProtocolIn(table, unix.NFPROTO_IPV4, unix.IPPROTO_IGMP))
	}
	return list
}

func isProtocolIn(table, version, number byte) rule {
	return append(isVersion(table, version), isProtocol(number)...)
}

// notLoopback matches packets that come in or go out by another device than lo, whose index is 1 in every namespace.
func notLoopback(d Direction) rule {
	key := uint32(unix.NFT_META_IIF)
	if d == Egress {
		key = unix.NFT_META_OIF
	}
	return rule{loadMeta(key, registerValue), compare(unix.NFT_CMP_NEQ, native.AppendUint32(nil, 1)...)}
}
