package sidecar

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An OOMSpec is a fault that makes the kernel kill a process of a container for want of memory.
type OOMSpec struct {
	// Settings, of a survey, is what the fault changes, and what it was. Of the values of a limit the first is tried first.
	Settings []Setting `json:"settings,omitempty"`
	// Scores, of a survey, are those by which the kernel chooses, where the fault changes them.
	Scores []Score `json:"scores,omitempty"`
}

// A Score is how ready the kernel is to kill a process for want of memory (oom_score_adj).
type Score struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // by which the process is told from a later one with the same pid
	Was   int    `json:"was"`
}

// raised is the score during the fault: so much higher that the choice does not fall on a worker of ours.
func (s Score) raised() int { return min(s.Was+1000, 1000) }

var oomKind = hostKind{
	prepare: with(func(h *host, _ string, s OOMSpec) (effect, error) { return h.prepareOOM(s) }),
	survey:  with(func(h *host, _ string, s OOMSpec) (any, error) { return h.surveyOOM(s) }),
	check:   with(func(h *host, _ string, s OOMSpec) (Look, error) { return h.checkOOM(s) }),
	heal:    withOnly(func(h *host, s OOMSpec) error { return h.healOOM(s) }),
	dump:    limitKind.dump,
}

// oomLimit is how long it may take until the kernel has killed a process.
const oomLimit = 10 * time.Second

func (h *host) surveyOOM(s OOMSpec) (OOMSpec, error) {
	g, err := h.groups.of("memory")
	if err != nil {
		return s, err
	}
	if !g.v2 {
		off, err := g.field("memory.oom_control", "oom_kill_disable")
		if err != nil {
			return s, err
		}
		if off != 0 {
			return s, errors.New("the kernel is told to kill nobody in the container (--oom-kill-disable): its processes would hang")
		}
	}
	procs, err := h.processes()
	if err != nil {
		return s, err
	}
	for _, p := range procs {
		if was, err := h.score(p.pid); err == nil && was > -1000 {
			s.Scores = append(s.Scores, Score{PID: p.pid, Start: p.start, Was: was})
		}
	}
	if len(s.Scores) == 0 {
		return s, errors.New("the kernel is told to kill none of its processes (oom_score_adj is -1000)")
	}
	if g.v2 {
		s.Scores = nil // no worker is needed
	}
	usage, held, err := g.held()
	if err != nil {
		return s, err
	}
	limit, err := g.number(g.memoryFiles().limit)
	if err != nil {
		return s, err
	}
	var ladder []int64
	add := func(want int64) {
		want = max(want/pageRound*pageRound, least)
		if !slices.Contains(ladder, want) && want < limit {
			ladder = append(ladder, want)
		}
	}
	if g.v2 {
		// Step by step to nothing: each step costs what does not fit any more, so they are small.
		for want := held; want > least; want -= max(want/16, pageRound) {
			add(want)
		}
	} else {
		// What the kernel cannot take away, and room for a worker; more for as long as the kernel says that it cannot go so low. The
		// more room, the more a process's score counts for against its size.
		room, err := h.room()
		if err != nil {
			return s, err
		}
		for _, want := range []int64{held, held + held/4, (held + usage) / 2, usage + usage/8, usage * 2} {
			add(want + room)
		}
		slices.Sort(ladder)
		if len(ladder) == 0 {
			return s, nil // the limit is low enough
		}
	}
	if len(ladder) == 0 {
		return s, fmt.Errorf("its limit of memory, %s, is too low to be lowered", Bytes(limit))
	}
	if s.Settings, err = g.memoryTo(0, ladder...); err != nil {
		return s, err
	}
	return s, h.writable(s.Settings)
}

// room is how much memory a worker is let take at least: it must be more than the worker's own size, which is that of this
// process.
func (h *host) room() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0, fmt.Errorf("/proc/self/statm is %q", text)
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	return max(32<<20, 2*pages*int64(os.Getpagesize())), err
}

// least is the lowest limit that is tried.
const least = 1 << 20

// oom is the fault. In version 1 it has a worker, which brings the kernel to its decision.
type oom struct {
	h    *host
	spec OOMSpec
	c    *child

	once   sync.Once
	halt   chan struct{}
	before int64 // how many the kernel had killed
	killed bool
	main   bool // the main process is dead
	seen   string
}

