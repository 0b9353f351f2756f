package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// TestEngineScripts runs what needs a Docker engine. Most of a script is waiting, but the lock is one for all of an engine: so there are
// a few engines, and on each the scripts come one after the other.
func TestEngineScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/engine/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts: %v", len(files), err)
	}
	scripts := make(chan string, len(files))
	for _, f := range files {
		scripts <- f
	}
	close(scripts)
	var all sync.WaitGroup
	for range 2 {
		engine := enginetest.PrivateEngine(t)
		image := ownImage(t, engine.Engine())
		bin := reaching(t, engine)
		all.Go(func() {
			for f := range scripts {
				runScript(t, f, engine, image, bin)
			}
		})
	}
	all.Wait()
}

func runScript(t *testing.T, file string, p *enginetest.Private, image, bin string) {
	testscript.RunT(oneByOne{t}, testscript.Params{
		Files:               []string{file},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			s := &stage{engine: p.Engine(), image: image, project: enginetest.Unique("test"), jobs: map[string]*job{}, work: env.WorkDir, log: env.T().Log}
			env.Values["stage"] = s
			env.Defer(s.clear)
			env.Setenv("PROJECT", s.project)
			env.Setenv("IMAGE", image)
			env.Setenv("GAMEDAY_VAR_project", s.project)
			env.Setenv("DOCKER_HOST", p.Host)
			env.Setenv("SOCKET", strings.TrimPrefix(p.Host, "unix://"))
			env.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return os.CopyFS(env.WorkDir, os.DirFS("testdata/system"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "truncate": truncate, "up": up, "state": state, "containers": containers, "engine": change, "start": start, "terminal": terminal,
			"await": await, "type": typed, "press": pressed, "signal": send, "ended": ended, "verdict": verdict, "picked": picked,
		},
	})
}

// reaching makes a directory with a gameday that reaches the containers of a private engine.
func reaching(t *testing.T, p *enginetest.Private) (dir string) {
	t.Helper()
	binary, err := exec.LookPath("gameday")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\nexec %s %s \"$@\"\n", strings.Join(p.Enter(), " "), binary)
	if err := os.WriteFile(filepath.Join(dir, "gameday"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// oneByOne keeps scripts from running side by side.
type oneByOne struct{ *testing.T }

func (oneByOne) Parallel() {}

func (o oneByOne) Run(name string, f func(testscript.T)) {
	o.T.Run(name, func(t *testing.T) { f(oneByOne{t}) })
}

func (oneByOne) Verbose() bool { return testing.Verbose() }

// ownImage makes the helper image of this test binary, so that each command finds it made, and removes it at the end.
func ownImage(t *testing.T, e engine.Engine) (tag string) {
	t.Helper()
	binary, err := exec.LookPath("gameday")
	if err != nil {
		t.Fatal(err)
	}
	image, err := engine.HelperImage(binary)
	if err != nil {
		t.Fatalf("%v\nthe tests of this package need CGO_ENABLED=0, because their binary runs inside containers", err)
	}
	if _, err := e.BuildImage(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.RemoveImage(context.Background(), image.Tag); err != nil && !errors.Is(err, engine.ErrConflict) {
			t.Error(err)
		}
	})
	return image.Tag
}

// A stage is what one script works on: its containers, and its commands that run on.
type stage struct {
	engine  engine.Engine
	image   string
	project string
	work    string // the script's directory
	jobs    map[string]*job
	log     func(...any)
}

func on(ts *testscript.TestScript) *stage { return ts.Value("stage").(*stage) }

// A job is a command that runs on while the script does other things.
type job struct {
	cmd      *exec.Cmd
	terminal *os.File
	done     chan struct{}
	err      error
}

// clear ends what still runs and removes every container of the script.
func (s *stage) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, j := range s.jobs {
		// Asked politely first: what it did to containers, and the lock, are its own to put back.
		_ = j.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-j.done:
		case <-time.After(20 * time.Second):
			_ = j.cmd.Process.Kill()
			<-j.done
		}
	}
	all, err := s.engine.Containers(ctx)
	if err != nil {
		s.log(err)
	}
	for _, c := range all {
		// A lock that was left by a runner that the script has killed would stop everybody else.
		if c.Labels[engine.Label] == s.project || strings.HasPrefix(c.Labels["gameday.dir"], s.work) {
			if err := s.engine.Remove(ctx, c.ID); err != nil {
				s.log(err)
			}
		}
	}
}

