package shop

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// keptOrders is how many of the latest orders the store remembers.
const keptOrders = 1000

// store keeps orders in memory. It takes 2 to 6 ms for each, as a database would.
type store struct {
	mu     sync.Mutex
	orders []time.Time // a ring of the latest
	total  prometheus.Counter
	next   int
}

func runStore(ctx context.Context, c config, _ io.Writer) error {
	return serve(ctx, c.listen, newStore(newMeters()))
}

func newStore(m *meters) http.Handler {
	s := &store{
		orders: make([]time.Time, keptOrders),
		total:  prometheus.NewCounter(prometheus.CounterOpts{Name: "store_orders_total", Help: "Orders written."}),
	}
	m.registry.MustRegister(s.total)
	mux := newMux(m)
	mux.Handle("POST /orders", m.watch(s.write))
	return mux
}

func (s *store) write(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(2*time.Millisecond + rand.N(4*time.Millisecond))
	s.mu.Lock()
	s.orders[s.next] = time.Now()
	s.next = (s.next + 1) % len(s.orders)
	s.mu.Unlock()
	s.total.Inc()
	io.WriteString(w, "written\n")
}
