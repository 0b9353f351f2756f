// Package injecttest is the conformance suite that every kind of fault passes on a real Docker engine.
package injecttest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// A Case is a kind of fault as the suite exercises it. The target's main process ignores SIGTERM, so that a stop lasts for its
// grace time; it dies of SIGUSR2 and survives SIGUSR1.
type Case struct {
	Kind inject.Kind
	// As tells several cases of one kind apart.
	As string
	// Args and Duration are those of the fault.
	Args     map[string]any
	Duration time.Duration
	// ArgsFor, where it is set, gives the arguments that depend on the target.
	ArgsFor func(engine.Container) map[string]any
	// Effect says whether a target shows the fault, by what the docker command says about it. It is looked at once Verify
	// has seen the effect, and after every undo.
	Effect func(before, now Seen) bool
	// Past: what Effect sees is that something has happened, and stays true after the undo.
	Past bool
	// Ends: the fault ends the main process, so it refuses targets that the engine would remove then.
	Ends bool
	// OwnNetwork: the fault needs a network of the target's own, so it refuses those without.
	OwnNetwork bool
	// Blind: the effect is what the user makes of it. Whether it is there, only Effect can tell.
	Blind bool
	// Chatty makes the target send packets all the time, and get answers: a fault on packets needs some.
	Chatty bool
	// Driven: a sidecar does it.
	Driven bool
	// Stands: the kind stands for others in the tests of what is the same code for all of them: whether a container is still as it was
	// planned (every kind is tested to look at all), and what is seen and done when a sidecar dies or freezes. What a dead one leaves in
	// force is put back as that of another process is, which every kind is tested with.
	Stands bool
	// Target changes the targets.
	Target []enginetest.Option
	// Late is the longest time after which a fault that was cut off may still take effect.
	Late time.Duration
}

// Name is the case's own: its kind, and what tells it apart from others of it.
func (c Case) Name() string {
	if c.As == "" {
		return c.Kind.Doc().Kind
	}
	return c.Kind.Doc().Kind + " " + c.As
}

// Fault is the case's fault on a target.
func (c Case) Fault(run, name string, target engine.Container) inject.Fault {
	f := inject.Fault{Run: run, Name: name, Kind: c.Kind.Doc().Kind, Args: c.Args, Duration: c.Duration}
	if c.ArgsFor != nil {
		f.Args = c.ArgsFor(target)
	}
	return f
}

// Shows says whether a target still shows the fault, although it should not.
func (c Case) Shows(before, now Seen) bool { return !c.Past && c.Effect(before, now) }

// Seen is what `docker inspect` says about a container, and the kernel.
type Seen struct {
	ID           string `json:"Id"`
	Name         string
	RestartCount int
	State        struct {
		Status          string
		Running, Paused bool
		StartedAt       time.Time
		FinishedAt      time.Time
		ExitCode        int
		Pid             int
		OOMKilled       bool
	}
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address, MacAddress, NetworkID string }
	}
	// Rules is what nft and tc list in its network namespace.
	Rules string `json:"-"`
	// Group is what the files of its control groups say, by their names, and Names what its processes are called.
	Group map[string]string `json:"-"`
	Names []string          `json:"-"`
	// Process is the state of its main process in /proc: "S", "T" …
	Process string `json:"-"`
}

// Outside asks the engine about a container, and nft and tc about its network namespace, without any code of gameday's.
func Outside(t testing.TB, id string) Seen {
	t.Helper()
	return outside(t, id, true)
}

// outside is Outside for a kind's suite: only a fault on packets is looked for in the network namespace, since starting nft and tc
// costs more than most tests.
func (c Case) outside(t testing.TB, id string) Seen {
	t.Helper()
	return outside(t, id, c.Chatty)
}

func outside(t testing.TB, id string, rules bool) Seen {
	t.Helper()
	now, err := inspect(id)
	if err != nil {
		t.Fatal(err)
	}
	if pid := now.State.Pid; pid > 0 && rules {
		for _, ask := range [][]string{{"nft", "list", "ruleset"}, {"tc", "qdisc", "show"}} {
			out, err := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(pid), "-n"}, ask...)...).CombinedOutput()
			// A process that has ended and was not waited for yet has no namespace any more.
			if err != nil && !bytes.Contains(out, []byte("cannot open /proc/")) && exec.Command("kill", "-0", strconv.Itoa(pid)).Run() == nil {
				t.Fatalf("nsenter %s: %v\n%s", strings.Join(ask, " "), err, out)
			}
			now.Rules += string(out)
		}
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", now.State.Pid)); err == nil {
		now.Process = strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[0]
	}
	now.Group = group(id)
	for _, pid := range strings.Fields(now.Group["cgroup.procs"]) {
		if name, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil {
			now.Names = append(now.Names, strings.TrimSpace(string(name)))
		}
	}
	return now
}

