package journal

import "time"

var (
	_ = register[ContainersWatched]()
	_ = register[ContainerGap]()
)

// ContainersWatched says whose use and state are being recorded as series: at the start of the run, and of those that appear later.
type ContainersWatched struct {
	Targets    []Ref `json:"targets,omitempty"`
	Neighbours []Ref `json:"neighbours,omitempty"` // that share a network or a compose project with a target
	LeftOut    int   `json:"left_out,omitempty"`   // more than can be watched
}

// Kind returns "containers.watched".
func (*ContainersWatched) Kind() string { return "containers.watched" }

// ContainerGap says that nothing was heard of what a running container uses for a while. Its series have a gap there.
type ContainerGap struct {
	Container Ref       `json:"container"`
	From      time.Time `json:"from"`   // of the last sample, or of the container's start
	To        time.Time `json:"to"`     // of the next one, or of the end of watching
	Detail    string    `json:"detail"` // why, as far as it is known
}

// Kind returns "container.gap".
func (*ContainerGap) Kind() string { return "container.gap" }
