package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/examples/shop"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/runner"
	"gameday/runner/journal"
)

// TestReadme walks through README.md as a newcomer does: every command line in it is run by a shell, in order, in a directory of its
// own. While the demo's shop is there, its two rehearsals are held against what the shop's users saw.
func TestReadme(t *testing.T) {
	t.Parallel()
	e := enginetest.Open(t)
	image := ownImage(t, e)
	commands := readmeCommands(t)
	dir := t.TempDir()
	if before := demoLeft(t, e); len(before) > 0 {
		t.Fatalf("an earlier demo is still there (%s): gameday demo --remove", strings.Join(before, ", "))
	}
	t.Cleanup(func() { sh(t, dir, "gameday demo --remove") })

	walked, demos := 0, 0
	for _, c := range commands {
		switch {
		case c == "make test":
			continue // runs this test
		case c == "make demo":
			// The target is checked to be the binary's own demo, which is run with --keep below: the same rehearsals once, not twice.
			checkMakeDemo(t)
			continue
		case strings.HasPrefix(c, "export PATH="):
			continue // the tests' own binary is on the path
		}
		walked++
		wait, allowed := c, []int{runner.ExitHeld}
		if strings.HasPrefix(c, "gameday run") {
			// The starter's hypothesis is about whatever runs: a rehearsal that refutes it works as well as one that does not.
			allowed = append(allowed, runner.ExitRefuted, runner.ExitInconclusive)
		}
		if strings.HasPrefix(c, "gameday run") || strings.HasPrefix(c, "gameday demo --keep") {
			wait += " --wait 3m" // another test may hold the lock of this engine
		}
		if c == "gameday abort" || c == "gameday recover" {
			unlocked(t, e) // another test's run must not be ended
		}
		began := time.Now()
		code, out := sh(t, dir, wait)
		t.Logf("$ %s  (exit code %d, %s)\n%s", c, code, time.Since(began).Round(time.Millisecond), out)
		if !slices.Contains(allowed, code) {
			t.Fatalf("%s ended with exit code %d\n%s", c, code, out)
		}
		if strings.HasPrefix(c, "gameday demo --keep") {
			demos++
			t.Run("Demo", func(t *testing.T) { checkDemo(t, e, dir) })
		}
	}
	if walked < 10 || demos != 1 {
		t.Errorf("%d commands were run, and %d demos: README.md has been read wrongly", walked, demos)
	}
	if left := demoLeft(t, e); len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, ", "))
	}
	if has, err := e.HasImage(t.Context(), image); err != nil || has {
		t.Errorf("the image that the shop was made from is left behind (%v)", err)
	}
}

// readmeCommands are the lines of README.md's sh blocks, without comments.
func readmeCommands(t *testing.T) (out []string) {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside:
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
	}
	return out
}

func checkMakeDemo(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "-n", "--no-print-directory", "demo").CombinedOutput()
	if err != nil {
		t.Fatalf("make -n demo: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "CGO_ENABLED=0") || !strings.HasSuffix(lines[0], "./cmd/gameday") || lines[1] != "././bin/gameday demo" && lines[1] != "./bin/gameday demo" {
		t.Errorf("make demo is not a static build and `gameday demo`:\n%s", out)
	}
}

// sh runs a command line.
func sh(t *testing.T, dir, line string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = dir
	b, err := cmd.CombinedOutput()
	return exitCode(err), string(b)
}

// unlocked waits until no run holds the lock of the engine.
func unlocked(t *testing.T, e engine.Engine) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		h, err := runner.Locked(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			return
		}
	}
	t.Fatal("another run holds the lock of this engine")
}

// demoLeft names what demos have left in Docker.
func demoLeft(t *testing.T, e engine.Engine) (out []string) {
	t.Helper()
	all, err := e.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if strings.HasPrefix(c.Labels[engine.Label], demoPrefix) {
			out = append(out, "container "+c.Name)
		}
	}
	networks, err := e.Networks(t.Context(), engine.Label, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range networks {
		if strings.HasPrefix(n.Labels[engine.Label], demoPrefix) {
			out = append(out, "network "+n.Name)
		}
	}
	return out
}

