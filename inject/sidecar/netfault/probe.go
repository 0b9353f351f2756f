package netfault

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Features says what a kernel can do here.
type Features struct {
	Kernel string // its release, as uname has it

	NFT    bool // nftables
	Owner  bool // tables that end with their process
	Numgen bool // random numbers in rules
	Reject bool
	// RejectIngress: incoming packets are rejected before routing, which the kernel has learned later.
	RejectIngress bool
	NFQueue       bool // packets handed to user space
	Compat        bool // NFQueue needs the iptables target NFQUEUE, for want of nft_queue
	Dup           bool // copies of packets, IPv4 and IPv6
	Forward       bool // packets taken from one device's ingress to another
	Netem         bool
	TBF           bool
	Prio          bool
	HTB           bool
	IFB           bool

	// Missing says of each field that is false, by its name in lower case with spaces, what the kernel lacks and what to do about it.
	Missing map[string]string
}

// Probe tries what the kernel can do in the current namespace. Nothing that it tries takes effect: transactions of nftables
// are not ended, and qdiscs and devices are asked for in ways that the kernel refuses once it has found their kind. Which hook a
// rule may hang in the kernel says only of a table that is really there: that is tried where nobody else is in the namespace, and
// taken for granted elsewhere.
func Probe(alone bool) (Features, error) {
	f := Features{Missing: map[string]string{}}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return f, fmt.Errorf("the kernel's release cannot be read: %w", err)
	}
	f.Kernel = unix.ByteSliceToString(name.Release[:])

	nft, err := dial(unix.NETLINK_NETFILTER)
	if err != nil {
		return f, fmt.Errorf("no netlink socket for nftables: %w", err)
	}
	defer nft.close()
	route, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return f, fmt.Errorf("no netlink socket for devices: %w", err)
	}
	defer route.close()

	note := func(has *bool, key string, err error, missing string) {
		*has = err == nil
		if err != nil {
			f.Missing[key] = fmt.Sprintf("%s (the kernel said: %v)", missing, err)
		}
	}
	err = nft.try(probeTable(unix.NFPROTO_INET, false))
	if errors.Is(err, unix.EPERM) {
		return f, fmt.Errorf("the kernel does not let this process change the network here: %w; it needs the capability NET_ADMIN", err)
	}
	note(&f.NFT, "nft", err, "the kernel has no nftables for the family inet; it would need the modules nf_tables and nf_tables_inet (CONFIG_NF_TABLES_INET)")
	note(&f.Owner, "owner", nft.try(probeTable(unix.NFPROTO_INET, true)), "the kernel knows no tables that end with their process; it would have to be Linux 5.12 or newer")
	note(&f.Numgen, "numgen", nft.tryRule(unix.NFPROTO_INET, share(50)), "the kernel draws no random numbers in rules; it would need the module nft_numgen (CONFIG_NFT_NUMGEN)")
	note(&f.Reject, "reject", nft.tryRule(unix.NFPROTO_INET, rule{rejectUnreachable()}), "the kernel cannot reject packets; it would need the module nft_reject_inet (CONFIG_NFT_REJECT_INET)")
	if f.RejectIngress = f.Reject; !f.Reject {
		f.Missing["reject ingress"] = f.Missing["reject"]
	} else if alone {
		note(&f.RejectIngress, "reject ingress", nft.tryHooked(rule{rejectUnreachable()}, hooksFor(unix.NFPROTO_INET, Ingress, Reject)),
			"the kernel cannot reject packets before routing, where those that come in are rejected; it would have to be Linux 5.9 or newer")
	}
	dup := nft.tryRule(unix.NFPROTO_IPV4, duplicate(unix.NFPROTO_IPV4, 0, Egress))
	if dup == nil {
		dup = nft.tryRule(unix.NFPROTO_IPV6, duplicate(unix.NFPROTO_IPV6, 0, Egress))
	}
	note(&f.Dup, "dup", dup, "the kernel cannot copy packets in rules; it would need the modules nft_dup_ipv4 and nft_dup_ipv6 (CONFIG_NFT_DUP_IPV4, CONFIG_NFT_DUP_IPV6)")
	note(&f.Forward, "forward", nft.tryRule(unix.NFPROTO_NETDEV, forward(1)), "the kernel cannot take packets from a device in rules; it would need the module nft_fwd_netdev (CONFIG_NFT_FWD_NETDEV)")

	queue := nft.tryRule(unix.NFPROTO_INET, rule{toQueue(silentQueue, 0)})
	if queue != nil && nft.tryRule(unix.NFPROTO_INET, rule{toQueueCompat(silentQueue, 0)}) == nil {
		queue, f.Compat = nil, true
	}
	if queue == nil {
		var q *queueSocket
		if q, queue = bindQueue(0, copyMeta); queue == nil {
			queue = q.close()
		}
	}
	note(&f.NFQueue, "nfqueue", queue, "the kernel cannot hand packets to a program; it would need the modules nfnetlink_queue and nft_queue (CONFIG_NETFILTER_NETLINK_QUEUE, CONFIG_NFT_QUEUE)")
	f.Compat = f.Compat && f.NFQueue

	qdisc := func(has *bool, kind string, hint string) {
		note(has, kind, route.tryQdisc(kind), fmt.Sprintf("the kernel has no %s; it would need the module sch_%s (CONFIG_NET_SCH_%s)%s", kind, kind, upper(kind), hint))
	}
	qdisc(&f.Netem, "netem", ", which Fedora and RHEL have in the package kernel-modules-extra")
	qdisc(&f.TBF, "tbf", "")
	qdisc(&f.Prio, "prio", "")
	qdisc(&f.HTB, "htb", "")
	note(&f.IFB, "ifb", route.tryDevice("ifb"), "the kernel has no intermediate functional block device; it would need the module ifb (CONFIG_IFB)")
	return f, nil
}

