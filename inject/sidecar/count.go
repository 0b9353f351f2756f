package sidecar

import (
	"fmt"
	"strings"
)

// counts are what the kernel counts about a container that a fault on its limits can be told by.
type counts struct {
	met, hit int64 // how often something came to the limit, and was held back by it
	kills    int64
	bytes    int64 // that were read and written, or given up
}

// counted reads the counters for a kind.
func (l *limit) counted() (counts, error) {
	switch l.kind {
	case "cpu":
		g, err := l.h.groups.of("cpu")
		if err != nil {
			return counts{}, err
		}
		c := counts{}
		if c.met, err = g.field("cpu.stat", "nr_periods"); err == nil {
			c.hit, err = g.field("cpu.stat", "nr_throttled")
		}
		return c, err
	case "memory":
		g, err := l.h.groups.of("memory")
		if err != nil {
			return counts{}, err
		}
		c, f := counts{}, g.memoryFiles()
		if f.met[1] == "" {
			c.met, err = g.number(f.met[0])
		} else {
			c.met, err = g.field(f.met[0], f.met[1])
		}
		if err == nil {
			c.kills, err = g.memoryKills()
		}
		c.hit = c.met
		return c, err
	}
	return l.transfers()
}

// transfers counts what was read from and written to the devices that are limited.
func (l *limit) transfers() (counts, error) {
	c := counts{}
	for _, s := range l.spec.Settings {
		g, err := l.h.groups.of(s.Controller)
		if err != nil {
			return c, err
		}
		dev, part, _ := strings.Cut(s.Key, " ")
		if g.v2 {
			text, err := g.read("io.stat")
			if err != nil {
				return c, err
			}
			way := part[:1] // "r" or "w"
			c.met += keyed(text, dev, way+"ios")
			c.bytes += keyed(text, dev, way+"bytes")
			continue
		}
		way := "Read"
		if strings.Contains(s.File, "write") {
			way = "Write"
		}
		for file, n := range map[string]*int64{"blkio.throttle.io_serviced": &c.met, "blkio.throttle.io_service_bytes": &c.bytes} {
			if g.has(file + "_recursive") {
				file += "_recursive"
			}
			text, err := g.read(file)
			if err != nil {
				return c, err
			}
			for line := range strings.Lines(text) {
				if f := strings.Fields(line); len(f) == 3 && f[0] == dev && f[1] == way {
					if v, err := parseNumber(f[2]); err == nil {
						*n += v
					}
				}
			}
		}
	}
	return c, nil
}

// keyed reads a number of a device from lines such as "254:0 rbytes=512 wbytes=0"; 0 if it is not there.
func keyed(text, dev, name string) int64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != dev {
			continue
		}
		for _, x := range f[1:] {
			if v, ok := strings.CutPrefix(x, name+"="); ok {
				if n, err := parseNumber(v); err == nil {
					return n
				}
			}
		}
	}
	return 0
}

// since says how much the counters have risen, in numbers and in words.
func (c counts) since(before counts, kind string) (met, hit int64, seen string) {
	met, hit = c.met-before.met, c.hit-before.hit
	switch kind {
	case "cpu":
		if met == 0 {
			return met, hit, "it has not asked for the CPU"
		}
		return met, hit, fmt.Sprintf("it was held back in %d of %d periods", hit, met)
	case "memory":
		seen = "it has not come to its limit"
		gave := c.bytes - before.bytes
		switch {
		case gave > 0 && met > 0:
			seen = fmt.Sprintf("it gave up %s, and came to its limit %s", Bytes(gave), times(met))
		case gave > 0:
			met, hit, seen = 1, 1, fmt.Sprintf("it gave up %s", Bytes(gave))
		case met > 0:
			seen = "it came to its limit " + times(met)
		}
		if kills := c.kills - before.kills; kills > 0 {
			seen += fmt.Sprintf(", and the kernel killed %s for it", processes(kills))
		}
		return met, hit, seen
	}
	if met == 0 {
		return 0, -1, "nothing was read or written that the limit is for"
	}
	return met, -1, fmt.Sprintf("%s of %s came to the limit", plural(met, "request", "requests"), Bytes(c.bytes-before.bytes))
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func processes(n int64) string { return plural(n, "process", "processes") }

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Bytes is a size, and prints as people write it: "64MiB", "9.5MiB".
type Bytes int64

func (b Bytes) String() string {
	if b == Bytes(unbounded) {
		return "any amount"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(b), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%dB", int64(b))
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + units[i]
}