// String leaves out what takes pages.
func (s Seen) String() string {
	s.Group = nil
	type plain Seen
	return fmt.Sprintf("%+v", plain(s))
}

// Filled says whether a directory of a container has a file of gameday's for it.
func (s Seen) Filled(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(fmt.Sprintf("/proc/%d/root", s.State.Pid), dir, ".gameday-*-"+s.ID[:12]))
	return len(found) > 0
}

// group reads the files of a container's control groups where they are on this machine.
func group(id string) map[string]string {
	files := map[string]string{}
	for _, pattern := range []string{"*/docker/" + id, "docker/" + id, "system.slice/docker-" + id + ".scope"} {
		found, _ := filepath.Glob("/sys/fs/cgroup/" + pattern + "/*")
		for _, f := range found {
			if text, err := os.ReadFile(f); err == nil && (filepath.Base(f) != "cgroup.procs" || strings.Contains(f, "/memory/") || !strings.HasPrefix(pattern, "*")) {
				files[filepath.Base(f)] = strings.TrimSpace(string(text))
			}
		}
	}
	return files
}

// Mine says whether nft and tc list a rule or a queue of gameday's in its network namespace. The table of a sidecar that waits
// is empty.
func (s Seen) Mine() bool {
	for table := range strings.SplitSeq(s.Rules, "\n}\n") {
		if ourTable.MatchString(table) && strings.Contains(table, "counter packets") {
			return true
		}
	}
	return strings.Contains(s.Rules, " 6764:")
}

var ourTable = regexp.MustCompile(`(?m)^table \w+ gameday `)

// Docker runs a docker command and returns what it prints.
func Docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Tools connects to the engine of the environment. Its helper image holds the sidecar's commands alone.
func Tools(t testing.TB) inject.Tools {
	t.Helper()
	return ToolsOn(t, enginetest.Open(t))
}

// ToolsOn is Tools for another engine. Who made that engine removes the image with it.
func ToolsOn(t testing.TB, e engine.Engine) inject.Tools {
	t.Helper()
	var mu sync.Mutex
	var tag string
	helper := func(ctx context.Context) (_ string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if tag == "" { // nor was it made by a call that was cut off
			tag, err = helperImage(ctx, e)
		}
		return tag, err
	}
	return inject.Tools{Engine: e, Helper: helper, Sidecars: inject.NewSidecars(e, helper)}
}

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gameday-helper-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "gameday")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "gameday/inject/injecttest/helper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the helper: %w\n%s", err, out)
	}
	return path, nil
})

// helperTag is this process's own.
func helperTag() string {
	return "gameday-helper-test:" + strings.TrimPrefix(enginetest.RunLabel(), "test-")
}

// helperImage makes the image unless it is there.
func helperImage(ctx context.Context, e engine.Engine) (string, error) {
	path, err := binary()
	if err != nil {
		return "", err
	}
	img, err := engine.HelperImage(path)
	if err != nil {
		return "", err
	}
	img.Tag = helperTag()
	img.Labels = map[string]string{engine.Label: enginetest.RunLabel()}
	has, err := e.HasImage(ctx, img.Tag)
	if err == nil && !has {
		_, err = e.BuildImage(ctx, img)
	}
	if err != nil {
		return "", err
	}
	return img.Tag, nil
}

