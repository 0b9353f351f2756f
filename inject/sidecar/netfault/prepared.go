package netfault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Prepared is a fault of which everything stands, so that it takes one small transaction to put it in force.
type Prepared struct {
	space  *Space
	id     string
	number int
	effect Effect
	means  string

	parts   []*part
	tables  []byte  // the families whose tables it uses
	worker  *worker // nil unless by NFQUEUE
	classes []classUse
	enter   batch

	life    sync.Mutex // one Apply or Undo at a time
	applied bool
	undone  bool
	final   Counts // when undone
}

// classUse is a class of our qdiscs that a fault uses.
type classUse struct {
	devices []link
	class   uint32
}

// Means is what does the fault: ByNetem, and so on.
func (p *Prepared) Means() string { return p.means }

// Prepare does all costly work for a fault. Nothing is in effect yet. The id is for people who list the rules.
func (s *Space) Prepare(id string, selectors []Selector, e Effect) (_ *Prepared, err error) {
	if len(selectors) == 0 {
		return nil, errors.New("a network fault needs a selector")
	}
	if e.Kind == Reorder && e.Delay == 0 {
		e.Delay = DefaultHold
	}
	var directions []Direction
	for _, sel := range selectors {
		if err := sel.check(); err != nil {
			return nil, err
		}
		directions = append(directions, sel.Direction)
	}
	means, _, err := MeansForAll(e, directions, s.features)
	if err != nil {
		return nil, err
	}
	if e.Kind == Reject && e.Reject == RejectTCPReset {
		if selectors, err = onlyTCP(selectors); err != nil {
			return nil, err
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the namespace was given up already")
	}
	if s.faults[id] != nil {
		return nil, fmt.Errorf("a fault %q is prepared already", id)
	}
	number := s.nextNumber()
	if number > maxFaults {
		return nil, fmt.Errorf("more than %d faults in one namespace: undo all, and begin again", maxFaults)
	}
	p := &Prepared{space: s, id: id, number: number, effect: e, means: means}
	s.faults[id] = p
	defer func() {
		if err != nil {
			err = errors.Join(err, p.tearDown())
		}
	}()
	if means == ByNFQueue {
		if p.worker, err = newWorker(e, p.chooses()); err != nil {
			return nil, err
		}
	}
	for _, d := range []Direction{Egress, Ingress} {
		var of []Selector
		for _, sel := range selectors {
			if sel.Direction == d {
				of = append(of, sel)
			}
		}
		if len(of) > 0 {
			if err := p.prepare(d, of); err != nil {
				return nil, err
			}
		}
	}
	if len(p.parts) == 0 {
		return nil, errors.New("the fault would match nothing")
	}
	var messages []nftMessage
	for _, part := range p.parts {
		messages = append(messages, part.apply()...)
	}
	p.enter = s.nft.newBatch(messages...)
	return p, nil
}

// onlyTCP narrows selectors to what can be answered with a reset.
func onlyTCP(selectors []Selector) ([]Selector, error) {
	selectors = slices.Clone(selectors)
	for i := range selectors {
		switch selectors[i].Protocol {
		case "":
			selectors[i].Protocol = "tcp"
		case "tcp":
		default:
			return nil, fmt.Errorf("a reject with %q is for tcp; %s can be answered with %q only", RejectTCPReset, selectors[i].Protocol, RejectICMP)
		}
	}
	return selectors, nil
}

// chooses says whether the worker draws the packets. Otherwise rules do, and it sees only those that were drawn.
func (p *Prepared) chooses() bool {
	switch p.effect.Kind {
	case Loss, Corrupt, Reorder:
		return p.effect.Correlation > 0 || p.effect.Percent < 100 && !p.space.features.Numgen
	}
	return false
}

// copies says whether copies of packets are held in place of the packets. Outgoing packets that are held count as not yet sent,
// of which a socket of TCP may have few: its throughput would fall far below what a delay does. A copy belongs to no socket. The
// first packet of a connection is held itself, so that the kernel's connection tracking sees it leave.
func (p *Prepared) copies(d Direction) bool {
	return d == Egress && p.means == ByNFQueue && p.space.features.Dup && (p.effect.Kind == Latency || p.effect.Kind == Reorder && !p.worker.chooses)
}

// prepare makes the chains for a direction.
func (p *Prepared) prepare(d Direction, selectors []Selector) error {
	s, f := p.space, p.space.features
	var act rule // what is done to packets that were chosen
	families := []byte{unix.NFPROTO_INET}
	var devices []string
	switch p.means {
	case ByNFTables:
		switch p.effect.Kind {
		case Partition, Loss:
			act = rule{f.silentDrop(d)}
		case Reject:
			act = rule{rejectUnreachable()}
			if p.effect.Reject == RejectTCPReset {
				act = rule{rejectReset()}
			}
		case Duplicate:
			families = []byte{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6} // the kernel copies in tables of one version only
		}
	case ByNFQueue:
		act = rule{f.toQueue(p.worker.socket.number, queueBypass)}
		if p.copies(d) {
			families = []byte{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}
		}
	case ByNetem, ByTBF:
		if d == Ingress {
			families = []byte{unix.NFPROTO_NETDEV}
			ends, err := s.devices()
			if err != nil {
				return err
			}
			for _, l := range ends {
				devices = append(devices, l.name)
			}
		}
		on, class, err := s.useClass(d, func(l link) leafQdisc {
			if p.means == ByTBF {
				return tbf(p.effect.Rate, l.mtu)
			}
			return netem(p.effect)
		})
		if err != nil {
			return err
		}
		p.classes = append(p.classes, classUse{on, class})
		act = setPriority(class)
		if d == Ingress {
			act = append(act, forward(s.ifb.index)...)
		}
	}

	var choose rule
	switch p.effect.Kind {
	case Loss, Corrupt, Duplicate, Reorder:
		if p.effect.Correlation == 0 && !(p.worker != nil && p.worker.chooses) {
			choose = share(p.effect.Percent)
		}
	}
	for _, family := range families {
		if !slices.ContainsFunc(selectors, func(sel Selector) bool { return sel.seenBy(family) }) {
			continue
		}
		var hit []rule
		var copies rule
		act := act
		if p.effect.Kind == Duplicate && p.means == ByNFTables {
			act = duplicate(family, p.number, d)
			// A packet to many has been multiplied already, for the listeners here.
			hit = append(hit, append(multicast(family), verdict(nfAccept, "")))
		}
		if p.copies(d) {
			copies = act
			hit = append(hit, slices.Concat(isStream(), choose, rule{counter()}, duplicate(family, p.number, d), rule{f.silentDrop(d)}))
			if choose != nil {
				hit = append(hit, append(isStream(), verdict(nfAccept, ""))) // it had its draw
			}
		}
		hit = append(hit, slices.Concat(choose, rule{counter()}, act))
		name := fmt.Sprintf("f%d_%s", p.number, identifier(p.id))
		if d == Egress {
			name += ".out"
		} else {
			name += ".in"
		}
		part := plan{
			name: name, number: p.number, family: family, direction: d, selectors: selectors, kind: p.effect.Kind, devices: devices,
			copies: copies, hit: hit,
		}.build()
		if err := s.useTable(family); err != nil {
			return err
		}
		p.tables = append(p.tables, family)
		if err := s.nft.transact(part.make...); err != nil {
			return fmt.Errorf("the nftables rules for %q cannot be made: %w", p.id, err)
		}
		p.parts = append(p.parts, part)
	}
	return nil
}

// seenBy says whether a table of a family sees any of the packets.
func (s Selector) seenBy(family byte) bool {
	return len(s.Peers) == 0 || slices.ContainsFunc(s.Peers, func(p netip.Prefix) bool { return fits(family, p) })
}

func (f Features) toQueue(number, flags uint16) attrs {
	if f.Compat {
		return toQueueCompat(number, flags)
	}
	return toQueue(number, flags)
}

// silentDrop loses packets without a word. Incoming ones need only be dropped. Of an outgoing one the sender would be told: sendto
// fails, and TCP counts the packet as not sent instead of lost. So it goes to a queue that nobody listens to.
func (f Features) silentDrop(d Direction) attrs {
	if d == Egress && f.NFQueue {
		return f.toQueue(silentQueue, 0)
	}
	return drop()
}

// Apply puts the fault in force. It returns the time right after the kernel said so.
func (p *Prepared) Apply() (at time.Time, err error) {
	p.life.Lock()
	defer p.life.Unlock()
	switch {
	case p.undone:
		return time.Time{}, fmt.Errorf("the fault %q was undone already", p.id)
	case p.applied:
		return time.Time{}, fmt.Errorf("the fault %q is in force already", p.id)
	}
	s := p.space
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.nft.commit(p.enter); err != nil {
		return time.Time{}, fmt.Errorf("the fault %q did not take effect: %w", p.id, err)
	}
	at = time.Now()
	p.applied = true
	return at, nil
}

// Counts says how many packets were hit so far, by the kernel's counters. After Undo they are what they were at the end.
func (p *Prepared) Counts() (Counts, error) {
	p.life.Lock()
	defer p.life.Unlock()
	if p.undone {
		return p.final, nil
	}
	return p.count()
}

func (p *Prepared) count() (total Counts, err error) {
	s := p.space
	s.reading.Lock()
	defer s.reading.Unlock()
	for _, part := range p.parts {
		var c Counts
		first := true
		err := s.nftList.eachRule(part.hit, func() { c, first = Counts{}, true }, func(r []byte) {
			eachCounter(r, func(packets, bytes uint64) {
				// The first rule counts what matched, the others what was hit.
				if first {
					c.Matched, c.MatchedBytes = packets, bytes
				} else {
					c.Hit += packets
					c.HitBytes += bytes
				}
				first = false
			})
		})
		if err != nil {
			return Counts{}, fmt.Errorf("the counters of %q cannot be read: %w", p.id, err)
		}
		total = total.add(c)
	}
	if p.worker != nil {
		total.Hit = p.worker.hit.Load()
		if p.worker.chooses {
			total.HitBytes = 0
		}
	}
	var all []qdisc
	for _, use := range p.classes {
		if p.effect.Kind != Loss && p.effect.Kind != Rate {
			break // what was hit is known without the qdiscs
		}
		if all == nil {
			if all, err = s.routeList.qdiscs(); err != nil {
				return Counts{}, err
			}
			total.Hit, total.HitBytes = 0, 0
		}
		for _, q := range all {
			switch {
			case !use.has(q):
			case p.effect.Kind == Rate:
				// A packet may be told to wait more than once.
				total.Hit = min(total.Hit+uint64(q.full), total.Matched)
			default:
				total.Hit += uint64(q.drops)
			}
		}
	}
	return total, nil
}

func (u classUse) has(q qdisc) bool {
	return q.parent == u.class && slices.ContainsFunc(u.devices, func(l link) bool { return l.index == q.ifindex })
}

// Present says whether the kernel lists the fault as in force: its rules, and its qdiscs.
func (p *Prepared) Present() (bool, error) {
	p.life.Lock()
	defer p.life.Unlock()
	if p.undone {
		return false, nil
	}
	if p.worker != nil {
		if err := p.worker.failure(); err != nil {
			return false, err
		}
	}
	s := p.space
	s.reading.Lock()
	defer s.reading.Unlock()
	for _, part := range p.parts {
		for _, c := range append(slices.Clone(part.bases), part.hit) {
			n := 0
			if err := s.nftList.eachRule(c, func() { n = 0 }, func([]byte) { n++ }); err != nil {
				if errors.Is(err, unix.ENOENT) {
					return false, nil
				}
				return false, fmt.Errorf("the rules of %q cannot be listed: %w", p.id, err)
			}
			if n == 0 {
				return false, nil
			}
		}
	}
	if len(p.classes) == 0 {
		return true, nil
	}
	all, err := s.routeList.qdiscs()
	if err != nil {
		return false, err
	}
	for _, use := range p.classes {
		for _, l := range use.devices {
			if !slices.ContainsFunc(all, func(q qdisc) bool { return q.parent == use.class && q.ifindex == l.index }) {
				return false, nil
			}
		}
	}
	return true, nil
}

// Undo takes the fault back and verifies that it is gone. New packets are free when its first transaction is through, which is as
// quick as Apply. Those that are held are then let go, by netem after the rest of their delay. To undo twice is no error.
func (p *Prepared) Undo() error {
	p.life.Lock()
	defer p.life.Unlock()
	if p.undone {
		return nil
	}
	s := p.space
	if p.applied {
		var messages []nftMessage
		for _, part := range p.parts {
			messages = append(messages, part.revoke()...)
		}
		s.mu.Lock()
		err := s.nft.transact(messages...)
		s.mu.Unlock()
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("the fault %q cannot be taken back: %w", p.id, err)
		}
		p.applied = false
	}

	var errs []error
	if p.worker != nil {
		errs = append(errs, p.worker.release())
	}
	for _, use := range p.classes {
		errs = append(errs, p.drain(use))
	}
	final, err := p.count()
	if err != nil && !errors.Is(err, unix.ENOENT) {
		errs = append(errs, err)
	}
	s.mu.Lock()
	errs = append(errs, p.tearDown())
	s.mu.Unlock()
	errs = append(errs, p.verifyGone())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the fault %q was not undone cleanly: %w", p.id, err)
	}
	p.final, p.undone = final, true
	return nil
}

