package netfault

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

const (
	rootMajor  = 0x6764
	rootHandle = rootMajor << 16 // "6764:", by which our qdiscs are known
	ifbName    = "gameday-ifb"   // takes incoming packets through a qdisc
	prioBands  = 16              // what the kernel allows: the first for everyone else, the others for faults

	netemLimit   = 100_000    // packets that a netem holds at most
	tcRoot       = 0xffffffff // TC_H_ROOT
	sizeofTcMsg  = 20
	anyRate      = 1 << 40 // bytes per second, for classes that limit nothing
	packetsAsOne = 1514    // bytes of a full Ethernet frame
)

// Attributes of qdiscs (linux/pkt_sched.h).
const (
	netemCorrelation = 1
	netemCorrupt     = 4
	netemLoss        = 5
	netemLatency64   = 10
	netemJitter64    = 11
	netemLossGE      = 2

	tbfParams = 1
	tbfRate64 = 4
	tbfBurst  = 6

	htbParams = 1
	htbInit   = 2
	htbRate64 = 6
	htbCeil64 = 7
)

// ticks is a time in the units of the kernel's packet scheduler, 64 ns.
func ticks(d time.Duration) uint32 { return uint32(min(d/64, math.MaxUint32)) }

// tcMessage is struct tcmsg.
func tcMessage(ifindex int, handle, parent uint32) attrs {
	b := make(attrs, 0, sizeofTcMsg)
	b = append(b, unix.AF_UNSPEC, 0, 0, 0)
	b = native.AppendUint32(b, uint32(ifindex))
	b = native.AppendUint32(b, handle)
	b = native.AppendUint32(b, parent)
	return native.AppendUint32(b, 0)
}

// link is a network device.
type link struct {
	index int
	name  string
	kind  string // "veth", "ifb" and the like, "" for hardware
	up    bool
	lo    bool
	mtu   uint32
}

func (c *conn) links() ([]link, error) {
	var list []link
	err := c.dump(unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg), func() { list = nil }, func(b []byte) {
		if len(b) < unix.SizeofIfInfomsg {
			return
		}
		flags := native.Uint32(b[8:])
		a := b[unix.SizeofIfInfomsg:]
		l := link{
			index: int(int32(native.Uint32(b[4:]))),
			name:  attrString(a, unix.IFLA_IFNAME),
			up:    flags&unix.IFF_UP != 0,
			lo:    flags&unix.IFF_LOOPBACK != 0,
		}
		if kind, ok := findAttr(a, unix.IFLA_LINKINFO, unix.IFLA_INFO_KIND); ok {
			l.kind = cString(kind)
		}
		if mtu, ok := findAttr(a, unix.IFLA_MTU); ok && len(mtu) >= 4 {
			l.mtu = native.Uint32(mtu)
		}
		list = append(list, l)
	})
	if err != nil {
		return nil, fmt.Errorf("the network devices cannot be listed: %w", err)
	}
	return list, nil
}

// qdisc is a queueing discipline on a device.
type qdisc struct {
	ifindex        int
	handle, parent uint32
	kind           string
	options        []byte
	packets        uint64
	bytes          uint64
	drops          uint32
	queued         uint32 // packets that it holds
	full           uint32 // how often a packet could not go on at once
}

func (c *conn) qdiscs() ([]qdisc, error) {
	var list []qdisc
	err := c.dump(unix.RTM_GETQDISC, tcMessage(0, 0, 0), func() { list = nil }, func(b []byte) {
		if len(b) < sizeofTcMsg {
			return
		}
		a := b[sizeofTcMsg:]
		q := qdisc{
			ifindex: int(int32(native.Uint32(b[4:]))),
			handle:  native.Uint32(b[8:]),
			parent:  native.Uint32(b[12:]),
			kind:    attrString(a, unix.TCA_KIND),
		}
		if o, ok := findAttr(a, unix.TCA_OPTIONS); ok {
			q.options = append([]byte(nil), o...)
		}
		const basic, queue = 1, 3 // TCA_STATS_BASIC, TCA_STATS_QUEUE
		if s, ok := findAttr(a, unix.TCA_STATS2, basic); ok && len(s) >= 12 {
			q.bytes, q.packets = native.Uint64(s), uint64(native.Uint32(s[8:]))
		}
		if s, ok := findAttr(a, unix.TCA_STATS2, queue); ok && len(s) >= 12 {
			q.queued, q.drops = native.Uint32(s), native.Uint32(s[8:])
			if len(s) >= 20 {
				q.full = native.Uint32(s[16:])
			}
		}
		list = append(list, q)
	})
	if err != nil {
		return nil, fmt.Errorf("the qdiscs cannot be listed: %w", err)
	}
	return list, nil
}

