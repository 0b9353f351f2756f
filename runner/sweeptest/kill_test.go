package sweeptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gameday/inject/engine/enginetest"
	"gameday/runner"
	"gameday/runner/journal"
)

const (
	// begins is how long a run may take to come to a step.
	begins = 2 * time.Minute
	// ends is how long a guard, or a run that goes on, may take.
	ends = 3 * time.Minute
	// settles is how long after the guard's end something may still come that was under way in the engine.
	settles = 500 * time.Millisecond
)

// An outcome is what was measured after one kill.
type outcome struct {
	force  bool            // a target showed the fault when the kill came, or right after it
	healed []time.Duration // for each target that showed the fault; none if the run went on, since nothing is undone before its time then
	gone   time.Duration   // until the guard had gone; zero: the run had none, or went on
	early  []string        // stopped containers of gameday's own that were left because the guard was not up yet, or not any more
}

// A trial is a kill as it is carried out.
type trial struct {
	testing.TB
	*site
	k        kill
	scenario string
	dir      string // of this trial
	targets  []*target
	before   []picture
	cmd      *exec.Cmd
	over     chan struct{} // closed when the runner has ended
	killed   time.Time
	force    bool // a target showed the fault when the kill came
	views    []*view
	viewing  sync.WaitGroup
	every    time.Duration       // between looks at a target; zero: look
	blind    chan struct{}       // closed when nobody looks any more
	logs     map[string]*os.File // what gameday's own containers have written, by their names
	problems []string
}