// tearDown removes everything that Prepare made. Nothing must be in force. What is gone already is no error.
func (p *Prepared) tearDown() error {
	s := p.space
	var errs []error
	if p.worker != nil {
		errs = append(errs, p.worker.stop())
		p.worker = nil
	}
	p.classes = slices.DeleteFunc(p.classes, func(use classUse) bool {
		err := s.releaseClass(use.devices, use.class)
		errs = append(errs, err)
		return err == nil
	})
	var bases []chainRef
	for _, part := range p.parts {
		if err := s.nft.transact(part.remove()...); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("the nftables chains of %q cannot be removed: %w", p.id, err))
		}
		bases = append(bases, part.bases...)
	}
	delete(s.faults, p.id)
	errs = append(errs, s.sweep(p.number, bases))
	for _, family := range p.tables {
		errs = append(errs, s.releaseTable(family))
	}
	p.tables = nil
	return errors.Join(errs...)
}

// verifyGone says which of the fault's chains the kernel still lists. Base chains may stay for a while, but empty.
func (p *Prepared) verifyGone() error {
	s := p.space
	s.reading.Lock()
	defer s.reading.Unlock()
	for _, part := range p.parts {
		for _, c := range append(slices.Clone(part.bases), part.chains...) {
			n := 0
			err := s.nftList.eachRule(c, func() { n = 0 }, func([]byte) { n++ })
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("the rules cannot be listed: %w", err)
			}
			if n > 0 {
				return fmt.Errorf("the kernel still lists %d rules in the chain %s", n, c.name)
			}
		}
	}
	return nil
}

