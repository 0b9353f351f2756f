package metrics

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// errNotRunning is the error of every use before Start and after Close.
var errNotRunning = errors.New("the embedded Prometheus engine is not running")

// use keeps the storage open until done is called: a Close that comes meanwhile waits for it.
func (e *Embedded) use() (done func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != stateRunning {
		return nil, errNotRunning
	}
	e.users.Add(1)
	return e.users.Done, nil
}

// A Sample is the value of one series of a Group at one time.
type Sample struct {
	Name   string            // of the metric
	Labels map[string]string // beside the group's, which win
	Value  float64
}

// A Group is a set of series that come from outside, and are handed in together as a scrape brings them: see Append. It is safe
// for concurrent use.
type Group struct {
	engine *Embedded
	common []labels.Label

	mu    sync.Mutex
	last  int64 // milliseconds; of the last samples
	began bool
	known map[string]*ownSeries // by the text of the labels
	round uint64
}

type ownSeries struct {
	labels labels.Labels
	ref    storage.SeriesRef
	round  uint64 // of the last Append that had it
}

// Group returns an empty group whose series all have the labels. It may be asked for before Start.
func (e *Embedded) Group(common map[string]string) *Group {
	g := &Group{engine: e, known: map[string]*ownSeries{}}
	for name, v := range common {
		g.common = append(g.common, labels.Label{Name: name, Value: v})
	}
	return g
}

// Append stores what was read at one time. A series that the last Append had and this one has not gets a staleness mark, as after a
// scrape: without samples at all, every series of the group ends, and queries see it at once instead of the last value for five
// minutes. Samples that are not newer than the last ones are dropped, and that is no error: a stream that was taken up again repeats
// itself. An end is never dropped: it follows the last samples by a millisecond at least. The error says what is wrong with a
// sample, and then none of them is stored; or that the engine does not run.
func (g *Group) Append(at time.Time, samples ...Sample) error {
	done, err := g.engine.use()
	if err != nil {
		return err
	}
	defer done()
	g.mu.Lock()
	defer g.mu.Unlock()

	t := at.UnixMilli()
	if g.began && t <= g.last {
		if len(samples) > 0 || len(g.known) == 0 {
			return nil
		}
		t = g.last + 1
	}
	g.round++
	current, fresh := make([]*ownSeries, len(samples)), map[string]*ownSeries{}
	for i, s := range samples {
		key, set := g.labels(s)
		series := g.known[key]
		switch {
		case series != nil && series.round == g.round, fresh[key] != nil:
			return fmt.Errorf("the series %s is twice in the same samples", key)
		case series == nil && (s.Name == "" || !set.IsValid(model.LegacyValidation)):
			return fmt.Errorf("%s is no series: names have letters, digits and _, and values are UTF-8", key)
		case series == nil:
			series = &ownSeries{labels: set}
			fresh[key] = series
		}
		series.round, current[i] = g.round, series
	}
	app := g.engine.db.AppenderV2(g.engine.running)
	put := func(s *ownSeries, v float64) error {
		ref, err := app.Append(s.ref, s.labels, 0, t, v, nil, nil, storage.AOptions{})
		if err != nil && !late(err) {
			return fmt.Errorf("the series %s cannot be stored: %w", s.labels, err)
		}
		if err == nil {
			s.ref = ref
		}
		return nil
	}
	err = func() error {
		for i, s := range samples {
			if err := put(current[i], s.Value); err != nil {
				return err
			}
		}
		for _, s := range g.known {
			if s.round != g.round {
				if err := put(s, math.Float64frombits(value.StaleNaN)); err != nil {
					return err
				}
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(err, app.Rollback())
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("the samples cannot be stored: %w; is the disk full?", err)
	}
	g.last, g.began = t, true
	maps.Copy(g.known, fresh)
	for key, s := range g.known {
		if s.round != g.round {
			delete(g.known, key)
		}
	}
	return nil
}

// late says that a sample is older than what is stored of its series already, or is that.
func late(err error) bool {
	return errors.Is(err, storage.ErrOutOfOrderSample) || errors.Is(err, storage.ErrDuplicateSampleForTimestamp) ||
		errors.Is(err, storage.ErrOutOfBounds) || errors.Is(err, storage.ErrTooOldSample)
}

// labels are those of a sample's series, and their text.
func (g *Group) labels(s Sample) (string, labels.Labels) {
	builder := labels.NewBuilder(labels.EmptyLabels())
	for name, v := range s.Labels {
		builder.Set(name, v)
	}
	for _, l := range g.common {
		builder.Set(l.Name, l.Value)
	}
	builder.Set(model.MetricNameLabel, s.Name)
	set := builder.Labels()
	return set.String(), set
}