// checkDemo holds the verdicts of the demo's two rehearsals against the log of its load generator, which is what users saw and
// knows nothing of gameday. The log has a line a second.
func checkDemo(t *testing.T, e engine.Engine, dir string) {
	log, err := e.Logs(t.Context(), "shop-load")
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := shop.ParseLoad(log)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("api_replica_dies", func(t *testing.T) {
		d, w := rehearsal(t, dir, "api_replica_dies")
		fault, after := w.during(seconds), w.recovery(seconds)
		t.Logf("fault: %v; recovery: %v", fault, after)
		if d.Outcome != "held" {
			t.Errorf("the outcome is %q", d.Outcome)
		}
		agree(t, d, "checkout_keeps_working", fault.failed() < 0.01 && after.failed() < 0.01, "fewer than 1 in 100 failed")
		agree(t, d, "checkout_stays_quick", fault.slow(500) <= 1, "99 of 100 were answered within 500 ms")
		if fault.ok() < 100 {
			t.Errorf("users had only %d good answers in the fault phase: it shows nothing", fault.ok())
		}
	})

	t.Run("store_freezes", func(t *testing.T) {
		d, w := rehearsal(t, dir, "store_freezes")
		before, fault, after := w.before(seconds), w.during(seconds), w.recovery(seconds)
		t.Logf("before: %v; fault: %v; recovery: %v", before, fault, after)
		if d.Outcome != "refuted" {
			t.Errorf("the outcome is %q", d.Outcome)
		}
		if before.failed() > 0.01 {
			t.Errorf("users saw %.0f%% of checkouts fail before anything was injected", 100*before.failed())
		}
		agree(t, d, "people_are_answered_quickly", fault.slow(500) <= 1, "99 of 100 were answered within 500 ms")
		agree(t, d, "most_checkouts_work", fault.longestBad(0.5) <= 5, "no more than 5 s in which half of the checkouts failed")
		// That requests pile up inside the api is what users cannot see: the frontend gives up on them and answers.
		last := after[max(0, len(after)-3):]
		agree(t, d, "the_shop_recovers_by_itself", last.failed() < 0.01 && last.ok() > 0, "hardly any failed at the end")
	})
}

// A window is when the fault of a rehearsal was in force, by its journal.
type window struct{ start, effect, gone, end time.Time }

func rehearsal(t *testing.T, dir, scenario string) (d draft, w window) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "runs", "*-"+scenario+"-*", "report.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no draft of %s: %v", scenario, err)
	}
	path := paths[len(paths)-1] // one whose baseline does not hold is rehearsed again, and their names begin with the time
	if d, err = readDraft(path); err != nil {
		t.Fatal(err)
	}
	rec, err := journal.Read(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range rec.Events {
		switch p := ev.Payload.(type) {
		case *journal.RunStarted:
			w.start = ev.Time
		case *journal.FaultVerified:
			w.effect = p.Effect
		case *journal.UndoVerified:
			w.gone = p.At
		case *journal.RunEnded:
			w.end = ev.Time
		}
	}
	if w.start.IsZero() || w.effect.IsZero() || w.gone.IsZero() || w.end.IsZero() {
		t.Fatalf("the journal does not tell the whole story: %+v", w)
	}
	return d, w
}

func (w window) before(all []shop.LoadSecond) stretch   { return between(all, w.start, w.effect) }
func (w window) during(all []shop.LoadSecond) stretch   { return between(all, w.effect, w.gone) }
func (w window) recovery(all []shop.LoadSecond) stretch { return between(all, w.gone, w.end) }

// A stretch is what users saw in some seconds.
type stretch []shop.LoadSecond

// between are the seconds that lie wholly between two times.
func between(all []shop.LoadSecond, from, to time.Time) (out stretch) {
	for _, s := range all {
		if !s.Time.Add(-time.Second).Before(from) && !s.Time.After(to) {
			out = append(out, s)
		}
	}
	return out
}

