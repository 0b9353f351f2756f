package scenarios

import (
	"net/netip"
	"time"
)

// A Workspace is all that a file or a directory says. Everything in it has been checked.
type Workspace struct {
	Files     []File // in name order, and after them the files of rules and of section templates that they name
	Variables []Variable
	Sources   []*Source
	Targets   []*Target
	Scenarios []*Scenario
}

// A File is one file of the workspace.
type File struct {
	Name     string // base name; of a file of rules or a template, its path from the file that names it, as far as that leads down
	Path     string // as it was opened
	Source   []byte // as it stands
	Redacted []byte // the same with every literal secret replaced: the only form that may be copied
}

// A Variable is a variable with the value in force.
type Variable struct {
	Name      string
	Value     string // JSON text; "(sensitive)" when it is
	Sensitive bool
}

// A Range is a place in a file.
type Range struct {
	File         string // as it was opened
	Line, Column int    // count from 1
}

// A Source is a block `prometheus "name"`. With URL it is a server, without it the embedded engine.
type Source struct {
	Name  string
	Range Range

	URL         string
	URLSecret   bool // the url came from env(): it must not be shown
	Headers     map[string]string
	BearerToken string
	BasicAuth   *BasicAuth
	TLS         *TLS
	Timeout     time.Duration // of one query; default 10 s
	Watch       string        // selector of the series of a server that are compared after the run; empty: none

	// Alertmanager is where the server's alerts go, as far as the file says; of it only what concerns a server is set. nil: nobody
	// is asked whom they would have reached.
	Alertmanager *Source

	Interval time.Duration // of scraping; default 1 s
	Scrapes  []Scrape
	Probes   []Probe
	Rules    []RuleFile // the team's alerting and recording rules
	// EvaluationInterval is how often rules are evaluated whose group does not say; 0: not given.
	EvaluationInterval time.Duration
}

// BasicAuth holds the credentials of a server.
type BasicAuth struct{ Username, Password string }

// TLS says how to talk to a server over https.
type TLS struct {
	CAFile, CertFile, KeyFile, ServerName string
	InsecureSkipVerify                    bool
}

// A Scrape is a block `scrape "job"`: where the embedded engine gets its samples from. Exactly one of Target and URL is set.
type Scrape struct {
	Job      string
	Range    Range
	Target   *Target
	Port     int
	Path     string // default "/metrics"
	Scheme   string // default "http"
	URL      string
	Interval time.Duration // 0: the source's
}

// A Probe is a block `probe "kind" "job"`: whom the embedded engine asks whether it answers. Exactly one of Target, URL and Address
// is set.
type Probe struct {
	Kind     string // "http", "tcp"
	Job      string
	Range    Range
	Target   *Target
	Port     int
	Timeout  time.Duration // at most Interval; default that, or 10 s
	Interval time.Duration // default the source's

	URL       string // http
	Path      string // http, with Target; default "/"
	Method    string // http; default "GET"
	Status    []int  // http: any of these; empty: any from 200 to 299
	BodyRegex string // http: RE2, matches anywhere; "": any body

	Address string // tcp: host:port
	Send    string // tcp: after connecting; "": nothing
	Expect  string // tcp: text that the answer has to contain; "": a connection is enough
}

// A Target is a block `target "name"`: which containers are meant. All criteria that are given must match.
type Target struct {
	Name           string
	Range          Range
	ContainerName  string // exact
	NameRegex      string // RE2, matches anywhere
	Labels         map[string]string
	ComposeProject string
	ComposeService string
	Image          string
	Pick           Pick
}

// A Pick says how many of the matching containers are taken. The zero Pick takes all.
type Pick struct {
	Count   int // > 0: so many
	Percent int // > 0: this share, rounded up
}

// A Scenario is a block `scenario "name"`.
type Scenario struct {
	Name        string
	Range       Range
	Title       string
	Description string
	Tags        []string
	Source      *Source // nil when neither hypothesis, guardrail nor alert asks for numbers
	Baseline    time.Duration
	Recovery    time.Duration
	Assumptions []Assumption
	Hypotheses  []*Hypothesis
	Guardrails  []*Guardrail
	Alerts      []*Alert
	BlastRadius BlastRadius
	Faults      []*Fault
	Observers   []*Observer
	Manual      []*Manual
	Report      Report
	Fields      []Field
}

// An Assumption is a block `assumption "name"`.
type Assumption struct{ Name, Description string }

// A Phase is where a hypothesis is judged: "baseline", "fault" or "recovery".
type Phase string

// A Hypothesis is a block `hypothesis "name"`.
type Hypothesis struct {
	Name        string
	Range       Range
	Description string
	Query       string
	Expect      *Condition
	Phases      []Phase       // default all three, in order
	Every       time.Duration // 0: the source's default
	Tolerate    time.Duration
	Within      time.Duration // 0: not given; excludes Tolerate
	MatchAny    bool
	NoData      string // "inconclusive" (default), "holds", "violates"
}

// A Guardrail is a block `guardrail "name"`.
type Guardrail struct {
	Name        string
	Range       Range
	Description string
	Query       string
	AbortWhen   *Condition
	For         time.Duration
	Every       time.Duration
	NoData      string // "abort" (default), "ignore"
}

// An Alert is a block `alert "Name"`: the claim that an alerting rule of that name fires, or that none does.
type Alert struct {
	Name        string
	Range       Range
	Description string
	Fires       bool          // false: it must not fire
	Within      time.Duration // counted from the first fault's effect; 0, only where it must not fire: until the end
}

// BlastRadius is a block `blast_radius`; zero values mean no limit.
type BlastRadius struct {
	MaxTargets  int
	MaxDuration time.Duration // from the first fault to the last undo
	Protect     []*Target
	Range       Range
}

// An Observer is a block `observer "name"`: a role that watches.
type Observer struct {
	Name        string
	Range       Range
	Description string
	Watches     []string // names of hypotheses, and texts
}

// A Manual is a block `manual "name"`: a step that a person does.
type Manual struct {
	Name         string
	Range        Range
	Instructions string
	Who          *Observer     // nil: whoever is there
	Before       bool          // it is due when the baseline begins
	Start        time.Duration // otherwise: from the end of the baseline, or of After
	After        *Fault
	Confirm      bool          // default true
	Timeout      time.Duration // of the confirmation; 0: none
}

// A Fault is a block `fault "kind" "name"`.
type Fault struct {
	Kind        string
	Name        string
	Range       Range
	Description string
	Target      *Target
	Start       time.Duration // from the end of the baseline, or of After
	After       *Fault
	Duration    time.Duration  // 0: not given
	Args        map[string]any // the kind's own; what was left out and is Optional is not in it
	ArgNames    []string       // the names in Args in the order of the language
}

// Types of arguments (see ArgInfo.Type), and what Fault.Args holds for them:
//
//	duration     time.Duration
//	string       string
//	percent      float64, from 0 to 100
//	number       float64
//	whole        int64
//	size         Size
//	throughput   Throughput
//	rate         Rate
//	command      string, a command line that needs no shell; or []string, a program and its arguments
//	peers        []Peer
//	ports        []PortRange, ordered, without overlaps

// A Peer is whom a container talks to. Exactly one of Target and Prefix is set.
type Peer struct {
	Target *Target
	Prefix netip.Prefix // of a single address where one was written
}

// A PortRange is a port, or all from one to another, both included.
type PortRange struct{ From, To uint16 }

// Peers returns the argument peers; none means everyone.
func (f *Fault) Peers() []Peer {
	peers, _ := f.Args["peers"].([]Peer)
	return peers
}