// root says which qdisc a device has at its root; its kind is "" if there is none.
func root(all []qdisc, ifindex int) qdisc {
	for _, q := range all {
		if q.ifindex == ifindex && q.parent == tcRoot {
			return q
		}
	}
	return qdisc{}
}

// addRoot puts our classful qdisc on a device. All packets take its first way, which does nothing to them; those whose
// priority names a class of it take another.
func (c *conn) addRoot(ifindex int, f Features) error {
	body := tcMessage(ifindex, rootHandle, tcRoot)
	if f.Prio {
		options := native.AppendUint32(nil, prioBands)
		options = append(options, make([]byte, 16)...) // struct tc_prio_qopt: every priority to the first band
		body = append(body, cat(str(unix.TCA_KIND, "prio"), attr(unix.TCA_OPTIONS, options))...)
	} else {
		// Unclassified packets of an htb without a default class pass as they are.
		init := native.AppendUint32(nil, 3) // struct tc_htb_glob
		init = native.AppendUint32(init, 10)
		init = append(init, make([]byte, 12)...)
		body = append(body, cat(str(unix.TCA_KIND, "htb"), plainNest(unix.TCA_OPTIONS, attr(htbInit, init)))...)
	}
	return c.do(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body)
}

// addLeaf hangs a qdisc into a class of our root.
func (c *conn) addLeaf(ifindex int, class uint32, leaf leafQdisc, f Features) error {
	if !f.Prio {
		if err := c.do(unix.RTM_NEWTCLASS, unix.NLM_F_CREATE|unix.NLM_F_EXCL, append(tcMessage(ifindex, class, rootHandle), cat(
			str(unix.TCA_KIND, "htb"), plainNest(unix.TCA_OPTIONS, htbUnlimited()))...)); err != nil {
			return err
		}
	}
	return c.do(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, append(tcMessage(ifindex, 0, class), leaf.attrs()...))
}

// htbUnlimited are the options of a class that limits nothing.
func htbUnlimited() attrs {
	rate := make([]byte, 12) // struct tc_ratespec
	native.PutUint32(rate[8:], math.MaxUint32)
	opt := append(append([]byte(nil), rate...), rate...) // struct tc_htb_opt
	opt = native.AppendUint32(opt, ticks(time.Second))
	opt = native.AppendUint32(opt, ticks(time.Second))
	opt = native.AppendUint32(opt, 1<<20) // quantum
	opt = append(opt, make([]byte, 8)...)
	return cat(attr(htbParams, opt), ne64(htbRate64, anyRate), ne64(htbCeil64, anyRate))
}

// removeLeaf takes the qdisc out again. What it holds is dropped.
func (c *conn) removeLeaf(ifindex int, class uint32, f Features) error {
	if !f.Prio {
		return c.do(unix.RTM_DELTCLASS, 0, tcMessage(ifindex, class, rootHandle))
	}
	return c.do(unix.RTM_DELQDISC, 0, tcMessage(ifindex, 0, class))
}

// removeRoot removes our qdisc from a device, which then has the system's default again.
func (c *conn) removeRoot(ifindex int) error {
	return c.do(unix.RTM_DELQDISC, 0, tcMessage(ifindex, rootHandle, tcRoot))
}

// leafQdisc is what does the work: a netem or a tbf.
type leafQdisc struct {
	kind    string
	options attrs
}

func (l leafQdisc) attrs() attrs {
	return cat(str(unix.TCA_KIND, l.kind), attr(unix.TCA_OPTIONS, l.options))
}

