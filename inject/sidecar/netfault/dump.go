package netfault

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Dump lists what nftables and qdiscs have in the current namespace, one line each, sorted, for comparison with an earlier
// listing. What changes by itself is left out: counters, the states of limits and quotas, elements that time out, handles.
// While a Space is open its own tables are among the lines.
func Dump() ([]string, error) {
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

	lines, err := dumpTables(nft)
	if err != nil {
		return nil, err
	}
	links, err := route.links()
	if err != nil {
		return nil, err
	}
	name := map[int]string{}
	for _, l := range links {
		name[l.index] = l.name
	}
	qdiscs, err := route.qdiscs()
	if err != nil {
		return nil, err
	}
	for _, q := range qdiscs {
		where := fmt.Sprintf("parent %x:%x", q.parent>>16, q.parent&0xffff)
		if q.parent == tcRoot {
			where = "root"
		}
		if q.handle == rootHandle {
			where += ourRoot
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("qdisc %s dev %s %s %s", q.kind, name[q.ifindex], where, hex.EncodeToString(q.options))))
	}
	slices.Sort(lines)
	return lines, nil
}

func dumpTables(c *conn) (lines []string, err error) {
	type setRef struct {
		family      byte
		table, name string
	}
	var sets []setRef
	list := func(message uint16, what string, f func(family byte, a []byte) string) error {
		var got []string
		err := c.dump(unix.NFNL_SUBSYS_NFTABLES<<8|message, nfgen(unix.AF_UNSPEC), func() { got = nil }, func(b []byte) {
			if len(b) > 4 {
				got = append(got, what+" "+familyName(b[0])+" "+f(b[0], b[4:]))
			}
		})
		if err != nil {
			return fmt.Errorf("the nftables %ss cannot be listed: %w", what, err)
		}
		lines = append(lines, got...)
		return nil
	}
	err = list(unix.NFT_MSG_GETTABLE, "table", func(_ byte, a []byte) string {
		return fmt.Sprintf("%s flags %x", attrString(a, unix.NFTA_TABLE_NAME), attrBE32(a, unix.NFTA_TABLE_FLAGS))
	})
	if err != nil {
		return nil, err
	}
	err = list(unix.NFT_MSG_GETCHAIN, "chain", func(_ byte, a []byte) string {
		line := attrString(a, unix.NFTA_CHAIN_TABLE) + " " + attrString(a, unix.NFTA_CHAIN_NAME)
		if h, ok := findAttr(a, unix.NFTA_CHAIN_HOOK); ok {
			line += fmt.Sprintf(" %s hook %d priority %d policy %d", attrString(a, unix.NFTA_CHAIN_TYPE),
				attrBE32(h, unix.NFTA_HOOK_HOOKNUM), int32(attrBE32(h, unix.NFTA_HOOK_PRIORITY)), attrBE32(a, unix.NFTA_CHAIN_POLICY))
		}
		return line
	})
	if err != nil {
		return nil, err
	}
	err = list(unix.NFT_MSG_GETRULE, "rule", func(_ byte, a []byte) string {
		line := attrString(a, unix.NFTA_RULE_TABLE) + " " + attrString(a, unix.NFTA_RULE_CHAIN)
		expressions, _ := findAttr(a, unix.NFTA_RULE_EXPRESSIONS)
		eachAttr(expressions, func(_ uint16, e []byte) { line += " " + expressionLine(e) })
		return line
	})
	if err != nil {
		return nil, err
	}
	err = list(unix.NFT_MSG_GETSET, "set", func(family byte, a []byte) string {
		const lively = unix.NFT_SET_TIMEOUT | unix.NFT_SET_EVAL
		table, name, flags := attrString(a, unix.NFTA_SET_TABLE), attrString(a, unix.NFTA_SET_NAME), attrBE32(a, unix.NFTA_SET_FLAGS)
		if flags&lively == 0 {
			sets = append(sets, setRef{family, table, name})
		}
		return fmt.Sprintf("%s %s flags %x key %d", table, name, flags, attrBE32(a, unix.NFTA_SET_KEY_LEN))
	})
	if err != nil {
		return nil, err
	}
	err = list(unix.NFT_MSG_GETOBJ, "object", func(_ byte, a []byte) string {
		return fmt.Sprintf("%s %s type %d", attrString(a, unix.NFTA_OBJ_TABLE), attrString(a, unix.NFTA_OBJ_NAME), attrBE32(a, unix.NFTA_OBJ_TYPE))
	})
	if err != nil {
		return nil, err
	}
	for _, s := range sets {
		var got []string
		body := nfgen(s.family, str(unix.NFTA_SET_ELEM_LIST_TABLE, s.table), str(unix.NFTA_SET_ELEM_LIST_SET, s.name))
		err := c.dump(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETSETELEM, body, func() { got = nil }, func(b []byte) {
			if len(b) <= 4 {
				return
			}
			elements, _ := findAttr(b[4:], unix.NFTA_SET_ELEM_LIST_ELEMENTS)
			eachAttr(elements, func(_ uint16, e []byte) {
				line := fmt.Sprintf("element %s %s %s", familyName(s.family), s.table, s.name)
				eachAttr(e, func(typ uint16, value []byte) {
					switch typ {
					case unix.NFTA_SET_ELEM_KEY, unix.NFTA_SET_ELEM_DATA, unix.NFTA_SET_ELEM_FLAGS, setElementKeyEnd:
						line += fmt.Sprintf(" %d=%x", typ, value)
					}
				})
				got = append(got, line)
			})
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("the elements of the nftables set %s %s cannot be listed: %w", s.table, s.name, err)
		}
		lines = append(lines, got...)
	}
	return lines, nil
}

const setElementKeyEnd = 10 // NFTA_SET_ELEM_KEY_END

// expressionLine writes an expression with its arguments, and without what it counts.
func expressionLine(e []byte) string {
	name := attrString(e, unix.NFTA_EXPR_NAME)
	data, _ := findAttr(e, unix.NFTA_EXPR_DATA)
	switch name {
	case "counter", "last":
		return name
	case "quota":
		data, _ = findAttr(data, 1) // NFTA_QUOTA_BYTES; how many are used is left out
	case "match", "target":
		// The tail of an iptables extension's data may hold its state.
		var revision uint32
		if v, ok := findAttr(data, unix.NFTA_TARGET_REV); ok && len(v) >= 4 {
			revision = binary.BigEndian.Uint32(v)
		}
		extension := attrString(data, unix.NFTA_TARGET_NAME)
		if extension == "limit" || extension == "quota" || extension == "statistic" || extension == "hashlimit" || extension == "recent" {
			return fmt.Sprintf("%s(%s %d)", name, extension, revision)
		}
	}
	return name + "(" + hex.EncodeToString(data) + ")"
}
