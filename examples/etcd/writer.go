package etcd

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The writer's limits.
const (
	writeEvery = 100 * time.Millisecond
	tryTimeout = 500 * time.Millisecond // of a put on one member; then the next one is asked
	keys       = 100                    // the writer goes round these, so that the cluster's data stays small
)

// lastSuccess is the metric by which one sees how long ago the cluster last took a write.
const lastSuccess = "etcd_writer_last_success_timestamp_seconds"

// writer puts keys into a cluster, one after the other, as a client does that knows all members.
type writer struct {
	client  *http.Client
	members []string
	at      int // the member that is asked first: the last one that took a write
	n       int

	puts     *prometheus.CounterVec // by outcome
	duration prometheus.Histogram
	tries    *prometheus.CounterVec // by outcome
	success  prometheus.Gauge
}

// Main runs the writer: it puts a key ten times a second into the cluster whose members' client URLs are its arguments, until SIGINT or
// SIGTERM, and serves /metrics. It returns 0, 1 when it fails, or 2 when it is called wrongly.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 0 {
		fmt.Fprintln(stderr, "etcd-writer: say the client URLs of the members, such as http://member-1:2379")
		return 2
	}
	if err := write(ctx, args, ":"+strconv.Itoa(WriterPort)); err != nil {
		fmt.Fprintf(stderr, "etcd-writer: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, "etcd-writer: ended")
	return 0
}

func write(ctx context.Context, members []string, listen string) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", listen, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	registry := prometheus.NewRegistry()
	w := newWriter(members, registry)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(ln)
		cancel()
	}()
	w.run(ctx)
	srv.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newWriter(members []string, registry *prometheus.Registry) *writer {
	w := &writer{
		members: members,
		client: &http.Client{Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: tryTimeout}).DialContext,
			IdleConnTimeout: 30 * time.Second,
		}},
		puts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_writer_puts_total",
			Help: "Puts by outcome, all members having been tried: ok or failed.",
		}, []string{"outcome"}),
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_writer_tries_total",
			Help: "Puts on a single member, by outcome: ok, refused (an answer other than 200), silent (no answer in time).",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "etcd_writer_put_duration_seconds",
			Help:    "Time that a put took, on all members that were tried.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 4},
		}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: lastSuccess,
			Help: "When the cluster last took a put, in seconds since 1970.",
		}),
	}
	for _, outcome := range []string{"ok", "failed"} {
		w.puts.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"ok", "refused", "silent"} {
		w.tries.WithLabelValues(outcome)
	}
	registry.MustRegister(w.puts, w.tries, w.duration, w.success)
	return w
}

// run puts keys until ctx ends.
func (w *writer) run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.put(ctx)
		}
	}
}

// put writes the next key on the first member that takes it.
func (w *writer) put(ctx context.Context) {
	w.n++
	body, err := json.Marshal(map[string]string{
		"key":   base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "gameday/%d", w.n%keys)),
		"value": base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d", w.n)),
	})
	if err != nil {
		return
	}
	start := time.Now()
	outcome := "failed"
	for range w.members {
		result := w.try(ctx, w.members[w.at], body)
		if ctx.Err() != nil {
			return
		}
		w.tries.WithLabelValues(result).Inc()
		if result == "ok" {
			outcome = "ok"
			w.success.SetToCurrentTime()
			break
		}
		w.at = (w.at + 1) % len(w.members)
	}
	w.puts.WithLabelValues(outcome).Inc()
	w.duration.Observe(time.Since(start).Seconds())
}

// try puts on one member and returns how that ended.
func (w *writer) try(ctx context.Context, member string, body []byte) string {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, member+"/v3/kv/put", bytes.NewReader(body))
	if err != nil {
		return "silent"
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.client.Do(req)
	if err != nil {
		return "silent"
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return "silent"
	}
	if resp.StatusCode != http.StatusOK {
		return "refused"
	}
	return "ok"
}
