package inject_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// A runner in a process of its own: it prints its intent, injects, and waits to be killed.
const (
	runnerEnv = "GAMEDAY_TEST_RUNNER"        // the name of the case
	targetEnv = "GAMEDAY_TEST_RUNNER_TARGET" // the id of the container
	runEnv    = "GAMEDAY_TEST_RUNNER_RUN"
	imageEnv  = "GAMEDAY_TEST_RUNNER_IMAGE"
)

func runnerProcess() {
	err := func() error {
		e, err := engine.Connect(engine.Options{})
		if err != nil {
			return err
		}
		ctx := context.Background()
		info, err := e.Info(ctx)
		if err != nil {
			return err
		}
		helper := func(context.Context) (string, error) { return os.Getenv(imageEnv), nil }
		tools := inject.Tools{Engine: e, Helper: helper, Sidecars: inject.NewSidecars(e, helper)}
		all := cases("")
		i := slices.IndexFunc(all, func(c injecttest.Case) bool { return c.Name() == os.Getenv(runnerEnv) })
		if i < 0 {
			return fmt.Errorf("there is no case %s", os.Getenv(runnerEnv))
		}
		target, err := e.Container(ctx, os.Getenv(targetEnv))
		if err != nil {
			return err
		}
		k := all[i].Kind
		s, err := inject.Prepare(ctx, tools, all[i].Fault(os.Getenv(runEnv), "f", target), target.ID, inject.Host{Info: info})
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(s.Undo); err != nil {
			return err
		}
		if err := k.Inject(ctx, tools, s); err != nil {
			return err
		}
		select {}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A runner that is killed at any moment after its intent leaves nothing that another process could not undo.
func TestKilledRunner(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t.TempDir()) {
		wait := time.Duration(rand.IntN(400)) * time.Millisecond
		t.Run(fmt.Sprintf("%s after %v", c.Name(), wait), func(t *testing.T) {
			t.Parallel()
			tools := injecttest.Tools(t)
			options := []enginetest.Option{enginetest.Args("ignore", "sleep"), enginetest.Network(enginetest.TestNetwork(t, tools.Engine).Name)}
			target := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-killed"), append(options, c.Target...)...)
			before := injecttest.Outside(t, target.ID)
			run := enginetest.Unique("test")
			u := killRunner(t, tools, c, target, run, wait)
			if _, err := inject.Perform(enginetest.Context(t), tools, u); err != nil {
				t.Fatal(err)
			}
			after := injecttest.Outside(t, target.ID)
			time.Sleep(c.Late)
			now := injecttest.Outside(t, target.ID)
			if now.State.Status != "running" || !now.State.StartedAt.Equal(after.State.StartedAt) || c.Shows(before, after) || c.Shows(before, now) {
				t.Errorf("after the undo %+v, and later %+v", after, now)
			}
			if err := inject.Sweep(enginetest.Context(t), tools, run); err != nil {
				t.Error(err)
			}
			if left := injecttest.Docker(t, "ps", "-aq", "--filter", "label=gameday="+run); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// killRunner starts a runner, kills it a while after its intent, and returns the undo that it has printed.
func killRunner(t *testing.T, tools inject.Tools, c injecttest.Case, target engine.Container, run string, wait time.Duration) (u inject.Undo) {
	t.Helper()
	image, err := tools.Helper(enginetest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runnerEnv+"="+c.Name(), targetEnv+"="+target.ID, runEnv+"="+run, imageEnv+"="+image)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &u) != nil {
		t.Fatalf("the runner printed no intent: %q", lines.Text())
	}
	time.Sleep(wait)
	return u
}
