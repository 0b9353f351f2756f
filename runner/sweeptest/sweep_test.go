package sweeptest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gameday/inject"
)

// What a sweep is told by the environment.
const (
	envKills = "GAMEDAY_SWEEP_N"     // how many kills; 30 if it is not set
	envSeed  = "GAMEDAY_SWEEP_SEED"  // a number from which all that is random follows; a new one if it is not set
	envOnly  = "GAMEDAY_SWEEP_ONLY"  // only the kills with this number, or with this text in their name
	envLanes = "GAMEDAY_SWEEP_LANES" // how many kills at a time on the environment's engine, besides one on a private engine; 2 if it is not set
	envKeep  = "GAMEDAY_SWEEP_KEEP"  // a directory for what is kept of kills that left something
)

// A victim is what is killed.
type victim string

// What is killed. A daemon is an engine's own, which is started again.
const (
	theRunner               victim = "runner"
	theGuard                victim = "guard"
	theRunnerAndGuard       victim = "runner and guard"
	theDaemon               victim = "daemon"
	theDaemonAndRunner      victim = "daemon and runner"
	theDaemonGuardAndRunner victim = "daemon, guard and runner"
)

var victims = []victim{theRunner, theGuard, theRunnerAndGuard, theDaemon, theDaemonAndRunner, theDaemonGuardAndRunner}

// Steps of a run at which something is killed: events of its record, and two that are none.
const (
	atStart  = "start"  // a moment before the run's record begins
	atRandom = "random" // any moment
)

var steps = []string{atStart, "run.started", "phase.started", "guard.state", "baseline.judged", "fault.intent", "fault.injected", "fault.verified", followed, endedEarly, stopping,
	"undo.started", "undo.verified", "run.residue", "run.ended", atRandom}

// Steps that a run comes to only because somebody else does something while the fault is in force.
const (
	followed   = "fault.followed"    // a target is restarted, and the fault put back
	endedEarly = "fault.ended_early" // a target is restarted, or unpaused, and the fault is over
	stopping   = "run.stopping"      // Ctrl-C
)

// provokes is what it takes that a run comes to the step; nil: nothing.
func (k kill) provokes() func(*trial) {
	switch {
	case k.step == stopping:
		return func(v *trial) {
			if err := v.cmd.Process.Signal(os.Interrupt); err != nil {
				v.Log(err) // it has ended
			}
		}
	case k.step == endedEarly && k.deed.kind == "pause":
		return func(v *trial) { v.act("unpause") }
	case k.restartsTarget():
		return func(v *trial) { v.act("restart", "-t", "0") }
	}
	return nil
}

// act does something to the first target, as somebody else would.
func (v *trial) act(command ...string) {
	if _, err := v.docker(append(command, v.targets[0].id)...); err != nil {
		v.Log(err)
	}
}

// A kill is one run that something is killed in.
type kill struct {
	n        int
	deed     deed
	victim   victim
	step     string
	late     time.Duration // after the step was seen
	targets  int
	baseline time.Duration
	hold     time.Duration // the fault's duration
	private  bool          // on a private engine
	abrupt   bool          // the daemon is killed, too, and not asked to end
	live     bool          // the daemon leaves its containers running while it is away
	down     time.Duration // for how long the daemon is away
}

// killsRunner says whether the runner is among what is killed.
func (k kill) killsRunner() bool { return k.victim != theGuard && k.victim != theDaemon }

// restartsDaemon says whether the engine's daemon is away for a while.
func (k kill) restartsDaemon() bool {
	return k.victim == theDaemon || k.victim == theDaemonAndRunner || k.victim == theDaemonGuardAndRunner
}

// restartsTarget says whether somebody restarts a target before the kill.
func (k kill) restartsTarget() bool {
	return k.step == followed || k.step == endedEarly && k.deed.kind != "pause"
}

func (k kill) String() string {
	what := string(k.victim)
	if k.restartsDaemon() {
		what += map[bool]string{true: " (SIGKILL", false: " (SIGTERM"}[k.abrupt] + map[bool]string{true: ", live-restore)", false: ")"}[k.live]
	}
	return fmt.Sprintf("%03d %s on %d, %s at %s +%s", k.n, k.deed.name(), k.targets, what, k.step, k.late.Round(time.Millisecond))
}