// left notes that something was left behind, or that the record does not say what happened.
func (v *trial) left(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

// sweep carries a kill out and counts it.
func (s *site) sweep(t *testing.T, k kill, f *figures) {
	v := &trial{TB: t, site: s, k: k, logs: map[string]*os.File{}}
	for try := 1; ; try++ {
		o, done := v.attempt()
		if done || try == 4 {
			if !done {
				v.left("the run was over before anything was killed, %d times", try)
			}
			f.add(k, o, len(v.problems) > 0)
			v.tell(o)
			return
		}
		v.k.late /= 2
	}
}

// attempt does a run and kills. It returns false when the run was over too soon.
func (v *trial) attempt() (o outcome, done bool) {
	v.begin()
	defer v.clear()
	if !v.await() {
		v.compare()
		return o, len(v.problems) > 0
	}
	v.kill()
	o = v.watch()
	if name := v.lost(); name != "" {
		v.Logf("the engine has lost %s, and the record says that it is left", name)
		return o, true
	}
	v.compare()
	v.record(&o)
	return o, true
}

// lost is the name of a target that the engine itself has lost, if the record says that something is left; "" otherwise. A daemon that
// ends while a container is started may take it for exited, and containerd has its task: it starts that container for nobody then.
func (v *trial) lost() string {
	dir := v.runDir()
	if v.daemon == nil || !v.k.restartsDaemon() || dir == "" || !v.came("undo.failed") {
		return ""
	}
	rec, err := journal.Read(dir)
	if err != nil || rec.Ended() == nil || rec.Ended().Outcome != journal.OutcomeResidue {
		return ""
	}
	said, _ := os.ReadFile(filepath.Join(v.daemon.Dir, "dockerd.log"))
	for _, x := range v.targets {
		for _, what := range []string{"cannot delete running task " + x.id, "task " + x.id + ": already exists"} {
			if bytes.Contains(said, []byte(what)) {
				return x.name
			}
		}
	}
	return ""
}

// begin makes targets and starts a run.
func (v *trial) begin() {
	v.Helper()
	v.place()
	v.start()
}

// place makes the targets, and looks how they are.
func (v *trial) place() {
	v.Helper()
	v.scenario = fmt.Sprintf("k%03d_%s", v.k.n, strings.ReplaceAll(enginetest.Unique("s"), "-", "_"))
	v.targets, v.before = nil, nil
	for i := range v.k.targets {
		v.targets = append(v.targets, v.targetOf(v, v.k.deed, i, map[string]string{"sweep": v.scenario}))
	}
	for _, x := range v.targets {
		v.before = append(v.before, x.picture(v))
	}
}

// start starts a run.
func (v *trial) start() {
	v.Helper()
	v.dir, v.force = v.TempDir(), false
	path := filepath.Join(v.dir, "s.gameday.hcl")
	if err := os.WriteFile(path, []byte(v.text()), 0o600); err != nil {
		v.Fatal(err)
	}
	runs := filepath.Join(v.dir, "runs")
	if v.binary != "" {
		v.cmd = exec.Command(v.binary, "run", "--yes", "--runs", runs, path)
		v.cmd.Env = v.env()
	} else {
		image, err := v.setup.Tools.Helper(v.Context())
		if err != nil {
			v.Fatal(err)
		}
		v.cmd = exec.Command(os.Args[0])
		v.cmd.Env = append(v.env(), childScenario+"="+path, childRuns+"="+runs, childLock+"="+v.setup.Lock, childImage+"="+image)
	}
	said, err := os.Create(filepath.Join(v.dir, "runner.log"))
	if err != nil {
		v.Fatal(err)
	}
	defer said.Close()
	v.cmd.Stdout, v.cmd.Stderr = said, said
	if err := v.cmd.Start(); err != nil {
		v.Fatal(err)
	}
	v.over = make(chan struct{})
	go func() {
		defer close(v.over)
		v.cmd.Wait()
	}()
}

func (v *trial) text() string {
	duration := fmt.Sprintf("duration = %q", v.k.hold)
	if v.k.deed.brief {
		duration = ""
	}
	return fmt.Sprintf(`target "t" {
  labels = { sweep = %[1]q }
}

scenario %[1]q {
  baseline = %[2]q
  recovery = "1s"

  fault %[3]q "f" {
    target = target.t
    %[4]s
    %[5]s
  }
}
`, v.scenario, v.k.baseline, v.k.deed.kind, strings.ReplaceAll(v.k.deed.body, "NETWORK", v.nets[0].Name), duration)
}

// runDir is the run's directory; empty: there is none yet.
func (v *trial) runDir() string {
	dirs, _ := filepath.Glob(filepath.Join(v.dir, "runs", "*"))
	if len(dirs) == 0 {
		return ""
	}
	return dirs[0]
}

func (v *trial) hasEnded() bool {
	select {
	case <-v.over:
		return true
	default:
		return false
	}
}

// came says whether an event stands in the record.
func (v *trial) came(kind string) bool {
	dir := v.runDir()
	if dir == "" {
		return false
	}
	for _, name := range []string{journal.FileName, journal.GuardFile} {
		if b, _ := os.ReadFile(filepath.Join(dir, name)); bytes.Contains(b, []byte(`"kind":"`+kind+`"`)) {
			return true
		}
	}
	return false
}

// await waits for the moment to kill, and says whether it has come.
func (v *trial) await() bool {
	v.Helper()
	step := v.k.step
	switch {
	case step == atRandom && v.k.victim == theRunner:
		step = "run.started"
	case step == atRandom:
		step = "guard.state"
	}
	come, moment, provoked := step == atStart, time.Time{}, false
	for end := time.Now().Add(begins); ; time.Sleep(time.Millisecond) {
		if v.views == nil && v.came("fault.intent") {
			v.view()
		}
		if act := v.k.provokes(); act != nil && !provoked && v.came("fault.verified") {
			provoked = true
			act(v)
		}
		over := v.hasEnded()
		come = come || v.came(step)
		switch {
		case come && moment.IsZero():
			moment = time.Now().Add(v.k.late)
		case over && !come:
			v.Logf("the run has ended without coming to %s:\n%s\n%s", step, v.said(), v.story())
			return false
		case over:
			return false
		case time.Now().After(end):
			v.Fatalf("the run does not come to %s\n%s", step, v.said())
		}
		if come && !time.Now().Before(moment) {
			return true
		}
	}
}

func (v *trial) said() string {
	b, _ := os.ReadFile(filepath.Join(v.dir, "runner.log"))
	return string(b)
}

// kill kills, and opens what gameday's own containers write: it can be read after they are removed.
func (v *trial) kill() {
	v.Helper()
	guard, err := v.inspect(v.setup.Lock)
	if err != nil && !errors.Is(err, errNone) {
		v.Fatal(err)
	}
	v.force = slices.ContainsFunc(v.views, (*view).shows)
	kill := func() {
		v.killed = time.Now()
		v.cmd.Process.Kill()
	}
	killGuard := func() {
		if guard.State.Pid > 0 {
			// As a bug would, so that its restart policy acts.
			if err := syscall.Kill(guard.State.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				v.Fatal(err)
			}
		}
	}
	switch v.k.victim {
	case theRunner:
		kill()
	case theGuard:
		v.killed = time.Now()
		killGuard()
	case theRunnerAndGuard:
		kill()
		killGuard()
	case theDaemonGuardAndRunner:
		killGuard()
	}
	if v.k.restartsDaemon() {
		v.open()
		v.restart(kill)
	}
	v.open()
}

// restart ends the engine's daemon and starts it again. The runner is killed before, meanwhile or right after.
func (v *trial) restart(kill func()) {
	v.killed = time.Now()
	when := 2
	if v.k.killsRunner() {
		when = v.k.n % 3
	}
	if when == 0 {
		kill()
	}
	if v.k.abrupt {
		v.daemon.Kill()
	} else {
		v.daemon.Stop()
	}
	time.Sleep(v.k.down)
	if when == 1 {
		kill()
	}
	v.daemon.Start()
	if when == 2 && v.k.killsRunner() {
		kill()
	}
}

// open opens the logs of gameday's own containers.
func (v *trial) open() {
	own, err := v.own(v.scenario, v.targets)
	if err != nil {
		return
	}
	for _, l := range own {
		in, err := v.inspect(l.ID)
		if err != nil || in.LogPath == "" || v.logs[in.Name] != nil {
			continue
		}
		if f, err := os.Open(in.LogPath); err == nil {
			v.logs[in.Name] = f
		}
	}
}

// guarded says whether the guard was up.
func (v *trial) guarded() bool { return v.came("guard.state") }

// watch waits until the guard has gone, and the runner with it.
func (v *trial) watch() (o outcome) {
	v.Helper()
	if v.views == nil {
		v.view()
	}
	var idle time.Time // since when there is no guard at work
	for end := time.Now().Add(ends); ; time.Sleep(look) {
		in, err := v.inspect(v.setup.Lock)
		there := err == nil && in.State.Status != "created" && in.State.Status != "dead"
		if there || err != nil && !errors.Is(err, errNone) || !v.hasEnded() {
			idle = time.Time{}
		} else if idle.IsZero() {
			idle = time.Now()
			if v.k.killsRunner() && v.guarded() {
				o.gone = idle.Sub(v.killed)
			}
		}
		// A call that was under way when the runner was killed may still make something.
		if !idle.IsZero() && time.Since(idle) > settles {
			break
		}
		if v.lost() != "" {
			break
		}
		if time.Now().After(end) {
			own, err := v.own(v.scenario, v.targets)
			v.left("after %s the guard has not gone: %+v, %v; gameday's own: %v, %v", ends, in.State, err, own, err)
			break
		}
	}
	o.healed = v.endView()
	if !v.k.killsRunner() {
		o.healed = nil
	}
	o.force = v.force || len(o.healed) > 0
	return o
}

// compare holds the targets against what they were, and looks what of gameday's own is left.
func (v *trial) compare() {
	v.Helper()
	var ignore []*regexp.Regexp
	if v.k.deed.ends || v.k.restartsDaemon() || v.k.restartsTarget() {
		ignore = append(ignore, another)
	}
	if v.k.deed.kind == "disconnect" {
		ignore = append(ignore, reconnected)
	}
	for i, x := range v.targets {
		// A daemon that was started again starts its containers one after the other.
		for end := time.Now().Add(ends); v.k.restartsDaemon() && x.main() == 0 && time.Now().Before(end); time.Sleep(look) {
		}
		before, after := v.before[i], x.picture(v)
		if v.k.deed.kind == "disconnect" {
			before, after = before.renamed(), after.renamed()
		}
		if v.k.restartsDaemon() && !v.k.live { // its containers have begun another life
			before, after = before.readdressed(), after.readdressed()
		}
		for _, d := range differences(before, after, ignore...) {
			v.left("%s: %s", x.name, d)
		}
	}
}

// record looks at what of gameday's own is left, and whether the record says that everything is undone.
func (v *trial) record(o *outcome) {
	own, err := v.own(v.scenario, v.targets)
	if err != nil {
		v.left("%v", err)
	}
	dir := v.runDir()
	guarded := v.guarded()
	for _, l := range own {
		stopped := l.State == "created" || l.State == "exited" || l.State == "dead"
		// A daemon that is killed while it removes the guard leaves it dead.
		unguarded := !guarded || l.State == "dead" && v.k.killsRunner() && v.k.restartsDaemon()
		if stopped && unguarded {
			o.early = append(o.early, l.String())
		} else {
			v.left("%v is there", l)
		}
	}
	if dir == "" {
		return
	}
	rec, err := journal.Read(dir)
	if err != nil {
		if guarded || journal.Intended(dir) {
			v.left("%v", err)
		}
		return
	}
	for _, in := range journal.OpenIntents(rec.Events) {
		v.left("fault.%s on %s stays open in the record", in.Fault, in.Container.Name)
	}
	for _, d := range rec.Damage {
		v.left("%s:%d: %s", d.File, d.Line, d.What)
	}
	if end := rec.Ended(); end == nil && guarded {
		v.left("the record does not say how the run ended")
	} else if end != nil && end.Outcome == journal.OutcomeResidue {
		v.left("the record says that something is left: %+v", end)
	}
	if len(o.early) > 0 {
		v.recover(dir)
	}
}

// recover does what a person would after a kill that came before the guard: then nothing is left.
func (v *trial) recover(dir string) {
	if v.binary != "" {
		cmd := exec.Command(v.binary, "recover", dir)
		cmd.Env = v.env()
		if out, err := cmd.CombinedOutput(); err != nil {
			v.left("gameday recover: %v\n%s", err, out)
		}
	} else if _, err := runner.Recover(enginetest.Context(v), v.setup, dir); err != nil {
		v.left("gameday recover: %v", err)
	}
	own, err := v.own(v.scenario, v.targets)
	if len(own) > 0 || err != nil {
		v.left("after gameday recover there are %v, %v", own, err)
	}
}

// clear ends the runner and removes what is left, so that the next kill begins clean. The targets go with the test.
func (v *trial) clear() {
	v.cmd.Process.Kill()
	<-v.over
	v.endView()
	if len(v.problems) > 0 {
		v.keep()
	}
	own, err := v.own(v.scenario, v.targets)
	if err != nil {
		v.Error(err)
	}
	for _, l := range own {
		if _, err := v.docker("rm", "-f", l.ID); err != nil {
			v.Log(err)
		}
	}
	for _, f := range v.logs {
		f.Close()
	}
	clear(v.logs)
}

// keep copies all that it takes to understand what was left.
func (v *trial) keep() {
	root := os.Getenv(envKeep)
	if root == "" {
		root = os.TempDir()
	}
	at, err := os.MkdirTemp(root, fmt.Sprintf("gameday-sweep-%03d-", v.k.n))
	if err != nil {
		v.Error(err)
		return
	}
	v.open()
	if err := os.CopyFS(filepath.Join(at, "trial"), os.DirFS(v.dir)); err != nil {
		v.Error(err)
	}
	for name, f := range v.logs {
		b, _ := io.ReadAll(f)
		os.WriteFile(filepath.Join(at, "docker-log-"+strings.Trim(name, "/")), b, 0o600)
	}
	for _, x := range v.targets {
		if text, err := v.docker("inspect", x.id); err == nil {
			os.WriteFile(filepath.Join(at, "inspect-"+x.name), []byte(text), 0o600)
		}
	}
	if v.daemon != nil {
		b, _ := os.ReadFile(filepath.Join(v.daemon.Dir, "dockerd.log"))
		os.WriteFile(filepath.Join(at, "dockerd.log"), b, 0o600)
	}
	text := fmt.Sprintf("%s\nkilled at %s\n\n%s\n\n%s\n", v.k, v.killed.UTC().Format(time.RFC3339Nano), strings.Join(v.problems, "\n"), v.story())
	os.WriteFile(filepath.Join(at, "README"), []byte(text), 0o600)
	v.Logf("what is known of it is kept in %s", at)
}

// story is the record, a line for each event.
func (v *trial) story() string {
	rec, err := journal.Read(v.runDir())
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, e := range rec.Events {
		lines = append(lines, fmt.Sprintf("%s %s %s %+v", e.Time.Format("15:04:05.000"), e.ID(), e.Payload.Kind(), e.Payload))
	}
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[:12], b[:12]) })
	return strings.Join(lines, "\n")
}

// tell says how it went.
func (v *trial) tell(o outcome) {
	v.Helper()
	for _, p := range v.problems {
		v.Error(p)
	}
	var healed []string
	for _, d := range o.healed {
		healed = append(healed, d.Round(time.Millisecond).String())
	}
	v.Logf("undone after %s; guard gone after %s; left before the guard was up: %s", strings.Join(healed, ", "), o.gone.Round(time.Millisecond), strings.Join(o.early, ", "))
}
