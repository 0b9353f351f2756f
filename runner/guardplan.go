package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gameday/inject/engine"
	"gameday/runner/guard"
)

// A GuardPlan says whether a run can have a guard: a helper container that undoes everything when gameday dies.
type GuardPlan struct {
	Possible bool   `json:"possible"`
	Why      string `json:"why,omitempty"`      // it is not, and what would be needed
	Declined bool   `json:"declined,omitempty"` // somebody agrees to a run without one

	socket string                            // of the engine, on its own host
	gid    int                               // the group that the socket belongs to
	host   func(path string) (string, error) // a directory of ours as the engine's host knows it
}

// guardPolicy is the restart policy of a guard, also over a restart of the engine. A lock without one is no guard.
const guardPolicy = "always"

// Is says whether the run has a guard.
func (p GuardPlan) Is() bool { return p.Possible && !p.Declined }

// Refused is why a run cannot begin: no guard is possible, and nobody agreed to go without. It is nil if it can.
func (p GuardPlan) Refused() error {
	if p.Possible || p.Declined {
		return nil
	}
	return fmt.Errorf("there can be no guard: %s; without one, faults stay in force if gameday dies: %s", p.Why, NoGuardHint)
}

// NoGuardHint says how a person agrees to a run without a guard.
const NoGuardHint = "if that is acceptable, agree to it with --no-guard"

// planGuard says whether the engine's socket and the run's directory can be given to a container. Whether the container can use
// them is seen when it is up.
func planGuard(ctx context.Context, s Setup) GuardPlan {
	if s.Sham {
		return GuardPlan{Why: noGuardForSham, Declined: true}
	}
	no := func(format string, args ...any) GuardPlan {
		return GuardPlan{Why: fmt.Sprintf(format, args...), Declined: s.NoGuard}
	}
	if s.Info.SocketPath == "" {
		return no("the engine is reached over %s, and only an engine on this machine, reached over its socket, can give a helper container that socket and the run's directory; "+
			"run gameday on the engine's own machine", s.Info.Endpoint)
	}
	p := GuardPlan{Declined: s.NoGuard, host: func(path string) (string, error) { return path, nil }}
	if s.Self != "" {
		switch self, err := s.Engine.Container(ctx, s.Self); {
		case errors.Is(err, engine.ErrNotFound):
			// What looked like a container of this engine is none.
		case err != nil:
			return no("the container that gameday itself runs in cannot be looked at: %v", err)
		default:
			p.host = func(path string) (string, error) { return onHost(self, path) }
		}
	}
	socket, err := filepath.EvalSymlinks(s.Info.SocketPath)
	if err != nil {
		return no("the engine's socket cannot be found: %v", err)
	}
	fi, err := os.Stat(socket)
	if err != nil {
		return no("the engine's socket cannot be looked at: %v", err)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		p.gid = int(st.Gid)
	}
	for _, path := range []string{s.Info.SocketPath, socket} {
		if p.socket, err = p.host(path); err == nil {
			break
		}
	}
	if err != nil {
		return no("%v", err)
	}
	if _, err := p.record(s.Runs); err != nil {
		return no("%v", err)
	}
	p.Possible = true
	return p
}

// record is a run's directory, or the one for all of them, as the engine's host knows it. It need not be there yet.
func (p GuardPlan) record(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	// Links are followed as far as there is anything.
	for there, rest := abs, ""; ; there, rest = filepath.Dir(there), filepath.Join(filepath.Base(there), rest) {
		if real, err := filepath.EvalSymlinks(there); err == nil {
			abs = filepath.Join(real, rest)
			break
		}
		if there == filepath.Dir(there) {
			break
		}
	}
	return p.host(abs)
}

// onHost finds the place on the engine's host of a path in a container: within the innermost of its mounts that holds it.
func onHost(c engine.Container, path string) (string, error) {
	best, found := engine.Mount{}, false
	for _, m := range c.Mounts {
		if (path == m.Destination || strings.HasPrefix(path, strings.TrimSuffix(m.Destination, "/")+"/")) && len(m.Destination) >= len(best.Destination) {
			best, found = m, true
		}
	}
	if !found || best.Source == "" {
		return "", fmt.Errorf("gameday runs in the container %s, and %s lies in that container alone, where no other one sees it; mount a directory of the host for it (docker run -v)", c.Name, path)
	}
	return filepath.Join(best.Source, strings.TrimPrefix(path, best.Destination)), nil
}

// guardSpec makes the lock's container one that can be the guard.
func (p GuardPlan) guardSpec(s Setup, spec engine.Spec, run, dir string) (engine.Spec, error) {
	record, err := p.record(dir)
	if err != nil {
		return spec, err
	}
	spec.Cmd = guard.Command(run, spec.Name, filepath.Base(p.socket))
	spec.Dirs = []engine.HostDir{
		{Source: filepath.Dir(p.socket), Destination: guard.EngineDir, ReadOnly: true},
		{Source: record, Destination: guard.RecordDir},
	}
	spec.CapDrop, spec.ReadOnly = []string{"ALL"}, true
	spec.SecurityOpt = []string{"no-new-privileges"}
	spec.RestartPolicy = guardPolicy
	spec.StopSignal = "SIGTERM" // another signal is then no stop by hand, and the restart policy goes on
	spec.Env = []string{"GOMAXPROCS=2"}
	// Without capabilities root may do no more than its owner to a file: the guard is who the runner is, in the socket's group.
	spec.User = fmt.Sprintf("%d:%d", os.Getuid(), p.gid)
	if s.Info.Rootless {
		spec.User = "0:0" // who the runner is outside
	}
	if s.Info.UserNS {
		spec.UsernsMode = "host"
	}
	if s.Info.SELinux {
		spec.SecurityOpt = append(spec.SecurityOpt, "label=disable")
	}
	return spec, nil
}
