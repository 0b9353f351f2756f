package netfault

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Space is the owner of all faults in a namespace. Only one process can be it. Its methods, and those of what it prepares,
// may be called at once.
type Space struct {
	features Features

	mu     sync.Mutex // guards everything down to the next mutex
	nft    *conn      // owns the tables; the kernel removes them when it is closed
	route  *conn
	closed bool
	faults map[string]*Prepared
	tables map[byte]int // how many faults use the table of a family
	idle   []chainRef   // base chains that are in use no more, but cannot go yet
	last   int          // the highest number of a fault that has an idle chain
	roots  map[int]*rootUse
	ifb    link
	ifbs   int // how many faults use it

	reading   sync.Mutex // guards the sockets for listings, so that no fault waits for one
	nftList   *conn
	routeList *conn
}

// rootUse is our qdisc on a device.
type rootUse struct {
	name    string
	classes map[uint32]bool
}

// Open makes the table "gameday", and with it a claim to the namespace. What a process that died has left is removed before.
func Open(f Features) (_ *Space, err error) {
	s := &Space{features: f, faults: map[string]*Prepared{}, tables: map[byte]int{}, roots: map[int]*rootUse{}}
	defer func() {
		if err != nil {
			s.closeSockets()
		}
	}()
	for c, protocol := range map[**conn]int{
		&s.nft: unix.NETLINK_NETFILTER, &s.nftList: unix.NETLINK_NETFILTER,
		&s.route: unix.NETLINK_ROUTE, &s.routeList: unix.NETLINK_ROUTE,
	} {
		if *c, err = dial(protocol); err != nil {
			return nil, fmt.Errorf("no netlink socket: %w", err)
		}
	}
	if err := s.claim(); err != nil {
		return nil, err
	}
	// With the claim, whatever else is ours by name or handle is nobody's.
	if _, err := removeQdiscs(s.route); err != nil {
		return nil, fmt.Errorf("what an earlier fault has left cannot be removed: %w", err)
	}
	return s, nil
}

func (s *Space) claim() error {
	err := s.nft.transact(newTable(unix.NFPROTO_INET, s.features.Owner))
	if errors.Is(err, unix.EEXIST) && s.features.Owner {
		// It has no owner, or the kernel would have said EPERM: it was left by a kernel without owners, or made by hand.
		err = s.nft.transact(deleteTable(unix.NFPROTO_INET), newTable(unix.NFPROTO_INET, true))
	}
	switch {
	case err == nil:
		s.tables[unix.NFPROTO_INET] = 1
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EEXIST):
		who := "another process"
		if pid := tableOwnerID(s.nftList); pid != 0 {
			who = fmt.Sprintf("the netlink socket %d of another process", pid)
		}
		return fmt.Errorf("the nftables table %q in this namespace belongs to %s: %w; only one sidecar can act on a namespace", tableName, who, err)
	}
	return fmt.Errorf("the nftables table %q cannot be made: %w", tableName, err)
}

// tableOwnerID is the netlink port of the table's owner, which mostly is its process id, or 0.
func tableOwnerID(c *conn) (id uint32) {
	c.dump(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETTABLE, nfgen(unix.NFPROTO_INET), func() { id = 0 }, func(b []byte) {
		if len(b) > 4 && attrString(b[4:], unix.NFTA_TABLE_NAME) == tableName {
			id = attrBE32(b[4:], tableOwner)
		}
	})
	return id
}

// nfgen is the header of a listing of a family, or of all with AF_UNSPEC.
func nfgen(family byte, parts ...attrs) []byte {
	return append([]byte{family, unix.NFNETLINK_V0, 0, 0}, cat(parts...)...)
}

