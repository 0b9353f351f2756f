package inject_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
)

// A runner in a process of its own: it prints its intent, injects, and waits to be killed.
const (
	runnerEnv = "GAMEDAY_TEST_RUNNER"        // the kind of fault
	targetEnv = "GAMEDAY_TEST_RUNNER_TARGET" // the id of the container
	runEnv    = "GAMEDAY_TEST_RUNNER_RUN"
	imageEnv  = "GAMEDAY_TEST_RUNNER_IMAGE"
)

var killedArgs = map[string]map[string]any{
	"stop":    {"grace": time.Second},
	"restart": {"grace": time.Second},
	"latency": {"delay": 20 * time.Millisecond}, "loss": {"percent": 50.0}, "corrupt": {"percent": 50.0}, "duplicate": {"percent": 50.0},
	"reorder": {"percent": 50.0}, "rate": {"rate": int64(1_000_000)},
	"exec": {"run": "/workload wait 200ms exit 0", "undo": "/workload exit 0"},
	"cpu":  {"limit": 0.5}, "memory": {"limit": int64(64 << 20)}, "io": {"write": int64(1 << 20)}, "stress": {"cpu": int64(1), "memory": int64(8 << 20)},
	"fill": {"path": "/data", "size": int64(8 << 20)}, "signal": {"process": "workload", "signal": "STOP"},
}

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
		name := os.Getenv(runnerEnv)
		target, err := e.Container(ctx, os.Getenv(targetEnv))
		if err != nil {
			return err
		}
		killedArgs["disconnect"] = map[string]any{"network": target.Networks[0].Network}
		f := inject.Fault{Run: os.Getenv(runEnv), Name: "f", Kind: name, Duration: time.Minute, Args: killedArgs[name]}
		s, err := inject.Prepare(ctx, tools, f, os.Getenv(targetEnv), inject.Host{Info: info})
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(s.Undo); err != nil {
			return err
		}
		k, _ := inject.Lookup(name)
		if err := k.Inject(ctx, tools, s); err != nil {
			return err
		}
		select {}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A runner that is killed at any moment after its intent leaves nothing that another process could not undo: some kinds by chance, as
// the moment is. The suite of every kind has an undo by another process, and the crash sweep kills many more.
func TestKilledRunner(t *testing.T) {
	t.Parallel()
	kinds := inject.Kinds()
	for _, i := range rand.Perm(len(kinds))[:6] {
		name := kinds[i].Doc().Kind
		wait := time.Duration(rand.IntN(400)) * time.Millisecond
		t.Run(fmt.Sprintf("%s after %v", name, wait), func(t *testing.T) {
			t.Parallel()
			tools := injecttest.Tools(t)
			c := enginetest.Workload(t, tools.Engine, enginetest.Unique("gameday-killed"), enginetest.Args("ignore", "sleep"),
				enginetest.Network(enginetest.TestNetwork(t, tools.Engine).Name), onDisk(t))
			image, err := tools.Helper(enginetest.Context(t))
			if err != nil {
				t.Fatal(err)
			}
			run := enginetest.Unique("test")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), runnerEnv+"="+name, targetEnv+"="+c.ID, runEnv+"="+run, imageEnv+"="+image)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			var u inject.Undo
			if !lines.Scan() || json.Unmarshal(lines.Bytes(), &u) != nil {
				t.Errorf("the runner printed no intent: %q", lines.Text())
			}
			time.Sleep(wait)
			cmd.Process.Kill()
			cmd.Wait()

			if _, err := inject.Perform(enginetest.Context(t), tools, u); err != nil {
				t.Fatal(err)
			}
			after := injecttest.Outside(t, c.ID)
			time.Sleep(2 * time.Second) // longer than the grace time
			now := injecttest.Outside(t, c.ID)
			if now.State.Status != "running" || !now.State.StartedAt.Equal(after.State.StartedAt) {
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
