package sidecar

import (
	"fmt"
	"strconv"
)

// A Usual is what the engine limits a container to, whatever its control groups say now. Zero: no limit, or the kernel's default.
//
// It is for undos of faults that nobody has surveyed. An undo is made before that, and such a one is all that is left of a run
// whose record is lost: it says what the fault writes, and not what was there before. The engine does.
type Usual struct {
	Memory      int64  `json:"memory,omitempty"`      // bytes
	MemorySwap  int64  `json:"memory_swap,omitempty"` // bytes, memory and swap together; -1: no limit
	CPUQuota    int64  `json:"cpu_quota,omitempty"`   // microseconds in each CPUPeriod; below 0: no limit
	CPUPeriod   int64  `json:"cpu_period,omitempty"`  // microseconds
	OOMScoreAdj int    `json:"oom_score_adj,omitempty"`
	Read        []Rate `json:"read,omitempty"`
	Write       []Rate `json:"write,omitempty"`
}

// A Rate is how fast the engine lets a container read from a device, or write to it.
type Rate struct {
	Device string `json:"device"` // "/dev/sda"
	Bytes  int64  `json:"bytes"`  // per second
}

// settings are what a fault that lowers limits has changed, and what it was: as it was surveyed, or else as the engine has it.
func (h *host) settings(s LimitSpec) ([]Setting, error) {
	switch {
	case len(s.Settings) > 0 || h.usual == nil:
		return s.Settings, nil
	case s.Cores > 0:
		g, err := h.groups.of("cpu")
		if err != nil {
			return nil, err
		}
		quota, period := h.usual.CPUQuota, h.usual.CPUPeriod
		if quota <= 0 {
			quota = unbounded
		}
		if period <= 0 {
			period = usualPeriod
		}
		return g.cpuTo(quota, period, s.Cores), nil
	case s.Memory > 0:
		g, err := h.groups.of("memory")
		if err != nil {
			return nil, err
		}
		want, all := s.Memory/pageRound*pageRound, []Setting{}
		for _, x := range g.usualMemory(*h.usual) {
			x.Set = []string{text(want)}
			if x.File == g.memoryFiles().swap {
				x.Set = g.swapTo(swapRoom, []int64{want})
			}
			if lower(x.Was, x.Set) {
				all = append(all, x)
			}
		}
		return all, nil
	}
	return h.usualIO(s)
}

// usualMemory are the limits of memory as the engine has them, without what a fault writes.
func (g *group) usualMemory(u Usual) []Setting {
	f := g.memoryFiles()
	none := "-1"
	if g.v2 {
		none = "max"
	}
	limit, swap := none, none
	if u.Memory > 0 {
		limit = text(u.Memory)
		both := u.MemorySwap
		if both == 0 {
			both = 2 * u.Memory // which is what the engine makes of it
		}
		switch {
		case both > 0 && g.v2:
			swap = text(max(both-u.Memory, 0))
		case both > 0:
			swap = text(both)
		}
	}
	all := []Setting{{Controller: "memory", File: f.limit, Was: limit}}
	if g.has(f.swap) { // kernels that do not count swap have no file for it
		all = append(all, Setting{Controller: "memory", File: f.swap, Was: swap})
	}
	return all
}

// usualIO are the limits of reading and writing of the container's disks as the engine has them.
func (h *host) usualIO(s LimitSpec) ([]Setting, error) {
	all, err := h.throttles(s.Read, s.Write)
	if err != nil {
		return nil, err
	}
	for i, x := range all {
		g, err := h.groups.of(x.Controller)
		if err != nil {
			return nil, err
		}
		all[i].Was = "0"
		if g.v2 {
			all[i].Was = "max"
		}
		rates := h.usual.Read
		if x.writes() {
			rates = h.usual.Write
		}
		for _, r := range rates {
			dev, err := namedDisk(r.Device, h.sys)
			if err != nil {
				return nil, fmt.Errorf("the engine limits %s, %w", r.Device, err)
			}
			if dev == x.device() {
				all[i].Was = text(r.Bytes)
			}
		}
	}
	return all, nil
}

// suspected is a fault that makes the kernel kill as it was surveyed. Of one that was not, all that is lower than the engine has it
// counts as the fault's, and so do the scores that it would have raised.
func (h *host) suspected(s OOMSpec) (OOMSpec, error) {
	if len(s.Settings)+len(s.Scores) > 0 || h.usual == nil {
		return s, nil
	}
	g, err := h.groups.of("memory")
	if err != nil {
		return s, err
	}
	for _, x := range g.usualMemory(*h.usual) {
		now, err := g.value(x)
		if err != nil {
			return s, err
		}
		if below(now, x.Was) {
			x.Set = []string{now}
			s.Settings = append(s.Settings, x)
		}
	}
	if g.v2 {
		return s, nil // no score is raised
	}
	procs, err := h.processes()
	if err != nil {
		return s, err
	}
	for _, p := range procs {
		s.Scores = append(s.Scores, Score{PID: p.pid, Start: p.start, Was: h.usual.OOMScoreAdj})
	}
	return s, nil
}

// below says whether a limit of memory is lower than another one, by more than the kernel rounds.
func below(now, was string) bool {
	n, w := bound(now), bound(was)
	return n < w/pageRound*pageRound
}

// bound reads a limit. What is no number bounds nothing.
func bound(value string) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return unbounded
	}
	return n
}
