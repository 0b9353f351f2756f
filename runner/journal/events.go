package journal

import (
	"encoding/json"
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
	_ = register[Declared]()
	_ = register[TargetResolved]()
	_ = register[PhaseStarted]()
	_ = register[BaselineJudged]()
	_ = register[FaultIntent]()
	_ = register[FaultInjected]()
	_ = register[FaultVerified]()
	_ = register[FaultNotInjected]()
	_ = register[FaultEndedEarly]()
	_ = register[FaultFollowed]()
	_ = register[FaultHitNothing]()
	_ = register[UndoStarted]()
	_ = register[UndoVerified]()
	_ = register[UndoFailed]()
	_ = register[TargetChanged]()
	_ = register[HypothesisState]()
	_ = register[GuardrailState]()
	_ = register[SourceState]()
	_ = register[Stopping]()
	_ = register[GuardState]()
	_ = register[HypothesisJudged]()
	_ = register[GuardrailJudged]()
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

// TargetResolved says which containers a target stood for, and which it did not.
type TargetResolved struct {
	Target   string      `json:"target"`
	Selector string      `json:"selector"` // in words: `compose project "shop", compose service "api"`
	Pick     string      `json:"pick"`     // as declared: "all", "one", "2", "50%"
	Chosen   []Container `json:"chosen"`
	LeftOut  []LeftOut   `json:"left_out,omitempty"`
}

// Kind returns "target.resolved".
func (*TargetResolved) Kind() string { return "target.resolved" }

// A Container as it was when the run started.
type Container struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Image         string    `json:"image"`
	ImageID       string    `json:"image_id"`
	Service       string    `json:"service,omitempty"` // of compose
	StartedAt     time.Time `json:"started_at"`
	RestartPolicy string    `json:"restart_policy"`
	Health        string    `json:"health,omitempty"` // "healthy" …; empty: the image has no health check

	HealthCheck *HealthCheck `json:"health_check,omitempty"` // nil: it has none, or Limits is nil too
	Limits      *Limits      `json:"limits,omitempty"`       // nil: written by a version that did not look
	Replicas    int          `json:"replicas,omitempty"`     // running containers of its compose service, itself included; zero: it has none
}

// A HealthCheck is how the engine finds out whether a container is healthy.
type HealthCheck struct {
	Interval    Duration `json:"interval"`
	Timeout     Duration `json:"timeout"`
	StartPeriod Duration `json:"start_period,omitempty"` // in which a failure does not count
	Retries     int      `json:"retries"`                // so many failures in a row make it unhealthy
}

// Limits are what a container may use. Zero: there is none.
type Limits struct {
	Memory int64  `json:"memory,omitempty"` // bytes
	CPUs   Number `json:"cpus,omitempty"`
	PIDs   int64  `json:"pids,omitempty"`
}

// LeftOut is a container that nearly was a target, and why it is not.
type LeftOut struct {
	Container string `json:"container"`
	Reason    string `json:"reason"`
}

// PhaseStarted marks the beginning of a phase.
type PhaseStarted struct {
	Phase Phase      `json:"phase"`
	Zero  *time.Time `json:"zero,omitempty"` // of the fault phase: the end of the baseline, from which the faults' starts count
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

// FaultIntent is written, and fsynced, before anything is done to a container. Undo is all that another process needs.
type FaultIntent struct {
	Fault     string          `json:"fault"`
	FaultKind string          `json:"fault_kind"`
	Container Ref             `json:"container"`
	Does      string          `json:"does"`
	UndoWords string          `json:"undo_words"`
	Undo      json.RawMessage `json:"undo"`
	Planned   Duration        `json:"planned"` // offset from the end of the baseline at which it was due
}

// Kind returns "fault.intent".
func (*FaultIntent) Kind() string { return "fault.intent" }

// A Ref names a container.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// FaultInjected says that the engine has done what was asked. The event's own time is after the call returned.
type FaultInjected struct {
	Fault     string    `json:"fault"`
	Container Ref       `json:"container"`
	Called    time.Time `json:"called"` // just before the call
	Took      Duration  `json:"took"`   // of the call
}

// Kind returns "fault.injected".
func (*FaultInjected) Kind() string { return "fault.injected" }

// FaultVerified says that the effect was seen from outside. Only a verified fault was injected.
type FaultVerified struct {
	Fault     string    `json:"fault"`
	Container Ref       `json:"container"`
	Seen      string    `json:"seen"`   // in words, past tense: "state was paused", "exited with code 137"
	Effect    time.Time `json:"effect"` // the latest time by which it was in force
}

// Kind returns "fault.verified".
func (*FaultVerified) Kind() string { return "fault.verified" }

// FaultNotInjected says that the fault could not be done, or that its effect was not seen.
type FaultNotInjected struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Reason    string `json:"reason"` // verbatim
}