// plan makes the first n kills that follow from a seed. Kinds, victims and steps are mixed evenly: each comes as often as any
// other of its sort, in random order.
func plan(seed uint64, n int) []kill {
	r := rand.New(rand.NewPCG(seed, 0))
	nextDeed := mix(r, known())
	nextVictim := mix(r, []victim{theRunner, theRunner, theRunner, theRunner, theRunner, theRunner, theRunner, theRunner, theRunner, theRunner, theRunner, theRunner,
		theRunner, theGuard, theGuard, theRunnerAndGuard, theRunnerAndGuard, theDaemon, theDaemonAndRunner, theDaemonAndRunner, theDaemonGuardAndRunner})
	// Where the most is at stake, most often.
	nextStep := mix(r, append([]string{"fault.intent", "fault.intent", "fault.injected", "fault.injected", "fault.verified", "undo.started", "undo.started", atRandom, atRandom}, steps...))
	out := make([]kill, n)
	for i := range out {
		k := kill{n: i, deed: nextDeed(), victim: nextVictim(), step: nextStep(), targets: 1, hold: time.Minute}
		if r.IntN(4) == 0 {
			k.targets = mostTargets
		}
		if r.IntN(2) == 0 {
			k.baseline = time.Second
		}
		if r.IntN(2) == 0 {
			k.late = time.Duration(r.Int64N(int64(40 * time.Millisecond)))
		}
		if k.victim != theRunner && slices.Index(steps, k.step) <= slices.Index(steps, "guard.state") {
			k.step = "guard.state" // there is no guard before
		}
		if k.step == followed || k.step == endedEarly {
			k.step = cmp.Or(k.deed.disturbed(), "fault.verified")
		}
		switch k.step {
		case atStart:
			k.late = time.Duration(r.Int64N(int64(1500 * time.Millisecond)))
		case atRandom:
			k.late = time.Duration(r.Int64N(int64(4 * time.Second)))
			k.hold = 1500 * time.Millisecond
		case "undo.started", "undo.verified", "run.residue", "run.ended":
			k.hold = time.Second
		}
		if k.victim == theGuard || k.victim == theDaemon {
			k.hold = 3 * time.Second // the run goes on to its end
			if k.provokes() != nil {
				k.hold = 10 * time.Second
			}
		}
		if k.restartsDaemon() && k.deed.kind == "disconnect" {
			k.targets = 1 // in one network two that are started again may change places
		}
		k.abrupt, k.live, k.down = r.IntN(2) == 0, r.IntN(2) == 0, time.Duration(r.Int64N(int64(3*time.Second)))
		k.private = r.IntN(6) == 0 || k.restartsDaemon()
		out[i] = k
	}
	return out
}

// mix returns each of all in random order, again and again.
func mix[T any](r *rand.Rand, all []T) func() T {
	var left []T
	return func() T {
		if len(left) == 0 {
			left = slices.Clone(all)
			r.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		next := left[0]
		left = left[1:]
		return next
	}
}

// known are the deeds of kinds that this gameday has.
func known() []deed {
	return slices.DeleteFunc(slices.Clone(deeds), func(d deed) bool { _, ok := inject.Lookup(d.kind); return !ok })
}

// Every kind of fault is swept.
func TestEveryKindHasADeed(t *testing.T) {
	for _, k := range inject.Kinds() {
		if name := k.Doc().Kind; !slices.ContainsFunc(deeds, func(d deed) bool { return d.kind == name }) {
			t.Errorf("the sweep does not know how to do %s, and how it is seen from outside", name)
		}
	}
}

// TestCrashSweep kills at every step, over all kinds of faults, and finds nothing left.
func TestCrashSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	n, lanes, seed := number(t, envKills, 30), number(t, envLanes, 2), uint64(number(t, envSeed, int(rand.Uint32())))
	t.Logf("to sweep in the same way again: %s=%d %s=%d", envSeed, seed, envKills, n)
	kills := plan(seed, n)
	if only := os.Getenv(envOnly); only != "" {
		kills = slices.DeleteFunc(kills, func(k kill) bool { return strconv.Itoa(k.n) != only && !strings.Contains(k.String(), only) })
	}
	shared, private := make(chan kill, n), make(chan kill, n)
	for _, k := range kills {
		if k.private {
			private <- k
		} else {
			shared <- k
		}
	}
	close(shared)
	close(private)
	f := &figures{}
	begin := time.Now()
	t.Run("lanes", func(t *testing.T) {
		lane := func(name string, kills <-chan kill, make func(*testing.T, kill) *site) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for k := range kills {
					s := make(t, k)
					t.Run(k.String(), func(t *testing.T) { s.sweep(t, k, f) })
				}
			})
		}
		for i := range lanes {
			var s *site
			lane(fmt.Sprintf("shared %d", i+1), shared, func(t *testing.T, _ kill) *site {
				if s == nil {
					s = sharedSite(t)
				}
				return s
			})
		}
		own := map[bool]*site{}
		lane("private", private, func(t *testing.T, k kill) *site {
			if own[k.live] == nil {
				own[k.live] = privateSite(t, k.live)
			}
			return own[k.live]
		})
	})
	t.Logf("seed %d, %d kills in %s\n\n%s", seed, len(kills), time.Since(begin).Round(time.Second), f)
}

func number(t *testing.T, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q; it must be a whole number", name, text)
	}
	return n
}
