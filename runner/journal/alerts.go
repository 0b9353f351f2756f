package journal

import "time"

var (
	_ = register[AlertsDeclared]()
	_ = register[AlertChanged]()
	_ = register[AlertRouted]()
	_ = register[AlertSeen]()
	_ = register[AlertJudged]()
	_ = register[AlertsSummed]()
)

// AlertsDeclared says which alerting rules are watched, and what the scenario claims of them. It is written before the baseline.
// A run without rules and without claims has none.
type AlertsDeclared struct {
	By       AlertSource   `json:"by"`
	Expected []AlertClaim  `json:"expected,omitempty"`
	Rules    []AlertRule   `json:"rules,omitempty"`    // in the order of their files; of a server as it told them at the start
	Detail   string        `json:"detail,omitempty"`   // why a server told no rules, verbatim
	Notifier *AlertManager `json:"notifier,omitempty"` // nil: nobody was asked whom alerts reached
}

// Kind returns "alerts.declared".
func (*AlertsDeclared) Kind() string { return "alerts.declared" }

// An AlertSource says how it is known when an alert was pending or firing.
type AlertSource string

// The sources of alerts.
const (
	// AlertReplay: the rules are evaluated over the recorded samples after the run, in several phases of their interval.
	AlertReplay AlertSource = "replay"
	// AlertServer: a server evaluated them, in one phase, and recorded what they did. Of those that are claimed it says after the run, too,
	// what their rules give at the times of other phases.
	AlertServer AlertSource = "server"
)

// AlertManager is whom a server's alerts go to.
type AlertManager struct {
	URL   string   `json:"url,omitempty"` // without credentials; empty: it must not be shown
	Every Duration `json:"every"`         // how often it is asked
}

// An AlertClaim is an alert block of the scenario.
type AlertClaim struct {
	Alert       string   `json:"alert"`
	Description string   `json:"description,omitempty"`
	Fires       bool     `json:"fires"`            // false: it must not fire
	Within      Duration `json:"within,omitempty"` // from the first fault's effect; zero: until the end
	File        string   `json:"file"`
	Line        int      `json:"line"`
}

