package journal

import "time"

var (
	_ = register[HypothesisJudged]()
	_ = register[GuardrailJudged]()
)

// A Point is one value of one series at one time, with the bound that it was held against.
type Point struct {
	At       time.Time         `json:"at"`
	Value    Number            `json:"value"`
	Labels   map[string]string `json:"labels,omitempty"`
	Op       string            `json:"op,omitempty"`    // of the comparison: "<", "<=", ">", ">=", "==", "!="; empty: not one comparison
	Bound    *Number           `json:"bound,omitempty"` // what it was compared with, at that time
	Baseline *Number           `json:"baseline,omitempty"`
}

// HypothesisJudged is a verdict with all that it rests on, computed from the samples.
type HypothesisJudged struct {
	Hypothesis string        `json:"hypothesis"`
	QueryID    string        `json:"query_id"`
	Verdict    Verdict       `json:"verdict"`
	Reason     Reason        `json:"reason"`
	Phase      Phase         `json:"phase,omitempty"`  // where the reason lies, if in one phase
	Detail     string        `json:"detail,omitempty"` // verbatim words of a source or the engine
	Phases     []PhaseJudged `json:"phases,omitempty"`
	Margin     *Margin       `json:"margin,omitempty"`
	HeldAgain  *HeldAgain    `json:"held_again,omitempty"`

	FirstViolation      *FirstViolation      `json:"first_violation,omitempty"`
	RecoveredBeforeUndo *RecoveredBeforeUndo `json:"recovered_before_undo,omitempty"`
}

// Kind returns "hypothesis.judged".
func (*HypothesisJudged) Kind() string { return "hypothesis.judged" }

// PhaseJudged counts the samples of one phase and lists what was not as claimed. In the recovery phase violations are
// listed as far as they were seen, but only count when the claim did not hold for good by the end.
type PhaseJudged struct {
	Phase      Phase      `json:"phase"`
	From       time.Time  `json:"from"`
	To         time.Time  `json:"to"`
	Samples    int        `json:"samples"` // that count
	Good       int        `json:"good"`
	Bad        int        `json:"bad"`
	Missing    int        `json:"missing"`              // without data
	WarmUp     int        `json:"warm_up"`              // before the warm-up was over; not among Samples
	FirstGood  *time.Time `json:"first_good,omitempty"` // the first sample that held
	Worst      *Point     `json:"worst,omitempty"`      // nearest to or furthest beyond the bound
	Violations []Stretch  `json:"violations,omitempty"`
	Gaps       []Stretch  `json:"gaps,omitempty"` // stretches without data
}

// A Stretch is an interval seen through samples: it began between After and First, and ended between Last and Before. Where one
// of the two is nil, the phase's own end stands for it.
type Stretch struct {
	After     *time.Time `json:"after,omitempty"`  // the last holding sample before it; nil if there is none in the phase
	First     time.Time  `json:"first"`            // its first sample
	Last      time.Time  `json:"last"`             // its last sample
	Before    *time.Time `json:"before,omitempty"` // the first holding sample after it; nil if there is none in the phase
	Length    Duration   `json:"length"`           // at least this long: Last − First
	AtMost    Duration   `json:"at_most"`          // at most this long: Before − After
	Worst     *Point     `json:"worst,omitempty"`
	Tolerated bool       `json:"tolerated,omitempty"` // it does not count: within tolerate, or in the recovery before the claim held for good
	Detail    string     `json:"detail,omitempty"`    // of a gap: why, verbatim
}

// Margin is the closest approach to the bound in the fault and recovery phases, where expect is one comparison.
type Margin struct {
	Point    Point   `json:"point"`
	Distance Number  `json:"distance"`        // to the bound; negative: beyond it
	Share    *Number `json:"share,omitempty"` // Distance ÷ |bound|; nil where the bound is zero
}

// HeldAgain is the time from the last undo until the claim held for good, between AtLeast and AtMost. AtMost is zero where it held
// already. The undo is seen a moment after it takes effect, and AtMost counts from its beginning.
type HeldAgain struct {
	Undo    time.Time `json:"undo"`     // the last undo
	AtLeast Duration  `json:"at_least"` // zero if it held already
	AtMost  Duration  `json:"at_most"`
	First   time.Time `json:"first"` // the first sample from which on it held
}

// GuardrailJudged sums up what a guardrail saw.
type GuardrailJudged struct {
	Guardrail string  `json:"guardrail"`
	QueryID   string  `json:"query_id"`
	Tripped   bool    `json:"tripped"`
	Blind     bool    `json:"blind,omitempty"`
	Samples   int     `json:"samples"`
	Missing   int     `json:"missing"`
	Closest   *Margin `json:"closest,omitempty"` // the distance that was left until it would have begun to trip
}

// Kind returns "guardrail.judged".
func (*GuardrailJudged) Kind() string { return "guardrail.judged" }
