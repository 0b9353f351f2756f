package moved

import (
	"fmt"
	"time"
)

const (
	// widestBin is what a bin has in windows that are long enough.
	widestBin = 5 * time.Second
	// wanted is how many bins the shortest window is to have: of fewer, two windows without overlap say little.
	wanted = 6
	// needed is how many bins the baseline and the fault must have.
	needed = 3
	// least is how many bins the window of the fault has where the recovery leaves room for them.
	least = 4
)

// A Window is a stretch of time, From included and To not, cut into whole bins.
type Window struct{ From, To time.Time }

// Windows are the three stretches that are compared, and the width of their bins.
type Windows struct {
	Baseline, Fault, Recovery Window
	Bin                       time.Duration
}

// A Course is when a run began, when its first fault did, when the last was undone, and when nothing was watched any more.
type Course struct{ Start, Fault, Undo, End time.Time }

// Cut makes the windows of a run whose series have a sample every interval. A fault that was over sooner than a few bins has a
// window that reaches into the recovery, as its consequences do. The error says which window is too short.
func Cut(c Course, interval time.Duration) (Windows, error) {
	narrowest := 2 * interval
	bin := min(max(min(c.Fault.Sub(c.Start), c.Undo.Sub(c.Fault))/wanted, narrowest), max(widestBin, narrowest)).Round(time.Millisecond)
	if bin <= 0 {
		return Windows{}, fmt.Errorf("the interval %s is none", interval)
	}
	w := Windows{Bin: bin}
	whole := func(d time.Duration) time.Duration { return d / bin * bin }
	w.Baseline = Window{c.Fault.Add(-whole(c.Fault.Sub(c.Start))), c.Fault}
	length := max(whole(c.Undo.Sub(c.Fault)), min(least*bin, whole(c.End.Sub(c.Fault))))
	w.Fault = Window{c.Fault, c.Fault.Add(length)}
	// Where the recovery begins the fault's window may end a little sooner; what lies between is neither.
	after := c.Undo
	if w.Fault.To.After(after) {
		after = w.Fault.To
	}
	w.Recovery = Window{c.End.Add(-whole(max(c.End.Sub(after), 0))), c.End}
	switch {
	case w.bins(w.Baseline) < needed:
		return w, fmt.Errorf("the baseline of %s is shorter than %d bins of %s", c.Fault.Sub(c.Start).Round(time.Millisecond), needed, bin)
	case w.bins(w.Fault) < needed:
		return w, fmt.Errorf("the fault and the recovery of %s are shorter than %d bins of %s", c.End.Sub(c.Fault).Round(time.Millisecond), needed, bin)
	}
	return w, nil
}

// bins is how many bins a window has.
func (w Windows) bins(x Window) int { return int(x.To.Sub(x.From) / w.Bin) }

// Bins are how many bins each window has.
func (w Windows) Bins() (baseline, fault, recovery int) {
	return w.bins(w.Baseline), w.bins(w.Fault), w.bins(w.Recovery)
}

// settled is the part of the recovery that says whether something came back: its second half, if that is long enough, for coming
// back takes time.
func (w Windows) settled() Window {
	n := w.bins(w.Recovery)
	half := n - n/2
	if half < needed {
		half = n
	}
	return Window{w.Recovery.To.Add(-time.Duration(half) * w.Bin), w.Recovery.To}
}