// Close undoes everything, removes the tables and gives the claim up.
func (s *Space) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	all := make([]*Prepared, 0, len(s.faults))
	for _, p := range s.faults {
		all = append(all, p)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *Prepared) int { return b.number - a.number })
	var errs []error
	for _, p := range all {
		errs = append(errs, p.Undo())
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for family, n := range s.tables {
		if n > 0 {
			if err := s.nft.transact(deleteTable(family)); err != nil && !errors.Is(err, unix.ENOENT) {
				errs = append(errs, fmt.Errorf("the nftables table %q cannot be removed: %w", tableName, err))
			}
		}
	}
	return errors.Join(append(errs, s.closeSockets())...)
}

func (s *Space) closeSockets() error {
	var errs []error
	for _, c := range []*conn{s.nft, s.route, s.nftList, s.routeList} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}

// useTable makes the table of a family if this is its first user.
func (s *Space) useTable(family byte) error {
	if s.tables[family] == 0 {
		m := []nftMessage{newTable(family, s.features.Owner)}
		err := s.nft.transact(m...)
		if errors.Is(err, unix.EEXIST) {
			err = s.nft.transact(append([]nftMessage{deleteTable(family)}, m...)...)
		}
		if err != nil {
			return fmt.Errorf("the nftables table %q of family %s cannot be made: %w", tableName, familyName(family), err)
		}
	}
	s.tables[family]++
	return nil
}

// releaseTable removes the table of a family with its last user.
func (s *Space) releaseTable(family byte) error {
	s.tables[family]--
	if s.tables[family] > 0 {
		return nil
	}
	if err := s.nft.transact(deleteTable(family)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("the nftables table %q of family %s cannot be removed: %w", tableName, familyName(family), err)
	}
	return nil
}

func familyName(family byte) string {
	switch family {
	case unix.NFPROTO_INET:
		return "inet"
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	case unix.NFPROTO_NETDEV:
		return "netdev"
	case unix.NFPROTO_BRIDGE:
		return "bridge"
	case unix.NFPROTO_ARP:
		return "arp"
	}
	return fmt.Sprint("family ", family)
}

// nextNumber is that of a new fault: higher than all that are in use. The order of the hooks follows it, so that a packet which a
// queue holds goes on behind the chain that it came from, whatever was prepared meanwhile.
func (s *Space) nextNumber() int {
	n := s.last
	for _, p := range s.faults {
		n = max(n, p.number)
	}
	return n + 1
}

// sweep removes base chains. When the kernel takes a chain out of a hook it drops what packet queues hold, in the whole
// namespace: so the chains stay, empty, as long as a fault has such a queue.
func (s *Space) sweep(number int, chains []chainRef) error {
	s.idle = append(s.idle, chains...)
	s.last = max(s.last, number)
	for _, p := range s.faults {
		if p.worker != nil {
			return nil
		}
	}
	if len(s.idle) == 0 {
		s.last = 0
		return nil
	}
	var messages []nftMessage
	for _, c := range s.idle {
		messages = append(messages, deleteChain(c))
	}
	if err := s.nft.transact(messages...); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("the nftables chains of undone faults cannot be removed: %w", err)
	}
	s.idle, s.last = nil, 0
	return nil
}