// drainSlack is what a qdisc may take to let its packets go, beyond their delay.
const drainSlack = 500 * time.Millisecond

// drain waits until a qdisc holds nothing any more. A netem lets its packets go when their delay is over; a tbf is given a rate
// at which that is at once.
func (p *Prepared) drain(use classUse) error {
	s := p.space
	limit := p.effect.Delay + p.effect.Jitter + drainSlack
	if p.means == ByTBF {
		s.mu.Lock()
		for _, l := range use.devices {
			s.route.changeLeaf(l.index, use.class, tbf(MaxRate, l.mtu)) // if not, the packets are waited for, or dropped
		}
		s.mu.Unlock()
	}
	for begin := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		s.reading.Lock()
		all, err := s.routeList.qdiscs()
		s.reading.Unlock()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(q qdisc) bool { return use.has(q) && q.queued > 0 }) || time.Since(begin) > limit {
			return nil
		}
	}
}

// eachRule lists the rules of a chain, in the encoding of the kernel.
func (c *conn) eachRule(chain chainRef, restart func(), f func(rule []byte)) error {
	return c.dump(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETRULE, nfgen(chain.family, chain.attrs()), restart, func(b []byte) {
		// Old kernels do not filter.
		if len(b) > 4 && attrString(b[4:], unix.NFTA_RULE_CHAIN) == chain.name && attrString(b[4:], unix.NFTA_RULE_TABLE) == tableName {
			f(b[4:])
		}
	})
}

// eachCounter finds the counters in a rule.
func eachCounter(rule []byte, f func(packets, bytes uint64)) {
	list, _ := findAttr(rule, unix.NFTA_RULE_EXPRESSIONS)
	eachAttr(list, func(_ uint16, e []byte) {
		if attrString(e, unix.NFTA_EXPR_NAME) != "counter" {
			return
		}
		data, _ := findAttr(e, unix.NFTA_EXPR_DATA)
		packets, _ := findAttr(data, unix.NFTA_COUNTER_PACKETS)
		bytes, _ := findAttr(data, unix.NFTA_COUNTER_BYTES)
		if len(packets) == 8 && len(bytes) == 8 {
			f(binary.BigEndian.Uint64(packets), binary.BigEndian.Uint64(bytes))
		}
	})
}
