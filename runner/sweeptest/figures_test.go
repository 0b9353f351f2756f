package sweeptest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// A row sums up kills of one sort.
type row struct {
	name  string
	kills int
	left  int             // kills after which something was left
	force int             // kills at which, or right after which, a fault was in force
	heals []time.Duration // from the kill to the effect's end, for each target that showed it and that the guard had to put back
	gone  []time.Duration // from the kill to the guard's end
}

// figures are what a sweep has measured.
type figures struct {
	mu     sync.Mutex
	kinds  []*row
	deaths []*row
	steps  []*row
	early  int // kills before the guard was up that left stopped containers of gameday's own
}

func find(rows *[]*row, name string) *row {
	for _, r := range *rows {
		if r.name == name {
			return r
		}
	}
	*rows = append(*rows, &row{name: name})
	return (*rows)[len(*rows)-1]
}

func (f *figures) add(k kill, o outcome, left bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	victim := find(&f.deaths, string(k.victim))
	for _, r := range []*row{find(&f.kinds, k.deed.name()), victim, find(&f.steps, k.step)} {
		r.kills++
		if left {
			r.left++
		}
		if o.force {
			r.force++
		}
		if k.restartsDaemon() && r != victim {
			continue // for as long as the daemon is away, nothing can be undone: that is no figure of a fault's
		}
		r.heals = append(r.heals, o.healed...)
		if o.gone > 0 {
			r.gone = append(r.gone, o.gone)
		}
	}
	if len(o.early) > 0 {
		f.early++
	}
}

// String is the figures as tables in Markdown.
func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	order := func(name string) int { return slices.IndexFunc(deeds, func(d deed) bool { return d.name() == name }) }
	slices.SortFunc(f.kinds, func(x, y *row) int { return cmp.Compare(order(x.name), order(y.name)) })
	slices.SortFunc(f.deaths, func(x, y *row) int {
		return cmp.Compare(slices.Index(victims, victim(x.name)), slices.Index(victims, victim(y.name)))
	})
	slices.SortFunc(f.steps, func(x, y *row) int { return cmp.Compare(slices.Index(steps, x.name), slices.Index(steps, y.name)) })
	table(&b, "fault", f.kinds)
	table(&b, "killed", f.deaths)
	table(&b, "at", f.steps)
	b.WriteString("In force are the kills at which, or right after which, a target showed the fault. Where gameday lives, nothing is undone before its time.\n")
	b.WriteString("The times of kills with a restart of the daemon stand in the second table alone.\n")
	fmt.Fprintf(&b, "%d kills came before the guard was up, and left stopped containers of gameday's own, which gameday recover or the next run removes.\n", f.early)
	return b.String()
}

func table(b *strings.Builder, what string, rows []*row) {
	fmt.Fprintf(b, "| %s | kills | left behind | in force | targets undone | p50 | p99 | max | guard gone p50 | p99 |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n", what)
	all := &row{name: "**all**"}
	line := func(r *row) {
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %s | %s | %s | %s | %s |\n", r.name, r.kills, r.left, r.force, len(r.heals), at(r.heals, 0.5), at(r.heals, 0.99), at(r.heals, 1),
			at(r.gone, 0.5), at(r.gone, 0.99))
	}
	for _, r := range rows {
		line(r)
		all.kills, all.left, all.force, all.heals, all.gone = all.kills+r.kills, all.left+r.left, all.force+r.force, append(all.heals, r.heals...), append(all.gone, r.gone...)
	}
	line(all)
	b.WriteString("\n")
}

// at is the figure at a share of the way from the least to the greatest.
func at(all []time.Duration, share float64) string {
	if len(all) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f s", rank(all, share).Seconds())
}

// rank is the nearest rank.
func rank(all []time.Duration, share float64) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[max(0, int(math.Ceil(share*float64(len(all))))-1)]
}
