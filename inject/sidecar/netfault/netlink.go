package netfault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// attrs is a run of netlink attributes, encoded.
type attrs []byte

// attr is one attribute: its length, its type, its value, and the padding to four bytes.
func attr(typ uint16, value []byte) attrs {
	b := make(attrs, 4, 4+(len(value)+3)/4*4)
	native.PutUint16(b, uint16(4+len(value)))
	native.PutUint16(b[2:], typ)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func str(typ uint16, s string) attrs { return attr(typ, append([]byte(s), 0)) }
func be16(typ, v uint16) attrs       { return attr(typ, binary.BigEndian.AppendUint16(nil, v)) }
func be32(typ uint16, v uint32) attrs {
	return attr(typ, binary.BigEndian.AppendUint32(nil, v))
}
func ne32(typ uint16, v uint32) attrs { return attr(typ, native.AppendUint32(nil, v)) }
func ne64(typ uint16, v uint64) attrs { return attr(typ, native.AppendUint64(nil, v)) }

// nest is an attribute that holds others, flagged as such; nftables insists on the flag.
func nest(typ uint16, inner ...attrs) attrs { return attr(typ|unix.NLA_F_NESTED, cat(inner...)) }

// plainNest is one without the flag, as traffic control and link messages have it.
func plainNest(typ uint16, inner ...attrs) attrs { return attr(typ, cat(inner...)) }

func cat(parts ...attrs) attrs {
	var b attrs
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// eachAttr calls f for every attribute in b, with flags taken off the type. It stops at what is cut short.
func eachAttr(b []byte, f func(typ uint16, value []byte)) {
	for len(b) >= 4 {
		n := int(native.Uint16(b))
		if n < 4 || n > len(b) {
			return
		}
		f(native.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[4:n])
		b = b[min((n+3)/4*4, len(b)):]
	}
}

// findAttr returns the value of the first attribute of a type, or of one inside it, going down the path.
func findAttr(b []byte, path ...uint16) ([]byte, bool) {
	for _, typ := range path {
		var found []byte
		ok := false
		eachAttr(b, func(t uint16, value []byte) {
			if t == typ && !ok {
				found, ok = value, true
			}
		})
		if !ok {
			return nil, false
		}
		b = found
	}
	return b, true
}

func attrString(b []byte, typ uint16) string {
	v, _ := findAttr(b, typ)
	return cString(v)
}

func cString(b []byte) string { return strings.TrimRight(string(b), "\x00") }

func attrBE32(b []byte, typ uint16) uint32 {
	if v, ok := findAttr(b, typ); ok && len(v) >= 4 {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// appendMessage appends a netlink message.
func appendMessage(b []byte, typ, flags uint16, seq uint32, body []byte) []byte {
	b = native.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = native.AppendUint16(b, typ)
	b = native.AppendUint16(b, flags)
	b = native.AppendUint32(b, seq)
	b = native.AppendUint32(b, 0)
	b = append(b, body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// kernelError is a refusal by the kernel, with what it says of the reason, if anything.
type kernelError struct {
	errno unix.Errno
	said  string
}

func (e *kernelError) Error() string {
	if e.said != "" {
		return fmt.Sprintf("%v (%s)", e.errno, e.said)
	}
	return e.errno.Error()
}

func (e *kernelError) Unwrap() error { return e.errno }

// conn is a netlink socket. It blocks: the kernel works a request off while it is being sent, and the answer is there when
// the call returns. It may be used by one goroutine at a time.
type conn struct {
	fd  int
	seq uint32
	buf []byte
}

// answerLimit is how long the kernel may take for an answer. It answers at once; only a dump has pauses.
const answerLimit = 5 * time.Second

func dial(protocol int) (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	c := &conn{fd: fd, buf: make([]byte, 32<<10)}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	growBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, 4<<20)
	growBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, 1<<20)
	limit := unix.NsecToTimeval(int64(answerLimit))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("setsockopt", err)
	}
	return c, nil
}

// growBuffer sets a socket's buffer beyond the system's limit where that is allowed, else up to it.
func growBuffer(fd, force, plain, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, size)
	}
}

func (c *conn) close() error { return unix.Close(c.fd) }

func (c *conn) send(b []byte) error {
	for {
		err := unix.Sendto(c.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			return os.NewSyscallError("sendto", err)
		}
	}
}

// receive calls f for every message of one datagram. It returns the kernel's refusal, if there is one, after the last.
func (c *conn) receive(flags int, f func(typ, flags uint16, seq uint32, body []byte) (err error)) error {
	var n int
	for {
		var err error
		n, _, err = unix.Recvfrom(c.fd, c.buf, flags)
		if err == nil {
			break
		}
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN && flags&unix.MSG_DONTWAIT == 0 {
			return fmt.Errorf("the kernel gave no answer over netlink within %v", answerLimit)
		}
		return os.NewSyscallError("recvfrom", err)
	}
	var errs error
	for b := c.buf[:n]; len(b) >= unix.NLMSG_HDRLEN; {
		size := int(native.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return errors.New("a netlink message is cut short")
		}
		if err := f(native.Uint16(b[4:]), native.Uint16(b[6:]), native.Uint32(b[8:]), b[unix.NLMSG_HDRLEN:size]); err != nil && errs == nil {
			errs = err
		}
		b = b[min((size+3)/4*4, len(b)):]
	}
	return errs
}

// refusal reads an acknowledgement: nil for a good one.
func refusal(flags uint16, body []byte) error {
	if len(body) < 4 {
		return errors.New("a netlink acknowledgement is cut short")
	}
	code := int32(native.Uint32(body))
	if code == 0 {
		return nil
	}
	e := &kernelError{errno: unix.Errno(-code)}
	// Capped acknowledgements repeat only the header of what they answer.
	if flags&unix.NLM_F_ACK_TLVS != 0 && len(body) >= 4+unix.NLMSG_HDRLEN {
		tlvs := body[4+unix.NLMSG_HDRLEN:]
		if flags&unix.NLM_F_CAPPED == 0 {
			whole := int(native.Uint32(body[4:]))
			if whole < unix.NLMSG_HDRLEN || whole > len(body)-4 {
				return e
			}
			tlvs = body[4+min((whole+3)/4*4, len(body)-4):]
		}
		e.said = attrString(tlvs, unix.NLMSGERR_ATTR_MSG)
	}
	return e
}

// do sends one request and waits for its acknowledgement.
func (c *conn) do(typ, flags uint16, body []byte) error {
	c.seq++
	seq := c.seq
	if err := c.send(appendMessage(nil, typ, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, body)); err != nil {
		return err
	}
	for acked := false; !acked; {
		err := c.receive(0, func(typ, flags uint16, got uint32, body []byte) error {
			if typ != unix.NLMSG_ERROR || got != seq {
				return nil
			}
			acked = true
			return refusal(flags, body)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dumpTries is how often a listing is asked for again when what it lists changed meanwhile.
const dumpTries = 10

// dump lists what a request asks for. f may be called again from the start after restart, when the listing changed while it
// was read.
func (c *conn) dump(typ uint16, body []byte, restart func(), f func(body []byte)) error {
	for range dumpTries {
		if restart != nil {
			restart()
		}
		c.seq++
		seq := c.seq
		if err := c.send(appendMessage(nil, typ, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, seq, body)); err != nil {
			return err
		}
		torn := false
		for done := false; !done; {
			err := c.receive(0, func(typ, flags uint16, got uint32, body []byte) error {
				if got != seq {
					return nil
				}
				torn = torn || flags&unix.NLM_F_DUMP_INTR != 0
				switch typ {
				case unix.NLMSG_DONE:
					done = true
					if len(body) >= 4 {
						return refusal(0, body)
					}
				case unix.NLMSG_ERROR:
					done = true
					return refusal(flags, body)
				default:
					f(body)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if !torn {
			return nil
		}
	}
	return fmt.Errorf("the kernel's listing changed under %d readings", dumpTries)
}

// batch is a transaction of nftables: all of it takes effect at once, or nothing.
type batch struct {
	b     []byte
	first uint32 // sequence number of its begin
	last  uint32 // of its end
}

// newBatch encodes a transaction ahead of its time. Only its last message asks for an acknowledgement; errors are always told.
func (c *conn) newBatch(messages ...nftMessage) batch {
	c.seq++
	t := batch{first: c.seq}
	edge := []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES}
	t.b = appendMessage(nil, unix.NFNL_MSG_BATCH_BEGIN, unix.NLM_F_REQUEST, c.seq, edge)
	for i, m := range messages {
		c.seq++
		flags := m.flags | unix.NLM_F_REQUEST
		if i == len(messages)-1 {
			flags |= unix.NLM_F_ACK
		}
		t.b = appendMessage(t.b, unix.NFNL_SUBSYS_NFTABLES<<8|m.typ, flags, c.seq, append([]byte{m.family, unix.NFNETLINK_V0, 0, 0}, m.body...))
	}
	c.seq++
	t.last = c.seq
	t.b = appendMessage(t.b, unix.NFNL_MSG_BATCH_END, unix.NLM_F_REQUEST, c.seq, edge)
	return t
}

// commit sends a transaction. When it returns nil, the transaction is in effect.
func (c *conn) commit(t batch) error {
	if err := c.send(t.b); err != nil {
		return err
	}
	return c.acknowledged(t)
}

// acknowledged reads the answers to a transaction, which are there since it was sent.
func (c *conn) acknowledged(t batch) error {
	var refused error
	acked := false
	for flags := 0; ; flags = unix.MSG_DONTWAIT {
		err := c.receive(flags, func(typ, flags uint16, seq uint32, body []byte) error {
			if typ != unix.NLMSG_ERROR || seq < t.first || seq > t.last {
				return nil
			}
			acked = true
			if err := refusal(flags, body); err != nil && refused == nil {
				refused = err
			}
			return nil
		})
		if errors.Is(err, unix.EAGAIN) && acked {
			return refused
		}
		if err != nil {
			return err
		}
	}
}

// transact commits messages at once.
func (c *conn) transact(messages ...nftMessage) error {
	if len(messages) == 0 {
		return nil
	}
	return c.commit(c.newBatch(messages...))
}

// probability is a share of 0 to 100 percent as the kernel's netem takes it: 0 to 2³²-1.
func probability(percent float64) uint32 {
	return uint32(math.Round(min(max(percent, 0), 100) / 100 * math.MaxUint32))
}
