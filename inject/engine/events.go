package engine

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// Events streams what happens to containers.
//
// The engine sends its answer's header before it subscribes, so that an event in between would be lost. Asking for all
// events since just before, by the engine's own clock, has it sent from the engine's memory.
func (d *docker) Events(ctx context.Context, after time.Time) (<-chan Event, time.Time, error) {
	const what = "follow the engine's events"
	var from time.Time
	err := d.call(ctx, infoLimit, what, func(ctx context.Context) error {
		in, err := d.cli.Info(ctx)
		if err != nil {
			return err
		}
		if from, err = time.Parse(time.RFC3339Nano, in.SystemTime); err != nil {
			return fmt.Errorf("the engine's clock reads %s", strconv.Quote(in.SystemTime))
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	since := from
	if !after.IsZero() && after.Before(from) {
		since = after.Add(1)
	}
	ctx, cancel := context.WithCancel(ctx)
	messages, failed := d.cli.Events(ctx, events.ListOptions{
		Since:   fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()),
		Filters: filters.NewArgs(filters.Arg("type", string(events.ContainerEventType))),
	})
	out := make(chan Event, 256)
	go func() {
		defer cancel()
		defer close(out)
		for {
			var e Event
			select {
			case m := <-messages:
				if strings.HasPrefix(string(m.Action), "exec_") {
					continue
				}
				e = fromMessage(m)
			case err := <-failed:
				if ctx.Err() != nil {
					return
				}
				if err == nil {
					err = io.EOF
				}
				e = Event{Time: time.Now(), Err: d.classify(what, err)}
			case <-ctx.Done():
				<-failed // the client's goroutine ends with it
				return
			}
			select {
			case out <- e:
			case <-ctx.Done():
			}
			if e.Err != nil {
				return
			}
		}
	}()
	return out, from.UTC(), nil
}

func fromMessage(m events.Message) Event {
	at := time.Unix(0, m.TimeNano)
	if m.TimeNano == 0 {
		at = time.Unix(m.Time, 0)
	}
	return Event{
		Time: at.UTC(), Action: string(m.Action), ID: m.Actor.ID, Name: m.Actor.Attributes["name"],
		Labels: maps.Clone(m.Actor.Attributes),
	}
}