func (h *host) prepareOOM(spec OOMSpec) (effect, error) {
	if len(spec.Settings) == 0 && len(spec.Scores) == 0 {
		return nil, errors.New("it was not looked up what the fault has to change")
	}
	e := &oom{h: h, spec: spec, halt: make(chan struct{})}
	g, err := h.groups.of("memory")
	if err == nil && !g.v2 {
		e.c, err = startWorker("oom", "charge", 0)
	}
	return e, err
}

func (e *oom) stop() { e.once.Do(func() { close(e.halt) }) }

// apply takes memory away until the kernel has killed a process. Then all is as it was before, but for the dead.
func (e *oom) apply() (at time.Time, err error) {
	g, err := e.h.groups.of("memory")
	var procs []process
	if err == nil {
		if e.before, err = e.h.kills(); err == nil {
			procs, err = e.h.processes()
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errUntouched, err)
	}
	if g.v2 {
		at, err = e.squeeze()
	} else {
		at, err = e.crowd(g)
	}
	if err != nil {
		// It may have been taken back in the very moment.
		if done, herr := e.happened(); herr == nil && done {
			at, err = time.Now(), nil
		}
	}
	var dead []process
	if err == nil {
		dead, err = e.dead(procs)
	}
	if err := errors.Join(err, e.undo()); err != nil {
		return time.Time{}, err
	}
	e.killed, e.seen = true, e.h.deaths(dead)
	e.main = slices.ContainsFunc(dead, func(p process) bool { return p.pid == e.h.pid })
	return at, nil
}

// happened says whether the kernel has killed a process by now.
func (e *oom) happened() (bool, error) {
	n, err := e.h.kills()
	if err != nil && isGone(err) {
		return true, nil // its main process was the one, and the engine has removed the group
	}
	return n > e.before, err
}

// halted says why to go on no longer.
func (e *oom) halted(end time.Time) error {
	select {
	case <-e.halt:
		return errors.New("it was taken back before the kernel had killed anything")
	default:
	}
	if time.Now().After(end) {
		return fmt.Errorf("the kernel has killed nothing in %v", oomLimit)
	}
	return nil
}

// set writes one step of the ladder.
func (e *oom) set(step int) error {
	var todo values
	for _, s := range e.spec.Settings {
		todo.add(s, s.Set[min(step, len(s.Set)-1)])
	}
	return e.h.groups.write(todo)
}

// squeeze lowers the limit step by step. The kernel's answer, in version 2, is to kill when it cannot take enough away.
func (e *oom) squeeze() (time.Time, error) {
	end := time.Now().Add(oomLimit)
	for step := range e.spec.Settings[0].Set {
		if err := e.set(step); err != nil && !isGone(err) {
			return time.Time{}, err
		}
		if done, err := e.happened(); done || err != nil {
			return time.Now(), err
		}
		if err := e.halted(end); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, errors.New("the kernel has killed nothing, with next to no memory left")
}

// crowd lowers the limit as far as the kernel lets it, which in version 1 never kills for that, and has a worker take what is
// left, bit by bit.
func (e *oom) crowd(g *group) (time.Time, error) {
	end := time.Now().Add(oomLimit)
	if len(e.spec.Settings) > 0 {
		var last error
		for step := range e.spec.Settings[0].Set {
			if last = e.set(step); last == nil || !errors.Is(last, unix.EBUSY) {
				break
			}
		}
		if last != nil {
			return time.Time{}, fmt.Errorf("its limit of memory cannot be lowered: %w", last)
		}
	}
	for _, s := range e.spec.Scores {
		if err := e.h.setScore(s, s.raised()); err != nil {
			return time.Time{}, err
		}
	}
	if err := e.h.groups.join(e.c.pid(), "memory"); err != nil {
		return time.Time{}, err
	}
	f := g.memoryFiles()
	for {
		if done, err := e.happened(); done || err != nil {
			return time.Now(), err
		}
		if alive, how := e.c.alive(); !alive {
			return time.Time{}, fmt.Errorf("the worker that takes its memory has ended: %s", how)
		}
		if err := e.halted(end); err != nil {
			return time.Time{}, err
		}
		// A little at a time, so that there is one death and not several.
		step := int64(64 << 10)
		if usage, err := g.number(f.usage); err == nil {
			if limit, err := g.number(f.limit); err == nil {
				step = min(max(step, (limit-usage)/2), 8<<20)
			}
		}
		if e.c.tell(text(step)) == nil {
			e.await()
		}
	}
}

// await waits until the worker has what it was told to take, or the kernel has killed something over it.
func (e *oom) await() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-e.c.news:
			return
		case <-e.c.ended:
			return
		case <-e.halt:
			return
		case <-tick.C:
			if done, err := e.happened(); done || err != nil {
				return
			}
		}
	}
}