// An AlertRule is one alerting rule. Several rules may make the same alert.
type AlertRule struct {
	Alert         string            `json:"alert"`
	Group         string            `json:"group"`
	File          string            `json:"file"`
	Line          int               `json:"line,omitempty"` // zero: a server tells no lines
	Expr          string            `json:"expr"`
	Interval      Duration          `json:"interval"` // between two evaluations
	For           Duration          `json:"for,omitempty"`
	KeepFiringFor Duration          `json:"keep_firing_for,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
}

// AlertChanged says that an alert went from one state to another, as seen live, in the one phase in which it was evaluated.
type AlertChanged struct {
	Alert  string            `json:"alert"`
	Group  string            `json:"group,omitempty"`
	Phase  Phase             `json:"phase"`
	From   AlertState        `json:"from"`
	To     AlertState        `json:"to"`
	After  time.Time         `json:"after,omitzero"`   // with a server: the last evaluation that it told of with another state; zero: not known, or not needed
	At     time.Time         `json:"at"`               // of the evaluation; with a server, of the first that it told of with this state
	Labels map[string]string `json:"labels,omitempty"` // of the instance that has been in this state for the longest time
	Active int               `json:"active,omitempty"` // instances that are pending or firing
	Detail string            `json:"detail,omitempty"` // why the rule could not be evaluated, verbatim
}

// Kind returns "alert.changed".
func (*AlertChanged) Kind() string { return "alert.changed" }

// An AlertState is that of an alert at one evaluation: of the instance that is furthest.
type AlertState string

// The states of an alert.
const (
	AlertInactive AlertState = "inactive"
	AlertPending  AlertState = "pending"
	AlertFiring   AlertState = "firing"
	AlertUnknown  AlertState = "unknown" // it could not be evaluated
)

// AlertRouted says that an alert was seen where alerts go to, for the first time or muted otherwise than before, and to whom it is routed.
// It does not say that anybody was told: an Alertmanager waits for what its route sets (group_wait, group_interval, times of silence), and
// does not tell when it has sent something.
type AlertRouted struct {
	Alert     string            `json:"alert"`
	Labels    map[string]string `json:"labels,omitempty"`
	Receivers []string          `json:"receivers"`
	Muted     string            `json:"muted,omitempty"` // "silenced", "inhibited": nobody is told while it is; empty: it is not
	StartsAt  time.Time         `json:"starts_at"`       // as the alert says
	After     time.Time         `json:"after"`           // the last answer before; zero: it was in the first one
	At        time.Time         `json:"at"`              // the first answer that has it so
}

// Kind returns "alert.routed".
func (*AlertRouted) Kind() string { return "alert.routed" }

// AlertSeen sums up what one alert did in a run: what the replay of its rules over the recorded samples gives, or what a server
// recorded. It is written for every alert that the scenario names, and for every other one that left its rest.
type AlertSeen struct {
	Alert    string      `json:"alert"`
	By       AlertSource `json:"by"`
	Expected bool        `json:"expected"` // an alert block names it
	Effect   time.Time   `json:"effect"`   // of the first fault: it was in force by then. Zero: no fault took effect
	// EffectFrom is when that effect may have come at the earliest; zero: not told, as in older records.
	EffectFrom time.Time    `json:"effect_from,omitzero"`
	Undo       time.Time    `json:"undo"`           // the last one; zero: not reached
	End        time.Time    `json:"end"`            // of the evaluations
	Phases     []AlertPhase `json:"phases"`         // the evaluation phases that were swept; of a server its own is the first, and may be the only one
	Step       Duration     `json:"step,omitempty"` // between two phases that were swept, of the rule with the longest interval
	For        Duration     `json:"for,omitempty"`  // the longest of its rules
	Pended     int          `json:"pended"`         // in how many phases it became pending, or fired, after the effect
	Fired      int          `json:"fired"`          // in how many phases it fired after the effect
	Pending    *AlertDelay  `json:"pending,omitempty"`
	Firing     *AlertDelay  `json:"firing,omitempty"`
	Resolved   *AlertDelay  `json:"resolved,omitempty"`        // of the first to fire, where it was resolved in every phase in which it fired
	Longest    Duration     `json:"longest_pending,omitempty"` // of the phases in which it did not fire: for how long it was pending
	Noise      AlertState   `json:"noise,omitempty"`           // what it was already when the fault took effect, in at least one phase
	Before     *NoiseBefore `json:"before,omitempty"`          // what it did in the baseline; nil: it rested
	AtEnd      AlertState   `json:"at_end"`                    // the furthest state over the phases
	Labels     []LabelsOf   `json:"labels,omitempty"`          // of the instances that fired after the effect, at most ten
	Unseen     string       `json:"unseen,omitempty"`          // why its rules may have seen nothing, in words; empty: they could see
	Lost       string       `json:"lost,omitempty"`            // what its rules had read before and found no more after the effect, in words
	// ShortHistory says in words that its rules look back further than the record does before the effect; empty: they do not.
	ShortHistory string      `json:"short_history,omitempty"`
	Errors       int         `json:"errors,omitempty"` // evaluations that could not be done, of all phases
	Error        string      `json:"error,omitempty"`  // the first of them, verbatim
	Routed       *AlertDelay `json:"routed,omitempty"` // when it was at the Alertmanager, where one was asked, for a receiver and not muted
}

// Kind returns "alert.seen".
func (*AlertSeen) Kind() string { return "alert.seen" }

// LabelsOf are the labels of one instance of an alert.
type LabelsOf map[string]string

// NoiseBefore is what an alert did before any fault took effect, in the phase in which it did most.
type NoiseBefore struct {
	Pended int `json:"pended"` // how often it became pending
	Fired  int `json:"fired"`  // how often it fired
}

// AlertPhase is what an alert did in one evaluation phase, counted from the fault's effect on.
type AlertPhase struct {
	Offset   Duration   `json:"offset"`
	Pending  *time.Time `json:"pending,omitempty"`  // the first evaluation at which it was pending or firing
	Firing   *time.Time `json:"firing,omitempty"`   // the first evaluation at which it was firing
	Resolved *time.Time `json:"resolved,omitempty"` // the first evaluation at which the first to fire was so no more
	Noise    AlertState `json:"noise,omitempty"`    // what it was already when the fault took effect
}

// An AlertDelay is a time after the fault's first effect, between the soonest and the latest over the phases, and over the times at which
// the effect may have come. Where a server's own phase is the only one, it is one interval of the rule on either side of what it recorded, as far as that
// comes after the effect.
type AlertDelay struct {
	AtLeast Duration  `json:"at_least"`
	AtMost  Duration  `json:"at_most"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// AlertJudged is the verdict on an alert block.
type AlertJudged struct {
	Alert   string      `json:"alert"`
	Verdict Verdict     `json:"verdict"`
	Reason  AlertReason `json:"reason"`
	InTime  int         `json:"in_time"` // in how many phases it fired by the deadline
	Phases  int         `json:"phases"`
	Detail  string      `json:"detail,omitempty"` // verbatim words of a source or the engine, or what could not be seen
}

// Kind returns "alert.judged".
func (*AlertJudged) Kind() string { return "alert.judged" }

// An AlertReason says, as a code, on what the verdict on an alert rests.
type AlertReason string

// The reasons for a verdict on an alert. The others are those of hypotheses: gate, not injected, sham, fault ended, hit nothing, stopped.
const (
	AlertFired    AlertReason = "fired"     // in every phase, in time
	AlertQuiet    AlertReason = "quiet"     // it had to be, and was in every phase
	AlertMissing  AlertReason = "missing"   // it fired in no phase
	AlertLate     AlertReason = "late"      // it fired in every phase, in none in time
	AlertUnwanted AlertReason = "unwanted"  // it fired in every phase, and must not
	AlertByPhase  AlertReason = "by phase"  // whether it fires, or does in time, hangs on the phase alone
	AlertByEffect AlertReason = "by effect" // whether it does so in time hangs on when exactly the fault took effect
	AlertAlready  AlertReason = "already"   // it was pending or firing before the fault took effect
	AlertUnseen   AlertReason = "unseen"    // its rules may have had nothing to see
	AlertTooRare  AlertReason = "too rare"  // the rule is evaluated more rarely than the fault lasted
	AlertTooShort AlertReason = "too short" // the record ends before its time was over
	// AlertShortHistory: its rule looks back further than the record does before the fault, so a replay of it fires sooner or later than a
	// server would, or not at all.
	AlertShortHistory AlertReason = "short history"
	AlertNotReplayed  AlertReason = "not replayed" // the replay, or the question to the server, could not be done
	AlertNotStarted   AlertReason = "gate"         // nothing was injected: the baseline did not hold
	AlertNotInjected  AlertReason = "not injected" // a fault's effect was not seen
	AlertSham         AlertReason = "sham"         // it was a sham run: nothing was to be injected
	AlertFaultEnded   AlertReason = "fault ended"  // a fault ended before its time
	AlertHitNothing   AlertReason = "hit nothing"  // a fault was in force, and nothing met it
	AlertStopped      AlertReason = "stopped"      // the run ended before its time
)

// AlertsSummed sums up all alerts of a run, after they were judged.
type AlertsSummed struct {
	By         AlertSource `json:"by"`
	Expected   int         `json:"expected"`             // alerts that have to fire by the scenario
	Fired      int         `json:"fired"`                // of these, that fired in every phase
	Missing    []string    `json:"missing,omitempty"`    // of these, that fired in no phase
	Unexpected []string    `json:"unexpected,omitempty"` // fired after the fault's effect, in at least one phase, and no block says so
	Noise      []string    `json:"noise,omitempty"`      // pending or firing before any fault
	// Unknown are the alerts that no block names and that did not fire, of which nobody can tell whether they would have.
	Unknown     []AlertsUnknown `json:"unknown,omitempty"`
	Alerts      int             `json:"alerts"`                // names of alerts among the rules
	Phases      int             `json:"phases"`                // that were swept
	Evaluations int             `json:"evaluations,omitempty"` // of rules, in the replay
	Took        Duration        `json:"took,omitempty"`        // the replay
	Error       string          `json:"error,omitempty"`       // why there is nothing to sum up, verbatim
	// Unanswered are the times in which the Alertmanager gave no answer.
	Unanswered []AlertsUnanswered `json:"unanswered,omitempty"`
}

// Kind returns "alerts.summed".
func (*AlertsSummed) Kind() string { return "alerts.summed" }

// AlertsUnanswered is a time in which an Alertmanager was asked and gave no answer, so that nobody knows which alerts reached it.
type AlertsUnanswered struct {
	From time.Time `json:"from,omitzero"` // its last answer; zero: there was none
	To   time.Time `json:"to,omitzero"`   // its next one; zero: there was none until the end
	Why  string    `json:"why"`           // verbatim
}

// AlertsUnknown are alerts of which one thing kept their rules from being followed.
type AlertsUnknown struct {
	Why    string   `json:"why"` // in words, with those of the engine or the server verbatim
	Alerts []string `json:"alerts"`
}
