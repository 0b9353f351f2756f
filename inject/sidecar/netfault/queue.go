package netfault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The messages and attributes of nfnetlink_queue (linux/netfilter/nfnetlink_queue.h).
const (
	queuePacket       = 0
	queueVerdict      = 1
	queueConfig       = 2
	queueVerdictBatch = 3

	queueAttrPacketHeader  = 1
	queueAttrVerdictHeader = 2
	queueAttrPayload       = 10

	queueConfigCommand = 1
	queueConfigParams  = 2
	queueConfigMaxLen  = 3
	queueConfigMask    = 4
	queueConfigFlags   = 5

	queueBind   = 1
	queueUnbind = 2

	queueFailOpen = 1 << 0 // what does not fit into the queue passes
	queueGSO      = 1 << 2 // large packets are not cut before they are queued

	copyMeta   = 1 // only that there is a packet
	copyPacket = 2 // the packet too
)

const (
	// silentQueue is a queue that nobody listens to. What is sent there without bypass is dropped without a word to the
	// sender, as on a line: the verdict "drop" on outgoing packets would be told to the program that sends.
	silentQueue = 0x6764
	firstQueue  = silentQueue + 1
	queueTries  = 1000

	queueLength = 1 << 16 // packets that are held at most; more of them pass at once
	queueBuffer = 8 << 20 // bytes of the socket's buffer, for the news of packets
	queueRange  = 0xffff  // bytes of a packet that are copied
	packetBatch = 64      // packets that are read at once
	metaSize    = 1 << 10 // bytes that the news of a packet takes, without its payload
)

// queueSocket is the listener of one queue.
type queueSocket struct {
	fd     int
	number uint16
	seq    uint32

	headers []mmsghdr
	vectors []unix.Iovec
	buffers [][]byte
	out     []byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	size   uint32
	_      [4]byte
}

// bindQueue listens to a queue that nobody else listens to, from number first on, or from our first one if that is 0.
func bindQueue(first uint16, mode byte) (*queueSocket, error) {
	c, err := dial(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("no netlink socket for a packet queue: %w", err)
	}
	if first == 0 {
		first = firstQueue
	}
	q := &queueSocket{fd: c.fd}
	for n := range uint16(queueTries) {
		q.number = first + n
		if err = c.do(unix.NFNL_SUBSYS_QUEUE<<8|queueConfig, 0, q.config(command(queueBind))); !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EPERM) {
			break
		}
	}
	if err == nil {
		flags := uint32(queueFailOpen)
		if mode == copyMeta {
			flags |= queueGSO
		}
		params := append(binary.BigEndian.AppendUint32(nil, queueRange), mode)
		err = c.do(unix.NFNL_SUBSYS_QUEUE<<8|queueConfig, 0, q.config(
			attr(queueConfigParams, params), be32(queueConfigMaxLen, queueLength),
			be32(queueConfigMask, queueFailOpen|queueGSO), be32(queueConfigFlags, flags)))
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("no packet queue: %w", err)
	}
	q.seq = c.seq

	growBuffer(q.fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, queueBuffer)
	unix.SetsockoptInt(q.fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1)
	batch, size := packetBatch, metaSize
	if mode == copyPacket {
		batch, size = 4, metaSize+queueRange
	}
	q.headers = make([]mmsghdr, batch)
	q.vectors = make([]unix.Iovec, batch)
	q.buffers = make([][]byte, batch)
	for i := range q.headers {
		q.buffers[i] = make([]byte, size)
		q.vectors[i].Base = &q.buffers[i][0]
		q.vectors[i].SetLen(size)
		q.headers[i].header.Iov = &q.vectors[i]
		q.headers[i].header.SetIovlen(1)
	}
	return q, nil
}

func (q *queueSocket) config(parts ...attrs) []byte {
	return append([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, byte(q.number >> 8), byte(q.number)}, cat(parts...)...)
}

func command(c byte) attrs { return attr(queueConfigCommand, []byte{c, 0, 0, 0}) }

// close gives the queue up. What it still holds is dropped by the kernel: release it before.
func (q *queueSocket) close() error { return os.NewSyscallError("close", unix.Close(q.fd)) }

// receive reads the packets that are there, without waiting, and calls f for each. Payload is empty unless it is copied.
func (q *queueSocket) receive(f func(id uint32, payload []byte)) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(q.fd), uintptr(unsafe.Pointer(&q.headers[0])), uintptr(len(q.headers)), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR, unix.ENOBUFS:
		return 0, nil
	default:
		return 0, os.NewSyscallError("recvmmsg", errno)
	}
	for i := range n {
		b := q.buffers[i][:min(int(q.headers[i].size), len(q.buffers[i]))]
		const head = unix.NLMSG_HDRLEN + 4
		if len(b) < head || native.Uint16(b[4:]) != unix.NFNL_SUBSYS_QUEUE<<8|queuePacket {
			continue
		}
		var id uint32
		var payload []byte
		known := false
		eachAttr(b[head:], func(typ uint16, value []byte) {
			switch {
			case typ == queueAttrPacketHeader && len(value) >= 4:
				id, known = binary.BigEndian.Uint32(value), true
			case typ == queueAttrPayload:
				payload = value
			}
		})
		if known {
			f(id, payload)
		}
	}
	return int(n), nil
}

// judge puts a verdict into the next flush: for one packet, or with batch for all up to it. A payload replaces the packet's.
func (q *queueSocket) judge(id, verdict uint32, batch bool, payload []byte) {
	typ := uint16(queueVerdict)
	if batch {
		typ = queueVerdictBatch
	}
	size := unix.NLMSG_HDRLEN + 4 + 12
	if payload != nil {
		size += 4 + len(payload)
	}
	q.seq++
	b := q.out
	b = native.AppendUint32(b, uint32(size))
	b = native.AppendUint16(b, unix.NFNL_SUBSYS_QUEUE<<8|typ)
	b = native.AppendUint16(b, unix.NLM_F_REQUEST)
	b = native.AppendUint32(b, q.seq)
	b = native.AppendUint32(b, 0)
	b = append(b, unix.AF_UNSPEC, unix.NFNETLINK_V0, byte(q.number>>8), byte(q.number))
	b = native.AppendUint16(b, 12)
	b = native.AppendUint16(b, queueAttrVerdictHeader)
	b = binary.BigEndian.AppendUint32(b, verdict)
	b = binary.BigEndian.AppendUint32(b, id)
	if payload != nil {
		b = native.AppendUint16(b, uint16(4+len(payload)))
		b = native.AppendUint16(b, queueAttrPayload)
		b = append(b, payload...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	q.out = b
}

// flush sends the verdicts that are due.
func (q *queueSocket) flush() error {
	if len(q.out) == 0 {
		return nil
	}
	defer func() { q.out = q.out[:0] }()
	for {
		err := unix.Sendto(q.fd, q.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			return os.NewSyscallError("sendto", err)
		}
	}
}