// Main runs a package's tests, and removes the helper image after them. Call it from TestMain.
func Main(m *testing.M) int {
	if text := os.Getenv(undoEnv); text != "" {
		return undoProcess(text)
	}
	code := m.Run()
	path, err := binary()
	if err != nil {
		return code
	}
	defer os.RemoveAll(filepath.Dir(path))
	e, err := engine.Connect(engine.Options{})
	if err != nil {
		return code
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.RemoveImage(ctx, helperTag()); err != nil {
		fmt.Fprintln(os.Stderr, "remove the helper image:", err)
		return max(code, 1)
	}
	return code
}

// env is what one test of the suite works with.
type env struct {
	t     *testing.T
	c     Case
	tools inject.Tools
	host  inject.Host
	name  string // of its fault
	pool  *pool
	// borrowed are the targets that go back to the pool.
	borrowed []lent
	// before is how the targets looked from outside when nothing had been done to them.
	before map[string]Seen
	// spent: sidecars were removed, or others were made, by somebody else than the suite's process.
	spent bool
}

func newEnv(t *testing.T, p *pool) *env {
	t.Helper()
	p.tests++
	v := &env{t: t, c: p.c, tools: p.tools, host: p.host, name: fmt.Sprintf("f%d", p.tests), pool: p, before: map[string]Seen{}}
	t.Cleanup(func() {
		for _, l := range v.borrowed {
			if !p.giveBack(t, l) {
				v.spent = true
			}
		}
		if v.spent || !v.c.Driven || t.Failed() {
			p.sweep(t)
		} else {
			p.onlySidecars(t, true)
		}
	})
	return v
}

func (v *env) fault(c engine.Container) inject.Fault { return v.c.Fault(v.pool.run, v.name, c) }

// target is a container to harm. With options it is made for this test; without, another may have had it.
func (v *env) target(opts ...enginetest.Option) engine.Container {
	v.t.Helper()
	if len(opts) > 0 {
		v.spent = true
		c := v.pool.create(v.t, opts...)
		v.before[c.ID] = v.c.outside(v.t, c.ID)
		return c
	}
	l := v.pool.lend()
	v.borrowed = append(v.borrowed, l)
	v.before[l.ID] = l.seen
	return l.Container
}

// plan plans the fault on a container as it is now.
func (v *env) plan(c engine.Container) inject.Step {
	v.t.Helper()
	s, err := inject.Prepare(enginetest.Context(v.t), v.tools, v.fault(c), c.ID, v.host)
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// harm injects and verifies, and looks from outside.
func (v *env) harm(s inject.Step) {
	v.t.Helper()
	before := v.c.outside(v.t, s.Container.ID)
	if err := v.c.Kind.Inject(enginetest.Context(v.t), v.tools, s); err != nil {
		v.t.Fatal(err)
	}
	p, err := v.c.Kind.Verify(enginetest.Context(v.t), v.tools, s)
	if err != nil {
		v.t.Fatal(err)
	}
	if p.Seen == "" || p.At.IsZero() {
		v.t.Errorf("a proof without words or time: %+v", p)
	}
	if now := v.c.outside(v.t, s.Container.ID); !v.c.Effect(before, now) {
		v.t.Errorf("Verify says %q, but docker inspect shows no effect: %+v", p.Seen, now)
	}
}

// undo carries an undo out, and looks from outside that the target runs and shows the fault no more. It fails the test if that is not
// so.
func (v *env) undo(u inject.Undo) inject.Proof {
	v.t.Helper()
	p := v.perform(u)
	v.gone(u.ID)
	return p
}

// perform carries an undo out and fails the test if it cannot. What became of the target, the test looks at itself.
func (v *env) perform(u inject.Undo) inject.Proof {
	v.t.Helper()
	p, err := inject.Perform(enginetest.Context(v.t), v.tools, u)
	if err != nil {
		v.t.Fatal(err)
	}
	if p.Seen == "" || p.At.IsZero() {
		v.t.Errorf("a proof without words or time: %+v", p)
	}
	return p
}

// runs checks from outside that a container runs.
func (v *env) runs(id string) Seen {
	v.t.Helper()
	now := v.c.outside(v.t, id)
	if now.State.Status != "running" {
		v.t.Errorf("docker inspect shows %q, want running: %+v", now.State.Status, now)
	}
	return now
}

// gone checks from outside that a target runs and does not show the fault.
func (v *env) gone(id string) Seen {
	v.t.Helper()
	now := v.runs(id)
	v.showsNot(now)
	return now
}

// showsNot checks that a target as it was seen does not show the fault.
func (v *env) showsNot(now Seen) {
	v.t.Helper()
	before, ok := v.before[now.ID]
	if !ok {
		v.t.Fatalf("nobody has looked at %s before it was harmed", now.Name)
	}
	if v.c.Shows(before, now) {
		v.t.Errorf("the fault is still there: %+v", now)
	}
}

// same checks that nothing differs from before.
func (v *env) same(p inject.Proof) {
	v.t.Helper()
	if len(p.Differences) > 0 {
		v.t.Errorf("after the undo: %q", p.Differences)
	}
}
