// Command up starts one of the examples and keeps it until Ctrl-C, so that scenarios can be tried on it:
//
//	CGO_ENABLED=0 go run ./examples/up shop
//
// The same binary runs inside the example's containers, so it has to be a static one: hence CGO_ENABLED=0.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gameday/examples/etcd"
	"gameday/examples/shop"
	"gameday/inject/engine"
)

// roles are what runs inside the containers: `up role <name> …`.
var roles = map[string]func(args []string, stdout, stderr io.Writer) int{
	"shop":        shop.Main,
	"etcd-writer": etcd.Main,
}

func main() {
	args := os.Args[1:]
	switch {
	case len(args) > 1 && args[0] == "role" && roles[args[1]] != nil:
		os.Exit(roles[args[1]](args[2:], os.Stdout, os.Stderr))
	case len(args) != 1 || examples[args[0]] == nil:
		fmt.Fprintln(os.Stderr, "up: say which example to start: shop or etcd")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := up(ctx, examples[args[0]], args[0], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "up: %v\n", err)
		os.Exit(1)
	}
}

// An example is started for a run, from an image that holds this binary as /gameday, and removed by the function it returns.
type example func(ctx context.Context, e engine.Engine, run, image string) (down func(context.Context) error, hint string, err error)

var examples = map[string]example{
	"shop": func(ctx context.Context, e engine.Engine, run, image string) (func(context.Context) error, string, error) {
		s, err := shop.Up(ctx, e, shop.Options{Run: run, Image: image, Command: []string{"/gameday", "role", "shop"}})
		if err != nil {
			return nil, "", err
		}
		return s.Down, "gameday run examples/shop", nil
	},
	"etcd": func(ctx context.Context, e engine.Engine, run, image string) (func(context.Context) error, string, error) {
		s, err := etcd.Up(ctx, e, etcd.Options{Run: run, Image: image, Command: []string{"/gameday", "role", "etcd-writer"}})
		if err != nil {
			return nil, "", err
		}
		leader, err := s.Leader(ctx)
		if err != nil {
			return nil, "", errors.Join(err, s.Down(ctx))
		}
		return s.Down, "gameday run -var leader=" + leader + " examples/etcd/leader_freezes", nil
	},
}

func up(ctx context.Context, start example, name string, out io.Writer) (err error) {
	e, err := engine.Connect(engine.Options{})
	if err != nil {
		return err
	}
	defer e.Close()
	self, err := engine.Executable()
	if err != nil {
		return err
	}
	image, err := engine.HelperImage(self)
	if err != nil {
		return err
	}
	run := "example-" + strings.ToLower(rand.Text()[:6])
	image.Tag = "gameday-example:" + run
	image.Labels = map[string]string{engine.Label: run, engine.RoleLabel: engine.RoleWorkload}
	if _, err := e.BuildImage(ctx, image); err != nil {
		return fmt.Errorf("cannot make an image from this program: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, e.RemoveImage(ctx, image.Tag))
	}()
	fmt.Fprintf(out, "starting %s …\n", name)
	down, hint, err := start(ctx, e, run, image.Tag)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is up. Try, from another terminal:\n  %s\nCtrl-C removes it again.\n", name, hint)
	<-ctx.Done()
	fmt.Fprintf(out, "removing %s …\n", name)
	return down(ctx)
}
