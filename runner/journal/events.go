package journal

import (
	"time"
)

// A Phase is one of the three parts of a run.
type Phase string

// The phases, in their order. Baseline lasts from the start to the first fault's effect, Fault to the last undo.
const (
	Baseline Phase = "baseline"
	Fault    Phase = "fault"
	Recovery Phase = "recovery"
)

// A Verdict is what became of one hypothesis.
type Verdict string

// The verdicts. Held means: the fault provably took effect, the samples are there, and the claim was true throughout.
const (
	Held         Verdict = "held"
	Refuted      Verdict = "refuted"
	Inconclusive Verdict = "inconclusive"
	NotTested    Verdict = "not tested"
)

// A Reason says, as a code, on what a verdict rests. The report has a sentence for each.
type Reason string

// The reasons for a verdict.
const (
	ReasonHeld          Reason = "held"            // every sample that counts held, or every dip was within tolerate
	ReasonViolated      Reason = "violated"        // one violation longer than tolerate
	ReasonWithinMissed  Reason = "within missed"   // it never held within the declared time
	ReasonNotRecovered  Reason = "not recovered"   // it did not hold for good by the end (or `within` after the last undo)
	ReasonUncertain     Reason = "uncertain"       // the samples are too far apart to tell a tolerated violation from a longer one
	ReasonNoData        Reason = "no data"         // samples are missing for longer than tolerate
	ReasonNoDataCounted Reason = "no data counted" // no data, and the file says no_data = "violates"
	ReasonGate          Reason = "gate"            // the baseline did not hold, or could not be judged: nothing was injected
	ReasonUnconfirmed   Reason = "unconfirmed"     // a manual step before the injection was not confirmed in time: nothing was injected
	ReasonSham          Reason = "sham"            // it was a sham run: nothing was to be injected
	ReasonNotInjected   Reason = "not injected"    // a fault's effect was not seen
	ReasonFaultEnded    Reason = "fault ended"     // a fault ended before its time (the target went, or somebody healed it)
	ReasonHitNothing    Reason = "hit nothing"     // a fault was in force, and nothing met it
	ReasonStopped       Reason = "stopped"         // the run ended before the phases that it is judged in were over
	ReasonError         Reason = "error"           // expect could not be evaluated; Detail has the message
)

// An Outcome is how a run ended, the worst of its verdicts and of its own fate.
type Outcome string

// The outcomes, each with one exit code (language.md): the pair is an interface and is never reused.
const (
	OutcomeHeld         Outcome = "held"         // 0
	OutcomeError        Outcome = "error"        // 1
	OutcomeRefuted      Outcome = "refuted"      // 3
	OutcomeInconclusive Outcome = "inconclusive" // 4
	OutcomeNotInjected  Outcome = "not injected" // 4
	OutcomeAborted      Outcome = "aborted"      // 5: a guardrail ended the run
	OutcomeResidue      Outcome = "residue"      // 6: an undo was not seen; a person is needed
	OutcomeInterrupted  Outcome = "interrupted"  // 130: stopped by hand, and undone
)

// ExitCode is the outcome's exit code; that of an error for one that this version does not know.
func (o Outcome) ExitCode() int {
	switch o {
	case OutcomeHeld:
		return 0
	case OutcomeRefuted:
		return 3
	case OutcomeInconclusive, OutcomeNotInjected:
		return 4
	case OutcomeAborted:
		return 5
	case OutcomeResidue:
		return 6
	case OutcomeInterrupted:
		return 130
	}
	return 1
}

// kinds maps an event's kind to a fresh payload. A kind is never renamed: old journals must stay readable.
var kinds = map[string]func() Payload{}

func register[T any, P interface {
	*T
	Payload
}]() struct{} {
	kinds[P(new(T)).Kind()] = func() Payload { return P(new(T)) }
	return struct{}{}
}

var (
	_ = register[RunStarted]()
	_ = register[PhaseStarted]()
	_ = register[BaselineJudged]()
	_ = register[HypothesisState]()
	_ = register[GuardrailState]()
	_ = register[SourceState]()
	_ = register[Stopping]()
	_ = register[GuardState]()
	_ = register[Residue]()
	_ = register[RunEnded]()
)

// RunStarted is the first event of every journal. Its time is the run's start.
type RunStarted struct {
	Run         string            `json:"run"`      // the run's id, also the name of its directory
	Version     string            `json:"version"`  // of gameday
	Scenario    string            `json:"scenario"` // the block's name
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Files       []File            `json:"files"`               // the scenario's files, as copied to scenario/
	Hash        string            `json:"hash"`                // sha256 over the files' names and contents
	Variables   map[string]string `json:"variables,omitempty"` // values in force, JSON text; sensitive ones are "(sensitive)"
	Seed        uint64            `json:"seed"`
	Sham        bool              `json:"sham,omitempty"` // nothing is injected in this run, on purpose
	Host        string            `json:"host"`           // where the runner ran
	PID         int               `json:"pid"`
	Engine      Engine            `json:"engine"`
	Source      *Source           `json:"source,omitempty"` // nil when the scenario asks nothing
}

// Kind returns "run.started".
func (*RunStarted) Kind() string { return "run.started" }

// A File is one file of the scenario.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Engine is the Docker engine that was used.
type Engine struct {
	ID       string `json:"id"`
	Name     string `json:"name"` // its host's name
	Version  string `json:"version"`
	API      string `json:"api"`
	Kernel   string `json:"kernel"`
	OS       string `json:"os"`
	Cgroups  string `json:"cgroups"` // "1" or "2"
	Endpoint string `json:"endpoint"`
}

