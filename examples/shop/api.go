package shop

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// apiWorkers is how many checkouts a replica works on at once; the others wait in line.
const apiWorkers = 8

// storeDialTimeout bounds connecting to the store, and only that: a store that is gone is noticed, one that does not answer is
// not. It is short enough for the workers to turn away more checkouts than can come in, three tries of each included.
const storeDialTimeout = 100 * time.Millisecond

// api turns a checkout into an order in the store.
type api struct {
	life    context.Context
	client  *http.Client
	store   string
	workers chan struct{}
	closed  atomic.Bool // for maintenance

	waiting, busy prometheus.Gauge
}

func runAPI(ctx context.Context, c config, _ io.Writer) error {
	return serve(ctx, c.listen, newAPI(ctx, newMeters(), c.store))
}

// newAPI returns a replica that writes to the store at a base URL. Its calls end with life.
func newAPI(life context.Context, m *meters, storeURL string) http.Handler {
	a := &api{
		life:    life,
		client:  &http.Client{Transport: newTransport(storeDialTimeout)},
		store:   storeURL,
		workers: make(chan struct{}, apiWorkers),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "queue_waiting_requests",
			Help: "Checkouts that wait for a worker.",
		}),
		busy: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "queue_busy_workers",
			Help: "Workers that are on a checkout.",
		}),
	}
	m.registry.MustRegister(a.waiting, a.busy)
	mux := newMux(m)
	mux.Handle("POST /checkout", m.watch(a.checkout))
	mux.HandleFunc("PUT /maintenance", func(http.ResponseWriter, *http.Request) { a.closed.Store(true) })
	mux.HandleFunc("DELETE /maintenance", func(http.ResponseWriter, *http.Request) { a.closed.Store(false) })
	return mux
}

// checkout is where the shop's weakness lies. Neither the line for a worker nor the call to the store has a time limit, and
// both go on after the caller has left: r.Context() is not passed on. While the store answers nobody notices; when it
// freezes, all workers wait for it, and everything else waits for them.
func (a *api) checkout(w http.ResponseWriter, _ *http.Request) {
	if a.closed.Load() { // its health check knows nothing of it
		http.Error(w, "closed for maintenance", http.StatusServiceUnavailable)
		return
	}
	a.waiting.Inc()
	select {
	case a.workers <- struct{}{}:
		a.waiting.Dec()
	case <-a.life.Done():
		a.waiting.Dec()
		http.Error(w, "closing", http.StatusServiceUnavailable)
		return
	}
	a.busy.Inc()
	defer func() {
		a.busy.Dec()
		<-a.workers
	}()
	code, err := call(a.life, a.client, http.MethodPost, a.store+"/orders")
	if err != nil || code != http.StatusOK {
		http.Error(w, "the store did not take the order", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ordered\n")
}