func (s *stage) name(short string) string { return s.project + "-" + short }

var numbered = regexp.MustCompile(`-\d+$`)

// up NAME… starts containers that serve /metrics on port 8080. NAME is the compose service, or <service>-<n> where it has several.
// A line with -restart first gives them a restart policy; with -helper they look like a helper of gameday's own.
func up(ts *testscript.TestScript, _ bool, args []string) {
	s := on(ts)
	policy, role, created := "", engine.RoleWorkload, false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-restart":
			policy = "always"
		case "-helper":
			role = "helper"
		case "-created":
			created = true
		default:
			ts.Fatalf("there is no %s", args[0])
		}
		args = args[1:]
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range args {
		id, err := s.engine.Create(ctx, engine.Spec{
			Name: s.name(name), Image: s.image, Entrypoint: []string{"/gameday", "shop"}, Cmd: []string{"store"}, RestartPolicy: policy,
			Env: []string{"GOMAXPROCS=1"},
			Labels: map[string]string{
				engine.Label: s.project, engine.RoleLabel: role,
				"com.docker.compose.project": s.project, "com.docker.compose.service": numbered.ReplaceAllString(name, ""),
			},
		})
		ts.Check(err)
		if !created {
			ts.Check(s.engine.Start(ctx, id))
		}
	}
}

// engine VERB NAME does to a container what somebody else might: stop, remove, pause, unpause, start.
func change(ts *testscript.TestScript, _ bool, args []string) {
	s := on(ts)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	name := s.name(args[1])
	verbs := map[string]func() error{
		"stop":    func() error { return s.engine.Stop(ctx, name, time.Second) },
		"start":   func() error { return s.engine.Start(ctx, name) },
		"remove":  func() error { return s.engine.Remove(ctx, name) },
		"pause":   func() error { return s.engine.Pause(ctx, name) },
		"unpause": func() error { return s.engine.Unpause(ctx, name) },
	}
	ts.Check(verbs[args[0]]())
}

// state NAME STATUS waits until a container is "running", "paused", "exited".
func state(ts *testscript.TestScript, _ bool, args []string) {
	s := on(ts)
	status := ""
	eventually(ts, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c, err := s.engine.Container(ctx, s.name(args[0]))
		ts.Check(err)
		status = c.State.Status
		return status == args[1]
	}, func() string { return fmt.Sprintf("%s is %s, want %s", args[0], status, args[1]) })
}

// containers FILE writes down how each container of the script is, to be compared.
func containers(ts *testscript.TestScript, _ bool, args []string) {
	s := on(ts)
	all, err := s.engine.Containers(context.Background())
	ts.Check(err)
	var out strings.Builder
	for _, c := range all {
		if strings.HasPrefix(c.Name, s.project) || c.Labels[engine.Label] == s.project {
			fmt.Fprintf(&out, "%s %s %+v %d %+v %v\n", c.ID, c.Name, c.State, c.RestartCount, c.Networks, c.Labels)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o644))
}

// start JOB COMMAND… runs a command in the background; JOB.out and JOB.err get what it says.
func start(ts *testscript.TestScript, _ bool, args []string) {
	cmd := command(ts, args[1:])
	for ext, w := range map[string]*io.Writer{".out": &cmd.Stdout, ".err": &cmd.Stderr} {
		f, err := os.Create(ts.MkAbs(args[0] + ext))
		ts.Check(err)
		defer f.Close()
		*w = f
	}
	ts.Check(cmd.Start())
	on(ts).begin(args[0], cmd, nil, nil)
}

// terminal JOB COLUMNSxROWS COMMAND… does so on a terminal of its own; JOB.tty gets what is drawn on it.
func terminal(ts *testscript.TestScript, _ bool, args []string) {
	cmd := command(ts, args[2:])
	cmd.Env = append(cmd.Env, "TERM=xterm")
	var columns, rows int
	_, err := fmt.Sscanf(args[1], "%dx%d", &columns, &rows)
	ts.Check(err)
	screen, err := os.Create(ts.MkAbs(args[0] + ".tty"))
	ts.Check(err)
	tty, err := startOnTerminal(cmd, columns, rows)
	ts.Check(err)
	var drawn sync.WaitGroup
	drawn.Go(func() {
		defer screen.Close()
		_, _ = io.Copy(screen, tty) // ends with an error when the command has gone
	})
	on(ts).begin(args[0], cmd, tty, &drawn)
}

