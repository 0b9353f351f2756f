package fake

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"gameday/inject/engine"
)

// restartAfter is how long a restart policy waits.
const restartAfter = 100 * time.Millisecond

// A box is a container with its process.
type box struct {
	c    engine.Container
	spec engine.Spec
	args []string // of the workload program
	log  []byte

	generation int           // of the process: what an earlier one had planned is void
	over       chan struct{} // closed when the process is over
	byHand     bool          // stopped by somebody: the restart policy stays silent
	ignore     bool          // SIGTERM
	sick       bool          // its health check fails; outlives the process
	next       []string      // what is left to do, put off by a pause
	stdin      input
	echo       *[]string // stdin is copied to stdout; then this is done
	streams    []*stream // that are attached
	execs      map[string]engine.Execution
	pid        int
	use        use
}

// start starts the process. f is locked.
func (f *Fake) start(b *box) error {
	if owner, ok := strings.CutPrefix(b.c.NetworkMode, "container:"); ok {
		if o := f.boxes[owner]; o == nil || !o.c.State.Running {
			return fmt.Errorf("start %s: %w: cannot join network of a container that does not run: %s", b.c.Name, engine.ErrConflict, owner)
		}
	}
	for i, e := range b.c.Networks {
		n, ok := f.networks[e.Network]
		if !ok {
			return fmt.Errorf("start %s: %w: network %s", b.c.Name, engine.ErrNotFound, e.Network)
		}
		b.c.Networks[i].NetworkID = n.ID
		if err := f.join(&b.c.Networks[i]); err != nil {
			return fmt.Errorf("start %s: %w", b.c.Name, err)
		}
	}
	for _, p := range b.spec.Publish {
		f.ports++
		b.c.Ports = append(b.c.Ports, engine.Port{Container: p, Host: f.ports, HostIP: "127.0.0.1", Protocol: "tcp", Dynamic: true})
	}
	b.generation++
	b.over, b.byHand, b.ignore, b.next = make(chan struct{}), false, false, nil
	b.pid += 1000
	s := &b.c.State
	*s = engine.State{
		Status: "running", Running: true, PID: b.pid, StartedAt: time.Now().UTC(), FinishedAt: s.FinishedAt, OOMKilled: false,
	}
	if b.spec.Health != nil {
		s.Health = "starting"
		f.checkHealth(b, 0)
	}
	f.emit(b, "start")
	f.after(b, 0, func() { f.do(b, b.args) })
	return nil
}

// after does something later if the process is still the same one. f is locked while it is done.
func (f *Fake) after(b *box, d time.Duration, do func()) {
	generation := b.generation
	time.AfterFunc(d, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if b.generation == generation && b.c.State.Running && f.boxes[b.c.ID] == b {
			do()
		}
	})
}

// do does the workload's arguments. A frozen process goes on when it is thawed.
func (f *Fake) do(b *box, args []string) {
	if b.c.State.Paused {
		b.next = args
		return
	}
	for len(args) > 0 {
		what, rest := args[0], args[1:]
		value := ""
		if len(rest) > 0 {
			value = rest[0]
		}
		switch what {
		case "ignore":
			b.ignore = true
			args = rest
			continue
		case "print", "printerr":
			f.output(b, what == "printerr", value+"\n")
		case "env", "who", "where":
			if what != "env" {
				value, rest = "", args // it takes no argument
			}
			f.output(b, false, answer(what, value, b.spec.User, "", b.spec.Env))
			args = rest[min(1, len(rest)):]
			continue
		case "echo":
			b.echo = &rest
			f.feed(b)
			return
		case "wait":
			d, _ := time.ParseDuration(value)
			f.after(b, d, func() { f.do(b, rest[min(1, len(rest)):]) })
			return
		case "exit":
			code, _ := strconv.Atoi(value)
			f.exit(b, code)
			return
		case "serve":
		default:
			return
		}
		args = rest[min(1, len(rest)):]
	}
}

