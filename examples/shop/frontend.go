package shop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The frontend's limits. Three tries fit into a second, which is what a user is made to wait at most.
const (
	maxTries     = 3
	tryTimeout   = 300 * time.Millisecond // of one try, connecting included
	dialTimeout  = 150 * time.Millisecond // a dead container's address swallows packets: do not wait long
	probeEvery   = 250 * time.Millisecond // of a replica that was put aside
	probeTimeout = 200 * time.Millisecond
)

// Why a try failed: the values of the label "reason".
const (
	reasonConnect = "connect" // refused, reset, unknown name, no route
	reasonTimeout = "timeout"
	reasonStatus  = "status" // a 5xx
)

// frontend hands checkouts to the api replicas in turn, and to another one when a try fails.
type frontend struct {
	life     context.Context
	client   *http.Client
	replicas []*replica
	turn     atomic.Uint64
	retries  *prometheus.CounterVec // by reason
}

// A replica is put aside when it did not answer; from then on it is probed in the background, so that no user has to try it.
type replica struct {
	url   string
	aside atomic.Bool
	gauge prometheus.Gauge
}

func runFrontend(ctx context.Context, c config, _ io.Writer) error {
	return serve(ctx, c.listen, newFrontend(ctx, newMeters(), c.apis))
}

// newFrontend returns a frontend for api replicas at these base URLs. Its probes end with life.
func newFrontend(life context.Context, m *meters, apis []string) http.Handler {
	f := &frontend{
		life:   life,
		client: &http.Client{Transport: newTransport(dialTimeout)},
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_client_retries_total",
			Help: "Tries on another replica, by what was wrong with the one before.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{reasonConnect, reasonTimeout, reasonStatus} {
		f.retries.WithLabelValues(reason)
	}
	aside := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "replica_put_aside",
		Help: "1 while a replica gets no requests because it did not answer.",
	}, []string{"replica"})
	for _, url := range apis {
		f.replicas = append(f.replicas, &replica{url: url, gauge: aside.WithLabelValues(url)})
	}
	m.registry.MustRegister(f.retries, aside)
	mux := newMux(m)
	mux.Handle("POST /checkout", m.watch(f.checkout))
	return mux
}

func (f *frontend) checkout(w http.ResponseWriter, r *http.Request) {
	var last *replica
	var reason string
	for try := range maxTries {
		if try > 0 {
			f.retries.WithLabelValues(reason).Inc()
		}
		last = f.pick(last)
		reason = f.try(r.Context(), last)
		if reason == "" {
			io.WriteString(w, "thank you\n")
			return
		}
		if r.Context().Err() != nil {
			break
		}
	}
	code := map[string]int{
		reasonConnect: http.StatusBadGateway,
		reasonTimeout: http.StatusGatewayTimeout,
		reasonStatus:  http.StatusServiceUnavailable,
	}[reason]
	http.Error(w, "checkout failed: "+reason, code)
}

// pick returns the next replica in turn: rather one that was not put aside, and rather another one than the last. When all
// are aside it takes one nevertheless, since a user who waits has nothing to lose.
func (f *frontend) pick(last *replica) *replica {
	start := f.turn.Add(1)
	var best *replica
	bestRank := -1
	for i := range f.replicas {
		r := f.replicas[(start+uint64(i))%uint64(len(f.replicas))]
		rank := 0
		if !r.aside.Load() {
			rank += 2
		}
		if r != last {
			rank++
		}
		if rank > bestRank {
			best, bestRank = r, rank
		}
	}
	return best
}

// try makes one attempt and returns what went wrong, or "".
func (f *frontend) try(ctx context.Context, r *replica) string {
	tryCtx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	code, err := call(tryCtx, f.client, http.MethodPost, r.url+"/checkout")
	switch {
	case err == nil && code < 500:
		return ""
	case err == nil:
		return reasonStatus
	case ctx.Err() != nil:
		return reasonTimeout // the user has left: the replica is not to blame
	}
	f.putAside(r)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return reasonConnect
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return reasonTimeout
	}
	return reasonConnect
}

// putAside takes a replica out until its health check answers.
func (f *frontend) putAside(r *replica) {
	if !r.aside.CompareAndSwap(false, true) {
		return
	}
	r.gauge.Set(1)
	go func() {
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for {
			select {
			case <-f.life.Done():
				return
			case <-tick.C:
			}
			ctx, cancel := context.WithTimeout(f.life, probeTimeout)
			code, err := call(ctx, f.client, http.MethodGet, r.url+"/healthz")
			cancel()
			if err == nil && code == http.StatusOK {
				r.gauge.Set(0)
				r.aside.Store(false)
				return
			}
		}
	}()
}
