package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	defaultInterval = time.Second
	// staleness is how old a sample may be and still count. It stays at Prometheus's default, or the same query would mean
	// something else here than on a server.
	staleness = 5 * time.Minute
	// mostSamples is what one query may hold in memory, as on a server. 0 would fail every query.
	mostSamples = 50_000_000
	// longestQuery is the time one query may take.
	longestQuery = 30 * time.Second
)

// An EmbeddedConfig says what Prometheus's own engine inside gameday scrapes and probes, and where it keeps the samples.
type EmbeddedConfig struct {
	Name string
	// Dir holds the samples. At Close it has them as one TSDB block. "" means a temporary one that Close removes.
	Dir string
	// Interval is the time between scrapes where a Scrape does not say otherwise. 0 means 1 second.
	Interval time.Duration
	Scrapes  []Scrape
	Probes   []Probe
	// Rules are evaluated while it runs; Evaluation is how often, where their group does not say. 0 means DefaultEvaluation.
	Rules      []RuleFile
	Evaluation time.Duration
	// Log receives warnings, one line each, from any goroutine. nil drops them.
	Log func(string)
}

// An Embedded is Prometheus's scraper, storage and query engine inside this process.
type Embedded struct {
	config    EmbeddedConfig
	dir       string
	temporary bool
	engine    *promql.Engine
	registry  *prometheus.Registry

	mu       sync.Mutex // guards what follows
	state    state
	db       *tsdb.DB
	scraper  *scraper
	prober   *prober
	rules    *ruleRunner
	onAlert  func(AlertChange)
	pending  map[string][]Endpoint // by job
	users    sync.WaitGroup        // of the storage: queries, and samples that are handed in
	stop     context.CancelFunc    // ends running queries
	running  context.Context
	closed   chan struct{} // closed when Close is through
	closeErr error
}

type state int

const (
	stateNew state = iota
	stateRunning
	stateClosed
)

var _ Source = (*Embedded)(nil)

// NewEmbedded checks the settings. It starts nothing and touches no file.
func NewEmbedded(c EmbeddedConfig) (*Embedded, error) {
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	c.Scrapes = slices.Clone(c.Scrapes)
	pending := map[string][]Endpoint{}
	for i, s := range c.Scrapes {
		if _, twice := pending[s.Job]; twice {
			return nil, fmt.Errorf("the scrape job %q is there twice: give each its own name", s.Job)
		}
		if err := checkEndpoints(s.Job, s.Endpoints); err != nil {
			return nil, err
		}
		if s.Interval == 0 {
			c.Scrapes[i].Interval = c.Interval
		}
		pending[s.Job] = copyEndpoints(s.Endpoints)
	}
	if _, err := scrapeConfig(c.Interval, c.Scrapes); err != nil {
		return nil, err
	}
	if _, err := readRules(c.Rules, c.Evaluation); err != nil {
		return nil, err
	}
	jobs := map[string]bool{}
	for job := range pending {
		jobs[job] = true
	}
	c.Probes = slices.Clone(c.Probes)
	if err := checkProbes(c.Probes, c.Interval, jobs); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	registry := prometheus.NewRegistry()
	return &Embedded{
		config: c, pending: pending, registry: registry, running: running, stop: stop, closed: make(chan struct{}),
		engine: newEngine(c.Interval, logger(c.Log), registry),
	}, nil
}

// newEngine is the query engine, the same for a run and for its record: a query must not mean two things.
func newEngine(interval time.Duration, log *slog.Logger, registry prometheus.Registerer) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:        log,
		Reg:           registry,
		MaxSamples:    mostSamples,
		Timeout:       longestQuery,
		LookbackDelta: staleness,
		// A server uses its evaluation interval for [1h:] without a step; here that is the scrape interval. Without the
		// function a subquery panics.
		NoStepSubqueryIntervalFn: func(int64) int64 { return interval.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		Parser:                   promQL,
	})
}