// netem is the qdisc for an effect. Which packets come to it was decided before, except with a correlation.
func netem(e Effect) leafQdisc {
	var (
		opt                                    [24]byte // struct tc_netem_qopt
		delay, jitter                          time.Duration
		duplicate                              uint32
		delayCorrelation, duplicateCorrelation uint32
		extra                                  attrs
		correlation                            = probability(e.Correlation)
		chosen                                 = uint32(math.MaxUint32)
	)
	if e.Correlation > 0 {
		chosen = probability(e.Percent)
	}
	switch e.Kind {
	case Latency:
		delay, jitter, delayCorrelation = e.Delay, e.Jitter, correlation
	case Reorder:
		delay = e.Delay
	case Duplicate:
		duplicate, duplicateCorrelation = chosen, correlation
	case Corrupt:
		corrupt := native.AppendUint32(nil, chosen) // struct tc_netem_corrupt
		extra = attr(netemCorrupt, native.AppendUint32(corrupt, correlation))
	case Loss:
		// Two states, lost and not: the share is kept whatever the correlation, unlike with netem's plain loss.
		p, c := e.Percent, e.Correlation/100
		var ge []byte // struct tc_netem_gemodel
		for _, v := range []float64{p * (1 - c), (100 - p) * (1 - c), 0, 0} {
			ge = native.AppendUint32(ge, probability(v))
		}
		extra = nest(netemLoss, attr(netemLossGE, ge))
	}
	native.PutUint32(opt[0:], ticks(delay))
	native.PutUint32(opt[4:], netemLimit)
	native.PutUint32(opt[16:], duplicate)
	native.PutUint32(opt[20:], ticks(jitter))
	var corr []byte // struct tc_netem_corr
	corr = native.AppendUint32(corr, delayCorrelation)
	corr = native.AppendUint32(corr, 0)
	corr = native.AppendUint32(corr, duplicateCorrelation)
	return leafQdisc{"netem", cat(opt[:], attr(netemCorrelation, corr), extra,
		ne64(netemLatency64, uint64(delay)), ne64(netemJitter64, uint64(jitter)))}
}

// tbf is the qdisc for a rate in bits per second, on a device with an MTU. It holds a fifth of a second, and more only at
// rates at which that is a few packets. Its burst makes up for timers that are up to 20 ms late.
func tbf(bits uint64, mtu uint32) leafQdisc {
	rate := bits / 8
	frame := max(uint64(mtu)+14, packetsAsOne)
	burst := max(2*frame, rate/50)
	limit := min(max(burst+rate/5, 32<<10), 1<<30)
	burst = min(burst, 1<<30)

	var opt [36]byte // struct tc_tbf_qopt
	native.PutUint32(opt[8:], uint32(min(rate, math.MaxUint32)))
	native.PutUint32(opt[24:], uint32(limit))
	native.PutUint32(opt[28:], ticks(time.Duration(float64(burst)/float64(rate)*float64(time.Second))))
	return leafQdisc{"tbf", cat(attr(tbfParams, opt[:]), ne64(tbfRate64, rate), ne32(tbfBurst, uint32(burst)))}
}

// ifbMTU is too little for IPv6, which so leaves the device alone: it gets no address and no routes, and does not look like one
// more network. Packets of any size go through it all the same.
const ifbMTU = 1279

// addIFB makes the device through which incoming packets are sent, and starts it.
func (c *conn) addIFB() (link, error) {
	info := make(attrs, unix.SizeofIfInfomsg)
	err := c.do(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, cat(info, str(unix.IFLA_IFNAME, ifbName), ne32(unix.IFLA_MTU, ifbMTU),
		plainNest(unix.IFLA_LINKINFO, str(unix.IFLA_INFO_KIND, "ifb"))))
	if err != nil {
		return link{}, fmt.Errorf("the device %s cannot be made: %w", ifbName, err)
	}
	all, err := c.links()
	if err != nil {
		return link{}, err
	}
	for _, l := range all {
		if l.name != ifbName {
			continue
		}
		native.PutUint32(info[4:], uint32(l.index))
		native.PutUint32(info[8:], unix.IFF_UP)
		native.PutUint32(info[12:], unix.IFF_UP)
		if err := c.do(unix.RTM_NEWLINK, 0, info); err != nil {
			return link{}, errors.Join(fmt.Errorf("the device %s cannot be started: %w", ifbName, err), c.removeLink(l.index))
		}
		return l, nil
	}
	return link{}, fmt.Errorf("the device %s was made, but is not there", ifbName)
}

func (c *conn) removeLink(ifindex int) error {
	info := make(attrs, unix.SizeofIfInfomsg)
	native.PutUint32(info[4:], uint32(ifindex))
	return c.do(unix.RTM_DELLINK, 0, info)
}

// changeLeaf gives a qdisc in a class of our root other options.
func (c *conn) changeLeaf(ifindex int, class uint32, leaf leafQdisc) error {
	all, err := c.qdiscs()
	if err != nil {
		return err
	}
	for _, q := range all {
		if q.ifindex == ifindex && q.parent == class {
			return c.do(unix.RTM_NEWQDISC, 0, append(tcMessage(ifindex, q.handle, class), leaf.attrs()...))
		}
	}
	return unix.ENOENT
}