// useClass puts a qdisc into a free class of our root qdisc on every device that packets leave by, or that incoming packets
// are sent through. It returns the devices and the class, which is the same on all.
func (s *Space) useClass(d Direction, leaf func(link) leafQdisc) (devices []link, class uint32, err error) {
	if devices, err = s.devices(); err != nil {
		return nil, 0, err
	}
	if d == Ingress {
		if s.ifbs == 0 {
			if s.ifb, err = s.route.addIFB(); err != nil {
				return nil, 0, err
			}
		}
		s.ifbs++
		through := s.ifb
		for _, l := range devices {
			through.mtu = max(through.mtu, l.mtu) // what comes through is as large as on the devices
		}
		devices = []link{through}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.releaseClass(devices, class))
			devices = nil
		}
	}()
	if class = s.freeClass(devices); class == 0 {
		return devices, 0, fmt.Errorf("more than %d faults through qdiscs in one namespace", prioBands-1)
	}
	all, err := s.route.qdiscs()
	if err != nil {
		return devices, class, err
	}
	for _, l := range devices {
		use := s.roots[l.index]
		if use == nil {
			if q := root(all, l.index); q.handle != 0 {
				return devices, class, occupied(l, q)
			}
			if err := s.route.addRoot(l.index, s.features); err != nil {
				return devices, class, fmt.Errorf("no classful qdisc on the device %s: %w", l.name, err)
			}
			use = &rootUse{name: l.name, classes: map[uint32]bool{}}
			s.roots[l.index] = use
		}
		use.classes[class] = true
		q := leaf(l)
		if err := s.route.addLeaf(l.index, class, q, s.features); err != nil {
			err = fmt.Errorf("no %s on the device %s: %w", q.kind, l.name, err)
			if errors.Is(err, unix.EINVAL) && q.kind == "netem" && len(use.classes) > 1 {
				err = fmt.Errorf("%w; beside a netem that duplicates, newer kernels take no other on the same device: let the fault that is there end before this one is prepared", err)
			}
			return devices, class, err
		}
	}
	return devices, class, nil
}

func occupied(l link, q qdisc) error {
	return fmt.Errorf("the device %s has a qdisc already, %s %x:, which is not the system's default and could not be put back exactly; remove it, or choose a fault that needs none", l.name, q.kind, q.handle>>16)
}

// Occupied says which device of the namespace has a qdisc that is neither the system's default nor ours, so that no fault can be done
// through a qdisc there; "" if none has.
func Occupied() (string, error) {
	route, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return "", fmt.Errorf("no netlink socket for devices: %w", err)
	}
	defer route.close()
	devices, err := (&Space{route: route}).devices()
	if err != nil {
		return "", err
	}
	all, err := route.qdiscs()
	if err != nil {
		return "", err
	}
	for _, l := range devices {
		if q := root(all, l.index); q.handle != 0 && q.handle != rootHandle {
			return occupied(l, q).Error(), nil
		}
	}
	return "", nil
}

// devices lists the devices that are up, loopback and our own left out.
func (s *Space) devices() ([]link, error) {
	all, err := s.route.links()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(l link) bool { return !l.up || l.lo || l.name == ifbName })
	if len(all) == 0 {
		return nil, errors.New("the namespace has no network device besides loopback that is up")
	}
	return all, nil
}

func (s *Space) freeClass(devices []link) uint32 {
	for minor := uint32(2); minor <= prioBands; minor++ {
		class := rootHandle | minor
		if !slices.ContainsFunc(devices, func(l link) bool {
			use := s.roots[l.index]
			return use != nil && use.classes[class]
		}) {
			return class
		}
	}
	return 0
}

// releaseClass takes the qdiscs out again, our root with the last of them, and the device for incoming packets. It is no error
// if a device is gone. What could not be taken out still counts as in use, so that it can be tried again.
func (s *Space) releaseClass(devices []link, class uint32) error {
	var errs []error
	for _, l := range devices {
		if use := s.roots[l.index]; use != nil && use.classes[class] {
			var err error
			if len(use.classes) == 1 {
				err = s.route.removeRoot(l.index)
			} else {
				err = s.route.removeLeaf(l.index, class, s.features)
			}
			if err != nil && !gone(err) {
				errs = append(errs, fmt.Errorf("the qdisc on the device %s cannot be removed: %w", l.name, err))
				continue
			}
			if delete(use.classes, class); len(use.classes) == 0 {
				delete(s.roots, l.index)
			}
		}
		if l.name == ifbName {
			if s.ifbs == 1 {
				if err := s.route.removeLink(l.index); err != nil && !gone(err) {
					errs = append(errs, fmt.Errorf("the device %s cannot be removed: %w", ifbName, err))
					continue
				}
			}
			s.ifbs--
		}
	}
	return errors.Join(errs...)
}

func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL)
}
