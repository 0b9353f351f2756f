package guard

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// Where in the guard's container things are mounted.
const (
	EngineDir = "/engine" // the directory of the engine's socket: a socket that the daemon makes anew is seen there
	RecordDir = "/record" // the run's directory
)

// Command is what the guard's container runs, after the program's name.
func Command(run, container, socket string) []string {
	return []string{"guard", run, container, socket}
}

// Main is the guard of a run, given the run's id, the name of its own container and that of the engine's socket in EngineDir. It
// returns an exit code, but ends with its container when all is well.
func Main(args []string, stdout, stderr io.Writer) int {
	if len(args) != 3 {
		fmt.Fprintln(stderr, "guard: this is what gameday runs in its guard container; it takes a run, a container and a socket")
		return 2
	}
	sidecar.Slim()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	told := make(chan struct{}, 1)
	go func() {
		for range signals {
			select {
			case told <- struct{}{}:
			default:
			}
		}
	}()
	if err := run(ctx, args[0], args[1], args[2], told, stdout); err != nil {
		fmt.Fprintln(stderr, "guard:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, id, container, socket string, told <-chan struct{}, log io.Writer) error {
	e, err := engine.Connect(engine.Options{Host: "unix://" + EngineDir + "/" + socket})
	if err != nil {
		return err
	}
	defer e.Close()
	info, err := e.Info(ctx)
	for said := false; err != nil && ctx.Err() == nil; info, err = e.Info(ctx) {
		if !said {
			fmt.Fprintln(log, err)
			said = true
		}
		if err := sleep(ctx, again); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	g := &Guard{Run: id, Name: container, Dir: RecordDir, Info: info, Told: told, Log: log}
	helper := func(context.Context) (string, error) { return g.self.Image, nil }
	g.Tools = inject.Tools{Engine: e, Helper: helper, Sidecars: inject.NewSidecars(e, helper)}
	return g.Watch(ctx)
}