// probeName is a table that never comes to be. The name differs from our own, which another process may own.
const probeName = "gameday_probe"

func probeTable(family byte, owned bool) nftMessage {
	body := str(unix.NFTA_TABLE_NAME, probeName)
	if owned {
		body = append(body, be32(unix.NFTA_TABLE_FLAGS, tableOwned)...)
	}
	return nftMessage{unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE | unix.NLM_F_EXCL, family, body}
}

// tryRule says whether the kernel takes a rule. The chain is in no hook: putting one into a hook, even for a moment, is felt.
func (c *conn) tryRule(family byte, r rule) error {
	chain := "probe"
	return c.try(probeTable(family, false),
		nftMessage{unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, family,
			cat(str(unix.NFTA_CHAIN_TABLE, probeName), str(unix.NFTA_CHAIN_NAME, chain))},
		nftMessage{unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE | unix.NLM_F_APPEND, family,
			cat(str(unix.NFTA_RULE_TABLE, probeName), str(unix.NFTA_RULE_CHAIN, chain), nest(unix.NFTA_RULE_EXPRESSIONS, r...))})
}

// tryHooked says whether the kernel takes a rule in hooks, of a table that is there for a moment.
func (c *conn) tryHooked(r rule, hooks []hook) error {
	messages := []nftMessage{newTable(unix.NFPROTO_INET, false)}
	for _, h := range hooks {
		base := chainRef{unix.NFPROTO_INET, h.name}
		messages = append(messages, newBaseChain(base, h.number, h.priority, nil), newRule(base, r))
	}
	if err := c.transact(messages...); err != nil {
		return err
	}
	return c.transact(deleteTable(unix.NFPROTO_INET))
}

// try sends a transaction without its end: the kernel says whether it takes the messages, and then forgets them.
func (c *conn) try(messages ...nftMessage) error {
	t := c.newBatch(messages...)
	t.b = t.b[:len(t.b)-unix.NLMSG_HDRLEN-4]
	return c.commit(t)
}

// tryQdisc asks for a qdisc without its options, which the kinds that are asked for insist on.
func (c *conn) tryQdisc(kind string) error {
	err := c.do(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL,
		append(tcMessage(1, rootHandle, tcRoot), str(unix.TCA_KIND, kind)...))
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err == nil {
		c.do(unix.RTM_DELQDISC, 0, tcMessage(1, rootHandle, tcRoot))
		return fmt.Errorf("it took a %s without options, which is not understood", kind)
	}
	return err
}

// tryDevice asks for a device with more queues than there may be.
func (c *conn) tryDevice(kind string) error {
	err := c.do(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, cat(make(attrs, unix.SizeofIfInfomsg),
		str(unix.IFLA_IFNAME, "gameday-probe"), ne32(unix.IFLA_NUM_TX_QUEUES, 1<<20),
		plainNest(unix.IFLA_LINKINFO, str(unix.IFLA_INFO_KIND, kind))))
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err == nil {
		c.do(unix.RTM_DELLINK, 0, append(make(attrs, unix.SizeofIfInfomsg), str(unix.IFLA_IFNAME, "gameday-probe")...))
		return fmt.Errorf("it took a %s with too many queues, which is not understood", kind)
	}
	return err
}

func upper(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] -= 'a' - 'A'
	}
	return string(b)
}