// Source is where the numbers came from.
type Source struct {
	Name     string `json:"name"`
	Type     string `json:"type"`          // "server" or "embedded"
	URL      string `json:"url,omitempty"` // of a server, without credentials
	Version  string `json:"version,omitempty"`
	Interval string `json:"interval,omitempty"` // scrape interval of the embedded engine
}

// PhaseStarted marks the beginning of a phase.
type PhaseStarted struct {
	Phase Phase      `json:"phase"`
	Zero  *time.Time `json:"zero,omitempty"` // of the baseline: the first sampling; of the fault phase: the end of the baseline, from which the faults' starts count
}

// Kind returns "phase.started".
func (*PhaseStarted) Kind() string { return "phase.started" }

// BaselineJudged is the gate: only after it has passed is anything injected.
type BaselineJudged struct {
	Passed   bool           `json:"passed"`
	Failures []GateFailure  `json:"failures,omitempty"`
	Medians  []SeriesMedian `json:"medians,omitempty"` // what `baseline` means in this run
}

// Kind returns "baseline.judged".
func (*BaselineJudged) Kind() string { return "baseline.judged" }

// A GateFailure is a hypothesis or guardrail that the baseline did not satisfy.
type GateFailure struct {
	Name    string `json:"name"`
	QueryID string `json:"query_id"`
	Reason  Reason `json:"reason"`  // ReasonViolated, ReasonNoData, ReasonError
	Samples int    `json:"samples"` // how many counted
	Needed  int    `json:"needed"`  // how many there must be at least
	Worst   *Point `json:"worst,omitempty"`
	Detail  string `json:"detail,omitempty"` // the source's own words, verbatim
}

// SeriesMedian is the median of one series of a query in the baseline phase.
type SeriesMedian struct {
	QueryID string            `json:"query_id"`
	Labels  map[string]string `json:"labels,omitempty"`
	Median  Number            `json:"median"`
	Samples int               `json:"samples"`
}

// HypothesisState says that a hypothesis changed between holding, violated and without data, as seen live.
type HypothesisState struct {
	Hypothesis string    `json:"hypothesis"`
	QueryID    string    `json:"query_id"`
	Phase      Phase     `json:"phase"`
	From       State     `json:"from"`
	To         State     `json:"to"`
	Point      *Point    `json:"point,omitempty"`   // the worst series of the sample at which it changed; nil without data
	At         time.Time `json:"at"`                // evaluation time of that sample
	Detail     string    `json:"detail,omitempty"`  // why there is no data, verbatim
	Refuted    bool      `json:"refuted,omitempty"` // the violation has outlasted tolerate: whatever follows, this is refuted
}

// Kind returns "hypothesis.state".
func (*HypothesisState) Kind() string { return "hypothesis.state" }

// A State is that of a condition at one sample.
type State string

// The states of a condition.
const (
	Waiting  State = "waiting" // not judged yet: warm-up
	Holding  State = "holding"
	Violated State = "violated"
	NoData   State = "no data"
)

// GuardrailState says that a guardrail tripped.
type GuardrailState struct {
	Guardrail string    `json:"guardrail"`
	QueryID   string    `json:"query_id"`
	Phase     Phase     `json:"phase"`
	Tripped   bool      `json:"tripped"`
	Blind     bool      `json:"blind,omitempty"` // it had no data to guard with
	Point     *Point    `json:"point,omitempty"`
	At        time.Time `json:"at"`
	Since     time.Time `json:"since"` // the first sample of the stretch that tripped it
	Detail    string    `json:"detail,omitempty"`
}

// Kind returns "guardrail.state".
func (*GuardrailState) Kind() string { return "guardrail.state" }

// SourceState says that the source of numbers stopped or began to answer.
type SourceState struct {
	Up     bool   `json:"up"`
	Detail string `json:"detail,omitempty"`
}

// Kind returns "source.state".
func (*SourceState) Kind() string { return "source.state" }

// Stopping says that the run was ended before its time, and by what. Undo follows at once.
type Stopping struct {
	Why    UndoWhy `json:"why"`
	Detail string  `json:"detail"` // "Ctrl-C", "SIGTERM", "gameday abort", "guardrail.x tripped", an error
}

// Kind returns "run.stopping".
func (*Stopping) Kind() string { return "run.stopping" }

// GuardState says that the guard of the run is up, by the guard itself, or why there is none, by the runner.
type GuardState struct {
	Up        bool   `json:"up"`
	Detail    string `json:"detail,omitempty"`    // why it is not up
	Container string `json:"container,omitempty"` // the guard's id
	Engine    string `json:"engine,omitempty"`    // id of the engine that it talks to
	// SeesLock says that the guard sees the runner's lock on the journal, so that it hears of the runner's death at once.
	SeesLock bool `json:"sees_lock,omitempty"`
}

// Kind returns "guard.state".
func (*GuardState) Kind() string { return "guard.state" }

// Residue sums up whether anything was left behind. It is written after all undos, before RunEnded.
type Residue struct {
	Faults  int      `json:"faults"`         // intents
	Undone  int      `json:"undone"`         // seen to be gone
	Open    []string `json:"open,omitempty"` // "fault.x on container y: reason"
	ByHand  []string `json:"by_hand,omitempty"`
	Helpers int      `json:"helpers"` // containers of gameday's own that could not be removed
}

// Left says whether anything is, so that a person is needed.
func (r *Residue) Left() bool { return len(r.Open) > 0 || r.Helpers > 0 }

// Kind returns "run.residue".
func (*Residue) Kind() string { return "run.residue" }

// RunEnded is the last event of a run that came to its end. `gameday recover` appends another one to a run that did not.
type RunEnded struct {
	Outcome  Outcome `json:"outcome"`
	ExitCode int     `json:"exit_code"`
	Detail   string  `json:"detail,omitempty"` // of an error
}

// Kind returns "run.ended".
func (*RunEnded) Kind() string { return "run.ended" }
