package shop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gameday/examples/workload"
	"gameday/inject/engine"
)

// upTimeout bounds how long the shop may take to be healthy.
const upTimeout = 60 * time.Second

// Options say how to start the shop.
type Options struct {
	Run     string   // value of the label "gameday"
	Prefix  string   // of all names, and the compose project; default "shop"
	Image   string   // a tag on the engine that holds gameday's binary
	Command []string // what runs a role in that image; default /gameday shop
	Rate    int      // checkouts per second; default DefaultRate
}

// A System is a running shop.
type System struct{ w *workload.Workload }

// Up starts the shop in a network of its own: containers <prefix>-store, -api-1, -api-2, -frontend and -load. It returns
// when all are healthy, which takes about six seconds, or removes what it made and says what is wrong.
func Up(ctx context.Context, e engine.Engine, o Options) (*System, error) {
	if o.Image == "" {
		return nil, errors.New("the shop needs the tag of an image that holds gameday's binary")
	}
	if o.Prefix == "" {
		o.Prefix = "shop"
	}
	if len(o.Command) == 0 {
		o.Command = []string{"/gameday", "shop"}
	}
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	if o.Rate < 1 || o.Rate > maxRate {
		return nil, fmt.Errorf("a load of %d checkouts per second is out of range: ask for 1 to %d", o.Rate, maxRate)
	}
	url := func(name string) string { return "http://" + name + ":" + strconv.Itoa(Port) }
	apis := []string{"api-1", "api-2"}
	parts := []workload.Part{o.part("store", "store", nil)}
	for _, api := range apis {
		parts = append(parts, o.part("api", api, []string{envStore + "=" + url("store")}))
	}
	parts = append(parts,
		o.part("frontend", "frontend", []string{envAPIs + "=" + strings.Join([]string{url(apis[0]), url(apis[1])}, ",")}),
		o.part("load", "load", []string{envFrontend + "=" + url("frontend"), envRate + "=" + strconv.Itoa(o.Rate)}),
	)
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	w, err := workload.Up(ctx, e, workload.Options{Run: o.Run, Project: o.Prefix, Parts: parts})
	if err != nil {
		return nil, err
	}
	return &System{w: w}, nil
}

func (o Options) part(role, name string, env []string) workload.Part {
	return workload.Part{
		Service: role,
		Name:    name,
		Spec: engine.Spec{
			Image:      o.Image,
			Entrypoint: o.Command,
			Cmd:        []string{role},
			// One thread is plenty for a role, and keeps the shop from crowding out what watches it.
			Env:           append([]string{"GOMAXPROCS=1"}, env...),
			RestartPolicy: "always",
			Health: &engine.Health{
				Cmd:      append(append([]string{}, o.Command...), "health", "http://127.0.0.1:"+strconv.Itoa(Port)+"/healthz"),
				Interval: healthInterval,
				Timeout:  3 * time.Second,
				Retries:  3,
			},
		},
	}
}

// healthInterval is long because each check starts a process in the container, which costs more than the shop itself; it is
// also how long Up takes, since the engine checks for the first time after it.
const healthInterval = 5 * time.Second

// Down removes the shop's containers and network, also when ctx has ended, within 30 s. It may be called twice.
func (s *System) Down(ctx context.Context) error { return s.w.Down(ctx) }

// Remove removes every shop, or other example, that was started for a run.
func Remove(ctx context.Context, e engine.Engine, run string) error {
	return workload.Remove(ctx, e, run)
}

// Logs returns what the containers of a service wrote: "load", "frontend", "api" or "store".
func (s *System) Logs(ctx context.Context, service string) ([]byte, error) {
	return s.w.Logs(ctx, service)
}