// Kind returns "fault.not_injected".
func (*FaultNotInjected) Kind() string { return "fault.not_injected" }

// FaultEndedEarly says that a fault stopped being in force before its time, and not by gameday.
type FaultEndedEarly struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Reason    string `json:"reason"` // "it was unpaused", "it was removed"
}

// Kind returns "fault.ended_early".
func (*FaultEndedEarly) Kind() string { return "fault.ended_early" }

// FaultFollowed says that the target was restarted while the fault was in force, and that the fault was put back.
type FaultFollowed struct {
	Fault     string    `json:"fault"`
	Container Ref       `json:"container"`
	Why       string    `json:"why"`    // what ended it: "it was restarted, and what the fault was on is gone"
	Lost      time.Time `json:"lost"`   // when that was noticed
	Seen      string    `json:"seen"`   // as in FaultVerified
	Effect    time.Time `json:"effect"` // the latest time by which it was in force again
}

// Kind returns "fault.followed".
func (*FaultFollowed) Kind() string { return "fault.followed" }

// FaultHitNothing says that the fault was in force to its end, and that nothing met it: a test of nothing.
type FaultHitNothing struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Seen      string `json:"seen"` // "412 packets matched, none was dropped"
}

// Kind returns "fault.hit_nothing".
func (*FaultHitNothing) Kind() string { return "fault.hit_nothing" }

// UndoStarted is written, and fsynced, before an undo.
type UndoStarted struct {
	Fault     string  `json:"fault"`
	Container Ref     `json:"container"`
	Why       UndoWhy `json:"why"`
}

// Kind returns "undo.started".
func (*UndoStarted) Kind() string { return "undo.started" }

// UndoWhy is why a fault was undone.
type UndoWhy string

// The occasions of an undo.
const (
	UndoDue         UndoWhy = "due"         // its duration was over
	UndoRestarted   UndoWhy = "restarted"   // nothing was left to do: the restart policy had put it back
	UndoPutBack     UndoWhy = "put back"    // nothing else had put it back
	UndoGuardrail   UndoWhy = "guardrail"   // a guardrail ended the run
	UndoInterrupted UndoWhy = "interrupted" // a person ended the run
	UndoError       UndoWhy = "error"       // the run could not go on
	UndoRecover     UndoWhy = "recover"     // by `gameday recover`, after the runner had gone
	UndoGuard       UndoWhy = "guard"       // by the guard, after the runner had gone or hung
)

// UndoVerified says that the fault is seen to be gone. It closes the fault for this container.
type UndoVerified struct {
	Fault       string    `json:"fault"`
	Container   Ref       `json:"container"`
	Seen        string    `json:"seen"` // "state was running", "the container is gone"
	At          time.Time `json:"at"`   // the latest time by which it was gone
	Took        Duration  `json:"took"`
	Differences []string  `json:"differences,omitempty"` // what is not as it was before, and is no residue of gameday's
}

// Kind returns "undo.verified".
func (*UndoVerified) Kind() string { return "undo.verified" }

// UndoFailed says that an undo could not be done or seen. Another attempt may follow.
type UndoFailed struct {
	Fault     string `json:"fault"`
	Container Ref    `json:"container"`
	Reason    string `json:"reason"`
	ByHand    string `json:"by_hand"` // the command with which a person can do it
}

// Kind returns "undo.failed".
func (*UndoFailed) Kind() string { return "undo.failed" }

// TargetChanged says what happened to a container in reach, seen in the engine's events, that gameday did not do itself
// or that followed from what it did.
type TargetChanged struct {
	Container Ref       `json:"container"`
	Change    string    `json:"change"` // "died", "started", "restarted", "paused", "unpaused", "removed", "oom", "healthy", "unhealthy"
	ExitCode  *int      `json:"exit_code,omitempty"`
	At        time.Time `json:"at"`     // by the engine's clock
	Target    bool      `json:"target"` // it is the target of a fault
	Ours      bool      `json:"ours"`   // gameday's own call did it
}

// Kind returns "target.changed".
func (*TargetChanged) Kind() string { return "target.changed" }

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

// Residue sums up whether anything was left behind. It is written after all undos, before RunEnded.
type Residue struct {
	Faults  int      `json:"faults"`         // intents
	Undone  int      `json:"undone"`         // seen to be gone
	Open    []string `json:"open,omitempty"` // "fault.x on container y: reason"
	ByHand  []string `json:"by_hand,omitempty"`
	Helpers int      `json:"helpers"` // containers of gameday's own that could not be removed
}

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
