package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Stats is what a container has used until one moment, and uses in it. Totals begin anew when the container starts.
type Stats struct {
	Read     time.Time // by the engine's clock
	CPU      CPUStats
	Memory   MemoryStats
	Networks []InterfaceStats // ordered by name; none where it has no network of its own
	Disk     DiskStats
	Pids     PidsStats
	Err      error // the stream has broken; the channel is closed after this
}

// CPUStats is CPU time, and how often a limit took it away.
type CPUStats struct {
	Total, User, System time.Duration // Total is measured more finely than the other two
	Periods             uint64        // of the limit, in which the container had something to do
	ThrottledPeriods    uint64        // those in which it used all that it may, and had to wait
	Throttled           time.Duration // for which its threads had to wait, added up
}

// MemoryStats is memory, in bytes.
type MemoryStats struct {
	Usage      uint64 // with the page cache
	WorkingSet uint64 // Usage without the files that were not read for long: what counts when memory is short
	RSS        uint64 // not backed by files
	Cache      uint64 // the page cache
	Limit      uint64 // that of the control group; the host's memory where there is none
	FailCount  uint64 // how often the limit was reached; control groups of version 2 do not count that
}

// InterfaceStats is the traffic of one network interface as the container sees it.
type InterfaceStats struct {
	Name                                    string // in the container: "eth0"
	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

// DiskStats is what went to and came from block devices, all together.
type DiskStats struct {
	Counted, CountedOps   bool // the engine has these figures; not all kernels count operations
	ReadBytes, WriteBytes uint64
	ReadOps, WriteOps     uint64
}

// PidsStats is how many threads and processes there are, as the kernel counts them: each thread.
type PidsStats struct {
	Current uint64
	Limit   uint64 // 0: none
}

// Stats streams what a container uses, about once a second.
func (d *docker) Stats(ctx context.Context, id string) (<-chan Stats, error) {
	what := "follow what " + id + " uses"
	if err := d.prepare(ctx); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, givenUp(what)
		}
		return nil, fmt.Errorf("%s: %w", short(what), err)
	}
	stream, cancel := context.WithCancel(ctx)
	hangs := time.AfterFunc(callLimit, cancel) // the context is the stream's as well: it can have no deadline
	resp, err := d.cli.ContainerStats(stream, id, true)
	switch inTime := hangs.Stop(); {
	case err == nil && inTime:
	case !inTime:
		if err == nil {
			resp.Body.Close()
		}
		cancel()
		return nil, fmt.Errorf("%s: %w in time", short(what), ErrUnreachable)
	case errors.Is(ctx.Err(), context.Canceled):
		cancel()
		return nil, givenUp(what)
	default:
		cancel()
		return nil, d.classify(what, err)
	}
	out := make(chan Stats, 1)
	go func() {
		defer close(out)
		defer cancel()
		defer resp.Body.Close()
		answers := json.NewDecoder(resp.Body)
		for {
			var raw container.StatsResponse
			err := answers.Decode(&raw)
			var s Stats
			switch {
			case ctx.Err() != nil, errors.Is(err, io.EOF):
				return // nobody listens any more, or the container is gone
			case err != nil:
				s = Stats{Read: time.Now(), Err: d.classify(what, err)}
			case raw.Read.IsZero():
				continue // it does not run
			default:
				s = fromStats(raw)
			}
			select {
			case out <- s:
			case <-ctx.Done():
				return
			}
			if s.Err != nil {
				return
			}
		}
	}()
	return out, nil
}

// fromStats puts the engine's words for what a container uses into ours.
func fromStats(raw container.StatsResponse) Stats {
	cpu, m := raw.CPUStats, raw.MemoryStats
	s := Stats{
		Read: raw.Read.UTC(),
		CPU: CPUStats{
			Total: nanoseconds(cpu.CPUUsage.TotalUsage), User: nanoseconds(cpu.CPUUsage.UsageInUsermode), System: nanoseconds(cpu.CPUUsage.UsageInKernelmode),
			Periods: cpu.ThrottlingData.Periods, ThrottledPeriods: cpu.ThrottlingData.ThrottledPeriods, Throttled: nanoseconds(cpu.ThrottlingData.ThrottledTime),
		},
		Memory: MemoryStats{
			Usage: m.Usage, Limit: m.Limit, FailCount: m.Failcnt,
			// With those of the control groups below; version 2 has only these.
			RSS: first(m.Stats, "total_rss", "anon"), Cache: first(m.Stats, "total_cache", "file"),
		},
		Pids: PidsStats{Current: raw.PidsStats.Current, Limit: raw.PidsStats.Limit},
	}
	if idle := first(m.Stats, "total_inactive_file", "inactive_file"); idle < m.Usage {
		s.Memory.WorkingSet = m.Usage - idle
	}
	if s.Pids.Limit > math.MaxInt64 { // "max"
		s.Pids.Limit = 0
	}
	for name, n := range raw.Networks {
		s.Networks = append(s.Networks, InterfaceStats{
			Name: name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors, RxDropped: n.RxDropped,
			TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped,
		})
	}
	slices.SortFunc(s.Networks, func(a, b InterfaceStats) int { return strings.Compare(a.Name, b.Name) })
	s.Disk.ReadBytes, s.Disk.WriteBytes, s.Disk.Counted = both(raw.BlkioStats.IoServiceBytesRecursive)
	s.Disk.ReadOps, s.Disk.WriteOps, s.Disk.CountedOps = both(raw.BlkioStats.IoServicedRecursive)
	return s
}

func nanoseconds(n uint64) time.Duration { return time.Duration(min(n, math.MaxInt64)) }

// first is the value of the first name that is there.
func first(m map[string]uint64, names ...string) uint64 {
	for _, n := range names {
		if v, ok := m[n]; ok {
			return v
		}
	}
	return 0
}

// both adds up reads and writes over all devices. There is no list at all where nothing is counted.
func both(entries []container.BlkioStatEntry) (read, written uint64, counted bool) {
	for _, e := range entries {
		switch strings.ToLower(e.Op) {
		case "read":
			read += e.Value
		case "write":
			written += e.Value
		}
	}
	return read, written, entries != nil
}
