package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The limits of the users that the load generator stands for.
const (
	userPatience = 2 * time.Second // then a user leaves
	maxUsers     = 5000            // waiting at once; beyond that, those who come are counted as failed at once
)

// What became of a checkout: the values of the label "outcome".
const (
	outcomeOK     = "ok"
	outcomeFailed = "failed"
)

// load sends checkouts at a fixed rate, whether those before were answered or not, as users do.
type load struct {
	client   *http.Client
	url      string
	rate     int
	log      io.Writer
	outcomes *prometheus.CounterVec // by outcome
	m        *meters

	mu     sync.Mutex
	second tally
	users  int
}

// A tally is what happened since the last line of the log.
type tally struct {
	sent, ok, failed int
	took             []time.Duration
}

func runLoad(ctx context.Context, c config, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, h := newLoad(newMeters(), c.frontend, c.rate, stdout)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.run(ctx)
	}()
	err := serve(ctx, c.listen, h)
	cancel()
	<-done
	return err
}

// newLoad returns a load generator, and what it serves. Its http_… metrics are the users' view of their requests.
func newLoad(m *meters, frontendURL string, rate int, log io.Writer) (*load, http.Handler) {
	l := &load{
		client: &http.Client{Transport: newTransport(userPatience)},
		url:    frontendURL + "/checkout",
		rate:   rate,
		log:    log,
		m:      m,
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shop_checkouts_total",
			Help: "Checkouts as users saw them, by outcome.",
		}, []string{"outcome"}),
	}
	l.outcomes.WithLabelValues(outcomeOK)
	l.outcomes.WithLabelValues(outcomeFailed)
	m.registry.MustRegister(l.outcomes)
	return l, newMux(m)
}

// run sends checkouts until ctx ends, and returns when the last one has come back. It begins with the first checkout that
// works, so that a shop which is still opening counts as closed and not as broken.
func (l *load) run(ctx context.Context) {
	defer l.client.CloseIdleConnections()
	if !l.awaitOpening(ctx) {
		return
	}
	var users sync.WaitGroup
	defer users.Wait()
	send := time.NewTicker(time.Second / time.Duration(l.rate))
	defer send.Stop()
	report := time.NewTicker(time.Second)
	defer report.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-report.C:
			l.writeSecond(now)
		case <-send.C:
			if !l.enter() {
				continue
			}
			users.Go(func() { l.checkout(ctx) })
		}
	}
}

func (l *load) awaitOpening(ctx context.Context) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, userPatience)
		code, err := call(try, l.client, http.MethodPost, l.url)
		cancel()
		if err == nil && code == http.StatusOK {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// enter counts a user in; false when the shop is too full.
func (l *load) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.second.sent++
	if l.users >= maxUsers {
		l.second.failed++
		l.outcomes.WithLabelValues(outcomeFailed).Inc()
		return false
	}
	l.users++
	l.m.inFlight.Inc()
	return true
}

func (l *load) checkout(ctx context.Context) {
	patience, cancel := context.WithTimeout(ctx, userPatience)
	defer cancel()
	start := time.Now()
	code, err := call(patience, l.client, http.MethodPost, l.url)
	took := time.Since(start)

	l.m.inFlight.Dec()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users--
	if ctx.Err() != nil {
		return // the load generator is ending: this says nothing about the shop
	}
	if err != nil {
		code = 0
	}
	l.m.requests.WithLabelValues(fmt.Sprint(code)).Inc()
	l.m.duration.WithLabelValues().Observe(took.Seconds())
	l.second.took = append(l.second.took, took)
	if code == http.StatusOK {
		l.second.ok++
		l.outcomes.WithLabelValues(outcomeOK).Inc()
	} else {
		l.second.failed++
		l.outcomes.WithLabelValues(outcomeFailed).Inc()
	}
}

// writeSecond writes one line of the log and starts the next.
func (l *load) writeSecond(now time.Time) {
	l.mu.Lock()
	t := l.second
	l.second = tally{}
	waiting := l.users
	l.mu.Unlock()

	s := LoadSecond{Time: now.UTC(), Sent: t.sent, OK: t.ok, Failed: t.failed, Waiting: waiting}
	if n := len(t.took); n > 0 {
		slices.Sort(t.took)
		p99 := t.took[int(math.Ceil(0.99*float64(n)))-1]
		s.P99 = math.Round(float64(p99)/float64(time.Millisecond)*10) / 10
	}
	line, err := json.Marshal(s)
	if err != nil {
		return
	}
	l.log.Write(append(line, '\n'))
}