// ok is how many checkouts ended well.
func (x stretch) ok() (n int) {
	for _, s := range x {
		n += s.OK
	}
	return n
}

// failed is the share of checkouts that failed, of those that ended.
func (x stretch) failed() float64 {
	ok, failed := x.ok(), 0
	for _, s := range x {
		failed += s.Failed
	}
	return float64(failed) / float64(max(ok+failed, 1))
}

// slow is in how many seconds the slowest hundredth took longer than so many milliseconds.
func (x stretch) slow(limit float64) (n int) {
	for _, s := range x {
		if s.P99 > limit {
			n++
		}
	}
	return n
}

// longestBad is the most seconds in a row in which at least this share failed.
func (x stretch) longestBad(share float64) (longest int) {
	n := 0
	for _, s := range x {
		if s.Failed == 0 || float64(s.Failed) < share*float64(s.OK+s.Failed) {
			n = 0
			continue
		}
		n++
		longest = max(longest, n)
	}
	return longest
}

func (x stretch) String() string {
	return fmt.Sprintf("%d s, %d ended well, %.1f%% failed, %d s with a p99 over 500 ms, %d s in a row with half failing",
		len(x), x.ok(), 100*x.failed(), x.slow(500), x.longestBad(0.5))
}

// agree checks a verdict against what users saw.
func agree(t *testing.T, d draft, hypothesis string, sawHold bool, what string) {
	t.Helper()
	want := "refuted"
	if sawHold {
		want = "held"
	}
	if got := d.verdict(hypothesis); got != want {
		t.Errorf("gameday says that %s is %q; what users saw (%s: %v) says %q", hypothesis, got, what, sawHold, want)
	}
}

// TestReadmeScenarios loads every piece of the language in README.md. One that shows a block alone is completed by the least that a
// scenario needs.
func TestReadmeScenarios(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pieces := strings.Split(string(text), "```hcl\n")[1:]
	if len(pieces) == 0 {
		t.Fatal("README.md shows no scenario")
	}
	for i, p := range pieces {
		src, _, _ := strings.Cut(p, "```")
		switch {
		case strings.HasPrefix(src, "fault "):
			src = strings.ReplaceAll("\n"+strings.TrimSuffix(src, "\n"), "\n", "\n  ")
			src = "scenario \"any\" {" + src + "\n}\n"
			for _, name := range []string{"frontend", "store"} {
				src += fmt.Sprintf("\ntarget %q {\n  name = %q\n}\n", name, name)
			}
		case !strings.Contains(src, "\nscenario "):
			src += `
target "any" {
  name = "any"
}

scenario "any" {
  fault "pause" "any" {
    target   = target.any
    duration = "10s"
  }
}
`
		}
		for _, v := range regexp.MustCompile(`\bvar\.(\w+)`).FindAllStringSubmatch(src, -1) {
			if declared := fmt.Sprintf("variable %q", v[1]); !strings.Contains(src, declared) {
				src += fmt.Sprintf("\n%s {\n  type    = string\n  default = \"any\"\n}\n", declared)
			}
		}
		path := filepath.Join(t.TempDir(), fmt.Sprintf("readme%d.gameday.hcl", i))
		if err := os.CopyFS(filepath.Dir(path), shop.Scenarios); err != nil { // among them alerts.yml
			t.Fatal(err)
		}
		for _, template := range regexp.MustCompile(`file = "(.+\.md)"`).FindAllStringSubmatch(src, -1) {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), template[1]), []byte("any\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, out := sh(t, t.TempDir(), "gameday validate "+path); code != runner.ExitHeld {
			t.Errorf("%s\n%s", out, src)
		}
		if code, out := sh(t, t.TempDir(), "gameday fmt --check "+path); code != runner.ExitHeld {
			t.Errorf("not in the usual layout: %s\n%s", out, src)
		}
	}
}
