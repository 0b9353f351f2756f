// Package moved compares every series of a rehearsal before, during and after the fault, and ranks what moved. It is handed
// samples and knows nothing of where they come from.
//
// Each of the three windows is cut into bins of a few seconds. A gauge has in each bin the median of its samples, a counter its
// increase per second, with resets left out; a gauge that only ever grows, or only ever shrinks, is compared by its slope. What the
// bins of the fault and of the baseline have in common is said by Cliff's delta, and how far they are apart by the relative size:
// their product is the rank. The recovery decides whether something counts: what neither came back nor stayed away is noise.
//
// A single event, such as a restart, fills too few bins for that. A counter of events that stood still throughout the baseline and
// counted in the fault has stepped, and so has the time of a start that is another one. They are told by their values.
package moved

import "strings"

// A Series is one series with its samples, in order of time. NaN and infinite values are left out of the comparison.
type Series struct {
	Metric string
	Labels map[string]string // without the metric's name
	Type   Type
	Times  []int64 // milliseconds since 1970
	Values []float64
}

// A Type is what a metric is said to be.
type Type int

// The types. Unknown is told by the name of the metric and by how it behaves.
const (
	Unknown Type = iota
	Counter
	Gauge
)

// A Change is what became of something that moved.
type Change string

// The changes.
const (
	Returned Change = "moved and returned"
	Stayed   Change = "moved and stayed"
	Moved    Change = "moved" // the recovery is too short to say more
	Appeared Change = "appeared"
	Vanished Change = "vanished"
)

// A By is what of a series was compared.
type By string

// What is compared.
const (
	Level By = "level" // a gauge: its value
	Rate  By = "rate"  // a counter, or a gauge that only ever grows or shrinks: its change per second
	Step  By = "step"  // a counter of few events, or the time of a start: its value, which stood still throughout the baseline
)

// A Phase is what one window holds of a series.
type Phase struct {
	Level float64 // the median of a gauge, the mean rate of a counter, the last value of a step; 0 without bins
	Bins  int     // that have samples
}

// A Movement is what moved: the series of one metric on one target that did, told by the strongest of them.
type Movement struct {
	Metric string            // empty: most series of the target appeared or vanished at once
	Target map[string]string // the labels that say where: job, instance, container …
	Labels map[string]string // all labels of the strongest series; those of the target where Metric is empty
	Change Change
	By     By
	// Baseline, Fault and Recovery are of the strongest series; zero where Metric is empty.
	Baseline, Fault, Recovery Phase
	Delta                     float64 // Cliff's: −1 and 1 are bins without overlap. Of what appeared or vanished, the share of the bins
	Size                      float64 // relative, 0 to 1: 0.5 is doubled or halved. Of a step, how surely it was no chance
	Rank                      float64 // |Delta| × Size; the order counts further movements of the same target or metric less
	Series                    int     // that moved

	few bool // a step of so few events that it may be a chance
}

// Skip says whether a metric is left out: buckets repeat what their histogram's count and sum say, and a timestamp or a
// creation time is no measurement.
func Skip(metric string) bool {
	return strings.HasSuffix(metric, "_bucket") || strings.HasSuffix(metric, "_created") || strings.Contains(metric, "_timestamp") ||
		// What the scraper says of its own work repeats up, or depends on what else its machine does.
		strings.HasPrefix(metric, "scrape_") ||
		// What rules say of alerts repeats the series that they read; alerts have a verdict of their own.
		metric == "ALERTS" || metric == "ALERTS_FOR_STATE"
}

// isCounter says whether a metric is one by its name.
func isCounter(metric string) bool {
	return strings.HasSuffix(metric, "_total") || strings.HasSuffix(metric, "_count") || strings.HasSuffix(metric, "_sum")
}

// where are the labels that say on what target a series was measured. The others tell the series of one metric apart.
var where = []string{"job", "instance", "container", "service", "name", "pod", "namespace", "node"}

func targetOf(labels map[string]string) map[string]string {
	out := map[string]string{}
	for _, name := range where {
		if v, ok := labels[name]; ok {
			out[name] = v
		}
	}
	return out
}

// key names the target of a series.
func key(labels map[string]string) string {
	var b strings.Builder
	for _, name := range where {
		b.WriteString(labels[name])
		b.WriteByte(0)
	}
	return b.String()
}