func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	var path string
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, args[0])); err == nil {
			path = filepath.Join(dir, args[0])
			break
		}
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, kv := range []string{"PROJECT", "GAMEDAY_VAR_project", "DOCKER_HOST", "PATH", "HOME", "TMPDIR", "NO_COLOR", "GOCOVERDIR"} {
		if v := ts.Getenv(kv); v != "" {
			cmd.Env = append(cmd.Env, kv+"="+v)
		}
	}
	return cmd
}

func (s *stage) begin(name string, cmd *exec.Cmd, tty *os.File, drawn *sync.WaitGroup) {
	j := &job{cmd: cmd, terminal: tty, done: make(chan struct{})}
	s.jobs[name] = j
	go func() {
		j.err = cmd.Wait()
		if drawn != nil {
			drawn.Wait()
			tty.Close()
		}
		close(j.done)
	}()
}

// await FILE PATTERN waits until a file that a job writes matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var b []byte
	eventually(ts, func() bool {
		b, err = os.ReadFile(ts.MkAbs(args[0]))
		ts.Check(err)
		return re.Match(b)
	}, func() string { return fmt.Sprintf("%s has no %q:\n%s", args[0], args[1], b[max(0, len(b)-2000):]) })
}

// type JOB TEXT types a line; \x03 is Ctrl-C.
func typed(ts *testscript.TestScript, _ bool, args []string) {
	text := args[1] + "\n"
	if args[1] == "^C" {
		text = "\x03"
	}
	_, err := on(ts).jobs[args[0]].terminal.WriteString(text)
	ts.Check(err)
}

// press JOB KEYS types keys and no Enter after them; they are written as in Go: \r is Enter, \x1b is Esc.
func pressed(ts *testscript.TestScript, _ bool, args []string) {
	keys, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	_, err = on(ts).jobs[args[0]].terminal.WriteString(keys)
	ts.Check(err)
}

// signal JOB INT|TERM|HUP|KILL|STOP|CONT sends a signal.
func send(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	ts.Check(on(ts).jobs[args[0]].cmd.Process.Signal(signals[args[1]]))
}

// ended JOB N waits until a job has ended, with exit code N; -1 is for one that was killed.
func ended(ts *testscript.TestScript, _ bool, args []string) {
	s := on(ts)
	j := s.jobs[args[0]]
	select {
	case <-j.done:
	case <-time.After(2 * time.Minute):
		ts.Fatalf("%s did not end", args[0])
	}
	delete(s.jobs, args[0])
	if got := strconv.Itoa(exitCode(j.err)); got != args[1] {
		for _, ext := range []string{".out", ".err", ".tty"} {
			if b, err := os.ReadFile(ts.MkAbs(args[0] + ext)); err == nil {
				ts.Logf("%s%s:\n%s", args[0], ext, b)
			}
		}
		ts.Fatalf("%s ended with exit code %s, want %s", args[0], got, args[1])
	}
}

// verdict RUN WORD checks the outcome in the draft of the only run below runs whose name matches *RUN*, and with NAME=VERDICT
// that of hypotheses.
func verdict(ts *testscript.TestScript, _ bool, args []string) {
	path, err := glob(ts.MkAbs("runs") + "/*" + args[0] + "*/report.json")
	ts.Check(err)
	d, err := readDraft(path)
	ts.Check(err)
	if d.Outcome != args[1] {
		ts.Fatalf("the outcome is %q, want %q", d.Outcome, args[1])
	}
	for _, want := range args[2:] {
		name, v, _ := strings.Cut(want, "=")
		if got := d.verdict(name); got != v {
			ts.Fatalf("%s is %q, want %q", name, got, v)
		}
	}
}

// picked FILE ENV puts the container that `plan --json` chose for target "one" into an environment variable.
func picked(ts *testscript.TestScript, _ bool, args []string) {
	var out struct {
		Plans []planJSON `json:"plans"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &out))
	for _, t := range out.Plans[0].Targets {
		if t.Name == "one" && len(t.Chosen) == 1 {
			ts.Setenv(args[1], t.Chosen[0].Name)
			return
		}
	}
	ts.Fatalf("no single container was chosen")
}

// eventually waits until something is true, for a minute and a half at most: another test may hold the engine's lock for a while.
func eventually(ts *testscript.TestScript, ok func() bool, what func() string) {
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	ts.Fatalf("waited in vain: %s", what())
}
