package netfault

import (
	"math/rand/v2"
	"time"
)

// line is a delay line: packets leave in the order in which they came, each not before its time.
type line struct {
	ring []held // a power of two long
	head int
	n    int
	last time.Duration // when the last one that came will leave
}

type held struct {
	id  uint32
	due time.Duration
}

// push holds a packet until due, or until the one before leaves if that is later.
func (l *line) push(id uint32, due time.Duration) {
	if l.n == len(l.ring) {
		ring := make([]held, max(2*len(l.ring), 64))
		for i := range l.n {
			ring[i] = l.ring[(l.head+i)&(len(l.ring)-1)]
		}
		l.ring, l.head = ring, 0
	}
	if l.n > 0 {
		due = max(due, l.last)
	}
	l.last = due
	l.ring[(l.head+l.n)&(len(l.ring)-1)] = held{id, due}
	l.n++
}

// pop takes out the first packet if its time has come.
func (l *line) pop(now time.Duration) (uint32, bool) {
	if l.n == 0 || l.ring[l.head].due > now {
		return 0, false
	}
	id := l.ring[l.head].id
	l.head = (l.head + 1) & (len(l.ring) - 1)
	l.n--
	return id, true
}

// next is when the first packet leaves.
func (l *line) next() (time.Duration, bool) {
	if l.n == 0 {
		return 0, false
	}
	return l.ring[l.head].due, true
}

// chooser draws packets, such that a share of all is drawn whatever the correlation is. With a correlation, a packet's lot is that
// of the one before so often, and otherwise drawn anew.
type chooser struct {
	share       float64 // 0 to 1
	correlation float64 // 0 to below 1
	last        bool
	begun       bool
}

func (c *chooser) draw(random *rand.Rand) bool {
	if !c.begun || random.Float64() >= c.correlation {
		c.last = random.Float64() < c.share
		c.begun = true
	}
	return c.last
}

// spread draws delays evenly between delay-jitter and delay+jitter. With a correlation, each follows the one before so much.
type spread struct {
	delay, jitter time.Duration
	correlation   float64
	last          float64
	begun         bool
}

func (s *spread) draw(random *rand.Rand) time.Duration {
	if s.jitter == 0 {
		return s.delay
	}
	x := 2*random.Float64() - 1
	if s.begun {
		x = (1-s.correlation)*x + s.correlation*s.last
	}
	s.last, s.begun = x, true
	return s.delay + time.Duration(x*float64(s.jitter))
}

// flipBit changes one bit of an IP packet behind its headers, where there is something, and leaves the checksums as they were.
func flipBit(packet []byte, random *rand.Rand) {
	start := headers(packet)
	if start >= len(packet) {
		start = 0
	}
	if n := len(packet) - start; n > 0 {
		packet[start+random.IntN(n)] ^= 1 << random.IntN(8)
	}
}

// headers is the length of a packet's IP and transport headers, as far as they are plain.
func headers(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	size, protocol := 0, byte(0)
	switch {
	case packet[0]>>4 == 4 && len(packet) >= 20:
		size, protocol = int(packet[0]&15)*4, packet[9]
	case packet[0]>>4 == 6 && len(packet) >= 40:
		size, protocol = 40, packet[6]
	default:
		return 0
	}
	transport := 0
	switch protocol {
	case 6:
		if len(packet) > size+12 {
			transport = int(packet[size+12]>>4) * 4
		}
	case 17, 1, 58:
		transport = 8
	}
	if size+transport >= len(packet) {
		return size // no payload: the transport header will have to do
	}
	return size + transport
}