func (f *Fake) thaw(b *box) {
	b.c.State.Status, b.c.State.Paused = "running", false
	f.emit(b, "unpause")
	f.feed(b)
	if next := b.next; next != nil {
		b.next = nil
		f.do(b, next)
	}
}

// checkHealth checks a container's health again and again.
func (f *Fake) checkHealth(b *box, failed int) {
	f.after(b, max(b.spec.Health.Interval, time.Millisecond), func() {
		if b.c.State.Paused {
			f.checkHealth(b, failed)
			return
		}
		health := "healthy"
		if b.sick {
			if failed++; failed < max(1, b.spec.Health.Retries) {
				health = b.c.State.Health
			} else {
				health = "unhealthy"
			}
		} else {
			failed = 0
		}
		if b.c.State.Health != health {
			b.c.State.Health = health
			f.emit(b, "health_status: "+health)
		}
		f.checkHealth(b, failed)
	})
}

// signals are those that mean something to the workload, and those that people send.
var signals = map[string]int{
	"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
	"CONT": 18, "STOP": 19, "WINCH": 28,
}

// signal delivers a signal as an engine does: it counts as stopped by hand, and what ends a frozen process thaws it.
func (f *Fake) signal(b *box, signal string) error {
	number, ok := signals[strings.TrimPrefix(strings.ToUpper(signal), "SIG")]
	if !ok {
		for _, n := range signals {
			if strconv.Itoa(n) == signal {
				number, ok = n, true
			}
		}
	}
	if !ok {
		return fmt.Errorf("send %s to %s: Docker says: Invalid signal: %s", signal, b.c.Name, signal)
	}
	s := &b.c.State
	if !s.Running {
		return fmt.Errorf("send %s to %s: %w: Container %s is not running", signal, b.c.Name, engine.ErrConflict, b.c.ID)
	}
	b.byHand = true
	if s.Restarting { // it will not be
		b.generation++
		s.Status, s.Running, s.Restarting = "exited", false, false
		return nil
	}
	f.emit(b, "kill", "signal", strconv.Itoa(number))
	if s.Paused && (number == 9 || number == 15) {
		f.thaw(b)
		if !s.Running {
			return nil
		}
	}
	switch {
	case number == 9:
		f.exit(b, 137)
	case number == 15 && !b.ignore:
		f.exit(b, 0)
	case number == 10:
		b.sick = !b.sick
	case number == 12:
		f.exit(b, 70)
	}
	return nil
}

// exit ends the process, and has the restart policy act if nobody has stopped the container by hand.
func (f *Fake) exit(b *box, code int) {
	s := &b.c.State
	b.generation++
	*s = engine.State{Status: "exited", ExitCode: code, StartedAt: s.StartedAt, FinishedAt: time.Now().UTC()}
	if b.spec.Health != nil {
		s.Health = "unhealthy"
	}
	for i := range b.c.Networks {
		leave(&b.c.Networks[i])
	}
	b.c.Ports = nil
	b.stdin, b.echo, b.execs = input{}, nil, nil
	b.detach(io.EOF)
	f.news.Broadcast()
	close(b.over)
	f.emit(b, "die", "exitCode", strconv.Itoa(code))
	policy := b.c.RestartPolicy
	switch {
	case b.byHand:
	case policy == "always", policy == "unless-stopped", policy == "on-failure" && code != 0:
		s.Status, s.Running, s.Restarting = "restarting", true, true
		b.c.RestartCount++
		f.after(b, restartAfter, func() {
			if f.start(b) != nil { // what it needs is gone
				s.Status, s.Running, s.Restarting = "exited", false, false
			}
		})
		return
	}
	if b.c.AutoRemove {
		f.remove(b)
	}
}

func (f *Fake) remove(b *box) {
	if f.boxes[b.c.ID] == b {
		delete(f.boxes, b.c.ID)
		f.emit(b, "destroy")
	}
}
