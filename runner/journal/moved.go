package journal

import "time"

var (
	_ = register[Moved]()
	_ = register[BlindSpots]()
)

// Moved is what moved in all series in reach, whether anybody had asked for it or not: a comparison of the fault with the baseline
// and the recovery. It is written after the verdicts, whose business it is not.
type Moved struct {
	Why      string         `json:"why,omitempty"`      // nothing was compared, and why; empty: it was
	Selector string         `json:"selector,omitempty"` // which series of a server
	Left     string         `json:"left,omitempty"`     // what was not read, and why
	Bin      Duration       `json:"bin,omitempty"`      // the windows were compared in bins of this width
	Windows  []MovedWindow  `json:"windows,omitempty"`
	Compared int            `json:"compared"` // series
	Took     Duration       `json:"took,omitempty"`
	Counts   []MovedCount   `json:"counts,omitempty"` // all movements, by what became of them
	Findings []Movement     `json:"findings,omitempty"`
	Floor    []MetricNoise  `json:"floor,omitempty"` // of a sham run: how far each metric moves by itself
	Noise    *NoiseCompared `json:"noise,omitempty"` // the sham run that this was held against; nil: there is none
}

// Kind returns "metrics.moved".
func (*Moved) Kind() string { return "metrics.moved" }

// Total is how many movements there were, those that are not among the Findings included.
func (m *Moved) Total() int {
	n := 0
	for _, c := range m.Counts {
		n += c.Movements
	}
	return n
}

// A MovedWindow is one of the stretches of time that were compared. That of a short fault reaches into the recovery.
type MovedWindow struct {
	Phase Phase     `json:"phase"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Bins  int       `json:"bins"`
}

// A MovedCount is how many movements came to the same.
type MovedCount struct {
	Change    string `json:"change"` // "moved and returned", "moved and stayed", "moved", "appeared", "vanished"
	Movements int    `json:"movements"`
}

// A Movement is the series of one metric on one target that moved, told by the strongest of them. At most 50 are kept, the strongest
// first; each further one of the same target or metric counts a fifth less in that order. A step is that of a counter of few events, or
// of the time of a start, which stood still throughout the baseline.
type Movement struct {
	Metric   string            `json:"metric,omitempty"` // empty: most series of the target appeared or vanished at once
	Target   map[string]string `json:"target"`           // the labels that say where
	Labels   map[string]string `json:"labels,omitempty"` // all labels of the strongest series
	Change   string            `json:"change"`
	By       string            `json:"by"`                 // "level": the median of a gauge; "rate": the mean change per second; "step": the last value
	Baseline *MovedLevel       `json:"baseline,omitempty"` // nil: it had no samples there, or it is a target as a whole
	Fault    *MovedLevel       `json:"fault,omitempty"`
	Recovery *MovedLevel       `json:"recovery,omitempty"`
	Delta    Number            `json:"delta"`              // Cliff's, of the bins of the fault against those of the baseline: −1 and 1 have no overlap
	Size     Number            `json:"size"`               // relative: 0.5 is doubled or halved, 1 is from or to nothing; of a step, how surely it was no chance
	Rank     Number            `json:"rank"`               // |delta| × size
	Series   int               `json:"series"`             // that moved
	Named    []string          `json:"named,omitempty"`    // the hypotheses, guardrails and alerts that read the metric
	Sham     *Number           `json:"sham,omitempty"`     // rank of the same metric in the sham run; nil: there was none, or it did not move there
	InNoise  bool              `json:"in_noise,omitempty"` // it moved no more than in the sham run
}

// A MovedLevel is a level in one window, and on how many bins it rests.
type MovedLevel struct {
	Value Number `json:"value"`
	Bins  int    `json:"bins"`
}

// MetricNoise is how far a metric moved while nothing was done.
type MetricNoise struct {
	Metric string `json:"metric,omitempty"` // empty: targets as a whole
	Rank   Number `json:"rank"`             // the highest
}

// NoiseCompared is the sham run that movements were held against.
type NoiseCompared struct {
	Run       string `json:"run"`
	Movements int    `json:"movements"` // that were found in it
	Within    int    `json:"within"`    // of this run's Findings
}

// BlindSpots are what could not have been seen, whatever happened. A run writes those that follow from its scenario before the
// baseline, and those that were met at its end.
type BlindSpots struct {
	Spots []BlindSpot `json:"spots"`
}

// Kind returns "blind.spots".
func (*BlindSpots) Kind() string { return "blind.spots" }

// A BlindSpot is one of them.
type BlindSpot struct {
	What BlindWhat `json:"what"`
	// Name is the hypothesis, guardrail, rule or fault that it is about.
	Name     string            `json:"name,omitempty"`
	QueryID  string            `json:"query_id,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`   // of a target
	Reads    Duration          `json:"reads,omitempty"`    // the range, the duration of a fault, or the longest time without a sample
	Interval Duration          `json:"interval,omitempty"` // at which there are samples, or evaluations
	From     *time.Time        `json:"from,omitempty"`     // of a gap
	To       *time.Time        `json:"to,omitempty"`
	Gaps     int               `json:"gaps,omitempty"`   // how many there were; From and To are those of the longest
	Detail   string            `json:"detail,omitempty"` // why it could not be asked, in the source's words
}

// BlindWhat is a kind of blind spot.
type BlindWhat string

// The kinds of blind spots.
const (
	BlindRange   BlindWhat = "range"    // a range of a query or rule is shorter than four scrape intervals: a rate in it is often empty
	BlindFault   BlindWhat = "fault"    // a fault is shorter than the time between two samples: of a query or of targets, where they are given
	BlindRule    BlindWhat = "rule"     // an alerting rule, or one that it needs, is evaluated more rarely than the shortest fault lasts
	BlindGap     BlindWhat = "gap"      // a target was not scraped for longer than its interval
	BlindDown    BlindWhat = "down"     // a target did not answer
	BlindNeverUp BlindWhat = "never up" // a target did not answer even once
	// BlindUnchecked: whether a query's ranges hold enough samples could not be asked.
	BlindUnchecked BlindWhat = "unchecked"
	// BlindTargets: whether targets answered could not be asked, or only in part. The name is the selector of their series up.
	BlindTargets BlindWhat = "targets unchecked"
)