// Info describes the engine.
func (e *Embedded) Info() Info {
	return Info{Name: e.config.Name, Type: "embedded", Version: engineVersion(), Interval: e.config.Interval}
}

// Start opens the storage and begins to scrape.
func (e *Embedded) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.state == stateRunning:
		return errors.New("the embedded Prometheus engine runs already")
	case e.state == stateClosed:
		return errors.New("the embedded Prometheus engine was closed")
	case ctx.Err() != nil:
		return fmt.Errorf("the embedded Prometheus engine was not started: %w", ctx.Err())
	}
	e.dir = e.config.Dir
	if e.dir == "" {
		dir, err := temporaryDir()
		if err != nil {
			return fmt.Errorf("no place for the samples: %w; set TMPDIR to a directory that can be written", err)
		}
		e.dir, e.temporary = dir, true
	}
	log := logger(e.config.Log)
	db, err := openStorage(e.dir, e.temporary, log, e.registry)
	if err != nil {
		e.removeTemporary()
		return fmt.Errorf("the samples cannot be kept in %s: %w; is the disk full, or is the directory read-only?", e.dir, err)
	}
	scraper, err := startScraper(e.config, db, log, e.registry)
	if err != nil {
		err = errors.Join(fmt.Errorf("the embedded Prometheus engine cannot scrape: %w", err), db.Close())
		e.removeTemporary()
		return err
	}
	e.db, e.scraper, e.state = db, scraper, stateRunning
	e.scraper.set(e.pending)
	e.prober = newProber(e)
	for _, p := range e.config.Probes {
		e.prober.set(p, p.Endpoints)
	}
	e.rules = startRules(e.config, db, e.onAlert)
	return nil
}

func (e *Embedded) removeTemporary() {
	if e.temporary {
		os.RemoveAll(e.dir)
	}
}

// Query evaluates at exactly the given time, over what was scraped until now.
func (e *Embedded) Query(ctx context.Context, query string, at time.Time) (Result, error) {
	if err := Check(query); err != nil {
		return Result{}, err
	}
	done, err := e.use()
	if err != nil {
		return Result{}, err
	}
	defer done()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.running, cancel)()

	return instant(ctx, e.engine, e.db, query, at)
}

// instant evaluates a query that Check has accepted.
func instant(ctx context.Context, engine *promql.Engine, samples storage.Queryable, query string, at time.Time) (Result, error) {
	q, err := engine.NewInstantQuery(ctx, samples, nil, query, at)
	if err != nil {
		return Result{}, fmt.Errorf("the query failed: %w", err)
	}
	// Close recycles what the query returned: nothing of it may be kept.
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return Result{}, queryError(result.Err)
	}
	out := Result{}
	out.Warnings, _ = result.Warnings.AsStrings(query, 0, 0)
	if len(out.Warnings) == 0 {
		out.Warnings = nil
	}
	switch v := result.Value.(type) {
	case promql.Scalar:
		out.Series = []Series{{Labels: map[string]string{}, Value: v.V}}
	case promql.Vector:
		out.Series = make([]Series, 0, len(v))
		for _, sample := range v {
			labels := sample.Metric.Map()
			if sample.H != nil {
				return Result{}, errHistogram(labels)
			}
			out.Series = append(out.Series, Series{Labels: labels, Value: sample.F})
		}
		sortSeries(out.Series)
	default:
		return Result{}, checkType(result.Value.Type(), query)
	}
	return out, nil
}

func queryError(err error) error {
	var (
		timeout  promql.ErrQueryTimeout
		canceled promql.ErrQueryCanceled
	)
	switch {
	case errors.As(err, &canceled):
		return &sourceError{text: "the query was cancelled", is: context.Canceled}
	case errors.As(err, &timeout):
		return &sourceError{text: fmt.Sprintf("the query took longer than %s: read a shorter range, or fewer series", longestQuery), is: context.DeadlineExceeded}
	}
	return fmt.Errorf("the query failed: %w", err)
}
