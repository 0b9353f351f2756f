package journal

var _ = register[Declared]()

// Declared holds what was expected before anything was done: the scenario, evaluated. It is written before the baseline.
type Declared struct {
	Baseline    Duration     `json:"baseline"`
	Recovery    Duration     `json:"recovery"`
	Assumptions []Assumption `json:"assumptions,omitempty"`
	Hypotheses  []Hypothesis `json:"hypotheses,omitempty"`
	Guardrails  []Guardrail  `json:"guardrails,omitempty"`
	Faults      []FaultPlan  `json:"faults"`
	BlastRadius BlastRadius  `json:"blast_radius"`
	Observers   []Observer   `json:"observers,omitempty"`
	Steps       []ManualStep `json:"steps,omitempty"` // of people, in the order of their times
}

// Kind returns "scenario.declared".
func (*Declared) Kind() string { return "scenario.declared" }

// An Assumption is something the scenario relies on without checking it.
type Assumption struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// A Hypothesis as it was declared.
type Hypothesis struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	QueryID     string   `json:"query_id"` // "Q1": names the samples file, and is the evidence id in reports
	Query       string   `json:"query"`
	Expect      string   `json:"expect"` // as written
	Phases      []Phase  `json:"phases"`
	Every       Duration `json:"every"`
	Lookback    Duration `json:"lookback"` // the longest range in the query: the warm-up of each phase
	Tolerate    Duration `json:"tolerate,omitempty"`
	Within      Duration `json:"within,omitempty"`
	Match       string   `json:"match"`   // "all" or "any"
	NoData      string   `json:"no_data"` // "inconclusive", "holds" or "violates"
	File        string   `json:"file"`    // from the working directory of the run, or the name alone where it lies elsewhere
	Line        int      `json:"line"`
}

// A Guardrail as it was declared.
type Guardrail struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	QueryID     string   `json:"query_id"`
	Query       string   `json:"query"`
	AbortWhen   string   `json:"abort_when"`
	For         Duration `json:"for,omitempty"`
	Every       Duration `json:"every"`
	NoData      string   `json:"no_data"` // "abort" or "ignore"
	File        string   `json:"file"`
	Line        int      `json:"line"`
}

// A FaultPlan is a fault as it was declared and scheduled.
type FaultPlan struct {
	Name        string     `json:"name"`
	FaultKind   string     `json:"fault_kind"`
	Description string     `json:"description,omitempty"`
	Target      string     `json:"target"`
	Containers  []string   `json:"containers"`         // names of the chosen ones
	Start       Duration   `json:"start"`              // counted from the end of the baseline
	Duration    Duration   `json:"duration,omitempty"` // zero: left to the restart policy
	Does        string     `json:"does"`               // in words: "pause shop-store: every process in it is frozen"
	Undo        string     `json:"undo"`               // in words: "unpause shop-store"
	Args        []Argument `json:"args,omitempty"`     // in the order of the language
	File        string     `json:"file"`
	Line        int        `json:"line"`
}

// An Argument is one argument of a fault, as text.
type Argument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// BlastRadius is what the scenario allows at the most.
type BlastRadius struct {
	MaxTargets  int      `json:"max_targets,omitempty"`  // zero: not declared
	MaxDuration Duration `json:"max_duration,omitempty"` // zero: not declared
	Protect     []string `json:"protect,omitempty"`      // names of targets
	Protected   []string `json:"protected,omitempty"`    // names of the containers that these are
}
