package journal

import "time"

var (
	_ = register[TargetResolved]()
	_ = register[TargetChanged]()
)

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