// undo ends the worker first, whose memory is none of the container's.
func (e *oom) undo() error {
	var err error
	if e.c != nil {
		err = e.c.end()
	}
	return errors.Join(err, e.h.healOOM(e.spec))
}

func (e *oom) look() (Look, error) {
	k := Look{Means: "control group", InForce: e.killed, Seen: e.seen, Met: -1, Hit: -1, Ended: e.main || e.h.over()}
	if !e.killed {
		k.Why = "the kernel has killed nothing"
	}
	return k, nil
}

// score is a process's oom_score_adj.
func (h *host) score(pid int) (int, error) {
	text, err := h.procFile(pid, "oom_score_adj")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

// setScore changes a score. A process that has ended needs nothing.
func (h *host) setScore(s Score, to int) error {
	f, err := h.stat(s.PID)
	if err != nil || len(f) < 20 || f[19] != s.Start {
		return nil
	}
	err = os.WriteFile(filepath.Join(h.proc, strconv.Itoa(s.PID), "oom_score_adj"), []byte(strconv.Itoa(to)), 0)
	if err != nil && !errors.Is(err, unix.ESRCH) && !isGone(err) {
		return fmt.Errorf("change the score of process %d: %w", s.PID, bare(err))
	}
	return nil
}

// lifted lists the processes whose score is still raised. Those that were born meanwhile have it from their parents.
func (h *host) lifted(all []Score) ([]Score, error) {
	if len(all) == 0 || h.over() {
		return nil, nil
	}
	procs, err := h.processes()
	if err != nil {
		return nil, gone(err)
	}
	var out []Score
	for _, p := range procs {
		i := slices.IndexFunc(all, func(s Score) bool { return s.PID == p.pid && s.Start == p.start })
		if i < 0 {
			i = slices.IndexFunc(all, func(s Score) bool { return s.PID == p.parent })
		}
		if i < 0 {
			continue
		}
		if now, err := h.score(p.pid); err == nil && now == all[i].raised() && now != all[i].Was {
			out = append(out, Score{PID: p.pid, Start: p.start, Was: all[i].Was})
		}
	}
	return out, nil
}

func (h *host) healOOM(s OOMSpec) error {
	s, err := h.suspected(s)
	if err != nil {
		return gone(err)
	}
	errs := []error{h.groups.restore(s.Settings)}
	lifted, err := h.lifted(s.Scores)
	errs = append(errs, err)
	for _, x := range lifted {
		errs = append(errs, h.setScore(x, x.Was))
	}
	return errors.Join(errs...)
}

func (h *host) checkOOM(s OOMSpec) (Look, error) {
	s, err := h.suspected(s)
	switch {
	case err != nil && isGone(err):
		return Look{Means: "control group", Met: -1, Hit: -1, Why: "its control group is gone"}, nil
	case err != nil:
		return Look{}, err
	}
	k, err := h.checkOurs(s.Settings)
	if err != nil || k.InForce {
		return k, err
	}
	lifted, err := h.lifted(s.Scores)
	if len(lifted) > 0 {
		k.InForce, k.Seen = true, fmt.Sprintf("oom_score_adj of process %d is %d", lifted[0].PID, lifted[0].raised())
	}
	return k, err
}

// dead waits until a process of the container has died, which takes one that was killed a moment.
func (e *oom) dead(before []process) ([]process, error) {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) {
		dead := slices.DeleteFunc(slices.Clone(before), func(p process) bool { return e.h.state(p) != "" })
		if len(dead) > 0 {
			return dead, nil
		}
		if e.c != nil {
			if alive, how := e.c.alive(); !alive {
				return nil, fmt.Errorf("the kernel chose the worker of the fault, and no process of the container: the worker ended with %q", how)
			}
		}
		if time.Now().After(end) {
			return nil, errors.New("the kernel has killed a process that was not there when the fault began")
		}
	}
}

// deaths says in words who has died.
func (h *host) deaths(dead []process) string {
	names := []string{}
	for _, p := range dead {
		if p.pid == h.pid {
			return fmt.Sprintf("the kernel killed %s for want of memory, the main process", p.name)
		}
		names = append(names, p.name)
	}
	return fmt.Sprintf("the kernel killed %s for want of memory", strings.Join(names, ", "))
}
