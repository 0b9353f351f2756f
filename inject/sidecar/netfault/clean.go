package netfault

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Clean removes what faults have left in the current namespace whose process is gone, and says what that was: tables "gameday"
// without an owner, our qdiscs, whoever made them, and the device for incoming packets. Devices have the system's default
// qdisc again. If a living process owns a table, that is an error, and its qdiscs are left alone.
func Clean() (removed []string, err error) {
	nft, err := dial(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("no netlink socket for nftables: %w", err)
	}
	defer nft.close()
	route, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("no netlink socket for devices: %w", err)
	}
	defer route.close()

	var errs []error
	for _, family := range []byte{unix.NFPROTO_INET, unix.NFPROTO_IPV4, unix.NFPROTO_IPV6, unix.NFPROTO_NETDEV} {
		err := nft.transact(deleteTable(family))
		switch {
		case err == nil:
			removed = append(removed, fmt.Sprintf("nftables table %s %s", familyName(family), tableName))
		case errors.Is(err, unix.EPERM):
			errs = append(errs, fmt.Errorf("the nftables table %s %s is not for this process to remove: %w; a living process owns it, or the capability NET_ADMIN is missing", familyName(family), tableName, err))
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		default:
			errs = append(errs, fmt.Errorf("the nftables table %s %s cannot be removed: %w", familyName(family), tableName, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return removed, err
	}
	qdiscs, err := removeQdiscs(route)
	return append(removed, qdiscs...), err
}

// removeQdiscs removes our qdiscs and our device.
func removeQdiscs(route *conn) (removed []string, err error) {
	links, err := route.links()
	if err != nil {
		return nil, err
	}
	all, err := route.qdiscs()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, l := range links {
		switch q := root(all, l.index); {
		case l.name == ifbName && l.kind == "ifb":
			if err := route.removeLink(l.index); err != nil && !gone(err) {
				errs = append(errs, fmt.Errorf("the device %s cannot be removed: %w", l.name, err))
				continue
			}
			removed = append(removed, "device "+l.name)
		case q.handle == rootHandle:
			if err := route.removeRoot(l.index); err != nil && !gone(err) {
				errs = append(errs, fmt.Errorf("the qdisc on the device %s cannot be removed: %w", l.name, err))
				continue
			}
			removed = append(removed, fmt.Sprintf("qdisc %s %x: on the device %s", q.kind, q.handle>>16, l.name))
		}
	}
	return removed, errors.Join(errs...)
}
